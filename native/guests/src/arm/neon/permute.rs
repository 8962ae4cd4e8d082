//! Permutations: VEXT, VTBL, VDUP, VSWP, VTRN, VUZP, VZIP.

use super::super::insn::Insn;
use super::{dd, dm, dn, known, q, uniform};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::form::register;
use crate::simd::integer::splat;

/// VEXT.
pub fn extract<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !q(i) && i.bit(11) {
        return Lift::Undefined;
    }
    let f = known!(uniform(i, i.f(8, 4) << 11));
    crate::simd::ext(s, f)
}

/// VTBL, VTBX (bit 6): up to four D registers of eight bytes.
pub fn table<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (len, first) = (i.f(8, 2) + 1, dn(i));
    if first + len > 32 {
        return Lift::Undefined;
    }
    let index = s.get_x(register(false, dm(i)));
    let mut r = None;
    for pair in 0..len.div_ceil(2) {
        let n = first + 2 * pair;
        let low = s.get_x(register(false, n));
        let bytes = if 2 * pair + 1 < len {
            let high = s.get_x(register(false, n + 1));
            s.op2(Op::VZip1, 64, low, high)
        } else {
            s.op1(Op::VZext, 64, low)
        };
        // What is below 16 times the pair wraps to a number past the table.
        let at = if pair == 0 {
            index
        } else {
            let k = splat(s, 8, 16 * u64::from(pair));
            s.op2(Op::VSub, 8, index, k)
        };
        let part = s.op2(Op::VTbl1, 8, bytes, at);
        r = Some(match r {
            None => part,
            Some(before) => s.op2(Op::VOr, 64, before, part),
        });
    }
    let Some(mut r) = r else {
        return Lift::Undefined;
    };
    if i.bit(6) {
        // VTBX keeps the bytes whose index is too large.
        let d = s.get_x(register(false, dd(i)));
        let k = splat(s, 8, 8 * u64::from(len));
        let inside = s.op2(Op::VCmpGtU, 8, k, index);
        r = s.op3(Op::VBsl, 64, r, d, inside);
    }
    s.set_x(register(false, dd(i)), r);
    Lift::Next
}

/// VDUP of an element: bits 19-16 the width and the number.
pub fn duplicate<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let imm = i.f(16, 4);
    let (w, n) = match imm.trailing_zeros() {
        k @ 0..=2 => (8 << k, imm >> (k + 1)),
        _ => return Lift::Undefined,
    };
    if q(i) && dd(i) & 1 != 0 {
        return Lift::Undefined;
    }
    let a = s.get_x(register(false, dm(i)));
    let r = s.op1i(Op::VDupLane, w, a, u64::from(n));
    s.set_x(register(q(i), dd(i)), r);
    Lift::Next
}

/// VSWP, VTRN, VUZP, VZIP (bits 8-7): both registers change.
pub fn transpose<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (kind, size) = (i.f(7, 2), i.f(18, 2));
    let (d, m) = (dd(i), dm(i));
    let exists = match kind {
        0 => size == 0,
        1 => size != 3,
        // Of D registers with two lanes it would be VTRN.
        _ => size < 2 || (size == 2 && q(i)),
    };
    if !exists || (q(i) && (d | m) & 1 != 0) {
        return Lift::Undefined;
    }
    let w = 8 << size;
    let (ud, um) = (register(q(i), d), register(q(i), m));
    let (a, b) = (s.get_x(ud), s.get_x(um));
    let (x, y) = match kind {
        0 => (b, a),
        1 => (s.op2(Op::VTrn1, w, a, b), s.op2(Op::VTrn2, w, a, b)),
        2 if q(i) => (s.op2(Op::VUzp1, w, a, b), s.op2(Op::VUzp2, w, a, b)),
        2 => {
            let j = s.op2(Op::VZip1, 64, a, b);
            (s.op2(Op::VUzp1, w, j, j), s.op2(Op::VUzp2, w, j, j))
        }
        _ if q(i) => (s.op2(Op::VZip1, w, a, b), s.op2(Op::VZip2, w, a, b)),
        _ => {
            let z = s.op2(Op::VZip1, w, a, b);
            (z, s.op1i(Op::VDupLane, 64, z, 1))
        }
    };
    s.set_x(ud, x);
    // Of one register with itself the second result stays, as from a processor that writes it last.
    s.set_x(um, y);
    Lift::Next
}
