//! Loads and stores of vector structures: LD1-LD4, ST1-ST4, LD1R-LD4R.

use super::insn::{Insn, set_sp, x, xsp};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// Base write-back of the post-indexed forms (bit 23): by a register, or by the bytes moved.
fn write_back<S: Sem>(s: &mut S, i: Insn, base: S::V, bytes: u64) {
    if i.bit(23) {
        let step = if i.rm() == 31 {
            s.konst(bytes)
        } else {
            x(s, i.rm())
        };
        let r = s.op2(Op::Add, 64, base, step);
        set_sp(s, 64, i.rn(), r);
    }
}

/// Multiple structures.
pub fn multiple<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (regs, interleave) = match i.f(12, 4) {
        0 => (4u32, 4u32),
        2 => (4, 1),
        4 => (3, 3),
        6 => (3, 1),
        7 => (1, 1),
        8 => (2, 2),
        10 => (2, 1),
        _ => return Lift::Undefined,
    };
    let w = 8u8 << i.f(10, 2);
    let size = if i.bit(30) { 128u8 } else { 64 };
    if (w == 64 && size == 64 && interleave > 1) || (!i.bit(23) && i.rm() != 0) {
        return Lift::Undefined;
    }
    let base = xsp(s, i.rn());
    let bytes = u64::from(size) / 8;
    let reg = |k: u32| ((i.rd() + k) % 32) as u16;
    let load = i.bit(22);
    if interleave == 1 {
        // Elements lie in the order of the lanes in either byte order; the bytes of each are swapped by themselves.
        let elements = |s: &mut S, v: S::V| {
            if i.big() && w > 8 {
                s.op1i(Op::VRev, 8, v, u64::from(w))
            } else {
                v
            }
        };
        s.byte_order(false);
        let mut got = Vec::new();
        for k in 0..regs {
            let addr = s.add_k(64, base, bytes * u64::from(k));
            if load {
                let v = s.load_x(size, addr);
                got.push(elements(s, v));
            } else {
                let v = s.get_x(reg(k));
                let v = elements(s, v);
                s.store_x(size, addr, v);
            }
        }
        s.byte_order(i.big());
        for (k, v) in got.into_iter().enumerate() {
            s.set_x(reg(k as u32), v);
        }
    } else {
        let count = u32::from(size / w);
        let step = u64::from(w / 8);
        let mut got: Vec<Option<S::V>> = vec![None; regs as usize];
        for e in 0..count {
            for k in 0..regs {
                let addr = s.add_k(64, base, step * u64::from(e * regs + k));
                if load {
                    let v = s.load(w, 0, addr);
                    let slot = &mut got[k as usize];
                    *slot = Some(match *slot {
                        None => s.op1(Op::VFromG, 64, v),
                        Some(old) => s.op2i(Op::VIns, w, old, v, u64::from(e)),
                    });
                } else {
                    let v = s.get_x(reg(k));
                    let v = s.op1i(Op::VGet, w, v, u64::from(e));
                    s.store(w, addr, v);
                }
            }
        }
        for (k, v) in got.into_iter().enumerate() {
            if let Some(v) = v {
                let v = s.op1(Op::VZext, size, v);
                s.set_x(reg(k as u32), v);
            }
        }
    }
    write_back(s, i, base, bytes * u64::from(regs));
    Lift::Next
}

/// Single structures: one lane, or one element to all lanes.
pub fn single<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (opcode, r, size, bit_s, q) = (i.f(13, 3), i.f(21, 1), i.f(10, 2), i.f(12, 1), i.f(30, 1));
    let regs = ((opcode & 1) << 1 | r) + 1;
    let load = i.bit(22);
    if !i.bit(23) && i.rm() != 0 {
        return Lift::Undefined;
    }
    let base = xsp(s, i.rn());
    let reg = |k: u32| ((i.rd() + k) % 32) as u16;
    if opcode >= 6 {
        if !load || bit_s != 0 {
            return Lift::Undefined;
        }
        let w = 8u8 << size;
        let mut got = Vec::new();
        for k in 0..regs {
            let addr = s.add_k(64, base, u64::from(w / 8) * u64::from(k));
            got.push(s.load(w, 0, addr));
        }
        for (k, v) in got.into_iter().enumerate() {
            let v = s.op1(Op::VDupG, w, v);
            let v = if q == 0 { s.op1(Op::VZext, 64, v) } else { v };
            s.set_x(reg(k as u32), v);
        }
        write_back(s, i, base, u64::from(w / 8) * u64::from(regs));
        return Lift::Next;
    }
    let (w, n) = match opcode >> 1 {
        0 => (8u8, q << 3 | bit_s << 2 | size),
        1 if size & 1 == 0 => (16, q << 2 | bit_s << 1 | size >> 1),
        2 if size == 0 => (32, q << 1 | bit_s),
        2 if size == 1 && bit_s == 0 => (64, q),
        _ => return Lift::Undefined,
    };
    let mut got = Vec::new();
    for k in 0..regs {
        let addr = s.add_k(64, base, u64::from(w / 8) * u64::from(k));
        if load {
            got.push(s.load(w, 0, addr));
        } else {
            let v = s.get_x(reg(k));
            let v = s.op1i(Op::VGet, w, v, u64::from(n));
            s.store(w, addr, v);
        }
    }
    for (k, v) in got.into_iter().enumerate() {
        let old = s.get_x(reg(k as u32));
        let v = s.op2i(Op::VIns, w, old, v, u64::from(n));
        s.set_x(reg(k as u32), v);
    }
    write_back(s, i, base, u64::from(w / 8) * u64::from(regs));
    Lift::Next
}
