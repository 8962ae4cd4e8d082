//! The constructor that runs before Python does.

use std::ffi::{CStr, c_char, c_int};
use std::sync::PoisonError;

use super::command::{self, is_launched};
use super::{OUTCOME, begin};

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
    let package = library.and_then(|path| {
        let end = path.iter().rposition(|&byte| byte == b'/')?;
        Some(&path[..end])
    });
    let Some(package) = package else {
        return;
    };
    // The programs that Python or the guest executes are not to have it.
    // SAFETY: there is one thread, and nobody holds a pointer into the environment but `environ`,
    // whose strings stay as they are.
    unsafe { libc::unsetenv(c"LD_PRELOAD".as_ptr()) };
    attempt(&argv, &environ, package);
}

/// Tries to start the guest of a command line that the launcher made; comes back when Python is needed.
/// `package` is the directory of the Python package, "" if it is a part of this executable.
pub fn attempt(argv: &[&[u8]], environ: &[&[u8]], package: &[u8]) {
    let outcome = command::parse(argv, environ).and_then(|command| begin(command, package));
    *OUTCOME.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
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
