//! Floating-point instructions (Arm ARM, shared pseudocode: FPMulAdd, FPTrigMAdd, FPExpA, FPScale, FPLogB, ...).

use super::unit::{Done, P, Unit, Z, require};
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::flags;
use crate::ir::float::{self, arith, compare, convert, flushed, min_max};
use crate::ir::float_int::{from_int, round_integral, to_int};
use crate::simd::estimate::{recpe, recpx, rsqrte};
use crate::simd::fp::{self, infinite, is_nan, parts, zero};
use crate::simd::matrix;

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
fn coefficient(w: u8, n: usize) -> u64 {
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

/// To single precision, rounded to odd (FPRoundingMode ODD).
fn to_odd(env: &mut u32, a: u64) -> u64 {
    let mut own = *env & !float::HOST_BITS | float::DEFAULT_ENV | 0x6000;
    let r = convert(&mut own, 64, 32, a);
    let inexact = own & float::INEXACT != 0;
    *env |= own & float::STICKY;
    r | u64::from(inexact)
}

impl Unit<'_> {
    /// The width of floating-point elements.
    fn fw(&self) -> Result<u32, super::unit::Reserved> {
        self.at_least(16)?;
        Ok(self.w())
    }

    /// Zdn becomes `f` of Zdn and Zm where Pg is.
    pub fn fp_destructive(&mut self, reversed: bool, f: Two) -> Done {
        let w = self.fw()?;
        let (a, b, p) = (self.z(self.d()), self.z(self.n()), self.p(self.g()));
        self.each(w, &p, self.d(), &a, &mut |u, i| {
            let (x, y) = (a.get(i, w), b.get(i, w));
            let (x, y) = if reversed { (y, x) } else { (x, y) };
            f(&mut u.env, w as u8, x, y)
        });
        Ok(())
    }

    /// The same with one of two constants, as a double.
    pub fn fp_immediate(&mut self, constants: [f64; 2], reversed: bool, f: Two) -> Done {
        let w = self.fw()?;
        let k = constants[usize::from(self.bit(5))].to_bits();
        let k = convert(&mut float::DEFAULT_ENV.clone(), 64, w as u8, k);
        let (a, p) = (self.z(self.d()), self.p(self.g()));
        self.each(w, &p, self.d(), &a, &mut |u, i| {
            let (x, y) = if reversed {
                (k, a.get(i, w))
            } else {
                (a.get(i, w), k)
            };
            f(&mut u.env, w as u8, x, y)
        });
        Ok(())
    }

    pub fn fp_binary(&mut self, f: Two) -> Done {
        let w = self.fw()?;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |u, i| {
            f(&mut u.env, w as u8, a.get(i, w), b.get(i, w))
        });
        Ok(())
    }

    pub fn fp_unary(&mut self, predicated: bool, f: One) -> Done {
        let w = self.fw()?;
        let (a, d) = (self.z(self.n()), self.z(self.d()));
        let p = if predicated {
            self.p(self.g())
        } else {
            self.all(w)
        };
        self.each(w, &p, self.d(), &d, &mut |u, i| {
            f(&mut u.env, w as u8, a.get(i, w))
        });
        Ok(())
    }

    /// Pairs of neighbours, of Zdn and Zm in turn.
    pub fn fp_pairwise(&mut self, f: Two) -> Done {
        let w = self.fw()?;
        let (a, b, p) = (self.z(self.d()), self.z(self.n()), self.p(self.g()));
        self.each(w, &p, self.d(), &a, &mut |u, i| {
            let from = if i % 2 == 0 { &a } else { &b };
            f(&mut u.env, w as u8, from.get(i & !1, w), from.get(i | 1, w))
        });
        Ok(())
    }

    /// FTMAD.
    pub fn trig_step(&mut self) -> Done {
        let w = self.fw()?;
        let n = self.f(16, 3) as usize;
        let (a, b) = (self.z(self.d()), self.z(self.n()));
        self.every(w, self.d(), &mut |u, i| {
            let v = b.get(i, w);
            let cosine = v >> (w - 1) & 1 != 0;
            let k = coefficient(w as u8, n + if cosine { 8 } else { 0 });
            let v = v & !fp::sign(w as u8);
            arith(&mut u.env, Op::FpFma, w as u8, a.get(i, w), v, k)
        });
        Ok(())
    }

    // Reductions.

    fn tree(&mut self, z: &Z, w: u32, from: usize, count: usize, f: Two) -> u64 {
        if count == 1 {
            return z.get(from, w);
        }
        let a = self.tree(z, w, from, count / 2, f);
        let b = self.tree(z, w, from + count / 2, count / 2, f);
        f(&mut self.env, w as u8, a, b)
    }

    /// In a tree, with this in the place of what is not active.
    pub fn fp_reduce(&mut self, nothing: fn(u8) -> u64, f: Two) -> Done {
        let w = self.fw()?;
        let (a, p) = (self.z(self.n()), self.p(self.g()));
        let count = self.count(w).next_power_of_two();
        let mut z = Z::ZERO;
        for i in 0..count {
            let active = i < self.count(w) && p.active(i, w);
            z.put(
                i,
                w,
                if active {
                    a.get(i, w)
                } else {
                    nothing(w as u8)
                },
            );
        }
        let r = self.tree(&z, w, 0, count, f);
        self.put_scalar(self.d(), w, r);
        Ok(())
    }

    /// FADDA: one after the other.
    pub fn fp_add_ordered(&mut self) -> Done {
        let w = self.fw()?;
        let (a, p) = (self.z(self.n()), self.p(self.g()));
        let mut sum = self.z(self.d()).get(0, w);
        for i in (0..self.count(w)).filter(|&i| p.active(i, w)) {
            sum = add(&mut self.env, w as u8, sum, a.get(i, w));
        }
        self.put_scalar(self.d(), w, sum);
        Ok(())
    }

    pub fn fp_compare(&mut self, with_zero: bool, f: Holds) -> Done {
        let w = self.fw()?;
        let a = self.z(self.n());
        let b = if with_zero { Z::ZERO } else { self.z(self.m()) };
        // These set no flags.
        let g = self.p(self.g());
        let mut r = P::ZERO;
        for i in 0..self.count(w) {
            if g.active(i, w) {
                let on = f(&mut self.env, w as u8, a.get(i, w), b.get(i, w));
                r.put(i, w, on);
            }
        }
        self.put_p(self.f(0, 4) as usize, &r);
        Ok(())
    }

    // Products and sums.

    /// FMLA and its relatives: signs as `FpFma` has them; `multiplicand`: Zdn is a factor, and bits 20-16 the addend.
    pub fn fp_multiply_add(&mut self, signs: u64, multiplicand: bool) -> Done {
        let w = self.fw()?;
        let (d, n, m) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        let p = self.p(self.g());
        let (a, b, c) = if multiplicand {
            (&d, &n, &m)
        } else {
            (&n, &m, &d)
        };
        self.each(w, &p, self.d(), &d, &mut |u, i| {
            fma(&mut u.env, w, a.get(i, w), b.get(i, w), c.get(i, w), signs)
        });
        Ok(())
    }

    pub fn fp_multiply_add_element(&mut self, signs: u64) -> Done {
        let w = self.indexed_width();
        let (k, m) = self.fp_element(w);
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let per = 128 / w as usize;
        self.every(w, self.d(), &mut |u, i| {
            let y = b.get(i / per * per + k, w);
            fma(&mut u.env, w, a.get(i, w), y, d.get(i, w), signs)
        });
        Ok(())
    }

    pub fn fp_multiply_element(&mut self) -> Done {
        let w = self.indexed_width();
        let (k, m) = self.fp_element(w);
        let (a, b) = (self.z(self.n()), self.z(m));
        let per = 128 / w as usize;
        self.every(w, self.d(), &mut |u, i| {
            let y = b.get(i / per * per + k, w);
            mul(&mut u.env, w as u8, a.get(i, w), y)
        });
        Ok(())
    }

    fn fp_element(&self, w: u32) -> (usize, usize) {
        let (k, m) = match w {
            16 => (self.f(22, 1) << 2 | self.f(19, 2), self.f(16, 3)),
            32 => (self.f(19, 2), self.f(16, 3)),
            _ => (self.f(20, 1), self.f(16, 4)),
        };
        (k as usize, m as usize)
    }

    /// FCADD.
    pub fn fp_complex_add(&mut self) -> Done {
        let w = self.fw()?;
        let (a, b, turned) = (self.z(self.d()), self.z(self.n()), self.bit(16));
        let p = self.p(self.g());
        self.each(w, &p, self.d(), &a, &mut |u, i| {
            let y = b.get(i ^ 1, w);
            let y = if (i % 2 == 0) == turned {
                y
            } else {
                y ^ fp::sign(w as u8)
            };
            add(&mut u.env, w as u8, a.get(i, w), y)
        });
        Ok(())
    }

    /// FCMLA.
    pub fn fp_complex_product(&mut self, indexed: bool) -> Done {
        let (w, rot) = if indexed {
            (if self.bit(22) { 32 } else { 16 }, self.f(10, 2))
        } else {
            (self.fw()?, self.f(13, 2))
        };
        let (k, m) = match (indexed, w) {
            (false, _) => (0, self.m()),
            (true, 16) => (self.f(19, 2) as usize, self.f(16, 3) as usize),
            (true, _) => (self.f(20, 1) as usize, self.f(16, 4) as usize),
        };
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let p = if indexed {
            self.all(w)
        } else {
            self.p(self.g())
        };
        let per = 64 / w as usize;
        let odd = (rot & 1) as usize;
        self.each(w, &p, self.d(), &d, &mut |u, i| {
            let pair = i / 2;
            let other = if indexed { pair / per * per + k } else { pair };
            let x = a.get(2 * pair + odd, w);
            let y = b.get(2 * other + (i & 1 ^ odd), w);
            let negative = if i % 2 == 0 {
                rot == 1 || rot == 2
            } else {
                rot >= 2
            };
            let y = if negative { y ^ fp::sign(w as u8) } else { y };
            fma(&mut u.env, w, x, y, d.get(i, w), 0)
        });
        Ok(())
    }

    /// FMLALB and its like, from half precision (`brain`: bfloat16); top elements or bottom ones; of all or by an element.
    pub fn fp_long(&mut self, top: usize, minus: bool, brain: bool, indexed: bool) -> Done {
        let (k, m) = if indexed {
            (
                (self.f(19, 2) << 1 | self.f(11, 1)) as usize,
                self.f(16, 3) as usize,
            )
        } else {
            (0, self.m())
        };
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let env = self.env;
        let single = |h: u64| {
            if brain {
                h << 16
            } else {
                matrix::single(env, h)
            }
        };
        self.every(32, self.d(), &mut |u, i| {
            let at = 2 * i + top;
            let x = a.get(at, 16) ^ if minus { 0x8000 } else { 0 };
            let y = b.get(if indexed { i / 4 * 8 + k } else { at }, 16);
            fma(&mut u.env, 32, single(x), single(y), d.get(i, 32), 0)
        });
        Ok(())
    }

    /// BFDOT.
    pub fn brain_dot(&mut self, indexed: bool) -> Done {
        let (k, m) = if indexed {
            (self.f(19, 2) as usize, self.f(16, 3) as usize)
        } else {
            (0, self.m())
        };
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        self.every(32, self.d(), &mut |_, i| {
            let y = b.get(if indexed { i / 4 * 4 + k } else { i }, 32);
            matrix::dot(d.get(i, 32), a.get(i, 32), y)
        });
        Ok(())
    }

    /// BFMMLA.
    pub fn brain_matrix(&mut self) -> Done {
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        self.every(32, self.d(), &mut |_, i| {
            let (row, column) = (i / 4 * 4 + i % 4 / 2 * 2, i / 4 * 4 + i % 2 * 2);
            (0..2).fold(d.get(i, 32), |sum, k| {
                matrix::dot(sum, a.get(row + k, 32), b.get(column + k, 32))
            })
        });
        Ok(())
    }

    /// FMMLA: of matrices of two by two.
    pub fn fp_matrix(&mut self, w: u32) -> Done {
        let size = 4 * w as usize / 8;
        require(self.bytes >= size)?;
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        let whole = self.bytes / size * 4;
        let mut r = Z::ZERO;
        for i in 0..whole {
            let (row, column) = (i / 4 * 4 + i % 4 / 2 * 2, i / 4 * 4 + i % 2 * 2);
            let env = &mut self.env;
            let first = mul(env, w as u8, a.get(row, w), b.get(column, w));
            let second = mul(env, w as u8, a.get(row + 1, w), b.get(column + 1, w));
            let sum = add(env, w as u8, first, second);
            r.put(i, w, add(env, w as u8, d.get(i, w), sum));
        }
        self.put_z(self.d(), &r);
        Ok(())
    }

    // Conversions: elements are as wide as the wider format.

    fn converted(&mut self, w: u32, f: &mut dyn FnMut(&mut u32, u64) -> u64) -> Done {
        let (a, d, p) = (self.z(self.n()), self.z(self.d()), self.p(self.g()));
        self.each(w, &p, self.d(), &d, &mut |u, i| f(&mut u.env, a.get(i, w)));
        Ok(())
    }

    pub fn fp_round(&mut self, mode: u64, exact: bool) -> Done {
        let w = self.fw()?;
        self.converted(w, &mut |env, x| {
            round_integral(env, w as u8, x, mode, exact)
        })
    }

    pub fn fp_convert(&mut self, from: u32, to: u32) -> Done {
        self.converted(from.max(to), &mut |env, x| {
            narrow(env, from, to, x & mask(from as u8))
        })
    }

    pub fn fp_to_int(&mut self, from: u32, to: u32, is_signed: bool) -> Done {
        self.converted(from.max(to), &mut |env, x| {
            let x = x & mask(from as u8);
            let r = to_int(
                env,
                from as u8,
                x,
                to as u8,
                is_signed,
                float::round::ZERO,
                0,
            );
            if is_signed {
                crate::ir::eval::sext(to as u8, r) as u64
            } else {
                r
            }
        })
    }

    pub fn fp_from_int(&mut self, from: u32, to: u32, is_signed: bool) -> Done {
        self.converted(from.max(to), &mut |env, x| {
            from_int(
                env,
                to as u8,
                x & mask(from as u8),
                from as u8,
                is_signed,
                0,
            )
        })
    }

    /// BFCVT.
    pub fn fp_to_brain(&mut self) -> Done {
        self.converted(32, &mut |env, x| matrix::to_bfloat(env, x))
    }

    /// FCVTX.
    pub fn fp_convert_odd(&mut self) -> Done {
        self.converted(64, &mut to_odd)
    }

    /// To odd elements of half the width; the even ones stay.
    fn converted_top(&mut self, w: u32, f: &mut dyn FnMut(&mut u32, u64) -> u64) -> Done {
        let h = w / 2;
        let (a, d, p) = (self.z(self.n()), self.z(self.d()), self.p(self.g()));
        self.each(w, &p, self.d(), &d, &mut |u, i| {
            f(&mut u.env, a.get(i, w)) << h | d.get(2 * i, h)
        });
        Ok(())
    }

    pub fn fp_narrow_top(&mut self, w: u32) -> Done {
        self.converted_top(w, &mut |env, x| narrow(env, w, w / 2, x))
    }

    pub fn fp_narrow_top_odd(&mut self) -> Done {
        self.converted_top(64, &mut to_odd)
    }

    pub fn fp_narrow_top_brain(&mut self) -> Done {
        self.converted_top(32, &mut |env, x| matrix::to_bfloat(env, x))
    }

    /// FCVTLT: from odd elements.
    pub fn fp_widen_top(&mut self, w: u32) -> Done {
        self.converted(w, &mut |env, x| narrow(env, w / 2, w, x >> (w / 2)))
    }

    /// FLOGB: bits 18-17 say the width.
    pub fn fp_logb(&mut self) -> Done {
        require(self.f(17, 2) != 0)?;
        let w = 8 << self.f(17, 2);
        self.converted(w, &mut |env, x| logb(env, w as u8, x))
    }
}

/// FPConvertSVE: half precision is IEEE's.
fn narrow(env: &mut u32, from: u32, to: u32, x: u64) -> u64 {
    let mut own = *env & !float::ALT_HALF;
    let r = convert(&mut own, from as u8, to as u8, x);
    *env |= own & float::STICKY;
    r
}

fn fma(env: &mut u32, w: u32, a: u64, b: u64, c: u64, signs: u64) -> u64 {
    let sign = fp::sign(w as u8);
    let a = if signs & 1 != 0 { a ^ sign } else { a };
    let c = if signs & 2 != 0 { c ^ sign } else { c };
    arith(env, Op::FpFma, w as u8, a, b, c)
}

/// The largest of all.
#[must_use]
pub fn infinity(w: u8) -> u64 {
    let (frac, top) = parts(w);
    top << frac
}
