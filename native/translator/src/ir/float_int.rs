//! Floating point and integers: rounding to integral values, conversions with saturation.

use super::float::{
    AWAY, FLUSH_HALF, INEXACT, INVALID, convert, flushed, format, format_in, propagate, round,
};
use super::half;

/// The environment's rounding mode.
pub(super) fn current(env: u32) -> u64 {
    if env & AWAY != 0 {
        return round::AWAY;
    }
    [round::NEAREST, round::DOWN, round::UP, round::ZERO][(env >> 13 & 3) as usize]
}

fn round_number(env: u32, x: f64, mode: u64) -> f64 {
    match if mode == round::CURRENT {
        current(env)
    } else {
        mode
    } {
        round::NEAREST => x.round_ties_even(),
        round::UP => x.ceil(),
        round::DOWN => x.floor(),
        round::ZERO => x.trunc(),
        _ => x.round(),
    }
}

/// Rounds to an integral value.
pub fn round_integral(env: &mut u32, w: u8, x: u64, mode: u64, exact: bool) -> u64 {
    let f = format_in(*env, w);
    let x = flushed(env, w, x);
    if f.nan(x) {
        return propagate(env, f, &[x]);
    }
    if f.infinite(x) || f.zero(x) {
        return x;
    }
    let mut quiet = 0x1f80;
    let wide = f64::from_bits(convert(&mut quiet, w, 64, x));
    let r = round_number(*env, wide, mode);
    if exact && r != wide {
        *env |= INEXACT;
    }
    convert(&mut quiet, 64, w, r.to_bits()) | (x & f.sign)
}

/// To an integer of `bits` bits, scaled by 2^`frac`, with saturation.
pub fn to_int(env: &mut u32, w: u8, x: u64, bits: u8, signed: bool, mode: u64, frac: u32) -> u64 {
    let f = format(w);
    let x = flushed(env, w, x);
    if f.nan(x) {
        *env |= INVALID;
        return 0;
    }
    let mut quiet = 0x1f80;
    let wide = f64::from_bits(convert(&mut quiet, w, 64, x)) * 2f64.powi(frac as i32);
    let r = round_number(*env, wide, mode);
    let (low, high) = if signed {
        (
            -(2f64.powi(i32::from(bits) - 1)),
            2f64.powi(i32::from(bits) - 1),
        )
    } else {
        (0.0, 2f64.powi(i32::from(bits)))
    };
    let m = super::eval::mask(bits);
    if r < low {
        *env |= INVALID;
        return if signed { 1 << (bits - 1) } else { 0 };
    }
    if r >= high {
        *env |= INVALID;
        return if signed { m >> 1 } else { m };
    }
    if r != wide {
        *env |= INEXACT;
    }
    (if signed { r as i64 as u64 } else { r as u64 }) & m
}

/// From an integer, divided by 2^`frac`.
pub fn from_int(env: &mut u32, w: u8, x: u64, bits: u8, signed: bool, frac: u32) -> u64 {
    let value = if signed {
        i128::from(super::eval::sext(bits, x))
    } else {
        i128::from(x & super::eval::mask(bits))
    };
    if value == 0 {
        return 0;
    }
    let sign = if value < 0 { format(w).sign } else { 0 };
    let mag = value.unsigned_abs() as u64;
    let top = 63 - mag.leading_zeros();
    let digits = match w {
        32 => 23,
        _ => 52u32,
    };
    let bias = match w {
        32 => 127,
        _ => 1023i64,
    };
    if w == 16 {
        // Half precision over- and underflows here: go through a double that rounds alike.
        let d = sign_f64(sign != 0, half::odd(mag)) * 2f64.powi(-(frac as i32));
        let flush = *env & FLUSH_HALF != 0;
        return half::round(env, d, flush, false);
    }
    let mut exp = i64::from(top) - i64::from(frac) + bias;
    if top <= digits {
        let frac_bits = (mag << (digits - top)) & ((1 << digits) - 1);
        return sign | (exp as u64) << digits | frac_bits;
    }
    let drop = top - digits;
    let mut kept = mag >> drop;
    let rest = mag & ((1 << drop) - 1);
    if rest != 0 {
        *env |= INEXACT;
        let half = 1 << (drop - 1);
        let up = match current(*env) {
            round::NEAREST => rest > half || (rest == half && kept & 1 != 0),
            round::AWAY => rest >= half,
            round::UP => sign == 0,
            round::DOWN => sign != 0,
            _ => false,
        };
        kept += u64::from(up);
        if kept >> (digits + 1) != 0 {
            kept >>= 1;
            exp += 1;
        }
    }
    sign | (exp as u64) << digits | (kept & ((1 << digits) - 1))
}

fn sign_f64(neg: bool, x: f64) -> f64 {
    if neg { -x } else { x }
}
