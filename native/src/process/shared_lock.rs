//! A lock that threads and forked children share, for what they write to one file.
//!
//! The word holds the owner's tid, so that a lock whose owner was killed can be taken over.

use std::sync::atomic::{AtomicU32, Ordering};

use super::shared_page::SharedPage;

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

    /// Takes the lock if it is free or its owner is gone; what the word is otherwise.
    pub fn try_acquire(&self, waits: bool) -> Result<(), u32> {
        // SAFETY: gettid touches no memory.
        let mine = unsafe { libc::gettid() } as u32 | if waits { WAITERS } else { 0 };
        let word = self.word();
        let held = match word.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(held) => held,
        };
        // SAFETY: signal 0 is not sent, only asked about.
        let gone = unsafe { libc::kill((held & !WAITERS) as i32, 0) } != 0
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
        if gone
            && word
                .compare_exchange(held, mine, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        {
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
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    word.as_ptr(),
                    libc::FUTEX_WAIT,
                    marked,
                    &raw const time,
                );
            }
        }
    }

    pub fn release(&self) {
        if self.word().swap(0, Ordering::Release) & WAITERS != 0 {
            // SAFETY: wakes a waiter on a word of ours.
            unsafe { libc::syscall(libc::SYS_futex, self.0.get(), libc::FUTEX_WAKE, 1) };
        }
    }
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
