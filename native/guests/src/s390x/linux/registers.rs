//! The registers by their numbers (docs/internals.md), and those that the kernel knows.

use crate::kernel::linux::Registers;

/// The program status word: its mask, and the address in it.
pub const PSWM: u32 = 0;
pub const PSWA: u32 = 1;
/// r0 to r15 follow one another.
pub const R0: u32 = 2;
pub const R2: u32 = R0 + 2;
pub const R14: u32 = R0 + 14;
pub const R15: u32 = R0 + 15;
/// The access registers, a0 to a15.
pub const A0: u32 = 18;
pub const FPC: u32 = 34;
/// f0 to f15, the first halves of v0 to v15.
pub const F0: u32 = 35;
/// The second halves.
pub const V0_LOW: u32 = 51;
pub const V16: u32 = 67;
/// The thread pointer, which is in a0 and a1.
pub const TLS: u32 = 83;
/// The number of the system call that is being made; it cannot be set.
pub const CALL: u32 = 84;
/// How long its instruction is, or the EXECUTE of which that is the target; it cannot be set.
pub const CALL_SIZE: u32 = 85;
/// 1 if there are vector registers; it cannot be set.
pub const HAS_VECTORS: u32 = 86;

/// What a program's PSW always has (PSW_USER_BITS): address translation, I/O and external interruptions,
/// machine checks, the problem state. The primary address space is 0.
pub const USER_PSW: u64 = 0x0705_0000_0000_0000;
/// What a program may change of it (PSW_MASK_USER, PSW_MASK_RI): address space, condition code, program mask,
/// runtime instrumentation, addressing mode.
pub const USER_MASK: u64 = 0x0000_ff81_8000_0000;
/// The address-space control.
pub const SPACE_MASK: u64 = 0xc000_0000_0000;
/// EA and BA: addresses of 64 bits.
pub const AMODE_64: u64 = 0x1_8000_0000;

pub const REGISTERS: Registers = Registers {
    number: CALL,
    args: &[R2, R0 + 3, R0 + 4, R0 + 5, R0 + 6, R0 + 7],
    stack_args: None,
    results: &[R2],
    pc: PSWA,
    sp: R15,
    tls: TLS,
    count: HAS_VECTORS as usize + 1,
    leading: &[],
    call_marker: None,
    shown_number: Some(R2),
    pending_result: None,
    indirect: None,
};
