//! Floating point.

use super::Form;
use super::vector::{binary, splat};
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::float::round;
use crate::ir::sem::Sem;

// Floating point. Elements that a predicate has not must not raise anything: they are zeros, or one divided by one.

pub(super) fn fp<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = match f.i.f(10, 2) {
        0 => Op::VFpAdd,
        1 => Op::VFpSub,
        2 => Op::VFpMul,
        _ => return false,
    };
    f.w >= 32 && binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

pub(super) fn fp_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let (op, reversed) = match f.i.f(16, 4) {
        0 => (Op::VFpAdd, false),
        1 => (Op::VFpSub, false),
        2 => (Op::VFpMul, false),
        3 => (Op::VFpSub, true),
        12 => (Op::VFpDiv, true),
        13 => (Op::VFpDiv, false),
        _ => return false,
    };
    if f.w < 32 {
        return false;
    }
    let one = if f.w == 32 { 0x3f80_0000 } else { 0x3ff << 52 };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (d, b) = (f.z(s, f.i.rd(), k), f.z(s, f.i.rn(), k));
        let m = f.mask(s, p, k);
        let quiet = |s: &mut S, v: S::V| {
            if op == Op::VFpDiv {
                let one = s.wide(splat(f.w, one));
                s.op3(Op::VBsl, 128, v, one, m)
            } else {
                s.op2(Op::VAnd, 128, v, m)
            }
        };
        let (x, y) = (quiet(s, d), quiet(s, b));
        let r = if reversed {
            s.op2(op, f.w, y, x)
        } else {
            s.op2(op, f.w, x, y)
        };
        let r = s.op3(Op::VBsl, 128, r, d, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// FMLA and its relatives.
pub(super) fn fma<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.w < 32 {
        return false;
    }
    let signs = [0, 1, 3, 2][f.i.f(13, 2) as usize];
    let (d, n, m) = (f.i.rd(), f.i.rn(), f.i.rm());
    let (a, b, c) = if f.i.bit(15) { (d, n, m) } else { (n, m, d) };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let old = f.z(s, d, k);
        let on = f.mask(s, p, k);
        let args = [a, b, c].map(|r| {
            let v = f.z(s, r, k);
            Some(s.op2(Op::VAnd, 128, v, on))
        });
        let r = s.op(Op::VFpFma, f.w, args, signs);
        let r = s.op3(Op::VBsl, 128, r, old, on);
        f.put(s, d, k, r);
    }
    true
}

/// What is not active is 0.
fn quieted<S: Sem>(s: &mut S, f: Form, r: u32, on: S::V, k: u16) -> S::V {
    let v = f.z(s, r, k);
    s.op2(Op::VAnd, 128, v, on)
}

/// FMAX, FMIN.
pub(super) fn extreme<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = if f.i.bit(16) { Op::VFpMin } else { Op::VFpMax };
    if f.w < 32 {
        return false;
    }
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (on, d) = (f.mask(s, p, k), f.z(s, f.i.rd(), k));
        let (a, b) = (
            quieted(s, f, f.i.rd(), on, k),
            quieted(s, f, f.i.rn(), on, k),
        );
        let r = s.op2(op, f.w, a, b);
        let r = s.op3(Op::VBsl, 128, r, d, on);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// FCMEQ and its relatives, with a register or with 0.
pub(super) fn compare<S: Sem>(s: &mut S, f: Form) -> bool {
    // How, whether the operands change places, whether the answer is the opposite.
    let with_zero = f.i.f(13, 3) == 1;
    let how = if with_zero {
        match f.i.f(16, 2) << 1 | f.i.f(4, 1) {
            0 => (1, false, false),
            1 => (2, false, false),
            2 => (2, true, false),
            3 => (1, true, false),
            4 => (0, false, false),
            6 => (0, false, true),
            _ => return false,
        }
    } else {
        match f.i.f(13, 3) << 1 | f.i.f(4, 1) {
            4 => (1, false, false),
            5 => (2, false, false),
            6 => (0, false, false),
            7 => (0, false, true),
            _ => return false,
        }
    };
    if f.w < 32 {
        return false;
    }
    let (how, swapped, not) = how;
    let p = f.p(s, f.g());
    let mut lanes = Vec::new();
    for k in 0..f.quads {
        let on = f.mask(s, p, k);
        let a = quieted(s, f, f.i.rn(), on, k);
        let b = if with_zero {
            s.wide(0)
        } else {
            quieted(s, f, f.i.rm(), on, k)
        };
        let (x, y) = if swapped { (b, a) } else { (a, b) };
        let v = s.op2i(Op::VFpCmp, f.w, x, y, how);
        lanes.push(if not { s.op1(Op::VNot, 128, v) } else { v });
    }
    let r = f.bits(s, &lanes);
    let active = s.and_k(64, p, f.full());
    let r = s.op2(Op::And, 64, r, active);
    f.put_p(s, f.i.f(0, 4), r);
    true
}

/// FSQRT, and conversions that keep the width.
pub(super) fn unary<S: Sem>(s: &mut S, f: Form) -> bool {
    let unsigned = f.i.bit(16);
    let kind = u64::from(f.w) | u64::from(!unsigned) << 7;
    let (op, imm) = match f.i.f(16, 6) {
        0x0d => (Op::VFpSqrt, 0),
        0x14 | 0x15 if f.w == 32 => (Op::VFpFromInt, kind),
        0x16 | 0x17 if f.w == 64 => (Op::VFpFromInt, kind),
        0x1c | 0x1d if f.w == 32 => (Op::VFpToInt, kind | round::ZERO << 8),
        0x1e | 0x1f if f.w == 64 => (Op::VFpToInt, kind | round::ZERO << 8),
        _ => return false,
    };
    if f.w < 32 {
        return false;
    }
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (on, d) = (f.mask(s, p, k), f.z(s, f.i.rd(), k));
        let a = quieted(s, f, f.i.rn(), on, k);
        let r = s.op1i(op, f.w, a, imm);
        let r = s.op3(Op::VBsl, 128, r, d, on);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// FMLA, FMLS and FMUL by an element: of each 128 bits their own.
pub(super) fn by_element<S: Sem>(s: &mut S, f: Form) -> bool {
    let (m, n) = match f.w {
        32 => (f.i.f(16, 3), f.i.f(19, 2)),
        64 => (f.i.f(16, 4), f.i.f(20, 1)),
        _ => return false,
    };
    for k in 0..f.quads {
        let (a, b) = (f.z(s, f.i.rn(), k), f.z(s, m, k));
        let b = s.op1i(Op::VDupLane, f.w, b, n.into());
        let r = if f.i.bit(13) {
            s.op2(Op::VFpMul, f.w, a, b)
        } else {
            let d = f.z(s, f.i.rd(), k);
            let signs = u64::from(f.i.bit(10));
            s.op(Op::VFpFma, f.w, [Some(a), Some(b), Some(d)], signs)
        };
        f.put(s, f.i.rd(), k, r);
    }
    true
}
