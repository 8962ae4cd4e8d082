//! SIGSEGV, SIGBUS and SIGFPE that were sent and not caused.
//!
//! The host never blocks these ([`super::host::own()`]), so such a signal arrives at once. It is put aside
//! here, whether the guest blocks it or not, and taken between two guest instructions when
//! the guest's mask lets it through. It never waits in the mailbox: that has room for one signal, and only
//! what the host blocks meanwhile can be kept from coming.
//!
//! What was sent to a thread, or to a process one of whose threads takes it at once, is that thread's own. The
//! handler of host signals, which blocks all of them, puts aside; the thread takes. Bits are set and cleared
//! atomically, since the one interrupts the other.
//!
//! What was sent to a process and is blocked by the thread that the host chose, is [`Shared`]: any thread that does not block
//! it takes it (kernel/signal.c, `complete_signal` and `retarget_shared_pending`). Who puts it there rings such a
//! thread ([`whereabouts::ring`]), as does who blocks it.

use std::array;
use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicU64, Ordering};

use super::bit;
use super::host::own as own_signals;
use crate::memory::fault::{SIGNALS, signals};
use crate::process::whereabouts;

thread_local! {
    /// Which of [`own_signals`] the guest's thread blocks, and which are put aside. Const-initialised and
    /// without destructors: safe to use in a signal handler.
    static BLOCKED: Cell<u64> = const { Cell::new(0) };
    static ASIDE: AtomicU64 = const { AtomicU64::new(0) };
    // SAFETY: siginfo_t is plain data.
    static INFO: UnsafeCell<[libc::siginfo_t; SIGNALS.len()]> =
        const { UnsafeCell::new(unsafe { std::mem::zeroed() }) };
    /// Which of those put aside were sent to this thread alone, and which sigtimedwait(2) waits for.
    static FOR_THREAD: Cell<u64> = const { Cell::new(0) };
    static AWAITED: Cell<u64> = const { Cell::new(0) };
    /// Those of the thread's process.
    static SHARED: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

fn slot(signal: i32) -> usize {
    SIGNALS.iter().position(|&s| s == signal).unwrap_or(0)
}

/// A siginfo_t in words.
const WORDS: usize = size_of::<libc::siginfo_t>() / 8;

/// The lower bits of [`Place::state`]; above them is how often it was emptied.
const EMPTY: u64 = 0;
const WRITTEN: u64 = 1;
const FULL: u64 = 2;
const STATE: u64 = 3;
const TAKEN: u64 = 4;

/// Where one signal number waits.
#[derive(Debug)]
struct Place {
    state: AtomicU64,
    info: [AtomicU64; WORDS],
}

impl Place {
    fn new() -> Self {
        Self {
            state: AtomicU64::new(EMPTY),
            info: array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// False: one is there already, or on its way. Async-signal-safe.
    fn put(&self, info: &libc::siginfo_t) -> bool {
        let now = self.state.load(Ordering::Acquire);
        let begun = now & STATE == EMPTY
            && self
                .state
                .compare_exchange(now, now | WRITTEN, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if begun {
            // SAFETY: siginfo_t is plain data of that size.
            let words: &[u64; WORDS] = unsafe { &*std::ptr::from_ref(info).cast() };
            for (to, from) in self.info.iter().zip(words) {
                to.store(*from, Ordering::Relaxed);
            }
            self.state.store(now | FULL, Ordering::Release);
        }
        begun
    }

    fn take(&self) -> Option<libc::siginfo_t> {
        let now = self.state.load(Ordering::Acquire);
        if now & STATE != FULL {
            return None;
        }
        let words: [u64; WORDS] = array::from_fn(|index| self.info[index].load(Ordering::Relaxed));
        let empty = (now & !STATE).wrapping_add(TAKEN);
        // Nobody writes while it is full, so what was read is whole if it still is.
        self.state
            .compare_exchange(now, empty, Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        // SAFETY: siginfo_t is plain data of that size.
        Some(unsafe { std::mem::transmute::<[u64; WORDS], libc::siginfo_t>(words) })
    }

    fn is_full(&self) -> bool {
        self.state.load(Ordering::Acquire) & STATE == FULL
    }

    /// In a forked child, none of whose threads is writing.
    fn forget(&self) {
        let now = self.state.load(Ordering::Acquire);
        let empty = (now & !STATE).wrapping_add(TAKEN);
        self.state.store(empty, Ordering::Release);
    }
}

/// What waits for a process: any of its threads may take it.
#[derive(Debug)]
pub struct Shared([Place; SIGNALS.len()]);

impl Default for Shared {
    fn default() -> Self {
        Self(array::from_fn(|_| Place::new()))
    }
}

impl Shared {
    fn pending(&self) -> u64 {
        let full = signals().iter().zip(&self.0).filter(|(_, p)| p.is_full());
        full.fold(0, |set, (signal, _)| set | bit(*signal))
    }

    /// In a forked child: `set`, which waited before the fork, is the parent's.
    pub fn forget(&self, set: u64) {
        for (signal, place) in signals().iter().zip(&self.0) {
            let half = place.state.load(Ordering::Acquire) & STATE == WRITTEN;
            if half || set & bit(*signal) != 0 {
                place.forget();
            }
        }
    }
}

/// The calling thread's process has these; null: no thread of a guest.
pub(super) fn attach(shared: *const Shared) {
    SHARED.set(shared);
}

fn process() -> Option<&'static Shared> {
    // SAFETY: the mailbox that is attached keeps it, and is detached before it is dropped; the reference is not
    // kept beyond the functions below.
    unsafe { SHARED.get().as_ref() }
}

/// In the handler: puts the signal aside for this thread. Like the kernel, keeps the first of several.
pub fn put_aside(signal: i32, info: &libc::siginfo_t, for_thread: bool) {
    if own() & bit(signal) == 0 {
        let others = FOR_THREAD.get() & !bit(signal);
        FOR_THREAD.set(others | if for_thread { bit(signal) } else { 0 });
        // SAFETY: only this thread uses its cell, and while the bit is clear only this handler.
        INFO.with(|cell| unsafe { (*cell.get())[slot(signal)] = *info });
        ASIDE.with(|set| set.fetch_or(bit(signal), Ordering::SeqCst));
    }
}

/// Puts a signal aside that this thread blocks: what was sent to the process is for a thread that does not.
/// Async-signal-safe.
pub fn put_aside_blocked(signal: i32, info: &libc::siginfo_t, for_thread: bool) {
    match process().filter(|_| !for_thread) {
        None => put_aside(signal, info, for_thread),
        Some(process) => {
            if process.0[slot(signal)].put(info) {
                whereabouts::ring(signal);
            }
        }
    }
}

/// Whether the thread's guest blocks the signal.
pub fn is_blocked(signal: i32) -> bool {
    blocked() & bit(signal) != 0
}

/// Which of [`own_signals`] the thread's guest blocks.
pub fn blocked() -> u64 {
    BLOCKED.get()
}

/// The thread waits for signals of `set`, none being blocked or ignored meanwhile.
pub fn set_awaited(set: u64) {
    AWAITED.set(set & own_signals());
}

/// See [`set_awaited`].
pub fn is_awaited(signal: i32) -> bool {
    AWAITED.get() & bit(signal) != 0
}

fn own() -> u64 {
    ASIDE.with(|set| set.load(Ordering::SeqCst))
}

/// The set of those that wait for the thread or its process.
pub fn pending() -> u64 {
    own() | process().map_or(0, Shared::pending)
}

/// Those that wait and that the mask `blocked` lets through.
pub fn due(blocked: u64) -> u64 {
    pending() & !blocked
}

/// Takes one of `set`, lowest number first, the thread's own before the process's (`dequeue_signal`).
pub fn take(set: u64) -> Option<(i32, libc::siginfo_t)> {
    take_own(set).or_else(|| {
        let process = process()?;
        let mut due = process.pending() & set;
        while due != 0 {
            let signal = due.trailing_zeros() as i32 + 1;
            if let Some(info) = process.0[slot(signal)].take() {
                return Some((signal, info));
            }
            // Another thread was quicker.
            due &= !bit(signal);
        }
        None
    })
}

/// Takes one of `set` that waits for this thread.
pub fn take_own(set: u64) -> Option<(i32, libc::siginfo_t)> {
    let due = own() & set;
    if due == 0 {
        return None;
    }
    let signal = due.trailing_zeros() as i32 + 1;
    // SAFETY: only this thread uses its cell; as long as the bit is set the handler does not write.
    let info = INFO.with(|cell| unsafe { (*cell.get())[slot(signal)] });
    ASIDE.with(|aside| aside.fetch_and(!bit(signal), Ordering::SeqCst));
    Some((signal, info))
}

/// In a forked child: `set`, which waited before the fork, is the parent's.
pub fn forget(set: u64) {
    ASIDE.with(|aside| aside.fetch_and(!set, Ordering::SeqCst));
    if let Some(process) = process() {
        process.forget(set);
    }
}

/// The guest ignores `signal` from now on, which discards those that wait (kernel/signal.c, `do_sigaction`).
pub fn discard(signal: i32) {
    while take(bit(signal)).is_some() {}
}

/// Notes the thread's mask. Gives what was noted before. What was sent to the process and the thread blocks from now
/// on is for another one.
pub fn set_blocked(blocked: u64) -> u64 {
    let now = blocked & own_signals();
    let before = BLOCKED.replace(now);
    if before != now {
        whereabouts::note_blocked(now);
        let newly = now & !before;
        if pending() & newly != 0 {
            leave_to_others(newly);
        }
    }
    before
}

/// Has other threads look at what waits for the process, of `set`, which this one blocks.
pub fn leave_to_others(set: u64) {
    while let Some((signal, info)) = take_own(set & !FOR_THREAD.get()) {
        put_aside_blocked(signal, &info, false);
    }
    let left = process().map_or(0, Shared::pending) & set;
    for &signal in signals() {
        if left & bit(signal) != 0 {
            whereabouts::ring(signal);
        }
    }
}
