//! Half precision: arithmetic in double precision rounded to odd, and one rounding to half.

use super::Op;
use super::float::{
    self, DEFAULT_ENV, DIV_BY_ZERO, FLUSH_HALF, INEXACT, INVALID, OVERFLOW, TINY_AFTER, UNDERFLOW,
    round as mode,
};
use super::float_int;

/// The number `x` (no NaN) in the format of `to` bits: exact. In the alternative format, the largest
/// exponent is of numbers too.
pub(super) fn widen(x: u64, to: u8, alternative: bool) -> u64 {
    let (exp, frac) = (x >> 10 & 31, x & 0x3ff);
    let v = match exp {
        0 => frac as f64 * 2f64.powi(-24),
        31 if !alternative => f64::INFINITY,
        _ => (frac | 0x400) as f64 * 2f64.powi(exp as i32 - 25),
    };
    let v = if x & 0x8000 != 0 { -v } else { v };
    if to == 32 {
        u64::from((v as f32).to_bits())
    } else {
        v.to_bits()
    }
}

/// An integer as a double that rounds to half precision as it would itself.
pub(super) fn odd(mag: u64) -> f64 {
    if mag >> 53 == 0 {
        return mag as f64;
    }
    let sticky = u64::from(mag & 0xfff != 0) << 12;
    ((mag & !0xfff) | sticky) as f64
}

/// Rounds a double (no NaN) to half precision.
/// `flush`: tiny results become zero; `alternative`: the largest exponent is of numbers, and what is beyond is invalid.
pub(super) fn round(env: &mut u32, v: f64, flush: bool, alternative: bool) -> u64 {
    let bits = v.to_bits();
    let sign = bits >> 48 & 0x8000;
    if v == 0.0 {
        return sign;
    }
    if v.is_infinite() {
        if alternative {
            *env |= INVALID;
            return sign | 0x7fff;
        }
        return sign | 0x7c00;
    }
    let exp = (bits >> 52 & 0x7ff) as i64 - 1023;
    let m = (bits & ((1 << 52) - 1)) | 1 << 52;
    let tiny = exp < -14;
    if tiny && flush {
        *env |= UNDERFLOW;
        return sign;
    }
    let shift = (42 + if tiny { -14 - exp } else { 0 }).min(63) as u32;
    let (mut kept, rest) = (m >> shift, m & ((1 << shift) - 1));
    let half = 1u64 << (shift - 1);
    let current = float_int::current(*env);
    let rounds_up = |kept: u64, rest: u64, half: u64| match current {
        mode::NEAREST => rest > half || (rest == half && kept & 1 != 0),
        mode::AWAY => rest >= half,
        mode::UP => rest != 0 && sign == 0,
        mode::DOWN => rest != 0 && sign != 0,
        _ => false,
    };
    // With all digits that a normal number has it is one, after rounding.
    let normal = 1 << 41;
    let late = *env & TINY_AFTER != 0
        && exp == -15
        && m >> 42 == 0x7ff
        && rounds_up(m >> 42, m & (2 * normal - 1), normal);
    let up = rounds_up(kept, rest, half);
    kept += u64::from(up);
    // The implicit bit, or the carry into it, adds one to the exponent.
    let r = if tiny {
        kept
    } else {
        (((exp + 14) as u64) << 10) + kept
    };
    if alternative && r > 0x7fff {
        *env |= INVALID;
        return sign | 0x7fff;
    }
    if r >= 0x7c00 && !alternative {
        *env |= OVERFLOW | INEXACT;
        let away = match float_int::current(*env) {
            mode::NEAREST | mode::AWAY => true,
            mode::UP => sign == 0,
            mode::DOWN => sign != 0,
            _ => false,
        };
        return sign | if away { 0x7c00 } else { 0x7bff };
    }
    if rest != 0 {
        *env |= INEXACT | if tiny && !late { UNDERFLOW } else { 0 };
    }
    sign | r
}

/// Arithmetic on numbers.
pub(super) fn arith(env: &mut u32, op: Op, a: u64, b: u64, c: u64) -> u64 {
    let [x, y, z] = [a, b, c].map(|v| f64::from_bits(widen(v, 64, false)));
    let h = float::host64(op);
    // Towards zero, and the last bit says whether anything was lost.
    let mut odd = DEFAULT_ENV | 0x6000;
    let mut r = h(&mut odd, x, y, z);
    *env |= odd & (INVALID | DIV_BY_ZERO);
    if r.is_nan() {
        return 0x7e00;
    }
    if odd & INEXACT != 0 {
        r = f64::from_bits(r.to_bits() | 1);
    } else if r == 0.0 {
        // The sign of an exact zero depends on the rounding mode.
        r = h(&mut ((*env & 0x6000) | DEFAULT_ENV), x, y, z);
    }
    let flush = *env & FLUSH_HALF != 0;
    round(env, r, flush, false)
}
