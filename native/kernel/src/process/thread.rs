//! One guest thread: the loop that runs guest code and makes its system calls.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::call::{Caller, call_registers};
use super::tracee::{Interrupted, Over, Told, Tracee};
use super::whereabouts::Whereabouts;
use super::{Process, shared};
use crate::cpu::{CpuCore, Exit, Flow, Watch};
use crate::memory::tags::take_tags;
use crate::seccomp::Seccomp;
use crate::signal::deliver::Delivered;
use crate::signal::host::{Mailbox, mask};
use crate::signal::siginfo::by_kernel;
use crate::signal::{AltStack, Seen, ThreadSignals};
use crate::thunk::exec::{Args, Outcome, Review, Scalars};
use crate::thunk::path::Sysroot;
use crate::thunk::scratch::Scratch;

/// Why the loop stopped, for Python to decide.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// A call with a Python handler; [`GuestThread::finish_call`] gives its result.
    Syscall { handler: Arc<str>, scalars: Scalars },
    /// A call that was made, to be looked at again; finished likewise.
    Review {
        number: u64,
        review: Review,
        result: i64,
    },
    /// Before every call, when tracing: [`GuestThread::make_call`] makes it.
    Trace { number: u64, args: Args },
    /// Not implemented, and somebody wants to know; the guest gets ENOSYS.
    Enosys { number: u64 },
    /// A call that Python must be ready for: [`GuestThread::make_call`] makes it then.
    Preload,
    /// The guest asked to exit; `whole` for exit_group.
    Exited { status: i32, whole: bool },
    /// Another thread ended this one (exit_group, execve).
    Doomed,
    /// The guest dies of this signal.
    Killed { signal: Seen },
    /// A signal was delivered while signals are watched; `killed`: the guest
    /// dies, of this signal.
    Signal { seen: Seen, killed: Option<Seen> },
    /// The core stopped for another reason than a call.
    Core(Exit),
    /// The kernel has written to what is watched ([`super::Debugged::set_own`]) for the guest: from `addr` on there were
    /// other bytes before.
    Written { addr: u64, before: Vec<u8> },
    /// It has read some of what is watched.
    Read { addr: u64 },
}

/// What of a thread an execve leaves alone, besides its mask of signals.
#[derive(Clone)]
pub struct Legacy {
    seccomp: Arc<Seccomp>,
    /// TIF_FIXADE of arch/mips: a flag of the task.
    carries_out: bool,
    /// What prctl(2) said of the next program's use of the processor, and whose it is.
    kept: u64,
    linux: &'static str,
}

/// A guest thread.
pub struct GuestThread {
    pub process: Arc<Process>,
    pub core: Box<dyn CpuCore>,
    pub(super) caller: Caller,
    /// Stop before each system call ([`Stop::Trace`]).
    pub trace: bool,
    /// Stop for calls that are not implemented ([`Stop::Enosys`]).
    pub watch_enosys: bool,
    pub signals: ThreadSignals,
    /// Where set_tid_address(2) wants a zero when the thread ends.
    pub clear_child_tid: Arc<AtomicU64>,
    /// Its system calls take tagged pointers (`memory/tags.rs`).
    pub takes_tags: bool,
    /// The kernel makes its misaligned accesses (sysmips(2), MIPS_FIXADE), where it does that at all.
    pub(super) carries_out: bool,
    /// What an execve keeps of what prctl(2) said of the processor ([`crate::linux::LinuxAbi::kept`]).
    pub(super) kept: u64,
    pub seccomp: Arc<Seccomp>,
    /// There once the thread was or is traced.
    pub(super) tracee: Option<Tracee>,
    pub(super) interrupted: Option<Interrupted>,
    pub(super) whereabouts: Whereabouts,
    /// Which of the process's stops the core knows (`tracee/stops.rs`).
    pub(super) stops_seen: u32,
    /// What of the next instruction a debugger has seen.
    pub(super) over: Over,
    /// Somebody wants [`GuestThread::run`] to come back, which it does once. Who sets it sends a bell as well.
    pub pause: Arc<AtomicBool>,
    /// What a debugger watches for stores, and what it was before the system call that is made.
    pub(super) watched: Vec<(Watch, Option<Vec<u8>>)>,
    /// Where the system call that is being made reads what a debugger watches.
    pub(super) read_by_call: Option<u64>,
    /// `Debugged::stores` before it.
    pub(super) stores_before: u64,
    /// The registers before a call that makes a copy of the process for a debugger.
    pub(super) before_copy: Option<Vec<u128>>,
}

impl GuestThread {
    /// A thread that will run on `core`.
    #[must_use]
    pub fn new(process: Arc<Process>, core: Box<dyn CpuCore>) -> Self {
        let mailbox = Mailbox::new(
            core.interrupter(),
            process.actions.clone(),
            process.pending.clone(),
        );
        let signals = ThreadSignals {
            actions: process.actions.clone(),
            blocked: mask(),
            saved: None,
            altstack: AltStack::default(),
            mailbox: mailbox.clone(),
            trampoline: process.trampoline,
            linux: process.linux,
            abi: process.abi,
            watch: false,
            seen: None,
        };
        let caller = Caller {
            table: shared(&process.table),
            sysroot: shared(&process.sysroot),
            own_exe: shared(&process.own_exe),
            scratch: Scratch::default(),
            mailbox: mailbox.clone(),
            wait_mask: Cell::new(None),
            checks_tags: false,
        };
        let seccomp = process.seccomp.add(None);
        let whereabouts = Whereabouts::new(&process, &*core);
        Self {
            process,
            core,
            caller,
            seccomp,
            trace: false,
            watch_enosys: false,
            signals,
            clear_child_tid: Arc::default(),
            takes_tags: false,
            carries_out: true,
            kept: 0,
            tracee: None,
            interrupted: None,
            whereabouts,
            stops_seen: 0,
            over: Over::default(),
            watched: Vec::new(),
            read_by_call: None,
            stores_before: 0,
            before_copy: None,
            pause: Arc::default(),
        }
    }

    /// What the program that it executes has of it.
    #[must_use]
    pub fn legacy(&mut self) -> Legacy {
        Legacy {
            seccomp: Arc::clone(&self.seccomp),
            carries_out: self.carries_out,
            kept: self.kept,
            linux: self.process.linux.name(),
        }
    }

    /// Takes that over from the thread that has executed the program.
    pub fn inherit(&mut self, legacy: &Legacy) {
        self.seccomp.inherit(&legacy.seccomp);
        self.set_carries_out(legacy.carries_out);
        let linux = self.process.linux;
        if legacy.kept != 0 && legacy.linux == linux.name() {
            let core = self.core.as_mut();
            linux.take_kept(core, legacy.kept);
            self.kept = linux.kept(core);
        }
    }

    /// Whether misaligned accesses are made for the program.
    pub(super) fn set_carries_out(&mut self, on: bool) {
        self.carries_out = on;
        self.process.linux.set_carries_out(self.core.as_mut(), on);
    }

    /// Whether only this process can go on with the thread as it is: it is traced, or has what no other one can be told
    /// of.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.is_traced() || self.seccomp.is_active() || !self.carries_out || self.kept != 0
    }

    /// A new thread of the same process with a copy of the registers, for clone(2).
    ///
    /// # Errors
    /// What kept the core from being made.
    pub fn duplicate(&self) -> Result<Self, String> {
        let core = self.core.duplicate()?;
        let mut thread = Self::new(Arc::clone(&self.process), core);
        thread.trace = self.trace;
        thread.watch_enosys = self.watch_enosys;
        thread.signals.watch = self.signals.watch;
        thread.signals.blocked = self.signals.blocked;
        thread.seccomp.inherit(&self.seccomp);
        thread.caller.checks_tags = self.caller.checks_tags;
        thread.takes_tags = self.takes_tags;
        thread.carries_out = self.carries_out;
        thread.kept = self.kept;
        Ok(thread)
    }

    /// The first thread of a new process that shares the memory, for clone(2) with CLONE_VM and these
    /// `flags`.
    ///
    /// # Errors
    /// What kept the core from being made.
    pub fn lend(&self, flags: u64) -> Result<Self, String> {
        let core = self.core.duplicate()?;
        let mut thread = Self::new(self.process.lend(flags), core);
        thread.trace = self.trace;
        thread.watch_enosys = self.watch_enosys;
        thread.signals.watch = self.signals.watch;
        thread.signals.blocked = self.signals.blocked;
        thread.takes_tags = self.takes_tags;
        thread.caller.checks_tags = self.caller.checks_tags;
        thread.carries_out = self.carries_out;
        thread.kept = self.kept;
        // kernel/fork.c, copy_process: otherwise both would run on it at once.
        if flags & libc::CLONE_VFORK as u64 != 0 {
            thread.signals.altstack = self.signals.altstack;
        }
        thread.seccomp.inherit(&self.seccomp);
        Ok(thread)
    }

    /// Takes over what Python changed in the process (sysroot, thunk table).
    pub fn refresh(&mut self) {
        self.caller.table = shared(&self.process.table);
        self.caller.sysroot = shared(&self.process.sysroot);
        self.caller.own_exe = shared(&self.process.own_exe);
    }

    /// Runs until Python has to decide something.
    pub fn run(&mut self) -> Stop {
        self.signals.mailbox.attach();
        self.seccomp.attach();
        self.whereabouts.attach();
        take_tags(self.takes_tags);
        loop {
            let pc = self.process.regs.pc;
            self.whereabouts.answers(self.core.as_mut(), pc);
            self.end_copy();
            if let Some(stop) = self.deliver_pending() {
                return stop;
            }
            if self.pause.load(Ordering::Relaxed) {
                self.pause.store(false, Ordering::SeqCst);
                return Stop::Core(Exit::Interrupted);
            }
            self.follow_stops();
            if self.watches_calls() {
                match self.compare_watched() {
                    Told::Nothing => {}
                    Told::Debugger => continue,
                    Told::Here(stop) => return stop,
                }
            }
            if let Some((number, args)) = self.begin_copy() {
                match self.one_call(number, &args) {
                    None | Some(Stop::Core(Exit::Interrupted)) => continue,
                    Some(stop) => return stop,
                }
            }
            let mut left = None;
            let sp = self.process.regs.sp;
            let (step, traced) = (self.traces_steps(), self.traces_calls());
            let watches = self.watches_calls();
            self.whereabouts.runs();
            let over = std::mem::take(&mut self.over);
            let exit = if over == Over::Access {
                self.store_over()
            } else if step {
                self.core.step()
            } else if over == Over::Code {
                self.core.pass_stop()
            } else {
                let (process, caller) = (&self.process, &mut self.caller);
                let (seccomp, whereabouts) = (&self.seccomp, &self.whereabouts);
                let trace = self.trace || traced || watches;
                self.core.run(&mut |regs, _| {
                    if trace {
                        return Flow::Leave;
                    }
                    let (number, args) = call_registers(process, regs);
                    whereabouts.enters(number, &args, regs.get(pc), regs.get(sp));
                    let refused = caller.refused(seccomp, process, regs, number, &args);
                    match refused.unwrap_or_else(|| caller.call(process, number, &args)) {
                        Outcome::Done(result) => {
                            let result = caller.table.result(result);
                            process.linux.set_result(regs, result, None);
                            whereabouts.runs();
                            Flow::Continue
                        }
                        other => {
                            left = Some((number, args, other));
                            Flow::Leave
                        }
                    }
                })
            };
            let stop = match (exit, left) {
                (Exit::Syscall { .. }, Some((number, args, outcome))) => {
                    self.settle(number, &args, outcome)
                }
                (Exit::Syscall { .. }, None) => {
                    if step {
                        self.step_done();
                    }
                    self.whole_call(traced)
                }
                (Exit::Interrupted, _) if step => {
                    self.step_done();
                    None
                }
                (exit @ (Exit::Stop | Exit::Watched { .. } | Exit::Block { .. }), _) => {
                    self.debug_stop(exit)
                }
                (exit, _) => {
                    self.whereabouts.pauses();
                    let at = self.core.get(pc);
                    if matches!(exit, Exit::Fault { .. }) {
                        // Of a page, perhaps, that was protected for reasons of our own: then nothing was executed yet.
                        self.over = over;
                    }
                    let stop = self.trap(exit);
                    if stop.is_some() || self.core.get(pc) != at {
                        self.over = Over::Nothing;
                    }
                    stop
                }
            };
            match stop {
                // What the core was interrupted for is attended to first thing, or was already.
                None | Some(Stop::Core(Exit::Interrupted)) => {}
                Some(stop) => return stop,
            }
        }
    }

    /// A system call that was not made within the core, with its stop for a tracer.
    fn whole_call(&mut self, traced: bool) -> Option<Stop> {
        let (mut number, mut args) = call_registers(&self.process, self.core.as_mut());
        if traced {
            number = self.entry_stop(number, &args)?;
            args = call_registers(&self.process, self.core.as_mut()).1;
        }
        self.one_call(number, &args)
    }

    fn one_call(&mut self, number: u64, args: &Args) -> Option<Stop> {
        if self.watches_calls() {
            self.remember_watched(number, args);
        }
        if self.trace {
            let args = *args;
            Some(Stop::Trace { number, args })
        } else {
            self.make_call(number, args)
        }
    }

    /// Executes one instruction; a system call stops like [`GuestThread::run`] does.
    pub fn step(&mut self) -> Stop {
        self.signals.mailbox.attach();
        if let Some(stop) = self.deliver_pending() {
            return stop;
        }
        self.follow_stops();
        if self.watches_calls()
            && let Told::Here(stop) = self.compare_watched()
        {
            return stop;
        }
        let exit = if std::mem::take(&mut self.over) == Over::Access {
            self.store_over()
        } else {
            self.core.step()
        };
        match exit {
            Exit::Syscall { .. } => {
                let (number, args) = call_registers(&self.process, self.core.as_mut());
                self.one_call(number, &args)
                    .unwrap_or(Stop::Core(Exit::Interrupted))
            }
            Exit::Watched { .. } => self
                .debug_stop(exit)
                .unwrap_or(Stop::Core(Exit::Interrupted)),
            exit => self.trap(exit).unwrap_or(Stop::Core(Exit::Interrupted)),
        }
    }

    /// Whether the thread is to end, and how.
    pub(super) fn doomed(&self) -> Option<Stop> {
        let mailbox = &self.signals.mailbox;
        // In this order: the message of either may come at any moment.
        if !mailbox.is_doomed() {
            return None;
        }
        if !mailbox.is_killed() {
            return Some(Stop::Doomed);
        }
        let info = by_kernel(libc::SIGKILL, self.signals.abi);
        let signal = Box::new((libc::SIGKILL, info));
        Some(Stop::Killed { signal })
    }

    /// Delivers a signal that waits, and lets a tracer see what it is to see.
    fn deliver_pending(&mut self) -> Option<Stop> {
        if let Some(stop) = self.doomed() {
            return Some(stop);
        }
        if self.tracee.is_some() || self.signals.mailbox.bell() {
            return self.attend_tracer();
        }
        self.take_wait_mask();
        self.deliver_one()
    }

    /// The mask of a call that a signal ended is in force until its handler runs.
    pub(super) fn take_wait_mask(&mut self) {
        let mailbox = &self.signals.mailbox;
        if let Some(mask) = self.caller.wait_mask.take()
            && (mailbox.waits() || self.tracee.is_some())
        {
            self.signals.wait_with(mask);
        }
    }

    /// No signal came for the mask of the last call.
    pub(super) fn forget_wait_mask(&self) {
        self.caller.wait_mask.set(None);
    }

    /// Delivers the signal that waits.
    pub(super) fn deliver_one(&mut self) -> Option<Stop> {
        let delivered = self
            .signals
            .deliver_pending(self.core.as_mut(), &self.process.space)?;
        self.delivered(delivered)
    }

    /// What Python is told of a delivered signal.
    pub(super) fn delivered(&mut self, delivered: Delivered) -> Option<Stop> {
        match (self.signals.seen.take(), delivered) {
            (Some(seen), delivered) => {
                let killed = match delivered {
                    Delivered::Done | Delivered::Later => None,
                    Delivered::Fatal(signal) => Some(signal),
                };
                Some(Stop::Signal { seen, killed })
            }
            (None, Delivered::Done | Delivered::Later) => None,
            (None, Delivered::Fatal(signal)) => Some(Stop::Killed { signal }),
        }
    }

    /// Tells the sysroot that the current directory changed.
    pub(super) fn directory_changed(&self) {
        if let Some(sysroot) = &self.caller.sysroot {
            sysroot.directory_changed();
        }
    }

    /// The sysroot, if there is one.
    #[must_use]
    pub fn sysroot(&self) -> Option<&Sysroot> {
        self.caller.sysroot.as_deref()
    }
}
