//! Guest paths: the sysroot is looked at first, then the host.
//!
//! The kernel does the walk: `openat2(RESOLVE_IN_ROOT)` on the sysroot resolves
//! absolute symbolic links inside it and keeps `..` from leaving it. No descriptor
//! is kept open, so a guest that closes every descriptor does no harm.

use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};
use std::sync::RwLock;

/// The directory that stands for the guest's `/`.
#[derive(Debug)]
pub struct Sysroot {
    /// Absolute host path without symbolic links and without a trailing slash.
    prefix: Vec<u8>,
    /// Symbolic links in the sysroot itself, as `lib` to `usr/lib`, with their targets.
    aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// The current directory as seen inside the sysroot, when it lies there.
    cwd: RwLock<Option<Vec<u8>>>,
}

pub(super) fn open_path(at: i32, path: &CStr, flags: i32, resolve: u64) -> Option<OwnedFd> {
    // SAFETY: open_how is plain data for which zero is valid.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC | flags) as u64;
    how.resolve = resolve;
    // SAFETY: `path` is a C string and `how` a valid open_how of the given size.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            at,
            path.as_ptr(),
            &raw const how,
            size_of_val(&how),
        )
    };
    // SAFETY: a non-negative result is a new descriptor that nobody else owns.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// What the kernel calls the file behind a descriptor of this process.
pub fn fd_path(fd: i32) -> Option<Vec<u8>> {
    let link = if fd == libc::AT_FDCWD {
        "/proc/self/cwd".into()
    } else {
        format!("/proc/self/fd/{fd}")
    };
    std::fs::read_link(link)
        .ok()
        .map(|path| path.as_os_str().as_bytes().to_vec())
}

/// The host path of what an absolute guest path names in the sysroot `root`, which may itself be
/// named by symbolic links; None when it is not there.
#[must_use]
pub fn lookup_in(root: &[u8], path: &[u8], follow: bool) -> Option<Vec<u8>> {
    let flags = libc::O_DIRECTORY;
    let folder = open_path(libc::AT_FDCWD, &CString::new(root).ok()?, flags, 0)?;
    let path = CString::new(path).ok()?;
    let flags = if follow { 0 } else { libc::O_NOFOLLOW };
    let file = open_path(folder.as_raw_fd(), &path, flags, libc::RESOLVE_IN_ROOT)?;
    let (real, host) = (fd_path(folder.as_raw_fd())?, fd_path(file.as_raw_fd())?);
    let inner = host.strip_prefix(real.as_slice())?;
    Some([root, inner].concat())
}

impl Sysroot {
    /// A sysroot at `prefix`.
    ///
    /// # Errors
    /// That of resolving the directory.
    pub fn new(prefix: &str) -> std::io::Result<Self> {
        let real = std::fs::canonicalize(prefix)?;
        let sysroot = Self {
            prefix: real.as_os_str().as_bytes().to_vec(),
            aliases: aliases(&real),
            cwd: RwLock::new(None),
        };
        sysroot.directory_changed();
        Ok(sysroot)
    }

    /// The same for another process, whose current directory is the same as yet.
    #[must_use]
    pub fn copy(&self) -> Self {
        let cwd = self.cwd.read().map(|cwd| cwd.clone()).unwrap_or_default();
        Self {
            prefix: self.prefix.clone(),
            aliases: self.aliases.clone(),
            cwd: RwLock::new(cwd),
        }
    }

    /// The host path of the sysroot.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// To be called after chdir and fchdir.
    pub fn directory_changed(&self) {
        let inside = fd_path(libc::AT_FDCWD).and_then(|cwd| self.inner(&cwd).map(<[u8]>::to_vec));
        if let Ok(mut cwd) = self.cwd.write() {
            *cwd = inside;
        }
    }

    /// The part of a host path behind the prefix, "" for the sysroot itself.
    pub(super) fn inner<'a>(&self, host: &'a [u8]) -> Option<&'a [u8]> {
        let rest = host.strip_prefix(self.prefix.as_slice())?;
        (rest.is_empty() || rest[0] == b'/').then_some(rest)
    }

    /// The host path for a guest's path, or None when the path is to be used as it is.
    /// `at` is the directory that a relative path starts from; it is looked at only
    /// when it lies in the sysroot, where an absolute link would otherwise leave it.
    #[must_use]
    pub fn resolve(&self, at: i32, path: &[u8], follow: bool) -> Option<CString> {
        if path.is_empty() {
            return None;
        }
        if path[0] == b'/' {
            // A path that the guest learned from the host (getcwd, /proc) names its file too.
            return self.lookup(self.inner(path).unwrap_or(path), follow);
        }
        if at == libc::AT_FDCWD {
            let cwd = self.cwd.read().ok()?;
            let inner = cwd.as_ref()?;
            return self.lookup(&join(inner, path), follow);
        }
        let directory = fd_path(at)?;
        self.lookup(&join(self.inner(&directory)?, path), follow)
    }

    /// Where such a path is on the host if the sysroot has it and there are no symbolic links on it (but
    /// for those that are known). `None` when that is of no use.
    #[must_use]
    pub(super) fn plain(&self, at: i32, path: &[u8]) -> Option<CString> {
        if path.first() == Some(&b'/') {
            let inner = self.inner(path).unwrap_or(path);
            return if is_kernel_tree(inner) {
                None
            } else {
                self.plain_inner(inner)
            };
        }
        if at != libc::AT_FDCWD || path.is_empty() {
            return None;
        }
        let cwd = self.cwd.read().ok()?;
        self.plain_inner(&join(cwd.as_ref()?, path))
    }

    fn plain_inner(&self, inner: &[u8]) -> Option<CString> {
        if inner.split(|&byte| byte == b'/').any(|name| name == b"..") {
            return None;
        }
        let prefix = self.prefix.as_slice();
        let slash = inner.iter().skip(1).position(|&byte| byte == b'/');
        if let Some(slash) = slash
            && let Some((name, target)) = self.aliases.iter().find(|a| a.0 == inner[1..=slash])
        {
            let link = OsString::from_vec([prefix, b"/", name].concat());
            if std::fs::read_link(link).is_ok_and(|now| now.as_os_str().as_bytes() == target) {
                return CString::new([prefix, b"/", target, &inner[slash + 1..]].concat()).ok();
            }
        }
        CString::new([prefix, inner].concat()).ok()
    }

    fn lookup(&self, inner: &[u8], follow: bool) -> Option<CString> {
        if is_kernel_tree(inner) {
            return None;
        }
        match self.lookup_plain(inner, follow) {
            Plain::Found(path) => return Some(path),
            Plain::Missing => return None,
            Plain::Unknown => {}
        }
        let root_path = CString::new(self.prefix.clone()).ok()?;
        let flags = libc::O_DIRECTORY;
        let root = open_path(libc::AT_FDCWD, &root_path, flags, 0)?;
        let path = if inner.is_empty() {
            c"/".to_owned()
        } else {
            CString::new(inner).ok()?
        };
        let flags = if follow { 0 } else { libc::O_NOFOLLOW };
        let file = open_path(root.as_raw_fd(), &path, flags, libc::RESOLVE_IN_ROOT)?;
        let mut host = fd_path(file.as_raw_fd())?;
        if inner.len() > 1 && inner.ends_with(b"/") {
            // Only a directory may be named so; the kernel is to say it.
            host.push(b'/');
        }
        CString::new(host).ok()
    }

    /// The same for a path on which there are neither symbolic links nor `..`, by one host call
    /// less than half as long: it stays in the sysroot by itself.
    fn lookup_plain(&self, inner: &[u8], follow: bool) -> Plain {
        let Some(host) = self.plain_inner(inner) else {
            return Plain::Unknown;
        };
        let flags = if follow { 0 } else { libc::O_NOFOLLOW };
        match open_path(libc::AT_FDCWD, &host, flags, libc::RESOLVE_NO_SYMLINKS) {
            Some(_) => Plain::Found(host),
            None if std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOENT) => {
                Plain::Missing
            }
            None => Plain::Unknown,
        }
    }
}

/// What [`Sysroot::lookup_plain`] came to.
enum Plain {
    Found(CString),
    /// The sysroot has no such file.
    Missing,
    /// There are links, or an error that may be due to one.
    Unknown,
}

/// The symbolic links directly in a sysroot that lead to a folder below it.
fn aliases(root: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let links = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        let plain = |part| matches!(part, Component::Normal(_));
        let known = target.components().all(plain) && target.as_os_str().as_bytes() != b"";
        known.then(|| {
            let target = target.into_os_string().into_vec();
            (entry.file_name().into_vec(), target)
        })
    });
    links.collect()
}

/// /proc and /sys are the running kernel's, whatever empty directory the sysroot has.
fn is_kernel_tree(inner: &[u8]) -> bool {
    [b"/proc".as_slice(), b"/sys"].iter().any(|tree| {
        inner
            .strip_prefix(*tree)
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    })
}

fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let mut whole = directory.to_vec();
    whole.push(b'/');
    whole.extend_from_slice(path);
    whole
}
