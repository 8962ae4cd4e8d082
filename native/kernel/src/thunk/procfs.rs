//! Files of /proc that tell of the guest instead of the emulator.
//!
//! Whichever way led to an opened file, the kernel's name of it says what it is, so directory
//! descriptors, symbolic links and openat2 need nothing of their own. A file with the guest's text is
//! a sealed memfd in the place of the descriptor: its text is that of the moment of opening.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{Error, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::exec::OwnExe;
use super::path::{Sysroot, fd_path};
use super::review::Marks;
use crate::memory::AddressSpace;

/// What the program is told about itself, and what its tracer may read in /proc.
#[derive(Debug, Default)]
pub struct Facts {
    /// The program's file as the guest calls it.
    pub exe: Vec<u8>,
    pub auxv: Vec<u8>,
    /// The sysroot, or nothing.
    pub root: Vec<u8>,
    /// `machine` of uname(2).
    pub machine: Vec<u8>,
    /// `release` where it is not to be the host's.
    pub release: Option<Vec<u8>>,
    pub cpuinfo: CpuInfo,
    pub layout: Layout,
}

/// Where the program's parts are, as /proc/PID/stat has it: ranges, and the first stack pointer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    pub code: (u64, u64),
    pub data: (u64, u64),
    pub sp: u64,
    pub args: (u64, u64),
    pub env: (u64, u64),
}

/// The text of /proc/cpuinfo.
#[derive(Clone, Debug, Default)]
pub struct CpuInfo {
    /// That of one CPU: what is around its number.
    pub parts: Vec<&'static str>,
    /// What follows that of the last.
    pub end: &'static str,
}

impl Facts {
    /// The text of a file of /proc, open as `fd`, that is about the whole system.
    fn of_system(&self, name: &[u8], fd: i32) -> Option<Vec<u8>> {
        if name.ends_with(b"/cpuinfo") && !self.cpuinfo.parts.is_empty() {
            // SAFETY: sysconf takes a number only.
            let cpus = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1);
            let cpus = (0..cpus).map(|cpu| self.cpuinfo.parts.join(&cpu.to_string()));
            return Some((cpus.collect::<String>() + self.cpuinfo.end).into_bytes());
        }
        if name.ends_with(b"/sys/kernel/arch") {
            return Some([&self.machine[..], b"\n"].concat());
        }
        let release = self.release.as_ref()?;
        if name.ends_with(b"/version") {
            return with_release(&host_text(fd)?, release);
        }
        let text = [&release[..], b"\n"].concat();
        name.ends_with(b"/sys/kernel/osrelease").then_some(text)
    }
}

/// The text of /proc/version, "Linux version RELEASE (who built it) ..." (`linux_proc_banner` of
/// init/version.c), with another release.
fn with_release(text: &[u8], release: &[u8]) -> Option<Vec<u8>> {
    let mut words: Vec<_> = text.splitn(4, |&byte| byte == b' ').collect();
    *words.get_mut(2)? = release;
    Some(words.join(&b' '))
}

/// What the kernel's file has that is open as `fd`. None: it is not open for reading.
pub fn host_text(fd: i32) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut part = [0; 1024];
    loop {
        // SAFETY: a buffer of the given size.
        let got =
            unsafe { libc::pread(fd, part.as_mut_ptr().cast(), part.len(), text.len() as i64) };
        match usize::try_from(got).ok()? {
            0 => return Some(text),
            got => text.extend_from_slice(&part[..got]),
        }
    }
}

/// What is to be done about a descriptor that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: the kernel's file is right, or the guest's is in its place by now.
    Done,
    /// The text is about the thread, too (`process/proctext.rs`), or Python makes it.
    Python,
}

/// What [`review`] needs to know of the process.
#[derive(Clone, Copy)]
pub struct Guest<'a> {
    pub space: &'a AddressSpace,
    pub facts: &'a Facts,
    pub own_exe: &'a OwnExe,
    pub marks: &'a Marks,
}

/// Looks at a descriptor that was opened.
///
/// # Errors
/// The errno of putting the guest's file into its place; the descriptor is closed then.
pub fn review(fd: i32, file: &libc::stat, guest: Guest<'_>) -> Result<Opened, i32> {
    if guest.own_exe.is(file) {
        return Ok(Opened::Python);
    }
    // A file system on a block device is no procfs, whose devices have the major number 0.
    if libc::major(file.st_dev) != 0 || !on_procfs(fd) {
        return Ok(Opened::Done);
    }
    let Some(name) = fd_path(fd) else {
        return Ok(Opened::Done);
    };
    let facts = guest.facts;
    if let Some(text) = facts.of_system(&name, fd) {
        return stand_in(fd, &name, &text).map(|()| Opened::Done);
    }
    if parts(&name).is_none() {
        return Ok(Opened::Done);
    }
    let Some(own) = own_file(&name) else {
        // It may be a tracee's.
        return Ok(if guest.marks.traces.load(Ordering::Relaxed) {
            Opened::Python
        } else {
            Opened::Done
        });
    };
    let text = match own {
        b"maps" => Ok(guest.space.maps_text(&facts.root)),
        b"smaps" => guest.space.smaps_text(&facts.root),
        b"auxv" => Ok(facts.auxv.clone()),
        b"cmdline" | b"environ" | b"mem" | b"pagemap" | b"smaps_rollup" | b"stat" | b"statm"
        | b"status" | b"syscall" | b"numa_maps" | b"limits" => {
            return Ok(Opened::Python);
        }
        b"map_files" => {
            guest.marks.map_files.store(true, Ordering::Relaxed);
            return Ok(Opened::Done);
        }
        _ => return Ok(Opened::Done),
    };
    let text = text.inspect_err(|_| close(fd))?;
    stand_in(fd, &name, &text).map(|()| Opened::Done)
}

/// Puts a file with this text behind a descriptor that was opened for reading; links in /proc show
/// (the end of) `name`.
///
/// # Errors
/// The errno of the call that failed; the descriptor is closed then.
pub fn stand_in(fd: i32, name: &[u8], text: &[u8]) -> Result<(), i32> {
    // SAFETY: fcntl(F_GETFL) touches no memory.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags & (libc::O_ACCMODE | libc::O_PATH) != libc::O_RDONLY {
        return Ok(());
    }
    let name = &name[name.len().saturating_sub(LONGEST_NAME)..];
    replace(fd, name, text, flags).map_err(|error| {
        close(fd);
        error.raw_os_error().unwrap_or(libc::EIO)
    })
}

fn close(fd: i32) {
    // SAFETY: the guest does not know this descriptor yet.
    unsafe { libc::close(fd) };
}

/// Less than memfd_create(2) takes.
const LONGEST_NAME: usize = 200;

/// Puts a read-only file with this text behind `fd`, opened like it.
fn replace(fd: i32, name: &[u8], text: &[u8], flags: i32) -> Result<(), Error> {
    let mode = status(fd).ok_or_else(Error::last_os_error)?.st_mode;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    let name = CString::new(name)?;
    // SAFETY: `name` is a C string.
    let store =
        unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    check(store)?;
    // SAFETY: a new descriptor that nobody else owns.
    let mut store = unsafe { File::from_raw_fd(store) };
    store.write_all(text)?;
    // SAFETY: neither call touches memory.
    unsafe {
        check(libc::fcntl(store.as_raw_fd(), libc::F_ADD_SEALS, seals))?;
        check(libc::fchmod(store.as_raw_fd(), mode & 0o7777))?;
    }
    let path = CString::new(format!("/proc/self/fd/{}", store.as_raw_fd()))?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | flags & libc::O_NONBLOCK;
    // SAFETY: `path` is a C string.
    let new = check(unsafe { libc::open(path.as_ptr(), flags) })?;
    // SAFETY: as above.
    let new = unsafe { OwnedFd::from_raw_fd(new) };
    // SAFETY: neither call touches memory.
    unsafe {
        let cloexec = check(libc::fcntl(fd, libc::F_GETFD))? & libc::FD_CLOEXEC != 0;
        let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
        check(libc::dup3(new.as_raw_fd(), fd, flags))?;
    }
    Ok(())
}

fn check(result: i32) -> Result<i32, Error> {
    if result < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// fstat(2).
pub fn status(fd: i32) -> Option<libc::stat> {
    // SAFETY: stat is plain data for which zero is valid.
    let mut buffer: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `buffer` is a valid stat.
    (unsafe { libc::fstat(fd, &raw mut buffer) } == 0).then_some(buffer)
}

pub(super) fn on_procfs(fd: i32) -> bool {
    // SAFETY: statfs is plain data for which zero is valid.
    let mut buffer: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `buffer` is a valid statfs.
    unsafe { libc::fstatfs(fd, &raw mut buffer) == 0 && buffer.f_type == libc::PROC_SUPER_MAGIC }
}

/// (procfs, number of the process or thread, name of the file) of a path that has the form of
/// `/proc/PID/NAME` or `/proc/PID/task/TID/NAME`.
fn parts(path: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let cut = |path: &'_ [u8]| path.iter().rposition(|byte| *byte == b'/');
    let end = cut(path)?;
    let name = &path[end + 1..];
    let mut last = end;
    let task = cut(&path[..end]).filter(|at| path[..*at].ends_with(b"/task"));
    if let Some(at) = task {
        last = at - b"/task".len();
    }
    let first = cut(&path[..last])?;
    let number = &path[first + 1..last];
    let digits = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    digits.then_some((&path[..first], number, name))
}

/// The name of a file in our own /proc/PID, /proc/PID/task/TID or /proc/TID; else None.
///
/// The procfs may be mounted anywhere and count processes in a namespace of its own, so its
/// link `self` says which is ours.
#[must_use]
pub fn own_file(path: &[u8]) -> Option<&[u8]> {
    let (root, number, name) = parts(path)?;
    let below = |rest: &[u8]| [root, rest].concat();
    let own = std::fs::read_link(Path::new(OsStr::from_bytes(&below(b"/self")))).ok()?;
    let thread = || {
        let task = below(&[b"/self/task/", number].concat());
        Path::new(OsStr::from_bytes(&task)).is_dir()
    };
    (own.as_os_str().as_bytes() == number || thread()).then_some(name)
}

/// Whether a path ends at our /proc/PID/exe, itself or by at most `hops` - 1 symbolic links. An empty one
/// is the file `at`.
#[must_use]
pub fn leads_to_own_exe(mut at: i32, path: &CStr, hops: u32) -> bool {
    let mut path = path.to_owned();
    for _ in 0..hops {
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: `path` is a C string; the other call touches no memory.
        let fd = unsafe {
            if path.is_empty() {
                libc::fcntl(at, libc::F_DUPFD_CLOEXEC, 0)
            } else {
                libc::openat(at, path.as_ptr(), flags)
            }
        };
        if fd < 0 {
            return false;
        }
        // SAFETY: a new descriptor that nobody else owns.
        let file = unsafe { OwnedFd::from_raw_fd(fd) };
        let link = status(fd).is_some_and(|file| file.st_mode & libc::S_IFMT == libc::S_IFLNK);
        let Some(name) = fd_path(fd).filter(|_| link) else {
            return false;
        };
        if own_file(&name) == Some(b"exe") {
            return true;
        }
        let Some(target) = link_target(file.as_raw_fd()) else {
            return false;
        };
        let folder = name.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let next = if target.starts_with(b"/") {
            target
        } else {
            [&name[..=folder], &target].concat()
        };
        let Ok(next) = CString::new(next) else {
            return false;
        };
        (at, path) = (libc::AT_FDCWD, next);
    }
    false
}

/// Where the symbolic link leads that is open as `file`.
pub(super) fn link_target(file: i32) -> Option<Vec<u8>> {
    let mut target = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: an empty C string, and a buffer of the given size.
    let size =
        unsafe { libc::readlinkat(file, c"".as_ptr(), target.as_mut_ptr().cast(), target.len()) };
    target.truncate(usize::try_from(size).ok()?);
    Some(target)
}

/// The guest's executable as the guest calls it now: it may have been renamed or deleted.
#[must_use]
pub fn exe_name(space: &AddressSpace, facts: &Facts, sysroot: Option<&Sysroot>) -> Vec<u8> {
    match space.mapped_file(facts.layout.code.0) {
        Some(host) => sysroot
            .and_then(|root| root.inner(&host))
            .map_or_else(|| host.clone(), <[u8]>::to_vec),
        None => facts.exe.clone(),
    }
}

impl OwnExe {
    /// Whether a file is the emulator's executable.
    pub(crate) fn is(&self, file: &libc::stat) -> bool {
        self.ino != 0 && file.st_ino == self.ino && file.st_dev == self.dev
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let found = |path: &'static [u8]| parts(path);
        let of = |root: &'static str, number: &'static str, name: &'static str| {
            Some((root.as_bytes(), number.as_bytes(), name.as_bytes()))
        };
        assert_eq!(found(b"/proc/12/maps"), of("/proc", "12", "maps"));
        assert_eq!(found(b"/proc/12/task/13/maps"), of("/proc", "12", "maps"));
        assert_eq!(found(b"/a/b/7/exe"), of("/a/b", "7", "exe"));
        assert_eq!(found(b"/12/maps"), of("", "12", "maps"));
        for other in [
            &b"/proc/self/maps"[..],
            b"/proc/filesystems",
            b"/proc/12/attr/current",
            b"/proc/12/task/13",
            b"/proc//maps",
            b"maps",
            b"",
        ] {
            assert_eq!(parts(other), None, "{}", other.escape_ascii());
        }
    }

    #[test]
    fn own_files_are_those_of_this_process() {
        let own = std::process::id();
        let path = format!("/proc/{own}/maps");
        assert_eq!(own_file(path.as_bytes()), Some(&b"maps"[..]));
        // SAFETY: gettid touches no memory.
        let thread = unsafe { libc::gettid() };
        let path = format!("/proc/{thread}/stat");
        assert_eq!(own_file(path.as_bytes()), Some(&b"stat"[..]));
        assert_eq!(own_file(b"/proc/1/maps"), None);
        assert_eq!(own_file(b"/proc/irq/1/maps"), None);
    }

    #[test]
    fn the_executable_is_found_by_links() {
        let at = libc::AT_FDCWD;
        assert!(leads_to_own_exe(at, c"/proc/self/exe", 1));
        assert!(leads_to_own_exe(at, c"/proc/thread-self/exe", 1));
        assert!(!leads_to_own_exe(at, c"/proc/self/cwd", 40));
        assert!(!leads_to_own_exe(at, c"/proc/1/exe", 40));
        assert!(!leads_to_own_exe(at, c"/no such file", 40));
        let folder = std::env::temp_dir().join(format!("qusr-procfs-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/proc/self/exe", folder.join("one")).unwrap();
        std::os::unix::fs::symlink("one", folder.join("two")).unwrap();
        let two = CString::new(folder.join("two").as_os_str().as_bytes()).unwrap();
        assert!(!leads_to_own_exe(at, &two, 2));
        assert!(leads_to_own_exe(at, &two, 3));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_text_takes_the_place_of_a_descriptor() {
        let path = CString::new("/proc/self/maps").unwrap();
        let flags = libc::O_RDONLY | libc::O_NONBLOCK;
        // SAFETY: `path` is a C string; the descriptor is new.
        let file = unsafe { File::from_raw_fd(libc::open(path.as_ptr(), flags)) };
        let fd = file.as_raw_fd();
        stand_in(fd, b"name", b"text\n").unwrap();
        assert_eq!(std::io::read_to_string(&file).unwrap(), "text\n");
        // SAFETY: the calls touch no memory.
        unsafe {
            assert_eq!(libc::fcntl(fd, libc::F_GETFD), 0);
            let now = libc::fcntl(fd, libc::F_GETFL);
            assert_eq!(now & libc::O_NONBLOCK, libc::O_NONBLOCK);
            assert_eq!(now & libc::O_ACCMODE, libc::O_RDONLY);
        }
        assert_eq!(status(fd).unwrap().st_mode & 0o7777, 0o444);
    }
}
