//! What stopped the core, as a signal for the guest.

use super::thread::{GuestThread, Stop};
use crate::abi::GuestAbi;
use crate::cpu::Exit;
use crate::signal::deliver::Delivered;
use crate::signal::{FaultInfo, siginfo};

impl GuestThread {
    /// Turns what stopped the core into a signal for the guest. None: go on.
    pub(super) fn trap(&mut self, exit: Exit) -> Option<Stop> {
        let fault = match exit {
            Exit::Interrupted => {
                let mailbox = &self.signals.mailbox;
                let waits = mailbox.waits() || mailbox.bell() || mailbox.is_doomed();
                return (!waits).then_some(Stop::Core(Exit::Interrupted));
            }
            Exit::Fault { addr, .. } if self.process.space.fault(addr) => return None,
            exit => {
                let process = &self.process;
                let core = self.core.as_mut();
                process.linux.fault(exit, core, &process.space)
            }
        };
        self.deliver_fault(&fault)
    }

    /// Delivers the signal of a fault, once a tracer lets it through.
    pub(super) fn deliver_fault(&mut self, fault: &FaultInfo) -> Option<Stop> {
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
        let steps = self.traces_steps() && delivered == Delivered::Done;
        if steps {
            self.step_done();
        }
        self.delivered(delivered)
    }
}
