//! What the signal handler leaves for a guest thread.

use std::cell::{Cell, UnsafeCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use super::message::{queue_again, queue_for_process};
use super::{own, set_mask, set_whole_mask};
use crate::cpu::Interrupter;
use crate::signal::{Actions, SIG_DFL, bit, deferred};

/// Bits of [`Mailbox::pending`]: a signal is in the mailbox; the thread is to end; a tracer rang; one of the
/// signals that were put aside ([`deferred`]) may come through.
const SIGNAL: u32 = 1;
const DOOM: u32 = 2;
pub const BELL: u32 = 4;
pub const DUE: u32 = 8;

/// Where the handler leaves the signal of a thread. One is enough: after it all
/// signals are blocked until the guest's thread has taken it.
///
/// So while one is here the mask must stay closed. Whoever opens it does so by [`set_mask`] or
/// [`super::try_mask`], which enter the kernel by [`crate::thunk::host::safe_syscall`] and so
/// not between the arrival of a signal and its delivery.
pub struct Mailbox {
    /// Non-zero while something waits; [`crate::thunk::host::safe_syscall`] looks at it.
    pub pending: AtomicU32,
    /// The thread is to end: see [`super::doom`].
    pub(super) doomed: AtomicBool,
    /// The process is to die of SIGKILL: see [`super::ask_to_die`].
    killed: AtomicBool,
    /// The ERESTART* number of a host call that the bell of a tracer interrupted.
    pub(super) restart: AtomicI32,
    pub(super) signal: AtomicI32,
    pub(super) info: UnsafeCell<libc::siginfo_t>,
    pub(super) interrupter: Arc<dyn Interrupter>,
    /// Those of the thread's process.
    pub(super) actions: Arc<Actions>,
    shared: Arc<deferred::Shared>,
}

// SAFETY: `info` is written by the handler on the thread that owns the mailbox and read
// by that thread with signals blocked; the rest is atomic.
unsafe impl Send for Mailbox {}
// SAFETY: as above.
unsafe impl Sync for Mailbox {}

/// In the handler: a message that the thread is to end came when it had no mailbox.
pub(super) fn is_early_to_end() {
    if !HAS_LEFT.get() {
        EARLY_DOOM.set(true);
    }
}

thread_local! {
    /// Const-initialised and without a destructor: safe to use in a signal handler.
    pub(super) static MAILBOX: Cell<*const Mailbox> = const { Cell::new(std::ptr::null()) };
    /// The bell was rung before the thread had a mailbox.
    pub(super) static EARLY_BELL: Cell<bool> = const { Cell::new(false) };
    /// So was a message that the process is to be killed.
    pub(super) static EARLY_KILL: Cell<bool> = const { Cell::new(false) };
    /// And one that the thread is to end.
    static EARLY_DOOM: Cell<bool> = const { Cell::new(false) };
    /// The thread has let go of its mailbox: it ends anyway, or begins another program.
    static HAS_LEFT: Cell<bool> = const { Cell::new(false) };
    /// Nobody took the message of a stop: there is no tracer any more.
    pub(super) static ORPHANED: Cell<bool> = const { Cell::new(false) };
}

impl Mailbox {
    #[must_use]
    pub fn new(
        interrupter: Arc<dyn Interrupter>,
        actions: Arc<Actions>,
        shared: Arc<deferred::Shared>,
    ) -> Arc<Self> {
        Arc::new(Self {
            pending: AtomicU32::new(0),
            doomed: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            restart: AtomicI32::new(0),
            signal: AtomicI32::new(0),
            // SAFETY: siginfo_t is plain data.
            info: UnsafeCell::new(unsafe { std::mem::zeroed() }),
            interrupter,
            actions,
            shared,
        })
    }

    /// Makes this the mailbox of the calling thread, until [`Mailbox::detach`].
    pub fn attach(self: &Arc<Self>) {
        MAILBOX.set(Arc::as_ptr(self));
        deferred::attach(Arc::as_ptr(&self.shared));
        if EARLY_BELL.get() {
            EARLY_BELL.set(false);
            self.pending.fetch_or(BELL, Ordering::SeqCst);
        }
        if EARLY_KILL.get() {
            EARLY_KILL.set(false);
            self.is_to_be_killed();
        }
        if EARLY_DOOM.get() {
            EARLY_DOOM.set(false);
            self.is_to_end();
        }
    }

    /// The calling thread no longer takes guest signals.
    pub fn detach() {
        HAS_LEFT.set(true);
        MAILBOX.set(std::ptr::null());
        deferred::attach(std::ptr::null());
    }

    /// In the handler: leaves a signal. False: there is one already.
    pub(super) fn put(&self, signal: i32, info: &libc::siginfo_t) -> bool {
        if self.pending.load(Ordering::Acquire) & SIGNAL != 0 {
            return false;
        }
        // SAFETY: all signals are blocked while the handler runs, and the owner reads
        // only after `pending` is set.
        unsafe { *self.info.get() = *info };
        self.signal.store(signal, Ordering::Relaxed);
        self.pending.fetch_or(SIGNAL, Ordering::Release);
        true
    }

    /// Queues the waiting signal with the kernel again, for who comes after this mailbox.
    pub fn send_again(&self) {
        if let Some((signal, info)) = self.take_slot() {
            queue_again(signal, &info);
        }
    }

    /// Takes the place of `before` (execve), whose thread is the calling one and blocks all signals. What is
    /// there waits for this one's.
    pub fn succeed(self: &Arc<Self>, before: &Self) {
        self.attach();
        before.send_again();
        if before.bell() {
            self.pending.fetch_or(BELL, Ordering::SeqCst);
        }
        if before.is_killed() {
            self.is_to_be_killed();
        }
    }

    /// The thread ends while others go on, with all signals blocked: what was not sent to it
    /// alone is for one of those (kernel/signal.c, `exit_signals`).
    pub fn hand_on(&self) {
        deferred::set_blocked(own());
        while let Some((signal, info)) = self.take_slot().or_else(|| deferred::take_own(own())) {
            if info.si_code == libc::SI_TKILL {
                continue;
            }
            if bit(signal) & own() == 0 {
                queue_for_process(signal, &info);
            } else {
                deferred::put_aside_blocked(signal, &info, false);
            }
        }
        deferred::leave_to_others(own());
    }

    /// Has [`DUE`] say whether one of the signals put aside comes through `blocked`, which has been noted
    /// ([`deferred::set_blocked`]).
    pub fn note_due(&self, blocked: u64) {
        if self.pending.load(Ordering::SeqCst) & DUE != 0 {
            self.pending.fetch_and(!DUE, Ordering::SeqCst);
        }
        if deferred::due(blocked) != 0 {
            self.pending.fetch_or(DUE, Ordering::SeqCst);
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

    /// The signal that [`Mailbox::take`] gives next, when one waits.
    #[must_use]
    pub fn signal(&self, blocked: u64) -> i32 {
        if self.pending.load(Ordering::Acquire) & SIGNAL != 0 {
            return self.signal.load(Ordering::Relaxed);
        }
        deferred::due(blocked).trailing_zeros() as i32 + 1
    }

    /// Whether a signal waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.pending.load(Ordering::Acquire) & (SIGNAL | DUE) != 0
    }

    /// Has the thread look at what waits before its next instruction.
    pub fn interrupt(&self) {
        self.interrupter.interrupt();
    }

    /// Whether the signal that waits is one that the process dies of.
    #[must_use]
    pub fn is_deadly(&self, blocked: u64) -> bool {
        self.waits() && {
            let signal = self.signal(blocked);
            self.actions.known.is_ours(signal) && self.actions.get(signal).handler == SIG_DFL
        }
    }

    /// Whether the thread is to end, alone or with its process.
    #[must_use]
    pub fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst) || self.is_killed()
    }

    /// Whether the process is to die of SIGKILL.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    pub(super) fn is_to_end(&self) {
        self.doomed.store(true, Ordering::SeqCst);
        self.pending.fetch_or(DOOM, Ordering::SeqCst);
    }

    pub(super) fn is_to_be_killed(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.pending.fetch_or(DOOM, Ordering::SeqCst);
    }

    /// Takes a signal that waits and that `blocked`, the guest's mask, lets through. All signals stay blocked; the
    /// caller sets the mask next.
    pub fn take(&self, blocked: u64) -> Option<(i32, libc::siginfo_t)> {
        let pending = self.pending.load(Ordering::Acquire);
        if pending & SIGNAL == 0 {
            if pending & DUE == 0 {
                return None;
            }
            // From here on nothing comes that the handler's mask may have to block.
            set_whole_mask(!own());
        }
        let taken = self
            .take_slot()
            .or_else(|| deferred::take(own() & !blocked));
        if taken.is_none() {
            // It was due under another mask.
            set_mask(blocked);
        }
        taken
    }

    fn take_slot(&self) -> Option<(i32, libc::siginfo_t)> {
        if self.pending.load(Ordering::Acquire) & SIGNAL == 0 {
            return None;
        }
        let signal = self.signal.load(Ordering::Relaxed);
        // SAFETY: pending is set, so the handler has finished writing, and it does
        // not run again while all signals are blocked.
        let info = unsafe { *self.info.get() };
        self.pending.fetch_and(!SIGNAL, Ordering::Release);
        Some((signal, info))
    }
}
