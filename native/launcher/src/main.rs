//! The interpreter that `qusr-binfmt` registers with the kernel's `binfmt_misc`.
//!
//! It turns what the kernel hands to an interpreter (Documentation/admin-guide/binfmt-misc.rst,
//! fs/binfmt_misc.c) into a command line of Python with `qusr.interp`, and executes that. It is a
//! native program because a `#!` script cannot be an interpreter with the flags O and C, and a
//! static one because with F it also starts where the host's libraries are not to be seen.
//!
//! What to execute is written into the executable itself when it is installed
//! (`qusr/binfmt/launcher.py`): in a chroot there is no other file to look at.
//!
//! There is no `fn main`: std's start-up would ignore SIGPIPE and open closed descriptors, and the
//! guest would inherit both.
#![no_main]

use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
use std::fs::File;
use std::io::{Read, Write};

/// Space for the configuration; `launcher.py` finds it by the mark.
const SIZE: usize = 16384;
#[repr(C)]
struct Config {
    mark: [u8; 16],
    text: [u8; SIZE],
}
#[used]
static CONFIG: Config = Config {
    mark: *b"qusr-interp:conf",
    text: [0; SIZE],
};

// include/uapi/linux/auxvec.h, include/uapi/linux/binfmts.h
const AT_EXECFD: c_ulong = 2;
const AT_FLAGS: c_ulong = 8;
const AT_SECURE: c_ulong = 23;
const AT_FLAGS_PRESERVE_ARGV0: c_ulong = 1;
/// errno.h: what getauxval says of an entry that is not there.
const ENOENT: c_int = 2;

// asm-generic/signal.h
const SIGPIPE: c_int = 13;
const SIGXFSZ: c_int = 25;
const SIG_IGN: usize = 1;

/// The shell's "found, but cannot be executed".
const CANNOT: c_int = 126;

// An ELF header as far as e_machine (elf(5)).
const EI_NIDENT: usize = 16;
const HEADER: usize = 20;

unsafe extern "C" {
    fn getauxval(kind: c_ulong) -> c_ulong;
    fn __errno_location() -> *mut c_int;
    fn signal(number: c_int, action: usize) -> usize;
    fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char)
    -> c_int;
}

/// One way to get at qusr: a command, and files that must be there for it to work.
struct Way<'a> {
    command: Vec<&'a CStr>,
    needs: Vec<&'a CStr>,
}

/// The ways written into this executable, in the order in which they are to be tried.
fn ways(config: &Config) -> Option<Vec<Way<'_>>> {
    let mut words = config
        .text
        .split_inclusive(|&byte| byte == 0)
        .map(|word| CStr::from_bytes_with_nul(word).unwrap_or_default());
    let mut list = || -> Option<Vec<&CStr>> {
        let count: usize = words.next()?.to_str().ok()?.parse().ok()?;
        (0..count).map(|_| words.next()).collect()
    };
    let count: usize = list()?.first()?.to_str().ok()?.parse().ok()?;
    (0..count)
        .map(|_| {
            let (command, needs) = (list()?, list()?);
            (!command.is_empty()).then_some(Way { command, needs })
        })
        .collect()
}

fn path(text: &CStr) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt;
    std::path::Path::new(std::ffi::OsStr::from_bytes(text.to_bytes()))
}

/// Whether a file is a program of this machine. One of the guest's, at the path of the host's
/// Python, would come back here for ever.
fn is_native(program: &CStr) -> bool {
    let header = |path: &std::path::Path| {
        let mut bytes = [0; HEADER];
        File::open(path)
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map(|()| bytes)
    };
    match header(path(program)) {
        // e_machine in this machine's byte order; class and order stand in e_ident.
        Ok(bytes) => {
            bytes.starts_with(b"\x7fELF\x02\x01")
                && bytes[EI_NIDENT + 2..] == NATIVE_MACHINE.to_le_bytes()
        }
        // May be executable only.
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    }
}
/// EM_X86_64, EM_AARCH64 (linux/elf-em.h).
const NATIVE_MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    183
} else {
    62
};

/// What keeps a way from being taken.
fn missing<'a>(way: &Way<'a>) -> Option<&'a CStr> {
    let absent = way.needs.iter().find(|need| !path(need).exists());
    match absent {
        Some(need) => Some(*need),
        None => (!is_native(way.command[0])).then_some(way.command[0]),
    }
}

fn auxv(kind: c_ulong) -> Option<c_ulong> {
    // SAFETY: getauxval and errno have no preconditions; there is one thread.
    unsafe {
        *__errno_location() = 0;
        let value = getauxval(kind);
        (value != 0 || *__errno_location() != ENOENT).then_some(value)
    }
}

fn is_ignored(number: c_int) -> bool {
    // SAFETY: the action is SIG_IGN and then the one that was there; no handler of ours.
    unsafe {
        let before = signal(number, SIG_IGN);
        signal(number, before);
        before == SIG_IGN
    }
}

fn explain(program: &CStr, why: &str) -> c_int {
    let line = format!("qusr: {}: {why}\n", program.to_string_lossy());
    // Nowhere to tell that standard error is closed.
    let _ = std::io::stderr().write_all(line.as_bytes());
    CANNOT
}

/// The words of `qusr.interp`: descriptor, flags, number of hidden variables, those, the rest.
fn words(argv: &[*const c_char], hidden: &[*const c_char]) -> (Vec<CString>, Vec<*const c_char>) {
    let mut flags = String::from("-");
    let keeps_argv0 = auxv(AT_FLAGS).unwrap_or(0) & AT_FLAGS_PRESERVE_ARGV0 != 0;
    for (set, letter) in [
        (keeps_argv0 && argv.len() > 2, 'P'),
        (auxv(AT_SECURE).unwrap_or(0) != 0, 'S'),
        (is_ignored(SIGPIPE), 'p'),
        (is_ignored(SIGXFSZ), 'x'),
    ] {
        if set {
            flags.push(letter);
        }
    }
    let fd = auxv(AT_EXECFD).map_or(String::from("-"), |fd| fd.to_string());
    let owned: Vec<CString> = [fd, flags, hidden.len().to_string()]
        .into_iter()
        .map(|text| CString::new(text).unwrap_or_default())
        .collect();
    let mut all: Vec<*const c_char> = owned.iter().map(|text| text.as_ptr()).collect();
    all.extend(hidden);
    all.extend(&argv[1..]);
    (owned, all)
}

/// A NULL-terminated array of strings.
///
/// # Safety
/// `at` is such an array, and stays as it is.
unsafe fn strings(at: *const *const c_char) -> Vec<*const c_char> {
    // SAFETY: nothing behind the null is read.
    (0..)
        .map(|index| unsafe { *at.add(index) })
        .take_while(|text| !text.is_null())
        .collect()
}

/// What the dynamic linker would read: these are the guest's, not Python's.
fn is_linkers(variable: *const c_char) -> bool {
    // SAFETY: an entry of the environment is a string.
    unsafe { CStr::from_ptr(variable) }
        .to_bytes()
        .starts_with(b"LD_")
}

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: the arguments of main, as C defines them.
    let (argv, environment) = unsafe { (strings(argv), strings(envp)) };
    // The contents are changed in the file, so the compiler must not know them. (A volatile read
    // of the whole would do, too, but LLVM takes minutes for one of 16 KiB.)
    let config = std::hint::black_box(&CONFIG);
    if argc < 2 {
        return explain(c"qusr-interp", "the kernel starts this, see qusr-binfmt");
    }
    // SAFETY: an entry of argv is a string.
    let program = unsafe { CStr::from_ptr(argv[1]) };
    let ways = match ways(config) {
        Some(ways) if !ways.is_empty() => ways,
        _ => return explain(program, "this qusr-interp was not set up by qusr-binfmt"),
    };
    let Some(way) = ways.iter().find(|way| missing(way).is_none()) else {
        // The last way is the host's own paths.
        let what = ways.last().and_then(missing).unwrap_or_default();
        let why = format!(
            "qusr's own files are not in this root ({}): 'qusr-binfmt bind ROOT', outside, \
             shows them in there",
            what.to_string_lossy()
        );
        return explain(program, &why);
    };
    let (hidden, mut shown): (Vec<_>, Vec<_>) = environment
        .into_iter()
        .partition(|&entry| is_linkers(entry));
    shown.push(std::ptr::null());
    let (_owned, rest) = words(&argv, &hidden);
    let mut command: Vec<*const c_char> = way.command.iter().map(|word| word.as_ptr()).collect();
    command.extend(rest);
    command.push(std::ptr::null());
    // SAFETY: both arrays end with a null, and what they point to lives on.
    unsafe { execve(command[0], command.as_ptr(), shown.as_ptr()) };
    let why = std::io::Error::last_os_error();
    explain(
        program,
        &format!("{}: {why}", way.command[0].to_string_lossy()),
    )
}
