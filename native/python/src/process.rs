//! `qusr._native.Process`: what the threads of a guest process share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::cpu::guest_named;
use super::machine::PyMachine;
use super::memory::{PyAddressSpace, os_error};
use qusr_kernel::process::Process;
use qusr_kernel::signal::host::{self};
use qusr_kernel::thunk::exec::OwnExe;
use qusr_kernel::thunk::path::Sysroot;
use qusr_kernel::thunk::procfs::Facts;
use qusr_kernel::thunk::table::Table;

/// The declarations of an ABI, ready for use: parsed once, and used by each program after an execve.
#[pyclass(name = "Table", module = "qusr._native", frozen)]
pub struct PyTable {
    inner: Arc<Table>,
}

impl From<Arc<Table>> for PyTable {
    fn from(inner: Arc<Table>) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl PyTable {
    #[new]
    fn new(data: &[u8]) -> PyResult<Self> {
        let inner = Arc::new(Table::parse(data).map_err(PyValueError::new_err)?);
        Ok(Self { inner })
    }
}

/// What the threads of one guest process share.
#[pyclass(name = "Process", module = "qusr._native", frozen)]
pub struct PyProcess {
    pub(super) inner: Arc<Process>,
}

#[pymethods]
impl PyProcess {
    /// `guest` is its name in the list of guests; `before`: what ran here until an execve.
    #[new]
    #[pyo3(signature = (space, table, guest, before = None))]
    fn new(
        space: &PyAddressSpace,
        table: &PyTable,
        guest: &str,
        before: Option<&Self>,
    ) -> PyResult<Self> {
        let table = Arc::clone(&table.inner);
        let linux = guest_named(guest)?.linux;
        let before = before.map(|before| &*before.inner);
        let inner = Process::new(space.space.clone(), table, linux, before).map_err(os_error)?;
        Ok(Self { inner })
    }

    /// The program of an open file runs in this process: guests that want to write to it get ETXTBSY.
    fn runs(&self, fd: i32, path: PathBuf) {
        self.inner.runs(fd, &path);
    }

    /// It does so no more.
    fn runs_no_more(&self) {
        self.inner.runs_no_more();
    }

    /// The directory that stands for the guest's `/`; None takes it away.
    fn set_sysroot(&self, prefix: Option<std::path::PathBuf>) -> PyResult<()> {
        let sysroot = prefix
            .map(|prefix| Sysroot::new(&prefix))
            .transpose()?
            .map(Arc::new);
        *self.inner.sysroot.write().map_err(poisoned)? = sysroot;
        Ok(())
    }

    /// Takes over the sysroot and the limits of the program that ran here before (execve).
    fn inherit(&self, before: &Self) {
        self.inner.follow(&before.inner);
    }

    /// The emulator's own executable: its path, st_dev and st_ino.
    fn set_own_exe(&self, path: Vec<u8>, dev: u64, ino: u64) -> PyResult<()> {
        *self.inner.own_exe.write().map_err(poisoned)? = Arc::new(OwnExe { path, dev, ino });
        Ok(())
    }

    /// Whether waits for children are Python's, because threads of this process trace others.
    fn set_tracing(&self, on: bool) {
        self.inner.marks.traces.store(on, Ordering::Relaxed);
    }

    /// Hands calls on the file (st_dev, st_ino), which stands for /proc/self/mem, to Python.
    fn add_memory_file(&self, dev: u64, ino: u64) {
        self.inner.marks.add_memory_file(dev, ino);
    }

    /// See [`Facts`].
    fn set_facts(
        &self,
        exe: Vec<u8>,
        code: u64,
        auxv: Vec<u8>,
        root: Vec<u8>,
        machine: &PyMachine,
        release: Option<Vec<u8>>,
    ) -> PyResult<()> {
        let cpu = &machine.0.cpu;
        *self.inner.facts.write().map_err(poisoned)? = Arc::new(Facts {
            exe,
            code,
            auxv,
            root,
            machine: cpu.uname.as_bytes().to_vec(),
            release,
            cpuinfo: cpu.cpuinfo.clone(),
        });
        Ok(())
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
        self.inner.preloaded.store(true, Ordering::Relaxed);
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
