//! The forms of integer instructions, and their operations on elements of `w` bits, which are zero-extended; what is above
//! them in a result is anything.

use super::unit::{Done, P, Reserved, Unit, Z, clip, low, number, require, signed};

pub type One = fn(u32, u64) -> u64;
pub type Two = fn(u32, u64, u64) -> u64;
pub type Three = fn(u32, u64, u64, u64) -> u64;

// Operations.

pub fn smax(w: u32, a: u64, b: u64) -> u64 {
    signed(w, a).max(signed(w, b)) as u64
}
pub fn smin(w: u32, a: u64, b: u64) -> u64 {
    signed(w, a).min(signed(w, b)) as u64
}
pub fn umax(_: u32, a: u64, b: u64) -> u64 {
    a.max(b)
}
pub fn umin(_: u32, a: u64, b: u64) -> u64 {
    a.min(b)
}
pub fn sabd(w: u32, a: u64, b: u64) -> u64 {
    (number(true, w, a) - number(true, w, b)).unsigned_abs() as u64
}
pub fn uabd(_: u32, a: u64, b: u64) -> u64 {
    a.abs_diff(b)
}
pub fn add(_: u32, a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}
pub fn sub(_: u32, a: u64, b: u64) -> u64 {
    a.wrapping_sub(b)
}
pub fn mul(_: u32, a: u64, b: u64) -> u64 {
    a.wrapping_mul(b)
}
pub fn smulh(w: u32, a: u64, b: u64) -> u64 {
    ((number(true, w, a) * number(true, w, b)) >> w) as u64
}
pub fn umulh(w: u32, a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> w) as u64
}
pub fn sdiv(w: u32, a: u64, b: u64) -> u64 {
    let (a, b) = (signed(w, a), signed(w, b));
    if b == 0 { 0 } else { a.wrapping_div(b) as u64 }
}
pub fn udiv(_: u32, a: u64, b: u64) -> u64 {
    a.checked_div(b).unwrap_or(0)
}
pub fn sqadd(w: u32, a: u64, b: u64) -> u64 {
    clip(w, true, number(true, w, a) + number(true, w, b))
}
pub fn uqadd(w: u32, a: u64, b: u64) -> u64 {
    clip(w, false, i128::from(a) + i128::from(b))
}
pub fn sqsub(w: u32, a: u64, b: u64) -> u64 {
    clip(w, true, number(true, w, a) - number(true, w, b))
}
pub fn uqsub(w: u32, a: u64, b: u64) -> u64 {
    clip(w, false, i128::from(a) - i128::from(b))
}
pub fn suqadd(w: u32, a: u64, b: u64) -> u64 {
    clip(w, true, number(true, w, a) + i128::from(b))
}
pub fn suqsub(w: u32, a: u64, b: u64) -> u64 {
    clip(w, true, number(true, w, a) - i128::from(b))
}
pub fn usqadd(w: u32, a: u64, b: u64) -> u64 {
    clip(w, false, i128::from(a) + number(true, w, b))
}
pub fn asr(w: u32, a: u64, n: u64) -> u64 {
    (signed(w, a) >> n.min(63)) as u64
}
pub fn lsr(w: u32, a: u64, n: u64) -> u64 {
    if n >= u64::from(w) { 0 } else { a >> n }
}
pub fn lsl(w: u32, a: u64, n: u64) -> u64 {
    if n >= u64::from(w) { 0 } else { a << n }
}
/// Towards zero.
pub fn asrd(w: u32, a: u64, n: u64) -> u64 {
    let a = number(true, w, a);
    let bias = if a < 0 { (1i128 << n) - 1 } else { 0 };
    ((a + bias) >> n) as u64
}
/// Half of the sum, of numbers of either kind; rounded: up.
pub fn half(is_signed: bool, subtract: bool, round: bool, w: u32, a: u64, b: u64) -> u64 {
    let (a, b) = (number(is_signed, w, a), number(is_signed, w, b));
    let sum = if subtract { a - b } else { a + b };
    ((sum + i128::from(round)) >> 1) as u64
}
/// Shifts to the left by a signed amount, to the right if it is negative.
pub fn shift(is_signed: bool, round: bool, saturate: bool, w: u32, a: u64, by: i64) -> u64 {
    let a = number(is_signed, w, a);
    if by >= 0 {
        // More than any width only fills.
        let n = by.min(64) as u32;
        if saturate {
            let wide = a.checked_mul(1 << n).unwrap_or(a.signum() << 100);
            return clip(w, is_signed, wide);
        }
        return if n == 64 { 0 } else { (a as u64) << n };
    }
    let n = by.unsigned_abs().min(100) as u32;
    let r = if round {
        ((a >> (n - 1)) + 1) >> 1
    } else {
        a >> n
    };
    r as u64
}
/// The same by an element of `w` bits.
pub fn shift_by(is_signed: bool, round: bool, saturate: bool, w: u32, a: u64, b: u64) -> u64 {
    shift(is_signed, round, saturate, w, a, signed(w, b))
}
pub fn sqdmulh(w: u32, a: u64, b: u64) -> u64 {
    clip(
        w,
        true,
        (number(true, w, a) * number(true, w, b)) >> (w - 1),
    )
}
pub fn sqrdmulh(w: u32, a: u64, b: u64) -> u64 {
    sqrdmlah(w, 0, a, b)
}
/// d + a b doubled, the high half, rounded.
pub fn sqrdmlah(w: u32, d: u64, a: u64, b: u64) -> u64 {
    let p = number(true, w, a) * number(true, w, b);
    // Of 64 bits, twice this may be a bit too large for an i128.
    let sum = (number(true, w, d) << (w - 1)) + p + (1i128 << (w - 2));
    clip(w, true, sum >> (w - 1))
}
pub fn sqrdmlsh(w: u32, d: u64, a: u64, b: u64) -> u64 {
    let p = number(true, w, a) * number(true, w, b);
    let sum = (number(true, w, d) << (w - 1)) - p + (1i128 << (w - 2));
    clip(w, true, sum >> (w - 1))
}
/// The carry-less product.
pub fn pmul(_: u32, a: u64, b: u64) -> u64 {
    carryless(a, b) as u64
}
pub fn carryless(a: u64, b: u64) -> u128 {
    let ones = (0..64).filter(|n| b >> n & 1 != 0);
    ones.fold(0, |r, n| r ^ u128::from(a) << n)
}
pub fn cls(w: u32, a: u64) -> u64 {
    let a = signed(w, a);
    let same = if a < 0 { !a } else { a };
    u64::from((same as u64).leading_zeros() - (64 - w) - 1)
}
pub fn clz(w: u32, a: u64) -> u64 {
    u64::from(a.leading_zeros() - (64 - w))
}
/// Reverses the elements of `part` bits in one of `w`.
pub fn reverse(w: u32, part: u32, a: u64) -> u64 {
    let n = w / part;
    (0..n).fold(0, |r, i| {
        r | low(part, a >> (part * i)) << (part * (n - 1 - i))
    })
}
/// The bits of a that b has, together at the bottom.
pub fn bext(w: u32, a: u64, b: u64) -> u64 {
    let (r, _) = (0..w)
        .filter(|n| b >> n & 1 != 0)
        .fold((0, 0), |(r, at), n| (r | (a >> n & 1) << at, at + 1));
    r
}
pub fn bdep(w: u32, a: u64, b: u64) -> u64 {
    let (r, _) = (0..w)
        .filter(|n| b >> n & 1 != 0)
        .fold((0, 0), |(r, at), n| (r | (a >> at & 1) << n, at + 1));
    r
}
pub fn bgrp(w: u32, a: u64, b: u64) -> u64 {
    let count = low(w, b).count_ones();
    let rest = bext(w, a, !b & low(w, u64::MAX));
    bext(w, a, b) | if count < 64 { rest << count } else { 0 }
}

/// The element width and shift amounts (to the left, to the right) by tsz:imm3.
pub fn amounts(tsz: u32, imm3: u32) -> Option<(u32, u32, u32)> {
    let top = tsz.checked_ilog2()?;
    let (w, n) = (8 << top, tsz << 3 | imm3);
    Some((w, n - w, 2 * w - n))
}

impl Unit<'_> {
    /// Zdn becomes `f` of Zdn and Zm (bits 9-5) where Pg is; for elements of at least `least` bits.
    pub fn destructive(&mut self, least: u32, f: Two) -> Done {
        let w = self.w();
        require(w >= least)?;
        let (a, b, p) = (self.z(self.d()), self.z(self.n()), self.p(self.g()));
        self.each(w, &p, self.d(), &a, &mut |_, i| {
            f(w, a.get(i, w), b.get(i, w))
        });
        Ok(())
    }

    /// The same with the operands in the other order.
    pub fn destructive_reversed(&mut self, least: u32, f: Two) -> Done {
        let w = self.w();
        require(w >= least)?;
        let (a, b, p) = (self.z(self.d()), self.z(self.n()), self.p(self.g()));
        self.each(w, &p, self.d(), &a, &mut |_, i| {
            f(w, b.get(i, w), a.get(i, w))
        });
        Ok(())
    }

    /// Zd becomes `f` of Zn and Zm; of one of these widths (bit n for 8 << n).
    pub fn binary(&mut self, widths: u32, f: Two) -> Done {
        require(widths >> self.f(22, 2) & 1 != 0)?;
        let w = self.w();
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |_, i| f(w, a.get(i, w), b.get(i, w)));
        Ok(())
    }

    /// Bits, of two or three registers (Zdn, Zm, Zk).
    pub fn bitwise(&mut self, f: fn(u64, u64) -> u64) -> Done {
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(64, self.d(), &mut |_, i| f(a.get(i, 64), b.get(i, 64)));
        Ok(())
    }

    pub fn ternary_bits(&mut self, f: fn(u64, u64, u64) -> u64) -> Done {
        let (a, b, k) = (self.z(self.d()), self.z(self.m()), self.z(self.n()));
        self.every(64, self.d(), &mut |_, i| {
            f(a.get(i, 64), b.get(i, 64), k.get(i, 64))
        });
        Ok(())
    }

    /// Zd becomes `f` of Zn where Pg is; for elements of at least `least` bits.
    pub fn unary(&mut self, least: u32, f: One) -> Done {
        let w = self.w();
        require(w >= least)?;
        let (a, d, p) = (self.z(self.n()), self.z(self.d()), self.p(self.g()));
        self.each(w, &p, self.d(), &d, &mut |_, i| f(w, a.get(i, w)));
        Ok(())
    }

    /// Zd becomes `f` of it, bits 20-16 and 9-5, where Pg is.
    pub fn multiply_add(&mut self, f: Three) -> Done {
        let w = self.w();
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        let p = self.p(self.g());
        self.each(w, &p, self.d(), &d, &mut |_, i| {
            f(w, d.get(i, w), a.get(i, w), b.get(i, w))
        });
        Ok(())
    }

    /// The same of all elements.
    pub fn accumulate(&mut self, widths: u32, f: Three) -> Done {
        require(widths >> self.f(22, 2) & 1 != 0)?;
        let w = self.w();
        let (d, a, b) = (self.z(self.d()), self.z(self.n()), self.z(self.m()));
        self.every(w, self.d(), &mut |_, i| {
            f(w, d.get(i, w), a.get(i, w), b.get(i, w))
        });
        Ok(())
    }

    /// A reduction, begun with `start`, to a number of the elements' width, or of 64 bits for sums.
    pub fn reduce(&mut self, to: u32, is_signed: bool, start: fn(u32) -> u64, f: Two) -> Done {
        let w = self.w();
        let (a, p) = (self.z(self.n()), self.p(self.g()));
        let to = if to == 0 { w } else { to };
        let active = (0..self.count(w)).filter(|&i| p.active(i, w));
        let r = active.fold(low(w.max(to), start(w)), |r, i| {
            f(to, r, low(to, number(is_signed, w, a.get(i, w)) as u64))
        });
        self.put_scalar(self.d(), to, r);
        Ok(())
    }

    /// By immediate, predicated: tsz is bits 23-22 and 9-8.
    pub fn shift_imm(&mut self, left: bool, f: Two) -> Done {
        let tsz = self.f(22, 2) << 2 | self.f(8, 2);
        let (w, l, r) = amounts(tsz, self.f(5, 3)).ok_or(Reserved)?;
        let n = u64::from(if left { l } else { r });
        let (a, p) = (self.z(self.d()), self.p(self.g()));
        self.each(w, &p, self.d(), &a, &mut |_, i| f(w, a.get(i, w), n));
        Ok(())
    }

    /// By immediate: tsz is bits 23-22 and 20-19.
    pub fn shift_imm_all(&mut self, left: bool, f: Two) -> Done {
        let (w, l, r) = self.tsz_high()?;
        let n = u64::from(if left { l } else { r });
        let a = self.z(self.n());
        self.every(w, self.d(), &mut |_, i| f(w, a.get(i, w), n));
        Ok(())
    }

    /// The width and amounts by bits 23-22, 20-16.
    pub fn tsz_high(&self) -> Result<(u32, u32, u32), Reserved> {
        let tsz = self.f(22, 2) << 2 | self.f(19, 2);
        amounts(tsz, self.f(16, 3)).ok_or(Reserved)
    }

    /// What is shifted by immediate and added to Zd, or inserted there.
    pub fn shift_into(&mut self, left: bool, f: Three) -> Done {
        let (w, l, r) = self.tsz_high()?;
        let n = u64::from(if left { l } else { r });
        let (a, d) = (self.z(self.n()), self.z(self.d()));
        self.every(w, self.d(), &mut |_, i| f(w, d.get(i, w), a.get(i, w), n));
        Ok(())
    }

    /// By elements of 64 bits.
    pub fn shift_wide(&mut self, predicated: bool, f: Two) -> Done {
        let w = self.w();
        require(w < 64)?;
        let (a, b, p) = if predicated {
            (self.d(), self.n(), self.p(self.g()))
        } else {
            (self.n(), self.m(), self.all(w))
        };
        let (a, b) = (self.z(a), self.z(b));
        let per = 64 / w as usize;
        self.each(w, &p, self.d(), &a, &mut |_, i| {
            f(w, a.get(i, w), b.get(i / per, 64))
        });
        Ok(())
    }

    /// XAR.
    pub fn xor_rotate(&mut self) -> Done {
        let (w, _, r) = self.tsz_high()?;
        let (a, b) = (self.z(self.d()), self.z(self.n()));
        self.every(w, self.d(), &mut |_, i| {
            let v = a.get(i, w) ^ b.get(i, w);
            (v >> (r % w)) | (v << ((w - r) % 64))
        });
        Ok(())
    }

    /// Instructions with an immediate of eight bits, shifted or not; signed: minimum, maximum, product.
    pub fn immediate(&mut self, is_signed: bool, f: Two) -> Done {
        let w = self.w();
        let b = self.imm8(is_signed)?;
        let a = self.z(self.d());
        self.every(w, self.d(), &mut |_, i| f(w, a.get(i, w), b));
        Ok(())
    }

    /// Bits 12-5, shifted by bit 13, as an element.
    pub fn imm8(&self, is_signed: bool) -> Result<u64, Reserved> {
        let w = self.w();
        let imm = if is_signed {
            self.imm(5, 8) as u64
        } else {
            self.f(5, 8).into()
        };
        require(!self.bit(13) || w > 8)?;
        Ok(low(w, if self.bit(13) { imm << 8 } else { imm }))
    }

    /// The same without a shift.
    pub fn immediate_plain(&mut self, is_signed: bool, f: Two) -> Done {
        let w = self.w();
        let b = if is_signed {
            self.imm(5, 8) as u64
        } else {
            self.f(5, 8).into()
        };
        let a = self.z(self.d());
        self.every(w, self.d(), &mut |_, i| f(w, a.get(i, w), low(w, b)));
        Ok(())
    }

    /// AND, ORR, EOR of a bitmask immediate; DUPM.
    pub fn bitmask(&mut self, f: fn(u64, u64) -> u64) -> Done {
        let imm = crate::aarch64::int::bit_mask(self.f(17, 1), self.f(11, 6), self.f(5, 6), 64);
        let imm = imm.ok_or(Reserved)?;
        let a = self.z(self.d());
        self.every(64, self.d(), &mut |_, i| f(a.get(i, 64), imm));
        Ok(())
    }

    /// INDEX: base and step by register or immediate.
    pub fn index(&mut self, base_register: bool, step_register: bool) -> Done {
        let w = self.w();
        let base = if base_register {
            self.x(self.n())
        } else {
            self.imm(5, 5) as u64
        };
        let step = if step_register {
            self.x(self.m())
        } else {
            self.imm(16, 5) as u64
        };
        self.every(w, self.d(), &mut |_, i| {
            base.wrapping_add(step.wrapping_mul(i as u64))
        });
        Ok(())
    }

    /// ADR.
    pub fn addresses(&mut self, w: u32, extend: fn(u64) -> u64) -> Done {
        let (a, b, n) = (self.z(self.n()), self.z(self.m()), self.f(10, 2));
        self.every(w, self.d(), &mut |_, i| {
            a.get(i, w).wrapping_add(extend(b.get(i, w)) << n)
        });
        Ok(())
    }

    /// MOVPRFX with a predicate.
    pub fn move_prefix(&mut self, merging: bool) -> Done {
        let w = self.w();
        let (a, p) = (self.z(self.n()), self.p(self.g()));
        let base = if merging { self.z(self.d()) } else { Z::ZERO };
        self.each(w, &p, self.d(), &base, &mut |_, i| a.get(i, w));
        Ok(())
    }

    /// A comparison of elements; `wide`: Zm's have 64 bits.
    pub fn compare(&mut self, wide: bool, is_signed: bool, f: fn(i128, i128) -> bool) -> Done {
        let w = self.w();
        require(!wide || w < 64)?;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        let per = 64 / w as usize;
        self.compared(w, &mut |_, i| {
            let b = if wide {
                number(is_signed, 64, b.get(i / per, 64))
            } else {
                number(is_signed, w, b.get(i, w))
            };
            f(number(is_signed, w, a.get(i, w)), b)
        });
        Ok(())
    }

    pub fn compare_imm(&mut self, is_signed: bool, f: fn(i128, i128) -> bool) -> Done {
        let w = self.w();
        let b = if is_signed {
            self.imm(16, 5).into()
        } else {
            i128::from(self.f(14, 7))
        };
        let a = self.z(self.n());
        self.compared(w, &mut |_, i| f(number(is_signed, w, a.get(i, w)), b));
        Ok(())
    }

    /// Pd (and the flags) by what holds where Pg is.
    pub fn compared(&mut self, w: u32, f: &mut dyn FnMut(&mut Self, usize) -> bool) {
        let (g, mut r) = (self.p(self.g()), P::ZERO);
        for i in 0..self.count(w) {
            if g.active(i, w) {
                let on = f(self, i);
                r.put(i, w, on);
            }
        }
        self.test(&g, &r, w);
        self.put_p(self.f(0, 4) as usize, &r);
    }

    /// MATCH, NMATCH: whether an element is among those of its 128 bits of Zm.
    pub fn matches(&mut self, negate: bool) -> Done {
        let w = self.w();
        require(w <= 16)?;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        let per = 128 / w as usize;
        self.compared(w, &mut |_, i| {
            let first = i / per * per;
            (first..first + per).any(|k| b.get(k, w) == a.get(i, w)) != negate
        });
        Ok(())
    }

    /// HISTCNT: how many elements up to and with this one are like it.
    pub fn count_matches(&mut self) -> Done {
        let w = self.w();
        require(w >= 32)?;
        let (a, b, p) = (self.z(self.n()), self.z(self.m()), self.p(self.g()));
        self.each(w, &p, self.d(), &Z::ZERO, &mut |_, i| {
            let like = |&k: &usize| p.active(k, w) && b.get(k, w) == a.get(i, w);
            (0..=i).filter(like).count() as u64
        });
        Ok(())
    }

    /// HISTSEG.
    pub fn count_in_segment(&mut self) -> Done {
        require(self.w() == 8)?;
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(8, self.d(), &mut |_, i| {
            let first = i / 16 * 16;
            (first..first + 16)
                .filter(|&k| b.get(k, 8) == a.get(i, 8))
                .count() as u64
        });
        Ok(())
    }
}
