//! Instructions on the flags: conditional select and compare, and flag manipulation
//! (Arm ARM C4.1, "Conditional select", "Conditional compare", "Rotate right into flags",
//! "Evaluate into flags"; FEAT_FlagM, FEAT_FlagM2).

use super::insn::{Insn, set, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags::{self, Cc};
use crate::ir::sem::Sem;

/// Condition `n` of the current flags (14 and 15: always).
pub fn cond<S: Sem>(s: &mut S, n: u32) -> S::V {
    if n >= 14 {
        return s.konst(1);
    }
    let f = s.get_f();
    s.cc(Cc::from_index(u64::from(n)), f)
}

/// CSEL, CSINC, CSINV, CSNEG.
pub fn csel<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let set_form = i.rn() == 31 && i.rm() == 31 && i.f(12, 4) < 14;
    if set_form && i.bit(10) && !i.bit(30) {
        // CSET: the condition's inverse as a number.
        let c = cond(s, i.f(12, 4) ^ 1);
        set(s, w, i.rd(), c);
        return Lift::Next;
    }
    let b = match (i.bit(30), i.bit(10)) {
        (false, false) => b,
        (false, true) => s.add_k(w, b, 1),
        (true, false) => s.op1(Op::Not, w, b),
        (true, true) => s.op1(Op::Neg, w, b),
    };
    let c = cond(s, i.f(12, 4));
    let r = s.select(w, c, a, b);
    set(s, w, i.rd(), r);
    Lift::Next
}

/// Flags out of an NZCV nibble.
fn flags_of_nibble<S: Sem>(s: &mut S, n: u32) -> S::V {
    let k = s.konst(flags::pack(n & 8 != 0, n & 4 != 0, n & 2 != 0, n & 1 != 0));
    s.op1(Op::FPack, 16, k)
}

/// CCMP and CCMN, register and immediate.
pub fn ccmp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let a = x(s, i.rn());
    let b = if i.bit(11) {
        s.konst(u64::from(i.rm()))
    } else {
        x(s, i.rm())
    };
    let c = cond(s, i.f(12, 4));
    let f = s.op2(if i.bit(30) { Op::FSub } else { Op::FAdd }, w, a, b);
    let r = if i.f(12, 4) >= 14 {
        f
    } else {
        let other = flags_of_nibble(s, i.f(0, 4));
        s.op3(Op::FSelect, 16, f, other, c)
    };
    s.set_f(r);
    Lift::Next
}

/// RMIF: rotate and insert into the flags.
pub fn rmif<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = x(s, i.rn());
    let v = s.shift_k(Op::Ror, 64, v, u64::from(i.f(15, 6)));
    insert_flags(s, v, i.f(0, 4));
    Lift::Next
}

/// Sets those flags that `nibble` selects from an NZCV nibble in `v`.
fn insert_flags<S: Sem>(s: &mut S, v: S::V, nibble: u32) {
    let old = s.get_f();
    let old = s.op1(Op::Pack, 16, old);
    let sel = flags::pack(
        nibble & 8 != 0,
        nibble & 4 != 0,
        nibble & 2 != 0,
        nibble & 1 != 0,
    );
    let new = pack_nibble(s, v);
    let new = s.and_k(16, new, sel);
    let kept = s.and_k(16, old, !sel & flags::MASK);
    let r = s.op2(Op::Or, 16, kept, new);
    let f = s.op1(Op::FPack, 16, r);
    s.set_f(f);
}

/// An NZCV nibble (bits 3-0 of `v`) in the flags packing.
pub fn pack_nibble<S: Sem>(s: &mut S, v: S::V) -> S::V {
    let nz = s.and_k(64, v, 12);
    let nz = s.shift_k(Op::Shl, 64, nz, 12);
    let c = s.and_k(64, v, 2);
    let c = s.shift_k(Op::Shl, 64, c, 7);
    let o = s.and_k(64, v, 1);
    let r = s.op2(Op::Or, 64, nz, c);
    s.op2(Op::Or, 64, r, o)
}

/// The reverse: packed flags as an NZCV nibble.
pub fn unpack_nibble<S: Sem>(s: &mut S, p: S::V) -> S::V {
    let nz = s.shift_k(Op::Shr, 64, p, 12);
    let nz = s.and_k(64, nz, 12);
    let c = s.shift_k(Op::Shr, 64, p, 7);
    let c = s.and_k(64, c, 2);
    let o = s.and_k(64, p, 1);
    let r = s.op2(Op::Or, 64, nz, c);
    s.op2(Op::Or, 64, r, o)
}

/// SETF8, SETF16: N, Z and V of a narrow result; C stays.
pub fn setf<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w: u64 = if i.bit(14) { 16 } else { 8 };
    let v = x(s, i.rn());
    let n = s.shift_k(Op::Shr, 64, v, w - 1);
    let n = s.and_k(64, n, 1);
    let z = s.is_zero(w as u8, v);
    let top = s.shift_k(Op::Shr, 64, v, w);
    let o = s.op2(Op::Xor, 64, n, top);
    let o = s.and_k(64, o, 1);
    let n = s.shift_k(Op::Shl, 64, n, 3);
    let z = s.shift_k(Op::Shl, 64, z, 2);
    let r = s.op2(Op::Or, 64, n, z);
    let r = s.op2(Op::Or, 64, r, o);
    insert_flags(s, r, 0b1101);
    Lift::Next
}

/// CFINV, XAFLAG, AXFLAG.
pub fn flag_form<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let f = s.get_f();
    let c = s.cc(Cc::Cs, f);
    let z = s.cc(Cc::Eq, f);
    let (n, zz, cc, v) = match i.f(5, 3) {
        0 => {
            let p = s.op1(Op::Pack, 16, f);
            let k = s.konst(flags::C);
            let p = s.op2(Op::Xor, 16, p, k);
            let f = s.op1(Op::FPack, 16, p);
            s.set_f(f);
            return Lift::Next;
        }
        1 => {
            // XAFLAG: from the alternative format.
            let one = s.konst(1);
            let (nc, nz) = (s.op2(Op::Xor, 64, c, one), s.op2(Op::Xor, 64, z, one));
            (
                s.op2(Op::And, 64, nc, nz),
                s.op2(Op::And, 64, z, c),
                s.op2(Op::Or, 64, c, z),
                s.op2(Op::And, 64, nc, z),
            )
        }
        _ => {
            // AXFLAG: to the alternative format.
            let v = s.cc(Cc::Vs, f);
            let one = s.konst(1);
            let nv = s.op2(Op::Xor, 64, v, one);
            let zero = s.konst(0);
            (
                zero,
                s.op2(Op::Or, 64, z, v),
                s.op2(Op::And, 64, c, nv),
                zero,
            )
        }
    };
    let n = s.shift_k(Op::Shl, 64, n, 15);
    let zz = s.shift_k(Op::Shl, 64, zz, 14);
    let cc = s.shift_k(Op::Shl, 64, cc, 8);
    let r = s.op2(Op::Or, 64, n, zz);
    let r = s.op2(Op::Or, 64, r, cc);
    let r = s.op2(Op::Or, 64, r, v);
    let f = s.op1(Op::FPack, 16, r);
    s.set_f(f);
    Lift::Next
}
