//! The floating-point control registers.
//!
//! What is raised is the host's to collect. Causes are those of the last operation only while exceptions are enabled, and
//! otherwise what a program has written: nobody looks for them then, but V8, which tells by causes alone what does not fit into
//! an integer (`TryInlineTruncateDoubleToI` of its macro assembler: a conversion, MFC1, CFC1). So those of a conversion are
//! worked out by a CFC1 right behind it.

use super::Processor;
use super::features::{Features, NAN2008, PS, R6};
use super::insn::{Insn, done, mode, slot, x};
use super::system::{FLOATING, changed, steps_in_slot};
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::ir::{Op, Trap, float};

/// Rounding mode; enables; results that are denormal are 0 (FS).
const ROUNDING: u64 = 3;
pub const ENABLES: u64 = 0x1f << 7;
const FS: u64 = 1 << 24;
const MODES: u64 = ROUNDING | ENABLES | FS;
/// Causes, with that of an operation that is not implemented on top.
const CAUSES: u64 = 0x3f << 12;
const ABS_NAN2008: u64 = 3 << 18;

/// In `State::fpstatus`: the causes, and that the operation is to trap.
pub const TRAPPING: u64 = 1 << 8;

/// Where condition `n` is.
fn condition_bit(n: u16) -> u64 {
    if n == 0 { 23 } else { 24 + u64::from(n) }
}

/// Sets the host's modes by the rounding mode and FS.
fn set_modes(st: &mut State, v: u64) {
    // Nearest, to zero, up, down.
    let rounding = [0, 3, 2, 1][(v & ROUNDING) as usize] << 13;
    let flush = if v & FS != 0 { float::FLUSH } else { 0 };
    let env = st.env() & !(0x6000 | float::FLUSH) | rounding | flush;
    st.set_env(env);
}

/// FCSR's fixed bits.
fn fixed(guest: Processor) -> u64 {
    if guest.features.contains(NAN2008) {
        ABS_NAN2008
    } else {
        0
    }
}

#[must_use]
pub fn fcsr(st: &State, guest: Processor) -> u64 {
    let conditions = (0..8).map(|n| st.r()[usize::from(slot::FCC + n)] << condition_bit(n));
    let modes = st.r()[usize::from(slot::FCSR)];
    let raised = float::accrued(st.env());
    let r = |n: u16| st.r()[usize::from(n)];
    let causes = if modes & ENABLES != 0 {
        st.fpstatus & 0x3f
    } else if let Some(causes) = converted(
        st,
        guest,
        st.pc,
        r(slot::CONVERTED),
        r(slot::CONVERTED_FROM),
    ) {
        causes
    } else {
        st.fpstatus & 0x3f
    };
    conditions.sum::<u64>() | raised << 2 | modes | causes << 12 | fixed(guest)
}

pub fn set_fcsr(st: &mut State, v: u64) {
    for n in 0..8 {
        st.r_mut()[usize::from(slot::FCC + n)] = v >> condition_bit(n) & 1;
    }
    st.r_mut()[usize::from(slot::FCSR)] = v & MODES;
    st.r_mut()[usize::from(slot::CONVERTED)] = 0;
    st.fpstatus = v >> 12 & 0x3f;
    let env = float::with_accrued(st.env(), v >> 2 & 0x1f);
    st.set_env(env);
    set_modes(st, v);
}

/// As at the start of a program.
pub fn reset(st: &mut State, guest: Processor) {
    let nans = if guest.features.contains(NAN2008) {
        0
    } else {
        float::LEGACY_NAN
    };
    let env = st.env() | float::TINY_AFTER | nans;
    st.set_env(env);
    set_fcsr(st, 0);
}

/// The floating-point unit's own register: formats, and whose it is (as qemu's processors have it).
#[must_use]
pub fn fir(guest: Processor) -> u64 {
    const FORMATS: u64 = 1 << 22 | 1 << 21 | 1 << 20 | 1 << 17 | 1 << 16;
    let paired = if guest.features.contains(PS) && guest.is_wide {
        1 << 18
    } else {
        0
    };
    let modern = if guest.features.contains(NAN2008) {
        1 << 23 | 1 << 29
    } else {
        0
    };
    let maker = match (guest.is_wide, guest.features.contains(R6)) {
        (false, false) if modern == 0 => 0x93 << 8,
        _ if modern != 0 => 3 << 8,
        _ => 0,
    };
    FORMATS | paired | modern | maker
}

const FIR: u32 = 0;
const FCCR: u32 = 25;
const FEXR: u32 = 26;
const FENR: u32 = 28;

/// The eight conditions, each at its bit.
fn conditions<S: Sem>(s: &mut S, bit: impl Fn(u16) -> u64) -> S::V {
    let mut all = s.konst(0);
    for n in 0..8 {
        let v = s.get(slot::FCC + n);
        let v = s.shift_k(Op::Shl, 64, v, bit(n));
        all = s.op2(Op::Or, 64, all, v);
    }
    all
}

/// What [`slot::CONVERTED`] holds of a conversion.
fn conversion(i: Insn) -> u64 {
    u64::from(i.bits) << 32 | i.pc & 0xffff_ffff
}

/// Remembers a conversion of `a`, `w` bits wide, to an integer.
pub fn remember<S: Sem>(s: &mut S, i: Insn, w: u8, a: S::V) {
    if i.mode & mode::TRAPS != 0 {
        return;
    }
    let (what, from) = (s.konst(conversion(i)), s.op1i(Op::VGet, w, a, 0));
    s.set(slot::CONVERTED, what);
    s.set(slot::CONVERTED_FROM, from);
}

/// The causes of the conversion `what` if it is the instruction before `pc`, or the one before that.
fn converted(st: &State, guest: Processor, pc: u64, what: u64, from: u64) -> Option<u64> {
    let distance = (pc as u32).wrapping_sub(what as u32);
    if what == 0 || !matches!(distance, 4 | 8) {
        return None;
    }
    let i = Insn {
        bits: (what >> 32) as u32,
        pc,
        behind: 0,
        in_slot: false,
        mode: 0,
        guest,
    };
    let mut env = float::with_accrued(st.env(), 0);
    let (w, how) = super::fp::conversion(i);
    float::eval(&mut env, Op::FpToInt, w, from.into(), 0, 0, how);
    Some(float::accrued(env))
}

/// Those in FCSR's place.
fn causes<S: Sem>(s: &mut S, i: Insn) -> S::V {
    if i.mode & mode::TRAPS != 0 {
        let written = |st: &mut State, _, _, _, _| u128::from(st.fpstatus & 0x3f) << 12;
        return s.call(written, [None; 3], 0);
    }
    let (what, from) = (s.get(slot::CONVERTED), s.get(slot::CONVERTED_FROM));
    let modern = u64::from(i.has(NAN2008)) << 63;
    s.call(
        |st, what, from, _, imm| {
            let guest = Processor {
                features: if imm >> 63 != 0 { NAN2008 } else { Features(0) },
                is_wide: true,
                big_endian: false,
            };
            let known = converted(st, guest, imm, what as u64, from as u64);
            u128::from(known.unwrap_or(st.fpstatus & 0x3f)) << 12
        },
        [Some(what), Some(from), None],
        i.pc & 0xffff_ffff | modern,
    )
}

/// All of FCSR.
fn whole<S: Sem>(s: &mut S, i: Insn) -> S::V {
    let raised = s.accrued();
    let causes = causes(s, i);
    let raised = s.shift_k(Op::Shl, 64, raised, 2);
    let modes = s.get(slot::FCSR);
    let v = s.op2(Op::Or, 64, raised, modes);
    let v = s.op2(Op::Or, 64, v, causes);
    let fixed = s.konst(fixed(i.guest));
    let v = s.op2(Op::Or, 64, v, fixed);
    if i.has(R6) {
        return v;
    }
    let conditions = conditions(s, condition_bit);
    s.op2(Op::Or, 64, v, conditions)
}

pub fn cfc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = match i.rd() {
        FIR => s.konst(fir(i.guest)),
        FCCR => conditions(s, u64::from),
        FEXR => {
            let v = whole(s, i);
            s.and_k(64, v, CAUSES | 0x1f << 2)
        }
        FENR => {
            let v = s.get(slot::FCSR);
            let fs = s.shift_k(Op::Shr, 64, v, 22);
            let (fs, v) = (s.and_k(64, fs, 4), s.and_k(64, v, ENABLES | ROUNDING));
            s.op2(Op::Or, 64, v, fs)
        }
        // UFR, UNFR, FRE and NFRE, which Linux does not let programs have.
        1 | 4 | 5 | 6 => return Lift::Undefined,
        _ => whole(s, i),
    };
    super::insn::done_w(s, i, i.rt(), v)
}

/// Writes the conditions, as they are at these bits.
fn set_conditions<S: Sem>(s: &mut S, v: S::V, bit: impl Fn(u16) -> u64) {
    for n in 0..8 {
        let c = s.shift_k(Op::Shr, 64, v, bit(n));
        let c = s.and_k(64, c, 1);
        s.set(slot::FCC + n, c);
    }
}

pub fn ctc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = x(s, i.rt());
    let new = match i.rd() {
        FCCR if !i.has(R6) => {
            set_conditions(s, v, u64::from);
            return Lift::Next;
        }
        31 => v,
        FEXR => {
            let whole = whole(s, i);
            let (rest, v) = (
                s.and_k(64, whole, !(CAUSES | 0x1f << 2)),
                s.and_k(64, v, CAUSES | 0x1f << 2),
            );
            s.op2(Op::Or, 64, rest, v)
        }
        FENR => {
            let whole = whole(s, i);
            let rest = s.and_k(64, whole, !MODES);
            let fs = s.and_k(64, v, 4);
            let (fs, v) = (
                s.shift_k(Op::Shl, 64, fs, 22),
                s.and_k(64, v, ENABLES | ROUNDING),
            );
            let v = s.op2(Op::Or, 64, v, fs);
            s.op2(Op::Or, 64, rest, v)
        }
        1 | 4 | 5 | 6 => return Lift::Undefined,
        FCCR => return Lift::Next,
        _ if i.has(R6) => return Lift::Undefined,
        _ => return Lift::Next,
    };
    if steps_in_slot(s, i) {
        return Lift::End;
    }
    if !i.has(R6) {
        set_conditions(s, new, condition_bit);
    }
    let modes = s.and_k(64, new, MODES);
    // A helper does not write slots that the translation may have values in.
    s.call(
        |st, v, _, _, _| {
            let v = v as u64;
            st.fpstatus = v >> 12 & 0x3f;
            set_modes(st, v);
            0
        },
        [Some(new), None, None],
        0,
    );
    let raised = s.shift_k(Op::Shr, 64, new, 2);
    s.accrue(raised);
    s.set(slot::FCSR, modes);
    let none = s.konst(0);
    s.set(slot::CONVERTED, none);
    // An exception that is enabled and caused is raised at once, and one that is not implemented anyway.
    let enables = s.shift_k(Op::Shl, 64, new, 5);
    let always = s.konst(1 << 17);
    let enables = s.op2(Op::Or, 64, enables, always);
    let raised = s.op2(Op::And, 64, new, enables);
    let raised = s.and_k(64, raised, CAUSES);
    let traps = s.not_zero(64, raised);
    s.trap_if(traps, Trap::Exception, FLOATING, i.epc());
    changed(s, i)
}

/// The mode of translations that the registers ask for.
#[must_use]
pub fn translation_mode(st: &State) -> u32 {
    let r = |n: u16| st.r()[usize::from(n)];
    let bit = |on: bool, bit: u32| if on { bit } else { 0 };
    bit(r(slot::FR) != 0, mode::FR)
        | bit(r(slot::FCSR) & ENABLES != 0, mode::TRAPS)
        | bit(r(slot::SLOT_DONE) != 0, mode::SLOT_DONE)
        | bit(r(slot::STRICT) != 0, mode::STRICT)
}

/// Stops an operation whose exceptions are enabled and have been raised.
pub fn trap_if_raised<S: Sem>(s: &mut S, i: Insn) {
    let traps = s.call(
        |st, _, _, _, _| {
            let traps = st.fpstatus & TRAPPING != 0;
            st.fpstatus &= !TRAPPING;
            traps.into()
        },
        [None; 3],
        0,
    );
    s.trap_if(traps, Trap::Exception, FLOATING, i.epc());
}

/// Where in `State::fpstatus` what the first of two operations of an instruction has raised waits for the second.
const PENDING: u32 = 16;

/// Keeps what an operation has raised for the one that follows.
pub fn keep(st: &mut State, raised: u64) {
    st.fpstatus |= raised << PENDING;
}

/// Settles what an operation under enabled exceptions has raised, in the order of [`float::accrued`].
pub fn settle(st: &mut State, raised: u64) {
    let enables = st.r()[usize::from(slot::FCSR)] >> 7 & 0x1f;
    let raised = raised | st.fpstatus >> PENDING & 0x1f;
    st.fpstatus = raised;
    if raised & enables != 0 {
        st.fpstatus |= TRAPPING;
    } else {
        let all = float::accrued(st.env()) | raised;
        let env = float::with_accrued(st.env(), all);
        st.set_env(env);
    }
}

/// CFC1's and CTC1's neighbours, which move the registers.
pub fn mfc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = super::fp::register(s, i, 32, i.rd());
    let v = s.op1i(Op::VGet, 32, v, 0);
    super::insn::done_w(s, i, i.rt(), v)
}

pub fn mtc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = x(s, i.rt());
    let v = s.op1(Op::VFromG, 64, v);
    super::fp::set_register(s, i, 32, i.rd(), v);
    Lift::Next
}

pub fn dmfc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !super::fp::exists(i, 64, i.rd()) {
        return Lift::Undefined;
    }
    let v = super::fp::register(s, i, 64, i.rd());
    let v = s.op1i(Op::VGet, 64, v, 0);
    done(s, i, i.rt(), v)
}

pub fn dmtc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !super::fp::exists(i, 64, i.rd()) {
        return Lift::Undefined;
    }
    let v = x(s, i.rt());
    let v = s.op1(Op::VFromG, 64, v);
    super::fp::set_register(s, i, 64, i.rd(), v);
    Lift::Next
}

/// MFHC1, MTHC1: the upper half of a double.
pub fn mfhc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = s.get_x(super::fp::upper(i, i.rd()));
    let v = s.op1i(Op::VGet, 32, v, 0);
    super::insn::done_w(s, i, i.rt(), v)
}

pub fn mthc1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = x(s, i.rt());
    let v = s.op1(Op::VFromG, 64, v);
    s.set_x(super::fp::upper(i, i.rd()), v);
    Lift::Next
}
