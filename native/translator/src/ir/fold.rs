//! What the builder makes of an operation when it knows its operands: constants, and simpler operations.

use super::Addr;
use super::build::IrBuilder;
use super::eval::{self, PART_CARRY, PART_NZ, mask, sext};
use super::flags::{self, Cc};
use super::sem::Sem;
use super::{NONE, Op, Val};

impl IrBuilder {
    /// Algebra that lifters rely on to stay simple.
    pub(super) fn simplify(&mut self, op: Op, w: u8, [a, b, c]: [Val; 3], imm: u64) -> Option<Val> {
        let kb = if b == NONE {
            None
        } else {
            self.known(b).map(|k| k & mask(w))
        };
        let ka = self.known(a).map(|k| k & mask(w));
        let clean = |s: &Self, v| s.is_clean(v, w);
        match op {
            Op::Add | Op::Or | Op::Xor | Op::Sub | Op::Orn
                if op != Op::Orn && kb == Some(0) && clean(self, a) =>
            {
                Some(a)
            }
            Op::Add | Op::Or | Op::Xor if ka == Some(0) && clean(self, b) => Some(b),
            Op::Shl | Op::Shr | Op::Sar | Op::Ror
                if kb.is_some_and(|k| k & u64::from(w - 1) == 0) && clean(self, a) =>
            {
                Some(a)
            }
            Op::And if kb == Some(mask(w)) && clean(self, a) => Some(a),
            Op::Andn if kb == Some(0) && clean(self, a) => Some(a),
            Op::And if kb == Some(0) || ka == Some(0) => Some(self.konst(0)),
            Op::Mul if kb == Some(1) && clean(self, a) => Some(a),
            Op::Zext if clean(self, a) => Some(a),
            Op::Clz if self.inst(a).op == Op::Rbit && self.inst(a).w == w => {
                let x = self.inst(a).a;
                Some(self.push(Op::Ctz, w, [x, NONE, NONE], 0))
            }
            Op::Sext if w >= 64 || self.is_extended(a, w, 2) => Some(a),
            Op::Sext
                if self.inst(a).op == Op::Load
                    && self.inst(a).w == w
                    && Addr::unpack(self.inst(a).imm).sx == 64 =>
            {
                Some(a)
            }
            Op::Orn if ka == Some(0) => Some(self.push(Op::Not, w, [b, NONE, NONE], 0)),
            Op::Sub if ka == Some(0) => Some(self.push(Op::Neg, w, [b, NONE, NONE], 0)),
            Op::Select if a == b && clean(self, a) => Some(a),
            // The other half of an "if".
            Op::Select if self.is_other_half(w, b, c) => {
                let first = *self.inst(b);
                Some(self.push(Op::Select, w, [first.a, a, first.c], 0))
            }
            // A known condition.
            Op::Select if self.known(c).is_some() => {
                let v = if self.known(c) == Some(0) { b } else { a };
                Some(self.op1(Op::Zext, w, v))
            }
            Op::Cc if self.inst(a).op == Op::FSelect => self.cc_of_selected(a, imm),
            Op::Cc if self.inst(a).op == Op::FPart => self.cc_of_part(a, Cc::from_index(imm)),
            Op::FPack if self.inst(a).op == Op::Pack => Some(self.inst(a).a),
            Op::VGet if imm == 0 && self.inst(a).op == Op::VFromG && w <= self.inst(a).w => {
                let x = self.inst(a).a;
                Some(self.op1(Op::Zext, w, x))
            }
            // Of upper halves.
            Op::VWidenU | Op::VWidenS if imm == 0 => {
                let x = self.upper_half(a)?;
                Some(self.push(op, w, [x, NONE, NONE], 1))
            }
            Op::VMulLU | Op::VMulLS if imm == 0 => {
                let (x, y) = (self.upper_half(a)?, self.upper_half(b)?);
                Some(self.push(op, w, [x, y, NONE], 1))
            }
            Op::VZext => self.wide_clean(a, w).then_some(a),
            Op::VUnbox if self.inst(a).op == Op::VBox && self.inst(a).w == w => {
                Some(self.inst(a).a)
            }
            // Extended to a multiple of bytes by two shifts.
            Op::Shr | Op::Sar if w == 64 && matches!(kb, Some(32 | 48 | 56)) => {
                let first = *self.inst(a);
                if first.op != Op::Shl || first.w != 64 || self.known(first.b) != kb {
                    return None;
                }
                let bits = 64 - kb.unwrap_or(0) as u8;
                let how = if op == Op::Shr { Op::Zext } else { Op::Sext };
                Some(self.op1(how, bits, first.a))
            }
            Op::VLanes if self.known(a).is_some() => {
                let p = self.known(a).map_or(0, u128::from);
                Some(self.wide(eval::eval(Op::VLanes, w, p, 0, 0, imm)))
            }
            Op::VLanes => Some(self.lanes_of(w, a, imm)),
            Op::VAnd if self.known_wide(b) == Some(u128::MAX) => Some(a),
            Op::VAnd if self.known_wide(b) == Some(0) => Some(b),
            Op::VBsl if self.known_wide(c) == Some(u128::MAX) => Some(a),
            Op::VBsl if self.known_wide(c) == Some(0) => Some(b),
            Op::AesMix if self.inst(a).op == Op::AesSub => {
                let x = self.inst(a).a;
                Some(self.push(Op::AesRound, 128, [x, NONE, NONE], 0))
            }
            Op::AesInvMix if self.inst(a).op == Op::AesInvSub => {
                let x = self.inst(a).a;
                Some(self.push(Op::AesInvRound, 128, [x, NONE, NONE], 0))
            }
            _ => None,
        }
    }

    /// A condition of selected flags is a selected condition: no packing.
    fn cc_of_selected(&mut self, flags: Val, want: u64) -> Option<Val> {
        let f = *self.inst(flags);
        let packed = (self.inst(f.b).op == Op::FPack)
            .then(|| self.inst(f.b).a)
            .and_then(|v| self.known(v));
        let c = *self.inst(f.c);
        // What the other flags say where the selecting condition does not hold, if that is known.
        let other = match packed {
            Some(p) => Some(Cc::from_index(want).holds(p)),
            None if c.op == Op::Cc && c.a == f.b && c.imm == want => Some(false),
            None if c.op == Op::Cc && c.a == f.b && c.imm == want ^ 1 => Some(true),
            // Where it does not differ it was compared with its equal.
            None if c.op == Op::Cc
                && c.a == f.b
                && c.imm == Cc::Ne as u64
                && self.inst(f.b).op == Op::FSub =>
            {
                Some(Cc::from_index(want).holds(flags::Z | flags::C))
            }
            None => None,
        };
        let t = self.op(Op::Cc, 8, [Some(f.a), None, None], want);
        // cond ? t : other
        Some(match other {
            Some(true) => {
                let not = self.inverse(f.c)?;
                self.op2(Op::Or, 8, not, t)
            }
            Some(false) => self.op2(Op::And, 8, f.c, t),
            None => {
                let not = self.inverse(f.c)?;
                let e = self.op(Op::Cc, 8, [Some(f.b), None, None], want);
                let (t, e) = (self.op2(Op::And, 8, f.c, t), self.op2(Op::And, 8, not, e));
                self.op2(Op::Or, 8, t, e)
            }
        })
    }

    /// A condition of flags that come from several places.
    fn cc_of_part(&mut self, flags: Val, want: Cc) -> Option<Val> {
        let f = *self.inst(flags);
        let pair = |s: &mut Self, op, a, b| {
            let (a, b) = (s.cc(a, flags), s.cc(b, flags));
            Some(s.op2(op, 8, a, b))
        };
        match want {
            Cc::Hi => return pair(self, Op::And, Cc::Ne, Cc::Cs),
            Cc::Ls => return pair(self, Op::Or, Cc::Eq, Cc::Cc),
            Cc::Gt => return pair(self, Op::And, Cc::Ne, Cc::Ge),
            Cc::Le => return pair(self, Op::Or, Cc::Eq, Cc::Lt),
            Cc::Ge | Cc::Lt => {
                let (n, v) = (self.cc(Cc::Mi, flags), self.cc(Cc::Vs, flags));
                let d = self.op2(Op::Xor, 32, n, v);
                return Some(if want == Cc::Ge {
                    self.is_zero(32, d)
                } else {
                    self.not_zero(32, d)
                });
            }
            Cc::Eq | Cc::Ne | Cc::Mi | Cc::Pl if f.imm & PART_NZ != 0 => {
                let test = self.op1(Op::FLogic, 32, f.a);
                return Some(self.cc(want, test));
            }
            Cc::Cs | Cc::Cc if f.imm & PART_CARRY != 0 => {
                let bit = self.and_k(32, f.b, 1 << (f.imm & 63));
                return Some(if want == Cc::Cs {
                    self.not_zero(32, bit)
                } else {
                    self.is_zero(32, bit)
                });
            }
            _ => {}
        }
        let base = if f.c == NONE { self.first_flags() } else { f.c };
        Some(self.cc(want, base))
    }

    /// The bits of `v` from the highest of `w` on are known to be alike. Looks at so many operations before it.
    fn is_extended(&self, v: Val, w: u8, depth: u8) -> bool {
        let i = self.inst(v);
        let by = if i.b == NONE { None } else { self.known(i.b) };
        let both = || {
            depth > 0 && self.is_extended(i.a, w, depth - 1) && self.is_extended(i.b, w, depth - 1)
        };
        match i.op {
            Op::Const => sext(w, i.imm) as u64 == i.imm,
            Op::Cc => true,
            Op::Sext => i.w <= w,
            Op::Zext => i.w < w,
            Op::Load => match Addr::unpack(i.imm).sx {
                0 => i.w < w,
                sx => sx == 64 && i.w <= w,
            },
            Op::Shr if i.w == w => by.is_some_and(|k| k & u64::from(w - 1) != 0),
            Op::And if i.w == 64 => by.is_some_and(|k| k >> (w - 1) == 0) || both(),
            Op::Or | Op::Xor if i.w == 64 => both(),
            _ => false,
        }
    }

    /// `v` was selected under the opposite of condition `c`.
    fn is_other_half(&self, w: u8, v: Val, c: Val) -> bool {
        let (i, now) = (self.inst(v), self.inst(c));
        if i.op != Op::Select || i.w != w {
            return false;
        }
        let before = self.inst(i.c);
        let conditions = before.op == Op::Cc && now.op == Op::Cc;
        conditions && before.a == now.a && before.imm == now.imm ^ 1
    }

    /// The value whose upper half `v` has in its lower one.
    fn upper_half(&self, v: Val) -> Option<Val> {
        let i = self.inst(v);
        (i.op == Op::VDupLane && i.w == 64 && i.imm == 1).then_some(i.a)
    }

    /// 1 - v for a condition value.
    fn inverse(&mut self, v: Val) -> Option<Val> {
        let i = *self.inst(v);
        Some(match i.op {
            Op::Cc => self.op(Op::Cc, 8, [Some(i.a), None, None], i.imm ^ 1),
            Op::Const => self.konst(i.imm ^ 1),
            Op::And | Op::Or if i.w == 8 => {
                let one = self.konst(1);
                self.op2(Op::Xor, 8, v, one)
            }
            _ => return None,
        })
    }

    fn known_wide(&self, v: Val) -> Option<u128> {
        let i = self.inst(v);
        (i.op == Op::ConstX).then(|| self.block.wide[i.imm as usize])
    }

    /// The lanes of a predicate, which most instructions of a loop have in common: made once.
    fn lanes_of(&mut self, w: u8, p: Val, first: u64) -> Val {
        let made = |&v: &Val| {
            v != NONE && {
                let i = self.inst(v);
                (i.w, i.a, i.imm) == (w, p, first)
            }
        };
        if let Some(&v) = self.lanes.iter().find(|v| made(v)) {
            return v;
        }
        let v = self.push(Op::VLanes, w, [p, NONE, NONE], first);
        self.lanes.rotate_right(1);
        self.lanes[0] = v;
        v
    }

    /// Wide value `v` is zero above the low `w` bits.
    fn wide_clean(&self, v: Val, w: u8) -> bool {
        let i = self.inst(v);
        match i.op {
            Op::VZext | Op::LoadX => i.w <= w,
            Op::VFromG => w >= 64,
            Op::VSumU => i.w <= w,
            Op::VNarrow => w >= 64,
            _ => false,
        }
    }
}
