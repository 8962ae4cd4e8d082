//! Numbers and code of the system-call and signal convention.

use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::registers::REGISTERS;

pub static FACTS: Facts = Facts {
    registers: REGISTERS,
    machine: 183,
    clone: CloneOrder::BACKWARDS,
    sigset_size: 8,
    action: ActionLayout::RESTORER,
    // arch/arm64/include/uapi/asm/signal.h
    min_signal_stack: 5120,
    trampoline_name: "[vdso]",
    page_size: 4096,
    shmlba: 4096,
    has_vdso: false,
    tagged_addresses: true,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

/// The kernel's vdso has it (arch/arm64/kernel/vdso/sigreturn.S). Unwinders know these very instructions.
pub fn trampoline() -> Vec<u8> {
    const CODE: [u32; 2] = [0xd280_1168, 0xd400_0001]; // mov x8, #139; svc #0
    CODE.into_iter().flat_map(u32::to_le_bytes).collect()
}
