//! The Python bindings: the module `qusr._native`.

use pyo3::prelude::*;

pub mod cpu;
pub mod host;
pub mod loader;
pub mod memory;
mod native;
pub mod process;
mod share;
mod start;
pub mod thread;
pub mod tracer;

#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    /// The executable that binfmt_misc starts, not yet set up.
    #[pyfunction]
    fn launcher() -> &'static [u8] {
        crate::launcher::EXECUTABLE
    }
    /// CRC-32 as in zlib.
    #[pyfunction]
    #[pyo3(signature = (data, before=0))]
    fn crc32(data: &[u8], before: u32) -> u32 {
        crate::crc32::crc32(data, before)
    }
    #[pymodule_export]
    use super::cpu::{PyCallRegs, PyCpu, PyInterrupter};
    #[pymodule_export]
    use super::host::{
        PySharedLock, close_on_exec, die_by, die_dumped, doom_thread, getrlimit, is_being_written,
        is_dumpable, keep_stocks, leads_to_own_exe, lookup_in, native_refusal, own_proc_file,
        publish, siginfo_to_guest, stand_in, store_get, unshare_files,
    };
    #[pymodule_export]
    use super::loader::build_stack;
    #[pymodule_export]
    use super::memory::PyAddressSpace;
    #[pymodule_export]
    use super::process::{PyProcess, PyTable};
    #[pymodule_export]
    use super::share::{PyLoan, PyMade, leave_memory, memory_is_shared};
    #[pymodule_export]
    use super::start::{PyEarlyStart, early_start};
    #[pymodule_export]
    use super::thread::PyThread;
    #[pymodule_export]
    use super::tracer::{
        own_library, process_read, process_write, ptrace, ptrace_get, ptrace_peek_siginfo,
        ptrace_set, queue_signal, wait_child,
    };
}
