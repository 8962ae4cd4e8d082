//! What the signal handler leaves for a guest thread.

use std::cell::{Cell, UnsafeCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use super::message::queue_again;
use crate::cpu::Interrupter;
use crate::signal::{Actions, SIG_DFL};

/// In [`Mailbox::pending`].
pub const BELL: u32 = 4;

/// Where the handler leaves the signal of a thread. One is enough: after it all
/// signals are blocked until the guest's thread has taken it.
pub struct Mailbox {
    /// Non-zero while a signal waits; [`crate::thunk::host::safe_syscall`] looks at it.
    pub pending: AtomicU32,
    /// The thread is to end: see [`super::doom`].
    pub(super) doomed: AtomicBool,
    /// The ERESTART* number of a host call that the bell of a tracer interrupted.
    pub(super) restart: AtomicI32,
    pub(super) signal: AtomicI32,
    pub(super) info: UnsafeCell<libc::siginfo_t>,
    pub(super) interrupter: Arc<dyn Interrupter>,
    /// Those of the thread's process.
    pub(super) actions: Arc<Actions>,
}

// SAFETY: `info` is written by the handler on the thread that owns the mailbox and read
// by that thread with signals blocked; the rest is atomic.
unsafe impl Send for Mailbox {}
// SAFETY: as above.
unsafe impl Sync for Mailbox {}

thread_local! {
    /// Const-initialised and without a destructor: safe to use in a signal handler.
    pub(super) static MAILBOX: Cell<*const Mailbox> = const { Cell::new(std::ptr::null()) };
    /// The bell was rung before the thread had a mailbox.
    pub(super) static EARLY_BELL: Cell<bool> = const { Cell::new(false) };
    /// Nobody took the message of a stop: there is no tracer any more.
    pub(super) static ORPHANED: Cell<bool> = const { Cell::new(false) };
}

impl Mailbox {
    #[must_use]
    pub fn new(interrupter: Arc<dyn Interrupter>, actions: Arc<Actions>) -> Arc<Self> {
        Arc::new(Self {
            pending: AtomicU32::new(0),
            doomed: AtomicBool::new(false),
            restart: AtomicI32::new(0),
            signal: AtomicI32::new(0),
            // SAFETY: siginfo_t is plain data.
            info: UnsafeCell::new(unsafe { std::mem::zeroed() }),
            interrupter,
            actions,
        })
    }

    /// Makes this the mailbox of the calling thread, until [`Mailbox::detach`].
    pub fn attach(self: &Arc<Self>) {
        MAILBOX.set(Arc::as_ptr(self));
        if EARLY_BELL.get() {
            EARLY_BELL.set(false);
            self.pending.fetch_or(BELL, Ordering::SeqCst);
        }
    }

    /// The calling thread no longer takes guest signals.
    pub fn detach() {
        MAILBOX.set(std::ptr::null());
    }

    /// Queues the waiting signal with the kernel again, for who comes after this mailbox.
    pub fn send_again(&self) {
        if let Some((signal, info)) = self.take() {
            queue_again(signal, &info);
        }
    }

    /// In a forked child: what waits was the parent's.
    pub fn forget(&self) {
        // But a tracer may have rung already: then it is for the child.
        self.pending.fetch_and(BELL, Ordering::SeqCst);
    }

    /// Whether a tracer wants the thread to come to the next guest instruction.
    #[must_use]
    pub fn bell(&self) -> bool {
        self.pending.load(Ordering::Acquire) & BELL != 0
    }

    /// The same, and it is heard.
    #[must_use]
    pub fn take_bell(&self) -> bool {
        self.pending.fetch_and(!BELL, Ordering::SeqCst) & BELL != 0
    }

    /// The ERESTART* number of the call that the bell interrupted, or 0.
    #[must_use]
    pub fn take_restart(&self) -> i32 {
        self.restart.swap(0, Ordering::SeqCst)
    }

    /// The signal that waits, when one does.
    #[must_use]
    pub fn signal(&self) -> i32 {
        self.signal.load(Ordering::Relaxed)
    }

    /// Whether a signal waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.pending.load(Ordering::Acquire) & 1 != 0
    }

    /// Whether the signal that waits is one that the process dies of.
    #[must_use]
    pub fn is_deadly(&self) -> bool {
        self.waits() && {
            let signal = self.signal();
            self.actions.known.is_ours(signal) && self.actions.get(signal).handler == SIG_DFL
        }
    }

    /// Whether the thread is to end.
    #[must_use]
    pub fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst)
    }

    /// Takes the waiting signal. All signals stay blocked; the caller sets the mask next.
    pub fn take(&self) -> Option<(i32, libc::siginfo_t)> {
        if self.pending.load(Ordering::Acquire) & 1 == 0 {
            return None;
        }
        let signal = self.signal.load(Ordering::Relaxed);
        // SAFETY: pending is set, so the handler has finished writing, and it does
        // not run again while all signals are blocked.
        let info = unsafe { *self.info.get() };
        self.pending.fetch_and(!1, Ordering::Release);
        Some((signal, info))
    }
}
