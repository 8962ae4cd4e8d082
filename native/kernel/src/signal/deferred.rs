//! SIGSEGV, SIGBUS and SIGFPE that were sent and not caused.
//!
//! The host never blocks these ([`super::host::OWN`]), so such a signal arrives at once. It is put aside
//! here, whether the guest blocks it or not, and taken between two guest instructions when
//! the guest's mask lets it through. It never waits in the mailbox: that has room for one signal, and only
//! what the host blocks meanwhile can be kept from coming.
//!
//! Everything is the calling thread's own. The handler of host signals, which blocks all of them, puts aside;
//! the thread takes. Bits are set and cleared atomically, since the one interrupts the other.

use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicU64, Ordering};

use super::bit;
use super::host::OWN;
use crate::memory::fault::SIGNALS;

thread_local! {
    /// Which of OWN the guest's thread blocks, and which are put aside. Const-initialised and
    /// without destructors: safe to use in a signal handler.
    static BLOCKED: Cell<u64> = const { Cell::new(0) };
    static ASIDE: AtomicU64 = const { AtomicU64::new(0) };
    // SAFETY: siginfo_t is plain data.
    static INFO: UnsafeCell<[libc::siginfo_t; SIGNALS.len()]> =
        const { UnsafeCell::new(unsafe { std::mem::zeroed() }) };
}

fn slot(signal: i32) -> usize {
    SIGNALS.iter().position(|&s| s == signal).unwrap_or(0)
}

/// In the handler: puts the signal aside. Like the kernel, keeps the first of several.
pub fn put_aside(signal: i32, info: &libc::siginfo_t) {
    if pending() & bit(signal) == 0 {
        // SAFETY: only this thread uses its cell, and while the bit is clear only this handler.
        INFO.with(|cell| unsafe { (*cell.get())[slot(signal)] = *info });
        ASIDE.with(|set| set.fetch_or(bit(signal), Ordering::SeqCst));
    }
}

/// Whether the thread's guest blocks the signal.
pub fn is_blocked(signal: i32) -> bool {
    BLOCKED.get() & bit(signal) != 0
}

/// The set of those that wait.
pub fn pending() -> u64 {
    ASIDE.with(|set| set.load(Ordering::SeqCst))
}

/// Those that wait and that the mask `blocked` lets through.
pub fn due(blocked: u64) -> u64 {
    pending() & !blocked
}

/// Takes one of `set`, lowest number first.
pub fn take(set: u64) -> Option<(i32, libc::siginfo_t)> {
    let due = pending() & set;
    if due == 0 {
        return None;
    }
    let signal = due.trailing_zeros() as i32 + 1;
    // SAFETY: only this thread uses its cell; as long as the bit is set the handler does not write.
    let info = INFO.with(|cell| unsafe { (*cell.get())[slot(signal)] });
    forget(bit(signal));
    Some((signal, info))
}

/// In a forked child: `set`, which waited before the fork, is the parent's.
pub fn forget(set: u64) {
    ASIDE.with(|aside| aside.fetch_and(!set, Ordering::SeqCst));
}

/// Notes the thread's mask. Gives what was noted before.
pub fn set_blocked(blocked: u64) -> u64 {
    BLOCKED.replace(blocked & OWN)
}
