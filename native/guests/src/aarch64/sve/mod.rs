//! The Scalable Vector Extension, SVE and SVE2, with vectors of 128 to 2,048 bits.
//!
//! An instruction is a call of a helper that goes over the elements; loads and stores are executed outside of translated code
//! (`memory`). What occurs most is inline where vectors have up to 256 bits (`inline`).
//!
//! V registers are the lowest quadwords of vectors. What is above them is 0 until a program uses vectors, and again behind each of
//! its system calls, as Linux has it (Documentation/arch/arm64/sve.rst, "System call behaviour"): so there are two modes of
//! translations. In the usual one the first vector instruction says that they are in use ([`slot::VECTORS`]) and goes on in the
//! other one, in which each write of V clears what is above. The vector length is part of the mode.

mod crypto;
mod float;
mod inline;
mod int;
mod memory;
mod permute;
mod pred;
mod state;
pub mod table;
mod unit;
mod wide;

use super::insn::{Insn, LAYOUT, PREDICATE_WORDS, PREDICATES, UPPER, set, set_sp, slot, x};
use super::{MODE_TAGS_NOTED, MODE_TAGS_TRAPPED, MODE_VECTORS, features};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::flags::{self, C, N, V, Z};
use crate::ir::interp::Mem;
use crate::ir::sem::{Above, Sem};
use crate::ir::state::{Refused, State};
use crate::ir::{Op, Trap};
pub use state::{register, set_register};
use table::{Encoding, GROUPS, Run};
use unit::Unit;

/// The words of predicates among general slots.
const PREDICATE_SLOTS: u16 = PREDICATES * PREDICATE_WORDS;

/// Whether an instruction is one of these (Arm ARM C4.1: op0 is 0010).
#[must_use]
pub fn is_vector(bits: u32) -> bool {
    bits >> 25 & 15 == 2
}

/// What writes of V clear in this mode.
#[must_use]
pub fn above(i: Insn) -> Above {
    if i.mode & MODE_VECTORS == 0 {
        return Above::default();
    }
    Above {
        slots: 32,
        first: UPPER,
        pieces: i.quads() - 1,
    }
}

// A helper's immediate: the instruction, and its line above it.
const GROUP: u32 = 32;
const LINE: u32 = 40;
const BIG: u64 = 1 << 60;

fn line(imm: u64) -> &'static Encoding {
    &GROUPS[(imm >> GROUP & 7) as usize].lines[(imm >> LINE & 0xffff) as usize]
}

/// What a helper answers: that this is no instruction; the flags, where `flags` has them; a general register is above.
const UNDEFINED: u64 = 1 << 32;

fn nzcv(bits: u8) -> u64 {
    let bit = |n: u8| bits >> n & 1 != 0;
    flags::pack(bit(3), bit(2), bit(1), bit(0))
}

fn registers(st: &mut State, _: u128, _: u128, _: u128, imm: u64) -> u128 {
    let mut u = Unit::new(st, imm as u32);
    let Run::Registers(run) = line(imm).run else {
        return UNDEFINED.into();
    };
    if run(&mut u).is_err() {
        return UNDEFINED.into();
    }
    u.finish();
    let flags = u.nzcv.map_or(0, nzcv);
    u128::from(flags) | u128::from(u.result) << 64
}

fn accesses(st: &mut State, mem: &mut dyn Mem, imm: u64) -> Result<(), Refused> {
    let mut u = Unit::new(st, imm as u32);
    u.big = imm & BIG != 0;
    match line(imm).run {
        Run::Memory(run) => run(&mut u, mem),
        _ => Err(Refused::Undefined),
    }
}

/// Behind what may have changed vectors and predicates.
fn forget<S: Sem>(s: &mut S) {
    s.changed(0..LAYOUT.units() as u16);
    s.changed_slots(slot::PREDICATES..slot::PREDICATES + PREDICATE_SLOTS);
}

/// An instruction of this extension.
pub fn lift<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let Some((group, n)) = table::find(i.bits) else {
        return Lift::Undefined;
    };
    let found = &GROUPS[group].lines[n];
    if !i.has(found.need) || !i.has(features::SVE) {
        return Lift::Undefined;
    }
    if i.mode & MODE_VECTORS == 0 {
        let one = s.konst(1);
        s.set(slot::VECTORS, one);
        s.trap(Trap::Resync, 0, i.pc);
        return Lift::End;
    }
    // What is inline accesses more than it may compare the tags of.
    let compares = i.mode & (MODE_TAGS_TRAPPED | MODE_TAGS_NOTED) != 0;
    if !(compares && matches!(found.run, Run::Memory(_))) && inline::lift(s, i) {
        return Lift::Next;
    }
    let big = if i.big() { BIG } else { 0 };
    let imm = u64::from(i.bits) | (group as u64) << GROUP | (n as u64) << LINE | big;
    match found.run {
        Run::Terminate(_) => terminate(s, i),
        Run::Memory(_) => {
            s.outside(accesses, imm, i.pc);
            forget(s);
            return if S::STEPS { Lift::Next } else { Lift::End };
        }
        Run::Registers(_) => by_helper(s, i, found.sets, imm),
    }
    Lift::Next
}

/// Whether an instruction has code of its own, in translations with vectors of up to 256 bits.
#[cfg(test)]
pub fn is_inline(s: &mut crate::ir::build::IrBuilder, i: Insn) -> bool {
    inline::lift(s, i)
}

fn by_helper<S: Sem>(s: &mut S, i: Insn, sets: char, imm: u64) {
    let both = s.call_x(registers, [None; 3], imm);
    let answer = s.op1i(Op::VGet, 64, both, 0);
    let bad = s.and_k(64, answer, UNDEFINED);
    let bad = s.not_zero(64, bad);
    s.trap_if(bad, Trap::Undefined, 0, i.pc);
    forget(s);
    match sets {
        'f' => {
            let f = s.op1(Op::FPack, 16, answer);
            s.set_f(f);
        }
        'x' | 's' => {
            let v = s.op1i(Op::VGet, 64, both, 1);
            if sets == 'x' {
                set(s, 64, i.rd(), v);
            } else {
                set_sp(s, 64, i.rd(), v);
            }
        }
        _ => {}
    }
}

/// CTERMEQ, CTERMNE: N and not V if the loop ends, else V is the inverted carry; Z and C stay.
fn terminate<S: Sem>(s: &mut S, i: Insn) {
    let w = if i.bit(22) { 64 } else { 32 };
    let (a, b) = (x(s, i.rn()), x(s, i.rm()));
    let difference = s.op2(Op::Xor, w, a, b);
    let ends = if i.bit(4) {
        s.not_zero(w, difference)
    } else {
        s.is_zero(w, difference)
    };
    let f = s.get_f();
    let old = s.op1(Op::Pack, 16, f);
    let kept = s.and_k(64, old, Z | C);
    let carry = s.and_k(64, old, C);
    let clear = s.is_zero(64, carry);
    let (v, none, n) = (s.konst(V), s.konst(0), s.konst(N));
    let v = s.select(64, clear, v, none);
    let new = s.select(64, ends, n, v);
    let all = s.op2(Op::Or, 64, kept, new);
    let f = s.op1(Op::FPack, 16, all);
    s.set_f(f);
}

/// Behind a system call: vectors are not in use, what is above V is 0, and so are predicates.
pub fn discard<S: Sem>(s: &mut S, i: Insn) {
    if i.mode & MODE_VECTORS == 0 {
        return;
    }
    s.call(
        |st, _, _, _, _| {
            clear(st);
            0
        },
        [None; 3],
        0,
    );
    forget(s);
    let zero = s.konst(0);
    s.set(slot::VECTORS, zero);
}

/// All of vectors but V.
pub fn clear(st: &mut State) {
    let quads = st.r()[usize::from(slot::QUADS)] as usize;
    let above = usize::from(UPPER);
    st.v_mut()[above..above + 32 * quads.saturating_sub(1)].fill(0);
    let first = usize::from(slot::PREDICATES);
    st.r_mut()[first..first + usize::from(PREDICATE_SLOTS)].fill(0);
    st.r_mut()[usize::from(slot::VECTORS)] = 0;
}
