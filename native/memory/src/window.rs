//! The host side of the address space: the reservation and the host calls on it.
//!
//! All `unsafe` calls that change host mappings are here. They take guest addresses
//! and refuse whatever is not wholly inside the window. Nothing in the emulator
//! holds a Rust reference into the window, so no such call can break Rust's rules.

use std::io;

use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE};

use super::types::{Errno, PAGE_SIZE, page_floor};

/// Inaccessible bytes behind the last guest address.
const GUARD: u64 = 64 * 1024;
/// Inaccessible bytes below guest address 0: a null pointer less some offset, as translated code
/// computes it, must not reach the emulator's own memory.
const BELOW: u64 = 4 << 30;
/// The window's alignment, so that guest and host agree on what is aligned for huge pages.
const ALIGN: u64 = 1 << 30;

pub(super) fn errno() -> Errno {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

fn check(result: libc::c_int) -> Result<(), Errno> {
    if result == 0 { Ok(()) } else { Err(errno()) }
}

/// What to ask of the host for a mapping; `prot` and `flags` are the host's.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostMapping {
    pub prot: i32,
    pub flags: i32,
    pub fd: i32,
    pub offset: u64,
}

/// A range of host addresses reserved for the guest.
#[derive(Debug)]
pub(super) struct Window {
    base: u64,
    limit: u64,
    /// What was reserved, with alignment and guard.
    start: u64,
    size: u64,
}

impl Window {
    /// Reserves room for guest addresses `0..limit`, at `at` or wherever the host likes.
    pub fn reserve(limit: u64, at: Option<u64>) -> io::Result<Self> {
        if let Some(at) = at {
            if !at.is_multiple_of(PAGE_SIZE) {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            let start = map_reserve(at, limit + GUARD, MAP_FIXED_NOREPLACE)?;
            if start != at {
                unmap(start, limit + GUARD);
                return Err(io::Error::from_raw_os_error(libc::EEXIST));
            }
            return Ok(Self {
                base: at,
                limit,
                start,
                size: limit + GUARD,
            });
        }
        let align = if limit >= ALIGN { ALIGN } else { 2 << 20 };
        let below = if limit >= ALIGN { BELOW } else { GUARD };
        let size = below + limit + GUARD + align;
        let start = map_reserve(0, size, 0)?;
        let base = (start + below).next_multiple_of(align);
        let end = base + limit + GUARD;
        unmap(start, base - below - start);
        unmap(end, start + size - end);
        Ok(Self {
            base,
            limit,
            start: base - below,
            size: below + limit + GUARD,
        })
    }

    pub fn base(&self) -> u64 {
        self.base
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Host address of a guest range, if all of it is inside.
    pub fn host(&self, addr: u64, len: u64) -> Option<u64> {
        (addr <= self.limit && len <= self.limit - addr).then(|| self.base + addr)
    }

    pub(super) fn inside(&self, addr: u64, len: u64) -> Result<u64, Errno> {
        self.host(addr, len).ok_or(libc::ENOMEM)
    }

    fn pointer(&self, addr: u64, len: u64) -> Result<*mut libc::c_void, Errno> {
        Ok(self.inside(addr, len)? as *mut libc::c_void)
    }

    /// Maps `what` at a guest address in place of whatever was there.
    pub fn map(&self, addr: u64, len: u64, what: HostMapping) -> Result<(), Errno> {
        let at = self.pointer(addr, len)?;
        let offset = libc::off_t::try_from(what.offset).map_err(|_| libc::EOVERFLOW)?;
        // SAFETY: the range is inside the window, which only the guest uses.
        let got = unsafe {
            libc::mmap(
                at,
                len as usize,
                what.prot,
                what.flags | MAP_FIXED,
                what.fd,
                offset,
            )
        };
        if got == libc::MAP_FAILED {
            Err(errno())
        } else {
            Ok(())
        }
    }

    /// Makes a range reservation again, in one step.
    pub fn release(&self, addr: u64, len: u64) -> Result<(), Errno> {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        self.map(
            addr,
            len,
            HostMapping {
                prot: PROT_NONE,
                flags,
                fd: -1,
                offset: 0,
            },
        )
    }

    pub fn protect(&self, addr: u64, len: u64, prot: i32) -> Result<(), Errno> {
        let at = self.pointer(addr, len)?;
        // SAFETY: the range is inside the window.
        check(unsafe { libc::mprotect(at, len as usize, prot) })
    }

    pub fn advise(&self, addr: u64, len: u64, advice: i32) -> Result<(), Errno> {
        let at = self.pointer(addr, len)?;
        // SAFETY: the range is inside the window.
        check(unsafe { libc::madvise(at, len as usize, advice) })
    }

    pub fn sync(&self, addr: u64, len: u64, flags: i32) -> Result<(), Errno> {
        let at = self.pointer(addr, len)?;
        // SAFETY: the range is inside the window.
        check(unsafe { libc::msync(at, len as usize, flags) })
    }

    pub fn lock(&self, addr: u64, len: u64, on_fault: bool) -> Result<(), Errno> {
        let at = self.pointer(addr, len)?;
        let flags = if on_fault { libc::MLOCK_ONFAULT } else { 0 };
        // SAFETY: the range is inside the window.
        check(unsafe { libc::mlock2(at, len as usize, flags as libc::c_uint) })
    }

    pub fn unlock(&self, addr: u64, len: u64) -> Result<(), Errno> {
        let at = self.pointer(addr, len)?;
        // SAFETY: the range is inside the window.
        check(unsafe { libc::munlock(at, len as usize) })
    }

    /// One byte a page: whether it is in memory.
    pub fn in_core(&self, addr: u64, len: u64) -> Result<Vec<u8>, Errno> {
        let at = self.pointer(addr, len)?;
        let mut pages = vec![0_u8; len.div_ceil(PAGE_SIZE) as usize];
        // SAFETY: the range is inside the window and the vector has a byte for each page of it.
        check(unsafe { libc::mincore(at, len as usize, pages.as_mut_ptr()) })?;
        Ok(pages)
    }

    /// Whether the host has something mapped in all of the range.
    pub fn is_whole(&self, addr: u64, len: u64) -> bool {
        // `msync` without work to do: ENOMEM if there is a hole (man 2 msync).
        self.sync(addr, len, libc::MS_ASYNC) != Err(libc::ENOMEM)
    }

    /// Attaches a SysV segment in place of whatever was there.
    pub fn attach_shm(&self, id: i32, addr: u64, len: u64, flags: i32) -> Result<(), Errno> {
        let at = self.pointer(addr, len)?;
        // SAFETY: the range is inside the window and as long as the segment.
        let got = unsafe { libc::shmat(id, at, flags | libc::SHM_REMAP) };
        if got as isize == -1 {
            Err(errno())
        } else {
            Ok(())
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        unmap(self.start, self.size);
    }
}

fn map_reserve(at: u64, size: u64, flags: i32) -> io::Result<u64> {
    let flags = flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    // SAFETY: a new mapping that replaces nothing: without MAP_FIXED the host chooses a free place.
    let got = unsafe {
        libc::mmap(
            at as *mut libc::c_void,
            size as usize,
            PROT_NONE,
            flags,
            -1,
            0,
        )
    };
    if got == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(got as u64)
    }
}

fn unmap(start: u64, len: u64) {
    if len > 0 {
        // SAFETY: called only for (parts of) our own reservation that nobody uses any more.
        unsafe { libc::munmap(start as *mut libc::c_void, len as usize) };
    }
}

/// How large a reservation may be without hitting `RLIMIT_AS`: half of what the limit allows,
/// the rest is the emulator's.
pub(super) fn reservable() -> u64 {
    match soft_limit(libc::RLIMIT_AS) {
        Some(limit) => page_floor(limit / 2),
        None => u64::MAX,
    }
}

/// A resource limit of this process, if there is one.
pub(super) fn soft_limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills the struct.
    let result = unsafe { libc::getrlimit(resource, &raw mut limit) };
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}
