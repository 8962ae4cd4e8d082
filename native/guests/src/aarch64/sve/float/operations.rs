//! Operations on two elements (Arm ARM, shared pseudocode: FPExpA, FPScale, FPLogB, FPTrigMAdd, ...).

use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::flags;
use crate::ir::float::{self, arith, compare, convert, flushed, min_max};
use crate::simd::estimate::{recpe, recpx, rsqrte};
use crate::simd::fp::{self, infinite, is_nan, parts, zero};

pub type One = fn(&mut u32, u8, u64) -> u64;
pub type Two = fn(&mut u32, u8, u64, u64) -> u64;
pub type Holds = fn(&mut u32, u8, u64, u64) -> bool;

// Operations.

pub fn add(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    arith(env, Op::FpAdd, w, a, b, 0)
}
pub fn sub(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    arith(env, Op::FpSub, w, a, b, 0)
}
pub fn mul(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    arith(env, Op::FpMul, w, a, b, 0)
}
pub fn div(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    arith(env, Op::FpDiv, w, a, b, 0)
}
pub fn max(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    min_max(env, true, 0, w, a, b)
}
pub fn min(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    min_max(env, false, 0, w, a, b)
}
pub fn maxnm(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    min_max(env, true, float::QUIET_LOSES, w, a, b)
}
pub fn minnm(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    min_max(env, false, float::QUIET_LOSES, w, a, b)
}
pub fn abd(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    sub(env, w, a, b) & !fp::sign(w)
}
pub fn mulx(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    fp::mulx(env, w, a, b)
}
pub fn recps(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    fp::step(env, w, a, b, false)
}
pub fn rsqrts(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    fp::step(env, w, a, b, true)
}
pub fn estimate(env: &mut u32, w: u8, a: u64) -> u64 {
    recpe(env, w, a)
}
pub fn root_estimate(env: &mut u32, w: u8, a: u64) -> u64 {
    rsqrte(env, w, a)
}
pub fn exponent(env: &mut u32, w: u8, a: u64) -> u64 {
    recpx(env, w, a)
}
pub fn sqrt(env: &mut u32, w: u8, a: u64) -> u64 {
    arith(env, Op::FpSqrt, w, a, 0, 0)
}

/// FTSMUL: the square, with the sign of b's lowest bit.
pub fn tsmul(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    let r = mul(env, w, a, a);
    if is_nan(w, r) {
        r
    } else {
        r & !fp::sign(w) | (b & 1) << (w - 1)
    }
}
/// FTSSEL: a or one, with a sign.
pub fn tssel(_: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    let (frac, top) = parts(w);
    let sign = (b >> 1 & 1) << (w - 1);
    if b & 1 != 0 {
        sign | (top >> 1) << frac
    } else {
        a ^ sign
    }
}

/// 2^(n / 2^bits) - 1, as a fraction of `frac` bits.
fn power_fraction(n: u64, bits: u32, frac: u32) -> u64 {
    // With 62 bits behind the point, 2 to the power of 1/2, 1/4, ...
    let (mut root, mut r) = (2u128 << 62, 1u128 << 62);
    for k in (0..bits).rev() {
        root = (root << 62).isqrt();
        if n >> k & 1 != 0 {
            r = (r * root + (1 << 61)) >> 62;
        }
    }
    ((((r - (1 << 62)) >> (61 - frac)) + 1) >> 1) as u64
}

/// FEXPA: 2 to the power of the low bits, with the exponent above them.
pub fn expa(_: &mut u32, w: u8, a: u64) -> u64 {
    let (frac, top) = parts(w);
    let bits = if w == 16 { 5 } else { 6 };
    let n = a & mask(bits as u8);
    (a >> bits & top) << frac | power_fraction(n, bits, frac)
}

/// a * 2^n as a number of 64 bits, rounded once.
fn scaled(env: &mut u32, a: u64, n: i64) -> u64 {
    let power = |e: i64| ((e + 1023) as u64) << 52;
    let (mut a, mut n) = (a, n);
    // A denormal number becomes a normal one: exactly.
    if a >> 52 & 0x7ff == 0 {
        a = arith(
            &mut float::DEFAULT_ENV.clone(),
            Op::FpMul,
            64,
            a,
            power(200),
            0,
        );
        n -= 200;
    }
    let e = (a >> 52 & 0x7ff) as i64 - 1023;
    let one = a & !(0x7ff << 52) | 1023 << 52;
    let e = (e + n).clamp(-1100, 1100);
    let (first, second) = if e < -1000 {
        (-500, e + 500)
    } else if e > 1000 {
        (500, e - 500)
    } else {
        (0, e)
    };
    let big = arith(
        &mut float::DEFAULT_ENV.clone(),
        Op::FpMul,
        64,
        one,
        power(first),
        0,
    );
    arith(env, Op::FpMul, 64, big, power(second), 0)
}

/// FSCALE.
pub fn scale(env: &mut u32, w: u8, a: u64, b: u64) -> u64 {
    let n = crate::ir::eval::sext(w, b).clamp(-5000, 5000);
    let a = flushed(env, w, a);
    if is_nan(w, a) {
        return sqrt(env, w, a);
    }
    if zero(w, a) || infinite(w, a) {
        return a;
    }
    if w == 64 {
        return scaled(env, a, n);
    }
    // Doubles have room for all that is not far too large or small anyway.
    let wide = convert(&mut float::DEFAULT_ENV.clone(), w, 64, a);
    let wide = scaled(&mut float::DEFAULT_ENV.clone(), wide, n.clamp(-400, 400));
    let mut own = *env & !float::ALT_HALF;
    if w == 16 && own & float::FLUSH_HALF != 0 {
        let tiny = wide & !fp::sign(64) < 0x3f10_0000_0000_0000;
        if tiny {
            *env |= float::UNDERFLOW;
            return a & fp::sign(w);
        }
    }
    let r = convert(&mut own, 64, w, wide);
    *env |= own & float::STICKY;
    r
}

/// FLOGB: the exponent as an integer.
pub fn logb(env: &mut u32, w: u8, a: u64) -> u64 {
    let a = flushed(env, w, a);
    let (frac, top) = parts(w);
    if is_nan(w, a) || zero(w, a) {
        *env |= float::INVALID;
        return fp::sign(w);
    }
    if infinite(w, a) {
        return fp::sign(w) - 1;
    }
    let (e, f) = ((a >> frac & top) as i64, a & mask(frac as u8));
    let bias = (top >> 1) as i64;
    let e = if e == 0 {
        1 - bias - (i64::from(f.leading_zeros()) - i64::from(63 - frac))
    } else {
        e - bias
    };
    e as u64
}

fn outcome(env: &mut u32, w: u8, a: u64, b: u64, signals: bool) -> (bool, bool, bool) {
    let f = compare(env, w, a, b, signals);
    let unordered = f & flags::C != 0 && f & flags::V != 0;
    (f & flags::Z != 0, f == flags::C, unordered)
}
pub fn ge(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    let (equal, greater, _) = outcome(env, w, a, b, true);
    equal || greater
}
pub fn gt(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    outcome(env, w, a, b, true).1
}
pub fn le(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    ge(env, w, b, a)
}
pub fn lt(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    gt(env, w, b, a)
}
pub fn eq(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    outcome(env, w, a, b, false).0
}
pub fn ne(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    !eq(env, w, a, b)
}
pub fn unordered(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    outcome(env, w, a, b, false).2
}
pub fn age(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    ge(env, w, a & !fp::sign(w), b & !fp::sign(w))
}
pub fn agt(env: &mut u32, w: u8, a: u64, b: u64) -> bool {
    gt(env, w, a & !fp::sign(w), b & !fp::sign(w))
}

/// FPTrigMAdd's coefficients, of the sine and then of the cosine.
pub(super) fn coefficient(w: u8, n: usize) -> u64 {
    const HALF: [u16; 16] = [
        0x3c00, 0xb155, 0x2030, 0, 0, 0, 0, 0, 0x3c00, 0xb800, 0x293a, 0, 0, 0, 0, 0,
    ];
    const SINGLE: [u32; 16] = [
        0x3f80_0000,
        0xbe2a_aaab,
        0x3c08_8886,
        0xb950_08b9,
        0x3636_9d6d,
        0,
        0,
        0,
        0x3f80_0000,
        0xbf00_0000,
        0x3d2a_aaa6,
        0xbab6_0705,
        0x37cd_37cc,
        0,
        0,
        0,
    ];
    const DOUBLE: [u64; 16] = [
        0x3ff0_0000_0000_0000,
        0xbfc5_5555_5555_5543,
        0x3f81_1111_1110_f30c,
        0xbf2a_01a0_19b9_2fc6,
        0x3ec7_1de3_51f3_d22b,
        0xbe5a_e5e2_b60f_7b91,
        0x3de5_d840_8868_552f,
        0,
        0x3ff0_0000_0000_0000,
        0xbfe0_0000_0000_0000,
        0x3fa5_5555_5555_5536,
        0xbf56_c16c_16c1_3a0b,
        0x3efa_01a0_19b1_e8d8,
        0xbe92_7e4f_7282_f468,
        0x3e21_ee96_d264_1b13,
        0xbda8_f763_80fb_b401,
    ];
    match w {
        16 => HALF[n].into(),
        32 => SINGLE[n].into(),
        _ => DOUBLE[n],
    }
}

/// The largest of all.
#[must_use]
pub fn infinity(w: u8) -> u64 {
    let (frac, top) = parts(w);
    top << frac
}
