//! Floating point: F, D, Zfh and Zfa. The formats of bits 26-25 are single, double, half.

use super::bfloat;
use super::csr::{rounding, rounding_in};
use super::features::D;
use super::insn::{Insn, done, f, fp, set_fp, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags::Cc;
use crate::ir::float::{self, NAN_IS_LARGEST, round};
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::simd::scalar::{flags_of, kind_of, negated, positive};

/// The width of a format.
#[must_use]
pub fn width(format: u32) -> Option<u8> {
    [Some(32), Some(64), Some(16), None][format as usize & 3]
}

/// The format of bits 26-25; or `Undefined` from the lifter.
macro_rules! known {
    ($e:expr) => {
        match $e {
            Some(v) => v,
            None => return Lift::Undefined,
        }
    };
}

/// How an instruction rounds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As the environment does.
    Current,
    /// In a mode of its own.
    Own(u8),
}

/// None: a reserved mode.
fn mode(i: Insn) -> Option<Mode> {
    let m = i.f(12, 3) as u8;
    if m == rounding::DYNAMIC {
        return (i.frm <= rounding::AWAY).then_some(Mode::Current);
    }
    match m {
        _ if m > rounding::AWAY => None,
        _ if m == i.frm => Some(Mode::Current),
        _ => Some(Mode::Own(m)),
    }
}

/// An operation in a rounding mode of its own: `imm` is the operation's immediate, its number, width and the mode from
/// bit 32 on.
fn rounds_otherwise(st: &mut State, a: u128, b: u128, c: u128, imm: u64) -> u128 {
    const OPS: [Op; 8] = [
        Op::FpAdd,
        Op::FpSub,
        Op::FpMul,
        Op::FpDiv,
        Op::FpSqrt,
        Op::FpFma,
        Op::FpCvt,
        Op::FpFromInt,
    ];
    let (op, w) = (OPS[(imm >> 32 & 7) as usize], (imm >> 40) as u8);
    let mut env = rounding_in(st.env(), (imm >> 48) as u8);
    let r = float::eval(&mut env, op, w, a, b, c, imm & 0xffff_ffff);
    let all = st.env() | env & float::STICKY;
    st.set_env(all);
    r
}

fn number(op: Op) -> u64 {
    match op {
        Op::FpAdd => 0,
        Op::FpSub => 1,
        Op::FpMul => 2,
        Op::FpDiv => 3,
        Op::FpSqrt => 4,
        Op::FpFma => 5,
        Op::FpCvt => 6,
        _ => 7,
    }
}

fn rounded<S: Sem>(s: &mut S, how: Mode, op: Op, w: u8, args: [Option<S::V>; 3], imm: u64) -> S::V {
    match how {
        Mode::Current => s.op(op, w, args, imm),
        Mode::Own(m) => {
            let more = number(op) << 32 | u64::from(w) << 40 | u64::from(m) << 48;
            s.call_x(rounds_otherwise, args, imm | more)
        }
    }
}

/// The rounding mode of a conversion to integers.
fn to_integer(how: Mode) -> u64 {
    match how {
        Mode::Current => round::CURRENT,
        Mode::Own(rounding::NEAREST) => round::NEAREST,
        Mode::Own(rounding::ZERO) => round::ZERO,
        Mode::Own(rounding::DOWN) => round::DOWN,
        Mode::Own(rounding::UP) => round::UP,
        Mode::Own(_) => round::AWAY,
    }
}

/// FADD, FSUB, FMUL, FDIV.
pub fn two_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, how) = (known!(width(i.f(25, 2))), known!(mode(i)));
    let (a, b) = (fp(s, w, i.rs1()), fp(s, w, i.rs2()));
    let op = [Op::FpAdd, Op::FpSub, Op::FpMul, Op::FpDiv][i.f(27, 2) as usize];
    let r = rounded(s, how, op, w, [Some(a), Some(b), None], 0);
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

pub fn sqrt<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, how) = (known!(width(i.f(25, 2))), known!(mode(i)));
    let a = fp(s, w, i.rs1());
    let r = rounded(s, how, Op::FpSqrt, w, [Some(a), None, None], 0);
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

/// FMADD, FMSUB, FNMSUB, FNMADD, by bits 3-2.
pub fn fused<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, how) = (known!(width(i.f(25, 2))), known!(mode(i)));
    let (a, b, c) = (fp(s, w, i.rs1()), fp(s, w, i.rs2()), fp(s, w, i.rs3()));
    // Negated: the product (1), the addend (2).
    let signs = [0, 2, 1, 3][i.f(2, 2) as usize];
    let r = rounded(s, how, Op::FpFma, w, [Some(a), Some(b), Some(c)], signs);
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

/// FSGNJ, FSGNJN, FSGNJX: on bits, whatever they stand for.
pub fn sign<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(width(i.f(25, 2)));
    let a = fp(s, w, i.rs1());
    if i.rs1() == i.rs2() {
        let r = match i.funct3() {
            0 => a,
            1 => negated(s, w, a),
            _ => positive(s, w, a),
        };
        set_fp(s, w, i.rd(), r);
        return Lift::Next;
    }
    let mut b = fp(s, w, i.rs2());
    let m = s.wide(1 << (w - 1));
    if i.funct3() == 2 {
        let sign = s.op2(Op::VAnd, 64, b, m);
        let r = s.op2(Op::VXor, 64, a, sign);
        set_fp(s, w, i.rd(), r);
        return Lift::Next;
    }
    if i.funct3() == 1 {
        b = s.op2(Op::VXor, 64, b, m);
    }
    let (rest, sign) = (s.op2(Op::VAndn, 64, a, m), s.op2(Op::VAnd, 64, b, m));
    let r = s.op2(Op::VOr, 64, rest, sign);
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

/// FMIN, FMAX: a number is preferred to any NaN. FMINM, FMAXM (bit 13): not so.
pub fn min_max<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(width(i.f(25, 2)));
    let (a, b) = (fp(s, w, i.rs1()), fp(s, w, i.rs2()));
    let op = if i.bit(12) { Op::FpMax } else { Op::FpMin };
    let r = s.op2i(
        op,
        w,
        a,
        b,
        if i.bit(13) { 0 } else { float::PREFER_NUMBER },
    );
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

/// FLE, FLT, FEQ by bits 13-12. FLEQ, FLTQ (bit 14): quiet NaNs do not signal.
pub fn compare<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(width(i.f(25, 2)));
    let (a, b) = (fp(s, w, i.rs1()), fp(s, w, i.rs2()));
    let quiet = i.bit(14) || i.f(12, 2) == 2;
    let flags = flags_of(s, w, [a, b], false, !quiet);
    let c = s.cc([Cc::Ls, Cc::Mi, Cc::Eq, Cc::Eq][i.f(12, 2) as usize], flags);
    done(s, i, c)
}

fn classified(_: &mut State, v: u128, _: u128, _: u128, w: u64) -> u128 {
    kind_of(w as u8, v as u64).into()
}

pub fn classify<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(width(i.f(25, 2)));
    let a = fp(s, w, i.rs1());
    let r = s.call(classified, [Some(a), None, None], u64::from(w));
    done(s, i, r)
}

/// FMV.X.H, FMV.X.W, FMV.X.D: the bits as they are.
pub fn move_to_x<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(width(i.f(25, 2)));
    let a = f(s, i.rs1());
    let mut r = s.op1i(Op::VGet, w, a, 0);
    if w < i.xlen {
        r = s.op1(Op::Sext, w, r);
    }
    done(s, i, r)
}

pub fn move_from_x<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(width(i.f(25, 2)));
    let a = x(s, i.rs1());
    let r = s.op1(Op::VFromG, 64, a);
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

/// FCVT between formats: to that of bits 26-25, from that of bits 21-20.
pub fn convert<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (to, from) = (known!(width(i.f(25, 2))), known!(width(i.f(20, 2))));
    // Half and double without Zfh: D has to be there.
    if (to == 64 || from == 64) && !i.has(D) {
        return Lift::Undefined;
    }
    let mut how = known!(mode(i));
    if from < to {
        // Nothing is rounded.
        how = Mode::Current;
    }
    let a = fp(s, from, i.rs1());
    let r = rounded(
        s,
        how,
        Op::FpCvt,
        from,
        [Some(a), None, None],
        u64::from(to),
    );
    set_fp(s, to, i.rd(), r);
    Lift::Next
}

/// FCVT.S.BF16, FCVT.BF16.S (Zfbfmin).
pub fn from_bfloat<S: Sem>(s: &mut S, i: Insn) -> Lift {
    known!(mode(i));
    let a = f(s, i.rs1());
    let r = s.call_x(bfloat::widened, [Some(a), None, None], 0);
    set_fp(s, 32, i.rd(), r);
    Lift::Next
}

pub fn to_bfloat<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let how = match known!(mode(i)) {
        Mode::Current => i.frm,
        Mode::Own(m) => m,
    };
    let a = fp(s, 32, i.rs1());
    let r = s.call_x(bfloat::narrowed, [Some(a), None, None], how.into());
    set_fp(s, 16, i.rd(), r);
    Lift::Next
}

/// The integers of conversions, by bits 21-20: their bits, and whether they are signed.
fn integers(i: Insn) -> Option<(u8, bool)> {
    let bits = if i.bit(21) { 64 } else { 32 };
    (bits <= i.xlen).then_some((bits, !i.bit(20)))
}

/// FCVT.W, WU, L, LU. What does not fit is the nearest that does, a NaN the largest.
pub fn to_int<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, how) = (known!(width(i.f(25, 2))), known!(mode(i)));
    let (bits, signed) = known!(integers(i));
    let a = fp(s, w, i.rs1());
    let imm = u64::from(bits) | u64::from(signed) << 7 | to_integer(how) << 8 | NAN_IS_LARGEST;
    let r = s.op1i(Op::FpToInt, w, a, imm);
    let r = if bits < i.xlen {
        s.op1(Op::Sext, bits, r)
    } else {
        r
    };
    done(s, i, r)
}

pub fn from_int<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, mut how) = (known!(width(i.f(25, 2))), known!(mode(i)));
    let (bits, signed) = known!(integers(i));
    if w == 64 && bits == 32 {
        how = Mode::Current;
    }
    let a = x(s, i.rs1());
    let imm = u64::from(bits) | u64::from(signed) << 7;
    let r = rounded(s, how, Op::FpFromInt, w, [Some(a), None, None], imm);
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

// Zfa.

/// The constants of FLI, by rs1, as doubles; 1 and 30, 31 depend on the format.
const CONSTANTS: [f64; 32] = [
    -1.0,
    0.0,
    1.52587890625e-5,
    3.0517578125e-5,
    0.00390625,
    0.0078125,
    0.0625,
    0.125,
    0.25,
    0.3125,
    0.375,
    0.4375,
    0.5,
    0.625,
    0.75,
    0.875,
    1.0,
    1.25,
    1.5,
    1.75,
    2.0,
    2.5,
    3.0,
    4.0,
    8.0,
    16.0,
    128.0,
    256.0,
    32768.0,
    65536.0,
    0.0,
    0.0,
];

/// FLI.
pub fn constant<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(width(i.f(25, 2)));
    let (least, infinity, nan) = match w {
        16 => (0x400, 0x7c00, 0x7e00),
        32 => (0x80_0000, 0x7f80_0000, 0x7fc0_0000),
        _ => (1 << 52, 0x7ff << 52, 0xfff << 51),
    };
    let bits = match i.rs1() {
        1 => least,
        30 => infinity,
        31 => nan,
        n => {
            let mut quiet = float::DEFAULT_ENV;
            float::convert(&mut quiet, 64, w, CONSTANTS[n as usize].to_bits())
        }
    };
    let v = s.wide(u128::from(bits));
    set_fp(s, w, i.rd(), v);
    Lift::Next
}

/// FROUND, FROUNDNX (bit 20).
pub fn round_integral<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, how) = (known!(width(i.f(25, 2))), known!(mode(i)));
    let a = fp(s, w, i.rs1());
    let exact = if i.bit(20) { 8 } else { 0 };
    let r = s.op1i(Op::FpRound, w, a, to_integer(how) | exact);
    set_fp(s, w, i.rd(), r);
    Lift::Next
}

/// A double to the low 32 bits of the integer that it is nearest to on the way to zero; flags as FCVT.W.D.
fn modular(st: &mut State, v: u128, _: u128, _: u128, _: u64) -> u128 {
    let v = v as u64;
    let mut env = st.env();
    float::eval(
        &mut env,
        Op::FpToInt,
        64,
        u128::from(v),
        0,
        0,
        32 | 1 << 7 | round::ZERO << 8,
    );
    st.set_env(env);
    let exp = (v >> 52 & 0x7ff) as i32 - 1075;
    let m = v & ((1 << 52) - 1) | 1 << 52;
    let n = match exp {
        // NaNs and infinities have the largest exponent, beyond all bits.
        32.. => 0,
        0..32 => m << exp,
        -52..0 => m >> -exp,
        _ => 0,
    };
    let n = n as u32;
    u128::from(if v >> 63 != 0 { n.wrapping_neg() } else { n })
}

/// FCVTMOD.W.D.
pub fn to_int_modular<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = f(s, i.rs1());
    let r = s.call(modular, [Some(a), None, None], 0);
    super::insn::done_w(s, i, r)
}

/// FMVH.X.D, and FMVP.D.X: halves of a double with 32 bits.
pub fn high_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = f(s, i.rs1());
    let r = s.op1i(Op::VGet, 32, a, 1);
    done(s, i, r)
}

pub fn from_halves<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (low, high) = (x(s, i.rs1()), x(s, i.rs2()));
    let v = s.op1(Op::VFromG, 64, low);
    let r = s.op2i(Op::VIns, 32, v, high, 1);
    set_fp(s, 64, i.rd(), r);
    Lift::Next
}
