//! A guest process and its threads: what stands between the CPU core, the
//! system-call thunks and Python.

mod builtin;
mod thread;

use std::sync::{Arc, RwLock};

pub use thread::{GuestThread, Stop};

use crate::memory::AddressSpace;
use crate::thunk::exec::OwnExe;
use crate::thunk::path::Sysroot;
use crate::thunk::table::{MAX_SLOTS, Table};

/// Which registers a guest's kernel interface uses, by `Regs` number.
#[derive(Clone, Debug)]
pub struct GuestRegs {
    pub number: u32,
    pub args: [u32; MAX_SLOTS],
    pub result: u32,
    pub pc: u32,
    pub sp: u32,
    /// The thread pointer that `set_tls` writes.
    pub tls: u32,
    /// The status register whose `thumb_bit` makes system-call instructions 2 bytes long.
    pub status: u32,
    pub thumb_bit: u64,
}

/// What the threads of a guest process share.
pub struct Process {
    pub space: Arc<AddressSpace>,
    pub table: RwLock<Arc<Table>>,
    pub sysroot: RwLock<Option<Arc<Sysroot>>>,
    pub own_exe: RwLock<Arc<OwnExe>>,
    pub regs: GuestRegs,
}

impl Process {
    /// A process with an empty thunk table's worth of state; the table comes from Python.
    #[must_use]
    pub fn new(space: Arc<AddressSpace>, table: Table, regs: GuestRegs) -> Arc<Self> {
        Arc::new(Self {
            space,
            table: RwLock::new(Arc::new(table)),
            sysroot: RwLock::new(None),
            own_exe: RwLock::new(Arc::new(OwnExe::default())),
            regs,
        })
    }
}

/// Reads a lock's value; a poisoned lock (a panic elsewhere) still has a whole value.
pub(crate) fn shared<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone()
}
