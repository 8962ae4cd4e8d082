//! Python's own main, beside a guest that runs.
//!
//! `Py_BytesMain` has the process ignore SIGPIPE and SIGXFSZ (`signal_install_handlers` of Modules/signalmodule.c): what
//! comes to the guest until the actions are its own again would be lost. Which is left out by a configuration that says
//! so (PEP 587, `install_signal_handlers`).

use std::ffi::{CStr, c_char, c_int, c_void};

use super::late;

type Words = *const *const c_char;

/// `PyStatus` (Include/cpython/initconfig.h).
#[repr(C)]
#[derive(Clone, Copy)]
struct Status {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

/// More than any Python's `PyConfig` takes, which begins with ints.
type Config = [c_int; 1024];
/// `_config_init` and what it is for a main's; `install_signal_handlers`: of 3.11 to 3.13.
const KIND: usize = 0;
const OF_MAIN: c_int = 2;
const TAKES_SIGNALS: usize = 4;

/// Python's functions for it.
struct Functions {
    init: unsafe extern "C" fn(*mut Config),
    set_words: unsafe extern "C" fn(*mut Config, isize, Words) -> Status,
    initialize: unsafe extern "C" fn(*const Config) -> Status,
    clear: unsafe extern "C" fn(*mut Config),
    exit: unsafe extern "C" fn(Status) -> !,
    run: unsafe extern "C" fn() -> c_int,
}

/// A function of Python's.
///
/// # Safety
/// `T` is the type of a pointer to it.
unsafe fn function<T: Copy>(name: &CStr) -> Option<T> {
    const { assert!(size_of::<T>() == size_of::<*mut c_void>()) };
    let found = late::find(name);
    // SAFETY: the caller's promise, and it is one.
    (!found.is_null()).then(|| unsafe { std::mem::transmute_copy::<*mut c_void, T>(&found) })
}

fn functions() -> Option<Functions> {
    // SAFETY: Python's documentation, "Python Initialization Configuration".
    unsafe {
        Some(Functions {
            init: function(c"PyConfig_InitPythonConfig")?,
            set_words: function(c"PyConfig_SetBytesArgv")?,
            initialize: function(c"Py_InitializeFromConfig")?,
            clear: function(c"PyConfig_Clear")?,
            exit: function(c"Py_ExitStatusException")?,
            run: function(c"Py_RunMain")?,
        })
    }
}

/// What main returns. None: this Python's configuration is not known, and nothing has been done.
///
/// # Safety
/// They are main's arguments, which stay as they are, and Python has not begun.
pub unsafe fn main(count: c_int, words: Words) -> Option<c_int> {
    let python = functions()?;
    let mut config: Config = [0; 1024];
    // SAFETY: the room is enough. It fills it in and asks for nothing.
    unsafe { (python.init)(&raw mut config) };
    if config[KIND] != OF_MAIN || config[TAKES_SIGNALS] != 1 {
        return None;
    }
    config[TAKES_SIGNALS] = 0;
    // SAFETY: the caller's promise; the configuration was initialised.
    unsafe {
        let mut status = (python.set_words)(&raw mut config, count as isize, words);
        if status.kind == 0 {
            status = (python.initialize)(&raw const config);
        }
        (python.clear)(&raw mut config);
        if status.kind != 0 {
            (python.exit)(status);
        }
        Some((python.run)())
    }
}
