//! The host process's own memory as the model.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;

use libc::{MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_PRIVATE};

use super::PAGE;
use super::model::{BEHIND, Memory, PAGES, named_file, remove};
use crate::copy::copy;

/// Whether the host keeps a program from reading what it may only execute, as x86 kernels do by protection
/// keys (`execute_only_pkey` of arch/x86/mm/pkeys.c). The guests' kernels do not (`Prot::effective`).
pub(super) fn hides_code() -> bool {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS;
    let mut byte = 0;
    // SAFETY: a new page, read by a copy whose faults land, and unmapped.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            PAGE as usize,
            libc::PROT_EXEC,
            flags,
            -1,
            0,
        );
        assert_ne!(page, libc::MAP_FAILED);
        let left = copy(&raw mut byte, page.cast(), 1);
        libc::munmap(page, PAGE as usize);
        left > 0
    }
}

pub(super) struct Host {
    base: u64,
    file: File,
    /// Pages that can only be executed are read as a debugger reads them.
    hides_code: bool,
}

fn result(value: i32) -> Result<(), i32> {
    if value == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error().raw_os_error().unwrap())
    }
}

impl Host {
    pub(super) fn new(base: u64, hides_code: bool) -> Self {
        let host = Self {
            base,
            hides_code,
            file: named_file(),
        };
        let len = (PAGES + BEHIND) * PAGE;
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
        assert_eq!(
            host.mmap(0, len, 0, flags, 0),
            Ok(0),
            "the arena's addresses are free"
        );
        host.munmap(0, len).unwrap();
        host
    }

    fn at(&self, at: u64) -> *mut c_void {
        self.base.wrapping_add(at) as *mut c_void
    }

    fn address(&self, got: *mut c_void) -> Result<u64, i32> {
        if got == libc::MAP_FAILED {
            return Err(io::Error::last_os_error().raw_os_error().unwrap());
        }
        Ok((got as u64).wrapping_sub(self.base))
    }
}

// SAFETY of all calls below: they only concern the arena, and mappings that were moved out of it.
impl Memory for Host {
    fn mmap(&self, at: u64, len: u64, prot: i32, flags: i32, offset: u64) -> Result<u64, i32> {
        let fd = if flags & MAP_ANONYMOUS != 0 {
            -1
        } else {
            self.file.as_raw_fd()
        };
        // SAFETY: see above.
        let got = unsafe { libc::mmap(self.at(at), len as usize, prot, flags, fd, offset as i64) };
        self.address(got)
    }

    fn munmap(&self, at: u64, len: u64) -> Result<(), i32> {
        // SAFETY: see above.
        result(unsafe { libc::munmap(self.at(at), len as usize) })
    }

    fn mprotect(&self, at: u64, len: u64, prot: i32) -> Result<(), i32> {
        // SAFETY: see above.
        result(unsafe { libc::mprotect(self.at(at), len as usize, prot) })
    }

    fn mremap(&self, at: u64, old: u64, new: u64, flags: i32, to: u64) -> Result<u64, i32> {
        // SAFETY: see above.
        self.address(unsafe {
            libc::mremap(self.at(at), old as usize, new as usize, flags, self.at(to))
        })
    }

    fn madvise(&self, at: u64, len: u64, advice: i32) -> Result<(), i32> {
        // SAFETY: see above.
        result(unsafe { libc::madvise(self.at(at), len as usize, advice) })
    }

    fn read(&self, at: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let page = |r: &(u64, u64, i32, bool)| (r.0..r.1).contains(&at);
        let exec_only = |r: (u64, u64, i32, bool)| r.2 == libc::PROT_EXEC;
        if self.hides_code && self.layout().into_iter().find(page).is_some_and(exec_only) {
            let memory = File::open("/proc/self/mem").unwrap();
            let read = memory.read_exact_at(&mut bytes, self.at(at) as u64);
            return read.ok().map(|()| u64::from_ne_bytes(bytes));
        }
        // SAFETY: a fault on the arena's side lands.
        let left = unsafe { copy(bytes.as_mut_ptr(), self.at(at).cast(), 8) };
        (left == 0).then(|| u64::from_ne_bytes(bytes))
    }

    fn write(&self, at: u64, value: u64) -> bool {
        // SAFETY: a fault on the arena's side lands.
        unsafe { copy(self.at(at).cast(), value.to_ne_bytes().as_ptr(), 8) == 0 }
    }

    fn layout(&self) -> Vec<(u64, u64, i32, bool)> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let end = self.base + (PAGES + BEHIND) * PAGE;
        let mut list = Vec::new();
        for line in maps.lines() {
            let mut words = line.split(' ');
            let (low, high) = words.next().unwrap().split_once('-').unwrap();
            let low = u64::from_str_radix(low, 16).unwrap();
            let high = u64::from_str_radix(high, 16).unwrap();
            if low >= end || high <= self.base {
                continue;
            }
            let perms = words.next().unwrap().as_bytes();
            let prot = (0..3).filter(|&n| perms[n] != b'-').map(|n| 1 << n).sum();
            list.push((low - self.base, high - self.base, prot, perms[3] == b's'));
        }
        list
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        remove(&self.file);
        let _ = self.munmap(0, (PAGES + BEHIND) * PAGE);
    }
}

/// The kernel can move several mappings at once since 6.17.
pub(super) fn host_moves_several() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(['.', '-']).map(|n| n.parse().unwrap_or(0));
    (parts.next().unwrap(), parts.next().unwrap()) >= (6, 17)
}
