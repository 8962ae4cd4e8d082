//! Jumps, branches, calls of the system, fences.

use super::insn::{Insn, set, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::flags::Cc;
use crate::ir::sem::{Indirect, Sem};
use crate::ir::{Op, Trap};

/// Registers that hold return addresses (the hints of JAL and JALR).
fn is_link(n: u32) -> bool {
    n == 1 || n == 5
}

pub fn jal<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let ret = s.konst(i.next());
    set(s, i, i.rd(), ret);
    let target = i.target(i.imm_j());
    if is_link(i.rd()) {
        s.call_to(target, i.next());
    } else {
        s.jump(target);
    }
    Lift::End
}

/// Bit 0 of the sum is no part of the address: `Guest::code_address` clears it.
pub fn jalr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let base = x(s, i.rs1());
    let offset = super::insn::k(s, i, i.imm_i());
    let target = s.op2(Op::Add, i.xlen, base, offset);
    let ret = s.konst(i.next());
    set(s, i, i.rd(), ret);
    let how = match (is_link(i.rd()), is_link(i.rs1())) {
        // Coroutines swap: neither a call nor a return that anybody waits for.
        (true, true) if i.rd() != i.rs1() => Indirect::Jump,
        (true, _) => Indirect::Call,
        (false, true) => Indirect::Return,
        (false, false) => Indirect::Jump,
    };
    s.jump_r(how, target, i.next());
    Lift::End
}

/// BEQ ... BGEU: one comparison, whichever operand is register 0.
pub fn branch<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, m, w) = (i.rs1(), i.rs2(), i.xlen);
    let (a, b) = (x(s, n), x(s, m));
    let odd = i.bit(12);
    let c = match i.funct3() {
        0 | 1 if n == 0 || m == 0 => {
            let v = if n == 0 { b } else { a };
            if odd {
                s.not_zero(w, v)
            } else {
                s.is_zero(w, v)
            }
        }
        // BGTZ, BLEZ
        4 | 5 if n == 0 => {
            let f = s.op2(Op::FSub, w, b, a);
            s.cc(if odd { Cc::Le } else { Cc::Gt }, f)
        }
        f3 => {
            let cc = [
                Cc::Eq,
                Cc::Ne,
                Cc::Eq,
                Cc::Eq,
                Cc::Lt,
                Cc::Ge,
                Cc::Cc,
                Cc::Cs,
            ][f3 as usize];
            let f = s.op2(Op::FSub, w, a, b);
            s.cc(cc, f)
        }
    };
    s.side(c, i.target(i.imm_b()));
    Lift::Next
}

pub fn ecall<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.trap(Trap::Syscall, 0, i.next());
    Lift::End
}

pub fn ebreak<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.trap(Trap::Breakpoint, 0, i.pc);
    Lift::End
}

/// FENCE: the host orders all but a store (or output) before a load (or input). FENCE.TSO leaves that out, too.
pub fn fence<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (before, after) = (i.f(24, 4), i.f(20, 4));
    if i.f(28, 4) != 8 && before & 5 != 0 && after & 10 != 0 {
        s.fence();
    }
    Lift::Next
}

/// FENCE.I: code anywhere may have changed. Translations are compared with it.
pub fn fence_i<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.trap(Trap::Invalidate, 1, i.next());
    Lift::End
}

/// Hints, and instructions that wait for what may come at any time.
pub fn nop<S: Sem>(_s: &mut S, _i: Insn) -> Lift {
    Lift::Next
}

/// What is defined to be no instruction.
pub fn undefined<S: Sem>(_s: &mut S, _i: Insn) -> Lift {
    Lift::Undefined
}

/// What may become something one day, and writes 0 until then (Zimop).
pub fn may_be<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let zero = s.konst(0);
    super::insn::done(s, i, zero)
}
