//! mmap, munmap, mprotect, brk: placement, errors, records.

use std::os::fd::AsRawFd as _;

use libc::{
    EACCES, EBADF, EEXIST, EINVAL, ENOMEM, EOVERFLOW, MAP_ANONYMOUS, MAP_FIXED,
    MAP_FIXED_NOREPLACE, MAP_PRIVATE, MAP_SHARED,
};

use super::{PAGE, RW, RX, layout, map_at, map_file, numbered_file, request, space};
use crate::{AddressSpace, MmapRequest, Prot, SpaceConfig};

const ANON: i32 = MAP_PRIVATE | MAP_ANONYMOUS;

#[test]
fn a_32_bit_guest_has_exactly_four_gigabytes() {
    let space = AddressSpace::new(SpaceConfig {
        va_bits: 32,
        ..SpaceConfig::default()
    })
    .unwrap();
    assert_eq!(space.limit(), 1 << 32);
    map_at(&space, 0xffff_0000, 1, RX);
    let at = space.mmap(MmapRequest::anonymous(PAGE, RW)).unwrap();
    assert!(at < 0xffff_0000 - (8 << 20));
    assert_eq!(
        space.mmap(request(0xffff_f000, 2, RW, ANON | MAP_FIXED)),
        Err(ENOMEM)
    );
}

#[test]
fn a_64_bit_guest_has_much() {
    let space = AddressSpace::new(SpaceConfig::default()).unwrap();
    assert!(space.limit().is_power_of_two() && space.limit() > 1 << 32);
    assert_eq!(space.base() as usize % (1 << 30), 0);
}

#[test]
fn the_base_can_be_chosen() {
    let config = SpaceConfig {
        guest_base: Some(0x7_0000_0000),
        reserved_va: Some(1 << 24),
        ..SpaceConfig::default()
    };
    let space = AddressSpace::new(config).unwrap();
    assert_eq!(space.base() as u64, 0x7_0000_0000);
    let again = AddressSpace::new(config)
        .err()
        .and_then(|e| e.raw_os_error());
    assert_eq!(again, Some(EEXIST));
    drop(space);
    assert!(AddressSpace::new(config).is_ok());
}

#[test]
fn mappings_go_down_from_the_base_and_fill_the_highest_gap() {
    let space = space();
    let base = space.mmap_base();
    // Different protections, so that they do not join.
    let prots = [RW, Prot::READ, RX, Prot::NONE];
    let at: Vec<u64> = prots
        .iter()
        .map(|&p| space.mmap(MmapRequest::anonymous(2 * PAGE, p)).unwrap())
        .collect();
    let expected: Vec<u64> = (1..=4).map(|n| base - n * 2 * PAGE).collect();
    assert_eq!(at, expected);
    space.munmap(at[1], 2 * PAGE).unwrap();
    space.munmap(at[2] + PAGE, PAGE).unwrap();
    // Three free pages below the first mapping now: at[2] + 1 page up to at[0].
    assert_eq!(
        space.mmap(MmapRequest::anonymous(4 * PAGE, RW)),
        Ok(at[3] - 4 * PAGE)
    );
    assert_eq!(
        space.mmap(MmapRequest::anonymous(PAGE, Prot::READ)),
        Ok(at[0] - PAGE)
    );
    assert_eq!(
        space.mmap(MmapRequest::anonymous(2 * PAGE, RX)),
        Ok(at[0] - 3 * PAGE)
    );
}

#[test]
fn hints() {
    let space = space();
    let hint = 0x123_4000;
    assert_eq!(
        space.mmap(request(hint + 5, 2, RW, ANON)),
        Ok(hint),
        "rounded down"
    );
    let elsewhere = space.mmap(request(hint + PAGE, 2, RW, ANON)).unwrap();
    assert_eq!(elsewhere, space.mmap_base() - 2 * PAGE, "taken");
    assert_eq!(
        space.mmap(request(1, 1, Prot::READ, ANON)),
        Ok(elsewhere - PAGE),
        "rounds to 0"
    );
    // Raised to the lowest address that the host permits (0x10000 on most).
    let low = space.mmap(request(PAGE, 1, RX, ANON)).unwrap();
    assert!([PAGE, 0x1_0000].contains(&low), "{low:#x}");
}

#[test]
fn errors_of_mmap() {
    let space = space();
    let file = numbered_file(1);
    let fd = file.as_raw_fd();
    let try_at = |addr, flags| space.mmap(request(addr, 1, RW, flags));
    assert_eq!(space.mmap(request(0, 0, RW, ANON)), Err(EINVAL));
    assert_eq!(try_at(0x10_0001, ANON | MAP_FIXED), Err(EINVAL));
    assert_eq!(try_at(1 << 40, ANON | MAP_FIXED), Err(ENOMEM));
    assert_eq!(try_at(0, MAP_ANONYMOUS), Err(EINVAL));
    assert_eq!(try_at(0, MAP_PRIVATE), Err(EBADF));
    assert_eq!(space.mmap(request(0, 1 << 60 >> 12, RW, ANON)), Err(ENOMEM));
    assert_eq!(
        space.mmap(MmapRequest {
            len: u64::MAX,
            ..request(0, 1, RW, ANON)
        }),
        Err(ENOMEM)
    );
    assert_eq!(space.mmap(map_file(fd, 1, RW, MAP_SHARED, 1)), Err(EINVAL));
    let far = u64::MAX - PAGE + 1;
    assert_eq!(
        space.mmap(map_file(fd, 2, RW, MAP_SHARED, far)),
        Err(EOVERFLOW)
    );
    let read_only = std::fs::File::open("/proc/self/exe").unwrap();
    assert_eq!(
        space.mmap(map_file(read_only.as_raw_fd(), 1, RW, MAP_SHARED, 0)),
        Err(EACCES)
    );
    let folder = std::fs::File::open("/").unwrap();
    let fd = folder.as_raw_fd();
    assert_eq!(
        space.mmap(map_file(fd, 1, Prot::READ, MAP_PRIVATE, 0)),
        Err(libc::ENODEV)
    );
    let validate = libc::MAP_SHARED_VALIDATE | libc::MAP_SYNC;
    let unsupported = space.mmap(map_file(file.as_raw_fd(), 1, RW, validate, 0));
    assert_eq!(unsupported, Err(libc::EOPNOTSUPP));
    assert_eq!(layout(&space), []);
}

#[test]
fn a_failed_mmap_leaves_what_was_there() {
    let space = space();
    map_at(&space, 0x10_0000, 4, RW);
    space.write_u64(0x10_1000, 42).unwrap();
    let read_only = std::fs::File::open("/proc/self/exe").unwrap();
    let refused = MmapRequest {
        addr: 0x10_0000,
        ..map_file(read_only.as_raw_fd(), 4, RW, MAP_SHARED | MAP_FIXED, 0)
    };
    assert_eq!(space.mmap(refused), Err(EACCES));
    assert_eq!(space.read_u64(0x10_1000), Ok(42));
    assert_eq!(layout(&space), [(0x10_0000, 0x10_4000, RW)]);
}

#[test]
fn fixed_noreplace() {
    let space = space();
    map_at(&space, 0x10_0000, 2, RW);
    let try_at = |addr| space.mmap(request(addr, 2, RW, ANON | MAP_FIXED_NOREPLACE));
    assert_eq!(try_at(0x0f_f000), Err(EEXIST));
    assert_eq!(try_at(0x10_1000), Err(EEXIST));
    assert_eq!(try_at(0x10_2000), Ok(0x10_2000));
}

#[test]
fn neighbours_join_and_split() {
    let space = space();
    map_at(&space, 0x10_0000, 2, RW);
    map_at(&space, 0x10_2000, 2, RW);
    assert_eq!(layout(&space), [(0x10_0000, 0x10_4000, RW)]);
    space.mprotect(0x10_1000, PAGE, Prot::READ.bits()).unwrap();
    assert_eq!(
        layout(&space),
        [
            (0x10_0000, 0x10_1000, RW),
            (0x10_1000, 0x10_2000, Prot::READ),
            (0x10_2000, 0x10_4000, RW)
        ]
    );
    space.mprotect(0x10_1000, PAGE, RW.bits()).unwrap();
    assert_eq!(layout(&space), [(0x10_0000, 0x10_4000, RW)]);
    let file = numbered_file(4);
    let part = |page: u64, offset: u64| MmapRequest {
        addr: 0x20_0000 + page * PAGE,
        ..map_file(
            file.as_raw_fd(),
            1,
            Prot::READ,
            MAP_PRIVATE | MAP_FIXED,
            offset * PAGE,
        )
    };
    for (page, offset) in [(0, 0), (1, 1), (2, 3)] {
        space.mmap(part(page, offset)).unwrap();
    }
    assert_eq!(
        layout(&space)[1..].len(),
        2,
        "contiguous offsets join, others do not"
    );
    assert_eq!(
        space.region_at(0x20_2000).unwrap().backing.offset(),
        3 * PAGE
    );
}

#[test]
fn mprotect_stops_at_a_hole() {
    let space = space();
    map_at(&space, 0x10_0000, 2, RW);
    map_at(&space, 0x10_3000, 1, RW);
    assert_eq!(
        space.mprotect(0x10_0000, 4 * PAGE, Prot::READ.bits()),
        Err(ENOMEM)
    );
    assert_eq!(space.prot_at(0x10_1000), Some(Prot::READ));
    assert_eq!(space.prot_at(0x10_2000), None);
    assert_eq!(space.prot_at(0x10_3000), Some(RW));
    assert_eq!(space.mprotect(0x10_0001, PAGE, 1), Err(EINVAL));
    assert_eq!(space.mprotect(0x10_0000, PAGE, 0x1000), Err(EINVAL));
    assert_eq!(space.mprotect(0x10_0000, 0, 1), Ok(()));
    assert_eq!(space.mprotect(0x10_0000, u64::MAX - PAGE, 1), Err(ENOMEM));
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let at = space
        .mmap(map_file(file.as_raw_fd(), 1, Prot::READ, MAP_SHARED, 0))
        .unwrap();
    assert_eq!(space.mprotect(at, PAGE, RW.bits()), Err(EACCES));
}

#[test]
fn errors_of_munmap() {
    let space = space();
    map_at(&space, 0x10_0000, 1, RW);
    assert_eq!(space.munmap(0x10_0001, PAGE), Err(EINVAL));
    assert_eq!(space.munmap(0x10_0000, 0), Err(EINVAL));
    assert_eq!(space.munmap(0x10_0000, u64::MAX), Err(EINVAL));
    assert_eq!(space.munmap(space.limit(), PAGE), Err(EINVAL));
    assert_eq!(
        space.munmap(0x30_0000, PAGE),
        Ok(()),
        "nothing there is no error"
    );
    assert_eq!(space.munmap(0, space.limit()), Ok(()));
    assert_eq!(layout(&space), []);
}

#[test]
fn the_break() {
    let space = space();
    space.set_brk(0x20_0123);
    assert_eq!(space.brk(0), 0x20_0123);
    assert_eq!(space.brk(0x20_0800), 0x20_0800);
    assert_eq!(layout(&space), [], "still within the program's last page");
    assert_eq!(space.brk(0x20_5001), 0x20_5001);
    assert_eq!(layout(&space), [(0x20_1000, 0x20_6000, RW)]);
    space.write_u64(0x20_4000, 9).unwrap();
    assert_eq!(space.brk(0x20_2000), 0x20_2000);
    assert_eq!(space.brk(0x20_5000), 0x20_5000);
    assert_eq!(
        space.read_u64(0x20_4000),
        Ok(0),
        "given back and fresh again"
    );
    map_at(&space, 0x20_8000, 1, RW);
    assert_eq!(space.brk(0x20_8000), 0x20_5000, "a page must stay free");
    assert_eq!(space.brk(0x20_7000), 0x20_7000);
    assert_eq!(space.brk(0x20_0122), 0x20_7000);
    assert_eq!(space.brk(u64::MAX), 0x20_7000);
    space.set_rlimits(None, Some(0x6000), None);
    assert_eq!(
        space.brk(0x20_6f00),
        0x20_6f00,
        "shrinking is always allowed"
    );
}

#[test]
fn the_guests_own_limit_of_its_space() {
    let space = space();
    space.set_rlimits(Some(16 * PAGE), None, None);
    map_at(&space, 0x10_0000, 10, RW);
    assert_eq!(
        space.mmap(request(0x20_0000, 7, RW, ANON | MAP_FIXED)),
        Err(ENOMEM)
    );
    assert_eq!(
        space.mmap(request(0x10_4000, 12, RW, ANON | MAP_FIXED)),
        Ok(0x10_4000)
    );
}

#[test]
fn read_may_imply_exec() {
    let space = space();
    space.set_read_implies_exec(true);
    map_at(&space, 0x10_0000, 1, RW);
    assert_eq!(space.prot_at(0x10_0000), Some(RW | Prot::EXEC));
    space.mprotect(0x10_0000, PAGE, 2).unwrap();
    assert_eq!(space.prot_at(0x10_0000), Some(Prot::WRITE));
}

#[test]
fn accessibility() {
    let space = space();
    map_at(&space, 0x10_0000, 1, Prot::WRITE);
    map_at(&space, 0x10_1000, 1, Prot::READ);
    assert!(space.is_accessible(0x10_0ff0, 32, Prot::READ));
    assert!(!space.is_accessible(0x10_0ff0, 32, Prot::WRITE));
    assert!(space.is_accessible(0x10_0ff0, 16, RW));
    assert!(!space.is_accessible(0x10_1ff0, 17, Prot::READ));
    assert!(!space.is_accessible(u64::MAX, 17, Prot::READ));
}

/// Programs with very many mappings: each call must stay about as cheap as the first.
#[test]
fn twenty_thousand_mappings() {
    let space = space();
    let start = std::time::Instant::now();
    let mut at = Vec::new();
    for n in 0..20_000_u64 {
        let prot = if n % 2 == 0 { RW } else { Prot::READ };
        at.push(space.mmap(MmapRequest::anonymous(PAGE, prot)).unwrap());
    }
    assert_eq!(space.regions().len(), 20_000);
    for pair in at.windows(2) {
        assert_eq!(pair[1], pair[0] - PAGE);
    }
    for &addr in at.iter().step_by(3) {
        space.munmap(addr, PAGE).unwrap();
    }
    assert_eq!(
        space.mmap(MmapRequest::anonymous(PAGE, RX)),
        Ok(at[0]),
        "the highest gap"
    );
    assert_eq!(space.prot_at(at[3]), None);
    assert_eq!(space.prot_at(at[4]), Some(RW));
    // Linear work is about a third of a second unoptimised; quadratic work would be minutes.
    assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
}
