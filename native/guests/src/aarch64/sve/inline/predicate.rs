//! Comparisons, predicates, and what is counted by them.

use super::super::super::insn::{set, x};
use super::Form;
use super::vector::splat;
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::flags::{C, N, Z};
use crate::ir::sem::Sem;

/// Of elements with those of Zm, or with an immediate.
pub(super) fn compare<S: Sem>(s: &mut S, f: Form) -> bool {
    let bits = f.i.bits;
    let (how, immediate) = match (bits >> 24 & 1, bits >> 21 & 1) {
        (0, 0) => (f.i.f(13, 3) << 1 | f.i.f(4, 1), None),
        // Signed: CMPGE, CMPGT, CMPLT, CMPLE, CMPEQ, CMPNE.
        (1, 0) => (
            f.i.f(13, 3) << 1 | f.i.f(4, 1) | 0x20,
            Some(f.i.sf_imm(16, 5) as u64),
        ),
        (0, _) => (
            f.i.f(13, 1) << 1 | f.i.f(4, 1) | 0x40,
            Some(f.i.f(14, 7).into()),
        ),
        _ => return false,
    };
    let g = f.p(s, f.g());
    let mut lanes = Vec::new();
    for k in 0..f.quads {
        let a = f.z(s, f.i.rn(), k);
        let b = match immediate {
            Some(v) => s.wide(splat(f.w, v)),
            None => f.z(s, f.i.rm(), k),
        };
        let (op, swap, not) = match how {
            // CMPHS, CMPHI, CMPGE, CMPGT, CMPEQ, CMPNE.
            0 | 0x40 => (Op::VCmpGeU, false, false),
            1 | 0x41 => (Op::VCmpGtU, false, false),
            8 | 0x20 => (Op::VCmpGeS, false, false),
            9 | 0x21 => (Op::VCmpGtS, false, false),
            10 | 0x28 => (Op::VCmpEq, false, false),
            11 | 0x29 => (Op::VCmpEq, false, true),
            0x22 => (Op::VCmpGtS, true, false),
            0x23 => (Op::VCmpGeS, true, false),
            0x42 => (Op::VCmpGtU, true, false),
            0x43 => (Op::VCmpGeU, true, false),
            _ => return false,
        };
        let v = if swap {
            s.op2(op, f.w, b, a)
        } else {
            s.op2(op, f.w, a, b)
        };
        lanes.push(if not { s.op1(Op::VNot, 128, v) } else { v });
    }
    let r = f.bits(s, &lanes);
    let active = s.and_k(64, g, f.full());
    let r = s.op2(Op::And, 64, r, active);
    f.put_p(s, f.i.f(0, 4), r);
    f.test(s, active, r);
    true
}

/// WHILELT, WHILELO.
pub(super) fn while_less<S: Sem>(s: &mut S, f: Form) -> bool {
    let size = if f.i.bit(12) { 64 } else { 32 };
    let (a, b) = (x(s, f.i.rn()), x(s, f.i.rm()));
    let flags = s.op2(Op::FSub, size, a, b);
    use crate::ir::flags::Cc;
    let less = s.cc(if f.i.bit(11) { Cc::Cc } else { Cc::Lt }, flags);
    let distance = s.op2(Op::Sub, size, b, a);
    let (count, zero) = (s.konst(f.count()), s.konst(0));
    let beyond = s.op2(Op::FSub, 64, distance, count);
    let fewer = s.cc(Cc::Cc, beyond);
    let some = s.select(64, fewer, distance, count);
    let n = s.select(64, less, some, zero);
    let bits = s.shift_k(Op::Shl, 64, n, u64::from((f.w / 8).trailing_zeros()));
    let one = s.konst(1);
    let above = s.op2(Op::Shl, 64, one, bits);
    let all = s.op2(Op::Sub, 64, above, one);
    let r = s.and_k(64, all, f.full());
    f.put_p(s, f.i.f(0, 4), r);
    // The first is so, none is, the last is not.
    let end = s.op2(Op::Xor, 64, n, count);
    let short = s.not_zero(64, end);
    let (first, none) = (s.konst(N), s.konst(Z));
    let any = s.not_zero(64, n);
    let nz = s.select(64, any, first, none);
    let c = s.shift_k(Op::Shl, 64, short, C.trailing_zeros().into());
    let all = s.op2(Op::Or, 64, nz, c);
    let flags = s.op1(Op::FPack, 16, all);
    s.set_f(flags);
    true
}

pub(super) fn ptrue<S: Sem>(s: &mut S, f: Form) -> bool {
    let n = elements(f);
    let step = u64::from(f.w / 8);
    let v = (0..n).fold(0, |p, i| p | 1 << (i * step));
    let v = s.konst(v);
    f.put_p(s, f.i.f(0, 4), v);
    true
}

pub(super) fn pfalse<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = s.konst(0);
    f.put_p(s, f.i.f(0, 4), v);
    true
}

pub(super) fn ptest<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n) = (f.p(s, f.i.f(10, 4)), f.p(s, f.i.f(5, 4)));
    let r = s.op2(Op::And, 64, g, n);
    f.test(s, g, r);
    true
}

pub(super) fn logic_of_predicates<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n, m) = (
        f.p(s, f.i.f(10, 4)),
        f.p(s, f.i.f(5, 4)),
        f.p(s, f.i.f(16, 4)),
    );
    let (or, flags) = (f.i.bit(23), f.i.bit(22));
    let (op, not) = match (or, f.i.bit(9), f.i.bit(4)) {
        (false, false, false) => (Op::And, false),
        (false, false, true) => (Op::Andn, false),
        (false, true, false) => (Op::Xor, false),
        (true, false, false) => (Op::Or, false),
        (true, false, true) => (Op::Orn, false),
        (true, true, false) => (Op::Or, true),
        (true, true, true) => (Op::And, true),
        _ => return false,
    };
    let r = s.op2(op, 64, n, m);
    let r = if not {
        s.op2(Op::Andn, 64, g, r)
    } else {
        s.op2(Op::And, 64, g, r)
    };
    f.put_p(s, f.i.f(0, 4), r);
    if flags {
        f.test(s, g, r);
    }
    true
}

/// BRKA, BRKB, zeroing.
pub(super) fn brk<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n) = (f.p(s, f.i.f(10, 4)), f.p(s, f.i.f(5, 4)));
    let both = s.op2(Op::And, 64, g, n);
    let minus = s.op1(Op::Neg, 64, both);
    let first = s.op2(Op::And, 64, both, minus);
    let one = s.konst(1);
    // What is below it; all where there is none.
    let below = s.op2(Op::Sub, 64, first, one);
    let kept = if f.i.bit(23) {
        below
    } else {
        s.op2(Op::Or, 64, below, first)
    };
    let r = s.op2(Op::And, 64, g, kept);
    f.put_p(s, f.i.f(0, 4), r);
    if f.i.bit(22) {
        f.test(s, g, r);
    }
    true
}

pub(super) const FFR: u32 = super::super::unit::Unit::FFR as u32;

pub(super) fn setffr<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = s.konst((1 << (16 * f.quads)) - 1);
    f.put_p(s, FFR, v);
    true
}

pub(super) fn wrffr<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = f.p(s, f.i.f(5, 4));
    f.put_p(s, FFR, v);
    true
}

pub(super) fn rdffr<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = f.p(s, FFR);
    f.put_p(s, f.i.f(0, 4), v);
    true
}

pub(super) fn rdffr_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, v) = (f.p(s, f.i.f(5, 4)), f.p(s, FFR));
    let r = s.op2(Op::And, 64, g, v);
    f.put_p(s, f.i.f(0, 4), r);
    if f.i.bit(22) {
        f.test(s, g, r);
    }
    true
}

pub(super) fn cntp<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n) = (f.p(s, f.i.f(10, 4)), f.p(s, f.i.f(5, 4)));
    let r = s.op2(Op::And, 64, g, n);
    let r = s.and_k(64, r, f.full());
    let r = s.op1(Op::Popcnt, 64, r);
    set(s, 64, f.i.rd(), r);
    true
}

pub(super) fn incp<S: Sem>(s: &mut S, f: Form) -> bool {
    let n = f.p(s, f.i.f(5, 4));
    let n = s.and_k(64, n, f.full());
    let n = s.op1(Op::Popcnt, 64, n);
    let x = x(s, f.i.rd());
    let r = s.op2(if f.i.bit(16) { Op::Sub } else { Op::Add }, 64, x, n);
    set(s, 64, f.i.rd(), r);
    true
}

/// What a pattern (bits 9-5) has.
pub(super) fn elements(f: Form) -> u64 {
    super::super::unit::pattern(f.i.f(5, 5), f.count() as usize) as u64
}

pub(super) fn count<S: Sem>(s: &mut S, f: Form) -> bool {
    let n = elements(f) * u64::from(f.i.f(16, 4) + 1);
    let r = if !f.i.bit(20) {
        s.konst(n)
    } else {
        let x = x(s, f.i.rd());
        let n = if f.i.bit(10) { n.wrapping_neg() } else { n };
        s.add_k(64, x, n)
    };
    set(s, 64, f.i.rd(), r);
    true
}

pub(super) fn length<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = s.konst((f.i.sf_imm(5, 6) * 16 * i64::from(f.quads)) as u64);
    set(s, 64, f.i.rd(), v);
    true
}
