//! The free ranges of a guest address space, found by size.
//!
//! The kernel places a mapping in the *highest* free range that is large enough. With
//! tens of thousands of mappings a walk over them for each `mmap` would be quadratic,
//! so free ranges are kept by the power of two of their length.

use std::collections::{BTreeMap, BTreeSet};

/// The usable part of each free range.
#[derive(Debug)]
pub(super) struct Gaps {
    /// Start to end.
    ranges: BTreeMap<u64, u64>,
    /// Starts of the ranges whose length has its highest set bit at this index.
    classes: Vec<BTreeSet<u64>>,
}

fn class(len: u64) -> usize {
    len.ilog2() as usize
}

impl Gaps {
    pub fn new() -> Self {
        Self {
            ranges: BTreeMap::new(),
            classes: vec![BTreeSet::new(); 64],
        }
    }

    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    pub fn insert(&mut self, start: u64, end: u64) {
        if start < end {
            self.ranges.insert(start, end);
            self.classes[class(end - start)].insert(start);
        }
    }

    /// Forgets the ranges that start in `first..=last`.
    pub fn remove(&mut self, first: u64, last: u64) {
        while let Some((&start, &end)) = self.ranges.range(first..=last).next() {
            self.ranges.remove(&start);
            self.classes[class(end - start)].remove(&start);
        }
    }

    /// The highest multiple of `align` at which `len` bytes are free within `low..high`.
    pub fn highest(&self, len: u64, low: u64, high: u64, align: u64) -> Option<u64> {
        let mut best = None;
        for starts in &self.classes[class(len)..] {
            for start in starts.range(..high).rev() {
                let end = self.ranges[start].min(high);
                if end <= low || best.is_some_and(|b| end <= b) {
                    break;
                }
                let Some(top) = end.checked_sub(len) else {
                    continue;
                };
                let at = top & !(align - 1);
                if at >= (*start).max(low) {
                    best = best.max(Some(at));
                    break;
                }
            }
        }
        best
    }

    /// The lowest such address. Only used when the space above is full, so it just walks.
    pub fn lowest(&self, len: u64, low: u64, high: u64, align: u64) -> Option<u64> {
        self.ranges.range(..high).find_map(|(&start, &end)| {
            let at = start.max(low).checked_add(align - 1)? & !(align - 1);
            (at.checked_add(len)? <= end.min(high)).then_some(at)
        })
    }
}
