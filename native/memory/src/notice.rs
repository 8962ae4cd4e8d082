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

/// What a reader and the hub share without a lock.
struct Reader {
    pending: AtomicBool,
    /// Called after something was queued; see [`Hub::subscribe`].
    kick: Option<Box<dyn Fn() + Send + Sync>>,
}

/// One core's view of the changes.
pub struct NoticeReader {
    reader: Arc<Reader>,
    hub: Arc<Hub>,
}

impl NoticeReader {
    /// What happened since the last call; nearly free when nothing did.
    #[must_use]
    pub fn take(&self) -> Notices {
        // Acquire orders what the change did before what the core does next.
        if !self.reader.pending.load(Ordering::Acquire) {
            return Notices::default();
        }
        let mut queues = self.hub.lock();
        self.reader.pending.store(false, Ordering::Release);
        let own = queues
            .iter_mut()
            .find(|queue| queue.reader.as_ptr() == Arc::as_ptr(&self.reader));
        own.map(|queue| std::mem::take(&mut queue.notices))
            .unwrap_or_default()
    }

    /// The flag that says that [`NoticeReader::take`] has something, for translated code to poll.
    #[must_use]
    pub fn pending_flag(&self) -> &AtomicBool {
        &self.reader.pending
    }
}

/// What one reader has not taken yet.
struct Queue {
    reader: Weak<Reader>,
    notices: Notices,
}

/// The readers of one address space, and the one lock for all that they are told.
#[derive(Default)]
pub(super) struct Hub {
    queues: Mutex<Vec<Queue>>,
}

/// Holds the hub's lock across a fork.
pub(super) struct HubGuard<'a>(
    #[expect(dead_code, reason = "held, not read")] MutexGuard<'a, Vec<Queue>>,
);

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Vec<Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `kick`, if any, is called after each change from the thread that made it and with the
    /// space locked: it may set flags and send signals, nothing more.
    pub fn subscribe(self: &Arc<Self>, kick: Option<Box<dyn Fn() + Send + Sync>>) -> NoticeReader {
        let reader = Arc::new(Reader {
            pending: AtomicBool::new(false),
            kick,
        });
        let mut queues = self.lock();
        queues.retain(|queue| queue.reader.strong_count() > 0);
        queues.push(Queue {
            reader: Arc::downgrade(&reader),
            notices: Notices::default(),
        });
        drop(queues);
        NoticeReader {
            reader,
            hub: Arc::clone(self),
        }
    }

    /// Tells every reader of a change of `start..end`.
    pub fn announce(&self, tlb_flush: bool, code: Option<(u64, u64)>) {
        for queue in self.lock().iter_mut() {
            let Some(reader) = queue.reader.upgrade() else {
                continue;
            };
            queue.notices.tlb_flush |= tlb_flush;
            if let Some((start, end)) = code {
                queue.notices.add_code(start, end);
            }
            reader.pending.store(true, Ordering::Release);
            if let Some(kick) = &reader.kick {
                kick();
            }
        }
    }

    pub fn lock_for_fork(&self) -> HubGuard<'_> {
        HubGuard(self.lock())
    }
}
