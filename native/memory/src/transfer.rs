//! How pages move within the window on the host.
//!
//! A plain host mremap leaves a hole where the pages came from. Another host thread's
//! `malloc` could land in it before we close it, and would then lie inside the guest's
//! memory. `MREMAP_DONTUNMAP` avoids that: the old mapping stays, empty, until the
//! reservation replaces it.

use std::ffi::c_void;

use libc::{EFAULT, EINVAL, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE};

use super::host_maps::HostMaps;
use super::types::{Errno, PAGE_SIZE};
use super::window::{Window, errno};

/// One mremap of the host; `to` only counts with `MREMAP_FIXED`.
///
/// # Safety
/// Both ranges are in the window or were made by this module.
unsafe fn host_mremap(
    from: u64,
    old_len: u64,
    new_len: u64,
    flags: i32,
    to: u64,
) -> Result<u64, Errno> {
    // SAFETY: as the caller promises.
    let got = unsafe {
        libc::mremap(
            from as *mut c_void,
            old_len as usize,
            new_len as usize,
            flags,
            to as *mut c_void,
        )
    };
    if got == libc::MAP_FAILED {
        Err(errno())
    } else {
        Ok(got as u64)
    }
}

fn host_munmap(at: u64, len: u64) {
    if len == 0 {
        return;
    }
    // SAFETY: only called for mappings that this module made outside of the window.
    unsafe { libc::munmap(at as *mut c_void, len as usize) };
}

impl Window {
    /// Moves pages over whatever is at `to`. The old mapping stays with no pages in it (where
    /// the host cannot do that: becomes reservation).
    pub fn move_pages(&self, from: u64, to: u64, len: u64) -> Result<(), Errno> {
        let (old, new) = (self.inside(from, len)?, self.claim(to, len)?);
        match self.move_one(old, new, len) {
            // Several of the host's mappings, before Linux 6.17: one by one.
            Err(EFAULT) => {
                for (start, end) in HostMaps::read()?.ranges_in(old, old + len) {
                    self.move_one(start, start - old + new, end - start)?;
                }
                Ok(())
            }
            result => result,
        }
    }

    fn move_one(&self, old: u64, new: u64, len: u64) -> Result<(), Errno> {
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        // SAFETY: our callers pass ranges of the window.
        match unsafe { host_mremap(old, len, len, flags | MREMAP_DONTUNMAP, new) } {
            // Before Linux 5.13 only private anonymous memory can be moved so.
            Err(EINVAL) => {
                // SAFETY: as above.
                unsafe { host_mremap(old, len, len, flags, new) }?;
                self.release(old - self.base(), len)
            }
            result => result.map(|_| ()),
        }
    }

    /// Maps the same pages of a shared object a second time, over whatever is at `to`.
    pub fn duplicate(&self, from: u64, to: u64, len: u64) -> Result<(), Errno> {
        let old = self.inside(from, PAGE_SIZE)?;
        let new = self.claim(to, len)?;
        // SAFETY: both in the window; an old length of 0 duplicates (man 2 mremap).
        unsafe { host_mremap(old, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, new) }.map(|_| ())
    }

    /// Maps, over whatever is at `to`, what lies `skip` bytes behind the page at `from`
    /// in the shared object that is mapped there.
    pub fn map_shared(&self, from: u64, skip: u64, to: u64, len: u64) -> Result<(), Errno> {
        let old = self.inside(from, PAGE_SIZE)?;
        let new = self.claim(to, len)?;
        // A duplicate outside of the window that starts with the page we have ...
        // SAFETY: creates a mapping where the host likes, which is nowhere that is the guest's.
        let copy = unsafe { host_mremap(old, 0, skip + len, MREMAP_MAYMOVE, 0) }?;
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        // ... whose rest moves to its place.
        // SAFETY: from the mapping just made into the window.
        let result = unsafe { host_mremap(copy + skip, len, len, flags, new) };
        host_munmap(copy, if result.is_ok() { skip } else { skip + len });
        result.map(|_| ())
    }

    /// Moves a mapping and lets it grow: out of the window, where it can, and back.
    pub fn move_and_grow(
        &self,
        from: u64,
        old_len: u64,
        to: u64,
        new_len: u64,
    ) -> Result<(), Errno> {
        let old = self.inside(from, old_len)?;
        let new = self.claim(to, new_len)?;
        let keep = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
        // SAFETY: the host chooses a place that is not the guest's.
        let outside = unsafe { host_mremap(old, old_len, old_len, keep, 0) }?;
        // SAFETY: grows the mapping just made.
        let grown = unsafe { host_mremap(outside, old_len, new_len, MREMAP_MAYMOVE, 0) };
        let back = MREMAP_MAYMOVE | MREMAP_FIXED;
        match grown {
            Ok(grown) => {
                // SAFETY: from outside into the window.
                unsafe { host_mremap(grown, new_len, new_len, back, new) }?;
                self.release(from, old_len)
            }
            Err(errno) => {
                // SAFETY: back to where it came from.
                unsafe { host_mremap(outside, old_len, old_len, back, old) }?;
                Err(errno)
            }
        }
    }
}
