//! Moves: extraction, permutations, immediates.

use super::fp::expand_imm;
use super::{Form, joined, put, put_q};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

pub fn ext<S: Sem>(s: &mut S, i: Form) -> Lift {
    let n = u64::from(i.f(11, 4));
    let (a, b) = (i.n(s), i.m(s));
    if i.bit(30) {
        let r = s.op2i(Op::VExt, 8, a, b, n);
        return put_q(s, i, r);
    }
    if n >= 8 {
        return Lift::Undefined;
    }
    let j = joined(s, a, b);
    let r = s.op2i(Op::VExt, 8, j, j, n);
    put(s, i, 64, r);
    Lift::Next
}

/// UZP, TRN, ZIP.
pub fn permute<S: Sem>(s: &mut S, i: Form) -> Lift {
    let w = 8u8 << i.f(22, 2);
    let op = match i.f(12, 3) {
        1 => Op::VUzp1,
        2 => Op::VTrn1,
        3 => Op::VZip1,
        5 => Op::VUzp2,
        6 => Op::VTrn2,
        7 => Op::VZip2,
        _ => return Lift::Undefined,
    };
    let (a, b) = (i.n(s), i.m(s));
    if i.bit(30) {
        let r = s.op2(op, w, a, b);
        return put_q(s, i, r);
    }
    if w == 64 {
        return Lift::Undefined;
    }
    let r = match op {
        Op::VUzp1 | Op::VUzp2 => {
            let j = joined(s, a, b);
            s.op2(op, w, j, j)
        }
        Op::VZip1 => s.op2(op, w, a, b),
        // The upper half of what ZIP1 of whole registers gives.
        Op::VZip2 => {
            let z = s.op2(Op::VZip1, w, a, b);
            s.op1i(Op::VDupLane, 64, z, 1)
        }
        _ => s.op2(op, w, a, b),
    };
    put(s, i, 64, r);
    Lift::Next
}

/// MOVI, MVNI, ORR, BIC, FMOV of a modified immediate.
pub fn mod_imm<S: Sem>(s: &mut S, i: Form) -> Lift {
    let imm8 = u64::from(i.f(16, 3) << 5 | i.f(5, 5));
    let (cmode, op) = (i.f(12, 4), i.bit(29));
    if i.bit(11) {
        // FMOV of half precision.
        return if cmode == 15 && !op {
            let h = expand_imm(imm8, 16);
            let k = super::integer::splat(s, 16, h);
            put(s, i, 64, k);
            Lift::Next
        } else {
            Lift::Undefined
        };
    }
    let imm = match (cmode >> 1, cmode & 1, op) {
        (n @ 0..=3, _, _) => {
            let e = imm8 << (8 * n);
            e | e << 32
        }
        (n @ 4..=5, _, _) => {
            let e = imm8 << (8 * (n - 4));
            e.wrapping_mul(0x0001_0001_0001_0001)
        }
        (6, 0, _) => (imm8 << 8 | 0xff).wrapping_mul(0x1_0000_0001),
        (6, _, _) => (imm8 << 16 | 0xffff).wrapping_mul(0x1_0000_0001),
        (_, 0, false) => imm8.wrapping_mul(0x0101_0101_0101_0101),
        (_, 0, true) => (0..8).fold(0, |r, k| {
            if imm8 >> k & 1 != 0 {
                r | 0xff << (8 * k)
            } else {
                r
            }
        }),
        (_, _, false) => expand_imm(imm8, 32).wrapping_mul(0x1_0000_0001),
        _ if i.bit(30) => expand_imm(imm8, 64),
        _ => return Lift::Undefined,
    };
    let plain = cmode >= 14;
    let modify = cmode & 1 != 0 && cmode < 12;
    let imm = if op && !plain && !modify { !imm } else { imm };
    let k = s.wide(u128::from(imm) | u128::from(imm) << 64);
    let r = if modify {
        let d = i.d(s);
        s.op2(if op { Op::VAndn } else { Op::VOr }, 64, d, k)
    } else {
        k
    };
    put(s, i, 64, r);
    Lift::Next
}
