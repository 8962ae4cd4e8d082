//! Descriptors that programs make: set_thread_area(2) and its like, a thread's own (arch/x86/kernel/tls.c), and
//! modify_ldt(2), all threads' (arch/x86/kernel/ldt.c).

use crate::cpu::CpuCore;
use crate::memory::AddressSpace;

use super::registers::{TLS, TLS_COUNT};

/// GDT_ENTRY_TLS_MIN with 32 bits.
pub const FIRST_ENTRY: u32 = 6;

/// struct user_desc.
const USER_DESC_SIZE: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UserDesc {
    entry: u32,
    base: u32,
    limit: u32,
    /// seg_32bit, contents (2 bits), read_exec_only, limit_in_pages, seg_not_present, useable.
    flags: u32,
}

const SEG_32BIT: u32 = 1;
const CONTENTS: u32 = 6;
const READ_EXEC_ONLY: u32 = 8;
const LIMIT_IN_PAGES: u32 = 0x10;
const NOT_PRESENT: u32 = 0x20;
const USEABLE: u32 = 0x40;
/// In a descriptor: a bit for the system's use.
const AVAILABLE: u64 = 1 << 52;

/// LDT_ENTRIES.
pub const LOCAL_COUNT: usize = 8192;

impl UserDesc {
    fn read(space: &AddressSpace, at: u64) -> Result<Self, i32> {
        let mut bytes = [0; USER_DESC_SIZE];
        space.read(at, &mut bytes).map_err(|_| libc::EFAULT)?;
        Ok(Self::from_bytes(bytes))
    }

    fn from_bytes(bytes: [u8; USER_DESC_SIZE]) -> Self {
        let [entry, base, limit, flags] = [0, 4, 8, 12]
            .map(|at| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")));
        Self {
            entry,
            base,
            limit,
            flags: flags & 0x7f,
        }
    }

    fn bytes(self) -> [u8; USER_DESC_SIZE] {
        let mut bytes = [0; USER_DESC_SIZE];
        let words = [self.entry, self.base, self.limit, self.flags];
        for (at, word) in bytes.chunks_exact_mut(4).zip(words) {
            at.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn write(self, space: &AddressSpace, at: u64) -> Result<(), i32> {
        space.write(at, &self.bytes()).map_err(|_| libc::EFAULT)
    }

    /// `LDT_empty`: the entry is to be cleared.
    fn is_empty(self) -> bool {
        self.base == 0 && self.limit == 0 && self.flags == READ_EXEC_ONLY | NOT_PRESENT
    }

    /// `LDT_zero`: so it is for a thread's descriptor.
    fn is_zero(self) -> bool {
        self.base == 0 && self.limit == 0 && self.flags == 0
    }

    /// `tls_desc_okay`: data of 32 bits that is there.
    fn is_fine(self) -> bool {
        self.is_empty()
            || self.is_zero()
            || self.flags & SEG_32BIT != 0
                && self.flags & CONTENTS <= 2
                && self.flags & NOT_PRESENT == 0
    }

    /// `set_tls_desc`
    fn descriptor(self) -> u64 {
        if self.is_empty() || self.is_zero() {
            return 0;
        }
        self.filled()
    }

    /// `write_ldt`; `old`: as before Linux 2.2.
    fn local_descriptor(self, old: bool) -> Result<u64, i32> {
        let is_conforming = self.flags & CONTENTS == CONTENTS;
        if is_conforming && (old || self.flags & NOT_PRESENT == 0) {
            return Err(libc::EINVAL);
        }
        if self.is_empty() || old && self.base == 0 && self.limit == 0 {
            return Ok(0);
        }
        Ok(self.filled() & !if old { AVAILABLE } else { 0 })
    }

    /// `fill_ldt`
    fn filled(self) -> u64 {
        let has = |flag: u32| u64::from(self.flags & flag != 0);
        let (base, limit) = (u64::from(self.base), u64::from(self.limit));
        // Accessed, of a user's level, no system segment.
        let kind = 1 | (1 - has(READ_EXEC_ONLY)) << 1 | u64::from(self.flags & CONTENTS) << 1;
        limit & 0xffff
            | (base & 0xff_ffff) << 16
            | (kind | 0x70) << 40
            | (1 - has(NOT_PRESENT)) << 47
            | (limit >> 16 & 0xf) << 48
            | (has(USEABLE) * AVAILABLE)
            | has(SEG_32BIT) << 54
            | has(LIMIT_IN_PAGES) << 55
            | (base >> 24) << 56
    }

    /// `fill_user_desc`
    fn of(entry: u32, descriptor: u64) -> Self {
        let bit = |at: u32, flag: u32| if descriptor >> at & 1 == 1 { flag } else { 0 };
        let not = |at: u32, flag: u32| flag - bit(at, flag);
        Self {
            entry,
            base: (descriptor >> 16 & 0xff_ffff | descriptor >> 56 << 24) as u32,
            limit: (descriptor & 0xffff | descriptor >> 32 & 0xf_0000) as u32,
            flags: bit(54, SEG_32BIT)
                | (descriptor >> 41) as u32 & CONTENTS
                | not(41, READ_EXEC_ONLY)
                | bit(55, LIMIT_IN_PAGES)
                | not(47, NOT_PRESENT)
                | bit(52, USEABLE),
        }
    }
}

fn register(entry: u32) -> Result<u32, i32> {
    let index = entry.wrapping_sub(FIRST_ENTRY);
    if index < TLS_COUNT {
        Ok(TLS + index)
    } else {
        Err(libc::EINVAL)
    }
}

/// What a tracer sees of a descriptor: a struct user_desc (PTRACE_GET_THREAD_AREA, NT_386_TLS).
#[must_use]
pub fn shown(entry: u32, descriptor: u64) -> [u8; USER_DESC_SIZE] {
    UserDesc::of(entry, descriptor).bytes()
}

/// The descriptor that a tracer stores, if the kernel takes it.
#[must_use]
pub fn stored(desc: [u8; USER_DESC_SIZE]) -> Option<u64> {
    let desc = UserDesc::from_bytes(desc);
    desc.is_fine().then(|| desc.descriptor())
}

/// `allocates`: the entry's number may be -1, then a free one is taken and told.
pub fn set_thread_area(
    at: u64,
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    allocates: bool,
) -> Result<u64, i32> {
    let mut wanted = UserDesc::read(space, at)?;
    if !wanted.is_fine() {
        return Err(libc::EINVAL);
    }
    if wanted.entry == u32::MAX && allocates {
        let mut entries = 0..TLS_COUNT;
        let free = entries.find(|index| core.get(TLS + index) == 0);
        wanted.entry = FIRST_ENTRY + free.ok_or(libc::ESRCH)?;
        wanted.write(space, at)?;
    }
    core.set(register(wanted.entry)?, wanted.descriptor());
    Ok(0)
}

pub fn get_thread_area(at: u64, core: &mut dyn CpuCore, space: &AddressSpace) -> Result<u64, i32> {
    let entry = UserDesc::read(space, at)?.entry;
    let descriptor = core.get(register(entry)?);
    UserDesc::of(entry, descriptor).write(space, at)?;
    Ok(0)
}

const READ: u64 = 0;
const WRITE_OLD: u64 = 1;
const READ_DEFAULT: u64 = 2;
const WRITE: u64 = 0x11;

/// `modify_ldt`. The descriptors are kept with the address space, from which the cores take them.
pub fn modify_ldt(
    args: &[u64],
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    wide: bool,
) -> Result<u64, i32> {
    let (at, size) = (args[1], args[2]);
    let give = |bytes: &[u8]| {
        let given = space.write(at, bytes).map_err(|_| libc::EFAULT);
        given.map(|()| bytes.len() as u64)
    };
    let room = |all: usize| all.min(usize::try_from(size).unwrap_or(all));
    match args[0] & 0xffff_ffff {
        READ => {
            let words = space.kernel_words();
            let mut bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
            bytes.truncate(room(bytes.len()));
            give(&bytes)
        }
        // Those that iBCS programs had of a kernel.
        READ_DEFAULT => give(&vec![0; room(if wide { 128 } else { 40 })]),
        how @ (WRITE_OLD | WRITE) => {
            if size != USER_DESC_SIZE as u64 {
                return Err(libc::EINVAL);
            }
            let wanted = UserDesc::read(space, at)?;
            let index = wanted.entry as usize;
            if index >= LOCAL_COUNT {
                return Err(libc::EINVAL);
            }
            let descriptor = wanted.local_descriptor(how == WRITE_OLD)?;
            // No other thread executes anything with the old one once the call has returned.
            core.between_instructions(&mut || {
                space.set_kernel_word(LOCAL_COUNT, index, descriptor);
            });
            Ok(0)
        }
        _ => Err(libc::ENOSYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors() {
        // As glibc has its thread pointer: 4 GiB of data.
        let glibc = UserDesc {
            entry: 6,
            base: 0xf7d8_1234,
            limit: 0xf_ffff,
            flags: SEG_32BIT | LIMIT_IN_PAGES | USEABLE,
        };
        assert!(glibc.is_fine());
        assert_eq!(glibc.descriptor(), 0xf7df_f3d8_1234_ffff);
        assert_eq!(UserDesc::of(6, glibc.descriptor()), glibc);
        let empty = UserDesc {
            entry: 6,
            base: 0,
            limit: 0,
            flags: READ_EXEC_ONLY | NOT_PRESENT,
        };
        assert!(empty.is_fine());
        assert_eq!(empty.descriptor(), 0);
        assert_eq!(UserDesc::of(6, 0), empty);
        let short = UserDesc { flags: 0, ..glibc };
        assert!(!short.is_fine());
        // Nothing, for a thread; a byte at 0 with 16 bits, in the other table.
        let zero = UserDesc { flags: 0, ..empty };
        assert_eq!(zero.descriptor(), 0);
        assert_eq!(zero.local_descriptor(false), Ok(0x0000_f300_0000_0000));
        assert_eq!(zero.local_descriptor(true), Ok(0));
        let conforming = UserDesc {
            flags: CONTENTS | SEG_32BIT,
            ..glibc
        };
        assert_eq!(conforming.local_descriptor(false), Err(libc::EINVAL));
    }
}
