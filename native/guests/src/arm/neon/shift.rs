//! Shifts by an immediate, conversions to and from fixed point, and immediates.

use super::super::features::FP16;
use super::super::insn::Insn;
use super::{dd, enter, known, q, unary};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::simd::{self, File, Form};

/// AArch64's opcode and immediate (L and bits 21-16), U and Q.
pub fn shift_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (opcode, u, imm) = (i.f(8, 4), i.f(24, 1), i.f(7, 1) << 6 | i.f(16, 6));
    let long = imm >> 6 != 0;
    let (opcode, wide) = match opcode {
        // Narrowing: bit 6 rounds.
        8 | 9 if !long => (opcode << 1 | i.f(6, 1), [false, true]),
        // VSHLL, VMOVL
        10 if !long && !q(i) => (0x14, [true, false]),
        0..=7 => (opcode << 1, [q(i); 2]),
        _ => return Lift::Undefined,
    };
    // VSRI has U, and so has VQSHLU, which is unsigned in its result.
    if u == 0 && matches!(opcode, 8 | 0x0c) {
        return Lift::Undefined;
    }
    let narrow = matches!(opcode, 0x10..=0x14);
    // A single 64-bit lane is a scalar in AArch64.
    let scalar = if long && !q(i) { 1 << 28 | 1 << 30 } else { 0 };
    let full = if q(i) && !narrow { 1 << 30 } else { 0 };
    let f = known!(unary(
        i,
        0x0f00_0400 | u << 29 | imm << 16 | opcode << 11 | scalar | full,
        wide
    ));
    simd::shift_imm(s, f)
}

/// VCVT between floating point and fixed point; bit 8: to fixed point, bit 9: single precision.
pub fn fixed_point<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (single, imm) = (i.bit(9), i.f(16, 6));
    // 1xxxxx; 11xxxx of half precision.
    if imm >> 5 == 0 || (!single && (imm >> 4 != 3 || !i.has(FP16))) {
        return Lift::Undefined;
    }
    let imm = if single { imm } else { imm - 32 };
    let opcode = if i.bit(8) { 0x1f } else { 0x1c };
    let bits = 0x0f00_0400 | i.f(24, 1) << 29 | imm << 16 | opcode << 11 | u32::from(q(i)) << 30;
    let f = known!(unary(i, bits, [q(i); 2]));
    enter!(s, i);
    simd::shift_imm(s, f)
}

/// VMOV, VMVN, VORR, VBIC of an immediate.
pub fn mod_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (cmode, op, d) = (i.f(8, 4), i.f(5, 1), dd(i));
    if (q(i) && d & 1 != 0) || (cmode == 15 && op != 0) {
        return Lift::Undefined;
    }
    let imm = i.f(24, 1) << 7 | i.f(16, 3) << 4 | i.f(0, 4);
    let bits = 0x0f00_0400
        | u32::from(q(i)) << 30
        | op << 29
        | (imm >> 5) << 16
        | cmode << 12
        | (imm & 31) << 5
        | d;
    let file = File::Parts {
        d: q(i),
        n: false,
        m: false,
    };
    simd::mod_imm(
        s,
        Form {
            bits,
            file,
            standard: true,
        },
    )
}
