//! Forked processes take turns, too, while they share memory that they may write to.
//!
//! What [`super::turn`] says of engines is true across processes. A process that has a writable
//! shared mapping runs its engine only with the lock of its family: of all processes that
//! descend by fork from one start of the emulator. Nobody can interrupt a run in another process
//! without doing something that its guest might notice, so a run that has the lock looks at each
//! block whether somebody wants it.
//!
//! Not covered: processes that share a file without being of one family, and those in
//! different PID namespaces, which cannot tell who holds the lock.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use crate::shared::lock::SharedLock;

/// How long a process runs when others want to. Longer than for a thread: changing costs more.
const SLICE: Duration = Duration::from_millis(4);
/// How long who gave way waits for somebody else to take the lock.
const HAND_OVER: Duration = Duration::from_micros(300);

/// Never freed, since a turn may be held while it changes. Null: there is no family.
static LOCK: AtomicPtr<SharedLock> = AtomicPtr::new(std::ptr::null_mut());

/// To be called before a fork, with the other threads stopped: from then on there is a family.
pub fn found() {
    if !exists() {
        start();
    }
}

/// To be called in a forked child. The first process of a PID namespace founds its own family.
pub fn join() {
    if std::process::id() == 1 {
        start();
    }
}

fn start() {
    if let Ok(lock) = SharedLock::new() {
        LOCK.store(Box::leak(Box::new(lock)), Ordering::Release);
    }
}

/// Whether the process is one of several.
pub fn exists() -> bool {
    lock().is_some()
}

pub(super) fn lock() -> Option<&'static SharedLock> {
    // SAFETY: null, or from `start`, and never freed.
    unsafe { LOCK.load(Ordering::Acquire).as_ref() }
}

/// The family's turn, held until it is dropped.
pub struct FamilyTurn {
    lock: &'static SharedLock,
    since: Instant,
}

impl FamilyTurn {
    /// Waits for the turn; `None` when there is no family.
    pub fn take() -> Option<Self> {
        let lock = lock()?;
        lock.acquire();
        let since = Instant::now();
        Some(Self { lock, since })
    }

    /// Whether it is time to give way to another process.
    pub fn is_over(&self) -> bool {
        self.lock.is_wanted() && self.since.elapsed() >= SLICE
    }
}

impl Drop for FamilyTurn {
    fn drop(&mut self) {
        let over = self.is_over();
        self.lock.release();
        // Else this thread, which is awake already, would often be the next to have it.
        let begin = Instant::now();
        while over && self.lock.is_free() && begin.elapsed() < HAND_OVER {
            std::thread::yield_now();
        }
    }
}
