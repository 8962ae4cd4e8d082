//! One instruction and the register conventions that all lifters share.

use super::Processor;
use super::features::Features;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::eval::mask;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;

/// General slots: r1-r31, then what is not among the general registers. Slot 0 stays 0. With 32 bits a slot has its value
/// zero-extended.
pub mod slot {
    pub const LO: u16 = 32;
    pub const HI: u16 = 33;
    /// The thread pointer.
    pub const USERLOCAL: u16 = 34;
    /// FCSR's modes: rounding, enables, FS. What is raised is in the floating-point environment, causes in `State::fpstatus`.
    pub const FCSR: u16 = 35;
    /// The eight conditions of floating-point comparisons, each 0 or 1.
    pub const FCC: u16 = 36;
    /// Not 0: the floating-point registers have 64 bits (Status.FR).
    pub const FR: u16 = 44;
    /// Not 0: the instruction in the delay slot of the branch at the pc is done already.
    pub const SLOT_DONE: u16 = 45;
    /// Not 0: misaligned accesses are faults, which nobody makes for the program.
    pub const STRICT: u16 = 46;
    /// The DSP module's further accumulators: HI1, LO1, HI2, LO2, HI3, LO3.
    pub const HI1: u16 = 47;
    pub const LO1: u16 = 48;
    /// DSPControl.
    pub const DSP: u16 = 53;
    /// MSACSR.
    pub const MSACSR: u16 = 54;
    /// The last conversion to an integer without enabled exceptions, as an encoding and the low half of its address, and what it
    /// converted; 0 behind CTC1.
    pub const CONVERTED: u16 = 55;
    pub const CONVERTED_FROM: u16 = 56;
}

/// The general slots, and the floating-point registers. A register of 64 bits is the low half of a wide slot (of which MSA
/// makes 128), a single its lowest quarter. Where registers have 32 bits, the odd ones are the quarters above the even ones, so
/// that a double is a half in either mode.
pub const LAYOUT: Layout = Layout {
    halved: 32,
    quartered: 32,
    ..Layout::new(57, 32)
};

/// A translation's mode.
pub mod mode {
    /// Floating-point registers have 64 bits.
    pub const FR: u32 = 1;
    /// Floating-point exceptions are enabled.
    pub const TRAPS: u32 = 2;
    /// [`super::slot::SLOT_DONE`].
    pub const SLOT_DONE: u32 = 4;
    /// [`super::slot::STRICT`].
    pub const STRICT: u32 = 8;
}

/// An instruction at an address, under a translation mode.
#[derive(Clone, Copy)]
pub struct Insn {
    pub bits: u32,
    pub pc: u64,
    /// The instruction behind it, if it is a branch that has a delay slot.
    pub behind: u32,
    /// It is in a delay slot.
    pub in_slot: bool,
    pub mode: u32,
    pub guest: Processor,
}

impl Bits for Insn {
    fn bits(self) -> u32 {
        self.bits
    }
}

impl Insn {
    #[must_use]
    pub fn has(self, need: Features) -> bool {
        self.guest.features.contains(need)
    }
    /// Bits of a general register.
    #[must_use]
    pub fn xlen(self) -> u8 {
        self.guest.xlen()
    }
    /// Bits of a floating-point register.
    #[must_use]
    pub fn fr(self) -> bool {
        self.mode & mode::FR != 0
    }
    #[must_use]
    pub fn rs(self) -> u32 {
        self.f(21, 5)
    }
    #[must_use]
    pub fn rt(self) -> u32 {
        self.f(16, 5)
    }
    #[must_use]
    pub fn rd(self) -> u32 {
        self.f(11, 5)
    }
    #[must_use]
    pub fn sa(self) -> u32 {
        self.f(6, 5)
    }
    #[must_use]
    pub fn function(self) -> u32 {
        self.f(0, 6)
    }
    #[must_use]
    pub fn imm(self) -> i64 {
        i64::from(self.bits as i16)
    }
    /// What an exception's pc is: the branch's of an instruction in a delay slot.
    #[must_use]
    pub fn epc(self) -> u64 {
        if self.in_slot {
            self.address(self.pc.wrapping_sub(4))
        } else {
            self.pc
        }
    }
    /// The address of the next instruction in memory.
    #[must_use]
    pub fn next(self) -> u64 {
        self.address(self.pc.wrapping_add(4))
    }
    /// Behind the delay slot.
    #[must_use]
    pub fn behind_slot(self) -> u64 {
        self.address(self.pc.wrapping_add(8))
    }
    /// Where a branch of 16 bits goes.
    #[must_use]
    pub fn target(self) -> u64 {
        self.address(
            self.pc
                .wrapping_add(4)
                .wrapping_add((self.imm() << 2) as u64),
        )
    }
    #[must_use]
    pub fn address(self, addr: u64) -> u64 {
        addr & mask(self.xlen())
    }
}

/// Register `n`; register 0 is zero.
pub fn x<S: Sem>(s: &mut S, n: u32) -> S::V {
    if n == 0 { s.konst(0) } else { s.get(n as u16) }
}

/// Writes a value of the registers' width to register `n`; 0 is discarded.
pub fn set<S: Sem>(s: &mut S, i: Insn, n: u32, v: S::V) {
    if n != 0 {
        let v = s.op1(Op::Zext, i.xlen(), v);
        s.set(n as u16, v);
    }
}

/// Writes it, and is done.
pub fn done<S: Sem>(s: &mut S, i: Insn, n: u32, v: S::V) -> Lift {
    set(s, i, n, v);
    Lift::Next
}

/// 32 bits, sign-extended to the registers' width.
pub fn extended<S: Sem>(s: &mut S, i: Insn, v: S::V) -> S::V {
    s.op1(if i.xlen() == 64 { Op::Sext } else { Op::Zext }, 32, v)
}

/// Writes 32 bits, sign-extended, and is done.
pub fn done_w<S: Sem>(s: &mut S, i: Insn, n: u32, v: S::V) -> Lift {
    let v = extended(s, i, v);
    done(s, i, n, v)
}

/// A constant of the registers' width.
pub fn k<S: Sem>(s: &mut S, i: Insn, v: i64) -> S::V {
    s.konst(v as u64 & mask(i.xlen()))
}

/// `base + offset` as the address of an access of `w` bits, and for nothing else; `write`: of a store.
pub fn address<S: Sem>(s: &mut S, i: Insn, w: u8, base: u32, offset: i64, write: bool) -> S::V {
    let base = x(s, base);
    if i.mode & mode::STRICT != 0 {
        let offset = k(s, i, offset);
        let addr = s.op2(Op::Add, i.xlen(), base, offset);
        s.aligned(w, addr, write);
        return addr;
    }
    s.address(i.xlen(), base, offset as u64 & mask(i.xlen()))
}

/// What an instruction of one width leaves to its lifter: 64 bits, or 32 that are sign-extended.
pub fn result<S: Sem>(s: &mut S, i: Insn, w: u8, n: u32, v: S::V) -> Lift {
    if w == 64 {
        done(s, i, n, v)
    } else {
        done_w(s, i, n, v)
    }
}
