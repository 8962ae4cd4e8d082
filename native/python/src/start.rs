//! `qusr._native.early_start`: what the start without Python came to.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::loader::{PyImage, PyStack};
use super::machine::PyMachine;
use super::memory::PyAddressSpace;
use super::process::PyProcess;
use super::share::{self, PyMade};
use super::stop::describe;
use super::thread::PyThread;
use qusr_kernel::process::Stop;
use qusr_kernel::signal::dispositions::Dispositions;
use qusr_kernel::signal::host;
use qusr_machine::start::vfork::Slot;
use qusr_machine::start::{self, Started};

/// A running guest for `Process._adopt`.
#[pyclass(name = "EarlyStart", module = "qusr._native", frozen, get_all)]
pub struct PyEarlyStart {
    memory: Py<PyAddressSpace>,
    machine: Py<PyMachine>,
    process: Py<PyProcess>,
    thread: Py<PyThread>,
    argv: Vec<Py<PyBytes>>,
    envp: Vec<Py<PyBytes>>,
    /// As it was given to execve.
    execfn: Py<PyBytes>,
    /// The program's path on the host, and (path, `st_dev`, `st_ino`) of the emulator's own.
    exe: Py<PyBytes>,
    own_exe: (Py<PyBytes>, u64, u64),
    /// The sysroot, or nothing.
    sysroot: Py<PyBytes>,
    /// The guest's name.
    guest: &'static str,
    image: Py<PyImage>,
    stack: Py<PyStack>,
    read_implies_exec: bool,
    /// It is a forked child that has not executed a program yet.
    forked: bool,
    state: Py<PyPaused>,
    /// A vfork's child that needs Python while its parent, which the guest is, waits for it.
    borrowed: Option<Py<PyBorrowed>>,
}

/// See [`Borrowed`].
#[pyclass(name = "Borrowed", module = "qusr._native", frozen, get_all)]
pub struct PyBorrowed {
    made: Py<PyMade>,
    thread: Py<PyThread>,
    state: Py<PyNeeds>,
}

/// What it needs.
#[pyclass(frozen)]
pub struct PyNeeds {
    stop: Stop,
    slot: Arc<Slot>,
}

#[pymethods]
impl PyBorrowed {
    /// The stop that Python has to decide, as `Thread.run` gives it.
    fn stop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        describe(py, &self.state.get().stop)
    }

    /// The child goes on: `body(loan)` is its life, and `after(in_order)` is called when it is gone.
    fn take_over(&self, body: Py<PyAny>, after: Py<PyAny>) {
        share::take_over(&self.state.get().slot, body, after);
    }
}

/// Where the guest was stopped.
#[pyclass(frozen)]
pub struct PyPaused {
    stop: Stop,
    dispositions: Dispositions,
    blocked: u64,
}

#[pymethods]
impl PyEarlyStart {
    /// Takes back what Python's start has changed of the signals, and lets them come again. Gives the
    /// stop that Python has to decide, as `Thread.run` does.
    fn resume<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let state = self.state.get();
        state.dispositions.restore();
        host::set_mask(state.blocked);
        if self.borrowed.is_some() {
            return ("borrowed",).into_pyobject(py);
        }
        describe(py, &state.stop)
    }
}

/// The guest that was started; None: there is none.
#[pyfunction]
pub fn early_start(py: Python<'_>) -> PyResult<Option<PyEarlyStart>> {
    let started = start::take_started();
    started.map(|started| adopt(py, *started)).transpose()
}

fn adopt(py: Python<'_>, started: Started) -> PyResult<PyEarlyStart> {
    let bytes = |data: &[u8]| PyBytes::new(py, data).unbind();
    let list = |strings: &[Vec<u8>]| strings.iter().map(|text| bytes(text)).collect();
    let state = PyPaused {
        stop: started.stop,
        dispositions: started.dispositions,
        blocked: started.thread.signals.blocked,
    };
    let own = &started.own_exe;
    let signals = &started.thread.signals;
    let (mailbox, blocked) = (signals.mailbox.clone(), signals.blocked);
    let borrowed = started.borrowed.map(|borrowed| {
        let state = PyNeeds {
            stop: borrowed.stop,
            slot: borrowed.slot,
        };
        Py::new(
            py,
            PyBorrowed {
                made: Py::new(py, share::made(borrowed.made, mailbox, blocked))?,
                thread: Py::new(py, PyThread::from(borrowed.thread))?,
                state: Py::new(py, state)?,
            },
        )
    });
    let borrowed = borrowed.transpose()?;
    Ok(PyEarlyStart {
        argv: list(&started.argv),
        envp: list(&started.envp),
        execfn: bytes(&started.execfn),
        exe: bytes(&started.exe),
        own_exe: (bytes(&own.path), own.dev, own.ino),
        sysroot: bytes(&started.sysroot),
        guest: started.machine.rules.name,
        image: Py::new(py, PyImage(started.image))?,
        stack: Py::new(py, PyStack(started.stack))?,
        read_implies_exec: started.read_implies_exec,
        forked: started.forked,
        state: Py::new(py, state)?,
        borrowed,
        memory: Py::new(
            py,
            PyAddressSpace {
                space: Arc::clone(&started.space),
            },
        )?,
        machine: Py::new(py, PyMachine(started.machine))?,
        process: Py::new(
            py,
            PyProcess {
                inner: started.process,
            },
        )?,
        thread: Py::new(py, PyThread::from(started.thread))?,
    })
}
