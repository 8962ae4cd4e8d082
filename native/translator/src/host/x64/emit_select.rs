//! What depends on a condition: selected values and flags, and carries that are added.

use super::asm::{Alu, RAX, Rm};
use super::codegen::{Gen, Loc, Opnd};
use crate::ir::flags::Cc;
use crate::ir::{Inst, NONE, Op, Val};

impl Gen<'_> {
    /// A constant without a register, or a register or memory.
    fn choice(&mut self, w: u8, v: Val) -> Opnd {
        if self.loc[v as usize] == Loc::None && self.known(v).is_some() {
            return self.opnd_w(w, v);
        }
        Opnd::Rm(self.source(v))
    }

    pub(super) fn select(&mut self, v: Val, i: &Inst) {
        let w = i.w.max(32);
        if self.combined(i.c) {
            return self.select_by_jumps(v, i);
        }
        if self.loc[i.c as usize] == Loc::None && self.get(i.c).op != Op::Cc {
            self.reg(i.c);
        }
        let (ka, kb) = (self.known(i.a), self.known(i.b));
        if let (Some(a @ 0..2), Some(b @ 0..2)) = (ka, kb)
            && a != b
        {
            let d = self.dst(v, NONE);
            let cond = self.condition(i.c) ^ u8::from(a == 0);
            self.asm.setcc(cond, d);
            self.asm.movzx(8, d, Rm::R(d));
            self.define(v, d);
            return;
        }
        let (mut a, mut b) = (self.choice(w, i.a), self.choice(w, i.b));
        let d = self.dst(v, NONE);
        let place = Opnd::Rm(Rm::R(d));
        // A conditional move takes no constant: the other one is to be it, and is to be moved.
        let constant = |o: Opnd| !matches!(o, Opnd::Rm(_));
        if a == place && constant(b) {
            b = Opnd::Rm(Rm::R(self.reg(i.b)));
        } else if constant(a) && (b == place || constant(b)) {
            a = Opnd::Rm(Rm::R(self.reg(i.a)));
        }
        let cond = self.condition(i.c);
        match (a, b) {
            (a, Opnd::Rm(b)) if a == place || (constant(a) && b != Rm::R(d)) => {
                if a != place {
                    self.load_o(w, d, a);
                }
                self.asm.cmov(cond ^ 1, w, d, b);
            }
            (Opnd::Rm(a), b) => {
                if b != place {
                    self.load_o(w, d, b);
                }
                self.asm.cmov(cond, w, d, a);
            }
            _ => unreachable!("one of them is no constant"),
        }
        self.define(v, d);
    }

    /// Selects by a combination of conditions.
    fn select_by_jumps(&mut self, v: Val, i: &Inst) {
        let w = i.w.max(32);
        let (a, b) = (self.choice(w, i.a), self.choice(w, i.b));
        let d = self.dst(v, NONE);
        let place = Opnd::Rm(Rm::R(d));
        // What is there already is moved, too, if that clears its upper half.
        let moves = |o: Opnd| o != place || w == 32;
        let take_a = self.branch(i.c, true);
        let mut end = None;
        if moves(b) {
            self.load_o(w, d, b);
        }
        if moves(a) {
            end = Some(self.asm.jmp());
        }
        for f in take_a {
            self.asm.bind(f);
        }
        if moves(a) {
            self.load_o(w, d, a);
        }
        if let Some(end) = end {
            self.asm.bind(end);
        }
        self.define(v, d);
    }

    /// Selected flags, packed in a register: a if the condition holds, else b.
    pub(super) fn fselect(&mut self, v: Val, i: &Inst) {
        if self.loc[i.c as usize] == Loc::None && self.get(i.c).op != Op::Cc {
            self.reg(i.c);
        }
        let d = self.temp();
        self.selected_to_rax(i);
        self.asm.movzx(16, d, Rm::R(RAX));
        self.define(v, d);
    }

    /// The same into ax.
    pub(super) fn selected_to_rax(&mut self, i: &Inst) {
        let take_a = self.branch(i.c, true);
        self.flags_to_rax(i.b);
        let end = self.asm.jmp();
        for f in take_a {
            self.asm.bind(f);
        }
        self.flags_to_rax(i.a);
        self.asm.bind(end);
    }

    /// A carry that is nowhere yet, to be added.
    pub(super) fn is_carry(&self, v: Val) -> bool {
        let i = self.get(v);
        i.op == Op::Cc
            && self.loc[v as usize] == Loc::None
            && !self.lives_on(v)
            && i.imm == Cc::Cs as u64
            && matches!(self.get(i.a).op, Op::FAdd | Op::FSub)
    }

    /// `x` and a carry. Additions leave it as the host does, subtractions the other way round.
    pub(super) fn add_carry(&mut self, v: Val, x: Val, i: &Inst, carry: Val) {
        let borrow = self.get(self.get(carry).a).op == Op::FSub;
        let a = self.operand(i.w, x);
        let d = self.dst(v, x);
        self.condition(carry);
        if a != Opnd::Rm(Rm::R(d)) {
            self.load_o(i.w, d, a);
        }
        // x - (-1) - borrow is x + 1 - borrow.
        let (op, k) = if borrow {
            (Alu::Sbb, -1)
        } else {
            (Alu::Adc, 0)
        };
        self.asm.alu_i(op, i.w, Rm::R(d), k);
        self.define(v, d);
    }
}
