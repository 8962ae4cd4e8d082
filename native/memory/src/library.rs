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
use super::types::{PAGE_SIZE, Prot};

/// As much as one page of the host's page tables covers.
const SLOT: u64 = 2 << 20;
const SLOTS: u64 = 512;
const LARGEST: u64 = SLOTS / 4;
/// So far below `mmap_base` that other mappings seldom come there, and so near that sanitizers find
/// libraries where they expect them in 42 bits: in the last 64 GiB (ThreadSanitizer), or 4 GiB (MemorySanitizer).
const DISTANCE: u64 = 2 << 30;
/// A space that is smaller, as a 32-bit guest's, is not to be cut in two by libraries in its midst.
const SMALLEST_SPACE: u64 = 64 << 30;
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
    let len = request.len.checked_next_multiple_of(maps.page_size)?;
    if !is_library(request, prot) || len > LARGEST * SLOT || maps.mmap_base < SMALLEST_SPACE {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::page_ceil;
    use crate::{AddressSpace, SpaceConfig};
    use std::sync::Arc;

    fn request(len: u64, prot: i32, flags: i32) -> MmapRequest {
        MmapRequest {
            addr: 0,
            len,
            prot,
            flags,
            fd: -1,
            offset: 0,
        }
    }

    /// Small enough for many tests at the same time.
    fn space() -> Arc<AddressSpace> {
        AddressSpace::new(SpaceConfig {
            reserved_va: Some(1 << 38),
            ..SpaceConfig::default()
        })
        .expect("a space")
    }

    /// As glibc reserves room for a library that is aligned to 64 KiB.
    fn reserve(space: &AddressSpace, len: u64) -> u64 {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS;
        space
            .mmap(request(len, libc::PROT_NONE, flags))
            .expect("room")
    }

    #[test]
    fn what_was_loaded_before_does_not_move_a_library() {
        let libraries = [0x1b_e060, 0x4_5000, 0x9_1000, 0x120_0000];
        let alone = libraries.map(|len| {
            let space = space();
            reserve(&space, len)
        });
        let space = space();
        let together = libraries.map(|len| reserve(&space, len));
        assert_eq!(alone, together);
        // The same library once more, and others until there is no place left for its size.
        let more: Vec<u64> = (0..20).map(|_| reserve(&space, libraries[0])).collect();
        assert!(!more.contains(&alone[0]));
    }

    /// The largest mapping that a 32-bit guest can have is not smaller for its libraries.
    #[test]
    fn small_spaces_stay_in_one_piece() {
        let space = AddressSpace::new(SpaceConfig {
            va_bits: 32,
            ..SpaceConfig::default()
        })
        .expect("a space");
        let top = space.mmap_base();
        let at = reserve(&space, 0x1b_e060);
        assert_eq!(at, top - page_ceil(0x1b_e060));
        reserve(&space, 0xb000_0000);
    }

    #[test]
    fn other_mappings_are_placed_downwards() {
        let space = space();
        let anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
        let kinds = [
            (libc::PROT_READ | libc::PROT_WRITE, anonymous),
            (libc::PROT_NONE, anonymous | libc::MAP_STACK),
            (libc::PROT_NONE, anonymous | libc::MAP_NORESERVE),
        ];
        let mut top = space.mmap_base();
        for (prot, flags) in kinds {
            let at = space.mmap(request(0x20_0000, prot, flags)).expect("room");
            assert_eq!(at, top - 0x20_0000);
            top = at;
        }
    }
}
