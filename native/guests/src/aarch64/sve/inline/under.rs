//! Vectors under a predicate.

use super::super::super::insn::xsp;
use super::Form;
use super::vector::{destructive, imm8, min_max, splat};
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::sem::Sem;

pub(super) fn add_sub_p<S: Sem>(s: &mut S, f: Form) -> bool {
    match f.i.f(16, 2) {
        0 => destructive(s, f, &mut |s, a, b| s.op2(Op::VAdd, f.w, a, b)),
        1 => destructive(s, f, &mut |s, a, b| s.op2(Op::VSub, f.w, a, b)),
        3 => destructive(s, f, &mut |s, a, b| s.op2(Op::VSub, f.w, b, a)),
        _ => false,
    }
}

pub(super) fn min_max_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let how = f.i.f(16, 2);
    destructive(s, f, &mut |s, a, b| min_max(s, f.w, how, a, b))
}

pub(super) fn mul_p<S: Sem>(s: &mut S, f: Form) -> bool {
    matches!(f.w, 16 | 32) && destructive(s, f, &mut |s, a, b| s.op2(Op::VMul, f.w, a, b))
}

pub(super) fn logic_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = [Op::VOr, Op::VXor, Op::VAnd, Op::VAndn][f.i.f(16, 2) as usize];
    destructive(s, f, &mut |s, a, b| s.op2(op, 128, a, b))
}

/// MLA, MLS.
pub(super) fn mla<S: Sem>(s: &mut S, f: Form) -> bool {
    if !matches!(f.w, 16 | 32) {
        return false;
    }
    let op = if f.i.bit(13) { Op::VSub } else { Op::VAdd };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (d, a, b) = (
            f.z(s, f.i.rd(), k),
            f.z(s, f.i.rn(), k),
            f.z(s, f.i.rm(), k),
        );
        let product = s.op2(Op::VMul, f.w, a, b);
        let m = f.mask(s, p, k);
        let product = s.op2(Op::VAnd, 128, product, m);
        let r = s.op2(op, f.w, d, product);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// MAD, MSB.
pub(super) fn mad<S: Sem>(s: &mut S, f: Form) -> bool {
    if !matches!(f.w, 16 | 32) {
        return false;
    }
    let op = if f.i.bit(13) { Op::VSub } else { Op::VAdd };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (d, a, m) = (
            f.z(s, f.i.rd(), k),
            f.z(s, f.i.rn(), k),
            f.z(s, f.i.rm(), k),
        );
        let product = s.op2(Op::VMul, f.w, d, m);
        let r = s.op2(op, f.w, a, product);
        let on = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, r, d, on);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// ABS, NEG.
pub(super) fn neg_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = match f.i.f(16, 6) {
        0x16 if f.w < 64 => Op::VAbs,
        0x17 => Op::VNeg,
        _ => return false,
    };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (a, d) = (f.z(s, f.i.rn(), k), f.z(s, f.i.rd(), k));
        let r = s.op1(op, f.w, a);
        let m = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, r, d, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

pub(super) fn sel<S: Sem>(s: &mut S, f: Form) -> bool {
    let p = f.p(s, f.i.f(10, 4));
    for k in 0..f.quads {
        let (a, b) = (f.z(s, f.i.rn(), k), f.z(s, f.i.rm(), k));
        let m = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, a, b, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

pub(super) fn copy_under<S: Sem>(s: &mut S, f: Form, p: S::V, v: S::V, zeroing: bool) -> bool {
    for k in 0..f.quads {
        let m = f.mask(s, p, k);
        let r = if zeroing {
            s.op2(Op::VAnd, 128, v, m)
        } else {
            let d = f.z(s, f.i.rd(), k);
            s.op3(Op::VBsl, 128, v, d, m)
        };
        f.put(s, f.i.rd(), k, r);
    }
    true
}

pub(super) fn dup_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = xsp(s, f.i.rn());
    let v = s.op1(Op::VDupG, f.w, v);
    let p = f.p(s, f.g());
    copy_under(s, f, p, v, false)
}

pub(super) fn dup_imm_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let Some(v) = imm8(f, true) else { return false };
    let v = s.wide(splat(f.w, v));
    let p = f.p(s, f.i.f(16, 4));
    copy_under(s, f, p, v, !f.i.bit(14))
}

/// A register's elements that Pg has, changed.
fn changed<S: Sem>(
    s: &mut S,
    f: Form,
    from: u32,
    op: &mut dyn FnMut(&mut S, S::V) -> S::V,
) -> bool {
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (a, d) = (f.z(s, from, k), f.z(s, f.i.rd(), k));
        let r = op(s, a);
        let m = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, r, d, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// ASR, LSR, LSL by an immediate.
pub(super) fn shift_imm_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let tsz = f.i.f(22, 2) << 2 | f.i.f(8, 2);
    let Some((w, left, right)) = super::super::int::amounts(tsz, f.i.f(5, 3)) else {
        return false;
    };
    let (op, n) = match f.i.f(16, 2) {
        0 => (Op::VShrS, right),
        1 => (Op::VShrU, right),
        3 => (Op::VShl, left),
        _ => return false,
    };
    let f = Form { w: w as u8, ..f };
    changed(s, f, f.i.rd(), &mut |s, a| {
        if n == 0 {
            a
        } else {
            s.op1i(op, f.w, a, n.into())
        }
    })
}

/// SXTB to UXTW.
pub(super) fn extend<S: Sem>(s: &mut S, f: Form) -> bool {
    let from = 8 << f.i.f(17, 2);
    if from >= u32::from(f.w) {
        return false;
    }
    let n = u64::from(u32::from(f.w) - from);
    let right = if f.i.bit(16) { Op::VShrU } else { Op::VShrS };
    changed(s, f, f.i.rn(), &mut |s, a| {
        let v = s.op1i(Op::VShl, f.w, a, n);
        s.op1i(right, f.w, v, n)
    })
}

/// FABS, FNEG.
pub(super) fn sign<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.w == 8 {
        return false;
    }
    let sign = s.wide(splat(f.w, 1 << (f.w - 1)));
    let op = if f.i.bit(16) { Op::VXor } else { Op::VAndn };
    changed(s, f, f.i.rn(), &mut |s, a| s.op2(op, 128, a, sign))
}

/// MOVPRFX.
pub(super) fn prefix<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.i.bit(16) {
        return changed(s, f, f.i.rn(), &mut |_, a| a);
    }
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (a, m) = (f.z(s, f.i.rn(), k), f.mask(s, p, k));
        let r = s.op2(Op::VAnd, 128, a, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}
