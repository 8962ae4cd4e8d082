//! One guest thread: the loop that runs guest code and makes its system calls.

use std::cell::Cell;
use std::sync::Arc;

use super::tracee::{Interrupted, Tracee};
use super::{GuestRegs, Process, shared};
use crate::abi::GuestAbi;
use crate::cpu::{Access, CpuCore, Exit, Flow, Regs};
use crate::seccomp::{Guest, Seccomp, Verdict};
use crate::signal::deliver::Delivered;
use crate::signal::host::{Mailbox, mask};
use crate::signal::siginfo::{by_kernel, for_refused};
use crate::signal::{AltStack, FaultInfo, RefusedCall, Seen, ThreadSignals, siginfo};
use crate::thunk::exec::{Args, Env, Outcome, OwnExe, Review, Scalars};
use crate::thunk::host::safe_syscall;
use crate::thunk::path::Sysroot;
use crate::thunk::scratch::Scratch;
use crate::thunk::table::Table;

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
    /// Not implemented: the guest gets ENOSYS unless Python does better.
    Enosys { number: u64 },
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
}

/// What the system-call callback needs; kept apart from the core, which it is lent to.
struct Caller {
    table: Arc<Table>,
    sysroot: Option<Arc<Sysroot>>,
    own_exe: Arc<OwnExe>,
    scratch: Scratch,
    mailbox: Arc<Mailbox>,
    wait_mask: Cell<Option<u64>>,
}

/// A guest thread.
pub struct GuestThread {
    pub process: Arc<Process>,
    pub core: Box<dyn CpuCore>,
    caller: Caller,
    /// Stop before each system call ([`Stop::Trace`]).
    pub trace: bool,
    pub signals: ThreadSignals,
    /// Where set_tid_address(2) wants a zero when the thread ends.
    pub clear_child_tid: u64,
    pub seccomp: Arc<Seccomp>,
    /// There once the thread was or is traced.
    pub(super) tracee: Option<Tracee>,
    pub(super) interrupted: Option<Interrupted>,
}

impl GuestThread {
    /// A thread that will run on `core`.
    #[must_use]
    pub fn new(process: Arc<Process>, core: Box<dyn CpuCore>) -> Self {
        let mailbox = Mailbox::new(core.interrupter());
        let signals = ThreadSignals {
            actions: process.actions.clone(),
            blocked: mask(),
            saved: None,
            altstack: AltStack::default(),
            mailbox: mailbox.clone(),
            trampolines: process.trampolines,
            kind: process.frame,
            abi: shared(&process.table).abi,
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
        };
        let seccomp = process.seccomp.add(None);
        Self {
            process,
            core,
            caller,
            seccomp,
            trace: false,
            signals,
            clear_child_tid: 0,
            tracee: None,
            interrupted: None,
        }
    }

    /// A new thread of the same process with a copy of the registers, for clone(2).
    ///
    /// # Errors
    /// What kept the core from being made.
    pub fn duplicate(&self) -> Result<Self, String> {
        let core = self.core.duplicate()?;
        let mut thread = Self::new(Arc::clone(&self.process), core);
        thread.trace = self.trace;
        thread.signals.watch = self.signals.watch;
        thread.signals.blocked = self.signals.blocked;
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
        loop {
            if let Some(stop) = self.deliver_pending() {
                return stop;
            }
            let mut left = None;
            let (step, traced) = (self.traces_steps(), self.traces_calls());
            let exit = if step {
                self.core.step()
            } else {
                let (process, caller) = (&self.process, &mut self.caller);
                let seccomp = &self.seccomp;
                let trace = self.trace || traced;
                self.core.run(&mut |regs, _| {
                    if trace {
                        return Flow::Leave;
                    }
                    let (number, args) = call_registers(process, regs);
                    let refused = caller.refused(seccomp, process, regs, number, &args);
                    match refused.unwrap_or_else(|| caller.call(process, number, &args)) {
                        Outcome::Done(result) => {
                            set_result(process, regs, result);
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
                (exit, _) => self.trap(exit),
            };
            if let Some(stop) = stop {
                return stop;
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
        if self.trace {
            Some(Stop::Trace { number, args })
        } else {
            self.make_call(number, &args)
        }
    }

    /// Executes one instruction; a system call stops like [`GuestThread::run`] does.
    pub fn step(&mut self) -> Stop {
        self.signals.mailbox.attach();
        if let Some(stop) = self.deliver_pending() {
            return stop;
        }
        match self.core.step() {
            Exit::Syscall { .. } => {
                let (number, args) = call_registers(&self.process, self.core.as_mut());
                if self.trace {
                    return Stop::Trace { number, args };
                }
                self.make_call(number, &args)
                    .unwrap_or(Stop::Core(Exit::Interrupted))
            }
            exit => self.trap(exit).unwrap_or(Stop::Core(Exit::Interrupted)),
        }
    }

    /// Delivers a signal that waits, and lets a tracer see what it is to see.
    fn deliver_pending(&mut self) -> Option<Stop> {
        if self.tracee.is_some() || self.signals.mailbox.bell() {
            return self.attend_tracer();
        }
        if self.signals.mailbox.is_doomed() {
            return Some(Stop::Doomed);
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
    fn delivered(&mut self, delivered: Delivered) -> Option<Stop> {
        match (self.signals.seen.take(), delivered) {
            (Some(seen), delivered) => {
                let killed = match delivered {
                    Delivered::Done => None,
                    Delivered::Fatal(signal) => Some(signal),
                };
                Some(Stop::Signal { seen, killed })
            }
            (None, Delivered::Done) => None,
            (None, Delivered::Fatal(signal)) => Some(Stop::Killed { signal }),
        }
    }

    /// Turns what stopped the core into a signal for the guest. None: go on.
    pub(super) fn trap(&mut self, exit: Exit) -> Option<Stop> {
        let fault = match exit {
            Exit::Interrupted => {
                let mailbox = &self.signals.mailbox;
                let waits = mailbox.waits() || mailbox.bell() || mailbox.is_doomed();
                return (!waits).then_some(Stop::Core(Exit::Interrupted));
            }
            Exit::Fault { addr, .. } if self.process.space.fault(addr) => return None,
            exit => fault_info(exit, &self.process.regs, self.core.as_mut()),
        };
        let fault = if exit == Exit::Undefined && self.on_break_pattern() {
            FaultInfo {
                signal: libc::SIGTRAP,
                code: TRAP_BRKPT,
                ..fault
            }
        } else {
            fault
        };
        self.deliver_fault(&fault)
    }

    /// Whether the pc is on one of the undefined instructions that 32-bit ARM has for breakpoints
    /// (arch/arm64/kernel/debug-monitors.c, try_handle_aarch32_break).
    fn on_break_pattern(&mut self) -> bool {
        const ARM: u32 = 0x07f0_01f0;
        const THUMB: u16 = 0xde01;
        const THUMB2: (u16, u16) = (0xf7f0, 0xa000);
        let regs = &self.process.regs;
        let thumb = self.core.get(regs.status) & regs.thumb_bit != 0;
        let pc = self.core.get(regs.pc);
        let crate::signal::FrameKind::Arm { be8 } = self.signals.kind else {
            return false;
        };
        let big = self.signals.abi.big_endian && !be8;
        let mut code = [0u8; 4];
        let half = |code: [u8; 4], at: usize| {
            let bytes = [code[at], code[at + 1]];
            if big {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            }
        };
        let space = &self.process.space;
        if thumb {
            if space.read(pc, &mut code[..2]).is_err() {
                return false;
            }
            let first = half(code, 0);
            return first == THUMB
                || first == THUMB2.0
                    && space.read(pc, &mut code).is_ok()
                    && half(code, 2) == THUMB2.1;
        }
        let read = space.read(pc, &mut code).is_ok();
        let word = if big {
            u32::from_be_bytes(code)
        } else {
            u32::from_le_bytes(code)
        };
        read && word & 0x0fff_ffff == ARM
    }

    /// Delivers the signal of a fault, once a tracer lets it through.
    pub(super) fn deliver_fault(&mut self, fault: &FaultInfo) -> Option<Stop> {
        if self.tracee.is_some() {
            let info = siginfo::for_fault(fault, GuestAbi::HOST);
            if !self.fault_stop(fault.signal, &info) {
                return None;
            }
        }
        let space = &self.process.space;
        let delivered = self.signals.deliver_fault(self.core.as_mut(), space, fault);
        let steps = self.traces_steps() && delivered == Delivered::Done;
        if steps {
            self.step_done();
        }
        self.delivered(delivered)
    }

    /// Makes the call. None: done, its result is in the registers.
    pub fn make_call(&mut self, number: u64, args: &Args) -> Option<Stop> {
        let (process, core) = (&self.process, self.core.as_mut());
        let refused = self
            .caller
            .refused(&self.seccomp, process, core, number, args);
        let outcome = refused.unwrap_or_else(|| self.caller.call(process, number, args));
        self.settle(number, args, outcome)
    }

    /// What a filter wants instead of the call.
    fn refuse(&mut self, verdict: Verdict, number: u64) -> Option<Stop> {
        match verdict {
            Verdict::Errno(errno) => self.finish_call(-i64::from(errno)),
            Verdict::Trap(errno) => {
                let call = self.refused_call(number, errno);
                let info = siginfo::for_refused(&call, GuestAbi::HOST);
                if !self.fault_stop(libc::SIGSYS, &info) {
                    return None;
                }
                let space = &self.process.space;
                let delivered = self
                    .signals
                    .deliver_refused(self.core.as_mut(), space, &call);
                return self.delivered(delivered);
            }
            Verdict::KillThread if self.process.seccomp.count() > 1 => {
                return Some(Stop::Exited {
                    status: libc::SIGSYS,
                    whole: false,
                });
            }
            Verdict::KillThread | Verdict::KillProcess => {
                let info = for_refused(&self.refused_call(number, 0), self.signals.abi);
                return Some(Stop::Killed {
                    signal: Box::new((libc::SIGSYS, info)),
                });
            }
            Verdict::KillStrict => {
                let info = by_kernel(libc::SIGKILL, self.signals.abi);
                return Some(Stop::Killed {
                    signal: Box::new((libc::SIGKILL, info)),
                });
            }
        }
        None
    }

    fn refused_call(&mut self, number: u64, errno: i32) -> RefusedCall {
        RefusedCall {
            address: self.core.get(self.process.regs.pc),
            number: number as i32,
            arch: self.guest().audit_arch(),
            errno,
        }
    }

    pub(super) fn guest(&self) -> Guest {
        Guest {
            abi: self.signals.abi,
            frame: self.signals.kind,
        }
    }

    /// Gives the guest the result (or -errno) of the call that Python decided.
    pub fn finish_call(&mut self, result: i64) {
        set_result(&self.process, self.core.as_mut(), result);
    }

    fn settle(&mut self, number: u64, args: &Args, outcome: Outcome) -> Option<Stop> {
        match outcome {
            Outcome::Done(result) => {
                self.finish_call(result);
                None
            }
            Outcome::Restart => {
                self.rewind();
                Some(Stop::Core(Exit::Interrupted))
            }
            Outcome::Builtin(id, scalars) => self.builtin(id, &scalars, args),
            Outcome::Python(handler, scalars) => Some(Stop::Syscall { handler, scalars }),
            Outcome::Review(review, result) => Some(Stop::Review {
                number,
                review,
                result,
            }),
            Outcome::Enosys => Some(Stop::Enosys { number }),
            Outcome::Refused(verdict) => self.refuse(verdict, number),
        }
    }

    /// The call number and argument registers.
    pub fn call_registers(&mut self) -> (u64, Args) {
        call_registers(&self.process, self.core.as_mut())
    }

    /// Makes a host call on behalf of a Python handler; -ERESTARTSYS when a signal waits.
    pub fn host_call(&mut self, number: u16, args: &[u64; 6]) -> i64 {
        // SAFETY: handlers pass guest memory or buffers that they hold during the call.
        unsafe { safe_syscall(&self.caller.mailbox.pending, number, args) }
    }

    /// Sets the pc back onto the system-call instruction.
    pub fn rewind(&mut self) {
        let regs = &self.process.regs;
        let thumb = self.core.get(regs.status) & regs.thumb_bit != 0;
        let pc = self.core.get(regs.pc);
        let on = pc - if thumb { 2 } else { 4 };
        self.core.set(regs.pc, on);
        self.note_interrupted(on, pc);
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

impl Caller {
    /// Asks the guest's seccomp filters; None: the call may be made.
    fn refused(
        &self,
        seccomp: &Seccomp,
        process: &Process,
        regs: &mut dyn Regs,
        number: u64,
        args: &Args,
    ) -> Option<Outcome> {
        if !seccomp.is_active() {
            return None;
        }
        let guest = Guest {
            abi: self.table.abi,
            frame: process.frame,
        };
        let name = self.table.get(number).map(|call| call.name.as_str());
        let pc = regs.get(process.regs.pc);
        seccomp
            .judge(guest, name, number, pc, args)
            .map(Outcome::Refused)
    }

    fn call(&mut self, process: &Process, number: u64, args: &Args) -> Outcome {
        let Some(call) = self.table.get(number) else {
            return Outcome::Enosys;
        };
        let env = Env {
            table: &self.table,
            space: &process.space,
            sysroot: self.sysroot.as_deref(),
            own_exe: &self.own_exe,
            marks: &process.marks,
            pending: &self.mailbox.pending,
            wait_mask: &self.wait_mask,
        };
        env.call(&call.node, args, &mut self.scratch)
    }
}

/// An si_code of SIGTRAP.
const TRAP_BRKPT: i32 = 1;

/// The signal for a trap (arch/arm64/mm/fault.c, arch/arm/kernel/traps.c).
fn fault_info(exit: Exit, regs: &GuestRegs, core: &mut dyn CpuCore) -> FaultInfo {
    let pc = core.get(regs.pc);
    // si_code values of asm-generic/siginfo.h.
    const MAPERR: i32 = 1;
    const ACCERR: i32 = 2;
    const ADRALN: i32 = 1;
    const ADRERR: i32 = 2;
    const ILL_ILLOPC: i32 = 1;
    match exit {
        Exit::Fault {
            addr,
            access,
            mapped,
            bus,
            align,
        } => {
            let (signal, code) = match (bus, align) {
                (_, true) => (libc::SIGBUS, ADRALN),
                (true, _) => (libc::SIGBUS, ADRERR),
                _ => (libc::SIGSEGV, if mapped { ACCERR } else { MAPERR }),
            };
            FaultInfo {
                signal,
                code,
                addr,
                esr: syndrome(access, mapped, align),
            }
        }
        Exit::Breakpoint { .. } => FaultInfo {
            signal: libc::SIGTRAP,
            code: TRAP_BRKPT,
            addr: pc,
            esr: 0,
        },
        _ => FaultInfo {
            signal: libc::SIGILL,
            code: ILL_ILLOPC,
            addr: pc,
            esr: 0,
        },
    }
}

/// ESR_EL1 of a data or instruction abort from EL0 (Arm ARM D17.2.37): the class, a
/// 32-bit instruction, WnR, and an alignment fault, or a translation or permission fault of level 3.
fn syndrome(access: Access, mapped: bool, align: bool) -> u64 {
    let class: u64 = if access == Access::Fetch { 0x20 } else { 0x24 };
    let write = u64::from(access == Access::Write) << 6;
    let status = match (align, mapped) {
        (true, _) => 0x21,
        (_, true) => 0x0f,
        _ => 0x07,
    };
    class << 26 | 1 << 25 | write | status
}

fn call_registers(process: &Process, regs: &mut dyn Regs) -> (u64, Args) {
    let map = &process.regs;
    (
        regs.get(map.number),
        map.args
            .map(|id| if id == u32::MAX { 0 } else { regs.get(id) }),
    )
}

fn set_result(process: &Process, regs: &mut dyn Regs, result: i64) {
    regs.set(process.regs.result, result as u64);
}
