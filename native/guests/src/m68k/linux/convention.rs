//! Numbers and code of the system-call and signal convention.

use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::frame;
use super::registers::REGISTERS;

pub static FACTS: Facts = Facts {
    registers: REGISTERS,
    machine: 4,
    // `m68k_clone` of arch/m68k/kernel/process.c
    clone: CloneOrder::PLAIN,
    sigset_size: 8,
    action: ActionLayout::RESTORER,
    // arch/m68k/include/uapi/asm/signal.h
    min_signal_stack: 2048,
    trampoline_name: "[sigreturn]",
    has_vdso: false,
    page_size: 4096,
    shmlba: 4096,
    tagged_addresses: false,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

/// trap #0
pub const CALL_SIZE: u64 = 2;

/// Where the trampoline calls rt_sigreturn; sigreturn is at its start.
pub const RT_TRAMPOLINE: u64 = 8;

/// The kernel has the code in each frame, for which the stack has to be executable. Here it is in a page of its own, too,
/// where unwinders know it by the same instructions.
pub fn trampoline() -> Vec<u8> {
    [frame::CODE, frame::RT_CODE].concat()
}
