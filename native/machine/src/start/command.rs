//! The command line that the launcher makes (`launcher/src/main.rs`), and what it asks for.

use std::collections::BTreeSet;

use super::options::{Options, Value, guest_of};

/// What a command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// What it is called in messages.
    pub name: Vec<u8>,
    /// The guest in the command's name; None for `qusr`, which takes any.
    pub guest: Option<&'static str>,
    pub options: Options,
    /// The sysroot that was asked for, "" for none; None: nothing was said.
    pub sysroot: Option<Vec<u8>>,
    /// The program, open, if the kernel has opened it (binfmt_misc's flag O).
    pub fd: Option<i32>,
    /// The program's path, and what it was called (AT_EXECFN).
    pub program: Vec<u8>,
    pub execfn: Vec<u8>,
    pub argv: Vec<Vec<u8>>,
    pub envp: Vec<Vec<u8>>,
    /// Where the store is; None: there is none.
    pub store: Option<Vec<u8>>,
    /// What an execve has kept: a personality, and limits (number, soft, hard).
    pub read_implies_exec: bool,
    pub limits: Vec<(u32, u64, u64)>,
    /// Unicorn's library, where a variable names it.
    pub unicorn: Option<Vec<u8>>,
    /// Folders where Python's packages may be.
    pub packages: Vec<Vec<u8>>,
    /// Python itself, what its code begins with (to find them), the extension, and Python's library if that is not
    /// loaded yet ([`super::Place`]).
    pub python: Vec<u8>,
    pub paths: Vec<u8>,
    pub extension: Vec<u8>,
    pub library: Vec<u8>,
}

/// What a command line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A program to be started.
    Program(Box<Command>),
    /// Something that only Python understands or does.
    ForPython,
    /// It cannot be: for whom, and why.
    Refused(Vec<u8>, Vec<u8>),
}

/// The first line of the code that the launcher gives to Python.
const COMMAND: &[u8] = b"#qusr-start command\n";
const BINFMT: &[u8] = b"#qusr-start binfmt\n";
/// That of `qusr/again.py`.
const EXEC: &[u8] = b"#qusr-start exec\n";

/// Says in the code of binfmt_misc's interpreters that they are in another root than the host's.
const CARRIED: &[u8] = b"carried=True";
/// Where the cache is then, if somebody has made it (`qusr/interp.py`).
const CARRIED_STORE: &str = "/run/qusr/cache";

/// The variable by which the launcher names the library that Python is to be loaded from.
pub const LIBRARY: &str = "QUSR_LIBPYTHON";

/// The variable that names Unicorn's library (`qusr/cpu/unicorn.py`).
const UNICORN: &str = "QUSR_LIBUNICORN";

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

/// Reads the command line and the environment.
#[must_use]
pub fn parse(argv: &[&[u8]], environ: &[&[u8]]) -> Parsed {
    // Python is to be there when the guest dies of SIGQUIT (`qusr/debug/evidence.py`).
    let is_debug = |entry: &&[u8]| {
        let value = entry.strip_prefix(b"QUSR_DEBUG=");
        value.is_some_and(|value| !value.is_empty())
    };
    if environ.iter().any(is_debug) {
        return Parsed::ForPython;
    }
    let Some(code) = code(argv) else {
        return Parsed::ForPython;
    };
    let words = &argv[5..];
    let parsed = if code.starts_with(EXEC) {
        executed(words).map(Ok)
    } else {
        launched(code, words, environ)
    };
    match parsed {
        None => Parsed::ForPython,
        Some(Err((name, why))) => Parsed::Refused(name, why),
        Some(Ok(mut command)) => {
            command.packages = quoted(code);
            command.python = argv[0].to_vec();
            command.paths = paths(code);
            Parsed::Program(Box::new(command))
        }
    }
}

/// A command that cannot be: for whom, and why.
type Refusal = (Vec<u8>, Vec<u8>);

/// Reads what the launcher made; None: it is Python's.
fn launched(code: &[u8], words: &[&[u8]], environ: &[&[u8]]) -> Option<Result<Command, Refusal>> {
    let [fd, flags, hidden, rest @ ..] = words else {
        return None;
    };
    // Other credentials than the caller's, who must not choose what Python would not let him.
    if flags.contains(&b'S') {
        return None;
    }
    let (hidden, words) = rest.split_at_checked(text(hidden)?.parse().ok()?)?;
    let mut command = Command {
        envp: environment(environ, hidden),
        fd: match *fd {
            b"-" => None,
            fd => Some(text(fd)?.parse().ok()?),
        },
        ..Command::default()
    };
    let is_carried = contains(code, CARRIED);
    let find = |wanted: &str| {
        let mut all = command.envp.iter().map(|entry| split(entry));
        let found = all.find(|(name, _)| *name == wanted.as_bytes());
        found.map(|(_, value)| value.to_vec())
    };
    let (name, words) = words.split_first()?;
    let is_command = code.starts_with(COMMAND);
    let given = if is_command { words } else { &[][..] };
    let given: Vec<_> = given.iter().map(|word| word.to_vec()).collect();
    let called = if is_command { name } else { &b"qusr"[..] };
    let options = match Options::parse(&given, find) {
        Ok(options) => options,
        Err(why) => return Some(Err((called.to_vec(), why))),
    };
    if options.for_python || !options.show.is_empty() {
        return None;
    }
    options.warn();
    let asked = options.text("L").map(<[u8]>::to_vec);
    command.sysroot = asked
        .or_else(|| is_carried.then(Vec::new))
        .or_else(|| find("QUSR_LD_PREFIX"))
        .or_else(|| find("QEMU_LD_PREFIX"));
    command.store = match find("QUSR_CACHE_DIR") {
        None if is_carried => std::path::Path::new(CARRIED_STORE)
            .is_dir()
            .then(|| CARRIED_STORE.as_bytes().to_vec()),
        _ => crate::store::directory(find),
    };
    command.unicorn = find(UNICORN).filter(|path| !path.is_empty());
    command.name = called.to_vec();
    if is_command {
        command.guest = guest_of(name);
        command.argv.clone_from(&options.argv);
        // `qusr info PROGRAM` only tells of programs, `qusr gdb` starts a debugger, and `qusr binfmt` is
        // what the command `qusr-binfmt` does.
        let is = |known: &[u8]| command.argv.first().is_some_and(|word| word == known);
        if command.guest.is_none() && [&b"info"[..], b"gdb", b"binfmt"].into_iter().any(is) {
            return None;
        }
        let Some(program) = command.argv.first() else {
            let why = b"no program to run (-help shows how)";
            return Some(Err((called.to_vec(), why.to_vec())));
        };
        command.program.clone_from(program);
    } else {
        command.program = name.to_vec();
        let kept = flags.contains(&b'P');
        let first = if kept { words.first()? } else { name };
        let rest = words.get(usize::from(kept)..)?;
        let argv = std::iter::once(first).chain(rest);
        command.argv = argv.map(|word| word.to_vec()).collect();
    }
    if let Some(first) = options.text("0") {
        command.argv[0] = first.to_vec();
    }
    command.execfn.clone_from(&command.program);
    command.envp = options.environment(command.envp);
    command.options = options;
    Some(Ok(command))
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
        name: b"qusr".to_vec(),
        fd: Some(text(fd)?.parse().ok()?),
        program: program.to_vec(),
        execfn: execfn.to_vec(),
        argv: owned(argv),
        envp: owned(envp),
        sysroot: Some(Vec::new()),
        ..Command::default()
    };
    for word in state {
        let (name, value) = split(word);
        let option = match name {
            b"sysroot" => {
                command.sysroot = Some(value.to_vec());
                continue;
            }
            b"store" => {
                command.store = Some(value.to_vec());
                continue;
            }
            b"unicorn" => {
                command.unicorn = Some(value.to_vec());
                continue;
            }
            b"ignored" => continue,
            b"log" => {
                let options = &mut command.options.values;
                options.insert("d", Value::Text(b"python".to_vec()));
                options.insert("D", Value::Text(value.to_vec()));
                continue;
            }
            b"read_implies_exec" => {
                command.read_implies_exec = true;
                continue;
            }
            b"limits" => {
                command.limits = limits(text(value)?)?;
                continue;
            }
            b"core" => "core",
            b"opt" => "opt",
            b"cpu" => "cpu",
            b"uname_release" => "r",
            b"stack_size" => "s",
            b"guest_base" => "B",
            b"reserved_va" => "R",
            b"seed" => "seed",
            _ => return None,
        };
        let value = match name {
            b"core" | b"opt" | b"cpu" | b"uname_release" => Value::Text(value.to_vec()),
            _ => Value::Number(text(value)?.parse().ok()?),
        };
        command.options.values.insert(option, value);
    }
    Some(command)
}

/// Limits as `number:soft:hard`, with blanks between.
fn limits(words: &str) -> Option<Vec<(u32, u64, u64)>> {
    let one = |word: &str| {
        let mut parts = word.split(':');
        let found = (
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
        );
        parts.next().is_none().then_some(found)
    };
    words.split(' ').map(one).collect()
}

/// The guest's environment: Python's (its first entry of a name counts, one without `=` is none)
/// without what the launcher put there, and with what it has hidden in its place.
fn environment(environ: &[&[u8]], hidden: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut met = BTreeSet::new();
    let ours = |entry: &&[u8]| {
        let (name, _) = split(entry);
        name != b"LD_PRELOAD" && name != LIBRARY.as_bytes()
    };
    hidden
        .iter()
        .chain(environ.iter().filter(|entry| ours(entry)))
        .copied()
        .filter(|entry| entry.contains(&b'=') && met.insert(split(entry).0))
        .map(<[u8]>::to_vec)
        .collect()
}

/// What sets `sys.path` in the launcher's code: its second line, and a third one where it begins with an
/// import of its own.
fn paths(code: &[u8]) -> Vec<u8> {
    let lines = code.split(|&byte| byte == b'\n').skip(1);
    let sets = |line: &&[u8]| contains(line, b"sys.path");
    let upto = |line: &[u8]| {
        let end = line.windows(6).position(|part| part == b"; from");
        [&line[..end.unwrap_or(line.len())], b"\n"].concat()
    };
    let found: Vec<_> = lines.filter(sets).take(1).map(upto).collect();
    [b"import os, sys\n", &found.concat()[..]].concat()
}

/// The strings in quotation marks in Python's code: the folders of `sys.path`, and others.
fn quoted(code: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.iter().position(|byte| b"\"'".contains(byte)) {
        let (mark, inside) = (rest[at], &rest[at + 1..]);
        let Some(end) = inside.iter().position(|&byte| byte == mark) else {
            break;
        };
        if inside.starts_with(b"/") {
            found.push(unescaped(&inside[..end]));
        }
        rest = &inside[end + 1..];
    }
    found
}

/// The launcher writes what is not plain as `\xHH`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        rest = match rest {
            [] => return out,
            [b'\\', b'x', high, low, rest @ ..] => {
                out.extend(hex(&[*high, *low]));
                rest
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
        };
    }
}

fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    let at = entry.iter().position(|&byte| byte == b'=');
    at.map_or((entry, b""), |at| (&entry[..at], &entry[at + 1..]))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &[u8] = b"HOME=/home/me";

    const CODE: &[u8] = b"#qusr-start command\nsys.path += [b\"/a\\x20b\",b\"/c\",]";

    fn parsed(rest: &[&'static [u8]], environ: &[&[u8]]) -> Parsed {
        let python: [&[u8]; 5] = [b"python", b"-I", b"-S", b"-c", CODE];
        let argv = [&python, rest].concat();
        assert!(is_launched(&argv));
        parse(&argv, environ)
    }

    fn command(rest: &[&'static [u8]], environ: &[&[u8]]) -> Option<Command> {
        match parsed(rest, environ) {
            Parsed::Program(command) => Some(*command),
            _ => None,
        }
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
        assert_eq!(found.guest, Some("aarch64"));
        assert_eq!(found.packages, [&b"/a b"[..], b"/c"]);
        assert_eq!(found.program, b"./p");
        assert_eq!(found.argv, [&b"./p"[..], b"-v"]);
        assert_eq!(found.envp, [b"LD_DEBUG=all", HOME, b"A=1"]);
        assert_eq!(found.store.as_deref(), Some(&b"/home/me/.cache/qusr"[..]));
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
        assert_eq!((&found.program[..], found.guest), (&b"-p"[..], None));
        assert_eq!(found.store.as_deref(), Some(&b"/c/qusr"[..]));
    }

    #[test]
    fn the_rest_is_pythons() {
        let plain: &[&[u8]] = &[b"-", b"-", b"0", b"qusr", b"/p"];
        assert!(command(plain, &[HOME]).is_some());
        assert!(command(plain, &[]).is_some_and(|found| found.store.is_none()));
        let python =
            |rest: &[&'static [u8]], environ: &[&[u8]]| parsed(rest, environ) == Parsed::ForPython;
        assert!(python(plain, &[HOME, b"QUSR_DEBUG=1"]));
        assert!(python(plain, &[HOME, b"QEMU_STRACE=1"]));
        assert!(python(
            &[b"-", b"-", b"0", b"qusr", b"-strace", b"/p"],
            &[HOME]
        ));
        assert!(python(&[b"-", b"-", b"0", b"qusr", b"-version"], &[HOME]));
        assert!(python(
            &[b"-", b"-", b"0", b"qusr-arm", b"-g", b"1", b"/p"],
            &[HOME]
        ));
        assert!(python(plain, &[HOME, b"QUSR_GDB=1234"]));
        assert!(python(&[b"-", b"-", b"0", b"qusr", b"gdb", b"/p"], &[HOME]));
        assert!(python(&[b"-", b"-", b"9", b"qusr", b"/p"], &[HOME]));
        assert!(python(&[b"-", b"-S", b"0", b"qusr", b"/p"], &[HOME]));
    }

    #[test]
    fn what_cannot_be_is_told_by_whom_it_is_asked() {
        let refused = |rest: &[&'static [u8]]| match parsed(rest, &[HOME]) {
            Parsed::Refused(name, why) => [&name[..], b": ", &why[..]].concat(),
            _ => Vec::new(),
        };
        assert_eq!(
            refused(&[b"-", b"-", b"0", b"qusr-arm", b"-L"]),
            b"qusr-arm: missing argument for option '-L'"
        );
        assert_eq!(
            refused(&[b"-", b"-", b"0", b"qusr-arm", b"-s", b"1M"]),
            b"qusr-arm: no program to run (-help shows how)"
        );
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
            match super::parse(&argv, &[b"LD_PRELOAD=/ours"]) {
                Parsed::Program(command) => Some(*command),
                _ => None,
            }
        };
        let found = parse(b"sysroot=/r").unwrap();
        assert_eq!(
            (&found.program[..], &found.execfn[..]),
            (&b"/bin/sh"[..], &b"./s"[..])
        );
        assert_eq!(found.argv, [&b""[..], b"-c", b"x=y"]);
        assert_eq!(found.envp, [&b"odd"[..], b"A=1"]);
        assert_eq!(
            (found.fd, found.store.as_deref()),
            (Some(7), Some(&b"/c"[..]))
        );
        assert_eq!(found.sysroot.as_deref(), Some(&b"/r"[..]));
        assert_eq!(
            parse(b"cpu=max").unwrap().options.text("cpu"),
            Some(&b"max"[..])
        );
        let limits = parse(b"limits=3:1:2 6:5:7").unwrap().limits;
        assert_eq!(limits, [(3, 1, 2), (6, 5, 7)]);
        assert!(parse(b"traced=1").is_none());
    }

    #[test]
    fn the_kernel_hands_programs_over() {
        let python: [&[u8]; 5] = [b"python", b"-I", b"-S", b"-c", b"#qusr-start binfmt\nx"];
        let rest: [&[u8]; 6] = [b"3", b"-P", b"0", b"/bin/p", b"name", b"-x"];
        let argv = [&python[..], &rest].concat();
        let Parsed::Program(found) = parse(&argv, &[HOME]) else {
            panic!("it is plain");
        };
        assert_eq!(found.fd, Some(3));
        assert_eq!(found.program, b"/bin/p");
        assert_eq!(found.argv, [&b"name"[..], b"-x"]);
    }
}
