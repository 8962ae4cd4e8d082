//! Numbers and code of the system-call and signal convention.

use crate::cpu::Regs;
use crate::kernel::linux::{ActionField, ActionLayout, CloneOrder, Facts};

use super::registers::{A3, N64, O32, V0, V1};
use super::{Abi, MipsLinux};

/// arch/mips/include/uapi/asm/signal.h, as IRIX had it.
const ACTION: ActionLayout = ActionLayout(&[
    ActionField::IntFlags,
    ActionField::Handler,
    ActionField::Mask,
]);

pub static O32_FACTS: Facts = Facts {
    registers: O32,
    machine: 8,
    clone: CloneOrder::BACKWARDS,
    sigset_size: 16,
    action: ACTION,
    min_signal_stack: 2048,
    trampoline_name: "[vdso]",
    page_size: 4096,
    // arch/mips/include/asm/shmparam.h
    shmlba: 0x4_0000,
    has_vdso: true,
    tagged_addresses: false,
    stack_flags_last: true,
    breaks_need_tracer: false,
};

pub static N64_FACTS: Facts = Facts {
    registers: N64,
    ..O32_FACTS
};

/// arch/mips/kernel/scall*.S: an error is a flag in a3, and v0 has the errno. pipe(2) has a second result in v1.
pub fn set_result(regs: &mut dyn Regs, result: i64, second: Option<u64>) {
    let failed = (-4095..0).contains(&result);
    regs.set(V0, if failed { -result } else { result } as u64);
    regs.set(A3, failed.into());
    if let Some(second) = second {
        regs.set(V1, second);
    }
}

/// The vDSO. Behind rt_sigreturn o32's has sigreturn (arch/mips/vdso/sigreturn.S).
pub fn vdso(linux: &MipsLinux) -> &'static [u8] {
    match (linux.abi, linux.big_endian) {
        (Abi::O32, true) => include_bytes!("vdso/o32.image"),
        (Abi::O32, false) => include_bytes!("vdso/o32el.image"),
        (Abi::N32, true) => include_bytes!("vdso/n32.image"),
        (Abi::N32, false) => include_bytes!("vdso/n32el.image"),
        (Abi::N64, true) => include_bytes!("vdso/n64.image"),
        (Abi::N64, false) => include_bytes!("vdso/n64el.image"),
    }
}
