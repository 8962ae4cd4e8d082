//! Floating-point operations whose special cases Arm and x86 disagree on, with what finds them.

use super::asm::{Map, Pp, Rm, cc};
use super::codegen::Gen;
use super::emit_float::fma_opcode;
use super::layout;
use crate::ir::NONE;
use crate::ir::float::round;
use crate::ir::{Inst, Op, Val};

impl Gen<'_> {
    /// Multiply-add when invalid operations trap. Processors agree if neither the addend nor the first
    /// factor is a NaN (Arm prefers the addend's NaN; x86 vendors document no order for the factors).
    pub(super) fn fused(&mut self, v: Val, i: &Inst, packed: bool) {
        let double = i.w == 64;
        let pp = if double { Pp::P66 } else { Pp::None };
        let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
        let c = self.reg_x(i.c);
        // What is moved out of the way for it has to be so before the cold path.
        let d = self.dst_x(v, i.c);
        let nan = if packed {
            self.asm.vexi(pp, Map::M0f, false, 0xc2, 0, a, Rm::R(c), 3);
            self.asm
                .vex(Pp::P66, Map::M0f38, false, 0x17, 0, 0, Rm::R(0));
            self.asm.jcc(cc::NE)
        } else {
            self.asm.vex(pp, Map::M0f, false, 0x2e, a, 0, Rm::R(c));
            self.asm.jcc(cc::P)
        };
        let from = self.fixup_at(nan);
        // The destination is one of the operands: d = b * d + c, or d = a * b + d.
        let (form, x, y, top) = if d == c {
            (0xb0, a, b, i.c)
        } else if d == b {
            (0xa0, a, c, i.b)
        } else {
            self.mov_x(d, a);
            (0xa0, b, c, i.a)
        };
        let kept = self.keep(i, d, &[a, b, c]);
        let site = self.here();
        self.asm.vex(
            Pp::P66,
            Map::M0f38,
            double,
            fma_opcode(i, form, packed),
            d,
            x,
            Rm::R(y),
        );
        // If the first factor was moved to its place, it is still in the old one too.
        let cold = self.float_probed(i, &[a, b, c], d, kept);
        self.float_point(site, cold);
        self.bind(from, cold);
        let z = self.zero_above[top as usize].max(i.w);
        self.define_x(v, d, if packed { 128 } else { z });
    }

    /// Operands that compare equal (zeros of either sign) or unordered take the cold path.
    pub(super) fn float_min_max(&mut self, v: Val, i: &Inst) {
        let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
        let double = i.w == 64;
        self.asm.vex(
            if double { Pp::P66 } else { Pp::None },
            Map::M0f,
            false,
            0x2e,
            a,
            0,
            Rm::R(b),
        );
        let f = self.asm.jcc(cc::E);
        let from = self.fixup_at(f);
        let op = if i.op == Op::FpMax { 0x5f } else { 0x5d };
        self.asm.vex(
            if double { Pp::F2 } else { Pp::F3 },
            Map::M0f,
            false,
            op,
            0,
            a,
            Rm::R(b),
        );
        let back = self.here();
        let mut to = None;
        self.cold(|g| {
            to = Some(g.here());
            g.store_x(128, layout::arg(0), a);
            g.store_x(128, layout::arg(1), b);
            g.helper_call(i);
            g.load_x(128, 0, Rm::M(layout::arg(0)));
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        if let Some(to) = to {
            self.bind(from, to);
        }
        let d = self.dst_x(v, NONE);
        self.mov_x(d, 0);
        let z = self.zero_above[i.a as usize].max(i.w);
        self.define_x(v, d, z);
    }

    pub(super) fn float_to_signed(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let bits = (i.imm & 0x7f) as u8;
        let op = if i.imm >> 8 & 7 == round::ZERO {
            0x2c
        } else {
            0x2d
        };
        let d = self.dst(v, NONE);
        self.probe_denormal(i.w, a, false);
        let site = self.here();
        self.asm.vex(
            if i.w == 64 { Pp::F2 } else { Pp::F3 },
            Map::M0f,
            bits == 64,
            op,
            d,
            0,
            Rm::R(a),
        );
        let mut from = None;
        if !self.tune.traps {
            // The most negative number is also the host's answer to what does not fit.
            self.asm.alu_i(super::asm::Alu::Cmp, bits, Rm::R(d), 1);
            let f = self.asm.jcc(cc::O);
            from = Some(self.fixup_at(f));
        }
        let back = self.here();
        let mut to = None;
        self.cold(|g| {
            to = Some(g.here());
            g.store_x(128, layout::arg(0), a);
            g.helper_call(i);
            g.asm.mov(64, d, layout::arg(0));
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        match (from, to) {
            (Some(from), Some(to)) => self.bind(from, to),
            (None, Some(to)) => self.float_point(site, to),
            _ => {}
        }
        self.define(v, d);
    }
}
