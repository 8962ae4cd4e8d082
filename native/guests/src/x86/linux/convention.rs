//! Numbers of the system-call and signal convention.

use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::registers::REGISTERS64;

pub static FACTS64: Facts = Facts {
    registers: REGISTERS64,
    machine: 62,
    clone: CloneOrder::PLAIN,
    sigset_size: 8,
    action: ActionLayout::RESTORER,
    // arch/x86/include/uapi/asm/signal.h
    min_signal_stack: 2048,
    trampoline_name: "[vdso]",
    page_size: 4096,
    shmlba: 4096,
    tagged_addresses: false,
    breaks_need_tracer: false,
};

/// `syscall`, `int 0x80`
pub const CALL_SIZE: u64 = 2;
