//! Scalar floating point (Arm ARM C4.1.96, "Data Processing -- Scalar Floating-Point
//! and Advanced SIMD", the floating-point groups).

use super::MODE_FLUSH;
use super::insn::{Insn, set, x};
use super::nzcv;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags;
use crate::ir::float::round;
use crate::ir::sem::Sem;
use crate::simd::fp::{self, expand_imm};
use crate::simd::matrix as ml;
use crate::simd::scalar::{flags_of, negated, positive};

/// The format that bits 23-22 select: single, double, half.
fn format(i: Insn) -> Option<u8> {
    [Some(32), Some(64), None, Some(16)][i.f(22, 2) as usize]
}

/// The format, or `Undefined` from the lifter.
macro_rules! known {
    ($e:expr) => {
        match $e {
            Some(w) => w,
            None => return Lift::Undefined,
        }
    };
}

/// Writes a scalar: the rest of the register becomes zero.
pub fn set_scalar<S: Sem>(s: &mut S, w: u8, n: u32, v: S::V) {
    let v = s.op1(Op::VZext, w, v);
    s.set_x(n as u16, v);
}

fn v<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(n as u16)
}

/// FMOV, FABS, FNEG, FSQRT, FCVT, FRINTx.
pub fn one_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let a = v(s, i.rn());
    let opcode = i.f(15, 6);
    let r = match opcode {
        0 => a,
        1 => positive(s, w, a),
        2 => negated(s, w, a),
        3 => s.op1(Op::FpSqrt, w, a),
        4 | 5 | 7 => {
            let to = [32, 64, 0, 16][opcode as usize & 3];
            if to == w {
                return Lift::Undefined;
            }
            let r = s.op1i(Op::FpCvt, w, a, u64::from(to));
            set_scalar(s, to, i.rd(), r);
            return Lift::Next;
        }
        8..=12 | 14 | 15 => {
            let mode = match opcode {
                8 => round::NEAREST,
                9 => round::UP,
                10 => round::DOWN,
                11 => round::ZERO,
                12 => round::AWAY,
                14 => round::CURRENT | 8,
                _ => round::CURRENT,
            };
            s.op1i(Op::FpRound, w, a, mode)
        }
        // BFCVT
        6 if w == 64 => {
            let r = s.call_x(ml::bfcvt, [Some(a), None, None], 0);
            set_scalar(s, 16, i.rd(), r);
            return Lift::Next;
        }
        // FRINT32Z, FRINT32X, FRINT64Z, FRINT64X
        16..=19 if w != 16 => s.call_x(
            fp::round_sized,
            [Some(a), None, None],
            fp::sized(w, opcode & 3, 1),
        ),
        _ => return Lift::Undefined,
    };
    set_scalar(s, w, i.rd(), r);
    Lift::Next
}

/// FMUL ... FNMUL.
pub fn two_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(12, 4) > 8 {
        return Lift::Undefined;
    }
    let w = known!(format(i));
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    let r = match i.f(12, 4) {
        0 => s.op2(Op::FpMul, w, a, b),
        1 => s.op2(Op::FpDiv, w, a, b),
        2 => s.op2(Op::FpAdd, w, a, b),
        3 => s.op2(Op::FpSub, w, a, b),
        4 => s.op2i(Op::FpMax, w, a, b, 0),
        5 => s.op2i(Op::FpMin, w, a, b, 0),
        6 => s.op2i(Op::FpMax, w, a, b, 1),
        7 => s.op2i(Op::FpMin, w, a, b, 1),
        _ => {
            let p = s.op2(Op::FpMul, w, a, b);
            negated(s, w, p)
        }
    };
    set_scalar(s, w, i.rd(), r);
    Lift::Next
}

/// FMADD, FMSUB, FNMADD, FNMSUB: negated operands, one rounding.
pub fn three_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(format(i));
    let (a, b, c) = (v(s, i.rn()), v(s, i.rm()), v(s, i.ra()));
    let (o1, o0) = (i.bit(21), i.bit(15));
    let negated = u64::from(o1 != o0) | u64::from(o1) << 1;
    let r = s.op(Op::FpFma, w, [Some(a), Some(b), Some(c)], negated);
    set_scalar(s, w, i.rd(), r);
    Lift::Next
}

fn compare<S: Sem>(s: &mut S, i: Insn, w: u8, zero: bool, signals: bool) -> S::V {
    let a = v(s, i.rn());
    let b = if zero { s.wide(0) } else { v(s, i.rm()) };
    compare_values(s, i, w, [a, b], signals)
}

fn compare_values<S: Sem>(s: &mut S, i: Insn, w: u8, ops: [S::V; 2], signals: bool) -> S::V {
    flags_of(s, w, ops, i.mode & MODE_FLUSH != 0, signals)
}

/// FCMP, FCMPE.
pub fn fcmp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(format(i));
    let f = compare(s, i, w, i.bit(3), i.bit(4));
    s.set_f(f);
    Lift::Next
}

/// FCCMP, FCCMPE.
pub fn fccmp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = known!(format(i));
    let cond = nzcv::cond(s, i.f(12, 4));
    let n = i.f(0, 4);
    let other = flags::pack(n & 8 != 0, n & 4 != 0, n & 2 != 0, n & 1 != 0);
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    // With the condition false, compare zeros: no exception, and the result is not used.
    let zero = s.wide(0);
    let m = s.konst(0);
    let m = s.op2(Op::Sub, 64, m, cond);
    let m = s.op1(Op::VDupG, 64, m);
    let (a, b) = (
        s.op3(Op::VBsl, 64, a, zero, m),
        s.op3(Op::VBsl, 64, b, zero, m),
    );
    let f = compare_values(s, i, w, [a, b], i.bit(4));
    let k = s.konst(other);
    let g = s.op1(Op::FPack, 16, k);
    let r = s.op3(Op::FSelect, 16, f, g, cond);
    s.set_f(r);
    Lift::Next
}

/// FCSEL.
pub fn fcsel<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    let c = nzcv::cond(s, i.f(12, 4));
    let (a, b) = (s.op1i(Op::VGet, w, a, 0), s.op1i(Op::VGet, w, b, 0));
    let r = s.select(w, c, a, b);
    let r = s.op1(Op::VFromG, 64, r);
    set_scalar(s, w, i.rd(), r);
    Lift::Next
}

/// FMOV of an immediate.
pub fn fmov_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(w) = format(i) else {
        return Lift::Undefined;
    };
    let k = s.wide(u128::from(expand_imm(u64::from(i.f(13, 8)), w)));
    set_scalar(s, w, i.rd(), k);
    Lift::Next
}

/// Conversions between floating point and integers, and FMOV between the register files.
pub fn int_convert<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let bits = i.sf();
    let (rmode, opcode) = (i.f(19, 2), i.f(16, 3));
    match (rmode, opcode) {
        (0, 6 | 7) => {
            let w = match (i.f(22, 2), bits) {
                (0, 32) => 32,
                (1, 64) => 64,
                (3, _) => 16,
                _ => return Lift::Undefined,
            };
            if opcode == 6 {
                let a = v(s, i.rn());
                let r = s.op1i(Op::VGet, w, a, 0);
                set(s, w.max(32), i.rd(), r);
            } else {
                let a = x(s, i.rn());
                let r = s.op1(Op::VFromG, 64, a);
                set_scalar(s, w, i.rd(), r);
            }
            return Lift::Next;
        }
        (1, 6 | 7) => {
            if i.f(22, 2) != 2 || bits != 64 {
                return Lift::Undefined;
            }
            if opcode == 6 {
                let a = v(s, i.rn());
                let r = s.op1i(Op::VGet, 64, a, 1);
                set(s, 64, i.rd(), r);
            } else {
                let (a, d) = (x(s, i.rn()), v(s, i.rd()));
                let r = s.op2i(Op::VIns, 64, d, a, 1);
                s.set_x(i.rd() as u16, r);
            }
            return Lift::Next;
        }
        (_, 6 | 7) => return Lift::Undefined,
        _ => {}
    }
    let w = known!(format(i));
    match (rmode, opcode) {
        (0, 3) if bits == 64 && w != 16 => {
            let a = x(s, i.rn());
            let r = from_unsigned(s, w, a);
            set_scalar(s, w, i.rd(), r);
        }
        (0, 2 | 3) => {
            let a = x(s, i.rn());
            let signed = u64::from(opcode == 2) << 7;
            let r = s.op1i(Op::FpFromInt, w, a, u64::from(bits) | signed);
            set_scalar(s, w, i.rd(), r);
        }
        (_, 0 | 1) | (0, 4 | 5) => {
            let mode = if opcode >= 4 {
                round::AWAY
            } else {
                u64::from(rmode)
            };
            let a = v(s, i.rn());
            let signed = u64::from(opcode & 1 == 0) << 7;
            let r = s.op1i(Op::FpToInt, w, a, u64::from(bits) | signed | mode << 8);
            set(s, bits, i.rd(), r);
        }
        _ => return Lift::Undefined,
    }
    Lift::Next
}

/// Of 64 bits without a sign, which the host does not convert: of those beyond its numbers half is, with what is shifted out
/// kept for the rounding, and the exponent is one more.
fn from_unsigned<S: Sem>(s: &mut S, w: u8, a: S::V) -> S::V {
    let top = s.shift_k(Op::Shr, 64, a, 63);
    let low = s.and_k(64, a, 1);
    let half = s.shift_k(Op::Shr, 64, a, 1);
    let half = s.op2(Op::Or, 64, half, low);
    let large = s.not_zero(64, top);
    let number = s.select(64, large, half, a);
    let r = s.op1i(Op::FpFromInt, w, number, 64 | 1 << 7);
    let r = s.op1i(Op::VGet, w, r, 0);
    let more = s.shift_k(Op::Shl, 64, top, if w == 64 { 52 } else { 23 });
    let r = s.op2(Op::Add, 64, r, more);
    s.op1(Op::VFromG, 64, r)
}

/// Conversions between floating point and fixed point.
pub fn fixed_convert<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let bits = i.sf();
    let frac = 64 - i.f(10, 6);
    if frac > u32::from(bits) {
        return Lift::Undefined;
    }
    let w = known!(format(i));
    let frac = u64::from(frac) << 16;
    let signed = u64::from(!i.bit(16)) << 7;
    match (i.f(19, 2), i.f(16, 3)) {
        (0, 2 | 3) => {
            let a = x(s, i.rn());
            let r = s.op1i(Op::FpFromInt, w, a, u64::from(bits) | signed | frac);
            set_scalar(s, w, i.rd(), r);
        }
        (3, 0 | 1) => {
            let a = v(s, i.rn());
            let r = s.op1i(
                Op::FpToInt,
                w,
                a,
                u64::from(bits) | signed | round::ZERO << 8 | frac,
            );
            set(s, bits, i.rd(), r);
        }
        _ => return Lift::Undefined,
    }
    Lift::Next
}

/// FJCVTZS: to 32 bits modulo 2^32, towards zero; Z says that nothing was lost.
pub fn javascript<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = v(s, i.rn());
    let r = s.call(fp::javascript, [Some(a), None, None], 0);
    set(s, 32, i.rd(), r);
    let z = s.shift_k(Op::Shr, 64, r, 32);
    let f = s.op1(Op::FPack, 16, z);
    s.set_f(f);
    Lift::Next
}
