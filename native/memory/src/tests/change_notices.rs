//! What the cores are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{MADV_DONTNEED, MREMAP_MAYMOVE};

use super::{PAGE, RW, RWX, RX, map_at, space};
use crate::Prot;
use crate::notice::Notices;

const AT: u64 = 0x10_0000;

fn flush(code: &[(u64, u64)]) -> Notices {
    Notices {
        tlb_flush: true,
        code_ranges: code.to_vec(),
    }
}

#[test]
fn new_mappings_in_free_space_say_nothing() {
    let space = space();
    let reader = space.subscribe();
    map_at(&space, AT, 4, RX);
    space.set_brk(0x20_0000);
    space.brk(0x30_0000);
    assert_eq!(reader.take(), Notices::default());
}

#[test]
fn changes_reach_every_reader_once() {
    let space = space();
    let (one, two) = (space.subscribe(), space.subscribe());
    map_at(&space, AT, 4, RW);
    space.munmap(AT, PAGE).unwrap();
    assert_eq!(one.take(), flush(&[]));
    assert_eq!(one.take(), Notices::default());
    space.mprotect(AT + PAGE, PAGE, Prot::READ.bits()).unwrap();
    assert_eq!(one.take(), flush(&[]));
    assert_eq!(two.take(), flush(&[]));
    space.munmap(AT, PAGE).unwrap();
    assert!(one.take().is_empty(), "nothing was there");
}

#[test]
fn code_ranges() {
    let space = space();
    let reader = space.subscribe();
    map_at(&space, AT, 4, RX);
    space.mprotect(AT + PAGE, PAGE, RW.bits()).unwrap();
    assert_eq!(
        reader.take(),
        flush(&[(AT + PAGE, AT + 2 * PAGE)]),
        "loses it"
    );
    space.mprotect(AT + PAGE, PAGE, RX.bits()).unwrap();
    assert_eq!(
        reader.take(),
        flush(&[(AT + PAGE, AT + 2 * PAGE)]),
        "gets it"
    );
    space.munmap(AT - PAGE, 2 * PAGE).unwrap();
    assert_eq!(reader.take(), flush(&[(AT, AT + PAGE)]));
    map_at(&space, AT + PAGE, 1, RW);
    assert_eq!(
        reader.take(),
        flush(&[(AT + PAGE, AT + 2 * PAGE)]),
        "mapped over"
    );
    space.madvise(AT + 2 * PAGE, PAGE, MADV_DONTNEED).unwrap();
    let dropped = Notices {
        tlb_flush: false,
        code_ranges: vec![(AT + 2 * PAGE, AT + 3 * PAGE)],
    };
    assert_eq!(reader.take(), dropped);
    let to = space
        .mremap(AT + 3 * PAGE, PAGE, 16 * PAGE, MREMAP_MAYMOVE, 0)
        .unwrap();
    assert_eq!(to, AT + 3 * PAGE, "in place");
    assert!(reader.take().is_empty());
    map_at(&space, AT + 64 * PAGE, 1, RX);
    map_at(&space, AT + 65 * PAGE, 1, RW);
    let to = space
        .mremap(AT + 64 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0)
        .unwrap();
    let code = [(AT + 64 * PAGE, AT + 65 * PAGE), (to, to + 2 * PAGE)];
    assert_eq!(reader.take(), flush(&code), "both places");
}

#[test]
fn writes_by_the_emulator() {
    let space = space();
    map_at(&space, AT, 1, RW);
    map_at(&space, AT + PAGE, 1, RX);
    assert!(
        !space.write_touches_code(AT, 2 * PAGE),
        "no code can be written"
    );
    map_at(&space, AT + 4 * PAGE, 1, RWX);
    assert!(!space.write_touches_code(AT, 8));
    assert!(space.write_touches_code(AT + 4 * PAGE - 4, 8));
    let reader = space.subscribe();
    space.notify_code_write(AT + 4 * PAGE, AT + 4 * PAGE + 8);
    let code_ranges = vec![(AT + 4 * PAGE, AT + 4 * PAGE + 8)];
    assert_eq!(
        reader.take(),
        Notices {
            tlb_flush: false,
            code_ranges
        }
    );
    space.write(AT + 4 * PAGE, &[1, 2]).unwrap();
    assert_eq!(
        reader.take().code_ranges,
        [(AT + 4 * PAGE, AT + 4 * PAGE + 2)]
    );
    space.mprotect(AT + 4 * PAGE, PAGE, RX.bits()).unwrap();
    assert!(!space.write_touches_code(AT + 4 * PAGE, 8));
}

#[test]
fn very_many_ranges_become_one() {
    let space = space();
    let reader = space.subscribe();
    map_at(&space, AT, 400, RX);
    for page in (0..400).step_by(2) {
        space.mprotect(AT + page * PAGE, PAGE, RW.bits()).unwrap();
    }
    let notices = reader.take();
    assert!(notices.code_ranges.len() <= 64);
    for page in (0..400).step_by(2) {
        let at = AT + page * PAGE;
        assert!(
            notices
                .code_ranges
                .iter()
                .any(|r| r.0 <= at && at + PAGE <= r.1)
        );
    }
}

#[test]
fn kicks() {
    let space = space();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let kick = move || {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let reader = space.subscribe_with_kick(Box::new(kick));
    map_at(&space, AT, 2, RW);
    assert_eq!(count.load(Ordering::Relaxed), 0);
    space.munmap(AT, PAGE).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    drop(reader);
    space.munmap(AT + PAGE, PAGE).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
}
