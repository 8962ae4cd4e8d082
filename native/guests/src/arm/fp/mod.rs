//! Floating point (VFP) of A32 and T32 (Arm ARM F4.1.20 and F4.1.22, "Floating-point data-processing" and the moves
//! between the register files). The registers are parts of the wide slots: s0 and d0 lie in q0.

mod arith;
mod convert;
mod memory;
mod status;
mod transfer;

pub use arith::{compare, max_min, move_half, move_imm, one_source, round, select, three_source};
pub use convert::{
    from_int, half, javascript, resize, round_current, to_bfloat, to_fixed, to_int, to_int_rounded,
};
pub use memory::{load_store, load_store_half, load_store_multiple};
pub use status::{fpscr, mode, mrs, mrs_flags, msr, set_fpscr};
pub use transfer::{
    core_half, core_pair_d, core_pair_s, core_single, duplicate, from_element, to_element,
};

use super::features::{D32, DOUBLE, FP16, VECTORS};
use super::insn::{Insn, mode as modes};
use crate::arm::insn::LAYOUT;
use crate::decode::Bits;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// Unit of a single-precision register.
pub fn s_unit(n: u32) -> u16 {
    LAYOUT.part(32, n as u16)
}

/// Unit of a double-precision register.
pub fn d_unit(n: u32) -> u16 {
    LAYOUT.part(64, n as u16)
}

/// The format by bits 9-8.
pub fn format(i: Insn) -> Option<u8> {
    [None, Some(16), Some(32), Some(64)][i.f(8, 2) as usize]
}

/// Register numbers: four bits and one more, which is the lowest of S registers and the highest of D registers.
fn number(i: Insn, w: u8, four: u32, one: u32) -> u32 {
    if w == 64 {
        i.f(one, 1) << 4 | i.f(four, 4)
    } else {
        i.f(four, 4) << 1 | i.f(one, 1)
    }
}
pub fn vd(i: Insn, w: u8) -> u32 {
    number(i, w, 12, 22)
}
pub fn vn(i: Insn, w: u8) -> u32 {
    number(i, w, 16, 7)
}
pub fn vm(i: Insn, w: u8) -> u32 {
    number(i, w, 0, 5)
}

/// The processor has the format, and these registers of it.
pub fn has(i: Insn, w: u8, registers: &[u32]) -> bool {
    match w {
        16 => i.has(FP16),
        32 => true,
        _ => i.has(DOUBLE) && (i.has(D32) || registers.iter().all(|&n| n < 16)),
    }
}

/// A scalar. What is above it in the value is anything.
pub fn get<S: Sem>(s: &mut S, w: u8, n: u32) -> S::V {
    s.get_x(if w == 64 { d_unit(n) } else { s_unit(n) })
}

/// Sets a scalar; half precision clears the other half of the register.
pub fn put<S: Sem>(s: &mut S, w: u8, n: u32, v: S::V) {
    match w {
        64 => s.set_x(d_unit(n), v),
        32 => s.set_x(s_unit(n), v),
        _ => {
            let v = s.op1(Op::VZext, 16, v);
            s.set_x(s_unit(n), v);
        }
    }
}

/// The registers that an instruction works on one after the other: one each, or those of short vectors, which go round
/// in their banks (Arm ARM, appendix K5.2 "VFP vector support"). None: this processor has no short vectors.
pub fn vectors(i: Insn, w: u8, [d, n, m]: [u32; 3]) -> Option<Vec<[u32; 3]>> {
    let vector = (i.mode & modes::VECTOR) >> modes::VECTOR_SHIFT;
    if vector == 0 {
        return Some(vec![[d, n, m]]);
    }
    if !i.has(VECTORS) || w == 16 {
        return None;
    }
    // Banks of 8 or 4 registers, the first one (and d16-d19) of scalars.
    let bank = if w == 64 { 4 } else { 8 };
    let scalar = |n: u32| n & (16 - 1 + u32::from(w == 32) * 16) & !(bank - 1) == 0;
    if scalar(d) {
        return Some(vec![[d, n, m]]);
    }
    let (len, stride) = ((vector & 7) + 1, 1 + (vector >> 3 & 1));
    let step = |n: u32, k: u32| n & !(bank - 1) | (n + k * stride) & (bank - 1);
    let m_step = |k| if scalar(m) { m } else { step(m, k) };
    Some(
        (0..len)
            .map(|k| [step(d, k), step(n, k), m_step(k)])
            .collect(),
    )
}
