//! mremap.
//!
//! Semantics are those of Linux 6.17 and later, where a move that keeps the length
//! (`MREMAP_FIXED`) may span several mappings; what is done on the host works with older
//! ones too, see [`super::transfer`].

use libc::{
    EFAULT, EINVAL, ENOMEM, MAP_ANONYMOUS, MAP_HUGETLB, MAP_NORESERVE, MAP_PRIVATE,
    MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE,
};

use super::file::reopen;
use super::map::code_range;
use super::region::{Backing, Flags, Region};
use super::space::{AddressSpace, Maps};
use super::types::{Errno, PAGE_SIZE};
use super::window::HostMapping;

/// A move that has passed the checks; lengths are whole pages.
#[derive(Clone, Copy)]
struct Move {
    from: u64,
    old_len: u64,
    to: u64,
    new_len: u64,
    keep_old: bool,
}

impl AddressSpace {
    /// mremap(2). Returns the address.
    pub fn mremap(
        &self,
        addr: u64,
        old_len: u64,
        new_len: u64,
        flags: i32,
        new_addr: u64,
    ) -> Result<u64, Errno> {
        let limit = self.limit();
        let may_move = flags & MREMAP_MAYMOVE != 0;
        let fixed = flags & MREMAP_FIXED != 0;
        let keep_old = flags & MREMAP_DONTUNMAP != 0;
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
            || !addr.is_multiple_of(self.page_size())
        {
            return Err(EINVAL);
        }
        let (mut old_len, new_len) = (self.page_ceil(old_len), self.page_ceil(new_len));
        if new_len == 0 || new_len > limit {
            return Err(EINVAL);
        }
        if (fixed || keep_old)
            && (!new_addr.is_multiple_of(self.page_size())
                || !may_move
                || new_addr > limit - new_len
                || (keep_old && old_len != new_len)
                || (addr < new_addr + new_len && new_addr < addr.saturating_add(old_len)))
        {
            return Err(EINVAL);
        }

        let mut maps = self.write_maps();
        let region = maps.regions.find(addr).ok_or(EFAULT)?.clone();
        if region.flags.has(Flags::HUGETLB) && (old_len | new_len | addr) & ((2 << 20) - 1) != 0 {
            return Err(EINVAL);
        }
        if !(fixed || keep_old) && new_len <= old_len {
            if new_len < old_len {
                let end = addr
                    .checked_add(old_len)
                    .filter(|&end| end <= limit)
                    .ok_or(EINVAL)?;
                self.unmap_locked(&mut maps, addr + new_len, end)?;
            }
            return Ok(addr);
        }
        if old_len == 0 && !region.is_shared() {
            return Err(EINVAL);
        }
        // Only a plain move may have more than one mapping as its source. What a move cuts off
        // may be anything.
        if old_len.min(new_len) > region.end - addr && !(fixed && old_len == new_len) {
            return Err(EFAULT);
        }
        if new_len > old_len {
            region.backing.offset().checked_add(new_len).ok_or(EINVAL)?;
        }
        if new_len > old_len || keep_old {
            let more = if keep_old { new_len } else { new_len - old_len };
            self.check_growth(&maps, more)?;
        }

        // A move cuts at both of its ends.
        maps.spend_cut()?;
        maps.spend_cut()?;
        let align = if region.flags.has(Flags::HUGETLB) {
            2 << 20
        } else {
            self.page_size()
        };
        let to = if fixed {
            self.check_low(new_addr)?;
            new_addr
        } else if keep_old {
            self.place(&maps, new_addr, new_len, 0, align)?
        } else {
            let end = addr + old_len;
            let room = end == region.end
                && new_len <= limit - addr
                && maps.regions.is_free(end, addr + new_len);
            if room && self.extend(&mut maps, &region, addr + new_len).is_ok() {
                return Ok(addr);
            }
            if !may_move {
                return Err(ENOMEM);
            }
            self.place(&maps, 0, new_len, 0, align)?
        };
        if new_len < old_len {
            let end = addr
                .checked_add(old_len)
                .filter(|&end| end <= limit)
                .ok_or(EINVAL)?;
            self.unmap_locked(&mut maps, addr + new_len, end)?;
            old_len = new_len;
        }
        self.relocate(
            &mut maps,
            Move {
                from: addr,
                old_len,
                to,
                new_len,
                keep_old,
            },
        )?;
        Ok(to)
    }

    fn check_growth(&self, maps: &Maps, more: u64) -> Result<(), Errno> {
        let limit = self.limit_as.load(std::sync::atomic::Ordering::Relaxed);
        if maps.regions.mapped().saturating_add(more) > limit {
            Err(ENOMEM)
        } else {
            Ok(())
        }
    }

    /// Grows `region` upwards into free space.
    fn extend(&self, maps: &mut Maps, region: &Region, end: u64) -> Result<(), Errno> {
        self.map_tail(region, end)?;
        let tail = Region {
            start: region.end,
            end,
            backing: region.backing.advanced(region.len()),
            ..region.clone()
        };
        maps.regions.insert(tail);
        self.renew_tags(maps, region.end, end);
        self.regions_changed(maps);
        Ok(())
    }

    /// Has the host map what follows `region` up to `end`, in the same way.
    fn map_tail(&self, region: &Region, end: u64) -> Result<(), Errno> {
        let (at, len) = (region.end, end - region.end);
        let prot = self.host_prot(region.prot);
        match &region.backing {
            Backing::Anonymous | Backing::Special(_) => {
                let mut flags = MAP_PRIVATE | MAP_ANONYMOUS;
                for (flag, bit) in [
                    (Flags::NORESERVE, MAP_NORESERVE),
                    (Flags::HUGETLB, MAP_HUGETLB),
                ] {
                    if region.flags.has(flag) {
                        flags |= bit;
                    }
                }
                self.window.map(
                    at,
                    len,
                    HostMapping {
                        prot,
                        flags,
                        fd: -1,
                        offset: 0,
                    },
                )?;
            }
            Backing::File { file, offset } if !region.is_shared() => {
                let offset = offset + region.len();
                let last = self.window.base() + at - PAGE_SIZE;
                let fd = reopen(file, last, false).ok_or(ENOMEM)?;
                let fd = std::os::fd::AsRawFd::as_raw_fd(&fd);
                self.window.map(
                    at,
                    len,
                    HostMapping {
                        prot,
                        flags: MAP_PRIVATE,
                        fd,
                        offset,
                    },
                )?;
            }
            // More of the same shared object, whose descriptor we do not have.
            _ => self.window.map_shared(at - PAGE_SIZE, PAGE_SIZE, at, len)?,
        }
        for (flag, advice) in [
            (Flags::DONTFORK, libc::MADV_DONTFORK),
            (Flags::WIPEONFORK, libc::MADV_WIPEONFORK),
            (Flags::DONTDUMP, libc::MADV_DONTDUMP),
        ] {
            if region.flags.has(flag) {
                self.window.advise(at, len, advice)?;
            }
        }
        if region.flags.has(Flags::LOCKED) {
            // mremap succeeds even when the new pages cannot be brought in.
            let _ = self
                .window
                .lock(at, len, region.flags.has(Flags::LOCKONFAULT));
        }
        Ok(())
    }

    /// Moves (or, with an old length of 0, duplicates) mappings to a place that may be in use.
    fn relocate(&self, maps: &mut Maps, what: Move) -> Result<(), Errno> {
        let Move {
            from,
            old_len,
            to,
            new_len,
            keep_old,
        } = what;
        let tags = self.take_tags(from, old_len);
        let taken: Vec<Region> = if old_len == 0 {
            let mut copy = maps.regions.find(from).ok_or(EFAULT)?.clone();
            copy = copy.clipped(from, copy.end).moved_to(to);
            copy.end = to + new_len;
            if let Err(errno) = self.window.duplicate(from, to, new_len) {
                // A target over the source, for one, is unmapped before the source is missed.
                self.after_failed_map(maps, to, new_len);
                return Err(errno);
            }
            vec![copy]
        } else {
            let parts = maps.regions.meeting(from, from + old_len);
            let mut parts: Vec<Region> = parts
                .map(|r| r.clipped(from, from + old_len))
                .map(|r| r.moved_to(r.start - from + to))
                .collect();
            if let Err((moved, errno)) = self.move_parts(&parts, what) {
                // The host may have unmapped the next target before it failed.
                let next = parts
                    .get(moved)
                    .map_or((to + old_len, new_len - old_len), |part| {
                        (part.start, part.len())
                    });
                self.after_failed_map(maps, next.0, next.1);
                for part in &parts[..moved] {
                    self.unmap_locked(maps, part.start, part.end)?;
                }
                return Err(errno);
            }
            if let Some(last) = parts.last_mut().filter(|_| new_len > old_len) {
                last.end = to + new_len;
            }
            parts
        };
        let old_code = code_range(&maps.regions, from, from + old_len);
        let mut new_code = None;
        for region in &taken {
            // Where the source has a gap, the target stays as it is.
            let (start, end) = (region.start, region.end);
            let replaced = code_range(&maps.regions, start, end);
            let code = if region.prot.is_exec() {
                Some((start, end))
            } else {
                replaced
            };
            new_code = [new_code, code]
                .into_iter()
                .flatten()
                .reduce(|all: (u64, u64), part| (all.0, part.1));
        }
        if keep_old {
            maps.regions.change(from, from + old_len, |r| {
                r.flags = r.flags.without(Flags::LOCKED | Flags::LOCKONFAULT);
            });
        } else {
            maps.regions.remove(from, from + old_len);
            self.renew_tags(maps, from, from + old_len);
        }
        for region in taken {
            let (start, end) = (region.start, region.end);
            maps.regions.insert(region);
            self.renew_tags(maps, start, end);
        }
        self.put_tags(maps, to, &tags);
        self.regions_changed(maps);
        self.hub.announce(true, old_code);
        if new_code.is_some() {
            self.hub.announce(true, new_code);
        }
        Ok(())
    }

    /// The host's part of a move; `parts` are the regions as they are to be, without growth.
    /// An error says how many of the targets have lost what they had.
    fn move_parts(&self, parts: &[Region], what: Move) -> Result<(), (usize, Errno)> {
        let Move {
            from,
            old_len,
            to,
            new_len,
            keep_old,
        } = what;
        let grown = parts.last().filter(|_| new_len > old_len);
        let private_file =
            grown.is_some_and(|r| matches!(r.backing, Backing::File { .. }) && !r.is_shared());
        if private_file
            && self
                .window
                .move_and_grow(from, old_len, to, new_len)
                .is_ok()
        {
            return Ok(());
        }
        let move_all = || -> Result<(), (usize, Errno)> {
            for (index, part) in parts.iter().enumerate() {
                self.window
                    .move_pages(part.start - to + from, part.start, part.len())
                    .map_err(|errno| (index, errno))?;
            }
            let Some(region) = grown else { return Ok(()) };
            self.map_tail(region, to + new_len)
                .map_err(|errno| (parts.len(), errno))
        };
        if let Err((moved, errno)) = move_all() {
            // Back again. That we just came from there makes it as certain as can be.
            for part in &parts[..moved] {
                self.window
                    .move_pages(part.start, part.start - to + from, part.len())
                    .and_then(|()| self.window.release(part.start, part.len()))
                    .map_err(|errno| (moved, errno))?;
            }
            return Err((moved, errno));
        }
        if !keep_old {
            self.window
                .release(from, old_len)
                .map_err(|errno| (parts.len(), errno))?;
        }
        Ok(())
    }
}
