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
use super::thread::{self, PyThread};
use qusr_kernel::process::Stop;
use qusr_kernel::signal::host;
use qusr_machine::start::crew::Crew;
use qusr_machine::start::vfork::Slot;
use qusr_machine::start::{self, Started};

/// A running guest for `Process._adopt`.
#[pyclass(name = "EarlyStart", module = "qusr._native", frozen, get_all)]
pub struct PyEarlyStart {
    memory: Py<PyAddressSpace>,
    machine: Py<PyMachine>,
    process: Py<PyProcess>,
    /// The thread that has started Python, and those that run besides.
    arrival: Py<PyArrival>,
    others: Vec<i32>,
    /// The status of the thread that has ended last.
    last_status: i32,
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
    state: Py<PyCrew>,
}

/// The guest's threads.
#[pyclass(frozen)]
pub struct PyCrew(Arc<Crew>);

/// A thread that has run without Python and needs it.
#[pyclass(name = "Arrival", module = "qusr._native", frozen, get_all)]
pub struct PyArrival {
    thread: Py<PyThread>,
    /// A vfork's child that needs Python while its parent, which the thread is, waits for it.
    borrowed: Option<Py<PyBorrowed>>,
    state: Py<PyPaused>,
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

/// Where a thread was stopped.
#[pyclass(frozen)]
pub struct PyPaused {
    stop: Stop,
    blocked: u64,
}

#[pymethods]
impl PyEarlyStart {
    /// Python has taken note of all threads: another one that needs it is given to `arrive(arrival)`, on its own
    /// host thread, and has ended when that returns.
    fn open(&self, arrive: Py<PyAny>) {
        let arrives = move |started| {
            thread::call(|py| arrive.call1(py, (arrival(py, started)?,)));
        };
        self.state.get().0.open(Arc::new(arrives));
    }
}

#[pymethods]
impl PyArrival {
    /// Lets the signals come that wait since Python was started. Gives the stop that Python has to decide, as
    /// `Thread.run` does.
    fn resume<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let state = self.state.get();
        if state.stop != Stop::Doomed {
            host::set_mask(state.blocked);
        }
        if self.borrowed.is_some() {
            return ("borrowed",).into_pyobject(py);
        }
        describe(py, &state.stop)
    }
}

/// What Python's start has changed about signals is the guest's again, even what came meanwhile.
pub(super) fn take_signals_back(py: Python<'_>) {
    start::take_signals_back();
    if py.check_signals().is_err() {
        // SAFETY: touches no memory.
        unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
    }
}

/// Ends the calling host thread for the kernel, which has started Python and is not the first: to Python it stays.
#[pyfunction]
pub fn end_thread(py: Python<'_>) {
    py.detach(|| {
        loop {
            // SAFETY: ends the thread; the stack and thread-local variables stay.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
    });
}

/// The paths of this library, which another start like this process's executes, and of the one that Python was loaded
/// from; None: Python was there first.
#[pyfunction]
pub fn late_python(py: Python<'_>) -> Option<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)> {
    let bytes = |path| PyBytes::new(py, path);
    start::late_python().map(|(extension, library)| (bytes(extension), bytes(library)))
}

/// The guest that was started; None: there is none.
#[pyfunction]
pub fn early_start(py: Python<'_>) -> PyResult<Option<PyEarlyStart>> {
    let started = start::take_started();
    started.map(|started| adopt(py, *started)).transpose()
}

fn arrival(py: Python<'_>, started: Started) -> PyResult<PyArrival> {
    let blocked = started.thread.signals.blocked;
    let state = PyPaused {
        stop: started.stop,
        blocked,
    };
    let borrowed = started.borrowed.map(|borrowed| {
        let state = PyNeeds {
            stop: borrowed.stop,
            slot: borrowed.slot,
        };
        Py::new(
            py,
            PyBorrowed {
                made: Py::new(py, share::made(borrowed.made))?,
                thread: Py::new(py, PyThread::from(borrowed.thread))?,
                state: Py::new(py, state)?,
            },
        )
    });
    Ok(PyArrival {
        borrowed: borrowed.transpose()?,
        thread: Py::new(py, PyThread::from(started.thread))?,
        state: Py::new(py, state)?,
    })
}

fn adopt(py: Python<'_>, started: Started) -> PyResult<PyEarlyStart> {
    let bytes = |data: &[u8]| PyBytes::new(py, data).unbind();
    let list = |strings: &[Vec<u8>]| strings.iter().map(|text| bytes(text)).collect();
    let (crew, program) = (Arc::clone(&started.crew), Arc::clone(&started.program));
    let own = &program.own_exe;
    let inner = Arc::clone(&started.thread.process);
    Ok(PyEarlyStart {
        argv: list(&program.argv),
        envp: list(&program.envp),
        execfn: bytes(&program.execfn),
        exe: bytes(&program.exe),
        own_exe: (bytes(&own.path), own.dev, own.ino),
        sysroot: bytes(&program.sysroot),
        guest: program.machine.rules.name,
        image: Py::new(py, PyImage(program.image.clone()))?,
        stack: Py::new(py, PyStack(program.stack.clone()))?,
        read_implies_exec: program.read_implies_exec,
        forked: started.forked,
        others: crew.others(),
        last_status: crew.last_status(),
        state: Py::new(py, PyCrew(crew))?,
        memory: Py::new(
            py,
            PyAddressSpace {
                space: Arc::clone(&program.space),
            },
        )?,
        machine: Py::new(py, PyMachine(Arc::clone(&program.machine)))?,
        process: Py::new(py, PyProcess { inner })?,
        arrival: Py::new(py, arrival(py, started)?)?,
    })
}
