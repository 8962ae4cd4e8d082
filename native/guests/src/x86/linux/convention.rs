//! Numbers of the system-call and signal convention.

use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::frame32;
use super::registers::{REGISTERS32, REGISTERS64};

pub static FACTS64: Facts = Facts {
    registers: REGISTERS64,
    machine: 62,
    clone: CloneOrder::PLAIN,
    sigset_size: 8,
    action: ActionLayout::RESTORER,
    // arch/x86/include/uapi/asm/signal.h
    min_signal_stack: 2048,
    trampoline_name: "[vdso]",
    has_vdso: false,
    page_size: 4096,
    shmlba: 4096,
    tagged_addresses: false,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

pub static FACTS32: Facts = Facts {
    registers: REGISTERS32,
    machine: 3,
    clone: CloneOrder::BACKWARDS,
    ..FACTS64
};

/// Where the trampoline calls rt_sigreturn; sigreturn is at its start.
pub const RT_TRAMPOLINE: u64 = 8;

/// The kernel's vdso has both (arch/x86/entry/vdso/vdso32/sigreturn.S).
pub fn trampoline32() -> Vec<u8> {
    [frame32::CODE, frame32::RT_CODE].concat()
}

/// `syscall`, `int 0x80`
pub const CALL_SIZE: u64 = 2;
