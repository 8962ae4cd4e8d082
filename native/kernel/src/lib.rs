//! What Linux is to a guest: system calls, signals, processes, the stack of a new program.
//!
//! It sees a guest through [`qusr_cpu::CpuCore`] and its memory through
//! [`qusr_memory::AddressSpace`]; how a core runs guest code is nothing to it.
//! `docs/internals.md` describes how the parts meet.

use qusr_cpu as cpu;
use qusr_memory as memory;

pub mod abi;
pub mod linux;
pub mod loader;
pub mod process;
pub mod seccomp;
pub mod signal;
pub mod thunk;
