//! `#!` scripts, by the rules of the kernel's `fs/binfmt_script.c`.

use super::error::LoadError;
use super::ident::BINPRM_BUF_SIZE;

/// How many interpreters may follow one another: `exec_binprm` gives ELOOP at the sixth.
pub const MAX_DEPTH: usize = 5;

const BLANKS: &[u8] = b" \t";
const TERMINATORS: &[u8] = b" \t\0";

/// The first index in first..=last whose byte is in `wanted`.
fn find(buffer: &[u8], wanted: &[u8], first: usize, last: usize) -> Option<usize> {
    (first..=last).find(|&at| wanted.contains(&buffer[at]))
}

/// The first index in first..=last whose byte is not in `BLANKS`.
fn find_text(buffer: &[u8], first: usize, last: usize) -> Option<usize> {
    (first..=last).find(|&at| !BLANKS.contains(&buffer[at]))
}

/// The interpreter and its one argument, of a script's first bytes.
///
/// None when the kernel would say ENOEXEC: no `#!`, nothing behind it, or a line
/// so long that the interpreter's name may be cut off. (An argument may be.)
#[must_use]
pub fn parse(head: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    if !head.starts_with(b"#!") {
        return None;
    }
    // The kernel's buffer is padded with NULs.
    let mut buffer = [0; BINPRM_BUF_SIZE];
    let size = head.len().min(BINPRM_BUF_SIZE);
    buffer[..size].copy_from_slice(&head[..size]);
    let last = BINPRM_BUF_SIZE - 1;
    let mut end = match buffer.iter().position(|&byte| byte == b'\n') {
        Some(end) => end,
        None => {
            find(&buffer, TERMINATORS, find_text(&buffer, 2, last)?, last)?;
            last
        }
    };
    while BLANKS.contains(&buffer[end - 1]) {
        end -= 1;
    }
    let name = find_text(&buffer, 2, end).filter(|&name| name != end)?;
    let separator = find(&buffer, TERMINATORS, name, end);
    let argument = separator
        .filter(|&at| BLANKS.contains(&buffer[at]))
        .and_then(|at| find_text(&buffer, at, end));
    let text = |from: usize, to: usize| -> Vec<u8> {
        let bytes = buffer.get(from..to).unwrap_or_default();
        let end = bytes.iter().position(|&byte| byte == 0);
        bytes[..end.unwrap_or(bytes.len())].to_vec()
    };
    Some(match (argument, separator) {
        (Some(argument), Some(separator)) => (text(name, separator), Some(text(argument, end))),
        (_, separator) => (text(name, separator.unwrap_or(end)), None),
    })
}

/// What to run instead of `script` called with `argv`: an interpreter, and its arguments.
///
/// `argv[0]` is dropped: the interpreter finds the script's path in its place.
///
/// # Errors
/// The line names no interpreter; `path` is for the message.
pub fn apply(
    script: &[u8],
    head: &[u8],
    argv: &[Vec<u8>],
    path: &[u8],
) -> Result<(Vec<u8>, Vec<Vec<u8>>), LoadError> {
    let parsed = parse(head);
    let (interpreter, argument) =
        parsed.ok_or_else(|| LoadError::of(path, "bad #! line", libc::ENOEXEC))?;
    if interpreter.is_empty() {
        // To the kernel an empty name is the current directory here, not ENOENT.
        return Err(LoadError::of(
            path,
            "bad #! line: no interpreter",
            libc::EACCES,
        ));
    }
    let mut new = vec![interpreter.clone()];
    new.extend(argument);
    new.push(script.to_vec());
    new.extend(argv.iter().skip(1).cloned());
    Ok((interpreter, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_one_argument() {
        let parsed = |line: &[u8]| parse(line);
        assert_eq!(
            parsed(b"#!/bin/sh -x  -y \nrest"),
            Some((b"/bin/sh".to_vec(), Some(b"-x  -y".to_vec())))
        );
        assert_eq!(parsed(b"#! \t/bin/sh"), Some((b"/bin/sh".to_vec(), None)));
        assert_eq!(parsed(b"#!\n"), None);
        assert_eq!(parsed(b"no script"), None);
        assert_eq!(parsed(&[b"#!/", &[b'a'; 300][..]].concat()), None);
    }
}
