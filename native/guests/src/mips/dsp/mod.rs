//! The DSP module, and what its release 2 brought ("MIPS Architecture For Programmers", volume IV-e): packed bytes and half words in
//! general registers, four accumulators, DSPControl. Each is a call of a helper; the bits of an instruction say which.

mod accumulator;
pub mod control;
mod lanes;

use super::insn::{Insn, done, done_w, slot, x};
use super::int::{accumulator_of, set_accumulator_of};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::ir::state::Helper;
use control::{Control, FIELDS};

/// A helper that may change DSPControl.
fn call<S: Sem>(s: &mut S, h: Helper, args: [Option<S::V>; 3], imm: u64) -> S::V {
    let v = s.call(h, args, imm);
    s.changed_slots(slot::DSP..slot::DSP + 1);
    v
}

/// What the instructions of a class compute of two words.
macro_rules! helper {
    ($f:path) => {
        |st, a, b, _, op| $f(&mut Control::of(st), op, a as u32, b as u32).into()
    };
}

/// rd of rs and rt.
pub fn two<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let h: Helper = match i.function() {
        0x10 => helper!(lanes::sum),
        0x11 => helper!(lanes::compare),
        0x18 => helper!(lanes::half_sum),
        _ => helper!(lanes::shift),
    };
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let v = call(s, h, [Some(a), Some(b), None], i.sa().into());
    done_w(s, i, i.rd(), v)
}

/// The same of a number in the place of rs, or of REPL's.
pub fn one<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (h, n): (Helper, u32) = match i.function() {
        0x12 => (helper!(lanes::expand), i.f(16, 10)),
        _ => (helper!(lanes::shift), i.rs()),
    };
    let (a, b) = (s.konst(n.into()), x(s, i.rt()));
    let v = call(s, h, [Some(a), Some(b), None], i.sa().into());
    done_w(s, i, i.rd(), v)
}

/// CMPU.EQ.QB and those like it, whose result is in DSPControl.
pub fn compare<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    call(
        s,
        helper!(lanes::compare),
        [Some(a), Some(b), None],
        i.sa().into(),
    );
    Lift::Next
}

/// rt of rs and itself: INSV, and by a number in rd: APPEND, PREPEND, BALIGN, PRECR_SRA.PH.W.
pub fn into<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let h: Helper = match i.function() {
        0x0c => helper!(lanes::insert),
        0x31 => |_, a, b, n, op| lanes::append(op, a as u32, b as u32, n as u32).into(),
        _ => |st, a, b, n, op| {
            lanes::shifted_pair(&mut Control::of(st), op, b as u32, a as u32, n as u32).into()
        },
    };
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let n = s.konst(i.rd().into());
    let v = call(s, h, [Some(a), Some(b), Some(n)], i.sa().into());
    done_w(s, i, i.rt(), v)
}

/// The accumulator of bits 12-11.
fn ac(i: Insn) -> u32 {
    i.f(11, 2)
}

/// DPA.W.PH and its class.
pub fn accumulate<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let acc = accumulator_of(s, ac(i));
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let imm = i.sa() | ac(i) << 5;
    let v = call(
        s,
        |st, acc, a, b, imm| {
            let n = (imm >> 5) as u32;
            let c = &mut Control::of(st);
            let v = accumulator::accumulate(c, imm & 31, n, acc as i64, a as u32, b as u32);
            (v as u64).into()
        },
        [Some(acc), Some(a), Some(b)],
        imm.into(),
    );
    set_accumulator_of(s, i, ac(i), v);
    Lift::Next
}

/// EXTR.W, EXTP and those like them, by rs or (bit 6 is 0) a number.
pub fn extract<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let acc = accumulator_of(s, ac(i));
    let n = if i.bit(6) {
        x(s, i.rs())
    } else {
        s.konst(i.rs().into())
    };
    let h: Helper = match i.sa() & !1 {
        2 | 10 => |st, acc, n, _, op| {
            accumulator::extract_bits(&mut Control::of(st), op, acc as i64, n as u32).into()
        },
        _ => |st, acc, n, _, op| {
            accumulator::extract(&mut Control::of(st), op, acc as i64, n as u32).into()
        },
    };
    let v = call(s, h, [Some(acc), Some(n), None], i.sa().into());
    done_w(s, i, i.rt(), v)
}

/// SHILO, SHILOV (bit 6).
pub fn shift_accumulator<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let acc = accumulator_of(s, ac(i));
    let n = if i.bit(6) {
        x(s, i.rs())
    } else {
        s.konst(i.f(20, 6).into())
    };
    let v = s.call(
        |_, acc, n, _, _| (accumulator::shift(acc as i64, n as u32) as u64).into(),
        [Some(acc), Some(n), None],
        0,
    );
    set_accumulator_of(s, i, ac(i), v);
    Lift::Next
}

/// MTHLIP: LO to HI, a register to LO, and `pos` is 32 more.
pub fn move_up<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (hi, lo) = super::int::accumulator_slots(ac(i));
    let (a, low) = (x(s, i.rs()), s.get(lo));
    s.set(hi, low);
    s.set(lo, a);
    let zero = s.konst(0);
    call(
        s,
        |st, _, _, _, _| {
            let mut c = Control::of(st);
            let pos = c.pos();
            // Of one that is larger the manual says nothing.
            if pos <= 32 {
                c.set_pos(pos + 32);
            }
            0
        },
        [Some(zero), None, None],
        0,
    );
    Lift::Next
}

/// The fields that a mask says.
fn those(mask: u32) -> u64 {
    let fields = (0..6).filter(|n| mask >> n & 1 != 0);
    fields.map(|n| FIELDS[n]).sum()
}

pub fn rddsp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = s.get(slot::DSP);
    let v = s.and_k(64, v, those(i.f(16, 10)));
    done(s, i, i.rd(), v)
}

pub fn wrdsp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let those = those(i.f(11, 10));
    let (old, new) = (s.get(slot::DSP), x(s, i.rs()));
    let (old, new) = (s.and_k(64, old, !those), s.and_k(64, new, those));
    let v = s.op2(Op::Or, 64, old, new);
    s.set(slot::DSP, v);
    Lift::Next
}

/// BPOSGE32.
pub fn branch<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = s.get(slot::DSP);
    let v = s.and_k(64, v, 32);
    let c = s.not_zero(64, v);
    super::branch::branch_if(s, i, c, false)
}

/// LWX, LHX, LBUX.
pub fn load<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, signed) = match i.sa() {
        0 => (32, true),
        4 => (16, true),
        _ => (8, false),
    };
    super::mem::load_indexed(s, i, w, signed)
}
