//! Across the lanes of one register.

use super::Form;
use super::float::helper;
use super::fp;
use super::put_q;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

pub fn across<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 5));
    let a = i.n(s);
    match opcode {
        0x03 | 0x0a | 0x1a | 0x1b => {
            if size == 3 || (size == 2 && !i.bit(30)) || (opcode == 0x1b && u) {
                return Lift::Undefined;
            }
            let w = 8 << size;
            let low = |s: &mut S, a| {
                if i.bit(30) {
                    a
                } else {
                    s.op1(Op::VZext, 64, a)
                }
            };
            let r = match opcode {
                0x1b => {
                    let a = low(s, a);
                    s.op1(Op::VSumU, w, a)
                }
                0x03 => {
                    let a = low(s, a);
                    let r = s.op1(if u { Op::VPairU } else { Op::VPairS }, w, a);
                    s.op1(Op::VSumU, 2 * w, r)
                }
                _ => {
                    let op = match (opcode, u) {
                        (0x0a, false) => Op::VMaxS,
                        (0x0a, true) => Op::VMaxU,
                        (_, false) => Op::VMinS,
                        (_, true) => Op::VMinU,
                    };
                    // Halves of what is left, against each other.
                    let mut r = a;
                    let mut bytes = if i.bit(30) { 8 } else { 4 };
                    while bytes >= u64::from(w) / 8 {
                        let x = s.op2i(Op::VExt, 8, r, r, bytes);
                        r = s.op2(op, w, r, x);
                        bytes /= 2;
                    }
                    r
                }
            };
            let r = s.op1(Op::VZext, if opcode == 3 { 2 * w } else { w }, r);
            put_q(s, i, r)
        }
        0x0c | 0x0f => {
            // Four single numbers, or half ones.
            if i.bit(22) || (u && !i.bit(30)) {
                return Lift::Undefined;
            }
            if !u {
                let r = helper(s, i, 16, fp::reduce, [Some(a), None, None]);
                return put_q(s, i, r);
            }
            let r = neighbours(s, i, 32, a);
            let r = neighbours(s, i, 32, r);
            let r = s.op1(Op::VZext, 32, r);
            put_q(s, i, r)
        }
        _ => Lift::Undefined,
    }
}

/// ADDP, FADDP, FMAXP, FMINP, FMAXNMP, FMINNMP of one register's two lanes.
pub fn pairwise_scalar<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, opcode) = (i.bit(29), i.f(12, 5));
    let a = i.n(s);
    if opcode == 0x1b {
        if u || i.f(22, 2) != 3 {
            return Lift::Undefined;
        }
        let r = s.op2(Op::VAddP, 64, a, a);
        let r = s.op1(Op::VZext, 64, r);
        return put_q(s, i, r);
    }
    let ok = match opcode {
        0x0c | 0x0f => true,
        0x0d => !i.bit(23),
        _ => false,
    };
    if !ok {
        return Lift::Undefined;
    }
    let w = match (u, i.bit(22)) {
        (true, true) => 64,
        (true, false) => 32,
        (false, false) => 16,
        _ => return Lift::Undefined,
    };
    if w == 16 {
        let r = helper(s, i, w, fp::reduce, [Some(a), None, None]);
        return put_q(s, i, r);
    }
    let r = s.op1(Op::VZext, 2 * w, a);
    let r = neighbours(s, i, w, r);
    let r = s.op1(Op::VZext, w, r);
    put_q(s, i, r)
}

/// FMAXNM, FMAX, FADD and the like of neighbouring lanes, in the low half and again in the high half.
fn neighbours<S: Sem>(s: &mut S, i: Form, w: u8, a: S::V) -> S::V {
    let (even, odd) = (s.op2(Op::VUzp1, w, a, a), s.op2(Op::VUzp2, w, a, a));
    let op = if i.bit(23) { Op::VFpMin } else { Op::VFpMax };
    match i.f(12, 5) {
        0x0c => i.fp2(s, op, w, even, odd, 1),
        0x0d => i.fp2(s, Op::VFpAdd, w, even, odd, 0),
        _ => i.fp2(s, op, w, even, odd, 0),
    }
}
