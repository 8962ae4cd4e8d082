//! Translates guest code to host code: a [`CpuCore`] for every guest with a lifter.
//!
//! A library by itself: it knows guest memory and the store of translations, but neither processes
//! nor system calls, and no guest. What it needs of one is the trait [`guest::Guest`], whose
//! lifters speak [`ir`]. The host's code generator and the cache of what it made are its own.
//! `docs/native-translator.md` describes it.
//!
//! [`CpuCore`]: qusr_cpu::CpuCore

use qusr_cpu as cpu;
use qusr_memory::{self as memory, shared};
use qusr_store::{self as store, crc32};

mod cache;
mod engine;
pub mod guest;
mod host;
pub mod ir;
#[cfg(test)]
mod layers;
mod pages;

pub use engine::survey::Survey;
pub use engine::{
    Fallback, Log, LogItem, NativeConfig, Options, forget_stocks, keep_stocks, open, regions_made,
    stock, stop_for_fork,
};
pub use host::check_host;
