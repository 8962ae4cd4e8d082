//! Data processing with a flexible second operand (Arm ARM F5: AND ... MVN, shifts, MOVW, MOVT, ADR).

use super::branch;
use super::insn::{Insn, reg, set};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags::Cc;
use crate::ir::sem::Sem;

/// The operations, numbered as in A32.
pub(super) mod dp {
    pub const AND: u32 = 0;
    pub const EOR: u32 = 1;
    pub const SUB: u32 = 2;
    pub const RSB: u32 = 3;
    pub const ADD: u32 = 4;
    pub const ADC: u32 = 5;
    pub const SBC: u32 = 6;
    pub const TST: u32 = 8;
    pub const TEQ: u32 = 9;
    pub const CMP: u32 = 10;
    pub const CMN: u32 = 11;
    pub const ORR: u32 = 12;
    pub const MOV: u32 = 13;
    pub const BIC: u32 = 14;
    pub const MVN: u32 = 15;
    /// T32 only.
    pub const ORN: u32 = 16;
}

/// A second operand.
pub(super) struct Operand<V> {
    pub(super) value: V,
    /// The shifter's carry: a bit of a value. None: C stays.
    pub(super) carry: Option<(V, u8)>,
}

/// An operation's operands.
pub(super) struct Form<V> {
    pub(super) op: u32,
    pub(super) flags: bool,
    pub(super) d: u32,
    pub(super) n: u32,
    pub(super) b: Operand<V>,
}

/// The carry flag as 0 or 1.
fn carry<S: Sem>(s: &mut S) -> S::V {
    let f = s.get_f();
    s.cc(Cc::Cs, f)
}

/// A register shifted by a constant; `n` = 0 means what it does in the encoding of each type.
pub(super) fn shift_imm<S: Sem>(s: &mut S, v: S::V, kind: u32, n: u32) -> Operand<S::V> {
    let by = |s: &mut S, op, n: u32| s.shift_k(op, 32, v, u64::from(n));
    let (value, bit) = match (kind, n) {
        (0, 0) => {
            return Operand {
                value: v,
                carry: None,
            };
        }
        (0, n) => (by(s, Op::Shl, n), 32 - n),
        (1, 0) => (s.konst(0), 31),
        (1, n) => (by(s, Op::Shr, n), n - 1),
        (2, 0) => (by(s, Op::Sar, 31), 31),
        (2, n) => (by(s, Op::Sar, n), n - 1),
        (_, 0) => {
            // RRX
            let c = carry(s);
            let c = s.shift_k(Op::Shl, 32, c, 31);
            let low = by(s, Op::Shr, 1);
            (s.op2(Op::Or, 32, c, low), 0)
        }
        (_, n) => (by(s, Op::Ror, n), n - 1),
    };
    Operand {
        value,
        carry: Some((v, bit as u8)),
    }
}

/// A register shifted by the low byte of another.
pub(super) fn shift_reg<S: Sem>(
    s: &mut S,
    v: S::V,
    kind: u32,
    by: S::V,
    flags: bool,
) -> Operand<S::V> {
    if flags {
        return shift_reg_with_carry(s, v, kind, by);
    }
    let high = s.and_k(32, by, 0xe0);
    let small = s.is_zero(32, high);
    let value = match kind {
        0 | 1 => {
            let op = if kind == 0 { Op::Shl } else { Op::Shr };
            let r = s.op2(op, 32, v, by);
            let zero = s.konst(0);
            s.select(32, small, r, zero)
        }
        2 => {
            let most = s.konst(31);
            let n = s.select(32, small, by, most);
            s.op2(Op::Sar, 32, v, n)
        }
        _ => s.op2(Op::Ror, 32, v, by),
    };
    Operand { value, carry: None }
}

/// The same with the carry. It is the 33rd bit of what is shifted, beside the value: above it or below it, where the old
/// carry is at first, since that stays if the shift is by 0. Shifts in 64 bits are by up to 63.
fn shift_reg_with_carry<S: Sem>(s: &mut S, v: S::V, kind: u32, by: S::V) -> Operand<S::V> {
    let old = carry(s);
    if kind == 3 {
        let value = s.op2(Op::Ror, 32, v, by);
        let n = s.and_k(32, by, 0xff);
        let none = s.is_zero(32, n);
        let old = s.shift_k(Op::Shl, 32, old, 31);
        let c = s.select(32, none, old, value);
        return Operand {
            value,
            carry: Some((c, 31)),
        };
    }
    let huge = s.and_k(32, by, 0xc0);
    let fits = s.is_zero(32, huge);
    if kind == 0 {
        let old = s.shift_k(Op::Shl, 64, old, 32);
        let all = s.op2(Op::Or, 64, v, old);
        let r = s.op2(Op::Shl, 64, all, by);
        let zero = s.konst(0);
        let r = s.select(64, fits, r, zero);
        let value = s.op1(Op::Zext, 32, r);
        let c = s.shift_k(Op::Shr, 64, r, 32);
        return Operand {
            value,
            carry: Some((c, 0)),
        };
    }
    let v = if kind == 2 { s.op1(Op::Sext, 32, v) } else { v };
    let all = s.shift_k(Op::Shl, 64, v, 1);
    let all = s.op2(Op::Or, 64, all, old);
    let r = if kind == 1 {
        let r = s.op2(Op::Shr, 64, all, by);
        let zero = s.konst(0);
        s.select(64, fits, r, zero)
    } else {
        let most = s.konst(63);
        let n = s.select(32, fits, by, most);
        s.op2(Op::Sar, 64, all, n)
    };
    let value = s.shift_k(Op::Shr, 64, r, 1);
    let value = s.op1(Op::Zext, 32, value);
    Operand {
        value,
        carry: Some((r, 0)),
    }
}

pub(super) fn constant<S: Sem>(s: &mut S, k: u32) -> Operand<S::V> {
    Operand {
        value: s.konst(u64::from(k)),
        carry: None,
    }
}

pub(super) fn plain<V>(value: V) -> Operand<V> {
    Operand { value, carry: None }
}

/// An A32 immediate (A32ExpandImm_C).
fn expand_a32<S: Sem>(s: &mut S, i: Insn) -> Operand<S::V> {
    let turn = 2 * i.f(8, 4);
    let mut o = constant(s, i.f(0, 8).rotate_right(turn));
    if turn != 0 {
        o.carry = Some((o.value, 31));
    }
    o
}

/// A T32 modified immediate (ThumbExpandImm_C).
fn expand_t32<S: Sem>(s: &mut S, i: Insn) -> Operand<S::V> {
    let (imm, byte) = (t32_imm12(i), i.f(0, 8));
    let k = match imm >> 8 {
        0 => byte,
        1 => byte * 0x0001_0001,
        2 => byte * 0x0100_0100,
        3 => byte * 0x0101_0101,
        _ => {
            let mut o = constant(s, (0x80 | byte & 0x7f).rotate_right(imm >> 7));
            o.carry = Some((o.value, 31));
            return o;
        }
    };
    constant(s, k)
}

/// i:imm3:imm8 of T32.
fn t32_imm12(i: Insn) -> u32 {
    i.f(26, 1) << 11 | i.f(12, 3) << 8 | i.f(0, 8)
}

/// Does an operation.
pub(super) fn process<S: Sem>(s: &mut S, i: Insn, x: Form<S::V>) -> Lift {
    let b = x.b.value;
    let a = if matches!(x.op, dp::MOV | dp::MVN) {
        b
    } else {
        reg(s, i, x.n)
    };
    let w = 32;
    let (r, flags) = match x.op {
        dp::AND | dp::TST => (s.op2(Op::And, w, a, b), None),
        dp::EOR | dp::TEQ => (s.op2(Op::Xor, w, a, b), None),
        dp::ORR => (s.op2(Op::Or, w, a, b), None),
        dp::MOV => (b, None),
        dp::BIC => (s.op2(Op::Andn, w, a, b), None),
        dp::MVN => (s.op1(Op::Not, w, b), None),
        dp::ORN => (s.op2(Op::Orn, w, a, b), None),
        dp::SUB => (s.op2(Op::Sub, w, a, b), Some((Op::FSub, a, b))),
        dp::RSB => (s.op2(Op::Sub, w, b, a), Some((Op::FSub, b, a))),
        dp::ADD => (s.op2(Op::Add, w, a, b), Some((Op::FAdd, a, b))),
        dp::CMP => (a, Some((Op::FSub, a, b))),
        dp::CMN => (a, Some((Op::FAdd, a, b))),
        _ => {
            let (a, b) = match x.op {
                dp::ADC => (a, b),
                dp::SBC => (a, s.op1(Op::Not, w, b)),
                // RSC
                _ => (b, s.op1(Op::Not, w, a)),
            };
            let c = carry(s);
            let r = s.op2(Op::Add, w, a, b);
            let r = s.op2(Op::Add, w, r, c);
            if x.flags {
                let f = s.op3(Op::FAdc, w, a, b, c);
                set(s, x.d, r);
                s.set_f(f);
            } else {
                return write(s, i, x.d, r);
            }
            return Lift::Next;
        }
    };
    let compares = matches!(x.op, dp::TST | dp::TEQ | dp::CMP | dp::CMN);
    if !x.flags && !compares {
        return write(s, i, x.d, r);
    }
    let f = flags.map(|(op, a, b)| s.op2(op, w, a, b));
    if !compares {
        set(s, x.d, r);
    }
    match f {
        Some(f) => s.set_f(f),
        None => s.set_nz(r, x.b.carry),
    }
    Lift::Next
}

/// Writes a result, perhaps to the pc.
pub(super) fn write<S: Sem>(s: &mut S, i: Insn, d: u32, v: S::V) -> Lift {
    if d == 15 {
        // The only one that comes here without being told of the source is not MOV pc, lr.
        return branch::alu_to_pc(s, i, v, false);
    }
    set(s, d, v);
    Lift::Next
}

/// With the pc as destination and the S bit: an exception return, which programs have not.
fn returns_from_exception(i: Insn, op: u32) -> bool {
    i.bit(20) && i.f(12, 4) == 15 && !(8..12).contains(&op)
}

fn a32<S: Sem>(s: &mut S, i: Insn, b: Operand<S::V>) -> Lift {
    let op = i.f(21, 4);
    let unary = matches!(op, dp::MOV | dp::MVN);
    if returns_from_exception(i, op) || (unary && i.f(16, 4) != 0) {
        return Lift::Undefined;
    }
    let x = Form {
        op,
        flags: i.bit(20),
        d: i.f(12, 4),
        n: i.f(16, 4),
        b,
    };
    process(s, i, x)
}

pub fn a32_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let b = expand_a32(s, i);
    a32(s, i, b)
}

pub fn a32_shifted<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = reg(s, i, i.f(0, 4));
    if i.f(21, 4) == dp::MOV && i.f(12, 4) == 15 && i.f(4, 8) == 0 && i.f(16, 5) == 0 {
        return branch::alu_to_pc(s, i, v, i.f(0, 4) == 14);
    }
    let b = shift_imm(s, v, i.f(5, 2), i.f(7, 5));
    a32(s, i, b)
}

pub fn a32_by_register<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let compares = (8..12).contains(&i.f(21, 4));
    let unary = matches!(i.f(21, 4), dp::MOV | dp::MVN);
    if i.f(0, 4) == 15 || i.f(8, 4) == 15 || (i.f(12, 4) == 15 && !compares) {
        return Lift::Undefined;
    }
    if i.f(16, 4) == 15 && !unary {
        return Lift::Undefined;
    }
    let (v, by) = (reg(s, i, i.f(0, 4)), reg(s, i, i.f(8, 4)));
    let b = shift_reg(s, v, i.f(5, 2), by, i.bit(20));
    a32(s, i, b)
}

/// T32's operation number, with the forms that have no destination or no first operand. None: undefined.
fn t32_op(i: Insn) -> Option<u32> {
    let (d, n) = (i.f(8, 4), i.f(16, 4));
    let to_flags = i.bit(20) && d == 15;
    Some(match i.f(21, 4) {
        0 if to_flags => dp::TST,
        0 => dp::AND,
        1 => dp::BIC,
        2 if n == 15 => dp::MOV,
        2 => dp::ORR,
        3 if n == 15 => dp::MVN,
        3 => dp::ORN,
        4 if to_flags => dp::TEQ,
        4 => dp::EOR,
        8 if to_flags => dp::CMN,
        8 => dp::ADD,
        10 => dp::ADC,
        11 => dp::SBC,
        13 if to_flags => dp::CMP,
        13 => dp::SUB,
        14 => dp::RSB,
        _ => return None,
    })
}

fn t32<S: Sem>(s: &mut S, i: Insn, b: Operand<S::V>) -> Lift {
    let Some(op) = t32_op(i) else {
        return Lift::Undefined;
    };
    let d = i.f(8, 4);
    if d == 15 && !(8..12).contains(&op) {
        return Lift::Undefined;
    }
    let x = Form {
        op,
        flags: i.bit(20),
        d,
        n: i.f(16, 4),
        b,
    };
    process(s, i, x)
}

pub fn t32_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let b = expand_t32(s, i);
    t32(s, i, b)
}

pub fn t32_shifted<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = reg(s, i, i.f(0, 4));
    let b = shift_imm(s, v, i.f(4, 2), i.f(12, 3) << 2 | i.f(6, 2));
    t32(s, i, b)
}

/// LSL, LSR, ASR, ROR by a register.
pub fn t32_shift<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (v, by) = (reg(s, i, i.f(16, 4)), reg(s, i, i.f(0, 4)));
    let b = shift_reg(s, v, i.f(21, 2), by, i.bit(20));
    if i.f(8, 4) == 15 {
        return Lift::Undefined;
    }
    let x = Form {
        op: dp::MOV,
        flags: i.bit(20),
        d: i.f(8, 4),
        n: 0,
        b,
    };
    process(s, i, x)
}

/// ADDW, SUBW and ADR.
pub fn t32_plain_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let k = t32_imm12(i);
    if i.f(8, 4) == 15 {
        return Lift::Undefined;
    }
    let a = super::insn::base(s, i, i.f(16, 4));
    let k = if i.bit(23) { k.wrapping_neg() } else { k };
    let r = s.add_k(32, a, u64::from(k));
    set(s, i.f(8, 4), r);
    Lift::Next
}

/// MOVW and MOVT.
pub fn mov_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, k, top) = if i.thumb {
        (i.f(8, 4), i.f(16, 4) << 12 | t32_imm12(i), i.bit(23))
    } else {
        (i.f(12, 4), i.f(16, 4) << 12 | i.f(0, 12), i.bit(22))
    };
    if d == 15 {
        return Lift::Undefined;
    }
    let v = if top {
        let old = s.get(d as u16);
        let low = s.and_k(32, old, 0xffff);
        let k = s.konst(u64::from(k) << 16);
        s.op2(Op::Or, 32, low, k)
    } else {
        s.konst(u64::from(k))
    };
    set(s, d, v);
    Lift::Next
}
