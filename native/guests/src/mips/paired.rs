//! Paired singles: two in a register of 64 bits. They are rare; their arithmetic is a helper's.

use super::fcsr::{settle, trap_if_raised};
use super::fp::{register, set_register};
use super::insn::{Insn, slot, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::float;
use crate::ir::sem::Sem;
use crate::ir::state::State;

/// Needs registers of 64 bits.
macro_rules! paired {
    ($i:expr) => {
        if !$i.fr() {
            return Lift::Undefined;
        }
    };
}

fn halves(v: u128) -> [u64; 2] {
    [v as u64 & 0xffff_ffff, v as u64 >> 32]
}

/// Operation `f` on both halves, by the environment, with what is raised.
fn on_both(st: &mut State, f: impl Fn(&mut u32, usize) -> u64) -> u128 {
    let mut env = float::with_accrued(st.env(), 0);
    let (low, high) = (f(&mut env, 0) & 0xffff_ffff, f(&mut env, 1));
    settle(st, float::accrued(env));
    u128::from(low | high << 32)
}

const OPS: [Op; 3] = [Op::FpAdd, Op::FpSub, Op::FpMul];

fn computed(st: &mut State, a: u128, b: u128, _: u128, imm: u64) -> u128 {
    let (a, b) = (halves(a), halves(b));
    on_both(st, |env, n| {
        float::arith(env, OPS[imm as usize], 32, a[n], b[n], 0)
    })
}

fn finish<S: Sem>(s: &mut S, i: Insn, n: u32, v: S::V) -> Lift {
    trap_if_raised(s, i);
    set_register(s, i, 64, n, v);
    Lift::Next
}

/// ADD.PS, SUB.PS, MUL.PS.
pub fn arithmetic<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let (a, b) = (register(s, i, 64, i.rd()), register(s, i, 64, i.rt()));
    let r = s.call_x(computed, [Some(a), Some(b), None], i.f(0, 2).into());
    finish(s, i, i.sa(), r)
}

fn added(st: &mut State, a: u128, b: u128, c: u128, imm: u64) -> u128 {
    let (a, b, c) = (halves(a), halves(b), halves(c));
    let op = if imm & 1 != 0 { Op::FpSub } else { Op::FpAdd };
    on_both(st, |env, n| {
        let p = float::arith(env, Op::FpMul, 32, a[n], b[n], 0);
        let sign = if imm & 2 != 0 { 1 << 31 } else { 0 };
        float::arith(env, op, 32, p, c[n], 0) ^ sign
    })
}

/// MADD.PS, MSUB.PS, NMADD.PS, NMSUB.PS.
pub fn multiply_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let (a, b) = (register(s, i, 64, i.rd()), register(s, i, 64, i.rt()));
    let c = register(s, i, 64, i.rs());
    let r = s.call_x(added, [Some(a), Some(b), Some(c)], i.f(3, 2).into());
    finish(s, i, i.sa(), r)
}

/// ABS.PS, MOV.PS, NEG.PS.
pub fn sign<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let a = register(s, i, 64, i.rd());
    let signs = s.wide(1 << 31 | 1 << 63);
    let r = match i.f(0, 2) {
        1 => s.op2(Op::VAndn, 64, a, signs),
        2 => a,
        _ => s.op2(Op::VXor, 64, a, signs),
    };
    set_register(s, i, 64, i.sa(), r);
    Lift::Next
}

/// One of two singles of a general value.
fn half<S: Sem>(s: &mut S, v: S::V, upper: bool) -> S::V {
    s.op1i(Op::VGet, 32, v, upper.into())
}

/// CVT.PS.S: fs above ft. PLL, PLU, PUL, PUU: halves of fs above halves of ft.
pub fn pack<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let (a, b) = (register(s, i, 64, i.rd()), register(s, i, 64, i.rt()));
    let joins = i.function() >= 0x2c;
    let (a, b) = (half(s, a, joins && i.bit(1)), half(s, b, joins && i.bit(0)));
    let high = s.shift_k(Op::Shl, 64, a, 32);
    let v = s.op2(Op::Or, 64, high, b);
    let v = s.op1(Op::VFromG, 64, v);
    set_register(s, i, 64, i.sa(), v);
    Lift::Next
}

/// CVT.S.PL, CVT.S.PU.
pub fn unpack<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let a = register(s, i, 64, i.rd());
    let v = half(s, a, !i.bit(3));
    let v = s.op1(Op::VFromG, 64, v);
    set_register(s, i, 32, i.sa(), v);
    Lift::Next
}

fn compared(st: &mut State, a: u128, b: u128, _: u128, imm: u64) -> u128 {
    let (a, b) = (halves(a), halves(b));
    let how = imm & 7;
    on_both(st, |env, n| {
        use crate::ir::flags::{C, N, V, Z};
        let f = float::compare(env, 32, a[n], b[n], imm & 8 != 0);
        let holds =
            how & 1 != 0 && f == C | V || how & 2 != 0 && f & Z != 0 || how & 4 != 0 && f & N != 0;
        holds.into()
    })
}

/// C.cond.PS: two conditions, the lower one even.
pub fn compare<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    if i.bit(8) {
        return Lift::Undefined;
    }
    let (a, b) = (register(s, i, 64, i.rd()), register(s, i, 64, i.rt()));
    let v = s.call(compared, [Some(a), Some(b), None], i.f(0, 4).into());
    trap_if_raised(s, i);
    let (low, high) = (s.and_k(64, v, 1), s.shift_k(Op::Shr, 64, v, 32));
    let n = slot::FCC + i.f(8, 3) as u16;
    s.set(n, low);
    s.set(n + 1, high);
    Lift::Next
}

/// MOVZ.PS, MOVN.PS.
pub fn move_if<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let v = x(s, i.rt());
    let c = if i.bit(0) {
        s.not_zero(i.xlen(), v)
    } else {
        s.is_zero(i.xlen(), v)
    };
    let a = register(s, i, 64, i.rd());
    s.when(c);
    set_register(s, i, 64, i.sa(), a);
    s.unguard();
    Lift::Next
}

/// MOVF.PS, MOVT.PS: each half by a condition of its own.
pub fn move_fcc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let n = slot::FCC + (i.f(18, 3) & 6) as u16;
    let (a, old) = (register(s, i, 64, i.rd()), register(s, i, 64, i.sa()));
    let mut v = s.konst(0);
    for (upper, condition) in [(false, n), (true, n + 1)] {
        let c = s.get(condition);
        let (a, old) = (half(s, a, upper), half(s, old, upper));
        let (yes, no) = if i.bit(16) { (a, old) } else { (old, a) };
        let part = s.select(32, c, yes, no);
        let part = s.shift_k(Op::Shl, 64, part, if upper { 32 } else { 0 });
        v = s.op2(Op::Or, 64, v, part);
    }
    let v = s.op1(Op::VFromG, 64, v);
    set_register(s, i, 64, i.sa(), v);
    Lift::Next
}

/// ALNV.PS: halves of two registers, by whether the address in a register is an odd word's.
pub fn align<S: Sem>(s: &mut S, i: Insn) -> Lift {
    paired!(i);
    let (a, b) = (register(s, i, 64, i.rd()), register(s, i, 64, i.rt()));
    let by = x(s, i.rs());
    let low = s.and_k(64, by, 4);
    let odd = s.not_zero(64, low);
    let (al, ah) = (half(s, a, false), half(s, a, true));
    let (bl, bh) = (half(s, b, false), half(s, b, true));
    // Little-endian: the upper half of fs below the lower one of ft.
    let (high, low) = if i.guest.big_endian {
        (al, bh)
    } else {
        (bl, ah)
    };
    let high = s.shift_k(Op::Shl, 64, high, 32);
    let joined = s.op2(Op::Or, 64, high, low);
    let whole = s.op1i(Op::VGet, 64, a, 0);
    let v = s.select(64, odd, joined, whole);
    let v = s.op1(Op::VFromG, 64, v);
    set_register(s, i, 64, i.sa(), v);
    Lift::Next
}
