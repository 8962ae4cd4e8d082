//! Multiplication and division (Arm ARM F5: MUL ... UMAAL, SMLAxy ... SMMLS, SDIV, UDIV).

use super::insn::{Insn, reg, set, slot};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// The registers of a product: result (or high half), addend (or low half), factors.
struct Regs {
    d: u32,
    a: u32,
    n: u32,
    m: u32,
}

impl Regs {
    fn of(i: Insn) -> Self {
        if i.thumb {
            Self {
                d: i.f(8, 4),
                a: i.f(12, 4),
                n: i.f(16, 4),
                m: i.f(0, 4),
            }
        } else {
            Self {
                d: i.f(16, 4),
                a: i.f(12, 4),
                n: i.f(0, 4),
                m: i.f(8, 4),
            }
        }
    }

    fn bad(&self) -> bool {
        self.d == 15 || self.n == 15 || self.m == 15
    }

    /// Of the long ones: both halves and the factors.
    fn bad_long(&self) -> bool {
        self.bad() || self.a == 15 || self.a == self.d
    }
}

fn finish<S: Sem>(s: &mut S, i: Insn, d: u32, r: S::V) -> Lift {
    set(s, d, r);
    if !i.thumb && i.bit(20) {
        s.set_nz(r, None);
    }
    Lift::Next
}

pub fn mul<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad() {
        return Lift::Undefined;
    }
    let (n, m) = (reg(s, i, x.n), reg(s, i, x.m));
    let r = s.op2(Op::Mul, 32, n, m);
    finish(s, i, x.d, r)
}

pub fn t16_mul<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n) = (i.f(0, 3), i.f(3, 3));
    let (a, b) = (reg(s, i, n), reg(s, i, d));
    let r = s.op2(Op::Mul, 32, a, b);
    set(s, d, r);
    if !i.in_it() {
        s.set_nz(r, None);
    }
    Lift::Next
}

fn accumulate<S: Sem>(s: &mut S, i: Insn, op: Op) -> Lift {
    let x = Regs::of(i);
    if x.bad() || x.a == 15 {
        return Lift::Undefined;
    }
    let (n, m, a) = (reg(s, i, x.n), reg(s, i, x.m), reg(s, i, x.a));
    let p = s.op2(Op::Mul, 32, n, m);
    let r = s.op2(op, 32, a, p);
    finish(s, i, x.d, r)
}

pub fn mla<S: Sem>(s: &mut S, i: Insn) -> Lift {
    accumulate(s, i, Op::Add)
}

pub fn mls<S: Sem>(s: &mut S, i: Insn) -> Lift {
    accumulate(s, i, Op::Sub)
}

/// The two halves of a 64-bit number in registers.
fn pair<S: Sem>(s: &mut S, i: Insn, x: &Regs) -> S::V {
    let (lo, hi) = (reg(s, i, x.a), reg(s, i, x.d));
    let hi = s.shift_k(Op::Shl, 64, hi, 32);
    s.op2(Op::Or, 64, lo, hi)
}

fn set_pair<S: Sem>(s: &mut S, x: &Regs, v: S::V) {
    let hi = s.shift_k(Op::Shr, 64, v, 32);
    set(s, x.a, v);
    set(s, x.d, hi);
}

/// Adds a 64-bit product to both halves.
fn add_pair<S: Sem>(s: &mut S, i: Insn, x: &Regs, p: S::V) -> Lift {
    let a = pair(s, i, x);
    let r = s.op2(Op::Add, 64, p, a);
    set_pair(s, x, r);
    Lift::Next
}

/// A 64-bit product.
fn product<S: Sem>(s: &mut S, i: Insn, x: &Regs, signed: bool) -> S::V {
    let (mut n, mut m) = (reg(s, i, x.n), reg(s, i, x.m));
    if signed {
        n = s.op1(Op::Sext, 32, n);
        m = s.op1(Op::Sext, 32, m);
    }
    s.op2(Op::Mul, 64, n, m)
}

/// SMULL, UMULL, SMLAL, UMLAL.
pub fn long<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad_long() {
        return Lift::Undefined;
    }
    // T32: bits 22-20 are 000 SMULL, 010 UMULL, 100 SMLAL, 110 UMLAL.
    let (signed, adds) = if i.thumb {
        (!i.bit(21), i.bit(22))
    } else {
        (i.bit(22), i.bit(21))
    };
    let mut r = product(s, i, &x, signed);
    if adds {
        let a = pair(s, i, &x);
        r = s.op2(Op::Add, 64, r, a);
    }
    set_pair(s, &x, r);
    if !i.thumb && i.bit(20) {
        // N and Z of all 64 bits.
        let hi = s.shift_k(Op::Shr, 64, r, 32);
        let low = s.op1(Op::Zext, 32, r);
        let low = s.not_zero(32, low);
        let v = s.op2(Op::Or, 32, hi, low);
        s.set_nz(v, None);
    }
    Lift::Next
}

pub fn umaal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad_long() {
        return Lift::Undefined;
    }
    let p = product(s, i, &x, false);
    let (lo, hi) = (reg(s, i, x.a), reg(s, i, x.d));
    let r = s.op2(Op::Add, 64, p, lo);
    let r = s.op2(Op::Add, 64, r, hi);
    set_pair(s, &x, r);
    Lift::Next
}

pub fn divide<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad() {
        return Lift::Undefined;
    }
    let (n, m) = (reg(s, i, x.n), reg(s, i, x.m));
    let op = if i.bit(21) { Op::UDiv } else { Op::SDiv };
    let r = s.op2(op, 32, n, m);
    set(s, x.d, r);
    Lift::Next
}

/// A signed half of a register in 64 bits.
fn half<S: Sem>(s: &mut S, v: S::V, top: bool) -> S::V {
    let v = if top {
        s.shift_k(Op::Shr, 32, v, 16)
    } else {
        v
    };
    s.op1(Op::Sext, 16, v)
}

/// Sets Q unless the 64-bit value fits 32 bits with its sign.
fn note_overflow<S: Sem>(s: &mut S, v: S::V) {
    // What fits is below 2^32 then.
    let up = s.add_k(64, v, 1 << 31);
    let over = s.shift_k(Op::Shr, 64, up, 32);
    let old = s.get(slot::Q);
    let q = s.op2(Op::Or, 32, old, over);
    s.set(slot::Q, q);
}

/// a + p in 64 bits, where a is a signed 32-bit register: the result, with Q.
fn add_with_q<S: Sem>(s: &mut S, i: Insn, d: u32, a: u32, p: S::V) -> Lift {
    let a = reg(s, i, a);
    let a = s.op1(Op::Sext, 32, a);
    let r = s.op2(Op::Add, 64, p, a);
    note_overflow(s, r);
    set(s, d, r);
    Lift::Next
}

/// Which halves: of n, of m.
fn halves(i: Insn) -> (bool, bool) {
    if i.thumb {
        (i.bit(5), i.bit(4))
    } else {
        (i.bit(5), i.bit(6))
    }
}

/// The 64-bit product of two signed halves.
fn of_halves<S: Sem>(s: &mut S, i: Insn, x: &Regs) -> S::V {
    let (tn, tm) = halves(i);
    let (n, m) = (reg(s, i, x.n), reg(s, i, x.m));
    let (n, m) = (half(s, n, tn), half(s, m, tm));
    s.op2(Op::Mul, 64, n, m)
}

/// The end of SMULxy and SMULWy, or (`adds`) of SMLAxy and SMLAWy.
fn product_or_sum<S: Sem>(s: &mut S, i: Insn, x: &Regs, p: S::V, adds: bool) -> Lift {
    if !adds {
        set(s, x.d, p);
        return Lift::Next;
    }
    if x.a == 15 {
        return Lift::Undefined;
    }
    add_with_q(s, i, x.d, x.a, p)
}

/// SMULxy, SMLAxy.
pub fn half_product<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad() {
        return Lift::Undefined;
    }
    let p = of_halves(s, i, &x);
    let adds = if i.thumb { x.a != 15 } else { !i.bit(22) };
    product_or_sum(s, i, &x, p, adds)
}

/// SMULWy, SMLAWy.
pub fn word_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad() {
        return Lift::Undefined;
    }
    let top = if i.thumb { i.bit(4) } else { i.bit(6) };
    let (n, m) = (reg(s, i, x.n), reg(s, i, x.m));
    let n = s.op1(Op::Sext, 32, n);
    let m = half(s, m, top);
    let p = s.op2(Op::Mul, 64, n, m);
    let p = s.shift_k(Op::Sar, 64, p, 16);
    let adds = if i.thumb { x.a != 15 } else { !i.bit(5) };
    product_or_sum(s, i, &x, p, adds)
}

/// SMLALxy.
pub fn half_long<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad_long() {
        return Lift::Undefined;
    }
    let p = of_halves(s, i, &x);
    add_pair(s, i, &x, p)
}

/// Both products of halves, exchanged or not, and their sum or difference in 64 bits.
fn dual<S: Sem>(s: &mut S, i: Insn, x: &Regs, subtracts: bool, swap: bool) -> S::V {
    let (n, m) = (reg(s, i, x.n), reg(s, i, x.m));
    let (n0, n1) = (half(s, n, false), half(s, n, true));
    let (m0, m1) = (half(s, m, swap), half(s, m, !swap));
    let p = s.op2(Op::Mul, 64, n0, m0);
    let q = s.op2(Op::Mul, 64, n1, m1);
    s.op2(if subtracts { Op::Sub } else { Op::Add }, 64, p, q)
}

/// SMUAD, SMUSD, SMLAD, SMLSD.
pub fn dual_product<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad() {
        return Lift::Undefined;
    }
    let (subtracts, swap) = if i.thumb {
        (i.bit(22), i.bit(4))
    } else {
        (i.bit(6), i.bit(5))
    };
    let p = dual(s, i, &x, subtracts, swap);
    if x.a == 15 {
        note_overflow(s, p);
        set(s, x.d, p);
        return Lift::Next;
    }
    add_with_q(s, i, x.d, x.a, p)
}

/// SMLALD, SMLSLD.
pub fn dual_long<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad_long() {
        return Lift::Undefined;
    }
    let (subtracts, swap) = if i.thumb {
        (i.bit(20), i.bit(4))
    } else {
        (i.bit(6), i.bit(5))
    };
    let p = dual(s, i, &x, subtracts, swap);
    add_pair(s, i, &x, p)
}

/// SMMUL, SMMLA, SMMLS: the high half, rounded or not.
pub fn high<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Regs::of(i);
    if x.bad() {
        return Lift::Undefined;
    }
    let (subtracts, rounds) = if i.thumb {
        (i.f(20, 3) == 6, i.bit(4))
    } else {
        (i.bit(6), i.bit(5))
    };
    if subtracts && x.a == 15 {
        return Lift::Undefined;
    }
    let mut r = product(s, i, &x, true);
    if x.a != 15 {
        let a = reg(s, i, x.a);
        let a = s.shift_k(Op::Shl, 64, a, 32);
        r = s.op2(if subtracts { Op::Sub } else { Op::Add }, 64, a, r);
    }
    if rounds {
        r = s.add_k(64, r, 1 << 31);
    }
    let r = s.shift_k(Op::Shr, 64, r, 32);
    set(s, x.d, r);
    Lift::Next
}
