//! The signal for a program interruption (arch/s390/kernel/traps.c, arch/s390/mm/fault.c).

use crate::cpu::{CpuCore, Exit};
use crate::kernel::signal::FaultInfo;

use super::registers::{FPC, PSWA};

// Codes of program interruptions (Principles of Operation, "Program Interruption").
const PRIVILEGED_OPERATION: u32 = 0x02;
const ADDRESSING: u32 = 0x05;
const DATA: u32 = 0x07;
const FIXED_POINT_OVERFLOW: u32 = 0x08;
const FIXED_POINT_DIVIDE: u32 = 0x09;
const DECIMAL_OVERFLOW: u32 = 0x0a;
const DECIMAL_DIVIDE: u32 = 0x0b;
const HFP_OVERFLOW: u32 = 0x0c;
const HFP_UNDERFLOW: u32 = 0x0d;
const HFP_SIGNIFICANCE: u32 = 0x0e;
const HFP_DIVIDE: u32 = 0x0f;
const VECTOR_PROCESSING: u32 = 0x1b;
const HFP_SQUARE_ROOT: u32 = 0x1d;
/// Operation, execute, specification and the like.
const OPERATION: u32 = 0x01;

// si_code values (include/uapi/asm-generic/siginfo.h).
const ILL_ILLOPC: i32 = 1;
const ILL_ILLOPN: i32 = 2;
const ILL_ILLADR: i32 = 3;
const ILL_PRVOPC: i32 = 5;
const FPE_INTDIV: i32 = 1;
const FPE_INTOVF: i32 = 2;
const FPE_FLTDIV: i32 = 3;
const FPE_FLTOVF: i32 = 4;
const FPE_FLTUND: i32 = 5;
const FPE_FLTRES: i32 = 6;
const FPE_FLTINV: i32 = 7;

/// The processor tells of failed accesses by their page (__FAIL_ADDR_MASK).
const PAGE: u64 = !0xfff;

/// What is wrong with an instruction is told of by its address, and the PSW stands behind it; an access that
/// failed is to be made again, and the PSW is on its instruction.
pub fn fault(exit: Exit, core: &mut dyn CpuCore) -> FaultInfo {
    let pc = core.get(PSWA);
    let fault = FaultInfo::of(exit, pc);
    let (code, size) = match exit {
        Exit::Fault { .. } => {
            let addr = fault.addr & PAGE;
            return FaultInfo { addr, ..fault };
        }
        // S390_BREAKPOINT_U16
        Exit::Breakpoint { .. } => {
            core.set(PSWA, pc.wrapping_add(2));
            return fault;
        }
        Exit::Exception { code, size } => (code, size),
        _ => (OPERATION, 2),
    };
    let (signal, si_code) = signal(code, core.get(FPC));
    core.set(PSWA, pc.wrapping_add(size.into()));
    FaultInfo {
        signal,
        code: si_code,
        syndrome: code.into(),
        ..fault
    }
}

/// Signal and `si_code` of a program interruption; `fpc` has a code of its own for some of them.
fn signal(code: u32, fpc: u64) -> (i32, i32) {
    let ill = |code| (libc::SIGILL, code);
    let fpe = |code| (libc::SIGFPE, code);
    match code {
        OPERATION => ill(ILL_ILLOPC),
        PRIVILEGED_OPERATION => ill(ILL_PRVOPC),
        ADDRESSING => ill(ILL_ILLADR),
        // data_exception: without a data-exception code it is none of arithmetic.
        DATA if fpc & 0xff00 == 0 => ill(ILL_ILLOPN),
        DATA => fpe(ieee(fpc)),
        FIXED_POINT_OVERFLOW | DECIMAL_OVERFLOW => fpe(FPE_INTOVF),
        FIXED_POINT_DIVIDE | DECIMAL_DIVIDE => fpe(FPE_INTDIV),
        HFP_OVERFLOW => fpe(FPE_FLTOVF),
        HFP_UNDERFLOW => fpe(FPE_FLTUND),
        HFP_SIGNIFICANCE => fpe(FPE_FLTRES),
        HFP_DIVIDE => fpe(FPE_FLTDIV),
        HFP_SQUARE_ROOT => fpe(FPE_FLTINV),
        VECTOR_PROCESSING => fpe(vector(fpc)),
        _ => ill(ILL_ILLOPN),
    }
}

/// `do_fp_trap`: bits 6 and 7 of the code are 0 for an IEEE exception; others (compare and trap) have none.
fn ieee(fpc: u64) -> i32 {
    if fpc & 0x300 != 0 {
        return 0;
    }
    let known = [
        (0x8000, FPE_FLTINV),
        (0x4000, FPE_FLTDIV),
        (0x2000, FPE_FLTOVF),
        (0x1000, FPE_FLTUND),
        (0x0800, FPE_FLTRES),
    ];
    let found = known.into_iter().find(|(bit, _)| fpc & bit != 0);
    found.map_or(0, |(_, code)| code)
}

/// `vector_exception`
fn vector(fpc: u64) -> i32 {
    match fpc >> 8 & 0xf {
        1 => FPE_FLTINV,
        2 => FPE_FLTDIV,
        3 => FPE_FLTOVF,
        4 => FPE_FLTUND,
        5 => FPE_FLTRES,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_exceptions() {
        let data = |dxc: u64| signal(DATA, dxc << 8);
        // Principles of Operation, "Data-Exception Code (DXC)".
        assert_eq!(data(0x00), (libc::SIGILL, ILL_ILLOPN));
        assert_eq!(data(0x08), (libc::SIGFPE, FPE_FLTRES)); // inexact, truncated
        assert_eq!(data(0x0c), (libc::SIGFPE, FPE_FLTRES)); // inexact, incremented
        assert_eq!(data(0x10), (libc::SIGFPE, FPE_FLTUND));
        assert_eq!(data(0x20), (libc::SIGFPE, FPE_FLTOVF));
        assert_eq!(data(0x40), (libc::SIGFPE, FPE_FLTDIV));
        assert_eq!(data(0x80), (libc::SIGFPE, FPE_FLTINV));
        assert_eq!(data(0xff), (libc::SIGFPE, 0)); // compare and trap
    }
}
