//! A guest thread's system calls: asked of the filters, made, and their results handed on.

use std::cell::Cell;
use std::sync::Arc;

use super::Process;
use super::confine::{LISTENING, keeps_ids};
use super::thread::{GuestThread, Stop};
use crate::abi::GuestAbi;
use crate::cpu::{Exit, Regs};
use crate::memory::granules::Checked;
use crate::seccomp::{Seccomp, Verdict};
use crate::signal::deliver::Delivered;
use crate::signal::host::Mailbox;
use crate::signal::siginfo::{by_kernel, for_refused};
use crate::signal::{RefusedCall, siginfo};
use crate::thunk::exec::{Args, Env, Outcome, OwnExe, Review};
use crate::thunk::host::safe_syscall;
use crate::thunk::path::Sysroot;
use crate::thunk::scratch::Scratch;
use crate::thunk::table::Table;

/// The handler of clone(2), which gets its arguments in one order whatever the guest.
pub const CLONE: &str = "process:clone";

/// What the system-call callback needs; kept apart from the core, which it is lent to.
pub(super) struct Caller {
    pub(super) table: Arc<Table>,
    pub(super) sysroot: Option<Arc<Sysroot>>,
    pub(super) own_exe: Arc<OwnExe>,
    pub(super) scratch: Scratch,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) wait_mask: Cell<Option<u64>>,
    /// What calls access is compared with the tags of memory (PR_MTE_TCF_SYNC).
    pub(super) checks_tags: bool,
}

impl GuestThread {
    /// Makes the call. None: done, its result is in the registers.
    pub fn make_call(&mut self, number: u64, args: &Args) -> Option<Stop> {
        let (process, core) = (&self.process, self.core.as_mut());
        let (pc, sp) = (core.get(process.regs.pc), core.get(process.regs.sp));
        self.whereabouts.enters(number, args, pc, sp);
        let refused = self
            .caller
            .refused(&self.seccomp, process, core, number, args);
        let outcome = refused.unwrap_or_else(|| self.caller.call(process, number, args));
        self.settle(number, args, outcome)
    }

    /// What a filter wants instead of the call.
    fn refuse(&mut self, verdict: Verdict, number: u64) -> Option<Stop> {
        match verdict {
            // By the guest's numbers, as its filter has it.
            Verdict::Errno(errno) => {
                let linux = self.process.linux;
                linux.set_result(self.core.as_mut(), -i64::from(errno), None);
                self.whereabouts.pauses();
            }
            Verdict::Trap(errno) => {
                let call = self.refused_call(number, errno);
                let info = siginfo::for_refused(&call, GuestAbi::HOST);
                if !self.fault_stop(libc::SIGSYS, &info) {
                    return None;
                }
                let space = &self.process.space;
                let (core, wait) = (self.core.as_mut(), self.tracee.is_none());
                let delivered = self.signals.deliver_refused(core, space, &call, wait);
                if delivered == Delivered::Later {
                    self.rewind();
                    return None;
                }
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
            arch: self.process.linux.audit_arch(),
            errno,
        }
    }

    /// Gives the guest the result (or -errno) of the call that Python decided.
    pub fn finish_call(&mut self, result: i64) {
        let result = self.caller.table.result(result);
        let linux = self.process.linux;
        linux.set_result(self.core.as_mut(), result, None);
        self.whereabouts.pauses();
    }

    pub(super) fn settle(&mut self, number: u64, args: &Args, outcome: Outcome) -> Option<Stop> {
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
            Outcome::Python(handler, mut scalars) => {
                if &*handler == CLONE {
                    self.process
                        .linux
                        .facts()
                        .clone
                        .arrange(&mut scalars.values);
                }
                Some(Stop::Syscall { handler, scalars })
            }
            Outcome::Review(review, result) => {
                let text = match review {
                    Review::ProcFd => self.put_proc_text(result as i32),
                    _ => None,
                };
                match text {
                    Some(result) => {
                        self.finish_call(result);
                        None
                    }
                    None => Some(Stop::Review {
                        number,
                        review,
                        result,
                    }),
                }
            }
            Outcome::Enosys if self.watch_enosys => Some(Stop::Enosys { number }),
            Outcome::Enosys => {
                self.finish_call(-i64::from(libc::ENOSYS));
                None
            }
            Outcome::Preload => Some(Stop::Preload),
            Outcome::Refused(verdict) => self.refuse(verdict, number),
        }
    }

    /// The call number and argument registers.
    pub fn call_registers(&mut self) -> (u64, Args) {
        call_registers(&self.process, self.core.as_mut())
    }

    /// Whether the call is one behind which files are out of reach, and of which Python has no part.
    #[must_use]
    pub fn takes_files_only(&self, number: u64) -> bool {
        let call = self.caller.table.get(number);
        call.is_some_and(|call| call.confines && call.name != LISTENING)
    }

    /// Makes a host call on behalf of a Python handler; -ERESTARTSYS when a signal waits.
    pub fn host_call(&mut self, number: u16, args: &[u64; 6]) -> i64 {
        // SAFETY: handlers pass guest memory or buffers that they hold during the call.
        unsafe { safe_syscall(&self.caller.mailbox.pending, number, args) }
    }

    /// Sets the pc back onto the system-call instruction.
    pub fn rewind(&mut self) {
        let pc = self.process.regs.pc;
        let behind = self.core.get(pc);
        let on = self.process.linux.call_address(self.core.as_mut(), behind);
        self.core.set(pc, on);
        self.whereabouts.pauses();
        self.note_interrupted(on, behind);
    }
}

impl Caller {
    /// Asks the guest's seccomp filters; None: the call may be made.
    pub(super) fn refused(
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
        let name = self.table.get(number).map(|call| call.name.as_str());
        let pc = regs.get(process.regs.pc);
        seccomp
            .judge(process.linux, name, number, pc, args)
            .map(Outcome::Refused)
    }

    pub(super) fn call(&mut self, process: &Process, number: u64, args: &Args) -> Outcome {
        let Some(call) = self.table.get(number) else {
            return Outcome::Enosys;
        };
        if call.confines && !process.ready.is_for(&call.name) && !keeps_ids(&call.name, args) {
            return Outcome::Preload;
        }
        let env = Env {
            table: &self.table,
            space: &process.space,
            sysroot: self.sysroot.as_deref(),
            own_exe: &self.own_exe,
            marks: &process.marks,
            facts: &process.facts,
            pending: &self.mailbox.pending,
            wait_mask: &self.wait_mask,
        };
        let _checked = self.checks_tags.then(Checked::begin);
        let outcome = env.call(&call.node, args, &mut self.scratch);
        if self.wait_mask.get().is_some() && self.mailbox.waits() {
            // It may have waited since before the call, whose mask lets it through.
            self.mailbox.interrupt();
        }
        outcome
    }
}

pub(super) fn call_registers(process: &Process, regs: &mut dyn Regs) -> (u64, Args) {
    process.regs.call(regs, &process.space, process.abi)
}
