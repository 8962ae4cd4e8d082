//! Conversions and rounding.

use super::super::unit::{Done, Unit, require};
use super::operations::logb;
use crate::ir::eval::mask;
use crate::ir::float::{self, convert};
use crate::ir::float_int::{from_int, round_integral, to_int};
use crate::simd::matrix;

/// To single precision, rounded to odd (FPRoundingMode ODD).
pub(super) fn to_odd(env: &mut u32, a: u64) -> u64 {
    let mut own = *env & !float::HOST_BITS | float::DEFAULT_ENV | 0x6000;
    let r = convert(&mut own, 64, 32, a);
    let inexact = own & float::INEXACT != 0;
    *env |= own & float::STICKY;
    r | u64::from(inexact)
}

impl Unit<'_> {
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
pub(super) fn narrow(env: &mut u32, from: u32, to: u32, x: u64) -> u64 {
    let mut own = *env & !float::ALT_HALF;
    let r = convert(&mut own, from as u8, to as u8, x);
    *env |= own & float::STICKY;
    r
}
