//! The status registers: CPSR, ITSTATE, and the parts of them that have slots.

use super::insn::{Insn, slot};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::flags;
use crate::ir::sem::Sem;
use crate::ir::state::State;

/// ITSTATE of the next instruction (Arm ARM F1.2, ITAdvance()).
#[must_use]
pub fn next_it(it: u32) -> u32 {
    if it & 7 == 0 {
        0
    } else {
        it & 0xe0 | (it & 0xf) << 1
    }
}

/// Whether a T16 instruction is IT.
#[must_use]
pub fn is_it(half: u32) -> bool {
    half & 0xff00 == 0xbf00 && half & 0xf != 0
}

/// IT: what it says is in the translation's mode from the next instruction on.
pub fn it<S: Sem>(_s: &mut S, i: Insn) -> Lift {
    let first = i.f(4, 4);
    // With "always" there is no "else".
    if i.in_it() || first == 15 || (first == 14 && !i.f(0, 4).is_power_of_two()) {
        return Lift::Undefined;
    }
    Lift::Next
}

/// CPSR as a program sees it.
#[must_use]
pub fn cpsr(st: &State) -> u32 {
    let f = st.flags;
    let bit = |m: u64, n: u32| u32::from(f & m != 0) << n;
    let r = |n: u16| st.r()[usize::from(n)] as u32;
    let it = r(slot::IT);
    // User mode, interrupts enabled.
    0x10 | bit(flags::N, 31)
        | bit(flags::Z, 30)
        | bit(flags::C, 29)
        | bit(flags::V, 28)
        | u32::from(r(slot::Q) != 0) << 27
        | (it & 3) << 25
        | (it >> 2) << 10
        | ge_bits(r(slot::GE)) << 16
        | u32::from(r(slot::E) != 0) << 9
        | (st.pc as u32 & 1) << 5
}

/// Writes what a program may change of it.
pub fn set_cpsr(st: &mut State, v: u32) {
    st.flags = flags::pack(
        v >> 31 & 1 != 0,
        v >> 30 & 1 != 0,
        v >> 29 & 1 != 0,
        v >> 28 & 1 != 0,
    );
    let thumb = v >> 5 & 1;
    let mut put = |n: u16, v: u32| st.r_mut()[usize::from(n)] = u64::from(v);
    put(slot::Q, v >> 27 & 1);
    put(slot::IT, (v >> 25 & 3 | (v >> 10 & 0x3f) << 2) * thumb);
    put(slot::GE, ge_mask(v >> 16));
    put(slot::E, v >> 9 & 1);
    st.pc = st.pc & !1 | u64::from(thumb);
}

/// GE of a mask with a byte for each bit.
#[must_use]
pub fn ge_bits(mask: u32) -> u32 {
    (mask & 0x0804_0201).wrapping_mul(0x0101_0101) >> 24
}

/// The mask of GE.
#[must_use]
pub fn ge_mask(bits: u32) -> u32 {
    (0..4).map(|n| ((bits >> n & 1) * 0xff) << (8 * n)).sum()
}
