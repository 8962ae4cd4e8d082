//! The registers by their numbers (docs/internals.md), and those that the kernel knows.

use crate::kernel::linux::Registers;

/// x1 to x31 follow one another.
pub const X1: u32 = 1;
pub const SP: u32 = 2;
const TP: u32 = 4;
pub const A0: u32 = 10;
pub const PC: u32 = 32;
pub const F0: u32 = 33;
pub const FCSR: u32 = 67;
pub use crate::riscv::{PIECE0, VLENB, VSTART, VSTATE};

pub const REGISTERS: Registers = Registers {
    number: 17, // a7
    args: &[A0, 11, 12, 13, 14, 15],
    stack_args: None,
    results: &[A0],
    pc: PC,
    sp: SP,
    tls: TP,
    count: FCSR as usize + 1,
    leading: &[],
    call_marker: None,
    shown_number: None,
    pending_result: None,
    indirect: None,
};
