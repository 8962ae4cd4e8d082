//! The Rust half of qusr: guest memory, CPU cores and system-call thunks.
//!
//! Everything in this crate but `python` is free of Python, so that it can be tested with
//! `cargo test --no-default-features`. `docs/internals.md` describes how the parts meet.

// Without the bindings, much is there for nobody but the tests.
#![cfg_attr(not(feature = "python"), allow(dead_code, unused_imports))]

mod abi;
mod cache;
mod cpu;
mod crc32;
mod guest;
mod host;
mod ir;
mod launcher;
mod loader;
mod memory;
mod process;
#[cfg(feature = "python")]
mod python;
mod seccomp;
mod shared;
mod signal;
mod spare;
mod start;
mod store;
mod thunk;

#[global_allocator]
static MEMORY: spare::Spare = spare::Spare::new();
