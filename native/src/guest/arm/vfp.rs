//! Floating point (Arm ARM F6, "VFP data-processing" and the moves between register files).
//!
//! The double-precision registers d0-d31 are the low halves of the wide slots of their numbers.

use super::insn::{Insn, reg, set, slot};
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::ir::{Op, float};

/// FPSCR out of its parts: what the program wrote, and the sticky flags.
#[must_use]
pub fn fpscr(st: &State) -> u32 {
    let e = st.fpenv;
    let bit = |m: u32, n: u32| u32::from(e & m != 0) << n;
    st.r[usize::from(slot::FPSCR)] as u32
        | st.fpstatus as u32
        | bit(float::INVALID, 0)
        | bit(float::DIV_BY_ZERO, 1)
        | bit(float::OVERFLOW, 2)
        | bit(float::UNDERFLOW, 3)
        | bit(float::INEXACT, 4)
        | u32::from(st.fpext & float::INPUT_DENORMAL != 0) << 7
}

/// Writes it: N, Z, C, V and QC (31-27) and what has no twin in the host are in `fpstatus`, modes in the slot, and both
/// in the environment where that has them.
pub fn set_fpscr(st: &mut State, v: u32) {
    st.fpstatus = u64::from(v & 0xf800_0000);
    st.r[usize::from(slot::FPSCR)] = u64::from(v & 0x07f7_0000);
    // Arm: nearest, up, down, zero. The environment: nearest, down, up, zero.
    let rc = [0u32, 2, 1, 3][(v >> 22 & 3) as usize];
    let bit = |n: u32, m: u32| if v >> n & 1 != 0 { m } else { 0 };
    st.fpenv = (st.fpenv & !0x603f)
        | rc << 13
        | bit(0, float::INVALID)
        | bit(1, float::DIV_BY_ZERO)
        | bit(2, float::OVERFLOW)
        | bit(3, float::UNDERFLOW)
        | bit(4, float::INEXACT);
    st.fpext = bit(7, float::INPUT_DENORMAL)
        | bit(25, float::DEFAULT_NAN)
        | bit(24, float::FLUSH)
        | bit(19, float::FLUSH_HALF)
        | bit(26, float::ALT_HALF);
}

/// VMOV between two general registers and a double-precision one.
pub fn mov_core_pair<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (t, t2, d) = (i.f(12, 4), i.f(16, 4), i.f(5, 1) << 4 | i.f(0, 4));
    if t == 15 || t2 == 15 || (i.bit(20) && t == t2) {
        return Lift::Undefined;
    }
    if i.bit(20) {
        let v = s.get_x(d as u16);
        let v = s.op1i(Op::VGet, 64, v, 0);
        set(s, t, v);
        let high = s.shift_k(Op::Shr, 64, v, 32);
        set(s, t2, high);
    } else {
        let (low, high) = (reg(s, i, t), reg(s, i, t2));
        let high = s.shift_k(Op::Shl, 64, high, 32);
        let v = s.op2(Op::Or, 64, low, high);
        let v = s.op1(Op::VFromG, 64, v);
        s.set_x(d as u16, v);
    }
    Lift::Next
}
