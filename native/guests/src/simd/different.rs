//! Three registers of different types: long, wide and narrowing forms.

use super::Form;
use super::eval as ev;
use super::{integer, lanes, put_narrow, put_q, scalar};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

pub fn three_different<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 4));
    let doubling = matches!(opcode, 9 | 11 | 13);
    let ok = match opcode {
        9 | 11 | 13 => !u && (size == 1 || size == 2),
        14 => !u && (size == 0 || size == 3) && !scalar(i),
        15 => false,
        _ => size != 3 && !scalar(i),
    };
    if !ok {
        return Lift::Undefined;
    }
    let (a, b) = (i.n(s), i.m(s));
    three_different_of(s, i, a, b, doubling)
}

pub fn three_different_of<S: Sem>(s: &mut S, i: Form, a: S::V, b: S::V, doubling: bool) -> Lift {
    let (u, opcode) = (i.bit(29), i.f(12, 4));
    let w = 8u8 << i.f(22, 2);
    let widen = |s: &mut S, a| {
        s.op1i(
            if u { Op::VWidenU } else { Op::VWidenS },
            w,
            a,
            u64::from(i.bit(30)),
        )
    };
    let high = i.bit(30) && !scalar(i);
    let accumulate = |s: &mut S, sub: bool, x| {
        let d = i.d(s);
        s.op2(if sub { Op::VSub } else { Op::VAdd }, 2 * w, d, x)
    };
    let r = match opcode {
        0 | 2 => {
            let (a, b) = (widen(s, a), widen(s, b));
            s.op2(if opcode == 0 { Op::VAdd } else { Op::VSub }, 2 * w, a, b)
        }
        1 | 3 => {
            let b = widen(s, b);
            s.op2(if opcode == 1 { Op::VAdd } else { Op::VSub }, 2 * w, a, b)
        }
        // ADDHN, SUBHN and the rounding forms.
        4 | 6 => {
            let mut r = s.op2(if opcode == 4 { Op::VAdd } else { Op::VSub }, 2 * w, a, b);
            if u {
                let k = integer::splat(s, 2 * w, 1 << (w - 1));
                r = s.op2(Op::VAdd, 2 * w, r, k);
            }
            let r = s.op1i(Op::VShrU, 2 * w, r, u64::from(w));
            let n = s.op1(Op::VNarrow, 2 * w, r);
            return put_narrow(s, i, n);
        }
        // UABAL, UABDL: the difference fits the narrow lane as an unsigned number.
        5 | 7 => {
            let r = integer::difference(s, u, w, a, b);
            let r = s.op1i(Op::VWidenU, w, r, u64::from(high));
            if opcode == 5 {
                accumulate(s, false, r)
            } else {
                r
            }
        }
        8 | 10 | 12 => {
            let op = if u { Op::VMulLU } else { Op::VMulLS };
            let p = s.op2i(op, w, a, b, u64::from(high));
            if opcode == 12 {
                p
            } else {
                accumulate(s, opcode == 10, p)
            }
        }
        9 | 11 | 13 => {
            let keep = if scalar(i) { 2 * w } else { 128 };
            let p = integer::doubling_long(s, w, keep, high, a, b);
            let r = if opcode == 13 {
                p
            } else if w == 16 {
                let d = i.d(s);
                integer::add_saturating(s, opcode == 11, false, 32, keep, d, p)
            } else {
                let d = i.d(s);
                let (d, p) = (s.op1(Op::VZext, keep, d), s.op1(Op::VZext, keep, p));
                integer::add_saturating(s, opcode == 11, false, 64, keep, d, p)
            };
            if doubling && scalar(i) {
                s.op1(Op::VZext, 2 * w, r)
            } else {
                r
            }
        }
        // PMULL
        _ if w == 64 => s.op2i(Op::VClMul, 64, a, b, u64::from(high)),
        _ => lanes(s, i, ev::multiply_bytes, a, b, None),
    };
    put_q(s, i, r)
}
