//! The program break.

use std::sync::atomic::Ordering;

use libc::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};

use super::region::{Backing, Flags, Region};
use super::regions::RegionSet;
use super::space::AddressSpace;
use super::types::Prot;
use super::window::HostMapping;

impl AddressSpace {
    /// Sets where the heap starts: behind the program's bss.
    pub fn set_brk(&self, start: u64) {
        let mut maps = self.write_maps();
        maps.brk_start = start;
        maps.brk = start;
    }

    /// brk(2) as the kernel's: moves the break if it can, and returns where it is then.
    pub fn brk(&self, new: u64) -> u64 {
        let mut maps = self.write_maps();
        let old = maps.brk;
        if new < maps.brk_start || new > self.limit() {
            return old;
        }
        let (old_end, new_end) = (self.page_ceil(old), self.page_ceil(new));
        if new_end < old_end {
            if self.unmap_locked(&mut maps, new_end, old_end).is_err() {
                return old;
            }
        } else if new_end > old_end {
            let len = new_end - old_end;
            let above = maps
                .regions
                .find_from(old_end)
                .map(RegionSet::start_with_gap);
            if above.is_some_and(|start| new_end + self.page_size() > start)
                || new - maps.brk_start > self.limit_data.load(Ordering::Relaxed)
                || maps.regions.mapped() + len > self.limit_as.load(Ordering::Relaxed)
            {
                return old;
            }
            let what = HostMapping {
                prot: PROT_READ | PROT_WRITE,
                flags: MAP_PRIVATE | MAP_ANONYMOUS,
                fd: -1,
                offset: 0,
            };
            if maps.spend_cut().is_err() || self.window.map(old_end, len, what).is_err() {
                return old;
            }
            let flags = maps.lock_future;
            if flags != Flags::NONE {
                // As in the kernel, the break moves even when its pages cannot be locked.
                let _ = self
                    .window
                    .lock(old_end, len, flags.has(Flags::LOCKONFAULT));
            }
            maps.regions.insert(Region {
                start: old_end,
                end: new_end,
                prot: Prot::READ | Prot::WRITE,
                flags,
                backing: Backing::Anonymous,
                anon_name: None,
            });
            self.regions_changed(&maps);
        }
        maps.brk = new;
        new
    }

    /// Where the heap starts and ends.
    #[must_use]
    pub fn brk_range(&self) -> (u64, u64) {
        let maps = self.read_maps();
        (maps.brk_start, maps.brk)
    }
}
