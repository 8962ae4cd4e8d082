//! The tracee's half of ptrace(2); `docs/ptrace.md` tells how the halves meet.
//!
//! The tracer is another process of qusr, and host ptrace(2) carries stops, waits and SIGCHLD between
//! the two. The host kernel stops a thread wherever the emulator happens to be; the tracer then
//! rings the *bell* ([`host::Mailbox::bell`]), and the thread goes on to the next place between two
//! guest instructions. There, and at system calls, steps and events, it writes what a tracer may
//! ask into its [`Block`] and sends itself the *stop* message, which only the tracer sees.

mod agent;
mod block;
mod console;
mod copy;
mod printf;
mod stops;

pub use self::stops::Debugged;
pub(super) use self::stops::{Over, Told};

use self::block::{Block, CODE_RING, Kind, Mode};
use self::stops::ORDERS;
use crate::process::{GuestThread, Stop};
use crate::signal::host::{self, Message, send_to_self, send_trap, was_orphaned};
use crate::signal::siginfo;
use crate::thunk::exec::Args;

/// A system call that a stop interrupted: it is made again unless a handler runs first.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted {
    /// The kernel's ERESTART* number.
    code: i32,
    /// The pc on the call's instruction, and behind it.
    on: u64,
    behind: u64,
}

/// A thread's state as a tracee.
pub struct Tracee {
    /// Never freed: a tracer looks at it until the host thread is gone.
    block: *mut Block,
    exit_due: bool,
    step_due: bool,
    exec_due: bool,
    /// A copy of the process was made, or could not be: what the call has given.
    copied: Option<u64>,
    reply: Vec<u8>,
}

// SAFETY: the block is used by the thread that owns the tracee, and by a tracer only while that
// thread is stopped.
unsafe impl Send for Tracee {}

impl Tracee {
    fn new() -> Self {
        // SAFETY: a Block is plain data for which zero is valid.
        let block: Box<Block> = Box::new(unsafe { std::mem::zeroed() });
        Self {
            block: Box::leak(block),
            exit_due: false,
            step_due: false,
            exec_due: false,
            copied: None,
            reply: Vec::new(),
        }
    }

    fn block(&mut self) -> &mut Block {
        // SAFETY: leaked, so alive; `&mut self` keeps other users in this process out, and the
        // tracer writes only while this thread is stopped within [`GuestThread::stop`].
        unsafe { &mut *self.block }
    }

    fn mode(&self) -> Mode {
        // SAFETY: as in `block`. Volatile, because another process writes it.
        Mode::of(unsafe { (&raw const (*self.block).mode).read_volatile() })
    }
}

/// The kernel's own numbers (include/linux/errno.h).
const ERESTARTSYS: i32 = 512;
const ERESTARTNOINTR: i32 = 513;

impl GuestThread {
    /// Whether system calls stop for a tracer.
    pub(in crate::process) fn traces_calls(&self) -> bool {
        self.tracee
            .as_ref()
            .is_some_and(|tracee| matches!(tracee.mode(), Mode::Calls | Mode::Emulate))
    }

    /// Whether a tracer wants one instruction at a time.
    pub(in crate::process) fn traces_steps(&self) -> bool {
        self.tracee
            .as_ref()
            .is_some_and(|tracee| tracee.mode() == Mode::Step)
    }

    /// One instruction, or system call, of a tracer's step is done.
    pub(in crate::process) fn step_done(&mut self) {
        if let Some(tracee) = &mut self.tracee {
            tracee.step_due = true;
        }
    }

    /// Whether the thread is or was traced.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.tracee.is_some() || self.signals.mailbox.bell()
    }

    /// PTRACE_TRACEME was called.
    pub fn become_tracee(&mut self) {
        self.tracee.get_or_insert_with(Tracee::new);
    }

    /// An execve put this thread in the place of `old`, which has let go of the process
    /// ([`GuestThread::leave_for_exec`]).
    pub fn follow_exec(&mut self, old: &mut Self) {
        self.signals.mailbox.succeed(&old.signals.mailbox);
        self.tracee = old.tracee.take();
        self.has_executed();
    }

    /// An execve has just put this thread in the place of another.
    pub fn has_executed(&mut self) {
        if let Some(tracee) = &mut self.tracee {
            tracee.exec_due = true;
        }
    }

    /// In a forked child: the parent's tracer has to attach to it anew, if it wants.
    pub(in crate::process) fn forget_tracer(&mut self) {
        self.tracee = None;
        CODE_RING.forget();
        ORDERS.forget();
        self.forget_stores();
    }

    /// Says which PTRACE_EVENT the clone is that is about to be made.
    pub fn announce_clone(&mut self, event: u32) {
        if let Some(tracee) = &mut self.tracee {
            tracee.block().cloning = event;
        }
    }

    /// Stops for PTRACE_EVENT_`event` if the tracer wants to know.
    pub fn trace_event(&mut self, event: u32, message: u64) {
        let wanted = self
            .tracee
            .as_mut()
            .is_some_and(|tracee| tracee.block().options >> event & 1 != 0);
        if wanted {
            self.stop(Kind::Event, event, message, None);
        }
    }

    /// Before a system call: the number to go on with; None when it is not to be made.
    pub(in crate::process) fn entry_stop(&mut self, number: u64, args: &Args) -> Option<u64> {
        let Some(tracee) = &mut self.tracee else {
            return Some(number);
        };
        tracee.exit_due = true;
        let emulate = tracee.mode() == Mode::Emulate;
        let block = tracee.block();
        block.number = i64::from(number as i32);
        block.first_arg = args[0];
        self.stop(Kind::Entry, 0, 0, None);
        let Some(tracee) = &mut self.tracee else {
            return Some(number);
        };
        let block = tracee.block();
        let (altered, first_arg) = (block.number, block.first_arg);
        let result = self.process.regs.pending_result;
        let result = result.map(|id| (id, block.registers[id as usize] as u64));
        if let Some(id) = self.process.regs.shown_number {
            // A tracer has the argument in another place, where it may change it.
            self.core.set(id, first_arg);
        }
        if emulate || altered == -1 {
            if let Some((id, value)) = result {
                self.core.set(id, value);
            }
            return None;
        }
        Some(if altered == i64::from(number as i32) {
            number
        } else {
            altered as u32 as u64
        })
    }

    /// Stops for a signal that an instruction caused; `info` is laid out as on the host. False: the
    /// tracer took it away.
    pub(in crate::process) fn fault_stop(
        &mut self,
        signal: i32,
        info: &[u8; siginfo::SIZE],
    ) -> bool {
        if self.tracee.is_none() {
            return true;
        }
        let answer = self.stop(Kind::Fault, signal as u32, 0, Some(info));
        self.tracee.is_none() || answer == signal as u32
    }

    /// Behind [`GuestThread::fault_stop`]: what the tracer has made of the siginfo (PTRACE_SETSIGINFO).
    pub(in crate::process) fn take_fault_info(
        &mut self,
        fault: &mut siginfo::FaultInfo,
        told: &[u8; siginfo::SIZE],
    ) {
        let Some(tracee) = &mut self.tracee else {
            return;
        };
        let info = &tracee.block().info;
        if info != told {
            // si_code and si_addr of a 64-bit siginfo_t.
            let (code, addr) = (info[8..12].try_into(), info[16..24].try_into());
            fault.code = code.map_or(fault.code, i32::from_le_bytes);
            fault.addr = addr.map_or(fault.addr, u64::from_le_bytes);
        }
    }

    /// The thread is about to end: what a tracer may read of it then.
    pub(in crate::process) fn publish_end(&mut self) {
        if self.tracee.is_some() {
            self.publish(Kind::Event, 0, 0);
        }
    }

    /// Keeps what a call that has to be made again was interrupted for.
    pub(in crate::process) fn note_interrupted(&mut self, on: u64, behind: u64) {
        let code = match self.signals.mailbox.take_restart() {
            // It was not entered, so nothing can have been missed.
            0 => ERESTARTNOINTR,
            code => code,
        };
        if self.tracee.is_some() || self.signals.mailbox.bell() {
            self.interrupted = Some(Interrupted { code, on, behind });
        }
    }

    /// Between two instructions: all that a tracer is to see before the next one.
    pub(in crate::process) fn attend_tracer(&mut self) -> Option<Stop> {
        loop {
            if let Some(stop) = self.doomed() {
                return Some(stop);
            }
            if let Some(stop) = self.stop_if_due() {
                return Some(stop);
            }
            if self.signals.mailbox.waits() {
                let handled = self.end_interrupted_call();
                if let Some(stop) = self.deliver_one() {
                    return Some(stop);
                }
                if handled && self.traces_steps() {
                    // signal_setup_done of kernel/signal.c: a step into a handler ends there.
                    self.step_done();
                }
                continue;
            }
            if !self.signals.mailbox.take_bell() {
                break;
            }
            self.tracee.get_or_insert_with(Tracee::new);
            self.take_wait_mask();
            host::set_mask(self.signals.blocked);
            self.stop(Kind::Boundary, 0, 0, None);
        }
        if let Some(mask) = self.signals.saved.take() {
            // No handler ran: the mask was only that of the call which is made again.
            self.signals.blocked = mask;
            host::set_mask(mask);
        }
        self.forget_wait_mask();
        self.interrupted = None;
        None
    }

    /// Within a call that waits for another process, and is not interrupted: a tracer that rang is not to wait, too. It
    /// may be one that stops the other process first (a debugger stops all that it looks after).
    pub(in crate::process) fn stop_in_wait(&mut self) {
        while self.signals.mailbox.take_bell() {
            let _ = self.signals.mailbox.take_restart();
            self.tracee.get_or_insert_with(Tracee::new);
            self.stop(Kind::Boundary, 0, 0, None);
        }
    }

    /// A handler is about to run: whether the interrupted call fails with EINTR
    /// (arch/arm64/kernel/signal.c, do_signal). Gives whether there is a handler.
    fn end_interrupted_call(&mut self) -> bool {
        let signal = self.signals.mailbox.signal(self.signals.blocked);
        let action = self.signals.actions.get(signal);
        let handled = action.has_handler();
        if let Some(call) = self.interrupted.take()
            && handled
            && self.core.get(self.process.regs.pc) == call.on
        {
            let restarts = call.code == ERESTARTNOINTR
                || call.code == ERESTARTSYS && action.has(libc::SA_RESTART);
            if !restarts {
                self.core.set(self.process.regs.pc, call.behind);
                self.finish_call(-i64::from(libc::EINTR));
            }
        }
        handled
    }

    fn stop_if_due(&mut self) -> Option<Stop> {
        let tracee = self.tracee.as_mut()?;
        let exec = std::mem::take(&mut tracee.exec_due);
        if exec {
            self.trace_event(libc::PTRACE_EVENT_EXEC as u32, own_tid() as u64);
        }
        let mode = self.tracee.as_ref().map(Tracee::mode);
        let due = |flag: fn(&mut Tracee) -> &mut bool, this: &mut Self| {
            this.tracee
                .as_mut()
                .is_some_and(|tracee| std::mem::take(flag(tracee)))
        };
        let exit_due = due(|tracee| &mut tracee.exit_due, self);
        if exit_due && mode == Some(Mode::Calls) {
            self.exit_stop();
        }
        if exec {
            self.trap_after_exec();
        }
        if let Some(result) = self.tracee.as_mut().and_then(|tracee| tracee.copied.take()) {
            self.stop(Kind::Stop, stops::COPIED, result, None);
        }
        if due(|tracee| &mut tracee.step_due, self) && self.traces_steps() {
            const TRAP_TRACE: i32 = 2;
            let fault = siginfo::FaultInfo {
                signal: libc::SIGTRAP,
                code: TRAP_TRACE,
                addr: self.core.get(self.process.regs.pc),
                syndrome: 0,
            };
            return self.deliver_fault(&fault);
        }
        None
    }

    /// After a system call. One that is made again shows its ERESTART* as the result.
    fn exit_stop(&mut self) {
        let regs = self.process.regs;
        let Some(call) = self.interrupted else {
            self.stop(Kind::Exit, 0, 0, None);
            return;
        };
        let results = |this: &mut Self| -> Vec<u64> {
            let ids = regs.results.iter();
            ids.map(|id| this.core.get(*id)).collect()
        };
        let before = results(self);
        self.core.set(regs.pc, call.behind);
        self.finish_call(-i64::from(call.code));
        let shown = results(self);
        self.stop(Kind::Exit, 0, 0, None);
        if self.core.get(regs.pc) == call.behind && results(self) == shown {
            self.core.set(regs.pc, call.on);
            for (id, value) in regs.results.iter().zip(before) {
                self.core.set(*id, value);
            }
        }
    }

    /// Without PTRACE_O_TRACEEXEC an execve sends SIGTRAP (include/linux/ptrace.h, ptrace_event).
    fn trap_after_exec(&mut self) {
        let Some(tracee) = &mut self.tracee else {
            return;
        };
        let block = tracee.block();
        let told = block.options >> libc::PTRACE_EVENT_EXEC & 1 != 0;
        if !told && block.seized == 0 && has_tracer() {
            send_trap();
        }
    }

    /// Stops until the tracer lets us go on; the signal that it wants delivered.
    fn stop(
        &mut self,
        kind: Kind,
        code: u32,
        message: u64,
        info: Option<&[u8; siginfo::SIZE]>,
    ) -> u32 {
        self.publish(kind, code, message);
        let Some(tracee) = &mut self.tracee else {
            return 0;
        };
        let block = tracee.block();
        if let Some(info) = info {
            block.info = *info;
        }
        loop {
            let address = self.tracee.as_ref().map_or(0, |tracee| tracee.block as u64);
            send_to_self(Message::Stop, address);
            if was_orphaned() {
                self.tracee = None;
                return 0;
            }
            if !self.serve() {
                break;
            }
        }
        CODE_RING.drain(&self.process.space);
        self.take_orders();
        self.take_changes(kind);
        let Some(tracee) = &mut self.tracee else {
            return 0;
        };
        let signal = tracee.block().resume_signal;
        // Events come within a system call, whose end is traced if that is wanted by then.
        tracee.exit_due |= kind == Kind::Event;
        if tracee.mode() == Mode::Detached {
            self.tracee = None;
        }
        signal
    }
}

fn own_tid() -> i32 {
    // SAFETY: gettid touches no memory.
    unsafe { libc::gettid() }
}

/// Whether this thread is traced, as the host kernel says.
fn has_tracer() -> bool {
    std::fs::read_to_string("/proc/thread-self/status").is_ok_and(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("TracerPid:"))
            .is_some_and(|pid| pid.trim() != "0")
    })
}
