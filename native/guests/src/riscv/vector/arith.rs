//! Instructions with integer elements: OPI and OPM encodings.

use super::alu::{Alu, Form, operation};
use super::unit::{Done, Reserved, Unit, log2, overlap, require};
use crate::ir::eval::{mask, sext};

/// What the second operand of an instruction is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Second {
    Vector,
    Scalar(u64),
}

impl Unit<'_> {
    /// Element `i` of the second operand.
    pub fn second(&self, from: Second, i: u64, w: u32) -> u64 {
        match from {
            Second::Vector => self.get(self.vs1(), i, w),
            Second::Scalar(x) => x,
        }
    }

    /// That registers are groups, and the result is not the mask.
    fn group_rules(&self, from: Second) -> Done {
        let (vd, lmul) = (self.vd(), self.lmul);
        require(self.unmasked(vd) && self.aligned(vd, lmul) && self.aligned(self.vs2(), lmul))?;
        require(from != Second::Vector || self.aligned(self.vs1(), lmul))
    }

    /// The registers of an instruction whose sources and result are of SEW.
    pub fn same_rules(&self, from: Second) -> Done {
        let (vs1, vs2) = (self.vs1(), self.vs2());
        self.group_rules(from)?;
        if from == Second::Vector {
            return self.sources(&[(vs2, self.sew), (vs1, self.sew)]);
        }
        self.sources(&[(vs2, self.sew)])
    }

    /// Of one whose result is a mask.
    pub fn compare_rules(&self, from: Second) -> Done {
        let (vd, vs1, vs2) = (self.vd(), self.vs1(), self.vs2());
        let apart = |s: u32| vd == s || self.apart(vd, 0, s, self.lmul);
        require(self.aligned(vs2, self.lmul) && apart(vs2))?;
        require(from != Second::Vector || self.aligned(vs1, self.lmul) && apart(vs1))
    }

    /// Of one whose result, and vs2 if `both`, is twice as wide as the others.
    pub fn widen_rules(&self, from: Second, both: bool) -> Done {
        let (vd, vs1, vs2) = (self.vd(), self.vs1(), self.vs2());
        let (lmul, w) = (self.lmul, self.sew);
        require(lmul <= 2 && w < 64 && self.aligned(vd, lmul + 1) && self.unmasked(vd))?;
        let narrow = |s: u32| self.aligned(s, lmul) && self.apart(vd, lmul + 1, s, lmul);
        let first = if both { 2 * w } else { w };
        require(if both {
            self.aligned(vs2, lmul + 1)
        } else {
            narrow(vs2)
        })?;
        if from == Second::Vector {
            require(narrow(vs1))?;
            return self.sources(&[(vs2, first), (vs1, w)]);
        }
        self.sources(&[(vs2, first)])
    }

    /// Of one that adds to a result twice as wide, which is a source of that width.
    pub fn widen_and_add_rules(&self, from: Second) -> Done {
        self.widen_rules(from, false)?;
        let (vd, narrow) = ((self.vd(), 2 * self.sew), self.sew);
        self.sources(&[vd, (self.vs2(), narrow)])?;
        require(from != Second::Vector || self.sources(&[vd, (self.vs1(), narrow)]).is_ok())
    }

    /// Of one whose vs2 is twice as wide.
    pub fn narrow_rules(&self, from: Second) -> Done {
        let (vd, vs1, vs2) = (self.vd(), self.vs1(), self.vs2());
        let (lmul, w) = (self.lmul, self.sew);
        require(lmul <= 2 && w < 64 && self.unmasked(vd))?;
        require(self.aligned(vd, lmul) && self.aligned(vs2, lmul + 1))?;
        require(vd == vs2 || self.apart(vd, lmul, vs2, lmul + 1))?;
        if from == Second::Vector {
            require(self.aligned(vs1, lmul))?;
            return self.sources(&[(vs2, 2 * w), (vs1, w)]);
        }
        self.sources(&[(vs2, 2 * w)])
    }

    /// What [`operation`] knows.
    pub fn plain(&mut self, m: bool, from: Second) -> Done {
        let (form, op) = operation(m, self.f(26, 6)).ok_or(Reserved)?;
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        match form {
            Form::Same => self.same_rules(from)?,
            Form::Compare => self.compare_rules(from)?,
            Form::Widen(..) if op == Alu::Macc => self.widen_and_add_rules(from)?,
            Form::Widen(..) => self.widen_rules(from, false)?,
            Form::WidenWide(_) => self.widen_rules(from, true)?,
            Form::Narrow | Form::Clip(_) => self.narrow_rules(from)?,
        }
        // Products of 64 bits are there for V only, which we have; carry-less ones have that width alone.
        require(!matches!(op, Alu::Clmul | Alu::Clmulh) || w == 64)?;
        let extend = |v: u64, signed: bool| {
            if signed {
                sext(w as u8, v) as u64
            } else {
                v & mask(w as u8)
            }
        };
        self.each(&mut |u, i| {
            let b = u.second(from, i, w);
            match form {
                Form::Same => {
                    let (a, d) = (u.get(vs2, i, w), u.get(vd, i, w));
                    let r = u.alu(op, w, a, b, d);
                    u.put(vd, i, w, r);
                }
                Form::Compare => {
                    let a = u.get(vs2, i, w);
                    let r = u.alu(op, w, a, b, 0);
                    u.put_bit(vd, i, r != 0);
                }
                Form::Widen(sa, sb) => {
                    let (a, d) = (extend(u.get(vs2, i, w), sa), u.get(vd, i, 2 * w));
                    let r = u.alu(op, 2 * w, a, extend(b, sb), d);
                    u.put(vd, i, 2 * w, r);
                }
                Form::WidenWide(signed) => {
                    let a = u.get(vs2, i, 2 * w);
                    let r = u.alu(op, 2 * w, a, extend(b, signed), 0);
                    u.put(vd, i, 2 * w, r);
                }
                Form::Narrow => {
                    let a = u.get(vs2, i, 2 * w);
                    let r = u.alu(op, 2 * w, a, b, 0);
                    u.put(vd, i, w, r);
                }
                Form::Clip(signed) => {
                    let a = u.get(vs2, i, 2 * w);
                    let r = u.alu(op, 2 * w, a, b, 0);
                    let r = if signed {
                        sext(2 * w as u8, r).into()
                    } else {
                        i128::from(r & mask(2 * w as u8))
                    };
                    let r = u.clipped(r, w, signed);
                    u.put(vd, i, w, r);
                }
            }
        });
        Ok(())
    }

    /// VADC, VSBC: the mask is a carry, or a borrow.
    pub fn with_carry(&mut self, from: Second, subtract: bool) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        require(!self.vm() && vd != 0)?;
        self.group_rules(from)?;
        for i in self.vstart..self.vl {
            let (a, b, c) = (
                self.get(vs2, i, w),
                self.second(from, i, w),
                self.bit(0, i).into(),
            );
            let r = if subtract {
                a.wrapping_sub(b).wrapping_sub(c)
            } else {
                a.wrapping_add(b).wrapping_add(c)
            };
            self.put(vd, i, w, r);
        }
        Ok(())
    }

    /// VMADC, VMSBC: the carry or borrow of that; none comes in if the instruction is not masked.
    pub fn carry_of(&mut self, from: Second, subtract: bool) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        self.compare_rules(from)?;
        let m = mask(w as u8);
        for i in self.vstart..self.vl {
            let c = u128::from(!self.vm() && self.bit(0, i));
            let a = u128::from(self.get(vs2, i, w));
            let b = u128::from(self.second(from, i, w) & m);
            let carry = if subtract {
                a < b + c
            } else {
                a + b + c > m.into()
            };
            self.put_bit(vd, i, carry);
        }
        Ok(())
    }

    /// VMERGE, and VMV.V without a mask.
    pub fn merge(&mut self, from: Second) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        if self.vm() {
            require(vs2 == 0 && self.aligned(vd, self.lmul))?;
            require(from != Second::Vector || self.aligned(self.vs1(), self.lmul))?;
        } else {
            self.same_rules(from)?;
        }
        for i in self.vstart..self.vl {
            let v = if self.active(i) {
                self.second(from, i, w)
            } else {
                self.get(vs2, i, w)
            };
            self.put(vd, i, w, v);
        }
        Ok(())
    }

    /// vs1 of a reduction is one register.
    pub fn reduction_sources(&self, wide: bool) -> Done {
        let (vs1, vs2) = (self.vs1(), self.vs2());
        require(self.vm() || vs1 != 0 && vs2 != 0)?;
        require(!wide || !overlap(vs1, 1, vs2, 1 << self.lmul.max(0)))
    }

    /// VRED*, VWREDSUM: to element 0, beginning with that of vs1.
    pub fn reduce(&mut self, op: Alu, wide: Option<bool>) -> Done {
        let (w, vd, vs1, vs2) = (self.sew, self.vd(), self.vs1(), self.vs2());
        require(self.vstart == 0 && self.aligned(vs2, self.lmul))?;
        let out = if wide.is_some() { 2 * w } else { w };
        require(out <= 64)?;
        self.reduction_sources(wide.is_some())?;
        if self.vl == 0 {
            return Ok(());
        }
        let mut sum = self.get(vs1, 0, out);
        self.each(&mut |u, i| {
            let a = u.get(vs2, i, w);
            let a = if wide == Some(true) {
                sext(w as u8, a) as u64
            } else {
                a
            };
            sum = u.alu(op, out, a, sum, 0);
        });
        self.put(vd, 0, out, sum);
        Ok(())
    }

    /// VZEXT, VSEXT, from `1 / part` of the width.
    pub fn extend(&mut self, part: u32, signed: bool) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        let (from, lmul) = (w / part, self.lmul - log2(part));
        require(from >= 8 && lmul >= -3 && self.unmasked(vd))?;
        require(self.aligned(vd, self.lmul) && self.aligned(vs2, lmul))?;
        require(self.apart(vd, self.lmul, vs2, lmul))?;
        self.sources(&[(vs2, from)])?;
        self.each(&mut |u, i| {
            let v = u.get(vs2, i, from);
            let v = if signed {
                sext(from as u8, v) as u64
            } else {
                v
            };
            u.put(vd, i, w, v);
        });
        Ok(())
    }

    /// Bits within elements (Zvbb).
    pub fn bitwise(&mut self, how: u32) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        self.same_rules(Second::Scalar(0))?;
        let shift = 64 - w;
        self.each(&mut |u, i| {
            let v = u.get(vs2, i, w);
            let r = match how {
                8 => v.reverse_bits().swap_bytes(),
                9 => v.swap_bytes() >> shift,
                10 => v.reverse_bits() >> shift,
                12 => u64::from(v.leading_zeros() - shift),
                13 => u64::from(v.trailing_zeros().min(w)),
                _ => v.count_ones().into(),
            };
            u.put(vd, i, w, r);
        });
        Ok(())
    }

    /// OPI encodings.
    pub fn opi(&mut self, x: u64) -> Done {
        let imm = i64::from((self.bits << 12) as i32 >> 27) as u64;
        let (vector, immediate) = (self.f(12, 3) == 0, self.f(12, 3) == 3);
        let funct6 = self.f(26, 6);
        let from = match self.f(12, 3) {
            0 => Second::Vector,
            3 => Second::Scalar(imm),
            _ => Second::Scalar(x),
        };
        let unsigned = Second::Scalar(if immediate { u64::from(self.vs1()) } else { x });
        match funct6 {
            0x0c => self.gather(if vector { from } else { unsigned }, false),
            0x0e if vector => self.gather(from, true),
            0x0e => self.slide(unsigned, true),
            0x0f => self.slide(unsigned, false),
            0x10 => self.with_carry(from, false),
            0x11 => self.carry_of(from, false),
            0x12 => self.with_carry(from, true),
            0x13 => self.carry_of(from, true),
            0x17 => self.merge(from),
            0x27 if immediate => self.move_registers(),
            0x30 => self.reduce(Alu::Add, Some(false)),
            0x31 => self.reduce(Alu::Add, Some(true)),
            // VROR.VI has one bit more of it.
            0x14 | 0x15 if immediate => {
                let n = u64::from(self.vs1() | self.f(26, 1) << 5);
                self.bits &= !(1 << 26);
                self.plain(false, Second::Scalar(n))
            }
            0x25 | 0x28..=0x2f | 0x35 if !vector => self.plain(false, unsigned),
            _ => self.plain(false, from),
        }
    }

    /// OPM encodings; the scalar result.
    pub fn opm(&mut self, x: u64) -> Result<u64, Reserved> {
        let vector = self.f(12, 3) == 2;
        let from = if vector {
            Second::Vector
        } else {
            Second::Scalar(x)
        };
        const SUMS: [Alu; 8] = {
            use Alu::*;
            [Add, And, Or, Xor, MinU, Min, MaxU, Max]
        };
        match (self.f(26, 6), self.vs1()) {
            (n @ 0..=7, _) => self.reduce(SUMS[n as usize], None),
            (0x0e, _) => self.slide_one(x, true),
            (0x0f, _) => self.slide_one(x, false),
            (0x10, n) if vector => return self.scalar_out(n),
            (0x10, _) => {
                self.scalar_in(x);
                Ok(())
            }
            (0x12, n @ 2..=7) => self.extend([8, 8, 4, 4, 2, 2][n as usize - 2], n & 1 != 0),
            (0x12, n) => self.bitwise(n),
            (0x14, 0x10) => self.iota(true),
            (0x14, 0x11) => self.iota(false),
            (0x14, n) => self.first_set(n),
            (0x17, _) => self.compress(),
            (n @ 0x18..=0x1f, _) => {
                self.mask_logic(n);
                Ok(())
            }
            _ => self.plain(true, from),
        }?;
        Ok(0)
    }
}
