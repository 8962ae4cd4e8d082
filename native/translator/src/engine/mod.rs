//! The `native` core: translates guest code to host code.
//!
//! `docs/native-translator.md` describes it. This module puts the parts together: the
//! guest's lifter, the code generator, the shared code cache, and the loop around them.

mod check;
mod gate;
mod kept;
mod masked;
mod memory;
mod region;
mod run;
pub mod stock;
pub mod survey;
mod translate;
mod wishes;

pub use gate::stop_for_fork;
pub use kept::{forget_stocks, keep_stocks};
pub use region::regions_made;

use crate::cache::{Cache, Generation};
use crate::cpu::{BlockWatcher, CpuCore, Emulate, Exit, Interrupter, OnSyscall, Regs, Stops};
use crate::guest::Guest;
use crate::host::x64::layout::{Pinning, host};
use crate::host::x64::{self};
use crate::ir::state::State;
use crate::memory::AddressSpace;
use kept::{Cores, Kept};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Single optimisations, for `--opt no-...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Jumps between translations are patched to go straight.
    pub chain: bool,
    /// Constant folding, address modes, conditions of conditional comparisons.
    pub fold: bool,
    /// Flags that the next block does not read leave a block as operands, and are worked out if asked for.
    pub flags: bool,
    /// Values are computed in the guest register's host register.
    pub coalesce: bool,
    /// Calls and returns use the host's.
    pub returns: bool,
    /// Indirect jumps look into the core's table inline.
    pub jumps: bool,
    /// Translations go on after a conditional branch.
    pub extend: bool,
    /// Behind a conditional branch, translations end where another one begins.
    pub share: bool,
    /// Translations are taken from a file of the last process that ran the program.
    pub stock: bool,
    /// NaNs that differ between processors are found by a host exception, not by checks.
    pub traps: bool,
    /// Hot loops are translated as a whole, with host registers of their own choice.
    pub regions: bool,
    /// Bytes of translated code before it is thrown away and begun anew (`cache=SIZE`).
    pub cache: usize,
}

/// The least and the most that `cache=` takes: a long translation fits, and jumps reach.
const CACHE_SIZES: std::ops::RangeInclusive<usize> = 64 << 10..=1 << 30;

/// A number of bytes, with K, M or G.
fn size(text: &str) -> Option<usize> {
    let (number, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let size = number.parse::<usize>().ok()?.checked_mul(1 << unit)?;
    CACHE_SIZES.contains(&size).then_some(size)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chain: true,
            fold: true,
            flags: true,
            coalesce: true,
            returns: true,
            jumps: true,
            extend: true,
            share: true,
            stock: true,
            traps: true,
            regions: true,
            cache: 64 << 20,
        }
    }
}

impl Options {
    /// Applies `no-chain,no-fold,cache=1M,...`.
    ///
    /// # Errors
    /// A name that is none, or no such size.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut o = Self::default();
        for word in text.split(',').filter(|w| !w.is_empty()) {
            if let Some(bytes) = word.strip_prefix("cache=") {
                o.cache = size(bytes)
                    .ok_or_else(|| format!("cache={bytes}: a size from 64K to 1G is wanted"))?;
                continue;
            }
            let (name, on) = word
                .strip_prefix("no-")
                .map_or((word, true), |n| (n, false));
            match name {
                "chain" => o.chain = on,
                "fold" => o.fold = on,
                "flags" => o.flags = on,
                "coalesce" => o.coalesce = on,
                "returns" => o.returns = on,
                "jumps" => o.jumps = on,
                "extend" => o.extend = on,
                "share" => o.share = on,
                "stock" => o.stock = on,
                "traps" => o.traps = on,
                "regions" => o.regions = on,
                "all" => {
                    let all = if on { Self::default() } else { Self::none() };
                    o = Self {
                        cache: o.cache,
                        ..all
                    };
                }
                _ => {
                    return Err(format!(
                        "no such optimisation: {name} (chain, fold, flags, coalesce, returns, jumps, extend, share, stock, traps, regions, all; or cache=SIZE)"
                    ));
                }
            }
        }
        Ok(o)
    }

    fn none() -> Self {
        Self {
            chain: false,
            fold: false,
            flags: false,
            coalesce: false,
            returns: false,
            jumps: false,
            extend: false,
            share: false,
            stock: false,
            traps: false,
            regions: false,
            ..Self::default()
        }
    }
}

/// What a log callback gets: `-d in_asm,op,out_asm,exec,unimp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// A guest block about to be translated.
    InAsm,
    Op,
    OutAsm,
    Exec,
    Unimp,
}

/// Log sink, and whether it wants an item.
pub type Log = Arc<dyn Fn(LogItem, &str) + Send + Sync>;

/// Opens the core for what this one has no lifter for.
pub type Fallback = Arc<dyn Fn() -> Result<Box<dyn CpuCore>, String> + Send + Sync>;

/// How to open a core.
#[derive(Clone)]
pub struct NativeConfig {
    pub options: Options,
    /// Compare each executed block with the interpreter.
    pub check: bool,
    /// The items wanted, and where they go.
    pub log: Option<(Vec<LogItem>, Log)>,
    /// What the kernel carries out. Asked before the fallback core, since nearly every program's C library
    /// reads an ID register at its start, and opening that core would then take most of the start.
    pub emulate: Option<Emulate>,
    /// Floating-point traps of a core after which it changes to translations with checks.
    pub trap_limit: u32,
    /// Faults at tagged addresses after which a core changes to translations that take tags off.
    pub tag_limit: u32,
    /// Times that a backward jump is taken before its loop becomes a region.
    pub hot: u32,
    /// Where translations are kept for the next process.
    pub stock: Option<stock::Place>,
}

impl Default for NativeConfig {
    fn default() -> Self {
        Self {
            options: Options::default(),
            check: false,
            log: None,
            emulate: None,
            // One costs some 2 µs, a check 0.3 ns.
            trap_limit: 2000,
            // One costs some 3 µs, what takes a tag off 0.5 ns.
            tag_limit: 500,
            hot: 1000,
            stock: None,
        }
    }
}

/// A core's state, shared with those who interrupt it.
struct Shared {
    state: UnsafeCell<Box<State>>,
    /// 1 more than the number of the generation whose code the core is in, or looks at; 0: none.
    inside: AtomicU64,
}

// SAFETY: other threads only touch the atomic `interrupt` field, through a raw pointer.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Bits of `State::interrupt`.
const WANT_EXIT: u32 = 1;
/// Memory notices or a new generation: look, and go on.
const WANT_ATTENTION: u32 = 2;
/// The round of a loop is over (`check`).
const WANT_ROUND: u32 = 4;

impl Shared {
    fn kick(&self, bits: u32) {
        // SAFETY: only the address of an atomic field is formed.
        let flag = unsafe { &(*(*self.state.get()).as_ref_ptr()).interrupt };
        flag.fetch_or(bits, Ordering::SeqCst);
        // Calls do not look at the flag, but whether there is room on the return stack.
        self.set_return_limit(u64::MAX);
    }

    /// Loops leave translated code at their next round; nothing else happens.
    fn kick_loops(&self) {
        // SAFETY: as in `kick`.
        let flag = unsafe { &(*(*self.state.get()).as_ref_ptr()).interrupt };
        flag.fetch_or(WANT_ROUND, Ordering::SeqCst);
    }

    /// The return stack's pointer below which calls leave translated code.
    fn set_return_limit(&self, limit: u64) {
        // SAFETY: only the address of a word is formed, which from here on is used as an atomic one.
        let word = unsafe {
            let state = (*self.state.get()).as_ref_ptr();
            AtomicU64::from_ptr((&raw const (*state).host[host::RETURN_LIMIT]).cast_mut())
        };
        word.store(limit, Ordering::SeqCst);
    }
}

/// A pointer to the boxed state without a reference to the whole of it.
trait AsRefPtr {
    fn as_ref_ptr(&self) -> *const State;
}

impl AsRefPtr for Box<State> {
    fn as_ref_ptr(&self) -> *const State {
        &raw const **self
    }
}

impl Interrupter for Shared {
    fn interrupt(&self) {
        self.kick(WANT_EXIT);
    }
}

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
/// The return stack: pairs of 8 bytes, and below them room for signal handlers and helpers.
const RETURN_STACK: usize = 512 << 10;
const RETURN_RESERVE: usize = 256 << 10;

/// Memory for the return stack, with a guard page.
struct ReturnStack(usize);

impl ReturnStack {
    fn new() -> Result<Self, String> {
        // SAFETY: a new mapping, whose lowest page becomes inaccessible.
        unsafe {
            let p = libc::mmap(
                std::ptr::null_mut(),
                RETURN_STACK,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            );
            if p == libc::MAP_FAILED {
                return Err(format!(
                    "no memory for the return stack: {}",
                    std::io::Error::last_os_error()
                ));
            }
            libc::mprotect(p, 4096, libc::PROT_NONE);
            Ok(Self(p as usize))
        }
    }

    /// The empty stack's pointer. Below it a return finds a pc that may well be
    /// its target: `indirect` (which takes the target in rax) is where that leads.
    fn top(&self, indirect: usize) -> u64 {
        let top = self.0 + RETURN_STACK - 64;
        // SAFETY: within the mapping.
        unsafe { *(top as *mut [usize; 2]) = [indirect, 0] };
        top as u64
    }
}

impl Drop for ReturnStack {
    fn drop(&mut self) {
        // SAFETY: nobody runs on it any more.
        unsafe { libc::munmap(self.0 as *mut libc::c_void, RETURN_STACK) };
    }
}

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
    next: Option<run::Ahead>,
    /// None before the first translation.
    work: Option<Box<translate::Work>>,
    /// An instruction that is executed with its exception masked.
    masked: masked::Stub,
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
    x64::check_host()?;
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
        let cache = Cache::new(Pinning::new(guest), config.options.cache)?;
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
            state: UnsafeCell::new(State::new()),
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
            next: None,
            work: None,
            masked: masked::Stub::new()?,
            checked_loops: check::Loops::default(),
            watcher: None,
            common,
        };
        let hot = core.common.config.hot;
        core.st().heat.fill(hot);
        core.common.guest.reset(core.st());
        let (jumps, limit) = (core.jumps.as_ptr() as u64, core.stack.0 + RETURN_RESERVE);
        let st = core.st();
        x64::layout::prepare(st);
        st.host[host::JUMPS] = jumps;
        st.host[host::RETURN_LIMIT] = limit as u64;
        core.clear_jumps();
        core.reset_returns();
        Ok(core)
    }

    fn st(&mut self) -> &mut State {
        // SAFETY: `&mut self` is the only user of the state but for the atomic flag.
        unsafe { &mut *self.shared.state.get() }
    }

    fn st_ref(&self) -> &State {
        // SAFETY: as above.
        unsafe { &*self.shared.state.get() }
    }

    /// Calls may go on. To be called before the flag of interrupts is taken back: whoever sets it meanwhile
    /// stops them again.
    fn allow_calls(&mut self) {
        let limit = (self.stack.0 + RETURN_RESERVE) as u64;
        self.shared.set_return_limit(limit);
        if self.st_ref().host[host::RETURN_RSP] < limit {
            self.reset_returns();
        }
    }

    /// Empties the return stack.
    fn reset_returns(&mut self) {
        let top = self
            .stack
            .top(self.generation.arena.entry(x64::code::Entry::Indirect));
        let st = self.st();
        st.host[host::RETURN_RSP] = top;
        st.host[host::RETURN_TOP] = top;
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
        for (start, end) in self.common.set_stops(stops) {
            self.forget(start, end);
        }
    }

    fn interrupter(&self) -> Arc<dyn Interrupter> {
        self.shared.clone()
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
        Ok(Box::new(other))
    }

    fn watch_blocks(&mut self, watcher: BlockWatcher) -> bool {
        self.watcher = Some(watcher);
        true
    }
}
