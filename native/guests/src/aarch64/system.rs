//! Processor state and hints of EL0 that are neither flags nor floating point (Arm ARM C4.1, "System instructions with register
//! argument", "PSTATE", "Hints").

use super::features::{BTI, MTE, PACA, SSBS};
use super::insn::{Insn, slot};
use super::linux::random::number;
use super::{bti, features, mte, pauth};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::ir::{Op, Trap};

/// Bits of PSTATE beside the flags, where MRS and MSR have them.
pub const DIT: u64 = 1 << 24;
pub const PSTATE_SSBS: u64 = 1 << 12;

/// HINT: NOP, YIELD, WFE, DGH, CHKFEAT (without a feature that it knows), CLRBHB, and what is one without its feature.
pub fn hint<S: Sem>(s: &mut S, i: Insn) -> Lift {
    match i.f(5, 7) {
        n @ (7..=15 | 24..=31) if i.has(PACA) => pauth::hint(s, i, n),
        _ => Lift::Next,
    }
}

/// WFET, WFIT: a wait may end at any time, for no reason.
pub fn wait<S: Sem>(_s: &mut S, _i: Insn) -> Lift {
    Lift::Next
}

/// MSR (immediate) of DIT, SSBS and TCO.
pub fn msr_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let bit = match i.f(5, 3) {
        4 if i.has(MTE) => mte::TCO,
        1 => PSTATE_SSBS,
        2 => DIT,
        _ => return Lift::Undefined,
    };
    let v = s.konst(if i.bit(8) { bit } else { 0 });
    set_bit(s, v, bit);
    if bit == mte::TCO {
        // Translations without comparisons are others.
        s.trap(Trap::Resync, 0, i.pc.wrapping_add(4));
        return Lift::End;
    }
    Lift::Next
}

/// One of PSTATE's bits, as MRS shows it.
pub fn get_bit<S: Sem>(s: &mut S, bit: u64) -> S::V {
    let all = s.get(slot::PSTATE);
    s.and_k(64, all, bit)
}

/// Sets it to that of `v`.
pub fn set_bit<S: Sem>(s: &mut S, v: S::V, bit: u64) {
    let all = s.get(slot::PSTATE);
    let kept = s.and_k(64, all, !bit);
    let new = s.and_k(64, v, bit);
    let all = s.op2(Op::Or, 64, kept, new);
    s.set(slot::PSTATE, all);
}

/// Those that a model has.
#[must_use]
pub fn bits_of(features: crate::features::Features) -> u64 {
    let dit = if features.contains(features::DIT) {
        DIT
    } else {
        0
    };
    let ssbs = if features.contains(SSBS) {
        PSTATE_SSBS
    } else {
        0
    };
    let btype = if features.contains(BTI) {
        3 << bti::SHIFT
    } else {
        0
    };
    let tco = if features.contains(MTE) { mte::TCO } else { 0 };
    dit | ssbs | btype | tco
}

/// RNDR, RNDRRS: a number, and the flags say that there was one.
pub fn random<S: Sem>(s: &mut S) -> S::V {
    let f = s.konst(0);
    let f = s.op1(Op::FPack, 16, f);
    s.set_f(f);
    let next = |st: &mut State, _, _, _, _| {
        let seed = &mut st.r_mut()[usize::from(slot::SEED)];
        u128::from(number(seed))
    };
    s.call(next, [None; 3], 0)
}
