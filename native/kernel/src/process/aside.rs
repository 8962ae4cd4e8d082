//! A process that is to have one thread only: donors ([`super::share`]) step aside.
//!
//! Some calls are refused to processes with several threads. And whoever leaves a memory that others go on living in must have no other
//! thread left: the kernel ends them wherever they are, and one that just waited for a lock of the C library's or the
//! interpreter's, or held it, stays in its books for ever (a condition variable waits until each waiter that it has woken
//! has gone, glibc's nptl/pthread_cond_common.c).

use std::fs;
use std::io::Error;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::share::{After, Loan, donors_matter, has_donors, watch_on};

/// How many want the donors to step aside, of all processes that live in this memory.
static WANTED: AtomicU32 = AtomicU32::new(0);
/// What those have left behind, the last one first. No lock: a process may be killed or copied at any moment.
static LEFT: AtomicPtr<Watch> = AtomicPtr::new(null_mut());

struct Watch {
    loan: Arc<Loan>,
    after: After,
    next: *mut Watch,
}

/// The last of a thread's end is the kernel's, and nobody tells when that is over.
const STEP: Duration = Duration::from_micros(200);
/// Only the machine's being busy makes it more than a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn is_wanted() -> bool {
    WANTED.load(Ordering::SeqCst) != 0
}

/// By a donor that steps aside.
pub(super) fn put_down(loan: Arc<Loan>, after: After) {
    let next = null_mut();
    let new = Box::into_raw(Box::new(Watch { loan, after, next }));
    let order = Ordering::SeqCst;
    let put = |first| {
        // SAFETY: nobody else knows of it yet.
        unsafe { (*new).next = first };
        Some(new)
    };
    let _ = LEFT.fetch_update(order, order, put);
}

/// Watches on for those that have stepped aside, in threads of the calling process.
pub(super) fn take_over() {
    let mut first = LEFT.swap(null_mut(), Ordering::SeqCst);
    while !first.is_null() {
        // SAFETY: made by `put_down`, and ours alone since the swap.
        let watch = *unsafe { Box::from_raw(first) };
        first = watch.next;
        watch_on(watch.loan, watch.after);
    }
}

/// In a forked child, which has none of the threads.
pub(super) fn forget() {
    WANTED.store(0, Ordering::SeqCst);
    LEFT.store(null_mut(), Ordering::SeqCst);
}

/// Asks again and again, while donors step aside: what comes last.
fn insist<T>(
    mut again: impl FnMut() -> T,
    is_enough: impl Fn(&T) -> bool,
    patience: Duration,
) -> T {
    WANTED.fetch_add(1, Ordering::SeqCst);
    let begin = Instant::now();
    let last = loop {
        let result = again();
        if is_enough(&result) || begin.elapsed() > patience {
            break result;
        }
        std::thread::sleep(STEP);
    };
    WANTED.fetch_sub(1, Ordering::SeqCst);
    last
}

/// Makes a host call that the kernel refuses to processes with several threads: a donor is none of the guest's, whose call
/// is not to fail for it. One whose child is gone lives a moment longer; one whose child lives on leaves it stack and
/// thread-local variables for good, and another thread takes over the watch.
///
/// # Errors
/// The call's.
pub fn without_donors(call: impl Fn() -> Result<u64, i32>) -> Result<u64, i32> {
    /// The guest may well have threads of its own.
    const OWN: Duration = Duration::from_millis(200);
    let matter = donors_matter();
    let mut result = call();
    if result == Err(libc::EINVAL) && matter {
        WANTED.fetch_add(1, Ordering::SeqCst);
        // These are ours, and will go, however long a busy machine takes for it.
        insist(has_donors, |there| !there, PATIENCE);
        result = insist(call, |result| *result != Err(libc::EINVAL), OWN);
        WANTED.fetch_sub(1, Ordering::SeqCst);
        take_over();
    }
    result
}

/// Waits until the calling thread, which is about to leave a memory that others live in, is the last one of its process:
/// its donors step aside, and the guest's threads have ended but for what the host's do last. What it leaves
/// to watch is [`take_over`]'s, by its own donor.
pub fn be_alone() {
    if !is_alone() {
        insist(is_alone, |alone| *alone, PATIENCE);
    }
}

/// Goes on in the memory after all.
pub fn stay() {
    take_over();
}

/// Whether no other thread is in this process.
pub(super) fn is_alone() -> bool {
    // Does nothing else than to look (kernel/fork.c, `check_unshare_flags`).
    // SAFETY: touches no memory.
    if unsafe { libc::unshare(libc::CLONE_THREAD) } == 0 {
        return true;
    }
    if Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
        return false;
    }
    // A seccomp filter forbids it, as containers have them. Who cannot know goes.
    !fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_noticed() {
        // The tests' own threads are there, too.
        assert!(!is_alone());
        let counted = std::cell::Cell::new(0);
        let again = || counted.replace(counted.get() + 1);
        assert_eq!(insist(again, |count| *count == 3, PATIENCE), 3);
        assert!(!is_wanted());
    }
}
