//! SIGSEGV, SIGBUS and SIGFPE that were sent (not caused) while the guest blocks them.
//!
//! The host never blocks these ([`super::host::OWN`]), so such a signal arrives at once and
//! is put aside here until the guest's mask lets it through.

use std::cell::{Cell, UnsafeCell};

use super::bit;
use super::host::{OWN, queue_again};
use crate::memory::fault::SIGNALS;

thread_local! {
    /// Which of OWN the guest's thread blocks, and which are put aside. Const-initialised and
    /// without destructors: safe to use in a signal handler.
    static BLOCKED: Cell<u64> = const { Cell::new(0) };
    static ASIDE: Cell<u64> = const { Cell::new(0) };
    // SAFETY: siginfo_t is plain data.
    static INFO: UnsafeCell<[libc::siginfo_t; SIGNALS.len()]> =
        const { UnsafeCell::new(unsafe { std::mem::zeroed() }) };
}

fn slot(signal: i32) -> usize {
    SIGNALS.iter().position(|&s| s == signal).unwrap_or(0)
}

/// In the handler: puts the signal aside. Like the kernel, keeps the first of several.
pub fn put_aside(signal: i32, info: &libc::siginfo_t) {
    if ASIDE.get() & bit(signal) == 0 {
        // SAFETY: only this thread uses its cell, and `take` clears the bit first.
        INFO.with(|cell| unsafe { (*cell.get())[slot(signal)] = *info });
        ASIDE.set(ASIDE.get() | bit(signal));
    }
}

/// Whether the thread's guest blocks the signal.
pub fn is_blocked(signal: i32) -> bool {
    BLOCKED.get() & bit(signal) != 0
}

/// The set of those that wait.
pub fn pending() -> u64 {
    ASIDE.get()
}

/// Takes one of `set`, lowest number first.
pub fn take(set: u64) -> Option<(i32, libc::siginfo_t)> {
    let due = ASIDE.get() & set;
    if due == 0 {
        return None;
    }
    let signal = due.trailing_zeros() as i32 + 1;
    // SAFETY: only this thread uses its cell; the bit says that it was written.
    let info = INFO.with(|cell| unsafe { (*cell.get())[slot(signal)] });
    ASIDE.set(ASIDE.get() & !bit(signal));
    Some((signal, info))
}

/// In a forked child: `set`, which waited before the fork, is the parent's.
pub fn forget(set: u64) {
    ASIDE.set(ASIDE.get() & !set);
}

/// The thread's mask changed: what it lets through now is sent again.
pub fn set_mask(blocked: u64) {
    BLOCKED.set(blocked & OWN);
    while let Some((signal, info)) = take(!blocked) {
        queue_again(signal, &info);
    }
}
