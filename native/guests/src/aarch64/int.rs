//! Integer data processing (Arm ARM C4.1, "Data Processing -- Immediate" and
//! "-- Register").

use super::insn::{Insn, set, set_sp, x, xsp};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::flags::Cc;
use crate::ir::sem::Sem;

pub fn adr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let imm = i.sf_imm(5, 19) << 2 | i64::from(i.f(29, 2));
    let v = if i.bit(31) {
        (i.pc & !0xfff).wrapping_add((imm << 12) as u64)
    } else {
        i.target(imm)
    };
    let v = s.konst(v);
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// The common end of additions and subtractions.
fn add_sub<S: Sem>(s: &mut S, i: Insn, a: S::V, b: S::V) {
    let w = i.sf();
    let (op, fop) = if i.bit(30) {
        (Op::Sub, Op::FSub)
    } else {
        (Op::Add, Op::FAdd)
    };
    if i.bit(29) {
        let f = s.op2(fop, w, a, b);
        if i.rd() != 31 {
            let r = s.op2(op, w, a, b);
            set(s, w, i.rd(), r);
        }
        s.set_f(f);
    } else {
        let r = s.op2(op, w, a, b);
        set_sp(s, w, i.rd(), r);
    }
}

pub fn add_sub_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let imm = u64::from(i.f(10, 12)) << if i.bit(22) { 12 } else { 0 };
    let (a, b) = (xsp(s, i.rn()), s.konst(imm));
    add_sub(s, i, a, b);
    Lift::Next
}

/// A register operand with a shift by a constant.
fn shifted<S: Sem>(s: &mut S, i: Insn) -> Option<S::V> {
    let (w, n) = (i.sf(), i.f(10, 6));
    if w == 32 && n >= 32 {
        return None;
    }
    let v = x(s, i.rm());
    let op = [Op::Shl, Op::Shr, Op::Sar, Op::Ror][i.f(22, 2) as usize];
    Some(if n == 0 {
        v
    } else {
        s.shift_k(op, w, v, u64::from(n))
    })
}

pub fn add_sub_shifted<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(22, 2) == 3 {
        return Lift::Undefined;
    }
    let Some(b) = shifted(s, i) else {
        return Lift::Undefined;
    };
    let a = x(s, i.rn());
    if i.bit(29) || i.rd() != 31 {
        add_sub(s, i, a, b);
    }
    Lift::Next
}

/// A register operand, extended and shifted (0-4).
pub fn extended<S: Sem>(s: &mut S, rm: u32, option: u32, shift: u32) -> S::V {
    let v = x(s, rm);
    let w = 8u8 << (option & 3);
    let v = match option {
        _ if w == 64 => v,
        0..=3 => s.op1(Op::Zext, w, v),
        _ => s.op1(Op::Sext, w, v),
    };
    s.shift_k(Op::Shl, 64, v, u64::from(shift))
}

pub fn add_sub_extended<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(10, 3) > 4 {
        return Lift::Undefined;
    }
    let b = extended(s, i.rm(), i.f(13, 3), i.f(10, 3));
    let a = xsp(s, i.rn());
    add_sub(s, i, a, b);
    Lift::Next
}

pub fn adc_sbc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let (a, mut b) = (x(s, i.rn()), x(s, i.rm()));
    if i.bit(30) {
        b = s.op1(Op::Not, w, b);
    }
    let f = s.get_f();
    let c = s.cc(Cc::Cs, f);
    let r = s.op2(Op::Add, w, a, b);
    let r = s.op2(Op::Add, w, r, c);
    let f = s.op3(Op::FAdc, w, a, b, c);
    set(s, w, i.rd(), r);
    if i.bit(29) {
        s.set_f(f);
    }
    Lift::Next
}

/// DecodeBitMasks (Arm ARM, shared pseudocode): the wmask of a logical immediate.
pub fn bit_mask(n: u32, immr: u32, imms: u32, w: u8) -> Option<u64> {
    let len = 31 - (n << 6 | (!imms & 0x3f)).leading_zeros().min(31);
    if len < 1 || (n << 6 | (!imms & 0x3f)) == 0 || (w == 32 && n == 1) {
        return None;
    }
    let levels = (1u32 << len) - 1;
    let (s, r) = (imms & levels, immr & levels);
    if s == levels {
        return None;
    }
    let size = 1u32 << len;
    let ones = mask(s as u8 + 1);
    let elem = if r == 0 {
        ones
    } else {
        (ones >> r | ones << (size - r)) & mask(size as u8)
    };
    let mut v = elem;
    let mut have = size;
    while have < 64 {
        v |= v << have;
        have *= 2;
    }
    Some(v & mask(w))
}

fn logical<S: Sem>(s: &mut S, i: Insn, op: Op, b: S::V, to_sp: bool) {
    let w = i.sf();
    let a = x(s, i.rn());
    let r = s.op2(op, w, a, b);
    if i.f(29, 2) == 3 {
        set(s, w, i.rd(), r);
        let f = s.op1(Op::FLogic, w, r);
        s.set_f(f);
    } else if to_sp {
        set_sp(s, w, i.rd(), r);
    } else {
        set(s, w, i.rd(), r);
    }
}

pub fn logical_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(m) = bit_mask(i.f(22, 1), i.f(16, 6), i.f(10, 6), i.sf()) else {
        return Lift::Undefined;
    };
    let b = s.konst(m);
    let op = [Op::And, Op::Or, Op::Xor, Op::And][i.f(29, 2) as usize];
    logical(s, i, op, b, true);
    Lift::Next
}

pub fn logical_shifted<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(b) = shifted(s, i) else {
        return Lift::Undefined;
    };
    let ops = if i.bit(21) {
        [Op::Andn, Op::Orn, Op::Xorn, Op::Andn]
    } else {
        [Op::And, Op::Or, Op::Xor, Op::And]
    };
    logical(s, i, ops[i.f(29, 2) as usize], b, false);
    Lift::Next
}

pub fn mov_wide<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, sh) = (i.sf(), i.f(21, 2) * 16);
    if w == 32 && sh >= 32 {
        return Lift::Undefined;
    }
    let imm = u64::from(i.f(5, 16)) << sh;
    let v = match i.f(29, 2) {
        0 => s.konst(!imm & mask(w)),
        2 => s.konst(imm),
        _ => {
            let old = x(s, i.rd());
            let kept = s.and_k(w, old, !(0xffff << sh) & mask(w));
            let k = s.konst(imm);
            s.op2(Op::Or, w, kept, k)
        }
    };
    set(s, w, i.rd(), v);
    Lift::Next
}

pub fn bitfield<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let (r, t) = (i.f(16, 6), i.f(10, 6));
    if i.bit(22) != (w == 64) || (w == 32 && (r | t) >= 32) {
        return Lift::Undefined;
    }
    let opc = i.f(29, 2);
    let src = x(s, i.rn());
    let bits = u32::from(w);
    // The field: `len` bits from bit `from` of the source go to bit `to`.
    let (len, from, to) = if t >= r {
        (t - r + 1, r, 0)
    } else {
        (t + 1, 0, bits - r)
    };
    let v = match opc {
        1 => {
            let field = mask(len as u8) << to & mask(w);
            let old = x(s, i.rd());
            let kept = s.and_k(w, old, !field & mask(w));
            let moved = if from > 0 {
                s.shift_k(Op::Shr, w, src, u64::from(from))
            } else {
                s.shift_k(Op::Shl, w, src, u64::from(to))
            };
            let moved = s.and_k(w, moved, field);
            s.op2(Op::Or, w, kept, moved)
        }
        0 if len == bits - from && to == 0 => s.shift_k(Op::Sar, w, src, u64::from(from)),
        0 if from == 0 && to == 0 && matches!(len, 8 | 16 | 32) => s.op1(Op::Sext, len as u8, src),
        0 => {
            let up = s.shift_k(Op::Shl, w, src, u64::from(bits - len - from));
            s.shift_k(Op::Sar, w, up, u64::from(bits - len - to))
        }
        _ if len == bits - from && to == 0 => s.shift_k(Op::Shr, w, src, u64::from(from)),
        _ if from == 0 && len == bits - to => s.shift_k(Op::Shl, w, src, u64::from(to)),
        _ if from == 0 && to == 0 && matches!(len, 8 | 16) => s.op1(Op::Zext, len as u8, src),
        _ if to == 0 => {
            let v = s.shift_k(Op::Shr, w, src, u64::from(from));
            s.and_k(w, v, mask(len as u8))
        }
        _ => {
            let v = s.and_k(w, src, mask(len as u8));
            s.shift_k(Op::Shl, w, v, u64::from(to))
        }
    };
    set(s, w, i.rd(), v);
    Lift::Next
}

pub fn extr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, n) = (i.sf(), i.f(10, 6));
    if i.bit(22) != (w == 64) || (w == 32 && n >= 32) {
        return Lift::Undefined;
    }
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let r = if i.rn() == i.rm() {
        s.shift_k(Op::Ror, w, a, u64::from(n))
    } else {
        s.op2i(Op::Extr, w, a, b, u64::from(n))
    };
    set(s, w, i.rd(), r);
    Lift::Next
}

pub fn madd<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let p = s.op2(Op::Mul, w, a, b);
    let r = if i.ra() == 31 && !i.bit(15) {
        p
    } else {
        let acc = x(s, i.ra());
        s.op2(if i.bit(15) { Op::Sub } else { Op::Add }, w, acc, p)
    };
    set(s, w, i.rd(), r);
    Lift::Next
}

/// SMADDL, SMSUBL, UMADDL, UMSUBL.
pub fn maddl<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let ext = if i.bit(23) { Op::Zext } else { Op::Sext };
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let (a, b) = (s.op1(ext, 32, a), s.op1(ext, 32, b));
    let p = s.op2(Op::Mul, 64, a, b);
    let acc = x(s, i.ra());
    let r = s.op2(if i.bit(15) { Op::Sub } else { Op::Add }, 64, acc, p);
    set(s, 64, i.rd(), r);
    Lift::Next
}

pub fn mulh<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let r = s.op2(if i.bit(23) { Op::MulHiU } else { Op::MulHiS }, 64, a, b);
    set(s, 64, i.rd(), r);
    Lift::Next
}

/// UDIV, SDIV, LSLV, LSRV, ASRV, RORV.
pub fn two_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let op = match i.f(10, 6) {
        2 => Op::UDiv,
        3 => Op::SDiv,
        8 => Op::Shl,
        9 => Op::Shr,
        10 => Op::Sar,
        _ => Op::Ror,
    };
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let r = s.op2(op, w, a, b);
    set(s, w, i.rd(), r);
    Lift::Next
}

fn crc(acc: u32, v: u64, bytes: u32, poly: u32) -> u32 {
    let mut r = acc;
    for k in 0..bytes {
        r ^= (v >> (8 * k)) as u8 as u32;
        for _ in 0..8 {
            r = r >> 1 ^ if r & 1 != 0 { poly } else { 0 };
        }
    }
    r
}

pub fn crc32<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let size = i.f(10, 2);
    if i.bit(31) != (size == 3) {
        return Lift::Undefined;
    }
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let r = s.call(
        |_, a, b, _, imm| {
            // The polynomials bit-reversed: ISO 3309 and Castagnoli.
            let poly = if imm & 4 != 0 {
                0x82f6_3b78
            } else {
                0xedb8_8320
            };
            u128::from(crc(a as u32, b as u64, 1 << (imm & 3), poly))
        },
        [Some(a), Some(b), None],
        u64::from(i.f(10, 3)),
    );
    set(s, 32, i.rd(), r);
    Lift::Next
}

/// RBIT, REV16, REV, REV32, CLZ, CLS, CTZ, CNT.
pub fn one_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let a = x(s, i.rn());
    let r = match (i.f(10, 6), w) {
        (0, _) => s.op1(Op::Rbit, w, a),
        (1, _) => s.op1i(Op::RevIn, w, a, 16),
        (2, 32) | (3, 64) => s.op1(Op::Rev, w, a),
        (2, _) => s.op1i(Op::RevIn, w, a, 32),
        (4, _) => s.op1(Op::Clz, w, a),
        (5, _) => s.op1(Op::Cls, w, a),
        // FEAT_CSSC
        (6, _) => s.op1(Op::Ctz, w, a),
        (7, _) => s.op1(Op::Popcnt, w, a),
        _ => return Lift::Undefined,
    };
    set(s, w, i.rd(), r);
    Lift::Next
}

/// ABS (FEAT_CSSC).
pub fn abs<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = i.sf();
    let a = x(s, i.rn());
    let f = s.op1(Op::FLogic, w, a);
    let negative = s.cc(Cc::Mi, f);
    let n = s.op1(Op::Neg, w, a);
    let r = s.select(w, negative, n, a);
    set(s, w, i.rd(), r);
    Lift::Next
}

/// SMAX, UMAX, SMIN, UMIN: `kind` is in this order.
fn extreme<S: Sem>(s: &mut S, i: Insn, kind: u32, b: S::V) -> Lift {
    let w = i.sf();
    let a = x(s, i.rn());
    let f = s.op2(Op::FSub, w, a, b);
    let cc = [Cc::Gt, Cc::Hi, Cc::Lt, Cc::Cc][kind as usize & 3];
    let first = s.cc(cc, f);
    let r = s.select(w, first, a, b);
    set(s, w, i.rd(), r);
    Lift::Next
}

pub fn extreme_reg<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let b = x(s, i.rm());
    extreme(s, i, i.f(10, 2), b)
}

pub fn extreme_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let kind = i.f(18, 2);
    let k = match kind & 1 {
        0 => i.sf_imm(10, 8) as u64 & mask(i.sf()),
        _ => u64::from(i.f(10, 8)),
    };
    let b = s.konst(k);
    extreme(s, i, kind, b)
}
