//! The signal for a trap (arch/mips/kernel/traps.c, arch/mips/kernel/unaligned.c).

use crate::cpu::{CpuCore, Exit};
use crate::kernel::signal::FaultInfo;
use crate::kernel::signal::siginfo::TRAP_BRKPT;
use crate::memory::AddressSpace;

use super::MipsLinux;
use super::insn::Insn;
use super::registers::{FCSR, PC};

// Numbers of target/mips/cpu.h, as `unicorn.rs` has them.
const OVERFLOW: u32 = 21;
const FLOATING: u32 = 23;

/// Codes of BREAK and of traps (arch/mips/include/uapi/asm/break.h).
const BRK_OVERFLOW: u32 = 6;
const BRK_DIVZERO: u32 = 7;

/// si_code values of asm-generic/siginfo.h.
pub const SI_KERNEL: i32 = 0x80;
const FPE_INTDIV: i32 = 1;
const FPE_INTOVF: i32 = 2;
const FPE_FLTDIV: i32 = 3;
const FPE_FLTOVF: i32 = 4;
const FPE_FLTUND: i32 = 5;
const FPE_FLTRES: i32 = 6;
const FPE_FLTINV: i32 = 7;

pub(super) fn fault(
    exit: Exit,
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    linux: &MipsLinux,
) -> FaultInfo {
    let pc = core.get(PC);
    let signal = |signal, code, addr| FaultInfo {
        signal,
        code,
        addr,
        syndrome: 0,
    };
    match exit {
        // `do_ade`, `do_ri` and the like say no more than the signal.
        Exit::Fault { align: true, .. } => signal(libc::SIGBUS, SI_KERNEL, 0),
        Exit::Undefined => signal(libc::SIGILL, SI_KERNEL, 0),
        Exit::Breakpoint { imm } => of_code(imm, TRAP_BRKPT, pc),
        Exit::Exception { code: OVERFLOW, .. } => signal(libc::SIGFPE, FPE_INTOVF, pc),
        Exit::Exception { code: FLOATING, .. } => {
            signal(libc::SIGFPE, floating(core.get(FCSR)), pc)
        }
        Exit::Exception { .. } => {
            let mut insn = Insn::fetch(space, pc, linux.big_endian);
            if insn.has_slot() {
                insn = Insn::fetch(space, pc + 4, linux.big_endian);
            }
            of_code(insn.trap_code(), 0, pc)
        }
        exit => FaultInfo::of(exit, pc),
    }
}

/// `do_trap_or_bp`: compilers put the reason into the instruction.
fn of_code(number: u32, code: i32, pc: u64) -> FaultInfo {
    let (signal, code, addr) = match number {
        BRK_OVERFLOW => (libc::SIGFPE, FPE_INTOVF, pc),
        BRK_DIVZERO => (libc::SIGFPE, FPE_INTDIV, pc),
        _ if code == 0 => (libc::SIGTRAP, SI_KERNEL, 0),
        _ => (libc::SIGTRAP, code, pc),
    };
    FaultInfo {
        signal,
        code,
        addr,
        syndrome: 0,
    }
}

/// `force_fcr31_sig`: the causes that are enabled, the gravest first.
fn floating(fcsr: u64) -> i32 {
    // Cause: V, Z, O, U, I in bits 16 to 12; their enables in bits 11 to 7.
    let caused = fcsr >> 12 & fcsr >> 7 & 0x1f;
    match caused {
        _ if caused & 0x10 != 0 => FPE_FLTINV,
        _ if caused & 8 != 0 => FPE_FLTDIV,
        _ if caused & 4 != 0 => FPE_FLTOVF,
        _ if caused & 2 != 0 => FPE_FLTUND,
        _ if caused & 1 != 0 => FPE_FLTRES,
        _ => SI_KERNEL,
    }
}
