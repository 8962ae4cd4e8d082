//! What Python asks of the host process that a guest lives in.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyIndexError, PyKeyError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::memory::os_error;
use qusr_guests as guests;
use qusr_kernel::process::child;
use qusr_kernel::process::core_bit;
use qusr_kernel::process::descriptors;
use qusr_kernel::signal::host;
use qusr_kernel::signal::siginfo;
use qusr_kernel::thunk::path::{self};
use qusr_kernel::thunk::procfs;
use qusr_kernel::thunk::running;
use qusr_kernel::thunk::table::Table;
use qusr_machine::facts;
use qusr_machine::start::options;
use qusr_memory::shared::lock::SharedLock;
use qusr_memory::shared::page::SharedPage;
use qusr_store as store;
use qusr_translator as native;

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

/// A number that threads and forked children share, at first 0.
#[pyclass(name = "SharedNumber", frozen)]
pub struct PySharedNumber(SharedPage<AtomicU32>);

#[pymethods]
impl PySharedNumber {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(SharedPage::new()?))
    }

    #[getter]
    fn value(&self) -> u32 {
        self.word().load(Ordering::Relaxed)
    }

    #[setter]
    fn set_value(&self, value: u32) {
        self.word().store(value, Ordering::Relaxed);
    }
}

impl PySharedNumber {
    fn word(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped as long as this lives, and starts as zeros.
        unsafe { &*self.0.get() }
    }
}

/// The host path of what an absolute path names in the sysroot `root`; None when it is not there.
/// OSError: it may be there.
#[pyfunction]
pub fn lookup_in<'py>(
    py: Python<'py>,
    root: &[u8],
    path: &[u8],
    follow: bool,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let found = path::lookup_in(root, path, follow);
    let found = found.map_err(os_error)?;
    Ok(found.map(|found| PyBytes::new(py, &found)))
}

/// A number that changes with every Python source in these folders, and with this library.
#[pyfunction]
pub fn stamp_sources(folders: Vec<Vec<u8>>) -> PyResult<u64> {
    let stamp = store::stamp_sources(&folders);
    stamp.map_err(|error| os_error(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// Whether a path leads to a program that a guest runs.
#[pyfunction]
pub fn is_running(dirfd: i32, path: &[u8]) -> bool {
    CString::new(path).is_ok_and(|path| running::is_running(dirfd, &path))
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
    procfs::stand_in(fd, name, text).map_err(os_error)
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
    Ok(descriptors::close_on_exec()?)
}

/// Makes a guest thread of this process end soon.
#[pyfunction]
pub fn doom_thread(tid: i32) {
    host::doom(tid);
}

/// A host's siginfo_t in the layout, and with the numbers, of the guest of a name in the list of guests.
#[pyfunction]
pub fn siginfo_to_guest<'py>(
    py: Python<'py>,
    host: [u8; siginfo::SIZE],
    guest: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let known = facts::abi_on(guest);
    let known = known.ok_or_else(|| PyKeyError::new_err(format!("no such guest: {guest}")))?;
    let table = Table::parse(known.table).map_err(PyValueError::new_err)?;
    let told = siginfo::bytes_to_guest(&host, table.abi);
    Ok(PyBytes::new(py, &told))
}

/// A descriptor of x86's segments as the struct `user_desc` of an entry.
#[pyfunction]
pub fn shown_segment(py: Python<'_>, entry: u32, descriptor: u64) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &guests::x86::shown_segment(entry, descriptor))
}

/// The descriptor that a struct `user_desc` stands for; None: the kernel takes no such one.
#[pyfunction]
pub fn stored_segment(desc: [u8; 16]) -> Option<u64> {
    guests::x86::stored_segment(desc)
}

/// The errno with which the kernel would refuse to execute an open file; 0: it would not.
#[pyfunction]
pub fn exec_refusal(fd: i32) -> i32 {
    child::exec_refusal(fd)
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

/// CRC-32 as in zlib, whose module takes longer to load than its sums are worth here.
#[pyfunction]
pub fn crc32(data: &[u8]) -> u32 {
    store::crc32::crc32(data, 0)
}

/// An entry of the store, mapped: only what is looked at is read.
#[pyclass(name = "MappedEntry", module = "qusr._native", frozen)]
pub struct PyMappedEntry(pub Mutex<store::Mapped>);

#[pymethods]
impl PyMappedEntry {
    /// Opens the entry of a kind and key. KeyError: it is not there.
    #[new]
    fn new(folder: &[u8], kind: &str, key: &[u8]) -> PyResult<Self> {
        let map = store::map(folder, kind, key);
        let map = map.ok_or_else(|| PyKeyError::new_err("not in the store"))?;
        Ok(Self(Mutex::new(map)))
    }

    /// `size` bytes from `start` on. IndexError: it has fewer.
    fn read<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        size: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = &map.bytes()[map.value..];
        let end = start.checked_add(size);
        let part = end.and_then(|end| value.get(start..end));
        let part = part.ok_or_else(|| PyIndexError::new_err("beyond the end"))?;
        Ok(PyBytes::new(py, part))
    }
}

/// Memory for a host call that takes a struct with a pointer.
#[pyclass(name = "Buffer", module = "qusr._native", frozen)]
pub struct PyBuffer(Box<[AtomicU8]>);

#[pymethods]
impl PyBuffer {
    /// A copy of `data`.
    #[new]
    fn new(data: &[u8]) -> Self {
        Self(data.iter().map(|byte| AtomicU8::new(*byte)).collect())
    }

    /// Its address, good as long as this lives.
    #[getter]
    fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// What is in it.
    fn read<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = self.0.iter().map(|byte| byte.load(Ordering::Relaxed));
        PyBytes::new(py, &bytes.collect::<Vec<u8>>())
    }
}

/// From now on nothing is read from the store for translations, and nothing kept.
#[pyfunction]
pub fn forget_stocks() {
    native::forget_stocks();
}

/// Puts a value into the store; whether it could be kept.
#[pyfunction]
pub fn store_put(py: Python<'_>, folder: &[u8], kind: &str, key: &[u8], value: &[u8]) -> bool {
    py.detach(|| store::put(folder, kind, key, value).is_ok())
}

/// Removes the oldest entries of a store that is too large.
#[pyfunction]
pub fn store_trim(folder: &[u8], total: u64, entries: usize) {
    store::trim(folder, total, entries);
}

/// Where the store is by the environment; `find` gives a variable's value.
#[pyfunction]
pub fn store_directory(find: &Bound<'_, PyAny>) -> Option<OsString> {
    store::directory(|name| {
        let value: Option<OsString> = find.call1((name,)).ok()?.extract().ok()?;
        Some(value?.into_encoded_bytes())
    })
    .map(OsString::from_vec)
}

/// What tells an open file from every other one and from what it was before.
#[pyfunction]
pub fn file_identity(py: Python<'_>, fd: i32) -> PyResult<Bound<'_, PyBytes>> {
    let info = store::fstat(fd).ok_or_else(std::io::Error::last_os_error)?;
    Ok(PyBytes::new(py, &store::file_identity(&info)))
}

/// The guest that a command's name is for; None: any.
#[pyfunction]
pub fn guest_of_command(name: &str) -> Option<&'static str> {
    options::guest_of(name.as_bytes())
}

/// The guest whose calls have this AUDIT_ARCH_*.
#[pyfunction]
pub fn guest_of_audit(number: u32) -> Option<&'static str> {
    let mut all = guests::all();
    all.find(|guest| guest.linux.audit_arch() == number)
        .map(|guest| guest.command)
}

/// Whether debuggers of the guest with this AUDIT_ARCH_* take it that watchpoints stop behind the access.
#[pyfunction]
pub fn watches_behind(number: u32) -> bool {
    guests::all().any(|guest| guest.linux.audit_arch() == number && guest.linux.watches_behind())
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
