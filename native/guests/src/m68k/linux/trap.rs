//! The signal for an exception (arch/m68k/kernel/traps.c, arch/m68k/mm/fault.c).

use crate::cpu::{CpuCore, Exit};
use crate::kernel::signal::FaultInfo;

use super::registers::PC;

// Vectors ("M68000 Family Programmer's Reference Manual", table B-1).
const ACCESS: u32 = 2;
pub const ADDRESS: u32 = 3;
const ILLEGAL: u32 = 4;
pub const DIVIDE: u32 = 5;
pub const CHECK: u32 = 6;
/// TRAPV.
pub const OVERFLOW: u32 = 7;
pub const PRIVILEGE: u32 = 8;
/// TRAP #0 to TRAP #15.
pub const CALL: u32 = 32;
pub const BREAKPOINT: u32 = CALL + 15;

// si_code values (include/uapi/asm-generic/siginfo.h).
const ILL_ILLTRP: i32 = 4;
const ILL_PRVOPC: i32 = 5;
const FPE_INTDIV: i32 = 1;
const FPE_INTOVF: i32 = 2;
const BUS_ADRALN: i32 = 1;

/// The vector's place in the table, as a frame has it.
pub fn vector_of(fault: &FaultInfo) -> u64 {
    fault.syndrome * 4
}

/// `trap_c`: of an arithmetic trap the instruction is told, and the pc is behind it; traps that programs make are
/// told of by what is behind them.
pub fn fault(exit: Exit, core: &mut dyn CpuCore) -> FaultInfo {
    let pc = core.get(PC);
    let fault = FaultInfo::of(exit, pc);
    let (vector, signal, code, size) = match exit {
        Exit::Fault { .. } => return with_vector(fault, ACCESS),
        Exit::Breakpoint { .. } => (BREAKPOINT, fault.signal, fault.code, 2),
        Exit::Exception { code, size } => {
            let (signal, si_code) = match code {
                ADDRESS => (libc::SIGBUS, BUS_ADRALN),
                DIVIDE => (libc::SIGFPE, FPE_INTDIV),
                CHECK | OVERFLOW => (libc::SIGFPE, FPE_INTOVF),
                PRIVILEGE => (libc::SIGILL, ILL_PRVOPC),
                _ => (libc::SIGILL, ILL_ILLTRP),
            };
            let stays = matches!(code, ADDRESS | PRIVILEGE);
            (code, signal, si_code, if stays { 0 } else { size })
        }
        _ => return with_vector(fault, ILLEGAL),
    };
    let behind = pc.wrapping_add(size.into());
    core.set(PC, behind);
    let by_instruction = matches!(vector, DIVIDE | CHECK | OVERFLOW);
    let fault = FaultInfo {
        signal,
        code,
        addr: if by_instruction { pc } else { behind },
        ..fault
    };
    with_vector(fault, vector)
}

fn with_vector(fault: FaultInfo, vector: u32) -> FaultInfo {
    FaultInfo {
        syndrome: vector.into(),
        ..fault
    }
}
