//! Delivering a signal: which handler, on which stack, with which mask.

use super::frame::FrameContext;
use super::siginfo::{self, FaultInfo, RefusedCall};
use super::{Action, SIG_DFL, SS_AUTODISARM, Seen, ThreadSignals, UNBLOCKABLE, bit, host};
use crate::cpu::CpuCore;
use crate::memory::AddressSpace;

/// What became of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The guest's handler is about to run, or the signal is ignored.
    Done,
    /// The guest dies of this signal.
    Fatal(Seen),
    /// Not yet: something that came before it waits. The instruction is to be executed again.
    Later,
}

impl ThreadSignals {
    /// Delivers the signal that waits, if one does, and sets the host's mask.
    pub fn deliver_pending(
        &mut self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
    ) -> Option<Delivered> {
        let (signal, info) = self.mailbox.take(self.blocked)?;
        if self.blocked & bit(signal) != 0 {
            // A tracer changed the mask meanwhile.
            host::queue_again(signal, &info);
            host::set_mask(self.blocked);
            return Some(Delivered::Done);
        }
        if self.watch {
            self.seen = Some(Box::new((signal, siginfo::to_guest(&info, self.abi))));
        }
        let action = self.take_action(signal);
        let delivered = if action.has_handler() {
            let bytes = siginfo::to_guest(&info, self.abi);
            self.enter_handler(core, space, signal, &action, &bytes, None)
        } else if action.handler == SIG_DFL && self.actions.known.is_ours(signal) {
            Delivered::Fatal(Box::new((signal, siginfo::to_guest(&info, self.abi))))
        } else if action.handler == SIG_DFL && !ignored_by_default(signal) {
            // The guest changed the action after the host's handler had run. Had it been
            // SIG_DFL all along, the kernel would have acted: have it act now.
            self.resend(signal);
            Delivered::Done
        } else {
            Delivered::Done
        };
        if !action.has_handler()
            && let Some(mask) = self.saved.take()
        {
            // No handler's frame brings back the mask from before sigsuspend.
            self.blocked = mask;
        }
        host::set_mask(self.blocked);
        Some(delivered)
    }

    /// Delivers a fault of the guest's own. A blocked or ignored one kills
    /// (kernel/signal.c, `force_sig_info_to_task`). `wait`: signals that came before it go first, and
    /// it is [`Delivered::Later`].
    pub fn deliver_fault(
        &mut self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        fault: &FaultInfo,
        wait: bool,
    ) -> Delivered {
        let action = self.actions.get(fault.signal);
        let blocked = self.blocked & bit(fault.signal) != 0;
        let fatal = blocked || !action.has_handler();
        if !fatal && wait && !self.enter_mask_of(fault.signal, &action) {
            return Delivered::Later;
        }
        if self.watch {
            let info = siginfo::for_fault(fault, self.abi);
            self.seen = Some(Box::new((fault.signal, info)));
        }
        if fatal {
            let info = siginfo::for_fault(fault, self.abi);
            return Delivered::Fatal(Box::new((fault.signal, info)));
        }
        let action = self.take_action(fault.signal);
        let bytes = siginfo::for_fault(fault, self.abi);
        let delivered = self.enter_handler(core, space, fault.signal, &action, &bytes, Some(fault));
        host::set_mask(self.blocked);
        delivered
    }

    /// Delivers SIGSYS for a call that a seccomp filter refused, as a fault is delivered.
    pub fn deliver_refused(
        &mut self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        call: &RefusedCall,
        wait: bool,
    ) -> Delivered {
        let signal = libc::SIGSYS;
        let action = self.actions.get(signal);
        let fatal = self.blocked & bit(signal) != 0 || !action.has_handler();
        if !fatal && wait && !self.enter_mask_of(signal, &action) {
            return Delivered::Later;
        }
        let bytes = siginfo::for_refused(call, self.abi);
        if self.watch {
            self.seen = Some(Box::new((signal, bytes)));
        }
        if fatal {
            return Delivered::Fatal(Box::new((signal, bytes)));
        }
        let action = self.take_action(signal);
        let delivered = self.enter_handler(core, space, signal, &action, &bytes, None);
        host::set_mask(self.blocked);
        delivered
    }

    /// Makes the mask of a signal's handler that of the host; false: something waits that the present one
    /// lets through.
    fn enter_mask_of(&self, signal: i32, action: &Action) -> bool {
        host::try_mask(&self.mailbox, self.mask_of(signal, action))
    }

    /// The mask that is in force while the handler runs.
    fn mask_of(&self, signal: i32, action: &Action) -> u64 {
        let own = if action.has(libc::SA_NODEFER) {
            0
        } else {
            bit(signal)
        };
        (self.blocked | action.mask | own) & !UNBLOCKABLE
    }

    /// The action, reset for the next signal if it is a one-shot.
    fn take_action(&self, signal: i32) -> Action {
        self.actions.with(|table| {
            let entry = &mut table[signal as usize - 1];
            let action = *entry;
            if action.has_handler() && action.has(libc::SA_RESETHAND) {
                *entry = Action {
                    handler: SIG_DFL,
                    ..action
                };
                host::install(&self.actions.known, signal, entry);
            }
            action
        })
    }

    fn resend(&self, signal: i32) {
        host::install(&self.actions.known, signal, &Action::default());
        // SAFETY: kill touches no memory.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal) };
    }

    fn enter_handler(
        &mut self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        signal: i32,
        action: &Action,
        info: &[u8],
        fault: Option<&FaultInfo>,
    ) -> Delivered {
        let sp = core.get(self.linux.facts().registers.sp);
        let on_stack = self.altstack.contains(sp);
        let usable = self.altstack.flags & libc::SS_DISABLE == 0;
        let switch = action.has(libc::SA_ONSTACK) && usable && !on_stack;
        let top = if switch {
            self.altstack.sp + self.altstack.size
        } else {
            sp
        };
        let context = FrameContext {
            signal: self.abi.signal_to_guest(signal),
            action,
            info,
            fault,
            mask: self
                .abi
                .mask_to_guest(self.saved.take().unwrap_or(self.blocked)),
            altstack: self.altstack,
            on_stack,
            trampoline: self.trampoline,
        };
        if self.altstack.flags & SS_AUTODISARM != 0 && switch {
            self.altstack = super::AltStack::default();
        }
        let pushed = self.linux.push_frame(core, space, top, &context);
        if pushed.is_err() {
            // No room for the frame: SIGSEGV, fatally if that is the signal being
            // delivered or cannot be handled (kernel/signal.c, `force_sigsegv`).
            let fault = FaultInfo {
                signal: libc::SIGSEGV,
                code: SI_KERNEL,
                addr: 0,
                syndrome: 0,
            };
            if signal == libc::SIGSEGV || on_stack || switch {
                let info = siginfo::for_fault(&fault, self.abi);
                return Delivered::Fatal(Box::new((libc::SIGSEGV, info)));
            }
            return self.deliver_fault(core, space, &fault, false);
        }
        self.blocked = self.mask_of(signal, action);
        Delivered::Done
    }
}

const SI_KERNEL: i32 = 0x80;

fn ignored_by_default(signal: i32) -> bool {
    [libc::SIGCHLD, libc::SIGURG, libc::SIGWINCH, libc::SIGCONT].contains(&signal)
}
