//! `qusr._native.Process`: what the threads of a guest process share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::cpu::guest_named;
use super::memory::{PyAddressSpace, os_error};
use qusr_cpu::{Stops, Watch};
use qusr_kernel::process::Process;
use qusr_kernel::signal::host::{self};
use qusr_kernel::thunk::table::Table;

/// The declarations of an ABI, ready for use. For tests: a machine has its own.
#[pyclass(name = "Table", module = "qusr._native", frozen)]
pub struct PyTable {
    inner: Arc<Table>,
}

#[pymethods]
impl PyTable {
    #[new]
    fn new(data: Vec<u8>) -> PyResult<Self> {
        let table = Table::parse(data).map_err(PyValueError::new_err)?;
        table.check().map_err(PyValueError::new_err)?;
        Ok(Self {
            inner: Arc::new(table),
        })
    }
}

/// What the threads of one guest process share.
#[pyclass(name = "Process", module = "qusr._native", frozen)]
pub struct PyProcess {
    pub(super) inner: Arc<Process>,
}

#[pymethods]
impl PyProcess {
    /// One without a program, for tests; `guest` is its name in the list of guests.
    #[new]
    fn new(space: &PyAddressSpace, table: &PyTable, guest: &str) -> PyResult<Self> {
        let table = Arc::clone(&table.inner);
        let linux = guest_named(guest)?.linux;
        let inner =
            Process::new(space.space.clone(), table, linux, None, false).map_err(os_error)?;
        Ok(Self { inner })
    }

    /// From now on clocks are read by system calls.
    fn calls_for_clocks(&self) {
        self.inner.calls_for_clocks();
    }

    /// Its program runs no more: guests may write to the file.
    fn runs_no_more(&self) {
        self.inner.runs_no_more();
    }

    /// Has its threads come back with "stop" before these instructions, with "watched", "written" or "read" for accesses
    /// to these ranges (start, size, reads, writes), and with "block" before each block. It holds from the next run of each
    /// of them on.
    fn set_stops(&self, code: Vec<u64>, data: Vec<(u64, u64, bool, bool)>, blocks: bool) {
        let watch = |(start, len, reads, writes)| Watch {
            start,
            len,
            reads,
            writes,
        };
        let mut stops = Stops {
            code,
            data: data.into_iter().map(watch).collect(),
            blocks,
            ..Stops::default()
        };
        stops.code.sort_unstable();
        stops.code.dedup();
        self.inner.debugged.set_own(stops);
    }

    /// Whether waits for children are Python's, because threads of this process trace others.
    fn set_tracing(&self, on: bool) {
        self.inner.marks.traces.store(on, Ordering::Relaxed);
    }

    /// Hands calls on the file (st_dev, st_ino), which stands for /proc/self/mem, to Python.
    fn add_memory_file(&self, dev: u64, ino: u64) {
        self.inner.marks.add_memory_file(dev, ino);
    }

    /// The guest's limit (soft, hard), which for a few is not the host's. OSError: there is none.
    fn limit(&self, resource: u32) -> PyResult<(u64, u64)> {
        let limit = self.inner.limit(resource);
        limit.map_err(os_error)
    }

    /// The limits that are kept here and that the guest has set: (number, soft, hard).
    fn own_limits(&self) -> Vec<(u32, u64, u64)> {
        self.inner.own_limits()
    }

    /// Goes on with those of the program that was here before an execve.
    fn set_own_limits(&self, limits: Vec<(u32, u64, u64)>) {
        self.inner.set_own_limits(&limits);
    }

    /// Python has imported what it may need when its files are out of reach.
    fn set_preloaded(&self) {
        self.inner.ready.set_complete();
    }

    /// The emulator opens no file any more that a guest can listen to.
    fn set_listened(&self) {
        self.inner.ready.set_listened();
    }

    /// The process ends: who waits for a robust futex of its threads is told.
    fn give_up_robust_futexes(&self) {
        self.inner.give_up_all_robust_futexes();
    }

    /// Deaths of signals without a handler are to come to Python too.
    fn watch_deaths(&self) {
        host::watch_deaths();
        self.inner.actions.core_limit_changed();
    }

    /// So is one of SIGQUIT.
    fn watch_quit(&self) {
        host::watch_quit();
        self.inner.actions.core_limit_changed();
    }

    /// From now on the process dies of signals where it holds no lock that others wait for.
    fn die_orderly(&self) {
        self.inner.actions.die_orderly();
    }

    /// CLONE_CLEAR_SIGHAND, and execve: handlers become SIG_DFL.
    fn reset_actions(&self) {
        self.inner.actions.reset_for_exec();
    }

    /// The name of a call in the thunk table.
    fn call_name(&self, number: u64) -> PyResult<Option<String>> {
        let table = self.inner.table.read().map_err(poisoned)?;
        Ok(table.get(number).map(|call| call.name.clone()))
    }
}

pub(super) fn poisoned<T>(_: std::sync::PoisonError<T>) -> PyErr {
    PyRuntimeError::new_err("a thread of the emulator panicked")
}
