//! Atomic accesses: A, Zabha, Zacas. All of them must be aligned; the host's order is stronger than any that they ask for.

use super::insn::{Insn, done, set, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::{Op, Rmw};

fn width(i: Insn) -> u8 {
    8 << i.f(12, 2)
}

/// `w` bits from memory, sign-extended to a register's width.
fn loaded<S: Sem>(s: &mut S, i: Insn, w: u8, v: S::V) -> S::V {
    if w >= i.xlen {
        return v;
    }
    let v = s.op1(Op::Sext, w, v);
    s.op1(Op::Zext, i.xlen, v)
}

pub fn lr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, addr) = (width(i), x(s, i.rs1()));
    s.aligned(w, addr, false);
    let v = s.load_ex(w, addr);
    let v = loaded(s, i, w, v);
    done(s, i, v)
}

pub fn sc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, addr) = (width(i), x(s, i.rs1()));
    s.aligned(w, addr, true);
    let v = x(s, i.rs2());
    let failed = s.store_ex(w, addr, v);
    done(s, i, failed)
}

/// AMOSWAP ... AMOMAXU, by bits 31-27.
pub fn amo<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, addr) = (width(i), x(s, i.rs1()));
    let mut v = x(s, i.rs2());
    let op = match i.f(27, 5) {
        0 => Rmw::Add,
        1 => Rmw::Swap,
        4 => Rmw::Xor,
        8 => Rmw::Or,
        12 => {
            v = s.op1(Op::Not, i.xlen, v);
            Rmw::Clear
        }
        16 => Rmw::MinS,
        20 => Rmw::MaxS,
        24 => Rmw::MinU,
        28 => Rmw::MaxU,
        _ => return Lift::Undefined,
    };
    s.aligned(w, addr, true);
    let old = s.rmw(op, w, addr, v);
    let old = loaded(s, i, w, old);
    done(s, i, old)
}

/// AMOCAS of up to a register's width.
pub fn cas<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, addr) = (width(i), x(s, i.rs1()));
    s.aligned(w, addr, true);
    let (expected, v) = (x(s, i.rd()), x(s, i.rs2()));
    let old = s.cas(w, addr, expected, v);
    let old = loaded(s, i, w, old);
    done(s, i, old)
}

/// A pair of registers as one wide value; the pair of register 0 is zero.
fn pair<S: Sem>(s: &mut S, i: Insn, n: u32) -> S::V {
    let low = x(s, n);
    let high = if n == 0 { low } else { x(s, n + 1) };
    let v = s.op1(Op::VFromG, 64, low);
    s.op2i(Op::VIns, i.xlen, v, high, 1)
}

/// AMOCAS of twice a register's width: pairs of an even register and the next one.
pub fn cas_pair<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, m) = (i.rd(), i.rs2());
    if (d | m) & 1 != 0 {
        return Lift::Undefined;
    }
    let (w, addr) = (i.xlen, x(s, i.rs1()));
    s.aligned(2 * w, addr, true);
    let (expected, v) = (pair(s, i, d), pair(s, i, m));
    let old = s.cas_pair(w, addr, expected, v);
    if d != 0 {
        let (low, high) = (s.op1i(Op::VGet, w, old, 0), s.op1i(Op::VGet, w, old, 1));
        set(s, i, d, low);
        set(s, i, d + 1, high);
    }
    Lift::Next
}
