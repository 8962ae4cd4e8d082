//! madvise, msync, mincore.
//!
//! Each goes to the host region by region, so that it never touches the reservation.

use libc::{
    EINVAL, ENOMEM, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED,
    MADV_FREE, MADV_KEEPONFORK, MADV_REMOVE, MADV_WIPEONFORK, MS_ASYNC, MS_INVALIDATE, MS_SYNC,
};

use super::map::code_range;
use super::region::Flags;
use super::regions::RegionSet;
use super::space::AddressSpace;
use super::types::Errno;

/// Since Linux 5.18.
const MADV_DONTNEED_LOCKED: i32 = 24;
const MADV_COLLAPSE: i32 = 25;

/// Since Linux 6.13. Guards are in the host's page tables only: the records say what may be accessed without
/// them, and a SIGSEGV there is known by that (`AddressSpace::is_guarded`).
const MADV_GUARD_INSTALL: i32 = 102;
const MADV_GUARD_REMOVE: i32 = 103;

/// The advice that goes to the host.
fn is_known(advice: i32) -> bool {
    matches!(
        advice,
        0..=4
            | 8..=MADV_COLLAPSE
            | libc::MADV_HWPOISON
            | libc::MADV_SOFT_OFFLINE
            | MADV_GUARD_INSTALL
            | MADV_GUARD_REMOVE
    )
}

/// The mapped parts of a range, where nothing lies between them as one.
pub(super) fn runs(regions: &RegionSet, start: u64, end: u64) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for region in regions.meeting(start, end) {
        let (low, high) = (region.start.max(start), region.end.min(end));
        match runs.last_mut() {
            Some(last) if last.1 == low => last.1 = high,
            _ => runs.push((low, high)),
        }
    }
    runs
}

impl AddressSpace {
    /// Start and end of an argument pair, as madvise and msync want it.
    fn range(&self, addr: u64, len: u64, overflow: Errno) -> Result<(u64, u64), Errno> {
        if !addr.is_multiple_of(self.page_size()) {
            return Err(EINVAL);
        }
        let rounded = self.page_ceil(len);
        if len != 0 && rounded == 0 {
            return Err(overflow);
        }
        Ok((addr, addr.checked_add(rounded).ok_or(overflow)?))
    }

    /// madvise(2). A hole gives ENOMEM, after the rest has been advised.
    pub fn madvise(&self, addr: u64, len: u64, advice: i32) -> Result<(), Errno> {
        if !is_known(advice) {
            return Err(EINVAL);
        }
        let (start, end) = self.range(addr, len, EINVAL)?;
        if start == end {
            return Ok(());
        }
        let mut maps = self.write_maps();
        let hole = maps.regions.first_hole(start, end).is_some();
        let parts: Vec<(u64, u64)> = maps
            .regions
            .meeting(start, end)
            .map(|r| (r.start.max(start), r.end.min(end)))
            .collect();
        for (low, high) in parts {
            maps.spend_cut()?;
            self.window.advise(low, high - low, advice)?;
            let (set, clear) = match advice {
                MADV_DONTFORK => (Flags::DONTFORK, Flags::NONE),
                MADV_DOFORK => (Flags::NONE, Flags::DONTFORK),
                MADV_WIPEONFORK => (Flags::WIPEONFORK, Flags::NONE),
                MADV_KEEPONFORK => (Flags::NONE, Flags::WIPEONFORK),
                MADV_DONTDUMP => (Flags::DONTDUMP, Flags::NONE),
                MADV_DODUMP => (Flags::NONE, Flags::DONTDUMP),
                _ => continue,
            };
            maps.regions
                .change(low, high, |r| r.flags = r.flags.without(clear) | set);
        }
        if matches!(
            advice,
            MADV_DONTNEED | MADV_FREE | MADV_REMOVE | MADV_DONTNEED_LOCKED | MADV_GUARD_INSTALL
        ) {
            if advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED {
                // Tags are lost with what they are of.
                self.renew_tags(&maps, start, end);
            }
            let code = code_range(&maps.regions, start, end);
            if code.is_some() {
                self.hub.announce(false, code);
            }
        }
        if hole { Err(ENOMEM) } else { Ok(()) }
    }

    /// msync(2).
    pub fn msync(&self, addr: u64, len: u64, flags: i32) -> Result<(), Errno> {
        if flags & !(MS_ASYNC | MS_SYNC | MS_INVALIDATE) != 0
            || flags & (MS_ASYNC | MS_SYNC) == MS_ASYNC | MS_SYNC
        {
            return Err(EINVAL);
        }
        let (start, end) = self.range(addr, len, ENOMEM)?;
        let (runs, hole) = {
            let maps = self.read_maps();
            (
                runs(&maps.regions, start, end),
                maps.regions.first_hole(start, end).is_some(),
            )
        };
        // Without the lock: it may take as long as the disk does. Should another thread unmap
        // a part meanwhile, syncing the reservation does nothing.
        for (low, high) in runs {
            self.window.sync(low, high - low, flags)?;
        }
        if hole { Err(ENOMEM) } else { Ok(()) }
    }

    /// mincore(2): a byte for each page of the range.
    pub fn mincore(&self, addr: u64, len: u64) -> Result<Vec<u8>, Errno> {
        let (start, end) = self.range(addr, len, ENOMEM)?;
        let maps = self.read_maps();
        if end > self.limit() || maps.regions.first_hole(start, end).is_some() {
            return Err(ENOMEM);
        }
        self.window.in_core(start, end - start)
    }
}
