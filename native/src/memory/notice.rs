//! How the cores learn that guest memory changed under them.
//!
//! Each core has a [`NoticeReader`]. A change is queued at every reader; a core that
//! looks and finds nothing new pays for one atomic load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// With more ranges than this a reader gets one that covers them all.
const MAX_RANGES: usize = 64;

/// What changed since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// Protections or mappings changed: forget cached address translations.
    pub tlb_flush: bool,
    /// Guest code in these ranges (start, end) may have changed: forget translations of it.
    pub code_ranges: Vec<(u64, u64)>,
}

impl Notices {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.tlb_flush && self.code_ranges.is_empty()
    }

    fn add_code(&mut self, start: u64, end: u64) {
        if let Some(last) = self.code_ranges.last_mut() {
            if start <= last.1 && last.0 <= end {
                *last = (last.0.min(start), last.1.max(end));
                return;
            }
            if self.code_ranges.len() >= MAX_RANGES {
                let low = self.code_ranges.iter().map(|r| r.0).min().unwrap_or(start);
                let high = self.code_ranges.iter().map(|r| r.1).max().unwrap_or(end);
                self.code_ranges = vec![(low.min(start), high.max(end))];
                return;
            }
        }
        self.code_ranges.push((start, end));
    }
}

struct Queue {
    pending: AtomicBool,
    notices: Mutex<Notices>,
    /// Called after something was queued; see [`Hub::subscribe`].
    kick: Option<Box<dyn Fn() + Send + Sync>>,
}

/// One core's view of the changes.
pub struct NoticeReader(Arc<Queue>);

impl NoticeReader {
    /// What happened since the last call; nearly free when nothing did.
    #[must_use]
    pub fn take(&self) -> Notices {
        // Relaxed would do for the common case; Acquire orders a `true` before the lock.
        if !self.0.pending.load(Ordering::Acquire) {
            return Notices::default();
        }
        let mut notices = locked(&self.0.notices);
        self.0.pending.store(false, Ordering::Release);
        std::mem::take(&mut *notices)
    }

    /// The flag that says that [`NoticeReader::take`] has something, for translated code to poll.
    #[must_use]
    pub fn pending_flag(&self) -> &AtomicBool {
        &self.0.pending
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The subscribers of one address space.
#[derive(Default)]
pub(super) struct Hub {
    readers: Mutex<Vec<Weak<Queue>>>,
}

/// Holds the hub's locks across a fork.
pub(super) struct HubGuard<'a>(
    #[allow(dead_code, reason = "held, not read")] MutexGuard<'a, Vec<Weak<Queue>>>,
);

impl Hub {
    /// `kick`, if any, is called after each change from the thread that made it and with the
    /// space locked: it may set flags and send signals, nothing more.
    pub fn subscribe(&self, kick: Option<Box<dyn Fn() + Send + Sync>>) -> NoticeReader {
        let queue = Arc::new(Queue {
            pending: AtomicBool::new(false),
            notices: Mutex::new(Notices::default()),
            kick,
        });
        let mut readers = locked(&self.readers);
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Arc::downgrade(&queue));
        NoticeReader(queue)
    }

    /// Tells every reader of a change of `start..end`.
    pub fn announce(&self, tlb_flush: bool, code: Option<(u64, u64)>) {
        for queue in locked(&self.readers).iter().filter_map(Weak::upgrade) {
            let mut notices = locked(&queue.notices);
            notices.tlb_flush |= tlb_flush;
            if let Some((start, end)) = code {
                notices.add_code(start, end);
            }
            queue.pending.store(true, Ordering::Release);
            drop(notices);
            if let Some(kick) = &queue.kick {
                kick();
            }
        }
    }

    pub fn lock_for_fork(&self) -> HubGuard<'_> {
        HubGuard(locked(&self.readers))
    }
}
