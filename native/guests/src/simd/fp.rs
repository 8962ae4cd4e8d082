//! Floating-point Advanced SIMD lane by lane: what has no IR of its own.
//! Operations: Arm ARM, shared pseudocode (FPRecipEstimate, FPRSqrtStepFused, ...).

use super::estimate::{recpe, recpx, rsqrte};
use super::eval::F;
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::flags;
use crate::ir::float::{self, arith, compare, convert, flushed, min_max, round};
use crate::ir::float_int;
use crate::ir::state::State;
use crate::ir::vector::{from_lanes, lane};

pub fn sign(w: u8) -> u64 {
    1 << (w - 1)
}

/// In an immediate: the instruction is of half precision. Below is the word of its single-precision form.
pub const HALF: u64 = 1 << 32;

/// The format of an instruction's lanes.
fn width(imm: u64) -> u8 {
    match (imm & HALF != 0, imm >> 22 & 1) {
        (true, _) => 16,
        (_, 0) => 32,
        _ => 64,
    }
}

pub fn parts(w: u8) -> (u32, u64) {
    match w {
        16 => (10, 0x1f),
        32 => (23, 0xff),
        _ => (52, 0x7ff),
    }
}

pub fn is_nan(w: u8, x: u64) -> bool {
    let (f, e) = parts(w);
    x & !sign(w) & mask(w) > e << f
}

pub fn infinite(w: u8, x: u64) -> bool {
    let (f, e) = parts(w);
    x & !sign(w) & mask(w) == e << f
}

pub fn zero(w: u8, x: u64) -> bool {
    x & !sign(w) & mask(w) == 0
}

fn one_and(w: u8, halves: u64) -> u64 {
    // 1.5, 2.0 and the like as bits: 2.0 is halves = 4, 1.5 is 3, 3.0 is 6.
    let v = halves as f64 / 2.0;
    convert(&mut float::DEFAULT_ENV.clone(), 64, w, v.to_bits())
}

fn halve(w: u8, x: u64) -> Option<u64> {
    let (f, e) = parts(w);
    let exp = x >> f & e;
    (exp > 1 && exp < e).then(|| x - (1 << f))
}

/// FRECPS (halves false: 2 - ab), FRSQRTS (3 - ab over 2), with one rounding.
pub fn step(env: &mut u32, w: u8, a: u64, b: u64, rsqrt: bool) -> u64 {
    let (a, b) = (flushed(env, w, a ^ sign(w)), flushed(env, w, b));
    if (infinite(w, a) && zero(w, b)) || (zero(w, a) && infinite(w, b)) {
        return one_and(w, if rsqrt { 3 } else { 4 });
    }
    if is_nan(w, a) || is_nan(w, b) {
        return arith(env, Op::FpMul, w, a, b, 0);
    }
    if !rsqrt {
        return arith(env, Op::FpFma, w, a, b, one_and(w, 4));
    }
    // Halving an operand is exact unless it is tiny; if both are, the product does not matter.
    if let Some(h) = halve(w, a) {
        arith(env, Op::FpFma, w, h, b, one_and(w, 3))
    } else if let Some(h) = halve(w, b) {
        arith(env, Op::FpFma, w, a, h, one_and(w, 3))
    } else {
        let r = arith(env, Op::FpFma, w, a, b, one_and(w, 6));
        halve(w, r).unwrap_or(r)
    }
}

/// VRECPS, VRSQRTS (bit 8 of `imm`) of AArch32 on lanes of `imm` & 255 bits: the product is rounded before it is
/// subtracted (Arm ARM, FPRecipStep, FPRSqrtStep).
pub fn step_rounded(st: &mut State, a: u128, b: u128, _c: u128, imm: u64) -> u128 {
    let (w, rsqrt) = (imm as u8, imm >> 8 & 1 != 0);
    let mut env = float::env_of(st, imm);
    let e = &mut env;
    let r = from_lanes(w, |i| {
        let (x, y) = (flushed(e, w, lane(a, w, i)), flushed(e, w, lane(b, w, i)));
        let nothing = (infinite(w, x) && zero(w, y)) || (zero(w, x) && infinite(w, y));
        let p = if nothing {
            0
        } else {
            arith(e, Op::FpMul, w, x, y, 0)
        };
        let r = arith(e, Op::FpSub, w, one_and(w, if rsqrt { 6 } else { 4 }), p, 0);
        if rsqrt {
            arith(e, Op::FpDiv, w, r, one_and(w, 4), 0)
        } else {
            r
        }
    });
    float::set_env_of(st, env, imm);
    r
}

pub fn mulx(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    let (a, b) = (flushed(env, w, a), flushed(env, w, b));
    if (infinite(w, a) && zero(w, b)) || (zero(w, a) && infinite(w, b)) {
        return one_and(w, 4) | ((a ^ b) & sign(w));
    }
    arith(env, Op::FpMul, w, a, b, 0)
}

/// A comparison as all ones or zero.
fn test(env: &mut u32, w: u8, a: u64, b: u64, signals: bool, accept: fn(u64) -> bool) -> u64 {
    if accept(compare(env, w, a, b, signals)) {
        mask(w)
    } else {
        0
    }
}

fn ge(f: u64) -> bool {
    f & flags::C != 0 && f & flags::V == 0
}

fn gt(f: u64) -> bool {
    ge(f) && f & flags::Z == 0
}

fn eq(f: u64) -> bool {
    f & flags::Z != 0
}

/// Three registers of the same type. Width by bit 22; pairwise forms take lanes of a:b.
pub fn three_same(st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let w = width(imm);
    let (u, second, opcode) = (f.u(), f.bits(23, 1) != 0, f.bits(11, 5));
    // Scalars (bit 28) work on one lane, D registers on half of them.
    let lanes = if f.bits(28, 1) != 0 {
        1
    } else if f.q() {
        128 / u32::from(w)
    } else {
        64 / u32::from(w)
    };
    let pairwise = u && matches!((opcode, second), (0x18, _) | (0x1a, false) | (0x1e, _));
    let mut env = float::env_of(st, imm);
    let e = &mut env;
    let r = from_lanes(w, |i| {
        if i >= lanes {
            return 0;
        }
        let (x, y) = if pairwise {
            let (v, k) = if i < lanes / 2 {
                (a, i)
            } else {
                (b, i - lanes / 2)
            };
            (lane(v, w, 2 * k), lane(v, w, 2 * k + 1))
        } else {
            (lane(a, w, i), lane(b, w, i))
        };
        let acc = lane(d, w, i);
        let abs = !sign(w) & mask(w);
        match (opcode, u, second) {
            (0x18, _, _) => min_max(e, !second, float::QUIET_LOSES, w, x, y),
            (0x19, _, false) => arith(e, Op::FpFma, w, x, y, acc),
            (0x19, _, true) => arith(e, Op::FpFma, w, x ^ sign(w), y, acc),
            (0x1a, false, true) => arith(e, Op::FpSub, w, x, y, 0),
            (0x1a, true, true) => arith(e, Op::FpSub, w, x, y, 0) & abs,
            (0x1a, ..) => arith(e, Op::FpAdd, w, x, y, 0),
            (0x1b, false, _) => mulx(e, w, x, y),
            (0x1b, true, _) => arith(e, Op::FpMul, w, x, y, 0),
            (0x1c, false, _) => test(e, w, x, y, false, eq),
            (0x1c, true, false) => test(e, w, x, y, true, ge),
            (0x1c, true, true) => test(e, w, x, y, true, gt),
            (0x1d, _, false) => test(e, w, x & abs, y & abs, true, ge),
            (0x1d, _, true) => test(e, w, x & abs, y & abs, true, gt),
            (0x1e, ..) => min_max(e, !second, 0, w, x, y),
            (_, false, false) => step(e, w, x, y, false),
            (_, false, true) => step(e, w, x, y, true),
            _ => arith(e, Op::FpDiv, w, x, y, 0),
        }
    });
    float::set_env_of(st, env, imm);
    r
}

/// Two registers.
pub fn two_misc(st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let w = width(imm);
    let (u, second, opcode) = (f.u(), f.bits(23, 1) != 0, f.bits(12, 5));
    let scalar = f.bits(28, 1) != 0;
    let lanes = if scalar {
        1
    } else if f.q() {
        128 / u32::from(w)
    } else {
        64 / u32::from(w)
    };
    let mut env = float::env_of(st, imm);
    let e = &mut env;
    let r = from_lanes(w, |i| {
        if i >= lanes {
            return 0;
        }
        let x = lane(a, w, i);
        let int = |e: &mut u32, mode| float_int::to_int(e, w, x, w, !u, mode, 0);
        let rounded = |e: &mut u32, mode, exact| float_int::round_integral(e, w, x, mode, exact);
        match (opcode, u, second) {
            (0x0c, false, _) => test(e, w, x, 0, true, gt),
            (0x0c, true, _) => test(e, w, x, 0, true, ge),
            (0x0d, false, _) => test(e, w, x, 0, false, eq),
            (0x0d, true, _) => test(e, w, 0, x, true, ge),
            (0x0e, ..) => test(e, w, 0, x, true, gt),
            (0x0f, false, _) => x & !sign(w),
            (0x0f, true, _) => x ^ sign(w),
            (0x18, false, false) => rounded(e, round::NEAREST, false),
            (0x18, false, true) => rounded(e, round::UP, false),
            (0x18, true, _) => rounded(e, round::AWAY, false),
            (0x19, false, false) => rounded(e, round::DOWN, false),
            (0x19, false, true) => rounded(e, round::ZERO, false),
            (0x19, true, false) => rounded(e, round::CURRENT, true),
            (0x19, true, true) => rounded(e, round::CURRENT, false),
            (0x1a, _, false) => int(e, round::NEAREST),
            (0x1a, _, true) => int(e, round::UP),
            (0x1b, _, false) => int(e, round::DOWN),
            (0x1b, _, true) => int(e, round::ZERO),
            (0x1c, ..) => int(e, round::AWAY),
            (0x1d, _, false) => float_int::from_int(e, w, x, w, !u, 0),
            (0x1d, false, true) => recpe(e, w, x),
            (0x1d, true, true) => rsqrte(e, w, x),
            (_, false, _) => recpx(e, w, x),
            _ => arith(e, Op::FpSqrt, w, x, 0, 0),
        }
    });
    float::set_env_of(st, env, imm);
    r
}

/// FCVTL, FCVTN, FCVTXN. `d` is the old destination.
pub fn convert_width(st: &mut State, a: u128, d: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let w = width(imm);
    let h = w / 2;
    let mut env = float::env_of(st, imm);
    let r = if f.bits(12, 5) == 0x17 {
        let high = if f.q() { 64 / u32::from(h) } else { 0 };
        from_lanes(w, |i| convert(&mut env, h, w, lane(a, h, i + high)))
    } else {
        let lanes = if f.bits(28, 1) != 0 {
            1
        } else {
            128 / u32::from(w)
        };
        let half = from_lanes(h, |i| {
            if i >= lanes {
                return 0;
            }
            let x = lane(a, w, i);
            if !f.u() || is_nan(w, x) {
                return convert(&mut env, w, h, x);
            }
            // FCVTXN: round to odd.
            let mut odd = (env & !(float::HOST_BITS)) | float::DEFAULT_ENV | 0x6000;
            let r = convert(&mut odd, w, h, x);
            let inexact = odd & float::INEXACT != 0;
            env |= odd & (0x3c | float::INPUT_DENORMAL);
            if inexact { r | 1 } else { r }
        });
        if f.q() && f.bits(28, 1) == 0 {
            (d & u128::from(u64::MAX)) | half << 64
        } else {
            half
        }
    };
    float::set_env_of(st, env, imm);
    r
}

/// SCVTF, UCVTF, FCVTZS, FCVTZU of fixed point.
pub fn fixed(st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (w, frac, _) = super::eval::shift_fields(f);
    let scalar = f.bits(28, 1) != 0;
    let size = if f.q() { 128 } else { 64 };
    let lanes = if scalar { 1 } else { size / u32::from(w) };
    let mut env = float::env_of(st, imm);
    let r = from_lanes(w, |i| {
        if i >= lanes {
            return 0;
        }
        let x = lane(a, w, i);
        if f.bits(11, 5) == 0x1c {
            float_int::from_int(&mut env, w, x, w, !f.u(), frac)
        } else {
            float_int::to_int(&mut env, w, x, w, !f.u(), round::ZERO, frac)
        }
    });
    float::set_env_of(st, env, imm);
    r
}

/// FMAXNMV, FMINNMV, FMAXV, FMINV, and the scalar pairwise forms: lanes reduced in pairs.
pub fn reduce(st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let w = width(imm);
    let (second, opcode) = (f.bits(23, 1) != 0, f.bits(12, 5));
    let mut env = float::env_of(st, imm);
    let mut two = |x: u64, y: u64| match opcode {
        0x0c => min_max(&mut env, !second, float::QUIET_LOSES, w, x, y),
        0x0d => arith(&mut env, Op::FpAdd, w, x, y, 0),
        _ => min_max(&mut env, !second, 0, w, x, y),
    };
    let l = |i| lane(a, w, i);
    let r = if f.bits(28, 1) != 0 {
        two(l(0), l(1))
    } else {
        // In pairs, then pairs of pairs.
        let count = if f.q() { 128 } else { 64 } / u32::from(w);
        let mut v: Vec<u64> = (0..count).map(l).collect();
        while v.len() > 1 {
            v = v.chunks_exact(2).map(|p| two(p[0], p[1])).collect();
        }
        v[0]
    };
    float::set_env_of(st, env, imm);
    u128::from(r)
}

/// The immediate of [`round_sized`] for the variant 32Z, 32X, 64Z, 64X (0-3).
#[must_use]
pub fn sized(w: u8, variant: u32, lanes: u32) -> u64 {
    u64::from(w) | u64::from(variant) << 8 | u64::from(lanes) << 16
}

/// FRINT32Z and the like: what does not fit the integer becomes the most negative one (FPRoundIntN).
pub fn round_sized(st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let (w, variant, lanes) = (imm as u8, imm >> 8 & 3, (imm >> 16) as u32);
    let size = if variant & 2 != 0 { 64 } else { 32 };
    let mode = if variant & 1 != 0 {
        round::CURRENT
    } else {
        round::ZERO
    };
    let mut env = float::env_of(st, imm);
    let r = from_lanes(w, |i| {
        if i >= lanes {
            return 0;
        }
        let x = flushed(&mut env, w, lane(a, w, i));
        let top = 2f64.powi(size - 1);
        let mut quiet = float::DEFAULT_ENV;
        let least = convert(&mut quiet, 64, w, (-top).to_bits());
        if is_nan(w, x) || infinite(w, x) {
            env |= float::INVALID;
            return least;
        }
        let before = env;
        let r = float_int::round_integral(&mut env, w, x, mode, true);
        let v = f64::from_bits(convert(&mut quiet, w, 64, r));
        if v >= top || v < -top {
            env = before | float::INVALID;
            return least;
        }
        r
    });
    float::set_env_of(st, env, imm);
    r
}

/// FJCVTZS: the result, and the packed flag Z above it (FPToFixedJS).
pub fn javascript(st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let mut env = float::env_of(st, imm);
    let given = a as u64;
    let x = flushed(&mut env, 64, given);
    let v = f64::from_bits(x);
    let t = v.trunc();
    let mut exact = false;
    let r = if v.is_nan() || v.is_infinite() {
        env |= float::INVALID;
        0
    } else {
        if !(-2147483648.0..=2147483647.0).contains(&t) {
            env |= float::INVALID;
        } else if t != v {
            env |= float::INEXACT;
        } else {
            // Negative zero and what was flushed are no integers.
            exact = x != 1 << 63 && (v != 0.0 || given == 0);
        }
        // The remainder is exact, of the dividend's sign, and below 2^32.
        (t % 4294967296.0) as i64 as u32
    };
    float::set_env_of(st, env, imm);
    u128::from(r) | u128::from(if exact { flags::Z } else { 0 }) << 32
}

/// VFPExpandImm (Arm ARM, shared pseudocode).
pub fn expand_imm(imm8: u64, w: u8) -> u64 {
    let (sign, b6) = (imm8 >> 7, imm8 >> 6 & 1);
    let (e, f) = match w {
        16 => (5, 10),
        32 => (8, 23),
        _ => (11, 52),
    };
    let rep = if b6 != 0 { (1u64 << (e - 3)) - 1 } else { 0 };
    let exp = (b6 ^ 1) << (e - 1) | rep << 2 | (imm8 >> 4 & 3);
    sign << (w - 1) | exp << f | (imm8 & 15) << (f - 4)
}
