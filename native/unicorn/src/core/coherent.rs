//! Guests whose processors see changed code by themselves.
//!
//! The library notices stores of the engine that has translated the code, at the address that it was
//! translated from. Those of other threads, through other mappings and by the kernel nobody tells it of. So of pages
//! that can change a sum is kept, and what has changed is forgotten before code is executed that
//! could know of it: when a run begins, and behind system calls, as others run only then.

use std::cell::RefCell;
use std::collections::HashMap;

use super::Inner;
use crate::memory::{Backing, PAGE_SIZE};

/// What is known of a page that code was fetched from.
struct Watched {
    sum: u64,
    /// It may change without a change of its protection, of which cores are told.
    always: bool,
}

/// Of one engine.
#[derive(Default)]
pub(super) struct CodePages(RefCell<HashMap<u64, Watched>>);

impl Inner {
    /// Code is about to be fetched from a page for the first time since the TLB was empty.
    pub(super) fn watch_code(&self, page: u64) {
        let mut pages = self.code_pages.0.borrow_mut();
        if pages.contains_key(&page) {
            return;
        }
        let Some(region) = self.space.region_at(page) else {
            return;
        };
        let always = region.prot.is_write() || region.is_shared();
        if always || matches!(region.backing, Backing::Anonymous) {
            let sum = self.sum(page);
            pages.insert(page, Watched { sum, always });
        }
    }

    /// Forgets code that has changed. `all`: protections have changed, too. Between runs.
    pub(super) fn renew_code(&self, all: bool) {
        let mut changed = Vec::new();
        for (page, known) in self.code_pages.0.borrow_mut().iter_mut() {
            if all || known.always {
                let sum = self.sum(*page);
                if sum != known.sum {
                    known.sum = sum;
                    changed.push(*page);
                }
            }
        }
        for page in changed {
            self.forget_code(page, page + PAGE_SIZE);
        }
    }

    /// Whether code has changed, so that the run has to end. `all` as above.
    pub(super) fn code_has_changed(&self, all: bool) -> bool {
        let pages = self.code_pages.0.borrow();
        pages
            .iter()
            .any(|(page, known)| (all || known.always) && self.sum(*page) != known.sum)
    }

    /// Differs for contents that differ, but for one in 2^64; 0 for what cannot be read.
    fn sum(&self, page: u64) -> u64 {
        let mut bytes = [0; PAGE_SIZE as usize];
        if self.space.read(page, &mut bytes).is_err() {
            return 0;
        }
        bytes.as_chunks::<8>().0.iter().fold(1, |sum: u64, word| {
            (sum.rotate_left(5) ^ u64::from_ne_bytes(*word)).wrapping_mul(0x517c_c1b7_2722_0a95)
        })
    }
}
