//! A lock that threads and forked children share.
//!
//! The word holds the owner's tid, so that a lock whose owner was killed or stopped can be taken over.

use std::sync::atomic::{AtomicU32, Ordering};

use super::page::SharedPage;

/// With the owner's tid: somebody waits.
const WAITERS: u32 = 0x8000_0000;

pub struct SharedLock(SharedPage<AtomicU32>);

impl SharedLock {
    /// A lock that nobody holds; children forked later share it.
    ///
    /// # Errors
    /// That of mmap(2).
    pub fn new() -> std::io::Result<Self> {
        Ok(Self(SharedPage::new()?))
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped as long as the lock exists, and starts as zeros.
        unsafe { &*self.0.get() }
    }

    /// The word that who wants the lock waits at.
    #[must_use]
    pub fn place(&self) -> &AtomicU32 {
        self.word()
    }

    /// Takes the lock if it is free or its owner is gone; what the word is otherwise.
    pub fn try_acquire(&self, waits: bool) -> Result<(), u32> {
        let mine = tid() | if waits { WAITERS } else { 0 };
        let word = self.word();
        let held = match word.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(held) => held,
        };
        if is_gone(held & !WAITERS) && self.take_over(held, mine) {
            return Ok(());
        }
        Err(held)
    }

    /// Waits for the lock. Signals do not end the wait: it is as short as a write.
    pub fn acquire(&self) {
        while let Err(held) = self.try_acquire(true) {
            let marked = held | WAITERS;
            let word = self.word();
            if held != marked
                && word
                    .compare_exchange(held, marked, Ordering::Relaxed, Ordering::Relaxed)
                    .is_err()
            {
                continue;
            }
            // The time-out is for an owner that is killed.
            let time = libc::timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            };
            // SAFETY: the kernel compares and waits on a word of ours.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    word.as_ptr(),
                    libc::FUTEX_WAIT,
                    marked,
                    &raw const time,
                )
            };
            let timed_out = result != 0
                && std::io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT);
            if timed_out && is_idle(marked & !WAITERS) && self.take_over(marked, tid() | WAITERS) {
                return;
            }
        }
    }

    fn take_over(&self, held: u32, mine: u32) -> bool {
        self.word()
            .compare_exchange(held, mine, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the lock is held and somebody waits for it.
    pub fn is_wanted(&self) -> bool {
        self.word().load(Ordering::Relaxed) & WAITERS != 0
    }

    pub fn is_free(&self) -> bool {
        self.word().load(Ordering::Relaxed) == 0
    }

    /// Gives the lock up, unless it was taken over meanwhile.
    pub fn release(&self) {
        let mine = tid();
        let free = |held: u32| (held & !WAITERS == mine).then_some(0);
        let word = self.word();
        let Ok(held) = word.fetch_update(Ordering::Release, Ordering::Relaxed, free) else {
            return;
        };
        if held & WAITERS != 0 {
            // SAFETY: wakes a waiter on a word of ours.
            unsafe { libc::syscall(libc::SYS_futex, self.0.get(), libc::FUTEX_WAKE, 1) };
        }
    }
}

fn tid() -> u32 {
    // SAFETY: gettid touches no memory.
    unsafe { libc::gettid() as u32 }
}

fn is_gone(tid: u32) -> bool {
    // SAFETY: signal 0 is not sent, only asked about.
    let result = unsafe { libc::kill(tid as i32, 0) };
    result != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// Whether job control or a debugger has stopped the thread, or it is dead and its parent has not
/// waited for it yet, who may well be waiting for the lock (proc(5), `/proc/PID/stat`).
fn is_idle(tid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{tid}/stat")).is_ok_and(|text| {
        let state = text.rsplit_once(") ").map(|(_, rest)| rest);
        state.is_some_and(|rest| rest.starts_with(['T', 't', 'Z', 'X']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excludes_threads_and_is_taken_over_from_the_dead() {
        let lock = SharedLock::new().unwrap();
        let count = std::cell::UnsafeCell::new(0u64);
        struct Shared<'a>(&'a SharedLock, &'a std::cell::UnsafeCell<u64>);
        // SAFETY: the cell is only used with the lock held.
        unsafe impl Sync for Shared<'_> {}
        let shared = Shared(&lock, &count);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let shared = &shared;
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        shared.0.acquire();
                        // SAFETY: the lock is held.
                        unsafe { *shared.1.get() += 1 };
                        shared.0.release();
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 80_000);
        // A thread that ends with the lock in its hands.
        std::thread::scope(|scope| scope.spawn(|| lock.acquire()).join().unwrap());
        lock.acquire();
        assert!(lock.try_acquire(false).is_err());
        lock.release();
        assert!(lock.try_acquire(false).is_ok());
    }
}
