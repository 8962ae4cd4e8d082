//! Operations by one element of a D register.

use super::super::features::{FP16, RDM};
use super::super::insn::Insn;
use super::same::multiply_add_of;
use super::{enter, form, known};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::form::register;
use crate::simd::{self, element as shared};

/// The element of `w` bits that bits 5 and 3-0 name, in all lanes.
pub(super) fn element<S: Sem>(s: &mut S, i: Insn, w: u8) -> S::V {
    let (d, n) = match w {
        16 => (i.f(0, 3), i.f(5, 1) << 1 | i.f(3, 1)),
        _ => (i.f(0, 4), i.f(5, 1)),
    };
    let v = s.get_x(register(false, d));
    s.op1i(Op::VDupLane, w, v, u64::from(n))
}

pub fn by_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (opcode, bit24) = (i.f(8, 4), i.bit(24));
    let w = match i.f(20, 2) {
        1 => 16,
        2 => 32,
        _ => return Lift::Undefined,
    };
    // Long operations have U in bit 24, the others Q.
    let long = matches!(opcode, 2 | 3 | 6 | 7 | 10 | 11);
    let u = u32::from(long && bit24);
    let wide = if long {
        [true, false, false]
    } else {
        [bit24, bit24, false]
    };
    let layout = 0x0e00_0000 | u << 29 | i.f(20, 2) << 22 | u32::from(bit24 && !long) << 30;
    let f = known!(form(i, layout, wide));
    if matches!(opcode, 1 | 5 | 9) && w == 16 && !i.has(FP16) {
        return Lift::Undefined;
    }
    if (opcode >= 14 && !i.has(RDM)) || (matches!(opcode, 3 | 7 | 11) && u != 0) {
        return Lift::Undefined;
    }
    if matches!(opcode, 1 | 5 | 9) {
        enter!(s, i);
    }
    let a = f.n(s);
    let b = element(s, i, w);
    match opcode {
        0 => shared::same(s, f, (0x12, false), w, a, b),
        4 => shared::same(s, f, (0x12, true), w, a, b),
        8 => shared::same(s, f, (0x13, false), w, a, b),
        12 | 13 => shared::same(s, f, (0x16, opcode == 13), w, a, b),
        1 | 5 => multiply_add_of(s, f, w, opcode == 5, a, b),
        9 => {
            let keep = if f.bit(30) { 128 } else { 64 };
            let (a, b) = (s.op1(Op::VZext, keep, a), s.op1(Op::VZext, keep, b));
            let r = f.fp2(s, Op::VFpMul, w, a, b, 0);
            f.set_d(s, r);
            Lift::Next
        }
        14 | 15 => {
            let mut f = f;
            f.bits |= 1 << 29;
            shared::extra(s, f, opcode - 14, w, b)
        }
        _ => {
            let op = [8, 9, 0, 0, 10, 11, 0, 0, 12, 13][opcode as usize - 2];
            let mut f = f;
            f.bits |= op << 12;
            simd::different::three_different_of(s, f, a, b, matches!(op, 9 | 11 | 13))
        }
    }
}
