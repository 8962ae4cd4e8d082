//! The return stack of translated code.

use crate::pages;

/// The return stack: pairs of 8 bytes, and below them room for signal handlers and helpers.
const RETURN_STACK: usize = 512 << 10;

pub(super) const RETURN_RESERVE: usize = 256 << 10;

/// Memory for the return stack, with a guard page.
pub(super) struct ReturnStack(pub(super) usize);

impl ReturnStack {
    pub(super) fn new() -> Result<Self, String> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let p = pages::map(RETURN_STACK, prot, "the return stack")?;
        // SAFETY: the lowest page of what was just mapped becomes inaccessible.
        unsafe { libc::mprotect(p.cast(), 4096, libc::PROT_NONE) };
        Ok(Self(p as usize))
    }

    /// The empty stack's pointer. Below it a return finds a pc that may well be
    /// its target: `indirect` (which takes the target in rax) is where that leads.
    pub(super) fn top(&self, indirect: usize) -> u64 {
        let top = self.0 + RETURN_STACK - 64;
        // SAFETY: within the mapping.
        unsafe { *(top as *mut [usize; 2]) = [indirect, 0] };
        top as u64
    }
}

impl Drop for ReturnStack {
    fn drop(&mut self) {
        // SAFETY: nobody runs on it any more.
        unsafe { libc::munmap(self.0 as *mut libc::c_void, RETURN_STACK) };
    }
}
