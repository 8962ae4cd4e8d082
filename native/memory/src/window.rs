//! The host side of the address space: the reservation and the host calls on it.
//!
//! All `unsafe` calls that change host mappings are here. They take guest addresses
//! and refuse whatever is not wholly inside the window. Nothing in the emulator
//! holds a Rust reference into the window, so no such call can break Rust's rules.

use std::io;
use std::ops::Range;

use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE};

use super::segments::{SEGMENT, Segments};
use super::types::{Errno, PAGE_SIZE, page_floor};

/// Inaccessible bytes behind the last guest address.
pub(super) const GUARD: u64 = 64 * 1024;

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

/// The host addresses that are the guest's.
#[derive(Debug)]
pub(super) struct Window {
    base: u64,
    /// All of `0..core` is reserved.
    core: u64,
    limit: u64,
    /// The reservation, with guards.
    reserved: Range<u64>,
    /// What is the guest's between `core` and `limit`.
    segments: Segments,
}

impl Window {
    /// Of a reservation that was made.
    pub fn new(base: u64, core: u64, limit: u64, reserved: Range<u64>) -> Self {
        Self {
            base,
            core,
            limit,
            reserved,
            segments: Segments::new(core, limit),
        }
    }

    pub fn base(&self) -> u64 {
        self.base
    }

    /// The first address that is reserved.
    fn lowest(&self) -> u64 {
        self.reserved.start.saturating_sub(self.base)
    }

    pub fn core(&self) -> u64 {
        self.core
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Host address of a guest range, if all of it is the guest's.
    pub fn host(&self, addr: u64, len: u64) -> Option<u64> {
        let end = addr.checked_add(len)?;
        (end <= self.core || end <= self.limit && self.segments.has(addr, end))
            .then(|| self.base + addr)
    }

    /// The guest address of a host one, if that is the guest's.
    pub fn guest(&self, host: u64) -> Option<u64> {
        let addr = host.checked_sub(self.base)?;
        self.host(addr, 1).map(|_| addr)
    }

    pub(super) fn inside(&self, addr: u64, len: u64) -> Result<u64, Errno> {
        self.host(addr, len).ok_or(libc::ENOMEM)
    }

    fn pointer(&self, addr: u64, len: u64) -> Result<*mut libc::c_void, Errno> {
        Ok(self.inside(addr, len)? as *mut libc::c_void)
    }

    /// Makes a range the guest's, and gives its host address. ENOMEM where the host has
    /// something else in it. The regions' lock is held for writing.
    pub fn claim(&self, addr: u64, len: u64) -> Result<u64, Errno> {
        if let Some(host) = self.host(addr, len) {
            return Ok(host);
        }
        let end = addr.checked_add(len).filter(|&end| end <= self.limit);
        let end = end.ok_or(libc::ENOMEM)?.next_multiple_of(SEGMENT);
        let start = addr - addr % SEGMENT;
        let wanted = self.segments.runs(start, end, false);
        for (index, &(low, high)) in wanted.iter().enumerate() {
            let (at, size) = (self.base + low, high - low);
            let got = map_reserve(at, size, MAP_FIXED_NOREPLACE);
            if got.as_ref().is_ok_and(|&got| got == at) {
                self.segments.set(low, high, true);
                continue;
            }
            if let Ok(elsewhere) = got {
                unmap(elsewhere, size);
            }
            for &(low, high) in &wanted[..index] {
                self.give_back(low, high);
            }
            return Err(libc::ENOMEM);
        }
        self.inside(addr, len)
    }

    /// Takes segments for `len` bytes wherever the host has room, and gives their range.
    pub fn claim_any(&self, len: u64) -> Option<Range<u64>> {
        if self.core == self.limit {
            return None;
        }
        let len = len.checked_next_multiple_of(SEGMENT)?;
        let size = len.checked_add(SEGMENT)?;
        let got = map_reserve(0, size, 0).ok()?;
        let start = got
            .checked_sub(self.base)
            .map(|start| start.next_multiple_of(SEGMENT))
            .filter(|&start| start >= self.core && len <= self.limit && start <= self.limit - len);
        let Some(start) = start else {
            unmap(got, size);
            return None;
        };
        let host = self.base + start;
        unmap(got, host - got);
        unmap(host + len, got + size - host - len);
        self.segments.set(start, start + len, true);
        Some(start..start + len)
    }

    /// The parts beyond the core that are the guest's.
    pub fn claimed(&self) -> Vec<(u64, u64)> {
        if self.core == self.limit {
            return Vec::new();
        }
        self.segments.runs(self.core, self.limit, true)
    }

    /// Gives the segments that lie wholly in a range back to the host. The guest has nothing there.
    pub fn give_back(&self, start: u64, end: u64) {
        let low = start.max(self.core).next_multiple_of(SEGMENT);
        let high = end - end % SEGMENT;
        for (low, high) in self.segments.runs(low, high.max(low), true) {
            self.segments.set(low, high, false);
            unmap(self.base + low, high - low);
        }
    }

    /// The parts of a range that are the guest's.
    fn parts(&self, addr: u64, len: u64) -> Vec<(u64, u64)> {
        match addr.checked_add(len) {
            Some(end) if end > self.core && end <= self.limit => {
                self.segments.runs(addr, end, true)
            }
            _ => vec![(addr, addr.saturating_add(len))],
        }
    }

    /// Maps `what` at a guest address in place of whatever was there.
    pub fn map(&self, addr: u64, len: u64, what: HostMapping) -> Result<(), Errno> {
        let at = self.claim(addr, len)? as *mut libc::c_void;
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

    /// Makes a range reservation again, in one step (in one for each part of it that is the guest's).
    pub fn release(&self, addr: u64, len: u64) -> Result<(), Errno> {
        let what = HostMapping {
            prot: PROT_NONE,
            flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            fd: -1,
            offset: 0,
        };
        let lowest = self.lowest();
        if addr < lowest {
            // The host does not let everybody reserve these.
            let end = addr.saturating_add(len);
            unmap(self.base + addr, end.min(lowest) - addr);
            return if end <= lowest {
                Ok(())
            } else {
                self.release(lowest, end - lowest)
            };
        }
        self.parts(addr, len)
            .into_iter()
            .try_for_each(|(low, high)| self.map(low, high - low, what))
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
        self.parts(addr, len)
            .into_iter()
            .all(|(low, high)| self.sync(low, high - low, libc::MS_ASYNC) != Err(libc::ENOMEM))
    }

    /// Attaches a SysV segment in place of whatever was there.
    pub fn attach_shm(&self, id: i32, addr: u64, len: u64, flags: i32) -> Result<(), Errno> {
        let at = self.claim(addr, len)? as *mut libc::c_void;
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
        self.give_back(self.core, self.limit);
        unmap(self.reserved.start, self.reserved.end - self.reserved.start);
    }
}

pub(super) fn map_reserve(at: u64, size: u64, flags: i32) -> io::Result<u64> {
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

pub(super) fn unmap(start: u64, len: u64) {
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
