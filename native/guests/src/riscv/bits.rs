//! Bit manipulation: Zba, Zbb, Zbc, Zbs; Zicond.

use super::insn::{Insn, done, done_w, k, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

fn operands<S: Sem>(s: &mut S, i: Insn) -> (S::V, S::V) {
    (x(s, i.rs1()), x(s, i.rs2()))
}

/// SH1ADD, SH2ADD, SH3ADD.
pub fn shift_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = operands(s, i);
    let a = s.shift_k(Op::Shl, i.xlen, a, u64::from(i.f(13, 2)));
    let r = s.op2(Op::Add, i.xlen, b, a);
    done(s, i, r)
}

/// ADD.UW, SH1ADD.UW and their like.
pub fn shift_add_word<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = operands(s, i);
    let a = s.op1(Op::Zext, 32, a);
    let a = s.shift_k(Op::Shl, 64, a, u64::from(i.f(13, 2)));
    let r = s.op2(Op::Add, 64, b, a);
    done(s, i, r)
}

/// SLLI.UW.
pub fn shift_word<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rs1());
    let a = s.op1(Op::Zext, 32, a);
    let r = s.shift_k(Op::Shl, 64, a, u64::from(i.f(20, 6)));
    done(s, i, r)
}

/// ANDN, ORN, XNOR.
pub fn logic_not<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = operands(s, i);
    let op = match i.funct3() {
        7 => Op::Andn,
        6 => Op::Orn,
        _ => Op::Xorn,
    };
    let r = s.op2(op, i.xlen, a, b);
    done(s, i, r)
}

/// CLZ, CTZ, CPOP, SEXT.B, SEXT.H by bits 22-20, at width `w`.
fn unary<S: Sem>(s: &mut S, i: Insn, w: u8) -> Option<S::V> {
    let a = x(s, i.rs1());
    Some(match i.f(20, 3) {
        0 => s.op1(Op::Clz, w, a),
        1 => {
            let r = s.op1(Op::Rbit, w, a);
            s.op1(Op::Clz, w, r)
        }
        2 => count(s, w, a),
        4 => s.op1(Op::Sext, 8, a),
        5 => s.op1(Op::Sext, 16, a),
        _ => return None,
    })
}

/// The number of bits that are set.
fn count<S: Sem>(s: &mut S, w: u8, a: S::V) -> S::V {
    let a = s.op1(Op::Zext, w, a);
    let v = s.op1(Op::VFromG, 64, a);
    let v = s.op1(Op::VPopcnt, 8, v);
    let v = s.op1(Op::VSumU, 8, v);
    s.op1i(Op::VGet, 8, v, 0)
}

pub fn one_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    match unary(s, i, i.xlen) {
        Some(r) => done(s, i, r),
        None => Lift::Undefined,
    }
}

pub fn one_source_word<S: Sem>(s: &mut S, i: Insn) -> Lift {
    match unary(s, i, 32) {
        Some(r) => done(s, i, r),
        None => Lift::Undefined,
    }
}

/// MIN, MINU, MAX, MAXU.
pub fn min_max<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = operands(s, i);
    let c = super::int::less(s, i.xlen, a, b, !i.bit(12));
    let r = if i.bit(13) {
        s.select(i.xlen, c, b, a)
    } else {
        s.select(i.xlen, c, a, b)
    };
    done(s, i, r)
}

/// ROL, ROR; with an immediate (bit 5 clear); in 32 bits (bit 3).
pub fn rotate<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(3) { 32 } else { i.xlen };
    let a = x(s, i.rs1());
    let mut by = if i.bit(5) {
        x(s, i.rs2())
    } else {
        s.konst(u64::from(i.f(20, 6)) & u64::from(w - 1))
    };
    if !i.bit(14) {
        let zero = s.konst(0);
        by = s.op2(Op::Sub, i.xlen, zero, by);
    }
    let r = s.op2(Op::Ror, w, a, by);
    if w < i.xlen {
        done_w(s, i, r)
    } else {
        done(s, i, r)
    }
}

/// Bytes that are not 0 become all ones.
pub fn or_combine<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rs1());
    let v = s.op1(Op::VFromG, 64, a);
    let zero = s.wide(0);
    let v = s.op2(Op::VCmpGtU, 8, v, zero);
    let r = s.op1i(Op::VGet, i.xlen, v, 0);
    done(s, i, r)
}

pub fn reverse_bytes<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rs1());
    let r = s.op1(Op::Rev, i.xlen, a);
    done(s, i, r)
}

pub fn zext_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rs1());
    let r = s.op1(Op::Zext, 16, a);
    done(s, i, r)
}

/// CLMUL, CLMULR, CLMULH by bits 13-12: the low half of the product, the high one shifted left by one, the high one.
pub fn carryless<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = operands(s, i);
    let (a, b) = (s.op1(Op::VFromG, 64, a), s.op1(Op::VFromG, 64, b));
    let p = s.op2i(Op::VClMul, 64, a, b, 0);
    let r = if i.xlen == 64 {
        let (low, high) = (s.op1i(Op::VGet, 64, p, 0), s.op1i(Op::VGet, 64, p, 1));
        match i.f(12, 2) {
            1 => low,
            2 => s.op(Op::Extr, 64, [Some(high), Some(low), None], 63),
            _ => high,
        }
    } else {
        let p = s.op1i(Op::VGet, 64, p, 0);
        match i.f(12, 2) {
            1 => p,
            2 => s.shift_k(Op::Shr, 64, p, 31),
            _ => s.shift_k(Op::Shr, 64, p, 32),
        }
    };
    done(s, i, r)
}

/// BCLR, BEXT, BINV, BSET, by a register or by an immediate (bit 5 clear).
pub fn single<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.xlen;
    let a = x(s, i.rs1());
    let by = if i.bit(5) {
        x(s, i.rs2())
    } else {
        s.konst(u64::from(i.f(20, 6)) & u64::from(w - 1))
    };
    let r = if i.bit(14) {
        let v = s.op2(Op::Shr, w, a, by);
        s.and_k(w, v, 1)
    } else {
        let one = s.konst(1);
        let bit = s.op2(Op::Shl, w, one, by);
        let op = match i.f(29, 2) {
            1 => Op::Or,
            2 => Op::Andn,
            _ => Op::Xor,
        };
        s.op2(op, w, a, bit)
    };
    done(s, i, r)
}

/// CZERO.EQZ, CZERO.NEZ (bit 13).
pub fn conditional_zero<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = operands(s, i);
    let c = if i.bit(13) && i.bit(12) {
        s.not_zero(i.xlen, b)
    } else {
        s.is_zero(i.xlen, b)
    };
    let zero = k(s, i, 0);
    let r = s.select(i.xlen, c, zero, a);
    done(s, i, r)
}
