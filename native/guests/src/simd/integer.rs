//! Integer operations on lanes, composed of IR operations: differences, halving, saturation, shifts, high products.

use super::Form;
use super::eval::QC;
use super::scalar;
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::sem::Sem;

/// `x` in all lanes of `w` bits.
pub fn splat<S: Sem>(s: &mut S, w: u8, x: u64) -> S::V {
    let x = u128::from(x & mask(w));
    let all = (0..128 / u32::from(w)).fold(0, |r, i| r | x << (u32::from(w) * i));
    s.wide(all)
}

/// The bits of a register that an instruction works on, by lanes of `w` bits.
pub fn active(i: Form, w: u8) -> u8 {
    match (scalar(i), i.bit(30)) {
        (true, _) => w,
        (_, true) => 128,
        _ => 64,
    }
}

/// FPSR.QC if any of the low `keep` bits is set.
pub fn saturated<S: Sem>(s: &mut S, keep: u8, changed: S::V) {
    let x = s.op1(Op::VZext, keep, changed);
    s.sticky(x, QC as u32);
}

/// |a - b| of lanes of up to 32 bits.
pub fn difference<S: Sem>(s: &mut S, u: bool, w: u8, a: S::V, b: S::V) -> S::V {
    let (max, min) = if u {
        (Op::VMaxU, Op::VMinU)
    } else {
        (Op::VMaxS, Op::VMinS)
    };
    let (x, y) = (s.op2(max, w, a, b), s.op2(min, w, a, b));
    s.op2(Op::VSub, w, x, y)
}

fn shr(u: bool) -> Op {
    if u { Op::VShrU } else { Op::VShrS }
}

/// (a + b) / 2, (a + b + 1) / 2 and (a - b) / 2 without the bit that would not fit.
pub fn halving<S: Sem>(s: &mut S, opcode: u32, u: bool, w: u8, a: S::V, b: S::V) -> S::V {
    if opcode == 2 && u && w < 32 {
        return s.op2(Op::VAvgU, w, a, b);
    }
    let x = s.op2(Op::VXor, 64, a, b);
    let half = s.op1i(shr(u), w, x, 1);
    match opcode {
        // Common bits, and half of the others.
        0 => {
            let c = s.op2(Op::VAnd, 64, a, b);
            s.op2(Op::VAdd, w, c, half)
        }
        2 => {
            let c = s.op2(Op::VOr, 64, a, b);
            s.op2(Op::VSub, w, c, half)
        }
        // a - b = (a ^ b) - 2 (b & !a)
        _ => {
            let c = s.op2(Op::VAndn, 64, b, a);
            s.op2(Op::VSub, w, half, c)
        }
    }
}

/// SQADD, UQADD, SQSUB, UQSUB.
pub fn add_saturating<S: Sem>(
    s: &mut S,
    sub: bool,
    u: bool,
    w: u8,
    keep: u8,
    a: S::V,
    b: S::V,
) -> S::V {
    let (sat, plain) = match (sub, u) {
        (false, false) => (Op::VAddSatS, Op::VAdd),
        (false, true) => (Op::VAddSatU, Op::VAdd),
        (true, false) => (Op::VSubSatS, Op::VSub),
        (true, true) => (Op::VSubSatU, Op::VSub),
    };
    let (r, p) = (s.op2(sat, w, a, b), s.op2(plain, w, a, b));
    let x = s.op2(Op::VXor, 64, r, p);
    saturated(s, keep, x);
    r
}

/// Shifts to the left by the signed low byte of each lane of `b`; negative amounts shift to the right.
pub fn shift<S: Sem>(s: &mut S, u: bool, round: bool, w: u8, a: S::V, b: S::V) -> S::V {
    let up = u64::from(w - 8);
    let n = s.op1i(Op::VShl, w, b, up);
    let n = s.op1i(Op::VShrS, w, n, up);
    // As unsigned numbers, negative amounts are more than any width.
    let left = s.op2(Op::VShlV, w, a, n);
    let back = s.op1(Op::VNeg, w, n);
    let by_lane = if u { Op::VShrUV } else { Op::VShrSV };
    let mut right = s.op2(by_lane, w, a, back);
    if round {
        let less = s.wide(u128::MAX);
        let less = s.op2(Op::VAdd, w, back, less);
        let last = s.op2(by_lane, w, a, less);
        let one = splat(s, w, 1);
        let last = s.op2(Op::VAnd, 64, last, one);
        right = s.op2(Op::VAdd, w, right, last);
    }
    if u && !round {
        // One of the two is zero, or both are `a`.
        return s.op2(Op::VOr, 64, left, right);
    }
    let z = s.wide(0);
    let negative = s.op2(Op::VCmpGtS, w, z, n);
    s.op3(Op::VBsl, 64, right, left, negative)
}

/// To the right by 1..=w, rounded: the last bit that falls out is added.
pub fn shift_rounded<S: Sem>(s: &mut S, u: bool, w: u8, a: S::V, n: u32) -> S::V {
    let r = s.op1i(shr(u), w, a, u64::from(n));
    let last = s.op1i(Op::VShl, w, a, u64::from(u32::from(w) - n));
    let last = s.op1i(Op::VShrU, w, last, u64::from(w - 1));
    s.op2(Op::VAdd, w, r, last)
}

/// SQSHL, UQSHL by an immediate; SQSHLU has a signed operand and an unsigned result.
pub fn shift_left_saturating<S: Sem>(s: &mut S, u: bool, w: u8, keep: u8, a: S::V, n: u32) -> S::V {
    let r = s.op1i(Op::VShl, w, a, u64::from(n));
    let back = s.op1i(shr(u), w, r, u64::from(n));
    let fits = s.op2(Op::VCmpEq, w, back, a);
    let over = s.op1(Op::VNot, 64, fits);
    saturated(s, keep, over);
    if u {
        return s.op2(Op::VOr, 64, r, over);
    }
    let z = s.wide(0);
    let negative = s.op2(Op::VCmpGtS, w, z, a);
    let top = splat(s, w, mask(w) >> 1);
    let limit = s.op2(Op::VXor, 64, negative, top);
    s.op3(Op::VBsl, 64, r, limit, fits)
}

/// The range into which SQXTN (0), UQXTN (1) or SQXTUN (2) clamps wide lanes.
pub fn clamp_narrow<S: Sem>(s: &mut S, how: u8, w: u8, keep: u8, a: S::V) -> S::V {
    let wide = w * 2;
    let r = match how {
        1 => {
            let top = splat(s, wide, mask(w));
            if wide == 64 {
                // All bits set if anything is above.
                let high = s.op1i(Op::VShrU, wide, a, u64::from(w));
                let z = s.wide(0);
                let fits = s.op2(Op::VCmpEq, wide, high, z);
                s.op3(Op::VBsl, 64, a, top, fits)
            } else {
                s.op2(Op::VMinU, wide, a, top)
            }
        }
        _ => {
            let (low, top) = if how == 0 {
                ((mask(w) >> 1) ^ u64::MAX, mask(w) >> 1)
            } else {
                (0, mask(w))
            };
            let (low, top) = (splat(s, wide, low), splat(s, wide, top));
            let r = s.op2(Op::VMinS, wide, a, top);
            s.op2(Op::VMaxS, wide, r, low)
        }
    };
    let x = s.op2(Op::VXor, 64, r, a);
    saturated(s, keep, x);
    r
}

/// SQDMULH and SQRDMULH of lanes of 16 or 32 bits: only the square of the most negative number does not fit.
pub fn doubling_high<S: Sem>(s: &mut S, round: bool, w: u8, keep: u8, a: S::V, b: S::V) -> S::V {
    let r = match (w, round) {
        (16, true) => s.op2(Op::VMulRoundS, w, a, b),
        (16, false) => {
            let (h, l) = (s.op2(Op::VMulHiS, w, a, b), s.op2(Op::VMul, w, a, b));
            let h = s.op1i(Op::VShl, w, h, 1);
            let l = s.op1i(Op::VShrU, w, l, 15);
            s.op2(Op::VOr, 64, h, l)
        }
        _ => {
            let half = |s: &mut S, n| {
                let p = s.op2i(Op::VMulLS, w, a, b, n);
                let p = s.op1i(Op::VShl, 2 * w, p, 1);
                if !round {
                    return p;
                }
                let k = splat(s, 2 * w, 1 << (w - 1));
                s.op2(Op::VAdd, 2 * w, p, k)
            };
            let (l, h) = (half(s, 0), half(s, 1));
            s.op2(Op::VUzp2, w, l, h)
        }
    };
    let least = splat(s, w, 1 << (w - 1));
    let wrapped = s.op2(Op::VCmpEq, w, r, least);
    saturated(s, keep, wrapped);
    s.op2(Op::VXor, 64, r, wrapped)
}

/// Twice the products of lanes of `w` bits, saturated.
pub fn doubling_long<S: Sem>(s: &mut S, w: u8, keep: u8, high: bool, a: S::V, b: S::V) -> S::V {
    let p = s.op2i(Op::VMulLS, w, a, b, u64::from(high));
    let r = s.op1i(Op::VShl, 2 * w, p, 1);
    let least = splat(s, 2 * w, 1 << (2 * w - 1));
    let wrapped = s.op2(Op::VCmpEq, 2 * w, r, least);
    saturated(s, keep, wrapped);
    s.op2(Op::VXor, 64, r, wrapped)
}

/// The low and the high halves of bytes, as numbers of 0 to 15.
fn nibbles<S: Sem>(s: &mut S, a: S::V) -> (S::V, S::V) {
    let low = splat(s, 8, 15);
    let high = s.op1i(Op::VShrU, 16, a, 4);
    (s.op2(Op::VAnd, 64, a, low), s.op2(Op::VAnd, 64, high, low))
}

/// RBIT: each half of a byte by a table, which also puts it in the other's place.
pub fn reverse_bits<S: Sem>(s: &mut S, a: S::V) -> S::V {
    let (low, high) = nibbles(s, a);
    let up = s.wide(0xf070_b030_d050_9010_e060_a020_c040_8000);
    let down = s.wide(0x0f07_0b03_0d05_0901_0e06_0a02_0c04_0800);
    let (x, y) = (
        s.op2(Op::VTbl1, 8, up, low),
        s.op2(Op::VTbl1, 8, down, high),
    );
    s.op2(Op::VOr, 64, x, y)
}

/// CLZ: of bytes by tables, the wider ones from the counts of their halves.
pub fn leading_zeros<S: Sem>(s: &mut S, w: u8, a: S::V) -> S::V {
    if w > 8 {
        let half = w / 2;
        let counts = leading_zeros(s, half, a);
        let high = s.op1i(Op::VShrU, w, counts, u64::from(half));
        let (all, low) = (splat(s, w, u64::from(half)), splat(s, w, (1 << half) - 1));
        let empty = s.op2(Op::VCmpEq, w, high, all);
        let low = s.op2(Op::VAnd, 64, counts, low);
        let more = s.op2(Op::VAnd, 64, low, empty);
        return s.op2(Op::VAdd, w, high, more);
    }
    let (low, high) = nibbles(s, a);
    // 8 for an empty high half: more than any count of the low one, but for an empty one.
    let by_low = s.wide(0x0404_0404_0404_0404_0505_0505_0606_0708);
    let by_high = s.wide(0x0000_0000_0000_0000_0101_0101_0202_0308);
    let (x, y) = (
        s.op2(Op::VTbl1, 8, by_low, low),
        s.op2(Op::VTbl1, 8, by_high, high),
    );
    s.op2(Op::VMinU, 8, x, y)
}
