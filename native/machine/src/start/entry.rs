//! The constructor that runs before Python does.

use std::ffi::{CStr, c_char, c_int};
use std::sync::PoisonError;

use super::command::{self, Parsed, is_launched};
use super::{STARTED, begin, fail};

/// What the dynamic linker calls when it has loaded this library (System V ABI, "Initialization and
/// Termination Functions"; the arguments are glibc's addition). In every process that is not
/// one of the launcher's it does nothing.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = constructor;

extern "C" fn constructor(_: c_int, argv: *const *const c_char, envp: *const *const c_char) {
    // SAFETY: they are main's, so arrays of strings that end with null.
    let (argv, environ) = unsafe { (strings(argv), strings(envp)) };
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
    attempt(&argv, &environ, library);
}

/// Tries to start the guest of a command line that the launcher made; comes back when Python is needed.
/// `library` is the extension's path, which the other packages are found by; "": it is a part of this executable.
pub fn attempt(argv: &[&[u8]], environ: &[&[u8]], library: &[u8]) {
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
