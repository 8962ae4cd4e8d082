//! Operations by one element.

use super::Form;
use super::different::three_different_of;
use super::eval as ev;
use super::fp;
use super::matrix as ml;
use super::{float, integer, lanes, put, put_q, scalar};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// A whole register.
fn register<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(n as u16)
}

/// Operations by one element: the element in all lanes, then as the vector form.
pub fn by_element<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 4));
    let float = matches!((opcode, u), (1 | 5 | 9, _)) && !(u && opcode != 9);
    let (l, m, h) = (i.f(21, 1), i.f(20, 1), i.f(11, 1));
    let alike = |op: u32, u: bool| Some((true, op, u));
    let diff = |op: u32| Some((false, op, u));
    let target = match (opcode, u) {
        (0, true) => alike(0x12, false),
        (4, true) => alike(0x12, true),
        (8, false) => alike(0x13, false),
        (12, false) => alike(0x16, false),
        (13, false) => alike(0x16, true),
        (2 | 6 | 10, _) => diff([8, 10, 12][opcode as usize / 4]),
        (3 | 7 | 11, false) => diff([9, 11, 13][opcode as usize / 4]),
        _ => None,
    };
    if float {
        let (w, n, rm) = match size {
            0 => (16, h << 2 | l << 1 | m, i.f(16, 4)),
            2 => (32, h << 1 | l, i.rm()),
            3 if l == 0 => (64, h, i.rm()),
            _ => return Lift::Undefined,
        };
        if w == 64 && !scalar(i) && !i.bit(30) {
            return Lift::Undefined;
        }
        let (a, b) = (i.n(s), register(s, rm));
        let b = s.op1i(Op::VDupLane, w, b, u64::from(n));
        return fp_by_element(s, i, w, a, b);
    }
    if matches!((opcode, u), (13 | 15, true)) || (opcode == 14 && !scalar(i)) {
        return extra_by_element(s, i);
    }
    let Some((is_same, op, uu)) = target else {
        return later_by_element(s, i);
    };
    let (w, n, rm) = match size {
        1 => (16u8, h << 2 | l << 1 | m, i.f(16, 4)),
        2 => (32, h << 1 | l, i.rm()),
        _ => return Lift::Undefined,
    };
    let doubling = matches!(op, 9 | 11 | 13) && !is_same;
    if scalar(i) && !(doubling || op == 0x16) {
        return Lift::Undefined;
    }
    let (a, b) = (i.n(s), register(s, rm));
    let b = s.op1i(Op::VDupLane, w, b, u64::from(n));
    if is_same {
        return same(s, i, (op, uu), w, a, b);
    }
    // The same operation in its vector form.
    let mut j = i;
    j.bits = (i.bits & !(0xf << 12)) | op << 12;
    three_different_of(s, j, a, b, doubling)
}

/// MUL (0x13), MLA and MLS (0x12), SQDMULH and SQRDMULH of the same type, by their opcode and U.
pub fn same<S: Sem>(s: &mut S, i: Form, op: (u32, bool), w: u8, a: S::V, b: S::V) -> Lift {
    let r = match op {
        (0x13, _) => s.op2(Op::VMul, w, a, b),
        (0x12, minus) => {
            let d = i.d(s);
            let p = s.op2(Op::VMul, w, a, b);
            s.op2(if minus { Op::VSub } else { Op::VAdd }, w, d, p)
        }
        (_, round) => {
            let keep = integer::active(i, w);
            integer::doubling_high(s, round, w, keep, a, b)
        }
    };
    put(s, i, w, r);
    Lift::Next
}

fn fp_by_element<S: Sem>(s: &mut S, i: Form, w: u8, a: S::V, b: S::V) -> Lift {
    let half = !i.bit(30) && !scalar(i);
    let low = |s: &mut S, a| if half { s.op1(Op::VZext, 64, a) } else { a };
    let (mut a, b) = (low(s, a), low(s, b));
    let one = scalar(i);
    let r = match (i.f(12, 4), i.bit(29)) {
        (9, false) => i.fp2(s, if one { Op::FpMul } else { Op::VFpMul }, w, a, b, 0),
        (9, true) => {
            // FMULX: opcode 11011 of the vector form.
            let mut j = i;
            j.bits = (i.bits & !(1 << 29 | 0x1f << 11 | 1 << 23)) | 0x1b << 11;
            float::helper(s, j, w, fp::three_same, [Some(a), Some(b), None])
        }
        (op, _) => {
            let d = i.d(s);
            let d = low(s, d);
            if op == 5 {
                let m = integer::splat(s, w, 1 << (w - 1));
                a = s.op2(Op::VXor, 64, a, m);
            }
            i.fp3(s, if one { Op::FpFma } else { Op::VFpFma }, w, [a, b, d])
        }
    };
    put(s, i, w, r);
    Lift::Next
}

/// SQRDMLAH, SQRDMLSH, SDOT, UDOT by element.
fn extra_by_element<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (size, opcode) = (i.f(22, 2), i.f(12, 4));
    let (l, m, h) = (i.f(21, 1), i.f(20, 1), i.f(11, 1));
    let (w, n, rm, op) = match (opcode, size) {
        (14, 2) => (32u8, h << 1 | l, i.rm(), 2),
        (13 | 15, 1) => (16, h << 2 | l << 1 | m, i.f(16, 4), u32::from(opcode == 15)),
        (13 | 15, 2) => (32, h << 1 | l, i.rm(), u32::from(opcode == 15)),
        _ => return Lift::Undefined,
    };
    let b = register(s, rm);
    let b = s.op1i(Op::VDupLane, w, b, u64::from(n));
    extra(s, i, op, w, b)
}

/// SQRDMLAH (opcode 0), SQRDMLSH (1), SDOT, UDOT (2) with the second operand `b`.
pub fn extra<S: Sem>(s: &mut S, i: Form, op: u32, w: u8, b: S::V) -> Lift {
    let (a, d) = (i.n(s), i.d(s));
    let keep = integer::active(i, w);
    let (a, b) = (s.op1(Op::VZext, keep, a), s.op1(Op::VZext, keep, b));
    let d = s.op1(Op::VZext, keep, d);
    let mut j = i;
    j.bits = (i.bits & !(0xf << 11)) | op << 11;
    let r = match (op, i.bit(29)) {
        (2, u) => s.op3(if u { Op::VDotU } else { Op::VDotS }, 32, a, b, d),
        _ => lanes(s, j, ev::three_extra, a, b, Some(d)),
    };
    put(s, i, w, r);
    Lift::Next
}

/// FMLAL, FCMLA, USDOT, SUDOT and bfloat16 by element.
fn later_by_element<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 4));
    let (l, m, h) = (i.f(21, 1), i.f(20, 1), i.f(11, 1));
    if scalar(i) {
        return Lift::Undefined;
    }
    let element = |s: &mut S, w: u8, rm: u32, n: u32| {
        let b = register(s, rm);
        s.op1i(Op::VDupLane, w, b, u64::from(n))
    };
    match (opcode, u, size) {
        // FMLAL, FMLSL; FMLAL2, FMLSL2
        (0 | 4, false, 2) | (8 | 12, true, 2) => {
            let b = element(s, 16, i.f(16, 4), h << 2 | l << 1 | m);
            float::multiply_long(s, i, b, u, opcode & 4 != 0)
        }
        (1 | 3 | 5 | 7, true, 1) if i.bit(30) || h == 0 => {
            let b = element(s, 32, i.rm(), h << 1 | l);
            float::complex_multiply(s, i, 16, b, opcode >> 1)
        }
        (1 | 3 | 5 | 7, true, 2) if i.bit(30) && l == 0 => {
            let b = element(s, 64, i.rm(), h);
            float::complex_multiply(s, i, 32, b, opcode >> 1)
        }
        // SUDOT, USDOT, BFDOT
        (15, false, 0..=2) => {
            let b = element(s, 32, i.rm(), h << 1 | l);
            let (a, d) = (i.n(s), i.d(s));
            let r = match size {
                0 => s.op3(Op::VDotUS, 32, b, a, d),
                2 => s.op3(Op::VDotUS, 32, a, b, d),
                _ => s.call_x(ml::bfdot, [Some(a), Some(b), Some(d)], 0),
            };
            put(s, i, 32, r);
            Lift::Next
        }
        // BFMLALB, BFMLALT
        (15, false, _) => {
            let b = element(s, 16, i.f(16, 4), h << 2 | l << 1 | m);
            let (a, d) = (i.n(s), i.d(s));
            let args = [Some(a), Some(b), Some(d)];
            let r = s.call_x(ml::bfmlal, args, u64::from(i.bit(30)) | i.mode());
            put_q(s, i, r)
        }
        _ => Lift::Undefined,
    }
}
