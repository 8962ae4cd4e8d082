//! Where the launcher's start begins: in this library, executed, or preloaded into a Python.
//!
//! Executed it is where Python is a shared library, which is then loaded when it is needed, if ever. A Python that is one
//! executable cannot be had later, so there it is what is executed, and this library's constructor runs before it does
//! anything.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null;

use qusr_machine::start::command::{LIBRARY, is_launched};
use qusr_machine::start::{self, Place, Python, keep};

use super::{begin, kept, late};

/// The shell's "found, but cannot be executed".
const CANNOT: c_int = 126;

/// The dynamic linker of the ABI (System V ABI, AMD64 supplement, 5.2.1), which the kernel looks for here.
#[used]
#[unsafe(link_section = ".interp")]
static INTERPRETER: [u8; 28] = *b"/lib64/ld-linux-x86-64.so.2\0";

/// What the dynamic linker calls when it has loaded this library (System V ABI, "Initialization and
/// Termination Functions"; the arguments are glibc's addition).
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = constructor;

extern "C" fn constructor(argc: c_int, words: *const *const c_char, envp: *const *const c_char) {
    // SAFETY: they are main's, so arrays of strings that end with null.
    let (argv, environ) = unsafe { (strings(words), strings(envp)) };
    let library = variable(&environ, "LD_PRELOAD").filter(|_| is_launched(&argv));
    if let Some(extension) = library.filter(|path| path.contains(&b'/')) {
        // The programs that Python or the guest executes are not to have it.
        // SAFETY: there is one thread, and nobody holds a pointer into the environment but `environ`,
        // whose strings stay as they are.
        unsafe { libc::unsetenv(c"LD_PRELOAD".as_ptr()) };
        let place = Place {
            extension,
            library: b"",
        };
        start::attempt(&argv, &environ, place, python(argc, words, true));
        if let Some(main) = python(argc, words, true).filter(|_| keep::is_confined()) {
            // Its own main would begin it with the launcher's words.
            let status = main();
            // SAFETY: the process ends, as behind Python's own main.
            unsafe { libc::exit(status) };
        }
    }
    late::bind();
}

/// What Python's own `main` does, which is not to be reached from another thread than the first one: it is begun when all
/// constructors are done. `with_guest`: signals are a guest's ([`begin`]). None: this is no Python that shows it.
fn python(argc: c_int, argv: *const *const c_char, with_guest: bool) -> Option<Python> {
    type Main = unsafe extern "C" fn(c_int, *const *const c_char) -> c_int;
    let found = late::find(c"Py_BytesMain");
    if found.is_null() {
        return None;
    }
    // SAFETY: Python's documentation, "The Very High Level Layer".
    let main = unsafe { std::mem::transmute::<*mut c_void, Main>(found) };
    let argv = argv as usize;
    Some(Box::new(move || {
        late::bind();
        if let Some(kept) = keep::take() {
            // SAFETY: main's own arguments, which stay as they are.
            let words = kept::begin(kept, &unsafe { strings(argv as *const *const c_char) });
            let pointers: Vec<_> = words
                .iter()
                .map(|word| word.as_ptr())
                .chain([null()])
                .collect();
            // SAFETY: C strings, which live as long as the process: main does not come back before its end.
            return unsafe {
                let count = words.len() as c_int;
                begin::main(count, pointers.as_ptr())
                    .unwrap_or_else(|| main(count, pointers.as_ptr()))
            };
        }
        let words = argv as *const *const c_char;
        // SAFETY: main's own arguments, which stay as they are.
        unsafe {
            let begun = if with_guest {
                begin::main(argc, words)
            } else {
                None
            };
            begun.unwrap_or_else(|| main(argc, words))
        }
    }))
}

/// The entry point, as glibc's own (sysdeps/x86_64/start.S): `rdx` has what is to be done at exit, the stack argc and argv.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn qusr_start() -> ! {
    std::arch::naked_asm!(
        "xor ebp, ebp",
        "mov r9, rdx",
        "pop rsi",
        "mov rdx, rsp",
        "and rsp, -16",
        "push rax",
        "push rsp",
        "xor r8d, r8d",
        "xor ecx, ecx",
        "lea rdi, [rip + {main}]",
        "call [rip + __libc_start_main@GOTPCREL]",
        "hlt",
        main = sym main,
    )
}

extern "C" fn main(argc: c_int, words: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: they are main's, so arrays of strings that end with null.
    let (argv, environ) = unsafe { (strings(words), strings(envp)) };
    // SAFETY: a string of the auxiliary vector, which stays; null is none.
    let own = unsafe { strings_of(libc::getauxval(libc::AT_EXECFN) as *const c_char) };
    let library = variable(&environ, LIBRARY).filter(|_| is_launched(&argv));
    let Some(library) = library else {
        return refuse(
            "qusr",
            "this is what qusr's commands are made of: call those",
        );
    };
    let name = CString::new(LIBRARY).unwrap_or_default();
    // SAFETY: as in the constructor.
    unsafe { libc::unsetenv(name.as_ptr()) };
    let path = CString::new(library).unwrap_or_default();
    let words = words as usize;
    let python = move |with_guest| match late::load(&path) {
        Ok(()) => match python(argc, words as *const *const c_char, with_guest) {
            Some(main) => main(),
            None => refuse("qusr", "this Python cannot be started"),
        },
        Err(why) => refuse("qusr", &why),
    };
    let place = Place {
        extension: own,
        library,
    };
    let beside = python.clone();
    start::attempt(&argv, &environ, place, Some(Box::new(move || beside(true))));
    python(false)
}

fn refuse(who: &str, why: &str) -> c_int {
    let line = format!("{who}: {why}\n");
    // SAFETY: the buffer has the size given.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
    CANNOT
}

/// The value of a variable.
fn variable<'a>(environ: &[&'a [u8]], name: &str) -> Option<&'a [u8]> {
    let mut values = environ
        .iter()
        .filter_map(|entry| entry.strip_prefix(name.as_bytes()));
    values.find_map(|rest| rest.strip_prefix(b"="))
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

/// The bytes of a string; of null, none.
///
/// # Safety
/// As for C's; the string stays as it is.
unsafe fn strings_of<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return b"";
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}
