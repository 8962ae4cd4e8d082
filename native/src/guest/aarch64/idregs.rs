//! The identification registers that the kernel emulates for EL0
//! (Linux, Documentation/arch/arm64/cpu-feature-registers.rst): what user space may
//! see agrees with HWCAP, everything else reads as zero.

/// The value of the ID register `key` (op0:op1:CRn:CRm:op2), if EL0 may read it.
#[must_use]
pub fn value(key: u32) -> Option<u64> {
    // op0 = 3, op1 = 0, CRn = 0.
    if key >> 7 != 3 << 7 {
        return None;
    }
    Some(match key & 0x7f {
        // MIDR_EL1: no implementer, architecture by ID registers.
        0x00 => 0x000f_0510,
        // MPIDR_EL1: uniprocessor-looking, as the kernel hides it.
        0x05 => 0x8000_0000,
        // REVIDR_EL1
        0x06 => 0,
        // ID_AA64PFR0_EL1: EL0 and EL1 in AArch64, FP and Advanced SIMD without half precision.
        0x20 => 0x0000_0000_0000_0011,
        // ID_AA64ISAR0_EL1: AES+PMULL, SHA1, SHA2, CRC32, atomics.
        0x30 => 0x0000_0000_0021_1120,
        0x08..=0x7f => 0,
        _ => return None,
    })
}
