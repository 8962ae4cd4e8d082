//! Numbers and code of the system-call and signal convention.

use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::registers::REGISTERS;

pub static FACTS: Facts = Facts {
    registers: REGISTERS,
    machine: 243,
    clone: CloneOrder::BACKWARDS,
    sigset_size: 8,
    action: ActionLayout::PLAIN,
    // include/uapi/asm-generic/signal.h
    min_signal_stack: 2048,
    trampoline_name: "[vdso]",
    page_size: 4096,
    shmlba: 4096,
    has_vdso: false,
    tagged_addresses: false,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

/// The kernel's vdso has it (arch/riscv/kernel/vdso/rt_sigreturn.S). Unwinders know these very instructions.
pub fn trampoline() -> Vec<u8> {
    const CODE: [u32; 2] = [0x08b0_0893, 0x0000_0073]; // li a7, 139; ecall
    CODE.into_iter().flat_map(u32::to_le_bytes).collect()
}
