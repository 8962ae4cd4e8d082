//! Loads and stores. They are executed outside of translated code: a load that faults has changed nothing, of a store there is what
//! comes before the element that faults.

use super::unit::{Done, P, Reserved, Unit, Z, require, signed};
use crate::ir::eval::sext;
use crate::ir::interp::{Fault, Mem};
use crate::ir::state::Refused;

/// What becomes of a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    /// Of the first active element; behind that it is noted in FFR.
    First,
    /// It is noted.
    Never,
}

/// Elements: their width in the register and in memory, as a power of two of bytes.
#[derive(Clone, Copy)]
pub struct Shape {
    esz: u32,
    msz: u32,
    is_signed: bool,
}

impl Shape {
    fn w(self) -> u32 {
        8 << self.esz
    }
    fn size(self) -> usize {
        1 << self.msz
    }
    fn new(esz: u32, msz: u32, is_signed: bool) -> Result<Self, Reserved> {
        // What is as wide in both has no sign.
        require(msz < esz || (msz == esz && !is_signed))?;
        Ok(Self {
            esz,
            msz,
            is_signed,
        })
    }
    /// The dtype of contiguous loads.
    fn of_type(dtype: u32) -> Result<Self, Reserved> {
        let (m, e) = (dtype >> 2, dtype & 3);
        if e >= m {
            Self::new(e, m, false)
        } else {
            Self::new(3 - e, 3 - m, true)
        }
    }
}

/// The result of instructions that access memory.
pub type Access = Result<(), Refused>;

/// How a vector becomes offsets of 64 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// By bit `n`: the low 32 bits, extended with the sign or not.
    Extended(u32),
    Whole,
}

impl Unit<'_> {
    fn load(&self, mem: &mut dyn Mem, at: u64, s: Shape) -> Result<u64, Fault> {
        let mut b = [0; 8];
        let b = &mut b[..s.size()];
        mem.read(at, b)?;
        if self.big {
            b.reverse();
        }
        let v = b.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b));
        Ok(if s.is_signed {
            signed(8 << s.msz, v) as u64
        } else {
            v
        })
    }

    fn store(&self, mem: &mut dyn Mem, at: u64, s: Shape, v: u64) -> Result<(), Fault> {
        let mut b = v.to_le_bytes();
        let b = &mut b[..s.size()];
        if self.big {
            b.reverse();
        }
        mem.write(at, b)
    }

    /// Loads the active elements of one register, with this address each.
    fn gather(
        &mut self,
        mem: &mut dyn Mem,
        s: Shape,
        mode: Mode,
        at: &dyn Fn(usize) -> u64,
    ) -> Access {
        let (w, p) = (s.w(), self.p(self.g()));
        let mut r = Z::ZERO;
        let mut first = mode == Mode::First;
        for i in (0..self.count(w)).filter(|&i| p.active(i, w)) {
            match self.load(mem, at(i), s) {
                Ok(v) => r.put(i, w, v),
                Err(fault) if mode == Mode::Plain || first => return Err(fault.into()),
                Err(_) => {
                    self.note_fault(i * w as usize / 8);
                    break;
                }
            }
            first = false;
        }
        self.put_z(self.d(), &r);
        Ok(())
    }

    /// FFR from this byte on.
    fn note_fault(&mut self, byte: usize) {
        let mut ffr = self.p(Self::FFR);
        for i in byte..self.bytes {
            ffr.put_bit(i, false);
        }
        self.put_p(Self::FFR, &ffr);
    }

    fn scatter(&mut self, mem: &mut dyn Mem, s: Shape, at: &dyn Fn(usize) -> u64) -> Access {
        let (w, p, z) = (s.w(), self.p(self.g()), self.z(self.d()));
        for i in (0..self.count(w)).filter(|&i| p.active(i, w)) {
            self.store(mem, at(i), s, z.get(i, w))?;
        }
        Ok(())
    }

    // Contiguous.

    /// The address: Rn and a register's elements (`None`: not x31), or a multiple of what is accessed.
    fn contiguous(&self, s: Shape, registers: u64, immediate: bool) -> u64 {
        let offset = if immediate {
            let elements = self.count(s.w()) as i64;
            (self.imm(16, 4) * elements * registers as i64) as u64
        } else {
            self.x(self.m())
        };
        self.xsp(self.n()).wrapping_add(offset << s.msz)
    }

    fn one_load(&mut self, mem: &mut dyn Mem, s: Shape, mode: Mode, immediate: bool) -> Access {
        require(immediate || mode == Mode::First || self.m() != 31)?;
        let base = self.contiguous(s, 1, immediate);
        let whole = self.p(self.g()) == self.all(s.w()) && s.esz == s.msz && !self.big;
        if whole {
            let mut r = Z::ZERO;
            if mem.read(base, &mut r.0[..self.bytes]).is_ok() {
                self.put_z(self.d(), &r);
                return Ok(());
            }
        }
        let at = |i: usize| base.wrapping_add((i as u64) << s.msz);
        self.gather(mem, s, mode, &at)
    }

    /// LD1*, LDFF1*, LDNF1*: dtype is bits 24-21.
    pub fn load_one(&mut self, mem: &mut dyn Mem, mode: Mode, immediate: bool) -> Access {
        let s = Shape::of_type(self.f(21, 4))?;
        self.one_load(mem, s, mode, immediate)
    }

    /// LDNT1*: elements as wide as in memory.
    pub fn load_once(&mut self, mem: &mut dyn Mem, immediate: bool) -> Access {
        let msz = self.f(23, 2);
        self.one_load(mem, Shape::new(msz, msz, false)?, Mode::Plain, immediate)
    }

    fn one_store(&mut self, mem: &mut dyn Mem, s: Shape, immediate: bool) -> Access {
        require(immediate || self.m() != 31)?;
        let base = self.contiguous(s, 1, immediate);
        let whole = self.p(self.g()) == self.all(s.w()) && s.esz == s.msz && !self.big;
        if whole && mem.write(base, &self.z(self.d()).0[..self.bytes]).is_ok() {
            return Ok(());
        }
        let at = |i: usize| base.wrapping_add((i as u64) << s.msz);
        self.scatter(mem, s, &at)
    }

    /// ST1*: the element's size is bits 22-21.
    pub fn store_one(&mut self, mem: &mut dyn Mem, immediate: bool) -> Access {
        let s = Shape::new(self.f(21, 2), self.f(23, 2), false)?;
        self.one_store(mem, s, immediate)
    }

    pub fn store_once(&mut self, mem: &mut dyn Mem, immediate: bool) -> Access {
        let msz = self.f(23, 2);
        self.one_store(mem, Shape::new(msz, msz, false)?, immediate)
    }

    /// LD2* to LD4*, ST2* to ST4*: structures of that many elements.
    pub fn structures(&mut self, mem: &mut dyn Mem, store: bool, immediate: bool) -> Access {
        require(immediate || self.m() != 31)?;
        let (msz, n) = (self.f(23, 2), self.f(21, 2) as usize + 1);
        let s = Shape::new(msz, msz, false)?;
        let base = self.contiguous(s, n as u64, immediate);
        let (w, p, d) = (s.w(), self.p(self.g()), self.d());
        let mut r = [Z::ZERO; 4];
        for (k, z) in r.iter_mut().enumerate().take(n) {
            if store {
                *z = self.z((d + k) % 32);
            }
        }
        for i in (0..self.count(w)).filter(|&i| p.active(i, w)) {
            for (k, z) in r.iter_mut().enumerate().take(n) {
                let at = base.wrapping_add(((i * n + k) as u64) << msz);
                if store {
                    self.store(mem, at, s, z.get(i, w))?;
                } else {
                    z.put(i, w, self.load(mem, at, s)?);
                }
            }
        }
        if !store {
            for (k, z) in r.iter().enumerate().take(n) {
                self.put_z((d + k) % 32, z);
            }
        }
        Ok(())
    }

    /// LD1R*: one element to all.
    pub fn load_replicated(&mut self, mem: &mut dyn Mem) -> Access {
        let s = Shape::of_type(self.f(23, 2) << 2 | self.f(13, 2))?;
        let at = self
            .xsp(self.n())
            .wrapping_add(u64::from(self.f(16, 6)) << s.msz);
        let (w, p) = (s.w(), self.p(self.g()));
        let any = (0..self.count(w)).any(|i| p.active(i, w));
        let v = if any { self.load(mem, at, s)? } else { 0 };
        self.each(w, &p, self.d(), &Z::ZERO, &mut |_, _| v);
        Ok(())
    }

    /// LD1RQ*, LD1RO*: so many bytes to all.
    pub fn load_segment(&mut self, mem: &mut dyn Mem, size: usize, immediate: bool) -> Access {
        require(self.bytes >= size && (immediate || self.m() != 31))?;
        let msz = self.f(23, 2);
        let s = Shape::new(msz, msz, false)?;
        let offset = if immediate {
            (self.imm(16, 4) * size as i64) as u64
        } else {
            self.x(self.m()) << msz
        };
        let base = self.xsp(self.n()).wrapping_add(offset);
        let (w, p) = (s.w(), self.p(self.g()));
        let per = size / s.size();
        let mut one = Z::ZERO;
        for i in (0..per).filter(|&i| p.active(i, w)) {
            one.put(
                i,
                w,
                self.load(mem, base.wrapping_add((i as u64) << msz), s)?,
            );
        }
        let whole = self.bytes / size * per;
        self.every(w, self.d(), &mut |_, i| {
            if i < whole { one.get(i % per, w) } else { 0 }
        });
        Ok(())
    }

    // By vectors of addresses.

    /// Rn and offsets of Zm.
    fn by_offsets(&self, w: u32, how: Offset, shift: u32) -> impl Fn(usize) -> u64 + use<> {
        let (base, z) = (self.xsp(self.n()), self.z(self.m()));
        let extend = match how {
            Offset::Whole => None,
            Offset::Extended(bit) => Some(self.bit(bit)),
        };
        move |i| {
            let v = z.get(i, w);
            let v = match extend {
                None => v,
                Some(false) => v & 0xffff_ffff,
                Some(true) => sext(32, v) as u64,
            };
            base.wrapping_add(v << shift)
        }
    }

    /// Zn and an offset.
    fn by_bases(&self, w: u32, offset: u64) -> impl Fn(usize) -> u64 + use<> {
        let z = self.z(self.n());
        move |i| z.get(i, w).wrapping_add(offset)
    }

    /// LD1*, LDFF1* (bit 13) to elements of `w` bits; bit 14 is not there for signed ones.
    pub fn gather_offsets(
        &mut self,
        mem: &mut dyn Mem,
        w: u32,
        how: Offset,
        scaled: bool,
    ) -> Access {
        let s = Shape::new(w.trailing_zeros() - 3, self.f(23, 2), !self.bit(14))?;
        require(!scaled || s.msz > 0)?;
        let at = self.by_offsets(w, how, if scaled { s.msz } else { 0 });
        let mode = if self.bit(13) {
            Mode::First
        } else {
            Mode::Plain
        };
        self.gather(mem, s, mode, &at)
    }

    pub fn gather_bases(&mut self, mem: &mut dyn Mem, w: u32) -> Access {
        let s = Shape::new(w.trailing_zeros() - 3, self.f(23, 2), !self.bit(14))?;
        let at = self.by_bases(w, u64::from(self.f(16, 5)) << s.msz);
        let mode = if self.bit(13) {
            Mode::First
        } else {
            Mode::Plain
        };
        self.gather(mem, s, mode, &at)
    }

    /// LDNT1* by addresses of Zn and Rm; `unsigned` is that bit.
    pub fn gather_once(&mut self, mem: &mut dyn Mem, w: u32, unsigned: u32) -> Access {
        let s = Shape::new(w.trailing_zeros() - 3, self.f(23, 2), !self.bit(unsigned))?;
        let at = self.by_bases(w, self.x(self.m()));
        self.gather(mem, s, Mode::Plain, &at)
    }

    pub fn scatter_offsets(
        &mut self,
        mem: &mut dyn Mem,
        w: u32,
        how: Offset,
        scaled: bool,
    ) -> Access {
        let s = Shape::new(w.trailing_zeros() - 3, self.f(23, 2), false)?;
        require(!scaled || s.msz > 0)?;
        let at = self.by_offsets(w, how, if scaled { s.msz } else { 0 });
        self.scatter(mem, s, &at)
    }

    pub fn scatter_bases(&mut self, mem: &mut dyn Mem, w: u32) -> Access {
        let s = Shape::new(w.trailing_zeros() - 3, self.f(23, 2), false)?;
        let at = self.by_bases(w, u64::from(self.f(16, 5)) << s.msz);
        self.scatter(mem, s, &at)
    }

    pub fn scatter_once(&mut self, mem: &mut dyn Mem, w: u32) -> Access {
        let s = Shape::new(w.trailing_zeros() - 3, self.f(23, 2), false)?;
        let at = self.by_bases(w, self.x(self.m()));
        self.scatter(mem, s, &at)
    }

    // Whole registers: bytes, whatever the order of others.

    fn whole_address(&self, size: usize) -> u64 {
        let imm = sext(9, u64::from(self.f(16, 6) << 3 | self.f(10, 3)));
        self.xsp(self.n()).wrapping_add((imm * size as i64) as u64)
    }

    pub fn whole_vector(&mut self, mem: &mut dyn Mem, store: bool) -> Access {
        let at = self.whole_address(self.bytes);
        if store {
            let z = self.z(self.d());
            mem.write(at, &z.0[..self.bytes])?;
        } else {
            let mut z = Z::ZERO;
            mem.read(at, &mut z.0[..self.bytes])?;
            self.put_z(self.d(), &z);
        }
        Ok(())
    }

    pub fn whole_predicate(&mut self, mem: &mut dyn Mem, store: bool) -> Access {
        let size = self.bytes / 8;
        let (at, n) = (self.whole_address(size), self.f(0, 4) as usize);
        let mut b = [0; 32];
        if store {
            for (k, word) in self.p(n).0.iter().enumerate() {
                b[8 * k..8 * k + 8].copy_from_slice(&word.to_le_bytes());
            }
            mem.write(at, &b[..size])?;
        } else {
            mem.read(at, &mut b[..size])?;
            let mut p = P::ZERO;
            for i in 0..8 * size {
                p.put_bit(i, b[i / 8] >> (i % 8) & 1 != 0);
            }
            self.put_p(n, &p);
        }
        Ok(())
    }

    /// PRFB and its like; `index`: Rm is not x31.
    pub fn prefetch(&mut self, index: bool) -> Done {
        require(!index || self.m() != 31)
    }
}
