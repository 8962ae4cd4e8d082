//! Three registers of the same type.

use super::Form;
use super::eval as ev;
use super::float;
use super::integer::{self, active};
use super::matrix as ml;
use super::{joined, lanes, pairs, put, put_q, scalar};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// AND, BIC, ORR, ORN, EOR, BSL, BIT, BIF.
fn logic<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (a, b) = (i.n(s), i.m(s));
    let r = match (i.bit(29), i.f(22, 2)) {
        (false, 0) => s.op2(Op::VAnd, 64, a, b),
        (false, 1) => s.op2(Op::VAndn, 64, a, b),
        (false, 2) if i.rn() == i.rm() => a,
        (false, 2) => s.op2(Op::VOr, 64, a, b),
        (false, _) => s.op2(Op::VOrn, 64, a, b),
        (true, 0) if i.rn() == i.rm() => s.wide(0),
        (true, 0) => s.op2(Op::VXor, 64, a, b),
        (true, n) => {
            let d = i.d(s);
            match n {
                1 => s.op3(Op::VBsl, 64, a, b, d),
                2 => s.op3(Op::VBsl, 64, a, d, b),
                _ => s.op3(Op::VBsl, 64, d, a, b),
            }
        }
    };
    put(s, i, 64, r);
    Lift::Next
}

pub fn three_same<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(11, 5));
    let w = 8u8 << size;
    if opcode == 3 {
        return if scalar(i) {
            Lift::Undefined
        } else {
            logic(s, i)
        };
    }
    if opcode >= 0x18 {
        return float::three_same(s, i);
    }
    // What exists: 64-bit lanes in Q only, some operations not for all sizes, few for scalars.
    let only_vector = matches!(opcode, 0x00 | 0x02 | 0x04 | 0x0c..=0x0f | 0x12..=0x15 | 0x17);
    let no_64 = matches!(
        opcode,
        0x00 | 0x02 | 0x04 | 0x0c..=0x0f | 0x12 | 0x14 | 0x15
    ) || opcode == 0x13;
    if (scalar(i) && only_vector)
        || (w == 64 && (no_64 || (!scalar(i) && !i.bit(30))))
        || (opcode == 0x13 && u && size != 0)
        || (opcode == 0x16 && (w == 8 || w == 64))
        || (opcode == 0x17 && u)
        || (scalar(i) && w != 64 && matches!(opcode, 0x06 | 0x07 | 0x08 | 0x0a | 0x10 | 0x11))
    {
        return Lift::Undefined;
    }
    let (a, b) = (i.n(s), i.m(s));
    let direct = match (opcode, u) {
        (0x06, false) => Some(Op::VCmpGtS),
        (0x06, true) => Some(Op::VCmpGtU),
        (0x07, false) => Some(Op::VCmpGeS),
        (0x07, true) => Some(Op::VCmpGeU),
        (0x0c, false) => Some(Op::VMaxS),
        (0x0c, true) => Some(Op::VMaxU),
        (0x0d, false) => Some(Op::VMinS),
        (0x0d, true) => Some(Op::VMinU),
        (0x10, false) => Some(Op::VAdd),
        (0x10, true) => Some(Op::VSub),
        (0x11, true) => Some(Op::VCmpEq),
        (0x13, false) => Some(Op::VMul),
        _ => None,
    };
    let r = if let Some(op) = direct {
        s.op2(op, w, a, b)
    } else {
        match (opcode, u) {
            // CMTST: not (a & b == 0)
            (0x11, _) => {
                let m = s.op2(Op::VAnd, 64, a, b);
                let z = s.wide(0);
                let e = s.op2(Op::VCmpEq, w, m, z);
                s.op1(Op::VNot, 64, e)
            }
            (0x12, _) => {
                let d = i.d(s);
                let p = s.op2(Op::VMul, w, a, b);
                s.op2(if u { Op::VSub } else { Op::VAdd }, w, d, p)
            }
            (0x14 | 0x15, true) | (0x17, _) if w < 32 || opcode == 0x17 => {
                let op = match opcode {
                    0x14 => Op::VMaxPU,
                    0x15 => Op::VMinPU,
                    _ => Op::VAddP,
                };
                if i.bit(30) {
                    s.op2(op, w, a, b)
                } else {
                    let j = joined(s, a, b);
                    s.op2(op, w, j, j)
                }
            }
            // SMAXP, SMINP, and UMAXP, UMINP of words
            (0x14 | 0x15, _) => {
                let op = match (opcode, u) {
                    (0x14, false) => Op::VMaxS,
                    (0x14, true) => Op::VMaxU,
                    (_, false) => Op::VMinS,
                    (_, true) => Op::VMinU,
                };
                let (even, odd) = pairs(s, i, w, a, b);
                s.op2(op, w, even, odd)
            }
            (0x00 | 0x02 | 0x04, _) => integer::halving(s, opcode, u, w, a, b),
            (0x01 | 0x05, _) if w < 64 => {
                let keep = active(i, w);
                integer::add_saturating(s, opcode == 5, u, w, keep, a, b)
            }
            (0x08 | 0x0a, _) if w > 8 => integer::shift(s, u, opcode == 0x0a, w, a, b),
            (0x0e | 0x0f, _) => {
                let r = integer::difference(s, u, w, a, b);
                if opcode == 0x0e {
                    r
                } else {
                    let d = i.d(s);
                    s.op2(Op::VAdd, w, d, r)
                }
            }
            (0x16, _) => {
                let keep = active(i, w);
                integer::doubling_high(s, u, w, keep, a, b)
            }
            _ => {
                let d = i.d(s);
                // Scalars must not see other lanes: saturation would set QC.
                let (a, b) = if scalar(i) {
                    (s.op1(Op::VZext, w, a), s.op1(Op::VZext, w, b))
                } else if !i.bit(30) && !matches!(opcode, 0x14 | 0x15) {
                    (s.op1(Op::VZext, 64, a), s.op1(Op::VZext, 64, b))
                } else {
                    (a, b)
                };
                lanes(s, i, ev::three_same, a, b, Some(d))
            }
        }
    };
    put(s, i, w, r);
    Lift::Next
}

/// SQRDMLAH, SQRDMLSH, dot products, complex numbers, matrices, bfloat16.
pub fn three_extra<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(11, 4));
    let q = i.bit(30);
    let ok = match opcode {
        0 | 1 => u && (size == 1 || size == 2),
        2 => size == 2 && !scalar(i),
        // USDOT
        3 => !u && size == 2 && !scalar(i),
        // SMMLA, UMMLA; USMMLA
        4 => size == 2 && q && !scalar(i),
        5 => !u && size == 2 && q && !scalar(i),
        // FCMLA, FCADD
        8..=12 | 14 => return float::complex(s, i),
        // BFMMLA; BFDOT and BFMLALB, BFMLALT
        13 => u && size == 1 && q && !scalar(i),
        15 => u && (size == 1 || size == 3) && !scalar(i),
        _ => false,
    };
    if !ok {
        return Lift::Undefined;
    }
    let (a, b, d) = (i.n(s), i.m(s), i.d(s));
    let args = [Some(a), Some(b), Some(d)];
    if size == 3 {
        let r = s.call_x(ml::bfmlal, args, u64::from(q) | i.mode());
        return put_q(s, i, r);
    }
    let w = 8 << size;
    let r = match opcode {
        2 => s.op3(if u { Op::VDotU } else { Op::VDotS }, 32, a, b, d),
        3 => s.op3(Op::VDotUS, 32, a, b, d),
        4 => s.call_x(ml::matrix, args, if u { 0 } else { 3 }),
        5 => s.call_x(ml::matrix, args, 2),
        13 => s.call_x(ml::bfmmla, args, 0),
        15 => s.call_x(ml::bfdot, args, 0),
        _ => {
            let keep = active(i, w);
            let (a, b) = (s.op1(Op::VZext, keep, a), s.op1(Op::VZext, keep, b));
            let d = s.op1(Op::VZext, keep, d);
            lanes(s, i, ev::three_extra, a, b, Some(d))
        }
    };
    put(s, i, w, r);
    Lift::Next
}
