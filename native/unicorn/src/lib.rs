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
mod same_libc;
mod setup;
mod stops;
mod trap;
mod turn;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use cpu::{CpuCore, Emulate};
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
    #[must_use]
    pub fn is_aarch64(self) -> bool {
        matches!(self, Self::Aarch64 | Self::Aarch64Be)
    }
}

/// What the core needs to know; the facts come from `qusr/arch/`.
#[derive(Clone)]
pub struct UnicornConfig {
    /// `libunicorn.so.2`.
    pub library: PathBuf,
    pub guest: Guest,
    /// `UC_CPU_ARM_*` or `UC_CPU_ARM64_*`.
    pub model: i32,
    /// What the kernel carries out.
    pub emulate: Option<Emulate>,
    /// What the CPU model has, for the native core: its architecture's version and its features by their names
    /// in /proc/cpuinfo. Unicorn goes by the model.
    pub features: Vec<String>,
}

pub use turn::AllStopped;

/// Opens a core over `space` with all registers 0.
pub fn open(config: &UnicornConfig, space: Arc<AddressSpace>) -> Result<Box<dyn CpuCore>, String> {
    Ok(Box::new(core::UnicornCore::open(config.clone(), space)?))
}
