//! The guest address space.
//!
//! Guest address `a` is host address `base + a`. [`AddressSpace`] owns a large
//! `PROT_NONE` reservation of the host (the *window*: its core, and what was taken
//! beyond it; `reserve.rs` says where and why) and an ordered set of regions that
//! says what of it the guest has mapped, with which protection and backing. Every
//! mapping call of the guest goes through it.
//!
//! * A host mapping has the guest's protection *without* `PROT_EXEC`, since the host
//!   never executes guest bytes. So a pointer given straight to the host kernel
//!   gets the EFAULT that the guest's own kernel would give.
//! * What the guest unmaps becomes reservation again in the same host call, so there
//!   is never a moment in which the emulator's own `malloc` could land in the window.
//! * Changes are announced to the cores, see [`notice`].
//!
//! # Locks
//! There are two, taken in this order, and never while Python code runs:
//! 1. `AddressSpace::maps`, a `RwLock` around the regions;
//! 2. the mutex around what the readers have not taken yet, in [`notice`].
//!
//! A thread that forks takes both with [`AddressSpace::lock_for_fork`], so that the
//! child finds them free and the regions whole. Neither may be taken in a signal handler.

mod advise;
mod brk;
mod capacity;
mod copy;
pub mod fault;
mod file;
mod gaps;
pub mod granules;
mod host_maps;
mod kernel_words;
mod library;
mod lock;
mod low;
mod map;
mod map_files;
mod names;
mod nonlinear;
pub mod notice;
mod proc_maps;
mod region;
mod regions;
mod remap;
mod reserve;
mod segments;
pub mod shared;
mod shm;
mod space;
pub mod spare;
pub mod tags;
mod transfer;
mod types;
mod window;

#[cfg(test)]
mod tests;

pub use map::{MmapRequest, PROT_BTI, PROT_MTE};
pub use map_files::FileRange;
pub use notice::NoticeReader;
pub use region::{Backing, Flags, Region};
pub use space::{AddressSpace, SpaceConfig};
pub use types::{Efault, Errno, PAGE_SIZE, Prot};
