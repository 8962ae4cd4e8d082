//! The vector registers as [`crate::cpu::Regs`] numbers them.

use super::super::features;
use super::super::insn::{PREDICATES, UPPER, slot};
use super::super::registers::{LENGTH_CONTROL, LENGTHS, P0, QUADS, VECTOR_COUNT, VECTORS, Z0};
use super::clear;
use crate::features::Features;
use crate::ir::state::State;

/// The slot of a predicate's word.
fn predicate(id: u32) -> usize {
    let n = (id - P0) as usize;
    usize::from(slot::PREDICATES) + n / 4 + usize::from(PREDICATES) * (n % 4)
}

/// The piece of what is above V, if the length has it.
fn piece(st: &State, id: u32) -> Option<usize> {
    let n = (id - Z0) as usize;
    let above = (st.r()[usize::from(slot::QUADS)] as usize).saturating_sub(1);
    (n % 15 < above).then(|| usize::from(UPPER) + n / 15 * above + n % 15)
}

#[must_use]
pub fn register(st: &State, model: Features, id: u32) -> u128 {
    let r = |n: u16| u128::from(st.r()[usize::from(n)]);
    match id {
        LENGTHS => features::lengths_of(model).into(),
        QUADS => r(slot::QUADS),
        LENGTH_CONTROL => r(slot::LENGTH_CONTROL),
        VECTORS => r(slot::VECTORS),
        P0..Z0 => st.r()[predicate(id)].into(),
        Z0..VECTOR_COUNT => piece(st, id).map_or(0, |n| st.v()[n]),
        _ => 0,
    }
}

/// Another length, or that vectors are not in use, makes all 0 but V.
pub fn set_register(st: &mut State, model: Features, id: u32, value: u128) {
    let v = value as u64;
    if !model.contains(features::SVE) {
        return;
    }
    match id {
        QUADS if st.r()[usize::from(slot::QUADS)] != v => {
            clear(st);
            st.r_mut()[usize::from(slot::QUADS)] = v.clamp(1, 16);
        }
        LENGTH_CONTROL => st.r_mut()[usize::from(slot::LENGTH_CONTROL)] = v,
        VECTORS if v == 0 => clear(st),
        VECTORS => st.r_mut()[usize::from(slot::VECTORS)] = 1,
        P0..Z0 => st.r_mut()[predicate(id)] = v,
        Z0..VECTOR_COUNT => {
            if let Some(n) = piece(st, id) {
                st.v_mut()[n] = value;
            }
        }
        _ => {}
    }
}
