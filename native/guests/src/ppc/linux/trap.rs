//! The signal for an exception (arch/powerpc/kernel/traps.c, arch/powerpc/mm/fault.c).

use crate::cpu::{Access, CpuCore, Exit};
use crate::kernel::signal::FaultInfo;

use super::frame::syndrome;
use super::registers::{FPSCR, PC};

/// Program exceptions, as the core tells them apart.
pub const FLOATING: u32 = 1;
pub const PRIVILEGED: u32 = 2;

// Numbers of exceptions (Programming Environments Manual, "Exception Classifications").
const DATA_STORAGE: u32 = 0x300;
const INSTRUCTION_STORAGE: u32 = 0x400;
const ALIGNMENT: u32 = 0x600;
const PROGRAM: u32 = 0x700;

// DSISR of a data-storage exception.
const NOT_MAPPED: u32 = 0x4000_0000;
const PROTECTED: u32 = 0x0800_0000;
const STORE: u32 = 0x0200_0000;

// si_code values (include/uapi/asm-generic/siginfo.h).
const ILL_PRVOPC: i32 = 5;
const FPE_FLTDIV: i32 = 3;
const FPE_FLTOVF: i32 = 4;
const FPE_FLTUND: i32 = 5;
const FPE_FLTRES: i32 = 6;
const FPE_FLTINV: i32 = 7;
const FPE_FLTUNK: i32 = 14;

pub fn fault(exit: Exit, core: &mut dyn CpuCore) -> FaultInfo {
    let pc = core.get(PC);
    let fault = FaultInfo::of(exit, pc);
    let syndrome = match exit {
        Exit::Fault { align: true, .. } => syndrome(ALIGNMENT, 0),
        Exit::Fault {
            access: Access::Fetch,
            ..
        } => syndrome(INSTRUCTION_STORAGE, 0),
        Exit::Fault { access, mapped, .. } => {
            let store = if access == Access::Write { STORE } else { 0 };
            let why = if mapped { PROTECTED } else { NOT_MAPPED };
            syndrome(DATA_STORAGE, why | store)
        }
        _ => syndrome(PROGRAM, 0),
    };
    let (signal, code) = match exit {
        Exit::Exception { code: FLOATING, .. } => (libc::SIGFPE, floating(core.get(FPSCR))),
        Exit::Exception { .. } => (libc::SIGILL, ILL_PRVOPC),
        _ => (fault.signal, fault.code),
    };
    FaultInfo {
        signal,
        code,
        syndrome,
        ..fault
    }
}

/// `__parse_fpscr`: of the exceptions that are enabled, the first one.
fn floating(fpscr: u64) -> i32 {
    // (enable, exception, code); the enables are VE, OE, UE, ZE, XE.
    let known = [
        (0x80, 0x2000_0000, FPE_FLTINV),
        (0x40, 0x1000_0000, FPE_FLTOVF),
        (0x20, 0x0800_0000, FPE_FLTUND),
        (0x10, 0x0400_0000, FPE_FLTDIV),
        (0x08, 0x0200_0000, FPE_FLTRES),
    ];
    let mut known = known.into_iter();
    let found = known.find(|(enable, bit, _)| fpscr & enable != 0 && fpscr & bit != 0);
    found.map_or(FPE_FLTUNK, |(_, _, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floating_point_exceptions() {
        // FPSCR as the processor has it behind such an instruction: FX, FEX, the exception, its enable.
        assert_eq!(floating(0xe020_0080), FPE_FLTINV); // 0 / 0
        assert_eq!(floating(0xc400_0010), FPE_FLTDIV);
        assert_eq!(floating(0xc202_4008), FPE_FLTRES);
        // Both happened, one is enabled.
        assert_eq!(floating(0xd200_0008), FPE_FLTRES);
        assert_eq!(floating(0), FPE_FLTUNK);
    }
}
