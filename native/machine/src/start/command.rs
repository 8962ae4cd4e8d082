//! The command line that the launcher makes (`launcher/src/main.rs`), as far as a start without
//! Python understands it. Everything else is left to `qusr/cli.py`.

use std::collections::BTreeSet;

use crate::guests::names;

/// What a command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The guest in the command's name; nothing for `qusr`, which takes any.
    pub guest: Vec<u8>,
    /// The sysroot that was asked for, "" for none; None: nothing was said.
    pub sysroot: Option<Vec<u8>>,
    /// The program, open, if the kernel has opened it (binfmt_misc's flag O).
    pub fd: Option<i32>,
    /// The program's path, and what it was called (AT_EXECFN).
    pub program: Vec<u8>,
    pub execfn: Vec<u8>,
    pub argv: Vec<Vec<u8>>,
    pub envp: Vec<Vec<u8>>,
    /// Where the store is.
    pub store: Vec<u8>,
}

/// The first line of the code that the launcher gives to Python.
const COMMAND: &[u8] = b"#qusr-start command\n";
const BINFMT: &[u8] = b"#qusr-start binfmt\n";
/// That of `qusr/again.py`.
const EXEC: &[u8] = b"#qusr-start exec\n";

/// Variables of qusr's that a start without Python understands, or that do not concern it.
const KNOWN: [&[u8]; 5] = [
    b"QUSR_CACHE_DIR",
    b"QUSR_LD_PREFIX",
    b"QEMU_LD_PREFIX",
    b"QUSR_DEBUG",
    b"QUSR_MASK_CPU",
];

/// Whether Python's command line is one that the launcher made.
#[must_use]
pub fn is_launched(argv: &[&[u8]]) -> bool {
    let marks = [COMMAND, BINFMT, EXEC];
    code(argv).is_some_and(|code| marks.iter().any(|mark| code.starts_with(mark)))
}

fn code<'a>(argv: &[&'a [u8]]) -> Option<&'a [u8]> {
    match argv {
        [_, b"-I", b"-S", b"-c", code, ..] => Some(code),
        _ => None,
    }
}

/// Reads the command line and the environment; None: not a plain start.
#[must_use]
pub fn parse(argv: &[&[u8]], environ: &[&[u8]]) -> Option<Command> {
    let code = code(argv)?;
    // Python is to be there when the guest dies of SIGQUIT (`qusr/debug/evidence.py`).
    let is_debug = |entry: &&[u8]| {
        let value = entry.strip_prefix(b"QUSR_DEBUG=");
        value.is_some_and(|value| !value.is_empty())
    };
    if environ.iter().any(is_debug) {
        return None;
    }
    if code.starts_with(EXEC) {
        return executed(&argv[5..]);
    }
    let [_, _, _, _, _, fd, flags, hidden, rest @ ..] = argv else {
        return None;
    };
    let hidden: usize = text(hidden)?.parse().ok()?;
    if rest.len() < hidden {
        return None;
    }
    let (hidden, words) = rest.split_at(hidden);
    let mut command = Command {
        envp: environment(environ, hidden),
        fd: match *fd {
            b"-" => None,
            fd => Some(text(fd)?.parse().ok()?),
        },
        ..Command::default()
    };
    command.variables()?;
    if flags.contains(&b'S') {
        return None;
    }
    if code.starts_with(COMMAND) {
        let (name, words) = words.split_first()?;
        command.guest = guest(name)?;
        command.options(words)?;
    } else {
        let (program, words) = words.split_first()?;
        command.program = program.to_vec();
        let kept = flags.contains(&b'P');
        let first = if kept { words.first()? } else { program };
        command.argv = std::iter::once(first)
            .chain(words.get(usize::from(kept)..)?)
            .map(|word| word.to_vec())
            .collect();
    }
    command.execfn.clone_from(&command.program);
    Some(command)
}

/// Reads what `qusr/again.py` wrote; None: it tells of more than a start without Python understands.
fn executed(words: &[&[u8]]) -> Option<Command> {
    let owned = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect();
    let [fd, execfn, program, count, rest @ ..] = words else {
        return None;
    };
    let (state, rest) = rest.split_at_checked(text(count)?.parse().ok()?)?;
    let (count, rest) = rest.split_first()?;
    let (argv, envp) = rest.split_at_checked(text(count)?.parse().ok()?)?;
    let mut command = Command {
        fd: Some(text(fd)?.parse().ok()?),
        program: program.to_vec(),
        execfn: execfn.to_vec(),
        argv: owned(argv),
        envp: owned(envp),
        ..Command::default()
    };
    for word in state {
        match split(word) {
            (b"sysroot", path) => command.sysroot = Some(path.to_vec()),
            (b"store", path) => command.store = path.to_vec(),
            (b"core", b"native") | (b"ignored", _) => {}
            _ => return None,
        }
    }
    command.store.starts_with(b"/").then_some(command)
}

impl Command {
    /// Options and program of a command (`Command.parse` of cli.py).
    fn options(&mut self, words: &[&[u8]]) -> Option<()> {
        let mut words = words.iter();
        loop {
            match *words.next()? {
                // What it would be anyway.
                b"-core" | b"--core" if words.as_slice().first() == Some(&&b"native"[..]) => {
                    words.next();
                }
                b"-L" => self.sysroot = Some(words.next()?.to_vec()),
                b"--" => {
                    self.program = words.next()?.to_vec();
                    break;
                }
                word if word.starts_with(b"-") => return None,
                word => {
                    self.program = word.to_vec();
                    break;
                }
            }
        }
        self.argv = std::iter::once(self.program.as_slice())
            .chain(words.copied())
            .map(<[u8]>::to_vec)
            .collect();
        Some(())
    }

    /// What the environment says: the store's place and the sysroot.
    fn variables(&mut self) -> Option<()> {
        let find = |wanted: &[u8]| {
            let mut all = self.envp.iter().map(|entry| split(entry));
            all.find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.to_vec())
        };
        let ours = |name: &[u8]| name.starts_with(b"QUSR_") || name.starts_with(b"QEMU_");
        let mut names = self.envp.iter().map(|entry| split(entry).0);
        if names.any(|name| ours(name) && !KNOWN.contains(&name)) {
            return None;
        }
        self.sysroot = find(b"QUSR_LD_PREFIX").or_else(|| find(b"QEMU_LD_PREFIX"));
        self.store = crate::store::directory(|name| find(name.as_bytes()))?;
        Some(())
    }
}

/// The guest's environment: Python's (its first entry of a name counts, one without `=` is none)
/// without what the launcher put there, and with what it has hidden in its place.
fn environment(environ: &[&[u8]], hidden: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut met = BTreeSet::new();
    let ours = |entry: &&[u8]| !entry.starts_with(b"LD_PRELOAD=");
    hidden
        .iter()
        .chain(environ.iter().filter(|entry| ours(entry)))
        .copied()
        .filter(|entry| entry.contains(&b'=') && met.insert(split(entry).0))
        .map(<[u8]>::to_vec)
        .collect()
}

fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    let at = entry.iter().position(|&byte| byte == b'=');
    at.map_or((entry, b""), |at| (&entry[..at], &entry[at + 1..]))
}

/// The guest that a command's name is for: `qusr-NAME`, `qemu-NAME`, and either with `-static` behind
/// it. None: it takes any.
#[must_use]
pub fn guest_of(name: &[u8]) -> Option<&'static str> {
    let at = name.iter().position(|&byte| byte == b'-')?;
    let (prefix, guest) = (&name[..at], &name[at + 1..]);
    let guest = guest.strip_suffix(b"-static").unwrap_or(guest);
    match prefix {
        b"qusr" | b"qemu" => names::guest(guest),
        _ => None,
    }
}

/// The guest that a command is for; "" for `qusr`.
fn guest(name: &[u8]) -> Option<Vec<u8>> {
    if matches!(name, b"qusr" | b"qemu") {
        return Some(Vec::new());
    }
    guest_of(name).map(|guest| guest.as_bytes().to_vec())
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &[u8] = b"HOME=/home/me";

    fn command(rest: &[&'static [u8]], environ: &[&[u8]]) -> Option<Command> {
        let python: [&[u8]; 5] = [b"python", b"-I", b"-S", b"-c", b"#qusr-start command\nx"];
        let argv = [&python, rest].concat();
        assert!(is_launched(&argv));
        parse(&argv, environ)
    }

    #[test]
    fn plain_commands_are_understood() {
        let environ = [
            HOME,
            b"LD_PRELOAD=/ours",
            b"X",
            b"A=1",
            b"A=2",
            b"LD_DEBUG=b",
        ];
        let words: &[&[u8]] = &[
            b"-",
            b"-",
            b"1",
            b"LD_DEBUG=all",
            b"qusr-arm64",
            b"./p",
            b"-v",
        ];
        let found = command(words, &environ).unwrap();
        assert_eq!(found.guest, b"aarch64");
        assert_eq!(found.program, b"./p");
        assert_eq!(found.argv, [&b"./p"[..], b"-v"]);
        assert_eq!(found.envp, [b"LD_DEBUG=all", HOME, b"A=1"]);
        assert_eq!(found.store, b"/home/me/.cache/qusr");
        assert_eq!((found.sysroot, found.fd), (None, None));
    }

    #[test]
    fn the_option_goes_before_the_variable() {
        let words: &[&[u8]] = &[
            b"-", b"-", b"0", b"qusr", b"--core", b"native", b"-L", b"/a", b"--", b"-p",
        ];
        let environ = [HOME, b"QEMU_LD_PREFIX=/b", b"XDG_CACHE_HOME=/c"];
        let found = command(words, &environ).unwrap();
        assert_eq!(found.sysroot.as_deref(), Some(&b"/a"[..]));
        assert_eq!(
            (&found.program[..], &found.guest[..]),
            (&b"-p"[..], &b""[..])
        );
        assert_eq!(found.store, b"/c/qusr");
    }

    #[test]
    fn the_rest_is_pythons() {
        let plain: &[&[u8]] = &[b"-", b"-", b"0", b"qusr", b"/p"];
        assert!(command(plain, &[HOME]).is_some());
        assert!(command(plain, &[]).is_none(), "no store");
        assert!(command(plain, &[HOME, b"QUSR_CORE=unicorn"]).is_none());
        assert!(command(plain, &[HOME, b"QUSR_DEBUG=1"]).is_none());
        assert!(command(plain, &[HOME, b"QEMU_STRACE=1"]).is_none());
        assert!(command(&[b"-", b"-", b"0", b"qusr-vax", b"/p"], &[HOME]).is_none());
        assert!(command(&[b"-", b"-", b"0", b"qusr", b"-strace", b"/p"], &[HOME]).is_none());
        assert!(command(&[b"-", b"-", b"0", b"qusr", b"-L"], &[HOME]).is_none());
        let other: &[&[u8]] = &[b"-", b"-", b"0", b"qusr", b"-core", b"unicorn", b"/p"];
        assert!(command(other, &[HOME]).is_none());
        assert!(command(&[b"-", b"-", b"9", b"qusr", b"/p"], &[HOME]).is_none());
        assert!(command(&[b"-", b"-S", b"0", b"qusr", b"/p"], &[HOME]).is_none());
    }

    #[test]
    fn an_execve_hands_over_everything() {
        let python: [&[u8]; 5] = [b"python", b"-I", b"-S", b"-c", b"#qusr-start exec\nx"];
        let parse = |state: &'static [u8]| {
            let rest: [&[u8]; 12] = [
                b"7",
                b"./s",
                b"/bin/sh",
                b"2",
                b"store=/c",
                state,
                b"3",
                b"",
                b"-c",
                b"x=y",
                b"odd",
                b"A=1",
            ];
            let argv = [&python[..], &rest].concat();
            assert!(is_launched(&argv));
            super::parse(&argv, &[b"LD_PRELOAD=/ours"])
        };
        let found = parse(b"sysroot=/r").unwrap();
        assert_eq!(
            (&found.program[..], &found.execfn[..]),
            (&b"/bin/sh"[..], &b"./s"[..])
        );
        assert_eq!(found.argv, [&b""[..], b"-c", b"x=y"]);
        assert_eq!(found.envp, [&b"odd"[..], b"A=1"]);
        assert_eq!((found.fd, &found.store[..]), (Some(7), &b"/c"[..]));
        assert_eq!(found.sysroot.as_deref(), Some(&b"/r"[..]));
        assert!(parse(b"cpu=max").is_none());
    }

    #[test]
    fn the_kernel_hands_programs_over() {
        let python: [&[u8]; 5] = [b"python", b"-I", b"-S", b"-c", b"#qusr-start binfmt\nx"];
        let rest: [&[u8]; 6] = [b"3", b"-P", b"0", b"/bin/p", b"name", b"-x"];
        let argv = [&python[..], &rest].concat();
        let found = parse(&argv, &[HOME]).unwrap();
        assert_eq!(found.fd, Some(3));
        assert_eq!(found.program, b"/bin/p");
        assert_eq!(found.argv, [&b"name"[..], b"-x"]);
    }
}
