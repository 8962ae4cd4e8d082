//! What begins a start before Python does anything, and what starts Python when it is needed.

use std::ffi::c_int;
use std::sync::{OnceLock, PoisonError};

use super::command::{self, Parsed};
use super::{STARTED, Started, begin, fail};

/// Starts Python with this process's command line, and gives the exit status.
pub type Python = Box<dyn Fn() -> c_int + Send + Sync>;

/// The paths of the extension and of Python's library, where that is loaded when it is needed.
static LATE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();

/// How a thread that is not the first one starts Python.
static PYTHON: OnceLock<Python> = OnceLock::new();

/// Where this code is, and how it comes to Python.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The extension's path, which the other packages are found by; "": it is a part of this executable.
    pub extension: &'a [u8],
    /// The path of the library that Python is loaded from when it is needed; "": it is there.
    pub library: &'a [u8],
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

/// What [`Place`] says, in a process that was started without a Python: the extension, which another start of the kind
/// executes, and the library.
pub fn late_python() -> Option<(&'static [u8], &'static [u8])> {
    LATE.get()
        .map(|(extension, library)| (&extension[..], &library[..]))
}

/// Tries to start the guest of a command line that the launcher made; comes back when Python is needed.
/// `python` is called by another thread than the first one when that needs Python, and does not come back unless the
/// process is to end.
pub fn attempt(argv: &[&[u8]], environ: &[&[u8]], place: Place<'_>, python: Option<Python>) {
    if let Some(python) = python {
        // Once, as there is one command line.
        let _ = PYTHON.set(python);
    }
    if !place.library.is_empty() {
        let _ = LATE.set((place.extension.to_vec(), place.library.to_vec()));
    }
    let started = match command::parse(argv, environ) {
        Parsed::ForPython => None,
        Parsed::Refused(name, why) => fail(&name, &why, super::USAGE),
        Parsed::Program(mut command) => {
            if let Some(folder) = packages(place.extension) {
                command.packages.insert(0, folder.to_vec());
            }
            command.extension = place.extension.to_vec();
            command.library = place.library.to_vec();
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
