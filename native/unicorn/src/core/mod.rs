//! [`UnicornCore`]: running an engine and making sense of why it stopped.

mod blocks;
mod coherent;
mod count;
mod hooks;
mod pages;
mod registers;
mod trial;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use self::blocks::Blocks;
use self::coherent::CodePages;
use self::count::Counter;
use self::hooks::{on_call, on_interrupt, on_invalid, on_tlb_fill, on_watched_block};
use self::registers::Table;
use self::trial::Trials;
use crate::UnicornConfig;
use crate::cpu::{
    Access, BlockWatcher, CpuCore, Exit, Flow, Interrupter, Lock, OnSyscall, Regs, Stops,
};
use crate::ffi::{self, Api, Engine};
use crate::guest::{Exception, Facts, Meaning};
use crate::interrupt::Stop;
use crate::memory::{AddressSpace, NoticeReader, PAGE_SIZE};
use crate::probe;
use crate::raised::{self, State};
use crate::rescue::{self, Repeated};
use crate::setup;
use crate::target::Target;
use crate::turn::{self, Turn};

/// A page that the engine asked for and did not get.
#[derive(Clone, Copy, Debug)]
struct PageFault {
    /// As the guest addressed it, tag included; page-aligned.
    page: u64,
    access: Access,
    mapped: bool,
    bus: bool,
    /// The guest may access it, but a debugger watches some of it.
    watched: bool,
}

/// Why a hook ended the run.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Exit(Exit),
    /// To go on at the program counter that was set in the hook.
    Resume,
    /// The instruction at the pc makes an access to a page of which something is watched, at this address.
    Near(Access, u64),
}

/// The closure of the present [`CpuCore::run`], its lifetime erased.
type Callback = *mut (dyn FnMut(&mut dyn Regs, u32) -> Flow + 'static);

/// The part that the engine's callbacks use. All of it is shared between them and the
/// thread that called `emu_start`, which is the same one: hence cells.
pub(super) struct Inner {
    api: Arc<Api>,
    engine: *mut Engine,
    config: UnicornConfig,
    facts: &'static Facts,
    table: Table,
    target: Target,
    space: Arc<AddressSpace>,
    notices: NoticeReader,
    stop: Arc<Stop>,
    leave: Cell<Option<Leave>>,
    fault: Cell<Option<PageFault>>,
    on_syscall: Cell<Option<Callback>>,
    /// Held while the engine runs.
    turn: RefCell<Option<Turn>>,
    /// `hooks::on_block` is called at each block.
    blocks_hooked: Cell<bool>,
    /// A program counter set within a hook, where it cannot be given to the engine.
    new_pc: Cell<Option<u64>>,
    in_hook: Cell<bool>,
    /// For [`raised`], from the first exception on.
    state: Cell<Option<State>>,
    /// Programs may read hardware registers.
    permitted: Cell<bool>,
    /// A step: translations contain the calls that counting instructions needs.
    counting: Cell<bool>,
    /// Set once, before the first run.
    watcher: OnceCell<BlockWatcher>,
    /// Host faults that were taken back, see [`rescue`].
    repeated: Cell<Repeated>,
    /// Where a debugger wants it to stop: the engine's exits while it does not step.
    stops: RefCell<Arc<Stops>>,
    /// Stops that were ever asked for as hooks (`hook_stops`).
    hooked_stops: RefCell<BTreeSet<u64>>,
    /// Stops are hooks, not exits.
    stops_are_hooks: Cell<bool>,
    /// The hook of this instruction does not stop, once.
    passed: Cell<Option<u64>>,
    /// The library's CPUState; null until it has asked for a page of data.
    cpu: Cell<*mut c_void>,
    /// The next instruction may access what is watched.
    passing: Cell<bool>,
    counter: Counter,
    blocks: Blocks,
    trials: Trials,
    /// For guests with `coherent_code`.
    code_pages: CodePages,
    /// All of it is to be looked at before the next run.
    all_code: Cell<bool>,
    /// Within `emu_start`.
    in_run: Cell<bool>,
    /// [`AddressSpace::kernel_word_changes`] of those that the engine has.
    words_taken: Cell<u64>,
    /// The TLB-fill callback is asked only to find translated code: any answer but "no" will do.
    invalidating: Cell<bool>,
}

/// A guest CPU on its own Unicorn engine.
pub struct UnicornCore {
    inner: Rc<Inner>,
}

// SAFETY: an engine may be used by any thread, one at a time; `&mut self` sees to that. The `Rc`
// keeps `Inner` in place for the engine's callbacks; its clones do not outlive a call. The cells are used by that thread only; what others use (`Stop`, `NoticeReader`) is atomic.
unsafe impl Send for UnicornCore {}

impl UnicornCore {
    pub fn open(config: UnicornConfig, space: Arc<AddressSpace>) -> Result<Self, String> {
        let api = Api::load(&config.library)?;
        // SAFETY: `Inner` holds the address space, and closes the engine before it lets go of it.
        let engine =
            unsafe { setup::open_engine(&api, &config, space.base().cast(), space.limit()) }?;
        let facts = config.guest.facts();
        let target = api.target(facts.target);
        let direct = target.stops_between_blocks;
        let inner = Rc::new(Inner {
            facts,
            table: registers::table(facts),
            target,
            stop: Arc::new(Stop::new(Arc::clone(&api), engine, direct)),
            notices: space.subscribe(),
            api,
            engine,
            config,
            space,
            leave: Cell::new(None),
            fault: Cell::new(None),
            on_syscall: Cell::new(None),
            turn: RefCell::new(None),
            blocks_hooked: Cell::new(false),
            new_pc: Cell::new(None),
            in_hook: Cell::new(false),
            state: Cell::new(None),
            permitted: Cell::new(false),
            counting: Cell::new(false),
            watcher: OnceCell::new(),
            repeated: Cell::default(),
            stops: RefCell::default(),
            hooked_stops: RefCell::default(),
            stops_are_hooks: Cell::new(facts.raised.is_some()),
            passed: Cell::new(None),
            cpu: Cell::new(std::ptr::null_mut()),
            passing: Cell::new(false),
            counter: Counter::default(),
            blocks: Blocks::default(),
            trials: Trials::default(),
            code_pages: CodePages::default(),
            all_code: Cell::new(false),
            in_run: Cell::new(false),
            words_taken: Cell::new(0),
            invalidating: Cell::new(false),
        });
        let user = Rc::as_ptr(&inner).cast_mut().cast::<c_void>();
        // SAFETY: the callbacks take `user` as an `&Inner`; it stays where it is and outlives the engine.
        unsafe {
            inner
                .api
                .hooks(engine, on_interrupt, on_invalid, on_tlb_fill, user)?;
            if let Some((instruction, _)) = facts.call {
                inner
                    .api
                    .hook_instruction(engine, instruction, on_call, user)?;
            }
            if !direct {
                inner.hook_blocks()?;
            }
        }
        inner.take_words();
        Ok(Self { inner })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.engine_closes();
        // SAFETY: open, not running (we are being dropped), and `Stop` no longer knows it.
        unsafe { (self.api.close)(self.engine) };
    }
}

/// For [`rescue`].
impl Inner {
    /// The guest's address that the running engine accesses at a host address.
    pub(super) fn guest_address(&self, host: usize) -> Option<u64> {
        let addr = self.space.guest_addr(host)?;
        (!self.in_hook.get()).then_some(addr)
    }

    /// Notes a host fault at a guest address. In a signal handler.
    pub(super) fn host_fault_at(&self, addr: u64, bus: bool) {
        let page = addr & !(PAGE_SIZE - 1);
        self.repeated.set(self.repeated.get().and(page, bus));
        self.counter.begins_again();
    }

    /// Where the functions of its target are.
    pub(super) fn slot(&self) -> Option<usize> {
        self.target.slot
    }

    /// Notes where the library keeps the processor.
    pub(super) fn has_cpu(&self, cpu: *mut c_void) {
        self.cpu.set(cpu);
    }

    /// # Safety
    /// The engine is open and not within translated code.
    pub(super) unsafe fn flush_tlb(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.api.flush_tlb(self.engine) };
    }
}

impl UnicornCore {
    /// Has runs end before these addresses. What is translated already does not know.
    fn use_exits(&self, exits: &[u64]) {
        let inner = &self.inner;
        let exits = if inner.stops_are_hooks.get() {
            inner.hook_stops(exits);
            &[]
        } else {
            exits
        };
        // SAFETY: open and not running.
        unsafe {
            inner.api.set_exits(inner.engine, exits);
            inner.api.flush_code(inner.engine);
        }
    }

    /// One `emu_start`: until a hook ends it, a fault, or an interrupt (`None`).
    fn run_once(&mut self, count: usize) -> Option<Leave> {
        self.inner.begin_count();
        let left = self.run_uncounted(count);
        self.inner.settle_count(left);
        left
    }

    fn run_uncounted(&mut self, count: usize) -> Option<Leave> {
        let inner = &*self.inner;
        if inner.needs_hooks() {
            // Without them other processes wait longer, until the next system call.
            let _ = inner.hook_blocks();
        }
        inner.take_turn();
        inner.apply_notices();
        inner.leave.set(None);
        inner.fault.set(None);
        inner.repeated.take();
        inner.take_words();
        inner.guest().before_run(inner.raw());
        if let (Some(raised), Some(state)) = (inner.facts.raised, inner.state.get()) {
            state.go_back(raised.bits);
        }
        raised::begin(inner.state.get());
        if inner.facts.raised.is_some() && count == 0 {
            // A hook's wish to stop is looked at behind it (`hook_stops`).
            crate::stops::set_counting(!inner.stops.borrow().code.is_empty());
        }
        let pc = inner.guest().entry(inner.raw(), inner.pc());
        // SAFETY: the engine is open and not running. Flushing the TLB makes sure that the first
        // instruction's fetch comes to us, where an interrupt that was set just before is seen.
        inner.in_run.set(true);
        let error = unsafe {
            inner.api.flush_tlb(inner.engine);
            rescue::while_running(inner, || {
                (inner.api.emu_start)(inner.engine, pc, 0, 0, count)
            })
        };
        inner.in_run.set(false);
        let tried = inner.settle_trial();
        inner.end_turn();
        inner.keep_out_of_slots();
        if let Some(exit) = tried {
            return Some(Leave::Exit(exit));
        }
        if let Some(leave) = inner.leave.take() {
            if let Some(pc) = inner.new_pc.take() {
                inner.set_pc(pc);
            }
            return Some(leave);
        }
        match (error, inner.fault.get()) {
            (ffi::OK, _) => None,
            (ffi::ERR_EXCEPTION, Some(fault)) => {
                let addr = match fault.access {
                    Access::Fetch => inner.pc().max(fault.page),
                    _ => probe::fault_address(&inner.api, &inner.config, inner.engine, fault.page),
                };
                Some(if fault.watched {
                    Leave::Near(fault.access, addr)
                } else {
                    Leave::Exit(inner.fault_exit(fault, addr))
                })
            }
            _ => Some(Leave::Exit(Exit::Undefined)),
        }
    }
}

impl Inner {
    /// Not within translated code.
    fn take_words(&self) {
        let changes = self.space.kernel_word_changes();
        if self.words_taken.replace(changes) != changes {
            let words = self.space.kernel_words();
            self.guest().take_words(self.raw(), &words);
        }
    }

    /// A program counter in a branch's delay slot becomes that of the branch.
    fn keep_out_of_slots(&self) {
        if let Some(raised) = self.facts.raised
            && let Some(state) = self.target.raised.and_then(raised::state)
        {
            self.state.set(Some(state));
            if self.new_pc.get().is_none() {
                let pc = state.resume_pc(raised.bits);
                state.go_on(pc, raised.bits);
            }
        }
    }

    /// Forgets that the library made its state that of an instruction in a delay slot, which goes on.
    fn leave_slot(&self) {
        if let Some(raised) = self.facts.raised
            && let Some(state) = self.target.raised.and_then(raised::state)
        {
            let pc = self.raw().read(self.facts.uc_pc) as u64;
            state.go_on(pc, raised.bits);
        }
    }

    /// What an exception's program counter is, that of a call being behind it.
    fn raised_at(&self, at: u64, found: Exception) -> u64 {
        let behind = if found.meaning == Meaning::Call { 1 } else { 0 };
        match self.facts.raised {
            Some(raised) => {
                self.state.set(self.target.raised.and_then(raised::state));
                raised::resumes_at(raised.bits).map_or(at, |pc| pc + behind * raised.call)
            }
            None => at.wrapping_sub(found.back),
        }
    }
}

impl CpuCore for UnicornCore {
    fn run(&mut self, on_syscall: OnSyscall<'_>) -> Exit {
        // Unicorn itself flushes its translations when it need not count any more.
        self.inner.counting.set(false);
        // SAFETY: only lengthens the closure's lifetime; the pointer is cleared before we return.
        let callback = unsafe {
            std::mem::transmute::<
                *mut (dyn FnMut(&mut dyn Regs, u32) -> Flow + '_),
                *mut (dyn FnMut(&mut dyn Regs, u32) -> Flow + 'static),
            >(&raw mut *on_syscall)
        };
        self.inner.on_syscall.set(Some(callback));
        let exit = loop {
            if self.inner.stop.take() {
                break Exit::Interrupted;
            }
            let pc = self.inner.pc();
            if self.inner.passed.get() != Some(pc) {
                self.inner.passed.set(None);
                if self.inner.stops.borrow().at(pc) {
                    break Exit::Stop;
                }
            }
            match self.run_once(0) {
                Some(Leave::Exit(exit)) => break exit,
                Some(Leave::Resume) => {}
                Some(Leave::Near(access, addr)) => match self.step_watched(access, addr) {
                    Exit::Interrupted => self.inner.counting.set(false),
                    exit => break exit,
                },
                None => {
                    self.inner.guest().take_back(self.inner.raw());
                    if self.inner.stop.take() {
                        break Exit::Interrupted;
                    }
                    // Another thread's turn, or a WFI, which has nothing to wait for in a
                    // user program.
                }
            }
        };
        self.inner.on_syscall.set(None);
        exit
    }

    fn step(&mut self) -> Exit {
        let inner = Rc::clone(&self.inner);
        inner.passed.set(None);
        let start = inner.pc();
        let end = inner.guest().step_end(&inner.stopped(start));
        if !inner.counting.get() || end.is_some() {
            // What is translated already neither counts instructions nor ends at `end`.
            // SAFETY: open and not running.
            unsafe { inner.api.flush_code(inner.engine) };
        }
        inner.counting.set(true);
        // SAFETY: open and not running.
        unsafe { inner.api.set_exits(inner.engine, end.as_slice()) };
        inner.set_counting(true);
        let count = inner.guest().counts_as(&inner.stopped(start));
        let left = self.run_once(count);
        inner.set_counting(false);
        let stops = inner.stops.borrow();
        if end.is_some() || !stops.is_empty() {
            // The exit is part of what was translated.
            self.use_exits(&stops.code);
        }
        match left {
            // The next instruction cannot be fetched: that is its own step's business.
            Some(Leave::Exit(Exit::Fault {
                access: Access::Fetch,
                ..
            })) if inner.pc() != start => Exit::Interrupted,
            Some(Leave::Exit(exit)) => exit,
            Some(Leave::Near(access, addr)) => self.step_watched(access, addr),
            Some(Leave::Resume) | None => Exit::Interrupted,
        }
    }

    fn step_over(&mut self) -> Exit {
        self.inner.passing.set(true);
        let exit = self.step();
        self.inner.passing.set(false);
        exit
    }

    /// As a hook a stop costs nothing more than its call to pass. (A step needs other translations of all.)
    fn pass_stop(&mut self) -> Exit {
        let inner = Rc::clone(&self.inner);
        if !inner.stops_are_hooks.get() {
            if !inner.can_leave() {
                return self.step();
            }
            inner.stops_are_hooks.set(true);
            self.use_exits(&inner.stops.borrow().code);
        }
        inner.passed.set(Some(inner.pc()));
        Exit::Interrupted
    }

    /// What an instruction that is tried out has stored is taken back within its turn (`trial.rs`).
    fn between_instructions(&self, look: &mut dyn FnMut()) {
        let _turn = Turn::take(None, self.inner.space.shares_memory());
        look();
    }

    fn locks(&self) -> Vec<Lock> {
        turn::locks()
    }

    /// Each run begins with an empty TLB, so pages of what is watched are asked for from the next one on.
    fn set_stops(&mut self, stops: &Arc<Stops>) {
        if self.inner.stops.borrow().code != stops.code {
            self.use_exits(&stops.code);
        }
        self.inner.count(stops.count);
        self.inner.tell_blocks(stops.blocks);
        self.inner.stops.replace(Arc::clone(stops));
    }

    fn executed(&self) -> Option<u64> {
        self.inner.counter.executed()
    }

    fn interrupter(&self) -> Arc<dyn Interrupter> {
        Arc::clone(&self.inner.stop) as Arc<dyn Interrupter>
    }

    fn invalidate(&mut self, start: u64, end: u64) {
        self.inner.forget_code(start, end);
    }

    fn watch_blocks(&mut self, watcher: BlockWatcher) -> bool {
        let inner = &self.inner;
        let user = Rc::as_ptr(inner).cast_mut().cast::<c_void>();
        // SAFETY: as in `open`; nothing has been translated yet, so that every block calls.
        let hooked = unsafe { inner.api.hook_blocks(inner.engine, on_watched_block, user) };
        hooked.is_ok() && inner.watcher.set(watcher).is_ok()
    }

    fn duplicate(&self) -> Result<Box<dyn CpuCore>, String> {
        let mut copy = Self::open(self.inner.config.clone(), Arc::clone(&self.inner.space))?;
        if let Some(watcher) = self.inner.watcher.get() {
            copy.watch_blocks(Arc::clone(watcher));
        }
        let all = 0..self.inner.table.len() as u32;
        for reg in self.inner.facts.leading.iter().copied().chain(all) {
            copy.inner.set(reg, self.inner.get(reg));
        }
        Ok(Box::new(copy))
    }
}
