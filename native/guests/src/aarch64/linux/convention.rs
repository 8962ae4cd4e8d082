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
    has_vdso: true,
    tagged_addresses: true,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

/// The vDSO in a byte order of data.
pub fn vdso(big_endian: bool) -> &'static [u8] {
    if big_endian {
        include_bytes!("vdso/big.image")
    } else {
        include_bytes!("vdso/little.image")
    }
}
