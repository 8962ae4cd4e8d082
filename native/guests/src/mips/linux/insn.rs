//! What the kernel's side and the cores have to know of single instructions
//! ("MIPS Architecture For Programmers", volume II).

/// A word of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn(pub u32);

impl Insn {
    #[must_use]
    pub fn read(bytes: [u8; 4], big_endian: bool) -> Self {
        Self(if big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn opcode(self) -> u32 {
        self.0 >> 26
    }

    fn rs(self) -> u32 {
        self.0 >> 21 & 31
    }

    fn rt(self) -> u32 {
        self.0 >> 16 & 31
    }

    fn function(self) -> u32 {
        self.0 & 63
    }

    /// Whether it is a branch with a delay slot.
    #[must_use]
    pub fn has_slot(self) -> bool {
        match self.opcode() {
            // SPECIAL: JR, JALR
            0 => matches!(self.function(), 8 | 9),
            // REGIMM: BLTZ, BGEZ, their likely forms, and those that link
            1 => matches!(self.rt(), 0..=3 | 16..=19),
            // J, JAL, BEQ, BNE, BLEZ, BGTZ; of release 6 are compact ones with another rt
            2..=5 => true,
            6 | 7 => self.rt() == 0,
            // COP1, COP2: BC1F, BC1T; BC1EQZ, BC1NEZ
            17 | 18 => matches!(self.rs(), 8 | 9 | 13),
            // BEQL, BNEL, BLEZL, BGTZL
            20..=21 => true,
            22 | 23 => self.rt() == 0,
            _ => false,
        }
    }

    /// The number in BREAK, whose assembler syntax has two (arch/mips/kernel/traps.c, `do_bp`).
    #[must_use]
    pub fn break_code(self) -> u32 {
        let code = self.0 >> 6 & 0xf_ffff;
        if code < 1 << 10 {
            code
        } else {
            (code & 0x3ff) << 10 | code >> 10
        }
    }

    /// The number in a trap instruction; those with an immediate have none.
    #[must_use]
    pub fn trap_code(self) -> u32 {
        if self.opcode() == 0 {
            self.0 >> 6 & 0x3ff
        } else {
            0
        }
    }

    /// Which register RDHWR reads.
    #[must_use]
    pub fn hardware_register(self) -> Option<u32> {
        let is = self.opcode() == 31 && self.function() == 59 && self.rs() == 0;
        is.then_some(self.0 >> 11 & 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        // By mipsel-linux-gnu-as.
        assert_eq!(Insn(0x7c03_e83b).hardware_register(), Some(29)); // rdhwr $3, $29
        assert_eq!(Insn(0x7c02_003b).hardware_register(), Some(0)); // rdhwr $2, $0
        assert_eq!(Insn(0x0007_000d).break_code(), 7); // break 7
        assert_eq!(Insn(0x0000_000d).break_code(), 0); // break
        assert_eq!(Insn(0x0044_01f4).trap_code(), 7); // teq $2, $4, 7
        for slot in [
            0x03e0_0008, // jr $31
            0x0320_f809, // jalr $25
            0x1040_0003, // beqz $2, .+16
            0x0441_0003, // bgez $2, .+16
            0x0411_ffff, // bal .
            0x4501_0003, // bc1t .+16
            0x0c00_0000, // jal 0
            0x5440_0003, // bnel $2, $0, .+16
        ] {
            assert!(Insn(slot).has_slot(), "{slot:08x}");
        }
        for plain in [
            0x0000_0000,
            0x0000_000c,
            0x2402_0001,
            0x8fa2_0000,
            0x4482_0000,
        ] {
            assert!(!Insn(plain).has_slot(), "{plain:08x}");
        }
    }
}
