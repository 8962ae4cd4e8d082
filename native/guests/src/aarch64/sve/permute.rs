//! Moving elements: copies, tables, interleaving, reversing, what is last, and immediates.

use super::unit::{Done, P, Reserved, Unit, Z, low, require, signed};

/// How two vectors' elements are interleaved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    Zip,
    Uzp,
    Trn,
}

/// Where element `i` of `count` is taken from: of Zn (false) or Zm, and its number.
fn source(mix: Mix, second: usize, i: usize, count: usize) -> (bool, usize) {
    match mix {
        Mix::Zip => (!i.is_multiple_of(2), i / 2 + second * (count / 2)),
        Mix::Uzp => {
            let k = 2 * i + second;
            (k >= count, k % count)
        }
        Mix::Trn => (!i.is_multiple_of(2), (i & !1) + second),
    }
}

/// VFPExpandImm.
fn float_immediate(w: u32, imm8: u32) -> u64 {
    let (exp, frac) = match w {
        16 => (5, 10),
        32 => (8, 23),
        _ => (11, 52),
    };
    let imm = u64::from(imm8);
    let top = imm >> 6 & 1;
    // NOT(b6), then copies of b6, then b5-4.
    let e = (1 - top) << (exp - 1) | (top * ((1 << (exp - 3)) - 1)) << 2 | imm >> 4 & 3;
    (imm >> 7) << (w - 1) | e << frac | (imm & 15) << (frac - 4)
}

impl Unit<'_> {
    /// DUP of a register, or CPY.
    pub fn copy(&mut self, predicated: bool, zeroing: bool, v: u64) {
        let w = self.w();
        let p = if predicated {
            self.p(self.g())
        } else {
            self.all(w)
        };
        let base = if zeroing { Z::ZERO } else { self.z(self.d()) };
        self.each(w, &p, self.d(), &base, &mut |_, _| v);
    }

    pub fn copy_scalar(&mut self, predicated: bool) -> Done {
        let v = self.xsp(self.n());
        self.copy(predicated, !predicated, v);
        Ok(())
    }

    pub fn copy_simd(&mut self) -> Done {
        let v = self.z(self.n()).get(0, self.w());
        self.copy(true, false, v);
        Ok(())
    }

    /// CPY and DUP of an immediate; the predicate of the former is in bits 19-16.
    pub fn copy_imm(&mut self, predicated: bool) -> Done {
        let v = self.imm8(true)?;
        let w = self.w();
        let p = if predicated {
            self.p(self.f(16, 4) as usize)
        } else {
            self.all(w)
        };
        let base = if predicated && self.bit(14) {
            self.z(self.d())
        } else {
            Z::ZERO
        };
        self.each(w, &p, self.d(), &base, &mut |_, _| v);
        Ok(())
    }

    /// FCPY, FDUP.
    pub fn copy_float(&mut self, predicated: bool) -> Done {
        let w = self.w();
        require(w > 8)?;
        let v = float_immediate(w, self.f(5, 8));
        let p = if predicated {
            self.p(self.f(16, 4) as usize)
        } else {
            self.all(w)
        };
        let base = self.z(self.d());
        self.each(w, &p, self.d(), &base, &mut |_, _| v);
        Ok(())
    }

    /// DUP of an element.
    pub fn copy_element(&mut self) -> Done {
        let tsz = self.f(16, 5);
        require(tsz != 0)?;
        let size = tsz.trailing_zeros();
        let index = ((self.f(22, 2) << 5 | tsz) >> (size + 1)) as usize;
        let n = self.z(self.n());
        if size == 4 {
            let v = if index < self.bytes / 16 {
                n.quad(index)
            } else {
                0
            };
            let mut r = Z::ZERO;
            for i in 0..self.bytes / 16 {
                r.put_quad(i, v);
            }
            self.put_z(self.d(), &r);
            return Ok(());
        }
        let w = 8 << size;
        let v = if index < self.count(w) {
            n.get(index, w)
        } else {
            0
        };
        self.every(w, self.d(), &mut |_, _| v);
        Ok(())
    }

    /// INSR: all elements move up by one.
    pub fn insert(&mut self, v: u64) -> Done {
        let (w, a) = (self.w(), self.z(self.d()));
        self.every(w, self.d(), &mut |_, i| {
            if i == 0 { v } else { a.get(i - 1, w) }
        });
        Ok(())
    }

    pub fn insert_simd(&mut self) -> Done {
        let v = self.z(self.n()).get(0, self.w());
        self.insert(v)
    }

    pub fn extract(&mut self, first: usize, second: usize) -> Done {
        let at = (self.f(16, 5) << 3 | self.f(10, 3)) as usize;
        let at = if at < self.bytes { at } else { 0 };
        let (a, b, bytes) = (self.z(first), self.z(second), self.bytes);
        self.every(8, self.d(), &mut |_, i| {
            if i + at < bytes {
                a.get(i + at, 8)
            } else {
                b.get(i + at - bytes, 8)
            }
        });
        Ok(())
    }

    /// TBL of one or two registers; TBX leaves what is out of range.
    pub fn table(&mut self, two: bool, keep: bool) -> Done {
        let w = self.w();
        let (a, next) = (self.z(self.n()), self.z((self.n() + 1) % 32));
        let (m, d) = (self.z(self.m()), self.z(self.d()));
        let count = self.count(w);
        self.every(w, self.d(), &mut |_, i| {
            let k = m.get(i, w);
            if k < count as u64 {
                a.get(k as usize, w)
            } else if two && k < 2 * count as u64 {
                next.get(k as usize - count, w)
            } else if keep {
                d.get(i, w)
            } else {
                0
            }
        });
        Ok(())
    }

    /// SUNPKLO and its like.
    pub fn unpack(&mut self, high: bool, is_signed: bool) -> Done {
        let w = self.w();
        require(w > 8)?;
        let (h, a) = (w / 2, self.z(self.n()));
        let first = if high { self.count(w) } else { 0 };
        self.every(w, self.d(), &mut |_, i| {
            let v = a.get(first + i, h);
            if is_signed { signed(h, v) as u64 } else { v }
        });
        Ok(())
    }

    pub fn reverse_elements(&mut self) -> Done {
        let (w, a) = (self.w(), self.z(self.n()));
        let last = self.count(w) - 1;
        self.every(w, self.d(), &mut |_, i| a.get(last - i, w));
        Ok(())
    }

    pub fn mix(&mut self, mix: Mix, second: usize) -> Done {
        let w = self.w();
        let (a, b, count) = (self.z(self.n()), self.z(self.m()), self.count(w));
        self.every(w, self.d(), &mut |_, i| {
            let (of_m, k) = source(mix, second, i, count);
            if of_m { b.get(k, w) } else { a.get(k, w) }
        });
        Ok(())
    }

    /// Of 128 bits: there are pairs of them only; a last odd one is 0.
    pub fn mix_quads(&mut self, mix: Mix, second: usize) -> Done {
        require(self.bytes >= 32)?;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        let count = self.bytes / 32 * 2;
        let mut r = Z::ZERO;
        for i in 0..count {
            let (of_m, k) = source(mix, second, i, count);
            r.put_quad(i, if of_m { b.quad(k) } else { a.quad(k) });
        }
        self.put_z(self.d(), &r);
        Ok(())
    }

    // Of predicates.

    fn pairs(&self) -> (usize, P, P, usize) {
        let n = self.p(self.f(5, 4) as usize);
        let m = self.p(self.f(16, 4) as usize);
        (self.f(0, 4) as usize, n, m, self.w() as usize / 8)
    }

    /// Elements with all their bits.
    fn put_elements(&mut self, d: usize, size: usize, f: &dyn Fn(usize, usize) -> bool) {
        let mut r = P::ZERO;
        for i in 0..self.bytes / size {
            for k in 0..size {
                r.put_bit(i * size + k, f(i, k));
            }
        }
        self.put_p(d, &r);
    }

    pub fn mix_predicates(&mut self, mix: Mix, second: usize) -> Done {
        let (d, n, m, size) = self.pairs();
        let count = self.bytes / size;
        self.put_elements(d, size, &|i, k| {
            let (of_m, from) = source(mix, second, i, count);
            (if of_m { m } else { n }).bit(from * size + k)
        });
        Ok(())
    }

    pub fn reverse_predicate(&mut self) -> Done {
        let (d, n, _, size) = self.pairs();
        let last = self.bytes / size - 1;
        self.put_elements(d, size, &|i, k| n.bit((last - i) * size + k));
        Ok(())
    }

    /// PUNPKLO, PUNPKHI.
    pub fn unpack_predicate(&mut self, high: bool) -> Done {
        let (d, n, ..) = self.pairs();
        let first = if high { self.bytes / 2 } else { 0 };
        self.put_elements(d, 2, &|i, k| k == 0 && n.bit(first + i));
        Ok(())
    }

    // By a predicate.

    pub fn compact(&mut self) -> Done {
        let w = self.w();
        require(w >= 32)?;
        let (a, p, mut r) = (self.z(self.n()), self.p(self.g()), Z::ZERO);
        let active = (0..self.count(w)).filter(|&i| p.active(i, w));
        for (k, i) in active.enumerate() {
            r.put(k, w, a.get(i, w));
        }
        self.put_z(self.d(), &r);
        Ok(())
    }

    /// SPLICE: from the first to the last active element, then those of the second vector.
    pub fn splice(&mut self, first: usize, second: usize) -> Done {
        let w = self.w();
        let (a, b, p) = (self.z(first), self.z(second), self.p(self.g()));
        let count = self.count(w);
        let from = (0..count).find(|&i| p.active(i, w));
        let last = self.last_active(&p, w);
        let (from, n) = from
            .zip(last)
            .map_or((0, 0), |(from, last)| (from, last + 1 - from));
        self.every(w, self.d(), &mut |_, i| {
            if i < n {
                a.get(from + i, w)
            } else {
                b.get(i - n, w)
            }
        });
        Ok(())
    }

    /// The last active element, or the one behind it.
    fn last(&self, z: &Z, behind: bool) -> Option<u64> {
        let (w, p) = (self.w(), self.p(self.g()));
        let count = self.count(w);
        let last = self.last_active(&p, w);
        last.map(|i| z.get(if behind { (i + 1) % count } else { i }, w))
    }

    /// LASTA (behind it), LASTB; without an active element it is the first, or the last.
    pub fn last_element(&mut self, behind: bool) -> u64 {
        let (w, z) = (self.w(), self.z(self.n()));
        let end = if behind { 0 } else { self.count(w) - 1 };
        self.last(&z, behind).unwrap_or(z.get(end, w))
    }

    pub fn last_to_simd(&mut self, behind: bool) -> Done {
        let v = self.last_element(behind);
        self.put_scalar(self.d(), self.w(), v);
        Ok(())
    }

    pub fn last_to_scalar(&mut self, behind: bool) -> Done {
        self.result = self.last_element(behind);
        Ok(())
    }

    /// CLASTA, CLASTB: of vectors, of V, of a register: that stays where nothing is active.
    pub fn last_or_vector(&mut self, behind: bool) -> Done {
        let (w, z) = (self.w(), self.z(self.n()));
        if let Some(v) = self.last(&z, behind) {
            self.every(w, self.d(), &mut |_, _| v);
        }
        Ok(())
    }

    pub fn last_or_simd(&mut self, behind: bool) -> Done {
        let (w, z) = (self.w(), self.z(self.n()));
        let old = self.z(self.d()).get(0, w);
        let v = self.last(&z, behind).unwrap_or(old);
        self.put_scalar(self.d(), w, v);
        Ok(())
    }

    pub fn last_or_scalar(&mut self, behind: bool) -> Done {
        let z = self.z(self.n());
        let old = low(self.w(), self.x(self.d()));
        self.result = self.last(&z, behind).unwrap_or(old);
        Ok(())
    }

    pub fn select(&mut self) -> Done {
        let (w, p) = (self.w(), self.p(self.pg4()));
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.each(w, &p, self.d(), &b, &mut |_, i| a.get(i, w));
        Ok(())
    }

    /// MOVPRFX: all of it.
    pub fn move_all(&mut self) -> Done {
        let a = self.z(self.n());
        self.put_z(self.d(), &a);
        Ok(())
    }

    /// `Err` if elements have not at least so many bits.
    pub fn at_least(&self, w: u32) -> Result<(), Reserved> {
        require(self.w() >= w)
    }
}
