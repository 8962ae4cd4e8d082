//! One mapping of the guest, as the kernel's `vm_area_struct`.

use std::ops::{BitAnd, BitOr, BitOrAssign};
use std::sync::Arc;

use super::types::Prot;

/// The file behind a mapping, as it was when it was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The path that the host kernel knows the file by (bytes, not text).
    pub path: Vec<u8>,
    pub dev: u64,
    pub inode: u64,
}

/// What a region shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Private anonymous memory.
    Anonymous,
    /// Shared anonymous memory: `object` tells one `mmap` call's memory from another's.
    SharedAnonymous {
        object: u64,
        offset: u64,
    },
    File {
        file: Arc<FileId>,
        offset: u64,
    },
    /// A System V shared memory segment.
    Shm {
        id: i32,
        key: i32,
        offset: u64,
    },
    /// Private memory that the kernel shows under a name of its own: `[stack]`, `[vdso]` ...
    Special(Arc<str>),
}

impl Backing {
    /// The offset into the backing object, 0 where it has none.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match self {
            Self::Anonymous | Self::Special(_) => 0,
            Self::SharedAnonymous { offset, .. }
            | Self::File { offset, .. }
            | Self::Shm { offset, .. } => *offset,
        }
    }

    /// Whether the pages are those of an object that may be shorter than its mapping: a file,
    /// or shared memory whose mapping mremap has made longer.
    #[must_use]
    pub fn may_end(&self) -> bool {
        !matches!(self, Self::Anonymous | Self::Special(_))
    }

    /// Whether both show the same object, at whatever offsets.
    #[must_use]
    pub fn same_object(&self, other: &Self) -> bool {
        self.advanced(self.offset().wrapping_neg()) == other.advanced(other.offset().wrapping_neg())
    }

    /// The backing of what lies `by` bytes further (or, for a growing stack, before).
    #[must_use]
    pub fn advanced(&self, by: u64) -> Self {
        let mut moved = self.clone();
        match &mut moved {
            Self::Anonymous | Self::Special(_) => {}
            Self::SharedAnonymous { offset, .. }
            | Self::File { offset, .. }
            | Self::Shm { offset, .. } => *offset = offset.wrapping_add(by),
        }
        moved
    }
}

/// Properties of a region that keep it apart from a neighbour, besides protection and backing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(u16);

impl Flags {
    pub const NONE: Self = Self(0);
    pub const SHARED: Self = Self(1);
    pub const GROWSDOWN: Self = Self(2);
    pub const NORESERVE: Self = Self(4);
    pub const HUGETLB: Self = Self(8);
    pub const LOCKED: Self = Self(0x10);
    /// `MADV_DONTFORK`: a forked child does not have it.
    pub const DONTFORK: Self = Self(0x20);
    pub const WIPEONFORK: Self = Self(0x40);
    /// `MADV_DONTDUMP`: not part of a core dump.
    pub const DONTDUMP: Self = Self(0x80);
    /// On a file system mounted `noexec`.
    pub const NOEXEC: Self = Self(0x100);
    pub const LOCKONFAULT: Self = Self(0x200);
    /// AArch64's `PROT_BTI`: indirect branches may only lead to instructions that are meant for them.
    pub const GUARDED: Self = Self(0x400);
    /// AArch64's `PROT_MTE`: memory has tags (`granules`). What has them keeps them.
    pub const TAGGED: Self = Self(0x800);
    /// What follows from bits of protections that only one ISA has.
    pub const OWN: Self = Self(0xc00);
    pub(super) const LOCKED_ANY: Self = Self(0x210);

    pub(super) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A range of guest addresses that is mapped in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    pub prot: Prot,
    pub flags: Flags,
    pub backing: Backing,
    /// The name given by `PR_SET_VMA_ANON_NAME`.
    pub anon_name: Option<Arc<str>>,
}

impl Region {
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.flags.has(Flags::SHARED)
    }

    /// The part of it in `start..end`, which must meet it.
    #[must_use]
    pub fn clipped(&self, start: u64, end: u64) -> Self {
        let first = self.start.max(start);
        Self {
            start: first,
            end: self.end.min(end),
            backing: self.backing.advanced(first - self.start),
            ..self.clone()
        }
    }

    /// The same mapping at another address.
    #[must_use]
    pub fn moved_to(&self, start: u64) -> Self {
        Self {
            start,
            end: start + self.len(),
            ..self.clone()
        }
    }

    /// Whether the kernel would show this and `next`, which starts where it ends, as one.
    #[must_use]
    pub fn joins(&self, next: &Self) -> bool {
        self.end == next.start
            && self.prot == next.prot
            && self.flags == next.flags
            && self.anon_name == next.anon_name
            && self.backing.advanced(self.len()) == next.backing
    }
}
