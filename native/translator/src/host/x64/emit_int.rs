//! Code for general operations, and the dispatch over all of them.

use super::asm::{Alu, Map, Mem, NOREG, Pp, RAX, RCX, Reg, Rm, Shift};
use super::codegen::{Gen, Loc, Opnd};
use crate::ir::{Inst, NONE, Op, Val};

impl Gen<'_> {
    pub(super) fn inst(&mut self, v: Val, i: &Inst) {
        match i.op {
            // Made where they are used.
            Op::Const
            | Op::Cc
            | Op::FAdd
            | Op::FSub
            | Op::FLogic
            | Op::FPack
            | Op::FPart
            | Op::SetF => {}
            Op::Skip => self.begin_skip(i),
            Op::Label => self.end_skip(),
            Op::GetF if self.tune.defer => self.settle(),
            Op::GetF => {}
            Op::FFcmp => {
                if !self.live.at[v as usize].always {
                    // For its exceptions.
                    self.flags_to_rax(v);
                }
            }
            Op::FSelect if self.live.at[v as usize].again => {}
            Op::FSelect => self.fselect(v, i),
            Op::FAdc => self.fadc(v, i),
            Op::Pack => {
                self.flags_to_rax(i.a);
                let d = self.dst(v, NONE);
                self.asm.mov(32, d, Rm::R(RAX));
                let mask = self.pin.flags.mask as i32;
                self.asm.alu_i(Alu::And, 32, Rm::R(d), mask);
                self.define(v, d);
            }
            Op::And | Op::Or | Op::Xor if i.w == 8 => {}
            Op::Add => self.add(v, i),
            Op::Sub => self.alu2(v, i, Alu::Sub, false),
            Op::And => self.alu2(v, i, Alu::And, true),
            Op::Or => self.alu2(v, i, Alu::Or, true),
            Op::Xor => self.alu2(v, i, Alu::Xor, true),
            Op::Andn | Op::Orn | Op::Xorn => self.inverted(v, i),
            Op::Shl => self.shift(v, i, Shift::Shl),
            Op::Shr => self.shift(v, i, Shift::Shr),
            Op::Sar => self.shift(v, i, Shift::Sar),
            Op::Ror => self.shift(v, i, Shift::Ror),
            Op::Mul => self.mul(v, i),
            Op::MulHiU | Op::MulHiS if i.w == 64 => self.mul_high(v, i),
            Op::UDiv => self.udiv(v, i),
            Op::SDiv => self.sdiv(v, i),
            Op::Not | Op::Neg => {
                let d = self.unary_dst(v, i);
                self.asm
                    .group3(if i.op == Op::Not { 2 } else { 3 }, i.w.max(32), Rm::R(d));
                self.define(v, d);
            }
            Op::Clz => {
                let o = self.source(i.a);
                let d = self.dst(v, i.a);
                self.asm.lzcnt(i.w, d, o);
                self.define(v, d);
            }
            Op::Popcnt => {
                let o = self.source(i.a);
                let d = self.dst(v, i.a);
                // popcnt
                self.asm
                    .op(Pp::F3, Map::M0f, 0xb8, i.w == 64, d, o, false, false);
                self.define(v, d);
            }
            Op::Ctz => {
                let o = self.source(i.a);
                let d = self.dst(v, i.a);
                // tzcnt
                self.asm
                    .op(Pp::F3, Map::M0f, 0xbc, i.w == 64, d, o, false, false);
                self.define(v, d);
            }
            Op::Cls => {
                let r = self.reg(i.a);
                let d = self.dst(v, i.a);
                self.asm.mov(i.w, RAX, Rm::R(r));
                self.asm.shift_i(Shift::Sar, i.w, Rm::R(RAX), i.w - 1);
                self.asm.alu(Alu::Xor, i.w, RAX, Rm::R(r));
                self.asm.lzcnt(i.w, d, Rm::R(RAX));
                self.asm.alu_i(Alu::Sub, 32, Rm::R(d), 1);
                self.define(v, d);
            }
            Op::Rev => {
                let d = self.unary_dst(v, i);
                self.asm.bswap(i.w, d);
                self.define(v, d);
            }
            Op::RevIn if i.imm == 32 || i.w == 32 => {
                let d = self.unary_dst(v, i);
                self.asm.bswap(i.w, d);
                self.asm.shift_i(Shift::Ror, i.w, Rm::R(d), i.w / 2);
                self.define(v, d);
            }
            Op::Rbit => self.rbit(v, i),
            Op::Zext => {
                let o = self.source(i.a);
                let d = self.dst(v, i.a);
                self.zext(i.w, d, o);
                self.define(v, d);
            }
            Op::Sext => {
                let o = self.source(i.a);
                let d = self.dst(v, i.a);
                self.asm.movsx(i.w, 64, d, o);
                self.define(v, d);
            }
            Op::Extr => {
                let (a, b) = (self.reg(i.a), self.reg(i.b));
                let d = self.dst(v, NONE);
                self.asm.mov(i.w, RAX, Rm::R(b));
                if i.imm != 0 {
                    self.asm.shrd(i.w, RAX, a, i.imm as u8);
                }
                self.asm.mov(i.w, d, Rm::R(RAX));
                self.define(v, d);
            }
            Op::Select => self.select(v, i),
            Op::Get => self.get_slot(v, i.imm as usize),
            Op::Set => self.set_slot(i.a, i.imm as usize),
            Op::GetX => self.get_slot_x(v, i.imm as usize),
            Op::SetX => self.set_slot_x(i.a, i.imm as usize),
            Op::Call | Op::CallX | Op::AskX => self.call_helper(v, i),
            Op::Accrued => self.accrued(v),
            Op::Accrue => self.accrue(i),
            Op::Sticky => self.sticky(i),
            o if o.is_exit() => self.exit(i),
            o if o.can_fault() || matches!(o, Op::ClearEx | Op::Fence) => self.memory(v, i),
            _ => {
                if !self.wide_op(v, i) {
                    self.call_helper(v, i);
                }
            }
        }
    }

    /// The operand as register or memory.
    pub(super) fn source(&mut self, a: Val) -> Rm {
        match self.loc[a as usize] {
            Loc::None => Rm::R(self.reg(a)),
            Loc::G(r) => {
                self.lock(r);
                Rm::R(r)
            }
            _ => match self.opnd(a) {
                Opnd::Rm(m) => m,
                _ => Rm::R(self.reg(a)),
            },
        }
    }

    /// An operand that may be an immediate or memory; conditions become registers.
    pub(super) fn operand(&mut self, w: u8, a: Val) -> Opnd {
        if self.loc[a as usize] == Loc::None && self.known(a).is_none() {
            return Opnd::Rm(Rm::R(self.reg(a)));
        }
        if let Loc::G(r) = self.loc[a as usize] {
            self.lock(r);
        }
        self.opnd_w(w, a)
    }

    pub(super) fn zext(&mut self, w: u8, d: Reg, o: Rm) {
        match w {
            64 => {
                if o != Rm::R(d) {
                    self.asm.mov(64, d, o);
                }
            }
            _ => self.asm.movzx(w, d, o),
        }
    }

    /// A destination holding a copy of operand a.
    fn unary_dst(&mut self, v: Val, i: &Inst) -> Reg {
        let o = self.operand(i.w, i.a);
        let d = self.dst(v, i.a);
        if o != Opnd::Rm(Rm::R(d)) {
            self.load_o(i.w.max(32), d, o);
        }
        d
    }

    fn alu2(&mut self, v: Val, i: &Inst, op: Alu, commutes: bool) {
        let w = i.w.max(32);
        let (mut x, mut y) = (i.a, i.b);
        if commutes && self.known(x).is_some() {
            std::mem::swap(&mut x, &mut y);
        }
        let a = self.operand(w, x);
        let b = self.operand(w, y);
        let d = self.dst(v, x);
        let is_d = Opnd::Rm(Rm::R(d));
        if a == is_d {
            self.alu_o(op, w, d, b);
        } else if b == is_d {
            if commutes {
                self.alu_o(op, w, d, a);
            } else if let Opnd::Big(_) = a {
                self.load_o(w, RAX, a);
                self.asm.alu(op, w, RAX, Rm::R(d));
                self.asm.mov(w, d, Rm::R(RAX));
            } else {
                self.load_o(w, RAX, a);
                self.asm.alu(op, w, RAX, Rm::R(d));
                self.asm.mov(w, d, Rm::R(RAX));
            }
        } else {
            self.load_o(w, d, a);
            self.alu_o(op, w, d, b);
        }
        if i.w < 32 {
            self.asm.movzx(i.w, d, Rm::R(d));
        }
        self.define(v, d);
    }

    fn add(&mut self, v: Val, i: &Inst) {
        let w = i.w.max(32);
        let (mut x, mut y) = (i.a, i.b);
        if i.w >= 32 && self.is_carry(y) && self.known(x).is_none() {
            return self.add_carry(v, x, i, y);
        }
        if self.known(x).is_some() {
            std::mem::swap(&mut x, &mut y);
        }
        let a = self.operand(w, x);
        let b = self.operand(w, y);
        if let Opnd::Rm(Rm::R(ra)) = a {
            let m = match b {
                Opnd::Rm(Rm::R(rb)) => Some(Mem {
                    base: ra,
                    index: rb,
                    shift: 0,
                    disp: 0,
                    gs: false,
                    wrap: false,
                }),
                Opnd::Imm(k) => Some(Mem::base(ra, k)),
                _ => None,
            };
            if let Some(m) = m {
                let d = self.dst(v, x);
                if d == ra {
                    self.alu_o(Alu::Add, w, d, b);
                } else if b == Opnd::Rm(Rm::R(d)) {
                    self.alu_o(Alu::Add, w, d, a);
                } else {
                    self.asm.lea(w, d, m);
                }
                self.define(v, d);
                return;
            }
        }
        self.alu2(v, i, Alu::Add, true);
    }

    fn inverted(&mut self, v: Val, i: &Inst) {
        let w = i.w.max(32);
        if i.op == Op::Andn {
            let b = self.reg(i.b);
            let a = self.source(i.a);
            let d = self.dst(v, i.b);
            self.asm.andn(w, d, b, a);
            self.define(v, d);
            return;
        }
        let a = self.operand(w, i.a);
        let b = self.operand(w, i.b);
        let d = self.dst(v, NONE);
        self.load_o(w, RAX, b);
        self.asm.group3(2, w, Rm::R(RAX));
        let op = if i.op == Op::Orn { Alu::Or } else { Alu::Xor };
        match a {
            Opnd::Big(k) => {
                // The scratch register is taken: build the constant in the destination.
                self.asm.mov_ri(d, k);
                self.asm.alu(op, w, d, Rm::R(RAX));
            }
            a => {
                self.alu_o(op, w, RAX, a);
                self.asm.mov(w, d, Rm::R(RAX));
            }
        }
        self.define(v, d);
    }

    fn shift(&mut self, v: Val, i: &Inst, op: Shift) {
        let w = i.w;
        if let Some(k) = self.known(i.b) {
            let n = (k & u64::from(w - 1)) as u8;
            let o = self.operand(w, i.a);
            let d = self.dst(v, i.a);
            match (op, o) {
                (Shift::Ror, Opnd::Rm(m)) => self.asm.rorx(w, d, m, n),
                (Shift::Shl, Opnd::Rm(Rm::R(r))) if n == 1 && r != d => {
                    self.asm.lea(
                        w,
                        d,
                        Mem {
                            base: r,
                            index: r,
                            shift: 0,
                            disp: 0,
                            gs: false,
                            wrap: false,
                        },
                    );
                }
                _ => {
                    if o != Opnd::Rm(Rm::R(d)) || n == 0 {
                        self.load_o(w, d, o);
                    }
                    if n != 0 {
                        self.asm.shift_i(op, w, Rm::R(d), n);
                    }
                }
            }
            self.define(v, d);
            return;
        }
        if op == Shift::Ror {
            let (a, b) = (self.reg(i.a), self.reg(i.b));
            self.take(RCX);
            // Either may have lived in rcx.
            let (a, b) = (self.moved(i.a, a), self.moved(i.b, b));
            self.load_o(w, RAX, Opnd::Rm(a));
            self.load_o(64, RCX, Opnd::Rm(b));
            self.asm.shift_cl(Shift::Ror, w, Rm::R(RAX));
            let d = self.dst(v, NONE);
            self.asm.mov(w, d, Rm::R(RAX));
            self.define(v, d);
            return;
        }
        let b = self.reg(i.b);
        let a = self.source(i.a);
        let d = self.dst(v, i.a);
        self.asm.shiftx(op, w, d, a, b);
        self.define(v, d);
    }

    /// Where a value is after `take` may have moved it. A dead-after-this value may only be in its old register.
    fn moved(&self, v: Val, old: Reg) -> Rm {
        match self.loc[v as usize] {
            Loc::G(r) => Rm::R(r),
            Loc::None => Rm::R(old),
            _ => match self.opnd(v) {
                Opnd::Rm(m) => m,
                _ => Rm::R(old),
            },
        }
    }

    /// Reverses bits: bytes, then nibbles, pairs and single bits.
    fn rbit(&mut self, v: Val, i: &Inst) {
        let d = self.unary_dst(v, i);
        let t = self.temp();
        let wide = i.w == 64;
        self.asm.bswap(i.w, d);
        for (m, n) in [
            (0x0f0f_0f0f_0f0f_0f0fu64, 4u8),
            (0x3333_3333_3333_3333, 2),
            (0x5555_5555_5555_5555, 1),
        ] {
            let m = if wide { m } else { m & 0xffff_ffff };
            self.asm.mov_ri(t, m);
            self.asm.mov(i.w, RAX, Rm::R(d));
            self.asm.shift_i(Shift::Shr, i.w, Rm::R(RAX), n);
            self.asm.alu(Alu::And, i.w, RAX, Rm::R(t));
            self.asm.alu(Alu::And, i.w, d, Rm::R(t));
            self.asm.shift_i(Shift::Shl, i.w, Rm::R(d), n);
            self.asm.alu(Alu::Or, i.w, d, Rm::R(RAX));
        }
        self.define(v, d);
    }

    /// Flags of a + b + carry, packed in a register.
    fn fadc(&mut self, v: Val, i: &Inst) {
        let (a, c) = (self.reg(i.a), self.reg(i.c));
        let b = self.source(i.b);
        let d = self.temp();
        self.asm.mov(i.w, RAX, Rm::R(a));
        self.asm.bt_i(32, Rm::R(c), 0);
        self.asm.alu(Alu::Adc, i.w, RAX, b);
        self.asm.bytes(&[0x9f, 0x0f, 0x90, 0xc0]);
        self.asm.movzx(16, d, Rm::R(RAX));
        self.define(v, d);
    }

    /// The address of a guest access.
    pub(super) fn address(&mut self, i: &Inst) -> Mem {
        let a = crate::ir::Addr::unpack(i.imm);
        if let Some(k) = self.known(i.a) {
            let sum = (k as i64).wrapping_add(i64::from(a.disp));
            let near = i32::try_from(sum);
            if i.b == NONE && (near.is_ok() || a.wrap) {
                // With the other size of addresses a displacement is not sign-extended.
                return Mem {
                    base: NOREG,
                    index: NOREG,
                    shift: 0,
                    disp: sum as i32,
                    gs: true,
                    wrap: near.is_err(),
                };
            }
        }
        let base = self.reg(i.a);
        let index = if i.b == NONE { NOREG } else { self.reg(i.b) };
        Mem {
            base,
            index,
            shift: a.shift,
            disp: a.disp,
            gs: true,
            wrap: a.wrap,
        }
    }
}
