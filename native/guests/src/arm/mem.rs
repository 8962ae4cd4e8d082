//! Loads and stores of one register or two (Arm ARM F5: LDR ... STRD, PLD).

use super::branch;
use super::insn::{Insn, add_k, address, base, mode, reg, set};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// What is transferred.
#[derive(Clone, Copy)]
struct Access {
    load: bool,
    w: u8,
    signed: bool,
    t: u32,
}

/// What a base register becomes. A sum is not made before the access that may fault: then it can be made in place.
#[derive(Clone, Copy)]
enum Moved<V> {
    To(V),
    By(V, i32),
}

/// Where.
struct Place<V> {
    addr: V,
    /// The base register and what it becomes.
    after: Option<(u32, Moved<V>)>,
    /// Off the stack pointer, which moves.
    pops: bool,
}

fn move_base<S: Sem>(s: &mut S, after: Option<(u32, Moved<S::V>)>) {
    if let Some((n, moved)) = after {
        let v = match moved {
            Moved::To(v) => v,
            Moved::By(a, k) => add_k(s, a, k),
        };
        set(s, n, v);
    }
}

fn transfer<S: Sem>(s: &mut S, i: Insn, x: Access, p: Place<S::V>) -> Lift {
    if x.load {
        let v = s.load(x.w, if x.signed { 32 } else { 0 }, p.addr);
        move_base(s, p.after);
        if x.t == 15 {
            return branch::load_to_pc(s, i, v, p.pops);
        }
        set(s, x.t, v);
    } else {
        let v = reg(s, i, x.t);
        s.store(x.w, p.addr, v);
        move_base(s, p.after);
    }
    Lift::Next
}

/// An offset: a constant or a value, added or subtracted.
enum Offset<V> {
    Constant(i32),
    Value { v: V, subtracts: bool },
}

/// Base and offset by P, U and W; the address is for one access.
fn place<S: Sem>(
    s: &mut S,
    i: Insn,
    n: u32,
    offset: Offset<S::V>,
    (before, back): (bool, bool),
) -> Place<S::V> {
    let a = base(s, i, n);
    let (sum, moved) = match offset {
        Offset::Constant(k) => (before.then(|| address(s, a, k)), Moved::By(a, k)),
        Offset::Value { v, subtracts } => {
            let op = if subtracts { Op::Sub } else { Op::Add };
            let sum = s.op2(op, 32, a, v);
            (before.then_some(sum), Moved::To(sum))
        }
    };
    // Without P the base always changes.
    let back = back || !before;
    Place {
        addr: sum.unwrap_or(a),
        after: back.then_some((n, moved)),
        pops: n == 13 && back && !before,
    }
}

/// A constant with its sign, the U bit.
fn signed_by(up: bool, k: u32) -> i32 {
    if up {
        k as i32
    } else {
        (k as i32).wrapping_neg()
    }
}

/// P and W of A32. Without P the base always changes (with W: the unprivileged forms, which for programs are the same).
fn a32_index(i: Insn) -> (bool, bool) {
    (i.bit(24), !i.bit(24) || i.bit(21))
}

fn bad_back(i: Insn, n: u32, t: u32) -> bool {
    let (_, back) = a32_index(i);
    back && (n == 15 || n == t)
}

/// LDR, STR, LDRB, STRB with a constant.
pub fn a32_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let k = signed_by(i.bit(23), i.f(0, 12));
    word_or_byte(s, i, Offset::Constant(k))
}

/// The same with a register, shifted.
pub fn a32_reg<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.f(0, 4) == 15 {
        return Lift::Undefined;
    }
    let v = reg(s, i, i.f(0, 4));
    let n = u64::from(i.f(7, 5));
    let v = match (i.f(5, 2), n) {
        (0, 0) => v,
        (0, n) => s.shift_k(Op::Shl, 32, v, n),
        (1, 0) => s.konst(0),
        (1, n) => s.shift_k(Op::Shr, 32, v, n),
        (2, 0) => s.shift_k(Op::Sar, 32, v, 31),
        (2, n) => s.shift_k(Op::Sar, 32, v, n),
        (_, 0) => {
            let f = s.get_f();
            let c = s.cc(crate::ir::flags::Cc::Cs, f);
            let c = s.shift_k(Op::Shl, 32, c, 31);
            let low = s.shift_k(Op::Shr, 32, v, 1);
            s.op2(Op::Or, 32, c, low)
        }
        (_, n) => s.shift_k(Op::Ror, 32, v, n),
    };
    let subtracts = !i.bit(23);
    word_or_byte(s, i, Offset::Value { v, subtracts })
}

fn word_or_byte<S: Sem>(s: &mut S, i: Insn, offset: Offset<S::V>) -> Lift {
    let (n, t, byte) = (i.f(16, 4), i.f(12, 4), i.bit(22));
    let x = Access {
        load: i.bit(20),
        w: if byte { 8 } else { 32 },
        signed: false,
        t,
    };
    let unprivileged = !i.bit(24) && i.bit(21);
    if bad_back(i, n, t) || (t == 15 && (byte || unprivileged)) {
        return Lift::Undefined;
    }
    let p = place(s, i, n, offset, a32_index(i));
    transfer(s, i, x, p)
}

/// LDRH, STRH, LDRSB, LDRSH, LDRD, STRD.
pub fn a32_extra<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, t) = (i.f(16, 4), i.f(12, 4));
    let offset = if i.bit(22) {
        Offset::Constant(signed_by(i.bit(23), i.f(8, 4) << 4 | i.f(0, 4)))
    } else {
        if i.f(0, 4) == 15 || i.f(8, 4) != 0 {
            return Lift::Undefined;
        }
        Offset::Value {
            v: reg(s, i, i.f(0, 4)),
            subtracts: !i.bit(23),
        }
    };
    let (load, kind) = (i.bit(20), i.f(5, 2));
    if !load && kind >= 2 {
        let back = a32_index(i).1;
        if t & 1 != 0
            || t == 14
            || (back && (n == 15 || n == t || n == t + 1))
            || (!i.bit(24) && i.bit(21))
            || (!i.bit(22) && kind == 2 && (i.f(0, 4) == t || i.f(0, 4) == t + 1))
            || !i.has(super::features::V5E)
        {
            return Lift::Undefined;
        }
        let (before, back) = a32_index(i);
        let p = place(s, i, n, offset, (before, back));
        return double(s, i, kind == 2, (t, t + 1), p);
    }
    if t == 15 || bad_back(i, n, t) {
        return Lift::Undefined;
    }
    let x = Access {
        load,
        w: if kind == 2 { 8 } else { 16 },
        signed: kind >= 2,
        t,
    };
    let p = place(s, i, n, offset, a32_index(i));
    transfer(s, i, x, p)
}

/// LDRD and STRD: one access, as they are single-copy atomic where they are aligned (LPAE).
fn double<S: Sem>(s: &mut S, i: Insn, load: bool, (t, t2): (u32, u32), p: Place<S::V>) -> Lift {
    let addr = p.addr;
    s.aligned(32, addr, !load);
    let big = i.mode & mode::BIG != 0;
    if load {
        let v = s.load(64, 0, addr);
        let high = s.shift_k(Op::Shr, 64, v, 32);
        let (a, b) = if big { (high, v) } else { (v, high) };
        move_base(s, p.after);
        set(s, t, a);
        set(s, t2, b);
    } else {
        let (a, b) = (reg(s, i, t), reg(s, i, t2));
        let (low, high) = if big { (b, a) } else { (a, b) };
        let high = s.shift_k(Op::Shl, 64, high, 32);
        let v = s.op2(Op::Or, 64, low, high);
        s.store(64, addr, v);
        move_base(s, p.after);
    }
    Lift::Next
}

pub fn t32_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, t, t2, load) = (i.f(16, 4), i.f(12, 4), i.f(8, 4), i.bit(20));
    let (before, back) = (i.bit(24), i.bit(21));
    if matches!(t, 13 | 15)
        || matches!(t2, 13 | 15)
        || (load && t == t2)
        || (back && (n == 15 || n == t || n == t2))
        || (!load && n == 15)
    {
        return Lift::Undefined;
    }
    let k = signed_by(i.bit(23), i.f(0, 8) << 2);
    let p = place(s, i, n, Offset::Constant(k), (before, back));
    double(s, i, load, (t, t2), p)
}

/// Size, sign and direction of a T32 access, or none if it is undefined.
fn t32_access(i: Insn) -> Option<Access> {
    let (size, signed, load) = (i.f(21, 2), i.bit(24), i.bit(20));
    if size == 3 || (signed && (size == 2 || !load)) {
        return None;
    }
    Some(Access {
        load,
        w: 8 << size,
        signed,
        t: i.f(12, 4),
    })
}

/// A load to the pc may only be the last instruction of an IT block, and of a word.
fn bad_t32(i: Insn, x: Access) -> bool {
    x.t == 15 && (x.w != 32 || !x.load || i.in_it_not_last())
}

/// With a constant of 12 bits, or relative to the pc.
pub fn t32_imm12<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(x) = t32_access(i) else {
        return Lift::Undefined;
    };
    let n = i.f(16, 4);
    // Hints: the loads of bytes and halves to the pc.
    if x.t == 15 && x.load && x.w != 32 {
        return hint(i, x);
    }
    if bad_t32(i, x) || (n == 15 && !x.load) {
        return Lift::Undefined;
    }
    let k = signed_by(n != 15 || i.bit(23), i.f(0, 12));
    let p = place(s, i, n, Offset::Constant(k), (true, false));
    transfer(s, i, x, p)
}

/// PLD, PLDW, PLI; LDRSH to the pc is an unallocated hint.
fn hint(_i: Insn, _x: Access) -> Lift {
    Lift::Next
}

/// With a constant of 8 bits: negative, indexed, unprivileged.
pub fn t32_imm8<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(x) = t32_access(i) else {
        return Lift::Undefined;
    };
    let (n, before, up, back) = (i.f(16, 4), i.bit(10), i.bit(9), i.bit(8));
    // Neither before nor back is nothing; P, U and no W is the unprivileged form.
    if n == 15 || (!before && !back) {
        return Lift::Undefined;
    }
    let unprivileged = before && up && !back;
    if x.t == 15 && x.load && x.w != 32 && before && !back && !up {
        return hint(i, x);
    }
    if bad_t32(i, x) || (back && n == x.t) || (unprivileged && x.t == 15) {
        return Lift::Undefined;
    }
    let k = signed_by(up, i.f(0, 8));
    let p = place(s, i, n, Offset::Constant(k), (before, back));
    transfer(s, i, x, p)
}

pub fn t32_reg<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some(x) = t32_access(i) else {
        return Lift::Undefined;
    };
    let (n, m) = (i.f(16, 4), i.f(0, 4));
    if n == 15 {
        return Lift::Undefined;
    }
    if x.t == 15 && x.load && x.w != 32 {
        return hint(i, x);
    }
    if bad_t32(i, x) || matches!(m, 13 | 15) {
        return Lift::Undefined;
    }
    let v = reg(s, i, m);
    let v = s.shift_k(Op::Shl, 32, v, u64::from(i.f(4, 2)));
    let offset = Offset::Value {
        v,
        subtracts: false,
    };
    let p = place(s, i, n, offset, (true, false));
    transfer(s, i, x, p)
}

fn t16<S: Sem>(s: &mut S, i: Insn, x: Access, n: u32, offset: Offset<S::V>) -> Lift {
    let p = place(s, i, n, offset, (true, false));
    transfer(s, i, x, p)
}

/// STR, STRH, STRB, LDRSB, LDR, LDRH, LDRB, LDRSH of three registers.
pub fn t16_reg<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let kind = i.f(9, 3);
    let x = Access {
        load: kind >= 3,
        w: [32, 16, 8, 8, 32, 16, 8, 16][kind as usize],
        signed: matches!(kind, 3 | 7),
        t: i.f(0, 3),
    };
    let v = reg(s, i, i.f(6, 3));
    let offset = Offset::Value {
        v,
        subtracts: false,
    };
    t16(s, i, x, i.f(3, 3), offset)
}

/// Words, bytes and halves with a constant of 5 bits.
pub fn t16_imm5<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let size = [2, 0, 1][(i.f(12, 4) - 6) as usize % 3];
    let x = Access {
        load: i.bit(11),
        w: 8 << size,
        signed: false,
        t: i.f(0, 3),
    };
    let k = (i.f(6, 5) << size) as i32;
    t16(s, i, x, i.f(3, 3), Offset::Constant(k))
}

/// Words relative to sp.
pub fn t16_sp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Access {
        load: i.bit(11),
        w: 32,
        signed: false,
        t: i.f(8, 3),
    };
    t16(s, i, x, 13, Offset::Constant((i.f(0, 8) << 2) as i32))
}

pub fn t16_literal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Access {
        load: true,
        w: 32,
        signed: false,
        t: i.f(8, 3),
    };
    t16(s, i, x, 15, Offset::Constant((i.f(0, 8) << 2) as i32))
}

/// PLD, PLDW, PLI of A32.
pub fn preload<S: Sem>(_s: &mut S, _i: Insn) -> Lift {
    Lift::Next
}
