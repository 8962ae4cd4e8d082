//! Exclusive, ordered and atomic accesses (Arm ARM B2.9, B2.3.12).
//!
//! All of them must be aligned to their whole size (Arm ARM B2.5.2); with FEAT_LSE2 it is enough that they do not cross a
//! multiple of 16 bytes.

use super::features::USCAT;
use super::insn::{Insn, set, x, xsp};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::{Op, Rmw};

fn width(i: Insn) -> u8 {
    8 << i.f(30, 2)
}

/// Faults unless `w` bits at `addr` are an atomic access.
fn aligned<S: Sem>(s: &mut S, i: Insn, w: u8, addr: S::V, write: bool) {
    let bytes = u32::from(w) / 8;
    let block = if i.has(USCAT) { 16 } else { bytes };
    s.within(bytes, block, addr, write);
}

/// LDXR, LDAXR.
pub fn ldxr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = xsp(s, i.rn());
    aligned(s, i, width(i), addr, false);
    let v = s.load_ex(width(i), addr);
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// STXR, STLXR: the locked instruction orders everything.
pub fn stxr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = xsp(s, i.rn());
    aligned(s, i, width(i), addr, true);
    let v = x(s, i.rd());
    let r = s.store_ex(width(i), addr, v);
    set(s, 32, i.rm(), r);
    Lift::Next
}

// Pairs are one access of twice the width, the first register at the lower address in either byte order. So it is
// little-endian for the host, and on a big-endian guest each half is reversed by itself.

fn half<S: Sem>(s: &mut S, i: Insn, w: u8, v: S::V) -> S::V {
    if i.big() { s.op1(Op::Rev, w, v) } else { v }
}

fn join<S: Sem>(s: &mut S, i: Insn, w: u8, first: S::V, second: S::V) -> S::V {
    let (lo, hi) = (half(s, i, w, first), half(s, i, w, second));
    let v = s.op1(Op::VFromG, 64, lo);
    let lane = s.op2i(Op::VIns, w, v, hi, 1);
    if w == 32 {
        s.op1(Op::VZext, 64, lane)
    } else {
        lane
    }
}

fn split<S: Sem>(s: &mut S, i: Insn, w: u8, v: S::V) -> (S::V, S::V) {
    let (lo, hi) = (s.op1i(Op::VGet, w, v, 0), s.op1i(Op::VGet, w, v, 1));
    (half(s, i, w, lo), half(s, i, w, hi))
}

fn paired<S: Sem>(s: &mut S, i: Insn, access: impl FnOnce(&mut S) -> S::V) -> S::V {
    s.byte_order(false);
    let v = access(s);
    s.byte_order(i.big());
    v
}

pub fn ldxp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = xsp(s, i.rn());
    aligned(s, i, 2 * width(i), addr, false);
    let v = paired(s, i, |s| s.load_ex_pair(width(i), addr));
    let (a, b) = split(s, i, width(i), v);
    set(s, 64, i.rd(), a);
    set(s, 64, i.ra(), b);
    Lift::Next
}

pub fn stxp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = xsp(s, i.rn());
    aligned(s, i, 2 * width(i), addr, true);
    let (a, b) = (x(s, i.rd()), x(s, i.ra()));
    let v = join(s, i, width(i), a, b);
    let r = paired(s, i, |s| s.store_ex_pair(width(i), addr, v));
    set(s, 32, i.rm(), r);
    Lift::Next
}

/// LDAR, LDLAR, LDAPR: any load of the host acquires.
pub fn ldar<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = xsp(s, i.rn());
    aligned(s, i, width(i), addr, false);
    let v = s.load(width(i), 0, addr);
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// STLR, STLLR: a later LDAR must not pass it.
pub fn stlr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = xsp(s, i.rn());
    aligned(s, i, width(i), addr, true);
    let v = x(s, i.rd());
    s.store(width(i), addr, v);
    s.fence();
    Lift::Next
}

/// LDAPUR, STLUR and their sign-extending forms (LRCPC2).
pub fn ldapur<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let base = xsp(s, i.rn());
    let addr = s.add_k(64, base, i.sf_imm(12, 9) as u64);
    let w = width(i);
    aligned(s, i, w, addr, i.f(22, 2) == 0);
    match (i.f(22, 2), w) {
        (0, _) => {
            let v = x(s, i.rd());
            s.store(w, addr, v);
            s.fence();
        }
        (1, _) => {
            let v = s.load(w, 0, addr);
            set(s, 64, i.rd(), v);
        }
        (2, 8..=32) => {
            let v = s.load(w, 64, addr);
            set(s, 64, i.rd(), v);
        }
        (3, 8 | 16) => {
            let v = s.load(w, 32, addr);
            set(s, 32, i.rd(), v);
        }
        _ => return Lift::Undefined,
    }
    Lift::Next
}

pub fn cas<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = xsp(s, i.rn());
    aligned(s, i, width(i), addr, true);
    let (e, v) = (x(s, i.rm()), x(s, i.rd()));
    let old = s.cas(width(i), addr, e, v);
    set(s, 64, i.rm(), old);
    Lift::Next
}

pub fn casp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.rm() & 1 != 0 || i.rd() & 1 != 0 {
        return Lift::Undefined;
    }
    let w = if i.bit(30) { 64 } else { 32 };
    let addr = xsp(s, i.rn());
    aligned(s, i, 2 * w, addr, true);
    let (e0, e1) = (x(s, i.rm()), x(s, i.rm() + 1));
    let (v0, v1) = (x(s, i.rd()), x(s, i.rd() + 1));
    let (e, v) = (join(s, i, w, e0, e1), join(s, i, w, v0, v1));
    let old = paired(s, i, |s| s.cas_pair(w, addr, e, v));
    let (a, b) = split(s, i, w, old);
    set(s, 64, i.rm(), a);
    set(s, 64, i.rm() + 1, b);
    Lift::Next
}

/// LDADD ... LDUMIN and SWP.
pub fn rmw<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let op = if i.bit(15) {
        Rmw::Swap
    } else {
        Rmw::from_index(u64::from(i.f(12, 3)))
    };
    let addr = xsp(s, i.rn());
    aligned(s, i, width(i), addr, true);
    let v = x(s, i.rm());
    let old = s.rmw(op, width(i), addr, v);
    set(s, 64, i.rd(), old);
    Lift::Next
}

/// LDCLRP, LDSETP, SWPP (FEAT_LSE128): by compare-and-swap, anew where another thread was faster.
pub fn rmw_pair<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (t, t2) = (i.rd(), i.rm());
    if t == 31 || t2 == 31 || t == t2 {
        return Lift::Undefined;
    }
    let op = match (i.bit(15), i.f(12, 3)) {
        (false, 1) => Some(Op::VAndn),
        (false, 3) => Some(Op::VOr),
        (true, 0) => None,
        _ => return Lift::Undefined,
    };
    let addr = xsp(s, i.rn());
    aligned(s, i, 128, addr, true);
    let (a, b) = (x(s, t), x(s, t2));
    let v = join(s, i, 64, a, b);
    // A swap of nothing for nothing reads, as a store does.
    let nothing = s.wide(0);
    let old = paired(s, i, |s| s.cas_pair(64, addr, nothing, nothing));
    let new = op.map_or(v, |op| s.op2(op, 128, old, v));
    let seen = paired(s, i, |s| s.cas_pair(64, addr, old, new));
    let changed = s.op2(Op::VXor, 128, seen, old);
    let (lo, hi) = (
        s.op1i(Op::VGet, 64, changed, 0),
        s.op1i(Op::VGet, 64, changed, 1),
    );
    let changed = s.op2(Op::Or, 64, lo, hi);
    let changed = s.not_zero(64, changed);
    s.side(changed, i.pc);
    let (a, b) = split(s, i, 64, old);
    set(s, 64, t, a);
    set(s, 64, t2, b);
    Lift::Next
}
