//! ETXTBSY: the file of a program that a guest runs is not written to.
//!
//! The kernel denies writing to what it executes itself, and to it a guest's program is a mapped
//! file like any other. So each process holds a lock on the file of its program: a read lock on one byte far beyond
//! what files have, which nobody else asks about. An open file description lock goes with the last reference
//! to the description (`locks_remove_file` of fs/locks.c), and a mapping is one: no descriptor is kept open,
//! children hold it as well, and however the process ends the lock is gone. Any guest that
//! opens the file for writing finds it, in whatever container. Programs of the host do not ask for it.
//!
//! The program's segments are mappings of the description that the loader has read. Those stay in a memory that other processes live in for a
//! while after the program's end ([`crate::process::share`]): there the lock is on a description of its own.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::procfs::status;

/// "qusr" in the upper half of a file offset's range.
const PLACE: i64 = 0x7175_7372_0000_0000;
const SIZE: usize = 4096;

/// That the file of a program is not written to, for as long as this lives (in any process: fork copies it).
#[derive(Debug)]
pub struct Running(*mut libc::c_void);

// SAFETY: an address of a mapping that nobody accesses.
unsafe impl Send for Running {}

impl Running {
    /// Says that the program of an open file runs; `apart`: by a description of its own, the file having been found at this
    /// path. None: its file system has no such locks.
    #[must_use]
    pub fn hold(fd: i32, apart: Option<&Path>) -> Option<Self> {
        let own = apart.and_then(|path| open_again(fd, path));
        let fd = own.as_ref().map_or(fd, AsRawFd::as_raw_fd);
        let mut lock = lock_of(libc::F_RDLCK);
        // SAFETY: the kernel reads a valid flock.
        if unsafe { libc::fcntl(fd, libc::F_OFD_SETLK, &raw mut lock) } < 0 {
            return None;
        }
        let none = std::ptr::null_mut();
        // SAFETY: a new mapping.
        let map = unsafe { libc::mmap(none, SIZE, libc::PROT_NONE, libc::MAP_PRIVATE, fd, 0) };
        (map != libc::MAP_FAILED).then_some(Self(map))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nobody accesses it.
        unsafe { libc::munmap(self.0, SIZE) };
    }
}

/// A description of its own; None where the program may be executed only, or is not at its path any more and there is
/// no /proc.
fn open_again(fd: i32, path: &Path) -> Option<File> {
    if let Ok(file) = File::open(format!("/proc/self/fd/{fd}")) {
        return Some(file);
    }
    let mut options = File::options();
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).ok()?;
    let id = |info: libc::stat| (info.st_dev, info.st_ino);
    (id(status(file.as_raw_fd())?) == id(status(fd)?)).then_some(file)
}

/// Whether a descriptor that was just opened must not be: it could write to a program that runs.
#[must_use]
pub fn is_denied(fd: i32, file: &libc::stat) -> bool {
    is_program(file)
        // SAFETY: F_GETFL touches no memory.
        && unsafe { libc::fcntl(fd, libc::F_GETFL) } & libc::O_ACCMODE != libc::O_RDONLY
        && is_locked(fd)
}

/// Whether a path leads to a program that runs, which therefore may not be cut off. Whoever may not write to
/// it gets to know that from the call itself.
#[must_use]
pub fn is_running(at: i32, path: &CStr) -> bool {
    // SAFETY: stat is plain data for which zero is valid.
    let mut info: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: a C string and a valid stat.
    let found = unsafe { libc::fstatat(at, path.as_ptr(), &raw mut info, 0) } == 0;
    if !found || !is_program(&info) {
        return false;
    }
    let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: a C string.
    let fd = unsafe { libc::openat(at, path.as_ptr(), flags) };
    if fd < 0 {
        return Error::last_os_error().raw_os_error() == Some(libc::ETXTBSY);
    }
    // SAFETY: a new descriptor that nobody else owns.
    let file = unsafe { File::from_raw_fd(fd) };
    status(fd).is_some_and(|info| is_program(&info)) && is_locked(file.as_raw_fd())
}

/// A regular file that may be executed; others are not asked about.
fn is_program(file: &libc::stat) -> bool {
    file.st_mode & libc::S_IFMT == libc::S_IFREG && file.st_mode & 0o111 != 0
}

fn is_locked(fd: i32) -> bool {
    let mut lock = lock_of(libc::F_WRLCK);
    // SAFETY: the kernel fills a valid flock.
    let asked = unsafe { libc::fcntl(fd, libc::F_OFD_GETLK, &raw mut lock) } == 0;
    // A lock on the whole file is not ours.
    let ours = (lock.l_start, lock.l_len) == (PLACE, 1);
    asked && ours && libc::c_int::from(lock.l_type) == libc::F_RDLCK
}

fn lock_of(kind: i32) -> libc::flock {
    // SAFETY: flock is plain data for which zero is valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    (lock.l_start, lock.l_len) = (PLACE, 1);
    lock
}

/// Whether a host call would cut off a program that runs; `read` gives the path at a pointer of the call's.
pub(super) fn would_cut(
    host: u16,
    args: &[u64; 6],
    read: impl FnOnce(u64) -> Option<CString>,
) -> bool {
    let truncates = |flags: u64| flags & libc::O_TRUNC as u64 != 0;
    let (at, path) = match libc::c_long::from(host) {
        libc::SYS_open if truncates(args[1]) => (libc::AT_FDCWD, args[0]),
        libc::SYS_creat => (libc::AT_FDCWD, args[0]),
        libc::SYS_truncate if args[1] as i64 >= 0 => (libc::AT_FDCWD, args[0]),
        libc::SYS_openat if truncates(args[2]) => (args[0] as i32, args[1]),
        _ => return false,
    };
    read(path).is_some_and(|path| is_running(at, &path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_program_is_held_until_its_mapping_goes() {
        let path = std::env::temp_dir().join(format!("qusr-running-{}", std::process::id()));
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        let asked = || {
            let file = File::options().write(true).open(&path).unwrap();
            let denied = is_denied(file.as_raw_fd(), &status(file.as_raw_fd()).unwrap());
            (is_running(libc::AT_FDCWD, &name), denied)
        };
        assert_eq!(asked(), (false, false));
        let file = File::open(&path).unwrap();
        let one = Running::hold(file.as_raw_fd(), None).unwrap();
        drop(file);
        assert_eq!(asked(), (true, true));
        let two = Running::hold(File::open(&path).unwrap().as_raw_fd(), None).unwrap();
        drop(one);
        assert_eq!(asked(), (true, true));
        drop(two);
        assert_eq!(asked(), (false, false));
        // A mapping of the file that was read is none of the program's.
        let file = File::open(&path).unwrap();
        let (none, fd) = (std::ptr::null_mut(), file.as_raw_fd());
        let three = Running::hold(fd, Some(&path)).unwrap();
        // SAFETY: a new mapping.
        let map = unsafe { libc::mmap(none, SIZE, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0) };
        assert_ne!(map, libc::MAP_FAILED);
        drop(file);
        assert_eq!(asked(), (true, true));
        drop(three);
        assert_eq!(asked(), (false, false));
        // SAFETY: the mapping made above.
        unsafe { libc::munmap(map, SIZE) };
        // A lock on all of it, as programs have them, is another matter.
        let file = File::open(&path).unwrap();
        let mut whole = lock_of(libc::F_RDLCK);
        (whole.l_start, whole.l_len) = (0, 0);
        // SAFETY: the kernel reads a valid flock.
        let locked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut whole) };
        assert_eq!((locked, asked()), (0, (false, false)));
        std::fs::remove_file(&path).unwrap();
    }
}
