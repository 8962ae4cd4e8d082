//! execve(2): what it is given, and a program that is ready to take the process over.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::Process;
use super::thread::GuestThread;
use crate::abi::GuestAbi;
use crate::loader::program::{self, Prepared, Request, Wanted};
use crate::loader::rules::Machines;
use crate::loader::stack::check_limits;
use crate::memory::AddressSpace;
use crate::thunk::convert::get_int;
use crate::thunk::map_files;
use crate::thunk::procfs::{leads_to_own_exe, status};

/// With its NUL (include/uapi/linux/binfmts.h).
const MAX_ARG_STRLEN: usize = 131_072;

/// A NULL-terminated array of strings, as execve(2) takes them, of at most `longest` bytes each with
/// their NUL. A null pointer is an empty array (Linux allows it).
///
/// # Errors
/// EFAULT; E2BIG for a string that is too long.
fn read_strings(
    space: &AddressSpace,
    address: u64,
    abi: GuestAbi,
    longest: usize,
) -> Result<Vec<Vec<u8>>, i32> {
    let mut strings = Vec::new();
    if address == 0 {
        return Ok(strings);
    }
    let word = abi.word_bytes();
    let mut at = address;
    loop {
        let mut bytes = [0; 8];
        let pointer = &mut bytes[..word];
        space.read(at, pointer).map_err(|_| libc::EFAULT)?;
        match get_int(pointer, abi.big_endian, false) {
            0 => return Ok(strings),
            string => {
                let text = space.read_cstr(string, longest).map_err(|_| libc::EFAULT)?;
                strings.push(text.ok_or(libc::E2BIG)?);
            }
        }
        at = at.wrapping_add(word as u64);
    }
}

/// A program, and what it is called with.
#[derive(Debug)]
pub struct Execve {
    pub prepared: Prepared,
    pub envp: Vec<Vec<u8>>,
}

/// What a call names.
struct Named {
    path: Vec<u8>,
    /// The file itself, where the path is only what it is called.
    file: Option<OwnedFd>,
    /// The new program could not open a script of that path (fs/binfmt_script.c,
    /// `BINPRM_FLAGS_PATH_INACCESSIBLE`).
    is_hidden: bool,
}

impl GuestThread {
    /// Does all of an execve(2) or execveat(2) that can fail; `values` are the call's arguments. None: the
    /// handler of this name is of another call.
    ///
    /// # Errors
    /// The errno that the guest gets.
    pub fn prepare_exec(
        &self,
        handler: &str,
        values: &[u64],
        exe: &[u8],
        machines: &Machines,
    ) -> Option<Result<Execve, i32>> {
        let (named, strings) = match (handler, values) {
            ("exec:execve", &[path, argv, envp, ..]) => (self.named(path), [argv, envp]),
            ("exec:execveat", &[folder, path, argv, envp, flags, ..]) => {
                let named = self.named_at(folder as i32, path, flags as i32);
                (named, [argv, envp])
            }
            _ => return None,
        };
        Some(named.and_then(|named| self.prepare(named, strings, exe, machines)))
    }

    fn path(&self, address: u64) -> Result<Vec<u8>, i32> {
        let path = self
            .process
            .space
            .read_cstr(address, libc::PATH_MAX as usize);
        path.map_err(|_| libc::EFAULT)?.ok_or(libc::ENAMETOOLONG)
    }

    fn named(&self, path: u64) -> Result<Named, i32> {
        let path = self.path(path)?;
        if path.is_empty() {
            return Err(libc::ENOENT);
        }
        Ok(Named {
            path,
            file: None,
            is_hidden: false,
        })
    }

    /// By `do_open_execat` and `alloc_bprm` of fs/exec.c.
    fn named_at(&self, folder: i32, path: u64, flags: i32) -> Result<Named, i32> {
        if flags & !(libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) != 0 {
            return Err(libc::EINVAL);
        }
        let path = self.path(path)?;
        if path.is_empty() {
            if flags & libc::AT_EMPTY_PATH == 0 {
                return Err(libc::ENOENT);
            }
            if folder == libc::AT_FDCWD {
                // A directory.
                return Err(libc::EACCES);
            }
            return Ok(Named {
                is_hidden: is_hidden(folder)?,
                file: Some(opened_again(folder)?),
                path: format!("/dev/fd/{folder}").into_bytes(),
            });
        }
        if flags & libc::AT_SYMLINK_NOFOLLOW != 0 && self.is_link(folder, &path)? {
            return Err(libc::ELOOP);
        }
        if folder == libc::AT_FDCWD || path.starts_with(b"/") {
            return Ok(Named {
                path,
                file: None,
                is_hidden: false,
            });
        }
        // The kernel's own name for it, also what a script is told.
        Ok(Named {
            is_hidden: is_hidden(folder)?,
            file: None,
            path: [format!("/dev/fd/{folder}/").as_bytes(), &path].concat(),
        })
    }

    fn is_link(&self, folder: i32, path: &[u8]) -> Result<bool, i32> {
        let found = self
            .sysroot()
            .map_or(Ok(None), |root| root.resolve(folder, path, false))?;
        let path = found.map_or_else(|| CString::new(path).map_err(|_| libc::ENOENT), Ok)?;
        // SAFETY: stat is plain data, for which zero is valid.
        let mut info: libc::stat = unsafe { std::mem::zeroed() };
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        // SAFETY: `path` is a C string, and the kernel fills `info`.
        let result = unsafe { libc::fstatat(folder, path.as_ptr(), &raw mut info, flags) };
        Ok(result == 0 && info.st_mode & libc::S_IFMT == libc::S_IFLNK)
    }

    fn prepare(
        &self,
        named: Named,
        [argv, envp]: [u64; 2],
        exe: &[u8],
        machines: &Machines,
    ) -> Result<Execve, i32> {
        let process = &self.process;
        let (space, abi) = (&process.space, process.abi);
        let mut argv = read_strings(space, argv, abi, MAX_ARG_STRLEN)?;
        let envp = read_strings(space, envp, abi, MAX_ARG_STRLEN)?;
        if argv.is_empty() {
            argv.push(Vec::new());
        }
        let root = super::shared(&process.facts).root.clone();
        // Whatever file it leads to, the program is called what the caller called it.
        let Named {
            path: called,
            file,
            is_hidden,
        } = named;
        let mapped = match file {
            None => map_files::by_host_name(space, libc::AT_FDCWD, &called),
            Some(_) => None,
        };
        let name = mapped.map_or_else(|| called.clone(), CString::into_bytes);
        let prepare = |name: &[u8], file: Option<OwnedFd>| {
            let request = Request {
                path: name,
                argv: argv.clone(),
                sysroot: &root,
                seeks_sysroot: false,
                file,
                wanted: Wanted::By(process.linux.facts().machine),
                checks_mode: true,
                execfn: Some(called.clone()),
            };
            program::prepare(request, machines).map_err(|error| error.errno)
        };
        let mut prepared = prepare(&name, file)?;
        if is_own_exe(process, &prepared, &name) {
            prepared = prepare(exe, None)?;
        } else if is_hidden && prepared.path != name {
            return Err(libc::ENOENT);
        }
        let limit = process.limit(libc::RLIMIT_STACK)?;
        let word = u64::from(prepared.ident.bits / 8);
        check_limits(&prepared.argv, &envp, &prepared.execfn, word, limit.0)
            .map_err(|error| error.errno)?;
        Ok(Execve { prepared, envp })
    }
}

/// Whether an execve closes a descriptor.
fn is_hidden(fd: i32) -> Result<bool, i32> {
    // SAFETY: takes numbers only.
    match unsafe { libc::fcntl(fd, libc::F_GETFD) } {
        -1 => Err(errno()),
        flags => Ok(flags & libc::FD_CLOEXEC != 0),
    }
}

/// The file behind a descriptor, to be read, though the descriptor may be one of O_PATH.
fn opened_again(fd: i32) -> Result<OwnedFd, i32> {
    let is_file = status(fd).is_some_and(|info| info.st_mode & libc::S_IFMT == libc::S_IFREG);
    if !is_file {
        return Err(libc::EACCES);
    }
    match std::fs::File::open(format!("/proc/self/fd/{fd}")) {
        Ok(file) => return Ok(file.into()),
        // No /proc: a copy has to do.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.raw_os_error().unwrap_or(libc::EACCES)),
    }
    // SAFETY: takes numbers only.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) };
    if copy < 0 {
        return Err(errno());
    }
    // SAFETY: just made.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn errno() -> i32 {
    let error = std::io::Error::last_os_error();
    error.raw_os_error().unwrap_or(libc::EBADF)
}

/// Whether a program is the emulator's own, named by /proc/self/exe, which stands for the guest's.
fn is_own_exe(process: &Process, prepared: &Prepared, name: &[u8]) -> bool {
    let info = status(prepared.file.as_raw_fd());
    let own = super::shared(&process.own_exe);
    let Ok(name) = CString::new(name) else {
        return false;
    };
    info.is_some_and(|info| own.is(&info)) && leads_to_own_exe(libc::AT_FDCWD, &name, 40)
}
