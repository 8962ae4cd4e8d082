//! Which table and which line of it an instruction is in.

use super::insn::Insn;
use super::table::Encoding;
use super::{a32, branch, fptable, t16, t32};
use crate::decode::Bits;
use crate::guest::{FlagUse, Lift, flag};
use crate::ir::flags::Cc;
use crate::ir::sem::Sem;

/// Whether a halfword begins an instruction of 32 bits (Arm ARM F3.1).
#[must_use]
pub fn is_wide(half: u32) -> bool {
    half >> 11 >= 0b11101
}

/// Coprocessors 14 and 15 are for the system.
pub(super) fn is_fp_coprocessor(w: u32) -> bool {
    matches!(w >> 8 & 15, 8..=13)
}

/// Whether an A32 instruction is of floating point or Advanced SIMD.
pub(super) fn is_fp_a32(w: u32) -> bool {
    match w >> 24 {
        0xf2 | 0xf3 => true,
        0xf4 => w >> 20 & 1 == 0,
        top => matches!(top & 15, 12..=14) && is_fp_coprocessor(w),
    }
}

/// The A32 form of a T32 instruction of floating point or Advanced SIMD.
pub(super) fn fp_form(w: u32) -> Option<u32> {
    match w >> 24 {
        0xef | 0xff => Some(0xf200_0000 | (w >> 28 & 1) << 24 | w & 0x00ff_ffff),
        0xf9 if w >> 20 & 1 == 0 => Some(0xf400_0000 | w & 0x00ff_ffff),
        0xec..=0xee | 0xfc..=0xfe if is_fp_coprocessor(w) => Some(w),
        _ => None,
    }
}

/// Which table an instruction is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    A32,
    T32,
    T16,
    Fp,
}

impl Kind {
    #[must_use]
    pub fn table(self) -> &'static [Encoding] {
        match self {
            Self::A32 => a32::TABLE,
            Self::T32 => t32::TABLE,
            Self::T16 => t16::TABLE,
            Self::Fp => fptable::TABLE,
        }
    }

    #[must_use]
    pub fn find(self, bits: u32) -> Option<usize> {
        match self {
            Self::A32 => a32::find(bits),
            Self::T32 => t32::find(bits),
            Self::T16 => t16::find(bits),
            Self::Fp => fptable::find(bits),
        }
    }

    pub(super) fn lifter<S: Sem>(self, n: usize) -> fn(&mut S, Insn) -> Lift {
        match self {
            Self::A32 => a32::Lifters::<S>::ALL[n],
            Self::T32 => t32::Lifters::<S>::ALL[n],
            Self::T16 => t16::Lifters::<S>::ALL[n],
            Self::Fp => fptable::Lifters::<S>::ALL[n],
        }
    }
}

/// An instruction and its line.
pub struct Decoded {
    pub kind: Kind,
    pub line: Option<usize>,
    pub insn: Insn,
}

impl Decoded {
    #[must_use]
    pub fn encoding(&self) -> Option<&'static Encoding> {
        self.line.map(|n| &self.kind.table()[n])
    }

    /// The condition; 14 and 15: always.
    #[must_use]
    pub fn cond(&self) -> u32 {
        if !self.insn.thumb {
            self.insn.bits >> 28
        } else if self.kind == Kind::T16 && self.insn.bits >> 8 == 0xbe {
            // BKPT
            14
        } else if self.insn.in_it() {
            self.insn.it() >> 4
        } else {
            14
        }
    }

    /// Whether it is a return of the usual kinds: POP, LDM or LDR with the pc.
    fn loads_pc(&self) -> bool {
        let i = self.insn;
        let (multiple, single) = match self.kind {
            Kind::T16 => return i.bits >> 8 == 0xbd,
            Kind::T32 => (i.f(25, 7) == 0b111_0100, i.f(25, 7) == 0b111_1100),
            Kind::A32 => (i.f(25, 3) == 0b100, i.f(26, 2) == 0b01),
            Kind::Fp => return false,
        };
        i.bit(20) && (multiple && i.bit(15) || single && i.f(12, 4) == 15)
    }

    /// Loads and stores, roughly (Arm ARM F3.1 and F4.1): an instruction too many does no harm.
    pub(super) fn may_access(&self) -> bool {
        let i = self.insn;
        match self.kind {
            // From LDR (literal) to LDRH; PUSH and POP; LDM and STM.
            Kind::T16 => match i.f(11, 5) {
                0b01001..=0b10011 | 0b11000 | 0b11001 => true,
                _ => i.bits >> 12 == 0b1011 && i.f(9, 2) == 0b10,
            },
            Kind::T32 => i.f(25, 7) == 0b111_0100 || i.f(25, 7) == 0b111_1100,
            Kind::A32 => match i.f(25, 3) {
                0b000 => i.bit(7) && i.bit(4),
                0b011 => !i.bit(4),
                kind => matches!(kind, 0b010 | 0b100),
            },
            Kind::Fp => true,
        }
    }

    /// What it does to the flags; its condition, if it has one, not considered.
    pub(super) fn flag_use(&self) -> FlagUse {
        let i = self.insn;
        let writes = |writes| FlagUse::Goes {
            reads: 0,
            writes,
            next: i.next(),
        };
        match self.encoding().map(|l| l.flags) {
            Some('n') if self.loads_pc() => FlagUse::Unknown,
            Some('n') => writes(0),
            Some('k') => writes(flag::ALL),
            Some('z') => writes(flag::N | flag::Z),
            Some('a') => writes(if i.bit(20) { flag::ALL } else { 0 }),
            Some('l') => writes(if i.bit(20) { flag::N | flag::Z } else { 0 }),
            Some('b') => FlagUse::Goes {
                reads: 0,
                writes: 0,
                next: branch::direct(i),
            },
            Some('c') => FlagUse::Tests(branch::condition(i).reads()),
            Some('h') if !i.bit(20) => writes(0),
            Some('s' | 'h') => FlagUse::Goes {
                reads: flag::C,
                writes: flag::N | flag::Z | flag::C,
                next: i.next(),
            },
            Some('r') => FlagUse::Reads,
            _ => FlagUse::Unknown,
        }
    }

    /// What it does to the flags if it has the condition `cond`.
    pub(super) fn conditional_flag_use(&self, cond: Cc) -> FlagUse {
        match self.flag_use() {
            FlagUse::Goes { reads, next, .. } if next == self.insn.next() => FlagUse::Goes {
                reads: reads | cond.reads(),
                writes: 0,
                next,
            },
            FlagUse::Goes { reads, .. } | FlagUse::Tests(reads) => {
                FlagUse::Tests(reads | cond.reads())
            }
            FlagUse::Reads => FlagUse::Reads,
            FlagUse::Unknown => FlagUse::Tests(cond.reads()),
        }
    }
}
