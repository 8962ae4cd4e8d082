//! Instructions with floating-point elements (V, Zvfh, Zvfbfmin, Zvfbfwma).

use super::super::bfloat::{float_mode, from_bf16, to_bf16};
use super::arith::Second;
use super::unit::{Done, Reserved, Unit, require};
use crate::ir::Op;
use crate::ir::eval::{mask, sext};
use crate::ir::flags::Cc;
use crate::ir::float::{self, INEXACT, INVALID, NAN_IS_LARGEST, OVERFLOW, round};

/// Operations on two elements (a of vs2, b of vs1 or the scalar) or three (d: the old one of vd).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fp {
    Add,
    Sub,
    Rsub,
    Mul,
    Div,
    Rdiv,
    Min,
    Max,
    /// Sign of b, its opposite, both signs' difference.
    Sgnj(u8),
    /// a * b + d, with signs as `FpFma` has them; `true`: d * b + a.
    Fma(u64, bool),
}

/// How wide an operation's operands are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wide {
    No,
    /// The result.
    Result,
    /// The result and a.
    Both,
}

fn operation(funct6: u32) -> Option<(Fp, Wide)> {
    use Wide::{Both, No, Result};
    // VFMADD and VFMACC: product as it is or negated, addend likewise.
    let signs = |n: u32| [0, 3, 2, 1][n as usize & 3];
    Some(match funct6 {
        0x00 => (Fp::Add, No),
        0x02 => (Fp::Sub, No),
        0x04 => (Fp::Min, No),
        0x06 => (Fp::Max, No),
        0x08..=0x0a => (Fp::Sgnj(funct6 as u8 & 3), No),
        0x20 => (Fp::Div, No),
        0x21 => (Fp::Rdiv, No),
        0x24 => (Fp::Mul, No),
        0x27 => (Fp::Rsub, No),
        0x28..=0x2b => (Fp::Fma(signs(funct6), true), No),
        0x2c..=0x2f => (Fp::Fma(signs(funct6), false), No),
        0x30 => (Fp::Add, Result),
        0x32 => (Fp::Sub, Result),
        0x34 => (Fp::Add, Both),
        0x36 => (Fp::Sub, Both),
        0x38 => (Fp::Mul, Result),
        0x3c..=0x3f => (Fp::Fma(signs(funct6), false), Result),
        _ => return None,
    })
}

/// One over `x`, or over its square root, to seven bits: "Vector Floating-Point Reciprocal Estimate Instruction".
fn estimate(env: &mut u32, w: u32, v: u64, root: bool) -> u64 {
    let digits = match w {
        16 => 10,
        32 => 23,
        _ => 52,
    };
    let bits = w - 1 - digits;
    let (top, bias) = ((1u64 << bits) - 1, (1i64 << (bits - 1)) - 1);
    let sign = v & 1 << (w - 1);
    let (exp, mut frac) = (v >> digits & top, v & mask(digits as u8));
    let infinity = top << digits;
    let nan = infinity | 1 << (digits - 1);
    if exp == top && frac != 0 {
        if frac >> (digits - 1) == 0 {
            *env |= INVALID;
        }
        return nan;
    }
    if exp == 0 && frac == 0 {
        *env |= float::DIV_BY_ZERO;
        return sign | infinity;
    }
    if root && sign != 0 {
        *env |= INVALID;
        return nan;
    }
    if exp == top {
        return if root { 0 } else { sign };
    }
    let mut e = exp as i64;
    if exp == 0 {
        let zeros = i64::from(frac.leading_zeros()) - i64::from(63 - digits);
        frac = frac << zeros & mask(digits as u8);
        e = 1 - zeros;
    }
    if root {
        // The table's index: the exponent's lowest bit, and six bits. It has the middle's root.
        let (odd, six) = (e & 1 == 0, frac >> (digits - 6));
        let x = (1.0 + (six as f64 + 0.5) / 64.0) * if odd { 2.0 } else { 1.0 };
        let seven = (256.0 / x.sqrt()).round() as u64 - 128;
        let out = ((3 * bias - 1 - e) >> 1) as u64;
        return out << digits | seven << (digits - 7);
    }
    let x = 1.0 + ((frac >> (digits - 7)) as f64 + 0.5) / 128.0;
    let seven = (256.0 / x).round() as u64 - 128;
    let out = 2 * bias - 1 - e;
    if out > top as i64 - 1 {
        // Of denormal numbers: too large, or as large as there is.
        *env |= INEXACT | OVERFLOW;
        let away = match float_mode(*env) {
            round::ZERO => false,
            round::DOWN => sign != 0,
            round::UP => sign == 0,
            _ => true,
        };
        return sign | if away { infinity } else { infinity - 1 };
    }
    let mut out_frac = seven << (digits - 7);
    if out <= 0 {
        // Denormal.
        out_frac = (1 << digits | out_frac) >> (1 - out);
        return sign | out_frac;
    }
    sign | (out as u64) << digits | out_frac
}

impl Unit<'_> {
    fn calc(&mut self, op: Op, w: u32, a: u64, b: u64, c: u64, imm: u64) -> u64 {
        let m = mask(w as u8);
        let args = [a, b, c].map(|v| u128::from(v & m));
        float::eval(&mut self.env, op, w as u8, args[0], args[1], args[2], imm) as u64 & m
    }

    fn fp(&mut self, op: Fp, w: u32, a: u64, b: u64, d: u64) -> u64 {
        let sign = 1 << (w - 1);
        match op {
            Fp::Add => self.calc(Op::FpAdd, w, a, b, 0, 0),
            Fp::Sub => self.calc(Op::FpSub, w, a, b, 0, 0),
            Fp::Rsub => self.calc(Op::FpSub, w, b, a, 0, 0),
            Fp::Mul => self.calc(Op::FpMul, w, a, b, 0, 0),
            Fp::Div => self.calc(Op::FpDiv, w, a, b, 0, 0),
            Fp::Rdiv => self.calc(Op::FpDiv, w, b, a, 0, 0),
            Fp::Min => self.calc(Op::FpMin, w, a, b, 0, float::PREFER_NUMBER),
            Fp::Max => self.calc(Op::FpMax, w, a, b, 0, float::PREFER_NUMBER),
            Fp::Sgnj(how) => {
                let s = match how {
                    0 => b,
                    1 => !b,
                    _ => a ^ b,
                };
                a & !sign | s & sign
            }
            Fp::Fma(signs, false) => self.calc(Op::FpFma, w, a, b, d, signs),
            Fp::Fma(signs, true) => self.calc(Op::FpFma, w, d, b, a, signs),
        }
    }

    fn convert(&mut self, from: u32, to: u32, v: u64) -> u64 {
        let v = u128::from(v & mask(from as u8));
        float::eval(&mut self.env, Op::FpCvt, from as u8, v, 0, 0, to.into()) as u64
            & mask(to as u8)
    }

    /// To a narrower format, to odd.
    fn convert_to_odd(&mut self, from: u32, to: u32, v: u64) -> u64 {
        let before = self.env;
        self.env =
            super::super::csr::rounding_in(before, super::super::csr::rounding::ZERO) & !INEXACT;
        let r = self.convert(from, to, v);
        let inexact = self.env & INEXACT != 0;
        self.env = before | self.env & float::STICKY;
        r | u64::from(inexact)
    }

    /// There is floating point of this width; bfloat16 and conversions of half precision need less than arithmetic.
    fn has(&self, w: u32) -> Done {
        require(matches!(w, 32 | 64) || w == 16 && self.model.zvfh)
    }

    /// A scalar of `w` bits out of a floating-point register.
    fn unboxed(w: u32, x: u64) -> u64 {
        if w == 64 || x >> w == u64::MAX >> w {
            return x & mask(w as u8);
        }
        match w {
            16 => 0x7e00,
            _ => 0x7fc0_0000,
        }
    }

    /// OPF encodings; `x`: the floating-point register. The result of VFMV.F.S.
    pub fn opf(&mut self, x: u64) -> Result<u64, Reserved> {
        let (w, vector, n) = (self.sew, self.f(12, 3) == 1, self.f(26, 6));
        let from = if vector {
            Second::Vector
        } else {
            Second::Scalar(Self::unboxed(w, x))
        };
        require(self.frm <= super::super::csr::rounding::AWAY)?;
        match (n, self.vs1()) {
            (0x12, how) => return self.float_convert(how).map(|()| 0),
            (0x3b, _) => return self.bf16_fma(x, vector).map(|()| 0),
            _ => self.has(w)?,
        }
        match (n, self.vs1()) {
            (0x01 | 0x03, _) => self.float_reduce(Fp::Add, false)?,
            (0x05, _) => self.float_reduce(Fp::Min, false)?,
            (0x07, _) => self.float_reduce(Fp::Max, false)?,
            (0x31 | 0x33, _) => self.float_reduce(Fp::Add, true)?,
            (0x0e | 0x0f, _) => self.slide_one(Self::unboxed(w, x), n == 0x0e)?,
            (0x10, _) if vector => return Ok(self.get(self.vs2(), 0, w) | !mask(w as u8)),
            (0x10, _) => self.scalar_in(Self::unboxed(w, x)),
            (0x13, how) => self.float_one(how)?,
            (0x17, _) => self.merge(from)?,
            (0x18..=0x1f, _) => self.float_compare(from, n)?,
            _ => self.float_plain(from, n)?,
        }
        Ok(0)
    }

    fn float_plain(&mut self, from: Second, n: u32) -> Done {
        let (op, wide) = operation(n).ok_or(Reserved)?;
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        if wide == Wide::No {
            self.same_rules(from)?;
        } else {
            if matches!(op, Fp::Fma(..)) {
                self.widen_and_add_rules(from)?;
            } else {
                self.widen_rules(from, wide == Wide::Both)?;
            }
            self.has(2 * w)?;
        }
        let to = if wide == Wide::No { w } else { 2 * w };
        self.each(&mut |u, i| {
            let mut a = u.get(vs2, i, if wide == Wide::Both { to } else { w });
            let mut b = u.second(from, i, w);
            if wide == Wide::Result {
                a = u.convert(w, to, a);
            }
            if wide != Wide::No {
                b = u.convert(w, to, b);
            }
            let d = u.get(vd, i, to);
            let r = u.fp(op, to, a, b, d);
            u.put(vd, i, to, r);
        });
        Ok(())
    }

    fn float_compare(&mut self, from: Second, n: u32) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        self.compare_rules(from)?;
        let quiet = matches!(n, 0x18 | 0x1c);
        self.each(&mut |u, i| {
            let (mut a, mut b) = (u.get(vs2, i, w), u.second(from, i, w));
            if n & 5 == 5 {
                std::mem::swap(&mut a, &mut b);
            }
            let (a, b) = (u128::from(a), u128::from(b));
            let flags =
                float::eval(&mut u.env, Op::FFcmp, w as u8, a, b, 0, u64::from(!quiet)) as u64;
            let r = match n {
                0x18 => Cc::Eq.holds(flags),
                0x1c => !Cc::Eq.holds(flags),
                0x19 | 0x1f => Cc::Ls.holds(flags),
                _ => Cc::Mi.holds(flags),
            };
            u.put_bit(vd, i, r);
        });
        Ok(())
    }

    fn float_reduce(&mut self, op: Fp, wide: bool) -> Done {
        let (w, vd, vs1, vs2) = (self.sew, self.vd(), self.vs1(), self.vs2());
        require(self.vstart == 0 && self.aligned(vs2, self.lmul))?;
        let to = if wide { 2 * w } else { w };
        require(to <= 64)?;
        self.reduction_sources(wide)?;
        self.has(to)?;
        if self.vl == 0 {
            return Ok(());
        }
        let mut sum = self.get(vs1, 0, to);
        self.each(&mut |u, i| {
            let mut a = u.get(vs2, i, w);
            if wide {
                a = u.convert(w, to, a);
            }
            sum = u.fp(op, to, sum, a, 0);
        });
        self.put(vd, 0, to, sum);
        Ok(())
    }

    /// VFSQRT, VFRSQRT7, VFREC7, VFCLASS.
    fn float_one(&mut self, how: u32) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        self.same_rules(Second::Scalar(0))?;
        self.each(&mut |u, i| {
            let a = u.get(vs2, i, w);
            let r = match how {
                0 => u.calc(Op::FpSqrt, w, a, 0, 0, 0),
                4 | 5 => estimate(&mut u.env, w, a, how == 4),
                _ => crate::simd::scalar::kind_of(w as u8, a),
            };
            u.put(vd, i, w, r);
        });
        Ok(())
    }

    /// An integer of `to` bits.
    fn float_to_int(&mut self, from: u32, to: u32, v: u64, signed: bool, truncate: bool) -> u64 {
        let mode = if truncate {
            round::ZERO
        } else {
            round::CURRENT
        };
        let imm = u64::from(to) | u64::from(signed) << 7 | mode << 8 | NAN_IS_LARGEST;
        let v = u128::from(v);
        float::eval(&mut self.env, Op::FpToInt, from as u8, v, 0, 0, imm) as u64
    }

    fn int_to_float(&mut self, from: u32, to: u32, v: u64, signed: bool) -> u64 {
        let v = if signed {
            sext(from as u8, v) as u64
        } else {
            v
        };
        let imm = 64 | u64::from(signed) << 7;
        float::eval(&mut self.env, Op::FpFromInt, to as u8, v.into(), 0, 0, imm) as u64
    }

    /// VFUNARY0: conversions.
    fn float_convert(&mut self, how: u32) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        let none = Second::Scalar(0);
        let (from, to) = match how >> 3 {
            0 => {
                self.same_rules(none)?;
                (w, w)
            }
            1 => {
                self.widen_rules(none, false)?;
                (w, 2 * w)
            }
            _ => {
                self.narrow_rules(none)?;
                (2 * w, w)
            }
        };
        let kind = how & 7;
        let integer_source = matches!(kind, 2 | 3);
        let integer_result = matches!(kind, 0 | 1 | 6 | 7);
        match how {
            // To and from half precision Zvfhmin suffices, and bfloat16 has its own extensions.
            0x0c | 0x14 => {
                let narrow = from.min(to);
                require(narrow == 32 || narrow == 16 && self.model.zvfhmin)?;
            }
            0x0d | 0x1d => require(w == 16)?,
            _ => {
                if !integer_source {
                    self.has(from)?;
                }
                if !integer_result {
                    self.has(to)?;
                }
            }
        }
        self.each(&mut |u, i| {
            let v = u.get(vs2, i, from);
            let r = match how {
                0x0d => from_bf16(&mut u.env, v),
                0x1d => to_bf16(&mut u.env, v as u32),
                _ if integer_result => u.float_to_int(from, to, v, kind & 1 != 0, kind >= 6),
                _ if integer_source => u.int_to_float(from, to, v, kind & 1 != 0),
                0x15 => u.convert_to_odd(from, to, v),
                _ => u.convert(from, to, v),
            };
            u.put(vd, i, to, r);
        });
        Ok(())
    }

    /// VFWMACCBF16.
    fn bf16_fma(&mut self, x: u64, vector: bool) -> Done {
        let (vd, vs2) = (self.vd(), self.vs2());
        let x = if x >> 16 == u64::MAX >> 16 {
            x & 0xffff
        } else {
            0x7fc0
        };
        let from = if vector {
            Second::Vector
        } else {
            Second::Scalar(x)
        };
        require(self.sew == 16)?;
        self.widen_and_add_rules(from)?;
        self.each(&mut |u, i| {
            let (a, b) = (u.get(vs2, i, 16), u.second(from, i, 16));
            let (a, b) = (from_bf16(&mut u.env, a), from_bf16(&mut u.env, b));
            let d = u.get(vd, i, 32);
            let r = u.fp(Fp::Fma(0, false), 32, a, b, d);
            u.put(vd, i, 32, r);
        });
        Ok(())
    }
}
