//! What came with Armv8.2 to 8.6: dot products, complex numbers, products into wider lanes, matrices, bfloat16.

use super::super::features::FP16;
use super::super::insn::Insn;
use super::{dm, enter, form, known, q, uniform};
use crate::arm::insn::LAYOUT;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::form::register;
use crate::simd::{self, Form, matrix as ml};

/// Element `n` of `w` bits of D register `d`, in all lanes.
fn element<S: Sem>(s: &mut S, w: u8, d: u32, n: u32) -> S::V {
    let v = s.get_x(register(false, d));
    s.op1i(Op::VDupLane, w, v, u64::from(n))
}

/// Registers where the second operand is an element: D and N of the size that bit 6 says.
fn with_element(i: Insn) -> Option<Form> {
    form(i, u32::from(q(i)) << 30, [q(i), q(i), false])
}

fn dot_of<S: Sem>(s: &mut S, f: Form, op: Op, b: S::V, swapped: bool) -> Lift {
    let (a, d) = (f.n(s), f.d(s));
    let (a, b) = if swapped { (b, a) } else { (a, b) };
    let r = s.op3(op, 32, a, b, d);
    f.set_d(s, r);
    Lift::Next
}

/// VSDOT, VUDOT (bit 4), VUSDOT (bit 23).
pub fn dot<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let f = known!(uniform(i, 0));
    let op = match (i.bit(23), i.bit(4)) {
        (true, _) => Op::VDotUS,
        (_, true) => Op::VDotU,
        _ => Op::VDotS,
    };
    let b = f.m(s);
    dot_of(s, f, op, b, false)
}

/// The same by element, and VSUDOT (bits 23 and 4).
pub fn dot_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let f = known!(with_element(i));
    let b = element(s, 32, i.f(0, 4), i.f(5, 1));
    let (op, swapped) = match (i.bit(23), i.bit(4)) {
        (true, swapped) => (Op::VDotUS, swapped),
        (_, true) => (Op::VDotU, false),
        _ => (Op::VDotS, false),
    };
    dot_of(s, f, op, b, swapped)
}

/// VSMMLA, VUMMLA (bit 4), VUSMMLA (bit 23).
pub fn matrix<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let f = known!(form(i, 0, [true; 3]));
    let signs = match (i.bit(23), i.bit(4)) {
        (true, _) => 2,
        (_, true) => 0,
        _ => 3,
    };
    let args = [f.n(s), f.m(s), f.d(s)].map(Some);
    let r = s.call_x(ml::matrix, args, signs);
    f.set_d(s, r);
    Lift::Next
}

/// VDOT of bfloat16; bit 25: by element.
pub fn bfloat_dot<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let by_element = i.bit(25);
    let f = known!(if by_element {
        with_element(i)
    } else {
        uniform(i, 0)
    });
    let b = if by_element {
        element(s, 32, i.f(0, 4), i.f(5, 1))
    } else {
        f.m(s)
    };
    let args = [f.n(s), b, f.d(s)].map(Some);
    let r = s.call_x(ml::bfdot, args, 0);
    f.set_d(s, r);
    Lift::Next
}

/// VMMLA of bfloat16.
pub fn bfloat_matrix<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let f = known!(form(i, 0, [true; 3]));
    let args = [f.n(s), f.m(s), f.d(s)].map(Some);
    let r = s.call_x(ml::bfmmla, args, 0);
    f.set_d(s, r);
    Lift::Next
}

/// VFMAB, VFMAT (bit 6); bit 25: by element.
pub fn bfloat_long<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let by_element = i.bit(25);
    let f = known!(form(i, 0, [true, true, !by_element]));
    let b = if by_element {
        element(s, 16, i.f(0, 3), i.f(5, 1) << 1 | i.f(3, 1))
    } else {
        f.m(s)
    };
    let args = [f.n(s), b, f.d(s)].map(Some);
    let r = s.call_x(ml::bfmlal, args, u64::from(i.bit(6)) | f.mode());
    f.set_d(s, r);
    Lift::Next
}

/// The lanes of a:b:d of half precision into single precision; `minus` subtracts.
fn fmlal<S: Sem>(s: &mut S, i: Insn, a: S::V, b: S::V, minus: bool) -> Lift {
    let f = known!(form(i, 0, [q(i), false, false]));
    let d = f.d(s);
    let imm = u64::from(minus) << 1 | u64::from(q(i)) << 2 | f.mode();
    let r = s.call_x(ml::fmlal, [Some(a), Some(b), Some(d)], imm);
    f.set_d(s, r);
    Lift::Next
}

/// An operand of half precision: a D register for four lanes, an S register for two.
fn halves<S: Sem>(s: &mut S, i: Insn, four: u32, one: u32) -> S::V {
    let unit = if q(i) {
        LAYOUT.part(64, (i.f(one, 1) << 4 | i.f(four, 4)) as u16)
    } else {
        LAYOUT.part(32, (i.f(four, 4) << 1 | i.f(one, 1)) as u16)
    };
    s.get_x(unit)
}

/// VFMAL, VFMSL (bit 23).
pub fn multiply_long<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (halves(s, i, 16, 7), halves(s, i, 0, 5));
    fmlal(s, i, a, b, i.bit(23))
}

/// The same by element; bit 20 subtracts.
pub fn multiply_long_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = halves(s, i, 16, 7);
    let b = if q(i) {
        element(s, 16, i.f(0, 3), i.f(5, 1) << 1 | i.f(3, 1))
    } else {
        let v = s.get_x(LAYOUT.part(32, (i.f(0, 3) << 1 | i.f(5, 1)) as u16));
        s.op1i(Op::VDupLane, 16, v, u64::from(i.f(3, 1)))
    };
    fmlal(s, i, a, b, i.bit(20))
}

/// The width of the parts of complex numbers by bit `n`.
fn complex_width(i: Insn, n: u32) -> Option<u8> {
    if i.bit(n) {
        Some(32)
    } else {
        i.has(FP16).then_some(16)
    }
}

/// VCADD: by a quarter turn, or three (bit 24).
pub fn complex_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(complex_width(i, 20));
    let f = known!(uniform(i, 0));
    enter!(s, i);
    simd::float::complex_add(s, f, w, i.bit(24));
    Lift::Next
}

/// VCMLA: bits 24-23 count quarter turns.
pub fn complex_multiply<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(complex_width(i, 20));
    let f = known!(uniform(i, 0));
    enter!(s, i);
    let b = f.m(s);
    simd::float::complex_multiply(s, f, w, b, i.f(23, 2))
}

/// VCMLA by element: bits 21-20 count quarter turns.
pub fn complex_multiply_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(complex_width(i, 23));
    let f = known!(with_element(i));
    enter!(s, i);
    let b = if w == 32 {
        let v = s.get_x(register(false, dm(i)));
        s.op1i(Op::VDupLane, 64, v, 0)
    } else {
        element(s, 32, i.f(0, 4), i.f(5, 1))
    };
    simd::float::complex_multiply(s, f, w, b, i.f(20, 2))
}
