//! Integer computation ("MIPS Architecture For Programmers", volume II). Results of 32 bits are sign-extended.

use super::insn::{Insn, done, done_w, extended, k, result, set, slot, x};
use super::system::{OVERFLOW, TRAP};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::flags::Cc;
use crate::ir::sem::Sem;
use crate::ir::{Op, Trap};

/// 1 if a < b.
pub fn less<S: Sem>(s: &mut S, w: u8, a: S::V, b: S::V, signed: bool) -> S::V {
    let f = s.op2(Op::FSub, w, a, b);
    s.cc(if signed { Cc::Lt } else { Cc::Cc }, f)
}

/// A sum or difference of `w` bits that traps if it does not fit.
fn exact<S: Sem>(s: &mut S, i: Insn, w: u8, a: S::V, b: S::V, sub: bool) -> S::V {
    let f = s.op2(if sub { Op::FSub } else { Op::FAdd }, w, a, b);
    let over = s.cc(Cc::Vs, f);
    s.trap_if(over, Trap::Exception, OVERFLOW, i.epc());
    s.op2(if sub { Op::Sub } else { Op::Add }, w, a, b)
}

/// ADD, ADDU, SUB, SUBU, and their forms of 64 bits (bit 2 of 6: 1011xx).
pub fn add_sub<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(3) { 64 } else { 32 };
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let (sub, unchecked) = (i.bit(1), i.bit(0));
    let v = if unchecked {
        s.op2(if sub { Op::Sub } else { Op::Add }, w, a, b)
    } else {
        exact(s, i, w, a, b, sub)
    };
    result(s, i, w, i.rd(), v)
}

/// ADDI, ADDIU, DADDI, DADDIU.
pub fn add_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.f(29, 3) == 3 { 64 } else { 32 };
    let (a, b) = (x(s, i.rs()), s.konst(i.imm() as u64));
    let v = if i.bit(26) {
        if i.imm() == 0 {
            return result(s, i, w, i.rt(), a);
        }
        s.op2(Op::Add, w, a, b)
    } else {
        exact(s, i, w, a, b, false)
    };
    result(s, i, w, i.rt(), v)
}

/// AND, OR, XOR, NOR.
pub fn logic<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, m) = (i.rs(), i.rt());
    let (a, b) = (x(s, n), x(s, m));
    let v = match i.f(0, 2) {
        0 => s.op2(Op::And, i.xlen(), a, b),
        1 if m == 0 => a,
        1 if n == 0 => b,
        1 => s.op2(Op::Or, i.xlen(), a, b),
        2 => s.op2(Op::Xor, i.xlen(), a, b),
        _ if m == 0 => s.op1(Op::Not, i.xlen(), a),
        _ => {
            let v = s.op2(Op::Or, i.xlen(), a, b);
            s.op1(Op::Not, i.xlen(), v)
        }
    };
    done(s, i, i.rd(), v)
}

/// ANDI, ORI, XORI: the number is not signed.
pub fn logic_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), s.konst(u64::from(i.f(0, 16))));
    let op = [Op::And, Op::Or, Op::Xor][i.f(26, 2) as usize];
    let v = s.op2(op, i.xlen(), a, b);
    done(s, i, i.rt(), v)
}

/// LUI, and AUI of release 6, which adds to a register.
pub fn lui<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let high = k(s, i, i.imm() << 16);
    if i.rs() == 0 {
        return done(s, i, i.rt(), high);
    }
    let a = x(s, i.rs());
    let v = s.op2(Op::Add, 32, a, high);
    done_w(s, i, i.rt(), v)
}

/// SLT, SLTU.
pub fn set_less<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let v = if i.bit(0) && i.rs() == 0 {
        s.not_zero(i.xlen(), b)
    } else {
        less(s, i.xlen(), a, b, !i.bit(0))
    };
    done(s, i, i.rd(), v)
}

/// SLTI, SLTIU: the number is signed in either.
pub fn set_less_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), k(s, i, i.imm()));
    let v = if i.bit(26) && i.imm() == 1 {
        s.is_zero(i.xlen(), a)
    } else {
        less(s, i.xlen(), a, b, !i.bit(26))
    };
    done(s, i, i.rt(), v)
}

/// The shift of bits 1-0, or a rotation.
fn shift_op(i: Insn, rotates: bool) -> Op {
    match i.f(0, 2) {
        0 => Op::Shl,
        3 => Op::Sar,
        _ if rotates => Op::Ror,
        _ => Op::Shr,
    }
}

/// SLL, SRL, SRA, ROTR; bit 5: 64 bits, then bit 2: by 32 more.
pub fn shift_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(5) { 64 } else { 32 };
    let more = if i.bit(5) && i.bit(2) { 32 } else { 0 };
    let op = shift_op(i, i.bit(21));
    let a = x(s, i.rt());
    let n = u64::from(i.sa() + more);
    let v = if n == 0 { a } else { s.shift_k(op, w, a, n) };
    result(s, i, w, i.rd(), v)
}

/// SLLV, SRLV, SRAV, ROTRV; bit 4: 64 bits.
pub fn shift<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(4) { 64 } else { 32 };
    let (a, n) = (x(s, i.rt()), x(s, i.rs()));
    let v = s.op2(shift_op(i, i.bit(6)), w, a, n);
    result(s, i, w, i.rd(), v)
}

/// MOVZ, MOVN.
pub fn move_if<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b, old) = (x(s, i.rs()), x(s, i.rt()), x(s, i.rd()));
    let zero = s.is_zero(i.xlen(), b);
    let (yes, no) = if i.bit(0) { (old, a) } else { (a, old) };
    let v = s.select(i.xlen(), zero, yes, no);
    done(s, i, i.rd(), v)
}

/// SELEQZ, SELNEZ (release 6).
pub fn select<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b, none) = (x(s, i.rs()), x(s, i.rt()), s.konst(0));
    let zero = s.is_zero(i.xlen(), b);
    let (yes, no) = if i.bit(1) { (none, a) } else { (a, none) };
    let v = s.select(i.xlen(), zero, yes, no);
    done(s, i, i.rd(), v)
}

/// MOVF, MOVT: by a floating-point condition.
pub fn move_fcc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, old) = (x(s, i.rs()), x(s, i.rd()));
    let c = s.get(slot::FCC + i.f(18, 3) as u16);
    let (yes, no) = if i.bit(16) { (a, old) } else { (old, a) };
    let v = s.select(i.xlen(), c, yes, no);
    done(s, i, i.rd(), v)
}

/// Where the halves of accumulator `n` are, of which the DSP module has four.
#[must_use]
pub fn accumulator_slots(n: u32) -> (u16, u16) {
    match n as u16 {
        0 => (slot::HI, slot::LO),
        n => (slot::HI1 + 2 * (n - 1), slot::LO1 + 2 * (n - 1)),
    }
}

/// MFHI, MFLO.
pub fn move_from<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (hi, lo) = accumulator_slots(i.f(21, 2));
    let v = s.get(if i.bit(1) { lo } else { hi });
    done(s, i, i.rd(), v)
}

/// MTHI, MTLO.
pub fn move_to<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (hi, lo) = accumulator_slots(i.f(11, 2));
    let v = x(s, i.rs());
    s.set(if i.bit(1) { lo } else { hi }, v);
    Lift::Next
}

/// 32 bits as a number of 64.
fn widened<S: Sem>(s: &mut S, v: S::V, signed: bool) -> S::V {
    s.op1(if signed { Op::Sext } else { Op::Zext }, 32, v)
}

/// Writes 64 bits to an accumulator.
pub fn set_accumulator_of<S: Sem>(s: &mut S, i: Insn, n: u32, v: S::V) {
    let (hi, lo) = accumulator_slots(n);
    let (low, high) = (extended(s, i, v), s.shift_k(Op::Shr, 64, v, 32));
    let high = extended(s, i, high);
    s.set(lo, low);
    s.set(hi, high);
}

/// The 64 bits of an accumulator.
pub fn accumulator_of<S: Sem>(s: &mut S, n: u32) -> S::V {
    let (hi, lo) = accumulator_slots(n);
    let (low, high) = (s.get(lo), s.get(hi));
    let (low, high) = (s.op1(Op::Zext, 32, low), s.shift_k(Op::Shl, 64, high, 32));
    s.op2(Op::Or, 64, high, low)
}

/// The product of 32 bits each.
fn product<S: Sem>(s: &mut S, i: Insn, signed: bool) -> S::V {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let (a, b) = (widened(s, a, signed), widened(s, b, signed));
    s.op2(Op::Mul, 64, a, b)
}

/// MULT, MULTU.
pub fn mult<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let p = product(s, i, !i.bit(0));
    set_accumulator_of(s, i, i.f(11, 2), p);
    Lift::Next
}

/// MADD, MADDU, MSUB, MSUBU.
pub fn mult_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let p = product(s, i, !i.bit(0));
    let old = accumulator_of(s, i.f(11, 2));
    let v = s.op2(if i.bit(2) { Op::Sub } else { Op::Add }, 64, old, p);
    set_accumulator_of(s, i, i.f(11, 2), v);
    Lift::Next
}

/// DMULT, DMULTU.
pub fn dmult<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let high = s.op2(if i.bit(0) { Op::MulHiU } else { Op::MulHiS }, 64, a, b);
    let low = s.op2(Op::Mul, 64, a, b);
    s.set(slot::LO, low);
    s.set(slot::HI, high);
    Lift::Next
}

/// Quotient and remainder. What is left open: a / 0 is a, without a remainder (as in qemu); compilers ask for 0.
fn divided<S: Sem>(s: &mut S, i: Insn, w: u8, signed: bool) -> (S::V, S::V) {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let (zero, one) = (s.is_zero(w, b), s.konst(1));
    let b = s.select(w, zero, one, b);
    let q = s.op2(if signed { Op::SDiv } else { Op::UDiv }, w, a, b);
    let p = s.op2(Op::Mul, w, q, b);
    (q, s.op2(Op::Sub, w, a, p))
}

/// DIV, DIVU, DDIV, DDIVU.
pub fn div<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(2) { 64 } else { 32 };
    let (mut q, mut r) = divided(s, i, w, !i.bit(0));
    if w == 32 {
        (q, r) = (extended(s, i, q), extended(s, i, r));
    }
    s.set(slot::LO, q);
    s.set(slot::HI, r);
    Lift::Next
}

/// MUL.
pub fn mul<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let v = s.op2(Op::Mul, 32, a, b);
    done_w(s, i, i.rd(), v)
}

/// Release 6: MUL, MUH, MULU, MUHU, and of 64 bits (bit 2); bit 6: the high half.
pub fn mul_part<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(2) { 64 } else { 32 };
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let op = match (i.bit(6), i.bit(0)) {
        (false, _) => Op::Mul,
        (true, false) => Op::MulHiS,
        (true, true) => Op::MulHiU,
    };
    let v = s.op2(op, w, a, b);
    result(s, i, w, i.rd(), v)
}

/// Release 6: DIV, MOD, DIVU, MODU, and of 64 bits (bit 2); bit 6: the remainder.
pub fn div_part<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(2) { 64 } else { 32 };
    let (q, r) = divided(s, i, w, !i.bit(0));
    result(s, i, w, i.rd(), if i.bit(6) { r } else { q })
}

/// CLZ, CLO, DCLZ, DCLO: of MIPS32 by bits 2 and 0, of release 6 (SPECIAL) by bits 1 and 0.
pub fn count_leading<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let wide = if i.f(26, 6) == 0 { i.bit(1) } else { i.bit(2) };
    let w = if wide { 64 } else { 32 };
    let mut a = x(s, i.rs());
    if i.bit(0) {
        a = s.op1(Op::Not, w, a);
    }
    let v = s.op1(Op::Clz, w, a);
    done(s, i, i.rd(), v)
}

/// EXT, DEXTM, DEXTU, DEXT: bits from `lsb` on.
pub fn extract<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (kind, msbd, lsb) = (i.f(0, 2), i.rd(), i.sa());
    let (size, lsb) = match kind {
        1 => (msbd + 33, lsb),
        2 => (msbd + 1, lsb + 32),
        _ => (msbd + 1, lsb),
    };
    let w: u32 = if kind == 0 { 32 } else { 64 };
    if size + lsb > w {
        return Lift::Undefined;
    }
    let a = x(s, i.rs());
    let v = s.shift_k(Op::Shr, w as u8, a, lsb.into());
    let v = if size + lsb == w {
        v
    } else {
        s.and_k(w as u8, v, crate::ir::eval::mask(size as u8))
    };
    result(s, i, w as u8, i.rt(), v)
}

/// INS, DINSM, DINSU, DINS: from `lsb` to `msb`.
pub fn insert<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (msb, lsb) = match i.f(0, 2) {
        1 => (i.rd() + 32, i.sa()),
        2 => (i.rd() + 32, i.sa() + 32),
        _ => (i.rd(), i.sa()),
    };
    if lsb > msb {
        return Lift::Undefined;
    }
    let w = if i.f(0, 2) == 0 { 32 } else { 64 };
    let m = crate::ir::eval::mask((msb - lsb + 1) as u8);
    let (a, old) = (x(s, i.rs()), x(s, i.rt()));
    let field = s.and_k(w, a, m);
    let field = s.shift_k(Op::Shl, w, field, lsb.into());
    let rest = s.and_k(w, old, !(m << lsb));
    let v = s.op2(Op::Or, w, rest, field);
    result(s, i, w, i.rt(), v)
}

/// SEB, SEH.
pub fn sign_extend<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rt());
    let v = s.op1(Op::Sext, if i.bit(9) { 16 } else { 8 }, a);
    done(s, i, i.rd(), v)
}

/// WSBH, DSBH: the bytes of each half word change places.
pub fn swap_bytes<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(2) { 64 } else { 32 };
    let a = x(s, i.rt());
    let v = s.op1i(Op::RevIn, w, a, 16);
    result(s, i, w, i.rd(), v)
}

/// DSHD: the half words change places.
pub fn swap_halves<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rt());
    let v = s.op1(Op::Rev, 64, a);
    let v = s.op1i(Op::RevIn, 64, v, 16);
    done(s, i, i.rd(), v)
}

/// BITSWAP, DBITSWAP (release 6): the bits of each byte change places.
pub fn swap_bits<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(2) { 64 } else { 32 };
    let a = x(s, i.rt());
    let v = s.op1(Op::Rbit, w, a);
    let v = s.op1(Op::Rev, w, v);
    result(s, i, w, i.rd(), v)
}

/// ALIGN, DALIGN (release 6): rt shifted left by bytes, filled up from rs.
pub fn align<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, n) = if i.bit(2) {
        (64, i.f(6, 3))
    } else {
        (32, i.f(6, 2))
    };
    let (a, b) = (x(s, i.rt()), x(s, i.rs()));
    let v = if n == 0 {
        a
    } else {
        s.op2i(Op::Extr, w, a, b, u64::from(w) - 8 * u64::from(n))
    };
    result(s, i, w, i.rd(), v)
}

/// LSA, DLSA (release 6): bit 4 is 64 bits.
pub fn shift_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(4) { 64 } else { 32 };
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let a = s.shift_k(Op::Shl, w, a, u64::from(i.f(6, 2)) + 1);
    let v = s.op2(Op::Add, w, a, b);
    result(s, i, w, i.rd(), v)
}

/// DAUI, DAHI, DATI (release 6): a number in bits 16, 32 or 48 and above.
pub fn add_upper<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (from, to, by) = match (i.f(26, 6), i.rt()) {
        (1, 6) => (i.rs(), i.rs(), 32),
        (1, _) => (i.rs(), i.rs(), 48),
        _ => (i.rs(), i.rt(), 16),
    };
    if by == 16 && from == 0 {
        return Lift::Undefined;
    }
    let a = x(s, from);
    let v = s.add_k(64, a, (i.imm() << by) as u64);
    done(s, i, to, v)
}

/// ADDIUPC, AUIPC, ALUIPC (release 6).
pub fn add_pc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let at = match i.f(16, 5) >> 3 {
        3 if i.bit(16) => i.pc.wrapping_add((i.imm() << 16) as u64) & !0xffff,
        3 => i.pc.wrapping_add((i.imm() << 16) as u64),
        _ => i.pc.wrapping_add((i64::from(i.signed(0, 19)) << 2) as u64),
    };
    let v = s.konst(i.address(at));
    done(s, i, i.rs(), v)
}

/// TGE, TGEU, TLT, TLTU, TEQ, TNE, by the low bits of the function or of rt, which say the same.
fn trap_when<S: Sem>(s: &mut S, i: Insn, how: u32, a: S::V, b: S::V) -> Lift {
    let w = i.xlen();
    let f = s.op2(Op::FSub, w, a, b);
    let cc = [
        Cc::Ge,
        Cc::Cs,
        Cc::Lt,
        Cc::Cc,
        Cc::Eq,
        Cc::Eq,
        Cc::Ne,
        Cc::Ne,
    ];
    let c = s.cc(cc[how as usize & 7], f);
    s.trap_if(c, Trap::Exception, TRAP, i.epc());
    Lift::Next
}

pub fn trap<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    trap_when(s, i, i.f(0, 3), a, b)
}

pub fn trap_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), k(s, i, i.imm()));
    trap_when(s, i, i.f(16, 3), a, b)
}

/// A register that a branch links with: behind the delay slot.
pub fn link<S: Sem>(s: &mut S, i: Insn, n: u32, to: u64) {
    let v = s.konst(to);
    set(s, i, n, v);
}
