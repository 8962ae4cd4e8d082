//! A small x86-64 encoder.
//!
//! Why not a crate: measured here, `iced-x86` takes 46 ns an instruction
//! through its encoder and 138 ns through its code assembler, which at three to four
//! host instructions for one guest instruction is the whole translation budget
//! of 0.5 µs. This encoder pushes bytes and takes about 3 ns. The tests disassemble what
//! it emits with `iced-x86` and compare the text.
//!
//! Encodings: Intel SDM volume 2, chapter 2 (REX, VEX) and the opcode pages.

mod general;

/// A general register by its number (rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8...).
pub type Reg = u8;
/// "No register" in a memory operand.
pub const NOREG: Reg = 0xff;

pub const RAX: Reg = 0;
pub const RCX: Reg = 1;
pub const RDX: Reg = 2;
pub const RBX: Reg = 3;
pub const RSP: Reg = 4;
pub const RBP: Reg = 5;
pub const RSI: Reg = 6;
pub const RDI: Reg = 7;
pub const R8: Reg = 8;
pub const R9: Reg = 9;
pub const R10: Reg = 10;
pub const R11: Reg = 11;
pub const R12: Reg = 12;
pub const R13: Reg = 13;
pub const R14: Reg = 14;
pub const R15: Reg = 15;

/// A memory operand: `[gs:] base + index * 2^shift + disp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mem {
    pub base: Reg,
    pub index: Reg,
    pub shift: u8,
    pub disp: i32,
    /// Adds the GS base, which holds the start of guest memory.
    pub gs: bool,
    /// The sum without that base is taken modulo 2^32.
    pub wrap: bool,
}

impl Mem {
    #[must_use]
    pub fn base(base: Reg, disp: i32) -> Self {
        Self {
            base,
            index: NOREG,
            shift: 0,
            disp,
            gs: false,
            wrap: false,
        }
    }
}

/// A register or memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rm {
    R(Reg),
    M(Mem),
}

impl From<Mem> for Rm {
    fn from(m: Mem) -> Self {
        Rm::M(m)
    }
}

impl Rm {
    /// What of it is encoded in prefixes: the X and B bits of REX and VEX, whether it is in gs, and whether it
    /// wraps.
    fn prefix_bits(self) -> (u8, u8, bool, bool) {
        let high = |reg: Reg| if reg == NOREG { 0 } else { reg >> 3 & 1 };
        match self {
            Self::R(r) => (0, high(r), false, false),
            Self::M(m) => (high(m.index), high(m.base), m.gs, m.wrap),
        }
    }
}

/// Those of the eight classic ALU operations that are used, by their `/digit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Alu {
    Add = 0,
    Or = 1,
    Adc = 2,
    Sbb = 3,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Shift operations, by their `/digit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shift {
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Condition codes, by their number in `jcc`, `setcc` and `cmovcc`.
pub mod cc {
    pub const O: u8 = 0;
    pub const NO: u8 = 1;
    pub const B: u8 = 2;
    pub const AE: u8 = 3;
    pub const E: u8 = 4;
    pub const NE: u8 = 5;
    pub const BE: u8 = 6;
    pub const A: u8 = 7;
    pub const S: u8 = 8;
    pub const NS: u8 = 9;
    pub const P: u8 = 10;
    pub const NP: u8 = 11;
    pub const L: u8 = 12;
    pub const GE: u8 = 13;
    pub const LE: u8 = 14;
    pub const G: u8 = 15;
}

/// Opcode maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Map {
    One = 0,
    M0f = 1,
    M0f38 = 2,
    M0f3a = 3,
}

/// Mandatory prefixes, by their number in VEX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Pp {
    None = 0,
    P66 = 1,
    F3 = 2,
    F2 = 3,
}

/// A position in the code whose 32-bit displacement is filled in later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixup(pub usize);

/// The code buffer.
#[derive(Default)]
pub struct Asm {
    pub buf: Vec<u8>,
    /// Start and end of instructions that can raise a floating-point exception.
    pub float_sites: Vec<(u32, u32)>,
}

/// Whether a VEX instruction is one that can raise a floating-point exception.
fn may_trap(map: Map, opcode: u8) -> bool {
    match map {
        // Conversions, comparisons, arithmetic, minimum and maximum, horizontal additions.
        Map::M0f => {
            matches!(opcode, 0x2a | 0x2c..=0x2f | 0x51 | 0x58..=0x5f | 0x7c | 0x7d | 0xc2 | 0xd0 | 0xe6)
        }
        // Fused multiply-add; half precision.
        Map::M0f38 => matches!(opcode, 0x13 | 0x94..=0xbf),
        // Rounding, half precision, dot products.
        Map::M0f3a => matches!(opcode, 0x08..=0x0b | 0x1d | 0x40 | 0x41),
        Map::One => false,
    }
}

/// An instruction in the making. Its bytes go to the buffer at once, as so many stores of one byte would take
/// most of the time.
struct Encoding {
    bytes: [u8; 16],
    len: usize,
}

impl Encoding {
    #[inline(always)]
    fn new() -> Self {
        Self {
            bytes: [0; 16],
            len: 0,
        }
    }

    #[inline(always)]
    fn u8(&mut self, b: u8) {
        // Instructions are no longer than 15 bytes.
        self.bytes[self.len & 15] = b;
        self.len += 1;
    }

    #[inline(always)]
    fn u32(&mut self, v: u32) {
        for b in v.to_le_bytes() {
            self.u8(b);
        }
    }

    /// ModRM, SIB and displacement.
    #[inline(always)]
    fn modrm(&mut self, reg: u8, rm: Rm) {
        let reg = (reg & 7) << 3;
        let m = match rm {
            Rm::R(r) => return self.u8(0xc0 | reg | (r & 7)),
            Rm::M(m) => m,
        };
        if m.base == NOREG {
            // SIB without base: disp32 follows.
            self.u8(reg | 4);
            let index = if m.index == NOREG { 4 } else { m.index & 7 };
            self.u8(m.shift << 6 | index << 3 | 5);
            return self.u32(m.disp as u32);
        }
        let small = i8::try_from(m.disp).is_ok();
        let md = if m.disp == 0 && m.base & 7 != 5 {
            0
        } else if small {
            0x40
        } else {
            0x80
        };
        if m.index != NOREG || m.base & 7 == 4 {
            let index = if m.index == NOREG { 4 } else { m.index & 7 };
            self.u8(md | reg | 4);
            self.u8(m.shift << 6 | index << 3 | (m.base & 7));
        } else {
            self.u8(md | reg | (m.base & 7));
        }
        match md {
            0x40 => self.u8(m.disp as u8),
            0x80 => self.u32(m.disp as u32),
            _ => {}
        }
    }
}

impl Asm {
    /// Begins anew, with room for `room` bytes.
    pub fn clear(&mut self, room: usize) {
        self.buf.clear();
        self.buf.reserve(room);
        self.float_sites.clear();
    }

    #[must_use]
    pub fn pos(&self) -> usize {
        self.buf.len()
    }

    #[inline(always)]
    fn put(&mut self, e: &Encoding) {
        let end = self.buf.len() + e.len;
        self.buf.extend_from_slice(&e.bytes);
        self.buf.truncate(end);
    }

    fn u8(&mut self, b: u8) {
        self.buf.push(b);
    }

    fn u32(&mut self, v: u32) {
        self.buf.extend_from_slice(&v.to_le_bytes());
    }

    /// A legacy-encoded instruction with a ModRM byte. `byte_reg`/`byte_rm` say
    /// that the operand is an 8-bit register (spl... need a REX prefix).
    #[expect(clippy::too_many_arguments, reason = "the parts of an encoding")]
    pub fn op(
        &mut self,
        pp: Pp,
        map: Map,
        opcode: u8,
        w: bool,
        reg: u8,
        rm: Rm,
        byte_reg: bool,
        byte_rm: bool,
    ) {
        let (x, b, gs, wrap) = rm.prefix_bits();
        let mut e = Encoding::new();
        if gs {
            e.u8(0x65);
        }
        if wrap {
            e.u8(0x67);
        }
        match pp {
            Pp::None => {}
            Pp::P66 => e.u8(0x66),
            Pp::F3 => e.u8(0xf3),
            Pp::F2 => e.u8(0xf2),
        }
        let rex = u8::from(w) << 3 | (reg >> 3 & 1) << 2 | x << 1 | b;
        let force = (byte_reg && reg >= 4) || (byte_rm && matches!(rm, Rm::R(r) if r >= 4));
        if rex != 0 || force {
            e.u8(0x40 | rex);
        }
        match map {
            Map::One => {}
            Map::M0f => e.u8(0x0f),
            Map::M0f38 => {
                e.u8(0x0f);
                e.u8(0x38);
            }
            Map::M0f3a => {
                e.u8(0x0f);
                e.u8(0x3a);
            }
        }
        e.u8(opcode);
        e.modrm(reg, rm);
        self.put(&e);
    }

    /// A VEX.128 instruction: `reg, vvvv, rm`.
    #[expect(clippy::too_many_arguments, reason = "the parts of an encoding")]
    pub fn vex(
        &mut self,
        pp: Pp,
        map: Map,
        w: bool,
        opcode: u8,
        reg: u8,
        vvvv: u8,
        rm: impl Into<Rm>,
    ) {
        let rm = rm.into();
        let start = self.buf.len();
        let (x, b, gs, wrap) = rm.prefix_bits();
        let mut e = Encoding::new();
        if gs {
            e.u8(0x65);
        }
        if wrap {
            e.u8(0x67);
        }
        let last = (!vvvv & 15) << 3 | pp as u8;
        if x == 0 && b == 0 && !w && map == Map::M0f {
            e.u8(0xc5);
            e.u8((!reg >> 3 & 1) << 7 | last);
        } else {
            e.u8(0xc4);
            e.u8((!reg >> 3 & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map as u8);
            e.u8(u8::from(w) << 7 | last);
        }
        e.u8(opcode);
        e.modrm(reg, rm);
        self.put(&e);
        if may_trap(map, opcode) {
            self.float_sites.push((start as u32, self.buf.len() as u32));
        }
    }

    /// As [`Self::vex`], with an immediate byte.
    #[expect(clippy::too_many_arguments, reason = "the parts of an encoding")]
    pub fn vexi(
        &mut self,
        pp: Pp,
        map: Map,
        w: bool,
        opcode: u8,
        reg: u8,
        vvvv: u8,
        rm: impl Into<Rm>,
        imm: u8,
    ) {
        self.vex(pp, map, w, opcode, reg, vvvv, rm);
        self.u8(imm);
        if may_trap(map, opcode)
            && let Some(site) = self.float_sites.last_mut()
        {
            site.1 += 1;
        }
    }
}

#[cfg(test)]
mod tests;
