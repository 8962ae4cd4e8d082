//! A Python that begins where its files may be out of reach, with what was kept of them (`machine/src/start/keep.rs`).
//!
//! What it imports before it can be told how to import, it takes from a table of "frozen" modules, which an embedding
//! program may set (Python's documentation, "Importing Modules"): `encodings`, and `qusr/kept.py`, which finds all others.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use qusr_machine::start::keep;
use qusr_store::Mapped;

use super::host::PyMappedEntry;

static MODULES: Mutex<Option<(Mapped, Vec<u8>)>> = Mutex::new(None);

/// The modules' code and this library's path, for `qusr/kept.py`; None: this Python has its files.
#[pyfunction]
pub fn kept_modules() -> Option<(PyMappedEntry, OsString)> {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let (modules, path) = modules.take()?;
    Some((PyMappedEntry(Mutex::new(modules)), OsString::from_vec(path)))
}

/// The key of what is kept, with the folder of the package; `python`: the file that Python is in. None: these cannot be
/// looked at.
#[pyfunction]
pub fn kept_key<'py>(
    py: Python<'py>,
    package: &[u8],
    python: &[u8],
) -> Option<Bound<'py, PyBytes>> {
    keep::key(package, python).map(|key| PyBytes::new(py, &key))
}

#[cfg(python_is_late)]
pub use begin::begin;

#[cfg(python_is_late)]
mod begin {
    use std::ffi::{CString, c_char, c_int, c_void};
    use std::path::Path;

    use super::*;
    use crate::late;

    /// What stands before the code that Python is given.
    const FIRST: &[u8] = b"import qusr_kept; qusr_kept.begin()\n";
    /// Without the user's site (-s), the current folder (-P) and a site (-S), as -I has it; that would hide PYTHONHOME,
    /// too, by which Python does not search for its own place.
    const OPTIONS: [&[u8]; 4] = [b"-s", b"-P", b"-S", b"-c"];
    /// Of the launcher's words those before the code: Python, -I, -S, -c.
    const HEAD: usize = 4;

    type Initialise = unsafe extern "C" fn() -> *mut c_void;
    type Append = unsafe extern "C" fn(*const c_char, Initialise) -> c_int;

    unsafe extern "C" {
        fn PyInit__native() -> *mut c_void;
    }

    /// Has Python's `main` begin with it: its words, of those that the launcher gave.
    pub fn begin(kept: keep::Kept, words: &[&[u8]]) -> Vec<CString> {
        *MODULES.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((kept.modules, kept.extension));
        // For the rest of the process's life, as Python has pointers into it.
        let boot: &'static keep::Boot = Box::leak(Box::new(kept.boot));
        freeze(boot);
        bring(c"_native", PyInit__native);
        for library in &boot.libraries {
            if let Some(initialise) = initialiser(library) {
                bring(&library.name, initialise);
            }
        }
        set_environment(&kept.unicorn);
        let Some((code, rest)) = words.get(HEAD..).and_then(<[_]>::split_first) else {
            return Vec::new();
        };
        let code = [FIRST, code].concat();
        let mut all = vec![words[0]];
        all.extend(OPTIONS);
        all.push(&code);
        all.extend(rest);
        let texts = all
            .into_iter()
            .map(|word| CString::new(word).unwrap_or_default());
        texts.collect()
    }

    /// Sets `PyImport_FrozenModules`: entries of name, code, size, whether it is a package, and what else a version has
    /// there, all of which may be zero; the last one is all zero.
    fn freeze(boot: &'static keep::Boot) {
        let words = boot.stride / size_of::<usize>();
        let mut table = vec![0usize; words * (boot.modules.len() + 1)];
        for (entry, module) in table.chunks_exact_mut(words).zip(&boot.modules) {
            entry[0] = module.name.as_ptr() as usize;
            entry[1] = module.code.as_ptr() as usize;
            // Two numbers of 32 bits.
            entry[2] = module.code.len() | usize::from(module.is_package) << 32;
        }
        let place = late::find(c"PyImport_FrozenModules").cast::<*const usize>();
        if !place.is_null() {
            // SAFETY: Python's own variable, which nobody reads before it is initialised; the table stays.
            unsafe { *place = Box::leak(table.into_boxed_slice()).as_ptr() };
        }
    }

    /// Makes a module one of those that are built in.
    fn bring(name: &'static std::ffi::CStr, initialise: Initialise) {
        let append = late::find(c"PyImport_AppendInittab");
        // SAFETY: Python's documentation, "Importing Modules": before Python is initialised.
        unsafe {
            if let Some(append) = std::mem::transmute::<*mut c_void, Option<Append>>(append) {
                append(name.as_ptr(), initialise);
            }
        }
    }

    /// The function of a loaded module by which Python makes it (PEP 489).
    fn initialiser(library: &keep::Library) -> Option<Initialise> {
        let name = [b"PyInit_", library.name.as_bytes()].concat();
        let name = CString::new(name).ok()?;
        // SAFETY: C strings; the library is loaded already. The function is of the type that PEP 489 gives.
        unsafe {
            let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD;
            let handle = libc::dlopen(library.path.as_ptr(), flags);
            if handle.is_null() {
                return None;
            }
            std::mem::transmute(libc::dlsym(handle, name.as_ptr()))
        }
    }

    /// Python is told where it is, where Unicorn is (`qusr/cpu/unicorn.py`), and to take texts as UTF-8: any other encoding would be one more module. Nothing
    /// else that is said about Python in the environment is meant for this one.
    fn set_environment(unicorn: &Path) {
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PYTHON") {
                // SAFETY: Python, the only one to read it beside this, has not begun.
                unsafe { std::env::remove_var(name) };
            }
        }
        // SAFETY: as above.
        unsafe {
            std::env::set_var("PYTHONHOME", Path::new("/"));
            std::env::set_var("PYTHONUTF8", "1");
            if !unicorn.as_os_str().is_empty() {
                std::env::set_var("QUSR_LIBUNICORN", unicorn);
            }
        }
    }
}
