//! The two ways to have floating-point registers (Status.FR): 32 with 64 bits, or 16 with 64 that are pairs of 32 with 32.
//! n64 and n32 have the first one; o32 begins with the second, and may change it (`mips_set_process_fp_mode` of
//! arch/mips/kernel/process.c).

use crate::cpu::CpuCore;

use super::registers::{F0, FIR, FR, STATUS};

// include/uapi/linux/prctl.h
const MODE_FR: u64 = 1;
/// FIR.F64: the registers can have 64 bits.
const FIR_F64: u64 = 1 << 22;

fn is_wide(core: &mut dyn CpuCore) -> bool {
    core.get(STATUS) & FR != 0
}

/// A register as the kernel saves it: where they are pairs, an even one has 64 bits, whose upper half is the odd one
/// behind it.
pub fn get(core: &mut dyn CpuCore, index: u32) -> u64 {
    let value = core.get(F0 + index);
    if is_wide(core) {
        value
    } else if index.is_multiple_of(2) {
        value & 0xffff_ffff | core.get(F0 + index + 1) << 32
    } else {
        0
    }
}

pub fn set(core: &mut dyn CpuCore, index: u32, value: u64) {
    if is_wide(core) {
        core.set(F0 + index, value);
    } else if index.is_multiple_of(2) {
        core.set(F0 + index, value & 0xffff_ffff);
        core.set(F0 + index + 1, value >> 32);
    }
}

// `fp_abi` (arch/mips/include/asm/elf.h): code for whole registers, with or without the odd ones. What is for either
// (MIPS_ABI_FP_XX) begins with pairs, as where the kernel has no choice of its own.
const ABI_FP_64: u8 = 6;
const ABI_FP_64A: u8 = 7;

pub fn begin(core: &mut dyn CpuCore, float_abi: u8) {
    if matches!(float_abi, ABI_FP_64 | ABI_FP_64A) {
        core.set(STATUS, FR);
    }
}

/// PR_GET_FP_MODE
pub fn mode(core: &mut dyn CpuCore) -> u64 {
    u64::from(is_wide(core)) * MODE_FR
}

/// PR_SET_FP_MODE; `fixed`: the ABI has one mode only. Even registers keep their 64 bits, as they are saved in between.
pub fn set_mode(value: u64, core: &mut dyn CpuCore, fixed: bool) -> Result<u64, i32> {
    // An unsigned int.
    let value = value & 0xffff_ffff;
    if value == mode(core) {
        return Ok(0);
    }
    // The other bit, PR_FP_MODE_FRE, wants a processor that none here is.
    if fixed || value & !MODE_FR != 0 {
        return Err(libc::EOPNOTSUPP);
    }
    if value == MODE_FR && core.get(FIR) & FIR_F64 == 0 {
        return Err(libc::EOPNOTSUPP);
    }
    let kept: Vec<u64> = (0..32).map(|index| get(core, index)).collect();
    core.set(STATUS, if value == MODE_FR { FR } else { 0 });
    if mode(core) != value {
        // Release 6 has no pairs.
        return Err(libc::EOPNOTSUPP);
    }
    for (index, value) in (0..).zip(kept) {
        set(core, index, value);
    }
    Ok(0)
}
