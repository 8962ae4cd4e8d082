//! Python's functions and data, bound when Python is there.
//!
//! The dynamic linker would bind them when it loads this library, and refuse to load it without a Python: so each
//! start would have one with it, though most never enter it, and a Python that is a shared library takes longer to be
//! loaded than a small program to be run (360 page faults of 580). So to the linker each name of `python.symbols` is a
//! number (`build.rs`: `--defsym`), which makes an entry in the global offset table and nothing to be done at a start;
//! here the entries get what dlsym(3) finds. Two numbers are never the same, and none is an address that exists.

use std::arch::global_asm;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

// Of each name the distance to its entry, and then the names (`build.rs` writes it).
global_asm!(include_str!(concat!(env!("OUT_DIR"), "/python.s")));

unsafe extern "C" {
    static qusr_python_slots: c_int;
    static qusr_python_names: c_char;
}

/// How many there are.
const COUNT: usize = include!(concat!(env!("OUT_DIR"), "/python.count"));

/// The name by which Python imports this library.
const MODULE: &CStr = c"qusr._native";

/// Binds them to the Python that is in this process. False: there is none.
pub fn bind() -> bool {
    static BOUND: AtomicBool = AtomicBool::new(false);
    let found = find(c"Py_IsInitialized");
    if !found.is_null() && !BOUND.swap(true, Ordering::SeqCst) {
        // SAFETY: nothing of Python has been called yet.
        unsafe { fill() };
    }
    !found.is_null()
}

/// Loads a Python's shared library, in which this one is a built-in module. Why not: the linker's words.
pub fn load(library: &CStr) -> Result<(), String> {
    // Its own extension modules look for its names in what is visible to all.
    // SAFETY: its constructors are a Python's, which do nothing of their own.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if handle.is_null() {
        // SAFETY: the last error of this thread, a C string.
        let why = unsafe { CStr::from_ptr(libc::dlerror()) };
        return Err(why.to_string_lossy().into_owned());
    }
    if !bind() {
        return Err(format!("{}: no Python", library.to_string_lossy()));
    }
    type Append = unsafe extern "C" fn(*const c_char, Initialise) -> c_int;
    type Initialise = unsafe extern "C" fn() -> *mut c_void;
    unsafe extern "C" {
        fn PyInit__native() -> *mut c_void;
    }
    let append = find(c"PyImport_AppendInittab");
    // SAFETY: Python's documentation, "Importing Modules": before Python is initialised.
    let done = unsafe {
        std::mem::transmute::<*mut c_void, Option<Append>>(append)
            .map(|append| append(MODULE.as_ptr(), PyInit__native))
    };
    done.filter(|&status| status == 0)
        .map(drop)
        .ok_or_else(|| "no memory".into())
}

/// An address that this process has for a name, or null.
pub fn find(name: &CStr) -> *mut c_void {
    // SAFETY: a C string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// Fills in the entries of all that is found.
///
/// # Safety
/// Nobody uses one of them meanwhile.
unsafe fn fill() {
    let first = &raw const qusr_python_slots;
    // SAFETY: the table has so many numbers.
    let slots = (0..COUNT).map(|index| unsafe {
        let at = first.add(index);
        at.byte_offset(*at as isize)
            .cast::<*mut c_void>()
            .cast_mut()
    });
    let slots: Vec<_> = slots.collect();
    let (Some(&low), Some(&high)) = (slots.iter().min(), slots.iter().max()) else {
        return;
    };
    // The linker protects it when it has done its own part (ld(1), -z relro and -z now, which rustc gives).
    // SAFETY: takes a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let begin = low as usize / page * page;
    let size = high as usize + size_of::<usize>() - begin;
    // SAFETY: pages of this library's own.
    let protect = |mode| unsafe { libc::mprotect(begin as *mut c_void, size, mode) };
    protect(libc::PROT_READ | libc::PROT_WRITE);
    let mut name = &raw const qusr_python_names;
    for slot in slots {
        // SAFETY: as many strings, one behind the other; the entry is writable now, and nobody else's.
        unsafe {
            let text = CStr::from_ptr(name);
            let found = find(text);
            if !found.is_null() {
                slot.write_volatile(found);
            }
            name = name.add(text.count_bytes() + 1);
        }
    }
    protect(libc::PROT_READ);
}
