//! madvise, msync, mincore and the locking calls.

use std::os::fd::AsRawFd as _;

use libc::{
    EINVAL, ENOMEM, MADV_DONTFORK, MADV_DONTNEED, MAP_SHARED, MCL_CURRENT, MCL_FUTURE, MS_ASYNC,
    MS_SYNC,
};

use super::{PAGE, RW, layout, map_at, map_file, numbered_file, space};
use crate::Prot;
use crate::region::Flags;

#[test]
fn madvise_does_what_it_can_around_a_hole() {
    let space = space();
    map_at(&space, 0x10_0000, 1, RW);
    map_at(&space, 0x10_2000, 1, RW);
    for addr in [0x10_0000, 0x10_2000] {
        space.write_u64(addr, 1).unwrap();
    }
    assert_eq!(
        space.madvise(0x10_0000, 3 * PAGE, MADV_DONTNEED),
        Err(ENOMEM)
    );
    assert_eq!(space.read_u64(0x10_0000), Ok(0));
    assert_eq!(space.read_u64(0x10_2000), Ok(0));
    assert_eq!(space.madvise(0x10_0001, PAGE, MADV_DONTNEED), Err(EINVAL));
    assert_eq!(space.madvise(0x10_0000, PAGE, 12345), Err(EINVAL));
    assert_eq!(
        space.madvise(0x10_0000, u64::MAX, MADV_DONTNEED),
        Err(EINVAL)
    );
    assert_eq!(space.madvise(0x10_1000, 0, MADV_DONTNEED), Ok(()));
}

/// A forked child does not have what was marked, but has the reservation there.
#[test]
fn dontfork() {
    let space = space();
    map_at(&space, 0x10_0000, 3, RW);
    space.write_u64(0x10_0000, 7).unwrap();
    space.madvise(0x10_1000, PAGE, MADV_DONTFORK).unwrap();
    assert!(
        space
            .region_at(0x10_1000)
            .unwrap()
            .flags
            .has(Flags::DONTFORK)
    );
    let guard = space.lock_for_fork();
    // SAFETY: the child only makes system calls and looks at its memory before it exits.
    let child = unsafe { libc::fork() };
    drop(guard);
    if child == 0 {
        space.after_fork_in_child();
        let right = space.prot_at(0x10_0000) == Some(RW)
            && space.prot_at(0x10_1000).is_none()
            && space.read_u64(0x10_0000) == Ok(7)
            && space.read_u64(0x10_1000).is_err()
            && space.window.is_whole(0, space.limit());
        // SAFETY: leaves without running anything else of the test harness.
        unsafe { libc::_exit(i32::from(!right)) };
    }
    let mut status = -1;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    assert_eq!(space.read_u64(0x10_1000), Ok(0), "the parent keeps it");
}

#[test]
fn msync_writes_back_and_tells_of_holes() {
    let space = space();
    let file = numbered_file(2);
    let at = space
        .mmap(map_file(file.as_raw_fd(), 2, RW, MAP_SHARED, 0))
        .unwrap();
    assert_eq!(space.msync(at, 2 * PAGE, MS_SYNC), Ok(()));
    assert_eq!(space.msync(at, 3 * PAGE, MS_SYNC), Err(ENOMEM));
    assert_eq!(space.msync(at + 1, PAGE, MS_SYNC), Err(EINVAL));
    assert_eq!(space.msync(at, PAGE, MS_SYNC | MS_ASYNC), Err(EINVAL));
    assert_eq!(space.msync(at, PAGE, 0x100), Err(EINVAL));
    assert_eq!(space.msync(at, 0, MS_ASYNC), Ok(()));
}

#[test]
fn mincore_sees_touched_pages() {
    let space = space();
    map_at(&space, 0x10_0000, 4, RW);
    space.write_u64(0x10_1000, 1).unwrap();
    space.write_u64(0x10_3000, 1).unwrap();
    assert_eq!(space.mincore(0x10_0000, 3 * PAGE + 1), Ok(vec![0, 1, 0, 1]));
    assert_eq!(space.mincore(0x10_0000, 5 * PAGE), Err(ENOMEM));
    assert_eq!(space.mincore(0x10_0001, PAGE), Err(EINVAL));
    assert_eq!(space.mincore(0x10_0000, u64::MAX), Err(ENOMEM));
}

#[test]
fn locks_are_by_region() {
    let space = space();
    map_at(&space, 0x10_0000, 2, RW);
    map_at(&space, 0x10_3000, 1, Prot::NONE);
    let locked = |addr| space.region_at(addr).unwrap().flags.has(Flags::LOCKED);
    space.mlock2(0x10_0004, 1, 0).unwrap();
    assert!(locked(0x10_0000) && !locked(0x10_1000));
    assert_eq!(space.mincore(0x10_0000, 2 * PAGE), Ok(vec![1, 0]));
    assert_eq!(space.mlock2(0x10_0000, 3 * PAGE, 0), Err(ENOMEM));
    assert!(locked(0x10_1000));
    assert_eq!(space.mlock2(0x10_0000, PAGE, 8), Err(EINVAL));
    space.munlock(0x10_0000, 2 * PAGE).unwrap();
    assert!(!locked(0x10_0000));
    assert_eq!(layout(&space).len(), 2);
    assert_eq!(space.mlockall(0), Err(EINVAL));
    space.mlockall(MCL_CURRENT | MCL_FUTURE).unwrap();
    map_at(&space, 0x20_0000, 1, RW);
    assert!(locked(0x10_0000) && locked(0x10_3000) && locked(0x20_0000));
    assert_eq!(space.mincore(0x20_0000, PAGE), Ok(vec![1]));
    space.munlockall().unwrap();
    map_at(&space, 0x30_0000, 1, RW);
    assert!(!locked(0x10_0000) && !locked(0x30_0000));
    assert_eq!(space.mincore(0x30_0000, PAGE), Ok(vec![0]));
}
