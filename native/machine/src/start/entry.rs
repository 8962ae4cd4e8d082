//! The constructor that runs before Python does.

use std::ffi::{CStr, c_char, c_int};
use std::sync::{OnceLock, PoisonError};

use super::command::{self, Parsed, is_launched};
use super::{STARTED, Started, begin, fail};

/// Starts Python with this process's command line, and gives the exit status.
pub type Python = Box<dyn Fn() -> c_int + Send + Sync>;

/// How a thread that is not the first one starts Python.
static PYTHON: OnceLock<Python> = OnceLock::new();

/// What the dynamic linker calls when it has loaded this library (System V ABI, "Initialization and
/// Termination Functions"; the arguments are glibc's addition). In every process that is not
/// one of the launcher's it does nothing.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = constructor;

extern "C" fn constructor(argc: c_int, words: *const *const c_char, envp: *const *const c_char) {
    // SAFETY: they are main's, so arrays of strings that end with null.
    let (argv, environ) = unsafe { (strings(words), strings(envp)) };
    if !is_launched(&argv) {
        return;
    }
    let library = environ
        .iter()
        .find_map(|entry| entry.strip_prefix(b"LD_PRELOAD="));
    let Some(library) = library.filter(|path| packages(path).is_some()) else {
        return;
    };
    // The programs that Python or the guest executes are not to have it.
    // SAFETY: there is one thread, and nobody holds a pointer into the environment but `environ`,
    // whose strings stay as they are.
    unsafe { libc::unsetenv(c"LD_PRELOAD".as_ptr()) };
    attempt(&argv, &environ, library, python(argc, words));
}

/// What Python's own `main` does, which is not to be reached from another thread than the first one: it is begun when all
/// constructors are done. None: this is no Python that shows it.
fn python(argc: c_int, argv: *const *const c_char) -> Option<Python> {
    type Main = unsafe extern "C" fn(c_int, *const *const c_char) -> c_int;
    // SAFETY: looks for a symbol of the executable, or of a library that was loaded with it.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"Py_BytesMain".as_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: Python's documentation, "The Very High Level Layer".
    let main = unsafe { std::mem::transmute::<*mut libc::c_void, Main>(found) };
    let argv = argv as usize;
    // SAFETY: main's own arguments, which stay as they are.
    Some(Box::new(move || unsafe {
        main(argc, argv as *const *const c_char)
    }))
}

/// Whether a thread that is not the first one could start Python.
pub(super) fn can_start_python() -> bool {
    PYTHON.get().is_some()
}

/// Starts Python in the calling thread, which is not the host's first, to go on with the guest.
pub(super) fn start_python(started: Started) -> ! {
    *STARTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(started));
    let status = PYTHON.get().map_or(super::INTERNAL, |python| python());
    // SAFETY: ends the process.
    unsafe { libc::exit(status) }
}

/// Tries to start the guest of a command line that the launcher made; comes back when Python is needed.
/// `library` is the extension's path, which the other packages are found by; "": it is a part of this executable.
/// `python` is called by another thread than the first one when that needs Python, and does not come back unless the
/// process is to end.
pub fn attempt(argv: &[&[u8]], environ: &[&[u8]], library: &[u8], python: Option<Python>) {
    if let Some(python) = python {
        // Once, as there is one command line.
        let _ = PYTHON.set(python);
    }
    let started = match command::parse(argv, environ) {
        Parsed::ForPython => None,
        Parsed::Refused(name, why) => fail(&name, &why, super::USAGE),
        Parsed::Program(mut command) => {
            if let Some(folder) = packages(library) {
                command.packages.insert(0, folder.to_vec());
            }
            command.extension = library.to_vec();
            begin(*command)
        }
    };
    *STARTED.lock().unwrap_or_else(PoisonError::into_inner) = started.map(Box::new);
}

/// The folder of the package that the extension is in.
fn packages(library: &[u8]) -> Option<&[u8]> {
    let end = library.iter().rposition(|&byte| byte == b'/')?;
    let parent = library[..end].iter().rposition(|&byte| byte == b'/')?;
    Some(&library[..parent])
}

/// The strings of an array that ends with null.
///
/// # Safety
/// `at` is null or such an array, and both it and the strings stay as they are.
unsafe fn strings<'a>(at: *const *const c_char) -> Vec<&'a [u8]> {
    if at.is_null() {
        return Vec::new();
    }
    (0..)
        // SAFETY: nothing behind the null is read.
        .map(|index| unsafe { *at.add(index) })
        .take_while(|text| !text.is_null())
        // SAFETY: each is a C string.
        .map(|text| unsafe { CStr::from_ptr(text) }.to_bytes())
        .collect()
}
