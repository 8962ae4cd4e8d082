//! The memory through which a tracee and its tracer talk.

use std::sync::atomic::{AtomicU64, Ordering};

use super::stops::{ORDERS, Over};
use crate::cpu::CpuCore;
use crate::memory::{AddressSpace, MmapRequest, Prot};
use crate::process::{GuestThread, shared};
use crate::signal::host;
use crate::signal::siginfo;

/// What a stop is. `qusr/ptrace/block.py` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// Between two instructions, because the bell was rung.
    Boundary = 1,
    /// Before a system call.
    Entry = 2,
    /// After it.
    Exit = 3,
    /// A signal that the guest's own instruction caused, with its siginfo.
    Fault = 4,
    /// PTRACE_EVENT_`code`.
    Event = 5,
    /// A debugger's own stop: `code` says which kind.
    Stop = 6,
}

/// How the tracer lets a tracee go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Continue,
    Calls,
    Step,
    Emulate,
    Detached,
    /// First makes a copy of the process (`copy.rs`).
    Copy,
}

impl Mode {
    pub(super) fn of(number: u32) -> Self {
        match number {
            1 => Self::Calls,
            2 => Self::Step,
            3 => Self::Emulate,
            4 => Self::Detached,
            5 => Self::Copy,
            _ => Self::Continue,
        }
    }
}

/// Nobody has asked for the count.
const NOT_COUNTED: u64 = u64::MAX;
/// More than AArch64 has with vectors of 2,048 bits.
const REGISTERS: usize = 640;
const NAME_SIZE: usize = 16;
const MAGIC: u64 = 0x7265_6361_7254_5351;
/// The tracer changed registers, or the signal mask.
const DIRTY_REGISTERS: u32 = 1;
const DIRTY_MASK: u32 = 2;
/// Not a change: the stops at the next instruction are to be made again.
const FORGETS_OVER: u32 = 4;

/// What tracee and tracer tell each other; the tracer reads and writes it in the stopped tracee with
/// process_vm_readv(2) and process_vm_writev(2).
#[repr(C)]
pub(super) struct Block {
    pub(super) magic: u64,
    pub(super) kind: u32,
    pub(super) code: u32,
    pub(super) message: u64,
    pub(super) base: u64,
    pub(super) limit: u64,
    /// The guest's name in the list of guests, then zeros.
    pub(super) guest: [u8; NAME_SIZE],
    pub(super) audit: u32,
    /// From here to `resume_signal` the tracer writes; see [`Mode`].
    pub(super) mode: u32,
    pub(super) options: u32,
    pub(super) seized: u32,
    pub(super) resume_signal: u32,
    pub(super) dirty: u32,
    pub(super) blocked: u64,
    pub(super) number: i64,
    pub(super) first_arg: u64,
    pub(super) code_ring: u64,
    pub(super) request: u32,
    /// The event that the clone being made is: whom the host kernel attached may not be wanted.
    pub(super) cloning: u32,
    pub(super) reply: u64,
    pub(super) reply_size: u64,
    /// Where it writes its stops.
    pub(super) orders: u64,
    /// How many instructions were executed; [`NOT_COUNTED`].
    pub(super) executed: u64,
    pub(super) info: [u8; siginfo::SIZE],
    pub(super) registers: [u128; REGISTERS],
}

/// Ranges of guest code that tracers changed: one for the process, since any of its threads may be
/// the next to run.
#[repr(C)]
pub(super) struct CodeRing {
    written: AtomicU64,
    taken: AtomicU64,
    ranges: [[AtomicU64; 2]; RING],
}

const RING: usize = 256;

pub(super) static CODE_RING: CodeRing = CodeRing {
    written: AtomicU64::new(0),
    taken: AtomicU64::new(0),
    ranges: [const { [const { AtomicU64::new(0) }; 2] }; RING],
};

impl CodeRing {
    /// In a forked child: what waits in it was for the parent.
    pub(super) fn forget(&self) {
        self.taken
            .store(self.written.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Tells the cores of all new ranges. Without a lock, which a fork could leave held.
    pub(super) fn drain(&self, space: &AddressSpace) {
        loop {
            let taken = self.taken.load(Ordering::SeqCst);
            let written = self.written.load(Ordering::SeqCst);
            if taken == written {
                return;
            }
            let overrun = written.wrapping_sub(taken) > RING as u64;
            let [start, end] = if overrun {
                [0, space.limit()]
            } else {
                let range = &self.ranges[taken as usize % RING];
                [
                    range[0].load(Ordering::SeqCst),
                    range[1].load(Ordering::SeqCst),
                ]
            };
            let next = if overrun { written } else { taken + 1 };
            let won = self
                .taken
                .compare_exchange(taken, next, Ordering::SeqCst, Ordering::SeqCst);
            if won.is_ok() {
                space.notify_code_write(start, end);
            }
        }
    }
}
/// What a tracer may ask of a stopped tracee, in [`Block::request`].
const REQUEST_MAPS: u32 = 1;
const REQUEST_AUXV: u32 = 2;
const REQUEST_EXE: u32 = 3;
const REQUEST_SMAPS: u32 = 4;
const REQUEST_ROOT: u32 = 5;
/// Memory for what a debugger wants to execute: `reply` has how much, `reply_size` the protection.
const REQUEST_ALLOCATE: u32 = 6;
/// The same, given back: `reply` is where, `reply_size` how much.
const REQUEST_RELEASE: u32 = 7;
/// Numbers of 64 bits: the signals that wait, the alternate stack (address, size, flags), then for each signal its handler, flags,
/// restorer and mask.
const REQUEST_SIGNALS: u32 = 8;
/// The position of an open file is to be another: `reply` is the descriptor, `reply_size` the position. What has none is left alone.
const REQUEST_SEEK: u32 = 9;

/// How many registers tracers see of a thread.
fn shown(known: usize, core: &dyn CpuCore) -> usize {
    let count = known.max(core.register_count() as usize);
    assert!(count <= REGISTERS, "more registers than tracers see");
    count
}

impl GuestThread {
    pub(super) fn publish(&mut self, kind: Kind, code: u32, message: u64) {
        let limit = self.process.space.limit();
        let base = self.process.space.base() as u64;
        let blocked = self.signals.blocked;
        let linux = self.process.linux;
        let (regs, name) = (self.process.regs, linux.name().as_bytes());
        let mut guest = [0; NAME_SIZE];
        guest[..name.len()].copy_from_slice(name);
        let executed = self.core.executed().unwrap_or(NOT_COUNTED);
        let count = shown(regs.count, self.core.as_ref());
        let Some(tracee) = &mut self.tracee else {
            return;
        };
        let block = tracee.block();
        *block = Block {
            magic: MAGIC,
            kind: kind as u32,
            code,
            message,
            base,
            limit,
            guest,
            audit: linux.audit_arch(),
            blocked,
            code_ring: &raw const CODE_RING as u64,
            orders: &raw const ORDERS as u64,
            executed,
            resume_signal: 0,
            dirty: 0,
            request: 0,
            ..*block
        };
        for (id, value) in block.registers[..count].iter_mut().enumerate() {
            *value = self.core.get_wide(id as u32);
        }
        if let Some(id) = regs.call_marker
            && (kind == Kind::Entry || kind == Kind::Exit)
        {
            block.registers[id as usize] = u128::from(kind == Kind::Exit);
        }
        if let Some(id) = regs.shown_number
            && kind == Kind::Entry
        {
            block.registers[id as usize] = block.number as u128 & u128::from(u64::MAX);
        }
        if let Some(id) = regs.pending_result
            && kind == Kind::Entry
        {
            let result = -i64::from(libc::ENOSYS) as u64;
            let unused = 64 - u32::from(linux.abi().word_bits);
            block.registers[id as usize] = (result << unused >> unused).into();
        }
    }

    /// Answers a question of the tracer's. False: there was none.
    pub(super) fn serve(&mut self) -> bool {
        let Some(tracee) = &mut self.tracee else {
            return false;
        };
        let block = tracee.block();
        let request = std::mem::take(&mut block.request);
        let (first, second) = (block.reply, block.reply_size);
        let facts = shared(&self.process.facts);
        tracee.reply = match request {
            0 => return false,
            REQUEST_MAPS => self.process.space.maps_text(&facts.root),
            REQUEST_AUXV => facts.auxv.clone(),
            REQUEST_EXE => facts.exe.clone(),
            REQUEST_ROOT => facts.root.clone(),
            REQUEST_SMAPS => {
                let text = self.process.space.smaps_text(&facts.root);
                text.unwrap_or_default()
            }
            REQUEST_SIGNALS => {
                let signals = &self.signals;
                let stack = signals.altstack;
                let own = [
                    signals.pending(),
                    stack.sp,
                    stack.size,
                    u64::from(stack.flags as u32),
                ];
                let actions = (1..=64).map(|number| signals.actions.get(number));
                let all = actions.flat_map(|it| [it.handler, it.flags, it.restorer, it.mask]);
                own.into_iter()
                    .chain(all)
                    .flat_map(u64::to_le_bytes)
                    .collect()
            }
            REQUEST_SEEK => {
                // SAFETY: touches no memory.
                unsafe { libc::lseek(first as i32, second as i64, libc::SEEK_SET) };
                Vec::new()
            }
            REQUEST_ALLOCATE => {
                let mut wanted = MmapRequest::anonymous(first, Prot::NONE);
                wanted.prot = second as i32;
                let got = self.process.space.mmap(wanted);
                got.map_or_else(|_| Vec::new(), |addr| addr.to_le_bytes().to_vec())
            }
            REQUEST_RELEASE => {
                let done = self.process.space.munmap(first, second);
                done.map_or_else(|_| Vec::new(), |()| vec![1])
            }
            _ => Vec::new(),
        };
        let (reply, size) = (tracee.reply.as_ptr() as u64, tracee.reply.len() as u64);
        let block = tracee.block();
        (block.reply, block.reply_size) = (reply, size);
        true
    }

    /// Takes over what the tracer changed.
    pub(super) fn take_changes(&mut self, kind: Kind) {
        let regs = self.process.regs;
        let count = shown(regs.count, self.core.as_ref());
        let Some(tracee) = &mut self.tracee else {
            return;
        };
        let block = tracee.block();
        if block.dirty & DIRTY_REGISTERS != 0 {
            let in_call = kind == Kind::Entry || kind == Kind::Exit;
            let hidden = |id| {
                in_call && regs.call_marker == Some(id)
                    || kind == Kind::Entry
                        && [regs.shown_number, regs.pending_result].contains(&Some(id))
            };
            let special = |id| id == regs.pc || regs.leading.contains(&id) || hidden(id);
            let others = (0..count as u32).filter(|id| !special(*id));
            // The pc comes last, as what it means may depend on the leading ones.
            for id in regs.leading.iter().copied().chain(others).chain([regs.pc]) {
                self.core.set_wide(id, block.registers[id as usize]);
            }
        }
        if block.dirty & DIRTY_MASK != 0 {
            self.signals.blocked = block.blocked;
            host::set_mask(block.blocked);
        }
        if block.dirty & FORGETS_OVER != 0 {
            self.over = Over::Nothing;
        }
        block.dirty = 0;
    }
}
