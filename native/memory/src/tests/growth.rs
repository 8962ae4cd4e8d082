//! MAP_GROWSDOWN.

use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, MAP_PRIVATE, MAP_SHARED};

use super::{PAGE, RW, layout, map_at, request, space};
use crate::{Efault, MmapRequest, Prot};

const GROWS: i32 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;
const TOP: u64 = 0x1000_0000;
/// 256 pages (Documentation/admin-guide/kernel-parameters.txt, stack_guard_gap).
const GAP: u64 = 256 * PAGE;

#[test]
fn a_stack_grows_to_the_fault() {
    let space = space();
    space.mmap(request(TOP - PAGE, 1, RW, GROWS)).unwrap();
    assert!(space.fault(TOP - 10 * PAGE + 8));
    assert_eq!(layout(&space), [(TOP - 10 * PAGE, TOP, RW)]);
    // A copy grows it, too; one above it does not.
    space.write_u64(TOP - 20 * PAGE, 3).unwrap();
    assert_eq!(layout(&space), [(TOP - 20 * PAGE, TOP, RW)]);
    assert!(!space.fault(TOP));
    assert_eq!(space.read_u64(TOP), Err(Efault { addr: TOP }));
}

#[test]
fn not_beyond_the_limit() {
    let space = space();
    space.set_rlimits(None, None, Some(16 * PAGE));
    space.mmap(request(TOP - PAGE, 1, RW, GROWS)).unwrap();
    assert!(!space.fault(TOP - 17 * PAGE));
    assert!(space.fault(TOP - 16 * PAGE));
}

#[test]
fn not_close_to_another_mapping() {
    let space = space();
    space.mmap(request(TOP - PAGE, 1, RW, GROWS)).unwrap();
    let below = TOP - 600 * PAGE;
    map_at(&space, below - PAGE, 1, RW);
    assert!(!space.fault(below + GAP - PAGE));
    assert!(space.fault(below + GAP));
    // An inaccessible mapping may be close.
    space.mprotect(below - PAGE, PAGE, 0).unwrap();
    assert!(space.fault(below + GAP - PAGE));
    assert!(space.fault(below));
    assert!(!space.fault(below - PAGE));
}

#[test]
fn new_mappings_keep_away_from_it() {
    let space = space();
    let base = space.mmap_base();
    space.mmap(request(base - PAGE, 1, RW, GROWS)).unwrap();
    let at = space
        .mmap(MmapRequest::anonymous(PAGE, Prot::READ))
        .unwrap();
    assert_eq!(at, base - PAGE - GAP - PAGE);
    // A hint in the gap is not taken, a fixed address is.
    let hint = base - 3 * PAGE;
    assert_ne!(
        space.mmap(request(hint, 1, RW, GROWS & !MAP_FIXED)),
        Ok(hint)
    );
    map_at(&space, hint, 1, RW);
}

#[test]
fn shared_memory_does_not_grow() {
    let flags = GROWS & !MAP_PRIVATE | MAP_SHARED;
    assert_eq!(space().mmap(request(TOP, 1, RW, flags)), Err(libc::EINVAL));
}

#[test]
fn mprotect_from_the_start_of_the_stack() {
    const PROT_GROWSDOWN: i32 = 0x0100_0000;
    let space = space();
    space.mmap(request(TOP - 4 * PAGE, 4, RW, GROWS)).unwrap();
    space
        .mprotect(TOP - PAGE, PAGE, 7 | PROT_GROWSDOWN)
        .unwrap();
    assert_eq!(layout(&space), [(TOP - 4 * PAGE, TOP, RW | Prot::EXEC)]);
    map_at(&space, 0x10_0000, 1, RW);
    assert_eq!(
        space.mprotect(0x10_0000, PAGE, 1 | PROT_GROWSDOWN),
        Err(libc::EINVAL)
    );
}
