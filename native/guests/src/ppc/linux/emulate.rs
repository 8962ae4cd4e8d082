//! Instructions that trap in a program and that are carried out for it.

use crate::cpu::Emulated;

/// The number of the processor's version register.
const PVR: u32 = 287;

/// `mfspr rD, PVR`
pub const fn reads_version(insn: u32) -> bool {
    // The number's halves are exchanged.
    insn & !(31 << 21) == 0x7c00_02a6 | (PVR & 31) << 16 | (PVR >> 5) << 11
}

/// Reads of the version, which is the kernel's only (INST_MFSPR_PVR of arch/powerpc/kernel/traps.c).
pub fn emulate(registers: &[(u32, u64)], code: &[u8]) -> Option<Emulated> {
    let insn = u32::from_be_bytes(*code.first_chunk()?);
    let (_, value) = *registers.iter().find(|(number, _)| *number == PVR)?;
    reads_version(insn).then_some(Emulated {
        register: Some(insn >> 21 & 31),
        value,
        size: 4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_the_version() {
        let read = |insn: u32| emulate(&[(PVR, 0x8003_0102)], &insn.to_be_bytes());
        // By powerpc-linux-gnu-as: mfpvr r3; mfspr r3, 272; add r3, r4, r5.
        let found = read(0x7c7f_42a6).unwrap();
        assert_eq!((found.register, found.value), (Some(3), 0x8003_0102));
        assert!(read(0x7c70_42a6).is_none());
        assert!(read(0x7c64_2a14).is_none());
    }
}
