//! Loads and stores whose predicates are simple.

use super::super::super::insn::{x, xsp};
use super::Form;
use super::under::copy_under;
use crate::decode::Bits;
use crate::ir::sem::Sem;
use crate::ir::{Op, Trap};

/// Leaves for the interpreter if it holds.
pub(super) fn leave_if<S: Sem>(s: &mut S, f: Form, bad: S::V) {
    let bad = s.not_zero(64, bad);
    s.trap_if(bad, Trap::Step, 0, f.i.pc);
}

/// Not 0: `bytes` bytes from an address on are not within a page.
pub(super) fn crosses<S: Sem>(s: &mut S, at: S::V, bytes: u64) -> S::V {
    const PAGE: u64 = 4096;
    let within = s.and_k(64, at, PAGE - 1);
    let last = s.add_k(64, within, bytes - 1);
    s.and_k(64, last, PAGE)
}

/// The address of a contiguous access: Rn and Rm's elements, or as many accesses as an immediate says.
pub(super) fn contiguous<S: Sem>(
    s: &mut S,
    f: Form,
    immediate: bool,
    msz: u32,
    bytes: u64,
) -> S::V {
    let base = xsp(s, f.i.rn());
    if immediate {
        let offset = f.i.sf_imm(16, 4) * bytes as i64;
        return s.add_k(64, base, offset as u64);
    }
    let index = x(s, f.i.rm());
    let offset = s.shift_k(Op::Shl, 64, index, msz.into());
    s.op2(Op::Add, 64, base, offset)
}

/// LD1*, LDFF1*, LDNF1*: within a page, with the first element active, so that it faults or none.
pub(super) fn load<S: Sem>(s: &mut S, f: Form) -> bool {
    let (m, e) = (f.i.f(23, 2), f.i.f(21, 2));
    let (msz, esz, signed) = if e >= m {
        (m, e, false)
    } else {
        (3 - m, 3 - e, true)
    };
    let immediate = f.i.f(13, 3) == 5;
    if msz == esz && signed || !immediate && f.i.rm() == 31 && !f.i.bit(13) {
        return false;
    }
    load_as(s, f, immediate, msz, esz, signed)
}

pub(super) fn load_once<S: Sem>(s: &mut S, f: Form) -> bool {
    let msz = f.i.f(23, 2);
    let immediate = f.i.bit(13);
    (immediate || f.i.rm() != 31) && load_as(s, f, immediate, msz, msz, false)
}

pub(super) fn load_as<S: Sem>(
    s: &mut S,
    f: Form,
    immediate: bool,
    msz: u32,
    esz: u32,
    signed: bool,
) -> bool {
    if f.i.big() && msz > 0 {
        return false;
    }
    let f = Form { w: 8 << esz, ..f };
    let per = 16u64 >> (esz - msz);
    let bytes = per * u64::from(f.quads);
    let at = contiguous(s, f, immediate, msz, bytes);
    let p = f.p(s, f.g());
    let crossing = crosses(s, at, bytes);
    let active = s.and_k(64, p, 1);
    let one = s.konst(1);
    let inactive = s.op2(Op::Xor, 64, active, one);
    let bad = s.op2(Op::Or, 64, crossing, inactive);
    leave_if(s, f, bad);
    let mut all = Vec::new();
    for k in 0..f.quads {
        let at = s.address(64, at, u64::from(k) * per);
        let mut v = if per == 2 {
            let v = s.load(16, 0, at);
            s.op1(Op::VFromG, 64, v)
        } else {
            s.load_x(8 * per as u8, at)
        };
        for n in msz..esz {
            let op = if signed { Op::VWidenS } else { Op::VWidenU };
            v = s.op1i(op, 8 << n, v, 0);
        }
        all.push(v);
    }
    for (k, v) in (0..).zip(all) {
        let m = f.mask(s, p, k);
        let v = s.op2(Op::VAnd, 128, v, m);
        f.put(s, f.i.rd(), k, v);
    }
    true
}

/// LD1R*.
pub(super) fn load_replicated<S: Sem>(s: &mut S, f: Form) -> bool {
    let (m, e) = (f.i.f(23, 2), f.i.f(13, 2));
    let (msz, esz, signed) = if e >= m {
        (m, e, false)
    } else {
        (3 - m, 3 - e, true)
    };
    if msz == esz && signed || f.i.big() && msz > 0 {
        return false;
    }
    let f = Form { w: 8 << esz, ..f };
    let p = f.p(s, f.g());
    let active = s.and_k(64, p, f.full());
    let none = s.is_zero(64, active);
    s.trap_if(none, Trap::Step, 0, f.i.pc);
    let base = xsp(s, f.i.rn());
    let at = s.address(64, base, u64::from(f.i.f(16, 6)) << msz);
    let v = s.load(8 << msz, if signed { 64 } else { 0 }, at);
    let v = s.op1(Op::VDupG, f.w, v);
    copy_under(s, f, p, v, true)
}

/// LDR and STR of vectors.
pub(super) fn whole<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.i.big() {
        return false;
    }
    let imm = i64::from((f.i.f(16, 6) << 3 | f.i.f(10, 3)) as i32) << 55 >> 55;
    let base = xsp(s, f.i.rn());
    let base = s.add_k(64, base, (imm * 16 * i64::from(f.quads)) as u64);
    let mut all = Vec::new();
    for k in 0..f.quads {
        let at = s.address(64, base, 16 * u64::from(k));
        if f.i.bit(30) {
            let v = f.z(s, f.i.rd(), k);
            s.store_x(128, at, v);
        } else {
            all.push(s.load_x(128, at));
        }
    }
    for (k, v) in (0..).zip(all) {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

/// ST1* of all elements, as wide as in memory.
pub(super) fn store<S: Sem>(s: &mut S, f: Form) -> bool {
    let (msz, esz) = (f.i.f(23, 2), f.i.f(21, 2));
    let immediate = f.i.f(13, 3) == 7;
    if msz != esz || !immediate && f.i.rm() == 31 || f.i.big() && msz > 0 {
        return false;
    }
    let f = Form { w: 8 << esz, ..f };
    let bytes = 16 * u64::from(f.quads);
    let at = contiguous(s, f, immediate, msz, bytes);
    let p = f.p(s, f.g());
    let full = s.konst(f.full());
    let missing = s.op2(Op::Andn, 64, full, p);
    leave_if(s, f, missing);
    for k in 0..f.quads {
        let at = s.address(64, at, 16 * u64::from(k));
        let v = f.z(s, f.i.rd(), k);
        s.store_x(128, at, v);
    }
    true
}
