//! mmap, munmap, mprotect.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libc::{
    EACCES, EEXIST, EINVAL, ENOMEM, EOVERFLOW, EPERM, MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED,
    MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB, MAP_LOCKED, MAP_NORESERVE, MAP_PRIVATE,
    MAP_SHARED, MAP_STACK, MAP_TYPE,
};

use super::capacity::CUT;
use super::file::MappedFile;
use super::library;
use super::region::{Backing, Flags, Region};
use super::regions::RegionSet;
use super::space::{AddressSpace, Maps};
use super::types::{Errno, PAGE_SIZE, Prot, page_ceil};
use super::window::HostMapping;

/// Not in the libc crate: extends `mprotect` to the start of a region that grows.
const PROT_GROWSDOWN: i32 = 0x0100_0000;
const PROT_GROWSUP: i32 = 0x0200_0000;
/// Accepted, and means nothing.
const PROT_SEM: i32 = 8;
/// AArch64's; without meaning where [`AddressSpace::set_own_protections`] does not tell of it.
pub const PROT_BTI: i32 = 0x10;
pub const PROT_MTE: i32 = 0x20;

/// The arguments of mmap(2), flags in the host's numbers, the offset in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MmapRequest {
    pub addr: u64,
    pub len: u64,
    pub prot: i32,
    pub flags: i32,
    pub fd: RawFd,
    pub offset: u64,
}

impl MmapRequest {
    /// Private anonymous memory wherever there is room.
    #[must_use]
    pub fn anonymous(len: u64, prot: Prot) -> Self {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS;
        Self {
            addr: 0,
            len,
            prot: prot.bits(),
            flags,
            fd: -1,
            offset: 0,
        }
    }

    /// The same at `addr`, in place of what was there.
    #[must_use]
    pub fn fixed(self, addr: u64) -> Self {
        Self {
            addr,
            flags: self.flags | MAP_FIXED,
            ..self
        }
    }
}

impl AddressSpace {
    /// mmap(2). Returns the address.
    pub fn mmap(&self, request: MmapRequest) -> Result<u64, Errno> {
        let MmapRequest {
            addr,
            prot,
            flags,
            fd,
            offset,
            ..
        } = request;
        if !offset.is_multiple_of(self.page_size()) {
            return Err(EINVAL);
        }
        // The order of checks is that of ksys_mmap_pgoff and do_mmap (mm/mmap.c).
        let file = if flags & MAP_ANONYMOUS != 0 {
            None
        } else {
            Some(MappedFile::of(fd)?)
        };
        let huge = match &file {
            None => huge_page_size(flags),
            Some(file) if file.huge.is_some() => file.huge,
            Some(_) if flags & MAP_HUGETLB != 0 => return Err(EINVAL),
            Some(_) => None,
        };
        if request.len == 0 {
            return Err(EINVAL);
        }
        let align = huge.unwrap_or(self.page_size());
        let len = request.len.checked_next_multiple_of(align);
        let len = len.filter(|&len| len <= self.limit()).ok_or(ENOMEM)?;
        if offset.checked_add(len).is_none() {
            return Err(EOVERFLOW);
        }
        let own = self.own_flags(prot);
        if own.has(Flags::TAGGED) {
            // arch_validate_flags.
            if file.is_some() {
                return Err(EINVAL);
            }
            self.prepare_tags()?;
        }
        let prot = self.implied_exec(prot, file.as_ref());
        let mut maps = self.write_maps();
        let at = match library::place(&maps, &request, prot) {
            Some(at) => at,
            None => self.place(&maps, addr, len, flags, align)?,
        };
        let shared = match flags & MAP_TYPE {
            MAP_PRIVATE => false,
            MAP_SHARED | libc::MAP_SHARED_VALIDATE => true,
            MAP_DROPPABLE if file.is_none() => false,
            _ => return Err(EINVAL),
        };
        if prot.is_exec() && file.as_ref().is_some_and(|f| f.noexec) {
            return Err(EPERM);
        }
        if flags & MAP_GROWSDOWN != 0 && (shared || file.is_some()) {
            return Err(EINVAL);
        }
        self.check_space(&maps, at, len)?;
        self.check_old(&maps, at, len)?;
        maps.spend_cut()?;
        let host_flags = flags & !(MAP_GROWSDOWN | MAP_STACK | MAP_32BIT | MAP_FIXED_NOREPLACE);
        let what = HostMapping {
            prot: self.host_prot(prot),
            flags: host_flags,
            fd,
            offset,
        };
        if let Err(errno) = self.window.map(at, len, what) {
            self.after_failed_map(&mut maps, at, len);
            return Err(errno);
        }
        if let Some(file) = &file
            && let Err(errno) = self.fill_last_page(at, len, file.size, &what)
        {
            self.after_failed_map(&mut maps, at, len);
            return Err(errno);
        }
        let mut region_flags = maps.lock_future | own;
        for (when, flag) in [
            (shared, Flags::SHARED),
            (flags & MAP_GROWSDOWN != 0, Flags::GROWSDOWN),
            (flags & MAP_NORESERVE != 0, Flags::NORESERVE),
            (huge.is_some(), Flags::HUGETLB),
            (flags & MAP_LOCKED != 0, Flags::LOCKED),
            (file.as_ref().is_some_and(|f| f.noexec), Flags::NOEXEC),
        ] {
            if when {
                region_flags |= flag;
            }
        }
        if maps.lock_future != Flags::NONE {
            let on_fault = maps.lock_future.has(Flags::LOCKONFAULT);
            // mmap succeeds even when the pages cannot be brought in (man 2 mlockall).
            let _ = self.window.lock(at, len, on_fault);
        }
        let backing = match file {
            Some(file) => Backing::File {
                file: Arc::new(file.id),
                offset,
            },
            None if shared => {
                maps.next_object += 1;
                Backing::SharedAnonymous {
                    object: maps.next_object,
                    offset: 0,
                }
            }
            None => Backing::Anonymous,
        };
        let region = Region {
            start: at,
            end: at + len,
            prot,
            flags: region_flags,
            backing,
            anon_name: None,
        };
        self.replace(&mut maps, region);
        Ok(at)
    }

    /// Behind a file's end the rest of its last page reads as zeros (man 2 mmap). Where the guest's pages are larger than the
    /// host's, that is more than the host gives.
    fn fill_last_page(
        &self,
        at: u64,
        len: u64,
        size: u64,
        file: &HostMapping,
    ) -> Result<(), Errno> {
        let Some(rest) = size.checked_sub(file.offset).filter(|&rest| rest < len) else {
            return Ok(());
        };
        let (from, to) = (page_ceil(rest), self.page_ceil(rest));
        if from == to {
            return Ok(());
        }
        let zeros = HostMapping {
            prot: file.prot,
            flags: MAP_PRIVATE | MAP_ANONYMOUS,
            fd: -1,
            offset: 0,
        };
        self.window.map(at + from, to - from, zeros)
    }

    /// munmap(2).
    pub fn munmap(&self, addr: u64, len: u64) -> Result<(), Errno> {
        let rounded = self.page_ceil(len);
        if !addr.is_multiple_of(self.page_size()) || rounded == 0 || len > self.limit() {
            return Err(EINVAL);
        }
        if addr > self.limit() - rounded {
            return Err(EINVAL);
        }
        self.unmap_locked(&mut self.write_maps(), addr, addr + rounded)
    }

    /// Unmaps a page-aligned range, with the lock held.
    pub(super) fn unmap_locked(&self, maps: &mut Maps, start: u64, end: u64) -> Result<(), Errno> {
        let Some((first, last)) = bounds(&maps.regions, start, end) else {
            return Ok(());
        };
        // To unmap all of a mapping is possible at the limit, too (`map_count` in mm/vma.c).
        let cuts = |at: u64| maps.regions.find(at).is_some_and(|r| r.start < at);
        if cuts(first) || cuts(last) {
            maps.spend_cut()?;
        } else {
            maps.capacity.spend_any(CUT);
        }
        self.window.release(first, last - first)?;
        let code = code_range(&maps.regions, first, last);
        maps.regions.remove(first, last);
        self.renew_tags(maps, first, last);
        if last > self.window.core() {
            let (low, high) = maps.regions.gap_around(first, last);
            self.window.give_back(low, high);
        }
        self.regions_changed(maps);
        self.hub.announce(true, code);
        Ok(())
    }

    /// mprotect(2). On an error in the middle, what comes before it has been changed.
    pub fn mprotect(&self, addr: u64, len: u64, prot: i32) -> Result<(), Errno> {
        let grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
        if !addr.is_multiple_of(self.page_size()) || grows == PROT_GROWSDOWN | PROT_GROWSUP {
            return Err(EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let end = addr
            .checked_add(self.page_ceil(len))
            .filter(|&end| end > addr)
            .ok_or(ENOMEM)?;
        let own = self.own_protections.load(Ordering::Relaxed);
        let known = 7 | PROT_SEM | PROT_BTI | PROT_GROWSDOWN | PROT_GROWSUP | own;
        if prot & !known != 0 || grows == PROT_GROWSUP {
            return Err(EINVAL);
        }
        let own = self.own_flags(prot);
        if own.has(Flags::TAGGED) {
            self.prepare_tags()?;
        }
        let wanted = self.implied_exec(prot, None);
        let mut maps = self.write_maps();
        let mut start = addr;
        if grows != 0 {
            let region = maps
                .regions
                .find_from(addr)
                .filter(|r| r.start < end)
                .ok_or(ENOMEM)?;
            if !region.flags.has(Flags::GROWSDOWN) {
                return Err(EINVAL);
            }
            start = region.start;
        }
        let mut result = Ok(());
        let mut at = start;
        while at < end {
            let Some(region) = maps.regions.find(at) else {
                result = Err(ENOMEM);
                break;
            };
            if wanted.is_exec() && region.flags.has(Flags::NOEXEC) {
                result = Err(EACCES);
                break;
            }
            if own.has(Flags::TAGGED) && !Self::may_have_tags(region) {
                result = Err(EINVAL);
                break;
            }
            let stop = region.end.min(end);
            if self.host_prot(region.prot) != self.host_prot(wanted) {
                result = maps
                    .spend_cut()
                    .and_then(|()| self.window.protect(at, stop - at, self.host_prot(wanted)));
                if result.is_err() {
                    break;
                }
            }
            at = stop;
        }
        if at > start {
            let mut code = code_range(&maps.regions, start, at);
            let untagged = own.has(Flags::TAGGED).then(|| {
                let parts = maps.regions.meeting(start, at);
                let parts = parts.filter(|region| !region.flags.has(Flags::TAGGED));
                let parts = parts.map(|region| (region.start.max(start), region.end.min(at)));
                parts.collect::<Vec<_>>()
            });
            maps.regions.change(start, at, |region| {
                region.prot = wanted;
                region.flags = region.flags.without(Flags::GUARDED) | own;
            });
            for (start, end) in untagged.into_iter().flatten() {
                self.renew_tags(&maps, start, end);
            }
            self.use_flags(own);
            if wanted.is_exec() {
                code = Some((start, at));
            }
            self.regions_changed(&maps);
            self.hub.announce(true, code);
        }
        result
    }

    /// Extends a region that grows down from `low` to `start`.
    pub(super) fn grow_down(&self, maps: &mut Maps, low: u64, start: u64) -> Result<(), Errno> {
        let region = maps.regions.find(low).ok_or(ENOMEM)?;
        let grown = Region {
            start,
            end: low,
            backing: region.backing.advanced(start.wrapping_sub(low)),
            ..region.clone()
        };
        self.check_space(maps, start, low - start)?;
        let mut flags = MAP_PRIVATE | MAP_ANONYMOUS;
        if grown.flags.has(Flags::NORESERVE) {
            flags |= MAP_NORESERVE;
        }
        let what = HostMapping {
            prot: self.host_prot(grown.prot),
            flags,
            fd: -1,
            offset: 0,
        };
        maps.spend_cut()?;
        self.window.map(start, low - start, what)?;
        if grown.flags.has(Flags::LOCKED) {
            let on_fault = grown.flags.has(Flags::LOCKONFAULT);
            let _ = self.window.lock(start, low - start, on_fault);
        }
        maps.regions.insert(grown);
        self.renew_tags(maps, start, low);
        self.regions_changed(maps);
        Ok(())
    }

    /// Records a region that the host has mapped, and tells the cores what it replaced.
    pub(super) fn replace(&self, maps: &mut Maps, region: Region) {
        let (start, end) = (region.start, region.end);
        let first = self.use_flags(region.flags & Flags::OWN);
        if first || !maps.regions.is_free(start, end) {
            let mut code = code_range(&maps.regions, start, end);
            if region.prot.is_exec() {
                code = Some((start, end));
            }
            self.hub.announce(true, code);
        }
        maps.regions.insert(region);
        self.renew_tags(maps, start, end);
        self.regions_changed(maps);
    }

    /// The address for a new mapping of `len` bytes (a multiple of the page size).
    pub(super) fn place(
        &self,
        maps: &Maps,
        addr: u64,
        len: u64,
        flags: i32,
        align: u64,
    ) -> Result<u64, Errno> {
        let limit = self.limit();
        if len > limit {
            return Err(ENOMEM);
        }
        if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 {
            if addr > limit - len {
                return Err(ENOMEM);
            }
            if !addr.is_multiple_of(align) {
                return Err(EINVAL);
            }
            self.check_low(addr)?;
            let apart = flags & MAP_FIXED_NOREPLACE != 0;
            if apart && !maps.regions.is_free(addr, addr + len) {
                return Err(EEXIST);
            }
            return match self.window.claim(addr, len) {
                // Something is there, of which the guest does not know.
                Err(ENOMEM) if apart => Err(EEXIST),
                result => result.map(|_| addr),
            };
        }
        let regions = &maps.regions;
        let mut hint = self.page_floor(addr);
        if hint != 0 {
            hint = self.lowest_hint(hint);
            let free = |at: u64| {
                let above = regions
                    .find_from(at)
                    .map_or(limit, RegionSet::start_with_gap);
                at <= limit - len && at + len <= above && self.window.claim(at, len).is_ok()
            };
            if hint.is_multiple_of(align) && free(hint) {
                return Ok(hint);
            }
        }
        if flags & MAP_32BIT != 0 && limit > 1 << 32 {
            return regions
                .lowest_gap(len, 1 << 30, 1 << 31, align)
                .ok_or(ENOMEM);
        }
        regions
            .highest_gap(len, self.min_addr, maps.mmap_base, align)
            // The kernel's last resort, from TASK_UNMAPPED_BASE up.
            .or_else(|| {
                let from = self.page_floor(self.map_window() / 3);
                regions.lowest_gap(len, from, self.window.core(), align)
            })
            .or_else(|| self.place_above(regions, len, align))
            .ok_or(ENOMEM)
    }

    /// A place beyond the core, where a kernel would only go for who names an address there: what
    /// programs reserve may be larger than the core.
    fn place_above(&self, regions: &RegionSet, len: u64, align: u64) -> Option<u64> {
        let had = self.window.claimed().into_iter();
        had.rev()
            .find_map(|(low, high)| regions.highest_gap(len, low, high, align))
            .or_else(|| {
                let room = self.window.claim_any(len.checked_add(align - PAGE_SIZE)?)?;
                regions.highest_gap(len, room.start, room.end, align)
            })
    }

    /// Fails if mapping the range would exceed RLIMIT_AS.
    pub(super) fn check_space(&self, maps: &Maps, start: u64, len: u64) -> Result<(), Errno> {
        let limit = self.limit_as.load(Ordering::Relaxed);
        if limit == u64::MAX {
            return Ok(());
        }
        let replaced: u64 = maps
            .regions
            .meeting(start, start + len)
            .map(|r| r.end.min(start + len) - r.start.max(start))
            .sum();
        if maps.regions.mapped() - replaced + len > limit {
            Err(ENOMEM)
        } else {
            Ok(())
        }
    }

    /// Fails if an old mapping in the range cannot be replaced: a huge page cannot be cut.
    fn check_old(&self, maps: &Maps, start: u64, len: u64) -> Result<(), Errno> {
        let huge = 2 << 20;
        let cut = |at: u64| {
            !at.is_multiple_of(huge)
                && maps
                    .regions
                    .find(at)
                    .is_some_and(|r| r.flags.has(Flags::HUGETLB) && r.start < at)
        };
        if cut(start) || cut(start + len) {
            Err(EINVAL)
        } else {
            Ok(())
        }
    }

    /// Whether the host kept what was in the range when it refused a new mapping there depends
    /// on its version and on where it failed; makes host and records agree again.
    pub(super) fn after_failed_map(&self, maps: &mut Maps, start: u64, len: u64) {
        if self.window.is_whole(start, len) {
            return;
        }
        let code = code_range(&maps.regions, start, start + len);
        if self.window.release(start, len).is_ok() {
            maps.regions.remove(start, start + len);
            self.renew_tags(maps, start, start + len);
            self.regions_changed(maps);
            self.hub.announce(true, code);
        }
    }

    /// What the guest's own bits of a protection mean for a mapping.
    fn own_flags(&self, prot: i32) -> Flags {
        let prot = prot & self.own_protections.load(Ordering::Relaxed);
        let mut flags = Flags::NONE;
        for (bit, flag) in [(PROT_BTI, Flags::GUARDED), (PROT_MTE, Flags::TAGGED)] {
            if prot & bit != 0 {
                flags |= flag;
            }
        }
        flags
    }

    /// A mapping has these; true: the first one that has one of them.
    fn use_flags(&self, flags: Flags) -> bool {
        flags != Flags::NONE
            && self.uses.fetch_or(flags.bits(), Ordering::Release) & flags.bits() != flags.bits()
    }

    fn implied_exec(&self, prot: i32, file: Option<&MappedFile>) -> Prot {
        let prot = Prot::from_bits(prot);
        let implied = self.read_implies_exec.load(Ordering::Relaxed)
            && prot.contains(Prot::READ)
            && !file.is_some_and(|f| f.noexec);
        if implied { prot | Prot::EXEC } else { prot }
    }
}

/// Since Linux 6.11; not in the libc crate for this target.
const MAP_DROPPABLE: i32 = 8;

/// The size of the pages that MAP_HUGETLB asks for.
fn huge_page_size(flags: i32) -> Option<u64> {
    let shift = (flags >> libc::MAP_HUGE_SHIFT) & libc::MAP_HUGE_MASK;
    match (flags & MAP_HUGETLB, shift) {
        (0, _) => None,
        (_, 0) => Some(2 << 20),
        (_, shift) => Some(
            1_u64
                .checked_shl(shift as u32)
                .unwrap_or(1 << 63)
                .max(PAGE_SIZE),
        ),
    }
}

/// From the first to the last mapped address in a range.
fn bounds(regions: &RegionSet, start: u64, end: u64) -> Option<(u64, u64)> {
    let first = regions.find_from(start).filter(|r| r.start < end)?;
    let last = match regions.find(end - 1) {
        Some(_) => end,
        None => regions.find_before(end)?.end,
    };
    Some((first.start.max(start), last))
}

/// The smallest range that has all the executable pages in `start..end`.
pub(super) fn code_range(regions: &RegionSet, start: u64, end: u64) -> Option<(u64, u64)> {
    regions
        .meeting(start, end)
        .filter(|r| r.prot.is_exec())
        .map(|r| (r.start.max(start), r.end.min(end)))
        .reduce(|all, part| (all.0, part.1))
}
