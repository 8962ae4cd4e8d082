//! Numbers and code of the system-call and signal convention.

use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::registers::REGISTERS;

pub static FACTS: Facts = Facts {
    registers: REGISTERS,
    machine: 22,
    clone: CloneOrder::BACKWARDS2,
    sigset_size: 8,
    action: ActionLayout::RESTORER,
    // arch/s390/include/uapi/asm/signal.h
    min_signal_stack: 2048,
    trampoline_name: "[vdso]",
    page_size: 4096,
    shmlba: 4096,
    has_vdso: false,
    tagged_addresses: false,
    // arch/s390/kernel/traps.c, illegal_op
    stack_flags_last: false,
    breaks_need_tracer: true,
};

/// Where the trampoline calls rt_sigreturn; sigreturn is at its start.
pub const RT_TRAMPOLINE: u64 = 4;

/// The kernel's vdso has both (arch/s390/kernel/vdso64/vdso_user_wrapper.S). Unwinders know these very instructions.
pub fn trampoline() -> Vec<u8> {
    // svc 119; nopr; svc 173; nopr
    vec![0x0a, 119, 0x07, 0x00, 0x0a, 173, 0x07, 0x00]
}
