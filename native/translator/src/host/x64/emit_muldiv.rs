//! Multiplication and division.

use super::asm::{Alu, cc};
use super::asm::{RAX, RDX, Rm};
use super::codegen::{Gen, Opnd};
use crate::ir::eval::mask;
use crate::ir::{Inst, Val};
use crate::ir::{NONE, Op};

impl Gen<'_> {
    pub(super) fn mul(&mut self, v: Val, i: &Inst) {
        let w = i.w;
        let (mut x, mut y) = (i.a, i.b);
        if self.known(x).is_some() {
            std::mem::swap(&mut x, &mut y);
        }
        if let Opnd::Imm(k) = self.operand(w, y) {
            let a = self.source(x);
            let d = self.dst(v, x);
            self.asm.imul_i(w, d, a, k);
            self.define(v, d);
            return;
        }
        let a = self.source(x);
        let b = self.source(y);
        let d = self.dst(v, x);
        if a == Rm::R(d) {
            self.asm.imul(w, d, b);
        } else if b == Rm::R(d) {
            self.asm.imul(w, d, a);
        } else {
            self.asm.mov(w, d, a);
            self.asm.imul(w, d, b);
        }
        self.define(v, d);
    }

    pub(super) fn mul_high(&mut self, v: Val, i: &Inst) {
        self.take_rdx();
        let a = self.reg(i.a);
        let b = self.source(i.b);
        self.asm.mov(64, RAX, Rm::R(a));
        self.asm
            .group3(if i.op == Op::MulHiU { 4 } else { 5 }, 64, b);
        let d = self.dst(v, NONE);
        self.asm.mov(64, d, Rm::R(RDX));
        self.define(v, d);
    }

    pub(super) fn udiv(&mut self, v: Val, i: &Inst) {
        self.take_rdx();
        let a = self.reg(i.a);
        let b = self.reg(i.b);
        let sure = self.known(i.b).is_some_and(|k| k & mask(i.w) != 0);
        let mut zero = None;
        if !sure {
            self.asm.alu(Alu::Xor, 32, RAX, Rm::R(RAX));
            self.asm.test(i.w, Rm::R(b), b);
            zero = Some(self.asm.jcc(cc::E));
        }
        self.asm.mov(i.w, RAX, Rm::R(a));
        self.asm.alu(Alu::Xor, 32, RDX, Rm::R(RDX));
        self.asm.group3(6, i.w, Rm::R(b));
        if let Some(f) = zero {
            self.asm.bind(f);
        }
        let d = self.dst(v, NONE);
        self.asm.mov(i.w, d, Rm::R(RAX));
        self.define(v, d);
    }

    pub(super) fn sdiv(&mut self, v: Val, i: &Inst) {
        self.take_rdx();
        let a = self.reg(i.a);
        let b = self.reg(i.b);
        self.asm.alu(Alu::Xor, 32, RAX, Rm::R(RAX));
        self.asm.test(i.w, Rm::R(b), b);
        let zero = self.asm.jcc(cc::E);
        self.asm.mov(i.w, RAX, Rm::R(a));
        self.asm.alu_i(Alu::Cmp, i.w, Rm::R(b), -1);
        let minus = self.asm.jcc(cc::E);
        self.asm.cqo(i.w);
        self.asm.group3(7, i.w, Rm::R(b));
        let done = self.asm.jmp();
        self.asm.bind(minus);
        self.asm.group3(3, i.w, Rm::R(RAX));
        self.asm.bind(zero);
        self.asm.bind(done);
        let d = self.dst(v, NONE);
        self.asm.mov(i.w, d, Rm::R(RAX));
        self.define(v, d);
    }
}
