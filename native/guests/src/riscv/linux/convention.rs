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
    has_vdso: true,
    tagged_addresses: false,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

/// The vDSO in a word size.
pub fn vdso(word_bits: u8) -> &'static [u8] {
    if word_bits == 32 {
        include_bytes!("vdso/rv32.image")
    } else {
        include_bytes!("vdso/rv64.image")
    }
}
