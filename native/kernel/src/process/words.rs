//! Calls about words of the guest's memory, and about code in it.

use std::arch::asm;
use std::sync::atomic::{AtomicU32, Ordering};

use super::thread::GuestThread;
use crate::memory::Prot;
use crate::thunk::convert::put_int;

impl GuestThread {
    /// Stores a word at an address, in the guest's size and order.
    pub(super) fn store_int(&self, address: u64, value: u32) -> Result<u64, i32> {
        let bytes = if self.process.abi.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        let written = self.process.space.write(address, &bytes);
        written.map(|()| 0).map_err(|_| libc::EFAULT)
    }

    pub(super) fn store_word(&self, address: u64, word: u64) -> Result<u64, i32> {
        let abi = self.process.abi;
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..abi.word_bytes()];
        put_int(bytes, abi.big_endian, word);
        let written = self.process.space.write(address, bytes);
        written.map(|()| 0).map_err(|_| libc::EFAULT)
    }

    /// Swaps a 32-bit word of memory with another, atomically, and gives the old one.
    pub(super) fn atomic_swap(&self, address: u64, new: u32) -> Result<u32, i32> {
        if !address.is_multiple_of(4) {
            return Err(libc::EINVAL);
        }
        let word = self.word_for_change(address)?;
        // SAFETY: by `word_for_change`, the word is aligned, and guest memory is only ever accessed as shared memory.
        let word = unsafe { AtomicU32::from_ptr(word) };
        Ok(self.in_order(word.swap(self.in_order(new), Ordering::SeqCst)))
    }

    /// `sys_atomic_cmpxchg_32`: what was there. On its processor words need not be aligned.
    pub(super) fn atomic_compare(&self, address: u64, old: u32, new: u32) -> Result<u32, i32> {
        let word = self.word_for_change(address)?;
        let mut found = self.in_order(old);
        // SAFETY: by `word_for_change`; an `AtomicU32` would have to be aligned.
        unsafe {
            asm!(
                "lock cmpxchg dword ptr [{word}], {new:e}",
                word = in(reg) word,
                new = in(reg) self.in_order(new),
                inout("eax") found,
                options(nostack),
            );
        }
        Ok(self.in_order(found))
    }

    /// A number as the guest's memory has it, or the other way round.
    pub(super) fn in_order(&self, number: u32) -> u32 {
        if self.process.abi.big_endian {
            number.to_be()
        } else {
            number
        }
    }

    /// A word of the guest's memory that can be read and written.
    pub(super) fn word_for_change(&self, address: u64) -> Result<*mut u32, i32> {
        let space = &self.process.space;
        let mut bytes = [0; 4];
        // This lets a stack grow.
        space.read(address, &mut bytes).map_err(|_| libc::EFAULT)?;
        if !space.is_accessible(address, 4, Prot::READ | Prot::WRITE) {
            return Err(libc::EFAULT);
        }
        let pointer = space.host_ptr(address, 4).ok_or(libc::EFAULT)?;
        Ok(pointer.cast())
    }

    /// cacheflush(2) with a scope: lines, pages, or all (arch/m68k/kernel/sys_m68k.c).
    pub(super) fn flush_scope(
        &self,
        start: u64,
        scope: i32,
        caches: i32,
        size: u64,
    ) -> Result<u64, i32> {
        const ALL: i32 = 3;
        if !(1..=ALL).contains(&scope) || caches & !3 != 0 {
            return Err(libc::EINVAL);
        }
        let space = &self.process.space;
        if scope == ALL {
            // SAFETY: touches no memory.
            if unsafe { libc::geteuid() } != 0 {
                return Err(libc::EPERM);
            }
            space.notify_code_write(0, space.limit());
            return Ok(0);
        }
        let end = start + size;
        if end > space.limit() || !space.is_accessible(start, size.max(1), Prot::NONE) {
            return Err(libc::EINVAL);
        }
        space.notify_code_write(start, end);
        Ok(0)
    }
}
