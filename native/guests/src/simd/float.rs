//! Floating point on lanes: the forms of half, single and double precision, complex numbers.

use super::Form;
use super::eval as ev;
use super::fp;
use super::integer;
use super::matrix as ml;
use super::{lanes, pairs, put, put_narrow, put_q, scalar};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::float::round;
use crate::ir::sem::Sem;
use crate::ir::state::Helper;

pub fn three_same<S: Sem>(s: &mut S, i: Form) -> Lift {
    // FMLAL, FMLSL; FMLAL2, FMLSL2
    if matches!((i.f(11, 5), i.bit(29)), (0x1d, false) | (0x19, true)) && !scalar(i) {
        if i.bit(22) {
            return Lift::Undefined;
        }
        let b = i.m(s);
        return multiply_long(s, i, b, i.bit(29), i.bit(23));
    }
    three_same_of(s, i, if i.bit(22) { 64 } else { 32 })
}

/// FMLAL and its kin: of the upper part of the operands, subtracting.
pub fn multiply_long<S: Sem>(s: &mut S, i: Form, b: S::V, upper: bool, minus: bool) -> Lift {
    let (a, d) = (i.n(s), i.d(s));
    let imm = u64::from(upper) | u64::from(minus) << 1 | u64::from(i.bit(30)) << 2;
    let r = s.call_x(ml::fmlal, [Some(a), Some(b), Some(d)], imm | i.mode());
    put_q(s, i, r)
}

/// The single-precision form of a half-precision instruction, for the helpers' immediates.
fn single_form(i: Form, clear: u32, set: u32) -> Form {
    Form {
        bits: (i.bits & !clear) | set,
        ..i
    }
}

/// Half precision: opcode 11xxx of the other formats, in bits 13-11.
pub fn three_same_half<S: Sem>(s: &mut S, i: Form) -> Lift {
    let j = single_form(i, 1 << 22, 3 << 14 | 1 << 21);
    if matches!((j.f(11, 5), j.bit(29)), (0x1d, false) | (0x19, true)) {
        return Lift::Undefined;
    }
    three_same_of(s, j, 16)
}

/// Through a helper of `simd_fp`; the width travels in the immediate.
pub fn helper<S: Sem>(s: &mut S, i: Form, w: u8, h: Helper, args: [Option<S::V>; 3]) -> S::V {
    let half = if w == 16 { fp::HALF } else { 0 };
    s.call_x(h, args, u64::from(i.bits) | half | i.mode())
}

/// What has IR of its own: comparisons, minimum and maximum, pairwise forms, differences.
fn plain<S: Sem>(s: &mut S, i: Form, w: u8, a: S::V, b: S::V) -> Option<S::V> {
    let (u, second, opcode) = (i.bit(29), i.bit(23), i.f(11, 5));
    let own = matches!((opcode, u), (0x18 | 0x1e | 0x1c, _) | (0x1a | 0x1d, true));
    if w == 16 || !own {
        return None;
    }
    let keep = integer::active(i, w);
    let low = |s: &mut S, x| s.op1(Op::VZext, keep, x);
    let pairwise = u && matches!((opcode, second), (0x18 | 0x1e, _) | (0x1a, false));
    let (a, b) = if pairwise {
        let (even, odd) = pairs(s, i, w, a, b);
        (low(s, even), low(s, odd))
    } else {
        (low(s, a), low(s, b))
    };
    Some(match (opcode, u, second) {
        (0x18, _, false) => i.fp2(s, Op::VFpMax, w, a, b, 1),
        (0x18, _, true) => i.fp2(s, Op::VFpMin, w, a, b, 1),
        (0x1e, _, false) => i.fp2(s, Op::VFpMax, w, a, b, 0),
        (0x1e, _, true) => i.fp2(s, Op::VFpMin, w, a, b, 0),
        (0x1a, _, false) => i.fp2(s, Op::VFpAdd, w, a, b, 0),
        // FABD
        (0x1a, _, true) => {
            let r = i.fp2(s, Op::VFpSub, w, a, b, 0);
            let m = integer::splat(s, w, 1 << (w - 1));
            s.op2(Op::VAndn, 64, r, m)
        }
        (0x1c, false, _) => i.fp2(s, Op::VFpCmp, w, a, b, 0),
        (0x1c, true, _) => i.fp2(s, Op::VFpCmp, w, a, b, if second { 2 } else { 1 }),
        // FACGE, FACGT
        _ => {
            let m = integer::splat(s, w, 1 << (w - 1));
            let (a, b) = (s.op2(Op::VAndn, 64, a, m), s.op2(Op::VAndn, 64, b, m));
            i.fp2(s, Op::VFpCmp, w, a, b, if second { 2 } else { 1 })
        }
    })
}

pub fn three_same_of<S: Sem>(s: &mut S, i: Form, w: u8) -> Lift {
    let (u, second, opcode) = (i.bit(29), i.bit(23), i.f(11, 5));
    let exists = match (opcode, u, second) {
        (0x18 | 0x1e, _, _) => !scalar(i),
        (0x19, false, _) => !scalar(i),
        (0x1a, true, true) => true,
        (0x1a, _, _) => !scalar(i),
        (0x1b, false, false) => true,
        (0x1b, true, false) => !scalar(i),
        (0x1c, false, false) | (0x1c | 0x1d, true, _) => true,
        (0x1f, false, _) => true,
        (0x1f, true, false) => !scalar(i),
        _ => false,
    };
    if !exists || (w == 64 && !scalar(i) && !i.bit(30)) {
        return Lift::Undefined;
    }
    let (a, b) = (i.n(s), i.m(s));
    let fast = match (opcode, u, second) {
        (0x1a, false, false) => Some(Op::VFpAdd),
        (0x1a, false, true) => Some(Op::VFpSub),
        (0x1b, true, false) => Some(Op::VFpMul),
        (0x1f, true, false) if i.bit(30) => Some(Op::VFpDiv),
        _ => None,
    };
    let half = !i.bit(30) && !scalar(i);
    let low = |s: &mut S, a| if half { s.op1(Op::VZext, 64, a) } else { a };
    let r = if let Some(op) = fast {
        let (a, b) = (low(s, a), low(s, b));
        i.fp2(s, op, w, a, b, 0)
    } else if opcode == 0x19 {
        let (mut a, b) = (low(s, a), low(s, b));
        let d = i.d(s);
        let d = low(s, d);
        if second {
            let m = integer::splat(s, w, 1 << (w - 1));
            a = s.op2(Op::VXor, 64, a, m);
            // The upper lanes are -0 * 0 + 0 then: no exception.
        }
        i.fp3(s, Op::VFpFma, w, [a, b, d])
    } else if let Some(r) = plain(s, i, w, a, b) {
        r
    } else {
        let d = i.d(s);
        helper(s, i, w, fp::three_same, [Some(a), Some(b), Some(d)])
    };
    put(s, i, w, r);
    Lift::Next
}

pub fn two_misc<S: Sem>(s: &mut S, i: Form) -> Lift {
    two_misc_of(s, i, if i.bit(22) { 64 } else { 32 })
}

/// Half precision.
pub fn two_misc_half<S: Sem>(s: &mut S, i: Form) -> Lift {
    // No conversions between formats, no integer estimates, no FRINT32Z and the like.
    let absent = matches!(
        (i.f(12, 5), i.bit(23)),
        (0x16 | 0x17 | 0x1e, _) | (0x1c, true) | (0x1f, false)
    );
    if absent {
        return Lift::Undefined;
    }
    let j = single_form(i, 0x3f << 17, 1 << 21);
    two_misc_of(s, j, 16)
}

/// What has IR of its own: comparisons with zero, roundings, conversions, square roots.
fn plain_unary<S: Sem>(s: &mut S, i: Form, w: u8, a: S::V) -> Option<S::V> {
    if w == 16 {
        return None;
    }
    let (u, second, opcode) = (i.bit(29), i.bit(23), i.f(12, 5));
    let a = s.op1(Op::VZext, integer::active(i, w), a);
    let compare = |s: &mut S, how: u64, swapped: bool| {
        let z = s.wide(0);
        let (x, y) = if swapped { (z, a) } else { (a, z) };
        i.fp2(s, Op::VFpCmp, w, x, y, how)
    };
    let signed = u64::from(!u) << 7;
    let to_int =
        |s: &mut S, mode: u64| i.fp1(s, Op::VFpToInt, w, a, u64::from(w) | signed | mode << 8);
    let rounded = |s: &mut S, mode: u64| i.fp1(s, Op::VFpRound, w, a, mode);
    Some(match (opcode, u, second) {
        // FCMGT, FCMGE, FCMEQ, FCMLE, FCMLT with zero
        (0x0c, false, true) => compare(s, 2, false),
        (0x0c, true, true) => compare(s, 1, false),
        (0x0d, false, true) => compare(s, 0, false),
        (0x0d, true, true) => compare(s, 1, true),
        (0x0e, false, true) => compare(s, 2, true),
        (0x18, false, false) => rounded(s, round::NEAREST),
        (0x18, false, true) => rounded(s, round::UP),
        (0x18, true, false) => rounded(s, round::AWAY),
        (0x19, false, false) => rounded(s, round::DOWN),
        (0x19, false, true) => rounded(s, round::ZERO),
        (0x19, true, false) => rounded(s, round::CURRENT | 8),
        (0x19, true, true) => rounded(s, round::CURRENT),
        (0x1a, _, false) => to_int(s, round::NEAREST),
        (0x1a, _, true) => to_int(s, round::UP),
        (0x1b, _, false) => to_int(s, round::DOWN),
        (0x1b, _, true) => to_int(s, round::ZERO),
        (0x1c, _, false) => to_int(s, round::AWAY),
        (0x1d, _, false) => i.fp1(s, Op::VFpFromInt, w, a, u64::from(w) | signed),
        (0x1f, true, true) => i.fp1(s, Op::VFpSqrt, w, a, 0),
        _ => return None,
    })
}

pub fn two_misc_of<S: Sem>(s: &mut S, i: Form, w: u8) -> Lift {
    let (u, second, opcode) = (i.bit(29), i.bit(23), i.f(12, 5));
    let ok = match (opcode, u, second) {
        (0x0c | 0x0d, _, true) | (0x0e, false, true) => true,
        (0x0f, _, true) => !scalar(i),
        (0x16, false, false) | (0x17, false, false) => !scalar(i),
        // FCVTXN: from double only.
        (0x16, true, false) => w == 64,
        (0x18, false, _) | (0x18, true, false) | (0x19, _, _) => !scalar(i),
        (0x1a..=0x1b, _, _) | (0x1c, _, false) | (0x1d, _, _) => true,
        (0x1c, _, true) => !scalar(i) && w == 32,
        (0x1f, false, true) => scalar(i),
        (0x1f, true, true) => !scalar(i),
        // FRINT32Z, FRINT32X, FRINT64Z, FRINT64X.
        (0x1e | 0x1f, _, false) => !scalar(i),
        // BFCVTN
        (0x16, false, true) => !scalar(i) && w == 32,
        _ => false,
    };
    let widths = matches!(opcode, 0x16 | 0x17);
    if !ok || (w == 64 && !scalar(i) && !i.bit(30) && !widths) {
        return Lift::Undefined;
    }
    let a = i.n(s);
    if opcode == 0x16 && second {
        let n = s.call_x(ml::bfcvtn, [Some(a), None, None], i.mode());
        return put_narrow(s, i, n);
    }
    if widths {
        if opcode == 0x17 {
            let r = i.fp1(s, Op::VFpWiden, w / 2, a, u64::from(i.bit(30)));
            return put_q(s, i, r);
        }
        if !u {
            let n = i.fp1(s, Op::VFpNarrow, w, a, 0);
            return put_narrow(s, i, n);
        }
        // FCVTXN
        let d = i.d(s);
        let r = lanes(s, i, fp::convert_width, a, d, None);
        return put_q(s, i, r);
    }
    let r = match (opcode, u, second) {
        (0x0f, _, _) => {
            let m = integer::splat(s, w, 1 << (w - 1));
            s.op2(if u { Op::VXor } else { Op::VAndn }, 64, a, m)
        }
        (0x1c, _, true) => {
            let z = s.wide(0);
            lanes(s, i, ev::estimate_int, a, z, None)
        }
        (0x1d, _, false) if scalar(i) => {
            let g = s.op1i(Op::VGet, w, a, 0);
            s.op1i(Op::FpFromInt, w, g, u64::from(w) | u64::from(!u) << 7)
        }
        (0x1b, _, true) if scalar(i) => {
            let g = s.op1i(
                Op::FpToInt,
                w,
                a,
                u64::from(w) | u64::from(!u) << 7 | round::ZERO << 8,
            );
            s.op1(Op::VFromG, 64, g)
        }
        (0x1e | 0x1f, _, false) => {
            let variant = u32::from(u) | u32::from(opcode == 0x1f) << 1;
            let lanes = if i.bit(30) { 128 } else { 64 } / u32::from(w);
            s.call_x(
                fp::round_sized,
                [Some(a), None, None],
                fp::sized(w, variant, lanes),
            )
        }
        _ => match plain_unary(s, i, w, a) {
            Some(r) => r,
            None => helper(s, i, w, fp::two_misc, [Some(a), None, None]),
        },
    };
    put(s, i, w, r);
    Lift::Next
}

/// The two parts of each complex number exchanged, with the signs of the real (1) or imaginary (2) parts changed.
fn turned<S: Sem>(s: &mut S, w: u8, b: S::V, swap: bool, negated: u32) -> S::V {
    let b = if swap {
        s.op1i(Op::VRev, w, b, u64::from(w) * 2)
    } else {
        b
    };
    let sign = 1u128 << (w - 1);
    let pair =
        if negated & 1 != 0 { sign } else { 0 } | if negated & 2 != 0 { sign << w } else { 0 };
    if pair == 0 {
        return b;
    }
    let per = u32::from(w) * 2;
    let m = s.wide((0..128 / per).fold(0, |m, i| m | pair << (i * per)));
    s.op2(Op::VXor, 64, b, m)
}

/// FCMLA: `rot` counts quarter turns.
pub fn complex_multiply<S: Sem>(s: &mut S, i: Form, w: u8, b: S::V, rot: u32) -> Lift {
    let (a, d) = (i.n(s), i.d(s));
    let odd = rot & 1 != 0;
    let a = s.op2(if odd { Op::VTrn2 } else { Op::VTrn1 }, w, a, a);
    let b = turned(s, w, b, odd, [0, 1, 3, 2][rot as usize & 3]);
    let keep = integer::active(i, w);
    let [a, b, d] = [a, b, d].map(|x| s.op1(Op::VZext, keep, x));
    let r = i.fp3(s, Op::VFpFma, w, [a, b, d]);
    put(s, i, w, r);
    Lift::Next
}

/// FCMLA, FCADD.
pub fn complex<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (size, opcode) = (i.f(22, 2), i.f(11, 4));
    if !i.bit(29) || scalar(i) || size == 0 || (size == 3 && !i.bit(30)) {
        return Lift::Undefined;
    }
    let w = 8 << size;
    if opcode < 12 {
        let b = i.m(s);
        return complex_multiply(s, i, w, b, opcode & 3);
    }
    complex_add(s, i, w, opcode != 12);
    Lift::Next
}

/// FCADD by a quarter turn, or by three.
pub fn complex_add<S: Sem>(s: &mut S, i: Form, w: u8, three: bool) {
    let (a, b) = (i.n(s), i.m(s));
    let b = turned(s, w, b, true, if three { 2 } else { 1 });
    let keep = integer::active(i, w);
    let [a, b] = [a, b].map(|x| s.op1(Op::VZext, keep, x));
    let r = i.fp2(s, Op::VFpAdd, w, a, b, 0);
    put(s, i, w, r);
}
