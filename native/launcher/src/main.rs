//! What starts qusr: the commands `qusr`, `qusr-aarch64` ..., and the interpreter that
//! `qusr-binfmt` registers with the kernel's `binfmt_misc`.
//!
//! It makes a command line of Python with `qusr.interp` out of its own one. It
//! is a native program because Python's search for its packages costs a third of a start, because
//! only so the signals that Python ignores are known, and because a `#!` script cannot be an
//! interpreter with binfmt_misc's flags O and C; a static one because with F it also starts where
//! the host's libraries are not to be seen.
//!
//! The extension can run a guest before Python has begun (`native/machine/src/start/`). Where Python is
//! a shared library, it is the extension that is executed with that command line, and the library is
//! loaded when it is needed; else Python is executed, and the extension is preloaded.
#![no_std]
#![no_main]

extern crate alloc;

mod config;
mod installed;
mod kernel;
mod runtime;

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::fmt::Write;

use config::Way;
use installed::{is_native, path, split};
use kernel::Start;

// linux/auxvec.h, linux/binfmts.h
const AT_EXECFD: usize = 2;
const AT_FLAGS: usize = 8;
const AT_SECURE: usize = 23;
const AT_EXECFN: usize = 31;
const AT_FLAGS_PRESERVE_ARGV0: usize = 1;

// asm-generic/signal.h
const SIGPIPE: usize = 13;
const SIGXFSZ: usize = 25;

/// The shell's "found, but cannot be executed".
const CANNOT: i32 = 126;

/// The folders that the dynamic linker searches first.
const LIBRARIES: &[u8] = b"LD_LIBRARY_PATH=";
/// What tells the extension where Python is (`native/machine/src/start/command.rs`).
const PYTHON: &[u8] = b"QUSR_LIBPYTHON=";

/// Begins the code for Python; the extension recognises it by this.
const COMMAND: &str = "#qusr-start command\n";
/// With `site` and without isolation: the current folder is no place for packages.
const PLAIN: &str = "import sys\nsys.path[:1] = []\n";
/// The rest of a command's code. Its words are those of `Call::words`.
const BEGIN: &str = r#"
name = sys.argv[4 + int(sys.argv[3])]
def fail(why):
    print(f"{name}: {why}", file=sys.stderr)
    sys.exit(126)
if sys.version_info < (3, 11):
    fail(f"qusr needs Python 3.11 or newer, and {sys.executable} is %d.%d" % sys.version_info[:2])
try:
    from qusr import interp
except ImportError as error:
    fail(f"the Python package qusr does not work with {sys.executable} ({error}); install it again")
interp.command()
"#;

/// A way to start Python, and what is told if there is none.
struct Python {
    command: Vec<CString>,
    /// The extension, if it is to be there before Python.
    extension: Option<CString>,
    /// Whether Python, too, needs the guest's LD_LIBRARY_PATH.
    shows_libraries: bool,
}

/// What keeps a way from being taken.
fn missing(way: &Way) -> Option<&'static CStr> {
    let absent = way.needs.iter().find(|need| !kernel::exists(need)).copied();
    // One of the guest's, at the path of the host's Python, would come back here for ever.
    absent.or_else(|| (!is_native(way.command[0])).then_some(way.command[0]))
}

/// What binfmt_misc asks for, by the ways that `qusr-binfmt` has written down.
fn by_configuration(ways: &[Way]) -> Result<Python, String> {
    let Some(way) = ways.iter().find(|way| missing(way).is_none()) else {
        // The last way is the host's own paths.
        let what = ways.last().and_then(missing).unwrap_or_default();
        return Err(format!(
            "qusr's own files are not in this root ({}): 'qusr-binfmt bind ROOT', outside, \
             shows them in there",
            what.to_string_lossy()
        ));
    };
    Ok(Python {
        command: way.command.iter().map(|&word| word.into()).collect(),
        extension: way.preload.map(CString::from),
        shows_libraries: false,
    })
}

/// What a command asks for, by where it is.
fn by_place(start: &Start) -> Result<Python, String> {
    let own = kernel::read_link(c"/proc/self/exe")
        .or_else(|| {
            start
                .auxv_text(AT_EXECFN)
                .map(|name| name.to_bytes().to_vec())
        })
        .unwrap_or_default();
    let commands = folder(&own);
    let package = installed::package(folder(commands));
    let search = variable(start, b"PATH=").unwrap_or_default();
    let Some(python) = installed::python(package.as_ref(), commands, search) else {
        let commands = String::from_utf8_lossy(commands);
        return Err(format!("no python3 in {commands}, in /usr/bin or in PATH"));
    };
    let Some(package) = package else {
        // Installed in a way that only Python's own search understands.
        let code = [PLAIN, BEGIN].concat();
        return Ok(Python {
            command: [python].into_iter().chain(texts(&["-c", &code])).collect(),
            extension: None,
            shows_libraries: true,
        });
    };
    let mut code = String::from(COMMAND);
    code.push_str("import os, sys\nsys.path += map(os.fsdecode, [");
    quote(&mut code, &package.site);
    if package.parent != package.site {
        quote(&mut code, &package.parent);
    }
    code.push_str("])\n");
    code.push_str(BEGIN);
    // A script (pyenv's) has the real Python only later.
    let extension = is_native(&python).then(|| package.extension());
    // Isolated: PYTHONPATH and its like are the guest's.
    let options = texts(&["-I", "-S", "-c", &code]);
    Ok(Python {
        command: [python].into_iter().chain(options).collect(),
        extension,
        shows_libraries: package.library_is_in(variable(start, LIBRARIES).unwrap_or_default()),
    })
}

fn texts(words: &[&str]) -> Vec<CString> {
    words.iter().map(|word| path(&[word.as_bytes()])).collect()
}

/// What stands before a path's last slash.
fn folder(path: &[u8]) -> &[u8] {
    split(path).0
}

/// A path as Python's bytes, with a comma.
fn quote(code: &mut String, bytes: &[u8]) {
    code.push_str("b\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' | ..b' ' | 0x7f.. => {
                let _ = write!(code, "\\x{byte:02x}");
            }
            _ => code.push(byte.into()),
        }
    }
    code.push_str("\",");
}

fn variable(start: &Start, name: &[u8]) -> Option<&'static [u8]> {
    let mut entries = start.environment.iter();
    entries.find_map(|entry| entry.to_bytes().strip_prefix(name))
}

/// Variables that are the guest's, not Python's: the dynamic linker's, the one that Python itself
/// sets (PEP 538), and one of the name of ours.
fn is_hidden(variable: &CStr) -> bool {
    let text = variable.to_bytes();
    let names: [&[u8]; 3] = [b"LD_", b"LC_CTYPE=", PYTHON];
    names.iter().any(|name| text.starts_with(name))
}

/// The first words of `qusr.interp`: descriptor, flags, number of hidden variables.
fn words(start: &Start, hidden: usize) -> [CString; 3] {
    let mut flags = String::from("-");
    let keeps_argv0 = start.auxv(AT_FLAGS).unwrap_or(0) & AT_FLAGS_PRESERVE_ARGV0 != 0;
    for (set, letter) in [
        (keeps_argv0 && start.argv.len() > 2, 'P'),
        (start.auxv(AT_SECURE).unwrap_or(0) != 0, 'S'),
        (kernel::is_ignored(SIGPIPE), 'p'),
        (kernel::is_ignored(SIGXFSZ), 'x'),
    ] {
        if set {
            flags.push(letter);
        }
    }
    let fd = start.auxv(AT_EXECFD);
    let fd = fd.map_or(String::from("-"), |fd| format!("{fd}"));
    [fd, flags, format!("{hidden}")].map(|text| path(&[text.as_bytes()]))
}

/// The dynamic linker's variable for the extension.
fn preload(extension: &CStr) -> Option<CString> {
    let name = extension.to_bytes();
    // ld.so(8): spaces and colons are between names, a dollar sign may begin a token.
    let is_plain = !name.iter().any(|byte| b" :$".contains(byte));
    (is_plain && kernel::exists(extension)).then(|| path(&[b"LD_PRELOAD=", name]))
}

/// The extension as a program, and the variable that tells it where Python is; None: Python itself has to
/// be executed.
fn late(start: &Start, python: &Python) -> Option<(CString, CString)> {
    let extension = python.extension.as_ref()?;
    // Whoever runs a program with more rights than his own must not choose what is loaded later.
    let is_plain = start.auxv(AT_SECURE).unwrap_or(0) == 0 && !python.shows_libraries;
    if !is_plain || !kernel::is_executable(extension) {
        return None;
    }
    let library = installed::library(&python.command[0])?;
    Some((extension.clone(), path(&[PYTHON, library.to_bytes()])))
}

/// The last part of how a command was called.
fn name(start: &Start) -> CString {
    let called = start.argv.first().copied().unwrap_or(c"qusr");
    // As for a script: the file's name, whatever argv[0] is. fexecve(3) knows none.
    let file = start.auxv_text(AT_EXECFN).unwrap_or(called);
    let file = if file.to_bytes().starts_with(b"/dev/fd/") {
        called
    } else {
        file
    };
    let last = file.to_bytes().rsplit(|&byte| byte == b'/').next();
    path(&[last.unwrap_or_default()])
}

fn explain(subject: &CStr, why: &str) -> i32 {
    kernel::complain(&[subject.to_bytes(), b": ", why.as_bytes(), b"\n"].concat());
    CANNOT
}

/// The whole program; comes back with a status if it could not become Python.
fn main(start: &Start) -> i32 {
    let name = name(start);
    let configuration = config::ways();
    let is_command = configuration.is_none();
    let arguments = start.argv.get(1..).unwrap_or_default();
    let subject: CString = if is_command {
        name.clone()
    } else {
        let Some(program) = arguments.first() else {
            return explain(c"qusr-interp", "the kernel starts this, see qusr-binfmt");
        };
        path(&[b"qusr: ", program.to_bytes()])
    };
    let found = configuration.map_or_else(|| by_place(start), |ways| by_configuration(&ways));
    let python = match found {
        Ok(python) => python,
        Err(why) => return explain(&subject, &why),
    };
    let entries = start.environment.iter().copied();
    let (hidden, mut shown): (Vec<&CStr>, Vec<&CStr>) = entries.partition(|entry| is_hidden(entry));
    let words = words(start, hidden.len());
    let mut command: Vec<&CStr> = python.command.iter().map(CString::as_c_str).collect();
    command.extend(words.iter().map(CString::as_c_str));
    command.extend(hidden.iter().copied());
    if is_command {
        command.push(&name);
    }
    command.extend(arguments);
    if let Some((extension, variable)) = late(start, &python) {
        let shown = [&shown[..], &[&variable]].concat();
        // Comes back where the dynamic linker is not where it usually is.
        kernel::execute(&extension, &command, &shown);
    }
    let preload = python.extension.as_deref().and_then(preload);
    shown.extend(preload.as_deref());
    let libraries = hidden
        .iter()
        .find(|entry| entry.to_bytes().starts_with(LIBRARIES));
    shown.extend(libraries.filter(|_| python.shows_libraries));
    let error = kernel::execute(command[0], &command, &shown);
    let why = match error.text() {
        Some(text) => String::from(text),
        None => format!("error {}", error.0),
    };
    explain(
        &subject,
        &format!("{}: {why}", command[0].to_string_lossy()),
    )
}
