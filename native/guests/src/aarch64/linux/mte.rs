//! What Linux makes of memory tagging (arch/arm64/kernel/mte.c, Documentation/arch/arm64/memory-tagging-extension.rst).

use crate::aarch64::mte::{CONTROL, SYNC};
use crate::cpu::CpuCore;

use super::registers;

/// PR_SET_TAGGED_ADDR_CTRL, but for its lowest bit; whether what calls access is compared, too.
pub fn set_checks(args: &[u64], core: &mut dyn CpuCore) -> Result<u64, i32> {
    let wanted = args.first().copied().unwrap_or(0);
    let has = core.get(registers::TAG_CHECKS) & registers::HAS_MTE != 0;
    if wanted & !CONTROL != 0 || (wanted != 0 && !has) {
        return Err(libc::EINVAL);
    }
    core.set(registers::TAG_CHECKS, wanted);
    Ok(wanted & SYNC)
}

/// PR_GET_TAGGED_ADDR_CTRL.
pub fn checks(core: &mut dyn CpuCore) -> u64 {
    core.get(registers::TAG_CHECKS) & CONTROL
}
