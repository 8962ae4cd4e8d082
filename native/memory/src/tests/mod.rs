//! Tests of the address space, by topic.

mod advice;
mod change_notices;
mod copies;
mod faults;
mod granules;
mod growth;
mod kernel_words;
mod mapping;
mod model;
mod model_host;
mod moving;
mod pages;
mod segments;
mod text;

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, RawFd};
use std::sync::Arc;

use super::{AddressSpace, MmapRequest, PAGE_SIZE, Prot, SpaceConfig};

const PAGE: u64 = PAGE_SIZE;
const RW: Prot = Prot::from_bits(3);
const RX: Prot = Prot::from_bits(5);
const RWX: Prot = Prot::from_bits(7);

/// A gigabyte: many tests run at the same time, and the host has room for few large ones.
fn space() -> Arc<AddressSpace> {
    AddressSpace::new(SpaceConfig {
        reserved_va: Some(1 << 30),
        ..SpaceConfig::default()
    })
    .unwrap()
}

fn request(addr: u64, pages: u64, prot: Prot, flags: i32) -> MmapRequest {
    MmapRequest {
        addr,
        len: pages * PAGE,
        prot: prot.bits(),
        flags,
        fd: -1,
        offset: 0,
    }
}

/// Private anonymous memory at a fixed address.
fn map_at(space: &AddressSpace, addr: u64, pages: u64, prot: Prot) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    assert_eq!(space.mmap(request(addr, pages, prot, flags)), Ok(addr));
}

fn map_file(fd: RawFd, pages: u64, prot: Prot, flags: i32, offset: u64) -> MmapRequest {
    MmapRequest {
        fd,
        offset,
        ..request(0, pages, prot, flags)
    }
}

/// A file in memory whose pages start with 1, 2, 3 ...
fn numbered_file(pages: u64) -> File {
    // SAFETY: creates a descriptor that nobody else has.
    let mut file = unsafe {
        let fd = libc::memfd_create(c"numbered".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0);
        File::from_raw_fd(fd)
    };
    for page in 1..=pages {
        let mut bytes = vec![0_u8; PAGE as usize];
        bytes[..8].copy_from_slice(&page.to_ne_bytes());
        file.write_all(&bytes).unwrap();
    }
    assert!(file.as_raw_fd() >= 0);
    file
}

/// The ranges and protections of all regions.
fn layout(space: &AddressSpace) -> Vec<(u64, u64, Prot)> {
    space
        .regions()
        .iter()
        .map(|r| (r.start, r.end, r.prot))
        .collect()
}
