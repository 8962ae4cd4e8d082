//! mlock, mlock2, munlock, mlockall, munlockall.

use libc::{EINVAL, ENOMEM, EPERM, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT};

use super::advise::runs;
use super::region::Flags;
use super::space::AddressSpace;
use super::types::Errno;

const LOCK_FLAGS: Flags = Flags::LOCKED_ANY;

impl AddressSpace {
    fn whole_pages(&self, addr: u64, len: u64) -> Result<(u64, u64), Errno> {
        let start = self.page_floor(addr);
        let end = addr.checked_add(len).ok_or(EINVAL)?;
        let end = if end == start {
            end
        } else {
            self.page_ceil(end)
        };
        if end < start {
            Err(EINVAL)
        } else {
            Ok((start, end))
        }
    }

    /// mlock(2) with flags 0, else mlock2(2).
    pub fn mlock2(&self, addr: u64, len: u64, flags: i32) -> Result<(), Errno> {
        if flags & !(MLOCK_ONFAULT as i32) != 0 {
            return Err(EINVAL);
        }
        let on_fault = flags != 0;
        let (start, end) = self.whole_pages(addr, len)?;
        let set = if on_fault { LOCK_FLAGS } else { Flags::LOCKED };
        let mut maps = self.write_maps();
        let stop = maps.regions.first_hole(start, end).unwrap_or(end);
        if stop > start {
            maps.spend_cut()?;
            let result = self.window.lock(start, stop - start, on_fault);
            // ENOMEM and EAGAIN come after the pages were marked, for those that could not
            // be brought in; EPERM before.
            if result != Err(EPERM) {
                let flags = |r: &super::Region| r.flags.without(LOCK_FLAGS) | set;
                maps.regions.change(start, stop, |r| r.flags = flags(r));
            }
            result?;
        }
        if stop < end { Err(ENOMEM) } else { Ok(()) }
    }

    /// munlock(2).
    pub fn munlock(&self, addr: u64, len: u64) -> Result<(), Errno> {
        let (start, end) = self.whole_pages(addr, len)?;
        let mut maps = self.write_maps();
        let stop = maps.regions.first_hole(start, end).unwrap_or(end);
        if stop > start {
            maps.spend_cut()?;
            self.window.unlock(start, stop - start)?;
            maps.regions
                .change(start, stop, |r| r.flags = r.flags.without(LOCK_FLAGS));
        }
        if stop < end { Err(ENOMEM) } else { Ok(()) }
    }

    /// mlockall(2), for the guest's mappings only: the host's own call would lock the
    /// reservation and the emulator.
    pub fn mlockall(&self, flags: i32) -> Result<(), Errno> {
        if flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0
            || flags & (MCL_CURRENT | MCL_FUTURE) == 0
        {
            return Err(EINVAL);
        }
        let on_fault = flags & MCL_ONFAULT != 0;
        let set = if on_fault { LOCK_FLAGS } else { Flags::LOCKED };
        let mut maps = self.write_maps();
        if flags & MCL_CURRENT != 0 {
            let parts: Vec<(u64, u64, bool)> = maps
                .regions
                .iter()
                .map(|r| (r.start, r.end, r.prot.is_none()))
                .collect();
            for (start, end, inaccessible) in parts {
                match self.window.lock(start, end - start, on_fault) {
                    // Marked, but has no pages to bring in.
                    Err(ENOMEM) if inaccessible => {}
                    result => result?,
                }
                maps.regions
                    .change(start, end, |r| r.flags = r.flags.without(LOCK_FLAGS) | set);
            }
        }
        maps.lock_future = if flags & MCL_FUTURE != 0 {
            set
        } else {
            Flags::NONE
        };
        Ok(())
    }

    /// munlockall(2).
    pub fn munlockall(&self) -> Result<(), Errno> {
        let mut maps = self.write_maps();
        maps.lock_future = Flags::NONE;
        let limit = self.limit();
        for (start, end) in runs(&maps.regions, 0, limit) {
            self.window.unlock(start, end - start)?;
        }
        maps.regions
            .change(0, limit, |r| r.flags = r.flags.without(LOCK_FLAGS));
        Ok(())
    }
}
