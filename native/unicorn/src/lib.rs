//! The core that runs guest code on the Unicorn engine (QEMU's TCG as a library).
//!
//! One engine per guest thread. It is told of the whole address space as one block
//! of host memory, and asks for the protection of a page when it first touches it
//! ([`core`]'s TLB-fill callback); a guest `mmap` therefore only flushes its TLB. Guest code
//! runs at user level (EL0, USR mode), so that what is privileged is undefined to it.

mod core;
pub mod engine;
mod family;
mod ffi;
pub mod guest;
mod interrupt;
mod probe;
mod raised;
mod rescue;
mod same_libc;
mod setup;
mod stops;
mod target;
mod turn;

use std::path::PathBuf;
use std::sync::Arc;

use cpu::{CpuCore, Emulate};
use memory::AddressSpace;
use qusr_cpu as cpu;
use qusr_memory::{self as memory, shared};

pub use guest::Guest;

/// What the core needs to know; the facts come from `qusr/arch/`.
#[derive(Clone)]
pub struct UnicornConfig {
    /// `libunicorn.so.2`.
    pub library: PathBuf,
    pub guest: &'static dyn Guest,
    /// `UC_CPU_*` of its architecture.
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
