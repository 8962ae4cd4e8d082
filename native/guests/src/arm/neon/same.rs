//! Three registers of the same type, and of different types.

use super::super::insn::Insn;
use super::{enter, form, known, q, uniform};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::float::STANDARD;
use crate::ir::sem::Sem;
use crate::simd::{self, Form};

/// U, size and opcode (bits 11-8 and 4) in AArch64's places.
fn common(i: Insn) -> u32 {
    let opcode = i.f(8, 4) << 1 | i.f(4, 1);
    0x0e20_0400 | i.f(24, 1) << 29 | i.f(20, 2) << 22 | opcode << 11
}

/// The single 64-bit lane of a D register is a scalar in AArch64.
fn scalar_if_64(f: Form) -> Form {
    if f.f(22, 2) == 3 && !f.bit(30) {
        Form {
            bits: f.bits | 1 << 28 | 1 << 30,
            ..f
        }
    } else {
        f
    }
}

/// Integer operations, and logic.
pub fn three_same<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let mut f = known!(uniform(i, common(i)));
    let (opcode, u) = (f.f(11, 5), i.bit(24));
    match opcode {
        // Logic has no lanes.
        3 => return simd::three_same(s, f),
        // VSHL, VQSHL, VRSHL, VQRSHL: the amounts are in the first operand.
        8..=11 => {
            let (n, m) = (f.rn(), f.rm());
            f.bits = f.bits & !(0x1f << 16 | 0x1f << 5) | n << 16 | m << 5;
        }
        // Floating point and cryptography, which have lines of their own.
        0x18.. => return Lift::Undefined,
        // Pairs are of D registers only.
        0x14 | 0x15 | 0x17 if q(i) => return Lift::Undefined,
        // VQDMULH has a rounding form with U; VPADD has none.
        0x17 if u => return Lift::Undefined,
        // Lanes of 64 bits are for sums and shifts.
        0 | 2 | 4 | 6 | 7 | 0x0c..=0x0f | 0x11..=0x17 if i.f(20, 2) == 3 => return Lift::Undefined,
        _ => {}
    }
    simd::three_same(s, scalar_if_64(f))
}

/// Single and half (bit 20) precision.
pub fn three_same_float<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let half = i.bit(20);
    let w = if half { 16 } else { 32 };
    // Bit 21 is AArch64's bit 23; bit 22 would be double precision.
    let bits = common(i) & !(3 << 22) | i.f(21, 1) << 23;
    let f = known!(uniform(i, bits));
    let (opcode, u, second) = (f.f(11, 5), i.bit(24), i.bit(21));
    let pairwise = u && matches!((opcode, second), (0x1a, false) | (0x1e, _));
    if pairwise && q(i) {
        return Lift::Undefined;
    }
    enter!(s, i);
    match (opcode, u) {
        // VMLA, VMLS round twice.
        (0x1b, false) => multiply_add(s, f, w, second),
        (0x1b, true) if second => Lift::Undefined,
        // VRECPS, VRSQRTS round the product, too.
        (0x1f, false) => {
            let keep = if f.bit(30) { 128 } else { 64 };
            let [a, b] = [f.n(s), f.m(s)].map(|x| s.op1(Op::VZext, keep, x));
            let how = u64::from(w) | u64::from(second) << 8 | STANDARD;
            let r = s.call_x(simd::fp::step_rounded, [Some(a), Some(b), None], how);
            f.set_d(s, r);
            Lift::Next
        }
        (0x1c, false) if second => Lift::Undefined,
        (0x1d, false) | (0x18 | 0x19, _) | (0x1f, true) => Lift::Undefined,
        _ => simd::float::three_same_of(s, f, w),
    }
}

/// d + a * b or d - a * b, both rounded.
fn multiply_add<S: Sem>(s: &mut S, f: Form, w: u8, minus: bool) -> Lift {
    let (a, b) = (f.n(s), f.m(s));
    multiply_add_of(s, f, w, minus, a, b)
}

pub(super) fn multiply_add_of<S: Sem>(
    s: &mut S,
    f: Form,
    w: u8,
    minus: bool,
    a: S::V,
    b: S::V,
) -> Lift {
    let d = f.d(s);
    let keep = if f.bit(30) { 128 } else { 64 };
    let [a, b, d] = [a, b, d].map(|x| s.op1(Op::VZext, keep, x));
    let args = [a, b, d].map(Some);
    let r = s.op(Op::VFpMulAdd, w, args, u64::from(minus) | f.mode());
    f.set_d(s, r);
    Lift::Next
}

/// VFMA, VFMS.
pub fn fused<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let bits = 0x0e20_0400 | i.f(21, 1) << 23 | 0x19 << 11;
    let f = known!(uniform(i, bits));
    enter!(s, i);
    simd::float::three_same_of(s, f, if i.bit(20) { 16 } else { 32 })
}

/// VMAXNM, VMINNM.
pub fn max_min_number<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let bits = 0x0e20_0400 | i.f(21, 1) << 23 | 0x18 << 11;
    let f = known!(uniform(i, bits));
    enter!(s, i);
    simd::float::three_same_of(s, f, if i.bit(20) { 16 } else { 32 })
}

/// VQRDMLAH (bits 11-8: 1011), VQRDMLSH (1100).
pub fn rounding_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let opcode = u32::from(i.bit(10));
    let f = known!(uniform(i, 0x2e00_8400 | i.f(20, 2) << 22 | opcode << 11));
    simd::three_extra(s, f)
}

/// SHA1C, SHA1P, SHA1M, SHA1SU0.
pub fn sha1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let f = known!(form(i, i.f(20, 2) << 12, [true; 3]));
    simd::sha_three(s, f)
}

/// SHA256H, SHA256H2, SHA256SU1.
pub fn sha256<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let f = known!(form(i, (4 + i.f(20, 2)) << 12, [true; 3]));
    simd::sha_three(s, f)
}

/// Long, wide and narrowing operations: the opcodes are AArch64's.
pub fn three_different<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (opcode, u, mut size) = (i.f(8, 4), i.f(24, 1), i.f(20, 2));
    let wide = match opcode {
        1 | 3 => [true, true, false],
        4 | 6 => [false, true, true],
        _ => [true, false, false],
    };
    if opcode == 14 {
        // VMULL.P8 and .P64.
        size = match size {
            0 => 0,
            2 => 3,
            _ => return Lift::Undefined,
        };
    }
    let f = known!(form(
        i,
        0x0e20_0000 | u << 29 | size << 22 | opcode << 12,
        wide
    ));
    simd::three_different(s, f)
}
