//! Small types that every part of the address space uses.

use std::fmt;
use std::ops::{BitAnd, BitOr};

/// The host's page size, and the least that a guest has ([`super::SpaceConfig::page_size`]).
pub const PAGE_SIZE: u64 = 4096;

/// A positive Linux error number of the host.
pub type Errno = i32;

/// Rounds down to a boundary of the host's pages.
pub(super) const fn page_floor(n: u64) -> u64 {
    n & !(PAGE_SIZE - 1)
}

/// Rounds up to a boundary of the host's pages; wraps to 0 at the very end as the kernel's `PAGE_ALIGN` does.
pub(super) const fn page_ceil(n: u64) -> u64 {
    n.wrapping_add(PAGE_SIZE - 1) & !(PAGE_SIZE - 1)
}

/// Protection of guest memory: the `PROT_READ`, `PROT_WRITE`, `PROT_EXEC` bits of `mmap`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Prot(u8);

impl Prot {
    pub const NONE: Self = Self(0);
    pub const READ: Self = Self(1);
    pub const WRITE: Self = Self(2);
    pub const EXEC: Self = Self(4);

    /// From the argument of `mmap` or `mprotect`; other bits are dropped.
    #[must_use]
    pub const fn from_bits(bits: i32) -> Self {
        Self((bits & 7) as u8)
    }

    #[must_use]
    pub const fn bits(self) -> i32 {
        self.0 as i32
    }

    /// Whether all of `other`'s rights are in this one as written.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The rights that the guest really has: writing or executing brings reading.
    ///
    /// Memory that can be executed but not read is what some kernels make of `PROT_EXEC` alone: arm64's on
    /// processors with FEAT_PAN3 (`adjust_protection_map` of arch/arm64/mm/mmap.c, ARM64_HAS_EPAN; without it
    /// the kernel could be made to read such pages for the program), x86's with protection keys. arm's never do, nor do
    /// arm64's on the processors in use before Armv8.7, nor qemu-user; no program relies on the fault, and some rely on
    /// reading their own code. So the guest has it readable on every host, with or without keys: the
    /// host's mapping is never executable, hence never under a key.
    #[must_use]
    pub const fn effective(self) -> Self {
        if self.0 & 6 == 0 {
            self
        } else {
            Self(self.0 | 1)
        }
    }

    /// The protection of the host mapping: what the guest may do; executing only where the host's processor does it.
    pub(super) const fn host(self, executes: bool) -> i32 {
        let kept = if executes { !0 } else { !libc::PROT_EXEC };
        self.effective().bits() & kept
    }

    #[must_use]
    pub const fn is_exec(self) -> bool {
        self.0 & 4 != 0
    }

    #[must_use]
    pub const fn is_write(self) -> bool {
        self.0 & 2 != 0
    }

    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Prot {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Prot {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Prot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bit = |mask, on, off| if self.0 & mask != 0 { on } else { off };
        write!(
            f,
            "{}{}{}",
            bit(1, 'r', '-'),
            bit(2, 'w', '-'),
            bit(4, 'x', '-')
        )
    }
}

/// A guest address that could not be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Efault {
    /// The first byte that could not be read or written.
    pub addr: u64,
}

impl fmt::Display for Efault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad guest address {:#x}", self.addr)
    }
}

impl std::error::Error for Efault {}

impl From<Efault> for Errno {
    fn from(_: Efault) -> Self {
        libc::EFAULT
    }
}
