//! Paths and files of a start.

use std::ffi::OsStr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::thunk::exec::OwnExe;

/// Where libunicorn is in a folder of packages; the first is unicorn 2's own name for it.
const LIBRARIES: [&str; 2] = ["unicorn/lib/libunicorn.so.2", "unicorn/lib/libunicorn.so"];

/// A sysroot's path as an absolute one without `.`, `..` and double slashes; "" for `/` and for none.
#[must_use]
pub fn absolute(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return Vec::new();
    }
    let mut whole = Vec::new();
    if !path.starts_with(b"/") {
        let current = std::env::current_dir().unwrap_or_default();
        whole = current.into_os_string().into_vec();
    }
    whole.push(b'/');
    whole.extend(path);
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts
        .iter()
        .flat_map(|part| [b"/", *part])
        .collect::<Vec<_>>()
        .concat()
}

/// A copy of a descriptor that an execve closes; None: it is not open.
#[must_use]
pub fn copy(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: takes numbers only.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) };
    // SAFETY: just made.
    (copy >= 0).then(|| unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The path of an open file, links resolved.
#[must_use]
pub fn path_of(fd: RawFd) -> Option<Vec<u8>> {
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}"));
    Some(link.ok()?.into_os_string().into_vec())
}

/// A path as an absolute one without links.
#[must_use]
pub fn real_path(path: &[u8]) -> Option<Vec<u8>> {
    let path = std::fs::canonicalize(Path::new(OsStr::from_bytes(path)));
    Some(path.ok()?.into_os_string().into_vec())
}

/// The emulator's own executable.
#[must_use]
pub fn own_exe() -> Option<OwnExe> {
    // Where there is no /proc nobody can come by it; then a file that does not exist.
    let Ok((path, info)) = std::fs::read_link("/proc/self/exe")
        .and_then(|path| Ok((path, std::fs::metadata("/proc/self/exe")?)))
    else {
        return Some(OwnExe {
            path: Vec::new(),
            dev: !0,
            ino: !0,
        });
    };
    Some(OwnExe {
        path: path.into_os_string().into_vec(),
        dev: info.dev(),
        ino: info.ino(),
    })
}

/// Unicorn's library in one of the folders with packages. Nothing where there is none: only a program
/// with an instruction that has no lifter needs it, and is told then.
#[must_use]
pub fn unicorn_library(folders: &[Vec<u8>]) -> PathBuf {
    let all = folders
        .iter()
        .flat_map(|folder| LIBRARIES.map(|name| Path::new(OsStr::from_bytes(folder)).join(name)));
    let mut all = all.filter(|path| path.is_file());
    all.next().unwrap_or_default()
}

/// The guest's name of a host file: without the sysroot, if it is in there.
#[must_use]
pub fn guest_path<'a>(host: &'a [u8], sysroot: &[u8]) -> &'a [u8] {
    match host.strip_prefix(sysroot) {
        Some(inside) if !sysroot.is_empty() && inside.starts_with(b"/") => inside,
        _ => host,
    }
}

/// What /proc/PID/comm shows of a program.
#[must_use]
pub fn comm(program: &[u8]) -> &[u8] {
    let start = program.iter().rposition(|&byte| byte == b'/');
    &program[start.map_or(0, |at| at + 1)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sysroot_is_an_absolute_path() {
        assert_eq!(absolute(b"/usr/root/"), b"/usr/root");
        assert_eq!(absolute(b"/usr/../x//y/."), b"/x/y");
        assert_eq!(absolute(b"/"), b"");
        assert_eq!(absolute(b""), b"");
        let here = std::env::current_dir().unwrap().join("x");
        assert_eq!(absolute(b"x"), here.as_os_str().as_bytes());
    }

    #[test]
    fn a_sysroot_is_not_part_of_the_guests_paths() {
        assert_eq!(guest_path(b"/root/bin/sh", b"/root"), b"/bin/sh");
        assert_eq!(guest_path(b"/rooted/sh", b"/root"), b"/rooted/sh");
        assert_eq!(guest_path(b"/bin/sh", b""), b"/bin/sh");
        assert_eq!(comm(b"/bin/sh"), b"sh");
        assert_eq!(comm(b"sh"), b"sh");
    }
}
