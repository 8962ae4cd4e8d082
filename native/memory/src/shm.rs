//! System V shared memory: shmat and shmdt in the window.

use std::mem::MaybeUninit;

use libc::{EINVAL, PROT_EXEC, PROT_READ, PROT_WRITE, SHM_EXEC, SHM_RDONLY, SHM_REMAP, SHM_RND};

use super::region::{Backing, Flags, Region};
use super::space::AddressSpace;
use super::types::{Errno, Prot};
use super::window::errno;

impl AddressSpace {
    /// shmat(2). `shmlba` is the guest's alignment for attach addresses: four pages on
    /// 32-bit ARM, one on AArch64. Returns the address.
    pub fn shmat(&self, id: i32, addr: u64, flags: i32, shmlba: u64) -> Result<u64, Errno> {
        let mut at = addr;
        if !at.is_multiple_of(shmlba) {
            if flags & SHM_RND == 0 {
                return Err(EINVAL);
            }
            at -= at % shmlba;
        }
        if at == 0 && (flags & SHM_REMAP != 0 || addr != 0) {
            return Err(EINVAL);
        }
        let (size, key) = segment(id)?;
        let len = self.page_ceil(size);
        let mut maps = self.write_maps();
        if at == 0 {
            // The host aligns to its own SHMLBA, one page; we to the guest's.
            let room = self.place(
                &maps,
                0,
                len + shmlba - self.page_size(),
                0,
                self.page_size(),
            )?;
            at = room.next_multiple_of(shmlba);
        } else {
            let free = at
                .checked_add(len)
                .is_some_and(|end| maps.regions.is_free(at, end));
            if flags & SHM_REMAP == 0 && !free {
                return Err(EINVAL);
            }
            self.place(&maps, at, len, libc::MAP_FIXED, self.page_size())?;
        }
        self.check_space(&maps, at, len)?;
        maps.spend_cut()?;
        self.window.attach_shm(id, at, len, flags & SHM_RDONLY)?;
        let mut prot = PROT_READ;
        if flags & SHM_RDONLY == 0 {
            prot |= PROT_WRITE;
        }
        if flags & SHM_EXEC != 0 {
            prot |= PROT_EXEC;
        }
        let region = Region {
            start: at,
            end: at + len,
            prot: Prot::from_bits(prot),
            flags: Flags::SHARED,
            backing: Backing::Shm { id, key, offset: 0 },
            anon_name: None,
        };
        self.replace(&mut maps, region);
        Ok(at)
    }

    /// shmdt(2): unmaps all that is left of the attachment that started at `addr`.
    pub fn shmdt(&self, addr: u64) -> Result<(), Errno> {
        if !addr.is_multiple_of(self.page_size()) {
            return Err(EINVAL);
        }
        let mut maps = self.write_maps();
        // The kernel finds the first mapping at or behind `addr` whose distance from there
        // is its offset into a segment, then every other piece of the same segment.
        let limit = self.limit();
        let mut segment = None;
        let mut pieces = Vec::new();
        for region in maps
            .regions
            .meeting(addr, limit)
            .filter(|r| r.start >= addr)
        {
            let Backing::Shm { id, offset, .. } = region.backing else {
                continue;
            };
            if region.start - addr == offset && segment.is_none_or(|one| one == id) {
                segment = Some(id);
                pieces.push((region.start, region.end));
            }
        }
        if pieces.is_empty() {
            return Err(EINVAL);
        }
        for (start, end) in pieces {
            self.unmap_locked(&mut maps, start, end)?;
        }
        Ok(())
    }
}

/// Size and key of a segment.
fn segment(id: i32) -> Result<(u64, i32), Errno> {
    let mut info = MaybeUninit::<libc::shmid_ds>::zeroed();
    // SAFETY: the kernel fills the struct.
    if unsafe { libc::shmctl(id, libc::IPC_STAT, info.as_mut_ptr()) } != 0 {
        return Err(errno());
    }
    // SAFETY: filled by the call above.
    let info = unsafe { info.assume_init() };
    Ok((info.shm_segsz as u64, info.shm_perm.__key))
}
