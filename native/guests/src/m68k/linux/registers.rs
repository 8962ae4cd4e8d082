//! The registers by their numbers (docs/internals.md), and those that the kernel knows.

use crate::kernel::linux::Registers;

pub const D0: u32 = 0;
pub const D1: u32 = 1;
pub const A0: u32 = 8;
pub const A1: u32 = 9;
pub const SP: u32 = 15;
/// What of the status register is a program's: X, N, Z, V, C.
pub const PS: u32 = 16;
pub const PC: u32 = 17;
/// Of 96 bits each, as in memory.
pub const FP0: u32 = 18;
pub const FPCR: u32 = 26;
pub const FPSR: u32 = 27;
pub const FPIAR: u32 = 28;
/// What get_thread_area(2) gives: the kernel's, not the processor's.
pub const TP: u32 = 29;
pub const COUNT: u32 = 30;

pub const REGISTERS: Registers = Registers {
    number: D0,
    args: &[D1, 2, 3, 4, 5, A0],
    stack_args: None,
    results: &[D0],
    pc: PC,
    sp: SP,
    tls: TP,
    count: COUNT as usize,
    leading: &[],
    call_marker: None,
    shown_number: None,
    // arch/m68k/kernel/entry.S, `do_trace_entry`
    pending_result: Some(D0),
    indirect: None,
};
