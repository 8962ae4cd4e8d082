//! The condition flags: their packing and the conditions on them.
//!
//! Packed flags sit in 16 bits: N at 15, Z at 14, C at 8 and V at 0. That is what
//! `lahf` and `seto al` leave in ax on an x86 host. C is a carry
//! for additions and "no borrow" for subtractions.

pub const N: u64 = 1 << 15;
pub const Z: u64 = 1 << 14;
pub const C: u64 = 1 << 8;
pub const V: u64 = 1;
/// All four.
pub const MASK: u64 = N | Z | C | V;
/// Where a guest may have others.
pub const FREE: u64 = 0xffff_ff00 & !MASK;

/// Conditions, numbered as Arm numbers them: an odd one is the inverse of its predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cc {
    Eq,
    Ne,
    Cs,
    Cc,
    Mi,
    Pl,
    Vs,
    Vc,
    Hi,
    Ls,
    Ge,
    Lt,
    Gt,
    Le,
}

impl Cc {
    /// The condition numbered `n` (0..14).
    #[must_use]
    pub fn from_index(n: u64) -> Self {
        const ALL: [Cc; 14] = [
            Cc::Eq,
            Cc::Ne,
            Cc::Cs,
            Cc::Cc,
            Cc::Mi,
            Cc::Pl,
            Cc::Vs,
            Cc::Vc,
            Cc::Hi,
            Cc::Ls,
            Cc::Ge,
            Cc::Lt,
            Cc::Gt,
            Cc::Le,
        ];
        ALL[n as usize % 14]
    }

    /// The flags that it depends on, as a set ([`crate::guest::flag`]).
    #[must_use]
    pub fn reads(self) -> u8 {
        use crate::guest::flag;
        match self {
            Cc::Eq | Cc::Ne => flag::Z,
            Cc::Cs | Cc::Cc => flag::C,
            Cc::Mi | Cc::Pl => flag::N,
            Cc::Vs | Cc::Vc => flag::V,
            Cc::Hi | Cc::Ls => flag::C | flag::Z,
            Cc::Ge | Cc::Lt => flag::N | flag::V,
            Cc::Gt | Cc::Le => flag::N | flag::V | flag::Z,
        }
    }

    /// Whether packed flags `f` meet it.
    #[must_use]
    pub fn holds(self, f: u64) -> bool {
        let (n, z, c, v) = (f & N != 0, f & Z != 0, f & C != 0, f & V != 0);
        match self {
            Cc::Eq => z,
            Cc::Ne => !z,
            Cc::Cs => c,
            Cc::Cc => !c,
            Cc::Mi => n,
            Cc::Pl => !n,
            Cc::Vs => v,
            Cc::Vc => !v,
            Cc::Hi => c && !z,
            Cc::Ls => !c || z,
            Cc::Ge => n == v,
            Cc::Lt => n != v,
            Cc::Gt => !z && n == v,
            Cc::Le => z || n != v,
        }
    }
}

/// Packs four flags.
#[must_use]
pub fn pack(n: bool, z: bool, c: bool, v: bool) -> u64 {
    u64::from(n) << 15 | u64::from(z) << 14 | u64::from(c) << 8 | u64::from(v)
}

/// Flags of `a + b + carry` in `w` bits (32 or 64).
#[must_use]
pub fn of_add(w: u8, a: u64, b: u64, carry: u64) -> u64 {
    let m = super::eval::mask(w);
    let (a, b) = (a & m, b & m);
    let sum = u128::from(a) + u128::from(b) + u128::from(carry & 1);
    let r = sum as u64 & m;
    let top = 1u64 << (w - 1);
    pack(
        r & top != 0,
        r == 0,
        sum > u128::from(m),
        (a ^ r) & (b ^ r) & top != 0,
    )
}

/// Flags of a logical result.
#[must_use]
pub fn of_logic(w: u8, a: u64) -> u64 {
    let a = a & super::eval::mask(w);
    pack(a >> (w - 1) != 0, a == 0, false, false)
}

/// `old` with N and Z of the 32-bit result `nz`, and C from a bit of a value, where they are given.
#[must_use]
pub fn part(old: u64, nz: Option<u64>, carry: Option<(u64, u8)>) -> u64 {
    let mut f = old & u64::from(u32::MAX);
    if let Some(v) = nz {
        f = f & !(N | Z) | of_logic(32, v) & (N | Z);
    }
    if let Some((v, bit)) = carry {
        f = f & !C | if v >> bit & 1 != 0 { C } else { 0 };
    }
    f
}

// Each is set by storing a byte of its own: a read-modify-write of one that was just stored would wait for it.
const OVER_NZ: u32 = 1 << 31;
const OVER_CARRY: u32 = 1 << 23;
/// Where the carry's bit number is.
const CARRY_BIT: u32 = 16;

/// `f` with what a deferred operation's number says comes from elsewhere.
#[must_use]
pub fn part_of_code(f: u64, code: u32, [nz, carry]: [u64; 2]) -> u64 {
    let nz = (code & OVER_NZ != 0).then_some(nz);
    let carry = (code & OVER_CARRY != 0).then_some((carry, (code >> CARRY_BIT) as u8 & 31));
    part(f, nz, carry)
}

/// A kind of flags that need not be worked out until somebody asks: those that an operation makes.
pub struct Kind {
    /// [`super::Op::FAdd`] and others, as lifters record them.
    pub op: super::Op,
    /// The flags, packed: of the operation's width in bits, its operands, and the floating-point environment, whose exceptions have
    /// been raised.
    pub flags: fn(w: u8, a: u128, b: u128, env: u32) -> u64,
}

/// The condition flags of a guest. Four of them are where all guests have them ([`N`], [`Z`], [`C`], [`V`]), and
/// conditions ([`Cc`]) are about these: a comparison and what depends on it become one instruction of the host
/// whatever else the guest makes of it. Other bits are the guest's own: those in [`FREE`].
pub struct Model {
    /// All flags that there are.
    pub mask: u64,
    /// The kinds that records can be of.
    pub kinds: &'static [Kind],
}

impl Model {
    /// The host works them out itself as well as the kinds do.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.mask == MASK
    }

    /// The place of an operation among the kinds.
    #[must_use]
    pub fn kind(&self, op: super::Op) -> Option<usize> {
        self.kinds.iter().position(|kind| kind.op == op)
    }

    /// The flags that an operation makes, if it is of a kind.
    #[must_use]
    pub fn of(&self, op: super::Op, w: u8, a: u128, b: u128, env: u32) -> Option<u64> {
        Some((self.kinds[self.kind(op)?].flags)(w, a, b, env))
    }

    /// The number of a record: 16 bits, not 0. None: such flags are not deferred. `constant`: the second operand, if it is
    /// in the number.
    #[must_use]
    pub fn pack(&self, op: super::Op, w: u8, and: bool, constant: Option<u8>) -> Option<u32> {
        let record = Record {
            kind: self.kind(op)?,
            w,
            and,
            constant,
        };
        Some(record.pack())
    }

    /// The flags of a record with these operands, if the number is one.
    #[must_use]
    pub fn settle(&self, code: u32, [a, b]: [u128; 2], env: u32) -> Option<u64> {
        let r = Record::unpack(code)?;
        let b = r.constant.map_or(b, u128::from);
        let a = if r.and { a & b } else { a };
        Some((self.kinds.get(r.kind)?.flags)(r.w, a, b, env))
    }
}

/// Flags as what makes them; the operands are in [`super::state::Head::compared`].
struct Record {
    /// By its place in [`Model::kinds`].
    kind: usize,
    w: u8,
    /// The flags are those of one operand, which is still to be and-ed out of two.
    and: bool,
    /// The second operand, if it is not with the others.
    constant: Option<u8>,
}

impl Record {
    /// From the lowest bit: kind 4 (from 1), and 1, width 2, constant 1, constant 8.
    fn pack(&self) -> u32 {
        let kind = self.kind as u32 + 1;
        debug_assert!(kind < 16 && self.w >= 8);
        let constant = self.constant.map_or(0, |k| 1 << 7 | u32::from(k) << 8);
        kind | u32::from(self.and) << 4 | (self.w / 8).ilog2() << 5 | constant
    }

    fn unpack(code: u32) -> Option<Self> {
        Some(Self {
            kind: (code as usize & 15).checked_sub(1)?,
            w: 8 << (code >> 5 & 3),
            and: code >> 4 & 1 != 0,
            constant: (code >> 7 & 1 != 0).then_some((code >> 8) as u8),
        })
    }
}

/// Flags as what makes them, whose operands are in general slots: all of it in one number, so that storing that is enough. It
/// is right until one of the slots is set. Only between two translations are there such records ([`super::handover`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// By its place in [`Model::kinds`].
    pub kind: usize,
    pub w: u8,
    pub slot: u8,
    /// The slot has what [`Named::kind`]'s operation gives (a sum or a difference), of which the first operand is worked out.
    pub from_result: bool,
    /// The slot of the second operand; None: that is `constant`.
    pub second: Option<u8>,
    pub constant: u64,
}

/// What tells it from other records.
const NAMED: u32 = 1 << 30;

impl Named {
    /// From the lowest bit: kind 3, width 1, slot 5, result 1, second in a slot 1, second 12. None: too big.
    #[must_use]
    pub fn pack(&self) -> Option<u32> {
        let wide = match self.w {
            32 => 0,
            64 => 1,
            _ => return None,
        };
        let second = match self.second {
            Some(slot) => 1 << 10 | u32::from(slot) << 11,
            None => u32::try_from(self.constant).ok().filter(|&k| k < 1 << 12)? << 11,
        };
        let fits = self.kind < 8 && self.slot < 32 && self.second.is_none_or(|s| s < 32);
        let result = u32::from(self.from_result);
        fits.then_some(
            NAMED | self.kind as u32 | wide << 3 | u32::from(self.slot) << 4 | result << 9 | second,
        )
    }

    #[must_use]
    pub fn unpack(code: u32) -> Option<Self> {
        if code & (NAMED | OVER_NZ) != NAMED {
            return None;
        }
        let second = code >> 11 & 0xfff;
        let is_slot = code >> 10 & 1 != 0;
        Some(Self {
            kind: code as usize & 7,
            w: if code >> 3 & 1 != 0 { 64 } else { 32 },
            slot: (code >> 4 & 31) as u8,
            from_result: code >> 9 & 1 != 0,
            second: is_slot.then_some(second as u8),
            constant: if is_slot { 0 } else { second.into() },
        })
    }

    /// The flags, with what the general slots have.
    #[must_use]
    pub fn settle(&self, model: &Model, slots: &[u64]) -> u64 {
        let kind = &model.kinds[self.kind];
        let b = self.second.map_or(self.constant, |s| slots[usize::from(s)]);
        let a = slots[usize::from(self.slot)];
        let a = match (self.from_result, kind.op) {
            (false, _) => a,
            (true, super::Op::FSub) => a.wrapping_add(b),
            (true, _) => a.wrapping_sub(b),
        };
        (kind.flags)(self.w, a.into(), b.into(), 0)
    }
}

/// The upper half of a record's number, which says what an `FPart` with the immediate `imm` takes from elsewhere: N and
/// Z in the highest byte, C in the one below (and never C alone).
#[must_use]
pub fn parts(imm: u64) -> u32 {
    let mut parts = 0;
    if imm & super::eval::PART_NZ != 0 {
        parts |= OVER_NZ;
    }
    if imm & super::eval::PART_CARRY != 0 {
        parts |= OVER_CARRY | (imm as u32 & 31) << CARRY_BIT;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::Op;
    use super::super::eval::{PART_CARRY, PART_NZ};
    use super::*;

    /// V alone is left to this kind: it says whether the operands were and-ed, and of what width it is.
    static MODEL: Model = Model {
        mask: MASK,
        kinds: &[Kind {
            op: Op::FLogic,
            flags: |w, a, _, _| u64::from(w == 64 && a == 0b1000) * V,
        }],
    };

    #[test]
    fn parts_stored_as_bytes_leave_the_record() {
        let record = MODEL.pack(Op::FLogic, 64, true, None).expect("a record");
        let operands = [0b1100, 0b1010];
        assert_eq!(MODEL.settle(record, operands, 0), Some(V));
        for bit in [0, 1, 31] {
            // As code stores them beside what is there: both bytes, then the upper one alone.
            let both = parts(PART_NZ | PART_CARRY | bit).to_le_bytes();
            let upper = parts(PART_NZ).to_le_bytes();
            let [r0, r1, r2, r3] = record.to_le_bytes();
            assert_eq!(
                [both[0], both[1], r2, r3],
                [0; 4],
                "each in bytes of its own"
            );
            let code = u32::from_le_bytes([r0, r1, both[2], both[3]]);
            assert_eq!(MODEL.settle(code, operands, 0), Some(V));
            // N of the one, C of the other.
            assert_eq!(part_of_code(V, code, [1 << 31, 1 << bit]), N | C | V);
            assert_eq!(part_of_code(V | C, code, [0, !(1 << bit)]), Z | V);
            let code = u32::from_le_bytes([r0, r1, both[2], upper[3]]);
            assert_eq!(part_of_code(V, code, [1 << 31, 1 << bit]), N | C | V);
        }
        // N and Z alone leave the carry.
        let code = record | parts(PART_NZ);
        assert_eq!(part_of_code(V | C, code, [0, 0]), Z | C | V);
    }
}
