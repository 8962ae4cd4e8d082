//! Floating point.

use super::Form;
use super::vector::{binary, splat};
use crate::decode::Bits;
use crate::ir::Op;
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
