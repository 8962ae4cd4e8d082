//! The signal for a trap (arch/arm64/mm/fault.c, arch/arm64/kernel/traps.c).

use crate::cpu::{Access, CpuCore, Exit};
use crate::kernel::signal::FaultInfo;

use super::registers::{PC, TAG_FAULT};
use crate::aarch64::bti::BTI;
use crate::aarch64::mte::{NOTED, READ, WRITE};
use crate::aarch64::pauth::PACFAIL;
use crate::memory::tags::untagged;

/// asm-generic/siginfo.h
pub const SEGV_MTESERR: i32 = 9;
const SEGV_MTEAERR: i32 = 8;
/// A data abort of a 32-bit instruction, for its tag.
const TAG_SYNDROME: u64 = 0x24 << 26 | 1 << 25 | 0x11;
const ILL_ILLOPC: i32 = 1;
const ILL_ILLOPN: i32 = 2;

pub fn fault(exit: Exit, core: &mut dyn CpuCore) -> FaultInfo {
    let syndrome = match exit {
        Exit::Fault {
            access,
            mapped,
            align,
            ..
        } => syndrome(access, mapped, align),
        Exit::Exception { code: READ, .. } => TAG_SYNDROME,
        Exit::Exception { code: WRITE, .. } => TAG_SYNDROME | 1 << 6,
        _ => 0,
    };
    let known = FaultInfo::of(exit, core.get(PC));
    let code = match exit {
        // do_el0_fpac of arch/arm64/kernel/traps.c.
        Exit::Exception { code: PACFAIL, .. } => ILL_ILLOPN,
        // do_el0_bti
        Exit::Exception { code: BTI, .. } => ILL_ILLOPC,
        _ => known.code,
    };
    // do_tag_check_fault; and do_notify_resume, for what was noted before.
    let (signal, code, addr) = match exit {
        Exit::Exception {
            code: READ | WRITE, ..
        } => (libc::SIGSEGV, SEGV_MTESERR, untagged(core.get(TAG_FAULT))),
        Exit::Exception { code: NOTED, .. } => (libc::SIGSEGV, SEGV_MTEAERR, 0),
        _ => (known.signal, code, known.addr),
    };
    FaultInfo {
        syndrome,
        signal,
        code,
        addr,
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
