//! Host faults: claims, and those that nobody claims.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{PAGE, RW, map_at, space};
use crate::fault::{self, HostFault, Stage};

/// Runs `crash` in a child and returns the signal that killed it.
fn killed_by(crash: impl FnOnce()) -> i32 {
    // SAFETY: the child only does `crash`, which makes no use of the test harness.
    let child = unsafe { libc::fork() };
    if child == 0 {
        crash();
        // SAFETY: leaves without running anything else.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFSIGNALED(status) {
        libc::WTERMSIG(status)
    } else {
        0
    }
}

#[test]
fn a_crash_of_the_emulator_stays_one() {
    let space = space();
    map_at(&space, 0x10_0000, 1, RW);
    let beyond = space.host_ptr(0x10_1000, 8).unwrap();
    let inside = space.host_ptr(0x10_0000, 8).unwrap();
    // SAFETY: faults, which is what is wanted, in a child.
    assert_eq!(
        killed_by(|| unsafe { beyond.write_volatile(1) }),
        libc::SIGSEGV
    );
    // SAFETY: writes to memory of the guest.
    assert_eq!(killed_by(|| unsafe { inside.write_volatile(1) }), 0);
}

static PROTECTED: AtomicUsize = AtomicUsize::new(0);
static RESOLVED: AtomicUsize = AtomicUsize::new(0);

/// What a translator does with a page that it has write-protected.
fn unprotect(fault: &mut HostFault<'_>) -> bool {
    let page = PROTECTED.load(Ordering::Relaxed);
    if page == 0 || fault.address() & !(PAGE as usize - 1) != page || !fault.is_write() {
        return false;
    }
    RESOLVED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: a page of the guest's window; mprotect is safe in a signal handler on Linux.
    unsafe {
        libc::mprotect(
            page as *mut _,
            PAGE as usize,
            libc::PROT_READ | libc::PROT_WRITE,
        ) == 0
    }
}

#[test]
fn a_resolver_comes_before_the_copies() {
    let space = space();
    fault::add_claim(Stage::Resolve, unprotect).unwrap();
    fault::add_claim(Stage::Resolve, unprotect).unwrap();
    map_at(&space, 0x10_0000, 2, RW);
    let host = space.host_ptr(0x10_1000, PAGE).unwrap();
    // SAFETY: a page of the window.
    assert_eq!(
        unsafe { libc::mprotect(host.cast(), PAGE as usize, libc::PROT_READ) },
        0
    );
    PROTECTED.store(host as usize, Ordering::Relaxed);
    assert_eq!(space.write(0x10_0ff0, &[9; 32]), Ok(()));
    assert_eq!(RESOLVED.load(Ordering::Relaxed), 1);
    assert_eq!(space.read_u64(0x10_1000), Ok(0x0909_0909_0909_0909));
    PROTECTED.store(0, Ordering::Relaxed);
}
