//! Code for floating-point operations on lanes other than plain arithmetic.

use super::asm::{Map, Pp, RAX, Reg, Rm, cc};
use super::codegen::Gen;
use crate::ir::float::round;
use crate::ir::{Inst, NONE, Op, Val};

/// ps or pd.
fn packed(w: u8) -> Pp {
    if w == 64 { Pp::P66 } else { Pp::None }
}

impl Gen<'_> {
    /// Emits an operation on floating-point lanes; false if there is no code for it.
    pub(super) fn float_lanes(&mut self, v: Val, i: &Inst) -> bool {
        match i.op {
            // Which operand is a NaN or signals is the same on both processors.
            Op::VFpCmp => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                // Next to a NaN they would not.
                self.probe_denormal(i.w, a, true);
                self.probe_denormal(i.w, b, true);
                let d = self.dst_x(v, i.a);
                // EQ_OQ, GE_OS, GT_OS
                let how = [0x00, 0x0d, 0x0e][i.imm as usize % 3];
                self.asm
                    .vexi(packed(i.w), Map::M0f, false, 0xc2, d, a, Rm::R(b), how);
                self.define_x(v, d, 128);
            }
            Op::VFpMin | Op::VFpMax => self.min_max_lanes(v, i),
            Op::VFpRound if i.imm & 7 != round::AWAY => {
                let a = self.reg_x(i.a);
                self.probe_denormal(i.w, a, true);
                let d = self.dst_x(v, i.a);
                let site = self.here();
                self.round_lanes(i.w, d, a, i.imm & 7, i.imm & 8 != 0);
                if self.tune.traps {
                    // One lane may be invalid and another one inexact.
                    let cold = self.float_cold(i, &[a], d);
                    self.float_point(site, cold);
                }
                self.define_x(v, d, 128);
            }
            Op::VFpFromInt if i.imm >> 16 == 0 => return self.lanes_from_int(v, i),
            Op::VFpToInt
                if i.w == 32
                    && i.imm >> 16 == 0
                    && i.imm & 0x80 != 0
                    && i.imm >> 8 & 7 != round::AWAY =>
            {
                self.lanes_to_signed(v, i);
            }
            Op::VFpToInt
                if i.w == 64
                    && i.imm >> 16 == 0
                    && i.imm & 0x80 != 0
                    && i.imm >> 8 & 7 == round::ZERO =>
            {
                self.doubles_to_signed(v, i);
            }
            Op::VFpWiden => {
                let mut a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                if i.imm == 1 {
                    self.byte_shift(3, 0, a, 8);
                    a = 0;
                }
                // vcvtph2ps, vcvtps2pd
                let (pp, map, op) = if i.w == 16 {
                    (Pp::P66, Map::M0f38, 0x13)
                } else {
                    (Pp::None, Map::M0f, 0x5a)
                };
                self.asm.vex(pp, map, false, op, d, 0, Rm::R(a));
                self.define_x(v, d, 128);
            }
            Op::VFpNarrow if i.w == 64 => {
                let a = self.reg_x(i.a);
                let narrow = |g: &mut Self, d: Reg| {
                    g.asm.vex(Pp::P66, Map::M0f, false, 0x5a, d, 0, Rm::R(a));
                };
                if self.tune.traps {
                    let d = self.dst_x(v, i.a);
                    let kept = self.keep(i, d, &[a]);
                    let site = self.here();
                    narrow(self, d);
                    let cold = self.float_probed(i, &[a], d, kept);
                    self.float_point(site, cold);
                    self.define_x(v, d, 64);
                } else {
                    let d = self.dst_x(v, NONE);
                    let r = self.temp_x();
                    let site = self.here();
                    narrow(self, r);
                    self.float_result(v, i, r, d, true, site);
                }
            }
            _ => return false,
        }
        true
    }

    fn round_lanes(&mut self, w: u8, d: Reg, a: Reg, mode: u64, inexact: bool) {
        let mode = match mode {
            round::NEAREST => 0,
            round::DOWN => 1,
            round::UP => 2,
            round::ZERO => 3,
            _ => 4,
        };
        let quiet = if inexact { 0 } else { 8 };
        let op = if w == 64 { 0x09 } else { 0x08 };
        self.asm
            .vexi(Pp::P66, Map::M0f3a, false, op, d, 0, Rm::R(a), mode | quiet);
    }

    /// Of equal numbers the host takes the second one, so both orders are asked: the greater of two zeros is their
    /// conjunction, the smaller one their disjunction. NaNs take the cold path.
    fn min_max_lanes(&mut self, v: Val, i: &Inst) {
        let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
        let t = self.temp_x();
        let d = self.dst_x(v, NONE);
        let pp = packed(i.w);
        self.asm.vexi(pp, Map::M0f, false, 0xc2, 0, a, Rm::R(b), 3);
        self.asm
            .vex(Pp::P66, Map::M0f38, false, 0x17, 0, 0, Rm::R(0));
        let f = self.asm.jcc(cc::NE);
        let from = self.fixup_at(f);
        let (op, both) = if i.op == Op::VFpMax {
            (0x5f, 0xdb)
        } else {
            (0x5d, 0xeb)
        };
        self.asm.vex(pp, Map::M0f, false, op, 0, a, Rm::R(b));
        self.asm.vex(pp, Map::M0f, false, op, t, b, Rm::R(a));
        self.vex3((Map::M0f, both), d, t, Rm::R(0));
        let to = self.float_cold(i, &[a, b], d);
        self.bind(from, to);
        self.define_x(v, d, 128);
    }

    fn lanes_from_int(&mut self, v: Val, i: &Inst) -> bool {
        let signed = i.imm & 0x80 != 0;
        let to_single = |g: &mut Self, d: Reg, a: Reg| {
            g.asm.vex(Pp::None, Map::M0f, false, 0x5b, d, 0, Rm::R(a));
        };
        match (i.w, signed) {
            (32, true) => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                to_single(self, d, a);
                self.define_x(v, d, 128);
            }
            (32, false) => {
                // Both halves are exact; one rounding when they are added.
                let a = self.reg_x(i.a);
                let t = self.temp_x();
                self.lane_shift(32, 2, t, a, 16);
                to_single(self, t, t);
                // 65536.0
                self.load_const(0, 0x4780_0000_4780_0000_4780_0000_4780_0000);
                self.asm
                    .vex(Pp::None, Map::M0f, false, 0x59, t, t, Rm::R(0));
                self.even_lanes(16, 0, a);
                to_single(self, 0, 0);
                let d = self.dst_x(v, NONE);
                self.asm
                    .vex(Pp::None, Map::M0f, false, 0x58, d, t, Rm::R(0));
                self.define_x(v, d, 128);
            }
            (64, true) => {
                let a = self.reg_x(i.a);
                let t = self.temp_x();
                let one = |g: &mut Self, d: Reg| {
                    g.vex3((Map::M0f, 0xef), d, d, Rm::R(d));
                    g.asm.vex(Pp::F2, Map::M0f, true, 0x2a, d, d, Rm::R(RAX));
                };
                self.asm
                    .vex(Pp::P66, Map::M0f, true, 0x7e, a, 0, Rm::R(RAX));
                one(self, 0);
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, true, 0x16, a, 0, Rm::R(RAX), 1);
                one(self, t);
                let d = self.dst_x(v, NONE);
                self.vex3((Map::M0f, 0x6c), d, 0, Rm::R(t));
                self.define_x(v, d, 128);
            }
            _ => return false,
        }
        true
    }

    /// Numbers that do not fit give the most negative integer on the host: they take the cold path.
    fn lanes_to_signed(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let t = self.temp_x();
        let mode = i.imm >> 8 & 7;
        let mut from = a;
        self.probe_denormal(32, a, true);
        let first = self.here();
        if mode != round::ZERO {
            self.round_lanes(32, t, a, mode, true);
            from = t;
        }
        let site = self.here();
        // vcvttps2dq
        self.asm
            .vex(Pp::F3, Map::M0f, false, 0x5b, t, 0, Rm::R(from));
        let mut check = None;
        if !self.tune.traps {
            self.ones(0);
            self.lane_shift(32, 6, 0, 0, 31);
            self.vex3((Map::M0f, 0x76), 0, 0, Rm::R(t));
            self.asm
                .vex(Pp::P66, Map::M0f38, false, 0x17, 0, 0, Rm::R(0));
            let f = self.asm.jcc(cc::NE);
            check = Some(self.fixup_at(f));
        }
        let cold = self.float_cold(i, &[a], t);
        match check {
            Some(f) => self.bind(f, cold),
            None => {
                self.float_point(first, cold);
                self.float_point(site, cold);
            }
        }
        self.define_x(v, t, 128);
    }

    /// Doubles to 64-bit integers, one after the other.
    fn doubles_to_signed(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let t = self.temp_x();
        let mut sites = Vec::new();
        let mut checks = Vec::new();
        self.probe_denormal(64, a, true);
        for n in 0..2 {
            let mut from = a;
            if n == 1 {
                self.asm
                    .vexi(Pp::P66, Map::M0f, false, 0x70, 0, 0, Rm::R(a), 0xee);
                from = 0;
            }
            sites.push(self.here());
            // vcvttsd2si
            self.asm
                .vex(Pp::F2, Map::M0f, true, 0x2c, RAX, 0, Rm::R(from));
            if !self.tune.traps {
                // The most negative number is also the answer to what does not fit.
                self.asm.alu_i(super::asm::Alu::Cmp, 64, Rm::R(RAX), 1);
                let f = self.asm.jcc(cc::O);
                checks.push(self.fixup_at(f));
            }
            if n == 0 {
                self.asm
                    .vex(Pp::P66, Map::M0f, true, 0x6e, t, 0, Rm::R(RAX));
            } else {
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, true, 0x22, t, t, Rm::R(RAX), 1);
            }
        }
        let cold = self.float_cold(i, &[a], t);
        for f in checks {
            self.bind(f, cold);
        }
        if self.tune.traps {
            for site in sites {
                self.float_point(site, cold);
            }
        }
        self.define_x(v, t, 128);
    }
}
