//! The processes that live in this memory ([`super::share`]): ids in places that are taken and given back without a
//! lock, as a process may be killed at any moment.

use std::sync::atomic::{AtomicI32, Ordering};

/// As many are known.
const PLACES: usize = 256;

/// The processes that live in this memory, while there are several: children as their parents see them, and the
/// process that had it first.
pub(super) static SHARERS: Ids = Ids::new();

pub(super) struct Ids {
    /// 0: free.
    places: [AtomicI32; PLACES],
}

impl Ids {
    const fn new() -> Self {
        Self {
            places: [const { AtomicI32::new(0) }; PLACES],
        }
    }

    pub(super) fn add(&self, id: i32) {
        let order = Ordering::SeqCst;
        let free = |place: &AtomicI32| place.compare_exchange(0, id, order, order).is_ok();
        if !self.contains(id) {
            let _ = self.places.iter().any(free);
        }
    }

    pub(super) fn remove(&self, id: i32) {
        for place in &self.places {
            let _ = place.compare_exchange(id, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    pub(super) fn clear(&self) {
        for place in &self.places {
            place.store(0, Ordering::SeqCst);
        }
    }

    pub(super) fn contains(&self, id: i32) -> bool {
        let mut ids = self.places.iter().map(|place| place.load(Ordering::SeqCst));
        ids.any(|found| found == id)
    }

    pub(super) fn all(&self) -> Vec<i32> {
        let ids = self.places.iter().map(|place| place.load(Ordering::SeqCst));
        ids.filter(|id| *id != 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_and_go() {
        let ids = Ids::new();
        for id in [7, 8, 7] {
            ids.add(id);
        }
        assert_eq!(ids.all(), [7, 8]);
        ids.remove(7);
        assert!(!ids.contains(7) && ids.contains(8));
        for id in 1000..2000 {
            ids.add(id);
        }
        assert_eq!(ids.all().len(), PLACES, "more are not known");
        ids.clear();
        assert!(ids.all().is_empty());
    }
}
