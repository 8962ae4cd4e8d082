//! Words that a guest's kernel keeps with an address space for its processor: x86's local descriptors.
//!
//! They come and go with the mappings: a forked process has a copy of them, a program that replaces another none.
//! Cores look at the count of changes before they run.

use std::sync::atomic::Ordering;

use crate::AddressSpace;

impl AddressSpace {
    /// All of them; empty, if none was ever set.
    #[must_use]
    pub fn kernel_words(&self) -> Vec<u64> {
        self.read_maps().kernel_words.clone()
    }

    /// How often they changed. 0: there never were any.
    #[must_use]
    pub fn kernel_word_changes(&self) -> u64 {
        self.kernel_word_changes.load(Ordering::Acquire)
    }

    /// Sets one of `count`, which are zeros at first.
    pub fn set_kernel_word(&self, count: usize, index: usize, value: u64) {
        let mut maps = self.write_maps();
        maps.kernel_words.resize(count, 0);
        if let Some(word) = maps.kernel_words.get_mut(index) {
            *word = value;
        }
        self.kernel_word_changes.fetch_add(1, Ordering::Release);
    }

    /// Tells cores that go on that there are none any more.
    pub(super) fn kernel_words_are_gone(&self) {
        if self.kernel_word_changes() != 0 {
            self.kernel_word_changes.fetch_add(1, Ordering::Release);
        }
    }
}
