//! VLD1-VLD4 and VST1-VST4 (Arm ARM F4.1.26, "Advanced SIMD element or structure load/store").

use super::super::insn::{Insn, address, mode, reg, set};
use super::dd;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::form::register;

fn d<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(register(false, n))
}

/// Write-back: none (Rm 15), by the bytes moved (13), by a register.
fn write_back<S: Sem>(s: &mut S, i: Insn, base: S::V, bytes: u32) {
    let step = match i.f(0, 4) {
        15 => return,
        13 => s.konst(u64::from(bytes)),
        m => reg(s, i, m),
    };
    let r = s.op2(Op::Add, 32, base, step);
    set(s, i.f(16, 4), r);
}

/// Elements of `w` bits that were moved together as 64: of big-endian data each has its own bytes reversed.
fn ordered<S: Sem>(s: &mut S, i: Insn, w: u8, v: S::V) -> S::V {
    if i.mode & mode::BIG != 0 && w < 64 {
        s.op1i(Op::VRev, w, v, 64)
    } else {
        v
    }
}

/// Multiple structures.
pub fn multiple<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (kind, size, align) = (i.f(8, 4), i.f(6, 2), i.f(4, 2));
    // Registers, elements of a structure, and how far its registers are apart.
    let (regs, elements, apart) = match kind {
        0 | 1 => (4, 4, 1 + kind),
        2 => (4, 1, 1),
        3 => (4, 2, 2),
        4 | 5 => (3, 3, kind - 3),
        6 => (3, 1, 1),
        7 => (1, 1, 1),
        8 | 9 => (2, 2, kind - 7),
        10 => (2, 1, 1),
        _ => return Lift::Undefined,
    };
    let pairs = matches!(kind, 8..=10);
    let bad_align = match kind {
        4..=7 => align & 2 != 0,
        _ => pairs && align == 3,
    };
    let first = dd(i);
    let last = first
        + if kind == 3 {
            3
        } else {
            (elements - 1).max(regs / elements - 1) * apart.max(1)
        };
    let last = if elements == 1 {
        first + regs - 1
    } else {
        last
    };
    if bad_align || (size == 3 && elements > 1) || i.f(16, 4) == 15 || last > 31 {
        return Lift::Undefined;
    }
    let w = 8u8 << size;
    let (base, load) = (s.get(i.f(16, 4) as u16), i.bit(21));
    if align != 0 {
        s.aligned_to(4 << align, base, !load);
    }
    if elements == 1 {
        // Q registers, where they are: of big-endian data the D registers would be exchanged.
        let pairs = first & 1 == 0 && regs & 1 == 0 && i.mode & mode::BIG == 0;
        let (step, size) = if pairs { (2, 128) } else { (1, 64) };
        let mut got = Vec::new();
        for k in (0..regs).step_by(step) {
            let m = address(s, base, 8 * k as i32);
            let unit = register(pairs, first + k);
            if load {
                let v = s.load_x(size, m);
                got.push((unit, ordered(s, i, w, v)));
            } else {
                let v = s.get_x(unit);
                let v = ordered(s, i, w, v);
                s.store_x(size, m, v);
            }
        }
        for (unit, v) in got {
            s.set_x(unit, v);
        }
    } else {
        // VLD2 of four registers is twice that of two, next to each other.
        let groups = regs / elements;
        let unit = |g: u32, e: u32| first + g + e * apart;
        let lanes = 64 / u32::from(w);
        let mut got: Vec<(u32, S::V)> = Vec::new();
        for g in 0..groups {
            let at = |e: u32, k: u32| (((g * lanes + k) * elements + e) * u32::from(w / 8)) as i32;
            for e in 0..elements {
                let mut sum: Option<S::V> = None;
                for k in 0..lanes {
                    if load {
                        let m = address(s, base, at(e, k));
                        let v = s.load(w, 0, m);
                        sum = Some(match sum {
                            None => s.op1(Op::VFromG, 64, v),
                            Some(old) => s.op2i(Op::VIns, w, old, v, u64::from(k)),
                        });
                    } else {
                        let v = d(s, unit(g, e));
                        let v = s.op1i(Op::VGet, w, v, u64::from(k));
                        let m = address(s, base, at(e, k));
                        s.store(w, m, v);
                    }
                }
                got.extend(sum.map(|v| (unit(g, e), v)));
            }
        }
        for (n, v) in got {
            s.set_x(register(false, n), v);
        }
    }
    write_back(s, i, base, 8 * regs);
    Lift::Next
}

/// One lane of one to four registers.
pub fn one_lane<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (size, elements, index) = (i.f(10, 2), i.f(8, 2) + 1, i.f(4, 4));
    let w = 8u8 << size;
    let lane = index >> (size + 1);
    // The lowest bits of what is not the lane's number.
    let rest = index & ((2 << size) - 1);
    let twice = match size {
        0 => 0,
        1 => rest >> 1,
        _ => rest >> 2,
    };
    let align = rest & if size == 2 { 3 } else { 1 };
    let bytes = u32::from(w / 8);
    let boundary = match (elements, size, align) {
        (_, _, 0) => 1,
        (1, 1, 1) => 2,
        (1, 2, 3) => 4,
        (2, _, 1) => 2 * bytes,
        (4, 0 | 1, 1) => 4 * bytes,
        (4, 2, 1) => 8,
        (4, 2, 2) => 16,
        _ => return Lift::Undefined,
    };
    if elements == 1 && twice != 0 {
        return Lift::Undefined;
    }
    let first = dd(i);
    let unit = |e: u32| first + e * (1 + twice);
    if unit(elements - 1) > 31 || i.f(16, 4) == 15 {
        return Lift::Undefined;
    }
    let (base, load) = (s.get(i.f(16, 4) as u16), i.bit(21));
    if boundary > 1 {
        s.aligned_to(boundary, base, !load);
    }
    let mut got = Vec::new();
    for e in 0..elements {
        let m = address(s, base, (e * bytes) as i32);
        if load {
            got.push(s.load(w, 0, m));
        } else {
            let v = d(s, unit(e));
            let v = s.op1i(Op::VGet, w, v, u64::from(lane));
            s.store(w, m, v);
        }
    }
    for (e, v) in got.into_iter().enumerate() {
        let n = unit(e as u32);
        let old = d(s, n);
        let v = s.op2i(Op::VIns, w, old, v, u64::from(lane));
        s.set_x(register(false, n), v);
    }
    write_back(s, i, base, elements * bytes);
    Lift::Next
}

/// One structure to all lanes.
pub fn all_lanes<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (size, elements, twice, align) = (i.f(6, 2), i.f(8, 2) + 1, i.f(5, 1), i.bit(4));
    let (w, boundary) = match (elements, size, align) {
        // Four words aligned to all of them
        (4, 3, true) => (32, 16),
        (_, 3, _) | (1, 0, true) | (3, _, true) => return Lift::Undefined,
        (_, _, false) => (8u8 << size, 1),
        (4, 2, true) => (32, 8),
        _ => (8 << size, elements << size),
    };
    // Of one element, bit 5 says that there are two registers.
    let regs = if elements == 1 { 1 + twice } else { elements };
    let apart = if elements == 1 { 1 } else { 1 + twice };
    let first = dd(i);
    if first + (regs - 1) * apart > 31 || i.f(16, 4) == 15 || !i.bit(21) {
        return Lift::Undefined;
    }
    let base = s.get(i.f(16, 4) as u16);
    if boundary > 1 {
        s.aligned_to(boundary, base, false);
    }
    let bytes = u32::from(w / 8);
    let mut got = Vec::new();
    for e in 0..elements {
        let m = address(s, base, (e * bytes) as i32);
        got.push(s.load(w, 0, m));
    }
    for k in 0..regs {
        let v = got[k.min(elements - 1) as usize];
        let v = s.op1(Op::VDupG, w, v);
        s.set_x(register(false, first + k * apart), v);
    }
    write_back(s, i, base, elements * bytes);
    Lift::Next
}
