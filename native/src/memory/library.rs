//! Where shared libraries go.
//!
//! The kernel places them one below the other, so that the C library's address depends on what
//! was loaded before it. Here a library's size decides, so that nearly all programs have it at the same
//! address, and what was translated of it for one is good for the next (`cache/source.rs`). What
//! remains, and all other mappings, are placed as the kernel does.

use libc::{MAP_ANONYMOUS, MAP_DENYWRITE, MAP_PRIVATE};

use super::map::MmapRequest;
use super::regions::RegionSet;
use super::space::Maps;
use super::types::{PAGE_SIZE, Prot, page_ceil};

/// As much as one page of the host's page tables covers.
const SLOT: u64 = 2 << 20;
const SLOTS: u64 = 512;
const LARGEST: u64 = SLOTS / 4;
/// So far below `mmap_base` that other mappings seldom come there.
const DISTANCE: u64 = 64 << 30;
const TRIES: u64 = 8;
/// Where files are aligned to so much, glibc reserves more than that.
const LARGE_PAGE: u64 = 64 << 10;

/// Whether this looks like a dynamic linker's mapping of a whole library.
///
/// glibc maps the file with `MAP_DENYWRITE`, which means nothing to kernels any more. If the library
/// asks for more than a page's alignment it reserves inaccessible memory first (elf/dl-map-segments.h).
/// Stacks and heaps of threads are reserved with `MAP_STACK` or `MAP_NORESERVE`.
fn is_library(request: &MmapRequest, prot: Prot) -> bool {
    let reserved = request.flags == MAP_PRIVATE | MAP_ANONYMOUS && request.len > 2 * LARGE_PAGE;
    let mapped = request.flags == MAP_PRIVATE | MAP_DENYWRITE;
    request.addr == 0 && (prot.is_none() && reserved || mapped)
}

/// The place for such a mapping, if it is one and there is room.
pub(super) fn place(maps: &Maps, request: &MmapRequest, prot: Prot) -> Option<u64> {
    let len = page_ceil(request.len);
    if !is_library(request, prot) || len > LARGEST * SLOT {
        return None;
    }
    let zone = (maps.mmap_base & !(SLOTS * SLOT - 1)).checked_sub(DISTANCE)?;
    let first = (len / PAGE_SIZE).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let free = |at: u64| {
        let above = maps.regions.find_from(at);
        above.is_none_or(|region| at + len <= RegionSet::start_with_gap(region))
    };
    (0..TRIES)
        .map(|n| (first + n * len.div_ceil(SLOT)) % (SLOTS - LARGEST))
        .map(|slot| zone + slot * SLOT)
        .find(|&at| free(at))
}
