//! `/proc/self/map_files` of the guest: the mappings that have a file, and where the host has them.
//!
//! To fs/proc/base.c shared memory is a file as well. A mapping of the guest may be a part of one of the host's,
//! which has no executable pages, or be in pieces there.

use super::host_maps::{HostMaps, HostVma};
use super::region::Region;
use super::space::AddressSpace;

/// A mapping with a file, and a mapping of the host that shows the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRange {
    pub start: u64,
    pub end: u64,
    /// Host addresses.
    pub host: (u64, u64),
}

fn host_vma(host: &HostMaps, at: u64) -> Option<&HostVma> {
    host.meeting(at, at + 1).find(|vma| vma.inode != 0)
}

impl AddressSpace {
    /// The mappings with files, in order of address. Empty without /proc.
    #[must_use]
    pub fn file_ranges(&self) -> Vec<FileRange> {
        let maps = self.read_maps();
        let Ok(host) = HostMaps::read() else {
            return Vec::new();
        };
        let ranges = maps.regions.iter().filter(|r| r.backing.may_end());
        let placed = ranges.filter_map(|region| self.file_range(region, &host));
        placed.collect()
    }

    fn file_range(&self, region: &Region, host: &HostMaps) -> Option<FileRange> {
        let vma = host_vma(host, self.window.base() + region.start)?;
        Some(FileRange {
            start: region.start,
            end: region.end,
            host: (vma.start, vma.end),
        })
    }

    /// Where the host has the file of the one mapping that is `start..end`.
    #[must_use]
    pub fn host_of_file_range(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let maps = self.read_maps();
        let region = maps.regions.find(start).filter(|region| {
            (region.start, region.end) == (start, end) && region.backing.may_end()
        })?;
        Some(self.file_range(region, &HostMaps::read().ok()?)?.host)
    }

    /// What the host's kernel calls the file now that is mapped at `addr`.
    #[must_use]
    pub fn mapped_file(&self, addr: u64) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStringExt as _;
        let (start, end) = {
            let maps = self.read_maps();
            let region = maps.regions.find(addr)?;
            (region.start, region.end)
        };
        let base = self.window.base();
        let read = |start: u64, end: u64| {
            let link = std::fs::read_link(format!("/proc/self/map_files/{start:x}-{end:x}"));
            Some(link.ok()?.into_os_string().into_vec())
        };
        // Mostly the host has it in one piece, too.
        read(base + start, base + end).or_else(|| {
            let host = HostMaps::read().ok()?;
            let vma = host_vma(&host, base + addr)?;
            read(vma.start, vma.end)
        })
    }
}
