//! Two registers: everything but permutations.

use super::super::features::{BF16, FP16, HALF};
use super::super::insn::Insn;
use super::{enter, known, q, unary};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::{self, Form};

/// AArch64's layout of an operation: U, size, opcode.
fn bits(u: u32, size: u32, opcode: u32) -> u32 {
    0x0e20_0800 | u << 29 | size << 22 | opcode << 12
}

/// Integer operations: A (bits 17-16) and B (bits 10-7).
pub fn two_misc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let size = i.f(18, 2);
    let narrow = |u, opcode| (u, opcode, [false, true], false);
    let (u, opcode, wide, full) = match (i.f(16, 2), i.f(7, 4)) {
        (0, b) => {
            let (u, opcode) = match b {
                0 => (0, 0),
                1 => (1, 0),
                2 => (0, 1),
                4 | 5 => (b & 1, 2),
                8 | 9 => (b & 1, 4),
                10 => (0, 5),
                11 if size == 0 => (1, 5),
                12 | 13 => (b & 1, 6),
                14 | 15 => (b & 1, 7),
                _ => return Lift::Undefined,
            };
            (u, opcode, [q(i); 2], q(i))
        }
        (1, b) => {
            let (u, opcode) = match b {
                0 => (0, 8),
                1 => (1, 8),
                2 => (0, 9),
                3 => (1, 9),
                4 => (0, 10),
                6 => (0, 11),
                7 => (1, 11),
                _ => return Lift::Undefined,
            };
            (u, opcode, [q(i); 2], q(i))
        }
        // VMOVN, VQMOVUN; VQMOVN
        (2, 4) => narrow(u32::from(q(i)), 0x12),
        (2, 5) => narrow(u32::from(q(i)), 0x14),
        // VSHLL by the width
        (2, 6) if !q(i) => (1, 0x13, [true, false], false),
        _ => return Lift::Undefined,
    };
    // There are no lanes of 64 bits here.
    if size == 3 {
        return Lift::Undefined;
    }
    let full = if full { 1 << 30 } else { 0 };
    let f = known!(unary(i, bits(u, size, opcode) | full, wide));
    simd::two_misc(s, f)
}

/// The width of floating-point lanes by bits 19-18.
fn float_width(i: Insn) -> Option<u8> {
    match i.f(18, 2) {
        1 if i.has(FP16) => Some(16),
        2 => Some(32),
        _ => None,
    }
}

/// A floating-point operation; bit 1 of `size` is AArch64's bit 23.
fn float<S: Sem>(s: &mut S, i: Insn, u: u32, second: u32, opcode: u32) -> Lift {
    let w = known!(float_width(i));
    let bits = bits(u, second << 1, opcode) | u32::from(q(i)) << 30;
    let f = known!(unary(i, bits, [q(i); 2]));
    // Signs are no arithmetic, nor are estimates of integers.
    if !matches!(opcode, 0x0f | 0x1c) || second == 0 {
        enter!(s, i);
    }
    simd::float::two_misc_of(s, f, w)
}

/// Comparisons with zero, VABS, VNEG, roundings, estimates.
pub fn two_misc_float<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, second, opcode) = match (i.f(16, 2), i.f(7, 4)) {
        (1, 8) => (0, 1, 0x0c),
        (1, 9) => (1, 1, 0x0c),
        (1, 10) => (0, 1, 0x0d),
        (1, 11) => (1, 1, 0x0d),
        (1, 12) => (0, 1, 0x0e),
        (1, 14) => (0, 1, 0x0f),
        (1, 15) => (1, 1, 0x0f),
        // VRINTN, X, A, Z, M, P
        (2, 8) => (0, 0, 0x18),
        (2, 9) => (1, 0, 0x19),
        (2, 10) => (1, 0, 0x18),
        (2, 11) => (0, 1, 0x19),
        (2, 13) => (0, 0, 0x19),
        (2, 15) => (0, 1, 0x18),
        // VRECPE, VRSQRTE; of integers
        (3, 10) => (0, 1, 0x1d),
        (3, 11) => (1, 1, 0x1d),
        (3, b @ (8 | 9)) if i.f(18, 2) == 2 => (b & 1, 1, 0x1c),
        _ => return Lift::Undefined,
    };
    float(s, i, u, second, opcode)
}

/// VCVT between floating point and integers (bits 8-7), and VCVTA, N, P, M (bits 9-8, unsigned by bit 7).
pub fn convert<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let u = i.f(7, 1);
    let (second, opcode) = match i.f(8, 3) {
        // From integers, towards zero
        6 => (0, 0x1d),
        7 => (1, 0x1b),
        // A, N, P, M
        0 => (0, 0x1c),
        1 => (0, 0x1a),
        2 => (1, 0x1a),
        3 => (0, 0x1b),
        _ => return Lift::Undefined,
    };
    float(s, i, u, second, opcode)
}

/// VCVT between half and single precision; bit 8: to single.
pub fn convert_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(18, 2) != 1 || q(i) || !i.has(HALF) {
        return Lift::Undefined;
    }
    if i.bit(8) {
        let f = known!(unary(i, 0, [true, false]));
        let a = f.n(s);
        let r = f.fp1(s, Op::VFpWiden, 16, a, 0);
        f.set_d(s, r);
    } else {
        let f = known!(unary(i, 0, [false, true]));
        let a = f.n(s);
        let r = f.fp1(s, Op::VFpNarrow, 32, a, 0);
        f.set_d(s, r);
    }
    Lift::Next
}

/// VCVT to bfloat16.
pub fn convert_bfloat<S: Sem>(s: &mut S, i: Insn) -> Lift {
    debug_assert!(i.has(BF16));
    let f = known!(unary(i, 0, [false, true]));
    let a = f.n(s);
    let r = s.call_x(simd::matrix::bfcvtn, [Some(a), None, None], f.mode());
    f.set_d(s, r);
    Lift::Next
}

fn crypto(i: Insn, opcode: u32) -> Option<Form> {
    unary(i, opcode << 12, [true; 2])
}

/// AESE, AESD, AESMC, AESIMC.
pub fn aes<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(18, 2) != 0 {
        return Lift::Undefined;
    }
    let f = known!(crypto(i, 4 | i.f(6, 2)));
    simd::aes(s, f)
}

/// SHA1H; SHA1SU1, SHA256SU0.
pub fn sha_two<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(18, 2) != 2 {
        return Lift::Undefined;
    }
    let opcode = if i.f(16, 2) == 1 { 0 } else { 1 + i.f(6, 1) };
    let f = known!(crypto(i, opcode));
    simd::sha_two(s, f)
}
