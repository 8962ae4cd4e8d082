//! VLDR, VSTR, VLDM, VSTM (VPUSH and VPOP among them). All of them want addresses of whole words.

use super::super::features::D32;
use super::super::insn::{Insn, add_k, address, base, set};
use super::{d_unit, s_unit, vd};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// Faults unless `a + k` is a multiple of `bytes`, as `k` is.
pub fn aligned<S: Sem>(s: &mut S, bytes: u32, a: S::V, k: i32, write: bool) {
    let a = if S::STEPS { add_k(s, a, k) } else { a };
    s.aligned_to(bytes, a, write);
}

fn has_register(i: Insn, n: u32) -> bool {
    n < 16 || i.has(D32)
}

/// VLDR, VSTR of single and double (bit 8) precision.
pub fn load_store<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let double = i.bit(8);
    let w = if double { 64 } else { 32 };
    let d = vd(i, w);
    let n = i.f(16, 4);
    // Stores relative to the pc are for A32 only.
    if (double && !has_register(i, d)) || (n == 15 && i.thumb && !i.bit(20)) {
        return Lift::Undefined;
    }
    let unit = if double { d_unit(d) } else { s_unit(d) };
    transfer(s, i, w, unit, 4)
}

/// The same of half precision.
pub fn load_store_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    transfer(s, i, 16, s_unit(vd(i, 32)), 2)
}

fn transfer<S: Sem>(s: &mut S, i: Insn, w: u8, unit: u16, scale: u32) -> Lift {
    let offset = (i.f(0, 8) * scale) as i32;
    let offset = if i.bit(23) { offset } else { -offset };
    let a = base(s, i, i.f(16, 4));
    aligned(s, scale, a, offset, !i.bit(20));
    let a = address(s, a, offset);
    if i.bit(20) {
        let v = s.load_x(w, a);
        s.set_x(unit, v);
    } else {
        let v = s.get_x(unit);
        s.store_x(w, a, v);
    }
    Lift::Next
}

/// VLDM, VSTM: P, U, W in bits 24, 23, 21. An odd number of words of double-precision registers is FLDMX, FSTMX.
pub fn load_store_multiple<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (double, words, n) = (i.bit(8), i.f(0, 8), i.f(16, 4));
    let (p, u, w) = (i.bit(24), i.bit(23), i.bit(21));
    let width = if double { 64 } else { 32 };
    let (d, count) = (vd(i, width), if double { words / 2 } else { words });
    // Increment after without or with write-back, decrement before with it.
    if p == u || (p && !w) || (n == 15 && (w || i.thumb)) {
        return Lift::Undefined;
    }
    if count == 0 || d + count > 32 || count > 16 && double {
        return Lift::Undefined;
    }
    if double && !has_register(i, d + count - 1) {
        return Lift::Undefined;
    }
    let start = if u { 0 } else { -4 * words as i32 };
    let a = base(s, i, n);
    aligned(s, 4, a, start, !i.bit(20));
    let unit = |k: u32| if double { d_unit(d + k) } else { s_unit(d + k) };
    let at = |k: u32| start + (k * u32::from(width / 8)) as i32;
    if i.bit(20) {
        let mut got = Vec::new();
        for k in 0..count {
            let m = address(s, a, at(k));
            got.push(s.load_x(width, m));
        }
        for (k, v) in got.into_iter().enumerate() {
            s.set_x(unit(k as u32), v);
        }
    } else {
        for k in 0..count {
            let v = s.get_x(unit(k));
            let m = address(s, a, at(k));
            s.store_x(width, m, v);
        }
    }
    if w {
        let k = s.konst(u64::from(words * 4));
        let r = s.op2(if u { Op::Add } else { Op::Sub }, 32, a, k);
        set(s, n, r);
    }
    Lift::Next
}
