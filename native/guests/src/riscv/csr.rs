//! Control and status registers: those of floating point, and the counters (Zicsr, F, Zicntr).

use super::features::{self, F, V};
use super::insn::{Insn, done, set, slot, x};
use super::linux::ticks;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::ir::{Op, Trap, float};

/// Rounding modes as frm and instructions have them.
pub mod rounding {
    pub const NEAREST: u8 = 0;
    pub const ZERO: u8 = 1;
    pub const DOWN: u8 = 2;
    pub const UP: u8 = 3;
    /// To nearest, ties away from zero.
    pub const AWAY: u8 = 4;
    /// In an instruction: that of frm.
    pub const DYNAMIC: u8 = 7;
}

/// What RISC-V has otherwise than Arm: all NaNs are the default one, and a result is tiny if it is so after rounding.
const MODES: u32 = float::DEFAULT_NAN | float::TINY_AFTER;

#[must_use]
pub fn fflags(st: &State) -> u64 {
    float::accrued(st.env())
}

pub fn set_fflags(st: &mut State, v: u64) {
    let env = float::with_accrued(st.env(), v);
    st.set_env(env);
}

#[must_use]
pub fn frm(st: &State) -> u64 {
    st.r()[usize::from(slot::FRM)]
}

/// An environment that rounds in another mode; reserved ones are never computed with.
#[must_use]
pub fn rounding_in(env: u32, mode: u8) -> u32 {
    let (rc, away) = match mode {
        rounding::ZERO => (3, 0),
        rounding::DOWN => (1, 0),
        rounding::UP => (2, 0),
        rounding::AWAY => (0, float::AWAY),
        _ => (0, 0),
    };
    env & !(0x6000 | float::AWAY) | rc << 13 | away
}

fn round_in(st: &mut State, mode: u8) {
    let env = rounding_in(st.env(), mode) | MODES;
    st.set_env(env);
}

pub fn set_frm(st: &mut State, v: u64) {
    let mode = v & 7;
    st.r_mut()[usize::from(slot::FRM)] = mode;
    round_in(st, mode as u8);
}

/// Floating-point state as at the start of a program.
pub fn reset(st: &mut State) {
    set_frm(st, 0);
}

#[must_use]
pub fn fcsr(st: &State) -> u64 {
    frm(st) << 5 | fflags(st)
}

pub fn set_fcsr(st: &mut State, v: u64) {
    set_fflags(st, v);
    set_frm(st, v >> 5);
}

// Registers by their numbers.
const FFLAGS: u32 = 1;
const FRM: u32 = 2;
const FCSR: u32 = 3;
const VSTART: u32 = 8;
const VXSAT: u32 = 9;
const VXRM: u32 = 10;
const VCSR: u32 = 15;
const VL: u32 = 0xc20;
const VTYPE: u32 = 0xc21;
const VLENB: u32 = 0xc22;
const CYCLE: u32 = 0xc00;
const TIME: u32 = 0xc01;
const INSTRET: u32 = 0xc02;
/// The upper halves with 32 bits.
const UPPER: u32 = 0x80;

/// Gives another result each time: a read of a counter.
#[must_use]
pub fn is_volatile(bits: u32) -> bool {
    let counter = (bits >> 20 & !UPPER).wrapping_sub(CYCLE) < 3;
    bits & 0x7f == 0x73 && bits >> 12 & 3 != 0 && counter
}

/// Cycles and instructions, at 1 GHz and one a cycle.
fn cycles() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists, and the buffer is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn counter<S: Sem>(s: &mut S, number: u32) -> S::V {
    if number == TIME {
        s.call(|_, _, _, _, _| u128::from(ticks()), [None; 3], 0)
    } else {
        s.call(|_, _, _, _, _| u128::from(cycles()), [None; 3], 0)
    }
}

/// CSRRW, CSRRS, CSRRC, and with an immediate (bit 14).
pub fn access<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let number = i.f(20, 12);
    // Setting or clearing nothing writes nothing.
    let writes = i.f(12, 2) == 1 || i.rs1() != 0;
    match number {
        FFLAGS | FRM | FCSR if i.has(F) => status(s, i, number, writes),
        VSTART | VXSAT | VXRM | VCSR if i.has(V) && !i.vectors_off() => {
            vector_status(s, i, number, writes)
        }
        VL | VTYPE | VLENB if i.has(V) && !i.vectors_off() && !writes => {
            let v = match number {
                VL => s.get(slot::VL),
                VLENB => s.konst(1 << features::log_bytes(i.features)),
                _ => {
                    // vill is the highest bit.
                    let kind = s.get(slot::VTYPE);
                    let (vill, low) = (s.shift_k(Op::Shr, 64, kind, 8), s.and_k(64, kind, 0xff));
                    let vill = s.shift_k(Op::Shl, 64, vill, u64::from(i.xlen) - 1);
                    s.op2(Op::Or, 64, vill, low)
                }
            };
            used(s);
            done(s, i, v)
        }
        CYCLE | TIME | INSTRET if !writes => {
            let v = counter(s, number);
            done(s, i, v)
        }
        _ if i.xlen == 32 && !writes && matches!(number ^ UPPER, CYCLE | TIME | INSTRET) => {
            let v = counter(s, number ^ UPPER);
            let v = s.shift_k(Op::Shr, 64, v, 32);
            done(s, i, v)
        }
        _ => Lift::Undefined,
    }
}

/// Vectors are in use.
fn used<S: Sem>(s: &mut S) {
    let one = s.konst(1);
    s.set(slot::VUSED, one);
}

/// What is written, by an instruction that writes.
fn changed<S: Sem>(s: &mut S, i: Insn, old: S::V) -> S::V {
    let operand = if i.bit(14) {
        s.konst(u64::from(i.rs1()))
    } else {
        x(s, i.rs1())
    };
    match i.f(12, 2) {
        1 => operand,
        2 => s.op2(Op::Or, 64, old, operand),
        _ => s.op2(Op::Andn, 64, old, operand),
    }
}

fn vector_status<S: Sem>(s: &mut S, i: Insn, number: u32, writes: bool) -> Lift {
    let old = match number {
        VSTART => s.get(slot::VSTART),
        VXSAT => s.get(slot::VXSAT),
        VXRM => s.get(slot::VXRM),
        _ => {
            let (mode, sat) = (s.get(slot::VXRM), s.get(slot::VXSAT));
            let mode = s.shift_k(Op::Shl, 64, mode, 1);
            s.op2(Op::Or, 64, mode, sat)
        }
    };
    if writes {
        let new = changed(s, i, old);
        match number {
            VSTART => {
                let v = s.and_k(64, new, (8 << features::log_bytes(i.features)) - 1);
                s.set(slot::VSTART, v);
            }
            VXSAT => {
                let v = s.and_k(64, new, 1);
                s.set(slot::VXSAT, v);
            }
            VXRM => {
                let v = s.and_k(64, new, 3);
                s.set(slot::VXRM, v);
            }
            _ => {
                let (mode, sat) = (s.shift_k(Op::Shr, 64, new, 1), s.and_k(64, new, 1));
                let mode = s.and_k(64, mode, 3);
                s.set(slot::VXRM, mode);
                s.set(slot::VXSAT, sat);
            }
        }
    }
    used(s);
    done(s, i, old)
}

fn status<S: Sem>(s: &mut S, i: Insn, number: u32, writes: bool) -> Lift {
    // CSRRW to register 0 does not read.
    let reads = i.f(12, 2) != 1 || i.rd() != 0;
    let old = match number {
        _ if !reads => s.konst(0),
        FFLAGS => s.accrued(),
        FRM => s.get(slot::FRM),
        _ => {
            let (f, mode) = (s.accrued(), s.get(slot::FRM));
            let mode = s.shift_k(Op::Shl, 64, mode, 5);
            s.op2(Op::Or, 64, f, mode)
        }
    };
    if !writes {
        return done(s, i, old);
    }
    let new = changed(s, i, old);
    if number != FRM {
        s.accrue(new);
    }
    if number != FFLAGS {
        let mode = s.shift_k(Op::Shr, 64, new, if number == FRM { 0 } else { 5 });
        let mode = s.and_k(64, mode, 7);
        // A helper does not write slots that the translation may have values in.
        s.call(
            |st, mode, _, _, _| {
                round_in(st, mode as u8);
                0
            },
            [Some(mode), None, None],
            0,
        );
        s.set(slot::FRM, mode);
    }
    set(s, i, i.rd(), old);
    if number == FFLAGS {
        return Lift::Next;
    }
    // The rounding mode selects translations.
    s.trap(Trap::Resync, 0, i.next());
    Lift::End
}
