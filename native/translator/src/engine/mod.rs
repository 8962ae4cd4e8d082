//! The `native` core: translates guest code to host code.
//!
//! `docs/native-translator.md` describes it. This module puts the parts together: the
//! guest's lifter, the code generator, the shared code cache, and the loop around them.

mod check;
mod fault;
mod gate;
mod kept;
mod link;
mod masked;
mod memory;
mod options;
mod region;
mod returns;
mod run;
mod shared;
mod shelf;
mod step;
pub mod stock;
pub mod survey;
#[cfg(test)]
mod tests;
mod translate;
mod wishes;

pub use gate::stop_for_fork;
pub use kept::{forget_stocks, keep_stocks};
pub use options::{Fallback, Log, LogItem, NativeConfig, Options};
pub use region::regions_made;

use crate::cache::{Cache, Generation};
use crate::cpu::{BlockWatcher, CpuCore, Exit, Interrupter, Lock, OnSyscall, Regs, Stops};
use crate::guest::Guest;
use crate::host::code::Entry;
use crate::host::{Cpu, Host, MaskedStub, Native, NativeCpu, check_host};
use crate::ir::state::State;
use crate::memory::{AddressSpace, Flags};
use kept::{Cores, Kept};
use returns::{RETURN_RESERVE, ReturnStack};
use shared::{Shared, WANT_ATTENTION};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// What all cores of a guest process share.
struct Common {
    config: NativeConfig,
    guest: &'static dyn Guest,
    space: Arc<AddressSpace>,
    kept: Arc<Kept>,
    fallback: Option<Fallback>,
}

impl Common {
    fn for_each_core(&self, mut function: impl FnMut(&Shared)) {
        let list = self.cores.lock();
        let list = list.unwrap_or_else(std::sync::PoisonError::into_inner);
        for core in list.iter().filter_map(Weak::upgrade) {
            function(&core);
        }
    }

    /// What of a translation's mode is the guest's.
    fn guest_mode(&self, st: &State) -> u32 {
        let uses = self.space.uses();
        let mode = self.guest.mode(st);
        if uses == Flags::NONE {
            mode
        } else {
            mode | self.guest.mode_of_space(st, uses)
        }
    }

    /// The mode of a guest instruction.
    fn mode_at(&self, st: &State, pc: u64) -> u32 {
        self.mode_in_page(self.guest_mode(st), pc)
    }

    /// With what there is to know of the memory at `pc`.
    fn mode_in_page(&self, mode: u32, pc: u64) -> u32 {
        if self.space.uses() == Flags::NONE {
            return mode;
        }
        let flags = self.space.flags_at(self.guest.fetch_address(pc));
        self.guest.mode_of_page(mode, flags)
    }

    /// Whether a core is in the code of a generation.
    fn is_busy(&self, generation: u64) -> bool {
        let mut busy = false;
        self.for_each_core(|core| busy |= core.inside.load(Ordering::SeqCst) == generation + 1);
        busy
    }
}

impl std::ops::Deref for Common {
    type Target = Kept;
    fn deref(&self) -> &Kept {
        &self.kept
    }
}

/// Entries of the table of indirect jumps: guest pc, host address.
const JUMPS: usize = 4096;
/// No block of guest code is there.
const NO_BLOCK: u64 = u64::MAX;

/// The core.
pub struct NativeCore {
    common: Arc<Common>,
    shared: Arc<Shared>,
    jumps: Box<[[u64; 2]]>,
    stack: ReturnStack,
    generation: Arc<Generation>,
    fallback: Option<Box<dyn CpuCore>>,
    /// The translation mode that `jumps` and the return stack are for.
    mode: u32,
    /// The cache's epoch that `jumps` is of.
    epoch: u64,
    /// Translations without checks are used: invalid floating-point operations trap.
    traps: bool,
    /// The host flushes denormal numbers in translated code.
    host_flush: bool,
    /// Those that did.
    float_traps: u32,
    /// Accesses that faulted for their tags.
    tagged: u32,
    /// Guest instructions are counted.
    counting: bool,
    /// Blocks are told of, and the one at this address was: it is executed next.
    blocks: Option<u64>,
    next: Option<run::Ahead>,
    /// None before the first translation.
    work: Option<Box<translate::Work>>,
    /// An instruction that is executed with its exception masked.
    masked: <Native as Host>::Stub,
    /// Under `native,check`: the loops that were seen.
    checked_loops: check::Loops,
    /// Called before each block; with `LogItem::Exec`, without which blocks do not all come back.
    watcher: Option<BlockWatcher>,
}

// SAFETY: the raw state is this core's own; the fallback core is Send.
unsafe impl Send for NativeCore {}

/// Opens a core over `space` with all registers 0.
///
/// # Errors
/// Why this host is not supported.
pub fn open(
    guest: &'static dyn Guest,
    config: &NativeConfig,
    space: Arc<AddressSpace>,
    fallback: Option<Fallback>,
) -> Result<Box<dyn CpuCore>, String> {
    Ok(Box::new(open_core(guest, config, space, fallback)?))
}

fn open_core(
    guest: &'static dyn Guest,
    config: &NativeConfig,
    space: Arc<AddressSpace>,
    fallback: Option<Fallback>,
) -> Result<NativeCore, String> {
    check_host()?;
    let mut config = config.clone();
    let logs = |item| {
        config
            .log
            .as_ref()
            .is_some_and(|(wanted, _)| wanted.contains(&item))
    };
    if logs(LogItem::Exec) {
        // Every block is to be seen, and to end where other emulators' blocks do.
        config.options.chain = false;
        config.options.extend = false;
    }
    if config.check {
        // Each block comes back, with its flags, and the interpreter's are exact.
        config.options.chain = false;
        config.options.flags = false;
        config.options.traps = false;
    }
    let kept = kept::of(guest, &config, &space, || {
        let cores = Cores::default();
        let watchers = Arc::clone(&cores);
        let kick = Box::new(move || kick_all(&watchers));
        let cache = Cache::new(Native::pinning(guest), config.options.cache)?;
        Ok(Kept::new(cache, space.subscribe_with_kick(kick), cores))
    })?;
    let common = Common {
        config,
        guest,
        space,
        kept,
        fallback,
    };
    NativeCore::new(Arc::new(common))
}

fn kick_all(cores: &Mutex<Vec<Weak<Shared>>>) {
    let list = cores
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for c in list.iter().filter_map(Weak::upgrade) {
        c.kick(WANT_ATTENTION);
    }
}

impl NativeCore {
    fn new(common: Arc<Common>) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            cpu: UnsafeCell::new(NativeCpu::new(common.guest)),
            inside: AtomicU64::new(0),
        });
        {
            let mut list = common
                .cores
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            list.retain(|w| w.strong_count() > 0);
            list.push(Arc::downgrade(&shared));
        }
        let generation = common.cache.generation();
        let mut core = Self {
            shared,
            jumps: vec![[0, 0]; JUMPS].into_boxed_slice(),
            stack: ReturnStack::new()?,
            generation,
            fallback: None,
            mode: 0,
            epoch: common.cache.epoch(),
            traps: common.config.options.traps,
            host_flush: false,
            float_traps: 0,
            tagged: 0,
            counting: false,
            blocks: None,
            next: None,
            work: None,
            masked: MaskedStub::new()?,
            checked_loops: check::Loops::default(),
            watcher: None,
            common,
        };
        let hot = core.common.config.hot;
        core.cpu().fill_heat(hot);
        core.common.guest.reset(core.st());
        let jumps = core.jumps.as_ptr();
        core.cpu().set_jumps(jumps);
        let limit = core.return_limit();
        core.shared.set_return_limit(limit);
        core.clear_jumps();
        core.reset_returns();
        Ok(core)
    }

    fn cpu(&mut self) -> &mut NativeCpu {
        // SAFETY: `&mut self` is the only user of it but for the atomic words.
        unsafe { &mut *self.shared.cpu.get() }
    }

    fn cpu_ref(&self) -> &NativeCpu {
        // SAFETY: as above.
        unsafe { &*self.shared.cpu.get() }
    }

    fn st(&mut self) -> &mut State {
        self.cpu().state_mut()
    }

    fn st_ref(&self) -> &State {
        self.cpu_ref().state()
    }

    /// Where the reserve of the return stack begins.
    fn return_limit(&self) -> u64 {
        (self.stack.0 + RETURN_RESERVE) as u64
    }

    /// Calls may go on. To be called before the flag of interrupts is taken back: whoever sets it meanwhile
    /// stops them again.
    fn allow_calls(&mut self) {
        let limit = self.return_limit();
        self.shared.set_return_limit(limit);
        if self.cpu_ref().returns().0 < limit {
            self.reset_returns();
        }
    }

    /// Empties the return stack.
    fn reset_returns(&mut self) {
        let indirect = self.generation.arena.entry(Entry::Indirect);
        let top = self.stack.top(indirect);
        self.cpu().set_returns(top);
    }
}

impl Regs for NativeCore {
    fn get(&mut self, id: u32) -> u64 {
        self.common.guest.register(self.st_ref(), id) as u64
    }
    fn set(&mut self, id: u32, value: u64) {
        self.set_wide(id, u128::from(value));
    }
    fn get_wide(&mut self, id: u32) -> u128 {
        self.common.guest.register(self.st_ref(), id)
    }
    fn set_wide(&mut self, id: u32, value: u128) {
        let guest = self.common.guest;
        guest.set_register(self.st(), id, value);
    }
}

impl CpuCore for NativeCore {
    fn run(&mut self, on_syscall: OnSyscall<'_>) -> Exit {
        self.run_guest(on_syscall)
    }

    fn step(&mut self) -> Exit {
        self.step_guest()
    }

    fn step_over(&mut self) -> Exit {
        self.step_watched(None)
    }

    fn set_stops(&mut self, stops: &Arc<Stops>) {
        let gate = gate::inside();
        let changed = self.common.set_stops(stops);
        drop(gate);
        for (start, end) in changed {
            self.forget(start, end);
        }
        if stops.count && !self.counting {
            self.st().executed = 0;
        }
        self.counting = stops.count;
        self.blocks = stops.blocks.then(|| self.blocks.unwrap_or(NO_BLOCK));
    }

    fn register_count(&self) -> u32 {
        self.common.guest.register_count()
    }

    fn executed(&self) -> Option<u64> {
        self.counting.then(|| self.st_ref().executed)
    }

    fn interrupter(&self) -> Arc<dyn Interrupter> {
        self.shared.clone()
    }

    fn locks(&self) -> Vec<Lock> {
        let mut locks = gate::locks();
        locks.push(Lock::of("translated code", &self.common.cache));
        locks
    }

    fn invalidate(&mut self, start: u64, end: u64) {
        self.forget(start, end);
    }

    fn before_fork(&mut self) {
        self.follow_wishes();
    }

    fn after_fork_in_child(&mut self) {
        self.forget_other_threads();
        wishes::after_fork_in_child();
    }

    fn duplicate(&self) -> Result<Box<dyn CpuCore>, String> {
        let mut other = Self::new(Arc::clone(&self.common))?;
        other.st().copy_guest(self.st_ref());
        other.watcher.clone_from(&self.watcher);
        other.tagged = self.tagged;
        other.counting = self.counting;
        other.blocks = self.blocks.map(|_| NO_BLOCK);
        other.st().executed = 0;
        Ok(Box::new(other))
    }

    fn watch_blocks(&mut self, watcher: BlockWatcher) -> bool {
        self.watcher = Some(watcher);
        true
    }
}
