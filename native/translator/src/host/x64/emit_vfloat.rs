//! Code for floating-point operations on lanes other than plain arithmetic.

use super::asm::{Map, Pp, RAX, Reg, Rm, cc};
use super::codegen::{At, Gen};
use super::emit_float::fma_opcode;
use super::layout;
use super::runtime::csr;
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
                let probes = [a, b].map(|x| self.probe_standard(x));
                self.asm
                    .vexi(packed(i.w), Map::M0f, false, 0xc2, d, a, Rm::R(b), how);
                if self.is_standard_trapping() {
                    let cold = self.float_cold(i, &[a, b], d);
                    for probe in probes.into_iter().flatten() {
                        self.float_point(probe, cold);
                    }
                }
                self.define_x(v, d, 128);
            }
            Op::VFpMulAdd if self.standard != 0 => self.multiply_add(v, i),
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

    /// A product and a sum under standard modes: one look for NaNs, and at the product if the host does not trap for
    /// what was tiny before it was rounded.
    fn multiply_add(&mut self, v: Val, i: &Inst) {
        let pp = packed(i.w);
        let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
        let c = self.reg_x(i.c);
        let (t, r) = (self.temp_x(), self.temp_x());
        let mut sites = vec![self.here()];
        self.asm.vex(pp, Map::M0f, false, 0x59, t, a, Rm::R(b));
        if self.tune.traps {
            sites.push(self.here());
            let half = Rm::M(layout::half(i.w));
            self.asm.vex(pp, Map::M0f, false, 0x59, 0, t, half);
        }
        sites.push(self.here());
        let sum = if i.imm & 1 != 0 { 0x5c } else { 0x58 };
        self.asm.vex(pp, Map::M0f, false, sum, r, c, Rm::R(t));
        self.asm.vexi(pp, Map::M0f, false, 0xc2, 0, r, Rm::R(r), 3);
        if !self.tune.traps {
            let [abs, least] = layout::float_constants(i.w);
            self.asm
                .vex(Pp::None, Map::M0f, false, 0x54, t, t, Rm::M(abs));
            self.asm
                .vexi(pp, Map::M0f, false, 0xc2, t, t, Rm::M(least), 0);
            self.asm
                .vex(Pp::None, Map::M0f, false, 0x56, 0, 0, Rm::R(t));
        }
        let from = self.any_lane();
        let cold = self.float_cold(i, &[a, b, c], r);
        self.bind(from, cold);
        for site in sites {
            self.float_point(site, cold);
        }
        let d = self.dst_x(v, NONE);
        self.mov_x(d, r);
        let z = self.packed_zero_above(i);
        self.define_x(v, d, z);
    }

    /// Arithmetic under standard modes where nothing traps: operands and results are looked at.
    pub(super) fn standard_checked(&mut self, v: Val, i: &Inst) -> bool {
        let (sum, product) = match (i.op, i.imm) {
            (Op::VFpAdd, _) | (Op::VFpMulAdd, 0) => (0x58, i.op == Op::VFpMulAdd),
            (Op::VFpSub, _) | (Op::VFpMulAdd, _) => (0x5c, i.op == Op::VFpMulAdd),
            (Op::VFpMul, _) => (0x59, false),
            (Op::VFpFma, _) => (0, false),
            _ => return false,
        };
        let pp = packed(i.w);
        let args: Vec<Reg> = [i.a, i.b, i.c]
            .into_iter()
            .filter(|&x| x != NONE)
            .map(|x| self.reg_x(x))
            .collect();
        let (r, t) = (self.temp_x(), self.temp_x());
        let (bad, u) = (self.temp_x(), self.temp_x());
        self.vex3((Map::M0f, 0xef), bad, bad, Rm::R(bad));
        for &x in &args {
            // LT_OQ
            self.small_lanes(bad, u, x, 0x11, i.w);
        }
        let operands = self.any_bit(bad);
        let before = layout::host(layout::host::BEFORE);
        csr(&mut self.asm, false, before);
        if i.op == Op::VFpFma {
            self.mov_x(r, args[0]);
            let (b, c) = (args[1], Rm::R(args[2]));
            let code = fma_opcode(i, 0xa0, true);
            self.asm.vex(Pp::P66, Map::M0f38, false, code, r, b, c);
        } else if product {
            self.asm
                .vex(pp, Map::M0f, false, 0x59, t, args[0], Rm::R(args[1]));
            // LE_OQ: what is the smallest normal number may have been less before rounding.
            self.small_lanes(bad, u, t, 0x12, i.w);
            self.lost_lanes(bad, [u, r], t, &args, i.w);
            self.asm.vex(pp, Map::M0f, false, sum, r, args[2], Rm::R(t));
        } else {
            self.asm
                .vex(pp, Map::M0f, false, sum, r, args[0], Rm::R(args[1]));
        }
        if matches!(i.op, Op::VFpMul | Op::VFpFma) {
            self.lost_lanes(bad, [u, t], r, &args, i.w);
        }
        self.small_lanes(bad, u, r, 0x12, i.w);
        self.asm.vexi(pp, Map::M0f, false, 0xc2, 0, r, Rm::R(r), 3);
        self.asm
            .vex(Pp::None, Map::M0f, false, 0x56, bad, bad, Rm::R(0));
        let results = self.any_bit(bad);
        let back = self.here();
        let mut to = [back; 2];
        self.cold(|g| {
            // The flags that the operation has raised are not those of its meaning.
            to[1] = g.here();
            csr(&mut g.asm, true, before);
            to[0] = g.here();
            for (n, &a) in args.iter().enumerate() {
                g.store_x(128, layout::arg(n), a);
            }
            g.helper_call(i);
            g.load_x(128, r, Rm::M(layout::arg(0)));
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        self.bind(operands, to[0]);
        self.bind(results, to[1]);
        let d = self.dst_x(v, NONE);
        self.mov_x(d, r);
        let z = self.packed_zero_above(i);
        self.define_x(v, d, z);
        true
    }

    /// Bits in `bad` for the lanes of `x` that are not zero and whose size compares as `how` with the smallest normal
    /// number. Uses `u` and xmm0.
    fn small_lanes(&mut self, bad: Reg, u: Reg, x: Reg, how: u8, w: u8) {
        let [abs, least] = layout::float_constants(w);
        let logic = |g: &mut Self, op: u8, d: Reg, a: Reg, b: Rm| {
            g.asm.vex(Pp::None, Map::M0f, false, op, d, a, b);
        };
        logic(self, 0x54, 0, x, Rm::M(abs));
        self.asm
            .vexi(packed(w), Map::M0f, false, 0xc2, u, 0, Rm::M(least), how);
        logic(self, 0x54, 0, 0, Rm::R(u));
        logic(self, 0x56, bad, bad, Rm::R(0));
    }

    /// Bits in `bad` for the lanes where `x` is zero and neither factor is: a product may have been too small for any
    /// number. Uses two registers and xmm0.
    fn lost_lanes(&mut self, bad: Reg, [u, t]: [Reg; 2], x: Reg, factors: &[Reg], w: u8) {
        let is_zero = |g: &mut Self, d: Reg, x: Reg| {
            g.asm
                .vexi(packed(w), Map::M0f, false, 0xc2, d, x, Rm::R(0), 0);
        };
        self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
        is_zero(self, u, x);
        for &f in &factors[..2] {
            is_zero(self, t, f);
            // vandnps
            self.asm
                .vex(Pp::None, Map::M0f, false, 0x55, u, t, Rm::R(u));
        }
        self.asm
            .vex(Pp::None, Map::M0f, false, 0x56, bad, bad, Rm::R(u));
    }

    /// Jumps if a bit of a register is set.
    fn any_bit(&mut self, r: Reg) -> At {
        self.asm
            .vex(Pp::P66, Map::M0f38, false, 0x17, r, 0, Rm::R(r));
        let f = self.asm.jcc(cc::NE);
        self.fixup_at(f)
    }

    /// Jumps if a lane of xmm0 has its sign set.
    pub(super) fn any_lane(&mut self) -> At {
        // vmovmskps
        self.asm
            .vex(Pp::None, Map::M0f, false, 0x50, RAX, 0, Rm::R(0));
        self.asm.test_i(32, Rm::R(RAX), 15);
        let f = self.asm.jcc(cc::NE);
        self.fixup_at(f)
    }

    /// For a standard operation that would not trap for denormal numbers, or not next to a NaN: what does.
    fn probe_standard(&mut self, a: Reg) -> Option<At> {
        self.is_standard_trapping().then(|| {
            let site = self.here();
            self.asm
                .vexi(Pp::None, Map::M0f, false, 0xc2, 0, a, Rm::R(a), 0);
            site
        })
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
        let site = self.here();
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
        if self.is_standard_trapping() {
            self.float_point(site, to);
        }
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
        // Converting is not what denormal numbers trap for.
        let probe = self.probe_standard(a);
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
        if let Some(probe) = probe {
            self.float_point(probe, cold);
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
