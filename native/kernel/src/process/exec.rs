//! execve(2): what it is given, and a program that is ready to take the process over.

use std::ffi::CString;

use super::Process;
use super::thread::GuestThread;
use crate::abi::GuestAbi;
use crate::loader::program::{self, Prepared, Request, Wanted};
use crate::loader::rules::Machines;
use crate::loader::stack::check_limits;
use crate::memory::AddressSpace;
use crate::thunk::convert::get_int;
use crate::thunk::map_files;
use crate::thunk::procfs::leads_to_own_exe;

/// With its NUL (include/uapi/linux/binfmts.h).
const MAX_ARG_STRLEN: usize = 131_072;

/// A NULL-terminated array of strings, as execve(2) takes them, of at most `longest` bytes each with
/// their NUL. A null pointer is an empty array (Linux allows it).
///
/// # Errors
/// EFAULT; E2BIG for a string that is too long.
pub fn read_strings(
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

impl GuestThread {
    /// Does all of an execve(2) that can fail; the arguments are guest pointers.
    ///
    /// # Errors
    /// The errno that the guest gets.
    pub fn prepare_execve(
        &self,
        [path, argv, envp]: [u64; 3],
        exe: &[u8],
        machines: &Machines,
    ) -> Result<Execve, i32> {
        let process = &self.process;
        let (space, abi) = (&process.space, process.abi);
        let name = space.read_cstr(path, libc::PATH_MAX as usize);
        let name = name.map_err(|_| libc::EFAULT)?.ok_or(libc::ENAMETOOLONG)?;
        if name.is_empty() {
            return Err(libc::ENOENT);
        }
        let mut argv = read_strings(space, argv, abi, MAX_ARG_STRLEN)?;
        let envp = read_strings(space, envp, abi, MAX_ARG_STRLEN)?;
        if argv.is_empty() {
            argv.push(Vec::new());
        }
        let root = super::shared(&process.facts).root.clone();
        // Whatever file it leads to, the program is called what the caller called it.
        let called = name;
        let name = map_files::by_host_name(space, libc::AT_FDCWD, &called)
            .map_or_else(|| called.clone(), CString::into_bytes);
        let prepare = |name: &[u8]| {
            let request = Request {
                path: name,
                argv: argv.clone(),
                sysroot: &root,
                seeks_sysroot: false,
                file: None,
                wanted: Wanted::By(process.linux.facts().machine),
                checks_mode: true,
                execfn: Some(called.clone()),
            };
            program::prepare(request, machines).map_err(|error| error.errno)
        };
        let mut prepared = prepare(&name)?;
        if is_own_exe(process, &prepared, &name) {
            prepared = prepare(exe)?;
        }
        let limit = process.limit(libc::RLIMIT_STACK)?;
        let word = u64::from(prepared.ident.bits / 8);
        check_limits(&prepared.argv, &envp, &prepared.execfn, word, limit.0)
            .map_err(|error| error.errno)?;
        Ok(Execve { prepared, envp })
    }
}

/// Whether a program is the emulator's own, named by /proc/self/exe, which stands for the guest's.
fn is_own_exe(process: &Process, prepared: &Prepared, name: &[u8]) -> bool {
    use std::os::fd::AsRawFd;

    let info = crate::thunk::procfs::status(prepared.file.as_raw_fd());
    let own = super::shared(&process.own_exe);
    let Ok(name) = std::ffi::CString::new(name) else {
        return false;
    };
    info.is_some_and(|info| own.is(&info)) && leads_to_own_exe(libc::AT_FDCWD, &name, 40)
}
