//! A guest whose pages are larger than the host's: alignment and lengths are in its pages.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use libc::{EINVAL, ENOMEM, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, MREMAP_MAYMOVE};

use super::{RW, numbered_file, space};
use crate::{AddressSpace, MmapRequest, Prot, SpaceConfig};

/// As of loongarch64.
const LARGE: u64 = 16 << 10;
const HOST: u64 = 4 << 10;
const AT: u64 = 0x100_0000;

fn large() -> Arc<AddressSpace> {
    AddressSpace::new(SpaceConfig {
        reserved_va: Some(1 << 30),
        page_size: LARGE,
        ..SpaceConfig::default()
    })
    .expect("an address space")
}

fn extents(space: &AddressSpace) -> Vec<(u64, u64)> {
    space.regions().iter().map(|r| (r.start, r.end)).collect()
}

#[test]
fn page_sizes_that_are_none_are_refused() {
    for page_size in [0, 2048, 5000, 12 << 10] {
        let config = SpaceConfig {
            page_size,
            ..SpaceConfig::default()
        };
        let error = AddressSpace::new(config)
            .err()
            .and_then(|e| e.raw_os_error());
        assert_eq!(error, Some(EINVAL), "{page_size}");
    }
    assert_eq!((space().page_size(), large().page_size()), (HOST, LARGE));
}

#[test]
fn mappings_are_of_whole_pages() {
    let s = large();
    let at = s.mmap(MmapRequest::anonymous(1, RW)).expect("a page");
    assert!(at.is_multiple_of(LARGE));
    assert_eq!(extents(&s), [(at, at + LARGE)]);
    // All of it is there.
    s.write(at + LARGE - 1, &[7]).expect("its last byte");
    let fixed = |addr| MmapRequest {
        addr,
        len: LARGE + 1,
        prot: 3,
        flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
        fd: -1,
        offset: 0,
    };
    assert_eq!(s.mmap(fixed(AT + HOST)), Err(EINVAL));
    assert_eq!(s.mmap(fixed(AT)), Ok(AT));
    assert!(extents(&s).contains(&(AT, AT + 2 * LARGE)));
    // A hint is rounded down.
    let hint = MmapRequest {
        flags: MAP_PRIVATE | MAP_ANONYMOUS,
        ..fixed(AT + 8 * LARGE + HOST)
    };
    assert_eq!(s.mmap(hint), Ok(AT + 8 * LARGE));
}

#[test]
fn calls_on_parts_of_a_page_are_refused_and_lengths_rounded_up() {
    let s = large();
    let request = MmapRequest::anonymous(4 * LARGE, RW).fixed(AT);
    assert_eq!(s.mmap(request), Ok(AT));
    assert_eq!(s.mprotect(AT + HOST, HOST, 1), Err(EINVAL));
    assert_eq!(s.mprotect(AT + LARGE, 1, 1), Ok(()));
    assert!(s.write(AT + 2 * LARGE - 1, &[1]).is_err());
    s.write(AT + 2 * LARGE, &[1]).expect("the next page");
    assert_eq!(s.munmap(AT + HOST, LARGE), Err(EINVAL));
    assert_eq!(s.munmap(AT, 1), Ok(()));
    assert_eq!(
        extents(&s),
        [
            (AT + LARGE, AT + 2 * LARGE),
            (AT + 2 * LARGE, AT + 4 * LARGE)
        ]
    );
    assert_eq!(s.madvise(AT + LARGE + HOST, HOST, 4), Err(EINVAL));
    assert_eq!(s.mprotect(AT, 1, 1), Err(ENOMEM));
    let moved = s.mremap(AT + 2 * LARGE + HOST, LARGE, LARGE, MREMAP_MAYMOVE, 0);
    assert_eq!(moved, Err(EINVAL));
    let grown = s.mremap(AT + 3 * LARGE, LARGE, LARGE + 1, MREMAP_MAYMOVE, 0);
    let grown = grown.expect("two pages");
    assert!(grown.is_multiple_of(LARGE));
    assert!(extents(&s).iter().any(|e| e.1 == grown + 2 * LARGE));
}

#[test]
fn the_break_moves_by_whole_pages() {
    let s = large();
    s.set_brk(AT + 0x123);
    assert_eq!(s.brk(AT + 0x124), AT + 0x124);
    // The page that the break lies in is the program's already.
    assert!(extents(&s).is_empty());
    assert_eq!(s.brk(AT + LARGE + 1), AT + LARGE + 1);
    assert_eq!(extents(&s), [(AT + LARGE, AT + 2 * LARGE)]);
    s.write(AT + 2 * LARGE - 1, &[1]).expect("all of it");
    assert_eq!(s.brk(AT + LARGE), AT + LARGE);
    assert!(extents(&s).is_empty());
}

#[test]
fn a_files_last_page_is_whole() {
    let s = large();
    let file = numbered_file(2);
    file.set_len(5000).expect("a file");
    file.write_all_at(&[9], 4999).expect("a file");
    for flags in [MAP_PRIVATE, MAP_SHARED] {
        let request = |len, offset| MmapRequest {
            addr: AT,
            len,
            prot: Prot::READ.bits(),
            flags: flags | MAP_FIXED,
            fd: file.as_raw_fd(),
            offset,
        };
        assert_eq!(s.mmap(request(1, HOST)), Err(EINVAL));
        assert_eq!(s.mmap(request(2 * LARGE, 0)), Ok(AT));
        let mut bytes = [1; LARGE as usize];
        s.read(AT, &mut bytes).expect("the whole page");
        assert_eq!((bytes[0], bytes[4096], bytes[4999]), (1, 2, 9));
        assert!(bytes[5000..].iter().all(|&b| b == 0));
        // Behind it there is nothing to read, as in any file.
        assert!(s.read(AT + LARGE, &mut [0]).is_err());
    }
}
