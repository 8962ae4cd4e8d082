//! The vector extension (V 1.0; Zvfh, Zvfbfmin, Zvfbfwma; vector cryptography in `crypto`), with registers of 128 to 1,024 bits.
//!
//! An instruction is a call of a helper that goes over the elements, of which there are as many as vl says; loads and stores are
//! executed outside of translated code (`memory`). Where a block knows vtype, from a vsetvli in it, and vl turns out to be
//! VLMAX, what occurs most is inline (`inline`). What is agnostic stays undisturbed.

mod alu;
mod arith;
mod crypto;
mod float;
mod inline;
mod memory;
mod permute;
mod unit;

pub use crypto::constant;

use super::insn::{Insn, PIECES, VECTORS, done, set, slot, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::eval::mask;
use crate::ir::flags::Cc;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::ir::{Op, Trap};
use crate::riscv::features;
use unit::{Done, Model, Type, Unit, VILL};

/// log2 of the bytes of a register.
fn log_bytes(i: Insn) -> u32 {
    features::log_bytes(i.features)
}

fn imm(i: Insn) -> u64 {
    Model {
        log_bytes: log_bytes(i),
        xlen: i.xlen,
        zvfh: i.has(features::ZVFH),
        zvfhmin: i.has(features::ZVFH_MIN),
    }
    .pack(i.bits)
}

/// vtype as the register has it.
#[must_use]
pub fn vtype(slot: u64, xlen: u8) -> u64 {
    if slot & VILL != 0 {
        1 << (xlen - 1)
    } else {
        slot
    }
}

/// The slot's value for a vtype that somebody writes: what cannot be is vill.
#[must_use]
pub fn legal(v: u64) -> u64 {
    if Type::of(v).is_some() { v } else { VILL }
}

/// VLMAX for a slot's vtype; 0 with vill.
#[must_use]
pub fn most(slot: u64, log_bytes: u32) -> u64 {
    Type::of(slot).map_or(0, |t| t.most(log_bytes))
}

// Configuration.

/// The new vl, from what is asked for.
fn configure<S: Sem>(s: &mut S, i: Insn, vtype: u64) -> Lift {
    let most = most(vtype, log_bytes(i));
    let immediate = i.f(30, 2) == 3;
    let vl = if most == 0 {
        s.konst(0)
    } else if immediate {
        s.konst(u64::from(i.rs1()).min(most))
    } else if i.rs1() == 0 && i.rd() != 0 {
        s.konst(most)
    } else {
        let asked = if i.rs1() == 0 {
            s.get(slot::VL)
        } else {
            x(s, i.rs1())
        };
        let limit = s.konst(most);
        let flags = s.op2(Op::FSub, i.xlen, asked, limit);
        let fewer = s.cc(Cc::Cc, flags);
        s.select(i.xlen, fewer, asked, limit)
    };
    let kind = s.konst(if most == 0 { VILL } else { vtype });
    s.set(slot::VTYPE, kind);
    finish(s, i, vl)
}

fn finish<S: Sem>(s: &mut S, i: Insn, vl: S::V) -> Lift {
    let (zero, one) = (s.konst(0), s.konst(1));
    s.set(slot::VL, vl);
    s.set(slot::VSTART, zero);
    s.set(slot::VUSED, one);
    done(s, i, vl)
}

/// VSETVLI, VSETIVLI.
pub fn set_type<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.vectors_off() {
        return Lift::Undefined;
    }
    configure(s, i, asked(i))
}

/// The vtype that a VSETVLI or VSETIVLI asks for.
fn asked(i: Insn) -> u64 {
    legal(u64::from(i.f(20, if i.f(30, 2) == 3 { 10 } else { 11 })))
}

/// vtype behind an instruction, if it is one that says so, for the next ones of a block.
#[must_use]
pub fn known_behind(i: Insn) -> Option<u64> {
    let sets = i.bits & 0x707f == 0x7057;
    (sets && (i.f(31, 1) == 0 || i.f(30, 2) == 3)).then(|| asked(i))
}

/// Whether an instruction may set vtype.
#[must_use]
pub fn sets_type(i: Insn) -> bool {
    i.bits & 0x707f == 0x7057
}

/// vl and vtype of VSETVL: from bit 16 on, and below.
fn dynamic(st: &mut State, avl: u128, vtype: u128, how: u128, imm: u64) -> u128 {
    let xlen = (imm >> 8) as u8;
    let vtype = legal(vtype as u64 & mask(xlen));
    let most = most(vtype, imm as u32 & 0xff);
    let avl = match how {
        0 => avl as u64,
        1 => most,
        _ => st.r()[usize::from(slot::VL)],
    };
    u128::from(avl.min(most) << 16 | vtype)
}

/// VSETVL.
pub fn set_type_by_register<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.vectors_off() {
        return Lift::Undefined;
    }
    let (avl, kind) = (x(s, i.rs1()), x(s, i.rs2()));
    let how = s.konst(match (i.rs1(), i.rd()) {
        (0, 0) => 2,
        (0, _) => 1,
        _ => 0,
    });
    let imm = u64::from(log_bytes(i)) | u64::from(i.xlen) << 8;
    let both = s.call(dynamic, [Some(avl), Some(kind), Some(how)], imm);
    let kind = s.and_k(64, both, 0xffff);
    s.set(slot::VTYPE, kind);
    let vl = s.shift_k(Op::Shr, 64, both, 16);
    finish(s, i, vl)
}

// What helpers answer: this is no instruction; something was saturated.
const UNDEFINED: u64 = 1;
const SATURATED: u64 = 2;

fn answer(u: &Unit<'_>, done: Done) -> u128 {
    match done {
        Ok(()) if u.sat => SATURATED.into(),
        Ok(()) => 0,
        Err(_) => UNDEFINED.into(),
    }
}

/// OPI: their operand is an integer register.
fn opi(st: &mut State, x: u128, _: u128, _: u128, imm: u64) -> u128 {
    let Some(mut u) = Unit::new(st, imm) else {
        return UNDEFINED.into();
    };
    let done = u.opi(x as u64);
    answer(&u, done)
}

/// OPM: a scalar result is above the answer.
fn opm(st: &mut State, x: u128, _: u128, _: u128, imm: u64) -> u128 {
    let Some(mut u) = Unit::new(st, imm) else {
        return UNDEFINED.into();
    };
    match u.opm(x as u64) {
        Ok(r) => answer(&u, Ok(())) | u128::from(r) << 64,
        Err(e) => answer(&u, Err(e)),
    }
}

fn opf(st: &mut State, x: u128, _: u128, _: u128, imm: u64) -> u128 {
    let Some(mut u) = Unit::new(st, imm) else {
        return UNDEFINED.into();
    };
    match u.opf(x as u64) {
        Ok(r) => {
            let (env, r) = (u.env, answer(&u, Ok(())) | u128::from(r) << 64);
            let all = st.env() | env & crate::ir::float::STICKY;
            st.set_env(all);
            r
        }
        Err(e) => answer(&u, Err(e)),
    }
}

/// What comes behind a helper.
fn conclude<S: Sem>(s: &mut S, i: Insn, answer: S::V, saturates: bool) {
    let bad = s.and_k(64, answer, UNDEFINED);
    let bad = s.not_zero(64, bad);
    s.trap_if(bad, Trap::Undefined, 0, i.pc);
    s.changed(VECTORS..VECTORS + PIECES);
    let zero = s.konst(0);
    s.set(slot::VSTART, zero);
    if saturates {
        let (old, new) = (s.get(slot::VXSAT), s.shift_k(Op::Shr, 64, answer, 1));
        let all = s.op2(Op::Or, 64, old, new);
        let all = s.and_k(64, all, 1);
        s.set(slot::VXSAT, all);
    }
}

/// A scalar operand as wide as elements can be.
fn scalar<S: Sem>(s: &mut S, i: Insn) -> S::V {
    let v = x(s, i.rs1());
    s.op1(Op::Sext, i.xlen, v)
}

/// OPIVV, OPIVX, OPIVI.
pub fn integer<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.vectors_off() {
        return Lift::Undefined;
    }
    if inline::integer(s, i) {
        return Lift::Next;
    }
    let operand = if i.funct3() == 4 {
        Some(scalar(s, i))
    } else {
        None
    };
    let r = s.call(opi, [operand, None, None], imm(i));
    conclude(
        s,
        i,
        r,
        matches!(i.f(26, 6), 0x20..=0x23 | 0x27 | 0x2e | 0x2f),
    );
    Lift::Next
}

/// OPMVV, OPMVX.
pub fn multiply<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.vectors_off() {
        return Lift::Undefined;
    }
    if inline::multiply(s, i) {
        return Lift::Next;
    }
    let operand = if i.funct3() == 6 {
        Some(scalar(s, i))
    } else {
        None
    };
    let both = s.call_x(opm, [operand, None, None], imm(i));
    let r = s.op1i(Op::VGet, 64, both, 0);
    conclude(s, i, r, false);
    // VMV.X.S, VCPOP, VFIRST.
    if i.f(26, 6) == 0x10 && i.funct3() == 2 {
        let v = s.op1i(Op::VGet, 64, both, 1);
        set(s, i, i.rd(), v);
    }
    Lift::Next
}

/// OPFVV, OPFVF.
pub fn float<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.vectors_off() {
        return Lift::Undefined;
    }
    if inline::float(s, i) {
        return Lift::Next;
    }
    let operand = if i.funct3() == 5 {
        Some(super::insn::f(s, i.rs1()))
    } else {
        None
    };
    let both = s.call_x(opf, [operand, None, None], imm(i));
    let r = s.op1i(Op::VGet, 64, both, 0);
    conclude(s, i, r, false);
    // VFMV.F.S.
    if i.f(26, 6) == 0x10 && i.funct3() == 1 {
        let v = s.op1i(Op::VGet, 64, both, 1);
        let v = s.op1(Op::VFromG, 64, v);
        s.set_x(super::insn::unit(i.rd()), v);
    }
    Lift::Next
}

/// Vector cryptography.
fn ciphers(st: &mut State, _: u128, _: u128, _: u128, imm: u64) -> u128 {
    let Some(mut u) = Unit::new(st, imm) else {
        return UNDEFINED.into();
    };
    let done = u.cipher();
    answer(&u, done)
}

pub fn crypto<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.vectors_off() {
        return Lift::Undefined;
    }
    let r = s.call(ciphers, [None; 3], imm(i));
    conclude(s, i, r, false);
    Lift::Next
}

/// Loads and stores.
pub fn access<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.vectors_off() {
        return Lift::Undefined;
    }
    if inline::access(s, i) {
        return Lift::Next;
    }
    s.outside(memory::execute, imm(i), i.pc);
    s.changed(VECTORS..VECTORS + PIECES);
    if S::STEPS { Lift::Next } else { Lift::End }
}
