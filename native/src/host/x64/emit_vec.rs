//! Code for wide operations. What is not here goes through a helper.

use super::asm::{Map, Pp, RAX, Reg, Rm, cc};
use super::codegen::{Gen, Loc};
use super::layout;
use crate::ir::float::round;
use crate::ir::{Inst, NONE, Op, Val};

/// The lane's number: 8, 16, 32, 64 bits.
fn ix(w: u8) -> usize {
    w.trailing_zeros() as usize - 3
}

type Code = Option<(Map, u8)>;
const fn m1(op: u8) -> Code {
    Some((Map::M0f, op))
}
const fn m2(op: u8) -> Code {
    Some((Map::M0f38, op))
}

/// Operations that are one instruction with the 66 prefix: `dst = a op b`.
fn simple(op: Op, w: u8) -> Code {
    let table: [Code; 4] = match op {
        Op::VAnd => return m1(0xdb),
        Op::VOr => return m1(0xeb),
        Op::VXor => return m1(0xef),
        Op::VAdd => [m1(0xfc), m1(0xfd), m1(0xfe), m1(0xd4)],
        Op::VSub => [m1(0xf8), m1(0xf9), m1(0xfa), m1(0xfb)],
        Op::VMul => [None, m1(0xd5), m2(0x40), None],
        Op::VCmpEq => [m1(0x74), m1(0x75), m1(0x76), m2(0x29)],
        Op::VCmpGtS => [m1(0x64), m1(0x65), m1(0x66), m2(0x37)],
        Op::VMinS => [m2(0x38), m1(0xea), m2(0x39), None],
        Op::VMinU => [m1(0xda), m2(0x3a), m2(0x3b), None],
        Op::VMaxS => [m2(0x3c), m1(0xee), m2(0x3d), None],
        Op::VMaxU => [m1(0xde), m2(0x3e), m2(0x3f), None],
        Op::VZip1 => [m1(0x60), m1(0x61), m1(0x62), m1(0x6c)],
        Op::VZip2 => [m1(0x68), m1(0x69), m1(0x6a), m1(0x6d)],
        Op::VUzp1 | Op::VTrn1 => [None, None, None, m1(0x6c)],
        Op::VUzp2 | Op::VTrn2 => [None, None, None, m1(0x6d)],
        Op::VAddP => [None, m2(0x01), m2(0x02), None],
        _ => return None,
    };
    table[ix(w)]
}

impl Gen<'_> {
    fn vex3(&mut self, (map, op): (Map, u8), d: Reg, a: Reg, b: Rm) {
        self.asm.vex(Pp::P66, map, false, op, d, a, b);
    }

    fn ones(&mut self, d: Reg) {
        self.vex3((Map::M0f, 0x76), d, d, Rm::R(d));
    }

    /// Emits a wide operation; false if there is no code for it.
    pub(super) fn wide_op(&mut self, v: Val, i: &Inst) -> bool {
        if (Op::FpAdd..Op::Get).contains(&i.op) {
            return self.float_op(v, i);
        }
        if let Some(code) = simple(i.op, i.w) {
            let a = self.reg_x(i.a);
            let b = self.source_x(i.b);
            let d = self.dst_x(v, i.a);
            self.vex3(code, d, a, b);
            self.define_x(v, d, 128);
            return true;
        }
        match i.op {
            Op::ConstX => self.const_x(v, i),
            Op::VZext => self.vzext(v, i),
            Op::VFromG => {
                let r = self.reg(i.a);
                let d = self.dst_x(v, NONE);
                self.asm.vex(Pp::P66, Map::M0f, true, 0x6e, d, 0, Rm::R(r));
                self.define_x(v, d, 64);
            }
            Op::VGet => self.vget(v, i),
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
            Op::VAndn => {
                let b = self.reg_x(i.b);
                let a = self.source_x(i.a);
                let d = self.dst_x(v, i.b);
                self.vex3((Map::M0f, 0xdf), d, b, a);
                self.define_x(v, d, 128);
            }
            Op::VOrn => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, i.a);
                self.ones(0);
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(b));
                self.vex3((Map::M0f, 0xeb), d, a, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VNot => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                self.ones(0);
                self.vex3((Map::M0f, 0xef), d, a, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VBsl => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let c = self.source_x(i.c);
                let d = self.dst_x(v, i.a);
                self.vex3((Map::M0f, 0xef), 0, a, Rm::R(b));
                self.vex3((Map::M0f, 0xdb), 0, 0, c);
                self.vex3((Map::M0f, 0xef), d, 0, Rm::R(b));
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
            Op::VNeg => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
                let Some(code) = simple(Op::VSub, i.w) else {
                    return false;
                };
                self.vex3(code, d, 0, Rm::R(a));
                self.define_x(v, d, 128);
            }
            Op::VAbs if i.w < 64 => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                self.asm.vex(
                    Pp::P66,
                    Map::M0f38,
                    false,
                    0x1c + ix(i.w) as u8,
                    d,
                    0,
                    Rm::R(a),
                );
                self.define_x(v, d, 128);
            }
            Op::VCmpGeS => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, i.a);
                let Some(code) = simple(Op::VCmpGtS, i.w) else {
                    return false;
                };
                self.vex3(code, d, b, Rm::R(a));
                self.ones(0);
                self.vex3((Map::M0f, 0xef), d, d, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VCmpGeU | Op::VCmpGtU if i.w < 64 => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, i.a);
                let (Some(max), Some(eq)) = (simple(Op::VMaxU, i.w), simple(Op::VCmpEq, i.w))
                else {
                    return false;
                };
                self.vex3(max, 0, a, Rm::R(b));
                self.vex3(eq, d, 0, Rm::R(if i.op == Op::VCmpGeU { a } else { b }));
                if i.op == Op::VCmpGtU {
                    self.ones(0);
                    self.vex3((Map::M0f, 0xef), d, d, Rm::R(0));
                }
                self.define_x(v, d, 128);
            }
            Op::VShl | Op::VShrU | Op::VShrS if i.w >= 16 && !(i.op == Op::VShrS && i.w == 64) => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                let digit = match i.op {
                    Op::VShl => 6,
                    Op::VShrU => 2,
                    _ => 4,
                };
                self.lane_shift(i.w, digit, d, a, i.imm.min(255) as u8);
                self.define_x(v, d, 128);
            }
            Op::VMul if i.w == 8 => self.mul_bytes(v, i),
            Op::VShl | Op::VShrU if i.w == 8 => self.shift_bytes(v, i),
            Op::VShrS if i.w == 8 => {
                // Bytes in the upper halves of words, shifted, and packed again.
                let a = self.reg_x(i.a);
                let (t, d) = (self.temp_x(), self.dst_x(v, NONE));
                let n = 8 + i.imm.min(7) as u8;
                self.vex3((Map::M0f, 0x68), 0, a, Rm::R(a));
                self.vex3((Map::M0f, 0x60), t, a, Rm::R(a));
                self.lane_shift(16, 4, 0, 0, n);
                self.lane_shift(16, 4, t, t, n);
                self.vex3((Map::M0f, 0x63), d, t, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VShrS => {
                // 64 bits: the sign by comparison, shifted into place.
                let a = self.reg_x(i.a);
                let (t, d) = (self.temp_x(), self.dst_x(v, NONE));
                let n = i.imm.min(63) as u8;
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
                self.vex3((Map::M0f38, 0x37), 0, 0, Rm::R(a));
                self.lane_shift(64, 6, 0, 0, 64 - n);
                self.lane_shift(64, 2, t, a, n);
                self.vex3((Map::M0f, 0xeb), d, t, Rm::R(0));
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
            Op::VPopcnt => {
                let a = self.reg_x(i.a);
                let (t, u) = (self.temp_x(), self.temp_x());
                let d = self.dst_x(v, NONE);
                // Each nibble through a table of sixteen counts.
                self.load_const(0, 0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f);
                self.vex3((Map::M0f, 0xdb), t, a, Rm::R(0));
                self.lane_shift(16, 2, u, a, 4);
                self.vex3((Map::M0f, 0xdb), u, u, Rm::R(0));
                self.load_const(0, 0x0403_0302_0302_0201_0302_0201_0201_0100);
                self.vex3((Map::M0f38, 0x00), t, 0, Rm::R(t));
                self.vex3((Map::M0f38, 0x00), u, 0, Rm::R(u));
                self.vex3((Map::M0f, 0xfc), d, t, Rm::R(u));
                self.define_x(v, d, 128);
            }
            Op::VSumU if i.w == 8 || i.w == 32 => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                if i.w == 8 {
                    // psadbw against zero, the two sums added, and the low byte of that.
                    self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
                    self.vex3((Map::M0f, 0xf6), d, a, Rm::R(0));
                    self.byte_shift(3, 0, d, 8);
                    self.vex3((Map::M0f, 0xd4), d, d, Rm::R(0));
                    self.byte_shift(7, d, d, 15);
                    self.byte_shift(3, d, d, 15);
                } else {
                    self.asm
                        .vexi(Pp::P66, Map::M0f, false, 0x70, 0, 0, Rm::R(a), 0x4e);
                    self.vex3((Map::M0f, 0xfe), d, a, Rm::R(0));
                    self.asm
                        .vexi(Pp::P66, Map::M0f, false, 0x70, 0, 0, Rm::R(d), 0xb1);
                    self.vex3((Map::M0f, 0xfe), d, d, Rm::R(0));
                    self.load_x(32, d, Rm::R(d));
                }
                self.define_x(v, d, i.w);
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
            Op::VAddP if i.w == 64 => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, i.a);
                self.vex3((Map::M0f, 0x6d), 0, a, Rm::R(b));
                self.vex3((Map::M0f, 0x6c), d, a, Rm::R(b));
                self.vex3((Map::M0f, 0xd4), d, d, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VAddP | Op::VMaxPU | Op::VMinPU if i.w <= 16 => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let (t, u) = (self.temp_x(), self.temp_x());
                self.unzip(false, i.w, t, a, b);
                self.unzip(true, i.w, u, a, b);
                let op = match i.op {
                    Op::VAddP => Op::VAdd,
                    Op::VMaxPU => Op::VMaxU,
                    _ => Op::VMinU,
                };
                let Some(code) = simple(op, i.w) else {
                    return false;
                };
                let d = self.dst_x(v, NONE);
                self.vex3(code, d, t, Rm::R(u));
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
            _ => return false,
        }
        true
    }

    pub(super) fn source_x(&mut self, a: Val) -> Rm {
        if let Loc::X(r) = self.loc[a as usize] {
            self.lock_x(r);
        }
        self.opnd_x(a)
    }

    fn broadcast(&mut self, w: u8, d: Reg, a: Reg) {
        let op = [0x78, 0x79, 0x58, 0x59][ix(w)];
        self.asm.vex(Pp::P66, Map::M0f38, false, op, d, 0, Rm::R(a));
    }

    /// vpsrldq (digit 3) or vpslldq (7).
    fn byte_shift(&mut self, digit: u8, d: Reg, a: Reg, n: u8) {
        self.asm
            .vexi(Pp::P66, Map::M0f, false, 0x73, digit, d, Rm::R(a), n);
    }

    fn lane_shift(&mut self, w: u8, digit: u8, d: Reg, a: Reg, n: u8) {
        let op = [0, 0x71, 0x72, 0x73][ix(w)];
        self.asm
            .vexi(Pp::P66, Map::M0f, false, op, digit, d, Rm::R(a), n);
    }

    /// Clears the odd lanes of `w` bits (8 or 16).
    fn even_lanes(&mut self, w: u8, d: Reg, a: Reg) {
        if w < 32 {
            self.lane_shift(w * 2, 6, d, a, w);
            self.lane_shift(w * 2, 2, d, d, w);
        }
    }

    /// The even or odd lanes (8 or 16 bits) of a:b in `t`; uses xmm0.
    fn unzip(&mut self, odd: bool, w: u8, t: Reg, a: Reg, b: Reg) {
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
    fn mul_bytes(&mut self, v: Val, i: &Inst) {
        let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
        let t = self.temp_x();
        self.lane_shift(16, 2, 0, a, 8);
        self.lane_shift(16, 2, t, b, 8);
        self.vex3((Map::M0f, 0xd5), t, t, Rm::R(0));
        self.lane_shift(16, 6, t, t, 8);
        self.vex3((Map::M0f, 0xd5), 0, a, Rm::R(b));
        self.even_lanes(8, 0, 0);
        let d = self.dst_x(v, NONE);
        self.vex3((Map::M0f, 0xeb), d, t, Rm::R(0));
        self.define_x(v, d, 128);
    }

    /// Shifts of bytes: of words, and the bits that came from the neighbour masked away.
    fn shift_bytes(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let d = self.dst_x(v, i.a);
        let n = i.imm.min(8) as u8;
        let (digit, mask) = if i.op == Op::VShl {
            (6, (0xffu64 << n) & 0xff)
        } else {
            (2, 0xff >> n)
        };
        self.lane_shift(16, digit, d, a, n);
        self.load_const(
            0,
            u128::from(mask) * 0x0101_0101_0101_0101_0101_0101_0101_0101,
        );
        self.vex3((Map::M0f, 0xdb), d, d, Rm::R(0));
        self.define_x(v, d, 128);
    }

    fn const_x(&mut self, v: Val, i: &Inst) {
        let k = self.blk.wide[i.imm as usize];
        let d = self.dst_x(v, NONE);
        self.load_const(d, k);
        self.define_x(v, d, if k >> 64 == 0 { 64 } else { 128 });
    }

    /// A constant into a wide register; uses rax.
    fn load_const(&mut self, d: Reg, k: u128) {
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

    fn float_op(&mut self, v: Val, i: &Inst) -> bool {
        let arith = |op: Op| match op {
            Op::FpAdd | Op::VFpAdd => Some(0x58),
            Op::FpSub | Op::VFpSub => Some(0x5c),
            Op::FpMul | Op::VFpMul => Some(0x59),
            Op::FpDiv | Op::VFpDiv => Some(0x5e),
            Op::FpSqrt | Op::VFpSqrt => Some(0x51),
            _ => None,
        };
        if i.w != 32 && i.w != 64 {
            return false;
        }
        let double = i.w == 64;
        let packed = i.op >= Op::VFpAdd;
        match i.op {
            Op::FpFma | Op::VFpFma => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let c = self.reg_x(i.c);
                let r = if packed { self.temp_x() } else { 0 };
                self.mov_x(r, a);
                // vfmadd213: r = b * r + c
                self.asm.vex(
                    Pp::P66,
                    Map::M0f38,
                    double,
                    if packed { 0xa8 } else { 0xa9 },
                    r,
                    b,
                    Rm::R(c),
                );
                let d = self.dst_x(v, NONE);
                self.float_result(v, i, r, d, packed);
                true
            }
            _ if arith(i.op).is_some() => {
                let code = arith(i.op).unwrap_or(0);
                let pp = match (packed, double) {
                    (false, true) => Pp::F2,
                    (false, false) => Pp::F3,
                    (true, true) => Pp::P66,
                    (true, false) => Pp::None,
                };
                let unary = i.b == NONE;
                let a = self.reg_x(i.a);
                let b = if unary {
                    Rm::R(a)
                } else {
                    Rm::R(self.reg_x(i.b))
                };
                let d = self.dst_x(v, NONE);
                // The operands must survive for the cold path.
                let r = match d == a || b == Rm::R(d) {
                    true if packed => self.temp_x(),
                    true => 0,
                    false => d,
                };
                let vvvv = if unary && packed { 0 } else { a };
                self.asm.vex(pp, Map::M0f, false, code, r, vvvv, b);
                self.float_result(v, i, r, d, packed);
                true
            }
            Op::FpMin | Op::FpMax => {
                self.float_min_max(v, i);
                true
            }
            Op::FpRound if i.imm & 7 != round::AWAY => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                let mode = match i.imm & 7 {
                    round::NEAREST => 0,
                    round::DOWN => 1,
                    round::UP => 2,
                    round::ZERO => 3,
                    _ => 4,
                };
                let quiet = if i.imm & 8 != 0 { 0 } else { 8 };
                self.asm.vexi(
                    Pp::P66,
                    Map::M0f3a,
                    false,
                    if double { 0x0b } else { 0x0a },
                    d,
                    a,
                    Rm::R(a),
                    mode | quiet,
                );
                let z = self.zero_above[i.a as usize].max(i.w);
                self.define_x(v, d, z);
                true
            }
            Op::FpCvt if matches!((i.w, i.imm), (64, 32) | (32, 64)) => {
                let a = self.reg_x(i.a);
                let d = self.dst_x(v, i.a);
                self.asm.vex(
                    if double { Pp::F2 } else { Pp::F3 },
                    Map::M0f,
                    false,
                    0x5a,
                    d,
                    a,
                    Rm::R(a),
                );
                let z = self.zero_above[i.a as usize].max(i.imm as u8).max(i.w);
                self.define_x(v, d, z);
                true
            }
            Op::FpFromInt if i.imm >> 16 == 0 && i.imm & 0xff != 64 => {
                let r = self.reg(i.a);
                let mut src = r;
                let signed = i.imm & 0x80 != 0;
                let bits = (i.imm & 0x7f) as u8;
                if !signed {
                    // 32 bits unsigned are 64 bits signed.
                    self.asm.mov(32, RAX, Rm::R(r));
                    src = RAX;
                }
                let d = self.dst_x(v, NONE);
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
                let w = !signed || bits == 64;
                self.asm.vex(
                    if double { Pp::F2 } else { Pp::F3 },
                    Map::M0f,
                    w,
                    0x2a,
                    d,
                    0,
                    Rm::R(src),
                );
                self.define_x(v, d, i.w);
                true
            }
            Op::FpToInt
                if i.imm >> 16 == 0
                    && i.imm & 0x80 != 0
                    && matches!(i.imm >> 8 & 7, round::ZERO | round::CURRENT) =>
            {
                self.float_to_signed(v, i);
                true
            }
            _ => false,
        }
    }

    /// Operands that compare equal (zeros of either sign) or unordered take the cold path.
    fn float_min_max(&mut self, v: Val, i: &Inst) {
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

    fn float_to_signed(&mut self, v: Val, i: &Inst) {
        let a = self.reg_x(i.a);
        let bits = (i.imm & 0x7f) as u8;
        let op = if i.imm >> 8 & 7 == round::ZERO {
            0x2c
        } else {
            0x2d
        };
        let d = self.dst(v, NONE);
        self.asm.vex(
            if i.w == 64 { Pp::F2 } else { Pp::F3 },
            Map::M0f,
            bits == 64,
            op,
            d,
            0,
            Rm::R(a),
        );
        // The most negative number is also the host's answer to what does not fit.
        self.asm.alu_i(super::asm::Alu::Cmp, bits, Rm::R(d), 1);
        let f = self.asm.jcc(cc::O);
        let from = self.fixup_at(f);
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
        if let Some(to) = to {
            self.bind(from, to);
        }
        self.define(v, d);
    }

    /// Checks the result in `r` for NaNs, which differ between processors, and moves it to `d`.
    fn float_result(&mut self, v: Val, i: &Inst, r: Reg, d: Reg, packed: bool) {
        let double = i.w == 64;
        let pp = if double { Pp::P66 } else { Pp::None };
        let f = if packed {
            // cmpunord, then ptest
            self.asm.vexi(pp, Map::M0f, false, 0xc2, 0, r, Rm::R(r), 3);
            self.asm
                .vex(Pp::P66, Map::M0f38, false, 0x17, 0, 0, Rm::R(0));
            self.asm.jcc(cc::NE)
        } else {
            self.asm.vex(pp, Map::M0f, false, 0x2e, r, 0, Rm::R(r));
            self.asm.jcc(cc::P)
        };
        let from = self.fixup_at(f);
        let back = self.here();
        let args: Vec<Reg> = [i.a, i.b, i.c]
            .into_iter()
            .filter(|&x| x != NONE)
            .map(|x| {
                if let Loc::X(r) = self.loc[x as usize] {
                    r
                } else {
                    0
                }
            })
            .collect();
        let mut to = None;
        self.cold(|g| {
            to = Some(g.here());
            for (n, &a) in args.iter().enumerate() {
                g.store_x(128, layout::arg(n), a);
            }
            g.helper_call(i);
            g.load_x(128, r, Rm::M(layout::arg(0)));
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        if let Some(to) = to {
            self.bind(from, to);
        }
        self.mov_x(d, r);
        let z = if packed {
            128
        } else {
            self.zero_above[i.a as usize].max(i.w)
        };
        self.define_x(v, d, z);
    }
}
