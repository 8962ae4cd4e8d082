//! The guest's register numbers (see `docs/internals.md`) as unicorn's register ids.

use std::ffi::c_int;

use super::Guest;

/// How a register is held by unicorn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Bits32,
    Bits64,
    Bits128,
}

/// Unicorn's id of a register and its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UcReg {
    pub id: c_int,
    pub width: Width,
}

const fn reg32(id: c_int) -> Option<UcReg> {
    Some(UcReg {
        id,
        width: Width::Bits32,
    })
}

const fn reg64(id: c_int) -> Option<UcReg> {
    Some(UcReg {
        id,
        width: Width::Bits64,
    })
}

/// AArch64 ids of `arm64.h`.
pub mod a64 {
    use std::ffi::c_int;
    pub const X0: c_int = 199;
    pub const X29: c_int = 1;
    pub const X30: c_int = 2;
    pub const SP: c_int = 4;
    pub const Q0: c_int = 104;
    pub const PC: c_int = 260;
    pub const CPACR_EL1: c_int = 261;
    pub const TPIDR_EL0: c_int = 262;
    pub const PSTATE: c_int = 265;
    pub const CP_REG: c_int = 290;
    pub const FPCR: c_int = 291;
    pub const FPSR: c_int = 292;

    /// Our numbers of the registers that the core itself needs.
    pub const REG_PC: u32 = 32;
    pub const REG_PSTATE: u32 = 33;
    pub const REG_COUNT: u32 = 69;
}

/// AArch32 ids of `arm.h`.
pub mod a32 {
    use std::ffi::c_int;
    pub const CPSR: c_int = 3;
    pub const FPEXC: c_int = 4;
    pub const FPSCR: c_int = 6;
    pub const R14: c_int = 10;
    pub const R15: c_int = 11;
    pub const R13: c_int = 12;
    pub const D0: c_int = 14;
    pub const R0: c_int = 66;
    pub const CPACR: c_int = 111;
    pub const TPIDRURO: c_int = 113;
    pub const CP_REG: c_int = 139;
    pub const ESR: c_int = 140;

    /// Our numbers of the registers that the core itself needs.
    pub const REG_PC: u32 = 15;
    pub const REG_CPSR: u32 = 16;
    pub const REG_COUNT: u32 = 51;
}

/// The register that number `reg` means; `None` for the program counter and status
/// registers, which need more than a copy, and for numbers that mean nothing.
pub fn plain(guest: Guest, reg: u32) -> Option<UcReg> {
    let n = reg as c_int;
    if guest.is_aarch64() {
        match reg {
            0..=28 => reg64(a64::X0 + n),
            29 => reg64(a64::X29),
            30 => reg64(a64::X30),
            31 => reg64(a64::SP),
            34..=65 => Some(UcReg {
                id: a64::Q0 + n - 34,
                width: Width::Bits128,
            }),
            66 => reg32(a64::FPSR),
            67 => reg32(a64::FPCR),
            68 => reg64(a64::TPIDR_EL0),
            _ => None,
        }
    } else {
        match reg {
            0..=12 => reg32(a32::R0 + n),
            13 => reg32(a32::R13),
            14 => reg32(a32::R14),
            17..=48 => reg64(a32::D0 + n - 17),
            49 => reg32(a32::FPSCR),
            50 => reg32(a32::TPIDRURO),
            _ => None,
        }
    }
}

/// How many register numbers the guest has.
pub fn count(guest: Guest) -> u32 {
    if guest.is_aarch64() {
        a64::REG_COUNT
    } else {
        a32::REG_COUNT
    }
}

/// The number of the program counter.
pub fn pc(guest: Guest) -> u32 {
    if guest.is_aarch64() {
        a64::REG_PC
    } else {
        a32::REG_PC
    }
}

/// The number of the status register (PSTATE, CPSR).
pub fn status(guest: Guest) -> u32 {
    if guest.is_aarch64() {
        a64::REG_PSTATE
    } else {
        a32::REG_CPSR
    }
}
