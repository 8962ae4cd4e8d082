//! Arithmetic, comparisons and selections.

use super::super::features::FPV8;
use super::super::insn::{Insn, mode, slot};
use super::{format, get, has, put, s_unit, vd, vectors, vm, vn};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags::Cc;
use crate::ir::float::round as rounding;
use crate::ir::sem::Sem;
use crate::simd::fp::expand_imm;
use crate::simd::scalar::{flags_of, negated, positive};

/// VMLA ... VDIV, VFMA and their like, by bits 23, 21-20 and 6.
pub fn three_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let registers = [vd(i, w), vn(i, w), vm(i, w)];
    if !has(i, w, &registers) {
        return Lift::Undefined;
    }
    let (kind, o) = (i.f(23, 1) << 2 | i.f(20, 2), i.bit(6));
    let fused = kind == 5 || kind == 6;
    let lanes = match vectors(i, w, registers) {
        // There are no fused operations on short vectors.
        Some(all) if !fused || i.mode & mode::VECTOR == 0 => all,
        _ => return Lift::Undefined,
    };
    for [d, n, m] in lanes {
        let (a, b) = (get(s, w, n), get(s, w, m));
        let product = |s: &mut S, minus: bool| {
            let p = s.op2(Op::FpMul, w, a, b);
            if minus { negated(s, w, p) } else { p }
        };
        let r = match kind {
            // Two roundings: VMLA, VMLS; VNMLS, VNMLA
            0 | 1 => {
                let p = product(s, o);
                let c = get(s, w, d);
                let c = if kind == 1 { negated(s, w, c) } else { c };
                s.op2(Op::FpAdd, w, c, p)
            }
            2 => product(s, o),
            3 => s.op2(if o { Op::FpSub } else { Op::FpAdd }, w, a, b),
            4 => s.op2(Op::FpDiv, w, a, b),
            // VFNMS, VFNMA; VFMA, VFMS
            _ => {
                let signs = u64::from(o) | u64::from(kind == 5) << 1;
                let c = get(s, w, d);
                s.op(Op::FpFma, w, [Some(a), Some(b), Some(c)], signs)
            }
        };
        put(s, w, d, r);
    }
    Lift::Next
}

/// VMOV, VABS, VNEG, VSQRT, by bits 16 and 7.
pub fn one_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (d, m) = (vd(i, w), vm(i, w));
    let kind = i.f(16, 1) << 1 | i.f(7, 1);
    // There is no VMOV of half precision.
    if !has(i, w, &[d, m]) || (kind == 0 && w == 16) {
        return Lift::Undefined;
    }
    let Some(lanes) = vectors(i, w, [d, d, m]) else {
        return Lift::Undefined;
    };
    for [d, _, m] in lanes {
        let a = get(s, w, m);
        let r = match kind {
            0 => a,
            1 => positive(s, w, a),
            2 => negated(s, w, a),
            _ => s.op1(Op::FpSqrt, w, a),
        };
        put(s, w, d, r);
    }
    Lift::Next
}

/// VMOV of an immediate.
pub fn move_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let d = vd(i, w);
    if !has(i, w, &[d]) {
        return Lift::Undefined;
    }
    let Some(lanes) = vectors(i, w, [d, d, 0]) else {
        return Lift::Undefined;
    };
    let imm = expand_imm(u64::from(i.f(16, 4) << 4 | i.f(0, 4)), w);
    let k = s.wide(u128::from(imm));
    for [d, ..] in lanes {
        put(s, w, d, k);
    }
    Lift::Next
}

/// VCMP, VCMPE: with a register or with zero (bit 16).
pub fn compare<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (d, m) = (vd(i, w), vm(i, w));
    let zero = i.bit(16);
    if !has(i, w, &[d, if zero { d } else { m }]) {
        return Lift::Undefined;
    }
    let a = get(s, w, d);
    let b = if zero { s.wide(0) } else { get(s, w, m) };
    let f = flags_of(s, w, [a, b], i.mode & mode::FLUSH != 0, i.bit(7));
    let p = s.op1(Op::Pack, 16, f);
    s.set(slot::FPFLAGS, p);
    Lift::Next
}

/// VSEL: EQ, VS, GE, GT.
pub fn select<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (d, n, m) = (vd(i, w), vn(i, w), vm(i, w));
    if !has(i, w, &[d, n, m]) {
        return Lift::Undefined;
    }
    let f = s.get_f();
    let c = s.cc([Cc::Eq, Cc::Vs, Cc::Ge, Cc::Gt][i.f(20, 2) as usize], f);
    let [a, b] = [n, m].map(|n| {
        let v = get(s, w, n);
        s.op1i(Op::VGet, w, v, 0)
    });
    let r = s.select(w, c, a, b);
    let r = s.op1(Op::VFromG, 64, r);
    put(s, w, d, r);
    Lift::Next
}

/// VMAXNM, VMINNM.
pub fn max_min<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (d, n, m) = (vd(i, w), vn(i, w), vm(i, w));
    if !has(i, w, &[d, n, m]) {
        return Lift::Undefined;
    }
    let (a, b) = (get(s, w, n), get(s, w, m));
    let op = if i.bit(6) { Op::FpMin } else { Op::FpMax };
    let r = s.op2i(op, w, a, b, 1);
    put(s, w, d, r);
    Lift::Next
}

/// VRINTA, VRINTN, VRINTP, VRINTM (unconditional: by bits 17-16); VRINTR, VRINTZ, VRINTX (by bits 16 and 7).
pub fn round<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (d, m) = (vd(i, w), vm(i, w));
    if !has(i, w, &[d, m]) || !i.has(FPV8) {
        return Lift::Undefined;
    }
    let mode = if i.f(28, 4) == 15 {
        directed(i)
    } else {
        match (i.bit(16), i.bit(7)) {
            (false, false) => rounding::CURRENT,
            (false, true) => rounding::ZERO,
            _ => rounding::CURRENT | 8,
        }
    };
    let a = get(s, w, m);
    let r = s.op1i(Op::FpRound, w, a, mode);
    put(s, w, d, r);
    Lift::Next
}

/// The rounding mode of bits 17-16: A, N, P, M.
pub fn directed(i: Insn) -> u64 {
    [
        rounding::AWAY,
        rounding::NEAREST,
        rounding::UP,
        rounding::DOWN,
    ][i.f(16, 2) as usize]
}

/// VMOVX, VINS: the upper half of a single-precision register, from and to.
pub fn move_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, m) = (vd(i, 32), vm(i, 32));
    let a = s.get_x(s_unit(m));
    let r = if i.bit(7) {
        let low = s.op1i(Op::VGet, 16, a, 0);
        let old = s.get_x(s_unit(d));
        s.op2i(Op::VIns, 16, old, low, 1)
    } else {
        let high = s.op1i(Op::VGet, 16, a, 1);
        s.op1(Op::VFromG, 64, high)
    };
    s.set_x(s_unit(d), r);
    Lift::Next
}
