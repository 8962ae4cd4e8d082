//! The registers by their numbers (docs/internals.md), and those that the kernel knows.

use crate::kernel::linux::Registers;

/// r0 to r31 follow one another.
pub const R0: u32 = 0;
/// The stack pointer.
pub const R1: u32 = 1;
/// The thread pointer.
pub const R2: u32 = 2;
/// The first argument and the result.
pub const R3: u32 = 3;
pub const F0: u32 = 32;
pub const PC: u32 = 64;
/// As the kernel sees it in a program; it cannot be set.
pub const MSR: u32 = 65;
pub const CR: u32 = 66;
pub const LR: u32 = 67;
pub const CTR: u32 = 68;
pub const XER: u32 = 69;
pub const FPSCR: u32 = 70;
/// v0 to v31, of 128 bits.
pub const VR0: u32 = 71;
pub const VSCR: u32 = 103;
pub const VRSAVE: u32 = 104;
/// The bits of MSR that are a program's own: [`MSR_VEC`], [`MSR_FE`].
pub const MODES: u32 = 105;

/// What MSR has in all programs (MSR_USER32): external interruptions, the problem state, machine checks,
/// address translation, recoverable interruptions.
pub const MSR_USER: u64 = 0xd032;
/// There is floating point.
pub const MSR_FP: u64 = 0x2000;
/// Vectors have been used.
pub const MSR_VEC: u64 = 1 << 25;
/// Floating-point exceptions stop the program.
pub const MSR_FE: u64 = 0x900;

/// CR0.SO: a system call failed.
pub const CR0_SO: u64 = 1 << 28;

pub const REGISTERS: Registers = Registers {
    number: R0,
    args: &[R3, 4, 5, 6, 7, 8],
    stack_args: None,
    results: &[R3, CR],
    pc: PC,
    sp: R1,
    tls: R2,
    count: MODES as usize + 1,
    leading: &[],
    call_marker: None,
    shown_number: None,
    pending_result: None,
    indirect: None,
};
