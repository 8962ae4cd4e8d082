//! The registers by their numbers (docs/internals.md), and those that the kernel knows.

use crate::kernel::linux::Registers;

pub const R0: u32 = 0;
pub const SP: u32 = 13;
pub const LR: u32 = 14;
pub const PC: u32 = 15;
pub const CPSR: u32 = 16;
pub const D0: u32 = 17;
pub const FPSCR: u32 = 49;
const TPIDRURO: u32 = 50;

pub const REGISTERS: Registers = Registers {
    number: 7,
    args: &[R0, 1, 2, 3, 4, 5, 6],
    stack_args: None,
    results: &[R0],
    pc: PC,
    sp: SP,
    tls: TPIDRURO,
    count: TPIDRURO as usize + 1,
    // Whether the pc is on Thumb code.
    leading: &[CPSR],
    // ip (arch/arm/kernel/ptrace.c, report_syscall).
    call_marker: Some(12),
    shown_number: None,
    pending_result: None,
    indirect: None,
};
