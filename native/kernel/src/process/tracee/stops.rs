//! A debugger's stops in a process: how they come from it, and what happens at one.
//!
//! The debugger is a tracer (`qusr/debug/gdb`). While all threads of a process are stopped it writes the whole
//! set into [`ORDERS`] by process_vm_writev(2); whichever thread goes on first takes it over. Cores stop
//! before the instruction in question ([`Exit::Stop`], [`Exit::Watched`]), conditions are evaluated here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use super::agent::{World, evaluate};
use super::block::Kind;
use super::{console, printf};
use crate::cpu::{CpuCore, Exit, Stops, Watch};
use crate::memory::AddressSpace;
use crate::process::{GuestThread, Stop, shared};
use crate::thunk::exec::Args;
use crate::thunk::reads;

/// Bytes of a set of stops; `qusr/ptrace/block.py` has the same number.
const ROOM: usize = 1 << 18;

/// The last set of stops that a debugger wrote.
#[repr(C)]
pub(super) struct Orders {
    written: AtomicU64,
    taken: AtomicU64,
    size: AtomicU64,
    bytes: [AtomicU64; ROOM / 8],
}

pub(super) static ORDERS: Orders = Orders {
    written: AtomicU64::new(0),
    taken: AtomicU64::new(0),
    size: AtomicU64::new(0),
    bytes: [const { AtomicU64::new(0) }; ROOM / 8],
};

impl Orders {
    /// In a forked child: what waits in it was for the parent.
    pub(super) fn forget(&self) {
        let written = self.written.load(Ordering::SeqCst);
        self.taken.store(written, Ordering::SeqCst);
    }

    /// Has `apply` take over what was written since the last time. Several threads may do so at once; none goes on
    /// before it is done.
    fn take(&self, apply: impl FnOnce(&[u8])) {
        let written = self.written.load(Ordering::SeqCst);
        if self.taken.load(Ordering::SeqCst) == written {
            return;
        }
        let size = (self.size.load(Ordering::SeqCst) as usize).min(ROOM);
        let words = self.bytes[..size.div_ceil(8)].iter();
        let mut bytes: Vec<u8> = words
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .collect();
        bytes.truncate(size);
        apply(&bytes);
        self.taken.store(written, Ordering::SeqCst);
    }
}

/// Agent expressions of a breakpoint.
#[derive(Clone, Debug, Default)]
struct Expressions {
    conditions: Vec<Vec<u8>>,
    /// What is executed where a condition holds, instead of a stop.
    commands: Vec<Vec<u8>>,
}

/// Of the breakpoints at an address.
type Conditions = BTreeMap<u64, Vec<Expressions>>;

/// The stops of a process.
#[derive(Default)]
pub struct Debugged {
    /// Changes with the stops; 0: there never were any.
    epoch: AtomicU32,
    wanted: RwLock<Arc<Wanted>>,
    /// How many threads execute an instruction that may store to what is watched, and how often one did.
    storing: AtomicU64,
    stores: AtomicU64,
}

/// What a debugger wants of a process. Replaced as a whole: whoever forks meanwhile takes the old or the new with it.
#[derive(Default)]
struct Wanted {
    stops: Arc<Stops>,
    /// They are not a debugger's but those of who has this process within its own: it is told of each where
    /// [`GuestThread::run`] was called.
    own: bool,
    conditions: Conditions,
    /// The cores' registers by the debugger's numbers.
    registers: Vec<u16>,
}

impl Debugged {
    /// For the program behind an execve: the cores may still know the stops of the one before.
    pub(in crate::process) fn after(before: Option<&Self>) -> Self {
        let epoch = before.map_or(0, |before| before.epoch.load(Ordering::SeqCst));
        Self {
            epoch: AtomicU32::new(if epoch == 0 { 0 } else { epoch + 1 }),
            ..Self::default()
        }
    }

    fn set(&self, wanted: Wanted) {
        let mut now = self.write();
        *now = Arc::new(wanted);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Has the process stop there for whoever runs it, or nowhere any more.
    pub fn set_own(&self, stops: Stops) {
        let own = !stops.is_empty() || stops.blocks;
        self.set(Wanted {
            stops: Arc::new(stops),
            own,
            ..Wanted::default()
        });
    }

    fn is_own(&self) -> bool {
        shared(&self.wanted).own
    }

    fn write(&self) -> RwLockWriteGuard<'_, Arc<Wanted>> {
        self.wanted.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody reads or changes it as long as the result is held.
    pub(in crate::process) fn hold(&self) -> impl Sized {
        self.write()
    }
}

/// Reads what `qusr/debug/gdb/stops.py` packs.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&mut self, size: usize) -> Option<&[u8]> {
        let (head, tail) = self.0.split_at_checked(size)?;
        self.0 = tail;
        Some(head)
    }

    fn number(&mut self, size: usize) -> Option<u64> {
        let bytes = self.bytes(size)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        )
    }

    fn expressions(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        for _ in 0..self.number(4)? {
            let size = self.number(4)? as usize;
            all.push(self.bytes(size)?.to_vec());
        }
        Some(all)
    }

    fn wanted(&mut self) -> Option<Wanted> {
        let mut stops = Stops::default();
        let mut conditions = Conditions::new();
        let count = self.number(4)?;
        let mut registers = Vec::new();
        for _ in 0..count {
            registers.push(self.number(2)? as u16);
        }
        for _ in 0..self.number(4)? {
            let at = self.number(8)?;
            stops.code.push(at);
            let mut all = Vec::new();
            for _ in 0..self.number(4)? {
                all.push(Expressions {
                    conditions: self.expressions()?,
                    commands: self.expressions()?,
                });
            }
            if !all.is_empty() {
                conditions.insert(at, all);
            }
        }
        stops.code.sort_unstable();
        stops.code.dedup();
        for _ in 0..self.number(4)? {
            let (start, len, kinds) = (self.number(8)?, self.number(8)?, self.number(4)?);
            stops.data.push(Watch {
                start,
                len,
                reads: kinds & 1 != 0,
                writes: kinds & 2 != 0,
            });
        }
        stops.count = self.number(4)? != 0;
        Some(Wanted {
            stops: Arc::new(stops),
            own: false,
            conditions,
            registers,
        })
    }
}

/// A stopped thread, for a condition.
struct Here<'a> {
    core: &'a mut dyn CpuCore,
    space: &'a AddressSpace,
    registers: &'a [u16],
    big_endian: bool,
    word: usize,
}

impl World for Here<'_> {
    fn register(&mut self, number: u16) -> Option<u64> {
        let id = *self.registers.get(usize::from(number))?;
        (id != u16::MAX).then(|| self.core.get(u32::from(id)))
    }

    fn memory(&mut self, addr: u64, size: usize) -> Option<u64> {
        let addr = if self.word == 4 {
            addr & 0xffff_ffff
        } else {
            addr
        };
        let mut bytes = [0; 8];
        self.space.read(addr, &mut bytes[..size]).ok()?;
        Some(crate::thunk::convert::get_int(
            &bytes[..size],
            self.big_endian,
            false,
        ))
    }

    fn print(&mut self, format: &[u8], arguments: &[u64]) {
        let word = self.word;
        let text = printf::format(format, arguments, word, self);
        console::write(&text);
    }
}

fn contents(space: &AddressSpace, watch: &Watch) -> Option<Vec<u8>> {
    let mut bytes = vec![0; watch.len as usize];
    space.read(watch.start, &mut bytes).ok()?;
    Some(bytes)
}

/// What the next instruction does not stop for: it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::process) enum Over {
    #[default]
    Nothing,
    /// That it is there. It may still access what is watched.
    Code,
    /// What it accesses.
    Access,
}

/// Who was told of an access to what is watched.
pub(in crate::process) enum Told {
    Nothing,
    Debugger,
    /// Whoever runs the process in its own is to be.
    Here(Stop),
}

/// The code of a [`Kind::Stop`]: which kind of stop.
const AT_CODE: u32 = 0;
const AT_READ: u32 = 1;
const AT_WRITE: u32 = 2;
/// Behind a call that makes a copy, whose result goes with it.
pub(super) const COPIED: u32 = 3;

impl GuestThread {
    /// Takes over the stops that a debugger wrote.
    pub(super) fn take_orders(&self) {
        ORDERS.take(|bytes| {
            if let Some(wanted) = Reader(bytes).wanted() {
                self.process.debugged.set(wanted);
            }
        });
    }

    /// Tells this thread's core of stops that changed since the last time.
    pub(in crate::process) fn follow_stops(&mut self) {
        let epoch = self.process.debugged.epoch.load(Ordering::Relaxed);
        if self.stops_seen != epoch {
            self.stops_seen = epoch;
            let wanted = shared(&self.process.debugged.wanted);
            self.core.set_stops(&wanted.stops);
            self.watched = wanted
                .stops
                .data
                .iter()
                .map(|watch| (*watch, None))
                .collect();
        }
    }

    /// Writes a register. Where the program counter changes, what is there was not stopped for.
    pub fn set_register(&mut self, id: u32, value: u128) {
        if id == self.process.regs.pc && self.core.get_wide(id) != value {
            self.over = Over::Nothing;
        }
        self.core.set_wide(id, value);
    }

    /// Executes the instruction that has come back with [`Exit::Watched`]. None: it is done, or is to begin anew.
    pub fn access(&mut self) -> Option<Stop> {
        self.over = Over::Nothing;
        match self.store_over() {
            Exit::Interrupted | Exit::Stop | Exit::Watched { .. } | Exit::Block { .. } => None,
            exit => self.trap(exit),
        }
    }

    /// Whether the next instruction is executed without another stop.
    #[must_use]
    pub fn passes_stop(&self) -> bool {
        self.over != Over::Nothing
    }

    /// Has the next instruction executed without one.
    pub fn pass_stop(&mut self) {
        self.over = Over::Code;
    }

    /// Whether system calls may access what is watched: cores see only what instructions access.
    pub(in crate::process) fn watches_calls(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Keeps what is watched before a system call, and notes whether the kernel is to read some of it.
    pub(in crate::process) fn remember_watched(&mut self, number: u64, args: &Args) {
        let space = &self.process.space;
        let mut read = None;
        if self.watched.iter().any(|(watch, _)| watch.reads) {
            reads::each(&self.caller.table, space, number, args, &mut |addr, len| {
                let seen = |(watch, _): &&(Watch, _)| watch.sees(addr, len, false);
                if let Some((watch, _)) = self.watched.iter().find(seen) {
                    read.get_or_insert(addr.max(watch.start));
                }
            });
        }
        self.read_by_call = read;
        self.stores_before = self.process.debugged.stores.load(Ordering::SeqCst);
        // Contents come behind: a store that is done by now is not a difference.
        let watched = &mut self.watched;
        self.core.between_instructions(&mut || {
            for (watch, kept) in &mut *watched {
                *kept = if watch.writes {
                    contents(space, watch)
                } else {
                    None
                };
            }
        });
    }

    /// Behind a system call: lets the debugger see that it wrote to what is watched, or read it. If it did there may be
    /// other stops from here on.
    pub(in crate::process) fn compare_watched(&mut self) -> Told {
        let space = self.process.space.clone();
        let mut written: Option<(u64, Vec<u8>)> = None;
        if self.watched.iter().any(|(_, kept)| kept.is_some()) {
            let watched = &mut self.watched;
            self.core.between_instructions(&mut || {
                for (watch, kept) in &mut *watched {
                    let Some(mut before) = kept.take() else {
                        continue;
                    };
                    let now = contents(&space, watch).unwrap_or_default();
                    let differs = |(new, old): (&u8, &u8)| new != old;
                    let first = now.iter().zip(&before).position(differs);
                    if let Some(at) = first.filter(|_| written.is_none()) {
                        let same = now.iter().zip(&before).rev().take_while(|x| !differs(*x));
                        let end = before.len() - same.count();
                        before.truncate(end);
                        written = Some((watch.start + at as u64, before.split_off(at)));
                    }
                }
            });
        }
        let debugged = &self.process.debugged;
        if debugged.storing.load(Ordering::SeqCst) != 0
            || debugged.stores.load(Ordering::SeqCst) != self.stores_before
        {
            // Another thread has written there, as the debugger was told. Asked behind the contents: had it been
            // asked before, that thread could have stored in between.
            written = None;
        }
        let read = self.read_by_call.take();
        if self.process.debugged.is_own() {
            return match (written, read) {
                (Some((addr, before)), _) => Told::Here(Stop::Written { addr, before }),
                (None, Some(addr)) => Told::Here(Stop::Read { addr }),
                (None, None) => Told::Nothing,
            };
        }
        let (code, addr) = match (written, read) {
            (Some((addr, _)), _) => (AT_WRITE, addr),
            (None, Some(addr)) => (AT_READ, addr),
            (None, None) => return Told::Nothing,
        };
        self.stop(Kind::Stop, code, addr, None);
        Told::Debugger
    }

    /// Executes an instruction that stores to what is watched, perhaps.
    pub(in crate::process) fn store_over(&mut self) -> Exit {
        self.process.debugged.storing.fetch_add(1, Ordering::SeqCst);
        let exit = self.core.step_over();
        let debugged = &self.process.debugged;
        debugged.stores.fetch_add(1, Ordering::SeqCst);
        debugged.storing.fetch_sub(1, Ordering::SeqCst);
        exit
    }

    /// In a forked child: the others, who may have stored when it was made, are not there.
    pub(super) fn forget_stores(&self) {
        self.process.debugged.storing.store(0, Ordering::SeqCst);
    }

    /// The core is at a stop: lets the debugger see it, if its condition holds, or whoever runs the process here. What is
    /// there is executed next.
    pub(in crate::process) fn debug_stop(&mut self, exit: Exit) -> Option<Stop> {
        if self.process.debugged.is_own() {
            self.over = match exit {
                Exit::Watched { .. } => Over::Access,
                Exit::Stop => Over::Code,
                _ => Over::Nothing,
            };
            return Some(Stop::Core(exit));
        }
        self.debugger_stop(exit);
        None
    }

    fn debugger_stop(&mut self, exit: Exit) {
        if matches!(exit, Exit::Watched { .. })
            && self.process.linux.watches_behind()
            && self.tracee.is_some()
            && self.store_over() != Exit::Interrupted
        {
            // A fault, say: whatever it is comes again, and is seen to.
            self.over = Over::Access;
            return;
        }
        let pc = self.process.regs.pc;
        let before = self.core.get(pc);
        self.over = match exit {
            Exit::Watched { .. } if self.process.linux.watches_behind() => Over::Nothing,
            Exit::Watched { .. } => Over::Access,
            _ => Over::Code,
        };
        match exit {
            Exit::Watched { addr, write, .. } => {
                let code = if write { AT_WRITE } else { AT_READ };
                self.stop(Kind::Stop, code, addr, None);
            }
            _ if self.is_to_be_told(before) => {
                self.stop(Kind::Stop, AT_CODE, before, None);
            }
            _ => {}
        }
        if self.tracee.is_none() && !self.process.borrows {
            // The debugger is gone. (Whoever lives in another one's memory may meet that one's stops.)
            self.process.debugged.set(Wanted::default());
        }
        if self.core.get(pc) != before {
            self.over = Over::Nothing;
        }
    }

    /// Whether the debugger is to see the stop at `at`: if a breakpoint there without commands has a condition that
    /// holds, or none. One that cannot be evaluated holds. Commands are executed here.
    fn is_to_be_told(&mut self, at: u64) -> bool {
        if self.tracee.is_none() {
            return false;
        }
        let wanted = shared(&self.process.debugged.wanted);
        let (conditions, registers) = (&wanted.conditions, &wanted.registers);
        // With an interworking bit, perhaps.
        let Some(all) = conditions.get(&at).or_else(|| conditions.get(&(at & !1))) else {
            return true;
        };
        let abi = self.process.abi;
        let mut here = Here {
            core: self.core.as_mut(),
            space: &self.process.space,
            registers,
            big_endian: abi.big_endian,
            word: abi.word_bytes(),
        };
        let mut told = false;
        for breakpoint in all {
            let mut conditions = breakpoint.conditions.iter();
            let none = breakpoint.conditions.is_empty();
            if none || conditions.any(|code| evaluate(code, &mut here) != Ok(0)) {
                told |= breakpoint.commands.is_empty();
                for code in &breakpoint.commands {
                    // One that goes wrong is the debugger's mistake, and does not keep the program.
                    let _ = evaluate(code, &mut here);
                }
            }
        }
        told
    }
}
