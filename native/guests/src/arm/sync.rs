//! Exclusive, ordered and atomic accesses (Arm ARM F5: LDREX, STREX, CLREX, LDA, STL, SWP). All must be aligned.

use super::insn::{Insn, add_k, mode, reg, set};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::{Op, Rmw};

/// The width of an exclusive or ordered access; 64: of two registers.
fn width(i: Insn) -> u8 {
    if i.thumb {
        // Bits 5-4: byte, half, word, double.
        8 << i.f(4, 2)
    } else {
        [32, 64, 8, 16][i.f(21, 2) as usize]
    }
}

/// Two registers as the 64 bits that are in memory, first the one at the lower address.
fn join<S: Sem>(s: &mut S, i: Insn, a: u32, b: u32) -> S::V {
    let (a, b) = (reg(s, i, a), reg(s, i, b));
    let (low, high) = if i.mode & mode::BIG != 0 {
        (b, a)
    } else {
        (a, b)
    };
    let high = s.shift_k(Op::Shl, 64, high, 32);
    s.op2(Op::Or, 64, low, high)
}

fn split<S: Sem>(s: &mut S, i: Insn, v: S::V, a: u32, b: u32) {
    let high = s.shift_k(Op::Shr, 64, v, 32);
    let (x, y) = if i.mode & mode::BIG != 0 {
        (high, v)
    } else {
        (v, high)
    };
    set(s, a, x);
    set(s, b, y);
}

/// The second register of a double access.
fn second(i: Insn, t: u32) -> u32 {
    if i.thumb { i.f(8, 4) } else { t + 1 }
}

fn bad_pair(i: Insn, t: u32) -> bool {
    let t2 = second(i, t);
    if i.thumb {
        matches!(t2, 13 | 15) || t == t2
    } else {
        t & 1 != 0 || t == 14
    }
}

/// LDREX, LDAEX and their narrower and wider forms.
pub fn load<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, t, w) = (i.f(16, 4), i.f(12, 4), width(i));
    if n == 15 || t == 15 || (w == 64 && bad_pair(i, t)) {
        return Lift::Undefined;
    }
    let addr = reg(s, i, n);
    load_at(s, i, w, addr, t)
}

fn load_at<S: Sem>(s: &mut S, i: Insn, w: u8, addr: S::V, t: u32) -> Lift {
    s.aligned(w, addr, false);
    let v = s.load_ex(w, addr);
    if w == 64 {
        split(s, i, v, t, second(i, t));
    } else {
        set(s, t, v);
    }
    Lift::Next
}

/// LDREX of T32, which has an offset.
pub fn t32_ldrex<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, t) = (i.f(16, 4), i.f(12, 4));
    if n == 15 || matches!(t, 13 | 15) {
        return Lift::Undefined;
    }
    let a = reg(s, i, n);
    let addr = add_k(s, a, (i.f(0, 8) << 2) as i32);
    load_at(s, i, 32, addr, t)
}

/// STREX, STLEX and their narrower and wider forms.
pub fn store<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    let (n, t, d) = if i.thumb {
        (i.f(16, 4), i.f(12, 4), i.f(0, 4))
    } else {
        (i.f(16, 4), i.f(0, 4), i.f(12, 4))
    };
    let clash = w == 64 && d == second(i, t);
    if n == 15 || d == 15 || t == 15 || d == n || d == t || clash {
        return Lift::Undefined;
    }
    if w == 64
        && (if i.thumb {
            second(i, t) == 15
        } else {
            bad_pair(i, t)
        })
    {
        return Lift::Undefined;
    }
    let addr = reg(s, i, n);
    store_at(s, i, w, addr, t, d)
}

fn store_at<S: Sem>(s: &mut S, i: Insn, w: u8, addr: S::V, t: u32, d: u32) -> Lift {
    s.aligned(w, addr, true);
    let v = if w == 64 {
        join(s, i, t, second(i, t))
    } else {
        reg(s, i, t)
    };
    let r = s.store_ex(w, addr, v);
    set(s, d, r);
    Lift::Next
}

pub fn t32_strex<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, t, d) = (i.f(16, 4), i.f(12, 4), i.f(8, 4));
    if n == 15 || matches!(t, 13 | 15) || matches!(d, 13 | 15) || d == n || d == t {
        return Lift::Undefined;
    }
    let a = reg(s, i, n);
    let addr = add_k(s, a, (i.f(0, 8) << 2) as i32);
    store_at(s, i, 32, addr, t, d)
}

/// LDA, LDAB, LDAH: any load of the host acquires.
pub fn acquire<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, t, w) = (i.f(16, 4), i.f(12, 4), width(i));
    if n == 15 || t == 15 || w == 64 {
        return Lift::Undefined;
    }
    let addr = reg(s, i, n);
    s.aligned(w, addr, false);
    let v = s.load(w, 0, addr);
    set(s, t, v);
    Lift::Next
}

/// STL, STLB, STLH: a later LDA must not pass it.
pub fn release<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let t = if i.thumb { i.f(12, 4) } else { i.f(0, 4) };
    let (n, w) = (i.f(16, 4), width(i));
    if n == 15 || t == 15 || w == 64 {
        return Lift::Undefined;
    }
    let addr = reg(s, i, n);
    s.aligned(w, addr, true);
    let v = reg(s, i, t);
    s.store(w, addr, v);
    s.fence();
    Lift::Next
}

pub fn clrex<S: Sem>(s: &mut S, _i: Insn) -> Lift {
    s.clear_ex();
    Lift::Next
}

/// SWP and SWPB.
pub fn swap<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, t, m) = (i.f(16, 4), i.f(12, 4), i.f(0, 4));
    if n == 15 || t == 15 || m == 15 || n == t || n == m {
        return Lift::Undefined;
    }
    let w = if i.bit(22) { 8 } else { 32 };
    let addr = reg(s, i, n);
    s.aligned(w, addr, true);
    let v = reg(s, i, m);
    let old = s.rmw(Rmw::Swap, w, addr, v);
    set(s, t, old);
    Lift::Next
}
