//! Advanced SIMD data processing: the frequent forms as IR, the others lane by
//! lane through `simd_eval` and `simd_fp`. Scalar forms (bit 28) work on lane 0.

use super::MODE_FP_EXOTIC;
use super::fp::expand_imm;
use super::insn::{Insn, set, x};
use super::simd_eval::{self as ev, F};
use super::simd_fp as fp;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::ir::state::Helper;

fn v<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(n as u16)
}

/// Writes a result of the instruction's size: a scalar of `w` bits, a D or a Q register.
fn put<S: Sem>(s: &mut S, i: Insn, w: u8, r: S::V) {
    let r = match (i.bit(28), i.bit(30)) {
        (true, _) => s.op1(Op::VZext, w, r),
        (_, false) => s.op1(Op::VZext, 64, r),
        _ => r,
    };
    s.set_x(i.rd() as u16, r);
}

/// Writes a whole register, whatever Q is.
fn put_q<S: Sem>(s: &mut S, i: Insn, r: S::V) -> Lift {
    s.set_x(i.rd() as u16, r);
    Lift::Next
}

/// Through a helper that gets the instruction word.
fn lanes<S: Sem>(s: &mut S, i: Insn, h: Helper, a: S::V, b: S::V, c: Option<S::V>) -> S::V {
    s.call_x(h, [Some(a), Some(b), c], u64::from(i.bits))
}

fn scalar(i: Insn) -> bool {
    i.bit(28)
}

/// AND, BIC, ORR, ORN, EOR, BSL, BIT, BIF.
fn logic<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    let r = match (i.bit(29), i.f(22, 2)) {
        (false, 0) => s.op2(Op::VAnd, 64, a, b),
        (false, 1) => s.op2(Op::VAndn, 64, a, b),
        (false, 2) if i.rn() == i.rm() => a,
        (false, 2) => s.op2(Op::VOr, 64, a, b),
        (false, _) => s.op2(Op::VOrn, 64, a, b),
        (true, 0) if i.rn() == i.rm() => s.wide(0),
        (true, 0) => s.op2(Op::VXor, 64, a, b),
        (true, n) => {
            let d = v(s, i.rd());
            match n {
                1 => s.op3(Op::VBsl, 64, a, b, d),
                2 => s.op3(Op::VBsl, 64, a, d, b),
                _ => s.op3(Op::VBsl, 64, d, a, b),
            }
        }
    };
    put(s, i, 64, r);
    Lift::Next
}

/// The D form of an operation that pairs up lanes of a:b: both halves in one register.
fn joined<S: Sem>(s: &mut S, a: S::V, b: S::V) -> S::V {
    s.op2(Op::VZip1, 64, a, b)
}

pub fn three_same<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(11, 5));
    let w = 8u8 << size;
    if opcode == 3 {
        return if scalar(i) {
            Lift::Undefined
        } else {
            logic(s, i)
        };
    }
    if opcode >= 0x18 {
        return three_same_fp(s, i);
    }
    // What exists: 64-bit lanes in Q only, some operations not for all sizes, few for scalars.
    let only_vector = matches!(opcode, 0x00 | 0x02 | 0x04 | 0x0c..=0x0f | 0x12..=0x15 | 0x17);
    let no_64 = matches!(
        opcode,
        0x00 | 0x02 | 0x04 | 0x0c..=0x0f | 0x12 | 0x14 | 0x15
    ) || opcode == 0x13;
    if (scalar(i) && only_vector)
        || (w == 64 && (no_64 || (!scalar(i) && !i.bit(30))))
        || (opcode == 0x13 && u && size != 0)
        || (opcode == 0x16 && (w == 8 || w == 64))
        || (opcode == 0x17 && u)
        || (scalar(i) && w != 64 && matches!(opcode, 0x06 | 0x07 | 0x08 | 0x0a | 0x10 | 0x11))
    {
        return Lift::Undefined;
    }
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    let direct = match (opcode, u) {
        (0x06, false) => Some(Op::VCmpGtS),
        (0x06, true) => Some(Op::VCmpGtU),
        (0x07, false) => Some(Op::VCmpGeS),
        (0x07, true) => Some(Op::VCmpGeU),
        (0x0c, false) => Some(Op::VMaxS),
        (0x0c, true) => Some(Op::VMaxU),
        (0x0d, false) => Some(Op::VMinS),
        (0x0d, true) => Some(Op::VMinU),
        (0x10, false) => Some(Op::VAdd),
        (0x10, true) => Some(Op::VSub),
        (0x11, true) => Some(Op::VCmpEq),
        (0x13, false) => Some(Op::VMul),
        _ => None,
    };
    let r = if let Some(op) = direct {
        s.op2(op, w, a, b)
    } else {
        match (opcode, u) {
            // CMTST: not (a & b == 0)
            (0x11, _) => {
                let m = s.op2(Op::VAnd, 64, a, b);
                let z = s.wide(0);
                let e = s.op2(Op::VCmpEq, w, m, z);
                s.op1(Op::VNot, 64, e)
            }
            (0x12, _) => {
                let d = v(s, i.rd());
                let p = s.op2(Op::VMul, w, a, b);
                s.op2(if u { Op::VSub } else { Op::VAdd }, w, d, p)
            }
            (0x14 | 0x15, true) | (0x17, _) => {
                let op = match opcode {
                    0x14 => Op::VMaxPU,
                    0x15 => Op::VMinPU,
                    _ => Op::VAddP,
                };
                if i.bit(30) {
                    s.op2(op, w, a, b)
                } else {
                    let j = joined(s, a, b);
                    s.op2(op, w, j, j)
                }
            }
            _ => {
                let d = v(s, i.rd());
                // Scalars must not see other lanes: saturation would set QC.
                let (a, b) = if scalar(i) {
                    (s.op1(Op::VZext, w, a), s.op1(Op::VZext, w, b))
                } else if !i.bit(30) && !matches!(opcode, 0x14 | 0x15) {
                    (s.op1(Op::VZext, 64, a), s.op1(Op::VZext, 64, b))
                } else {
                    (a, b)
                };
                lanes(s, i, ev::three_same, a, b, Some(d))
            }
        }
    };
    put(s, i, w, r);
    Lift::Next
}

fn three_same_fp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, second, opcode) = (i.bit(29), i.bit(23), i.f(11, 5));
    let w = if i.bit(22) { 64 } else { 32 };
    let exists = match (opcode, u, second) {
        (0x18 | 0x1e, _, _) => !scalar(i),
        (0x19, false, _) => !scalar(i),
        (0x1a, true, true) => true,
        (0x1a, _, _) => !scalar(i),
        (0x1b, false, false) => true,
        (0x1b, true, false) => !scalar(i),
        (0x1c, false, false) | (0x1c | 0x1d, true, _) => true,
        (0x1f, false, _) => true,
        (0x1f, true, false) => !scalar(i),
        // FMLAL, FMLSL.
        (0x19, true, _) | (0x1d, false, _) if !scalar(i) => return Lift::Unlifted,
        _ => false,
    };
    if !exists || (w == 64 && !scalar(i) && !i.bit(30)) {
        return Lift::Undefined;
    }
    if i.mode & MODE_FP_EXOTIC != 0 {
        return Lift::Unlifted;
    }
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    let fast = match (opcode, u, second) {
        (0x1a, false, false) => Some(Op::VFpAdd),
        (0x1a, false, true) => Some(Op::VFpSub),
        (0x1b, true, false) => Some(Op::VFpMul),
        (0x1f, true, false) if i.bit(30) => Some(Op::VFpDiv),
        _ => None,
    };
    let half = !i.bit(30) && !scalar(i);
    let low = |s: &mut S, a| if half { s.op1(Op::VZext, 64, a) } else { a };
    let r = if let Some(op) = fast {
        let (a, b) = (low(s, a), low(s, b));
        s.op2(op, w, a, b)
    } else if opcode == 0x19 {
        let (mut a, b) = (low(s, a), low(s, b));
        let d = v(s, i.rd());
        let d = low(s, d);
        if second {
            let m = if w == 64 {
                0x8000_0000_0000_0000_8000_0000_0000_0000
            } else {
                0x8000_0000_8000_0000_8000_0000_8000_0000
            };
            let m = s.wide(m);
            a = s.op2(Op::VXor, 64, a, m);
            // The upper lanes are -0 * 0 + 0 then: no exception.
        }
        s.op3(Op::VFpFma, w, a, b, d)
    } else {
        let d = v(s, i.rd());
        lanes(s, i, fp::three_same, a, b, Some(d))
    };
    put(s, i, w, r);
    Lift::Next
}

/// SQRDMLAH, SQRDMLSH, SDOT, UDOT; FCMLA, FCADD and the later ones have no lifter.
pub fn three_extra<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(11, 4));
    let ok = match opcode {
        0 | 1 => u && (size == 1 || size == 2),
        2 => size == 2 && !scalar(i),
        _ => return Lift::Unlifted,
    };
    if !ok {
        return Lift::Undefined;
    }
    let (a, b, d) = (v(s, i.rn()), v(s, i.rm()), v(s, i.rd()));
    let w = 8 << size;
    let keep = if scalar(i) {
        w
    } else if i.bit(30) {
        128
    } else {
        64
    };
    let (a, b) = (s.op1(Op::VZext, keep, a), s.op1(Op::VZext, keep, b));
    let d = s.op1(Op::VZext, keep, d);
    let r = lanes(s, i, ev::three_extra, a, b, Some(d));
    put(s, i, w, r);
    Lift::Next
}

pub fn three_different<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 4));
    let doubling = matches!(opcode, 9 | 11 | 13);
    let ok = match opcode {
        9 | 11 | 13 => !u && (size == 1 || size == 2),
        14 => !u && (size == 0 || size == 3) && !scalar(i),
        15 => false,
        _ => size != 3 && !scalar(i),
    };
    if !ok {
        return Lift::Undefined;
    }
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
    three_different_of(s, i, a, b, doubling)
}

fn three_different_of<S: Sem>(s: &mut S, i: Insn, a: S::V, b: S::V, doubling: bool) -> Lift {
    let (u, opcode) = (i.bit(29), i.f(12, 4));
    let w = 8u8 << i.f(22, 2);
    let widen = |s: &mut S, a| {
        s.op1i(
            if u { Op::VWidenU } else { Op::VWidenS },
            w,
            a,
            u64::from(i.bit(30)),
        )
    };
    let fast = match opcode {
        0 | 2 => {
            let (a, b) = (widen(s, a), widen(s, b));
            Some(s.op2(if opcode == 0 { Op::VAdd } else { Op::VSub }, 2 * w, a, b))
        }
        1 | 3 => {
            let b = widen(s, b);
            Some(s.op2(if opcode == 1 { Op::VAdd } else { Op::VSub }, 2 * w, a, b))
        }
        8 | 10 | 12 if w < 32 => {
            let (a, b) = (widen(s, a), widen(s, b));
            let p = s.op2(Op::VMul, 2 * w, a, b);
            Some(match opcode {
                12 => p,
                _ => {
                    let d = v(s, i.rd());
                    s.op2(if opcode == 8 { Op::VAdd } else { Op::VSub }, 2 * w, d, p)
                }
            })
        }
        _ => None,
    };
    if let Some(r) = fast {
        return put_q(s, i, r);
    }
    let d = v(s, i.rd());
    let (a, b) = if doubling && scalar(i) {
        (s.op1(Op::VZext, w, a), s.op1(Op::VZext, w, b))
    } else {
        (a, b)
    };
    let (mut j, d) = if scalar(i) {
        (i, s.op1(Op::VZext, 2 * w, d))
    } else {
        (i, d)
    };
    if scalar(i) {
        j.bits &= !(1 << 30);
    }
    let r = lanes(s, j, ev::three_different, a, b, Some(d));
    let r = if scalar(i) {
        s.op1(Op::VZext, 2 * w, r)
    } else {
        r
    };
    put_q(s, i, r)
}

pub fn two_misc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 5));
    let w = 8u8 << size;
    let q = i.bit(30);
    if (0x0c..=0x0f).contains(&opcode) || opcode >= 0x16 {
        return two_misc_fp(s, i);
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
    let a = v(s, i.rn());
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
        (0x12, false) => {
            let n = s.op1(Op::VNarrow, 2 * w, a);
            if q {
                let d = v(s, i.rd());
                let r = s.op2(Op::VZip1, 64, d, n);
                return put_q(s, i, r);
            }
            return put_q(s, i, n);
        }
        _ => {
            let d = v(s, i.rd());
            let narrowing = matches!(opcode, 0x12 | 0x14);
            let mut j = i;
            let a = match (scalar(i), narrowing) {
                (true, _) => {
                    j.bits &= !(1 << 30);
                    s.op1(Op::VZext, if narrowing { 2 * w } else { w }, a)
                }
                (false, false) if !q => s.op1(Op::VZext, 64, a),
                _ => a,
            };
            let d = if scalar(i) {
                s.op1(Op::VZext, w, d)
            } else if !q && !narrowing {
                s.op1(Op::VZext, 64, d)
            } else {
                d
            };
            let r = lanes(s, j, ev::two_misc, a, d, None);
            if opcode == 0x13 || (narrowing && q && !scalar(i)) {
                return put_q(s, i, r);
            }
            r
        }
    };
    put(s, i, w, r);
    Lift::Next
}

fn two_misc_fp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, second, opcode) = (i.bit(29), i.bit(23), i.f(12, 5));
    let w = if i.bit(22) { 64 } else { 32 };
    let ok = match (opcode, u, second) {
        (0x0c | 0x0d, _, true) | (0x0e, false, true) => true,
        (0x0f, _, true) => !scalar(i),
        (0x16, false, false) | (0x17, false, false) => !scalar(i),
        // FCVTXN: from double only.
        (0x16, true, false) => w == 64,
        (0x18, false, _) | (0x18, true, false) | (0x19, _, _) => !scalar(i),
        (0x1a..=0x1b, _, _) | (0x1c, _, false) | (0x1d, _, _) => true,
        (0x1c, _, true) => !scalar(i) && w == 32,
        (0x1f, false, true) => scalar(i),
        (0x1f, true, true) => !scalar(i),
        // FRINT32Z and the like.
        (0x1e | 0x1f, _, false) if !scalar(i) => return Lift::Unlifted,
        // BFCVTN
        (0x16, false, true) => return Lift::Unlifted,
        _ => false,
    };
    let widths = matches!(opcode, 0x16 | 0x17);
    if !ok || (w == 64 && !scalar(i) && !i.bit(30) && !widths) {
        return Lift::Undefined;
    }
    if i.mode & MODE_FP_EXOTIC != 0 {
        return Lift::Unlifted;
    }
    let a = v(s, i.rn());
    if widths {
        let d = v(s, i.rd());
        let r = lanes(s, i, fp::convert_width, a, d, None);
        return put_q(s, i, r);
    }
    let r = match (opcode, u, second) {
        (0x0f, _, _) => {
            let m = s.wide(if w == 64 {
                0x8000_0000_0000_0000_8000_0000_0000_0000
            } else {
                0x8000_0000_8000_0000_8000_0000_8000_0000
            });
            s.op2(if u { Op::VXor } else { Op::VAndn }, 64, a, m)
        }
        (0x1c, _, true) => {
            let z = s.wide(0);
            lanes(s, i, ev::estimate_int, a, z, None)
        }
        (0x1d, _, false) if scalar(i) => {
            let g = s.op1i(Op::VGet, w, a, 0);
            s.op1i(Op::FpFromInt, w, g, u64::from(w) | u64::from(!u) << 7)
        }
        (0x1b, _, true) if scalar(i) => {
            let g = s.op1i(
                Op::FpToInt,
                w,
                a,
                u64::from(w) | u64::from(!u) << 7 | crate::ir::float::round::ZERO << 8,
            );
            s.op1(Op::VFromG, 64, g)
        }
        _ => {
            let z = s.wide(0);
            lanes(s, i, fp::two_misc, a, z, None)
        }
    };
    put(s, i, w, r);
    Lift::Next
}

pub fn across<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 5));
    let a = v(s, i.rn());
    match opcode {
        0x03 | 0x0a | 0x1a | 0x1b => {
            if size == 3 || (size == 2 && !i.bit(30)) || (opcode == 0x1b && u) {
                return Lift::Undefined;
            }
            let r = if opcode == 0x1b {
                let a = if i.bit(30) {
                    a
                } else {
                    s.op1(Op::VZext, 64, a)
                };
                let r = s.op1(Op::VSumU, 8 << size, a);
                s.op1(Op::VZext, 8 << size, r)
            } else {
                lanes(s, i, ev::across, a, a, None)
            };
            put_q(s, i, r)
        }
        0x0c | 0x0f => {
            if !u {
                return Lift::Unlifted;
            }
            if i.bit(22) || !i.bit(30) {
                return Lift::Undefined;
            }
            if i.mode & MODE_FP_EXOTIC != 0 {
                return Lift::Unlifted;
            }
            let r = lanes(s, i, fp::reduce, a, a, None);
            put_q(s, i, r)
        }
        _ => Lift::Undefined,
    }
}

/// ADDP, FADDP, FMAXP, FMINP, FMAXNMP, FMINNMP of one register's two lanes.
pub fn pairwise_scalar<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, opcode) = (i.bit(29), i.f(12, 5));
    let a = v(s, i.rn());
    if opcode == 0x1b {
        if u || i.f(22, 2) != 3 {
            return Lift::Undefined;
        }
        let r = s.op2(Op::VAddP, 64, a, a);
        let r = s.op1(Op::VZext, 64, r);
        return put_q(s, i, r);
    }
    let ok = match opcode {
        0x0c | 0x0f => true,
        0x0d => !i.bit(23),
        _ => false,
    };
    if !ok {
        return Lift::Undefined;
    }
    if !u || i.mode & MODE_FP_EXOTIC != 0 {
        return Lift::Unlifted;
    }
    let r = lanes(s, i, fp::reduce, a, a, None);
    put_q(s, i, r)
}

/// DUP, SMOV, UMOV, INS and the scalar DUP.
pub fn copy<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let imm5 = i.f(16, 5);
    if imm5 & 15 == 0 {
        return Lift::Undefined;
    }
    let size = imm5.trailing_zeros();
    let (w, n) = (8u8 << size, u64::from(imm5 >> (size + 1)));
    if scalar(i) {
        let a = v(s, i.rn());
        let r = s.op1i(Op::VDupLane, w, a, n);
        put(s, i, w, r);
        return Lift::Next;
    }
    if i.bit(29) {
        // INS (element)
        if !i.bit(30) {
            return Lift::Undefined;
        }
        let (a, d) = (v(s, i.rn()), v(s, i.rd()));
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
                let a = v(s, i.rn());
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
            let (a, d) = (x(s, i.rn()), v(s, i.rd()));
            let r = s.op2i(Op::VIns, w, d, a, n);
            return put_q(s, i, r);
        }
        5 => {
            let to = if i.bit(30) { 64 } else { 32 };
            if w >= to {
                return Lift::Undefined;
            }
            let a = v(s, i.rn());
            let g = s.op1i(Op::VGet, w, a, n);
            let r = s.op1(Op::Sext, w, g);
            set(s, to, i.rd(), r);
        }
        7 => {
            if i.bit(30) != (w == 64) {
                return Lift::Undefined;
            }
            let a = v(s, i.rn());
            let r = s.op1i(Op::VGet, w, a, n);
            set(s, 64, i.rd(), r);
        }
        _ => return Lift::Undefined,
    }
    Lift::Next
}

pub fn ext<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let n = u64::from(i.f(11, 4));
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
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

pub fn tbl<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let len = i.f(13, 2) + 1;
    let idx = v(s, i.rm());
    let r = if len == 1 && !i.bit(12) {
        let a = v(s, i.rn());
        s.op2(Op::VTbl1, 8, a, idx)
    } else {
        // The helper reads the table from the state.
        let d = v(s, i.rd());
        let imm = u64::from(len) | u64::from(i.bit(12)) << 4 | u64::from(i.rn()) << 8;
        s.call_x(ev::table, [Some(idx), Some(d), None], imm)
    };
    put(s, i, 64, r);
    Lift::Next
}

/// UZP, TRN, ZIP.
pub fn permute<S: Sem>(s: &mut S, i: Insn) -> Lift {
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
    let (a, b) = (v(s, i.rn()), v(s, i.rm()));
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
pub fn mod_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let imm8 = u64::from(i.f(16, 3) << 5 | i.f(5, 5));
    let (cmode, op) = (i.f(12, 4), i.bit(29));
    if i.bit(11) {
        // FMOV of half precision.
        return if cmode == 15 && !op {
            Lift::Unlifted
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
        let d = v(s, i.rd());
        s.op2(if op { Op::VAndn } else { Op::VOr }, 64, d, k)
    } else {
        k
    };
    put(s, i, 64, r);
    Lift::Next
}

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

/// Operations by one element: the element in all lanes, then as the vector form.
pub fn by_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (u, size, opcode) = (i.bit(29), i.f(22, 2), i.f(12, 4));
    let float = matches!((opcode, u), (1 | 5 | 9, _)) && !(u && opcode != 9);
    let (l, m, h) = (i.f(21, 1), i.f(20, 1), i.f(11, 1));
    let same = |op: u32, u: bool| Some((true, op, u));
    let diff = |op: u32| Some((false, op, u));
    let target = match (opcode, u) {
        (0, true) => same(0x12, false),
        (4, true) => same(0x12, true),
        (8, false) => same(0x13, false),
        (12, false) => same(0x16, false),
        (13, false) => same(0x16, true),
        (2 | 6 | 10, _) => diff([8, 10, 12][opcode as usize / 4]),
        (3 | 7 | 11, false) => diff([9, 11, 13][opcode as usize / 4]),
        _ => None,
    };
    if float {
        if size == 0 {
            return Lift::Unlifted;
        }
        let w = match size {
            2 => 32,
            3 if l == 0 => 64,
            _ => return Lift::Undefined,
        };
        if w == 64 && !scalar(i) && !i.bit(30) {
            return Lift::Undefined;
        }
        if i.mode & MODE_FP_EXOTIC != 0 {
            return Lift::Unlifted;
        }
        let n = if w == 32 { h << 1 | l } else { h };
        let (a, b) = (v(s, i.rn()), v(s, i.rm()));
        let b = s.op1i(Op::VDupLane, w, b, u64::from(n));
        return fp_by_element(s, i, w, a, b);
    }
    if matches!((opcode, u), (13 | 15, true)) || (opcode == 14 && !scalar(i)) {
        return extra_by_element(s, i);
    }
    let Some((is_same, op, uu)) = target else {
        // FMLAL and the complex and mixed forms.
        let later = matches!(
            (opcode, u),
            (0 | 4, false) | (8 | 12, true) | (1 | 3 | 5 | 7, true) | (15, false)
        );
        return if later && !scalar(i) {
            Lift::Unlifted
        } else {
            Lift::Undefined
        };
    };
    let (w, n, rm) = match size {
        1 => (16u8, h << 2 | l << 1 | m, i.f(16, 4)),
        2 => (32, h << 1 | l, i.rm()),
        _ => return Lift::Undefined,
    };
    let doubling = matches!(op, 9 | 11 | 13) && !is_same;
    if scalar(i) && !(doubling || op == 0x16) {
        return Lift::Undefined;
    }
    let (a, b) = (v(s, i.rn()), v(s, rm));
    let b = s.op1i(Op::VDupLane, w, b, u64::from(n));
    // The same operation in its vector form.
    let mut j = i;
    if is_same {
        j.bits = (i.bits & !(1 << 29 | 0x1f << 11)) | u32::from(uu) << 29 | op << 11;
        let r = match (op, uu) {
            (0x13, _) => s.op2(Op::VMul, w, a, b),
            (0x12, _) => {
                let d = v(s, i.rd());
                let p = s.op2(Op::VMul, w, a, b);
                s.op2(if uu { Op::VSub } else { Op::VAdd }, w, d, p)
            }
            _ => {
                let keep = if scalar(i) {
                    w
                } else if i.bit(30) {
                    128
                } else {
                    64
                };
                let (a, b) = (s.op1(Op::VZext, keep, a), s.op1(Op::VZext, keep, b));
                lanes(s, j, ev::three_same, a, b, None)
            }
        };
        put(s, i, w, r);
        return Lift::Next;
    }
    j.bits = (i.bits & !(0xf << 12)) | op << 12;
    three_different_of(s, j, a, b, doubling)
}

fn fp_by_element<S: Sem>(s: &mut S, i: Insn, w: u8, a: S::V, b: S::V) -> Lift {
    let half = !i.bit(30) && !scalar(i);
    let low = |s: &mut S, a| if half { s.op1(Op::VZext, 64, a) } else { a };
    let (mut a, b) = (low(s, a), low(s, b));
    let one = scalar(i);
    let r = match (i.f(12, 4), i.bit(29)) {
        (9, false) => s.op2(if one { Op::FpMul } else { Op::VFpMul }, w, a, b),
        (9, true) => {
            // FMULX: opcode 11011 of the vector form.
            let mut j = i;
            j.bits = (i.bits & !(1 << 29 | 0x1f << 11 | 1 << 23)) | 0x1b << 11;
            let z = s.wide(0);
            lanes(s, j, fp::three_same, a, b, Some(z))
        }
        (op, _) => {
            let d = v(s, i.rd());
            let d = low(s, d);
            if op == 5 {
                let m = s.wide(if w == 64 {
                    0x8000_0000_0000_0000_8000_0000_0000_0000
                } else {
                    0x8000_0000_8000_0000_8000_0000_8000_0000
                });
                a = s.op2(Op::VXor, 64, a, m);
            }
            s.op3(if one { Op::FpFma } else { Op::VFpFma }, w, a, b, d)
        }
    };
    put(s, i, w, r);
    Lift::Next
}

/// SQRDMLAH, SQRDMLSH, SDOT, UDOT by element.
fn extra_by_element<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (size, opcode) = (i.f(22, 2), i.f(12, 4));
    let (l, m, h) = (i.f(21, 1), i.f(20, 1), i.f(11, 1));
    let (w, n, rm, op) = match (opcode, size) {
        (14, 2) => (32u8, h << 1 | l, i.rm(), 2),
        (13 | 15, 1) => (16, h << 2 | l << 1 | m, i.f(16, 4), u32::from(opcode == 15)),
        (13 | 15, 2) => (32, h << 1 | l, i.rm(), u32::from(opcode == 15)),
        _ => return Lift::Undefined,
    };
    let (a, b, d) = (v(s, i.rn()), v(s, rm), v(s, i.rd()));
    let b = s.op1i(Op::VDupLane, w, b, u64::from(n));
    let keep = if scalar(i) {
        w
    } else if i.bit(30) {
        128
    } else {
        64
    };
    let (a, b) = (s.op1(Op::VZext, keep, a), s.op1(Op::VZext, keep, b));
    let d = s.op1(Op::VZext, keep, d);
    let mut j = i;
    j.bits = (i.bits & !(0xf << 11)) | op << 11;
    let r = lanes(s, j, ev::three_extra, a, b, Some(d));
    put(s, i, w, r);
    Lift::Next
}
