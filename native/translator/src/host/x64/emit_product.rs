//! Code for wide operations whose lanes grow: products, sums of neighbours and of all lanes.

use super::asm::{Map, Pp, Reg, Rm, cc};
use super::codegen::Gen;
use super::features::host_has;
use super::layout;
use crate::ir::{Inst, NONE, Op, Val};

impl Gen<'_> {
    /// Emits a widening operation; false if there is no code for it.
    pub(super) fn product_op(&mut self, v: Val, i: &Inst) -> bool {
        match i.op {
            Op::VSumU if i.w < 64 => self.sum(v, i),
            Op::VSumU => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, NONE);
                self.byte_shift(3, 0, a, 8);
                self.vex3((Map::M0f, 0xd4), d, a, Rm::R(0));
                self.load_x(64, d, Rm::R(d));
                self.define_x(v, d, 64);
            }
            Op::VPairU | Op::VPairS => {
                let a = self.reg_x(i.a);
                let t = self.temp_x();
                let d = self.dst_x(v, NONE);
                self.pairs(i.op == Op::VPairS, i.w, d, a, t);
                self.define_x(v, d, 128);
            }
            Op::VMulLU | Op::VMulLS => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let t = self.temp_x();
                let d = self.dst_x(v, NONE);
                self.mul_long(i.op == Op::VMulLS, i.w, i.imm == 1, d, [a, b], t);
                self.define_x(v, d, 128);
            }
            Op::VDotU | Op::VDotS | Op::VDotUS => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let (t, u) = (self.temp_x(), self.temp_x());
                // Even bytes and odd bytes as words, multiplied and added in pairs.
                let split =
                    |g: &mut Self, signed: bool, odd: bool, d: Reg, s: Reg| match (signed, odd) {
                        (false, true) => g.lane_shift(16, 2, d, s, 8),
                        (true, true) => g.lane_shift(16, 4, d, s, 8),
                        (_, false) => {
                            g.lane_shift(16, 6, d, s, 8);
                            g.lane_shift(16, if signed { 4 } else { 2 }, d, d, 8);
                        }
                    };
                let (sa, sb) = (i.op == Op::VDotS, i.op != Op::VDotU);
                split(self, sa, false, t, a);
                split(self, sb, false, u, b);
                self.vex3((Map::M0f, 0xf5), t, t, Rm::R(u));
                split(self, sa, true, 0, a);
                split(self, sb, true, u, b);
                self.vex3((Map::M0f, 0xf5), 0, 0, Rm::R(u));
                self.vex3((Map::M0f, 0xfe), t, t, Rm::R(0));
                let d = self.dst_x(v, NONE);
                // Only now: all temporaries were needed.
                let c = self.source_x(i.c);
                self.vex3((Map::M0f, 0xfe), d, t, c);
                self.define_x(v, d, 128);
            }
            Op::VClMul if host_has!("pclmulqdq") => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, i.a);
                let sel = if i.imm == 0 { 0x00 } else { 0x11 };
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, false, 0x44, d, a, Rm::R(b), sel);
                self.define_x(v, d, 128);
            }
            Op::VClMul => return false,
            _ => return self.move_op(v, i),
        }
        true
    }

    /// The sum of all lanes, in lane 0.
    fn sum(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let d = self.dst_x(v, NONE);
        if i.w == 8 {
            // psadbw against zero, the two sums added, and the low byte of that.
            self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
            self.vex3((Map::M0f, 0xf6), d, a, Rm::R(0));
            self.byte_shift(3, 0, d, 8);
            self.vex3((Map::M0f, 0xd4), d, d, Rm::R(0));
            self.byte_shift(7, d, d, 15);
            self.byte_shift(3, d, d, 15);
        } else {
            let mut a = a;
            if i.w == 16 {
                // Neighbours first: the low halves of sums of 32 bits are right.
                self.small_ones(16, 0);
                self.vex3((Map::M0f, 0xf5), d, a, Rm::R(0));
                a = d;
            }
            self.asm
                .vexi(Pp::P66, Map::M0f, false, 0x70, 0, 0, Rm::R(a), 0x4e);
            self.vex3((Map::M0f, 0xfe), d, a, Rm::R(0));
            self.asm
                .vexi(Pp::P66, Map::M0f, false, 0x70, 0, 0, Rm::R(d), 0xb1);
            self.vex3((Map::M0f, 0xfe), d, d, Rm::R(0));
            if i.w == 16 {
                self.byte_shift(7, d, d, 14);
                self.byte_shift(3, d, d, 14);
            } else {
                self.load_x(32, d, Rm::R(d));
            }
        }
        self.define_x(v, d, i.w);
    }

    /// 1 in each lane of 8 or 16 bits.
    fn small_ones(&mut self, w: u8, d: Reg) {
        self.ones(d);
        let abs = if w == 8 { 0x1c } else { 0x1d };
        self.asm
            .vex(Pp::P66, Map::M0f38, false, abs, d, 0, Rm::R(d));
    }

    /// Sums of neighbouring lanes; uses xmm0 and `t`.
    fn pairs(&mut self, signed: bool, w: u8, d: Reg, a: Reg, t: Reg) {
        match (w, signed) {
            (8, _) => {
                // pmaddubsw: its first operand is unsigned, its second signed.
                self.small_ones(8, 0);
                let (x, y) = if signed { (0, a) } else { (a, 0) };
                self.vex3((Map::M0f38, 0x04), d, x, Rm::R(y));
            }
            (16, true) => {
                self.small_ones(16, 0);
                self.vex3((Map::M0f, 0xf5), d, a, Rm::R(0));
            }
            (16 | 32, false) => {
                self.lane_shift(w * 2, 2, t, a, w);
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
                let odd = if w == 16 { 0xaa } else { 0xcc };
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, false, 0x0e, 0, a, Rm::R(0), odd);
                let add = if w == 16 { 0xfe } else { 0xd4 };
                self.vex3((Map::M0f, add), d, t, Rm::R(0));
            }
            _ => {
                for (r, sel) in [(0, 0x08), (t, 0x0d)] {
                    self.asm
                        .vexi(Pp::P66, Map::M0f, false, 0x70, r, 0, Rm::R(a), sel);
                    self.asm
                        .vex(Pp::P66, Map::M0f38, false, 0x25, r, 0, Rm::R(r));
                }
                self.vex3((Map::M0f, 0xd4), d, t, Rm::R(0));
            }
        }
    }

    /// Products of half of the lanes; uses xmm0 and `t`.
    fn mul_long(&mut self, signed: bool, w: u8, high: bool, d: Reg, [a, b]: [Reg; 2], t: Reg) {
        match w {
            8 => {
                let widen = if signed { 0x20 } else { 0x30 };
                for (r, s) in [(0, a), (t, b)] {
                    let mut s = s;
                    if high {
                        self.byte_shift(3, r, s, 8);
                        s = r;
                    }
                    self.asm
                        .vex(Pp::P66, Map::M0f38, false, widen, r, 0, Rm::R(s));
                }
                self.vex3((Map::M0f, 0xd5), d, t, Rm::R(0));
            }
            16 => {
                self.vex3((Map::M0f, 0xd5), 0, a, Rm::R(b));
                self.vex3((Map::M0f, if signed { 0xe5 } else { 0xe4 }), t, a, Rm::R(b));
                self.vex3((Map::M0f, if high { 0x69 } else { 0x61 }), d, 0, Rm::R(t));
            }
            _ => {
                let sel = if high { 0x32 } else { 0x10 };
                for (r, s) in [(0, a), (t, b)] {
                    self.asm
                        .vexi(Pp::P66, Map::M0f, false, 0x70, r, 0, Rm::R(s), sel);
                }
                let mul = if signed {
                    (Map::M0f38, 0x28)
                } else {
                    (Map::M0f, 0xf4)
                };
                self.vex3(mul, d, t, Rm::R(0));
            }
        }
    }

    /// Sets bits of the guest-defined status word unless the value is zero.
    pub(super) fn sticky(&mut self, i: &Inst) {
        let a = self.reg_x(i.a);
        self.asm
            .vex(Pp::P66, Map::M0f38, false, 0x17, a, 0, Rm::R(a));
        let f = self.asm.jcc(cc::NE);
        let from = self.fixup_at(f);
        let back = self.here();
        let bits = i.imm as i32;
        let mut to = None;
        self.cold(|g| {
            to = Some(g.here());
            g.asm
                .alu_i(super::asm::Alu::Or, 64, layout::fpstatus(), bits);
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        if let Some(to) = to {
            self.bind(from, to);
        }
    }
}
