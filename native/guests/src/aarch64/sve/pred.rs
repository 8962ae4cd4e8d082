//! Predicates: making, testing and counting them, and what is counted by them.

use super::unit::{Done, P, Unit, clip, low, number, require, signed};

/// What is done to two predicates under a third.
pub type Logic = fn(u64, u64) -> u64;

impl Unit<'_> {
    fn pd(&self) -> usize {
        self.f(0, 4) as usize
    }
    fn pn(&self) -> usize {
        self.f(5, 4) as usize
    }
    fn pm(&self) -> usize {
        self.f(16, 4) as usize
    }
    /// The governing one of four bits.
    pub fn pg4(&self) -> usize {
        self.f(10, 4) as usize
    }

    /// AND and its like; bit 22 sets the flags.
    pub fn logic(&mut self, f: Logic) -> Done {
        let (g, n, m) = (self.p(self.pg4()), self.p(self.pn()), self.p(self.pm()));
        let r = n.map(&m, f).map(&g, |r, g| r & g);
        self.put_p(self.pd(), &r);
        if self.bit(22) {
            self.test(&g, &r, 8);
        }
        Ok(())
    }

    /// SEL of predicates.
    pub fn select_predicate(&mut self) -> Done {
        let (g, n, m) = (self.p(self.pg4()), self.p(self.pn()), self.p(self.pm()));
        let a = n.map(&g, |n, g| n & g);
        let b = m.map(&g, |m, g| m & !g);
        self.put_p(self.pd(), &a.map(&b, |a, b| a | b));
        Ok(())
    }

    pub fn ptest(&mut self) -> Done {
        let (g, n) = (self.p(self.pg4()), self.p(self.pn()));
        self.test(&g, &n, 8);
        Ok(())
    }

    /// PTRUE, PTRUES.
    pub fn ptrue(&mut self, flags: bool) -> Done {
        let w = self.w();
        let r = self.first_ones(self.pattern(self.f(5, 5), w), w);
        self.put_p(self.pd(), &r);
        if flags {
            self.test(&r, &r, w);
        }
        Ok(())
    }

    pub fn pfalse(&mut self) -> Done {
        self.put_p(self.pd(), &P::ZERO);
        Ok(())
    }

    /// PFIRST: the first active element of Pg, too.
    pub fn pfirst(&mut self) -> Done {
        let (g, mut r) = (self.p(self.pn()), self.p(self.pd()));
        if let Some(i) = (0..self.count(8)).find(|&i| g.bit(i)) {
            r.put_bit(i, true);
        }
        self.put_p(self.pd(), &r);
        self.test(&g, &r, 8);
        Ok(())
    }

    /// PNEXT: the next active element behind the last one of Pdn.
    pub fn pnext(&mut self) -> Done {
        let w = self.w();
        let (g, old) = (self.p(self.pn()), self.p(self.pd()));
        let from = self.last_active(&old, w).map_or(0, |i| i + 1);
        let mut r = P::ZERO;
        if let Some(i) = (from..self.count(w)).find(|&i| g.active(i, w)) {
            r.put(i, w, true);
        }
        self.put_p(self.pd(), &r);
        self.test(&g, &r, w);
        Ok(())
    }

    /// RDFFR, with and without a predicate; bit 22 sets the flags.
    pub fn read_ffr(&mut self, predicated: bool) -> Done {
        let ffr = self.p(Self::FFR);
        if !predicated {
            self.put_p(self.pd(), &ffr);
            return Ok(());
        }
        let g = self.p(self.pn());
        let r = ffr.map(&g, |a, b| a & b);
        self.put_p(self.pd(), &r);
        if self.bit(22) {
            self.test(&g, &r, 8);
        }
        Ok(())
    }

    pub fn write_ffr(&mut self) -> Done {
        let n = self.p(self.pn());
        self.put_p(Self::FFR, &n);
        Ok(())
    }

    pub fn set_ffr(&mut self) -> Done {
        let all = self.all(8);
        self.put_p(Self::FFR, &all);
        Ok(())
    }

    /// BRKA, BRKB: up to the first that is true of Pn, with it or without.
    pub fn break_after(&mut self, before: bool) -> Done {
        let (g, n) = (self.p(self.pg4()), self.p(self.pn()));
        let merging = self.bit(4);
        let mut r = if merging { self.p(self.pd()) } else { P::ZERO };
        let mut broken = false;
        for i in 0..self.count(8) {
            if g.bit(i) {
                broken |= before && n.bit(i);
                r.put_bit(i, !broken);
                broken |= n.bit(i);
            }
        }
        self.put_p(self.pd(), &r);
        if self.bit(22) {
            self.test(&g, &r, 8);
        }
        Ok(())
    }

    /// The last active element of Pn under Pg.
    fn last_is_true(&self, g: &P, n: &P) -> bool {
        self.last_active(g, 8).is_some_and(|i| n.bit(i))
    }

    /// BRKN: Pdm stays if the last active one of Pn is true.
    pub fn break_next(&mut self) -> Done {
        let (g, n) = (self.p(self.pg4()), self.p(self.pn()));
        let r = if self.last_is_true(&g, &n) {
            self.p(self.pd())
        } else {
            P::ZERO
        };
        self.put_p(self.pd(), &r);
        if self.bit(22) {
            let all = self.all(8);
            self.test(&all, &r, 8);
        }
        Ok(())
    }

    /// BRKPA, BRKPB: breaks in Pm, if Pn was not broken.
    pub fn break_pair(&mut self, before: bool) -> Done {
        let (g, n, m) = (self.p(self.pg4()), self.p(self.pn()), self.p(self.pm()));
        let mut going = self.last_is_true(&g, &n);
        let mut r = P::ZERO;
        for i in 0..self.count(8) {
            if g.bit(i) {
                going &= !(before && m.bit(i));
                r.put_bit(i, going);
                going &= !m.bit(i);
            }
        }
        self.put_p(self.pd(), &r);
        if self.bit(22) {
            self.test(&g, &r, 8);
        }
        Ok(())
    }

    /// WHILELT and its like: while `holds` of a counter that goes up, or down (from the last element).
    pub fn while_compares(&mut self, is_signed: bool, up: bool, equal: bool) -> Done {
        let w = self.w();
        let size = if self.bit(12) { 64 } else { 32 };
        let (a, b) = (low(size, self.x(self.n())), low(size, self.x(self.m())));
        let (count, mut r) = (self.count(w), P::ZERO);
        let (mut at, limit) = (number(is_signed, size, a), number(is_signed, size, b));
        let mut going = true;
        for i in 0..count {
            going &= match (up, equal) {
                (true, false) => at < limit,
                (true, true) => at <= limit,
                (false, false) => at > limit,
                (false, true) => at >= limit,
            };
            r.put(if up { i } else { count - 1 - i }, w, going);
            // It wraps.
            let next = if up { at + 1 } else { at - 1 };
            at = number(is_signed, size, low(size, next as u64));
        }
        let all = self.all(w);
        self.test(&all, &r, w);
        self.put_p(self.pd(), &r);
        Ok(())
    }

    /// WHILEWR, WHILERW: how many elements may be read or written before addresses meet.
    pub fn while_apart(&mut self, read_first: bool) -> Done {
        let w = self.w();
        let (a, b) = (self.x(self.n()), self.x(self.m()));
        let size = i128::from(w / 8);
        let (a, b) = (i128::from(a), i128::from(b));
        let apart = if read_first { (b - a).abs() } else { b - a } / size;
        let most = self.count(w);
        let n = if apart <= 0 {
            most
        } else {
            most.min(apart as usize)
        };
        let r = self.first_ones(n, w);
        let all = self.all(w);
        self.test(&all, &r, w);
        self.put_p(self.pd(), &r);
        Ok(())
    }

    // Counting.

    /// How many elements a pattern has, times imm4.
    fn elements(&self) -> u64 {
        let n = self.pattern(self.f(5, 5), self.w()) as u64;
        n * u64::from(self.f(16, 4) + 1)
    }

    fn active_count(&self, g: &P, n: &P, w: u32) -> u64 {
        let both = |&i: &usize| g.active(i, w) && n.active(i, w);
        (0..self.count(w)).filter(both).count() as u64
    }

    /// CNTB and its like.
    pub fn count_elements(&mut self) -> Done {
        self.result = self.elements();
        Ok(())
    }

    /// INCB, DECB...: of a register.
    pub fn step_scalar(&mut self) -> Done {
        let n = self.elements();
        self.add_to_scalar(n, self.bit(10))
    }

    fn add_to_scalar(&mut self, n: u64, down: bool) -> Done {
        let x = self.x(self.d());
        self.result = if down {
            x.wrapping_sub(n)
        } else {
            x.wrapping_add(n)
        };
        Ok(())
    }

    /// SQINCB and its like, of 32 or 64 bits.
    pub fn step_scalar_saturating(&mut self) -> Done {
        let n = self.elements();
        self.saturating(n, self.bit(20), self.bit(11), self.bit(10));
        Ok(())
    }

    fn saturating(&mut self, n: u64, wide: bool, down: bool, unsigned: bool) {
        let w = if wide { 64 } else { 32 };
        let x = number(!unsigned, w, self.x(self.d()));
        let v = if down {
            x - i128::from(n)
        } else {
            x + i128::from(n)
        };
        let r = clip(w, !unsigned, v);
        // Of 32 bits: sign-extended, or zero-extended.
        self.result = if unsigned { r } else { signed(w, r) as u64 };
    }

    /// The same of vectors: no bytes.
    pub fn step_vector(&mut self, saturate: bool) -> Done {
        require(self.w() > 8)?;
        let n = self.elements();
        let (down, unsigned) = if saturate {
            (self.bit(11), self.bit(10))
        } else {
            (self.bit(10), false)
        };
        self.add_to_vector(n, down, unsigned, saturate);
        Ok(())
    }

    fn add_to_vector(&mut self, n: u64, down: bool, unsigned: bool, saturate: bool) {
        let (w, a) = (self.w(), self.z(self.d()));
        self.every(w, self.d(), &mut |_, i| {
            let x = number(!unsigned, w, a.get(i, w));
            let v = if down {
                x - i128::from(n)
            } else {
                x + i128::from(n)
            };
            if saturate {
                clip(w, !unsigned, v)
            } else {
                v as u64
            }
        });
    }

    /// CNTP.
    pub fn count_predicate(&mut self) -> Done {
        let (g, n) = (self.p(self.pg4()), self.p(self.pn()));
        self.result = self.active_count(&g, &n, self.w());
        Ok(())
    }

    /// INCP, DECP and the saturating ones, of a vector or a register.
    pub fn step_by_predicate(&mut self, vector: bool, saturate: bool) -> Done {
        let w = self.w();
        let n = self.p(self.pn());
        let all = self.all(w);
        let count = self.active_count(&all, &n, w);
        let (down, unsigned) = if saturate {
            (self.bit(17), self.bit(16))
        } else {
            (self.bit(16), false)
        };
        if vector {
            require(w > 8)?;
            self.add_to_vector(count, down, unsigned, saturate);
        } else if saturate {
            self.saturating(count, self.bit(10), down, unsigned);
        } else {
            self.add_to_scalar(count, down)?;
        }
        Ok(())
    }

    /// ADDVL, ADDPL, RDVL: a multiple of the vector's or a predicate's bytes.
    pub fn add_length(&mut self, base: u64, predicate: bool) -> Done {
        let size = if predicate {
            self.bytes / 8
        } else {
            self.bytes
        };
        self.result = base.wrapping_add((self.imm(5, 6) * size as i64) as u64);
        Ok(())
    }
}
