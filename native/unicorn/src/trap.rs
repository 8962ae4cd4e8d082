//! What an exception of the engine means to the guest: decoding the few instructions
//! whose meaning the engine does not report.

use crate::cpu::Access;

/// An AArch64 instruction that trapped as undefined at EL0 and that a Linux kernel
/// nevertheless carries out (`arch/arm64/kernel/traps.c`, `cpufeature.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum A64Trap {
    /// MRS of CTR_EL0.
    ReadCtr { rt: u8 },
    /// DC CVAU and its like: memory is coherent, so nothing but the address check is left.
    CleanData { rt: u8 },
    /// IC IVAU: code in this line may have changed.
    InvalidateCode { rt: u8 },
    /// Undefined for a program.
    Undefined,
}

/// CTR_EL0 as programs see it: 64-byte lines, PIPT instruction cache, and IDC=1 (data
/// caches need no cleaning for instruction fetches to see new code). DIC stays 0, so that
/// programs tell us of new code by IC IVAU.
pub const CTR_EL0: u64 = 1 << 31 | 1 << 28 | 4 << 24 | 4 << 20 | 4 << 16 | 3 << 14 | 4;

/// Bytes of a cache line by [`CTR_EL0`].
pub const CACHE_LINE: u64 = 64;

/// Decides what a trapped A64 instruction is.
pub fn a64_undefined(insn: u32) -> A64Trap {
    let rt = (insn & 31) as u8;
    let (op1, crn, crm, op2) = (
        insn >> 16 & 7,
        insn >> 12 & 15,
        insn >> 8 & 15,
        insn >> 5 & 7,
    );
    match insn & 0xfff8_0000 {
        // MRS with op0 = 3
        0xd538_0000 if (op1, crn, crm, op2) == (3, 0, 0, 1) => A64Trap::ReadCtr { rt },
        // SYS: DC CVAC, CVAU, CVAP, CVADP, CIVAC; IC IVAU
        0xd508_0000 => match (op1, crn, crm, op2) {
            (3, 7, 10..=14, 1) => A64Trap::CleanData { rt },
            (3, 7, 5, 1) => A64Trap::InvalidateCode { rt },
            _ => A64Trap::Undefined,
        },
        _ => A64Trap::Undefined,
    }
}

/// An access that raised an alignment fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misaligned {
    /// Number of the base register.
    pub base: u32,
    pub offset: i64,
    pub access: Access,
}

/// The access of an A64 instruction that demands alignment: exclusives, acquire/release
/// (Arm ARM C4.1.94 "Load/store exclusive register", "ordered") and atomics, all of which
/// address by a base register alone but for LDAPUR and STLUR.
pub fn a64_misaligned(insn: u32) -> Misaligned {
    let base = insn >> 5 & 31;
    let (offset, access) = if insn & 0x3f20_0c00 == 0x1900_0000 {
        let imm9 = (insn >> 12 & 0x1ff) as i64;
        let store = insn >> 22 & 3 == 0;
        (
            (imm9 ^ 0x100) - 0x100,
            if store { Access::Write } else { Access::Read },
        )
    } else if insn & 0x3f00_0000 == 0x0800_0000 {
        let load = insn >> 22 & 1 == 1;
        (0, if load { Access::Read } else { Access::Write })
    } else {
        (0, Access::Write)
    };
    Misaligned {
        base,
        offset,
        access,
    }
}

/// The same for A32: LDREX, STREX, LDA, STL, SWP families.
pub fn a32_misaligned(insn: u32) -> Misaligned {
    let load = insn >> 20 & 1 == 1;
    Misaligned {
        base: insn >> 16 & 15,
        offset: 0,
        access: if load { Access::Read } else { Access::Write },
    }
}

/// The same for T32, `insn` having the first halfword on top.
pub fn t32_misaligned(insn: u32) -> Misaligned {
    let load = insn >> 20 & 1 == 1;
    // LDREX and STREX of a word have an offset, the others none (Arm ARM F5).
    let offset = if insn & 0xffe0_0000 == 0xe840_0000 {
        i64::from(insn & 0xff) << 2
    } else {
        0
    };
    Misaligned {
        base: insn >> 16 & 15,
        offset,
        access: if load { Access::Read } else { Access::Write },
    }
}

/// The immediate of an A32 or T16 BKPT.
pub fn bkpt_imm(insn: u32, thumb: bool) -> u32 {
    if thumb {
        insn & 0xff
    } else {
        insn >> 4 & 0xfff0 | insn & 0xf
    }
}

/// The immediate of an A32 or T16 SVC.
pub fn svc_imm(insn: u32, thumb: bool) -> u32 {
    if thumb {
        insn & 0xff
    } else {
        insn & 0x00ff_ffff
    }
}

/// Whether a T16 halfword starts a 32-bit instruction (Arm ARM F3.1).
pub fn is_t32(halfword: u32) -> bool {
    halfword >> 11 >= 0b11101
}

/// Whether a T16 instruction is IT.
pub fn is_it(halfword: u32) -> bool {
    halfword & 0xff00 == 0xbf00 && halfword & 0xf != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_type_and_maintenance() {
        // Encodings by aarch64-linux-gnu-as.
        assert_eq!(a64_undefined(0xd53b_0021), A64Trap::ReadCtr { rt: 1 }); // mrs x1, ctr_el0
        assert_eq!(a64_undefined(0xd50b_7b22), A64Trap::CleanData { rt: 2 }); // dc cvau, x2
        assert_eq!(
            a64_undefined(0xd50b_7524),
            A64Trap::InvalidateCode { rt: 4 }
        ); // ic ivau, x4
        assert_eq!(a64_undefined(0xd538_1000), A64Trap::Undefined); // mrs x0, sctlr_el1
        assert_eq!(a64_undefined(0), A64Trap::Undefined); // udf #0
    }

    #[test]
    fn misaligned_operands() {
        let read = |base, offset| Misaligned {
            base,
            offset,
            access: Access::Read,
        };
        let write = |base, offset| Misaligned {
            base,
            offset,
            access: Access::Write,
        };
        assert_eq!(a64_misaligned(0xc85f_7c41), read(2, 0)); // ldxr x1, [x2]
        assert_eq!(a64_misaligned(0xc89f_fc41), write(2, 0)); // stlr x1, [x2]
        assert_eq!(a64_misaligned(0xf821_0062), write(3, 0)); // ldadd x1, x2, [x3]
        assert_eq!(a64_misaligned(0xd95f_8041), read(2, -8)); // ldapur x1, [x2, #-8]
        assert_eq!(a32_misaligned(0xe193_1f9f), read(3, 0)); // ldrex r1, [r3]
        assert_eq!(t32_misaligned(0xe853_1f02), read(3, 8)); // ldrex r1, [r3, #8]
        assert_eq!(t32_misaligned(0xe8c3_2f51), write(3, 0)); // strexh r1, r2, [r3]
    }

    #[test]
    fn immediates() {
        assert_eq!(bkpt_imm(0xe121_2374, false), 0x1234); // bkpt 0x1234
        assert_eq!(bkpt_imm(0xbe12, true), 0x12);
        assert_eq!(svc_imm(0xef90_0004, false), 0x0090_0004); // swi #0x900004
        assert!(is_it(0xbf18) && !is_it(0xbf30)); // it ne; wfi
        assert!(is_t32(0xe853) && !is_t32(0xbe12) && is_t32(0xf000));
    }
}
