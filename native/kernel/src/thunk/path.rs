//! Guest paths: the sysroot is looked at first, then the host.
//!
//! [`walk`] looks a path up. No descriptor is kept open, so a guest that closes every descriptor does no
//! harm. Only what the sysroot certainly does not have is the host's: any other outcome is an error.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};

use super::walk::{self, Found};

/// The directory that stands for the guest's `/`.
#[derive(Debug)]
pub struct Sysroot {
    /// Absolute host path without symbolic links and without a trailing slash.
    prefix: Vec<u8>,
    /// Symbolic links in the sysroot itself, as `lib` to `usr/lib`, with their targets.
    aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// The current directory lies in the sysroot.
    inside: AtomicBool,
    /// Another process may change it as well (clone(2) with CLONE_FS).
    common: AtomicBool,
}

/// What the kernel calls the file behind a descriptor of this process.
pub fn fd_path(fd: i32) -> Option<Vec<u8>> {
    if fd == libc::AT_FDCWD {
        return current_directory().ok();
    }
    std::fs::read_link(format!("/proc/self/fd/{fd}"))
        .ok()
        .map(|path| path.into_os_string().into_vec())
}

/// getcwd(2), which needs no /proc.
///
/// # Errors
/// Its errno.
pub fn current_directory() -> Result<Vec<u8>, i32> {
    let mut path = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the buffer has the given size.
    let size = unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) };
    let failed = || std::io::Error::last_os_error().raw_os_error();
    let size = usize::try_from(size).map_err(|_| failed().unwrap_or(libc::EIO))?;
    // With the NUL behind it.
    path.truncate(size.saturating_sub(1));
    Ok(path)
}

/// The host path of what an absolute guest path names in the sysroot `root`, which may itself be
/// named by symbolic links; None when it is not there.
///
/// # Errors
/// The errno of the look-up: the sysroot may have the file.
pub fn lookup_in(root: &[u8], path: &[u8], follow: bool) -> Result<Option<Vec<u8>>, i32> {
    if is_kernel_tree(path) {
        return Ok(None);
    }
    Ok(match walk::find(root, path, follow)? {
        Found::Inside(host) | Found::Kernel(host) => Some(host),
        Found::Missing(_) => None,
    })
}

impl Sysroot {
    /// A sysroot at `prefix`.
    ///
    /// # Errors
    /// That of resolving the directory.
    pub fn new(prefix: &Path) -> std::io::Result<Self> {
        let real = std::fs::canonicalize(prefix)?;
        let sysroot = Self {
            prefix: real.as_os_str().as_bytes().to_vec(),
            aliases: aliases(&real),
            inside: AtomicBool::new(false),
            common: AtomicBool::new(false),
        };
        sysroot.directory_changed();
        Ok(sysroot)
    }

    /// The same for another process, whose current directory is the same as yet.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            prefix: self.prefix.clone(),
            aliases: self.aliases.clone(),
            inside: AtomicBool::new(self.is_inside()),
            common: AtomicBool::new(false),
        }
    }

    /// From now on another process may change the current directory as well.
    pub fn is_common(&self) {
        self.common.store(true, Ordering::Relaxed);
    }

    /// The host path of the sysroot.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// To be called after chdir and fchdir.
    pub fn directory_changed(&self) {
        let inside = current_directory().is_ok_and(|cwd| self.inner(&cwd).is_some());
        self.inside.store(inside, Ordering::Relaxed);
    }

    /// The part of a host path behind the prefix, "" for the sysroot itself.
    pub(super) fn inner<'a>(&self, host: &'a [u8]) -> Option<&'a [u8]> {
        let rest = host.strip_prefix(self.prefix.as_slice())?;
        (rest.is_empty() || rest[0] == b'/').then_some(rest)
    }

    /// What the guest calls the file that the host has at `host`; None: as the host does. What lies in the sysroot's
    /// own /proc or /sys has no other name.
    #[must_use]
    pub fn guest_path<'a>(&self, host: &'a [u8]) -> Option<&'a [u8]> {
        match self.inner(host)? {
            b"" => Some(b"/"),
            inner if is_kernel_tree(inner) => None,
            inner => Some(inner),
        }
    }

    /// The host path for a guest's path, or None when the path is to be used as it is.
    /// `at` is the directory that a relative path starts from; it is looked at only
    /// when it lies in the sysroot, where an absolute link would otherwise leave it.
    ///
    /// # Errors
    /// The errno that the look-up has in the sysroot, where the file may be.
    pub fn resolve(&self, at: i32, path: &[u8], follow: bool) -> Result<Option<CString>, i32> {
        let Some((inner, relative)) = self.placed(at, path) else {
            return Ok(None);
        };
        self.lookup(&inner, follow, relative)
    }

    /// Where the sysroot would have the file of a path, as the guest sees it, and whether that was a relative path.
    /// None: the path is to be used as it is.
    pub(super) fn placed(&self, at: i32, path: &[u8]) -> Option<(Vec<u8>, bool)> {
        if path.first()? == &b'/' {
            // A path that the guest learned from the host (getcwd, /proc) names its file too.
            return Some((self.inner(path).unwrap_or(path).to_vec(), false));
        }
        if at == libc::AT_FDCWD && !self.is_inside() {
            return None;
        }
        // Asked each time: others may have renamed it.
        let folder = fd_path(at)?;
        let whole = join(self.inner(&folder)?, path);
        // The kernel takes a short path from a deep folder, and has no links to tell us of there.
        (whole.len() < libc::PATH_MAX as usize).then_some((whole, true))
    }

    /// Whether the current directory lay in the sysroot when it became that.
    fn is_inside(&self) -> bool {
        if self.common.load(Ordering::Relaxed) {
            self.directory_changed();
        }
        self.inside.load(Ordering::Relaxed)
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
        // A relative path without `..` and links stays where it is.
        let here = at == libc::AT_FDCWD && !path.is_empty() && self.is_inside();
        (here && !climbs(path)).then(|| CString::new(path).ok())?
    }

    fn plain_inner(&self, inner: &[u8]) -> Option<CString> {
        if climbs(inner) {
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

    /// The host path of what `inner` names, which [`Self::placed`] gave; None as for [`Self::resolve`].
    ///
    /// # Errors
    /// As for [`Self::resolve`].
    pub(super) fn lookup(
        &self,
        inner: &[u8],
        follow: bool,
        relative: bool,
    ) -> Result<Option<CString>, i32> {
        if is_kernel_tree(inner) {
            return Ok(None);
        }
        match self.lookup_plain(inner, follow) {
            Plain::Found(path) => return Ok(Some(path)),
            Plain::Missing => return Ok(None),
            Plain::Unknown => {}
        }
        let host = match walk::find(&self.prefix, inner, follow)? {
            Found::Inside(host) | Found::Kernel(host) => host,
            // By `..` a relative path could leave the sysroot; it means a file in there.
            Found::Missing(place) if relative && climbs(inner) => place,
            Found::Missing(_) => return Ok(None),
        };
        CString::new(host).map(Some).map_err(|_| libc::ENOENT)
    }

    /// The same for a path on which there are neither symbolic links nor `..`, by one host call
    /// less than half as long: it stays in the sysroot by itself.
    fn lookup_plain(&self, inner: &[u8], follow: bool) -> Plain {
        let Some(host) = self.plain_inner(inner) else {
            return Plain::Unknown;
        };
        let flags = if follow { 0 } else { libc::O_NOFOLLOW };
        match walk::open_path(libc::AT_FDCWD, &host, flags, libc::RESOLVE_NO_SYMLINKS) {
            Ok(_) => Plain::Found(host),
            Err(libc::ENOENT) => Plain::Missing,
            Err(_) => Plain::Unknown,
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
pub(super) fn is_kernel_tree(inner: &[u8]) -> bool {
    [b"/proc".as_slice(), b"/sys"].iter().any(|tree| {
        inner
            .strip_prefix(*tree)
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    })
}

/// Whether `..` is in a path.
fn climbs(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|name| name == b"..")
}

fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let mut whole = directory.to_vec();
    whole.push(b'/');
    whole.extend_from_slice(path);
    whole
}
