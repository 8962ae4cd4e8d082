//! Shifts by immediate.

use super::super::MODE_FP_EXOTIC;
use super::super::insn::Insn;
use super::super::simd_eval::{self as ev, F};
use super::super::simd_fp as fp;
use super::{lanes, put, put_q, scalar, v};
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

pub fn shift_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, opcode, immh) = (i.bit(29), i.f(11, 5), i.f(19, 4));
    if immh == 0 {
        return Lift::Undefined;
    }
    let (w, right, left) = ev::shift_fields(F(i.bits));
    let long = matches!(opcode, 0x10..=0x14);
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
        if w == 16 || i.mode & MODE_FP_EXOTIC != 0 {
            return Lift::Unlifted;
        }
        let a = v(s, i.rn());
        let r = lanes(s, i, fp::fixed, a, a, None);
        put(s, i, w, r);
        return Lift::Next;
    }
    let a = v(s, i.rn());
    let r = match (opcode, u) {
        (0x00, _) => s.op1i(
            if u { Op::VShrU } else { Op::VShrS },
            w,
            a,
            u64::from(right),
        ),
        (0x02, _) => {
            let d = v(s, i.rd());
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
            if i.bit(30) {
                let d = v(s, i.rd());
                let r = s.op2(Op::VZip1, 64, d, n);
                return put_q(s, i, r);
            }
            return put_q(s, i, n);
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
        _ => {
            let d = v(s, i.rd());
            let mut j = i;
            let a = if scalar(i) {
                j.bits &= !(1 << 30);
                s.op1(Op::VZext, if long { 2 * w } else { w }, a)
            } else if !i.bit(30) && !long {
                s.op1(Op::VZext, 64, a)
            } else {
                a
            };
            let r = lanes(s, j, ev::shift_imm, a, d, None);
            if long && !scalar(i) {
                return put_q(s, i, r);
            }
            r
        }
    };
    put(s, i, w, r);
    Lift::Next
}
