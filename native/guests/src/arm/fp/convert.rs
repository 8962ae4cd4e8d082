//! Conversions between formats, and between floating point and integers.

use super::super::features::{BF16, DOUBLE, FP16, HALF};
use super::super::insn::{Insn, slot};
use super::arith::directed;
use super::{format, get, has, put, s_unit, vd, vm};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::float::{STANDARD, round as rounding};
use crate::ir::sem::Sem;
use crate::simd::fp::javascript as to_javascript;
use crate::simd::matrix::bfcvt;

/// VCVT between single and double precision; bit 8: from double.
pub fn resize<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (from, to) = if i.bit(8) { (64, 32) } else { (32, 64) };
    let (d, m) = (vd(i, to), vm(i, from));
    let double = if from == 64 { m } else { d };
    if !has(i, 64, &[double]) {
        return Lift::Undefined;
    }
    let a = get(s, from, m);
    let r = s.op1i(Op::FpCvt, from, a, u64::from(to));
    put(s, to, d, r);
    Lift::Next
}

/// The lower or upper half (bit 7) of S register `n` replaced.
fn put_half<S: Sem>(s: &mut S, i: Insn, n: u32, v: S::V) {
    let h = s.op1i(Op::VGet, 16, v, 0);
    let old = s.get_x(s_unit(n));
    let r = s.op2i(Op::VIns, 16, old, h, u64::from(i.bit(7)));
    s.set_x(s_unit(n), r);
}

/// VCVTB, VCVTT: between half precision and single or double (bit 8) precision; bit 16: to half.
pub fn half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(8) { 64 } else { 32 };
    // Double precision came with version 8.
    if w == 64 && !i.has(super::super::features::FPV8.and(DOUBLE)) {
        return Lift::Undefined;
    }
    if i.bit(16) {
        let (d, m) = (vd(i, 32), vm(i, w));
        if !has(i, w, &[m]) {
            return Lift::Undefined;
        }
        let a = get(s, w, m);
        let r = s.op1i(Op::FpCvt, w, a, 16);
        put_half(s, i, d, r);
        return Lift::Next;
    }
    let (d, m) = (vd(i, w), vm(i, 32));
    if !has(i, w, &[d]) || !i.has(HALF) {
        return Lift::Undefined;
    }
    let mut a = s.get_x(s_unit(m));
    if i.bit(7) {
        let high = s.op1i(Op::VGet, 16, a, 1);
        a = s.op1(Op::VFromG, 64, high);
    }
    let r = s.op1i(Op::FpCvt, 16, a, u64::from(w));
    put(s, w, d, r);
    Lift::Next
}

/// VCVTB and VCVTT to bfloat16.
pub fn to_bfloat<S: Sem>(s: &mut S, i: Insn) -> Lift {
    debug_assert!(i.has(BF16));
    let a = s.get_x(s_unit(vm(i, 32)));
    let r = s.call_x(bfcvt, [Some(a), None, None], 0);
    put_half(s, i, vd(i, 32), r);
    Lift::Next
}

/// VCVT from a 32-bit integer, signed if bit 7.
pub fn from_int<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (d, m) = (vd(i, w), vm(i, 32));
    if !has(i, w, &[d]) {
        return Lift::Undefined;
    }
    let a = s.get_x(s_unit(m));
    let g = s.op1i(Op::VGet, 32, a, 0);
    let r = s.op1i(Op::FpFromInt, w, g, 32 | u64::from(i.bit(7)) << 7);
    put(s, w, d, r);
    Lift::Next
}

fn integer<S: Sem>(s: &mut S, i: Insn, signed: bool, mode: u64) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (d, m) = (vd(i, 32), vm(i, w));
    if !has(i, w, &[m]) {
        return Lift::Undefined;
    }
    let a = get(s, w, m);
    let g = s.op1i(Op::FpToInt, w, a, 32 | u64::from(signed) << 7 | mode << 8);
    let r = s.op1(Op::VFromG, 64, g);
    s.set_x(s_unit(d), r);
    Lift::Next
}

/// VCVT to an integer towards zero; bit 16: signed.
pub fn to_int<S: Sem>(s: &mut S, i: Insn) -> Lift {
    integer(s, i, i.bit(16), rounding::ZERO)
}

/// VCVTR: in FPSCR's mode.
pub fn round_current<S: Sem>(s: &mut S, i: Insn) -> Lift {
    integer(s, i, i.bit(16), rounding::CURRENT)
}

/// VCVTA, VCVTN, VCVTP, VCVTM; bit 7: signed.
pub fn to_int_rounded<S: Sem>(s: &mut S, i: Insn) -> Lift {
    integer(s, i, i.bit(7), directed(i))
}

/// VCVT between floating point and fixed point, in the same register; bit 18: to fixed point, bit 16: unsigned,
/// bit 7: 32 bits of it instead of 16.
pub fn to_fixed<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let d = vd(i, w);
    if !has(i, w, &[d]) || (w == 16 && !i.has(FP16)) {
        return Lift::Undefined;
    }
    let size: u32 = if i.bit(7) { 32 } else { 16 };
    let (imm, unsigned) = (i.f(0, 4) << 1 | i.f(5, 1), i.bit(16));
    // More fraction bits than bits: UNPREDICTABLE.
    let Some(frac) = size.checked_sub(imm) else {
        return Lift::Undefined;
    };
    let how = u64::from(size) | u64::from(!unsigned) << 7 | u64::from(frac) << 16;
    let a = get(s, w, d);
    if !i.bit(18) {
        let g = s.op1i(Op::VGet, size as u8, a, 0);
        // To nearest, whatever FPSCR says.
        let r = s.op1i(Op::FpFromInt, w, g, how | STANDARD);
        put(s, w, d, r);
        return Lift::Next;
    }
    let mut g = s.op1i(Op::FpToInt, w, a, how | rounding::ZERO << 8);
    if !unsigned {
        g = s.op1(Op::Sext, size as u8, g);
    }
    if w != 64 {
        g = s.op1(Op::Zext, 32, g);
    }
    let r = s.op1(Op::VFromG, 64, g);
    // The whole register: extended to 64 bits, or to 32.
    put(s, w.max(32), d, r);
    Lift::Next
}

/// VJCVT.
pub fn javascript<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let m = vm(i, 64);
    if !has(i, 64, &[m]) {
        return Lift::Undefined;
    }
    let a = get(s, 64, m);
    let r = s.call(to_javascript, [Some(a), None, None], 0);
    let v = s.op1(Op::VFromG, 64, r);
    s.set_x(s_unit(vd(i, 32)), v);
    let z = s.shift_k(Op::Shr, 64, r, 32);
    s.set(slot::FPFLAGS, z);
    Lift::Next
}
