//! Integer instructions whose operands and results have different widths, products with one element of each 128 bits, and complex
//! numbers (SVE2, I8MM).

use super::int::{Two, carryless};
use super::unit::{Done, Reserved, Unit, Z, clip, low, number, require, signed};

/// On numbers: of two elements, or of an accumulator's and two.
pub type Pair = fn(i128, i128) -> i128;
pub type Sum = fn(u32, i128, i128, i128) -> i128;

pub fn plus(_: u32, d: i128, a: i128, b: i128) -> i128 {
    d + a * b
}
pub fn minus(_: u32, d: i128, a: i128, b: i128) -> i128 {
    d - a * b
}
/// d + 2 a b, both saturated.
pub fn doubled_plus(w: u32, d: i128, a: i128, b: i128) -> i128 {
    d + number(true, w, clip(w, true, 2 * a * b))
}
pub fn doubled_minus(w: u32, d: i128, a: i128, b: i128) -> i128 {
    d - number(true, w, clip(w, true, 2 * a * b))
}

/// Whether a result is saturated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Wrap,
    Signed,
}

fn fit(how: Fit, w: u32, v: i128) -> u64 {
    match how {
        Fit::Wrap => v as u64,
        Fit::Signed => clip(w, true, v),
    }
}

impl Unit<'_> {
    /// Elements of half the width, from those of Zn and Zm with these numbers' parity.
    pub fn long(&mut self, tops: (u32, u32), is_signed: bool, how: Fit, f: Pair) -> Done {
        let w = self.w();
        require(w > 8)?;
        let h = w / 2;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |_, i| {
            let x = number(is_signed, h, a.get(2 * i + tops.0 as usize, h));
            let y = number(is_signed, h, b.get(2 * i + tops.1 as usize, h));
            fit(how, w, f(x, y))
        });
        Ok(())
    }

    /// Zn has the result's width.
    pub fn wider(&mut self, top: u32, is_signed: bool, f: Pair) -> Done {
        let w = self.w();
        require(w > 8)?;
        let h = w / 2;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |_, i| {
            let y = number(is_signed, h, b.get(2 * i + top as usize, h));
            f(number(is_signed, w, a.get(i, w)), y) as u64
        });
        Ok(())
    }

    /// Zd and a function of two elements of half the width.
    pub fn long_sum(&mut self, tops: (u32, u32), is_signed: bool, how: Fit, f: Sum) -> Done {
        let w = self.w();
        require(w > 8)?;
        let h = w / 2;
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |_, i| {
            let x = number(is_signed, h, a.get(2 * i + tops.0 as usize, h));
            let y = number(is_signed, h, b.get(2 * i + tops.1 as usize, h));
            fit(how, w, f(w, number(is_signed, w, d.get(i, w)), x, y))
        });
        Ok(())
    }

    /// PMULLB, PMULLT: of bytes, words, and doublewords if there are products of these.
    pub fn carryless_long(&mut self, top: u32) -> Done {
        let size = self.f(22, 2);
        require(size == 1 || size == 3)?;
        let (w, t) = (8 << size, top as usize);
        let h = w / 2;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |_, i| {
            carryless(a.get(2 * i + t, h), b.get(2 * i + t, h)) as u64
        });
        Ok(())
    }

    pub fn carryless_quad(&mut self, top: u32) -> Done {
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        let mut r = Z::ZERO;
        for i in 0..self.bytes / 16 {
            let k = 2 * i + top as usize;
            r.put_quad(i, carryless(a.get(k, 64), b.get(k, 64)));
        }
        self.put_z(self.d(), &r);
        Ok(())
    }

    /// SSHLLB and its like.
    pub fn shift_long(&mut self, top: u32, is_signed: bool) -> Done {
        let tsz = self.f(22, 1) << 2 | self.f(19, 2);
        let (h, n, _) = super::int::amounts(tsz, self.f(16, 3)).ok_or(Reserved)?;
        let a = self.z(self.n());
        self.every(2 * h, self.d(), &mut |_, i| {
            (number(is_signed, h, a.get(2 * i + top as usize, h)) << n) as u64
        });
        Ok(())
    }

    /// What is narrowed of elements of `w` bits goes to even elements, the others being 0; or to odd ones (`top`).
    fn narrowed(&mut self, w: u32, top: bool, f: &mut dyn FnMut(usize) -> u64) {
        let h = w / 2;
        let mut r = if top { self.z(self.d()) } else { Z::ZERO };
        for i in 0..self.count(w) {
            r.put(2 * i + usize::from(top), h, f(i));
        }
        self.put_z(self.d(), &r);
    }

    /// SQXTNB and its like: from numbers of one kind to those of another.
    pub fn extract_narrow(&mut self, top: bool, from_signed: bool, to_signed: bool) -> Done {
        let tsz = self.f(22, 1) << 2 | self.f(19, 2);
        require(self.f(16, 3) == 0 && tsz.is_power_of_two())?;
        let h = 8 << tsz.trailing_zeros();
        let a = self.z(self.n());
        self.narrowed(2 * h, top, &mut |i| {
            clip(h, to_signed, number(from_signed, 2 * h, a.get(i, 2 * h)))
        });
        Ok(())
    }

    /// Shifts to the right that narrow; `kinds`: what saturates, from and to numbers of these kinds.
    pub fn shift_narrow(&mut self, top: bool, round: bool, kinds: Option<(bool, bool)>) -> Done {
        let tsz = self.f(22, 1) << 2 | self.f(19, 2);
        let (h, _, n) = super::int::amounts(tsz, self.f(16, 3)).ok_or(Reserved)?;
        let a = self.z(self.n());
        let (from, to) = kinds.unwrap_or((false, false));
        self.narrowed(2 * h, top, &mut |i| {
            let v = number(from, 2 * h, a.get(i, 2 * h));
            let v = (v + if round { 1 << (n - 1) } else { 0 }) >> n;
            if kinds.is_some() {
                clip(h, to, v)
            } else {
                v as u64
            }
        });
        Ok(())
    }

    /// ADDHNB and its like: the high halves.
    pub fn high_narrow(&mut self, top: bool, subtract: bool, round: bool) -> Done {
        let w = self.w();
        require(w > 8)?;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.narrowed(w, top, &mut |i| {
            let (x, y) = (a.get(i, w), b.get(i, w));
            let v = if subtract {
                x.wrapping_sub(y)
            } else {
                x.wrapping_add(y)
            };
            let v = if round {
                v.wrapping_add(1 << (w / 2 - 1))
            } else {
                v
            };
            low(w, v) >> (w / 2)
        });
        Ok(())
    }

    /// Pairs of neighbours, of Zdn and Zm in turn.
    pub fn pairwise(&mut self, f: Two) -> Done {
        let w = self.w();
        let (a, b, p) = (self.z(self.d()), self.z(self.n()), self.p(self.g()));
        self.each(w, &p, self.d(), &a, &mut |_, i| {
            let from = if i % 2 == 0 { &a } else { &b };
            f(w, from.get(i & !1, w), from.get(i | 1, w))
        });
        Ok(())
    }

    /// SADALP, UADALP.
    pub fn pairs_added(&mut self, is_signed: bool) -> Done {
        let w = self.w();
        require(w > 8)?;
        let h = w / 2;
        let (d, a, p) = (self.z(self.d()), self.z(self.n()), self.p(self.g()));
        self.each(w, &p, self.d(), &d, &mut |_, i| {
            let x = |k| number(is_signed, h, a.get(2 * i + k, h)) as u64;
            d.get(i, w).wrapping_add(x(0)).wrapping_add(x(1))
        });
        Ok(())
    }

    /// EORBT (0), EORTB (1): elements of one parity, of Zn with their neighbours of Zm.
    pub fn xor_interleaved(&mut self, to: usize) -> Done {
        let w = self.w();
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |_, i| {
            if i % 2 == to {
                a.get(i, w) ^ b.get(i ^ 1, w)
            } else {
                d.get(i, w)
            }
        });
        Ok(())
    }

    /// ADCLB, SBCLB: with the carry of Zm's odd elements; theirs goes to odd ones.
    pub fn with_carry(&mut self, top: usize, subtract: bool) -> Done {
        let w = if self.bit(22) { 64 } else { 32 };
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        let mut r = Z::ZERO;
        for i in 0..self.count(w) / 2 {
            let y = a.get(2 * i + top, w);
            let y = if subtract { low(w, !y) } else { y };
            let sum =
                u128::from(d.get(2 * i, w)) + u128::from(y) + u128::from(b.get(2 * i + 1, w) & 1);
            r.put(2 * i, w, sum as u64);
            r.put(2 * i + 1, w, (sum >> w) as u64 & 1);
        }
        self.put_z(self.d(), &r);
        Ok(())
    }

    // Products with one element of each 128 bits of Zm.

    /// The element's number within 128 bits and Zm, for elements of `w` bits (bits 23-22 say which).
    fn element(&self, w: u32) -> (usize, usize) {
        match w {
            16 => (self.f(22, 1) << 2 | self.f(19, 2), self.f(16, 3)),
            32 => (self.f(19, 2), self.f(16, 3)),
            _ => (self.f(20, 1), self.f(16, 4)),
        }
        .into_usize()
    }

    /// The width of instructions that have three: H by 0x, S, D.
    pub fn indexed_width(&self) -> u32 {
        match self.f(22, 2) {
            2 => 32,
            3 => 64,
            _ => 16,
        }
    }

    /// Zd becomes `f` of Zd, Zn and the element.
    pub fn by_element(&mut self, f: super::int::Three) -> Done {
        let w = self.indexed_width();
        let (k, m) = self.element(w);
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let per = 128 / w as usize;
        self.every(w, self.d(), &mut |_, i| {
            f(w, d.get(i, w), a.get(i, w), b.get(i / per * per + k, w))
        });
        Ok(())
    }

    /// The element of half the result's width: bit 11 is its number's lowest.
    pub fn long_by_element(&mut self, top: u32, is_signed: bool, how: Fit, f: Sum) -> Done {
        let w = self.w();
        let h = w / 2;
        let (k, m) = if w == 32 {
            (self.f(19, 2) << 1 | self.f(11, 1), self.f(16, 3))
        } else {
            (self.f(20, 1) << 1 | self.f(11, 1), self.f(16, 4))
        }
        .into_usize();
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let per = 128 / h as usize;
        self.every(w, self.d(), &mut |_, i| {
            let at = 2 * i + top as usize;
            let x = number(is_signed, h, a.get(at, h));
            let y = number(is_signed, h, b.get(at / per * per + k, h));
            fit(how, w, f(w, number(is_signed, w, d.get(i, w)), x, y))
        });
        Ok(())
    }

    /// Sums of four products (SDOT, UDOT, USDOT, SUDOT): the kinds of Zn's and Zm's elements; `indexed`: by a group of four.
    pub fn dot(&mut self, kinds: (bool, bool), indexed: bool) -> Done {
        let w = self.w();
        require(w >= 32)?;
        let q = w / 4;
        let (group, m) = if !indexed {
            (0, self.m())
        } else if w == 32 {
            (self.f(19, 2), self.f(16, 3)).into_usize()
        } else {
            (self.f(20, 1), self.f(16, 4)).into_usize()
        };
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let per = 128 / w as usize;
        self.every(w, self.d(), &mut |_, i| {
            let other = if indexed { i / per * per + group } else { i };
            (0..4).fold(d.get(i, w), |sum, k| {
                let x = number(kinds.0, q, a.get(4 * i + k, q));
                let y = number(kinds.1, q, b.get(4 * other + k, q));
                sum.wrapping_add((x * y) as u64)
            })
        });
        Ok(())
    }

    /// SMMLA, UMMLA, USMMLA.
    pub fn matrix(&mut self, kinds: (bool, bool)) -> Done {
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        self.every(32, self.d(), &mut |_, i| {
            let segment = i / 4 * 16;
            let (row, column) = (segment + i % 4 / 2 * 8, segment + i % 2 * 8);
            (0..8).fold(d.get(i, 32), |sum, k| {
                let x = number(kinds.0, 8, a.get(row + k, 8));
                let y = number(kinds.1, 8, b.get(column + k, 8));
                sum.wrapping_add((x * y) as u64)
            })
        });
        Ok(())
    }

    // Complex numbers: even elements are real parts, odd ones imaginary ones.

    /// CADD, SQCADD: Zm turned by 90 or 270 degrees.
    pub fn complex_add(&mut self, saturate: bool) -> Done {
        let w = self.w();
        let (a, b, turned) = (self.z(self.d()), self.z(self.n()), self.bit(10));
        self.every(w, self.d(), &mut |_, i| {
            let x = i128::from(signed(w, a.get(i, w)));
            let y = i128::from(signed(w, b.get(i ^ 1, w)));
            let v = if (i % 2 == 0) == turned { x + y } else { x - y };
            if saturate { clip(w, true, v) } else { v as u64 }
        });
        Ok(())
    }

    /// CMLA, SQRDCMLAH.
    pub fn complex_product(&mut self, round: bool, indexed: bool) -> Done {
        let (w, k, m) = if !indexed {
            (self.w(), 0, self.m())
        } else if self.bit(22) {
            (32, self.f(20, 1) as usize, self.f(16, 4) as usize)
        } else {
            (16, self.f(19, 2) as usize, self.f(16, 3) as usize)
        };
        let rot = self.f(10, 2);
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let per = 64 / w as usize;
        self.every(w, self.d(), &mut |_, i| {
            let pair = i / 2;
            let other = if indexed { pair / per * per + k } else { pair };
            let part = |z: &Z, pair: usize, odd: u32| z.get(2 * pair + odd as usize, w);
            let x = part(&a, pair, rot & 1);
            let y = part(&b, other, (i as u32 & 1) ^ (rot & 1));
            let negative = if i % 2 == 0 {
                rot == 1 || rot == 2
            } else {
                rot >= 2
            };
            match (round, negative) {
                (true, false) => super::int::sqrdmlah(w, d.get(i, w), x, y),
                (true, true) => super::int::sqrdmlsh(w, d.get(i, w), x, y),
                (false, false) => d.get(i, w).wrapping_add(x.wrapping_mul(y)),
                (false, true) => d.get(i, w).wrapping_sub(x.wrapping_mul(y)),
            }
        });
        Ok(())
    }

    /// CDOT.
    pub fn complex_dot(&mut self, indexed: bool) -> Done {
        let w = self.w();
        require(w >= 32)?;
        let (q, rot) = (w / 4, self.f(10, 2));
        let (group, m) = if !indexed {
            (0, self.m())
        } else if w == 32 {
            (self.f(19, 2), self.f(16, 3)).into_usize()
        } else {
            (self.f(20, 1), self.f(16, 4)).into_usize()
        };
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(m));
        let per = 128 / w as usize;
        let (sel_a, sel_b) = ((rot & 1) as usize, (rot & 1) as usize);
        let negative = rot == 0 || rot == 3;
        self.every(w, self.d(), &mut |_, i| {
            let other = if indexed { i / per * per + group } else { i };
            let x = |k: usize| i128::from(signed(q, a.get(4 * i + k, q)));
            let y = |k: usize| i128::from(signed(q, b.get(4 * other + k, q)));
            let sum = (0..2).fold(0, |sum, pair| {
                let first = x(2 * pair) * y(2 * pair + sel_a);
                let second = x(2 * pair + 1) * y(2 * pair + (1 - sel_b));
                sum + if negative {
                    first - second
                } else {
                    first + second
                }
            });
            d.get(i, w).wrapping_add(sum as u64)
        });
        Ok(())
    }
}

trait Indices {
    fn into_usize(self) -> (usize, usize);
}

impl Indices for (u32, u32) {
    fn into_usize(self) -> (usize, usize) {
        (self.0 as usize, self.1 as usize)
    }
}
