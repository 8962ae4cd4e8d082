//! Which command this is, by its names, as busybox does it.

use qusr_machine::start::options;

use crate::{auxv_if_there, auxv_text};

/// Of linux/binfmts.h, for AT_FLAGS: argv[0] was kept (flag P).
const AT_FLAGS_PRESERVE_ARGV0: u64 = 1;

/// What is registered with binfmt_misc may be called so (`qusr-binfmt`), and is never a command.
const INTERPRETER: &[u8] = b"qusr-interp";
const REGISTRAR: &[u8] = b"qusr-binfmt";

/// What it is called as, with the words behind that.
pub enum Called<'a> {
    /// A command that runs a guest's program.
    Guest(&'a [u8], &'a [&'a [u8]]),
    /// `qusr-binfmt`.
    Registrar(&'a [&'a [u8]]),
    /// The kernel's interpreter: a program's path, and its arguments.
    Kernel(&'a [&'a [u8]]),
}

impl<'a> Called<'a> {
    pub fn new(argv: &'a [&'a [u8]]) -> Self {
        let rest = argv.get(1..).unwrap_or_default();
        let called = argv.first().map_or(&b""[..], |path| last(path));
        if auxv_if_there(libc::AT_EXECFD).is_some() || called == INTERPRETER {
            return Self::Kernel(rest);
        }
        // The file's name is not known where there is none (fexecve), and that of the program where
        // binfmt_misc has started it.
        let file = auxv_text(libc::AT_EXECFN).map_or(&b""[..], last);
        if let Some(known) = [called, file]
            .into_iter()
            .find_map(|name| Self::named(name, rest))
        {
            return known;
        }
        // qusr-static NAME …, under whatever name.
        if let Some((name, words)) = rest.split_first()
            && let Some(known) = Self::named(name, words)
        {
            return known;
        }
        Self::Guest(b"qusr", rest)
    }

    fn named(name: &'a [u8], words: &'a [&'a [u8]]) -> Option<Self> {
        if name == REGISTRAR {
            return Some(Self::Registrar(words));
        }
        if !matches!(name, b"qusr" | b"qemu") && options::guest_of(name).is_none() {
            return None;
        }
        if keeps_argv0() {
            return Some(Self::Kernel(words));
        }
        Some(Self::Guest(name, words))
    }
}

/// Whether the kernel has left the program's argv[0] behind its path.
pub fn keeps_argv0() -> bool {
    auxv_if_there(libc::AT_FLAGS).unwrap_or_default() & AT_FLAGS_PRESERVE_ARGV0 != 0
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}
