//! Integer computation: RV32I, RV64I and M (The RISC-V Instruction Set Manual I).

use super::insn::{Insn, done, done_w, k, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags::Cc;
use crate::ir::sem::Sem;

pub fn lui<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = k(s, i, i.imm_u());
    done(s, i, v)
}

pub fn auipc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = s.konst(i.target(i.imm_u()));
    done(s, i, v)
}

/// 1 if a < b.
pub fn less<S: Sem>(s: &mut S, w: u8, a: S::V, b: S::V, signed: bool) -> S::V {
    let f = s.op2(Op::FSub, w, a, b);
    s.cc(if signed { Cc::Lt } else { Cc::Cc }, f)
}

/// The second operand, which is a register or an immediate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Second {
    Register,
    Immediate,
}

/// ADD ... AND by funct3 and bit 30, at width `w`.
fn compute<S: Sem>(s: &mut S, i: Insn, w: u8, second: Second) -> S::V {
    let a = x(s, i.rs1());
    let register = second == Second::Register;
    let shift = matches!(i.funct3(), 1 | 5);
    let b = match second {
        Second::Register => x(s, i.rs2()),
        Second::Immediate if shift => s.konst(u64::from(i.f(20, 6)) & u64::from(w - 1)),
        Second::Immediate => k(s, i, i.imm_i()),
    };
    match i.funct3() {
        0 if register && i.bit(30) => s.op2(Op::Sub, w, a, b),
        0 => s.op2(Op::Add, w, a, b),
        1 => s.op2(Op::Shl, w, a, b),
        2 => less(s, w, a, b, true),
        // SEQZ, SNEZ
        3 if !register && i.imm_i() == 1 => s.is_zero(w, a),
        3 if register && i.rs1() == 0 => s.not_zero(w, b),
        3 => less(s, w, a, b, false),
        4 => s.op2(Op::Xor, w, a, b),
        5 if i.bit(30) => s.op2(Op::Sar, w, a, b),
        5 => s.op2(Op::Shr, w, a, b),
        6 => s.op2(Op::Or, w, a, b),
        _ => s.op2(Op::And, w, a, b),
    }
}

/// Two registers.
pub fn op<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = compute(s, i, i.xlen, Second::Register);
    done(s, i, v)
}

/// A register and an immediate.
pub fn op_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = compute(s, i, i.xlen, Second::Immediate);
    done(s, i, v)
}

/// Their low 32 bits.
pub fn op_w<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = compute(s, i, 32, Second::Register);
    done_w(s, i, v)
}

pub fn op_imm_w<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = compute(s, i, 32, Second::Immediate);
    done_w(s, i, v)
}

/// MUL ... REMU at width `w`.
fn multiply<S: Sem>(s: &mut S, i: Insn, w: u8) -> S::V {
    let (a, b) = (x(s, i.rs1()), x(s, i.rs2()));
    match i.funct3() {
        0 => s.op2(Op::Mul, w, a, b),
        1 => s.op2(Op::MulHiS, w, a, b),
        // MULHSU: the unsigned product counts a negative factor 2^w too high.
        2 => {
            let high = s.op2(Op::MulHiU, w, a, b);
            let sign = s.shift_k(Op::Sar, w, a, u64::from(w) - 1);
            let more = s.op2(Op::And, w, sign, b);
            s.op2(Op::Sub, w, high, more)
        }
        3 => s.op2(Op::MulHiU, w, a, b),
        // Nothing traps: x / 0 is all ones, x % 0 is x; the most negative number by -1 is itself, with no remainder. The
        // operation's own quotient by 0 is 0.
        o => {
            let divide = if o & 1 == 0 { Op::SDiv } else { Op::UDiv };
            let q = s.op2(divide, w, a, b);
            if o < 6 {
                let zero = s.is_zero(w, b);
                let ones = k(s, i, -1);
                s.select(w, zero, ones, q)
            } else {
                let product = s.op2(Op::Mul, w, q, b);
                s.op2(Op::Sub, w, a, product)
            }
        }
    }
}

pub fn mul<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = multiply(s, i, i.xlen);
    done(s, i, v)
}

pub fn mul_w<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = multiply(s, i, 32);
    done_w(s, i, v)
}
