//! Branches and exceptions (Arm ARM F5: B, BL, BLX, BX, CBZ, TBB, SVC, BKPT, UDF).

use super::features::{V5, V7};
use super::insn::{Insn, reg, slot};
use super::status::next_it;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::flags::Cc;
use crate::ir::sem::{Indirect, Sem};
use crate::ir::{Op, Trap};

/// Leaves the IT block that the instruction is in, which leaves the translation.
fn leave_it<S: Sem>(s: &mut S, i: Insn) {
    if i.in_it() {
        let k = s.konst(u64::from(next_it(i.it())));
        s.set(slot::IT, k);
    }
}

/// Goes to an interworking address (BXWritePC).
pub fn interwork<S: Sem>(s: &mut S, i: Insn, target: S::V, how: Indirect) -> Lift {
    leave_it(s, i);
    s.jump_r(how, target, i.next());
    Lift::End
}

/// Goes to an address in the same instruction set (BranchWritePC).
fn same_set<S: Sem>(s: &mut S, i: Insn, target: S::V, how: Indirect) -> Lift {
    let t = if i.thumb {
        let one = s.konst(1);
        s.op2(Op::Or, 32, target, one)
    } else {
        s.and_k(32, target, !3 & 0xffff_ffff)
    };
    interwork(s, i, t, how)
}

/// Data processing that writes the pc (ALUWritePC); `returns`: from lr.
pub fn alu_to_pc<S: Sem>(s: &mut S, i: Insn, v: S::V, returns: bool) -> Lift {
    if i.in_it_not_last() {
        return Lift::Undefined;
    }
    let how = if returns {
        Indirect::Return
    } else {
        Indirect::Jump
    };
    if !i.thumb && i.has(V7) {
        interwork(s, i, v, how)
    } else {
        same_set(s, i, v, how)
    }
}

/// A load that writes the pc (LoadWritePC); `returns`: from the stack.
pub fn load_to_pc<S: Sem>(s: &mut S, i: Insn, v: S::V, returns: bool) -> Lift {
    let how = if returns {
        Indirect::Return
    } else {
        Indirect::Jump
    };
    if i.has(V5) {
        interwork(s, i, v, how)
    } else {
        same_set(s, i, v, how)
    }
}

/// The offset of T32's B and BL, with J1 and J2.
fn t32_offset(i: Insn) -> i32 {
    let sign = i.f(26, 1);
    let (i1, i2) = (i.f(13, 1) ^ sign ^ 1, i.f(11, 1) ^ sign ^ 1);
    let k = sign << 24 | i1 << 23 | i2 << 22 | i.f(16, 10) << 12 | i.f(0, 11) << 1;
    ((k << 7) as i32) >> 7
}

/// Where a direct branch goes, as an interworking address.
#[must_use]
pub fn direct(i: Insn) -> u64 {
    let at = |k: i32| i.here(i.pc_value().wrapping_add_signed(k));
    match (i.thumb, i.size) {
        (false, _) => at(i.signed(0, 24) << 2),
        (true, 2) if i.bits >> 13 == 7 => at(i.signed(0, 11) << 1),
        (true, 2) => at(i.signed(0, 8) << 1),
        // BLX: to A32.
        (true, _) if i.f(14, 2) == 3 && !i.bit(12) => {
            u64::from(i.pc_base().wrapping_add_signed(t32_offset(i)))
        }
        (true, _) if i.bit(12) => at(t32_offset(i)),
        // The conditional one: S:J2:J1:imm6:imm11:0.
        (true, _) => {
            let k = i.f(26, 1) << 20
                | i.f(11, 1) << 19
                | i.f(13, 1) << 18
                | i.f(16, 6) << 12
                | i.f(0, 11) << 1;
            at(((k << 11) as i32) >> 11)
        }
    }
}

pub fn b<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.in_it_not_last() {
        return Lift::Undefined;
    }
    leave_it(s, i);
    s.jump(direct(i));
    Lift::End
}

fn condition_field(i: Insn) -> u32 {
    if i.size == 2 { i.f(8, 4) } else { i.f(22, 4) }
}

/// The condition of T32's B that has one of its own.
#[must_use]
pub fn condition(i: Insn) -> Cc {
    Cc::from_index(u64::from(condition_field(i)))
}

/// B with a condition of its own (T32).
pub fn b_cond<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.in_it() || condition_field(i) >= 14 {
        return Lift::Undefined;
    }
    let f = s.get_f();
    let c = s.cc(condition(i), f);
    s.side(c, direct(i));
    Lift::Next
}

fn link<S: Sem>(s: &mut S, i: Insn) {
    let ret = s.konst(i.next());
    s.set(slot::LR, ret);
}

/// BL, and BLX of T32 with a constant.
pub fn bl<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let to_arm = i.thumb && !i.bit(12);
    if i.in_it_not_last() || (to_arm && i.bit(0)) {
        return Lift::Undefined;
    }
    link(s, i);
    leave_it(s, i);
    s.call_to(direct(i), i.next());
    Lift::End
}

/// BLX of A32 with a constant: to Thumb.
pub fn blx_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    link(s, i);
    let k = i.signed(0, 24) << 2 | (i.f(24, 1) << 1) as i32;
    s.call_to(u64::from(i.pc_value().wrapping_add_signed(k) | 1), i.next());
    Lift::End
}

fn target_register(i: Insn) -> u32 {
    match (i.thumb, i.size) {
        (true, 2) => i.f(3, 4),
        (true, _) => i.f(16, 4),
        _ => i.f(0, 4),
    }
}

/// BX, and BXJ of processors without Jazelle.
pub fn bx<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.in_it_not_last() {
        return Lift::Undefined;
    }
    let m = target_register(i);
    if m == 15 && i.size == 4 && i.thumb {
        return Lift::Undefined;
    }
    let t = reg(s, i, m);
    let how = if m == 14 {
        Indirect::Return
    } else {
        Indirect::Jump
    };
    interwork(s, i, t, how)
}

pub fn blx_reg<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let m = target_register(i);
    if i.in_it_not_last() || m == 15 {
        return Lift::Undefined;
    }
    let t = reg(s, i, m);
    link(s, i);
    interwork(s, i, t, Indirect::Call)
}

/// CBZ and CBNZ.
pub fn cbz<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.in_it() {
        return Lift::Undefined;
    }
    let v = reg(s, i, i.f(0, 3));
    let c = if i.bit(11) {
        s.not_zero(32, v)
    } else {
        s.is_zero(32, v)
    };
    let k = i.f(9, 1) << 6 | i.f(3, 5) << 1;
    s.side(c, i.here(i.pc_value().wrapping_add(k)));
    Lift::Next
}

/// TBB and TBH.
pub fn table<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.in_it_not_last() || matches!(i.f(0, 4), 13 | 15) {
        return Lift::Undefined;
    }
    let (a, m) = (reg(s, i, i.f(16, 4)), reg(s, i, i.f(0, 4)));
    let half = i.bit(4);
    let m = s.shift_k(Op::Shl, 32, m, u64::from(half));
    let addr = s.op2(Op::Add, 32, a, m);
    let v = s.load(if half { 16 } else { 8 }, 0, addr);
    let v = s.shift_k(Op::Shl, 32, v, 1);
    let t = s.add_k(32, v, i.here(i.pc_value()));
    interwork(s, i, t, Indirect::Jump)
}

pub fn svc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    leave_it(s, i);
    let imm = if i.thumb { i.f(0, 8) } else { i.f(0, 24) };
    s.trap(Trap::Syscall, imm, i.next());
    Lift::End
}

/// BKPT: always, whatever the condition.
pub fn bkpt<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let imm = if i.thumb {
        i.f(0, 8)
    } else {
        i.f(8, 12) << 4 | i.f(0, 4)
    };
    s.trap(Trap::Breakpoint, imm, i.own());
    Lift::End
}

pub fn undefined<S: Sem>(_s: &mut S, _i: Insn) -> Lift {
    Lift::Undefined
}
