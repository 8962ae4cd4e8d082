//! What the kernel's side and the cores have to know of single instructions
//! ("MIPS Architecture For Programmers", volume II).

use super::registers::RA;
use crate::memory::AddressSpace;

/// Which register an instruction loads or stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    General(u32),
    Float(u32),
}

/// A load or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub size: usize,
    pub signed: bool,
    pub store: bool,
    pub place: Place,
    /// The register that is added to the base, where that is no number in the instruction.
    pub index: Option<u32>,
}

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

    /// That at an address from which it has just been executed.
    pub fn fetch(space: &AddressSpace, at: u64, big_endian: bool) -> Self {
        let mut bytes = [0; 4];
        let _ = space.read(at, &mut bytes);
        Self::read(bytes, big_endian)
    }

    pub fn opcode(self) -> u32 {
        self.0 >> 26
    }

    pub fn rs(self) -> u32 {
        self.0 >> 21 & 31
    }

    /// Of a load or store.
    pub fn base(self) -> u32 {
        self.rs()
    }

    pub fn rt(self) -> u32 {
        self.0 >> 16 & 31
    }

    fn rd(self) -> u32 {
        self.0 >> 11 & 31
    }

    /// The signed number of 16 bits.
    pub fn immediate(self) -> u64 {
        i64::from(self.0 as i16) as u64
    }

    /// How far from the delay slot a branch goes.
    pub fn displacement(self) -> u64 {
        self.immediate() << 2
    }

    /// Of J and JAL: the address within 256 MiB.
    pub fn target(self) -> u64 {
        u64::from(self.0 & 0x3ff_ffff) << 2
    }

    /// Of BC1F and BC1T: which condition is to be what.
    pub fn float_condition(self) -> (u32, u64) {
        (self.0 >> 18 & 7, u64::from(self.0 >> 16 & 1))
    }

    /// The register that a branch stores the return address in.
    pub fn links(self) -> Option<u32> {
        match self.opcode() {
            0 if self.function() == 9 => Some(self.rd()),
            1 if self.rt() & 16 != 0 => Some(RA),
            3 => Some(RA),
            _ => None,
        }
    }

    /// What it accesses, if it is a load or store that can be made in parts.
    pub fn access(self, wide: bool) -> Option<Access> {
        let general = Place::General(self.rt());
        let float = Place::Float(self.rt());
        let (size, signed, store, place) = match self.opcode() {
            0x21 => (2, true, false, general),          // LH
            0x25 => (2, false, false, general),         // LHU
            0x29 => (2, false, true, general),          // SH
            0x23 => (4, true, false, general),          // LW
            0x27 if wide => (4, false, false, general), // LWU
            0x2b => (4, false, true, general),          // SW
            0x37 if wide => (8, false, false, general), // LD
            0x3f if wide => (8, false, true, general),  // SD
            0x31 => (4, false, false, float),           // LWC1
            0x35 => (8, false, false, float),           // LDC1
            0x39 => (4, false, true, float),            // SWC1
            0x3d => (8, false, true, float),            // SDC1
            0x13 => return self.indexed(),
            _ => return None,
        };
        Some(Access {
            size,
            signed,
            store,
            place,
            index: None,
        })
    }

    /// COP1X: LWXC1, LDXC1, SWXC1, SDXC1.
    fn indexed(self) -> Option<Access> {
        let (size, store, reg) = match self.function() {
            0 => (4, false, self.0 >> 6 & 31),
            1 => (8, false, self.0 >> 6 & 31),
            8 => (4, true, self.rd()),
            9 => (8, true, self.rd()),
            _ => return None,
        };
        Some(Access {
            size,
            signed: false,
            store,
            place: Place::Float(reg),
            index: Some(self.rt()),
        })
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
        let load = Insn(0x8ca4_0003).access(false).unwrap(); // lw $4, 3($5)
        assert_eq!(
            (load.size, load.signed, load.store, load.place),
            (4, true, false, Place::General(4))
        );
        let store = Insn(0x4cc7_2009).access(false).unwrap(); // sdxc1 $f4, $7($6)
        assert_eq!(
            (store.size, store.store, store.place, store.index),
            (8, true, Place::Float(4), Some(7))
        );
        assert_eq!(Insn(0xc0a4_0003).access(true), None); // ll $4, 3($5)
        assert_eq!(Insn(0xdca4_0003).access(false), None); // ld $4, 3($5)
        assert_eq!(Insn(0x0320_f809).links(), Some(31)); // jalr $25
        assert_eq!(Insn(0x03e0_0008).links(), None); // jr $31
        assert_eq!(Insn(0x0411_ffff).links(), Some(31)); // bal .
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
