//! Masks, and instructions that move elements about.

use super::arith::Second;
use super::unit::{Done, Reserved, Unit, log2, require};
use crate::ir::eval::sext;

impl Unit<'_> {
    /// VMAND and its kind.
    pub fn mask_logic(&mut self, funct6: u32) {
        let (vd, vs1, vs2) = (self.vd(), self.vs1(), self.vs2());
        for i in self.vstart..self.vl {
            let (a, b) = (self.bit(vs2, i), self.bit(vs1, i));
            let r = match funct6 & 7 {
                0 => a & !b,
                1 => a & b,
                2 => a | b,
                3 => a ^ b,
                4 => a | !b,
                5 => !(a & b),
                6 => !(a | b),
                _ => !(a ^ b),
            };
            self.put_bit(vd, i, r);
        }
    }

    /// VMV.X.S, VCPOP.M, VFIRST.M.
    pub fn scalar_out(&mut self, which: u32) -> Result<u64, Reserved> {
        let (w, vs2) = (self.sew, self.vs2());
        if which == 0 {
            return Ok(sext(w as u8, self.get(vs2, 0, w)) as u64);
        }
        require(self.vstart == 0)?;
        let (mut count, mut first) = (0, u64::MAX);
        self.each(&mut |u, i| {
            if u.bit(vs2, i) {
                count += 1;
                first = first.min(i);
            }
        });
        Ok(if which == 0x10 { count } else { first })
    }

    /// VMV.S.X, VFMV.S.F.
    pub fn scalar_in(&mut self, x: u64) {
        if self.vstart < self.vl {
            self.put(self.vd(), 0, self.sew, x);
        }
    }

    /// VMSBF (1), VMSOF (2), VMSIF (3).
    pub fn first_set(&mut self, which: u32) -> Done {
        let (vd, vs2) = (self.vd(), self.vs2());
        require(self.vstart == 0 && self.unmasked(vd) && vd != vs2)?;
        let mut found = false;
        self.each(&mut |u, i| {
            let here = u.bit(vs2, i) && !found;
            let r = match which {
                1 => !found && !here,
                2 => here,
                _ => !found,
            };
            found |= here;
            u.put_bit(vd, i, r);
        });
        Ok(())
    }

    /// VIOTA, VID.
    pub fn iota(&mut self, counts: bool) -> Done {
        let (w, vd, vs2) = (self.sew, self.vd(), self.vs2());
        require(self.aligned(vd, self.lmul) && self.unmasked(vd))?;
        if counts {
            require(self.vstart == 0 && self.apart(vd, self.lmul, vs2, 0))?;
        }
        let mut sum = 0;
        self.each(&mut |u, i| {
            u.put(vd, i, w, if counts { sum } else { i });
            sum += u64::from(counts && u.bit(vs2, i));
        });
        Ok(())
    }

    pub fn compress(&mut self) -> Done {
        let (w, vd, vs1, vs2) = (self.sew, self.vd(), self.vs1(), self.vs2());
        require(self.vstart == 0 && self.vm())?;
        require(self.aligned(vd, self.lmul) && self.aligned(vs2, self.lmul) && vd != vs2)?;
        require(self.apart(vd, self.lmul, vs1, 0))?;
        let mut to = 0;
        for i in 0..self.vl {
            if self.bit(vs1, i) {
                let v = self.get(vs2, i, w);
                self.put(vd, to, w, v);
                to += 1;
            }
        }
        Ok(())
    }

    /// VSLIDEUP, VSLIDEDOWN.
    pub fn slide(&mut self, by: Second, up: bool) -> Done {
        let (w, vd, vs2, most) = (self.sew, self.vd(), self.vs2(), self.most());
        let Second::Scalar(by) = by else {
            return Err(Reserved);
        };
        self.same_rules(Second::Scalar(0))?;
        require(!up || vd != vs2)?;
        self.each(&mut |u, i| {
            if up {
                if i >= by {
                    let v = u.get(vs2, i - by, w);
                    u.put(vd, i, w, v);
                }
                return;
            }
            let from = i.saturating_add(by);
            let v = if from < most { u.get(vs2, from, w) } else { 0 };
            u.put(vd, i, w, v);
        });
        Ok(())
    }

    /// VSLIDE1UP, VSLIDE1DOWN, and those of floating point.
    pub fn slide_one(&mut self, x: u64, up: bool) -> Done {
        let (w, vd, vs2, vl) = (self.sew, self.vd(), self.vs2(), self.vl);
        self.same_rules(Second::Scalar(0))?;
        require(!up || vd != vs2)?;
        self.each(&mut |u, i| {
            let v = match (up, i) {
                (true, 0) => x,
                (true, _) => u.get(vs2, i - 1, w),
                (false, _) if i == vl - 1 => x,
                (false, _) => u.get(vs2, i + 1, w),
            };
            u.put(vd, i, w, v);
        });
        Ok(())
    }

    /// VRGATHER, VRGATHEREI16.
    pub fn gather(&mut self, by: Second, halves: bool) -> Done {
        let (w, vd, vs1, vs2, most) = (self.sew, self.vd(), self.vs1(), self.vs2(), self.most());
        let iw = if halves { 16 } else { w };
        require(self.aligned(vd, self.lmul) && self.aligned(vs2, self.lmul))?;
        require(self.unmasked(vd) && vd != vs2)?;
        if by == Second::Vector {
            let lmul = 4 - log2(w) + self.lmul + if halves { 0 } else { log2(w) - 4 };
            require((-3..=3).contains(&lmul) && self.aligned(vs1, lmul))?;
            require(if halves {
                self.apart(vd, self.lmul, vs1, lmul)
            } else {
                vd != vs1
            })?;
            self.sources(&[(vs2, w), (vs1, iw)])?;
        } else {
            self.sources(&[(vs2, w)])?;
        }
        self.each(&mut |u, i| {
            let from = u.second(by, i, iw);
            let v = if from < most { u.get(vs2, from, w) } else { 0 };
            u.put(vd, i, w, v);
        });
        Ok(())
    }

    /// VMV1R to VMV8R: vstart counts elements.
    pub fn move_registers(&mut self) -> Done {
        let (vd, vs2, n) = (self.vd(), self.vs2(), self.vs1() + 1);
        require(self.vm() && n.is_power_of_two() && n <= 8)?;
        require(vd.is_multiple_of(n) && vs2.is_multiple_of(n))?;
        let from = (self.vstart as usize * self.sew as usize / 8).min(n as usize * self.bytes());
        let (to, at, len) = (
            vd as usize * self.bytes() + from,
            vs2 as usize * self.bytes() + from,
            n as usize * self.bytes() - from,
        );
        self.regs.copy_within(at..at + len, to);
        Ok(())
    }
}
