//! The initial stack, laid out as the kernel does.
//!
//! From the top: a zero word, the execfn string, the environment strings, the
//! argument strings (fs/exec.c), then, 16-aligned, the platform string, 16 random bytes
//! and the vectors with the stack pointer at argc (`create_elf_tables` in fs/binfmt_elf.c).

use super::auxv::{AT_EXECFN, AT_PLATFORM, AT_RANDOM, Vector};
use super::error::LoadError;
use crate::abi::GuestAbi;

/// What is put onto an initial stack.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// The end of the stack's mapping.
    pub top: u64,
    pub argv: &'a [&'a [u8]],
    pub envp: &'a [&'a [u8]],
    pub execfn: &'a [u8],
    /// Complete and in order. The values of `AT_RANDOM`, `AT_EXECFN` and `AT_PLATFORM` do not
    /// matter: they become addresses on this stack.
    pub auxv: Vector,
    /// Nothing where the vector has no entry for it.
    pub platform: &'a [u8],
    pub random: [u8; 16],
    pub abi: GuestAbi,
}

/// A finished initial stack: `data` goes to address `sp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub sp: u64,
    pub data: Vec<u8>,
    /// `mm->arg_start` and friends, for `/proc/PID/{cmdline,environ,stat}`.
    pub arg_start: u64,
    /// The end of the arguments, where the environment starts.
    pub arg_end: u64,
    /// The end of the environment, where the execfn string is.
    pub env_end: u64,
    pub auxv: Vector,
    /// The vector as it is on the stack.
    pub auxv_bytes: Vec<u8>,
}

/// Why there is no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A string has a NUL within.
    Nul,
    /// There is not so much room below `top`.
    TooLarge,
}

impl Error {
    /// What is told of it.
    #[must_use]
    pub fn explain(self) -> LoadError {
        let what = match self {
            Self::Nul => "an argument or environment string contains a NUL",
            Self::TooLarge => "the initial stack does not fit below its end",
        };
        LoadError::new(what, libc::EINVAL)
    }
}

// include/uapi/linux/{binfmts,limits}.h and include/uapi/linux/resource.h.
const MAX_ARG_STRLEN: usize = 32 * 4096;
const ARG_MAX: u64 = 131_072;
const STK_LIM: u64 = 8 << 20;

/// E2BIG by the rules of execve(2) (`bprm_stack_limits` and `copy_strings` in fs/exec.c).
///
/// A string may have 128 KiB with its NUL. All together, with their pointers,
/// may fill a quarter of the stack limit, at most 6 MiB and always 128 KiB. `word` is the size of a
/// pointer in bytes.
///
/// # Errors
/// They do not fit.
pub fn check_limits(
    argv: &[Vec<u8>],
    envp: &[Vec<u8>],
    execfn: &[u8],
    word: u64,
    stack_limit: u64,
) -> Result<(), LoadError> {
    let all = || argv.iter().chain(envp);
    if let Some(text) = all().find(|text| text.len() >= MAX_ARG_STRLEN) {
        let what = format!(
            "an argument or environment string of {} bytes: at most {} are allowed",
            text.len(),
            MAX_ARG_STRLEN - 1
        );
        return Err(LoadError::new(what, libc::E2BIG));
    }
    let limit = (STK_LIM / 4 * 3).min(stack_limit / 4).max(ARG_MAX);
    // An empty argv is given one empty string.
    let mut size = (argv.len().max(1) + envp.len()) as u64 * word;
    size += execfn.len() as u64 + 1 + u64::from(argv.is_empty());
    size += all().map(|text| text.len() as u64 + 1).sum::<u64>();
    if size > limit {
        let what = format!("arguments and environment take {size} bytes: the limit is {limit}");
        return Err(LoadError::new(what, libc::E2BIG));
    }
    Ok(())
}

impl Stack {
    /// Puts it into guest memory.
    ///
    /// # Errors
    /// The arguments are larger than the stack, or a segment of an odd program lies over it.
    pub fn store(&self, space: &dyn super::image::Space) -> Result<(), LoadError> {
        space.write(self.sp, &self.data).map_err(|errno| {
            let what = format!(
                "the initial stack does not fit: {} bytes at {:#x}",
                self.data.len(),
                self.sp
            );
            LoadError::new(what, errno)
        })
    }
}

/// Lays the stack out below `top`.
///
/// # Errors
/// See [`Error`]. The limits of execve(2) are the caller's to keep.
pub fn build(contents: Contents<'_>) -> Result<Stack, Error> {
    let Contents {
        top, execfn, abi, ..
    } = contents;
    // Since Linux 5.18 a program never sees argc == 0 (do_execveat_common).
    let argv = match contents.argv {
        [] => &[&b""[..]],
        argv => argv,
    };
    let all = || argv.iter().chain(contents.envp).copied();
    if all().chain([execfn]).any(|text| text.contains(&0)) {
        return Err(Error::Nul);
    }
    let word = abi.word_bytes();
    let below = |at: u64, size: usize| at.checked_sub(size as u64).ok_or(Error::TooLarge);
    let size_of = |texts: &[&[u8]]| texts.iter().map(|text| text.len() + 1).sum::<usize>();
    let env_end = below(top, word + execfn.len() + 1)?;
    let arg_end = below(env_end, size_of(contents.envp))?;
    let arg_start = below(arg_end, size_of(argv))?;

    let mut at = arg_start & !15;
    let platform = match contents.platform {
        [] => 0,
        text => {
            at = below(at, text.len() + 1)?;
            at
        }
    };
    let random = below(at, contents.random.len())?;

    let mut auxv = contents.auxv;
    for (kind, value) in &mut auxv {
        match *kind {
            AT_RANDOM => *value = random,
            AT_EXECFN => *value = env_end,
            AT_PLATFORM => *value = platform,
            _ => {}
        }
    }
    let words = 1 + argv.len() + 1 + contents.envp.len() + 1 + 2 * auxv.len();
    // STACK_ROUND: the pointer is 16-aligned, so some bytes above the vectors stay unused.
    let sp = below(random, words * word)? & !15;

    let mut out = Writer {
        data: Vec::with_capacity((top - sp) as usize),
        abi,
    };
    out.word(argv.len() as u64);
    let mut address = arg_start;
    for texts in [argv, contents.envp] {
        for text in texts {
            out.word(address);
            address += text.len() as u64 + 1;
        }
        out.word(0);
    }
    let vector_at = out.data.len();
    for &(kind, value) in &auxv {
        out.word(kind);
        out.word(value);
    }
    let auxv_bytes = out.data[vector_at..].to_vec();
    out.zeros_to((random - sp) as usize);
    out.data.extend(contents.random);
    if !contents.platform.is_empty() {
        out.text(contents.platform);
    }
    out.zeros_to((arg_start - sp) as usize);
    for text in all().chain([execfn]) {
        out.text(text);
    }
    out.zeros_to((top - sp) as usize);
    Ok(Stack {
        sp,
        data: out.data,
        arg_start,
        arg_end,
        env_end,
        auxv,
        auxv_bytes,
    })
}

/// The stack's bytes, from its pointer upwards.
struct Writer {
    data: Vec<u8>,
    abi: GuestAbi,
}

impl Writer {
    /// A word of the guest: of a 32-bit one, the low half.
    fn word(&mut self, value: u64) {
        match (self.abi.word_bytes(), self.abi.big_endian) {
            (4, false) => self.data.extend((value as u32).to_le_bytes()),
            (4, true) => self.data.extend((value as u32).to_be_bytes()),
            (_, false) => self.data.extend(value.to_le_bytes()),
            (_, true) => self.data.extend(value.to_be_bytes()),
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.data.extend(text);
        self.data.push(0);
    }

    fn zeros_to(&mut self, offset: usize) {
        self.data.resize(offset, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::auxv::AT_UID;
    use super::*;

    const AT_NULL: u64 = 0;

    fn abi(word_bits: u8, big_endian: bool) -> GuestAbi {
        GuestAbi::of(word_bits, big_endian)
    }

    fn contents<'a>(abi: GuestAbi) -> Contents<'a> {
        Contents {
            top: 0x10_0000,
            argv: &[b"prog", b"", b"last one"],
            envp: &[b"A=1", b"B="],
            execfn: b"./prog",
            auxv: vec![
                (AT_UID, 7),
                (AT_RANDOM, 0),
                (AT_EXECFN, 0),
                (AT_PLATFORM, 0),
                (AT_NULL, 0),
            ],
            platform: b"v7l",
            random: *b"0123456789abcdef",
            abi,
        }
    }

    /// Reads a stack as a C start-up file does.
    struct Reader<'a> {
        stack: &'a Stack,
        abi: GuestAbi,
        at: u64,
    }

    impl Reader<'_> {
        fn pop(&mut self) -> u64 {
            let offset = (self.at - self.stack.sp) as usize;
            let size = self.abi.word_bytes();
            let bytes = &self.stack.data[offset..offset + size];
            self.at += size as u64;
            let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
            if self.abi.big_endian {
                bytes.iter().fold(0, join)
            } else {
                bytes.iter().rev().fold(0, join)
            }
        }

        fn text(&self, at: u64) -> &[u8] {
            let rest = &self.stack.data[(at - self.stack.sp) as usize..];
            rest.split(|byte| *byte == 0).next().unwrap_or_default()
        }

        fn texts(&mut self) -> Vec<Vec<u8>> {
            let mut texts = Vec::new();
            loop {
                match self.pop() {
                    0 => return texts,
                    at => texts.push(self.text(at).to_vec()),
                }
            }
        }
    }

    #[test]
    fn every_shape_reads_back() {
        for abi in [abi(32, false), abi(32, true), abi(64, false), abi(64, true)] {
            let given = contents(abi);
            let stack = build(given.clone()).unwrap();
            assert_eq!(stack.sp % 16, 0);
            assert_eq!(stack.sp + stack.data.len() as u64, given.top);
            let mut reader = Reader {
                stack: &stack,
                abi,
                at: stack.sp,
            };
            assert_eq!(reader.pop(), 3);
            assert_eq!(reader.texts(), given.argv);
            assert_eq!(reader.texts(), given.envp);
            let vector_at = (reader.at - stack.sp) as usize;
            assert!(stack.data[vector_at..].starts_with(&stack.auxv_bytes));
            assert_eq!(
                stack.auxv_bytes.len(),
                given.auxv.len() * 2 * abi.word_bytes()
            );
            let read: Vector = (0..given.auxv.len())
                .map(|_| (reader.pop(), reader.pop()))
                .collect();
            assert_eq!(read, stack.auxv);
            assert_eq!(read[0], (AT_UID, 7));
            let random = (read[1].1 - stack.sp) as usize;
            assert_eq!(stack.data[random..][..16], given.random);
            assert_eq!(read[2], (AT_EXECFN, stack.env_end));
            assert_eq!(reader.text(read[2].1), given.execfn);
            assert_eq!(reader.text(read[3].1), given.platform);
            let between = |from: u64, to: u64| {
                &stack.data[(from - stack.sp) as usize..(to - stack.sp) as usize]
            };
            assert_eq!(
                between(stack.arg_start, stack.arg_end),
                b"prog\0\0last one\0"
            );
            assert_eq!(between(stack.arg_end, stack.env_end), b"A=1\0B=\0");
            // The zero word at the top.
            assert_eq!(
                given.top - stack.env_end,
                given.execfn.len() as u64 + 1 + abi.word_bytes() as u64
            );
        }
    }

    #[test]
    fn an_empty_argv_becomes_one_empty_string() {
        let stack = build(Contents {
            argv: &[],
            ..contents(abi(64, false))
        })
        .unwrap();
        assert_eq!(stack.data[..8], 1u64.to_le_bytes());
        assert_eq!(stack.arg_end - stack.arg_start, 1);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let given = contents(abi(64, false));
        let nul = build(Contents {
            envp: &[b"A=\0"],
            ..given.clone()
        });
        assert_eq!(nul, Err(Error::Nul));
        let small = build(Contents { top: 64, ..given });
        assert_eq!(small, Err(Error::TooLarge));
    }
}
