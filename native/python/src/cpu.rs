//! `qusr._native.Cpu`: one guest CPU as Python sees it.
//!
//! For tests and tools. A guest program is run by `Thread`, which owns its core in Rust.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::memory::PyAddressSpace;
use qusr_cpu::{CpuCore, Exit, Flow, Interrupter, Regs};
use qusr_guests as guests;
use qusr_unicorn::{self as unicorn, UnicornConfig};

/// The number of a system register, and its value.
pub type SystemRegister = (u32, u64);

/// The guest of this name.
pub fn guest_named(name: &str) -> PyResult<&'static guests::Entry> {
    guests::by_name(name).ok_or_else(|| PyValueError::new_err(format!("no such guest: {name}")))
}

/// From the arguments that Python passes, see `qusr/cpu/unicorn.py`.
pub fn unicorn_config(
    library: PathBuf,
    guest: &str,
    model: i32,
    system_registers: Vec<SystemRegister>,
    features: Vec<String>,
) -> PyResult<UnicornConfig> {
    let guest = guest_named(guest)?;
    Ok(UnicornConfig {
        library,
        guest: guest.unicorn,
        model,
        emulate: guest.emulation(system_registers),
        features,
    })
}

/// One guest CPU.
#[pyclass(name = "Cpu", module = "qusr._native")]
pub struct PyCpu {
    core: Box<dyn CpuCore>,
}

// SAFETY: every method takes `&mut self`, which PyO3 grants to one thread at a time.
unsafe impl Sync for PyCpu {}

/// What stopped a CPU, as a dict with `reason` and what belongs to it.
fn exit_dict(py: Python<'_>, exit: Exit) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    match exit {
        Exit::Syscall { imm } => {
            dict.set_item("reason", "syscall")?;
            dict.set_item("imm", imm)?;
        }
        Exit::Fault {
            addr,
            access,
            mapped,
            bus,
            align,
        } => {
            dict.set_item("reason", "fault")?;
            dict.set_item("addr", addr)?;
            dict.set_item("access", access.name())?;
            dict.set_item("mapped", mapped)?;
            dict.set_item("bus", bus)?;
            dict.set_item("align", align)?;
        }
        Exit::Undefined => dict.set_item("reason", "undefined")?,
        Exit::Breakpoint { imm } => {
            dict.set_item("reason", "breakpoint")?;
            dict.set_item("imm", imm)?;
        }
        Exit::Exception { code, .. } => {
            dict.set_item("reason", "exception")?;
            dict.set_item("code", code)?;
        }
        Exit::Stop | Exit::Watched { .. } | Exit::Block { .. } => {
            dict.set_item("reason", "stop")?
        }
        Exit::Interrupted => dict.set_item("reason", "interrupted")?,
    }
    Ok(dict)
}

/// [`Regs`] lent to a Python system-call callback, for as long as the call lasts.
#[pyclass(name = "CallRegs", module = "qusr._native", unsendable)]
pub struct PyCallRegs {
    regs: Option<*mut (dyn Regs + 'static)>,
}

impl PyCallRegs {
    fn regs(&mut self) -> PyResult<&mut (dyn Regs + 'static)> {
        let regs = self
            .regs
            .ok_or_else(|| PyValueError::new_err("the system call is over"))?;
        // SAFETY: `call_back` clears the pointer before the borrow ends.
        Ok(unsafe { &mut *regs })
    }
}

#[pymethods]
impl PyCallRegs {
    /// The register of this number.
    fn get(&mut self, id: u32) -> PyResult<u128> {
        Ok(self.regs()?.get_wide(id))
    }

    /// Sets the register of this number.
    fn set(&mut self, id: u32, value: u128) -> PyResult<()> {
        self.regs()?.set_wide(id, value);
        Ok(())
    }
}

/// Calls `callback(regs, imm)`; true from it means that the call is done.
fn call_back(callback: &Py<PyAny>, regs: &mut dyn Regs, imm: u32) -> PyResult<Flow> {
    Python::attach(|py| {
        // SAFETY: only the lifetime changes, and the pointer is cleared below.
        let regs = unsafe {
            std::mem::transmute::<*mut (dyn Regs + '_), *mut (dyn Regs + 'static)>(&raw mut *regs)
        };
        let lent = Py::new(py, PyCallRegs { regs: Some(regs) })?;
        let result = callback.call1(py, (&lent, imm));
        lent.borrow_mut(py).regs = None;
        let done = result?.is_truthy(py)?;
        Ok(if done { Flow::Continue } else { Flow::Leave })
    })
}

#[pymethods]
impl PyCpu {
    #[new]
    fn new(
        library: PathBuf,
        guest: &str,
        model: i32,
        system_registers: Vec<SystemRegister>,
        features: Vec<String>,
        space: &PyAddressSpace,
    ) -> PyResult<Self> {
        let config = unicorn_config(library, guest, model, system_registers, features)?;
        let core = unicorn::open(&config, Arc::clone(&space.space)).map_err(PyOSError::new_err)?;
        Ok(Self { core })
    }

    /// The register of this number.
    fn get(&mut self, id: u32) -> u128 {
        self.core.get_wide(id)
    }

    /// Sets the register of this number.
    fn set(&mut self, id: u32, value: u128) {
        self.core.set_wide(id, value);
    }

    /// Runs until something stops it. `on_syscall(regs, imm)` is tried first at each
    /// system call; true from it means that the call is done.
    #[pyo3(signature = (on_syscall=None))]
    fn run<'py>(
        &mut self,
        py: Python<'py>,
        on_syscall: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let core = &mut self.core;
        let mut error = None;
        let exit = py.detach(|| {
            core.run(&mut |regs, imm| {
                let Some(callback) = &on_syscall else {
                    return Flow::Leave;
                };
                call_back(callback, regs, imm).unwrap_or_else(|e| {
                    error = Some(e);
                    Flow::Leave
                })
            })
        });
        match error {
            Some(error) => Err(error),
            None => exit_dict(py, exit),
        }
    }

    /// Executes one instruction.
    fn step<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let exit = self.core.step();
        exit_dict(py, exit)
    }

    /// Something whose `interrupt()` makes the CPU stop.
    fn interrupter(&self) -> PyInterrupter {
        PyInterrupter(self.core.interrupter())
    }

    /// Forgets translations of guest code in `start..end`.
    fn invalidate(&mut self, start: u64, end: u64) {
        self.core.invalidate(start, end);
    }

    /// A new CPU over the same memory with the same registers.
    fn duplicate(&self) -> PyResult<Self> {
        let core = self.core.duplicate().map_err(PyOSError::new_err)?;
        Ok(Self { core })
    }
}

/// Stops a CPU from another thread.
#[pyclass(name = "Interrupter", module = "qusr._native", frozen)]
pub struct PyInterrupter(Arc<dyn Interrupter>);

#[pymethods]
impl PyInterrupter {
    /// Makes the CPU leave `run` soon, or its next `run` at once.
    fn interrupt(&self) {
        self.0.interrupt();
    }
}
