//! Finding a path in a folder that stands for `/`.
//!
//! The kernel does the walk: `openat2(RESOLVE_IN_ROOT)` resolves absolute symbolic links inside the
//! folder and keeps `..` from leaving it. Where it cannot, the names are taken one by one:
//! at the limit of descriptors (this needs none), on a kernel before 5.6, in a sandbox that does not know
//! openat2, without /proc, and when others rename so much that no walk by `..` comes to its end. So a
//! look-up gives the folder's file or the error that a process in a chroot gets, and says "not
//! there" only of what is not there.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::atomic::{AtomicBool, Ordering};

use super::path::{fd_path, is_kernel_tree};

/// openat2 is missing, or forbidden: old seccomp profiles of container engines give EPERM for what they
/// do not know.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);
/// openat2(2) gives EAGAIN when something was renamed meanwhile, "the caller may choose to retry".
const TRIES: u32 = 64;
/// Of include/linux/namei.h.
const MAXSYMLINKS: u32 = 40;

/// Whether openat2 has not been found missing.
pub(super) fn has_openat2() -> bool {
    !NO_OPENAT2.load(Ordering::Relaxed)
}

/// Opens a path as O_PATH by openat2(2).
///
/// # Errors
/// Its errno; ENOSYS as well where it is forbidden.
pub(super) fn open_path(at: i32, path: &CStr, flags: i32, resolve: u64) -> Result<OwnedFd, i32> {
    if !has_openat2() {
        return Err(libc::ENOSYS);
    }
    // SAFETY: open_how is plain data for which zero is valid.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC | flags) as u64;
    how.resolve = resolve;
    let size = size_of_val(&how);
    for _ in 0..TRIES {
        let how = &raw const how;
        // SAFETY: `path` is a C string and `how` a valid open_how of the given size.
        let fd = unsafe { libc::syscall(libc::SYS_openat2, at, path.as_ptr(), how, size) };
        if fd >= 0 {
            // SAFETY: a new descriptor that nobody else owns.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) });
        }
        match errno(&std::io::Error::last_os_error()) {
            libc::EAGAIN | libc::EINTR => {}
            // An O_PATH needs no right that EPERM could be about.
            libc::ENOSYS | libc::EPERM => {
                NO_OPENAT2.store(true, Ordering::Relaxed);
                return Err(libc::ENOSYS);
            }
            other => return Err(other),
        }
    }
    Err(libc::EAGAIN)
}

/// What a look-up came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The host path of the file, without symbolic links below the folder (but for the file itself).
    Inside(Vec<u8>),
    /// Links lead to this path in /proc or /sys, which are the running kernel's.
    Kernel(Vec<u8>),
    /// The folder has no such file; it would be here.
    Missing(Vec<u8>),
}

/// Looks up what the absolute path `inner` names in the folder `root`; `follow`: also if it is a
/// symbolic link.
///
/// # Errors
/// The errno that the call would give in a chroot; ENOENT is [`Found::Missing`].
pub fn find(root: &[u8], inner: &[u8], follow: bool) -> Result<Found, i32> {
    match find_at_once(root, inner, follow) {
        Ok((host, _)) => Ok(Found::Inside(host)),
        Err(
            libc::ENOSYS | libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::EXDEV | libc::EINVAL
            // Perhaps because of a link to /proc, which need not even be there.
            | libc::ENOENT,
        ) => walk(root, inner, follow),
        Err(other) => Err(other),
    }
}

/// The same by the kernel's walk, which no rename leads astray: the host path, and the file itself as O_PATH.
///
/// # Errors
/// Also those of files that a walk of ours would find ([`find`]).
pub(super) fn find_at_once(
    root: &[u8],
    inner: &[u8],
    follow: bool,
) -> Result<(Vec<u8>, OwnedFd), i32> {
    let (folder, file) = open_in(root, inner, follow)?;
    let (real, mut host) = match (fd_path(folder.as_raw_fd()), fd_path(file.as_raw_fd())) {
        (Some(real), Some(host)) => (real, host),
        _ => return Err(libc::ENOSYS),
    };
    if inner.len() > 1 && inner.ends_with(b"/") {
        // Only a directory may be named so; the kernel is to say it.
        host.push(b'/');
    }
    let rest = host.strip_prefix(real.as_slice()).ok_or(libc::EXDEV)?;
    if is_kernel_tree(rest) {
        return Err(libc::EXDEV);
    }
    Ok(([root, rest].concat(), file))
}

/// Opens the folder `root` and in it `inner`, both as O_PATH.
///
/// # Errors
/// Those of openat2(2).
pub(super) fn open_in(root: &[u8], inner: &[u8], follow: bool) -> Result<(OwnedFd, OwnedFd), i32> {
    let name = |bytes: &[u8]| CString::new(bytes).map_err(|_| libc::EINVAL);
    let folder = open_path(libc::AT_FDCWD, &name(root)?, libc::O_DIRECTORY, 0)?;
    let path = if inner.is_empty() {
        c"/".to_owned()
    } else {
        name(inner)?
    };
    let flags = if follow { 0 } else { libc::O_NOFOLLOW };
    let file = open_path(folder.as_raw_fd(), &path, flags, libc::RESOLVE_IN_ROOT)?;
    Ok((folder, file))
}

/// The same name by name. It needs neither descriptors nor /proc. What is renamed
/// meanwhile may be found in its old place or its new one, as by any walk.
fn walk(root: &[u8], inner: &[u8], follow: bool) -> Result<Found, i32> {
    let mut at = root.to_vec();
    // The names that are still to be taken, the next one last.
    let mut left = Vec::new();
    push_names(&mut left, inner);
    let mut links = 0;
    while let Some(name) = left.pop() {
        let own = at.len();
        if !name.is_empty() {
            at.push(b'/');
            at.extend_from_slice(if name == b".." { b"." } else { &name });
        }
        if is_kernel_tree(&at[root.len()..]) {
            return Ok(Found::Kernel(with_names(at.split_off(root.len()), &left)));
        }
        let info = match std::fs::symlink_metadata(OsStr::from_bytes(&at)) {
            Ok(info) => info,
            Err(error) if errno(&error) == libc::ENOENT => {
                return Ok(Found::Missing(with_names(at, &left)));
            }
            Err(error) => return Err(errno(&error)),
        };
        match name.as_slice() {
            b"" if !info.is_dir() => return Err(libc::ENOTDIR),
            b"" if left.is_empty() && own > root.len() => at.push(b'/'),
            b"" => {}
            b"." => at.truncate(own),
            b".." => {
                at.truncate(own);
                let parent = at.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                at.truncate(parent.max(root.len()));
            }
            _ if info.is_symlink() && (follow || !left.is_empty()) => {
                match std::fs::read_link(OsStr::from_bytes(&at)) {
                    Ok(target) => {
                        links += 1;
                        if links > MAXSYMLINKS {
                            return Err(libc::ELOOP);
                        }
                        let target = target.into_os_string().into_vec();
                        let absolute = target.starts_with(b"/");
                        at.truncate(if absolute { root.len() } else { own });
                        push_names(&mut left, &target);
                    }
                    // It is gone, or none any more: once more.
                    Err(error) if [libc::EINVAL, libc::ENOENT].contains(&errno(&error)) => {
                        at.truncate(own);
                        left.push(name);
                    }
                    Err(error) => return Err(errno(&error)),
                }
            }
            _ => {}
        }
    }
    Ok(Found::Inside(at))
}

/// Puts the names of a path before those that are left; an empty one at its end stands for a slash there.
fn push_names(left: &mut Vec<Vec<u8>>, path: &[u8]) {
    let before = left.len();
    let names = path.split(|&byte| byte == b'/').rev().enumerate();
    left.extend(
        names
            .filter(|(index, name)| !name.is_empty() || *index == 0 && path.len() > 1)
            .map(|(_, name)| name.to_vec()),
    );
    // More slashes are no path of their own.
    if left[before..].iter().all(Vec::is_empty) {
        left.truncate(before);
    }
}

fn with_names(mut path: Vec<u8>, left: &[Vec<u8>]) -> Vec<u8> {
    for name in left.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with links of all kinds.
    fn tree() -> (std::path::PathBuf, Vec<u8>) {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("qusr-walk-{}-{count}", std::process::id());
        let root = std::env::temp_dir().join(name);
        std::fs::create_dir_all(root.join("a/b/c")).unwrap();
        std::fs::write(root.join("a/f"), "f").unwrap();
        for (name, target) in [
            ("up", "../../.."),
            ("a/top", "/"),
            ("a/b/file", "/a/f"),
            ("slash", "a/"),
            ("file-slash", "a/f/"),
            ("loop", "a/../loop"),
            ("dangling", "/nowhere"),
            ("a/chain", "top/slash/b"),
            ("self", "."),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        let root = root.canonicalize().unwrap();
        let bytes = root.as_os_str().as_bytes().to_vec();
        (root, bytes)
    }

    #[test]
    fn both_walks_come_to_the_same() {
        let (folder, root) = tree();
        let names = [
            "a",
            "b",
            "c",
            "f",
            "top",
            "file",
            "up",
            "slash",
            "file-slash",
            "loop",
            "dangling",
            "chain",
            "self",
            "..",
            ".",
            "",
            "none",
        ];
        let mut seed = 1u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        let mut found = 0;
        for _ in 0..20_000 {
            let count = random(6);
            let path: String = (0..count)
                .map(|_| format!("/{}", names[random(names.len())]))
                .collect();
            let path = if path.is_empty() {
                "/".to_owned()
            } else {
                path
            };
            let follow = random(2) == 0;
            let one = match find_at_once(&root, path.as_bytes(), follow) {
                Err(libc::ENOSYS) => return,
                other => other.map(|(host, _)| host),
            };
            let other = match walk(&root, path.as_bytes(), follow) {
                Ok(Found::Inside(host)) => Ok(host),
                Ok(_) => Err(libc::ENOENT),
                Err(errno) => Err(errno),
            };
            let plain =
                |host: Vec<u8>| host.strip_suffix(b"/").map_or(host.clone(), <[u8]>::to_vec);
            assert_eq!(one.clone().map(plain), other.map(plain), "{path} {follow}");
            found += u32::from(one.is_ok());
        }
        assert!(found > 2000, "{found}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn links_into_the_kernels_trees_lead_out() {
        let (folder, root) = tree();
        symlink("../proc/self/fd", folder.join("a/fd")).unwrap();
        let found = |path: &[u8]| find(&root, path, true);
        assert_eq!(
            found(b"/a/fd/3"),
            Ok(Found::Kernel(b"/proc/self/fd/3".to_vec()))
        );
        let link = [&root[..], b"/a/fd"].concat();
        assert_eq!(find(&root, b"/a/fd", false), Ok(Found::Inside(link)));
        let missing = [&root[..], b"/a/none/x"].concat();
        assert_eq!(found(b"/up/a/none/x"), Ok(Found::Missing(missing)));
        assert_eq!(found(b"/a/f/x"), Err(libc::ENOTDIR));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
