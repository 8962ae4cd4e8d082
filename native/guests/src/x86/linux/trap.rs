//! The signal for an exception (arch/x86/kernel/traps.c, arch/x86/mm/fault.c).

use crate::cpu::{Access, CpuCore, Exit};
use crate::kernel::signal::FaultInfo;

use super::registers::Numbers;

// Vectors (Intel's manual, vol. 3, table 6-1).
pub const DIVIDE: u32 = 0;
pub const DEBUG: u32 = 1;
pub const BREAKPOINT: u32 = 3;
pub const UNDEFINED: u32 = 6;
pub const SEGMENT_NOT_PRESENT: u32 = 11;
pub const STACK: u32 = 12;
pub const PROTECTION: u32 = 13;
pub const PAGE: u32 = 14;
pub const FLOATING: u32 = 16;
pub const ALIGNMENT: u32 = 17;
pub const SIMD: u32 = 19;

// si_code values (include/uapi/asm-generic/siginfo.h).
const SI_KERNEL: i32 = 0x80;
const ILL_ILLOPN: i32 = 2;
const FPE_INTDIV: i32 = 1;
const FPE_FLTDIV: i32 = 3;
const FPE_FLTOVF: i32 = 4;
const FPE_FLTUND: i32 = 5;
const FPE_FLTRES: i32 = 6;
const FPE_FLTINV: i32 = 7;
const TRAP_BRKPT: i32 = 1;
const TRAP_TRACE: i32 = 2;
const BUS_ADRALN: i32 = 1;

/// `icebp`, of the same vector as a single step.
const ICEBP_SIZE: u8 = 1;

/// Vector and error code as a frame has them, in [`FaultInfo::syndrome`].
pub fn syndrome(vector: u32, error: u64) -> u64 {
    u64::from(vector) << 32 | error
}

pub fn vector_of(fault: &FaultInfo) -> u64 {
    fault.syndrome >> 32
}

pub fn error_of(fault: &FaultInfo) -> u64 {
    fault.syndrome & 0xffff_ffff
}

/// Whether an address has bits that a processor with four levels of page tables refuses to look up.
fn is_canonical(addr: u64) -> bool {
    (addr as i64) << 16 >> 16 == addr as i64
}

pub fn fault(exit: Exit, core: &mut dyn CpuCore, numbers: &Numbers) -> FaultInfo {
    let pc = core.get(numbers.ip);
    let fault = FaultInfo::of(exit, pc);
    match exit {
        Exit::Fault { addr, .. } if !is_canonical(addr) => of_vector(PROTECTION, fault),
        Exit::Fault { access, mapped, .. } => {
            let access = match access {
                Access::Read => 0,
                Access::Write => 2,
                Access::Fetch => 0x10,
            };
            // A page that is mapped, a user's access.
            let error = u64::from(mapped) | 4 | access;
            let syndrome = syndrome(PAGE, error);
            FaultInfo { syndrome, ..fault }
        }
        Exit::Breakpoint { .. } => {
            core.set(numbers.ip, pc.wrapping_add(1));
            of_vector(BREAKPOINT, fault)
        }
        Exit::Exception { code, size } => {
            core.set(numbers.ip, pc.wrapping_add(size.into()));
            let mut fault = of_vector(code, fault);
            match code {
                FLOATING => {
                    let flags = core.get(numbers.fstat()) & !core.get(numbers.fctrl);
                    fault.code = floating(flags);
                }
                SIMD => {
                    let mxcsr = core.get(numbers.mxcsr);
                    fault.code = floating(mxcsr & !(mxcsr >> 7));
                }
                DEBUG => {
                    fault.code = if size == ICEBP_SIZE {
                        TRAP_BRKPT
                    } else {
                        TRAP_TRACE
                    };
                    fault.addr = core.get(numbers.ip);
                }
                _ => {}
            }
            fault
        }
        _ => of_vector(UNDEFINED, fault),
    }
}

/// Signal and `si_code` of a vector; those that have no code of their own tell no address either.
fn of_vector(vector: u32, fault: FaultInfo) -> FaultInfo {
    let (signal, code) = match vector {
        DIVIDE => (libc::SIGFPE, FPE_INTDIV),
        DEBUG => (libc::SIGTRAP, TRAP_TRACE),
        BREAKPOINT => (libc::SIGTRAP, SI_KERNEL),
        UNDEFINED => (libc::SIGILL, ILL_ILLOPN),
        SEGMENT_NOT_PRESENT | STACK => (libc::SIGBUS, SI_KERNEL),
        FLOATING | SIMD => (libc::SIGFPE, 0),
        ALIGNMENT => (libc::SIGBUS, BUS_ADRALN),
        _ => (libc::SIGSEGV, SI_KERNEL),
    };
    let addr = if code == SI_KERNEL || vector == ALIGNMENT {
        0
    } else {
        fault.addr
    };
    FaultInfo {
        signal,
        code,
        addr,
        syndrome: syndrome(vector, 0),
    }
}

/// `fpu__exception_code`: by the exceptions that are not masked.
fn floating(flags: u64) -> i32 {
    let known = [
        (0x01, FPE_FLTINV),
        (0x04, FPE_FLTDIV),
        (0x08, FPE_FLTOVF),
        // Denormal operands too.
        (0x12, FPE_FLTUND),
        (0x20, FPE_FLTRES),
    ];
    let found = known.into_iter().find(|(bits, _)| flags & bits != 0);
    found.map_or(0, |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses() {
        assert!(is_canonical(0x7fff_ffff_ffff));
        assert!(is_canonical(0xffff_8000_0000_0000));
        assert!(!is_canonical(0x8000_0000_0000));
        assert!(!is_canonical(1 << 63));
    }

    #[test]
    fn floating_point_exceptions() {
        assert_eq!(floating(0x21), FPE_FLTINV);
        assert_eq!(floating(0x02), FPE_FLTUND);
        assert_eq!(floating(0x20), FPE_FLTRES);
        assert_eq!(floating(0), 0);
    }
}
