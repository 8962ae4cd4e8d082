//! Host calls of a tracer (`qusr/ptrace`). None of them blocks, and no guest signal keeps them
//! from being made.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use qusr_cpu::Lock;
use qusr_kernel::process::whereabouts;

fn checked(result: i64) -> PyResult<i64> {
    if result < 0 {
        let error = std::io::Error::last_os_error();
        // With the number, which the conversion of io::Error leaves out.
        return Err(PyOSError::new_err((
            error.raw_os_error(),
            error.to_string(),
        )));
    }
    Ok(result)
}

/// Lets another process trace this one where the Yama module would not (PR_SET_PTRACER).
#[pyfunction]
pub fn allow_tracer(pid: i32) {
    // SAFETY: prctl with numbers touches no memory. Without Yama it fails, and nothing is lost.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, pid, 0, 0, 0) };
}

/// ptrace(2) with numbers for `addr` and `data`.
#[pyfunction]
pub fn ptrace(request: u32, pid: i32, addr: u64, data: u64) -> PyResult<i64> {
    if (1..=3).contains(&request) {
        return Err(PyValueError::new_err("a request that stores a word"));
    }
    // SAFETY: the requests that take numbers touch no memory of ours.
    checked(unsafe { libc::syscall(libc::SYS_ptrace, request, pid, addr, data) })
}

/// ptrace(2) whose `data` is a buffer of `size` bytes to be filled.
#[pyfunction]
pub fn ptrace_get<'py>(
    py: Python<'py>,
    request: u32,
    pid: i32,
    addr: u64,
    size: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut buffer = vec![0u8; size.max(1024)];
    // SAFETY: no request fills more than the 1024 bytes that the buffer has at least.
    checked(unsafe { libc::syscall(libc::SYS_ptrace, request, pid, addr, buffer.as_mut_ptr()) })?;
    Ok(PyBytes::new(py, &buffer[..size]))
}

/// PTRACE_PEEKSIGINFO for one signal; `args` is a ptrace_peeksiginfo_args.
#[pyfunction]
pub fn ptrace_peek_siginfo<'py>(
    py: Python<'py>,
    pid: i32,
    args: [u8; 16],
) -> PyResult<(i64, Bound<'py, PyBytes>)> {
    const PTRACE_PEEKSIGINFO: u32 = 0x4209;
    let mut info = [0u8; 128];
    // SAFETY: the kernel reads 16 bytes of `args` and writes one siginfo_t at most.
    let found = checked(unsafe {
        libc::syscall(
            libc::SYS_ptrace,
            PTRACE_PEEKSIGINFO,
            pid,
            args.as_ptr(),
            info.as_mut_ptr(),
        )
    })?;
    Ok((found, PyBytes::new(py, &info)))
}

/// ptrace(2) whose `data` is a buffer that is read.
#[pyfunction]
pub fn ptrace_set(request: u32, pid: i32, addr: u64, data: &[u8]) -> PyResult<()> {
    let mut buffer = data.to_vec();
    buffer.resize(data.len().max(1024), 0);
    // SAFETY: no request reads more than the 1024 bytes that the buffer has at least.
    checked(unsafe { libc::syscall(libc::SYS_ptrace, request, pid, addr, buffer.as_ptr()) })?;
    Ok(())
}

/// The memory of another process, as much of it as can be read up to `size` bytes.
#[pyfunction]
pub fn process_read(
    py: Python<'_>,
    pid: i32,
    address: u64,
    size: usize,
) -> PyResult<Bound<'_, PyBytes>> {
    let mut buffer = vec![0u8; size];
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: size,
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: size,
    };
    // SAFETY: the kernel writes `size` bytes to the buffer at most and checks the other side.
    let done = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    let done = checked(done as i64)?;
    Ok(PyBytes::new(py, &buffer[..done as usize]))
}

/// Writes to the memory of another process what its protection allows; the number of bytes.
#[pyfunction]
pub fn process_write(pid: i32, address: u64, data: &[u8]) -> PyResult<i64> {
    let local = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: data.len(),
    };
    // SAFETY: the kernel reads `data` and checks the other side.
    let done =
        unsafe { libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0) };
    checked(done as i64)
}

/// wait4(2): (pid, status, rusage). Callers pass WNOHANG; (0, 0, …) is that nothing happened.
#[pyfunction]
pub fn wait_child(
    py: Python<'_>,
    pid: i32,
    options: i32,
) -> PyResult<(i32, i32, Bound<'_, PyBytes>)> {
    let mut status = 0i32;
    let mut usage = [0u8; size_of::<libc::rusage>()];
    // SAFETY: both pointers are to locals of the right size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_wait4,
            pid,
            &raw mut status,
            options,
            usage.as_mut_ptr(),
        )
    };
    let pid = checked(result)? as i32;
    Ok((pid, status, PyBytes::new(py, &usage)))
}

/// The set of signals that this emulator never blocks and always catches.
#[pyfunction]
pub fn own_signals() -> u64 {
    qusr_kernel::signal::host::own()
}

/// rt_tgsigqueueinfo(2).
#[pyfunction]
pub fn queue_signal(tgid: i32, tid: i32, signal: i32, info: [u8; 128]) -> PyResult<()> {
    // SAFETY: the kernel reads a siginfo_t, which is 128 bytes.
    checked(unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            tgid,
            tid,
            signal,
            info.as_ptr(),
        )
    })?;
    Ok(())
}

/// Where the records of this process's guest threads are; in another process that runs the same build they
/// are as far behind the library's begin.
#[pyfunction]
#[must_use]
pub fn whereabouts_table() -> u64 {
    &raw const whereabouts::TABLE as u64
}

/// Tells who looks at this process's threads where CPython's interpreter lock is: within its runtime's state,
/// whose symbol is exported.
pub fn note_interpreter_lock() {
    /// struct Elf64_Sym of elf.h.
    #[repr(C)]
    struct Symbol {
        name: u32,
        info: u8,
        other: u8,
        section: u16,
        value: u64,
        size: u64,
    }
    const RTLD_DL_SYMENT: libc::c_int = 1;
    unsafe extern "C" {
        // dladdr1(3), of glibc since 2.3.3.
        fn dladdr1(
            address: *const libc::c_void,
            info: *mut libc::Dl_info,
            extra: *mut *const Symbol,
            flags: libc::c_int,
        ) -> libc::c_int;
    }
    // SAFETY: the calls read C strings and fill structs of their types; what they point to is the linker's own.
    unsafe {
        let state = libc::dlsym(libc::RTLD_DEFAULT, c"_PyRuntime".as_ptr());
        let mut info: libc::Dl_info = std::mem::zeroed();
        let mut symbol = std::ptr::null();
        if !state.is_null()
            && dladdr1(state, &raw mut info, &raw mut symbol, RTLD_DL_SYMENT) != 0
            && let Some(symbol) = symbol.as_ref()
        {
            whereabouts::note_interpreter(Lock {
                name: "Python's interpreter",
                start: state as usize,
                size: symbol.size as usize,
            });
        }
    }
}

/// The device and inode of the file that holds this code, as /proc/PID/maps shows them; by it
/// one process of qusr knows another.
#[pyfunction]
pub fn own_library() -> PyResult<Option<String>> {
    let own = own_library as *const () as usize;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let (_, _) = (words.next()?, words.next()?);
        (start..end)
            .contains(&own)
            .then(|| Some(format!("{} {} ", words.next()?, words.next()?)))?
    }))
}
