//! Saturation, parallel arithmetic, packing, extension, bit fields, reversals, CRC (Arm ARM F5).

use super::insn::{Insn, reg, set, slot};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::sem::Sem;

/// The registers of most: destination, first and second operand.
fn dnm(i: Insn) -> (u32, u32, u32) {
    if i.thumb {
        (i.f(8, 4), i.f(16, 4), i.f(0, 4))
    } else {
        (i.f(12, 4), i.f(16, 4), i.f(0, 4))
    }
}

fn note_saturation<S: Sem>(s: &mut S, happened: S::V) {
    let old = s.get(slot::Q);
    let q = s.op2(Op::Or, 32, old, happened);
    s.set(slot::Q, q);
}

/// The 64-bit signed `v` limited to `lo..=hi`, and whether it was.
fn limit<S: Sem>(s: &mut S, v: S::V, lo: i64, hi: i64) -> (S::V, S::V) {
    use crate::ir::flags::Cc;
    let (lo, hi) = (s.konst(lo as u64), s.konst(hi as u64));
    let f = s.op2(Op::FSub, 64, v, hi);
    let over = s.cc(Cc::Gt, f);
    let f = s.op2(Op::FSub, 64, v, lo);
    let under = s.cc(Cc::Lt, f);
    let r = s.select(64, over, hi, v);
    let r = s.select(64, under, lo, r);
    let d = s.op2(Op::Xor, 64, r, v);
    (r, s.not_zero(64, d))
}

/// QADD, QSUB, QDADD, QDSUB.
pub fn qadd<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, m) = dnm(i);
    if d == 15 || n == 15 || m == 15 {
        return Lift::Undefined;
    }
    // T32: bits 5-4 are 00 QADD, 01 QDADD, 10 QSUB, 11 QDSUB.
    let (doubles, subtracts) = if i.thumb {
        (i.bit(4), i.bit(5))
    } else {
        (i.bit(22), i.bit(21))
    };
    let (n, m) = (reg(s, i, n), reg(s, i, m));
    let (mut n, m) = (s.op1(Op::Sext, 32, n), s.op1(Op::Sext, 32, m));
    let (lo, hi) = (i64::from(i32::MIN), i64::from(i32::MAX));
    if doubles {
        let twice = s.shift_k(Op::Shl, 64, n, 1);
        let (v, sat) = limit(s, twice, lo, hi);
        note_saturation(s, sat);
        n = v;
    }
    let r = s.op2(if subtracts { Op::Sub } else { Op::Add }, 64, m, n);
    let (r, sat) = limit(s, r, lo, hi);
    note_saturation(s, sat);
    set(s, d, r);
    Lift::Next
}

/// SSAT and USAT.
pub fn saturate<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, to, signed, asr, by) = if i.thumb {
        let by = i.f(12, 3) << 2 | i.f(6, 2);
        (i.f(8, 4), i.f(16, 4), i.f(0, 5), !i.bit(23), i.bit(21), by)
    } else {
        (
            i.f(12, 4),
            i.f(0, 4),
            i.f(16, 5),
            !i.bit(22),
            i.bit(6),
            i.f(7, 5),
        )
    };
    // Without a shift to the right it would be the form for halves.
    if d == 15 || n == 15 || (i.thumb && (i.bit(5) || (asr && by == 0))) {
        return Lift::Undefined;
    }
    let v = reg(s, i, n);
    let v = match (asr, by) {
        (true, 0) => s.shift_k(Op::Sar, 32, v, 31),
        (true, n) => s.shift_k(Op::Sar, 32, v, u64::from(n)),
        (false, n) => s.shift_k(Op::Shl, 32, v, u64::from(n)),
    };
    let v = s.op1(Op::Sext, 32, v);
    let (lo, hi) = bounds(signed, to);
    let (r, sat) = limit(s, v, lo, hi);
    set(s, d, r);
    note_saturation(s, sat);
    Lift::Next
}

fn bounds(signed: bool, to: u32) -> (i64, i64) {
    if signed {
        (-(1 << to), (1 << to) - 1)
    } else {
        (0, (1 << to) - 1)
    }
}

/// SSAT16 and USAT16.
pub fn saturate_halves<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, to, signed) = if i.thumb {
        (i.f(8, 4), i.f(16, 4), i.f(0, 4), !i.bit(23))
    } else {
        (i.f(12, 4), i.f(0, 4), i.f(16, 4), !i.bit(22))
    };
    if d == 15 || n == 15 {
        return Lift::Undefined;
    }
    let (lo, hi) = bounds(signed, to);
    let v = reg(s, i, n);
    let top = s.shift_k(Op::Shr, 32, v, 16);
    let (low, top) = (s.op1(Op::Sext, 16, v), s.op1(Op::Sext, 16, top));
    let (low, s0) = limit(s, low, lo, hi);
    let (top, s1) = limit(s, top, lo, hi);
    note_saturation(s, s0);
    note_saturation(s, s1);
    let low = s.op1(Op::Zext, 16, low);
    let top = s.shift_k(Op::Shl, 32, top, 16);
    let r = s.op2(Op::Or, 32, low, top);
    set(s, d, r);
    Lift::Next
}

/// What is added and subtracted in parallel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Add16,
    Asx,
    Sax,
    Sub16,
    Add8,
    Sub8,
}

/// SADD16 ... UHSUB8. The lanes are widened to twice their width and dealt with there.
pub fn parallel<S: Sem>(s: &mut S, i: Insn) -> Lift {
    use Shape::{Add8, Add16, Asx, Sax, Sub8, Sub16};
    let (d, n, m) = dnm(i);
    if d == 15 || n == 15 || m == 15 {
        return Lift::Undefined;
    }
    // Kind: 0 plain, 1 saturating, 2 halving.
    let (unsigned, kind, shape) = if i.thumb {
        let shapes = [Add8, Add16, Asx, Asx, Sub8, Sub16, Sax, Sax];
        if matches!(i.f(20, 3), 3 | 7) || i.f(4, 2) == 3 {
            return Lift::Undefined;
        }
        (i.bit(6), i.f(4, 2), shapes[i.f(20, 3) as usize])
    } else {
        let shapes = [Add16, Asx, Sax, Sub16, Add8, Add8, Add8, Sub8];
        if matches!(i.f(5, 3), 5 | 6) || i.f(20, 2) == 0 {
            return Lift::Undefined;
        }
        (i.bit(22), i.f(20, 2) - 1, shapes[i.f(5, 3) as usize])
    };
    let w: u8 = if matches!(shape, Add8 | Sub8) { 8 } else { 16 };
    let widen = if unsigned { Op::VWidenU } else { Op::VWidenS };
    let (a, mut b) = (reg(s, i, n), reg(s, i, m));
    if matches!(shape, Asx | Sax) {
        b = s.shift_k(Op::Ror, 32, b, 16);
    }
    let (a, b) = (s.op1(Op::VFromG, 64, a), s.op1(Op::VFromG, 64, b));
    let (a, b) = (s.op1(widen, w, a), s.op1(widen, w, b));
    let wide = 2 * w;
    // The lanes that are subtracted.
    let minus: u128 = match shape {
        Asx => 0xffff_ffff,
        Sax => 0xffff_ffff << 32,
        _ => 0,
    };
    let r = match shape {
        Add8 | Add16 => s.op2(Op::VAdd, wide, a, b),
        Sub8 | Sub16 => s.op2(Op::VSub, wide, a, b),
        Asx | Sax => {
            let m = s.wide(minus);
            let x = s.op2(Op::VXor, 128, b, m);
            let b = s.op2(Op::VSub, wide, x, m);
            s.op2(Op::VAdd, wide, a, b)
        }
    };
    let all = |k: u64| (0..4).fold(0u128, |v, n| v | u128::from(k) << (u32::from(wide) * n));
    let lanes = mask(wide);
    let r = match kind {
        0 => {
            // GE: no borrow, a carry, or a sum that is not negative.
            let carry = all(1 << w);
            let limit = match (unsigned, shape) {
                (false, _) | (true, Sub8 | Sub16) => 0,
                (true, Asx | Sax) => carry & !minus,
                (true, _) => carry,
            };
            let k = s.wide(limit);
            let ge = s.op2(Op::VCmpGeS, wide, r, k);
            let ge = s.op1(Op::VNarrow, wide, ge);
            let ge = s.op1i(Op::VGet, 32, ge, 0);
            s.set(slot::GE, ge);
            r
        }
        1 => {
            let (lo, hi) = if unsigned {
                (0, mask(w))
            } else {
                ((1u64 << (w - 1)).wrapping_neg() & lanes, mask(w - 1))
            };
            let (lo, hi) = (s.wide(all(lo)), s.wide(all(hi)));
            let r = s.op2(Op::VMinS, wide, r, hi);
            s.op2(Op::VMaxS, wide, r, lo)
        }
        _ => s.op1i(Op::VShrS, wide, r, 1),
    };
    let r = s.op1(Op::VNarrow, wide, r);
    let r = s.op1i(Op::VGet, 32, r, 0);
    set(s, d, r);
    Lift::Next
}

/// SEL: bytes by GE.
pub fn sel<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, m) = dnm(i);
    if d == 15 || n == 15 || m == 15 {
        return Lift::Undefined;
    }
    let (a, b, ge) = (reg(s, i, n), reg(s, i, m), s.get(slot::GE));
    let a = s.op2(Op::And, 32, a, ge);
    let b = s.op2(Op::Andn, 32, b, ge);
    let r = s.op2(Op::Or, 32, a, b);
    set(s, d, r);
    Lift::Next
}

/// PKHBT and PKHTB.
pub fn pack<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, m) = dnm(i);
    if d == 15 || n == 15 || m == 15 {
        return Lift::Undefined;
    }
    let (tb, by) = if i.thumb {
        (i.bit(5), i.f(12, 3) << 2 | i.f(6, 2))
    } else {
        (i.bit(6), i.f(7, 5))
    };
    let (a, b) = (reg(s, i, n), reg(s, i, m));
    let b = match (tb, by) {
        (true, 0) => s.shift_k(Op::Sar, 32, b, 31),
        (true, n) => s.shift_k(Op::Sar, 32, b, u64::from(n)),
        (false, n) => s.shift_k(Op::Shl, 32, b, u64::from(n)),
    };
    let (top, low) = if tb { (a, b) } else { (b, a) };
    let top = s.and_k(32, top, 0xffff_0000);
    let low = s.and_k(32, low, 0xffff);
    let r = s.op2(Op::Or, 32, top, low);
    set(s, d, r);
    Lift::Next
}

/// SXTB ... UXTAH of 32 bits; `kind` as in A32: 0 bytes of halves, 2 byte, 3 half; plus 4: unsigned.
fn extended<S: Sem>(s: &mut S, v: S::V, kind: u32, turn: u32) -> S::V {
    let v = if turn == 0 {
        v
    } else {
        s.shift_k(Op::Ror, 32, v, u64::from(8 * turn))
    };
    match kind {
        4 => s.and_k(32, v, 0x00ff_00ff),
        0 => {
            let low = s.op1(Op::Sext, 8, v);
            let low = s.op1(Op::Zext, 16, low);
            let top = s.shift_k(Op::Shl, 32, v, 8);
            let top = s.shift_k(Op::Sar, 32, top, 8);
            let top = s.and_k(32, top, 0xffff_0000);
            s.op2(Op::Or, 32, low, top)
        }
        k => {
            let w = if k & 1 != 0 { 16 } else { 8 };
            if k & 4 != 0 {
                s.op1(Op::Zext, w, v)
            } else {
                let v = s.op1(Op::Sext, w, v);
                s.op1(Op::Zext, 32, v)
            }
        }
    }
}

pub fn extend<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, m) = dnm(i);
    if d == 15 || m == 15 {
        return Lift::Undefined;
    }
    let (kind, turn) = if i.thumb {
        // 000 SXTH, 001 UXTH, 010 SXTB16, 011 UXTB16, 100 SXTB, 101 UXTB.
        let kinds = [3, 7, 0, 4, 2, 6, 1, 1];
        (kinds[i.f(20, 3) as usize], i.f(4, 2))
    } else {
        (i.f(20, 3), i.f(10, 2))
    };
    if kind & 3 == 1 {
        return Lift::Undefined;
    }
    let v = reg(s, i, m);
    let v = extended(s, v, kind, turn);
    let r = if n == 15 {
        v
    } else {
        let a = reg(s, i, n);
        if kind & 3 == 0 {
            // Two sums of 16 bits.
            let low = s.op2(Op::Add, 32, a, v);
            let low = s.op1(Op::Zext, 16, low);
            let (at, vt) = (s.and_k(32, a, 0xffff_0000), s.and_k(32, v, 0xffff_0000));
            let top = s.op2(Op::Add, 32, at, vt);
            s.op2(Op::Or, 32, low, top)
        } else {
            s.op2(Op::Add, 32, a, v)
        }
    };
    set(s, d, r);
    Lift::Next
}

/// SXTH, SXTB, UXTH, UXTB of 16 bits.
pub fn t16_extend<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = reg(s, i, i.f(3, 3));
    let r = extended(s, v, [3, 2, 7, 6][i.f(6, 2) as usize], 0);
    set(s, i.f(0, 3), r);
    Lift::Next
}

/// REV, REV16, RBIT, REVSH: 0-3.
fn reversed<S: Sem>(s: &mut S, i: Insn, kind: u32, d: u32, m: u32) -> Lift {
    if d == 15 || m == 15 {
        return Lift::Undefined;
    }
    let v = reg(s, i, m);
    let r = match kind {
        0 => s.op1(Op::Rev, 32, v),
        1 => s.op1i(Op::RevIn, 32, v, 16),
        2 => s.op1(Op::Rbit, 32, v),
        _ => {
            let v = s.op1(Op::Rev, 32, v);
            s.shift_k(Op::Sar, 32, v, 16)
        }
    };
    set(s, d, r);
    Lift::Next
}

pub fn reverse<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, _, m) = dnm(i);
    if i.thumb {
        // The operand is there twice.
        return reversed(s, i, i.f(4, 2), d, m);
    }
    let kind = i.f(22, 1) << 1 | i.f(7, 1);
    reversed(s, i, kind, d, m)
}

pub fn t16_reverse<S: Sem>(s: &mut S, i: Insn) -> Lift {
    reversed(s, i, i.f(6, 2), i.f(0, 3), i.f(3, 3))
}

pub fn clz<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, _, m) = dnm(i);
    if d == 15 || m == 15 {
        return Lift::Undefined;
    }
    let v = reg(s, i, m);
    let r = s.op1(Op::Clz, 32, v);
    set(s, d, r);
    Lift::Next
}

/// Lowest bit and destination of a bit-field instruction, its operand, and the field that says how wide.
fn field(i: Insn) -> (u32, u32, u32, u32) {
    if i.thumb {
        (
            i.f(12, 3) << 2 | i.f(6, 2),
            i.f(8, 4),
            i.f(16, 4),
            i.f(0, 5),
        )
    } else {
        (i.f(7, 5), i.f(12, 4), i.f(0, 4), i.f(16, 5))
    }
}

/// BFI, and BFC where the operand is the pc.
pub fn insert<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (lsb, d, n, msb) = field(i);
    if d == 15 || msb < lsb || (i.thumb && (i.bit(5) || i.bit(26))) {
        return Lift::Undefined;
    }
    let m = mask((msb - lsb + 1) as u8) << lsb;
    let old = s.get(d as u16);
    let mut r = s.and_k(32, old, !m & 0xffff_ffff);
    if n != 15 {
        let v = reg(s, i, n);
        let v = s.shift_k(Op::Shl, 32, v, u64::from(lsb));
        let v = s.and_k(32, v, m);
        r = s.op2(Op::Or, 32, r, v);
    }
    set(s, d, r);
    Lift::Next
}

/// SBFX and UBFX.
pub fn extract<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (lsb, d, n, less) = field(i);
    let width = less + 1;
    if d == 15 || n == 15 || lsb + width > 32 || (i.thumb && (i.bit(5) || i.bit(26))) {
        return Lift::Undefined;
    }
    let unsigned = if i.thumb { i.bit(23) } else { i.bit(22) };
    let v = reg(s, i, n);
    let r = if unsigned {
        let v = s.shift_k(Op::Shr, 32, v, u64::from(lsb));
        if lsb + width == 32 {
            v
        } else {
            s.and_k(32, v, mask(width as u8))
        }
    } else {
        let v = s.shift_k(Op::Shl, 32, v, u64::from(32 - lsb - width));
        s.shift_k(Op::Sar, 32, v, u64::from(32 - width))
    };
    set(s, d, r);
    Lift::Next
}

/// USAD8 and USADA8: the sum of absolute differences.
pub fn usad<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, a, n, m) = if i.thumb {
        (i.f(8, 4), i.f(12, 4), i.f(16, 4), i.f(0, 4))
    } else {
        (i.f(16, 4), i.f(12, 4), i.f(0, 4), i.f(8, 4))
    };
    if d == 15 || n == 15 || m == 15 {
        return Lift::Undefined;
    }
    let (x, y) = (reg(s, i, n), reg(s, i, m));
    let (x, y) = (s.op1(Op::VFromG, 64, x), s.op1(Op::VFromG, 64, y));
    let (most, least) = (s.op2(Op::VMaxU, 8, x, y), s.op2(Op::VMinU, 8, x, y));
    let v = s.op2(Op::VSub, 8, most, least);
    let v = s.op1(Op::VWidenU, 8, v);
    let v = s.op1(Op::VSumU, 16, v);
    let mut r = s.op1i(Op::VGet, 32, v, 0);
    if a != 15 {
        let a = reg(s, i, a);
        r = s.op2(Op::Add, 32, r, a);
    }
    set(s, d, r);
    Lift::Next
}

pub fn crc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, m) = dnm(i);
    let (size, castagnoli) = if i.thumb {
        (i.f(4, 2), i.bit(20))
    } else {
        (i.f(21, 2), i.bit(9))
    };
    if d == 15 || n == 15 || m == 15 || size == 3 {
        return Lift::Undefined;
    }
    let (acc, v) = (reg(s, i, n), reg(s, i, m));
    let r = s.call(
        |_, acc, v, _, imm| {
            let bytes = (v as u32).to_le_bytes();
            let poly = if imm & 4 != 0 {
                0x82f6_3b78
            } else {
                0xedb8_8320
            };
            u128::from(crc_of(poly, acc as u32, &bytes[..1 << (imm & 3)]))
        },
        [Some(acc), Some(v), None],
        u64::from(size) | u64::from(castagnoli) << 2,
    );
    set(s, d, r);
    Lift::Next
}

/// A reflected cyclic redundancy check without pre- and post-inversion.
fn crc_of(poly: u32, acc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(acc, |acc, &b| {
        (0..8).fold(acc ^ u32::from(b), |c, _| {
            c >> 1 ^ if c & 1 != 0 { poly } else { 0 }
        })
    })
}
