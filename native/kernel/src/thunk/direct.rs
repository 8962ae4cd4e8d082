//! open and stat of a file in the sysroot, without looking the path up twice.
//!
//! In general a path is looked up first, to see whether the sysroot has it, and then again by the call
//! itself. A path in the sysroot on which there are no symbolic links can be opened at once: openat2(2) with
//! `RESOLVE_NO_SYMLINKS` stays in the sysroot by itself, and fails when there is a link or no such file.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use super::exec::Call;
use super::host::{ERESTARTSYS, safe_syscall};
use super::path::{Sysroot, is_kernel_tree};
use super::pin::Last;
use super::running;
use super::walk::{has_openat2, open_in, open_path};

/// A path whose look-up waits for the call.
pub(super) struct Later {
    /// Where it is if there are no symbolic links on it.
    plain: Option<CString>,
    /// What [`Sysroot::placed`] says, as far as it was asked.
    placed: Option<(Vec<u8>, bool)>,
    at: i32,
    path: Vec<u8>,
    follow: bool,
}

impl Later {
    /// None: the path is to be used as it is.
    pub fn of(sysroot: &Sysroot, at: i32, path: Vec<u8>, follow: bool) -> Option<Self> {
        let plain = sysroot.plain(at, &path);
        let placed = match plain {
            Some(_) => None,
            None => Some(
                sysroot
                    .placed(at, &path)
                    .filter(|(inner, _)| !is_kernel_tree(inner))?,
            ),
        };
        Some(Self {
            plain,
            placed,
            at,
            path,
            follow,
        })
    }

    fn placed(&self, sysroot: &Sysroot) -> Option<(Vec<u8>, bool)> {
        let known = self.placed.clone();
        known.or_else(|| sysroot.placed(self.at, &self.path))
    }
}

const OPENAT: i64 = libc::SYS_openat;
const FSTATAT: i64 = libc::SYS_newfstatat;

/// How often what others rename may lead a look-up astray before the file is held.
const TRIES: u32 = 4;

/// Whether the look-up of a call's path may wait.
pub(super) fn can_wait(host: u16) -> bool {
    [OPENAT, FSTATAT].contains(&host.into())
}

impl Call<'_> {
    /// Makes the call; `args[1]` is the guest's path as it is.
    pub(super) fn make(&mut self, host: u16, later: Option<Later>, args: &mut [u64; 6]) -> i64 {
        if let Some(later) = later {
            let tried = match &later.plain {
                Some(plain) => self.make_plain(host, plain, later.follow, args),
                None if i64::from(host) == OPENAT => Tried::Unknown,
                None => Tried::Links,
            };
            let decided = match tried {
                Tried::Done(result) => Some(result),
                Tried::NotThere => None,
                Tried::Links if i64::from(host) == FSTATAT => {
                    match self.stat_inside(&later, args) {
                        Some(result) => Some(result),
                        None => self.make_resolved(host, &later, args),
                    }
                }
                Tried::Links | Tried::Unknown => self.make_resolved(host, &later, args),
            };
            if let Some(result) = decided {
                return result;
            }
        }
        if running::would_cut(host, args, |path| self.read_back(path)) {
            return -i64::from(libc::ETXTBSY);
        }
        // SAFETY: pointers in args are into guest memory, into scratch memory
        // that lives until the next reset, or invalid for the kernel to refuse.
        unsafe { safe_syscall(self.env.pending, host, args) }
    }

    /// Looks the path up first. None: the call is to be made with `args`.
    fn make_resolved(&mut self, host: u16, later: &Later, args: &mut [u64; 6]) -> Option<i64> {
        let sysroot = self.env.sysroot?;
        let (inner, relative) = later.placed(sysroot)?;
        let mut was_missing = false;
        for _ in 0..TRIES {
            let found = match sysroot.lookup(&inner, later.follow, relative) {
                Err(errno) => return Some(-i64::from(errno)),
                Ok(found) => found?,
            };
            // There are links in /proc that are not to be read.
            let tried = if is_kernel_tree(found.as_bytes()) {
                Tried::Unknown
            } else {
                self.make_plain(host, &found, later.follow, args)
            };
            match tried {
                Tried::Done(result) => return Some(result),
                // The file was there, without links on the way; others have renamed something since.
                Tried::NotThere if !was_missing => was_missing = true,
                Tried::NotThere => return Some(-i64::from(libc::ENOENT)),
                Tried::Links if later.follow => {}
                Tried::Links | Tried::Unknown => {
                    return self.make_held(host, later, args);
                }
            }
        }
        self.make_held(host, later, args)
    }

    /// Has the call be made by a path that is held ([`super::pin`]); Some: it failed.
    fn make_held(&mut self, host: u16, later: &Later, args: &mut [u64; 6]) -> Option<i64> {
        let makes = i64::from(host) == OPENAT && args[2] as i32 & libc::O_CREAT != 0;
        let last = match later.follow {
            true if makes => Last::Made,
            true => Last::Followed,
            false => Last::Itself,
        };
        match self.pinned_path(later.at, &later.path, last, false) {
            Ok(Some(path)) => {
                args[1] = path;
                if self.pins.last().is_some_and(|(_, pinned)| pinned.makes) {
                    args[2] |= libc::O_NOFOLLOW as u64;
                }
                None
            }
            Ok(None) => None,
            Err(errno) => Some(-i64::from(errno)),
        }
    }

    /// Makes the call by a host path, on which it follows no links.
    fn make_plain(&self, host: u16, path: &CStr, follow: bool, args: &[u64; 6]) -> Tried {
        if !has_openat2() {
            return Tried::Unknown;
        }
        match i64::from(host) {
            OPENAT => self.open_plain(path, args),
            _ => self.stat_plain(path, follow, args),
        }
    }

    fn open_plain(&self, path: &CStr, args: &[u64; 6]) -> Tried {
        let flags = args[2] as i32;
        // A file that is made is made where the path leads on the host if the sysroot has none. What
        // is cut off must not be running.
        let other = libc::O_CREAT | libc::O_TRUNC;
        if flags & (other | libc::O_TMPFILE & !libc::O_DIRECTORY) != 0 {
            return Tried::Unknown;
        }
        // SAFETY: open_how is plain data for which zero is valid.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        how.flags = u64::from(flags as u32);
        how.resolve = libc::RESOLVE_NO_SYMLINKS;
        let at = libc::AT_FDCWD as u64;
        let (path, size) = (path.as_ptr() as u64, size_of_val(&how) as u64);
        let args = [at, path, &raw const how as u64, size, 0, 0];
        // SAFETY: a C string and a valid open_how of the given size.
        let result = unsafe { safe_syscall(self.env.pending, libc::SYS_openat2 as u16, &args) };
        match -result {
            ERESTARTSYS => Tried::Done(result),
            errno if errno == i64::from(libc::EINTR) => Tried::Done(result),
            errno if errno == i64::from(libc::ENOENT) => Tried::NotThere,
            errno if errno == i64::from(libc::ELOOP) => Tried::Links,
            errno if errno > 0 => Tried::Unknown,
            _ => Tried::Done(result),
        }
    }

    fn stat_plain(&self, path: &CStr, follow: bool, args: &[u64; 6]) -> Tried {
        if !is_simple(args) {
            return Tried::Unknown;
        }
        let flags = if follow { 0 } else { libc::O_NOFOLLOW };
        match open_path(libc::AT_FDCWD, path, flags, libc::RESOLVE_NO_SYMLINKS) {
            Ok(file) => Tried::Done(self.stat_file(&file, args)),
            Err(libc::ENOENT) => Tried::NotThere,
            Err(libc::ELOOP) => Tried::Links,
            Err(_) => Tried::Unknown,
        }
    }

    /// stat of what links in the sysroot lead to. None: not known.
    fn stat_inside(&self, later: &Later, args: &[u64; 6]) -> Option<i64> {
        let sysroot = self.env.sysroot.filter(|_| is_simple(args))?;
        let (inner, _) = later.placed(sysroot)?;
        let (_, file) = open_in(sysroot.prefix(), &inner, later.follow).ok()?;
        Some(self.stat_file(&file, args))
    }

    fn stat_file(&self, file: &OwnedFd, args: &[u64; 6]) -> i64 {
        let empty = c"".as_ptr() as u64;
        let flags = libc::AT_EMPTY_PATH as u64;
        let args = [file.as_raw_fd() as u64, empty, args[2], flags, 0, 0];
        // SAFETY: a descriptor of ours, a C string, and the guest's buffer as `make` has it.
        unsafe { safe_syscall(self.env.pending, FSTATAT as u16, &args) }
    }
}

/// Whether a stat has no other flags than AT_SYMLINK_NOFOLLOW.
fn is_simple(args: &[u64; 6]) -> bool {
    args[3] as i32 & !libc::AT_SYMLINK_NOFOLLOW == 0
}

enum Tried {
    Done(i64),
    /// The sysroot has no such file: the path is to be used as it is.
    NotThere,
    /// There are symbolic links on it.
    Links,
    Unknown,
}
