//! Floating-point instructions: those that go over elements, or sum them up.

mod convert;
mod operations;
mod product;

pub use operations::*;

use super::unit::{Done, P, Unit, Z};
use crate::ir::Op;
use crate::ir::float::{self, arith, convert};
use crate::simd::fp;
use operations::coefficient;

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
}
