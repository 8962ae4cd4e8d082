//! Processor state and hints of EL0 that are neither flags nor floating point (Arm ARM C4.1, "System instructions with register
//! argument", "PSTATE", "Hints").

use super::features::{PACA, SSBS};
use super::insn::{Insn, slot};
use super::{features, pauth};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::ir::state::State;

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

/// MSR (immediate) of DIT and SSBS.
pub fn msr_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let bit = match i.f(5, 3) {
        1 => PSTATE_SSBS,
        2 => DIT,
        _ => return Lift::Undefined,
    };
    let v = s.konst(if i.bit(8) { bit } else { 0 });
    set_bit(s, v, bit);
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
pub fn bits_of(features: crate::arm::features::Features) -> u64 {
    let dit = if features.contains(features::DIT) { DIT } else { 0 };
    let ssbs = if features.contains(SSBS) { PSTATE_SSBS } else { 0 };
    dit | ssbs
}

/// RNDR, RNDRRS: a number, and the flags say that there was one.
pub fn random<S: Sem>(s: &mut S) -> S::V {
    let f = s.konst(0);
    let f = s.op1(Op::FPack, 16, f);
    s.set_f(f);
    s.call(|st, _, _, _, _| u128::from(number(st)), [None; 3], 0)
}

/// The next random number: the host's, or that after the last one of those that follow from a seed (`slot::SEED`, of which
/// bit 0 says that there is one), by SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators").
fn number(st: &mut State) -> u64 {
    let seed = &mut st.r_mut()[usize::from(slot::SEED)];
    if *seed == 0 {
        let mut bytes = [0; 8];
        // SAFETY: the kernel writes at most 8 bytes; that many are given at once (getrandom(2)).
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        assert_eq!(got, 8, "getrandom(2) gives 8 bytes");
        return u64::from_le_bytes(bytes);
    }
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c16);
    let z = *seed >> 1;
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
