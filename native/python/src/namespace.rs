//! Namespaces and mounts, for `qusr-binfmt` (Python's own module has unshare only since 3.12, and mount never).

use std::ffi::CString;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::memory::os_error;

fn text(bytes: &[u8]) -> PyResult<CString> {
    CString::new(bytes).map_err(|_| PyValueError::new_err("embedded null byte"))
}

fn check(result: libc::c_int) -> PyResult<()> {
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(os_error(error.raw_os_error().unwrap_or(libc::EINVAL)))
}

/// mount(2).
#[pyfunction]
pub fn mount(source: &[u8], target: &[u8], kind: &[u8], flags: u64, data: &[u8]) -> PyResult<()> {
    let (source, target, kind, data) = (text(source)?, text(target)?, text(kind)?, text(data)?);
    // SAFETY: C strings; all file systems that are asked for take a string as data.
    check(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            data.as_ptr().cast(),
        )
    })
}

/// umount2(2).
#[pyfunction]
pub fn umount(target: &[u8], flags: i32) -> PyResult<()> {
    let target = text(target)?;
    // SAFETY: a C string.
    check(unsafe { libc::umount2(target.as_ptr(), flags) })
}

/// unshare(2).
#[pyfunction]
pub fn unshare(flags: i32) -> PyResult<()> {
    // SAFETY: no memory is involved; what is no longer shared is the caller's wish.
    check(unsafe { libc::unshare(flags) })
}
