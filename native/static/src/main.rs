//! `qusr-static`: all commands in one executable without files beside it, the Python that they are written
//! in included.
//!
//! It makes the same command line of itself that the launcher makes for Python (`../launcher/src/main.rs`),
//! but executes nothing with it: the start without Python (`qusr_machine::start`) gets to see it, and if that
//! leaves something to do, Python is started here with it.
#![no_main]

use std::ffi::{CStr, CString, c_char, c_int};

use qusr_machine::start::{self, Place, command};

/// Referred to, so that the extension's code is linked; `embed.c` registers it.
use _native as _;

mod called;

use called::Called;

/// What Python executes; the first lines are what `qusr_machine::start::command` goes by.
const COMMAND: &CStr = c"#qusr-start command\nfrom qusr import interp\ninterp.command()\n";
const BINFMT: &CStr = c"#qusr-start binfmt\nfrom qusr import interp\ninterp.main()\n";
/// In a root that is not the host's.
const INSIDE: &CStr = c"#qusr-start binfmt\nfrom qusr import interp\ninterp.main(carried=True)\n";
const EXEC: &CStr = c"from qusr import interp\ninterp.executed()\n";
const REGISTRAR: &CStr = c"from qusr.binfmt.cli import main\nmain()\n";

/// All of it is in this executable.
const EMBEDDED: Place<'static> = Place {
    extension: b"",
    library: b"",
};

/// argv[0] of an execve that is to be gone on with (`qusr/again.py`).
const AGAIN: &[u8] = b"qusr-again";

unsafe extern "C" {
    /// `embed.c`: runs `code` in a new Python, with `argv` as its sys.argv.
    fn qusr_run_python(argc: c_int, argv: *mut *mut c_char, code: *const c_char) -> c_int;
    static environ: *const *const c_char;
}

/// Not Rust's own `main`: what std does before that (SIGPIPE, closed descriptors, a signal stack) a guest
/// would inherit.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or_default();
    // SAFETY: what the C library gives to main: `argc` strings, and an environment that ends with null;
    // nobody changes them before Python runs.
    let (argv, variables) = unsafe { (strings(argv, count), strings(environ, length(environ))) };
    let secure = auxv(libc::AT_SECURE) != 0;
    // A program's own start cannot be mistaken for this one: the kernel puts the interpreter's path there.
    if !secure && argv.first() == Some(&AGAIN) && command::is_launched(&argv) {
        let python = python(EXEC, &argv[4..]);
        start::attempt(&argv, &variables, EMBEDDED, Some(Box::new(python.clone())));
        return python();
    }
    match Called::new(&argv) {
        Called::Registrar(words) => python(REGISTRAR, &[&[&b"qusr-binfmt"[..]], words].concat())(),
        Called::Guest(name, words) => {
            let words = [&[name], words].concat();
            begin(COMMAND, &words, &variables, secure)
        }
        Called::Kernel(words) => {
            let code = if is_in_sight() { BINFMT } else { INSIDE };
            begin(code, words, &variables, secure)
        }
    }
}

/// Whether this file is where it is said to be. If not, we are in another root, which the kernel reaches us
/// from by flag F (or the file has been deleted).
fn is_in_sight() -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = "/proc/self/exe";
    let path = std::fs::read_link(own);
    let both = path.and_then(|path| Ok((std::fs::metadata(path)?, std::fs::metadata(own)?)));
    both.is_ok_and(|(a, b)| (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Starts a guest: at once, or in Python. Both get the words that `qusr/interp.py` describes.
fn begin(code: &'static CStr, rest: &[&[u8]], variables: &[&[u8]], secure: bool) -> c_int {
    // What Python's start leaves to the launcher, which takes these out of sight.
    let hidden: Vec<&[u8]> = variables
        .iter()
        .filter(|entry| entry.starts_with(b"LD_PRELOAD=") || entry.starts_with(b"LC_CTYPE="))
        .copied()
        .collect();
    let fd = match auxv_if_there(libc::AT_EXECFD) {
        Some(fd) => fd.to_string(),
        None => String::from("-"),
    };
    let flags = flags(secure);
    let count = hidden.len().to_string();
    let first = [fd.as_bytes(), flags.as_bytes(), count.as_bytes()];
    let words = [&first[..], &hidden, rest].concat();
    let python_words: [&[u8]; 5] = [b"qusr", b"-I", b"-S", b"-c", code.to_bytes()];
    let python = python(code, &[&[&b"-c"[..]], &words[..]].concat());
    let argv = [&python_words, &words[..]].concat();
    start::attempt(&argv, variables, EMBEDDED, Some(Box::new(python.clone())));
    python()
}

/// The letters of `qusr/interp.py`.
fn flags(secure: bool) -> String {
    let ignored = |signal| {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: only asks; the structure is filled if that succeeds.
        unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
                && action.assume_init().sa_sigaction == libc::SIG_IGN
        }
    };
    let mut flags = String::from("-");
    for (set, letter) in [
        (called::keeps_argv0(), 'P'),
        (secure, 'S'),
        (ignored(libc::SIGPIPE), 'p'),
        (ignored(libc::SIGXFSZ), 'x'),
    ] {
        if set {
            flags.push(letter);
        }
    }
    flags
}

/// What runs Python's code with `words` as sys.argv.
fn python(
    code: &'static CStr,
    words: &[&[u8]],
) -> impl Fn() -> c_int + Clone + Send + Sync + 'static {
    let words: Vec<CString> = words
        .iter()
        .map(|word| CString::new(*word).unwrap_or_default())
        .collect();
    move || {
        let mut pointers: Vec<*mut c_char> =
            words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        // SAFETY: that many C strings, which Python copies and does not change, and another one.
        unsafe {
            qusr_run_python(
                pointers.len() as c_int,
                pointers.as_mut_ptr(),
                code.as_ptr(),
            )
        }
    }
}

fn auxv(kind: libc::c_ulong) -> u64 {
    // SAFETY: no memory is involved.
    unsafe { libc::getauxval(kind) }
}

/// 0 is a value, too: errno tells (getauxval(3)).
fn auxv_if_there(kind: libc::c_ulong) -> Option<u64> {
    // SAFETY: errno is this thread's own.
    unsafe { *libc::__errno_location() = 0 };
    let value = auxv(kind);
    let found = value != 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ENOENT);
    found.then_some(value)
}

/// The strings of an array.
///
/// # Safety
/// It has that many, and both it and the strings stay as they are.
unsafe fn strings<'a>(at: *const *const c_char, count: usize) -> Vec<&'a [u8]> {
    // SAFETY: the caller's promise.
    let text = |index| unsafe { CStr::from_ptr(*at.add(index)) };
    (0..count).map(|index| text(index).to_bytes()).collect()
}

/// How many strings stand before an array's null.
///
/// # Safety
/// There is one.
unsafe fn length(at: *const *const c_char) -> usize {
    // SAFETY: nothing behind the null is read.
    (0..)
        .take_while(|&index| unsafe { !(*at.add(index)).is_null() })
        .count()
}

/// The string that the auxiliary vector has of a kind.
fn auxv_text(kind: libc::c_ulong) -> Option<&'static [u8]> {
    let at = auxv(kind) as *const c_char;
    // SAFETY: only asked for kinds that the kernel defines as addresses of strings, which stay.
    (!at.is_null()).then(|| unsafe { CStr::from_ptr(at) }.to_bytes())
}
