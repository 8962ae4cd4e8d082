//! The meaning of each pure operation: used by the interpreter, by constant
//! folding, and as the code of whatever the code generator has no code for.

use super::flags::{self, Cc};
use super::{Op, float, vector};

/// In the immediate of [`Op::FPart`]: it has its first, its second operand. The carry's bit is in the low bits.
pub const PART_NZ: u64 = 64;
pub const PART_CARRY: u64 = 128;

/// The low `w` bits set.
#[must_use]
pub fn mask(w: u8) -> u64 {
    if w >= 64 { u64::MAX } else { (1 << w) - 1 }
}

/// Sign-extends the low `w` bits.
#[must_use]
pub fn sext(w: u8, v: u64) -> i64 {
    let s = 64 - u32::from(w);
    ((v << s) as i64) >> s
}

/// Evaluates an operation other than floating point ([`float::eval`]). Flags travel packed.
#[must_use]
pub fn eval(op: Op, w: u8, x: u128, y: u128, z: u128, imm: u64) -> u128 {
    if (Op::AesSub..Op::FpAdd).contains(&op) {
        return super::crypto::eval(op, x, y, z, imm);
    }
    if (Op::ConstX..Op::AesSub).contains(&op) {
        return vector::eval(op, w, x, y, z, imm);
    }
    u128::from(general(op, w, x as u64, y as u64, z as u64, imm))
}

fn general(op: Op, w: u8, a: u64, b: u64, c: u64, imm: u64) -> u64 {
    let m = mask(w);
    let n = (b & u64::from(w.wrapping_sub(1))) as u32;
    let bits = u32::from(w);
    let r = match op {
        Op::Const => return imm,
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Andn => a & !b,
        Op::Orn => a | !b,
        Op::Xorn => a ^ !b,
        Op::Shl => a << n,
        Op::Shr => (a & m) >> n,
        Op::Sar => (sext(w, a) >> n) as u64,
        Op::Ror if n == 0 => a,
        Op::Ror => (a & m) >> n | a << (bits - n),
        Op::UDiv => (a & m).checked_div(b & m).unwrap_or(0),
        Op::SDiv if b & m == 0 => 0,
        Op::SDiv => sext(w, a).wrapping_div(sext(w, b)) as u64,
        Op::MulHiU => ((u128::from(a & m) * u128::from(b & m)) >> w) as u64,
        Op::MulHiS => ((i128::from(sext(w, a)) * i128::from(sext(w, b))) >> w) as u64,
        Op::Not => !a,
        Op::Neg => a.wrapping_neg(),
        Op::Clz => u64::from((a & m).leading_zeros() - (64 - bits)),
        Op::Ctz => u64::from((a & m).trailing_zeros().min(bits)),
        Op::Popcnt => u64::from((a & m).count_ones()),
        Op::Cls => {
            let s = sext(w, a);
            u64::from(((s ^ (s >> 63)) as u64).leading_zeros() - (64 - bits) - 1)
        }
        Op::Rbit => (a & m).reverse_bits() >> (64 - bits),
        Op::Rev => (a & m).swap_bytes() >> (64 - bits),
        Op::RevIn if imm == 16 => {
            (a >> 8 & 0x00ff_00ff_00ff_00ff) | (a & 0x00ff_00ff_00ff_00ff) << 8
        }
        Op::RevIn => a.swap_bytes().rotate_right(32),
        Op::Zext => a,
        Op::Sext => return sext(w, a) as u64,
        Op::Extr if imm == 0 => b,
        Op::Extr => (b & m) >> imm | a << (u64::from(w) - imm),
        Op::Select | Op::FSelect => {
            let r = if c & 1 != 0 { a } else { b };
            return if op == Op::Select { r & m } else { r };
        }
        Op::FAdd => return flags::of_add(w, a, b, 0),
        Op::FSub => return flags::of_add(w, a, !b, 1),
        Op::FAdc => return flags::of_add(w, a, b, c),
        Op::FLogic => return flags::of_logic(w, a),
        Op::FPart => {
            let nz = (imm & PART_NZ != 0).then_some(a);
            let carry = (imm & PART_CARRY != 0).then_some((b, (imm & 63) as u8));
            return flags::part(c, nz, carry);
        }
        Op::FPack => return a & flags::MASK,
        Op::Pack => return a,
        Op::Cc => return u64::from(Cc::from_index(imm).holds(a)),
        _ => unreachable!("{op:?} is not a general operation"),
    };
    r & m
}

/// Evaluates any pure operation; floating point reads and updates `env`.
#[must_use]
pub fn eval_any(env: &mut u32, op: Op, w: u8, x: u128, y: u128, z: u128, imm: u64) -> u128 {
    if op.is_float() {
        float::eval(env, op, w, x, y, z, imm)
    } else {
        eval(op, w, x, y, z, imm)
    }
}
