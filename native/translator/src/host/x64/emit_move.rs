//! Code for wide operations that move lanes: copies, permutations, widening and narrowing, constants.

use super::asm::{Map, Pp, RAX, Reg, Rm, cc};
use super::codegen::{Gen, Loc};
use super::layout;
use crate::ir::{Inst, NONE, Op, Val};

use super::emit_vec::ix;

impl Gen<'_> {
    /// Emits a wide operation that moves lanes; false if there is no code for it.
    pub(super) fn move_op(&mut self, v: Val, i: &Inst) -> bool {
        match i.op {
            Op::ConstX => self.const_x(v, i),
            Op::VZext => self.vzext(v, i),
            Op::VBox => {
                let a = self.reg_x(i.a);
                let (mut src, d) = (a, self.dst_x(v, i.a));
                if i.w < 32 {
                    // vpblendw: the low 16 bits alone.
                    self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
                    self.asm
                        .vexi(Pp::P66, Map::M0f3a, false, 0x0e, 0, 0, Rm::R(a), 1);
                    src = 0;
                }
                self.vex3((Map::M0f, 0xeb), d, src, Rm::M(layout::box_of(i.w)));
                self.define_x(v, d, 128);
            }
            Op::VUnbox => self.unbox(v, i),
            Op::VFromG => {
                let r = self.reg(i.a);
                let d = self.dst_x(v, NONE);
                self.asm.vex(Pp::P66, Map::M0f, true, 0x6e, d, 0, Rm::R(r));
                self.define_x(v, d, 64);
            }
            Op::VGet => self.vget(v, i),
            Op::VMask => {
                let a = self.reg_x(i.a);
                let d = self.dst(v, NONE);
                // vpmovmskb
                self.asm.vex(Pp::P66, Map::M0f, false, 0xd7, d, 0, Rm::R(a));
                self.define(v, d);
            }
            Op::VLanes => self.lanes(v, i),
            Op::VIns => {
                let a = self.reg_x(i.a);
                let r = self.reg(i.b);
                let d = self.dst_x(v, i.a);
                let (map, op) = match i.w {
                    8 => (Map::M0f3a, 0x20),
                    16 => (Map::M0f, 0xc4),
                    _ => (Map::M0f3a, 0x22),
                };
                self.asm
                    .vexi(Pp::P66, map, i.w == 64, op, d, a, Rm::R(r), i.imm as u8);
                self.define_x(v, d, 128);
            }
            Op::VDupG => {
                let r = self.reg(i.a);
                let d = self.dst_x(v, NONE);
                self.asm.vex(Pp::P66, Map::M0f, true, 0x6e, d, 0, Rm::R(r));
                self.broadcast(i.w, d, d);
                self.define_x(v, d, 128);
            }
            Op::VDupLane => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                let n = i.imm as u8;
                match (i.w, n) {
                    (_, 0) => self.broadcast(i.w, d, a),
                    (64, _) => self
                        .asm
                        .vexi(Pp::P66, Map::M0f, false, 0x70, d, 0, Rm::R(a), 0xee),
                    (32, _) => {
                        self.asm
                            .vexi(Pp::P66, Map::M0f, false, 0x70, d, 0, Rm::R(a), n * 0x55)
                    }
                    _ => {
                        self.byte_shift(3, 0, a, n * (i.w / 8));
                        self.broadcast(i.w, d, 0);
                    }
                }
                self.define_x(v, d, 128);
            }
            Op::VExt => {
                let b = self.reg_x(i.b);
                let a = self.source_x(i.a);
                let d = self.dst_x(v, i.b);
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, false, 0x0f, d, b, a, i.imm as u8);
                self.define_x(v, d, 128);
            }
            Op::VRev => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                let identity = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
                self.load_const(
                    0,
                    crate::ir::vector::eval(Op::VRev, i.w, identity, 0, 0, i.imm),
                );
                self.vex3((Map::M0f38, 0x00), d, a, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VWidenU | Op::VWidenS => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                let code = if i.op == Op::VWidenU {
                    [0x30, 0x33, 0x35]
                } else {
                    [0x20, 0x23, 0x25]
                }[ix(i.w)];
                let mut src = a;
                if i.imm == 1 {
                    self.byte_shift(3, 0, a, 8);
                    src = 0;
                }
                self.asm
                    .vex(Pp::P66, Map::M0f38, false, code, d, 0, Rm::R(src));
                self.define_x(v, d, 128);
            }
            Op::VNarrow => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                self.even_lanes(i.w / 2, 0, a);
                match i.w {
                    16 => self.vex3((Map::M0f, 0x67), d, 0, Rm::R(0)),
                    32 => self.vex3((Map::M0f38, 0x2b), d, 0, Rm::R(0)),
                    _ => self
                        .asm
                        .vexi(Pp::P66, Map::M0f, false, 0x70, d, 0, Rm::R(a), 0x08),
                }
                self.load_x(64, d, Rm::R(d));
                self.define_x(v, d, 64);
            }
            Op::VUzp1 | Op::VUzp2 | Op::VTrn1 | Op::VTrn2 if i.w == 32 => {
                let a = self.reg_x(i.a);
                let b = self.source_x(i.b);
                let d = self.dst_x(v, i.a);
                let sel = if matches!(i.op, Op::VUzp1 | Op::VTrn1) {
                    0x88
                } else {
                    0xdd
                };
                self.asm.vexi(Pp::None, Map::M0f, false, 0xc6, d, a, b, sel);
                if matches!(i.op, Op::VTrn1 | Op::VTrn2) {
                    self.asm
                        .vexi(Pp::P66, Map::M0f, false, 0x70, d, 0, Rm::R(d), 0xd8);
                }
                self.define_x(v, d, 128);
            }
            Op::VUzp1 | Op::VUzp2 => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let t = self.temp_x();
                self.unzip(i.op == Op::VUzp2, i.w, t, a, b);
                let d = self.dst_x(v, NONE);
                self.mov_x(d, t);
                self.define_x(v, d, 128);
            }
            Op::VTbl1 => {
                let a = self.reg_x(i.a);
                let b = self.reg_x(i.b);
                let d = self.dst_x(v, i.a);
                // Saturating + 0x70 sets bit 7 of indices beyond 15.
                self.asm.mov_ri(RAX, 0x7070_7070);
                self.asm
                    .vex(Pp::P66, Map::M0f, false, 0x6e, 0, 0, Rm::R(RAX));
                self.broadcast(32, 0, 0);
                self.vex3((Map::M0f, 0xdc), 0, 0, Rm::R(b));
                self.vex3((Map::M0f38, 0x00), d, a, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VTrn1 | Op::VTrn2 => {
                // 8 or 16 bits: one operand's lanes moved to where the other one's are cleared.
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let t = self.temp_x();
                let w = i.w;
                if i.op == Op::VTrn1 {
                    self.even_lanes(w, 0, a);
                    self.lane_shift(w * 2, 6, t, b, w);
                } else {
                    self.lane_shift(w * 2, 2, 0, a, w);
                    self.lane_shift(w * 2, 2, t, b, w);
                    self.lane_shift(w * 2, 6, t, t, w);
                }
                let d = self.dst_x(v, NONE);
                self.vex3((Map::M0f, 0xeb), d, t, Rm::R(0));
                self.define_x(v, d, 128);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn unzip(&mut self, odd: bool, w: u8, t: Reg, a: Reg, b: Reg) {
        for (d, s) in [(0, b), (t, a)] {
            if odd {
                self.lane_shift(w * 2, 2, d, s, w);
            } else {
                self.even_lanes(w, d, s);
            }
        }
        let pack = if w == 8 {
            (Map::M0f, 0x67)
        } else {
            (Map::M0f38, 0x2b)
        };
        self.vex3(pack, t, t, Rm::R(0));
    }

    /// The low bytes of products of bytes: even and odd ones apart.
    fn const_x(&mut self, v: Val, i: &Inst) {
        let k = self.blk.wide[i.imm as usize];
        let d = self.dst_x(v, NONE);
        self.load_const(d, k);
        self.define_x(v, d, if k >> 64 == 0 { 64 } else { 128 });
    }

    /// A constant into a wide register; uses rax.
    pub(super) fn load_const(&mut self, d: Reg, k: u128) {
        let (lo, hi) = (k as u64, (k >> 64) as u64);
        if k == 0 {
            self.vex3((Map::M0f, 0xef), d, d, Rm::R(d));
        } else if k == u128::MAX {
            self.ones(d);
        } else {
            self.asm.mov_ri(RAX, lo);
            self.asm
                .vex(Pp::P66, Map::M0f, true, 0x6e, d, 0, Rm::R(RAX));
            if hi == lo {
                self.broadcast(64, d, d);
            } else if hi != 0 {
                self.asm.mov_ri(RAX, hi);
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, true, 0x22, d, d, Rm::R(RAX), 1);
            }
        }
    }

    fn unbox(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let d = self.dst_x(v, i.a);
        // vptest: the carry says that all bits of the constant are set.
        let mask = Rm::M(layout::box_of(i.w));
        self.asm.vex(Pp::P66, Map::M0f38, false, 0x17, a, 0, mask);
        self.mov_x(d, a);
        let f = self.asm.jcc(cc::AE);
        let (from, back) = (self.fixup_at(f), self.here());
        let mut to = back;
        let nan = crate::ir::vector::eval(Op::VUnbox, i.w, 0, 0, 0, 0);
        self.cold(|g| {
            to = g.here();
            g.load_const(d, nan);
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        self.bind(from, to);
        self.define_x(v, d, 128);
    }

    fn vzext(&mut self, v: Val, i: &Inst) {
        let known = self.zero_above[i.a as usize] <= i.w;
        if known
            && !self.lives_on(i.a)
            && let Loc::X(r) = self.loc[i.a as usize]
        {
            // The same register, renamed.
            self.define_x(v, r, i.w);
            return;
        }
        let m = self.source_x(i.a);
        let d = self.dst_x(v, i.a);
        self.load_x(if known { 128 } else { i.w }, d, m);
        self.define_x(v, d, i.w);
    }

    fn vget(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let d = self.dst(v, NONE);
        match (i.w, i.imm) {
            (32 | 64, 0) => self
                .asm
                .vex(Pp::P66, Map::M0f, i.w == 64, 0x7e, a, 0, Rm::R(d)),
            (8, n) => self
                .asm
                .vexi(Pp::P66, Map::M0f3a, false, 0x14, a, 0, Rm::R(d), n as u8),
            (16, n) => self
                .asm
                .vexi(Pp::P66, Map::M0f3a, false, 0x15, a, 0, Rm::R(d), n as u8),
            (w, n) => self
                .asm
                .vexi(Pp::P66, Map::M0f3a, w == 64, 0x16, a, 0, Rm::R(d), n as u8),
        }
        self.define(v, d);
    }
}
