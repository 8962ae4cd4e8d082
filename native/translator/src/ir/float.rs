//! The meaning of the floating-point operations, to the bit.
//!
//! Arithmetic on numbers is done by the host's FPU under the guest's rounding mode, with its exception
//! flags collected; what differs between processors is done here: which NaN
//! comes out (a signalling operand first, then the first operand; the default NaN is
//! positive and quiet), minimum and maximum, conversions to integers, and underflow: x86 looks for a tiny
//! result after rounding, Arm before it.

use super::Op;
use super::flags;
use super::float_away::to_nearest_away;
pub use super::float_env::*;
use super::float_int::{from_int, round_integral, to_int};
use super::half;
use super::vector::{from_lanes, lane};
use std::arch::asm;

/// Rounding modes of `FpRound` and `FpToInt`.
pub mod round {
    pub const NEAREST: u64 = 0;
    pub const UP: u64 = 1;
    pub const DOWN: u64 = 2;
    pub const ZERO: u64 = 3;
    pub const AWAY: u64 = 4;
    /// The environment's.
    pub const CURRENT: u64 = 5;
}

/// What a format's bits mean.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// Everything but the sign.
    pub abs: u64,
    pub exp: u64,
    pub quiet: u64,
    pub sign: u64,
    /// The highest bit of a NaN's fraction is 1 if it is signalling, not if it is quiet.
    pub legacy: bool,
}

/// A format under an environment's modes.
pub(super) fn format_in(env: u32, w: u8) -> Format {
    Format {
        legacy: env & LEGACY_NAN != 0,
        ..format(w)
    }
}

pub(super) fn format(w: u8) -> Format {
    match w {
        16 => Format {
            abs: 0x7fff,
            exp: 0x7c00,
            quiet: 0x200,
            sign: 0x8000,
            legacy: false,
        },
        32 => Format {
            abs: 0x7fff_ffff,
            exp: 0x7f80_0000,
            quiet: 0x40_0000,
            sign: 0x8000_0000,
            legacy: false,
        },
        _ => Format {
            abs: !0 >> 1,
            exp: 0x7ff << 52,
            quiet: 1 << 51,
            sign: 1 << 63,
            legacy: false,
        },
    }
}

/// The default NaN of `w` bits.
#[must_use]
pub fn default_nan(w: u8) -> u64 {
    format(w).default_nan()
}

impl Format {
    pub fn nan(self, x: u64) -> bool {
        x & self.abs > self.exp
    }
    pub fn signalling(self, x: u64) -> bool {
        self.nan(x) && (x & self.quiet == 0) != self.legacy
    }
    pub fn default_nan(self) -> u64 {
        if self.legacy {
            self.exp | (self.quiet - 1)
        } else {
            self.exp | self.quiet
        }
    }
    pub fn zero(self, x: u64) -> bool {
        x & self.abs == 0
    }
    pub fn infinite(self, x: u64) -> bool {
        x & self.abs == self.exp
    }
    /// The smallest normal number.
    fn least_normal(self) -> u64 {
        self.quiet << 1
    }
    fn denormal(self, x: u64) -> bool {
        x & self.exp == 0 && x & self.abs != 0
    }
}

/// Whether a number of `w` bits is denormal.
#[must_use]
pub fn is_denormal(w: u8, x: u64) -> bool {
    format(w).denormal(x)
}

/// Whether a number of `w` bits is a NaN.
#[must_use]
pub fn is_nan(w: u8, x: u64) -> bool {
    let f = format(w);
    f.nan(x)
}

/// An operand as arithmetic sees it: zero instead of a denormal number, if the environment says so.
#[must_use]
pub fn flushed(env: &mut u32, w: u8, x: u64) -> u64 {
    let f = format(w);
    let mode = if w == 16 { FLUSH_HALF } else { FLUSH };
    if *env & mode == 0 || !f.denormal(x) {
        return x;
    }
    if w != 16 {
        *env |= INPUT_DENORMAL;
    }
    x & f.sign
}

/// The NaN that comes out of operands of which at least one is a NaN, in order of precedence.
pub(super) fn propagate(env: &mut u32, f: Format, ops: &[u64]) -> u64 {
    let signalling = ops.iter().find(|&&x| f.signalling(x));
    if signalling.is_some() {
        *env |= INVALID;
    }
    // What makes a NaN quiet there might make an infinity of it.
    if *env & DEFAULT_NAN != 0 || f.legacy && signalling.is_some() {
        return f.default_nan();
    }
    if f.legacy {
        let first = ops.iter().find(|&&x| f.nan(x));
        return first.copied().unwrap_or(f.default_nan());
    }
    let x = signalling.or_else(|| ops.iter().find(|&&x| f.nan(x)));
    x.map_or(f.default_nan(), |x| x | f.quiet)
}

macro_rules! host_op {
    ($name:ident, $ty:ty, $insn:literal) => {
        fn $name(env: &mut u32, a: $ty, b: $ty, c: $ty) -> $ty {
            let (mut save, mut inner) = (0u32, *env & HOST_BITS);
            let mut r = a;
            // SAFETY: swaps MXCSR for one instruction and puts it back.
            unsafe {
                asm!("stmxcsr [{s}]", "ldmxcsr [{e}]", $insn, "stmxcsr [{e}]", "ldmxcsr [{s}]",
                    s = in(reg) &raw mut save, e = in(reg) &raw mut inner, r = inout(xmm_reg) r, b = in(xmm_reg) b, c = in(xmm_reg) c);
            }
            *env |= inner & 0x3f;
            r
        }
    };
}
/// A host operation on doubles.
pub(super) type Host64 = fn(&mut u32, f64, f64, f64) -> f64;

/// The host's double operation.
pub(super) fn host64(op: Op) -> Host64 {
    match op {
        Op::FpAdd => add64,
        Op::FpSub => sub64,
        Op::FpMul => mul64,
        Op::FpDiv => div64,
        Op::FpSqrt => sqrt64,
        _ => fma64,
    }
}

host_op!(add64, f64, "vaddsd {r}, {r}, {b} /* {c} */");
host_op!(sub64, f64, "vsubsd {r}, {r}, {b} /* {c} */");
host_op!(mul64, f64, "vmulsd {r}, {r}, {b} /* {c} */");
host_op!(div64, f64, "vdivsd {r}, {r}, {b} /* {c} */");
host_op!(sqrt64, f64, "vsqrtsd {r}, {r}, {r} /* {b} {c} */");
host_op!(fma64, f64, "vfmadd213sd {r}, {b}, {c}");
host_op!(add32, f32, "vaddss {r}, {r}, {b} /* {c} */");
host_op!(sub32, f32, "vsubss {r}, {r}, {b} /* {c} */");
host_op!(mul32, f32, "vmulss {r}, {r}, {b} /* {c} */");
host_op!(div32, f32, "vdivss {r}, {r}, {b} /* {c} */");
host_op!(sqrt32, f32, "vsqrtss {r}, {r}, {r} /* {b} {c} */");
host_op!(fma32, f32, "vfmadd213ss {r}, {b}, {c}");
host_op!(narrow, f64, "vcvtsd2ss {r}, {r}, {r} /* {b} {c} */");
host_op!(widen, f64, "vcvtss2sd {r}, {r}, {r} /* {b} {c} */");

/// Converts between formats of `from` and `to` bits.
pub fn convert(env: &mut u32, from: u8, to: u8, x: u64) -> u64 {
    if from == to {
        return x;
    }
    let f = format_in(*env, from);
    if from == 16 && *env & ALT_HALF != 0 {
        return half::widen(x, to, true);
    }
    // Half precision has no flushing in conversions.
    let x = if from == 16 { x } else { flushed(env, from, x) };
    if to == 16 && *env & ALT_HALF != 0 && f.nan(x) {
        *env |= INVALID;
        return if x & f.sign != 0 { 0x8000 } else { 0 };
    }
    if f.nan(x) {
        if f.signalling(x) {
            *env |= INVALID;
        }
        let t = format_in(*env, to);
        if *env & DEFAULT_NAN != 0 || f.legacy && f.signalling(x) {
            return t.default_nan();
        }
        // The payload is aligned at its most significant bit.
        let payload = (x & (f.quiet - 1)) << (63 - f.quiet.trailing_zeros());
        let sign = if x & f.sign != 0 { t.sign } else { 0 };
        let payload = payload >> (63 - t.quiet.trailing_zeros());
        if f.legacy {
            let made = sign | t.exp | payload;
            return if payload == 0 { t.default_nan() } else { made };
        }
        return sign | t.default_nan() | payload;
    }
    let raw = |f: fn(&mut u32, f64, f64, f64) -> f64, env: &mut u32, x: u64| {
        f(env, f64::from_bits(x), 0.0, 0.0).to_bits()
    };
    match (from, to) {
        (64, 32) if *env & AWAY != 0 => to_nearest_away(env, Op::FpCvt, 32, x, 0, 0),
        (64, 32) => by_host(env, Op::FpCvt, 32, x, 0, 0),
        (32, 64) => raw(widen, env, x),
        (16, _) => half::widen(x, to, false),
        _ => {
            let d = if from == 32 {
                raw(widen, &mut DEFAULT_ENV.clone(), x)
            } else {
                x
            };
            let alternative = *env & ALT_HALF != 0;
            half::round(env, f64::from_bits(d), false, alternative)
        }
    }
}

/// The result of `op`, with underflow found before rounding as Arm does (FPRound(): "Underflow occurs if exponent is
/// too small before rounding"), and what is tiny flushed if the environment says so: only underflow is raised then.
fn rounded(env: &mut u32, w: u8, op: impl Fn(&mut u32) -> u64) -> u64 {
    let f = format(w);
    let mut e = *env & !0x3f;
    let r = op(&mut e);
    let mut tiny = f.denormal(r) || (f.zero(r) && e & UNDERFLOW != 0);
    if r & f.abs == f.least_normal() && e & INEXACT != 0 && *env & TINY_AFTER == 0 {
        // Towards zero, what was less stays less.
        let mut truncating = (*env & !0x3f) | 0x6000;
        tiny = f.denormal(op(&mut truncating));
        if tiny {
            e |= UNDERFLOW;
        }
    }
    if tiny && *env & FLUSH != 0 {
        *env |= UNDERFLOW;
        return r & f.sign;
    }
    *env |= e & 0x3f;
    r
}

/// One arithmetic operation on numbers of `w` bits (32 or 64) by the host, under its rounding modes; `FpCvt`: from a double.
pub(super) fn by_host(env: &mut u32, op: Op, w: u8, a: u64, b: u64, c: u64) -> u64 {
    if op == Op::FpCvt {
        return rounded(env, 32, |e| {
            narrow(e, f64::from_bits(a), 0.0, 0.0).to_bits() & 0xffff_ffff
        });
    }
    if w == 64 {
        let h = host64(op);
        return rounded(env, 64, |e| {
            h(e, f64::from_bits(a), f64::from_bits(b), f64::from_bits(c)).to_bits()
        });
    }
    let h = match op {
        Op::FpAdd => add32,
        Op::FpSub => sub32,
        Op::FpMul => mul32,
        Op::FpDiv => div32,
        Op::FpSqrt => sqrt32,
        _ => fma32,
    };
    let s = |x: u64| f32::from_bits(x as u32);
    rounded(env, 32, |e| u64::from(h(e, s(a), s(b), s(c)).to_bits()))
}

/// One arithmetic operation on bits of width `w`.
pub fn arith(env: &mut u32, op: Op, w: u8, a: u64, b: u64, c: u64) -> u64 {
    let f = format_in(*env, w);
    let (a, b, c) = match op {
        Op::FpSqrt => (flushed(env, w, a), 0, 0),
        Op::FpFma => (flushed(env, w, a), flushed(env, w, b), flushed(env, w, c)),
        _ => (flushed(env, w, a), flushed(env, w, b), 0),
    };
    if f.nan(a) || f.nan(b) || f.nan(c) {
        return match op {
            Op::FpSqrt => propagate(env, f, &[a]),
            Op::FpFma => {
                let bad = (f.infinite(a) && f.zero(b)) || (f.zero(a) && f.infinite(b));
                if bad && f.nan(c) && !f.signalling(c) {
                    *env |= INVALID;
                    return f.default_nan();
                }
                propagate(env, f, &[c, a, b])
            }
            _ => propagate(env, f, &[a, b]),
        };
    }
    let r = if *env & AWAY != 0 && w != 16 {
        to_nearest_away(env, op, w, a, b, c)
    } else if w == 16 {
        half::arith(env, op, a, b, c)
    } else {
        by_host(env, op, w, a, b, c)
    };
    if f.nan(r) { f.default_nan() } else { r }
}

/// Minimum or maximum; `nans` is 0, [`QUIET_LOSES`] or [`PREFER_NUMBER`].
pub fn min_max(env: &mut u32, max: bool, nans: u64, w: u8, a: u64, b: u64) -> u64 {
    let f = format_in(*env, w);
    let (a, b) = (flushed(env, w, a), flushed(env, w, b));
    if f.nan(a) || f.nan(b) {
        let loses = |x| f.nan(x) && (nans == PREFER_NUMBER || !f.signalling(x));
        let number = if nans != 0 && loses(a) && !f.nan(b) {
            Some(b)
        } else if nans != 0 && loses(b) && !f.nan(a) {
            Some(a)
        } else {
            None
        };
        if let Some(number) = number {
            if f.signalling(a) || f.signalling(b) {
                *env |= INVALID;
            }
            return number;
        }
        return propagate(env, f, &[a, b]);
    }
    // As sign-magnitude numbers, so that -0 < +0.
    let key = |x: u64| {
        if x & f.sign != 0 {
            -1 - (x & f.abs) as i64
        } else {
            (x & f.abs) as i64
        }
    };
    if (key(a) >= key(b)) == max { a } else { b }
}

/// A comparison's flags: less N, equal ZC, greater C, unordered CV.
pub fn compare(env: &mut u32, w: u8, a: u64, b: u64, signals: bool) -> u64 {
    let f = format_in(*env, w);
    let (a, b) = (flushed(env, w, a), flushed(env, w, b));
    if f.nan(a) || f.nan(b) {
        if signals || f.signalling(a) || f.signalling(b) {
            *env |= INVALID;
        }
        return flags::C | flags::V;
    }
    let key = |x: u64| {
        if x & f.sign != 0 {
            -((x & f.abs) as i64)
        } else {
            (x & f.abs) as i64
        }
    };
    match key(a).cmp(&key(b)) {
        std::cmp::Ordering::Less => flags::N,
        std::cmp::Ordering::Equal => flags::Z | flags::C,
        std::cmp::Ordering::Greater => flags::C,
    }
}

/// One lane of the vector operations that are not plain arithmetic.
fn on_lane(env: &mut u32, op: Op, w: u8, a: u64, b: u64, imm: u64) -> u64 {
    match op {
        Op::VFpCmp => {
            let f = compare(env, w, a, b, imm != 0);
            let holds = match imm {
                0 => f & flags::Z != 0,
                1 => f & flags::C != 0 && f & flags::V == 0,
                _ => f == flags::C,
            };
            if holds { super::eval::mask(w) } else { 0 }
        }
        Op::VFpRound => round_integral(env, w, a, imm & 7, imm & 8 != 0),
        Op::VFpToInt => {
            let (signed, frac) = (imm & 0x80 != 0, (imm >> 16) as u32);
            to_int(env, w, a, w, signed, imm >> 8 & 7, frac)
        }
        Op::VFpFromInt => from_int(env, w, a, w, imm & 0x80 != 0, (imm >> 16) as u32),
        _ => min_max(env, op == Op::VFpMax, imm, w, a, b),
    }
}

/// Evaluates a floating-point operation under `env`.
pub fn eval(env: &mut u32, op: Op, w: u8, x: u128, y: u128, z: u128, imm: u64) -> u128 {
    under(env, imm, |env| {
        evaluate(env, op, w, x, y, z, imm & !STANDARD)
    })
}

fn evaluate(env: &mut u32, op: Op, w: u8, x: u128, y: u128, z: u128, imm: u64) -> u128 {
    let m = super::eval::mask(w);
    let (a, b, c) = (x as u64 & m, y as u64 & m, z as u64 & m);
    let (mut x, mut z) = (x, z);
    let (mut a, mut c) = (a, c);
    if matches!(op, Op::FpFma | Op::VFpFma) && imm != 0 {
        let signs = from_lanes(w, |_| 1 << (w - 1));
        if imm & 1 != 0 {
            x ^= signs;
            a ^= 1 << (w - 1);
        }
        if imm & 2 != 0 {
            z ^= signs;
            c ^= 1 << (w - 1);
        }
    }
    let scalar = match op {
        Op::VFpAdd => Op::FpAdd,
        Op::VFpSub => Op::FpSub,
        Op::VFpMul => Op::FpMul,
        Op::VFpDiv => Op::FpDiv,
        Op::VFpSqrt => Op::FpSqrt,
        Op::VFpFma => Op::FpFma,
        _ => op,
    };
    match op {
        Op::VFpWiden => {
            let first = if imm == 0 { 0 } else { 64 / u32::from(w) };
            return from_lanes(w * 2, |i| convert(env, w, w * 2, lane(x, w, first + i)));
        }
        Op::VFpNarrow => {
            let half = w / 2;
            return from_lanes(half, |i| {
                if i < 64 / u32::from(half) {
                    convert(env, w, half, lane(x, w, i))
                } else {
                    0
                }
            });
        }
        Op::VFpMulAdd => {
            let sum = if imm & 1 != 0 { Op::FpSub } else { Op::FpAdd };
            return from_lanes(w, |i| {
                let p = arith(env, Op::FpMul, w, lane(x, w, i), lane(y, w, i), 0);
                arith(env, sum, w, lane(z, w, i), p, 0)
            });
        }
        Op::VFpMin | Op::VFpMax | Op::VFpRound | Op::VFpCmp | Op::VFpToInt | Op::VFpFromInt => {
            return from_lanes(w, |i| {
                on_lane(env, op, w, lane(x, w, i), lane(y, w, i), imm)
            });
        }
        _ => {}
    }
    if scalar != op {
        return from_lanes(w, |i| {
            arith(env, scalar, w, lane(x, w, i), lane(y, w, i), lane(z, w, i))
        });
    }
    u128::from(match op {
        Op::FpFlush => flushed(env, w, a),
        Op::FFcmp => compare(env, w, a, b, imm != 0),
        Op::FpMin | Op::FpMax => min_max(env, op == Op::FpMax, imm, w, a, b),
        Op::FpRound => round_integral(env, w, a, imm & 7, imm & 8 != 0),
        Op::FpCvt => convert(env, w, imm as u8, a),
        Op::FpToInt if imm & NAN_IS_LARGEST != 0 && format(w).nan(a) => {
            *env |= INVALID;
            let bits = (imm & 0x7f) as u8;
            super::eval::mask(bits) >> u32::from(imm & 0x80 != 0)
        }
        Op::FpToInt if imm & OVERFLOW_IS_LARGEST != 0 => {
            let (bits, signed) = ((imm & 0x7f) as u8, imm & 0x80 != 0);
            let mut e = *env & !INVALID;
            let r = to_int(&mut e, w, a, bits, signed, imm >> 8 & 7, 0);
            *env |= e;
            if e & INVALID != 0 {
                super::eval::mask(bits) >> u32::from(signed)
            } else {
                r
            }
        }
        Op::FpToInt => to_int(
            env,
            w,
            a,
            (imm & 0x7f) as u8,
            imm & 0x80 != 0,
            imm >> 8 & 7,
            (imm >> 16) as u32,
        ),
        Op::FpFromInt => from_int(
            env,
            w,
            x as u64,
            (imm & 0x7f) as u8,
            imm & 0x80 != 0,
            (imm >> 16) as u32,
        ),
        _ => arith(env, op, w, a, b, c),
    })
}
