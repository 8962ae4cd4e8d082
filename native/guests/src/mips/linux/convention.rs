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
    has_vdso: false,
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

/// The kernel's vdso has it (arch/mips/vdso/sigreturn.S): rt_sigreturn and, of o32, behind that sigreturn. Unwinders know
/// these very instructions.
pub fn trampoline(linux: &MipsLinux) -> Vec<u8> {
    const SYSCALL: u32 = 0x0000_000c;
    // li v0, number
    let numbers: &[u32] = match linux.abi {
        Abi::O32 => &[4193, 4119],
        Abi::N32 => &[6211],
        Abi::N64 => &[5211],
    };
    let code = numbers
        .iter()
        .flat_map(|number| [0x2402_0000 | number, SYSCALL]);
    code.flat_map(|insn| {
        if linux.big_endian {
            insn.to_be_bytes()
        } else {
            insn.to_le_bytes()
        }
    })
    .collect()
}
