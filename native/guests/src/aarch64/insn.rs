//! One instruction word and the register conventions that all lifters share.

use crate::decode::Bits;
use crate::features::Features;
use crate::ir::Op;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;

/// General slots: x0-x30, sp, then system registers.
pub mod slot {
    pub const SP: u16 = 31;
    pub const TPIDR: u16 = 32;
    pub const FPCR: u16 = 33;
    pub const TPIDR2: u16 = 34;
    /// DIT and SSBS, where MRS has them.
    pub const PSTATE: u16 = 35;
    /// What random numbers follow from; 0: from nothing.
    pub const SEED: u16 = 36;
    /// Not 0 where pointers are not authenticated with the key of this bit (SCTLR_EL1.EnIA and its like, inverted).
    pub const KEYS_OFF: u16 = 37;
    /// Not 0: vectors are in use, so that more of their registers than V may not be 0 (`sve`).
    pub const VECTORS: u16 = 38;
    /// The vector length in quadwords.
    pub const QUADS: u16 = 39;
    /// What prctl(2) has said of the length (`linux::vector`).
    pub const LENGTH_CONTROL: u16 = 40;
    /// PSTATE.BTYPE (`bti`).
    pub const BTYPE: u16 = 41;
    /// What prctl(2) has said of tags (`mte`), where memory's are, and whether an access's was another.
    pub const TAG_CONTROL: u16 = 42;
    pub const TAGS: u16 = 43;
    pub const TAG_FAULTS: u16 = 44;
    /// Predicates and FFR: their first 64 bits, then the second ones, and so on.
    pub const PREDICATES: u16 = 45;
}

/// P0 to P15, and FFR.
pub const PREDICATES: u16 = 17;
/// A predicate's words of 64 bits.
pub const PREDICATE_WORDS: u16 = 4;

/// The general slots, the vector registers, and the keys; then what is above V in vectors, as many quadwords each as the
/// vector length has, less one.
pub const LAYOUT: Layout = Layout::new(
    slot::PREDICATES + PREDICATES * PREDICATE_WORDS,
    UPPER + 32 * 15,
);

pub const UPPER: u16 = KEYS + 5;

/// The wide slots of the keys of pointer authentication: APIA, APIB, APDA, APDB, APGA.
pub const KEYS: u16 = 32;

/// An instruction at an address, under a translation mode.
#[derive(Clone, Copy, Debug)]
pub struct Insn {
    pub bits: u32,
    pub pc: u64,
    pub mode: u32,
    /// Of the CPU model.
    pub features: Features,
}

impl Bits for Insn {
    fn bits(self) -> u32 {
        self.bits
    }
}

impl Insn {
    #[must_use]
    pub fn has(self, feature: Features) -> bool {
        self.features.contains(feature)
    }
    /// Whether data are big-endian.
    #[must_use]
    pub fn big(self) -> bool {
        self.mode & super::MODE_BIG != 0
    }
    /// The vector length in quadwords.
    #[must_use]
    pub fn quads(self) -> u16 {
        (self.mode >> super::MODE_QUADS & 15) as u16 + 1
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
    #[must_use]
    pub fn ra(self) -> u32 {
        self.f(10, 5)
    }
    /// Operand width by bit 31.
    #[must_use]
    pub fn sf(self) -> u8 {
        if self.bit(31) { 64 } else { 32 }
    }
    /// `len` bits from bit `lo`, sign-extended.
    #[must_use]
    pub fn sf_imm(self, lo: u32, len: u32) -> i64 {
        i64::from(self.signed(lo, len))
    }
    /// A pc-relative target.
    #[must_use]
    pub fn target(self, offset: i64) -> u64 {
        self.pc.wrapping_add(offset as u64)
    }
}

/// Register `n`, or zero for 31.
pub fn x<S: Sem>(s: &mut S, n: u32) -> S::V {
    if n == 31 { s.konst(0) } else { s.get(n as u16) }
}

/// Register `n`, or sp for 31.
pub fn xsp<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get(n as u16)
}

/// Writes the low `w` bits of `v` to register `n`, clearing the rest; 31 is discarded.
pub fn set<S: Sem>(s: &mut S, w: u8, n: u32, v: S::V) {
    if n != 31 {
        set_sp(s, w, n, v);
    }
}

/// The same, with 31 as sp.
pub fn set_sp<S: Sem>(s: &mut S, w: u8, n: u32, v: S::V) {
    let v = s.op1(Op::Zext, w, v);
    s.set(n as u16, v);
}
