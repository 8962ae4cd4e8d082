//! The host's memory for what is generated: code, stacks.

use std::ptr;

/// New private memory with a protection of mmap(2), which costs nothing until it is touched.
///
/// # Errors
/// What it was `wanted` for, and why the host refuses.
pub fn map(size: usize, prot: i32, wanted: &str) -> Result<*mut u8, String> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new anonymous mapping.
    let p = unsafe { libc::mmap(ptr::null_mut(), size, prot, flags, -1, 0) };
    if p == libc::MAP_FAILED {
        let why = std::io::Error::last_os_error();
        return Err(format!("no memory for {wanted}: {why}"));
    }
    Ok(p.cast())
}

/// Readable, writable and executable.
pub const RWX: i32 = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
