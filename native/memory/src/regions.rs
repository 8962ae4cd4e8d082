//! The ordered set of a guest's regions.

use std::collections::BTreeMap;

use super::gaps::Gaps;
use super::region::{Flags, Region};

/// How much the kernel leaves free below a region that grows down (`stack_guard_gap`, 256 pages).
pub(super) const STACK_GUARD_GAP: u64 = 256 << 12;

/// Regions by start address; they never overlap, and neighbours that could be one are one.
#[derive(Debug)]
pub(super) struct RegionSet {
    map: BTreeMap<u64, Region>,
    gaps: Gaps,
    limit: u64,
    /// Sum of all lengths.
    mapped: u64,
    /// How many regions the guest may both write and execute.
    writable_code: usize,
    /// How many regions are shared and may be written to.
    writable_shared: usize,
}

impl RegionSet {
    pub fn new(limit: u64) -> Self {
        let mut gaps = Gaps::new();
        gaps.insert(0, limit);
        Self {
            map: BTreeMap::new(),
            gaps,
            limit,
            mapped: 0,
            writable_code: 0,
            writable_shared: 0,
        }
    }

    pub fn mapped(&self) -> u64 {
        self.mapped
    }

    pub fn writable_code(&self) -> usize {
        self.writable_code
    }

    pub fn writable_shared(&self) -> usize {
        self.writable_shared
    }

    /// How many ranges there are, mapped and free ones.
    pub fn ranges(&self) -> usize {
        self.map.len() + self.gaps.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.map.values()
    }

    /// The region that holds `addr`.
    pub fn find(&self, addr: u64) -> Option<&Region> {
        self.map
            .range(..=addr)
            .next_back()
            .map(|(_, r)| r)
            .filter(|r| addr < r.end)
    }

    /// The first region that ends behind `addr` (the kernel's `find_vma`).
    pub fn find_from(&self, addr: u64) -> Option<&Region> {
        self.find(addr)
            .or_else(|| self.map.range(addr..).next().map(|(_, r)| r))
    }

    /// The last region that ends at or before `addr`.
    pub fn find_before(&self, addr: u64) -> Option<&Region> {
        self.map
            .range(..addr)
            .next_back()
            .map(|(_, r)| r)
            .filter(|r| r.end <= addr)
    }

    /// The regions that meet `start..end`, whole.
    pub fn meeting(&self, start: u64, end: u64) -> impl Iterator<Item = &Region> {
        let first = self.find(start).map_or(start, |r| r.start);
        let stop = if start < end { end } else { first };
        self.map.range(first..stop).map(|(_, r)| r)
    }

    pub fn is_free(&self, start: u64, end: u64) -> bool {
        self.meeting(start, end).next().is_none()
    }

    /// The first unmapped address in `start..end`.
    pub fn first_hole(&self, start: u64, end: u64) -> Option<u64> {
        let mut at = start;
        for region in self.meeting(start, end) {
            if region.start > at {
                break;
            }
            at = region.end;
        }
        (at < end).then_some(at)
    }

    /// The free range that has `start..end` in it, which must be free.
    pub fn gap_around(&self, start: u64, end: u64) -> (u64, u64) {
        let low = self.find_before(start).map_or(0, |r| r.end);
        let high = self.find_from(end).map_or(self.limit, |r| r.start);
        (low, high)
    }

    /// Where the space below `region` that a new mapping may use ends (`vm_start_gap`).
    pub fn start_with_gap(region: &Region) -> u64 {
        if region.flags.has(Flags::GROWSDOWN) {
            region.start.saturating_sub(STACK_GUARD_GAP)
        } else {
            region.start
        }
    }

    pub fn highest_gap(&self, len: u64, low: u64, high: u64, align: u64) -> Option<u64> {
        self.gaps.highest(len, low, high, align)
    }

    pub fn lowest_gap(&self, len: u64, low: u64, high: u64, align: u64) -> Option<u64> {
        self.gaps.lowest(len, low, high, align)
    }

    /// Adds a region in place of whatever was in its range.
    pub fn insert(&mut self, region: Region) {
        let (start, end) = (region.start, region.end);
        self.carve(start, end);
        self.put(region);
        self.join(start, end);
        self.update_gaps(start, end);
    }

    /// Removes everything in `start..end`.
    pub fn remove(&mut self, start: u64, end: u64) {
        self.carve(start, end);
        self.update_gaps(start, end);
    }

    /// Changes what lies in `start..end`, splitting regions at its ends.
    pub fn change(&mut self, start: u64, end: u64, mut how: impl FnMut(&mut Region)) {
        let parts: Vec<Region> = self
            .meeting(start, end)
            .map(|r| r.clipped(start, end))
            .collect();
        self.carve(start, end);
        for mut part in parts {
            how(&mut part);
            self.put(part);
        }
        self.join(start, end);
        self.update_gaps(start, end);
    }

    fn put(&mut self, region: Region) {
        self.mapped += region.len();
        self.writable_code += usize::from(region.prot.is_exec() && region.prot.is_write());
        self.writable_shared += usize::from(region.is_shared() && region.prot.is_write());
        self.map.insert(region.start, region);
    }

    fn take(&mut self, start: u64) -> Option<Region> {
        let region = self.map.remove(&start)?;
        self.mapped -= region.len();
        self.writable_code -= usize::from(region.prot.is_exec() && region.prot.is_write());
        self.writable_shared -= usize::from(region.is_shared() && region.prot.is_write());
        Some(region)
    }

    fn carve(&mut self, start: u64, end: u64) {
        loop {
            let first = self.meeting(start, end).next().map(|r| r.start);
            let Some(region) = first.and_then(|first| self.take(first)) else {
                return;
            };
            if region.start < start {
                self.put(region.clipped(region.start, start));
            }
            if region.end > end {
                self.put(region.clipped(end, region.end));
            }
        }
    }

    /// Joins neighbours in `start..end` and across its ends.
    fn join(&mut self, start: u64, end: u64) {
        let mut at = self
            .find_before(start)
            .filter(|r| r.end == start)
            .map_or(start, |r| r.start);
        while let Some(region) = self.map.get(&at) {
            if region.end > end {
                return;
            }
            let next_start = region.end;
            match self.map.get(&next_start) {
                Some(next) if region.joins(next) => {
                    let Some(next) = self.take(next_start) else {
                        return;
                    };
                    let Some(mut first) = self.take(at) else {
                        return;
                    };
                    first.end = next.end;
                    self.put(first);
                }
                Some(_) => at = next_start,
                None => match self.map.range(next_start..end).next() {
                    Some((&later, _)) => at = later,
                    None => return,
                },
            }
        }
    }

    /// Finds the free ranges between the regions around `start..end` anew.
    fn update_gaps(&mut self, start: u64, end: u64) {
        let low = self
            .map
            .range(..start)
            .next_back()
            .map_or(0, |(&before, _)| before);
        let after = self.map.range(end..).next().map(|(_, r)| r);
        let high = after.map_or(self.limit, |r| r.start);
        self.gaps.remove(low, high);
        let mut at = low;
        for region in self.map.range(low..high).map(|(_, r)| r) {
            self.gaps.insert(at, Self::start_with_gap(region));
            at = region.end;
        }
        self.gaps
            .insert(at, after.map_or(self.limit, Self::start_with_gap));
    }
}
