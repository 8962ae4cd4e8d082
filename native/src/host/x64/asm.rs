//! A small x86-64 encoder.
//!
//! Why not a crate: measured here, `iced-x86` takes 46 ns an instruction
//! through its encoder and 138 ns through its code assembler, which at three to four
//! host instructions for one guest instruction is the whole translation budget
//! of 0.5 µs. This encoder pushes bytes and takes about 3 ns. The tests disassemble what
//! it emits with `iced-x86` and compare the text.
//!
//! Encodings: Intel SDM volume 2, chapter 2 (REX, VEX) and the opcode pages.

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

/// The eight classic ALU operations, by their `/digit`.
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
    Rol = 0,
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
    /// Start and end of instructions that can raise the invalid-operation exception.
    pub float_sites: Vec<(u32, u32)>,
}

/// Whether a VEX instruction is one that can raise the invalid-operation exception.
fn may_be_invalid(map: Map, opcode: u8) -> bool {
    match map {
        // Comparisons, conversions, arithmetic, minimum and maximum, horizontal additions.
        Map::M0f => {
            matches!(opcode, 0x2c..=0x2f | 0x51 | 0x58..=0x5f | 0x7c | 0x7d | 0xc2 | 0xd0 | 0xe6)
        }
        // Fused multiply-add; half precision.
        Map::M0f38 => matches!(opcode, 0x13 | 0x94..=0xbf),
        // Rounding, half precision, dot products.
        Map::M0f3a => matches!(opcode, 0x08..=0x0b | 0x1d | 0x40 | 0x41),
        Map::One => false,
    }
}

impl Asm {
    #[must_use]
    pub fn pos(&self) -> usize {
        self.buf.len()
    }

    fn u8(&mut self, b: u8) {
        self.buf.push(b);
    }

    fn u32(&mut self, v: u32) {
        self.buf.extend_from_slice(&v.to_le_bytes());
    }

    /// ModRM, SIB and displacement.
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
        let (x, b, gs) = match rm {
            Rm::R(r) => (0, r >> 3 & 1, false),
            Rm::M(m) => (
                if m.index == NOREG {
                    0
                } else {
                    m.index >> 3 & 1
                },
                if m.base == NOREG { 0 } else { m.base >> 3 & 1 },
                m.gs,
            ),
        };
        if gs {
            self.u8(0x65);
        }
        match pp {
            Pp::None => {}
            Pp::P66 => self.u8(0x66),
            Pp::F3 => self.u8(0xf3),
            Pp::F2 => self.u8(0xf2),
        }
        let rex = u8::from(w) << 3 | (reg >> 3 & 1) << 2 | x << 1 | b;
        let force = (byte_reg && reg >= 4) || (byte_rm && matches!(rm, Rm::R(r) if r >= 4));
        if rex != 0 || force {
            self.u8(0x40 | rex);
        }
        match map {
            Map::One => {}
            Map::M0f => self.u8(0x0f),
            Map::M0f38 => self.buf.extend_from_slice(&[0x0f, 0x38]),
            Map::M0f3a => self.buf.extend_from_slice(&[0x0f, 0x3a]),
        }
        self.u8(opcode);
        self.modrm(reg, rm);
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
        let (x, b, gs) = match rm {
            Rm::R(r) => (0, r >> 3 & 1, false),
            Rm::M(m) => (
                if m.index == NOREG {
                    0
                } else {
                    m.index >> 3 & 1
                },
                if m.base == NOREG { 0 } else { m.base >> 3 & 1 },
                m.gs,
            ),
        };
        if gs {
            self.u8(0x65);
        }
        let last = (!vvvv & 15) << 3 | pp as u8;
        if x == 0 && b == 0 && !w && map == Map::M0f {
            self.u8(0xc5);
            self.u8((!reg >> 3 & 1) << 7 | last);
        } else {
            self.u8(0xc4);
            self.u8((!reg >> 3 & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map as u8);
            self.u8(u8::from(w) << 7 | last);
        }
        self.u8(opcode);
        self.modrm(reg, rm);
        if may_be_invalid(map, opcode) {
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
        if may_be_invalid(map, opcode)
            && let Some(site) = self.float_sites.last_mut()
        {
            site.1 += 1;
        }
    }

    // General-purpose instructions. `w` is the operand width in bits: 8, 16, 32 or 64.

    fn sized(&mut self, w: u8, op8: u8, op: u8, reg: u8, rm: Rm) {
        let pp = if w == 16 { Pp::P66 } else { Pp::None };
        let code = if w == 8 { op8 } else { op };
        self.op(pp, Map::One, code, w == 64, reg, rm, w == 8, w == 8);
    }

    /// `op reg, rm`
    pub fn alu(&mut self, op: Alu, w: u8, reg: Reg, rm: impl Into<Rm>) {
        self.sized(w, (op as u8) << 3 | 2, (op as u8) << 3 | 3, reg, rm.into());
    }

    /// `op rm, reg`
    pub fn alu_mr(&mut self, op: Alu, w: u8, rm: impl Into<Rm>, reg: Reg) {
        self.sized(w, (op as u8) << 3, (op as u8) << 3 | 1, reg, rm.into());
    }

    /// `op rm, imm`
    pub fn alu_i(&mut self, op: Alu, w: u8, rm: impl Into<Rm>, imm: i32) {
        if w != 8 && i8::try_from(imm).is_ok() {
            self.sized(w, 0x83, 0x83, op as u8, rm.into());
            self.u8(imm as u8);
        } else {
            self.sized(w, 0x80, 0x81, op as u8, rm.into());
            self.imm(w, imm);
        }
    }

    fn imm(&mut self, w: u8, imm: i32) {
        match w {
            8 => self.u8(imm as u8),
            16 => self.buf.extend_from_slice(&(imm as u16).to_le_bytes()),
            _ => self.u32(imm as u32),
        }
    }

    pub fn test(&mut self, w: u8, rm: impl Into<Rm>, reg: Reg) {
        self.sized(w, 0x84, 0x85, reg, rm.into());
    }

    pub fn test_i(&mut self, w: u8, rm: impl Into<Rm>, imm: i32) {
        self.sized(w, 0xf6, 0xf7, 0, rm.into());
        self.imm(w, imm);
    }

    pub fn mov(&mut self, w: u8, reg: Reg, rm: impl Into<Rm>) {
        self.sized(w, 0x8a, 0x8b, reg, rm.into());
    }

    pub fn mov_mr(&mut self, w: u8, rm: impl Into<Rm>, reg: Reg) {
        self.sized(w, 0x88, 0x89, reg, rm.into());
    }

    pub fn mov_mi(&mut self, w: u8, m: Mem, imm: i32) {
        self.sized(w, 0xc6, 0xc7, 0, Rm::M(m));
        self.imm(w, imm);
    }

    /// Loads a constant by the shortest form; leaves the flags alone.
    pub fn mov_ri(&mut self, reg: Reg, imm: u64) {
        if let Ok(low) = u32::try_from(imm) {
            if reg >= 8 {
                self.u8(0x41);
            }
            self.u8(0xb8 | (reg & 7));
            self.u32(low);
        } else if i32::try_from(imm as i64).is_ok() {
            self.sized(64, 0xc6, 0xc7, 0, Rm::R(reg));
            self.u32(imm as u32);
        } else {
            self.u8(0x48 | reg >> 3);
            self.u8(0xb8 | (reg & 7));
            self.buf.extend_from_slice(&imm.to_le_bytes());
        }
    }

    /// Zero-extending move from `from` bits (8, 16, 32; 64 is a plain move).
    pub fn movzx(&mut self, from: u8, reg: Reg, rm: impl Into<Rm>) {
        match from {
            8 => self.op(Pp::None, Map::M0f, 0xb6, false, reg, rm.into(), false, true),
            16 => self.op(
                Pp::None,
                Map::M0f,
                0xb7,
                false,
                reg,
                rm.into(),
                false,
                false,
            ),
            _ => self.mov(from, reg, rm),
        }
    }

    /// Sign-extending move from `from` bits to `to` bits (32 or 64).
    pub fn movsx(&mut self, from: u8, to: u8, reg: Reg, rm: impl Into<Rm>) {
        let w = to == 64;
        match from {
            8 => self.op(Pp::None, Map::M0f, 0xbe, w, reg, rm.into(), false, true),
            16 => self.op(Pp::None, Map::M0f, 0xbf, w, reg, rm.into(), false, false),
            _ => self.op(Pp::None, Map::One, 0x63, w, reg, rm.into(), false, false),
        }
    }

    pub fn lea(&mut self, w: u8, reg: Reg, m: Mem) {
        self.sized(w, 0x8d, 0x8d, reg, Rm::M(m));
    }

    pub fn shift_i(&mut self, op: Shift, w: u8, rm: impl Into<Rm>, n: u8) {
        self.sized(w, 0xc0, 0xc1, op as u8, rm.into());
        self.u8(n);
    }

    /// Shift by cl.
    pub fn shift_cl(&mut self, op: Shift, w: u8, rm: impl Into<Rm>) {
        self.sized(w, 0xd2, 0xd3, op as u8, rm.into());
    }

    /// BMI2 `shlx`/`shrx`/`sarx reg, rm, count`.
    pub fn shiftx(&mut self, op: Shift, w: u8, reg: Reg, rm: impl Into<Rm>, count: Reg) {
        let pp = match op {
            Shift::Shl => Pp::P66,
            Shift::Shr => Pp::F2,
            _ => Pp::F3,
        };
        self.vex(pp, Map::M0f38, w == 64, 0xf7, reg, count, rm);
    }

    pub fn rorx(&mut self, w: u8, reg: Reg, rm: impl Into<Rm>, n: u8) {
        self.vexi(Pp::F2, Map::M0f3a, w == 64, 0xf0, reg, 0, rm, n);
    }

    /// BMI1 `andn reg, not_src, rm`: `reg = !not_src & rm`.
    pub fn andn(&mut self, w: u8, reg: Reg, not_src: Reg, rm: impl Into<Rm>) {
        self.vex(Pp::None, Map::M0f38, w == 64, 0xf2, reg, not_src, rm);
    }

    pub fn shrd(&mut self, w: u8, dst: Reg, src: Reg, n: u8) {
        self.op(
            Pp::None,
            Map::M0f,
            0xac,
            w == 64,
            src,
            Rm::R(dst),
            false,
            false,
        );
        self.u8(n);
    }

    pub fn imul(&mut self, w: u8, reg: Reg, rm: impl Into<Rm>) {
        self.op(
            Pp::None,
            Map::M0f,
            0xaf,
            w == 64,
            reg,
            rm.into(),
            false,
            false,
        );
    }

    pub fn imul_i(&mut self, w: u8, reg: Reg, rm: impl Into<Rm>, imm: i32) {
        if let Ok(b) = i8::try_from(imm) {
            self.sized(w, 0x6b, 0x6b, reg, rm.into());
            self.u8(b as u8);
        } else {
            self.sized(w, 0x69, 0x69, reg, rm.into());
            self.u32(imm as u32);
        }
    }

    /// The one-operand group: 2 not, 3 neg, 4 mul, 5 imul, 6 div, 7 idiv.
    pub fn group3(&mut self, digit: u8, w: u8, rm: impl Into<Rm>) {
        self.sized(w, 0xf6, 0xf7, digit, rm.into());
    }

    /// Sign-extends rax into rdx.
    pub fn cqo(&mut self, w: u8) {
        if w == 64 {
            self.u8(0x48);
        }
        self.u8(0x99);
    }

    pub fn bswap(&mut self, w: u8, reg: Reg) {
        let rex = u8::from(w == 64) << 3 | reg >> 3;
        if rex != 0 {
            self.u8(0x40 | rex);
        }
        self.u8(0x0f);
        self.u8(0xc8 | (reg & 7));
    }

    pub fn lzcnt(&mut self, w: u8, reg: Reg, rm: impl Into<Rm>) {
        self.op(
            Pp::F3,
            Map::M0f,
            0xbd,
            w == 64,
            reg,
            rm.into(),
            false,
            false,
        );
    }

    pub fn setcc(&mut self, cond: u8, reg: Reg) {
        self.op(
            Pp::None,
            Map::M0f,
            0x90 | cond,
            false,
            0,
            Rm::R(reg),
            false,
            true,
        );
    }

    pub fn cmov(&mut self, cond: u8, w: u8, reg: Reg, rm: impl Into<Rm>) {
        self.op(
            Pp::None,
            Map::M0f,
            0x40 | cond,
            w == 64,
            reg,
            rm.into(),
            false,
            false,
        );
    }

    pub fn bt_i(&mut self, w: u8, rm: impl Into<Rm>, bit: u8) {
        self.op(
            Pp::None,
            Map::M0f,
            0xba,
            w == 64,
            4,
            rm.into(),
            false,
            false,
        );
        self.u8(bit);
    }

    /// Bytes that need no operands: `lahf`, `sahf`, `cmc`, fences and the like.
    pub fn bytes(&mut self, b: &[u8]) {
        self.buf.extend_from_slice(b);
    }

    pub fn push(&mut self, reg: Reg) {
        if reg >= 8 {
            self.u8(0x41);
        }
        self.u8(0x50 | (reg & 7));
    }

    pub fn pop(&mut self, reg: Reg) {
        if reg >= 8 {
            self.u8(0x41);
        }
        self.u8(0x58 | (reg & 7));
    }

    /// `jmp rm`
    pub fn jmp_rm(&mut self, rm: impl Into<Rm>) {
        self.op(Pp::None, Map::One, 0xff, false, 4, rm.into(), false, false);
    }

    /// `call rm`
    pub fn call_rm(&mut self, rm: impl Into<Rm>) {
        self.op(Pp::None, Map::One, 0xff, false, 2, rm.into(), false, false);
    }

    /// `jmp` with a displacement to be filled in.
    pub fn jmp(&mut self) -> Fixup {
        self.u8(0xe9);
        self.u32(0);
        Fixup(self.pos() - 4)
    }

    pub fn call(&mut self) -> Fixup {
        self.u8(0xe8);
        self.u32(0);
        Fixup(self.pos() - 4)
    }

    pub fn jcc(&mut self, cond: u8) -> Fixup {
        self.bytes(&[0x0f, 0x80 | cond]);
        self.u32(0);
        Fixup(self.pos() - 4)
    }

    /// Makes a fixup point to `target` (a position in this buffer).
    pub fn bind_to(&mut self, f: Fixup, target: usize) {
        let rel = (target as i64 - (f.0 as i64 + 4)) as i32;
        self.buf[f.0..f.0 + 4].copy_from_slice(&rel.to_le_bytes());
    }

    /// Makes a fixup point here.
    pub fn bind(&mut self, f: Fixup) {
        let here = self.pos();
        self.bind_to(f, here);
    }

    /// `lock`ed legacy operations on memory: `xchg` (0x87), `xadd` (0f c1), `cmpxchg` (0f b1).
    pub fn locked(&mut self, map: Map, opcode8: u8, opcode: u8, w: u8, m: Mem, reg: Reg) {
        self.u8(0xf0);
        let pp = if w == 16 { Pp::P66 } else { Pp::None };
        let code = if w == 8 { opcode8 } else { opcode };
        self.op(pp, map, code, w == 64, reg, Rm::M(m), w == 8, false);
    }

    /// `lock cmpxchg16b`/`cmpxchg8b`
    pub fn cmpxchg_pair(&mut self, wide: bool, m: Mem) {
        self.u8(0xf0);
        self.op(Pp::None, Map::M0f, 0xc7, wide, 1, Rm::M(m), false, false);
    }

    /// Pads with `nop`s so that the 4 bytes at `pos + skip` do not cross a 64-byte
    /// line: the patch of a displacement must be one atomic store.
    pub fn align_patch(&mut self, skip: usize, origin: usize) {
        while (origin + self.pos() + skip) & 63 > 60 {
            self.u8(0x90);
        }
    }
}

#[cfg(test)]
#[path = "asm_tests.rs"]
mod tests;
