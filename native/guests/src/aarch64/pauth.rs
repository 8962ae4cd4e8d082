//! Pointer authentication (Arm ARM D8.10; FEAT_PAuth2, FEAT_FPAC, FEAT_FPACCOMBINE).
//!
//! Addresses of programs have 48 bits and a tag, as Linux has it (TBI0): the code is in bits 54-48, and bit 55 says what
//! was there. The algorithm that is not the architecture's is two multiplications of the address and the modifier under the key,
//! a handful of instructions of the host: functions sign their return addresses. It finds what is wrong in a program; it keeps nobody from
//! computing a code who knows other ones.

use super::bti;
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
/// Odd numbers with bits as at random: of the golden ratio, and a prime of xxHash's (its second of 64 bits).
const MIX: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
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

/// What a pointer says of itself.
#[derive(Clone, Copy)]
struct Pointer<V> {
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
    Pointer { original, field }
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
    // The uppermost bits of a product depend on all bits of its factors, the others on those below.
    let key = s.get_x(insn::KEYS + key as u16);
    let key = s.op1i(Op::VGet, 64, key, 0);
    let v = s.op2(Op::Xor, 64, address, key);
    let mix = s.konst(MIX[0]);
    let v = s.op2(Op::Mul, 64, v, mix);
    let v = s.shift_k(Op::Ror, 64, v, 32);
    let v = s.op2(Op::Xor, 64, v, modifier);
    let mix = s.konst(MIX[1]);
    s.op2(Op::Mul, 64, v, mix)
}

fn is_own(i: Insn) -> bool {
    !i.has(QARMA5) && !i.has(QARMA3)
}

/// The pointer with its code put in, or taken out if it was the right one.
fn exchanged<S: Sem>(s: &mut S, i: Insn, key: Key, value: S::V, modifier: S::V) -> S::V {
    let v = if is_own(i) {
        // Its codes have zeros where the tag is, in the upper half, too: so they are made of what is not in the field.
        let rest = s.and_k(64, value, !FIELD);
        let v = code(s, i, key, rest, modifier);
        let v = s.shift_k(Op::Ror, 64, v, u64::from(FIELD.leading_zeros()));
        s.and_k(64, v, FIELD)
    } else {
        let p = pointer(s, value);
        let v = code(s, i, key, p.original, modifier);
        s.op2(Op::And, 64, v, p.field)
    };
    s.op2(Op::Xor, 64, value, v)
}

/// Not 0 for an address whose field is not as bit 55 says.
fn differs<S: Sem>(s: &mut S, i: Insn, found: S::V) -> S::V {
    if is_own(i) {
        // Bits 55-48 are a number that is 0 or -1.
        let v = s.shift_k(Op::Shl, 64, found, 8);
        let v = s.shift_k(Op::Sar, 64, v, 56);
        let v = s.add_k(64, v, 1);
        return s.shift_k(Op::Shr, 64, v, 1);
    }
    let p = pointer(s, found);
    s.op2(Op::Xor, 64, found, p.original)
}

/// AddPAC.
fn sign<S: Sem>(s: &mut S, i: Insn, key: Key, value: S::V, modifier: S::V) -> S::V {
    if key.is_off(i) {
        return value;
    }
    exchanged(s, i, key, value, modifier)
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
    let found = exchanged(s, i, key, value, modifier);
    if i.has(if combined { FPACCOMBINE } else { FPAC }) {
        let wrong = differs(s, i, found);
        let wrong = s.not_zero(64, wrong);
        s.trap_if(wrong, Trap::Exception, PACFAIL, i.pc);
    }
    found
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
    let register = target;
    let pointer = x(s, register);
    let modifier = modifier_in(s, by);
    let target = check(s, i, key, pointer, modifier, true);
    let back = i.pc.wrapping_add(4);
    if how == Indirect::Call {
        let k = s.konst(back);
        set(s, 64, 30, k);
    }
    bti::leave(s, i, how, register);
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
