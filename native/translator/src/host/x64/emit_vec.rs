//! Code for wide operations: logic and arithmetic on lanes. What is neither here nor in `emit_move` and `emit_float`
//! goes through a helper.

use super::asm::{Map, Pp, Reg, Rm};
use super::codegen::{Gen, Loc};
use crate::ir::{Inst, NONE, Op, Val};

/// The lane's number: 8, 16, 32, 64 bits.
pub(super) fn ix(w: u8) -> usize {
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
        Op::VMulHiS => [None, m1(0xe5), None, None],
        Op::VMulRoundS => [None, m2(0x0b), None, None],
        Op::VAvgU => [m1(0xe0), m1(0xe3), None, None],
        Op::VAddSatU => [m1(0xdc), m1(0xdd), None, None],
        Op::VAddSatS => [m1(0xec), m1(0xed), None, None],
        Op::VSubSatU => [m1(0xd8), m1(0xd9), None, None],
        Op::VSubSatS => [m1(0xe8), m1(0xe9), None, None],
        _ => return None,
    };
    table[ix(w)]
}

impl Gen<'_> {
    pub(super) fn vex3(&mut self, (map, op): (Map, u8), d: Reg, a: Reg, b: Rm) {
        self.asm.vex(Pp::P66, map, false, op, d, a, b);
    }

    pub(super) fn ones(&mut self, d: Reg) {
        self.vex3((Map::M0f, 0x76), d, d, Rm::R(d));
    }

    /// Emits a wide operation; false if there is no code for it.
    pub(super) fn wide_op(&mut self, v: Val, i: &Inst) -> bool {
        if (Op::FpAdd..Op::Get).contains(&i.op) {
            return self.float_op(v, i);
        }
        if (Op::AesSub..Op::FpAdd).contains(&i.op) {
            return self.crypto_op(v, i);
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
            Op::VAddP if i.w == 64 => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, i.a);
                self.vex3((Map::M0f, 0x6d), 0, a, Rm::R(b));
                self.vex3((Map::M0f, 0x6c), d, a, Rm::R(b));
                self.vex3((Map::M0f, 0xd4), d, d, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VMinPU if i.w == 8 => {
                // The minimum with the upper byte of each word leaves a zero there: ready to be packed.
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let t = self.temp_x();
                self.lane_shift(16, 2, t, a, 8);
                self.vex3((Map::M0f, 0xda), t, t, Rm::R(a));
                self.lane_shift(16, 2, 0, b, 8);
                self.vex3((Map::M0f, 0xda), 0, 0, Rm::R(b));
                let d = self.dst_x(v, NONE);
                self.vex3((Map::M0f, 0x67), d, t, Rm::R(0));
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
            Op::VCmpGtU | Op::VCmpGeU => {
                // 64 bits: signed comparison with the signs inverted.
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let (t, d) = (self.temp_x(), self.dst_x(v, NONE));
                self.load_const(0, u128::from(1u64 << 63) << 64 | 1 << 63);
                let (x, y) = if i.op == Op::VCmpGtU { (a, b) } else { (b, a) };
                self.vex3((Map::M0f, 0xef), t, 0, Rm::R(x));
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(y));
                self.vex3((Map::M0f38, 0x37), d, t, Rm::R(0));
                if i.op == Op::VCmpGeU {
                    self.ones(0);
                    self.vex3((Map::M0f, 0xef), d, d, Rm::R(0));
                }
                self.define_x(v, d, 128);
            }
            Op::VAbs => {
                // 64 bits: x ^ s - s for its sign s.
                let a = self.reg_x(i.a);
                let (t, d) = (self.temp_x(), self.dst_x(v, NONE));
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
                self.vex3((Map::M0f38, 0x37), 0, 0, Rm::R(a));
                self.vex3((Map::M0f, 0xef), t, a, Rm::R(0));
                self.vex3((Map::M0f, 0xfb), d, t, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VMinS | Op::VMaxS if i.w == 64 => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, NONE);
                self.vex3((Map::M0f38, 0x37), 0, a, Rm::R(b));
                // vblendvpd: the second source where the mask (a > b) is set
                let (x, y) = if i.op == Op::VMinS { (a, b) } else { (b, a) };
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, false, 0x4b, d, x, Rm::R(y), 0);
                self.define_x(v, d, 128);
            }
            Op::VAddSatS | Op::VSubSatS if i.w == 32 => self.saturate_signed(v, i),
            Op::VAddSatU if i.w == 32 => {
                // a + min(b, !a)
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, NONE);
                self.ones(0);
                self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(a));
                self.vex3((Map::M0f38, 0x3b), 0, 0, Rm::R(b));
                self.vex3((Map::M0f, 0xfe), d, a, Rm::R(0));
                self.define_x(v, d, 128);
            }
            Op::VSubSatU if i.w == 32 => {
                // max(a, b) - b
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let d = self.dst_x(v, NONE);
                self.vex3((Map::M0f38, 0x3f), 0, a, Rm::R(b));
                self.vex3((Map::M0f, 0xfa), d, 0, Rm::R(b));
                self.define_x(v, d, 128);
            }
            Op::VShlV | Op::VShrUV | Op::VShrSV if i.w >= 16 => self.shift_by_lanes(v, i),
            _ => return self.product_op(v, i),
        }
        true
    }

    /// Saturating addition and subtraction of 32-bit lanes: where the sign of the result is
    /// not possible, the largest number of the first operand's sign.
    fn saturate_signed(&mut self, v: Val, i: &Inst) {
        let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
        let (t, u) = (self.temp_x(), self.temp_x());
        let d = self.dst_x(v, NONE);
        let add = i.op == Op::VAddSatS;
        self.vex3((Map::M0f, if add { 0xfe } else { 0xfa }), t, a, Rm::R(b));
        // Overflow: (a ^ r) & (b ^ r) for sums, (a ^ r) & (a ^ b) for differences.
        self.vex3((Map::M0f, 0xef), 0, a, Rm::R(t));
        self.vex3((Map::M0f, 0xef), u, b, Rm::R(if add { t } else { a }));
        self.vex3((Map::M0f, 0xdb), u, u, Rm::R(0));
        // The other value: (a >> 31) ^ 0x7fffffff.
        self.lane_shift(32, 4, 0, a, 31);
        self.vex3((Map::M0f, 0x76), d, d, Rm::R(d));
        self.lane_shift(32, 2, d, d, 1);
        self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(d));
        // vblendvps looks at the sign of each lane.
        self.asm
            .vexi(Pp::P66, Map::M0f3a, false, 0x4a, d, t, Rm::R(0), u << 4);
        self.define_x(v, d, 128);
    }

    /// Shifts by the lanes of another register: AVX2 has those of 32 and 64 bits.
    fn shift_by_lanes(&mut self, v: Val, i: &Inst) {
        let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
        let code = match i.op {
            Op::VShlV => 0x47,
            Op::VShrUV => 0x45,
            _ => 0x46,
        };
        let shift = |g: &mut Self, w64: bool, code: u8, d: Reg, a: Reg, b: Reg| {
            g.asm.vex(Pp::P66, Map::M0f38, w64, code, d, a, Rm::R(b));
        };
        if i.w == 64 && i.op == Op::VShrSV {
            // Of negative numbers, the complement is shifted.
            let (t, d) = (self.temp_x(), self.dst_x(v, NONE));
            self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
            self.vex3((Map::M0f38, 0x37), 0, 0, Rm::R(a));
            self.vex3((Map::M0f, 0xef), t, a, Rm::R(0));
            shift(self, true, 0x45, t, t, b);
            self.vex3((Map::M0f, 0xef), d, t, Rm::R(0));
            self.define_x(v, d, 128);
        } else if i.w >= 32 {
            let d = self.dst_x(v, i.a);
            shift(self, i.w == 64, code, d, a, b);
            self.define_x(v, d, 128);
        } else {
            // 16 bits: both halves in lanes of 32.
            let (t, u) = (self.temp_x(), self.temp_x());
            let d = self.dst_x(v, NONE);
            let signed = i.op == Op::VShrSV;
            let widen = (Map::M0f38, if signed { 0x23 } else { 0x33 });
            self.byte_shift(3, 0, b, 8);
            self.asm
                .vex(Pp::P66, Map::M0f38, false, 0x33, 0, 0, Rm::R(0));
            self.byte_shift(3, t, a, 8);
            self.asm
                .vex(Pp::P66, widen.0, false, widen.1, t, 0, Rm::R(t));
            shift(self, false, code, t, t, 0);
            self.asm
                .vex(Pp::P66, Map::M0f38, false, 0x33, 0, 0, Rm::R(b));
            self.asm
                .vex(Pp::P66, widen.0, false, widen.1, u, 0, Rm::R(a));
            shift(self, false, code, u, u, 0);
            if signed {
                self.vex3((Map::M0f, 0x6b), d, u, Rm::R(t));
            } else {
                self.even_lanes(16, t, t);
                self.even_lanes(16, u, u);
                self.vex3((Map::M0f38, 0x2b), d, u, Rm::R(t));
            }
            self.define_x(v, d, 128);
        }
    }

    pub(super) fn source_x(&mut self, a: Val) -> Rm {
        if let Loc::X(r) = self.loc[a as usize] {
            self.lock_x(r);
        }
        self.opnd_x(a)
    }

    pub(super) fn broadcast(&mut self, w: u8, d: Reg, a: Reg) {
        let op = [0x78, 0x79, 0x58, 0x59][ix(w)];
        self.asm.vex(Pp::P66, Map::M0f38, false, op, d, 0, Rm::R(a));
    }

    /// vpsrldq (digit 3) or vpslldq (7).
    pub(super) fn byte_shift(&mut self, digit: u8, d: Reg, a: Reg, n: u8) {
        self.asm
            .vexi(Pp::P66, Map::M0f, false, 0x73, digit, d, Rm::R(a), n);
    }

    pub(super) fn lane_shift(&mut self, w: u8, digit: u8, d: Reg, a: Reg, n: u8) {
        let op = [0, 0x71, 0x72, 0x73][ix(w)];
        self.asm
            .vexi(Pp::P66, Map::M0f, false, op, digit, d, Rm::R(a), n);
    }

    /// Clears the odd lanes of `w` bits (8 or 16).
    pub(super) fn even_lanes(&mut self, w: u8, d: Reg, a: Reg) {
        if w < 32 {
            self.lane_shift(w * 2, 6, d, a, w);
            self.lane_shift(w * 2, 2, d, d, w);
        }
    }

    /// The even or odd lanes (8 or 16 bits) of a:b in `t`; uses xmm0.
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
}
