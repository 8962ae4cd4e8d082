//! Memory copy and memory set (Arm ARM C6, CPY*, SET*; FEAT_MOPS), in the form that the manual calls option A.
//!
//! The prologue says which form that is: a forward copy (or a set) counts from its end, with the size negative; a
//! backward copy has its start, and the size. The main part moves 64 bytes, the epilogue 8 or one. Either is a loop: it
//! says in the registers how far it came and begins anew, so a fault or a signal finds it between two parts.

use super::insn::{Insn, set, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::flags::Cc;
use crate::ir::sem::Sem;

/// The largest sizes: of copies that may go backward, and of others.
const MAX_COPY: u64 = 0x007f_ffff_ffff_ffff;
const MAX_FORWARD: u64 = i64::MAX as u64;

fn compare<S: Sem>(s: &mut S, cc: Cc, a: S::V, b: S::V) -> S::V {
    let f = s.op2(Op::FSub, 64, a, b);
    s.cc(cc, f)
}

/// The lesser of `a` and `k`, unsigned.
fn limited<S: Sem>(s: &mut S, a: S::V, k: u64) -> S::V {
    let k = s.konst(k);
    let over = compare(s, Cc::Hi, a, k);
    s.select(64, over, k, a)
}

/// The flags that say "option A".
fn clear_flags<S: Sem>(s: &mut S) {
    let f = s.konst(0);
    let f = s.op1(Op::FPack, 16, f);
    s.set_f(f);
}

/// CPYFP, CPYFM, CPYFE, CPYP, CPYM, CPYE with all their options, which say how memory is accessed.
pub fn copy<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, f) = (i.rd(), i.rn(), i.rm());
    if [d, n, f].contains(&31) || d == n || d == f || n == f {
        return Lift::Undefined;
    }
    match i.f(22, 2) {
        0 => copy_prologue(s, i),
        1 => copy_part(s, i, &[64]),
        2 => copy_part(s, i, &[8, 1]),
        // SETG*, of FEAT_MTE.
        _ => Lift::Undefined,
    }
}

fn copy_prologue<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let may_turn = i.bit(26);
    let (to, from, size) = (x(s, i.rd()), x(s, i.rm()), x(s, i.rn()));
    let size = limited(s, size, if may_turn { MAX_COPY } else { MAX_FORWARD });
    let ends = [to, from].map(|start| s.op2(Op::Add, 64, start, size));
    let negative = s.op1(Op::Neg, 64, size);
    let mut new = [ends[0], ends[1], negative];
    if may_turn {
        // Backward where that overwrites the end of its source: Xs < Xd < Xs + Xn, without their tags.
        let [a, b] = [from, to].map(|v| s.shift_k(Op::Shl, 64, v, 8));
        let apart = s.op2(Op::Sub, 64, b, a);
        let apart = s.shift_k(Op::Shr, 64, apart, 8);
        let above = compare(s, Cc::Hi, b, a);
        let near = compare(s, Cc::Cc, apart, size);
        let backward = s.op2(Op::And, 64, above, near);
        for (new, old) in new.iter_mut().zip([to, from, size]) {
            *new = s.select(64, backward, old, *new);
        }
    }
    for (n, v) in [i.rd(), i.rm(), i.rn()].into_iter().zip(new) {
        set(s, 64, n, v);
    }
    clear_flags(s);
    Lift::Next
}

/// As long as there is as much, the first of `steps` that there is.
fn copy_part<S: Sem>(s: &mut S, i: Insn, steps: &[u64]) -> Lift {
    let may_turn = i.bit(26);
    for &step in steps {
        let size = x(s, i.rn());
        let negative = s.op1(Op::Neg, 64, size);
        let forward = may_turn.then(|| s.shift_k(Op::Shr, 64, size, 63));
        let rest = forward.map_or(negative, |forward| s.select(64, forward, negative, size));
        let k = s.konst(step);
        let enough = compare(s, Cc::Cs, rest, k);
        s.when(enough);
        let (to, from, size) = (x(s, i.rd()), x(s, i.rm()), x(s, i.rn()));
        let fore = s.add_k(64, size, step);
        // Backward what comes last is the first to go.
        let (at, new) = match forward {
            None => (size, fore),
            Some(forward) => {
                let back = s.add_k(64, size, step.wrapping_neg());
                (
                    s.select(64, forward, size, back),
                    s.select(64, forward, fore, back),
                )
            }
        };
        let (to, from) = (s.op2(Op::Add, 64, to, at), s.op2(Op::Add, 64, from, at));
        s.byte_order(false);
        if step < 16 {
            let v = s.load(8 * step as u8, 0, from);
            s.store(8 * step as u8, to, v);
        } else {
            let all: [S::V; 4] = std::array::from_fn(|n| {
                let from = s.add_k(64, from, 16 * n as u64);
                s.load_x(128, from)
            });
            for (n, v) in all.into_iter().enumerate() {
                let to = s.add_k(64, to, 16 * n as u64);
                s.store_x(128, to, v);
            }
        }
        s.byte_order(i.big());
        set(s, 64, i.rn(), new);
        s.jump(i.pc);
        s.unguard();
    }
    Lift::Next
}

/// SETP, SETM, SETE with all their options. Those with tags need FEAT_MTE.
pub fn fill<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (d, n, v) = (i.rd(), i.rn(), i.rm());
    if d == 31 || n == 31 || d == n || d == v || n == v {
        return Lift::Undefined;
    }
    match i.f(14, 2) {
        0 => {
            let (to, size) = (x(s, d), x(s, n));
            let size = limited(s, size, MAX_FORWARD);
            let end = s.op2(Op::Add, 64, to, size);
            let negative = s.op1(Op::Neg, 64, size);
            set(s, 64, d, end);
            set(s, 64, n, negative);
            clear_flags(s);
            Lift::Next
        }
        1 => fill_part(s, i, &[64]),
        2 => fill_part(s, i, &[8, 1]),
        _ => Lift::Undefined,
    }
}

fn fill_part<S: Sem>(s: &mut S, i: Insn, steps: &[u64]) -> Lift {
    for &step in steps {
        let size = x(s, i.rn());
        let rest = s.op1(Op::Neg, 64, size);
        let k = s.konst(step);
        let enough = compare(s, Cc::Cs, rest, k);
        s.when(enough);
        let (to, size, v) = (x(s, i.rd()), x(s, i.rn()), x(s, i.rm()));
        let to = s.op2(Op::Add, 64, to, size);
        let v = s.op1(Op::VDupG, 8, v);
        for at in (0..step).step_by(16) {
            let to = s.add_k(64, to, at);
            s.store_x(8 * step.min(16) as u8, to, v);
        }
        let new = s.add_k(64, size, step);
        set(s, 64, i.rn(), new);
        s.jump(i.pc);
        s.unguard();
    }
    Lift::Next
}
