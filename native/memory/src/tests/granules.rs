//! Tags of memory, as mmap(2), mprotect(2), mremap(2) and madvise(2) leave them
//! (Documentation/arch/arm64/memory-tagging-extension.rst).

use std::sync::Arc;

use super::{PAGE, RW, map_at, space};
use crate::granules::Checked;
use crate::{AddressSpace, Flags, MmapRequest, PROT_BTI, PROT_MTE, Prot};

const AT: u64 = 0x10_0000;

fn tagged(space: &AddressSpace, at: u64, pages: u64) {
    let request = MmapRequest::anonymous(pages * PAGE, RW).fixed(at);
    let prot = request.prot | PROT_MTE;
    assert_eq!(space.mmap(MmapRequest { prot, ..request }), Ok(at));
}

fn known() -> Arc<AddressSpace> {
    let space = space();
    space.set_own_protections(PROT_MTE | PROT_BTI);
    space
}

#[test]
fn bits_that_a_processor_does_not_know_mean_nothing() {
    let space = space();
    tagged(&space, AT, 1);
    space.set_tag(AT, 3);
    assert_eq!((space.tag(AT), space.tags_at()), (None, 0));
    assert_eq!(space.uses(), Flags::NONE);
    assert_eq!(space.mprotect(AT, PAGE, 3 | PROT_MTE), Err(libc::EINVAL));
}

#[test]
fn tags_are_those_of_mappings() {
    let space = known();
    tagged(&space, AT, 4);
    assert_eq!(space.tag(AT), Some(0));
    assert_eq!(space.tag(AT + 4 * PAGE), None);
    for page in 0..4 {
        space.set_tag(AT + page * PAGE + 32, 5 + page as u8);
    }
    // They stay when the protection goes.
    assert_eq!(space.mprotect(AT, 4 * PAGE, 1), Ok(()));
    assert_eq!(space.tag(AT + PAGE + 32), Some(6));
    assert!(space.uses().has(Flags::TAGGED) && !space.uses().has(Flags::GUARDED));
    // They are lost with what they are of.
    space.madvise(AT, PAGE, libc::MADV_DONTNEED).unwrap();
    assert_eq!(
        (space.tag(AT + 32), space.tag(AT + PAGE + 32)),
        (Some(0), Some(6))
    );
    map_at(&space, AT, 1, RW);
    assert_eq!(space.tag(AT + 32), None);
    space.munmap(AT + PAGE, PAGE).unwrap();
    assert_eq!(space.tag(AT + PAGE + 32), None);
    space.clear().unwrap();
    assert_eq!(
        (space.tag(AT + 2 * PAGE + 32), space.uses()),
        (None, Flags::NONE)
    );
}

#[test]
fn what_calls_access_is_compared_where_that_is_asked_for() {
    let space = known();
    tagged(&space, AT, 1);
    space.set_tag(AT + 16, 7);
    let mut bytes = [0; 24];
    assert!(space.read(AT, &mut bytes).is_ok());
    let checked = Checked::begin();
    assert!(space.read(AT, &mut bytes[..16]).is_ok());
    assert!(space.read(AT, &mut bytes).is_err());
    drop(checked);
    assert!(space.read(AT, &mut bytes).is_ok());
    assert_eq!(space.differing(AT + 8, 9), Some(AT + 16));
    assert_eq!(space.differing(AT + 24 + (7 << 56), 8), None);
    assert_eq!(
        space.differing(AT + 24 + (6 << 56), 8),
        Some(AT + 24 + (6 << 56))
    );
}

#[test]
fn guarded_memory_is_known_and_forgotten() {
    let space = known();
    map_at(&space, AT, 2, RW | Prot::EXEC);
    assert_eq!(space.mprotect(AT, PAGE, 5 | PROT_BTI), Ok(()));
    let guarded = |at| space.flags_at(at).has(Flags::GUARDED);
    assert_eq!((guarded(AT), guarded(AT + PAGE)), (true, false));
    assert_eq!(space.mprotect(AT, PAGE, 5), Ok(()));
    assert!(!guarded(AT) && space.uses().has(Flags::GUARDED));
}
