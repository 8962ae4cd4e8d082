//! Keeping a call inside the sysroot between its look-up and the call itself.
//!
//! A look-up comes to a path without symbolic links; until the call walks it again, others may have put one there
//! that leads out. So the folder on that path, or the file, is held open by a descriptor that was reached without links, and the
//! call gets a path by way of /proc/thread-self/fd. With openat2(2) the kernel's own walk finds it, which no rename leads
//! astray; otherwise a walk of ours is done again until nothing has changed meanwhile. Where that cannot be (no descriptors left, no /proc), it
//! gets the path as it is.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::exec::Call;
use super::path::{Sysroot, fd_path, is_kernel_tree};
use super::procfs::status;
use super::walk::{find_at_once, open_path};

/// How often what others rename may lead a look-up astray (a kernel's walk would not fail for that, so it is as good as
/// always), and how often a name may be missing that it has found.
const TRIES: u32 = 10_000;
const MISSING: u32 = 3;

/// What a call does about the last name of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// It would follow a link; a look-up has found none.
    Followed,
    /// It is about what has that name.
    Itself,
    /// As the first, but it makes a file if there is none.
    Made,
}

/// A path that stays where it leads as long as the descriptors are open.
pub struct Pinned {
    pub path: CString,
    /// What the path was before.
    pub plain: CString,
    held: OwnedFd,
    /// A file is to be made; what is there by then is none that was looked up, so no link is to be followed.
    pub makes: bool,
}

/// Why a path is not held.
enum Failed {
    /// Something on it has changed, or is missing.
    Moved,
    Missing,
    /// It cannot be held.
    Unable,
}

impl Pinned {
    /// Makes a call with the path.
    ///
    /// # Errors
    /// The call's errno.
    pub fn go(&self, call: impl Fn(&CStr) -> Result<u64, i32>) -> Result<u64, i32> {
        match call(&self.path) {
            Err(libc::ENOENT) if !self.works() => call(&self.plain),
            result => result,
        }
    }

    /// Whether the path leads there: it does not without /proc.
    fn works(&self) -> bool {
        fd_path(self.held.as_raw_fd()).is_some()
    }
}

/// Opens `name` in `folder` without following it.
fn open_at(folder: i32, name: &CStr, flags: i32) -> Result<OwnedFd, Failed> {
    let flags = flags | libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: `name` is a C string.
    let fd = unsafe { libc::openat(folder, name.as_ptr(), flags) };
    if fd >= 0 {
        // SAFETY: a new descriptor that nobody else owns.
        return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    Err(failed(
        std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
    ))
}

fn failed(errno: i32) -> Failed {
    match errno {
        // ENOTDIR: also of a link where a folder was.
        libc::ENOENT => Failed::Missing,
        libc::ENOTDIR | libc::ELOOP => Failed::Moved,
        _ => Failed::Unable,
    }
}

/// Opens a folder below the sysroot's `prefix` by its names, none of which is a link.
fn open_folder(prefix: &[u8], below: &[u8]) -> Result<OwnedFd, Failed> {
    let name = |bytes: &[u8]| CString::new(bytes).map_err(|_| Failed::Unable);
    let whole = name(&[prefix, below].concat())?;
    match open_path(
        libc::AT_FDCWD,
        &whole,
        libc::O_DIRECTORY,
        libc::RESOLVE_NO_SYMLINKS,
    ) {
        Ok(folder) => return Ok(folder),
        Err(libc::ENOSYS) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let mut at = open_at(libc::AT_FDCWD, &name(prefix)?, libc::O_DIRECTORY)?;
    for part in below.split(|&byte| byte == b'/').filter(|p| !p.is_empty()) {
        at = open_at(at.as_raw_fd(), &name(part)?, libc::O_DIRECTORY)?;
    }
    Ok(at)
}

/// Holds the host path `plain`, which a look-up of ours has given.
fn hold(sysroot: &Sysroot, plain: &CStr, last: Last) -> Result<Pinned, Failed> {
    let prefix = sysroot.prefix();
    let inner = sysroot.inner(plain.to_bytes()).ok_or(Failed::Unable)?;
    let trimmed = without_slashes(inner);
    let slashes = &inner[trimmed.len()..];
    let cut = trimmed.iter().rposition(|&byte| byte == b'/');
    let Some(cut) = cut else {
        // The sysroot itself, which others cannot exchange for a link.
        return Err(Failed::Unable);
    };
    let (below, end) = (&trimmed[..cut], &trimmed[cut + 1..]);
    if trimmed
        .split(|&byte| byte == b'/')
        .any(|name| name == b"..")
    {
        // Behind a name that was missing.
        return Err(Failed::Missing);
    }
    let folder = open_folder(prefix, below)?;
    let name = CString::new(end).map_err(|_| Failed::Unable)?;
    let file = match last {
        Last::Itself => None,
        _ => match open_at(folder.as_raw_fd(), &name, 0) {
            Err(Failed::Missing) if last == Last::Made => None,
            found => Some(found?),
        },
    };
    let link = |file: libc::stat| file.st_mode & libc::S_IFMT == libc::S_IFLNK;
    if file
        .as_ref()
        .is_some_and(|file| status(file.as_raw_fd()).is_none_or(link))
    {
        return Err(Failed::Moved);
    }
    let makes = last == Last::Made && file.is_none();
    let (held, end) = match file {
        Some(file) => (file, Vec::new()),
        None => (folder, [b"/", end].concat()),
    };
    let fd = format!("/proc/thread-self/fd/{}", held.as_raw_fd());
    let path = [fd.as_bytes(), &end, slashes].concat();
    Ok(Pinned {
        path: CString::new(path).map_err(|_| Failed::Unable)?,
        plain: plain.to_owned(),
        held,
        makes,
    })
}

/// The same by the kernel's walk, with which no rename can interfere; `inner` is what [`Sysroot::placed`] gives. None:
/// it does not find the file, or cannot.
fn hold_at_once(sysroot: &Sysroot, inner: &[u8], last: Last) -> Option<Pinned> {
    if is_kernel_tree(inner) {
        return None;
    }
    let prefix = sysroot.prefix();
    let (plain, held, end) = if last == Last::Itself {
        let trimmed = without_slashes(inner);
        let cut = trimmed.iter().rposition(|&byte| byte == b'/')?;
        let (below, end) = (&trimmed[..cut], &trimmed[cut..]);
        if matches!(end, b"/" | b"/." | b"/..") {
            return None;
        }
        let (folder, held) = find_at_once(prefix, below, true).ok()?;
        let name = CString::new(&end[1..]).ok()?;
        open_at(held.as_raw_fd(), &name, 0).ok()?;
        (
            [&folder, end].concat(),
            held,
            [end, &inner[trimmed.len()..]].concat(),
        )
    } else {
        let (file, held) = find_at_once(prefix, inner, true).ok()?;
        (
            file,
            held,
            if inner.ends_with(b"/") {
                b"/".to_vec()
            } else {
                Vec::new()
            },
        )
    };
    if is_kernel_tree(sysroot.inner(&plain)?) {
        return None;
    }
    let fd = format!("/proc/thread-self/fd/{}", held.as_raw_fd());
    Some(Pinned {
        path: CString::new([fd.as_bytes(), &end].concat()).ok()?,
        plain: CString::new(plain).ok()?,
        held,
        makes: false,
    })
}

fn without_slashes(path: &[u8]) -> &[u8] {
    let kept = path.iter().rposition(|&byte| byte != b'/');
    &path[..kept.map_or(0, |at| at + 1)]
}

/// Where the sysroot has the file of a path, held; None: the path is to be used as it is.
pub enum Place {
    AsItIs,
    /// Not to be held.
    Plain(CString),
    Held(Pinned),
}

/// Looks a path up as [`Sysroot::resolve`] does, and holds what it came to. `mount`: it is mounted on or unmounted, which a file
/// that is held open would hinder, so its folder is held.
///
/// # Errors
/// The errno of the look-up.
pub fn find(
    sysroot: &Sysroot,
    at: i32,
    path: &[u8],
    last: Last,
    mount: bool,
) -> Result<Place, i32> {
    let follow = last != Last::Itself;
    let held = if mount { Last::Itself } else { last };
    if let Some((inner, _)) = sysroot.placed(at, path)
        && let Some(pinned) = hold_at_once(sysroot, &inner, held)
    {
        return Ok(Place::Held(pinned));
    }
    let mut missing = 0;
    for tried in 0..TRIES {
        if tried > MISSING {
            std::thread::yield_now();
        }
        let Some(plain) = sysroot.resolve(at, path, follow)? else {
            return Ok(Place::AsItIs);
        };
        let inner = sysroot.inner(plain.to_bytes());
        if inner.is_none_or(is_kernel_tree) {
            return Ok(Place::Plain(plain));
        }
        match hold(sysroot, &plain, held) {
            Ok(pinned) => return Ok(Place::Held(pinned)),
            Err(Failed::Unable) => return Ok(Place::Plain(plain)),
            Err(Failed::Moved) => {}
            Err(Failed::Missing) if missing < MISSING => missing += 1,
            Err(Failed::Missing) => return Err(libc::ENOENT),
        }
    }
    // As many links as that nobody follows.
    Err(libc::ELOOP)
}

impl Call<'_> {
    /// The host's path for a call, kept in scratch memory. None: the guest's is to be used.
    pub(super) fn pinned_path(
        &mut self,
        at: i32,
        path: &[u8],
        last: Last,
        mount: bool,
    ) -> Result<Option<u64>, i32> {
        let Some(sysroot) = self.env.sysroot else {
            return Ok(None);
        };
        Ok(match find(sysroot, at, path, last, mount)? {
            Place::AsItIs => None,
            Place::Plain(plain) => Some(self.keep(&plain)),
            Place::Held(pinned) => {
                let kept = self.keep(&pinned.path);
                self.pins.push((kept, pinned));
                Some(kept)
            }
        })
    }

    /// After a call that found nothing: its arguments with the paths as they were before they were held, where that
    /// is due to /proc not being there.
    pub(super) fn unpin(&mut self, host_args: &mut [u64; 6]) -> bool {
        let pins = std::mem::take(&mut self.pins);
        let broken = pins.iter().any(|(_, pinned)| !pinned.works());
        if broken {
            for (kept, pinned) in &pins {
                let plain = self.keep(&pinned.plain);
                for arg in host_args.iter_mut().filter(|arg| **arg == *kept) {
                    *arg = plain;
                }
            }
        } else {
            self.pins = pins;
        }
        broken
    }
}
