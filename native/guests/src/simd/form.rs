//! An Advanced SIMD instruction as the lifters here take it: the layout of AArch64's encodings, which AArch32's
//! are brought to, and where its registers are.

use crate::arm::insn::LAYOUT;
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::float::STANDARD;
use crate::ir::sem::Sem;

/// How a guest's registers lie in the wide slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// AArch64: 32 registers of 128 bits.
    Whole,
    /// AArch32: 32 D registers, two of which are a Q register. Whether the destination and the two operands are Q
    /// registers; numbers are those of D registers always.
    Parts { d: bool, n: bool, m: bool },
}

/// The instruction.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Fields as in Arm ARM C4.1.96, "Data Processing -- Scalar Floating-Point and Advanced SIMD".
    pub bits: u32,
    pub file: File,
    /// Arithmetic is under AArch32's standard FPSCR value.
    pub standard: bool,
}

/// Unit of D register `n` of AArch32, or of the Q register that it is the low half of.
#[must_use]
pub fn register(wide: bool, n: u32) -> u16 {
    if wide {
        n as u16 / 2
    } else {
        LAYOUT.part(64, n as u16)
    }
}

impl Bits for Form {
    fn bits(self) -> u32 {
        self.bits
    }
}

impl Form {
    /// Of an AArch64 instruction.
    #[must_use]
    pub fn whole(bits: u32) -> Self {
        Self {
            bits,
            file: File::Whole,
            standard: false,
        }
    }

    #[must_use]
    pub fn rd(self) -> u32 {
        self.f(0, 5)
    }
    #[must_use]
    pub fn rn(self) -> u32 {
        self.f(5, 5)
    }
    #[must_use]
    pub fn rm(self) -> u32 {
        self.f(16, 5)
    }

    fn slot(self, wide: impl Fn(bool, bool, bool) -> bool, n: u32) -> u16 {
        match self.file {
            File::Whole => n as u16,
            File::Parts { d, n: first, m } => register(wide(d, first, m), n),
        }
    }

    /// The first operand.
    pub fn n<S: Sem>(self, s: &mut S) -> S::V {
        s.get_x(self.slot(|_, n, _| n, self.rn()))
    }
    /// The second operand.
    pub fn m<S: Sem>(self, s: &mut S) -> S::V {
        s.get_x(self.slot(|_, _, m| m, self.rm()))
    }
    /// What the destination holds.
    pub fn d<S: Sem>(self, s: &mut S) -> S::V {
        s.get_x(self.slot(|d, _, _| d, self.rd()))
    }
    pub fn set_d<S: Sem>(self, s: &mut S, v: S::V) {
        s.set_x(self.slot(|d, _, _| d, self.rd()), v);
    }

    /// What the mode of arithmetic adds to the immediate of an operation or a helper.
    #[must_use]
    pub fn mode(self) -> u64 {
        if self.standard { STANDARD } else { 0 }
    }

    // Floating-point operations in that mode.

    pub fn fp1<S: Sem>(self, s: &mut S, op: Op, w: u8, a: S::V, imm: u64) -> S::V {
        s.op(op, w, [Some(a), None, None], imm | self.mode())
    }
    pub fn fp2<S: Sem>(self, s: &mut S, op: Op, w: u8, a: S::V, b: S::V, imm: u64) -> S::V {
        s.op(op, w, [Some(a), Some(b), None], imm | self.mode())
    }
    pub fn fp3<S: Sem>(self, s: &mut S, op: Op, w: u8, args: [S::V; 3]) -> S::V {
        s.op(op, w, args.map(Some), self.mode())
    }
}
