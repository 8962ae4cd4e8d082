//! Robust futexes: what the kernel does for a thread that ends while it holds some
//! (kernel/futex/core.c, `exit_robust_list`). The host kernel cannot walk the guest's list, whose
//! pointers are guest addresses.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::child::clear_tid;
use super::{Process, shared};
use crate::thunk::convert::get_int;

impl Process {
    /// set_robust_list(2) of the thread `tid`; 0 is no list.
    pub(super) fn set_robust_list(&self, tid: i32, head: u64) {
        if head == 0 {
            self.robust_lists().remove(&tid);
        } else {
            self.robust_lists().insert(tid, head);
        }
    }

    /// The head of a thread's list, 0 when it has none.
    pub(super) fn robust_list(&self, tid: i32) -> u64 {
        self.robust_lists().get(&tid).copied().unwrap_or(0)
    }

    /// All threads end: exit_group(2) or a fatal signal.
    pub fn give_up_all_robust_futexes(&self) {
        let threads: Vec<i32> = self.robust_lists().keys().copied().collect();
        for tid in threads {
            self.give_up_robust_futexes(tid);
        }
    }

    /// A process in our memory is gone: what it could not do itself, if it was killed.
    pub fn child_is_gone(&self, clear_child_tid: &AtomicU64) {
        self.give_up_all_robust_futexes();
        clear_tid(self, clear_child_tid);
    }

    /// The thread `tid` ends: who waits for a futex of its list is told that its owner died.
    pub(super) fn give_up_robust_futexes(&self, tid: i32) {
        /// ROBUST_LIST_LIMIT of the kernel: lists may be circular or damaged.
        const LIMIT: usize = 2048;
        let Some(head) = self.robust_lists().remove(&tid) else {
            return;
        };
        let abi = shared(&self.table).abi;
        let (size, big) = (abi.word_bytes(), abi.big_endian);
        let word = |address: u64| -> Option<u64> {
            let mut bytes = [0; 8];
            self.space.read(address, &mut bytes[..size]).ok()?;
            Some(get_int(&bytes[..size], big, false))
        };
        let step = size as u64;
        // Offsets are negative, and 32-bit addresses wrap.
        let whole = if size == 4 { 0xffff_ffff } else { u64::MAX };
        let (Some(first), Some(offset), Some(pending)) =
            (word(head), word(head + step), word(head + 2 * step))
        else {
            return;
        };
        let mut entry = first;
        for _ in 0..LIMIT {
            // Bit 0 of an entry says that the futex is a PI one.
            let at = entry & !1;
            if at == head {
                break;
            }
            let Some(next) = word(at) else { return };
            if at != pending & !1 {
                self.owner_died(tid, at.wrapping_add(offset) & whole, big);
            }
            entry = next;
        }
        if pending != 0 {
            self.owner_died(tid, (pending & !1).wrapping_add(offset) & whole, big);
        }
    }

    /// Marks a futex that the thread holds (`handle_futex_death`).
    fn owner_died(&self, tid: i32, address: u64, big_endian: bool) {
        const TID_MASK: u32 = 0x3fff_ffff;
        const OWNER_DIED: u32 = 0x4000_0000;
        const WAITERS: u32 = 0x8000_0000;
        let mut bytes = [0; 4];
        if !address.is_multiple_of(4) || self.space.read(address, &mut bytes).is_err() {
            return;
        }
        let Some(pointer) = self.space.host_ptr(address, 4) else {
            return;
        };
        // SAFETY: the word was readable just now, is aligned, and guest memory is only
        // ever accessed as shared memory.
        let futex = unsafe { AtomicU32::from_ptr(pointer.cast()) };
        let swap = |value: u32| {
            if big_endian {
                value.swap_bytes()
            } else {
                value
            }
        };
        loop {
            let old = futex.load(Ordering::SeqCst);
            let value = swap(old);
            if value & TID_MASK != tid as u32 {
                return;
            }
            let new = swap(value & WAITERS | OWNER_DIED);
            // A waiter may set its bit meanwhile.
            if futex
                .compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
            {
                if value & WAITERS != 0 {
                    self.wake(address);
                }
                return;
            }
        }
    }

    /// Wakes one waiter of a futex, in this process or another.
    pub(super) fn wake(&self, address: u64) {
        if let Some(pointer) = self.space.host_ptr(address, 4) {
            // SAFETY: FUTEX_WAKE only looks the address up; the kernel checks it.
            unsafe { libc::syscall(libc::SYS_futex, pointer, libc::FUTEX_WAKE, 1) };
        }
    }
}
