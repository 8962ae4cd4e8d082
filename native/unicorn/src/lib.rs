//! The core that runs guest code on the Unicorn engine (QEMU's TCG as a library).
//!
//! One engine per guest thread. It is told of the whole address space as one block
//! of host memory, and asks for the protection of a page when it first touches it
//! ([`core`]'s TLB-fill callback); a guest `mmap` therefore only flushes its TLB. Guest code
//! runs at user level (EL0, USR mode), so that what is privileged is undefined to it.

mod core;
mod family;
mod ffi;
mod interrupt;
mod probe;
mod regs;
mod rescue;
mod setup;
mod stops;
mod trap;
mod turn;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use cpu::CpuCore;
use memory::AddressSpace;
use qusr_cpu as cpu;
use qusr_memory::{self as memory, shared};

/// The guests that this core can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    Arm,
    /// Big-endian data, little-endian code (ARMv6 and later).
    ArmBe8,
    /// Big-endian data and code.
    ArmBe32,
    Aarch64,
    Aarch64Be,
}

impl Guest {
    /// By the name that Python uses.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "arm" => Self::Arm,
            "arm-be8" => Self::ArmBe8,
            "arm-be32" => Self::ArmBe32,
            "aarch64" => Self::Aarch64,
            "aarch64-be" => Self::Aarch64Be,
            _ => return None,
        })
    }

    #[must_use]
    pub fn is_aarch64(self) -> bool {
        matches!(self, Self::Aarch64 | Self::Aarch64Be)
    }
}

/// What the core needs to know; the facts come from `qusr/arch/`.
#[derive(Clone, Debug)]
pub struct UnicornConfig {
    /// `libunicorn.so.2`.
    pub library: PathBuf,
    pub guest: Guest,
    /// `UC_CPU_ARM_*` or `UC_CPU_ARM64_*`.
    pub model: i32,
    /// AArch64: the ID registers that differ from 0, by [`system_register`], as user code sees them.
    pub id_registers: Vec<(u16, u64)>,
}

pub use trap::system_register;

/// An AArch64 instruction that reads an ID register for a program: the register that gets the
/// value (None: XZR), and the value.
pub fn read_of_id_register(known: &[(u16, u64)], insn: u32) -> Option<(Option<u32>, u64)> {
    let trap::A64Trap::ReadId { id, rt } = trap::a64_undefined(insn) else {
        return None;
    };
    let value = trap::id_register(known, id)?;
    Some(((rt != 31).then_some(u32::from(rt)), value))
}
pub use turn::AllStopped;

/// Opens a core over `space` with all registers 0.
pub fn open(config: &UnicornConfig, space: Arc<AddressSpace>) -> Result<Box<dyn CpuCore>, String> {
    Ok(Box::new(core::UnicornCore::open(config.clone(), space)?))
}
