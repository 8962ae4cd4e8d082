//! What stopped the core, as a signal for the guest.

use std::sync::Arc;

use super::thread::{GuestThread, Stop};
use crate::abi::GuestAbi;
use crate::cpu::Exit;
use crate::signal::deliver::Delivered;
use crate::signal::siginfo::ILL_ILLOPC;
use crate::signal::{FaultInfo, siginfo};

impl GuestThread {
    /// Turns what stopped the core into a signal for the guest. None: go on.
    pub(super) fn trap(&mut self, exit: Exit) -> Option<Stop> {
        let on = self.core.get(self.process.regs.pc);
        let mut fault = match exit {
            Exit::Interrupted => {
                let mailbox = &self.signals.mailbox;
                let waits = mailbox.waits() || mailbox.bell() || mailbox.is_doomed();
                return (!waits).then_some(Stop::Core(Exit::Interrupted));
            }
            Exit::Fault { addr, .. } if self.process.space.fault(addr) => return None,
            exit => {
                let process = Arc::clone(&self.process);
                let core = self.core.as_mut();
                if let Some(number) = process.linux.kernel_code(exit, core, &process.space) {
                    return self.kernel_call(number);
                }
                let carried_out = if self.carries_out {
                    process.linux.carry_out(exit, core, &process.space)
                } else {
                    None
                };
                match carried_out {
                    Some(Ok(())) => return None,
                    Some(Err(fault)) => fault,
                    None => process.linux.fault(exit, core, &process.space),
                }
            }
        };
        if let Exit::Breakpoint { .. } = exit
            && self.tracee.is_none()
            && self.process.linux.facts().breaks_need_tracer
        {
            fault = FaultInfo {
                signal: libc::SIGILL,
                code: ILL_ILLOPC,
                ..fault
            };
        }
        self.deliver_fault_of(&fault, on)
    }

    /// Makes a call that code of the kernel's stands for. No tracer is told of it.
    fn kernel_call(&mut self, number: u64) -> Option<Stop> {
        let (_, args) = self.call_registers();
        self.make_call(number, &args)
    }

    /// Delivers the signal of a fault, once a tracer lets it through.
    pub(super) fn deliver_fault(&mut self, fault: &FaultInfo) -> Option<Stop> {
        let on = self.core.get(self.process.regs.pc);
        self.deliver_fault_of(fault, on)
    }

    /// The same for one of the instruction at `on`, behind which the pc may stand by now.
    fn deliver_fault_of(&mut self, fault: &FaultInfo, on: u64) -> Option<Stop> {
        let mut fault = *fault;
        if self.tracee.is_some() {
            let info = siginfo::for_fault(&fault, GuestAbi::HOST);
            if !self.fault_stop(fault.signal, &info) {
                return None;
            }
            self.take_fault_info(&mut fault, &info);
        }
        let space = &self.process.space;
        // A tracer has seen the fault, and is not to see it again.
        let (core, wait) = (self.core.as_mut(), self.tracee.is_none());
        let delivered = self.signals.deliver_fault(core, space, &fault, wait);
        if delivered == Delivered::Later {
            // It faults again.
            self.core.set(self.process.regs.pc, on);
        }
        let steps = self.traces_steps() && delivered == Delivered::Done;
        if steps {
            self.step_done();
        }
        self.delivered(delivered)
    }
}
