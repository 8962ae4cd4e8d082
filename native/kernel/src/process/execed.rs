//! Which children have executed a program: setpgid(2) of one gives EACCES.
//!
//! A forked child's execve stays in its host process, so the kernel takes it for one that has executed
//! nothing (`PF_FORKNOEXEC` of kernel/fork.c). So parent and child share a byte.

use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU8, AtomicUsize, Ordering};

/// The children that are remembered. A process that makes more forgets those that it made first.
const CHILDREN: usize = 4096;

/// Bytes that this process shares with its children; null before the first one.
static SHARED: AtomicPtr<AtomicU8> = AtomicPtr::new(std::ptr::null_mut());
/// The children that they belong to.
static PIDS: [AtomicI32; CHILDREN] = [const { AtomicI32::new(0) }; CHILDREN];
/// How many there have been.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// This process's byte among its parent's; null for one that is nobody's child.
static OWN: AtomicPtr<AtomicU8> = AtomicPtr::new(std::ptr::null_mut());

/// The byte of a child that is about to be made.
#[derive(Clone, Copy)]
pub(super) struct Slot(Option<(usize, *mut AtomicU8)>);

/// To be called before a fork.
pub(super) fn before_fork() -> Slot {
    let mut shared = SHARED.load(Ordering::Acquire);
    if shared.is_null() {
        let (prot, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), CHILDREN, prot, flags, -1, 0) };
        if map == libc::MAP_FAILED {
            return Slot(None);
        }
        let (new, order) = (map.cast(), Ordering::AcqRel);
        shared = match SHARED.compare_exchange(shared, new, order, Ordering::Acquire) {
            Ok(_) => new,
            Err(other) => {
                // SAFETY: nobody else has seen it.
                unsafe { libc::munmap(map, CHILDREN) };
                other
            }
        };
    }
    let index = COUNT.fetch_add(1, Ordering::Relaxed) % CHILDREN;
    PIDS[index].store(0, Ordering::Relaxed);
    // SAFETY: within the mapping, which stays.
    let byte = unsafe { shared.add(index) };
    // SAFETY: as above.
    unsafe { &*byte }.store(0, Ordering::Relaxed);
    Slot(Some((index, byte)))
}

/// To be called in the child: it has made no children yet.
pub(super) fn in_child(slot: Slot) {
    OWN.store(
        slot.0.map_or(std::ptr::null_mut(), |slot| slot.1),
        Ordering::Relaxed,
    );
    // The parent's mapping stays: the child's byte is in it.
    SHARED.store(std::ptr::null_mut(), Ordering::Relaxed);
    COUNT.store(0, Ordering::Relaxed);
}

/// To be called in the parent before anybody hears of the child.
pub(super) fn in_parent(slot: Slot, pid: i32) {
    let Some((own, _)) = slot.0 else { return };
    // The id may have been that of a child that was reaped.
    for other in known().filter(|index| PIDS[*index].load(Ordering::Relaxed) == pid) {
        PIDS[other].store(0, Ordering::Relaxed);
    }
    PIDS[own].store(pid, Ordering::Relaxed);
}

fn known() -> std::ops::Range<usize> {
    0..COUNT.load(Ordering::Relaxed).min(CHILDREN)
}

/// This process has executed a program, or does so now.
pub(super) fn executed() {
    tell(1);
}

/// It could not.
pub(super) fn executed_nothing() {
    tell(0);
}

fn tell(value: u8) {
    let own = OWN.load(Ordering::Relaxed);
    if !own.is_null() {
        // SAFETY: within the parent's mapping, which was inherited and stays.
        unsafe { &*own }.store(value, Ordering::Release);
    }
}

/// Whether a child of this process has executed a program.
pub(super) fn has_executed(pid: i32) -> bool {
    let shared = SHARED.load(Ordering::Acquire);
    if shared.is_null() {
        return false;
    }
    let found = known().find(|index| PIDS[*index].load(Ordering::Relaxed) == pid);
    // SAFETY: within the mapping, which stays.
    found.is_some_and(|index| unsafe { &*shared.add(index) }.load(Ordering::Acquire) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_tells_its_parent() {
        let (one, two) = (before_fork(), before_fork());
        in_parent(one, 1_000_001);
        in_parent(two, 1_000_002);
        assert!(!has_executed(1_000_001));
        // SAFETY: the byte of this process's own mapping.
        unsafe { &*one.0.unwrap().1 }.store(1, Ordering::Release);
        assert!(has_executed(1_000_001) && !has_executed(1_000_002) && !has_executed(5));
        // The same id again.
        in_parent(before_fork(), 1_000_001);
        assert!(!has_executed(1_000_001));
    }
}
