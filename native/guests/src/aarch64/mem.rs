//! Loads and stores (Arm ARM C4.1, "Loads and Stores"), except atomics.

use super::insn::{Insn, set, set_sp, x, xsp};
use super::int::extended;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// The general-register access that `size` and `opc` select.
fn access<S: Sem>(s: &mut S, i: Insn, addr: S::V, after: Option<(u32, S::V)>) -> Lift {
    let w = 8u8 << i.f(30, 2);
    match (i.f(22, 2), w) {
        (0, _) => {
            let v = x(s, i.rd());
            s.store(w, addr, v);
            back(s, after);
        }
        (1, _) => {
            let v = s.load(w, 0, addr);
            set(s, 64, i.rd(), v);
            back(s, after);
        }
        // PRFM: a hint.
        (2, 64) => {}
        (2, _) => {
            let v = s.load(w, 64, addr);
            set(s, 64, i.rd(), v);
            back(s, after);
        }
        (_, 8 | 16) => {
            let v = s.load(w, 32, addr);
            set(s, 32, i.rd(), v);
            back(s, after);
        }
        _ => return Lift::Undefined,
    }
    Lift::Next
}

fn back<S: Sem>(s: &mut S, after: Option<(u32, S::V)>) {
    if let Some((n, v)) = after {
        set_sp(s, 64, n, v);
    }
}

/// The width of a SIMD&FP access: `opc<1>:size`.
fn wide_size(i: Insn) -> Option<u8> {
    match i.f(23, 1) << 2 | i.f(30, 2) {
        n @ 0..=4 => Some((8u32 << n) as u8),
        _ => None,
    }
}

fn access_x<S: Sem>(s: &mut S, i: Insn, addr: S::V, after: Option<(u32, S::V)>) -> Lift {
    let Some(w) = wide_size(i) else {
        return Lift::Undefined;
    };
    if i.bit(22) {
        let v = s.load_x(w, addr);
        back(s, after);
        s.set_x(i.rd() as u16, v);
    } else {
        let v = s.get_x(i.rd() as u16);
        s.store_x(w, addr, v);
        back(s, after);
    }
    Lift::Next
}

fn either<S: Sem>(s: &mut S, i: Insn, addr: S::V, after: Option<(u32, S::V)>) -> Lift {
    if i.bit(26) {
        access_x(s, i, addr, after)
    } else {
        access(s, i, addr, after)
    }
}

pub fn unsigned_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let scale = if i.bit(26) {
        i.f(23, 1) << 2 | i.f(30, 2)
    } else {
        i.f(30, 2)
    };
    if scale > 4 {
        return Lift::Undefined;
    }
    let base = xsp(s, i.rn());
    let addr = s.address(64, base, u64::from(i.f(10, 12)) << scale);
    either(s, i, addr, None)
}

/// Unscaled, post-indexed, unprivileged and pre-indexed.
pub fn imm9<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let base = xsp(s, i.rn());
    let offset = i.sf_imm(12, 9) as u64;
    if !i.bit(10) {
        if i.bit(11) && (i.bit(26) || (i.f(22, 2) == 2 && i.f(30, 2) == 3)) {
            return Lift::Undefined;
        }
        let addr = s.address(64, base, offset);
        return either(s, i, addr, None);
    }
    let moved = s.add_k(64, base, offset);
    match i.f(10, 2) {
        // There is no prefetch with write-back.
        _ if !i.bit(26) && i.f(22, 2) == 2 && i.f(30, 2) == 3 => Lift::Undefined,
        1 => either(s, i, base, Some((i.rn(), moved))),
        _ => either(s, i, moved, Some((i.rn(), moved))),
    }
}

pub fn reg_offset<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let scale = if i.bit(26) {
        i.f(23, 1) << 2 | i.f(30, 2)
    } else {
        i.f(30, 2)
    };
    if !i.bit(14) || scale > 4 {
        return Lift::Undefined;
    }
    let off = extended(s, i.rm(), i.f(13, 3), if i.bit(12) { scale } else { 0 });
    let base = xsp(s, i.rn());
    let addr = s.op2(Op::Add, 64, base, off);
    either(s, i, addr, None)
}

pub fn literal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = s.konst(i.target(i.sf_imm(5, 19) << 2));
    if i.bit(26) {
        if i.f(30, 2) == 3 {
            return Lift::Undefined;
        }
        let v = s.load_x(32 << i.f(30, 2), addr);
        s.set_x(i.rd() as u16, v);
        return Lift::Next;
    }
    let (w, sx) = match i.f(30, 2) {
        0 => (32, 0),
        1 => (64, 0),
        2 => (32, 64),
        _ => return Lift::Next,
    };
    let v = s.load(w, sx, addr);
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// LDP, STP, LDPSW, LDNP, STNP in all addressing modes.
pub fn pair<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (opc, wide, load, mode) = (i.f(30, 2), i.bit(26), i.bit(22), i.f(23, 2));
    let sw = !wide && opc == 1;
    if opc == 3 || (sw && (!load || mode == 0)) {
        return Lift::Undefined;
    }
    let bytes: u64 = if wide {
        4 << opc
    } else if opc == 2 {
        8
    } else {
        4
    };
    let w = (bytes * 8) as u8;
    let base = xsp(s, i.rn());
    let offset = (i.sf_imm(15, 7) * bytes as i64) as u64;
    let after = (mode == 1 || mode == 3).then(|| (i.rn(), s.add_k(64, base, offset)));
    let first = if mode == 1 { 0 } else { offset };
    let (addr, addr2) = (
        s.address(64, base, first),
        s.address(64, base, first.wrapping_add(bytes)),
    );
    let (t, t2) = (i.rd(), i.ra());
    if load && wide {
        let a = s.load_x(w, addr);
        let b = s.load_x(w, addr2);
        back(s, after);
        s.set_x(t as u16, a);
        s.set_x(t2 as u16, b);
    } else if load {
        let sx = if sw { 64 } else { 0 };
        let a = s.load(w, sx, addr);
        let b = s.load(w, sx, addr2);
        set(s, 64, t2, b);
        set(s, 64, t, a);
        back(s, after);
    } else if wide {
        let (a, b) = (s.get_x(t as u16), s.get_x(t2 as u16));
        s.store_x(w, addr, a);
        s.store_x(w, addr2, b);
        back(s, after);
    } else {
        let (a, b) = (x(s, t), x(s, t2));
        s.store(w, addr, a);
        s.store(w, addr2, b);
        back(s, after);
    }
    Lift::Next
}
