//! Two registers.

use super::Form;
use super::eval as ev;
use super::{float, integer, lanes, put, put_narrow, put_q, scalar};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

pub fn two_misc<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 5));
    let w = 8u8 << size;
    let q = i.bit(30);
    if (0x0c..=0x0f).contains(&opcode) || opcode >= 0x16 {
        return float::two_misc(s, i);
    }
    let d64 = w == 64 && !q && !scalar(i);
    let ok = match opcode {
        0x00 => !scalar(i) && if u { size < 2 } else { size < 3 },
        0x01 => !scalar(i) && !u && size == 0,
        0x02 | 0x06 => !scalar(i) && size < 3,
        0x03 | 0x07 => !d64,
        0x04 => !scalar(i) && size < 3,
        0x05 => !scalar(i) && if u { size < 2 } else { size == 0 },
        0x08 | 0x09 => !d64 && (!scalar(i) || size == 3),
        0x0a | 0x0b => !d64 && (!scalar(i) || size == 3) && (opcode == 0x0b || !u),
        0x12 => size < 3 && (u || !scalar(i)),
        0x13 => u && size < 3 && !scalar(i),
        0x14 => size < 3,
        _ => false,
    };
    if !ok {
        return Lift::Undefined;
    }
    let a = i.n(s);
    let r = match (opcode, u) {
        (0x00 | 0x01, _) => {
            let group = match (opcode, u) {
                (0, false) => 64,
                (0, true) => 32,
                _ => 16,
            };
            s.op1i(Op::VRev, w, a, group)
        }
        (0x05, false) => s.op1(Op::VPopcnt, 8, a),
        (0x05, true) if size == 0 => s.op1(Op::VNot, 64, a),
        (0x05, true) => integer::reverse_bits(s, a),
        (0x04, true) => integer::leading_zeros(s, w, a),
        // CLS: where neighbouring bits differ first.
        (0x04, false) => {
            let t = s.op1i(Op::VShrS, w, a, 1);
            let x = s.op2(Op::VXor, 64, a, t);
            let n = integer::leading_zeros(s, w, x);
            let one = integer::splat(s, w, 1);
            s.op2(Op::VSub, w, n, one)
        }
        (0x08..=0x0a, _) => {
            let z = s.wide(0);
            match (opcode, u) {
                (8, false) => s.op2(Op::VCmpGtS, w, a, z),
                (8, true) => s.op2(Op::VCmpGeS, w, a, z),
                (9, false) => s.op2(Op::VCmpEq, w, a, z),
                (9, true) => s.op2(Op::VCmpGeS, w, z, a),
                _ => s.op2(Op::VCmpGtS, w, z, a),
            }
        }
        (0x0b, _) => s.op1(if u { Op::VNeg } else { Op::VAbs }, w, a),
        // SADDLP, UADDLP, SADALP, UADALP.
        (0x02 | 0x06, _) => {
            let r = s.op1(if u { Op::VPairU } else { Op::VPairS }, w, a);
            if opcode == 2 {
                r
            } else {
                let d = i.d(s);
                s.op2(Op::VAdd, 2 * w, d, r)
            }
        }
        // SQABS, SQNEG
        (0x07, _) => {
            let r = s.op1(if u { Op::VNeg } else { Op::VAbs }, w, a);
            let least = integer::splat(s, w, 1 << (w - 1));
            let wrapped = s.op2(Op::VCmpEq, w, a, least);
            integer::saturated(s, integer::active(i, w), wrapped);
            s.op2(Op::VXor, 64, r, wrapped)
        }
        (0x12, false) => {
            let n = s.op1(Op::VNarrow, 2 * w, a);
            return put_narrow(s, i, n);
        }
        // SQXTUN, SQXTN, UQXTN
        (0x12 | 0x14, _) => {
            let how = if opcode == 0x12 { 2 } else { u8::from(u) };
            let keep = if scalar(i) { 2 * w } else { 128 };
            let r = integer::clamp_narrow(s, how, w, keep, a);
            let n = s.op1(Op::VNarrow, 2 * w, r);
            if scalar(i) {
                n
            } else {
                return put_narrow(s, i, n);
            }
        }
        // SHLL
        (0x13, _) => {
            let r = s.op1i(Op::VWidenU, w, a, u64::from(q));
            let r = s.op1i(Op::VShl, 2 * w, r, u64::from(w));
            return put_q(s, i, r);
        }
        _ => {
            let d = i.d(s);
            let keep = integer::active(i, w);
            let (a, d) = (s.op1(Op::VZext, keep, a), s.op1(Op::VZext, keep, d));
            lanes(s, i, ev::two_misc, a, d, None)
        }
    };
    put(s, i, w, r);
    Lift::Next
}
