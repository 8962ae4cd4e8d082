//! `load`: a prepared program becomes a guest process ([`qusr_machine::start::load`]).

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::super::machine::PyMachine;
use super::super::memory::PyAddressSpace;
use super::super::native::log_to;
use super::super::process::PyProcess;
use super::super::thread::PyThread;
use super::load_error;
use super::{PyImage, PyPrepared, PyStack};
use qusr_kernel::thunk::exec::OwnExe;
use qusr_machine::start::load::{Refusal, Settings, load as load_program};

/// A process with its program, ready to run.
#[pyclass(name = "Loaded", module = "qusr._native", frozen, get_all)]
pub struct PyLoaded {
    image: Py<PyImage>,
    stack: Py<PyStack>,
    process: Py<PyProcess>,
    thread: Py<PyThread>,
    /// The program's path on the host.
    exe: Py<PyBytes>,
}

/// Fills an empty address space; see [`load_program`]. LoadError; ValueError: there is no such core.
#[pyfunction]
#[pyo3(signature = (prepared, envp, machine, space, *, stack_size, library, own_exe, release, seed, store, before, log))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub fn load(
    py: Python<'_>,
    prepared: &PyPrepared,
    envp: Vec<Vec<u8>>,
    machine: &PyMachine,
    space: &PyAddressSpace,
    stack_size: u64,
    library: PathBuf,
    own_exe: (Vec<u8>, u64, u64),
    release: Option<Vec<u8>>,
    seed: Option<u64>,
    store: Option<Vec<u8>>,
    before: Option<&PyProcess>,
    log: Option<Py<PyAny>>,
) -> PyResult<PyLoaded> {
    let (path, dev, ino) = own_exe;
    let settings = Settings {
        stack_size,
        release,
        seed,
        store,
        library,
        own_exe: Arc::new(OwnExe { path, dev, ino }),
    };
    let before = before.map(|before| &*before.inner);
    let log = log.map(log_to);
    let loaded = prepared.with(|prepared| {
        load_program(
            prepared,
            &envp,
            &machine.0,
            &space.space,
            &settings,
            before,
            log,
        )
    })?;
    let loaded = loaded.map_err(|refusal| match refusal {
        Refusal::Load(error) => load_error(py, &error),
        Refusal::Usage(why) => PyValueError::new_err(why),
    })?;
    let inner = loaded.process;
    Ok(PyLoaded {
        image: Py::new(py, PyImage(loaded.image))?,
        stack: Py::new(py, PyStack(loaded.stack))?,
        process: Py::new(py, PyProcess { inner })?,
        thread: Py::new(py, PyThread::from(loaded.thread))?,
        exe: PyBytes::new(py, &loaded.exe).unbind(),
    })
}
