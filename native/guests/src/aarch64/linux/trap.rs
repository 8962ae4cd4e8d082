//! The signal for a trap (arch/arm64/mm/fault.c, arch/arm64/kernel/traps.c).

use crate::cpu::{Access, CpuCore, Exit};
use crate::kernel::signal::FaultInfo;

use super::registers::PC;
use crate::aarch64::pauth::PACFAIL;

/// asm-generic/siginfo.h
const ILL_ILLOPN: i32 = 2;

pub fn fault(exit: Exit, core: &mut dyn CpuCore) -> FaultInfo {
    let syndrome = match exit {
        Exit::Fault {
            access,
            mapped,
            align,
            ..
        } => syndrome(access, mapped, align),
        _ => 0,
    };
    let known = FaultInfo::of(exit, core.get(PC));
    let code = match exit {
        // do_el0_fpac of arch/arm64/kernel/traps.c.
        Exit::Exception { code: PACFAIL, .. } => ILL_ILLOPN,
        _ => known.code,
    };
    FaultInfo {
        syndrome,
        code,
        ..known
    }
}

/// ESR_EL1 of a data or instruction abort from EL0 (Arm ARM D17.2.37): the class, a
/// 32-bit instruction, WnR, and an alignment fault, or a translation or permission fault of level 3.
fn syndrome(access: Access, mapped: bool, align: bool) -> u64 {
    if align && access == Access::Fetch {
        // `ESR_ELx_EC_PC_ALIGN`, of which there is nothing else to say.
        return 0x22 << 26 | 1 << 25;
    }
    let class: u64 = if access == Access::Fetch { 0x20 } else { 0x24 };
    let write = u64::from(access == Access::Write) << 6;
    let status = match (align, mapped) {
        (true, _) => 0x21,
        (_, true) => 0x0f,
        _ => 0x07,
    };
    class << 26 | 1 << 25 | write | status
}
