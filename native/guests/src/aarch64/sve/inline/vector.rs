//! Whole vectors: no predicate says which elements count.

use super::super::super::insn::{x, xsp};
use super::Form;
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// What a piece becomes of two.
pub(super) type Two<'a, S> =
    &'a mut dyn FnMut(&mut S, <S as Sem>::V, <S as Sem>::V) -> <S as Sem>::V;

/// Zd by Zn and Zm.
pub(super) fn binary<S: Sem>(s: &mut S, f: Form, op: Two<'_, S>) -> bool {
    let mut all = Vec::new();
    for k in 0..f.quads {
        let (a, b) = (f.z(s, f.i.rn(), k), f.z(s, f.i.rm(), k));
        all.push(op(s, a, b));
    }
    for (k, v) in (0..).zip(all) {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

/// Zdn by it and Zm (bits 9-5), where Pg is.
pub(super) fn destructive<S: Sem>(s: &mut S, f: Form, op: Two<'_, S>) -> bool {
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (a, b) = (f.z(s, f.i.rd(), k), f.z(s, f.i.rn(), k));
        let r = op(s, a, b);
        let m = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, r, a, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

pub(super) fn add_sub<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = if f.i.bit(10) { Op::VSub } else { Op::VAdd };
    binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

pub(super) fn saturating<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = [Op::VAddSatS, Op::VAddSatU, Op::VSubSatS, Op::VSubSatU][f.i.f(10, 2) as usize];
    f.w < 32 && binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

pub(super) fn logic<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = [Op::VAnd, Op::VOr, Op::VXor, Op::VAndn][f.i.f(22, 2) as usize];
    binary(s, f, &mut |s, a, b| s.op2(op, 128, a, b))
}

pub(super) fn mul<S: Sem>(s: &mut S, f: Form) -> bool {
    matches!(f.w, 16 | 32) && binary(s, f, &mut |s, a, b| s.op2(Op::VMul, f.w, a, b))
}

pub(super) fn move_all<S: Sem>(s: &mut S, f: Form) -> bool {
    binary(s, f, &mut |_, a, _| a)
}

/// `v` in all lanes.
pub(super) fn splat(w: u8, v: u64) -> u128 {
    crate::ir::vector::from_lanes(w, |_| v & crate::ir::eval::mask(w))
}

pub(super) fn every<S: Sem>(s: &mut S, f: Form, v: S::V) -> bool {
    for k in 0..f.quads {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

pub(super) fn index<S: Sem>(s: &mut S, f: Form) -> bool {
    let (base_register, step_register) = (f.i.bit(10), f.i.bit(11));
    // Products of registers are there for some widths.
    if step_register && !matches!(f.w, 16 | 32) {
        return false;
    }
    let step = f.i.sf_imm(16, 5) as u64;
    let base = if base_register {
        let v = x(s, f.i.rn());
        s.op1(Op::VDupG, f.w, v)
    } else {
        s.wide(splat(f.w, f.i.sf_imm(5, 5) as u64))
    };
    let stride = step_register.then(|| {
        let v = x(s, f.i.rm());
        s.op1(Op::VDupG, f.w, v)
    });
    for k in 0..f.quads {
        let first = u64::from(k) * f.lanes();
        let number = |n: u32| first + u64::from(n);
        let numbers = crate::ir::vector::from_lanes(f.w, |n| {
            let v = if step_register {
                number(n)
            } else {
                number(n).wrapping_mul(step)
            };
            v & crate::ir::eval::mask(f.w)
        });
        let mut v = s.wide(numbers);
        if let Some(stride) = stride {
            v = s.op2(Op::VMul, f.w, v, stride);
        }
        let v = s.op2(Op::VAdd, f.w, v, base);
        f.put(s, f.i.rd(), k, v);
    }
    true
}

pub(super) fn shift_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let tsz = f.i.f(22, 2) << 2 | f.i.f(19, 2);
    let Some((w, left, right)) = super::super::int::amounts(tsz, f.i.f(16, 3)) else {
        return false;
    };
    let (op, n) = match f.i.f(10, 2) {
        0 => (Op::VShrS, right),
        1 => (Op::VShrU, right),
        3 => (Op::VShl, left),
        _ => return false,
    };
    binary(s, f, &mut |s, a, _| {
        if n == 0 {
            a
        } else {
            s.op1i(op, w as u8, a, n.into())
        }
    })
}

/// Bits 12-5, and 13 for a shift.
pub(super) fn imm8(f: Form, signed: bool) -> Option<u64> {
    let v = if signed {
        f.i.sf_imm(5, 8) as u64
    } else {
        f.i.f(5, 8).into()
    };
    let shifted = f.i.bit(13);
    (!shifted || f.w > 8).then_some(if shifted { v << 8 } else { v })
}

pub(super) fn add_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let Some(v) = imm8(f, false) else {
        return false;
    };
    let op = if f.i.bit(16) { Op::VSub } else { Op::VAdd };
    let v = s.wide(splat(f.w, v));
    for k in 0..f.quads {
        let a = f.z(s, f.i.rd(), k);
        let r = s.op2(op, f.w, a, v);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

pub(super) fn min_max<S: Sem>(s: &mut S, w: u8, how: u32, a: S::V, b: S::V) -> S::V {
    let op = [Op::VMaxS, Op::VMaxU, Op::VMinS, Op::VMinU][how as usize];
    s.op2(op, w, a, b)
}

pub(super) fn min_max_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let how = f.i.f(16, 2);
    let v = if how & 1 == 0 {
        f.i.sf_imm(5, 8) as u64
    } else {
        f.i.f(5, 8).into()
    };
    let v = s.wide(splat(f.w, v));
    for k in 0..f.quads {
        let a = f.z(s, f.i.rd(), k);
        let r = min_max(s, f.w, how, a, v);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

pub(super) fn mul_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    if !matches!(f.w, 16 | 32) {
        return false;
    }
    let v = s.wide(splat(f.w, f.i.sf_imm(5, 8) as u64));
    for k in 0..f.quads {
        let a = f.z(s, f.i.rd(), k);
        let r = s.op2(Op::VMul, f.w, a, v);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

pub(super) fn dup_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let Some(v) = imm8(f, true) else { return false };
    let v = s.wide(splat(f.w, v));
    every(s, f, v)
}

pub(super) fn dup<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = xsp(s, f.i.rn());
    let v = s.op1(Op::VDupG, f.w, v);
    every(s, f, v)
}

pub(super) fn zip_uzp<S: Sem>(s: &mut S, f: Form) -> bool {
    let (uzp, second) = (f.i.bit(11), f.i.bit(10));
    let (n, m) = (f.i.rn(), f.i.rm());
    let mut all = Vec::new();
    if uzp {
        let op = if second { Op::VUzp2 } else { Op::VUzp1 };
        if f.quads == 1 {
            let (a, b) = (f.z(s, n, 0), f.z(s, m, 0));
            all.push(s.op2(op, f.w, a, b));
        } else {
            for from in [n, m] {
                let (a, b) = (f.z(s, from, 0), f.z(s, from, 1));
                all.push(s.op2(op, f.w, a, b));
            }
        }
    } else if f.quads == 1 {
        let (a, b) = (f.z(s, n, 0), f.z(s, m, 0));
        all.push(s.op2(if second { Op::VZip2 } else { Op::VZip1 }, f.w, a, b));
    } else {
        let k = u16::from(second);
        let (a, b) = (f.z(s, n, k), f.z(s, m, k));
        all.push(s.op2(Op::VZip1, f.w, a, b));
        all.push(s.op2(Op::VZip2, f.w, a, b));
    }
    for (k, v) in (0..).zip(all) {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

pub(super) fn trn<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = if f.i.bit(10) { Op::VTrn2 } else { Op::VTrn1 };
    binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

pub(super) fn unpack<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.w == 8 {
        return false;
    }
    let op = if f.i.bit(17) {
        Op::VWidenU
    } else {
        Op::VWidenS
    };
    let high = u16::from(f.i.bit(16));
    let h = f.w / 2;
    if f.quads == 1 {
        let a = f.z(s, f.i.rn(), 0);
        let v = s.op1i(op, h, a, high.into());
        f.put(s, f.i.rd(), 0, v);
    } else {
        let a = f.z(s, f.i.rn(), high);
        let all = [0, 1].map(|part| s.op1i(op, h, a, part));
        for (k, v) in (0..).zip(all) {
            f.put(s, f.i.rd(), k, v);
        }
    }
    true
}

/// INCH to DECD of a vector.
pub(super) fn step<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.w == 8 {
        return false;
    }
    let n = super::predicate::elements(f) * u64::from(f.i.f(16, 4) + 1);
    let n = if f.i.bit(10) { n.wrapping_neg() } else { n };
    let n = s.wide(splat(f.w, n));
    for k in 0..f.quads {
        let v = f.z(s, f.i.rd(), k);
        let r = s.op2(Op::VAdd, f.w, v, n);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// SDOT, UDOT of bytes.
pub(super) fn dot<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.w != 32 {
        return false;
    }
    let op = if f.i.bit(10) { Op::VDotU } else { Op::VDotS };
    for k in 0..f.quads {
        let (a, b, d) = (
            f.z(s, f.i.rn(), k),
            f.z(s, f.i.rm(), k),
            f.z(s, f.i.rd(), k),
        );
        let r = s.op3(op, 32, a, b, d);
        f.put(s, f.i.rd(), k, r);
    }
    true
}
