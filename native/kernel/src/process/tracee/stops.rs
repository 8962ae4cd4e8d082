//! A debugger's stops in a process: how they come from it, and what happens at one.
//!
//! The debugger is a tracer (`qusr/debug/gdb`). While all threads of a process are stopped it writes the whole
//! set into [`ORDERS`] by process_vm_writev(2); whichever thread goes on first takes it over. Cores stop
//! before the instruction in question ([`Exit::Stop`], [`Exit::Watched`]), conditions are evaluated here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::agent::{World, evaluate};
use super::block::Kind;
use crate::cpu::{CpuCore, Exit, Stops, Watch};
use crate::memory::AddressSpace;
use crate::process::{GuestThread, shared};

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

type Conditions = BTreeMap<u64, Vec<Vec<u8>>>;

/// The stops of a process.
#[derive(Default)]
pub struct Debugged {
    /// Changes with the stops; 0: there never were any.
    epoch: AtomicU32,
    stops: RwLock<Arc<Stops>>,
    conditions: RwLock<Arc<Conditions>>,
    /// The cores' registers by the debugger's numbers.
    registers: RwLock<Arc<Vec<u16>>>,
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

    fn set(&self, stops: Stops, conditions: Conditions, registers: Vec<u16>) {
        *self.stops.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(stops);
        let mut known = self.conditions.write();
        *known.as_deref_mut().unwrap_or_else(|e| e.get_mut()) = Arc::new(conditions);
        let mut numbers = self.registers.write();
        *numbers.as_deref_mut().unwrap_or_else(|e| e.get_mut()) = Arc::new(registers);
        self.epoch.fetch_add(1, Ordering::SeqCst);
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

    fn stops(&mut self) -> Option<(Stops, Conditions, Vec<u16>)> {
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
                let size = self.number(4)? as usize;
                all.push(self.bytes(size)?.to_vec());
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
        Some((stops, conditions, registers))
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
}

fn contents(space: &AddressSpace, watch: &Watch) -> Option<Vec<u8>> {
    let mut bytes = vec![0; watch.len as usize];
    space.read(watch.start, &mut bytes).ok()?;
    Some(bytes)
}

/// The code of a [`Kind::Stop`]: which kind of stop.
const AT_CODE: u32 = 0;
const AT_READ: u32 = 1;
const AT_WRITE: u32 = 2;

impl GuestThread {
    /// Takes over the stops that a debugger wrote.
    pub(super) fn take_orders(&self) {
        ORDERS.take(|bytes| {
            if let Some((stops, conditions, registers)) = Reader(bytes).stops() {
                self.process.debugged.set(stops, conditions, registers);
            }
        });
    }

    /// Tells this thread's core of stops that changed since the last time.
    pub(in crate::process) fn follow_stops(&mut self) {
        let epoch = self.process.debugged.epoch.load(Ordering::Relaxed);
        if self.stops_seen != epoch {
            self.stops_seen = epoch;
            let stops = shared(&self.process.debugged.stops);
            self.core.set_stops(&stops);
            let written = stops.data.iter().filter(|watch| watch.writes);
            self.watched = written.map(|watch| (*watch, None)).collect();
        }
    }

    /// Whether system calls may write to what is watched: cores see only what instructions access.
    pub(in crate::process) fn watches_calls(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Keeps what is watched, before a system call.
    pub(in crate::process) fn remember_watched(&mut self) {
        let space = &self.process.space;
        for (watch, kept) in &mut self.watched {
            *kept = contents(space, watch);
        }
    }

    /// Behind a system call: lets the debugger see that it wrote to what is watched.
    pub(in crate::process) fn compare_watched(&mut self) {
        let space = self.process.space.clone();
        let mut written = None;
        for (watch, kept) in &mut self.watched {
            let Some(before) = kept.take() else { continue };
            let now = contents(&space, watch).unwrap_or_default();
            let differs = now.iter().zip(&before).position(|(new, old)| new != old);
            if let Some(at) = differs {
                written.get_or_insert(watch.start + at as u64);
            }
        }
        if let Some(addr) = written {
            self.stop(Kind::Stop, AT_WRITE, addr, None);
        }
    }

    /// The core is at a stop: lets the debugger see it, if its condition holds. What is there is executed next.
    pub(in crate::process) fn debug_stop(&mut self, exit: Exit) {
        let pc = self.process.regs.pc;
        let before = self.core.get(pc);
        match exit {
            Exit::Watched { addr, write } => {
                let code = if write { AT_WRITE } else { AT_READ };
                self.stop(Kind::Stop, code, addr, None);
            }
            _ if self.holds(before) => {
                self.stop(Kind::Stop, AT_CODE, before, None);
            }
            _ => {}
        }
        if self.tracee.is_none() && !self.process.borrows {
            // The debugger is gone. (Whoever lives in another one's memory may meet that one's stops.)
            let (none, no_conditions) = (Stops::default(), Conditions::default());
            self.process.debugged.set(none, no_conditions, Vec::new());
        }
        self.over = self.core.get(pc) == before;
    }

    /// Whether a condition of the stop at `at` holds; one that cannot be evaluated does.
    fn holds(&mut self, at: u64) -> bool {
        if self.tracee.is_none() {
            return false;
        }
        let debugged = &self.process.debugged;
        let conditions = shared(&debugged.conditions);
        // With an interworking bit, perhaps.
        let Some(all) = conditions.get(&at).or_else(|| conditions.get(&(at & !1))) else {
            return true;
        };
        let registers = shared(&debugged.registers);
        let abi = self.process.abi;
        let mut here = Here {
            core: self.core.as_mut(),
            space: &self.process.space,
            registers: &registers,
            big_endian: abi.big_endian,
            word: abi.word_bytes(),
        };
        all.iter().any(|code| evaluate(code, &mut here) != Ok(0))
    }
}
