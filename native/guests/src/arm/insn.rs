//! One instruction and the register conventions that all lifters share.

use super::features::Features;
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;

/// General slots: r0-r14, then what is not among the general registers. A slot of a register has its value
/// zero-extended: bits 63-32 are always 0. The pc is in no slot.
pub mod slot {
    pub const SP: u16 = 13;
    pub const LR: u16 = 14;
    /// The program's thread pointer, which the kernel sets.
    pub const TPIDRURO: u16 = 15;
    /// A word for the program's own use.
    pub const TPIDRURW: u16 = 16;
    /// CPSR.GE as a mask: a byte for each bit.
    pub const GE: u16 = 17;
    /// CPSR.Q: 0 or not.
    pub const Q: u16 = 18;
    /// ITSTATE, of an instruction that faulted or stopped within an IT block; else 0.
    pub const IT: u16 = 19;
    /// CPSR.E: 0 or 1.
    pub const E: u16 = 20;
    /// FPSCR but for the flags: modes, LEN, STRIDE, as the program wrote them.
    pub const FPSCR: u16 = 21;
    /// N, Z, C and V of FPSCR, packed as in `ir::flags`.
    pub const FPFLAGS: u16 = 22;
}

/// The general slots, sixteen Q registers with their D and S registers, and one more.
pub const LAYOUT: Layout = Layout {
    halved: 16,
    quartered: 8,
    ..Layout::new(23, 16)
};

/// Translation modes (`Guest::mode`). The instruction set is no mode: it is bit 0 of the pc.
pub mod mode {
    /// Data accesses are big-endian (CPSR.E, or BE-32).
    pub const BIG: u32 = 1;
    /// FPSCR.LEN at bits 1-3, STRIDE at 4.
    pub const VECTOR_SHIFT: u32 = 1;
    pub const VECTOR: u32 = 0x1e;
    /// FPSCR.FZ.
    pub const FLUSH: u32 = 0x20;
    /// Operations under the standard FPSCR value are in use (`ir::float::STANDARD_USED`).
    pub const STANDARD: u32 = 0x40;
    /// ITSTATE at bits 8-15.
    pub const IT_SHIFT: u32 = 8;
    pub const IT: u32 = 0xff00;
}

/// An instruction at an address, under a translation mode.
#[derive(Clone, Copy, Debug)]
pub struct Insn {
    /// A32: the word. T32: the first halfword on top. T16: the halfword.
    /// Floating point and Advanced SIMD of T32 come in the form of A32, with the condition "always".
    pub bits: u32,
    /// Its address, without the bit for Thumb.
    pub pc: u32,
    pub mode: u32,
    /// 2 or 4 bytes.
    pub size: u8,
    pub thumb: bool,
    pub features: Features,
}

impl Bits for Insn {
    fn bits(self) -> u32 {
        self.bits
    }
}

impl Insn {
    #[must_use]
    pub fn has(self, need: Features) -> bool {
        self.features.contains(need)
    }
    /// What reading the pc gives.
    #[must_use]
    pub fn pc_value(self) -> u32 {
        self.pc.wrapping_add(if self.thumb { 4 } else { 8 })
    }
    /// The same, rounded down to a word: the base of literals and ADR.
    #[must_use]
    pub fn pc_base(self) -> u32 {
        self.pc_value() & !3
    }
    /// The interworking address of what follows.
    #[must_use]
    pub fn next(self) -> u64 {
        self.here(self.pc.wrapping_add(u32::from(self.size)))
    }
    /// The interworking address of `pc` in this instruction set.
    #[must_use]
    pub fn here(self, pc: u32) -> u64 {
        u64::from(pc | u32::from(self.thumb))
    }
    /// This instruction's interworking address.
    #[must_use]
    pub fn own(self) -> u64 {
        self.here(self.pc)
    }
    /// ITSTATE; 0 outside of IT blocks.
    #[must_use]
    pub fn it(self) -> u32 {
        self.mode >> mode::IT_SHIFT & 0xff
    }
    #[must_use]
    pub fn in_it(self) -> bool {
        self.it() != 0
    }
    /// In an IT block, but not the last of it: no place for branches.
    #[must_use]
    pub fn in_it_not_last(self) -> bool {
        self.it() & 7 != 0
    }
}

/// Register `n`; the pc reads as the ISA has it.
pub fn reg<S: Sem>(s: &mut S, i: Insn, n: u32) -> S::V {
    if n == 15 {
        s.konst(u64::from(i.pc_value()))
    } else {
        s.get(n as u16)
    }
}

/// Register `n` as a base, where the pc is rounded down to a word.
pub fn base<S: Sem>(s: &mut S, i: Insn, n: u32) -> S::V {
    if n == 15 {
        s.konst(u64::from(i.pc_base()))
    } else {
        s.get(n as u16)
    }
}

/// Writes a value whose bits 63-32 are 0 to register `n`, which is not the pc.
pub fn set<S: Sem>(s: &mut S, n: u32, v: S::V) {
    debug_assert!(n < 15, "the pc is written by branches");
    let v = s.op1(Op::Zext, 32, v);
    s.set(n as u16, v);
}

/// `a + k` as the address of an access, and for nothing else. It wraps at 32 bits.
pub fn address<S: Sem>(s: &mut S, a: S::V, k: i32) -> S::V {
    s.address(32, a, k as u32 as u64)
}

/// `a + k` in 32 bits.
pub fn add_k<S: Sem>(s: &mut S, a: S::V, k: i32) -> S::V {
    s.add_k(32, a, u64::from(k as u32))
}
