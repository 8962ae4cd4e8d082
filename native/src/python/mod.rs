//! The Python bindings: the module `qusr._native`.

use pyo3::prelude::*;

pub mod cpu;
pub mod memory;
pub mod thread;

#[pymodule]
mod _native {
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use super::cpu::{PyCallRegs, PyCpu, PyInterrupter};
    #[pymodule_export]
    use super::memory::PyAddressSpace;
    #[pymodule_export]
    use super::thread::{PyGate, PyProcess, PyThread, die_by, doom_thread, publish};
}
