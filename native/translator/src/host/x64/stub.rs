//! One floating-point instruction with its exceptions masked.

use super::asm::{Asm, Mem, RAX};
use super::layout::{self, host};
use super::runtime::csr;
use crate::host::MaskedStub;
use crate::pages;
use std::ptr;

/// A page of this core's own with one instruction, and around it the masking.
pub struct Stub(*mut u8);

/// More than the longest stub.
const SIZE: usize = 256;

impl MaskedStub for Stub {
    fn new() -> Result<Self, String> {
        pages::map(SIZE, pages::RWX, "a floating-point instruction").map(Self)
    }

    /// Flags stay intact, too.
    fn fill(&mut self, insn: &[u8], masks: u32) -> usize {
        let mut a = Asm::default();
        let env = layout::host(host::ENV);
        let toggle = |a: &mut Asm, by: i32| {
            a.mov_mr(64, layout::raw(RAX), RAX);
            csr(a, false, env);
            a.mov(32, RAX, env);
            // An addition that leaves the flags alone.
            a.lea(32, RAX, Mem::base(RAX, by));
            a.mov_mr(32, env, RAX);
            csr(a, true, env);
            a.mov(64, RAX, layout::raw(RAX));
        };
        toggle(&mut a, masks as i32);
        a.bytes(insn);
        toggle(&mut a, -(masks as i32));
        a.jmp_rm(layout::host(host::BACK));
        debug_assert!(a.buf.len() <= SIZE);
        // SAFETY: the page is ours, and this thread, the only one that runs it, is not in it.
        unsafe { ptr::copy_nonoverlapping(a.buf.as_ptr(), self.0, a.buf.len()) };
        self.0 as usize
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // SAFETY: nobody runs in it any more.
        unsafe { libc::munmap(self.0.cast(), SIZE) };
    }
}
