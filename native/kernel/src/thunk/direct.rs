//! open and stat of a file in the sysroot, without looking the path up twice.
//!
//! In general a path is looked up first, to see whether the sysroot has it, and then again by the call
//! itself. A path in the sysroot on which there are no symbolic links can be opened at once: openat2(2) with
//! `RESOLVE_NO_SYMLINKS` stays in the sysroot by itself, and fails when there is a link or no such file.

use std::ffi::CString;
use std::io::Error;
use std::os::fd::AsRawFd;

use super::exec::Call;
use super::host::{ERESTARTSYS, safe_syscall};
use super::path::open_path;

/// A path whose look-up waits for the call.
pub(super) struct Later {
    /// Where it is if there are no symbolic links on it.
    pub plain: CString,
    pub at: i32,
    pub path: Vec<u8>,
    pub follow: bool,
}

const OPENAT: i64 = libc::SYS_openat;
const FSTATAT: i64 = libc::SYS_newfstatat;

/// Whether the look-up of a call's path may wait.
pub(super) fn can_wait(host: u16) -> bool {
    [OPENAT, FSTATAT].contains(&host.into())
}

impl Call<'_> {
    /// Makes the call; `args[1]` is the guest's path as it is.
    pub(super) fn make(&mut self, host: u16, later: Option<Later>, args: &mut [u64; 6]) -> i64 {
        if let Some(later) = later {
            let tried = match i64::from(host) {
                OPENAT => self.open_plain(&later, args),
                _ => self.stat_plain(&later, args),
            };
            match tried {
                Tried::Done(result) => return result,
                Tried::NotThere => {}
                Tried::Unknown => {
                    let sysroot = self.env.sysroot;
                    if let Some(found) =
                        sysroot.and_then(|s| s.resolve(later.at, &later.path, later.follow))
                    {
                        args[1] = self.keep(&found);
                    }
                }
            }
        }
        // SAFETY: pointers in args are into guest memory, into scratch memory
        // that lives until the next reset, or invalid for the kernel to refuse.
        unsafe { safe_syscall(self.env.pending, host, args) }
    }

    fn open_plain(&self, later: &Later, args: &[u64; 6]) -> Tried {
        let flags = args[2] as i32;
        // A file that is made is made where the path leads on the host if the sysroot has none.
        if flags & (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) != 0 {
            return Tried::Unknown;
        }
        // SAFETY: open_how is plain data for which zero is valid.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        how.flags = u64::from(flags as u32);
        how.resolve = libc::RESOLVE_NO_SYMLINKS;
        let plain = later.plain.as_ptr() as u64;
        let at = libc::AT_FDCWD as u64;
        let args = [
            at,
            plain,
            &raw const how as u64,
            size_of_val(&how) as u64,
            0,
            0,
        ];
        // SAFETY: a C string and a valid open_how of the given size.
        let result = unsafe { safe_syscall(self.env.pending, libc::SYS_openat2 as u16, &args) };
        match -result {
            ERESTARTSYS => Tried::Done(result),
            errno if errno == i64::from(libc::EINTR) => Tried::Done(result),
            errno if errno == i64::from(libc::ENOENT) => Tried::NotThere,
            errno if errno > 0 => Tried::Unknown,
            _ => Tried::Done(result),
        }
    }

    fn stat_plain(&self, later: &Later, args: &[u64; 6]) -> Tried {
        if args[3] as i32 & !libc::AT_SYMLINK_NOFOLLOW != 0 {
            return Tried::Unknown;
        }
        let flags = if later.follow { 0 } else { libc::O_NOFOLLOW };
        let resolve = libc::RESOLVE_NO_SYMLINKS;
        let Some(file) = open_path(libc::AT_FDCWD, &later.plain, flags, resolve) else {
            return match Error::last_os_error().raw_os_error() {
                Some(libc::ENOENT) => Tried::NotThere,
                _ => Tried::Unknown,
            };
        };
        let empty = c"".as_ptr() as u64;
        let flags = libc::AT_EMPTY_PATH as u64;
        let args = [file.as_raw_fd() as u64, empty, args[2], flags, 0, 0];
        // SAFETY: a descriptor of ours, a C string, and the guest's buffer as `make` has it.
        Tried::Done(unsafe { safe_syscall(self.env.pending, FSTATAT as u16, &args) })
    }
}

enum Tried {
    Done(i64),
    /// The sysroot has no such file: the path is to be used as it is.
    NotThere,
    Unknown,
}
