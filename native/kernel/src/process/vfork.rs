//! The promise of vfork(2): the parent waits until the child execs or ends.
//!
//! The wait is on a word in memory that both share. A pipe would do but for
//! guests that close every descriptor in the child before they exec. That the child
//! died is told by the kernel: the word is on its robust futex list.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::shared::page::SharedPage;

/// What parent and child share.
#[repr(C)]
struct Page {
    /// 0: released. Otherwise the child's tid, with FUTEX_WAITERS; 1 until it has one.
    word: AtomicU32,
    /// struct robust_list_head (include/uapi/linux/futex.h): next, offset, pending.
    head: [u64; 3],
    entry: u64,
}

const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;

/// One vfork's gate.
pub struct Gate(SharedPage<Page>);

impl Gate {
    /// A closed gate, to be made before the fork.
    ///
    /// # Errors
    /// That of mmap(2).
    pub fn new() -> std::io::Result<Self> {
        let gate = Self(SharedPage::new()?);
        gate.word().store(1, Ordering::SeqCst);
        Ok(gate)
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped as long as the gate exists.
        unsafe { &(*self.0.get()).word }
    }

    /// In the child: from now on its death opens the gate.
    pub fn guard(&self) {
        let page = self.0.get();
        // SAFETY: the parent reads only `word`; gettid and set_robust_list touch no other memory.
        unsafe {
            let entry = &raw mut (*page).entry;
            let head = &raw mut (*page).head;
            *entry = head as u64;
            let offset = (&raw mut (*page).word as i64) - (entry as i64);
            *head = [entry as u64, offset as u64, 0];
            (*page)
                .word
                .store(libc::gettid() as u32 | WAITERS, Ordering::SeqCst);
            libc::syscall(libc::SYS_set_robust_list, head, size_of_val(&*head));
        }
    }

    /// In the child: it execs or exits.
    pub fn open(&self) {
        self.word().store(0, Ordering::SeqCst);
        // SAFETY: wakes waiters on a word of ours; the list goes back to being none.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.word().as_ptr(),
                libc::FUTEX_WAKE,
                i32::MAX,
            );
            libc::syscall(libc::SYS_set_robust_list, std::ptr::null::<u64>(), 24usize);
        }
    }

    /// In the parent: waits for `child`. Only a fatal signal ends this (kernel/fork.c,
    /// wait_for_vfork_done); others are delivered afterwards.
    pub fn wait(&self, child: i32) {
        loop {
            let value = self.word().load(Ordering::SeqCst);
            if value == 0 || value & OWNER_DIED != 0 {
                return;
            }
            // The time-out is for a child that is killed before it called `guard`.
            let time = libc::timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            };
            let word = self.word().as_ptr();
            // SAFETY: the kernel compares and waits on a word of ours.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    word,
                    libc::FUTEX_WAIT,
                    value,
                    &raw const time,
                );
            }
            if value == 1 && has_ended(child) {
                return;
            }
        }
    }
}

fn has_ended(pid: i32) -> bool {
    // SAFETY: siginfo_t is plain data.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` is a valid siginfo_t.
    let result = unsafe { libc::waitid(libc::P_PID, pid as u32, &raw mut info, options) };
    // SAFETY: waitid fills si_pid, or leaves it zero when nobody has ended.
    result < 0 || unsafe { info.si_pid() } == pid
}
