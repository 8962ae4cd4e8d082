//! Numbers and code of the system-call and signal convention.

use crate::cpu::Regs;
use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::registers::{CR, CR0_SO, MODES, MSR_FE, R3, REGISTERS};

pub static FACTS: Facts = Facts {
    registers: REGISTERS,
    machine: 20,
    // arch/powerpc/Kconfig: CLONE_BACKWARDS
    clone: CloneOrder::BACKWARDS,
    sigset_size: 8,
    action: ActionLayout::RESTORER,
    // arch/powerpc/include/uapi/asm/signal.h
    min_signal_stack: 2048,
    trampoline_name: "[vdso]",
    page_size: 4096,
    shmlba: 4096,
    has_vdso: true,
    tagged_addresses: false,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

/// arch/powerpc/kernel/interrupt.c, `syscall_exit_prepare`: an error is CR0.SO, and r3 has the errno.
pub fn set_result(regs: &mut dyn Regs, result: i64) {
    let failed = (-4095..0).contains(&result);
    regs.set(R3, if failed { -result } else { result } as u64);
    let cr = regs.get(CR) & !CR0_SO;
    regs.set(CR, if failed { cr | CR0_SO } else { cr });
}

/// MSR.FE0 and FE1 as the two bits of PR_FP_EXC_* (`__unpack_fe01` of arch/powerpc/kernel/process.c).
pub fn float_exceptions(regs: &mut dyn Regs) -> u32 {
    let modes = regs.get(MODES);
    (modes >> 10 & 2 | modes >> 8 & 1) as u32
}

/// The way back. Those that are more than a mode are of other processors.
pub fn set_float_exceptions(regs: &mut dyn Regs, mode: u64) -> bool {
    let mode = mode & 0xffff_ffff;
    if mode > 3 {
        return false;
    }
    let others = regs.get(MODES) & !MSR_FE;
    regs.set(MODES, others | mode << 10 & 0x800 | mode << 8 & 0x100);
    true
}

/// The vDSO: code that calls sigreturn, and what unwinders have to know of it (`vdso/`).
static VDSO: &[u8] = include_bytes!("vdso/vdso.image");

/// Where in it sigreturn is called, and rt_sigreturn.
pub const TRAMPOLINE: u64 = 0x7bc;
pub const RT_TRAMPOLINE: u64 = 0x7c8;

pub fn trampoline() -> Vec<u8> {
    VDSO.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trampolines_are_where_they_are_said_to_be() {
        let words = |at: u64| {
            let bytes = &VDSO[at as usize..][..8];
            let word = |n: usize| u32::from_be_bytes(*bytes[n..].first_chunk().unwrap());
            [word(0), word(4)]
        };
        // li r0, number; sc
        assert_eq!(words(TRAMPOLINE), [0x3800_0000 | 119, 0x4400_0002]);
        assert_eq!(words(RT_TRAMPOLINE), [0x3800_0000 | 172, 0x4400_0002]);
        assert!(VDSO.len() <= 4096);
    }
}
