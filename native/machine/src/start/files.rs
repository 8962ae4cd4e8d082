//! The files of a start: opening them as execve(2) does, and telling whether they are those that
//! the recipe was made from.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::command::Command;
use super::recipe::Recipe;
use crate::process::child::is_being_written;
use crate::store::{self, file_identity};
use crate::thunk::exec::OwnExe;
use crate::thunk::path::lookup_in;

/// Where the Python sources are that a recipe or a thunk table comes from.
const SOURCES: [&[u8]; 4] = [b"", GUESTS, b"/loader", b"/syscalls"];
/// Of this one also the folders in it: the packages of the guests.
const GUESTS: &[u8] = b"/arch";

/// The open files of a program.
pub struct Files {
    program: OwnedFd,
    interpreter: Option<OwnedFd>,
}

impl Files {
    /// Opens the interpreter, too. None: the files are not those of the recipe.
    pub fn open(program: OwnedFd, recipe: &Recipe) -> Option<Self> {
        let is_there = |path: &Vec<u8>| path_exists(path);
        if recipe.absent.iter().any(is_there) {
            return None;
        }
        let interpreter = match &recipe.interpreter {
            None => None,
            Some((path, identity)) => {
                let file = open_executable(path)?;
                let known = file_identity(&store::fstat(file.as_raw_fd())?);
                if known != identity[..] {
                    return None;
                }
                Some(file)
            }
        };
        Some(Self {
            program,
            interpreter,
        })
    }

    pub fn program_fd(&self) -> RawFd {
        self.program.as_raw_fd()
    }

    pub fn interpreter_fd(&self) -> Option<RawFd> {
        self.interpreter.as_ref().map(AsRawFd::as_raw_fd)
    }

    pub fn program_identity(&self) -> Option<[u8; 40]> {
        Some(file_identity(&store::fstat(self.program_fd())?))
    }

    /// The program's path, links resolved. `named`: what it was opened by.
    pub fn program_path(&self, named: &[u8]) -> Option<Vec<u8>> {
        let link = format!("/proc/self/fd/{}", self.program_fd());
        let found = std::fs::read_link(link).or_else(|_| std::fs::canonicalize(path(named)));
        Some(found.ok()?.into_os_string().into_vec())
    }
}

/// A sysroot's path, if it is absolute and as Python would write it (`os.path.abspath`).
pub fn plain(path: &[u8]) -> Option<&[u8]> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let mut parts = path.strip_prefix(b"/")?.split(|&byte| byte == b'/');
    let odd = |part: &[u8]| matches!(part, b"" | b"." | b"..");
    (!parts.any(odd)).then_some(path)
}

/// Opens the program that a command names.
pub fn open_program(command: &Command, sysroot: &[u8]) -> Option<OwnedFd> {
    if let Some(fd) = command.fd {
        store::fstat(fd)?;
        // SAFETY: the kernel opened it for us (AT_EXECFD). A copy, since Python may need it.
        let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) };
        if copy < 0 || is_being_written(copy) {
            return None;
        }
        // SAFETY: just made.
        return Some(unsafe { OwnedFd::from_raw_fd(copy) });
    }
    let path = &command.program;
    let inside = if !sysroot.is_empty() && path.starts_with(b"/") {
        lookup_in(sysroot, path, true).ok()?
    } else {
        None
    };
    open_executable(inside.as_ref().unwrap_or(path))
}

/// Opens a file as execve(2) does: it must be a regular one that may be executed.
fn open_executable(path: &[u8]) -> Option<OwnedFd> {
    let path = CString::new(path).ok()?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return None;
    }
    // SAFETY: just opened, and nobody else's.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    let info = store::fstat(fd)?;
    // SAFETY: the path is a C string.
    let executable = unsafe {
        libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) == 0
    };
    let regular = info.st_mode & libc::S_IFMT == libc::S_IFREG;
    (regular && executable && !is_being_written(fd)).then_some(file)
}

/// The key of the recipe: everything that it depends on.
pub fn key(
    command: &Command,
    sysroot: &[u8],
    program: &OwnedFd,
    package: &[u8],
) -> Option<Vec<u8>> {
    let mut stack = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills a valid rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut stack) } < 0 {
        return None;
    }
    let identity = file_identity(&store::fstat(program.as_raw_fd())?);
    let asked: &[u8] = if command.sysroot.is_some() {
        b"-L"
    } else {
        b""
    };
    let text = [&command.guest[..], asked, sysroot].join(&0);
    let numbers = [sources(package)?, stack.rlim_cur].map(u64::to_le_bytes);
    Some([&text[..], b"\0", &identity, &numbers.concat()].concat())
}

/// A number that changes with every file that recipes come from, and with this library.
fn sources(package: &[u8]) -> Option<u64> {
    if package.is_empty() {
        return store::stamp_sources(&[]).ok();
    }
    let mut folders = SOURCES.map(|folder| [package, folder].concat()).to_vec();
    let guests = path(&[package, GUESTS].concat());
    for entry in std::fs::read_dir(guests).ok()? {
        let entry = entry.ok()?;
        if entry.file_type().ok()?.is_dir() {
            folders.push(entry.path().into_os_string().into_vec());
        }
    }
    folders.sort_unstable();
    store::stamp_sources(&folders).ok()
}

/// The emulator's own executable.
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

/// The guest's name of a host file: without the sysroot, if it is in there.
pub fn guest_path<'a>(host: &'a [u8], sysroot: &[u8]) -> &'a [u8] {
    match host.strip_prefix(sysroot) {
        Some(inside) if !sysroot.is_empty() && inside.starts_with(b"/") => inside,
        _ => host,
    }
}

/// What /proc/PID/comm shows of a program.
pub fn comm(program: &[u8]) -> &[u8] {
    let start = program.iter().rposition(|&byte| byte == b'/');
    &program[start.map_or(0, |at| at + 1)..]
}

pub fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn path_exists(bytes: &[u8]) -> bool {
    path(bytes).symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_normal_paths_are_plain() {
        assert_eq!(plain(b"/usr/root/"), Some(&b"/usr/root"[..]));
        for odd in [&b"usr"[..], b"/usr/../x", b"/usr//x", b"/./x", b""] {
            assert_eq!(plain(odd), None);
        }
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
