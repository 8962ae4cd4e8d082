//! Which low addresses a program may map: what the host's kernel would let it.
//!
//! Below `AddressSpace::min_addr` mappings go only where the guest names the address, and only
//! down to where the host permits them to this thread, with the rights that it has now
//! (`security_mmap_addr` of the kernel: `vm.mmap_min_addr`, CAP_SYS_RAWIO, and the security modules'
//! own opinion). So the guest's /proc/sys/vm/mmap_min_addr, which is the host's, is right.

use libc::{
    EACCES, EPERM, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE,
};

use super::space::AddressSpace;
use super::types::{Errno, PAGE_SIZE};
use super::window::{errno, unmap};

impl AddressSpace {
    /// EPERM where no mapping may start at `addr`.
    pub(super) fn check_low(&self, addr: u64) -> Result<(), Errno> {
        if addr >= self.min_addr || host_permits(addr) {
            Ok(())
        } else {
            Err(EPERM)
        }
    }

    /// Where a hint below `min_addr` leads to. A kernel has a limit of its own for these
    /// (`round_hint_to_min` of mm/mmap.c), which the sysctl does not show and rights do not change.
    pub(super) fn lowest_hint(&self, hint: u64) -> u64 {
        if hint >= self.min_addr || probe(hint, 0) == Ok(hint) {
            hint
        } else {
            self.min_addr
        }
    }
}

/// Whether the host lets a mapping start there; what is in use already (EEXIST) is permitted.
fn host_permits(addr: u64) -> bool {
    match probe(addr, MAP_FIXED_NOREPLACE) {
        // Kernels before 4.17 take the address for a hint.
        Ok(got) => got == addr,
        Err(errno) => !matches!(errno, EPERM | EACCES),
    }
}

/// Where the host maps a page that is asked for at `addr`.
fn probe(addr: u64, flags: i32) -> Result<u64, Errno> {
    let flags = flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    // SAFETY: a new inaccessible page that replaces nothing.
    let got = unsafe {
        libc::mmap(
            addr as *mut libc::c_void,
            PAGE_SIZE as usize,
            PROT_NONE,
            flags,
            -1,
            0,
        )
    };
    if got == libc::MAP_FAILED {
        return Err(errno());
    }
    unmap(got as u64, PAGE_SIZE);
    Ok(got as u64)
}
