//! Advanced SIMD data processing: what AArch64 shares with AArch32 is in [`crate::simd`].

use super::insn::{Insn, set, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::integer::splat;
use crate::simd::{self, Form, put, put_q, scalar};

/// Lifters for the table.
macro_rules! shared {
    ($($name:ident)*) => {
        $(pub fn $name<S: Sem>(s: &mut S, i: Insn) -> Lift {
            simd::$name(s, Form::whole(i.bits))
        })*
    };
}

shared! {
    ext permute mod_imm three_same three_extra three_same_half three_different two_misc two_misc_half
    across pairwise_scalar by_element shift_imm aes sha_three sha_two
}

fn v<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(n as u16)
}

/// DUP, SMOV, UMOV, INS and the scalar DUP.
pub fn copy<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let i = Form::whole(i.bits);
    let imm5 = i.f(16, 5);
    if imm5 & 15 == 0 {
        return Lift::Undefined;
    }
    let size = imm5.trailing_zeros();
    let (w, n) = (8u8 << size, u64::from(imm5 >> (size + 1)));
    if scalar(i) {
        let a = i.n(s);
        let r = s.op1i(Op::VDupLane, w, a, n);
        put(s, i, w, r);
        return Lift::Next;
    }
    if i.bit(29) {
        // INS (element)
        if !i.bit(30) {
            return Lift::Undefined;
        }
        let (a, d) = (i.n(s), i.d(s));
        let g = s.op1i(Op::VGet, w, a, u64::from(i.f(11, 4) >> size));
        let r = s.op2i(Op::VIns, w, d, g, n);
        return put_q(s, i, r);
    }
    match i.f(11, 4) {
        0 | 1 => {
            if w == 64 && !i.bit(30) {
                return Lift::Undefined;
            }
            let r = if i.f(11, 4) == 0 {
                let a = i.n(s);
                s.op1i(Op::VDupLane, w, a, n)
            } else {
                let a = x(s, i.rn());
                s.op1(Op::VDupG, w, a)
            };
            put(s, i, w, r);
        }
        3 => {
            if !i.bit(30) {
                return Lift::Undefined;
            }
            let (a, d) = (x(s, i.rn()), i.d(s));
            let r = s.op2i(Op::VIns, w, d, a, n);
            return put_q(s, i, r);
        }
        5 => {
            let to = if i.bit(30) { 64 } else { 32 };
            if w >= to {
                return Lift::Undefined;
            }
            let a = i.n(s);
            let g = s.op1i(Op::VGet, w, a, n);
            let r = s.op1(Op::Sext, w, g);
            set(s, to, i.rd(), r);
        }
        7 => {
            if i.bit(30) != (w == 64) {
                return Lift::Undefined;
            }
            let a = i.n(s);
            let r = s.op1i(Op::VGet, w, a, n);
            set(s, 64, i.rd(), r);
        }
        _ => return Lift::Undefined,
    }
    Lift::Next
}

pub fn tbl<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let len = i.f(13, 2) + 1;
    let idx = v(s, i.rm());
    let a = v(s, i.rn());
    let mut r = s.op2(Op::VTbl1, 8, a, idx);
    for n in 1..len {
        // What is below 16 n wraps to a number past the table.
        let a = v(s, (i.rn() + n) % 32);
        let k = splat(s, 8, 16 * u64::from(n));
        let k = s.op2(Op::VSub, 8, idx, k);
        let t = s.op2(Op::VTbl1, 8, a, k);
        r = s.op2(Op::VOr, 64, r, t);
    }
    if i.bit(12) {
        // TBX keeps the bytes whose index is too large.
        let d = v(s, i.rd());
        let k = splat(s, 8, 16 * u64::from(len));
        let inside = s.op2(Op::VCmpGtU, 8, k, idx);
        r = s.op3(Op::VBsl, 64, r, d, inside);
    }
    put(s, Form::whole(i.bits), 64, r);
    Lift::Next
}
