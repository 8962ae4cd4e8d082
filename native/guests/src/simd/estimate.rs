//! Estimates of reciprocals and reciprocal square roots, to the bit (Arm ARM, shared pseudocode:
//! FPRecipEstimate, FPRSqrtEstimate, FPRecpX).

use super::fp::{infinite, is_nan, parts, sign, zero};
use crate::ir::Op;
use crate::ir::float::{self, arith, flushed};

/// RecipEstimate: 9 bits to 9 bits.
pub fn recip_estimate(a: u64) -> u64 {
    let a = a * 2 + 1;
    let b = (1 << 19) / a;
    b.div_ceil(2)
}

/// RecipSqrtEstimate: 9 bits to 9 bits.
pub fn rsqrt_estimate(a: u64) -> u64 {
    let a = if a < 256 {
        a * 2 + 1
    } else {
        ((a >> 1) << 1 | 1) * 2
    };
    let mut b = 512u64;
    while a * (b + 1) * (b + 1) < 1 << 28 {
        b += 1;
    }
    b.div_ceil(2)
}

/// FRECPE
pub fn recpe(env: &mut u32, w: u8, x: u64) -> u64 {
    let x = flushed(env, w, x);
    let (fb, e) = parts(w);
    if is_nan(w, x) {
        return arith(env, Op::FpSqrt, w, x, 0, 0);
    }
    let s = x & sign(w);
    if infinite(w, x) {
        return s;
    }
    if zero(w, x) {
        *env |= float::DIV_BY_ZERO;
        return s | e << fb;
    }
    // Below 2^-1024, 2^-128 or 2^-16.
    let tiny = x & !sign(w) < 1 << (fb - 2);
    if tiny {
        // The reciprocal overflows.
        *env |= float::OVERFLOW | float::INEXACT;
        let up = match *env >> 13 & 3 {
            0 => true,
            1 => s != 0,
            2 => s == 0,
            _ => false,
        };
        return s | if up { e << fb } else { (e << fb) - 1 };
    }
    let flush = if w == 16 {
        float::FLUSH_HALF
    } else {
        float::FLUSH
    };
    let bias = (e >> 1) as i64;
    let mut frac = (x & ((1 << fb) - 1)) << (52 - fb);
    let mut exp = (x >> fb & e) as i64;
    // From 2^126 (for single precision) on, the result is denormal.
    if *env & flush != 0 && exp >= 2 * bias - 1 {
        *env |= float::UNDERFLOW;
        return s;
    }
    if exp == 0 {
        if frac >> 51 == 0 {
            exp = -1;
            frac = frac << 2 & ((1 << 52) - 1);
        } else {
            frac = frac << 1 & ((1 << 52) - 1);
        }
    }
    let scaled = 256 | (frac >> 44 & 0xff);
    let mut rexp = 2 * bias - 1 - exp;
    let est = recip_estimate(scaled);
    let mut rfrac = (est & 0xff) << 44;
    if rexp == 0 {
        rfrac = 1 << 51 | rfrac >> 1;
    } else if rexp == -1 {
        rfrac = 1 << 50 | rfrac >> 2;
        rexp = 0;
    }
    s | (rexp as u64) << fb | rfrac >> (52 - fb)
}

/// FRSQRTE
pub fn rsqrte(env: &mut u32, w: u8, x: u64) -> u64 {
    let x = flushed(env, w, x);
    let (fb, e) = parts(w);
    if is_nan(w, x) {
        return arith(env, Op::FpSqrt, w, x, 0, 0);
    }
    let s = x & sign(w);
    if zero(w, x) {
        *env |= float::DIV_BY_ZERO;
        return s | e << fb;
    }
    if s != 0 {
        *env |= float::INVALID;
        return e << fb | 1 << (fb - 1);
    }
    if infinite(w, x) {
        return 0;
    }
    let mut frac = (x & ((1 << fb) - 1)) << (52 - fb);
    let mut exp = (x >> fb & e) as i64;
    if exp == 0 {
        while frac >> 51 & 1 == 0 {
            frac = frac << 1 & ((1 << 52) - 1);
            exp -= 1;
        }
        frac = frac << 1 & ((1 << 52) - 1);
    }
    let scaled = if exp & 1 == 0 {
        256 | (frac >> 44 & 0xff)
    } else {
        128 | (frac >> 45 & 0x7f)
    };
    let rexp = (3 * (e >> 1) as i64 - 1 - exp) / 2;
    let est = rsqrt_estimate(scaled);
    (rexp as u64) << fb | (est & 0xff) << (fb - 8)
}

/// FRECPX
pub fn recpx(env: &mut u32, w: u8, x: u64) -> u64 {
    let x = flushed(env, w, x);
    let (fb, e) = parts(w);
    if is_nan(w, x) {
        return arith(env, Op::FpSqrt, w, x, 0, 0);
    }
    let exp = x >> fb & e;
    let out = if exp == 0 { e - 1 } else { !exp & e };
    (x & sign(w)) | out << fb
}
