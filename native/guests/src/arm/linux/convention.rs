//! Numbers and code of the system-call and signal convention.

use crate::cpu::Regs;
use crate::kernel::linux::{ActionLayout, CloneOrder, Facts};

use super::ArmLinux;
use super::registers::{CPSR, REGISTERS};

pub static FACTS: Facts = Facts {
    registers: REGISTERS,
    machine: 40,
    clone: CloneOrder::BACKWARDS,
    sigset_size: 8,
    action: ActionLayout::RESTORER,
    // arch/arm/include/uapi/asm/signal.h
    min_signal_stack: 2048,
    trampoline_name: "[sigpage]",
    page_size: 4096,
    // COMPAT_SHMLBA of arch/arm64/include/asm/shmparam.h, SHMLBA of arch/arm.
    shmlba: 4 * 4096,
    has_vdso: false,
    tagged_addresses: false,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

/// CPSR.T: instructions are Thumb's.
pub const THUMB: u64 = 1 << 5;

pub fn is_thumb(regs: &mut dyn Regs) -> bool {
    regs.get(CPSR) & THUMB != 0
}

/// Whether the code at an address that is branched to is Thumb's.
pub fn code_is_thumb(address: u64) -> bool {
    address & 1 != 0
}

/// `svc` is as long as an instruction of its set.
pub fn call_address(regs: &mut dyn Regs, behind: u64) -> u64 {
    behind.wrapping_sub(if is_thumb(regs) { 2 } else { 4 })
}

/// arch/arm/kernel/sigreturn_codes.S: sigreturn and rt_sigreturn in A32, then both in T16. Unwinders
/// know these very instructions.
pub fn trampoline_page(linux: &ArmLinux) -> Vec<u8> {
    const A32: [u32; 4] = [
        0xe3a0_7077,
        0xef00_0000, // mov r7, #119; svc #0
        0xe3a0_70ad,
        0xef00_0000, // mov r7, #173; svc #0
    ];
    const T16: [u16; 4] = [0x2777, 0xdf00, 0x27ad, 0xdf00];
    // Its own inverse.
    let words = A32.map(|insn| linux.word(insn.to_le_bytes()).to_le_bytes());
    let halves = T16.map(|insn| linux.half(insn.to_le_bytes()).to_le_bytes());
    [words.as_flattened(), halves.as_flattened()].concat()
}

/// The vDSO, which is another page.
pub fn vdso(linux: &ArmLinux) -> &'static [u8] {
    match (linux.big_data, linux.big_code) {
        (false, _) => include_bytes!("vdso/little.image"),
        (true, false) => include_bytes!("vdso/be8.image"),
        (true, true) => include_bytes!("vdso/be32.image"),
    }
}

/// Where in the page a handler returns to.
pub fn trampoline(page: u64, thumb: bool, rt: bool) -> u64 {
    page + match (thumb, rt) {
        (false, false) => 0,
        (false, true) => 8,
        (true, false) => 16 | 1,
        (true, true) => 20 | 1,
    }
}
