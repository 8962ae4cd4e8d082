//! One instruction and the register conventions that all lifters share.

use super::features::Features;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;

/// General slots: x1-x31, then what is not among the general registers. Slot 0 stays 0. With 32 bits a slot has its
/// value zero-extended.
pub mod slot {
    /// The rounding mode: what the program wrote to frm.
    pub const FRM: u16 = 32;
    /// Vectors: the element to begin with, how many there are, and their type as `vector` has it.
    pub const VSTART: u16 = 33;
    pub const VL: u16 = 34;
    pub const VTYPE: u16 = 35;
    /// Fixed-point rounding, and whether something was saturated.
    pub const VXRM: u16 = 36;
    pub const VXSAT: u16 = 37;
    /// The program has used vectors, so that the kernel keeps them.
    pub const VUSED: u16 = 38;
    /// What it may do with them, as prctl(PR_RISCV_V_SET_CONTROL) has it.
    pub const VCONTROL: u16 = 39;
}

/// The pieces of vector registers, of the longest that there can be. Shorter ones follow each other without gaps.
pub const VECTORS: u16 = 16;
pub const PIECES: u16 = 32 * 8;

/// The general slots, the floating-point registers (halves of sixteen wide slots), and vectors.
pub const LAYOUT: Layout = Layout {
    halved: 16,
    ..Layout::new(40, VECTORS + PIECES)
};

/// A translation's mode: frm, and whether vectors are off. Within a block also vtype, as far as it is known.
pub mod mode {
    pub const FRM: u32 = 7;
    pub const VECTORS_OFF: u32 = 8;
    /// vtype's bits are known, and where they are (with one for vill).
    pub const TYPED: u32 = 1 << 4;
    pub const TYPE: u32 = 5;
    pub const WITHIN: u32 = 0x3ff0;
}

/// The unit of a floating-point register.
#[must_use]
pub const fn unit(n: u32) -> u16 {
    LAYOUT.part(64, n as u16)
}

/// An instruction at an address, under a translation mode.
#[derive(Clone, Copy, Debug)]
pub struct Insn {
    pub bits: u32,
    pub pc: u64,
    /// The rounding mode of frm.
    pub frm: u8,
    /// The translation's ([`mode`]).
    pub mode: u32,
    /// 2 or 4 bytes.
    pub size: u8,
    /// Bits of a general register.
    pub xlen: u8,
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
    #[must_use]
    pub fn vectors_off(self) -> bool {
        self.mode & mode::VECTORS_OFF != 0
    }
    #[must_use]
    pub fn rd(self) -> u32 {
        self.f(7, 5)
    }
    #[must_use]
    pub fn rs1(self) -> u32 {
        self.f(15, 5)
    }
    #[must_use]
    pub fn rs2(self) -> u32 {
        self.f(20, 5)
    }
    #[must_use]
    pub fn rs3(self) -> u32 {
        self.f(27, 5)
    }
    #[must_use]
    pub fn funct3(self) -> u32 {
        self.f(12, 3)
    }
    /// The immediate of format I.
    #[must_use]
    pub fn imm_i(self) -> i64 {
        i64::from(self.signed(20, 12))
    }
    /// Of format S.
    #[must_use]
    pub fn imm_s(self) -> i64 {
        i64::from(self.signed(25, 7)) << 5 | i64::from(self.f(7, 5))
    }
    /// Of format B.
    #[must_use]
    pub fn imm_b(self) -> i64 {
        i64::from(self.signed(31, 1)) << 12
            | i64::from(self.f(7, 1) << 11 | self.f(25, 6) << 5 | self.f(8, 4) << 1)
    }
    /// Of format U.
    #[must_use]
    pub fn imm_u(self) -> i64 {
        i64::from((self.bits & !0xfff) as i32)
    }
    /// Of format J.
    #[must_use]
    pub fn imm_j(self) -> i64 {
        i64::from(self.signed(31, 1)) << 20
            | i64::from(self.f(12, 8) << 12 | self.f(20, 1) << 11 | self.f(21, 10) << 1)
    }
    /// The address of what follows.
    #[must_use]
    pub fn next(self) -> u64 {
        self.target(i64::from(self.size))
    }
    /// A pc-relative target.
    #[must_use]
    pub fn target(self, offset: i64) -> u64 {
        self.pc.wrapping_add(offset as u64) & mask(self.xlen)
    }
}

/// Register `n`; register 0 is zero.
pub fn x<S: Sem>(s: &mut S, n: u32) -> S::V {
    if n == 0 { s.konst(0) } else { s.get(n as u16) }
}

/// Writes a value of the registers' width to register `n`; 0 is discarded.
pub fn set<S: Sem>(s: &mut S, i: Insn, n: u32, v: S::V) {
    if n != 0 {
        let v = s.op1(Op::Zext, i.xlen, v);
        s.set(n as u16, v);
    }
}

/// Writes the result, and is done.
pub fn done<S: Sem>(s: &mut S, i: Insn, v: S::V) -> Lift {
    set(s, i, i.rd(), v);
    Lift::Next
}

/// Writes 32 bits, sign-extended, and is done.
pub fn done_w<S: Sem>(s: &mut S, i: Insn, v: S::V) -> Lift {
    let v = extended(s, i, v);
    done(s, i, v)
}

/// 32 bits, sign-extended to the registers' width.
pub fn extended<S: Sem>(s: &mut S, i: Insn, v: S::V) -> S::V {
    s.op1(if i.xlen == 64 { Op::Sext } else { Op::Zext }, 32, v)
}

/// A constant of the registers' width.
pub fn k<S: Sem>(s: &mut S, i: Insn, v: i64) -> S::V {
    s.konst(v as u64 & mask(i.xlen))
}

/// `base + offset` as the address of an access, and for nothing else.
pub fn address<S: Sem>(s: &mut S, i: Insn, base: u32, offset: i64) -> S::V {
    let base = x(s, base);
    s.address(i.xlen, base, offset as u64 & mask(i.xlen))
}

/// Floating-point register `n`: 64 bits; what is above is anything.
pub fn f<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(unit(n))
}

/// Floating-point register `n` as a number of `w` bits: the default NaN if it holds something wider (F, "NaN Boxing of
/// Narrower Values").
pub fn fp<S: Sem>(s: &mut S, w: u8, n: u32) -> S::V {
    let v = f(s, n);
    if w == 64 { v } else { s.op1(Op::VUnbox, w, v) }
}

/// Writes a number of `w` bits to floating-point register `n`.
pub fn set_fp<S: Sem>(s: &mut S, w: u8, n: u32, v: S::V) {
    let v = if w == 64 { v } else { s.op1(Op::VBox, w, v) };
    s.set_x(unit(n), v);
}
