//! Moves between general registers and those of floating point and Advanced SIMD.

use super::super::features::{D32, DOUBLE, NEON};
use super::super::insn::{Insn, reg, set};
use super::{d_unit, has, s_unit, vm, vn};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::form::register;

/// Moves `w` bits between general register `t` and the single-precision register in unit `n`; bit 20: to the
/// general one.
fn between<S: Sem>(s: &mut S, i: Insn, w: u8, t: u32, n: u16) {
    if i.bit(20) {
        let v = s.get_x(n);
        let r = s.op1i(Op::VGet, w, v, 0);
        set(s, t, r);
    } else {
        let mut v = reg(s, i, t);
        if w < 32 {
            v = s.op1(Op::Zext, w, v);
        }
        let v = s.op1(Op::VFromG, 64, v);
        s.set_x(n, v);
    }
}

fn core<S: Sem>(s: &mut S, i: Insn, w: u8) -> Lift {
    let (t, n) = (i.f(12, 4), s_unit(vn(i, 32)));
    if t == 15 {
        return Lift::Undefined;
    }
    between(s, i, w, t, n);
    Lift::Next
}

/// VMOV of a single-precision register and a general one.
pub fn core_single<S: Sem>(s: &mut S, i: Insn) -> Lift {
    core(s, i, 32)
}

/// The same of half precision.
pub fn core_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    core(s, i, 16)
}

/// VMOV of two single-precision registers and two general ones.
pub fn core_pair_s<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (t, t2, m) = (i.f(12, 4), i.f(16, 4), vm(i, 32));
    if t == 15 || t2 == 15 || m == 31 || (i.bit(20) && t == t2) {
        return Lift::Undefined;
    }
    for (t, n) in [(t, s_unit(m)), (t2, s_unit(m + 1))] {
        between(s, i, 32, t, n);
    }
    Lift::Next
}

/// VMOV of a double-precision register and two general ones.
pub fn core_pair_d<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (t, t2, m) = (i.f(12, 4), i.f(16, 4), vm(i, 64));
    if t == 15 || t2 == 15 || (i.bit(20) && t == t2) || (m >= 16 && !i.has(D32)) {
        return Lift::Undefined;
    }
    if i.bit(20) {
        let v = s.get_x(d_unit(m));
        let v = s.op1i(Op::VGet, 64, v, 0);
        let low = s.op1(Op::Zext, 32, v);
        let high = s.shift_k(Op::Shr, 64, v, 32);
        set(s, t, low);
        set(s, t2, high);
    } else {
        let (low, high) = (reg(s, i, t), reg(s, i, t2));
        let high = s.shift_k(Op::Shl, 64, high, 32);
        let v = s.op2(Op::Or, 64, low, high);
        let v = s.op1(Op::VFromG, 64, v);
        s.set_x(d_unit(m), v);
    }
    Lift::Next
}

/// An element's width and number by opc1:opc2 (bits 22-21, 6-5). Bytes and halfwords are Advanced SIMD's.
fn element(i: Insn) -> Option<(u8, u64)> {
    let code = i.f(21, 2) << 2 | i.f(5, 2);
    let found = if code & 8 != 0 {
        (8, code & 7)
    } else if code & 1 != 0 {
        (16, code >> 1)
    } else if code & 2 == 0 {
        (32, code >> 2)
    } else {
        return None;
    };
    let exists = found.0 == 32 || i.has(NEON);
    (exists && has(i, 64, &[vn(i, 64)]) || found.0 == 32 && i.has(DOUBLE) && vn(i, 64) < 16)
        .then_some((found.0, u64::from(found.1)))
}

/// VMOV of a general register to an element.
pub fn to_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some((w, n)) = element(i) else {
        return Lift::Undefined;
    };
    let d = vn(i, 64);
    if i.f(12, 4) == 15 {
        return Lift::Undefined;
    }
    let v = reg(s, i, i.f(12, 4));
    if w == 32 && d < 16 {
        let v = s.op1(Op::VFromG, 64, v);
        s.set_x(s_unit(2 * d + n as u32), v);
        return Lift::Next;
    }
    let old = s.get_x(d_unit(d));
    let r = s.op2i(Op::VIns, w, old, v, n);
    s.set_x(d_unit(d), r);
    Lift::Next
}

/// VMOV of an element to a general register; bit 23: unsigned.
pub fn from_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some((w, n)) = element(i) else {
        return Lift::Undefined;
    };
    let (d, t) = (vn(i, 64), i.f(12, 4));
    if (w == 32 && i.bit(23)) || t == 15 {
        return Lift::Undefined;
    }
    let v = s.get_x(d_unit(d));
    let r = s.op1i(Op::VGet, w, v, n);
    let r = if i.bit(23) { r } else { s.op1(Op::Sext, w, r) };
    set(s, t, r);
    Lift::Next
}

/// VDUP of a general register: bits 22 and 5 the width, bit 21 a Q register.
pub fn duplicate<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, q, d) = (
        [32, 16, 8, 0][(i.f(22, 1) << 1 | i.f(5, 1)) as usize],
        i.bit(21),
        vn(i, 64),
    );
    if w == 0 || (q && d & 1 != 0) || i.f(12, 4) == 15 {
        return Lift::Undefined;
    }
    let v = reg(s, i, i.f(12, 4));
    let v = s.op1(Op::VDupG, w, v);
    s.set_x(register(q, d), v);
    Lift::Next
}
