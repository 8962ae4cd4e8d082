//! T16: data processing (F3.2).

use super::alu::{Form, Operand, constant, dp, plain, process, shift_imm, shift_reg};
use super::branch;
use super::insn::{Insn, reg, set};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;

/// The 16-bit forms, which set flags outside of IT blocks.
fn t16<S: Sem>(s: &mut S, i: Insn, op: u32, d: u32, n: u32, b: Operand<S::V>) -> Lift {
    let x = Form {
        op,
        flags: !i.in_it(),
        d,
        n,
        b,
    };
    process(s, i, x)
}

pub fn t16_shift_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = reg(s, i, i.f(3, 3));
    let b = shift_imm(s, v, i.f(11, 2), i.f(6, 5));
    t16(s, i, dp::MOV, i.f(0, 3), 0, b)
}

/// ADD and SUB of three registers, or of two and a small constant.
pub fn t16_add<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let b = if i.bit(10) {
        constant(s, i.f(6, 3))
    } else {
        plain(reg(s, i, i.f(6, 3)))
    };
    let op = if i.bit(9) { dp::SUB } else { dp::ADD };
    t16(s, i, op, i.f(0, 3), i.f(3, 3), b)
}

/// MOV, CMP, ADD, SUB with a byte.
pub fn t16_imm8<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let op = [dp::MOV, dp::CMP, dp::ADD, dp::SUB][i.f(11, 2) as usize];
    let (r, b) = (i.f(8, 3), constant(s, i.f(0, 8)));
    t16(s, i, op, r, r, b)
}

/// Those of two registers (but for MUL).
pub fn t16_two<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, m) = (i.f(0, 3), i.f(3, 3));
    let v = reg(s, i, m);
    match i.f(6, 4) {
        n @ (2 | 3 | 4 | 7) => {
            let kind = if n == 7 { 3 } else { n - 2 };
            let a = reg(s, i, d);
            let b = shift_reg(s, a, kind, v, !i.in_it());
            t16(s, i, dp::MOV, d, d, b)
        }
        9 => {
            let b = constant(s, 0);
            t16(s, i, dp::RSB, d, m, b)
        }
        n => {
            let op = [
                dp::AND,
                dp::EOR,
                0,
                0,
                0,
                dp::ADC,
                dp::SBC,
                0,
                dp::TST,
                0,
                dp::CMP,
                dp::CMN,
                dp::ORR,
                0,
                dp::BIC,
                dp::MVN,
            ][n as usize];
            t16(s, i, op, d, d, plain(v))
        }
    }
}

/// ADD, CMP, MOV with high registers.
pub fn t16_high<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, m) = (i.f(7, 1) << 3 | i.f(0, 3), i.f(3, 4));
    let v = reg(s, i, m);
    let op = [dp::ADD, dp::CMP, dp::MOV][i.f(8, 2) as usize % 3];
    if d == 15 && op != dp::CMP {
        if i.in_it_not_last() {
            return Lift::Undefined;
        }
        if op == dp::MOV {
            return branch::alu_to_pc(s, i, v, m == 14);
        }
    }
    let x = Form {
        op,
        flags: op == dp::CMP,
        d,
        n: d,
        b: plain(v),
    };
    process(s, i, x)
}

/// ADR, and ADD of sp and a constant.
pub fn t16_adr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = super::insn::base(s, i, if i.bit(11) { 13 } else { 15 });
    let r = s.add_k(32, a, u64::from(i.f(0, 8) << 2));
    set(s, i.f(8, 3), r);
    Lift::Next
}

/// ADD and SUB of a constant to sp.
pub fn t16_sp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let k = i.f(0, 7) << 2;
    let a = s.get(13);
    let k = if i.bit(7) { k.wrapping_neg() } else { k };
    let r = s.add_k(32, a, u64::from(k));
    set(s, 13, r);
    Lift::Next
}
