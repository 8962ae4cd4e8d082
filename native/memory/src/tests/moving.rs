//! mremap: one case after the other. The model test has the combinations.

use std::os::fd::AsRawFd as _;

use libc::{
    EFAULT, EINVAL, ENOMEM, MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED,
    MREMAP_MAYMOVE,
};

use super::{PAGE, RW, layout, map_at, map_file, numbered_file, request, space};
use crate::{Efault, Prot};

const AT: u64 = 0x10_0000;

#[test]
fn growing_and_shrinking_in_place() {
    let space = space();
    map_at(&space, AT, 2, RW);
    space.write_u64(AT + PAGE, 5).unwrap();
    assert_eq!(space.mremap(AT, 2 * PAGE, 4 * PAGE, 0, 0), Ok(AT));
    assert_eq!(layout(&space), [(AT, AT + 4 * PAGE, RW)]);
    space.write_u64(AT + 3 * PAGE, 6).unwrap();
    assert_eq!(space.mremap(AT, 4 * PAGE, PAGE, 0, 0), Ok(AT));
    assert_eq!(layout(&space), [(AT, AT + PAGE, RW)]);
    assert_eq!(space.mremap(AT, PAGE, 2 * PAGE, 0, 0), Ok(AT));
    assert_eq!(space.read_u64(AT + PAGE), Ok(0), "what was cut off is gone");
    map_at(&space, AT + 2 * PAGE, 1, Prot::READ);
    assert_eq!(space.mremap(AT, 2 * PAGE, 3 * PAGE, 0, 0), Err(ENOMEM));
    space.write_u64(AT + PAGE, 8).unwrap();
    let to = space
        .mremap(AT, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0)
        .unwrap();
    assert_ne!(to, AT);
    assert_eq!(space.read_u64(to + PAGE), Ok(8));
    assert_eq!(space.read_u64(to + 2 * PAGE), Ok(0));
    assert_eq!(space.read_u64(AT), Err(Efault { addr: AT }));
    assert!(
        space.window.is_whole(0, space.limit()),
        "no hole in the reservation"
    );
}

fn may_open_mappings() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains(" /")).unwrap();
    let range = line.split(' ').next().unwrap();
    std::fs::File::open(format!("/proc/self/map_files/{range}")).is_ok()
}

#[test]
fn file_mappings_grow_into_the_file() {
    let path = std::env::temp_dir().join(format!("qusr-mremap-{}", std::process::id()));
    let content: Vec<u8> = (1..=8_u64)
        .flat_map(|n| n.to_ne_bytes().into_iter().cycle().take(4096))
        .collect();
    std::fs::write(&path, content).unwrap();
    let named = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let unnamed = numbered_file(8);
    for (file, flags, in_place) in [
        (&named, MAP_SHARED, true),
        (&unnamed, MAP_SHARED, true),
        (&named, MAP_PRIVATE, true),
        // Nothing to open it by again but its mapping, which takes privileges; else it moves.
        (&unnamed, MAP_PRIVATE, may_open_mappings()),
    ] {
        let space = space();
        let at = space
            .mmap(map_file(file.as_raw_fd(), 2, RW, flags, PAGE))
            .unwrap();
        // Make room above it.
        let low = AT;
        let move_fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
        assert_eq!(
            space.mremap(at, 2 * PAGE, 2 * PAGE, move_fixed, low),
            Ok(low)
        );
        let to = space
            .mremap(low, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, 0)
            .unwrap();
        assert_eq!(to == low, in_place);
        for page in 0..4 {
            assert_eq!(space.read_u64(to + page * PAGE), Ok(page + 2));
        }
        // And with a move that grows.
        space.write_u64(to, 77).unwrap();
        let high = 0x200_0000;
        assert_eq!(
            space.mremap(to, 4 * PAGE, 6 * PAGE, move_fixed, high),
            Ok(high)
        );
        for page in 1..6 {
            assert_eq!(space.read_u64(high + page * PAGE), Ok(page + 2));
        }
        assert_eq!(space.read_u64(high), Ok(77));
        space.write_u64(high, 2).unwrap();
        assert_eq!(space.regions().len(), 1);
        assert!(space.window.is_whole(0, space.limit()));
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_old_length_of_zero_duplicates_shared_memory() {
    let space = space();
    let at = space
        .mmap(request(0, 4, RW, MAP_SHARED | MAP_ANONYMOUS))
        .unwrap();
    space.write_u64(at + PAGE, 11).unwrap();
    let copy = space
        .mremap(at + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE, 0)
        .unwrap();
    assert_eq!(space.read_u64(copy), Ok(11));
    space.write_u64(copy + PAGE, 12).unwrap();
    assert_eq!(space.read_u64(at + 2 * PAGE), Ok(12));
    assert_eq!(space.region_at(copy).unwrap().backing.offset(), PAGE);
    map_at(&space, AT, 1, RW);
    assert_eq!(space.mremap(AT, 0, PAGE, MREMAP_MAYMOVE, 0), Err(EINVAL));
}

#[test]
fn dontunmap_leaves_empty_memory() {
    let space = space();
    map_at(&space, AT, 2, RW);
    space.write_u64(AT, 5).unwrap();
    let flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
    let to = space.mremap(AT, 2 * PAGE, 2 * PAGE, flags, 0).unwrap();
    assert_eq!(space.read_u64(to), Ok(5));
    assert_eq!(space.read_u64(AT), Ok(0));
    assert_eq!(space.prot_at(AT), Some(RW));
}

#[test]
fn errors() {
    let space = space();
    map_at(&space, AT, 2, RW);
    let both = MREMAP_MAYMOVE | MREMAP_FIXED;
    let remap = |old, new, flags, to| space.mremap(AT, old, new, flags, to);
    assert_eq!(space.mremap(AT + 1, PAGE, PAGE, 0, 0), Err(EINVAL));
    assert_eq!(remap(PAGE, PAGE, 8, 0), Err(EINVAL));
    assert_eq!(remap(PAGE, 0, 0, 0), Err(EINVAL));
    assert_eq!(remap(PAGE, PAGE, MREMAP_FIXED, 0x20_0000), Err(EINVAL));
    assert_eq!(remap(PAGE, PAGE, both, 0x20_0001), Err(EINVAL));
    assert_eq!(
        remap(2 * PAGE, 2 * PAGE, both, AT + PAGE),
        Err(EINVAL),
        "overlap"
    );
    assert_eq!(remap(PAGE, PAGE, both, space.limit()), Err(EINVAL));
    assert_eq!(
        remap(PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0),
        Err(EINVAL)
    );
    assert_eq!(remap(3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, 0), Err(EFAULT));
    assert_eq!(remap(PAGE, u64::MAX - PAGE, MREMAP_MAYMOVE, 0), Err(EINVAL));
    assert_eq!(space.mremap(0x50_0000, PAGE, PAGE, 0, 0), Err(EFAULT));
    assert_eq!(layout(&space), [(AT, AT + 2 * PAGE, RW)]);
}

#[test]
fn remap_file_pages_reverses_a_mapping() {
    let space = space();
    let file = numbered_file(4);
    let at = space
        .mmap(map_file(file.as_raw_fd(), 4, RW, MAP_SHARED, 0))
        .unwrap();
    let remap =
        |page: u64, size, prot, pgoff| space.remap_file_pages(at + page * PAGE, size, prot, pgoff);
    // In this order every page is still mapped somewhere before it is wanted.
    for page in [3, 2, 1, 0] {
        remap(page, PAGE, 0, 3 - page).unwrap();
    }
    let values: Vec<u64> = (0..4)
        .map(|n| space.read_u64(at + n * PAGE).unwrap())
        .collect();
    assert_eq!(values, [4, 3, 2, 1]);
    space.write_u64(at, 44).unwrap();
    remap(0, 4 * PAGE, 0, 0).unwrap();
    assert_eq!(space.read_u64(at + 3 * PAGE), Ok(44));
    assert_eq!(space.regions().len(), 1);
    assert_eq!(remap(0, PAGE, 1, 0), Err(EINVAL));
    assert_eq!(remap(0, 5 * PAGE, 0, 0), Err(EINVAL));
    map_at(&space, AT, 1, RW);
    assert_eq!(
        space.remap_file_pages(AT, PAGE, 0, 0),
        Err(EINVAL),
        "private"
    );
}
