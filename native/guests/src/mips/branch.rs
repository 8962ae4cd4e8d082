//! Jumps and branches.
//!
//! A branch and the instruction in its delay slot are one unit, as an instruction of 8 bytes: nothing stops between
//! them, and what the one in the slot raises is told of the branch (Cause.BD; Linux goes on there, too).

use super::insn::{Insn, mode, slot, x};
use super::int::link;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::flags::Cc;
use crate::ir::sem::{Indirect, Sem};
use crate::ir::{Op, Trap};

const RA: u32 = 31;

/// The instruction in the delay slot. False: it has ended the unit.
fn in_slot<S: Sem>(s: &mut S, i: Insn) -> bool {
    if i.mode & mode::SLOT_DONE != 0 {
        let none = s.konst(0);
        s.set(slot::SLOT_DONE, none);
        return true;
    }
    let inner = Insn {
        bits: i.behind,
        pc: i.next(),
        in_slot: true,
        ..i
    };
    match i.guest.lift_in_slot(s, inner) {
        Lift::Next => true,
        Lift::End => false,
        Lift::Undefined => {
            s.trap(Trap::Undefined, 0, i.pc);
            false
        }
        Lift::Unlifted => {
            s.trap(Trap::Fallback, 0, i.pc);
            false
        }
    }
}

/// An unconditional jump to a known place, with a link or without.
fn go<S: Sem>(s: &mut S, i: Insn, target: u64, links: bool) -> Lift {
    if links {
        link(s, i, RA, i.behind_slot());
    }
    if in_slot(s, i) {
        // A call to what is behind it tells the program where it is.
        if links && target != i.behind_slot() {
            s.call_to(target, i.behind_slot());
        } else {
            s.jump(target);
        }
    }
    Lift::End
}

/// J, JAL: within 256 MiB of the delay slot.
pub fn jump<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let target = i.next() & !0xfff_ffff | u64::from(i.f(0, 26)) << 2;
    go(s, i, target, i.bit(26))
}

/// JR, JALR.
pub fn jump_register<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let links = if i.bit(0) { i.rd() } else { 0 };
    let target = x(s, i.rs());
    link(s, i, links, i.behind_slot());
    if in_slot(s, i) {
        let how = match (links, i.rs()) {
            (0, RA) => Indirect::Return,
            (0, _) => Indirect::Jump,
            _ => Indirect::Call,
        };
        s.jump_r(how, target, i.behind_slot());
    }
    Lift::End
}

/// A branch under condition `c`, which is evaluated before the delay slot; bit `likely`: the slot is skipped if it is not
/// taken.
pub fn branch_if<S: Sem>(s: &mut S, i: Insn, c: S::V, likely: bool) -> Lift {
    if likely {
        let one = s.konst(1);
        let not = s.op2(Op::Xor, 8, c, one);
        s.side(not, i.behind_slot());
        if in_slot(s, i) {
            s.jump(i.target());
        }
        return Lift::End;
    }
    if !in_slot(s, i) {
        return Lift::End;
    }
    s.side(c, i.target());
    Lift::Next
}

/// Condition `cc` of a register compared with 0.
pub fn with_zero<S: Sem>(s: &mut S, i: Insn, n: u32, cc: Cc) -> S::V {
    let a = x(s, n);
    let f = match cc {
        Cc::Eq | Cc::Ne => s.op1(Op::FLogic, i.xlen(), a),
        _ => {
            let zero = s.konst(0);
            s.op2(Op::FSub, i.xlen(), a, zero)
        }
    };
    s.cc(cc, f)
}

/// BEQ, BNE, BEQL, BNEL.
pub fn branch_equal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, m) = (i.rs(), i.rt());
    let likely = i.bit(30);
    if n == m {
        // B; BNE of a register with itself is never taken.
        return match (i.bit(26), likely) {
            (false, _) => go(s, i, i.target(), false),
            (true, true) => {
                s.jump(i.behind_slot());
                Lift::End
            }
            (true, false) => go(s, i, i.behind_slot(), false),
        };
    }
    let cc = if i.bit(26) { Cc::Ne } else { Cc::Eq };
    let c = if n == 0 || m == 0 {
        with_zero(s, i, n | m, cc)
    } else {
        let (a, b) = (x(s, n), x(s, m));
        let f = s.op2(Op::FSub, i.xlen(), a, b);
        s.cc(cc, f)
    };
    branch_if(s, i, c, likely)
}

/// BLEZ, BGTZ, BLEZL, BGTZL.
pub fn branch_sign<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let c = with_zero(s, i, i.rs(), if i.bit(26) { Cc::Gt } else { Cc::Le });
    branch_if(s, i, c, i.bit(30))
}

/// BLTZ, BGEZ, BLTZL, BGEZL, and with a link (bit 20), which is written whether they are taken or not.
pub fn branch_zero<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (links, likely, positive) = (i.bit(20), i.bit(17), i.bit(16));
    if i.rs() == 0 && positive {
        // BAL
        return go(s, i, i.target(), links);
    }
    if i.rs() == 0 && !likely {
        // NAL
        if links {
            link(s, i, RA, i.behind_slot());
        }
        return go(s, i, i.behind_slot(), false);
    }
    let c = with_zero(s, i, i.rs(), if positive { Cc::Ge } else { Cc::Lt });
    if links {
        link(s, i, RA, i.behind_slot());
    }
    branch_if(s, i, c, likely)
}

/// BC1F, BC1T, BC1FL, BC1TL.
pub fn branch_fcc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = s.get(slot::FCC + i.f(18, 3) as u16);
    let c = if i.bit(16) {
        s.not_zero(8, v)
    } else {
        s.is_zero(8, v)
    };
    branch_if(s, i, c, i.bit(17))
}

/// BC1EQZ, BC1NEZ (release 6): bit 0 of a floating-point register.
pub fn branch_fpr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = super::fp::register(s, i, 32, i.rt());
    let v = s.op1i(Op::VGet, 32, v, 0);
    let v = s.and_k(32, v, 1);
    let c = if i.bit(23) {
        s.not_zero(32, v)
    } else {
        s.is_zero(32, v)
    };
    branch_if(s, i, c, false)
}

/// Where a compact branch of 16 bits goes, without a delay slot.
fn compact<S: Sem>(s: &mut S, i: Insn, c: S::V, links: bool) -> Lift {
    if links {
        link(s, i, RA, i.next());
    }
    s.side(c, i.target());
    Lift::Next
}

/// Release 6: BLEZC, BGEZC, BGEC; BLEZALC, BGEZALC, BGEUC; and, by bit 26, their opposites BGTZC ... BLTUC.
pub fn compact_order<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, m) = (i.rs(), i.rt());
    let links = !i.bit(30);
    let w = i.xlen();
    if m == 0 {
        return Lift::Undefined;
    }
    let less = i.bit(26);
    if n == 0 || n == m {
        let cc = match (n == 0, less) {
            (true, false) => Cc::Le,
            (true, true) => Cc::Gt,
            (false, false) => Cc::Ge,
            (false, true) => Cc::Lt,
        };
        let c = with_zero(s, i, m, cc);
        return compact(s, i, c, links);
    }
    let (a, b) = (x(s, n), x(s, m));
    let f = s.op2(Op::FSub, w, a, b);
    let cc = match (links, less) {
        (false, false) => Cc::Ge,
        (false, true) => Cc::Lt,
        (true, false) => Cc::Cs,
        (true, true) => Cc::Cc,
    };
    let c = s.cc(cc, f);
    compact(s, i, c, false)
}

/// Release 6: BOVC, BEQZALC, BEQC, and by bit 30 their opposites BNVC, BNEZALC, BNEC.
pub fn compact_equal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, m) = (i.rs(), i.rt());
    let opposite = i.bit(30);
    if n >= m {
        // Of words that are no sign-extended 32 bits it is an overflow, too.
        let (a, b) = (x(s, n), x(s, m));
        let (a, b) = (s.op1(Op::Sext, 32, a), s.op1(Op::Sext, 32, b));
        let sum = s.op2(Op::Add, 64, a, b);
        let short = s.op1(Op::Sext, 32, sum);
        let f = s.op2(Op::FSub, 64, sum, short);
        let mut c = s.cc(if opposite { Cc::Eq } else { Cc::Ne }, f);
        if i.xlen() == 64 {
            let (ra, rb) = (x(s, n), x(s, m));
            let (fa, fb) = (s.op2(Op::FSub, 64, ra, a), s.op2(Op::FSub, 64, rb, b));
            let cc = if opposite { Cc::Eq } else { Cc::Ne };
            let (ca, cb) = (s.cc(cc, fa), s.cc(cc, fb));
            let op = if opposite { Op::And } else { Op::Or };
            let both = s.op2(op, 8, ca, cb);
            c = s.op2(op, 8, both, c);
        }
        return compact(s, i, c, false);
    }
    let cc = if opposite { Cc::Ne } else { Cc::Eq };
    if n == 0 {
        let c = with_zero(s, i, m, cc);
        return compact(s, i, c, true);
    }
    let (a, b) = (x(s, n), x(s, m));
    let f = s.op2(Op::FSub, i.xlen(), a, b);
    let c = s.cc(cc, f);
    compact(s, i, c, false)
}

/// BC, BALC (release 6): 26 bits.
pub fn compact_jump<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let offset = i64::from(i.signed(0, 26)) << 2;
    let target = i.address(i.pc.wrapping_add(4).wrapping_add(offset as u64));
    if i.bit(29) {
        link(s, i, RA, i.next());
        s.call_to(target, i.next());
    } else {
        s.jump(target);
    }
    Lift::End
}

/// BEQZC, BNEZC with 21 bits, and JIC, JIALC where rs is 0 (release 6).
pub fn compact_zero<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.rs() != 0 {
        let c = with_zero(s, i, i.rs(), if i.bit(29) { Cc::Ne } else { Cc::Eq });
        let offset = i64::from(i.signed(0, 21)) << 2;
        let target = i.address(i.pc.wrapping_add(4).wrapping_add(offset as u64));
        s.side(c, target);
        return Lift::Next;
    }
    let a = x(s, i.rt());
    let offset = super::insn::k(s, i, i.imm());
    let target = s.op2(Op::Add, i.xlen(), a, offset);
    if i.bit(29) {
        link(s, i, RA, i.next());
        s.jump_r(Indirect::Call, target, i.next());
    } else {
        let how = if i.rt() == RA {
            Indirect::Return
        } else {
            Indirect::Jump
        };
        s.jump_r(how, target, i.next());
    }
    Lift::End
}
