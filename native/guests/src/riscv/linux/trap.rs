//! The signal for a trap (arch/riscv/kernel/traps.c, arch/riscv/mm/fault.c).

use crate::cpu::{CpuCore, Exit};
use crate::kernel::signal::FaultInfo;

use super::registers::PC;

/// A misaligned access is told of by the address of its instruction (`do_trap_load_misaligned`).
pub fn fault(exit: Exit, core: &mut dyn CpuCore) -> FaultInfo {
    let pc = core.get(PC);
    let fault = FaultInfo::of(exit, pc);
    match exit {
        Exit::Fault { align: true, .. } => FaultInfo { addr: pc, ..fault },
        _ => fault,
    }
}
