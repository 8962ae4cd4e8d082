//! The vector unit while it executes one instruction: registers, configuration, elements, and the rules of which registers
//! an instruction may name (V, "Vector Register Grouping", "Vector Operands", "Vector Masking").

use super::super::csr;
use super::super::insn::{VECTORS, slot};
use crate::ir::state::State;

/// What a helper of a vector instruction has to know of the processor, beside the instruction: in its immediate, from bit 32 on.
#[derive(Clone, Copy)]
pub struct Model {
    /// log2 of the bytes of a register.
    pub log_bytes: u32,
    pub xlen: u8,
    pub zvfh: bool,
    pub zvfhmin: bool,
}

impl Model {
    #[must_use]
    pub fn pack(self, bits: u32) -> u64 {
        u64::from(bits)
            | u64::from(self.log_bytes) << 32
            | u64::from(self.xlen == 64) << 36
            | u64::from(self.zvfh) << 37
            | u64::from(self.zvfhmin) << 38
    }

    fn unpack(imm: u64) -> Self {
        Self {
            log_bytes: (imm >> 32 & 15) as u32,
            xlen: if imm >> 36 & 1 != 0 { 64 } else { 32 },
            zvfh: imm >> 37 & 1 != 0,
            zvfhmin: imm >> 38 & 1 != 0,
        }
    }
}

/// vtype, as the slot has it: the register's low byte, and this for vill.
pub const VILL: u64 = 1 << 8;

/// What vtype says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// The element width in bits.
    pub sew: u32,
    /// log2 of LMUL.
    pub lmul: i32,
}

impl Type {
    /// None: vill.
    #[must_use]
    pub fn of(vtype: u64) -> Option<Self> {
        let (sew, lmul) = (vtype >> 3 & 7, vtype & 7);
        if vtype & !0xff != 0 || sew > 3 || lmul == 4 {
            return None;
        }
        let t = Self {
            sew: 8 << sew,
            lmul: if lmul > 4 {
                lmul as i32 - 8
            } else {
                lmul as i32
            },
        };
        // ELEN is 64.
        (t.lmul >= 0 || t.sew <= 64 >> -t.lmul).then_some(t)
    }

    /// VLMAX of registers of so many bytes.
    #[must_use]
    pub fn most(self, log_bytes: u32) -> u64 {
        let elements = (8u64 << log_bytes) / u64::from(self.sew);
        if self.lmul >= 0 {
            elements << self.lmul
        } else {
            elements >> -self.lmul
        }
    }
}

/// log2 of a width.
#[must_use]
pub fn log2(w: u32) -> i32 {
    w.trailing_zeros() as i32
}

/// The instruction is undefined as it is.
pub struct Reserved;
pub type Done = Result<(), Reserved>;

/// `Err(Reserved)` unless it holds.
pub fn require(holds: bool) -> Done {
    if holds { Ok(()) } else { Err(Reserved) }
}

pub struct Unit<'a> {
    pub bits: u32,
    pub model: Model,
    pub regs: &'a mut [u8],
    pub sew: u32,
    pub lmul: i32,
    pub vl: u64,
    pub vstart: u64,
    pub vxrm: u8,
    /// The floating-point environment, and frm.
    pub env: u32,
    pub frm: u8,
    pub sat: bool,
}

impl<'a> Unit<'a> {
    /// For an instruction that depends on vtype; None with vill.
    pub fn new(st: &'a mut State, imm: u64) -> Option<Self> {
        let t = Type::of(st.r()[usize::from(slot::VTYPE)])?;
        Some(Self::typed(st, imm, t))
    }

    /// As if vtype said this.
    pub fn typed(st: &'a mut State, imm: u64, t: Type) -> Self {
        let r = st.r();
        let (vl, vstart) = (r[usize::from(slot::VL)], r[usize::from(slot::VSTART)]);
        let vxrm = r[usize::from(slot::VXRM)] as u8;
        let (env, frm) = (st.env(), csr::frm(st) as u8);
        Self {
            bits: imm as u32,
            model: Model::unpack(imm),
            regs: st.bytes_mut(VECTORS.into()),
            sew: t.sew,
            lmul: t.lmul,
            vl,
            vstart,
            vxrm,
            env,
            frm,
            sat: false,
        }
    }

    pub fn f(&self, lo: u32, len: u32) -> u32 {
        self.bits >> lo & ((1 << len) - 1)
    }
    pub fn vd(&self) -> u32 {
        self.f(7, 5)
    }
    pub fn vs1(&self) -> u32 {
        self.f(15, 5)
    }
    pub fn vs2(&self) -> u32 {
        self.f(20, 5)
    }
    /// Not masked.
    pub fn vm(&self) -> bool {
        self.f(25, 1) != 0
    }
    pub fn bytes(&self) -> usize {
        1 << self.model.log_bytes
    }
    /// VLMAX.
    pub fn most(&self) -> u64 {
        let (sew, lmul) = (self.sew, self.lmul);
        Type { sew, lmul }.most(self.model.log_bytes)
    }

    // Elements.

    fn at(&self, reg: u32, i: u64, w: u32) -> usize {
        (reg as usize) * self.bytes() + i as usize * (w as usize / 8)
    }

    /// Element `i` of `w` bits of the group that begins with `reg`.
    pub fn get(&self, reg: u32, i: u64, w: u32) -> u64 {
        let at = self.at(reg, i, w);
        let b = &self.regs[at..at + w as usize / 8];
        match b.len() {
            1 => b[0].into(),
            2 => u16::from_le_bytes([b[0], b[1]]).into(),
            4 => u32::from_le_bytes([b[0], b[1], b[2], b[3]]).into(),
            _ => u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
        }
    }

    pub fn put(&mut self, reg: u32, i: u64, w: u32, v: u64) {
        let at = self.at(reg, i, w);
        let n = w as usize / 8;
        self.regs[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
    }

    /// Element `i` of 128 bits.
    pub fn get_wide(&self, reg: u32, i: u64) -> u128 {
        let at = self.at(reg, i, 128);
        self.regs[at..at + 16]
            .iter()
            .rev()
            .fold(0, |v, &b| v << 8 | u128::from(b))
    }

    pub fn put_wide(&mut self, reg: u32, i: u64, v: u128) {
        let at = self.at(reg, i, 128);
        self.regs[at..at + 16].copy_from_slice(&v.to_le_bytes());
    }

    pub fn bit(&self, reg: u32, i: u64) -> bool {
        self.regs[reg as usize * self.bytes() + i as usize / 8] >> (i % 8) & 1 != 0
    }

    pub fn put_bit(&mut self, reg: u32, i: u64, v: bool) {
        let at = reg as usize * self.bytes() + i as usize / 8;
        self.regs[at] = self.regs[at] & !(1 << (i % 8)) | u8::from(v) << (i % 8);
    }

    /// Element `i` is not masked.
    pub fn active(&self, i: u64) -> bool {
        self.vm() || self.bit(0, i)
    }

    /// Does `f` for each element of the body that is active.
    pub fn each(&mut self, f: &mut dyn FnMut(&mut Self, u64)) {
        for i in self.vstart..self.vl {
            if self.active(i) {
                f(self, i);
            }
        }
    }

    // Rules.

    /// A group of 2^lmul registers begins with `reg`.
    pub fn aligned(&self, reg: u32, lmul: i32) -> bool {
        lmul <= 0 || reg & ((1 << lmul) - 1) == 0
    }

    /// The destination is not the mask.
    pub fn unmasked(&self, vd: u32) -> bool {
        self.vm() || vd != 0
    }

    /// A destination and a source with another element width (or none): they may share registers only where a wider destination's
    /// highest part is the source, or a narrower one is a source's lowest.
    pub fn apart(&self, d: u32, d_lmul: i32, s: u32, s_lmul: i32) -> bool {
        let (d_size, s_size) = (1 << d_lmul.max(0), 1 << s_lmul.max(0));
        let together = overlap(d, d_size, s, s_size);
        if d_size > s_size
            && d < s
            && s_lmul >= 0
            && together
            && !overlap(d, d_size, s + s_size, s_size)
        {
            return true;
        }
        !together
    }

    /// Two sources of one width are read with it; not with another one, nor as the mask.
    pub fn sources(&self, list: &[(u32, u32)]) -> Done {
        let lmul = |w: u32| log2(w) - log2(self.sew) + self.lmul;
        for (n, &(reg, w)) in list.iter().enumerate() {
            require(self.vm() || reg != 0)?;
            for &(other, v) in &list[..n] {
                let (a, b) = (1 << lmul(w).max(0), 1 << lmul(v).max(0));
                require(w == v || !overlap(reg, a, other, b))?;
            }
        }
        Ok(())
    }
}

pub fn overlap(a: u32, a_size: u32, b: u32, b_size: u32) -> bool {
    a < b + b_size && b < a + a_size
}
