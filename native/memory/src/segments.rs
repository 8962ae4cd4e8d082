//! Which parts of the host's memory the guest has beyond its core.
//!
//! A program may ask for nearly all that a process has: several times 16 TiB, or fixed addresses near the
//! top. The emulator needs a few places in between, and there may be other guests in the process. So only
//! the *core*, where everything is placed that has no address of its own, is reserved from the start. What lies above is
//! taken from the host, and given back, in segments of 4 GiB. A segment that the guest has is reserved as the core is;
//! one in which the host has something else cannot be had.

use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const SEGMENT: u64 = 4 << 30;

/// A bit for each segment. Set and cleared with the regions' lock held for writing, read without.
#[derive(Debug)]
pub(super) struct Segments {
    words: Box<[AtomicU64]>,
}

impl Segments {
    /// For a space of `limit` bytes; all of `0..core` is the guest's.
    pub fn new(core: u64, limit: u64) -> Self {
        let count = if core < limit {
            limit.div_ceil(SEGMENT)
        } else {
            0
        };
        let new = Self {
            words: (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        };
        if count > 0 {
            new.set(0, core, true);
        }
        new
    }

    fn is_set(&self, index: u64) -> bool {
        self.words
            .get((index / 64) as usize)
            .is_some_and(|word| word.load(Ordering::Relaxed) >> (index % 64) & 1 != 0)
    }

    /// Marks all segments of a range, whose ends are segments'.
    pub fn set(&self, start: u64, end: u64, on: bool) {
        for index in start / SEGMENT..end / SEGMENT {
            let word = &self.words[(index / 64) as usize];
            let bit = 1 << (index % 64);
            if on {
                word.fetch_or(bit, Ordering::Relaxed);
            } else {
                word.fetch_and(!bit, Ordering::Relaxed);
            }
        }
    }

    /// Whether the guest has all of a range.
    pub fn has(&self, start: u64, end: u64) -> bool {
        (start / SEGMENT..end.div_ceil(SEGMENT).max(start / SEGMENT + 1))
            .all(|index| self.is_set(index))
    }

    /// The parts of `start..end` that the guest has, or those that it has not.
    pub fn runs(&self, start: u64, end: u64, had: bool) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for index in start / SEGMENT..end.div_ceil(SEGMENT) {
            if self.is_set(index) != had {
                continue;
            }
            let low = (index * SEGMENT).max(start);
            let high = (index * SEGMENT + SEGMENT).min(end);
            match runs.last_mut() {
                Some(last) if last.1 == low => last.1 = high,
                _ => runs.push((low, high)),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_apart() {
        let segments = Segments::new(3 * SEGMENT, 1000 * SEGMENT);
        assert!(segments.has(0, 3 * SEGMENT));
        assert!(segments.has(3 * SEGMENT - 1, 3 * SEGMENT));
        assert!(!segments.has(3 * SEGMENT, 3 * SEGMENT));
        assert!(!segments.has(3 * SEGMENT - 1, 3 * SEGMENT + 1));
        segments.set(100 * SEGMENT, 200 * SEGMENT, true);
        assert!(segments.has(100 * SEGMENT + 5, 200 * SEGMENT - 5));
        let end = 1000 * SEGMENT;
        assert_eq!(
            segments.runs(SEGMENT + 1, end, true),
            [(SEGMENT + 1, 3 * SEGMENT), (100 * SEGMENT, 200 * SEGMENT)]
        );
        assert_eq!(
            segments.runs(0, 150 * SEGMENT, false),
            [(3 * SEGMENT, 100 * SEGMENT)]
        );
        segments.set(100 * SEGMENT, 199 * SEGMENT, false);
        assert_eq!(
            segments.runs(3 * SEGMENT, end, true),
            [(199 * SEGMENT, 200 * SEGMENT)]
        );
        assert!(!segments.has(5000 * SEGMENT, 5001 * SEGMENT));
    }
}
