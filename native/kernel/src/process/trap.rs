//! What stopped the core, as a signal for the guest.

use super::GuestRegs;
use super::thread::{GuestThread, Stop};
use crate::abi::GuestAbi;
use crate::cpu::{Access, CpuCore, Exit};
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
        // A tracer has seen the fault, and is not to see it again.
        let (core, wait) = (self.core.as_mut(), self.tracee.is_none());
        let delivered = self.signals.deliver_fault(core, space, fault, wait);
        let steps = self.traces_steps() && delivered == Delivered::Done;
        if steps {
            self.step_done();
        }
        self.delivered(delivered)
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
