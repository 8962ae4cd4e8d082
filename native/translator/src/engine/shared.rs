//! A core's state as those who interrupt the core see it.

use crate::cpu::Interrupter;
use crate::host::{Cpu, NativeCpu};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// A core's state, shared with those who interrupt it.
pub(super) struct Shared {
    pub(super) cpu: UnsafeCell<Box<NativeCpu>>,
    /// 1 more than the number of the generation whose code the core is in, or looks at; 0: none.
    pub(super) inside: AtomicU64,
}

// SAFETY: other threads only touch the atomic `interrupt` field, through a raw pointer.
unsafe impl Send for Shared {}

// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Bits of `State::interrupt`.
pub(super) const WANT_EXIT: u32 = 1;

/// Memory notices or a new generation: look, and go on.
pub(super) const WANT_ATTENTION: u32 = 2;

/// The round of a loop is over (`check`).
pub(super) const WANT_ROUND: u32 = 4;

impl Shared {
    pub(super) fn kick(&self, bits: u32) {
        // SAFETY: only the address of an atomic field is formed.
        let flag = unsafe { &*NativeCpu::interrupt((*self.cpu.get()).as_ref_ptr()) };
        flag.fetch_or(bits, Ordering::SeqCst);
        // Calls do not look at the flag, but whether there is room on the return stack.
        self.set_return_limit(u64::MAX);
    }

    /// Loops leave translated code at their next round; nothing else happens.
    pub(super) fn kick_loops(&self) {
        // SAFETY: as in `kick`.
        let flag = unsafe { &*NativeCpu::interrupt((*self.cpu.get()).as_ref_ptr()) };
        flag.fetch_or(WANT_ROUND, Ordering::SeqCst);
    }

    /// The return stack's pointer below which calls leave translated code.
    pub(super) fn set_return_limit(&self, limit: u64) {
        // SAFETY: only the address of a word is formed, which from here on is used as an atomic one.
        let word = unsafe {
            let cpu = (*self.cpu.get()).as_ref_ptr();
            AtomicU64::from_ptr(NativeCpu::return_limit(cpu))
        };
        word.store(limit, Ordering::SeqCst);
    }
}

/// A pointer to the boxed core without a reference to the whole of it.
trait AsRefPtr {
    fn as_ref_ptr(&self) -> *const NativeCpu;
}

impl AsRefPtr for Box<NativeCpu> {
    fn as_ref_ptr(&self) -> *const NativeCpu {
        &raw const **self
    }
}

impl Interrupter for Shared {
    fn interrupt(&self) {
        self.kick(WANT_EXIT);
    }
}
