//! Loads and stores whose predicates are simple.

use super::super::super::insn::{x, xsp};
use super::Form;
use super::under::copy_under;
use crate::decode::Bits;
use crate::ir::sem::Sem;
use crate::ir::{Op, Trap, Under};

/// Leaves for the interpreter if it holds.
pub(super) fn leave_if<S: Sem>(s: &mut S, f: Form, bad: S::V) {
    let bad = s.not_zero(64, bad);
    s.trap_if(bad, Trap::Step, 0, f.i.pc);
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

/// LD1*, LDFF1*, LDNF1*: what is not active is loaded as well. If something is missing the interpreter has it, and with it
/// what becomes of FFR.
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
    let mut all = Vec::new();
    for k in 0..f.quads {
        let at = s.address(64, at, u64::from(k) * per);
        let mut v = s.load_ahead_x(8 * per as u8, at);
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

/// ST1*, of elements that may be wider than in memory.
pub(super) fn store<S: Sem>(s: &mut S, f: Form) -> bool {
    let (msz, esz) = (f.i.f(23, 2), f.i.f(21, 2));
    let immediate = f.i.f(13, 3) == 7;
    (immediate || f.i.rm() != 31) && store_as(s, f, immediate, msz, esz)
}

/// STNT1*.
pub(super) fn store_once<S: Sem>(s: &mut S, f: Form) -> bool {
    let msz = f.i.f(23, 2);
    let immediate = f.i.bit(15);
    (immediate || f.i.rm() != 31) && store_as(s, f, immediate, msz, msz)
}

fn store_as<S: Sem>(s: &mut S, f: Form, immediate: bool, msz: u32, esz: u32) -> bool {
    if msz > esz || f.i.big() && msz > 0 {
        return false;
    }
    let spread = (esz - msz) as u8;
    let per = 16u64 >> spread;
    let at = contiguous(s, f, immediate, msz, per * u64::from(f.quads));
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let mut v = f.z(s, f.i.rd(), k);
        for n in (msz..esz).rev() {
            v = s.op1(Op::VNarrow, 16 << n, v);
        }
        let under = Under {
            first: 16 * k as u8,
            spread,
        };
        let at = s.address(64, at, u64::from(k) * per);
        s.store_under(8 << msz, at, v, p, under);
    }
    true
}

/// LD2*, LD4*: what is not active is loaded as well.
pub(super) fn load_structures<S: Sem>(s: &mut S, f: Form) -> bool {
    structures(s, f, false, f.i.bit(13))
}

/// ST2*, ST4*, of all elements.
pub(super) fn store_structures<S: Sem>(s: &mut S, f: Form) -> bool {
    structures(s, f, true, f.i.bit(15))
}

fn structures<S: Sem>(s: &mut S, f: Form, store: bool, immediate: bool) -> bool {
    let (msz, n) = (f.i.f(23, 2), f.i.f(21, 2) as u16 + 1);
    if n == 3 || !immediate && f.i.rm() == 31 || f.i.big() && msz > 0 {
        return false;
    }
    let f = Form { w: 8 << msz, ..f };
    let size = 16 * f.quads;
    let base = xsp(s, f.i.rn());
    let at = if immediate {
        let offset = f.i.sf_imm(16, 4) * i64::from(n * size);
        s.add_k(64, base, offset as u64)
    } else {
        let index = x(s, f.i.rm());
        let offset = s.shift_k(Op::Shl, 64, index, msz.into());
        s.op2(Op::Add, 64, base, offset)
    };
    let p = f.p(s, f.g());
    let register = |r: u16| (f.i.rd() + u32::from(r)) % 32;
    if store {
        let full = s.konst(f.full());
        let missing = s.op2(Op::Andn, 64, full, p);
        leave_if(s, f, missing);
        for k in 0..f.quads {
            let parts: Vec<_> = (0..n).map(|r| f.z(s, register(r), k)).collect();
            let at = s.add_k(64, at, (16 * n * k).into());
            for (m, v) in (0..).zip(interleaved(s, f.w, &parts)) {
                let at = s.address(64, at, 16 * m);
                s.store_x(128, at, v);
            }
        }
        return true;
    }
    let mut all = Vec::new();
    for m in 0..n * f.quads {
        let at = s.address(64, at, (16 * m).into());
        all.push(s.load_ahead_x(128, at));
    }
    for (k, parts) in (0..).zip(all.chunks(n.into())) {
        let m = f.mask(s, p, k);
        for (r, v) in (0..).zip(apart(s, f.w, parts)) {
            let v = s.op2(Op::VAnd, 128, v, m);
            f.put(s, register(r), k, v);
        }
    }
    true
}

/// Two or four vectors, element by element in turn.
fn interleaved<S: Sem>(s: &mut S, w: u8, v: &[S::V]) -> Vec<S::V> {
    let mut zip = |w: u8, a: S::V, b: S::V| [Op::VZip1, Op::VZip2].map(|op| s.op2(op, w, a, b));
    if let [a, b] = *v {
        return zip(w, a, b).into();
    }
    // First the even registers and the odd ones, then what they became.
    let (even, odd) = (zip(w, v[0], v[2]), zip(w, v[1], v[3]));
    [zip(w, even[0], odd[0]), zip(w, even[1], odd[1])].concat()
}

/// The inverse.
fn apart<S: Sem>(s: &mut S, w: u8, v: &[S::V]) -> Vec<S::V> {
    let mut unzip = |a: S::V, b: S::V| [Op::VUzp1, Op::VUzp2].map(|op| s.op2(op, w, a, b));
    if let [a, b] = *v {
        return unzip(a, b).into();
    }
    let (low, high) = (unzip(v[0], v[1]), unzip(v[2], v[3]));
    let (even, odd) = (unzip(low[0], high[0]), unzip(low[1], high[1]));
    vec![even[0], odd[0], even[1], odd[1]]
}

/// The address of an element by its offset, of which the low half may count, with its sign or not.
fn element<S: Sem>(s: &mut S, base: S::V, offset: S::V, low: Option<bool>, shift: u32) -> S::V {
    let offset = match low {
        None => offset,
        Some(signed) => s.op1(if signed { Op::Sext } else { Op::Zext }, 32, offset),
    };
    let offset = s.shift_k(Op::Shl, 64, offset, shift.into());
    s.op2(Op::Add, 64, base, offset)
}

/// LD1* of words and doublewords by Rn and a vector of offsets; what is not active is loaded from the base, and dropped.
pub(super) fn gather<S: Sem>(s: &mut S, f: Form) -> bool {
    let (msz, w) = (f.i.f(23, 2), if f.i.bit(30) { 64 } else { 32 });
    let signed = !f.i.bit(14);
    let first_fault = f.i.bit(13);
    if first_fault || signed && 8 << msz == u32::from(w) || f.i.big() && msz > 0 {
        return false;
    }
    // Whole offsets (bit 15 of the forms with 64 bits), or their low halves, extended by bit 22.
    let whole = w == 64 && f.i.bit(15);
    let scaled = f.i.bit(21);
    if msz == 0 && scaled || 8 << msz > u32::from(w) {
        return false;
    }
    let shift = if scaled { msz } else { 0 };
    let f = Form { w, ..f };
    let p = f.p(s, f.g());
    let base = xsp(s, f.i.rn());
    let sx = match (signed, w) {
        (true, w) => w,
        (false, _) => 0,
    };
    let mut all = Vec::new();
    for k in 0..f.quads {
        let offsets = f.z(s, f.i.rm(), k);
        let on = f.mask(s, p, k);
        // What is not active is at the base.
        let offsets = s.op2(Op::VAnd, 128, offsets, on);
        let mut v = s.wide(0);
        for n in 0..f.lanes() {
            let at = s.op1i(Op::VGet, w, offsets, n);
            let at = element(s, base, at, (!whole).then(|| f.i.bit(22)), shift);
            let e = s.load_ahead(8 << msz, sx, at);
            v = s.op2i(Op::VIns, w, v, e, n);
        }
        all.push(s.op2(Op::VAnd, 128, v, on));
    }
    for (k, v) in (0..).zip(all) {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

/// ST1* of all elements by Rn and a vector of offsets.
pub(super) fn scatter<S: Sem>(s: &mut S, f: Form) -> bool {
    let msz = f.i.f(23, 2);
    // Whole offsets are with bit 13; the low halves are of elements of 32 bits with bit 22.
    let whole = f.i.bit(13);
    let w = if !whole && f.i.bit(22) { 32 } else { 64 };
    let scaled = f.i.bit(21);
    if whole && f.i.bit(22) || msz == 0 && scaled || 8 << msz > u32::from(w) || f.i.big() && msz > 0
    {
        return false;
    }
    let shift = if scaled { msz } else { 0 };
    let f = Form { w, ..f };
    let p = f.p(s, f.g());
    let full = s.konst(f.full());
    let missing = s.op2(Op::Andn, 64, full, p);
    leave_if(s, f, missing);
    let base = xsp(s, f.i.rn());
    for k in 0..f.quads {
        let (offsets, v) = (f.z(s, f.i.rm(), k), f.z(s, f.i.rd(), k));
        for n in 0..f.lanes() {
            let at = s.op1i(Op::VGet, w, offsets, n);
            let at = element(s, base, at, (!whole).then(|| f.i.bit(14)), shift);
            let e = s.op1i(Op::VGet, w, v, n);
            s.store(8 << msz, at, e);
        }
    }
    true
}

/// LD1RQ*: 16 bytes to each 128 bits.
pub(super) fn load_quadword<S: Sem>(s: &mut S, f: Form) -> bool {
    let msz = f.i.f(23, 2);
    let immediate = f.i.bit(13);
    if f.i.big() && msz > 0 || !immediate && f.i.rm() == 31 {
        return false;
    }
    let f = Form { w: 8 << msz, ..f };
    let base = xsp(s, f.i.rn());
    let at = if immediate {
        s.add_k(64, base, (f.i.sf_imm(16, 4) * 16) as u64)
    } else {
        let index = x(s, f.i.rm());
        let offset = s.shift_k(Op::Shl, 64, index, msz.into());
        s.op2(Op::Add, 64, base, offset)
    };
    let p = f.p(s, f.g());
    let v = s.load_ahead_x(128, at);
    let on = f.mask(s, p, 0);
    let v = s.op2(Op::VAnd, 128, v, on);
    for k in 0..f.quads {
        f.put(s, f.i.rd(), k, v);
    }
    true
}
