//! Allocation tags: AArch64's memory tagging (MTE), in which each 16 bytes of some mappings (`PROT_MTE`) have a tag of 4 bits
//! that an access's address has to have, too.
//!
//! There is a byte for each 16 bytes of the guest's addresses, in a reservation of its own that is made with the first such
//! mapping: 0 where memory has no tags, else [`TAGGED`] and the tag. Translated code reads it at [`AddressSpace::tags_at`] plus a sixteenth
//! of the address. The tags are those of addresses, not of pages: what maps the same shared object elsewhere, and
//! another process, has tags of its own.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};

use libc::{
    ENOMEM, MADV_DONTNEED, MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, PROT_READ,
    PROT_WRITE,
};

use super::region::{Backing, Flags, Region};
use super::space::{AddressSpace, Maps};
use super::tags::untagged;
use super::types::{Errno, PAGE_SIZE};

/// So many bytes have a tag.
pub const GRANULE: u64 = 16;
/// In the byte of a granule: it has a tag, which is in the low bits.
pub const TAGGED: u8 = 0x10;

/// The tag of an address.
#[must_use]
pub fn tag_of(addr: u64) -> u8 {
    (addr >> 56) as u8 & 15
}

thread_local! {
    static CHECKED: Cell<bool> = const { Cell::new(false) };
}

/// As long as it is there, what is accessed for the guest thread that this thread runs is compared with its tags, as by
/// a kernel in a call.
pub struct Checked(());

impl Checked {
    #[must_use]
    pub fn begin() -> Self {
        CHECKED.set(true);
        Self(())
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        CHECKED.set(false);
    }
}

impl AddressSpace {
    /// The host's address of the byte of guest address 0; 0: nothing has tags.
    #[must_use]
    pub fn tags_at(&self) -> u64 {
        self.tags.load(Ordering::Acquire)
    }

    /// Makes the reservation.
    pub(super) fn prepare_tags(&self) -> Result<(), Errno> {
        if self.tags_at() != 0 {
            return Ok(());
        }
        let size = (self.limit() / GRANULE) as usize;
        let (prot, flags) = (
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
        );
        // SAFETY: a new mapping, wherever there is room.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), size, prot, flags, -1, 0) };
        if at == MAP_FAILED {
            return Err(ENOMEM);
        }
        self.tags.store(at as u64, Ordering::Release);
        Ok(())
    }

    /// Gives it back.
    pub(super) fn drop_tags(&mut self) {
        let at = std::mem::take(self.tags.get_mut());
        if at != 0 {
            // SAFETY: nobody else has the space any more.
            unsafe { libc::munmap(at as *mut _, (self.limit() / GRANULE) as usize) };
        }
    }

    fn cell(&self, addr: u64) -> Option<&AtomicU8> {
        let at = self.tags_at();
        (at != 0 && addr < self.limit()).then(|| {
            // SAFETY: the reservation has a byte for each granule below the limit, and is never unmapped; it is only
            // accessed by atomic operations, and by code that the guest races with itself.
            unsafe { AtomicU8::from_ptr((at + addr / GRANULE) as *mut u8) }
        })
    }

    /// The tag of the memory at an address without one; None: memory there has none.
    #[must_use]
    pub fn tag(&self, addr: u64) -> Option<u8> {
        let byte = self.cell(addr)?.load(Ordering::Relaxed);
        (byte != 0).then_some(byte & 15)
    }

    /// Gives it a tag, if memory there has one.
    pub fn set_tag(&self, addr: u64, tag: u8) {
        if let Some(cell) = self.cell(addr)
            && cell.load(Ordering::Relaxed) != 0
        {
            cell.store(TAGGED | tag & 15, Ordering::Relaxed);
        }
    }

    /// The first address, with its tag, of an access whose memory has another one.
    #[must_use]
    pub fn differing(&self, addr: u64, len: u64) -> Option<u64> {
        if self.tags_at() == 0 || len == 0 {
            return None;
        }
        let (own, start) = (tag_of(addr), untagged(addr));
        let end = start.checked_add(len)?;
        let mut at = start;
        while at < end {
            if self.tag(at).is_some_and(|tag| tag != own) {
                return Some(addr.wrapping_add(at - start));
            }
            at = (at | (GRANULE - 1)) + 1;
        }
        None
    }

    /// Whether what the kernel accesses for the guest has the right tag, in a thread for which that is to be found out
    /// ([`Checked`]): otherwise it is EFAULT.
    #[inline]
    pub(super) fn call_may_access(&self, addr: u64, len: u64) -> bool {
        self.tags_at() == 0 || !CHECKED.get() || self.differing(addr, len).is_none()
    }

    /// Mappings of which memory may have tags (`VM_MTE_ALLOWED`): those without a file.
    pub(super) fn may_have_tags(region: &Region) -> bool {
        matches!(
            region.backing,
            Backing::Anonymous | Backing::SharedAnonymous { .. }
        )
    }

    /// What is mapped in a range is new: its tags are 0, or it has none.
    pub(super) fn renew_tags(&self, maps: &Maps, start: u64, end: u64) {
        if self.tags_at() == 0 {
            return;
        }
        self.fill_tags(start, end, 0);
        for region in maps.regions.meeting(start, end) {
            if region.flags.has(Flags::TAGGED) {
                self.fill_tags(region.start.max(start), region.end.min(end), TAGGED);
            }
        }
    }

    fn fill_tags(&self, start: u64, end: u64, byte: u8) {
        let (mut from, to) = (start / GRANULE, end / GRANULE);
        let at = self.tags_at();
        let whole = (
            (at + from).next_multiple_of(PAGE_SIZE) - at,
            (at + to) / PAGE_SIZE * PAGE_SIZE - at,
        );
        if byte == 0 && whole.0 < whole.1 {
            // SAFETY: pages of the reservation; they read as zeros then.
            unsafe {
                libc::madvise(
                    (at + whole.0) as *mut _,
                    (whole.1 - whole.0) as usize,
                    MADV_DONTNEED,
                )
            };
            self.fill_bytes(from, whole.0, 0);
            from = whole.1;
        }
        self.fill_bytes(from, to, byte);
    }

    fn fill_bytes(&self, from: u64, to: u64, byte: u8) {
        for n in from..to {
            if let Some(cell) = self.cell(n * GRANULE) {
                cell.store(byte, Ordering::Relaxed);
            }
        }
    }

    /// Tags of what moves from one place to another; to be put where it is afterwards.
    pub(super) fn take_tags(&self, from: u64, len: u64) -> Vec<u8> {
        if self.tags_at() == 0 {
            return Vec::new();
        }
        let granules = (from..from + len).step_by(GRANULE as usize);
        granules
            .map(|at| self.cell(at).map_or(0, |cell| cell.load(Ordering::Relaxed)))
            .collect()
    }

    pub(super) fn put_tags(&self, maps: &Maps, to: u64, tags: &[u8]) {
        for (at, &byte) in (to..).step_by(GRANULE as usize).zip(tags) {
            if byte != 0 && maps.regions.find(at).is_some() {
                self.set_tag(at, byte);
            }
        }
    }

    /// Nothing is mapped any more.
    pub(super) fn forget_tags(&self) {
        if self.tags_at() != 0 {
            self.fill_tags(0, self.limit(), 0);
        }
    }
}
