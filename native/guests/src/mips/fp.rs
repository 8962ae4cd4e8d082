//! Floating point ("MIPS Architecture For Programmers", volume II): single, double, words and long words, paired singles.

use super::fcsr::{keep, remember, settle, trap_if_raised};
use super::features::{NAN2008, R6};
use super::insn::{Insn, LAYOUT, mode, slot, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags::Cc;
use crate::ir::float::{self, OVERFLOW_IS_LARGEST, round};
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::simd::scalar::{kind_of, negated, positive};

/// Whether there is a register `n` of `w` bits: pairs have even numbers.
#[must_use]
pub fn exists(i: Insn, w: u8, n: u32) -> bool {
    w == 32 || i.fr() || n.is_multiple_of(2)
}

/// The unit of register `n`; what is above is anything.
fn unit(i: Insn, w: u8, n: u32) -> u16 {
    let n = n as u16;
    match (w, i.fr()) {
        (64, _) => LAYOUT.part(64, 2 * n),
        (_, true) => LAYOUT.part(32, 4 * n),
        (_, false) => LAYOUT.part(32, 4 * (n & !1) + (n & 1)),
    }
}

/// That of the upper half of double `n`.
#[must_use]
pub fn upper(i: Insn, n: u32) -> u16 {
    let n = if i.fr() { n } else { n & !1 };
    LAYOUT.part(32, 4 * n as u16 + 1)
}

pub fn register<S: Sem>(s: &mut S, i: Insn, w: u8, n: u32) -> S::V {
    s.get_x(unit(i, w, n))
}

pub fn set_register<S: Sem>(s: &mut S, i: Insn, w: u8, n: u32, v: S::V) {
    s.set_x(unit(i, w, n), v);
}

/// A format by its number in bits 25-21: the width, and whether it is of integers.
fn format(number: u32) -> Option<(u8, bool)> {
    match number {
        16 => Some((32, false)),
        17 => Some((64, false)),
        20 => Some((32, true)),
        21 => Some((64, true)),
        _ => None,
    }
}

/// The width of S and D, by bit 21.
fn width(i: Insn) -> u8 {
    if i.bit(21) { 64 } else { 32 }
}

fn fs(i: Insn) -> u32 {
    i.rd()
}
fn ft(i: Insn) -> u32 {
    i.rt()
}
fn fd(i: Insn) -> u32 {
    i.sa()
}

/// The operations that [`exactly`] knows by number.
const OPS: [Op; 13] = [
    Op::FpAdd,
    Op::FpSub,
    Op::FpMul,
    Op::FpDiv,
    Op::FpSqrt,
    Op::FpFma,
    Op::FpCvt,
    Op::FpFromInt,
    Op::FpToInt,
    Op::FFcmp,
    Op::FpMin,
    Op::FpMax,
    Op::FpRound,
];

/// An operation whose exceptions may be enabled: `imm` is the operation's immediate, its number and width.
fn exactly(st: &mut State, a: u128, b: u128, c: u128, imm: u64) -> u128 {
    let (op, w) = (OPS[(imm >> 34 & 15) as usize], (imm >> 40) as u8);
    let mut env = float::with_accrued(st.env(), 0);
    let mut how = imm & 0xffff_ffff;
    if op == Op::FpFma && [a, b, c].iter().any(|&x| float::is_nan(w, x as u64)) {
        // The product is negated, not a NaN.
        how = 0;
    }
    let r = float::eval(&mut env, op, w, a, b, c, how);
    let mut raised = float::accrued(env);
    // What is tiny raises an enabled underflow although it is exact.
    let to = if op == Op::FpCvt { imm as u8 } else { w };
    let number = !matches!(op, Op::FFcmp | Op::FpToInt | Op::FpMin | Op::FpMax);
    let underflows = st.r()[usize::from(slot::FCSR)] >> 8 & 1 != 0;
    if number && underflows && float::is_denormal(to, r as u64) {
        raised |= 2;
    }
    if imm & FIRST != 0 {
        keep(st, raised);
    } else {
        settle(st, raised);
    }
    r
}

/// In a helper's immediate: another operation of the instruction follows.
const FIRST: u64 = 1 << 48;

/// The first of an instruction's two operations: exceptions are raised by both together.
fn compute_first<S: Sem>(s: &mut S, i: Insn, op: Op, w: u8, args: [Option<S::V>; 3]) -> S::V {
    if i.mode & mode::TRAPS == 0 {
        return s.op(op, w, args, 0);
    }
    s.call_x(exactly, args, number(op, w) | FIRST)
}

/// An operation's number and width in a helper's immediate.
fn number(op: Op, w: u8) -> u64 {
    let number = OPS.iter().position(|&known| known == op).unwrap_or(0);
    (number as u64) << 34 | u64::from(w) << 40
}

/// An operation as its encoding says, with the exceptions that are enabled.
fn compute<S: Sem>(s: &mut S, i: Insn, op: Op, w: u8, args: [Option<S::V>; 3], imm: u64) -> S::V {
    if i.mode & mode::TRAPS == 0 {
        return s.op(op, w, args, imm);
    }
    let more = number(op, w);
    let general = matches!(op, Op::FpToInt | Op::FFcmp);
    let r = if general {
        s.call(exactly, args, imm | more)
    } else {
        s.call_x(exactly, args, imm | more)
    };
    trap_if_raised(s, i);
    if op == Op::FFcmp {
        return s.op1(Op::FPack, 16, r);
    }
    r
}

/// Whether all of these registers are there.
fn all_exist(i: Insn, w: u8, which: &[u32]) -> bool {
    which.iter().all(|&n| exists(i, w, n))
}

/// ADD, SUB, MUL, DIV.
pub fn arithmetic<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    if !all_exist(i, w, &[fs(i), ft(i), fd(i)]) {
        return Lift::Undefined;
    }
    let (a, b) = (register(s, i, w, fs(i)), register(s, i, w, ft(i)));
    let op = OPS[i.f(0, 2) as usize];
    let r = compute(s, i, op, w, [Some(a), Some(b), None], 0);
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

pub fn sqrt<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    if !all_exist(i, w, &[fs(i), fd(i)]) {
        return Lift::Undefined;
    }
    let a = register(s, i, w, fs(i));
    let r = compute(s, i, Op::FpSqrt, w, [Some(a), None, None], 0);
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

/// RECIP, RSQRT: divided with a root rounded before.
pub fn reciprocal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    if !all_exist(i, w, &[fs(i), fd(i)]) {
        return Lift::Undefined;
    }
    let mut a = register(s, i, w, fs(i));
    if i.bit(1) {
        a = compute_first(s, i, Op::FpSqrt, w, [Some(a), None, None]);
    }
    let one = s.wide(if w == 64 { 0x3ff0 << 48 } else { 0x3f80_0000 });
    let r = compute(s, i, Op::FpDiv, w, [Some(one), Some(a), None], 0);
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

/// ABS, NEG, MOV: on bits, as processors do them that have ABS2008, and as qemu does them anyway.
pub fn sign<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    if !all_exist(i, w, &[fs(i), fd(i)]) {
        return Lift::Undefined;
    }
    let a = register(s, i, w, fs(i));
    let r = match i.f(0, 2) {
        1 => positive(s, w, a),
        2 => a,
        _ => negated(s, w, a),
    };
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

/// Copies a register where a condition holds.
fn copy_if<S: Sem>(s: &mut S, i: Insn, w: u8, c: S::V) -> Lift {
    let a = register(s, i, w, fs(i));
    s.when(c);
    set_register(s, i, w, fd(i), a);
    s.unguard();
    Lift::Next
}

/// MOVF, MOVT.
pub fn move_fcc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    if !all_exist(i, w, &[fs(i), fd(i)]) {
        return Lift::Undefined;
    }
    let v = s.get(slot::FCC + i.f(18, 3) as u16);
    let c = if i.bit(16) {
        s.not_zero(8, v)
    } else {
        s.is_zero(8, v)
    };
    copy_if(s, i, w, c)
}

/// MOVZ, MOVN: by a general register.
pub fn move_if<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    if !all_exist(i, w, &[fs(i), fd(i)]) {
        return Lift::Undefined;
    }
    let v = x(s, ft(i));
    let c = if i.bit(0) {
        s.not_zero(i.xlen(), v)
    } else {
        s.is_zero(i.xlen(), v)
    };
    copy_if(s, i, w, c)
}

/// The immediate of a conversion to integers: what does not fit is the largest, whatever its sign, unless NaNs are those of
/// 2008.
fn to_integer(i: Insn, bits: u8, how: u64) -> u64 {
    let legacy = if i.has(NAN2008) {
        0
    } else {
        OVERFLOW_IS_LARGEST
    };
    u64::from(bits) | 1 << 7 | how << 8 | legacy
}

fn convert_to_integer<S: Sem>(s: &mut S, i: Insn, to: u8, how: u64) -> Lift {
    let w = width(i);
    // Long words are for registers that hold one.
    if !exists(i, w, fs(i)) || (to == 64 && !i.fr()) {
        return Lift::Undefined;
    }
    let a = register(s, i, w, fs(i));
    remember(s, i, w, a);
    let imm = to_integer(i, to, how);
    let r = compute(s, i, Op::FpToInt, w, [Some(a), None, None], imm);
    let r = s.op1(Op::VFromG, 64, r);
    set_register(s, i, to, fd(i), r);
    Lift::Next
}

/// The width to convert to and the rounding, of ROUND, TRUNC, CEIL, FLOOR and (bit 5) CVT.
fn rounding(i: Insn) -> (u8, u64) {
    if i.bit(5) {
        return (if i.bit(0) { 64 } else { 32 }, round::CURRENT);
    }
    let how = [round::NEAREST, round::ZERO, round::UP, round::DOWN][i.f(0, 2) as usize];
    (if i.bit(2) { 32 } else { 64 }, how)
}

/// The width and the immediate of a conversion to integers.
#[must_use]
pub fn conversion(i: Insn) -> (u8, u64) {
    let (to, how) = rounding(i);
    (width(i), to_integer(i, to, how))
}

/// ROUND, TRUNC, CEIL, FLOOR, to long words or (bit 2) words.
pub fn round_to<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (to, how) = rounding(i);
    convert_to_integer(s, i, to, how)
}

/// CVT.W, CVT.L (bit 0).
pub fn convert_to_int<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (to, how) = rounding(i);
    convert_to_integer(s, i, to, how)
}

/// CVT.S, CVT.D (bit 0): from the other one, or from integers.
pub fn convert<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let to = if i.bit(0) { 64 } else { 32 };
    let Some((w, integers)) = format(i.f(21, 5)) else {
        return Lift::Undefined;
    };
    let long = integers && w == 64;
    if !exists(i, w, fs(i)) || !exists(i, to, fd(i)) || (w == to && !integers) || (long && !i.fr())
    {
        return Lift::Undefined;
    }
    let a = register(s, i, w, fs(i));
    let r = if integers {
        let a = s.op1i(Op::VGet, w, a, 0);
        let imm = u64::from(w) | 1 << 7;
        compute(s, i, Op::FpFromInt, to, [Some(a), None, None], imm)
    } else {
        compute(s, i, Op::FpCvt, w, [Some(a), None, None], to.into())
    };
    set_register(s, i, to, fd(i), r);
    Lift::Next
}

/// The condition (unordered, equal, less in bits 0 to 2) of a comparison's flags.
fn holds<S: Sem>(s: &mut S, how: u32, f: S::V) -> S::V {
    match how & 7 {
        0 => s.konst(0),
        1 => s.cc(Cc::Vs, f),
        2 => s.cc(Cc::Eq, f),
        3 => {
            let (a, b) = (s.cc(Cc::Eq, f), s.cc(Cc::Vs, f));
            s.op2(Op::Or, 8, a, b)
        }
        4 => s.cc(Cc::Mi, f),
        5 => s.cc(Cc::Lt, f),
        6 => s.cc(Cc::Ls, f),
        _ => s.cc(Cc::Le, f),
    }
}

/// C.cond: bit 3 says that quiet NaNs are invalid, too.
pub fn compare<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    if !all_exist(i, w, &[fs(i), ft(i)]) {
        return Lift::Undefined;
    }
    let (a, b) = (register(s, i, w, fs(i)), register(s, i, w, ft(i)));
    let signals = u64::from(i.bit(3));
    let f = compute(s, i, Op::FFcmp, w, [Some(a), Some(b), None], signals);
    let c = holds(s, i.f(0, 3), f);
    s.set(slot::FCC + i.f(8, 3) as u16, c);
    Lift::Next
}

/// MADD, MSUB, NMADD, NMSUB: both the product and the sum are rounded.
pub fn multiply_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(0) { 64 } else { 32 };
    let fr = i.rs();
    if !all_exist(i, w, &[fr, fs(i), ft(i), fd(i)]) {
        return Lift::Undefined;
    }
    let (a, b) = (register(s, i, w, fs(i)), register(s, i, w, ft(i)));
    let c = register(s, i, w, fr);
    let p = compute_first(s, i, Op::FpMul, w, [Some(a), Some(b), None]);
    let op = if i.bit(3) { Op::FpSub } else { Op::FpAdd };
    let mut r = compute(s, i, op, w, [Some(p), Some(c), None], 0);
    if i.bit(4) {
        r = negated(s, w, r);
    }
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

// Release 6.

/// MADDF, MSUBF: rounded once.
pub fn fused<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    let (a, b) = (register(s, i, w, fs(i)), register(s, i, w, ft(i)));
    let c = register(s, i, w, fd(i));
    let args = [Some(a), Some(b), Some(c)];
    let r = if i.bit(0) {
        let r = s.call_x(exactly, args, number(Op::FpFma, w) | 1);
        trap_if_raised(s, i);
        r
    } else {
        compute(s, i, Op::FpFma, w, args, 0)
    };
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

/// SELEQZ, SELNEZ (bit 1), SEL: by bit 0 of a register.
pub fn select<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    let (a, b) = (register(s, i, w, fs(i)), register(s, i, w, ft(i)));
    let by = if i.function() == 16 {
        register(s, i, w, fd(i))
    } else {
        b
    };
    let (a, b) = (s.op1i(Op::VGet, w, a, 0), s.op1i(Op::VGet, w, b, 0));
    let by = s.op1i(Op::VGet, w, by, 0);
    let bit = s.and_k(w, by, 1);
    let c = s.not_zero(w, bit);
    let none = s.konst(0);
    let (yes, no) = match i.function() {
        16 => (b, a),
        20 => (none, a),
        _ => (a, none),
    };
    let v = s.select(w, c, yes, no);
    let v = s.op1(Op::VFromG, 64, v);
    set_register(s, i, w, fd(i), v);
    Lift::Next
}

/// RINT.
pub fn round_integral<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    let a = register(s, i, w, fs(i));
    let r = compute(
        s,
        i,
        Op::FpRound,
        w,
        [Some(a), None, None],
        round::CURRENT | 8,
    );
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

/// CLASS: signalling and quiet NaN; minus infinity, normal, denormal, zero; the same with plus, from bit 0 on.
fn classified(_: &mut State, v: u128, _: u128, _: u128, w: u64) -> u128 {
    let kind = kind_of(w as u8, v as u64);
    const TO: [u32; 10] = [2, 3, 4, 5, 9, 8, 7, 6, 0, 1];
    1 << TO[kind.trailing_zeros() as usize % 10]
}

pub fn class<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    let a = register(s, i, w, fs(i));
    let r = s.call_x(classified, [Some(a), None, None], u64::from(w));
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

/// MINA, MAXA: by the absolute values; of equal ones as MIN and MAX.
fn by_magnitude(st: &mut State, a: u128, b: u128, _: u128, imm: u64) -> u128 {
    let (w, max) = (imm as u8, imm & 1 << 8 != 0);
    let m = crate::ir::eval::mask(w);
    let (a, b) = (a as u64 & m, b as u64 & m);
    let (x, y) = (a & (m >> 1), b & (m >> 1));
    let mut env = float::with_accrued(st.env(), 0);
    let infinity = if w == 32 {
        0x7f80_0000
    } else {
        0x7ff0_0000_0000_0000
    };
    let r = if x > infinity || y > infinity || x == y {
        float::min_max(&mut env, max, float::QUIET_LOSES, w, a, b)
    } else if (x > y) == max {
        a
    } else {
        b
    };
    settle(st, float::accrued(env));
    r.into()
}

/// MIN, MAX (bit 1), MINA, MAXA (bit 0).
pub fn min_max<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = width(i);
    let (a, b) = (register(s, i, w, fs(i)), register(s, i, w, ft(i)));
    let max = i.bit(1);
    let r = if i.bit(0) {
        let imm = u64::from(w) | u64::from(max) << 8;
        let r = s.call_x(by_magnitude, [Some(a), Some(b), None], imm);
        trap_if_raised(s, i);
        r
    } else {
        let op = if max { Op::FpMax } else { Op::FpMin };
        let imm = float::QUIET_LOSES;
        compute(s, i, op, w, [Some(a), Some(b), None], imm)
    };
    set_register(s, i, w, fd(i), r);
    Lift::Next
}

/// CMP.cond: ones or zero; bit 4: the opposite of the conditions 1 to 3.
pub fn compare_to_mask<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !i.has(R6) {
        return Lift::Undefined;
    }
    let w = width(i);
    let how = i.f(0, 5);
    if how & 16 != 0 && !matches!(how & 7, 1..=3) {
        return Lift::Undefined;
    }
    let (a, b) = (register(s, i, w, fs(i)), register(s, i, w, ft(i)));
    let signals = u64::from(i.bit(3));
    let f = compute(s, i, Op::FFcmp, w, [Some(a), Some(b), None], signals);
    let c = holds(s, how, f);
    let (ones, none) = (s.konst(u64::MAX), s.konst(0));
    let (yes, no) = if how & 16 != 0 {
        (none, ones)
    } else {
        (ones, none)
    };
    let v = s.select(w, c, yes, no);
    let v = s.op1(Op::VFromG, 64, v);
    set_register(s, i, w, fd(i), v);
    Lift::Next
}
