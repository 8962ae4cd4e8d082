//! Pointer authentication (Arm ARM D8.10; FEAT_PAuth2, FEAT_FPAC, FEAT_FPACCOMBINE).
//!
//! Addresses of programs have 48 bits and a tag, as Linux has it (TBI0): the code is in bits 54-48, and bit 55 says what
//! was there. The algorithm that is not the architecture's is two rounds of AES of the address and the modifier under the key:
//! a handful of instructions of the host.

use super::features::{FPAC, FPACCOMBINE, QARMA3, QARMA5};
use super::insn::{self, Insn, set, set_sp, slot, x, xsp};
use super::qarma;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::{Indirect, Sem};
use crate::ir::{Op, Trap};

/// Where the code is, and where it goes on in the upper half of the address space, which has no tags (TBI0 alone is set).
const FIELD: u64 = 0x7f << 48;
const TAG: u64 = 0xff << 56;
/// [`Trap::Exception`]: an address whose code is wrong (`EC_PACFAIL`).
pub const PACFAIL: u32 = 0x1c;

/// The keys, as their wide slots are numbered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Ia,
    Ib,
    Da,
    Db,
    Ga,
}

impl Key {
    fn instruction(second: bool) -> Self {
        if second { Self::Ib } else { Self::Ia }
    }

    fn data(second: bool) -> Self {
        if second { Self::Db } else { Self::Da }
    }

    /// Addresses are left as they are: the program has switched it off (PR_PAC_SET_ENABLED_KEYS).
    fn is_off(self, i: Insn) -> bool {
        i.mode >> super::MODE_KEYS_OFF_SHIFT & 1 << self as u32 != 0
    }
}

/// A pointer, and what it says of itself.
#[derive(Clone, Copy)]
struct Pointer<V> {
    value: V,
    /// Without a code.
    original: V,
    /// The bits that a code has.
    field: V,
}

fn pointer<S: Sem>(s: &mut S, value: S::V) -> Pointer<S::V> {
    let v = s.shift_k(Op::Shl, 64, value, 8);
    let upper = s.shift_k(Op::Sar, 64, v, 63);
    let rest = s.and_k(64, value, !FIELD);
    let ext = s.and_k(64, upper, FIELD | TAG);
    let original = s.op2(Op::Or, 64, rest, ext);
    let more = s.and_k(64, upper, TAG);
    let always = s.konst(FIELD);
    let field = s.op2(Op::Or, 64, more, always);
    Pointer {
        value,
        original,
        field,
    }
}

/// The 64 bits that the code is taken out of.
fn code<S: Sem>(s: &mut S, i: Insn, key: Key, address: S::V, modifier: S::V) -> S::V {
    if i.has(QARMA5) || i.has(QARMA3) {
        let three = u64::from(i.has(QARMA3));
        return s.call(
            |st, address, modifier, _, imm| {
                let key = st.v()[usize::from(insn::KEYS) + (imm >> 1) as usize];
                let key = ((key >> 64) as u64, key as u64);
                u128::from(qarma::code(
                    address as u64,
                    modifier as u64,
                    key,
                    imm & 1 != 0,
                ))
            },
            [Some(address), Some(modifier), None],
            (key as u64) << 1 | three,
        );
    }
    let v = s.op1(Op::VFromG, 64, address);
    let v = s.op2i(Op::VIns, 64, v, modifier, 1);
    let key = s.get_x(insn::KEYS + key as u16);
    let v = s.op2(Op::VXor, 128, v, key);
    let v = s.op1(Op::AesRound, 128, v);
    let v = s.op2(Op::VXor, 128, v, key);
    let v = s.op1(Op::AesRound, 128, v);
    s.op1i(Op::VGet, 64, v, 0)
}

/// The pointer with its code put in, or taken out if it was the right one.
fn exchanged<S: Sem>(s: &mut S, i: Insn, key: Key, p: Pointer<S::V>, modifier: S::V) -> S::V {
    let v = code(s, i, key, p.original, modifier);
    let v = s.op2(Op::And, 64, v, p.field);
    s.op2(Op::Xor, 64, p.value, v)
}

/// AddPAC.
fn sign<S: Sem>(s: &mut S, i: Insn, key: Key, value: S::V, modifier: S::V) -> S::V {
    if key.is_off(i) {
        return value;
    }
    let p = pointer(s, value);
    exchanged(s, i, key, p, modifier)
}

/// Auth; `combined`: of an instruction that uses the address, too.
fn check<S: Sem>(
    s: &mut S,
    i: Insn,
    key: Key,
    value: S::V,
    modifier: S::V,
    combined: bool,
) -> S::V {
    if key.is_off(i) {
        return value;
    }
    let p = pointer(s, value);
    let found = exchanged(s, i, key, p, modifier);
    if !i.has(if combined { FPACCOMBINE } else { FPAC }) {
        return found;
    }
    let wrong = s.op2(Op::Xor, 64, found, p.original);
    let wrong = s.not_zero(64, wrong);
    s.trap_if(wrong, Trap::Exception, PACFAIL, i.pc);
    p.original
}

/// A register, or zero.
fn modifier_in<S: Sem>(s: &mut S, by: Option<u32>) -> S::V {
    match by {
        Some(n) => xsp(s, n),
        None => s.konst(0),
    }
}

/// PACIA ... AUTDZB.
pub fn one_source<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let no_modifier = i.bit(13);
    if no_modifier && i.rn() != 31 {
        return Lift::Undefined;
    }
    let key = if i.bit(11) {
        Key::data(i.bit(10))
    } else {
        Key::instruction(i.bit(10))
    };
    let pointer = x(s, i.rd());
    let modifier = modifier_in(s, (!no_modifier).then(|| i.rn()));
    let v = if i.bit(12) {
        check(s, i, key, pointer, modifier, false)
    } else {
        sign(s, i, key, pointer, modifier)
    };
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// XPACI, XPACD.
pub fn xpac<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = x(s, i.rd());
    let p = pointer(s, v);
    set(s, 64, i.rd(), p.original);
    Lift::Next
}

/// PACGA.
pub fn generic<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (v, modifier) = (x(s, i.rn()), xsp(s, i.rm()));
    let v = code(s, i, Key::Ga, v, modifier);
    let v = s.and_k(64, v, !0 << 32);
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// Those among the hints: on x17 by x16, or on x30 by zero or sp.
pub fn hint<S: Sem>(s: &mut S, i: Insn, number: u32) -> Lift {
    if number == 7 {
        let v = x(s, 30);
        let p = pointer(s, v);
        set(s, 64, 30, p.original);
        return Lift::Next;
    }
    let (n, by) = match (number >= 24, number & 1) {
        (false, 0) => (17, Some(16)),
        (false, _) => return Lift::Next,
        (true, 0) => (30, None),
        (true, _) => (30, Some(31)),
    };
    let pointer = x(s, n);
    let modifier = modifier_in(s, by);
    let key = Key::instruction(number & 2 != 0);
    let v = if number & 4 != 0 {
        check(s, i, key, pointer, modifier, false)
    } else {
        sign(s, i, key, pointer, modifier)
    };
    set(s, 64, n, v);
    Lift::Next
}

/// BRAA, BLRAA, RETAA and their like.
pub fn branch<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let key = Key::instruction(i.bit(10));
    let (how, target, by) = match (i.f(21, 2), i.bit(24)) {
        (2, false) if i.rn() == 31 && i.rd() == 31 => (Indirect::Return, 30, Some(31)),
        (0, false) if i.rd() == 31 => (Indirect::Jump, i.rn(), None),
        (1, false) if i.rd() == 31 => (Indirect::Call, i.rn(), None),
        (0, true) => (Indirect::Jump, i.rn(), Some(i.rd())),
        (1, true) => (Indirect::Call, i.rn(), Some(i.rd())),
        _ => return Lift::Undefined,
    };
    let pointer = x(s, target);
    let modifier = modifier_in(s, by);
    let target = check(s, i, key, pointer, modifier, true);
    let back = i.pc.wrapping_add(4);
    if how == Indirect::Call {
        let k = s.konst(back);
        set(s, 64, 30, k);
    }
    s.jump_r(how, target, back);
    Lift::End
}

/// LDRAA, LDRAB.
pub fn load<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let base = xsp(s, i.rn());
    let zero = s.konst(0);
    let base = check(s, i, Key::data(i.bit(23)), base, zero, true);
    let offset = (i64::from(i.bit(22)) * -512 + i64::from(i.f(12, 9))) << 3;
    let addr = s.add_k(64, base, offset as u64);
    let v = s.load(64, 0, addr);
    if i.bit(11) {
        set_sp(s, 64, i.rn(), addr);
    }
    set(s, 64, i.rd(), v);
    Lift::Next
}

/// Which keys a program has switched off, as the translation mode has it.
#[must_use]
pub fn mode(keys_off: u64) -> u32 {
    (keys_off as u32 & 15) << super::MODE_KEYS_OFF_SHIFT
}

/// The slot of [`mode`]'s argument.
pub const OFF: usize = slot::KEYS_OFF as usize;
