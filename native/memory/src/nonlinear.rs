//! remap_file_pages, as the kernel has emulated it since 4.0: a new mapping.

use std::os::fd::AsRawFd as _;

use libc::{EINVAL, ENOMEM};

use super::file::{reopen, reopen_mapping};
use super::region::{Backing, Region};
use super::space::AddressSpace;
use super::types::Errno;
use super::window::HostMapping;

impl AddressSpace {
    /// remap_file_pages(2): maps the shared object at `addr` there anew, from page `pgoff` on.
    pub fn remap_file_pages(
        &self,
        addr: u64,
        size: u64,
        prot: i32,
        pgoff: u64,
    ) -> Result<(), Errno> {
        let (start, size) = (self.page_floor(addr), self.page_floor(size));
        let end = start.checked_add(size).ok_or(EINVAL)?;
        let want = pgoff.checked_mul(self.page_size()).ok_or(EINVAL)?;
        want.checked_add(size).ok_or(EINVAL)?;
        if prot != 0 || size == 0 {
            return Err(EINVAL);
        }
        let mut maps = self.write_maps();
        let region = maps
            .regions
            .find(start)
            .filter(|r| r.is_shared())
            .ok_or(EINVAL)?
            .clone();
        let alike = |r: &Region| {
            r.prot == region.prot
                && r.flags == region.flags
                && r.backing.same_object(&region.backing)
        };
        if maps.regions.first_hole(start, end).is_some()
            || !maps.regions.meeting(start, end).all(alike)
        {
            return Err(EINVAL);
        }
        // We do not have its descriptor, but wherever the object is mapped at or before the
        // wanted page, that can be reached from there.
        let source = maps
            .regions
            .iter()
            .filter(|r| r.backing.offset() <= want && alike(r))
            .max_by_key(|r| r.backing.offset());
        match source {
            Some(source) => {
                let skip = want - source.backing.offset();
                self.window.map_shared(source.start, skip, start, size)?;
            }
            None => self.map_again(&region, start, size, want)?,
        }
        let by = want.wrapping_sub(region.backing.offset());
        let backing = region.backing.advanced(by);
        self.replace(
            &mut maps,
            Region {
                start,
                end,
                backing,
                ..region
            },
        );
        Ok(())
    }

    /// Maps the object of a shared region from `offset` on, through a new descriptor.
    fn map_again(&self, region: &Region, at: u64, len: u64, offset: u64) -> Result<(), Errno> {
        let mapped_at = self.window.base() + at;
        let open = |write| match &region.backing {
            Backing::File { file, .. } => reopen(file, mapped_at, write),
            _ => reopen_mapping(mapped_at, write),
        };
        let opened = open(true).or_else(|| open(false)).ok_or(ENOMEM)?;
        let what = HostMapping {
            prot: self.host_prot(region.prot),
            flags: libc::MAP_SHARED,
            fd: opened.as_raw_fd(),
            offset,
        };
        self.window.map(at, len, what)
    }
}
