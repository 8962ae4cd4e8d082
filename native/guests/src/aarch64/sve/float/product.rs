//! Products that are added to: FMLA and its relatives, complex numbers, dot products, matrices.

use super::super::unit::{Done, Unit, Z, require};
use super::operations::{add, mul};
use crate::ir::Op;
use crate::ir::float::arith;
use crate::simd::fp;
use crate::simd::matrix;

impl Unit<'_> {
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
}
pub(super) fn fma(env: &mut u32, w: u32, a: u64, b: u64, c: u64, signs: u64) -> u64 {
    let sign = fp::sign(w as u8);
    let a = if signs & 1 != 0 { a ^ sign } else { a };
    let c = if signs & 2 != 0 { c ^ sign } else { c };
    arith(env, Op::FpFma, w as u8, a, b, c)
}
