//! Pointers with a tag in their top byte, and whether a thread's system calls take them.
//!
//! AArch64's processor ignores the top byte of an address; its kernel does so for the pointers of
//! system calls when the thread asked for it by `prctl(PR_SET_TAGGED_ADDR_CTRL)`
//! (Documentation/arch/arm64/tagged-address-abi.rst). As there (`access_ok` of
//! arch/arm64/include/asm/uaccess.h) the flag is a thread's, inherited by what it clones and gone at an execve, and it is looked at
//! only where an address is none as it stands.

use std::cell::Cell;

thread_local! {
    static TAKES_TAGS: Cell<bool> = const { Cell::new(false) };
}

/// Says whether the guest thread that this thread runs gives tagged pointers.
pub fn take_tags(on: bool) {
    TAKES_TAGS.set(on);
}

#[must_use]
pub fn takes_tags() -> bool {
    TAKES_TAGS.get()
}

/// The address without a tag; a kernel's address stays as it is (`untagged_addr`).
#[must_use]
pub fn untagged(addr: u64) -> u64 {
    addr & (((addr << 8) as i64) >> 8) as u64
}

/// An address that is the guest's when its tag is taken away, where tags are taken.
#[cold]
pub(super) fn without_tag(addr: u64) -> Option<u64> {
    let plain = untagged(addr);
    (plain != addr && takes_tags()).then_some(plain)
}
