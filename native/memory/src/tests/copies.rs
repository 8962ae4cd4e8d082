//! Copies that fault.

use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{PAGE, RW, RX, map_at, map_file, numbered_file, request, space};
use crate::{Efault, MmapRequest, Prot};

#[test]
fn a_copy_stops_at_an_unmapped_page() {
    let space = space();
    let at = space.mmap(MmapRequest::anonymous(3 * PAGE, RW)).unwrap();
    space.munmap(at + 2 * PAGE, PAGE).unwrap();
    let data = vec![7_u8; 0x3000];
    let fault = Efault {
        addr: at + 2 * PAGE,
    };
    assert_eq!(space.write(at, &data), Err(fault));
    let mut back = vec![0_u8; 0x3000];
    assert_eq!(space.read(at, &mut back), Err(fault));
    assert_eq!(back[..0x2000], data[..0x2000]);
    assert!(back[0x2000..].iter().all(|&byte| byte == 0));
    assert_eq!(space.fill_zero(at, 3 * PAGE), Err(fault));
    assert_eq!(space.read_u32(at), Ok(0));
    // A word across the edge is not read in part.
    assert_eq!(
        space.read_u32(at + 0x1ffe),
        Err(Efault { addr: at + 0x1ffe })
    );
}

#[test]
fn protections_hold_for_copies() {
    let space = space();
    map_at(&space, 0x10_0000, 1, Prot::READ);
    map_at(&space, 0x10_1000, 1, Prot::NONE);
    map_at(&space, 0x10_2000, 1, Prot::EXEC);
    map_at(&space, 0x10_3000, 1, Prot::WRITE);
    let fails = |addr| Err(Efault { addr });
    assert_eq!(space.read_u64(0x10_0000), Ok(0));
    assert_eq!(space.write_u64(0x10_0000, 1), fails(0x10_0000));
    assert_eq!(space.read_u64(0x10_1000), Err(Efault { addr: 0x10_1000 }));
    assert_eq!(
        space.read_u64(0x10_2000),
        Ok(0),
        "the cores fetch from execute-only pages"
    );
    assert_eq!(space.write_u64(0x10_2000, 1), fails(0x10_2000));
    assert_eq!(space.write_u64(0x10_3000, 5), Ok(()));
    assert_eq!(space.read_u64(0x10_3000), Ok(5));
}

#[test]
fn reading_behind_the_end_of_a_truncated_file_is_a_fault() {
    let space = space();
    let file = numbered_file(4);
    for flags in [libc::MAP_SHARED, libc::MAP_PRIVATE] {
        file.set_len(4 * PAGE).unwrap();
        let at = space
            .mmap(map_file(file.as_raw_fd(), 4, RW, flags, 0))
            .unwrap();
        file.set_len(PAGE).unwrap();
        let fault = Efault { addr: at + PAGE };
        assert_eq!(space.read(at, &mut [0; 0x3000]), Err(fault));
        assert_eq!(space.write(at + PAGE, &[1]), Err(fault));
        assert_eq!(space.fill_zero(at, 4 * PAGE), Err(fault));
    }
}

#[test]
fn addresses_outside_of_the_space_are_faults() {
    let space = space();
    let limit = space.limit();
    assert_eq!(space.read(limit, &mut [0]), Err(Efault { addr: limit }));
    assert_eq!(
        space.read(u64::MAX, &mut [0; 16]),
        Err(Efault { addr: u64::MAX })
    );
    assert_eq!(
        space.write(u64::MAX - 3, &[0; 16]),
        Err(Efault { addr: u64::MAX - 3 })
    );
    map_at(&space, limit - PAGE, 1, RW);
    assert_eq!(
        space.write(limit - 8, &[1; 16]),
        Err(Efault { addr: limit })
    );
    assert_eq!(space.read_u64(limit - 8), Ok(0x0101_0101_0101_0101));
    assert_eq!(space.read(0, &mut []), Ok(()));
    assert!(space.host_ptr(limit, 0).is_some() && space.host_ptr(limit, 1).is_none());
    assert!(space.host_ptr(1, u64::MAX).is_none());
}

#[test]
fn strings_end_at_nul_or_at_the_maximum() {
    let space = space();
    map_at(&space, 0x20_0000, 2, RW);
    let end = 0x20_2000;
    space.write(end - 6, b"hello\0").unwrap();
    assert_eq!(space.read_cstr(end - 6, 4096), Ok(Some(b"hello".to_vec())));
    assert_eq!(space.read_cstr(end - 6, 5), Ok(None));
    assert_eq!(space.read_cstr(end - 6, 6), Ok(Some(b"hello".to_vec())));
    space.write(end - 1, b"!").unwrap();
    assert_eq!(space.read_cstr(end - 6, 4096), Err(Efault { addr: end }));
    let long = vec![b'x'; 5000];
    space.write(0x20_0000, &long).unwrap();
    space.write(0x20_0000 + 5000, b"\0").unwrap();
    assert_eq!(space.read_cstr(0x20_0000, 8192), Ok(Some(long)));
}

#[test]
fn a_debugger_reads_and_writes_through_protections() {
    let space = space();
    let reader = space.subscribe();
    map_at(&space, 0x10_0000, 1, RX);
    map_at(&space, 0x10_1000, 1, Prot::NONE);
    space.poke(0x10_0ffc, b"abcdefgh").unwrap();
    assert_eq!(reader.take().code_ranges, [(0x10_0ffc, 0x10_1004)]);
    let mut back = [0; 8];
    space.peek(0x10_0ffc, &mut back).unwrap();
    assert_eq!(&back, b"abcdefgh");
    assert_eq!(
        space.poke(0x10_1ffc, &[0; 8]),
        Err(Efault { addr: 0x10_2000 })
    );
    assert_eq!(
        space.peek(0x20_0000, &mut back),
        Err(Efault { addr: 0x20_0000 })
    );
}

/// A thread copies while another one takes the memory away and gives it back.
#[test]
fn memory_may_vanish_during_a_copy() {
    let space = space();
    let at = 0x40_0000;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            for _ in 0..500 {
                space.mmap(request(at, 64, RW, flags)).unwrap();
                space.munmap(at + 32 * PAGE, 32 * PAGE).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        let mut buf = vec![0; 64 * PAGE as usize];
        while !stop.load(Ordering::Relaxed) {
            if let Err(Efault { addr }) = space.read(at, &mut buf) {
                assert!(addr >= at && addr < at + 64 * PAGE);
            }
        }
    });
}
