//! From guest code to an installed translation.

use super::masked::{MODE_BLOCKS, MODE_COUNT, MODE_HOST_FLUSH, MODE_PROBES, MODE_TAGS, MODE_TRAPS};
use super::region::MODE_REGION;
use super::{LogItem, NativeCore};
use crate::cache::{Found, Made, Refusal, Source};
use crate::cpu::Emulated;
use crate::guest::{FlagFate, FlagUse, Lift, ReadClock, flag};
use crate::host::code::Code;
use crate::host::{Host, Native, Tuning};
use crate::ir::build::IrBuilder;
use crate::ir::float;
use crate::ir::sem::Sem;
use crate::ir::{Block, Op, Trap};
use crate::memory::{Flags, Prot};

/// The longest translation, in guest instructions.
pub(super) const MAX_INSNS: usize = 64;
/// Conditional branches that a translation goes on after.
const MAX_SIDES: usize = 2;
/// How far dead flags are looked for.
const LOOK_AHEAD: usize = 12;

/// In the sources of translations: that memory has a mark ([`Guest::mode_of_page`](crate::guest::Guest::mode_of_page)) is a byte
/// at an address that no guest has: that of the page, and this bit.
const MARKS: u64 = 1 << 63;

/// Why there is no code at a pc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFetch {
    pub addr: u64,
    pub mapped: bool,
    /// No instruction can be there.
    pub align: bool,
}

/// Why there is no translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCode {
    Fetch(NoFetch),
    /// The host has no memory for it: the interpreter has to do.
    NoRoom,
}

impl From<NoFetch> for NoCode {
    fn from(why: NoFetch) -> Self {
        Self::Fetch(why)
    }
}

/// Guest code that was read, from one page.
pub(super) struct Window {
    start: u64,
    len: usize,
    bytes: [u8; MAX_INSNS * 4],
}

impl Default for Window {
    fn default() -> Self {
        Self {
            start: 0,
            len: 0,
            bytes: [0; MAX_INSNS * 4],
        }
    }
}

impl Window {
    /// What it has from `pc` on, if that is at least `size` bytes.
    fn at(&self, pc: u64, size: usize) -> Option<&[u8]> {
        let from = usize::try_from(pc.checked_sub(self.start)?).ok()?;
        let code = self.bytes[..self.len].get(from..)?;
        (code.len() >= size).then_some(code)
    }
}

/// What translations are made in, one after the other.
#[derive(Default)]
pub(super) struct Work {
    window: Window,
    pub(super) source: Source,
    pub(super) block: Block,
    host: <Native as Host>::Work,
    pub(super) code: Code,
    readers: Readers,
}

/// What code was found to do with the flags that it begins with ([`NativeCore::flag_fate`]). An answer may be out of
/// date: only speed depends on it.
struct Readers([(u64, FlagFate); 1024]);

impl Default for Readers {
    fn default() -> Self {
        Self([(u64::MAX, FlagFate::Unknown); 1024])
    }
}

impl Readers {
    fn look_up(&mut self, pc: u64, find: impl FnOnce() -> FlagFate) -> FlagFate {
        let known = &mut self.0[(pc >> 1) as usize % 1024];
        if known.0 != pc {
            *known = (pc, find());
        }
        known.1
    }
}

impl NativeCore {
    /// The executable bytes from `pc` to the end of its page.
    pub(super) fn fetch(&self, pc: u64, buf: &mut [u8]) -> Result<usize, NoFetch> {
        let space = &self.common.space;
        match space.prot_at(pc) {
            None => {
                return Err(NoFetch {
                    addr: pc,
                    mapped: false,
                    align: false,
                });
            }
            Some(p) if !p.contains(Prot::EXEC) => {
                return Err(NoFetch {
                    addr: pc,
                    mapped: true,
                    align: false,
                });
            }
            Some(_) => {}
        }
        let len = buf.len().min((4096 - (pc & 4095)) as usize);
        space.read(pc, &mut buf[..len]).map_err(|_| NoFetch {
            addr: pc,
            mapped: true,
            align: false,
        })?;
        Ok(len)
    }

    /// Where the instruction of a pc is, if there may be one.
    fn place(&self, pc: u64) -> Result<u64, NoFetch> {
        let guest = self.common.guest;
        let addr = guest.fetch_address(pc);
        if guest.is_misaligned(pc) {
            return Err(NoFetch {
                addr,
                mapped: true,
                align: true,
            });
        }
        Ok(addr)
    }

    /// What reads what translations are made from, executable memory within a page at a time; false: it is not there.
    pub(super) fn code_reader(&self) -> impl FnMut(u64, &mut [u8]) -> bool {
        let space = &self.common.space;
        let mut known = None;
        move |at, bytes: &mut [u8]| {
            if at & MARKS != 0 {
                let mode = self.common.guest_mode(self.st_ref());
                let marked = self.common.mode_in_page(mode, at & !MARKS) != mode;
                bytes.fill(u8::from(marked));
                return true;
            }
            let page = at / 4096;
            if known != Some(page) {
                if !space.prot_at(at).is_some_and(|p| p.contains(Prot::EXEC)) {
                    return false;
                }
                known = Some(page);
            }
            space.read(at, bytes).is_ok()
        }
    }

    /// The bytes of the instruction at `pc`, in as many pages as it lies in, into `buf`; how many.
    pub(super) fn fetch_insn(&self, pc: u64, buf: &mut [u8]) -> Result<usize, NoFetch> {
        let guest = self.common.guest;
        let start = self.place(pc)?;
        let mut have = self.fetch(start, &mut buf[..guest.max_insn()])?;
        loop {
            // The shortest instructions do not cross a page's end.
            let size = guest.insn_size(pc, buf);
            if have >= size {
                return Ok(size);
            }
            have += self.fetch(start + have as u64, &mut buf[have..size])?;
        }
    }

    /// Reads code from `pc` on: to the end of its page, or the instruction there if that goes on in the next one.
    fn fill(&self, pc: u64, window: &mut Window) -> Result<(), NoFetch> {
        let guest = self.common.guest;
        window.start = self.place(pc)?;
        window.len = self.fetch(window.start, &mut window.bytes)?;
        if window.len < guest.insn_size(pc, &window.bytes) {
            window.len = self.fetch_insn(pc, &mut window.bytes)?;
        }
        Ok(())
    }

    /// Records the block at `pc`, of at most `max` instructions and ending before a pc for which `stop` holds (which is
    /// also told whether a conditional branch comes before it), in the memory of `room`. The code is in `window`
    /// then.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is read and what is written"
    )]
    pub(super) fn lift_block(
        &self,
        pc: u64,
        mode: u32,
        max: usize,
        stop: &dyn Fn(u64, bool) -> bool,
        source: &mut Source,
        room: Block,
        window: &mut Window,
    ) -> Result<Block, NoFetch> {
        let guest = self.common.guest;
        self.fill(pc, window)?;
        let (code, len) = (&window.bytes, window.len);
        let mut b = IrBuilder::reusing(guest.layout(), self.common.config.options.fold, room)
            .with_width(guest.slot_width());
        if mode & MODE_TAGS != 0 {
            b.remove_tags(guest.tag_bits());
        }
        let mut at = pc;
        let own = mode & 0xffff;
        let mut running = self.common.mode_in_page(own, pc);
        if self.common.space.uses() != Flags::NONE {
            source.add(MARKS | window.start & !0xfff, &[u8::from(running != own)]);
        }
        if mode & MODE_REGION != 0 {
            running = guest.mode_within(running);
        }
        let mut sides = 0;
        let mut after_side = false;
        let stops = self.common.stops();
        if let Some(stops) = &stops {
            b.watch(&stops.data);
        }
        loop {
            let off = (at - pc) as usize;
            let count = b.block.pcs.len();
            let rest = &code[off..len];
            let there = rest.len() >= guest.min_insn() && rest.len() >= guest.insn_size(at, rest);
            let enough = count >= max || sides > MAX_SIDES || stop(at, after_side);
            let stopping = stops
                .as_ref()
                .is_some_and(|stops| stops.at(guest.fetch_address(at)));
            if stopping && count == 0 {
                b.start_insn(at);
                b.trap(Trap::Stop, 0, at);
                at += guest.insn_size(at, rest).max(1) as u64;
                break;
            }
            if !there || stopping || (enough && guest.may_end(running)) {
                b.close();
                if guest.may_end(running) {
                    b.jump(at);
                } else {
                    guest.pause(&mut b, at, running);
                }
                break;
            }
            b.start_insn(at);
            let before = b.block.insts.len();
            let (lift, size) = if let Some(clock) = self.read_clock(at, rest) {
                clock.carry_out(&mut b);
                (Lift::Next, 4)
            } else {
                guest.lift(&mut b, at, rest, &mut running)
            };
            match lift {
                Lift::Next => {}
                Lift::End => {
                    at += u64::from(size);
                    break;
                }
                Lift::Undefined => {
                    b.trap(Trap::Undefined, 0, at);
                    at += u64::from(size);
                    break;
                }
                Lift::Unlifted => {
                    self.report_unlifted(at, &code[off..off + usize::from(size)]);
                    b.trap(Trap::Fallback, 0, at);
                    at += u64::from(size);
                    break;
                }
            }
            at += u64::from(size);
            if b.ended() {
                break;
            }
            after_side = b.block.insts[before..]
                .iter()
                .any(|i| i.op.is_exit() && i.op != Op::TrapIf);
            if after_side {
                sides += if self.common.config.options.extend && mode & MODE_BLOCKS == 0 {
                    1
                } else {
                    MAX_SIDES + 1
                };
            }
        }
        b.block.end = at;
        let used = &code[..(at - pc) as usize];
        let first = used.len().min(4096 - (window.start & 4095) as usize);
        source.add(window.start, &used[..first]);
        if first < used.len() {
            source.add(window.start + first as u64, &used[first..]);
        }
        Ok(b.finish())
    }

    /// The instruction at `pc`, if it reads a clock and is the kernel's.
    pub(super) fn read_clock(&self, pc: u64, code: &[u8]) -> Option<ReadClock> {
        let guest = self.common.guest;
        let clock = guest.read_clock(pc, code)?;
        let space = &self.common.space;
        space
            .is_special(guest.fetch_address(pc), "[vdso]")
            .then_some(clock)
    }

    /// What the kernel makes of an instruction without a lifter.
    pub(super) fn emulated(&self, code: &[u8]) -> Option<Emulated> {
        self.common.config.emulate.as_ref()?(code)
    }

    fn report_unlifted(&self, pc: u64, code: &[u8]) {
        if self.emulated(code).is_some() {
            return;
        }
        self.log(LogItem::Unimp, || {
            format!("{pc:#x}: {code:02x?} has no lifter: executed by the fallback core\n")
        });
    }

    /// Hands a log item to the sink if it is wanted.
    pub(super) fn log(&self, item: LogItem, text: impl FnOnce() -> String) {
        if let Some((wanted, sink)) = &self.common.config.log
            && wanted.contains(&item)
        {
            sink(item, &text());
        }
    }

    /// What the code at `pc` does with the condition flags, as far as can be seen. Only speed depends on it.
    pub(super) fn flag_fate(&self, mut pc: u64, window: &Window) -> FlagFate {
        if !self.common.config.options.flags {
            return FlagFate::Unknown;
        }
        let guest = self.common.guest;
        let size = guest.min_insn();
        let mut open = flag::ALL;
        let (mut straight, mut seen) = (true, false);
        // What is beyond the window.
        let mut more = [0u8; 16 * 4];
        let (mut start, mut len) = (0, 0);
        for _ in 0..LOOK_AHEAD {
            let at = guest.fetch_address(pc);
            let insn = if let Some(code) = window.at(at, size) {
                code
            } else {
                let inside = at >= start && (at - start) as usize + size <= len;
                if !inside {
                    let Ok(n) = self.fetch(at, &mut more) else {
                        return FlagFate::Unknown;
                    };
                    (start, len) = (at, n);
                    if n < size {
                        return FlagFate::Unknown;
                    }
                }
                &more[(at - start) as usize..len]
            };
            let length = guest.insn_size(pc, insn);
            if insn.len() < length {
                return FlagFate::Unknown;
            }
            match guest.flag_use(pc, insn) {
                FlagUse::Reads => return FlagFate::Read,
                FlagUse::Tests(reads) if reads & open != 0 => return FlagFate::Read,
                FlagUse::Tests(_) | FlagUse::Unknown => return FlagFate::Unknown,
                FlagUse::Goes {
                    reads,
                    writes,
                    next,
                } => {
                    if reads & open != 0 {
                        return FlagFate::Read;
                    }
                    open &= !writes;
                    straight &= next == pc.wrapping_add(length as u64);
                    match (open, straight) {
                        (0, true) => return FlagFate::Dies { seen },
                        (0, false) => return FlagFate::Unknown,
                        _ => {
                            seen = seen || guest.may_access(pc, insn);
                            pc = next;
                        }
                    }
                }
            }
        }
        FlagFate::Unknown
    }

    /// The IR of the block at `pc`, as text.
    pub(super) fn block_text(&self, pc: u64, mode: u32) -> Result<String, NoFetch> {
        Ok(self
            .lift_block(
                pc,
                mode,
                MAX_INSNS,
                &|_, _| false,
                &mut Source::new(0),
                Block::default(),
                &mut Window::default(),
            )?
            .dump())
    }

    /// A translation from before the last `execve` that still holds.
    pub(super) fn take_back(&self, pc: u64, mode: u32) -> Option<Found> {
        self.common
            .cache
            .take_back((pc, mode), &mut self.code_reader())
    }

    /// How code is generated in a mode.
    pub(super) fn tuning(&self, mode: u32) -> Tuning {
        let o = self.common.config.options;
        let chain = o.chain && mode & MODE_BLOCKS == 0;
        Tuning {
            coalesce: o.coalesce,
            returns: o.returns && chain,
            inline_jumps: o.jumps && chain,
            traps: mode & MODE_TRAPS != 0,
            float_modes: mode & float::MODES,
            probes: mode & MODE_PROBES != 0,
            host_flush: mode & MODE_HOST_FLUSH != 0,
            heat: o.regions && chain && !self.common.config.check && mode & MODE_COUNT == 0,
            defer: o.flags,
            count: mode & MODE_COUNT != 0,
            region: false,
        }
    }

    pub(super) fn log_code(&self, pc: u64, code: &Code) {
        self.log(LogItem::OutAsm, || {
            format!("{pc:#x}: {:02x?}\n", code.bytes)
        });
    }

    /// Translates and installs the block at `pc`.
    pub(super) fn translate(&mut self, pc: u64, mode: u32) -> Result<Found, NoCode> {
        let mut work = self.work.take().unwrap_or_default();
        let found = self.translate_with(pc, mode, &mut work);
        self.work = Some(work);
        found
    }

    fn translate_with(&self, pc: u64, mode: u32, work: &mut Work) -> Result<Found, NoCode> {
        let tune = self.tuning(mode);
        let share = self.common.config.options.share;
        let stop = |at, after_side| share && after_side && self.common.cache.has((at, mode));
        let mut max = MAX_INSNS;
        loop {
            let source = &mut work.source;
            source.clear(self.common.cache.changes());
            let room = std::mem::take(&mut work.block);
            work.block = self.lift_block(pc, mode, max, &stop, source, room, &mut work.window)?;
            let window = &work.window;
            let block = &work.block;
            self.log(LogItem::InAsm, || in_asm(block));
            self.log(LogItem::Op, || block.dump());
            let pin = &self.common.cache.pin;
            let (code, readers) = (&mut work.code, &mut work.readers);
            let fate = |pc| readers.look_up(pc, || self.flag_fate(pc, window));
            if Native::emit(block, pin, tune, fate, &mut work.host, code).is_err() {
                assert!(max > 1, "one instruction does not fit the host's registers");
                max = block.pcs.len().min(max) / 2;
                continue;
            }
            self.log_code(pc, code);
            let cache = &self.common.cache;
            let busy = |id| self.common.is_busy(id);
            let made = Made {
                key: (pc, mode),
                end: block.end,
                pcs: &block.pcs,
                code,
                source,
                pin: None,
            };
            match cache.install(made, &busy) {
                Ok(found) => {
                    self.tell_translated(pc, mode);
                    return Ok(found);
                }
                Err(Refusal::Changed) => {}
                Err(Refusal::NoRoom) => return Err(NoCode::NoRoom),
            }
        }
    }
}

/// The block's addresses; the caller of the log disassembles.
fn in_asm(b: &Block) -> String {
    b.pcs.first().map_or(String::new(), |first| {
        format!("IN: {first:#x}-{:#x}\n", b.end)
    })
}
