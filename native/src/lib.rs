//! The Rust half of qusr: guest memory, CPU cores and system-call thunks.
//!
//! Everything under this crate but [`python`] is free of Python, so that it can
//! be tested with `cargo test --no-default-features` and, later, be linked into
//! a native launcher. `docs/internals.md` describes how the parts meet.

pub mod abi;
pub mod cache;
pub mod cpu;
pub mod crc32;
pub mod guest;
pub mod host;
pub mod ir;
pub mod launcher;
pub mod loader;
pub mod memory;
pub mod process;
#[cfg(feature = "python")]
mod python;
pub mod seccomp;
pub mod shared;
pub mod signal;
pub mod start;
pub mod store;
pub mod thunk;
