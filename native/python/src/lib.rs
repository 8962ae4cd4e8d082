//! The Rust half of qusr for Python: the module `qusr._native`.
//!
//! The crates below are free of Python; `docs/internals.md` describes how the parts meet.

use pyo3::prelude::*;

#[cfg(python_is_late)]
mod begin;
mod cpu;
#[cfg(python_is_late)]
mod entry;
mod host;
mod kept;
#[cfg(python_is_late)]
mod late;
mod launcher;
mod loader;
mod machine;
mod memory;
mod namespace;
mod native;
mod process;
mod share;
mod start;
mod stop;
mod thread;
mod tracer;

/// For the whole library: the launcher's constructor, the cores, Python's calls.
#[global_allocator]
static ALLOCATOR: qusr_memory::spare::Spare = qusr_memory::spare::Spare::new();

#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::tracer::note_interpreter_lock();
        super::start::take_signals_back(module.py());
        Ok(())
    }
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    /// The executable that binfmt_misc starts, not yet set up.
    #[pyfunction]
    fn launcher() -> &'static [u8] {
        crate::launcher::EXECUTABLE
    }
    #[pymodule_export]
    const STORE_MAX_VALUE: usize = qusr_store::MAX_VALUE;
    #[pymodule_export]
    const STORE_MAX_TOTAL: u64 = qusr_store::MAX_TOTAL;
    #[pymodule_export]
    const STORE_MAX_ENTRIES: usize = qusr_store::MAX_ENTRIES;
    #[pymodule_export]
    use super::cpu::{PyCallRegs, PyCpu, PyInterrupter};
    #[pymodule_export]
    use super::host::{
        PyBuffer, PyMappedEntry, PySharedLock, PySharedNumber, close_on_exec, crc32, die_by,
        die_dumped, doom_thread, exec_refusal, file_identity, forget_stocks, getrlimit,
        guest_of_audit, guest_of_command, is_dumpable, is_running, keep_stocks, leads_to_own_exe,
        lookup_in, own_proc_file, publish, shown_segment, siginfo_to_guest, stamp_sources,
        stand_in, store_directory, store_get, store_put, store_trim, stored_segment, unshare_files,
        watches_behind,
    };
    #[pymodule_export]
    use super::kept::{kept_key, kept_modules};
    #[pymodule_export]
    use super::loader::{
        PyImage, PyLoaded, PyPlan, PyPrepared, PySegment, PyStack, build_stack, check_limits,
        file_kind, found_sysroot, load, load_image, machine_title, map_kernel_page, parse_script,
        prepare, read_plan,
    };
    #[pymodule_export]
    use super::machine::{PyMachine, facts, number, parse_options};
    #[pymodule_export]
    use super::memory::PyAddressSpace;
    #[pymodule_export]
    use super::namespace::{mount, umount, unshare};
    #[pymodule_export]
    use super::process::{PyProcess, PyTable};
    #[pymodule_export]
    use super::share::{PyLoan, PyMade, leave_memory, memory_is_shared};
    #[pymodule_export]
    use super::start::{PyArrival, PyBorrowed, PyEarlyStart, early_start, end_thread, late_python};
    #[pymodule_export]
    use super::thread::{PyCloneRequest, PyPause, PyThread};
    #[pymodule_export]
    use super::tracer::{
        allow_tracer, own_library, own_signals, process_read, process_write, ptrace, ptrace_get,
        ptrace_peek_siginfo, ptrace_set, queue_signal, wait_child, whereabouts_table,
    };
}
