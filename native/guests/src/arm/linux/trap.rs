//! The signal for a trap (arch/arm/kernel/traps.c, arch/arm/mm/fault.c).

use crate::cpu::{CpuCore, Exit};
use crate::kernel::signal::FaultInfo;
use crate::kernel::signal::siginfo::TRAP_BRKPT;
use crate::memory::AddressSpace;

use super::ArmLinux;
use super::convention::is_thumb;
use super::registers::PC;

pub fn fault(
    exit: Exit,
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    linux: &ArmLinux,
) -> FaultInfo {
    let fault = FaultInfo::of(exit, core.get(PC));
    if exit == Exit::Undefined && on_break_pattern(core, space, linux) {
        FaultInfo {
            signal: libc::SIGTRAP,
            code: TRAP_BRKPT,
            ..fault
        }
    } else {
        fault
    }
}

/// Whether the pc is on one of the undefined instructions that debuggers have for breakpoints
/// (arch/arm64/kernel/debug-monitors.c, try_handle_aarch32_break).
fn on_break_pattern(core: &mut dyn CpuCore, space: &AddressSpace, linux: &ArmLinux) -> bool {
    const A32: u32 = 0x07f0_01f0;
    const T16: u16 = 0xde01;
    const T32: (u16, u16) = (0xf7f0, 0xa000);
    let pc = core.get(PC);
    if !is_thumb(core) {
        let mut code = [0; 4];
        let read = space.read(pc, &mut code).is_ok();
        return read && linux.word(code) & 0x0fff_ffff == A32;
    }
    let half = |at| {
        let mut code = [0; 2];
        let read = space.read(at, &mut code);
        read.ok().map(|()| linux.half(code))
    };
    match half(pc) {
        Some(T16) => true,
        Some(first) => first == T32.0 && half(pc + 2) == Some(T32.1),
        None => false,
    }
}
