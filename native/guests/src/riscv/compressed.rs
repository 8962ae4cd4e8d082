//! Instructions of 16 bits: C and Zcb. Each is a longer one with some of its fields implied, which its lifter makes of it.

use super::insn::{Insn, set, x};
use super::{branch, int, mem};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

const OP_IMM: u32 = 0x13;
const OP_IMM_W: u32 = 0x1b;
const OP: u32 = 0x33;
const OP_W: u32 = 0x3b;
const LUI: u32 = 0x37;
const JAL: u32 = 0x6f;
const JALR: u32 = 0x67;
const SP: u32 = 2;

impl Insn {
    /// The register of three bits from bit `lo`.
    fn short(self, lo: u32) -> u32 {
        8 + self.f(lo, 3)
    }

    /// Format CI: a register, and six bits, signed and not.
    fn ci(self) -> (u32, i32, u32) {
        let bits = self.f(12, 1) << 5 | self.f(2, 5);
        (self.f(7, 5), ((bits << 26) as i32) >> 26, bits)
    }

    fn long(self, bits: u32) -> Self {
        Self { bits, ..self }
    }

    /// Format I.
    fn as_i(self, opcode: u32, funct3: u32, rd: u32, rs1: u32, imm: i32) -> Self {
        self.long(opcode | rd << 7 | funct3 << 12 | rs1 << 15 | (imm as u32) << 20)
    }

    /// Format R.
    fn as_r(self, opcode: u32, funct3: u32, funct7: u32, rd: u32, rs1: u32, rs2: u32) -> Self {
        self.long(opcode | rd << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | funct7 << 25)
    }

    /// A load of general registers or, by bit 2 of `opcode`, of floating-point ones.
    fn as_load(self, opcode: u32, size: u32, rd: u32, rs1: u32, offset: u32) -> Self {
        self.as_i(opcode, size, rd, rs1, offset as i32)
    }

    fn as_store(self, opcode: u32, size: u32, rs2: u32, rs1: u32, offset: u32) -> Self {
        let (high, low) = (offset >> 5, offset & 31);
        self.long(opcode | low << 7 | size << 12 | rs1 << 15 | rs2 << 20 | high << 25)
    }
}

/// What accesses with three-bit registers differ in: the offset's scale is the size.
fn offset(i: Insn, size: u32) -> u32 {
    let low = i.f(10, 3) << 3;
    if size == 3 {
        low | i.f(5, 2) << 6
    } else {
        low | i.f(6, 1) << 2 | i.f(5, 1) << 6
    }
}

fn load_offset_sp(i: Insn, size: u32) -> u32 {
    let high = i.f(12, 1) << 5;
    if size == 3 {
        high | i.f(5, 2) << 3 | i.f(2, 3) << 6
    } else {
        high | i.f(4, 3) << 2 | i.f(2, 2) << 6
    }
}

fn store_offset_sp(i: Insn, size: u32) -> u32 {
    if size == 3 {
        i.f(10, 3) << 3 | i.f(7, 3) << 6
    } else {
        i.f(9, 4) << 2 | i.f(7, 2) << 6
    }
}

/// C.LW, C.LD and those of floating point: the size by bits 14-13, which of them by the line.
macro_rules! accesses {
    ($($name:ident $access:ident $opcode:literal $size:literal $offset:ident $form:ident;)*) => {
        $(pub fn $name<S: Sem>(s: &mut S, i: Insn) -> Lift {
            accesses!($form s, i, $access, $opcode, $size, $offset(i, $size))
        })*
    };
    (load $s:ident, $i:ident, $access:ident, $opcode:literal, $size:literal, $offset:expr) => {
        mem::$access($s, $i.as_load($opcode, $size, $i.short(2), $i.short(7), $offset))
    };
    (store $s:ident, $i:ident, $access:ident, $opcode:literal, $size:literal, $offset:expr) => {
        mem::$access($s, $i.as_store($opcode, $size, $i.short(2), $i.short(7), $offset))
    };
    (load_sp $s:ident, $i:ident, $access:ident, $opcode:literal, $size:literal, $offset:expr) => {{
        // Without a register to load it is reserved, or (floating point) register 0.
        if $opcode == 0x03 && $i.f(7, 5) == 0 {
            return Lift::Undefined;
        }
        mem::$access($s, $i.as_load($opcode, $size, $i.f(7, 5), SP, $offset))
    }};
    (store_sp $s:ident, $i:ident, $access:ident, $opcode:literal, $size:literal, $offset:expr) => {
        mem::$access($s, $i.as_store($opcode, $size, $i.f(2, 5), SP, $offset))
    };
}

accesses! {
    lw load 0x03 2 offset load;
    ld load 0x03 3 offset load;
    flw load_fp 0x07 2 offset load;
    fld load_fp 0x07 3 offset load;
    sw store 0x23 2 offset store;
    sd store 0x23 3 offset store;
    fsw store_fp 0x27 2 offset store;
    fsd store_fp 0x27 3 offset store;
    lwsp load 0x03 2 load_offset_sp load_sp;
    ldsp load 0x03 3 load_offset_sp load_sp;
    flwsp load_fp 0x07 2 load_offset_sp load_sp;
    fldsp load_fp 0x07 3 load_offset_sp load_sp;
    swsp store 0x23 2 store_offset_sp store_sp;
    sdsp store 0x23 3 store_offset_sp store_sp;
    fswsp store_fp 0x27 2 store_offset_sp store_sp;
    fsdsp store_fp 0x27 3 store_offset_sp store_sp;
}

/// C.LBU, C.LHU, C.LH (bit 6, with bit 10).
pub fn load_narrow<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (funct3, offset) = if i.bit(10) {
        (if i.bit(6) { 1 } else { 5 }, i.f(5, 1) << 1)
    } else {
        (4, i.f(6, 1) | i.f(5, 1) << 1)
    };
    mem::load(s, i.as_load(0x03, funct3, i.short(2), i.short(7), offset))
}

/// C.SB, C.SH.
pub fn store_narrow<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (size, offset) = if i.bit(10) {
        (1, i.f(5, 1) << 1)
    } else {
        (0, i.f(6, 1) | i.f(5, 1) << 1)
    };
    mem::store(s, i.as_store(0x23, size, i.short(2), i.short(7), offset))
}

pub fn addi4spn<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let imm = i.f(11, 2) << 4 | i.f(7, 4) << 6 | i.f(6, 1) << 2 | i.f(5, 1) << 3;
    if imm == 0 {
        return Lift::Undefined;
    }
    int::op_imm(s, i.as_i(OP_IMM, 0, i.short(2), SP, imm as i32))
}

/// C.ADDI, C.NOP.
pub fn addi<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (rd, imm, _) = i.ci();
    int::op_imm(s, i.as_i(OP_IMM, 0, rd, rd, imm))
}

pub fn addiw<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (rd, imm, _) = i.ci();
    if rd == 0 {
        return Lift::Undefined;
    }
    int::op_imm_w(s, i.as_i(OP_IMM_W, 0, rd, rd, imm))
}

pub fn li<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (rd, imm, _) = i.ci();
    int::op_imm(s, i.as_i(OP_IMM, 0, rd, 0, imm))
}

pub fn addi16sp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let high = (i.signed(12, 1) << 9) as u32;
    let imm = high | i.f(6, 1) << 4 | i.f(5, 1) << 6 | i.f(3, 2) << 7 | i.f(2, 1) << 5;
    if imm == 0 {
        return Lift::Undefined;
    }
    int::op_imm(s, i.as_i(OP_IMM, 0, SP, SP, imm as i32))
}

pub fn lui<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (rd, imm, _) = i.ci();
    if imm == 0 {
        return Lift::Undefined;
    }
    int::lui(s, i.long(LUI | rd << 7 | (imm as u32) << 12))
}

/// C.SRLI, C.SRAI, C.SLLI: amounts beyond 32 bits are reserved there.
fn shift<S: Sem>(s: &mut S, i: Insn, rd: u32, funct3: u32, arithmetic: bool) -> Lift {
    let by = i.ci().2;
    if by >= u32::from(i.xlen) {
        return Lift::Undefined;
    }
    let imm = by | u32::from(arithmetic) << 10;
    int::op_imm(s, i.as_i(OP_IMM, funct3, rd, rd, imm as i32))
}

pub fn slli<S: Sem>(s: &mut S, i: Insn) -> Lift {
    shift(s, i, i.f(7, 5), 1, false)
}

pub fn srli_srai<S: Sem>(s: &mut S, i: Insn) -> Lift {
    shift(s, i, i.short(7), 5, i.bit(10))
}

pub fn andi<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let d = i.short(7);
    int::op_imm(s, i.as_i(OP_IMM, 7, d, d, i.ci().1))
}

/// C.SUB, C.XOR, C.OR, C.AND, by bits 6-5.
pub fn op<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, m) = (i.short(7), i.short(2));
    let (funct3, funct7) = [(0, 0x20), (4, 0), (6, 0), (7, 0)][i.f(5, 2) as usize];
    int::op(s, i.as_r(OP, funct3, funct7, d, d, m))
}

/// C.SUBW, C.ADDW (bit 5).
pub fn op_w<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, m) = (i.short(7), i.short(2));
    let funct7 = if i.bit(5) { 0 } else { 0x20 };
    int::op_w(s, i.as_r(OP_W, 0, funct7, d, d, m))
}

/// C.MUL.
pub fn mul<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, m) = (i.short(7), i.short(2));
    int::mul(s, i.as_r(OP, 0, 1, d, d, m))
}

/// C.ZEXT.B, C.SEXT.B, C.ZEXT.H, C.SEXT.H, C.ZEXT.W, C.NOT, by bits 4-2.
pub fn one_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let d = i.short(7);
    let a = x(s, d);
    let r = match i.f(2, 3) {
        0 => s.op1(Op::Zext, 8, a),
        1 => s.op1(Op::Sext, 8, a),
        2 => s.op1(Op::Zext, 16, a),
        3 => s.op1(Op::Sext, 16, a),
        4 => s.op1(Op::Zext, 32, a),
        _ => s.op1(Op::Not, i.xlen, a),
    };
    set(s, i, d, r);
    Lift::Next
}

fn jump_offset(i: Insn) -> u32 {
    (i.signed(12, 1) << 11) as u32
        | i.f(11, 1) << 4
        | i.f(9, 2) << 8
        | i.f(8, 1) << 10
        | i.f(7, 1) << 6
        | i.f(6, 1) << 7
        | i.f(3, 3) << 1
        | i.f(2, 1) << 5
}

fn jump<S: Sem>(s: &mut S, i: Insn, rd: u32) -> Lift {
    let o = jump_offset(i);
    let field =
        (o >> 20 & 1) << 31 | (o >> 1 & 0x3ff) << 21 | (o >> 11 & 1) << 20 | (o >> 12 & 0xff) << 12;
    branch::jal(s, i.long(JAL | rd << 7 | field))
}

pub fn j<S: Sem>(s: &mut S, i: Insn) -> Lift {
    jump(s, i, 0)
}

pub fn jal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    jump(s, i, 1)
}

/// C.BEQZ, C.BNEZ (bit 13).
pub fn branch<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let o = (i.signed(12, 1) << 8) as u32
        | i.f(10, 2) << 3
        | i.f(5, 2) << 6
        | i.f(3, 2) << 1
        | i.f(2, 1) << 5;
    let field =
        (o >> 12 & 1) << 31 | (o >> 5 & 0x3f) << 25 | (o >> 1 & 15) << 8 | (o >> 11 & 1) << 7;
    let funct3 = i.f(13, 1);
    branch::branch(s, i.long(0x63 | funct3 << 12 | i.short(7) << 15 | field))
}

/// C.JR, C.JALR (bit 12).
pub fn jump_register<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(7, 5) == 0 {
        return Lift::Undefined;
    }
    branch::jalr(s, i.as_i(JALR, 0, i.f(12, 1), i.f(7, 5), 0))
}

/// C.MV, C.ADD (bit 12).
pub fn move_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let d = i.f(7, 5);
    let first = if i.bit(12) { d } else { 0 };
    int::op(s, i.as_r(OP, 0, 0, d, first, i.f(2, 5)))
}
