//! General-purpose instructions. `w` is the operand width in bits: 8, 16, 32 or 64.

use super::{Alu, Asm, Fixup, Map, Mem, Pp, Reg, Rm, Shift};

impl Asm {
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

    /// `movbe reg, m` of 16, 32 or 64 bits.
    pub fn movbe(&mut self, w: u8, reg: Reg, m: Mem) {
        let pp = if w == 16 { Pp::P66 } else { Pp::None };
        self.op(pp, Map::M0f38, 0xf0, w == 64, reg, Rm::M(m), false, false);
    }

    /// `movbe m, reg`
    pub fn movbe_mr(&mut self, w: u8, m: Mem, reg: Reg) {
        let pp = if w == 16 { Pp::P66 } else { Pp::None };
        self.op(pp, Map::M0f38, 0xf1, w == 64, reg, Rm::M(m), false, false);
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

    /// The same for code that will begin at any multiple of four.
    pub fn align_patch_anywhere(&mut self, skip: usize) {
        while !(self.pos() + skip).is_multiple_of(4) {
            self.u8(0x90);
        }
    }
}
