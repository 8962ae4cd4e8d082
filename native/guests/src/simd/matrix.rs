//! Products that accumulate in wider lanes, as helpers: FMLAL, bfloat16, integer matrices
//! (FEAT_FHM, FEAT_BF16, FEAT_I8MM). Operations: Arm ARM C7.2, shared pseudocode.

use crate::ir::Op;
use crate::ir::eval::sext;
use crate::ir::float::{self, arith};
use crate::ir::state::State;
use crate::ir::vector::{from_lanes, lane};

/// A half-precision number as a single one, signalling NaNs included.
pub fn single(env: u32, h: u64) -> u64 {
    let (sign, exp, frac) = (h >> 15 << 31, h >> 10 & 31, h & 0x3ff);
    match (exp, frac) {
        (31, _) => sign | 0x7f80_0000 | frac << 13,
        (0, 0) => sign,
        (0, _) if env & float::FLUSH_HALF != 0 => sign,
        (0, _) => {
            let up = frac.leading_zeros() - 53;
            sign | u64::from(113 - up) << 23 | (frac << up & 0x3ff) << 13
        }
        _ => sign | (exp + 112) << 23 | frac << 13,
    }
}

/// FMLAL, FMLSL. `imm`: 1 the upper part, 2 subtracts, 4 all four lanes.
pub fn fmlal(st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let lanes = if imm & 4 != 0 { 4 } else { 2 };
    let first = if imm & 1 != 0 { lanes } else { 0 };
    let mut env = float::env_of(st, imm);
    let r = from_lanes(32, |i| {
        if i >= lanes {
            return 0;
        }
        let minus = if imm & 2 != 0 { 0x8000 } else { 0 };
        let x = single(env, lane(a, 16, first + i) ^ minus);
        let y = single(env, lane(b, 16, first + i));
        arith(&mut env, Op::FpFma, 32, x, y, lane(d, 32, i))
    });
    float::set_env_of(st, env, imm);
    r
}

/// SMMLA, UMMLA, USMMLA: `imm` 1 the first operand is signed, 2 the second.
pub fn matrix(_st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let num = |signed: bool, v: u128, k| {
        let x = lane(v, 8, k);
        if signed { sext(8, x) } else { x as i64 }
    };
    from_lanes(32, |i| {
        let (row, col) = (8 * (i / 2), 8 * (i % 2));
        (0..8).fold(lane(d, 32, i), |sum, k| {
            let p = num(imm & 1 != 0, a, row + k) * num(imm & 2 != 0, b, col + k);
            sum.wrapping_add(p as u64)
        })
    })
}

/// A double rounded to a single number by BFRound: to odd, without denormal numbers; what is too large is infinite.
fn round_odd(v: f64, lost: bool) -> f32 {
    if v.is_nan() {
        return f32::from_bits(0x7fc0_0000);
    }
    let bits = v.to_bits() | u64::from(lost);
    let size = f64::from_bits(bits & !(1 << 63));
    let sign = (bits >> 63 << 31) as u32;
    if size < f64::from(f32::MIN_POSITIVE) {
        return f32::from_bits(sign);
    }
    if size >= 2f64.powi(128) {
        return f32::from_bits(sign | 0x7f80_0000);
    }
    let short = (size.to_bits() - (896 << 52)) >> 29;
    let odd = u32::from(bits & 0x1fff_ffff != 0);
    f32::from_bits(sign | short as u32 | odd)
}

/// Denormal operands are zero.
fn operand(x: u64) -> f64 {
    let v = f32::from_bits(x as u32);
    f64::from(if v.is_subnormal() {
        0f32.copysign(v)
    } else {
        v
    })
}

fn add_odd(a: f64, b: f64) -> f64 {
    let mut env = float::DEFAULT_ENV | 0x6000;
    let bits = arith(&mut env, Op::FpAdd, 64, a.to_bits(), b.to_bits(), 0);
    let v = f64::from_bits(bits);
    f64::from(round_odd(v, env & float::INEXACT != 0))
}

/// BFDotAdd without extended bfloat16 behaviour: no exceptions, and no modes.
pub fn dot(sum: u64, a: u64, b: u64) -> u64 {
    let product = |n: u32| {
        let (x, y) = (a >> n & 0xffff, b >> n & 0xffff);
        f64::from(round_odd(operand(x << 16) * operand(y << 16), false))
    };
    let t = add_odd(product(0), product(16));
    let r = add_odd(operand(sum), t) as f32;
    u64::from(if r.is_nan() { 0x7fc0_0000 } else { r.to_bits() })
}

/// BFDOT.
pub fn bfdot(_st: &mut State, a: u128, b: u128, d: u128, _imm: u64) -> u128 {
    from_lanes(32, |i| dot(lane(d, 32, i), lane(a, 32, i), lane(b, 32, i)))
}

/// BFMMLA.
pub fn bfmmla(_st: &mut State, a: u128, b: u128, d: u128, _imm: u64) -> u128 {
    from_lanes(32, |i| {
        let (row, col) = (2 * (i / 2), 2 * (i % 2));
        (0..2).fold(lane(d, 32, i), |sum, k| {
            dot(sum, lane(a, 32, row + k), lane(b, 32, col + k))
        })
    })
}

/// BFMLALB (imm 0), BFMLALT (1).
pub fn bfmlal(st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let mut env = float::env_of(st, imm);
    let r = from_lanes(32, |i| {
        let part = |v| lane(v, 16, 2 * i + imm as u32) << 16;
        arith(&mut env, Op::FpFma, 32, part(a), part(b), lane(d, 32, i))
    });
    float::set_env_of(st, env, imm);
    r
}

/// To bfloat16 (FPConvertBF).
pub fn to_bfloat(env: &mut u32, x: u64) -> u64 {
    let x = float::flushed(env, 32, x);
    let (sign, size) = (x >> 16 & 0x8000, x & 0x7fff_ffff);
    if size > 0x7f80_0000 {
        if size & 0x40_0000 == 0 {
            *env |= float::INVALID;
        }
        let quiet = sign | size >> 16 | 0x40;
        return if *env & float::DEFAULT_NAN != 0 {
            0x7fc0
        } else {
            quiet
        };
    }
    let (kept, rest) = (size >> 16, size & 0xffff);
    if rest == 0 || size == 0x7f80_0000 {
        return sign | kept;
    }
    *env |= float::INEXACT;
    if kept < 0x80 {
        *env |= float::UNDERFLOW;
    }
    let up = match *env >> 13 & 3 {
        0 => rest > 0x8000 || (rest == 0x8000 && kept & 1 != 0),
        1 => sign != 0,
        2 => sign == 0,
        _ => false,
    };
    let r = kept + u64::from(up);
    if r == 0x7f80 {
        *env |= float::OVERFLOW;
    }
    sign | r
}

/// BFCVT.
pub fn bfcvt(st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let mut env = float::env_of(st, imm);
    let r = to_bfloat(&mut env, a as u64 & 0xffff_ffff);
    float::set_env_of(st, env, imm);
    u128::from(r)
}

/// BFCVTN: four numbers in the low half.
pub fn bfcvtn(st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let mut env = float::env_of(st, imm);
    let r = from_lanes(16, |i| {
        if i < 4 {
            to_bfloat(&mut env, lane(a, 32, i))
        } else {
            0
        }
    });
    float::set_env_of(st, env, imm);
    r
}
