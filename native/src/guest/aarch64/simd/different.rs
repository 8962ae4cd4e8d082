//! Three registers of different types: long, wide and narrowing forms.

use super::super::insn::Insn;
use super::super::simd_eval as ev;
use super::{lanes, put_q, scalar, v};
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

pub fn three_different<S: Sem>(s: &mut S, i: Insn) -> Lift {
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
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    three_different_of(s, i, a, b, doubling)
}

pub(super) fn three_different_of<S: Sem>(
    s: &mut S,
    i: Insn,
    a: S::V,
    b: S::V,
    doubling: bool,
) -> Lift {
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
    let fast = match opcode {
        0 | 2 => {
            let (a, b) = (widen(s, a), widen(s, b));
            Some(s.op2(if opcode == 0 { Op::VAdd } else { Op::VSub }, 2 * w, a, b))
        }
        1 | 3 => {
            let b = widen(s, b);
            Some(s.op2(if opcode == 1 { Op::VAdd } else { Op::VSub }, 2 * w, a, b))
        }
        8 | 10 | 12 if w < 32 => {
            let (a, b) = (widen(s, a), widen(s, b));
            let p = s.op2(Op::VMul, 2 * w, a, b);
            Some(match opcode {
                12 => p,
                _ => {
                    let d = v(s, i.rd());
                    s.op2(if opcode == 8 { Op::VAdd } else { Op::VSub }, 2 * w, d, p)
                }
            })
        }
        _ => None,
    };
    if let Some(r) = fast {
        return put_q(s, i, r);
    }
    let d = v(s, i.rd());
    let (a, b) = if doubling && scalar(i) {
        (s.op1(Op::VZext, w, a), s.op1(Op::VZext, w, b))
    } else {
        (a, b)
    };
    let (mut j, d) = if scalar(i) {
        (i, s.op1(Op::VZext, 2 * w, d))
    } else {
        (i, d)
    };
    if scalar(i) {
        j.bits &= !(1 << 30);
    }
    let r = lanes(s, j, ev::three_different, a, b, Some(d));
    let r = if scalar(i) {
        s.op1(Op::VZext, 2 * w, r)
    } else {
        r
    };
    put_q(s, i, r)
}
