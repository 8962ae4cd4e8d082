//! What Python asks of the host process that a guest lives in.

use std::ffi::CString;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::abi::GuestAbi;
use crate::cpu::native;
use crate::cpu::pair;
use crate::process::child::{self};
use crate::process::core_bit;
use crate::shared::lock::SharedLock;
use crate::signal::host;
use crate::signal::siginfo;
use crate::store;
use crate::thunk::path::{self};
use crate::thunk::procfs;

/// A lock that threads and forked children share, as a context manager.
#[pyclass(name = "SharedLock", frozen)]
pub struct PySharedLock(SharedLock);

#[pymethods]
impl PySharedLock {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(SharedLock::new()?))
    }

    fn __enter__(&self, py: Python<'_>) {
        if self.0.try_acquire(false).is_err() {
            // The owner may need the interpreter to go on.
            py.detach(|| self.0.acquire());
        }
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyTuple>) {
        self.0.release();
    }
}

/// The host path of what an absolute path names in the sysroot `root`; None when it is not there.
#[pyfunction]
pub fn lookup_in<'py>(
    py: Python<'py>,
    root: &[u8],
    path: &[u8],
    follow: bool,
) -> Option<Bound<'py, PyBytes>> {
    path::lookup_in(root, path, follow).map(|found| PyBytes::new(py, &found))
}

/// The name of a file in our own /proc/PID; None: `path` is something else.
#[pyfunction]
pub fn own_proc_file<'py>(py: Python<'py>, path: &[u8]) -> Option<Bound<'py, PyBytes>> {
    procfs::own_file(path).map(|name| PyBytes::new(py, name))
}

/// Puts a file with this text behind a descriptor that was opened for reading; the descriptor is closed
/// if that fails.
#[pyfunction]
pub fn stand_in(fd: i32, name: &[u8], text: &[u8]) -> PyResult<()> {
    Ok(procfs::stand_in(fd, name, text).map_err(std::io::Error::from_raw_os_error)?)
}

/// Whether a path ends at our /proc/PID/exe, itself or by at most `hops` - 1 symbolic links.
#[pyfunction]
#[pyo3(signature = (dirfd, path, hops = 40))]
pub fn leads_to_own_exe(dirfd: i32, path: &[u8], hops: u32) -> bool {
    CString::new(path).is_ok_and(|path| procfs::leads_to_own_exe(dirfd, &path, hops))
}

/// getrlimit(2) of this process: (soft, hard).
#[pyfunction]
pub fn getrlimit(which: u32) -> PyResult<(u64, u64)> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills a valid rlimit.
    if unsafe { libc::getrlimit(which, &raw mut limit) } < 0 {
        let error = std::io::Error::last_os_error();
        return Err(PyOSError::new_err((
            error.raw_os_error(),
            error.to_string(),
        )));
    }
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// The open descriptors that an execve closes.
#[pyfunction]
pub fn close_on_exec() -> PyResult<Vec<i32>> {
    Ok(child::close_on_exec()?)
}

/// Why the native core cannot run a guest here, or not with these options; None if it can.
#[pyfunction]
#[pyo3(signature = (guest, options = ""))]
pub fn native_refusal(guest: &str, options: &str) -> Option<String> {
    pair::refusal(guest, options)
}

/// Makes a guest thread of this process end soon.
#[pyfunction]
pub fn doom_thread(tid: i32) {
    host::doom(tid);
}

/// A host's siginfo_t in the layout of a guest.
#[pyfunction]
pub fn siginfo_to_guest<'py>(
    py: Python<'py>,
    host: [u8; siginfo::SIZE],
    word_bits: u8,
    big_endian: bool,
) -> Bound<'py, PyBytes> {
    let abi = GuestAbi {
        word_bits,
        big_endian,
    };
    PyBytes::new(py, &siginfo::bytes_to_guest(&host, abi))
}

/// Whether an open file is open for writing anywhere, so that it cannot be executed.
#[pyfunction]
pub fn is_being_written(fd: i32) -> bool {
    child::is_being_written(fd)
}

/// What is in the store at `folder` under a kind and key; None if it is not there, or not whole.
#[pyfunction]
pub fn store_get<'py>(
    py: Python<'py>,
    folder: &[u8],
    kind: &str,
    key: &[u8],
) -> Option<Bound<'py, PyBytes>> {
    store::get(folder, kind, key).map(|value| PyBytes::new(py, &value))
}

/// Ends CLONE_FILES: the descriptors are this process's alone from now on.
#[pyfunction]
pub fn unshare_files() {
    // SAFETY: touches no memory.
    unsafe { libc::unshare(libc::CLONE_FILES) };
}

/// The guest has ended: what was translated is kept for the next process that runs the program.
#[pyfunction]
pub fn keep_stocks(py: Python<'_>) {
    host::set_mask(!0);
    py.detach(native::keep_stocks);
}

/// Dies of `signal` as a guest did.
#[pyfunction]
pub fn die_by(signal: i32) {
    host::die_by(signal);
}

/// Dies likewise after the guest's core was written; `name` is what core_pattern gives.
#[pyfunction]
pub fn die_dumped(signal: i32, name: &[u8]) {
    core_bit::die_dumped(signal, name);
}

/// Whether prctl(2) lets the process be dumped.
#[pyfunction]
pub fn is_dumpable() -> bool {
    core_bit::is_dumpable()
}

/// Names the calling thread and tells the kernel where the guest's arguments and environment
/// lie (host addresses). False: the kernel does not want to know, which does no harm.
#[pyfunction]
#[pyo3(signature = (comm, arg, env))]
pub fn publish(comm: Vec<u8>, arg: Option<(u64, u64)>, env: Option<(u64, u64)>) -> bool {
    child::set_thread_name(&comm);
    arg.zip(env)
        .is_some_and(|(arg, env)| child::publish_arguments(arg, env))
}
