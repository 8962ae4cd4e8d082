//! Shifts by immediate.

use super::Form;
use super::eval::{F, shift_fields};
use super::fp;
use super::{integer, lanes, put, put_narrow, put_q, scalar};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::sem::Sem;

pub fn shift_imm<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (u, opcode, immh) = (i.bit(29), i.f(11, 5), i.f(19, 4));
    if immh == 0 {
        return Lift::Undefined;
    }
    let (w, right, left) = shift_fields(F(i.bits));
    let float = matches!(opcode, 0x1c | 0x1f);
    let ok = match opcode {
        0x00 | 0x02 | 0x04 | 0x06 => !scalar(i) || w == 64,
        0x08 => u && (!scalar(i) || w == 64),
        0x0a => !scalar(i) || w == 64,
        0x0c => u,
        0x0e => true,
        0x10 | 0x11 => w < 64 && (u || !scalar(i)),
        0x12 | 0x13 => w < 64,
        0x14 => w < 64 && !scalar(i),
        0x1c | 0x1f => w >= 16,
        _ => false,
    };
    if !ok || (w == 64 && !i.bit(30) && !scalar(i)) {
        return Lift::Undefined;
    }
    if float {
        let a = i.n(s);
        let r = if opcode == 0x1c && w != 16 {
            // From fixed point: dividing by a power of two rounds nothing.
            let a = s.op1(Op::VZext, integer::active(i, w), a);
            let n = i.fp1(s, Op::VFpFromInt, w, a, u64::from(w) | u64::from(!u) << 7);
            let (bias, digits) = if w == 32 { (127, 23) } else { (1023, 52) };
            let k = integer::splat(s, w, u64::from(bias - right) << digits);
            i.fp2(s, Op::VFpMul, w, n, k, 0)
        } else {
            lanes(s, i, fp::fixed, a, a, None)
        };
        put(s, i, w, r);
        return Lift::Next;
    }
    let a = i.n(s);
    let r = match (opcode, u) {
        (0x00, _) => s.op1i(
            if u { Op::VShrU } else { Op::VShrS },
            w,
            a,
            u64::from(right),
        ),
        (0x02, _) => {
            let d = i.d(s);
            let t = s.op1i(
                if u { Op::VShrU } else { Op::VShrS },
                w,
                a,
                u64::from(right),
            );
            s.op2(Op::VAdd, w, d, t)
        }
        (0x0a, false) => s.op1i(Op::VShl, w, a, u64::from(left)),
        // SHRN: shift, narrow.
        (0x10, false) => {
            let t = s.op1i(Op::VShrU, 2 * w, a, u64::from(right));
            let n = s.op1(Op::VNarrow, 2 * w, t);
            return put_narrow(s, i, n);
        }
        // RSHRN, and the saturating ones.
        (0x11, false) => {
            let t = integer::shift_rounded(s, true, 2 * w, a, right);
            let n = s.op1(Op::VNarrow, 2 * w, t);
            return put_narrow(s, i, n);
        }
        (0x10..=0x13, _) => {
            // SQSHRUN and SQRSHRUN shift signed numbers.
            let unsigned = opcode >= 0x12 && u;
            let keep = if scalar(i) { 2 * w } else { 128 };
            let t = if opcode & 1 != 0 {
                integer::shift_rounded(s, unsigned, 2 * w, a, right)
            } else {
                let op = if unsigned { Op::VShrU } else { Op::VShrS };
                s.op1i(op, 2 * w, a, u64::from(right))
            };
            let how = if opcode < 0x12 { 2 } else { u8::from(u) };
            let t = integer::clamp_narrow(s, how, w, keep, t);
            let n = s.op1(Op::VNarrow, 2 * w, t);
            if scalar(i) {
                n
            } else {
                return put_narrow(s, i, n);
            }
        }
        // SRSHR, URSHR, SRSRA, URSRA
        (0x04 | 0x06, _) => {
            let t = integer::shift_rounded(s, u, w, a, right);
            if opcode == 4 {
                t
            } else {
                let d = i.d(s);
                s.op2(Op::VAdd, w, d, t)
            }
        }
        // SRI, SLI: the bits that are not shifted in stay.
        (0x08 | 0x0a, _) => {
            let d = i.d(s);
            let (op, n, m) = if opcode == 8 {
                (Op::VShrU, right, mask(w) >> (right - 1) >> 1)
            } else {
                (Op::VShl, left, mask(w) << left)
            };
            let t = s.op1i(op, w, a, u64::from(n));
            let m = integer::splat(s, w, m);
            let d = s.op2(Op::VAndn, 64, d, m);
            s.op2(Op::VOr, 64, d, t)
        }
        // SQSHLU, SQSHL, UQSHL
        (0x0c, _) => {
            let keep = integer::active(i, w);
            let z = s.wide(0);
            let negative = s.op2(Op::VCmpGtS, w, z, a);
            integer::saturated(s, keep, negative);
            let a = s.op2(Op::VAndn, 64, a, negative);
            integer::shift_left_saturating(s, true, w, keep, a, left)
        }
        (0x0e, _) => {
            let keep = integer::active(i, w);
            integer::shift_left_saturating(s, u, w, keep, a, left)
        }
        (0x14, _) => {
            let t = s.op1i(
                if u { Op::VWidenU } else { Op::VWidenS },
                w,
                a,
                u64::from(i.bit(30)),
            );
            let r = if left == 0 {
                t
            } else {
                s.op1i(Op::VShl, 2 * w, t, u64::from(left))
            };
            return put_q(s, i, r);
        }
        _ => return Lift::Undefined,
    };
    put(s, i, w, r);
    Lift::Next
}
