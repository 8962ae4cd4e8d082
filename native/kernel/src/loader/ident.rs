//! What a file is, from its first bytes.

use super::rules::{Machines, Rules};

pub const MAGIC: &[u8] = b"\x7fELF";
/// The kernel looks at this much of a file before it chooses a binary format
/// (include/uapi/linux/binfmts.h).
pub const BINPRM_BUF_SIZE: usize = 256;

// elf(5)
pub const ET_EXEC: u16 = 2;
pub const ET_DYN: u16 = 3;
const EM_386: u16 = 3;
const EM_X86_64: u16 = 62;

/// Sizes of the ELF header in 32 and 64 bits.
pub(super) const EHDR: [usize; 2] = [52, 64];
/// Where it has `e_flags`.
const FLAGS: [usize; 2] = [36, 48];

/// The part of an ELF header that tells whom the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident {
    pub machine: u16,
    pub bits: u8,
    pub big_endian: bool,
    pub kind: u16,
    pub flags: u32,
}

impl Ident {
    /// Reads it; None: there is no complete ELF header.
    #[must_use]
    pub fn parse(head: &[u8]) -> Option<Self> {
        if !head.starts_with(MAGIC) || head.len() < EHDR[0] {
            return None;
        }
        let bits = match head[4] {
            1 => 32,
            2 if head.len() >= EHDR[1] => 64,
            _ => return None,
        };
        let big_endian = match head[5] {
            1 => false,
            2 => true,
            _ => return None,
        };
        let half = |at: usize| {
            let bytes = [head[at], head[at + 1]];
            if big_endian {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            }
        };
        let flags = FLAGS[usize::from(bits == 64)];
        let flags = head[flags..].first_chunk().expect("as long as its EHDR");
        Some(Self {
            machine: half(18),
            bits,
            big_endian,
            kind: half(16),
            flags: if big_endian {
                u32::from_be_bytes(*flags)
            } else {
                u32::from_le_bytes(*flags)
            },
        })
    }

    /// The guest that runs it.
    #[must_use]
    pub fn guest<'a>(&self, machines: &'a Machines) -> Option<&'a Rules> {
        machines.guest(self.machine, self.bits, self.big_endian, self.flags)
    }

    /// What people call the machine.
    #[must_use]
    pub fn title(&self, machines: &Machines) -> String {
        machines.title(self.machine, self.bits, self.big_endian, self.flags)
    }

    /// Whether this x86-64 machine runs it without an emulator.
    #[must_use]
    pub fn is_host(&self) -> bool {
        is_host_machine(self.machine) && (self.machine == EM_X86_64 || self.bits == 32)
    }

    /// Whether it is for the same machine as another one, and the same guest.
    #[must_use]
    pub fn is_like(&self, other: &Self, machines: &Machines) -> bool {
        let guest = |ident: &Self| ident.guest(machines).map(|guest| guest.name);
        (self.machine, self.bits, self.big_endian) == (other.machine, other.bits, other.big_endian)
            && guest(self) == guest(other)
    }

    #[must_use]
    pub fn is_program(&self) -> bool {
        matches!(self.kind, ET_EXEC | ET_DYN)
    }

    /// For a message: what an ELF file is that is no program.
    #[must_use]
    pub fn kind_title(&self) -> String {
        match self.kind {
            0 => "no type".into(),
            1 => "an object file".into(),
            4 => "a core dump".into(),
            other if (1..=4).contains(&other.swap_bytes()) => {
                let order = if self.big_endian { "big" } else { "little" };
                format!("a damaged ELF header, which says {order}-endian and is not")
            }
            other => format!("ELF type {other}"),
        }
    }
}

/// Whether this is the host's machine, in either word size.
#[must_use]
pub fn is_host_machine(machine: u16) -> bool {
    matches!(machine, EM_X86_64 | EM_386)
}

/// What the first bytes of a file look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Elf,
    /// It begins like one.
    BadElf,
    Script,
    Empty,
    Text,
    Data,
}

/// Tells kinds of files apart.
#[must_use]
pub fn kind(head: &[u8]) -> Kind {
    if head.is_empty() {
        return Kind::Empty;
    }
    if head.starts_with(MAGIC) {
        return match Ident::parse(head) {
            Some(_) => Kind::Elf,
            None => Kind::BadElf,
        };
    }
    if head.starts_with(b"#!") {
        return Kind::Script;
    }
    // The test shells use for "is this a script?": no NUL before the first newline
    // (POSIX, Command Search and Execution).
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if line.contains(&0) {
        Kind::Data
    } else {
        Kind::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let mut elf = MAGIC.to_vec();
        elf.extend([2, 1]);
        elf.resize(64, 0);
        assert_eq!(kind(b""), Kind::Empty);
        assert_eq!(kind(&elf), Kind::Elf);
        assert_eq!(kind(&elf[..63]), Kind::BadElf);
        elf[4] = 1;
        assert_eq!(kind(&elf[..52]), Kind::Elf);
        assert_eq!(kind(b"#!/bin/sh"), Kind::Script);
        assert_eq!(kind(b"echo hi\nmore\0"), Kind::Text);
        assert_eq!(kind(b"\0"), Kind::Data);
    }
}
