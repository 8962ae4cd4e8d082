//! Code for floating-point operations, scalar and packed. Cold paths take what processors differ in.

use super::asm::{Map, Pp, RAX, Reg, Rm, cc};
use super::codegen::{At, Gen, Loc};
use super::layout;
use crate::ir::float::{self, round};
use crate::ir::{Inst, NONE, Op, Val};

/// The opcode of a fused operation of `form` (0xa0: 213, 0xb0: 231), with the negations of `i`.
pub(super) fn fma_opcode(i: &Inst, form: u8, packed: bool) -> u8 {
    form | [0x8, 0xc, 0xa, 0xe][i.imm as usize & 3] | u8::from(!packed)
}

/// May be less than the smallest normal number before rounding, and equal to it after. A quotient may not: that of
/// two numbers of p bits differs from a power of 2 by more than one in 2^p if it is less at all; so does a
/// square from an even power, as these are. A sum that small is exact.
pub(super) fn can_reach_normal(i: &Inst) -> bool {
    match i.op {
        Op::FpMul | Op::VFpMul => i.a != i.b,
        Op::FpFma | Op::VFpFma | Op::VFpNarrow => true,
        Op::FpCvt => i.w > i.imm as u8,
        _ => false,
    }
}

/// The width of what an operation results in.
pub(super) fn result_width(i: &Inst) -> u8 {
    match i.op {
        Op::FpCvt => i.imm as u8,
        Op::VFpNarrow => i.w / 2,
        _ => i.w,
    }
}

impl Gen<'_> {
    pub(super) fn float_op(&mut self, v: Val, i: &Inst) -> bool {
        if i.imm & float::STANDARD == 0 {
            return self.plain_float_op(v, i);
        }
        // By the code for other modes, if that can tell what standard modes make different: NaNs and denormal
        // numbers.
        if self.tune.float_modes & float::DIRECTED != 0 {
            return false;
        }
        let plain = Inst {
            imm: i.imm & !float::STANDARD,
            ..*i
        };
        let integers = matches!(i.op, Op::FpFromInt | Op::VFpFromInt);
        let known = matches!(
            i.op,
            Op::VFpAdd
                | Op::VFpSub
                | Op::VFpMul
                | Op::VFpFma
                | Op::VFpMulAdd
                | Op::VFpMin
                | Op::VFpMax
                | Op::VFpCmp
                | Op::VFpToInt
        );
        let trapping = self.tune.traps && self.tune.float_modes & float::STANDARD_USED != 0;
        let flushes = trapping || self.tune.host_flush;
        if !(integers || known && i.w == 32) {
            return false;
        }
        self.standard = float::STANDARD;
        let done = if integers || flushes {
            self.plain_float_op(v, &plain)
        } else {
            self.standard_checked(v, &plain)
        };
        self.standard = 0;
        done
    }

    /// Denormal operands and results of the operation trap, and then it is done by its meaning.
    pub(super) fn is_standard_trapping(&self) -> bool {
        self.standard != 0 && self.tune.traps
    }

    fn plain_float_op(&mut self, v: Val, i: &Inst) -> bool {
        let arith = |op: Op| match op {
            Op::FpAdd | Op::VFpAdd => Some(0x58),
            Op::FpSub | Op::VFpSub => Some(0x5c),
            Op::FpMul | Op::VFpMul => Some(0x59),
            Op::FpDiv | Op::VFpDiv => Some(0x5e),
            Op::FpSqrt | Op::VFpSqrt => Some(0x51),
            _ => None,
        };
        // Under modes that the host has not, by the operation's meaning; cold paths know of default NaNs.
        let modes = self.tune.float_modes;
        let flushed = modes & float::FLUSH != 0
            && !self.tune.host_flush
            && !matches!(i.op, Op::FpFromInt | Op::VFpFromInt);
        let nan_moves = matches!(i.op, Op::VFpRound | Op::VFpWiden | Op::VFpNarrow);
        let default_nans = modes & float::DEFAULT_NAN != 0;
        // The host has no such mode.
        let away = modes & float::AWAY != 0
            && !matches!(i.op, Op::FpMin | Op::FpMax)
            && !(i.op == Op::FpToInt && i.imm >> 8 & 7 != round::CURRENT);
        // What traps goes on in a cold path, and so do NaNs; without traps the host would raise what the guest does not.
        let legacy = modes & float::LEGACY_NAN != 0;
        let scalar = matches!(
            i.op,
            Op::FpAdd | Op::FpSub | Op::FpMul | Op::FpDiv | Op::FpSqrt | Op::FpCvt
        );
        if legacy && !(scalar && self.tune.traps || matches!(i.op, Op::FpFromInt | Op::FpToInt)) {
            return false;
        }
        let halves = i.op == Op::VFpWiden && i.w == 16 && modes & float::ALT_HALF == 0;
        if (i.w != 32 && i.w != 64 && !halves) || flushed || away || (default_nans && nan_moves) {
            return false;
        }
        let double = i.w == 64;
        let packed = i.op >= Op::VFpAdd;
        match i.op {
            Op::FpFma | Op::VFpFma => {
                if self.tune.traps && self.standard == 0 {
                    self.fused(v, i, packed);
                    return true;
                }
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let c = self.reg_x(i.c);
                let r = self.temp_x();
                // What is moved out of the way for the result has to be so before anything traps.
                let d = self.dst_x(v, NONE);
                self.mov_x(r, a);
                // r = b * r + c
                let site = self.here();
                self.asm.vex(
                    Pp::P66,
                    Map::M0f38,
                    double,
                    fma_opcode(i, 0xa0, packed),
                    r,
                    b,
                    Rm::R(c),
                );
                self.float_result(v, i, r, d, packed, site);
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
                let vvvv = if unary && packed { 0 } else { a };
                if self.tune.traps && self.standard == 0 && !legacy {
                    let d = self.dst_x(v, i.a);
                    let b = if let Rm::R(b) = b { b } else { 0 };
                    let args = &[a, b][..2 - usize::from(unary)];
                    let kept = self.keep(i, d, args);
                    let site = self.here();
                    self.asm.vex(pp, Map::M0f, false, code, d, vvvv, Rm::R(b));
                    let cold = self.float_probed(i, args, d, kept);
                    self.float_point(site, cold);
                    let z = self.zero_above[i.a as usize].max(i.w);
                    self.define_x(v, d, if packed { 128 } else { z });
                    return true;
                }
                if default_nans && modes & float::TINY_AFTER != 0 && !packed && self.standard == 0 {
                    let d = self.dst_x(v, i.a);
                    self.asm.vex(pp, Map::M0f, false, code, d, vvvv, b);
                    self.default_nan(i.w, d);
                    let z = self.zero_above[i.a as usize].max(i.w);
                    self.define_x(v, d, z);
                    return true;
                }
                if matches!(i.op, Op::FpDiv | Op::VFpDiv | Op::FpSqrt | Op::VFpSqrt) {
                    // Dividing by zero and invalid roots come before denormal operands.
                    self.probe_denormal(i.w, a, packed);
                }
                let d = self.dst_x(v, NONE);
                // The operands must survive for the cold path.
                let r = match d == a || b == Rm::R(d) {
                    true if packed || can_reach_normal(i) => self.temp_x(),
                    true => 0,
                    false => d,
                };
                let site = self.here();
                self.asm.vex(pp, Map::M0f, false, code, r, vvvv, b);
                self.float_result(v, i, r, d, packed, site);
                true
            }
            // What compares does it.
            Op::FpFlush => {
                let a = self.reg_x(i.a);
                self.probe_denormal(i.w, a, false);
                let d = self.dst_x(v, i.a);
                self.mov_x(d, a);
                self.define_x(v, d, 128);
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
                self.probe_denormal(i.w, a, false);
                let r = if default_nans { self.temp_x() } else { d };
                let site = self.here();
                self.asm.vexi(
                    Pp::P66,
                    Map::M0f3a,
                    false,
                    if double { 0x0b } else { 0x0a },
                    r,
                    a,
                    Rm::R(a),
                    mode | quiet,
                );
                if default_nans {
                    self.float_result(v, i, r, d, packed, site);
                    return true;
                }
                let z = self.zero_above[i.a as usize].max(i.w);
                self.define_x(v, d, z);
                true
            }
            Op::FpCvt if matches!((i.w, i.imm), (64, 32) | (32, 64)) => {
                let a = self.reg_x(i.a);
                if (double || default_nans) && !self.tune.traps || legacy {
                    let d = self.dst_x(v, NONE);
                    let r = self.temp_x();
                    let site = self.here();
                    let pp = if double { Pp::F2 } else { Pp::F3 };
                    self.asm.vex(pp, Map::M0f, false, 0x5a, r, a, Rm::R(a));
                    self.float_result(v, i, r, d, packed, site);
                    return true;
                }
                let d = self.dst_x(v, i.a);
                let kept = self.keep(i, d, &[a]);
                let site = self.here();
                self.asm.vex(
                    if double { Pp::F2 } else { Pp::F3 },
                    Map::M0f,
                    false,
                    0x5a,
                    d,
                    a,
                    Rm::R(a),
                );
                if double {
                    let cold = self.float_probed(i, &[a], d, kept);
                    self.float_point(site, cold);
                }
                let z = self.zero_above[i.a as usize].max(i.imm as u8).max(i.w);
                self.define_x(v, d, z);
                true
            }
            Op::FpFromInt if i.imm >> 16 == 0 && i.imm & 0x7f >= 32 && i.imm & 0xff != 64 => {
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
                    && i.imm & 0x7f >= 32
                    && matches!(i.imm >> 8 & 7, round::ZERO | round::CURRENT) =>
            {
                self.float_to_signed(v, i);
                true
            }
            _ => self.float_lanes(v, i),
        }
    }

    /// Makes a NaN in `d` the default one. That is all that modes are about in which the host finds the same results tiny;
    /// whether the operation was invalid the host has told.
    fn default_nan(&mut self, w: u8, d: Reg) {
        let pp = if w == 64 { Pp::P66 } else { Pp::None };
        self.asm.vex(pp, Map::M0f, false, 0x2e, d, 0, Rm::R(d));
        let f = self.asm.jcc(cc::P);
        let (from, back) = (self.fixup_at(f), self.here());
        let nan = float::default_nan(w);
        let mut to = back;
        self.cold(|g| {
            to = g.here();
            g.load_const(d, u128::from(nan));
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        self.bind(from, to);
    }

    /// Lanes that are zero in all operands are so in sums and products that are rounded to nearest.
    pub(super) fn packed_zero_above(&self, i: &Inst) -> u8 {
        let operands = [i.a, i.b, i.c].into_iter().filter(|&x| x != NONE);
        match i.op {
            Op::VFpAdd | Op::VFpSub | Op::VFpMul | Op::VFpFma | Op::VFpMulAdd
                if self.standard != 0 =>
            {
                operands
                    .map(|x| self.zero_above[x as usize])
                    .max()
                    .unwrap_or(128)
            }
            _ => 128,
        }
    }

    /// Checks the result in `r` for what differs between processors, and moves it to `d`: NaNs, and
    /// the smallest normal number, which may have been less before rounding. `site`: the instruction that made it.
    pub(super) fn float_result(
        &mut self,
        v: Val,
        i: &Inst,
        r: Reg,
        d: Reg,
        packed: bool,
        site: At,
    ) {
        let w = result_width(i);
        let pp = if w == 64 { Pp::P66 } else { Pp::None };
        let mut with = (r, Rm::R(r));
        // What is tiny traps, in half if it was not so before rounding.
        let trapping = self.is_standard_trapping();
        let mut probe = None;
        if trapping && can_reach_normal(i) {
            probe = Some(self.here());
            self.asm
                .vex(pp, Map::M0f, false, 0x59, 0, r, Rm::M(layout::half(w)));
        }
        let tiny_before = self.tune.float_modes & float::TINY_AFTER == 0;
        let least_matters = can_reach_normal(i) && tiny_before && !trapping;
        if least_matters {
            debug_assert!(r != 0, "xmm0 is needed for the comparison");
            let [abs, least] = layout::float_constants(w);
            // vandps
            self.asm
                .vex(Pp::None, Map::M0f, false, 0x54, 0, r, Rm::M(abs));
            with = (0, Rm::M(least));
        }
        let from = if packed {
            // Equal or unordered (8), or only unordered (3); then ptest.
            let how = if least_matters { 8 } else { 3 };
            self.asm
                .vexi(pp, Map::M0f, false, 0xc2, 0, with.0, with.1, how);
            self.any_lane()
        } else {
            // Unordered sets all of ZF, PF and CF.
            self.asm.vex(pp, Map::M0f, false, 0x2e, with.0, 0, with.1);
            let how = if least_matters { cc::E } else { cc::P };
            let f = self.asm.jcc(how);
            self.fixup_at(f)
        };
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
            self.float_point(site, to);
            if let Some(probe) = probe {
                self.float_point(probe, to);
            }
        }
        self.mov_x(d, r);
        let z = if packed {
            self.packed_zero_above(i)
        } else {
            self.zero_above[i.a as usize].max(i.w)
        };
        self.define_x(v, d, z);
    }
}
