//! Guest memory as the engine sees it, and translations of it.

use super::{Inner, PageFault};
use crate::cpu::{Access, Exit};
use crate::ffi;
use crate::memory::{PAGE_SIZE, Prot};

/// Invalidating more than this costs more than translating everything anew.
const MANY_CODE_BYTES: u64 = 64 << 20;

fn asked(access: Access) -> u32 {
    match access {
        Access::Read => ffi::PROT_READ,
        Access::Write => ffi::PROT_WRITE,
        Access::Fetch => 0,
    }
}

impl Inner {
    /// An address without its tag: user addresses have bit 55 clear, and the kernel's are not ours.
    pub(super) fn untagged(&self, addr: u64) -> u64 {
        addr & self.facts.address_mask
    }

    /// Answers the engine's question for a page.
    pub(super) fn page(&self, page: u64, access: Access) -> Result<(u64, u32), PageFault> {
        let (kernel, kernel_end) = self.facts.kernel_pages;
        if access == Access::Read && (kernel..kernel_end).contains(&page) {
            return Ok((page, ffi::PROT_READ));
        }
        // Where addresses have tags, a branch drops that of its target, so one in the pc is none.
        let addr = if access == Access::Fetch {
            page
        } else {
            self.untagged(page)
        };
        let fault = |mapped, bus| PageFault {
            page,
            access,
            mapped,
            bus,
            watched: false,
        };
        if addr >= self.space.limit() {
            return Err(fault(false, false));
        }
        let mut found = self.space.page_at(addr);
        if found.is_none() && access != Access::Fetch && self.space.fault(addr) {
            found = self.space.page_at(addr);
        }
        let Some((prot, may_end)) = found else {
            return Err(fault(false, false));
        };
        let prot = prot.effective();
        let need = match access {
            Access::Read => Prot::READ,
            Access::Write => Prot::WRITE,
            Access::Fetch => Prot::EXEC,
        };
        if !prot.contains(need) {
            return Err(fault(true, false));
        }
        // A page of a mapped file may lie behind the file's end. The engine would die of that
        // access as it cannot tell it from one of its own.
        if may_end && self.space.read(addr & !(PAGE_SIZE - 1), &mut [0]).is_err() {
            return Err(fault(true, true));
        }
        if let Some(bus) = self.repeated.get().signal_for(addr & !(PAGE_SIZE - 1)) {
            // Where the records permit the access it is a guard, of which the kernel tells as of nothing.
            return Err(fault(bus, bus));
        }
        let mut perms = 0;
        for (right, perm) in [
            (Prot::READ, ffi::PROT_READ),
            (Prot::WRITE, ffi::PROT_WRITE),
            (Prot::EXEC, ffi::PROT_EXEC),
        ] {
            if prot.contains(right) {
                perms |= perm;
            }
        }
        let denied = self.watched_rights(addr & !(PAGE_SIZE - 1));
        if denied & asked(access) != 0 {
            return Err(PageFault {
                watched: true,
                ..fault(true, false)
            });
        }
        if self.facts.coherent_code && access != Access::Fetch {
            // Fetches are to be asked for.
            perms &= !ffi::PROT_EXEC;
        }
        Ok((addr, perms & !denied))
    }

    /// Which accesses to a page a debugger may want to see.
    fn watched_rights(&self, page: u64) -> u32 {
        if self.passing.get() {
            return 0;
        }
        let stops = self.stops.borrow();
        let sees = |write| stops.sees(page, PAGE_SIZE, write);
        let right = |perm, write| if sees(write) { perm } else { 0 };
        right(ffi::PROT_READ, false) | right(ffi::PROT_WRITE, true)
    }

    /// Whether the instruction at the pc accesses what is watched, as far as the guest knows its instructions; its first
    /// access is at `addr`.
    pub(super) fn watched(&self, access: Access, addr: u64) -> Option<Exit> {
        let write = access == Access::Write;
        let addr = self.untagged(addr);
        let all = self.guest().accesses(&self.stopped(self.pc()), addr, write);
        let stops = self.stops.borrow();
        all.into_iter()
            .find(|&(addr, size, write)| size != 0 && stops.sees(addr, size, write))
            .map(|(addr, size, write)| Exit::Watched {
                addr,
                len: size as u32,
                write,
            })
    }

    /// Applies what changed in the address space. Not within translated code.
    pub(super) fn apply_notices(&self) {
        let notices = self.notices.take();
        for (start, end) in notices.code_ranges {
            self.forget_code(start, end);
        }
        if notices.tlb_flush {
            // SAFETY: open and not within translated code.
            unsafe { self.api.flush_tlb(self.engine) };
        }
        if self.facts.coherent_code {
            if self.in_run.get() {
                if self.code_has_changed(notices.tlb_flush) {
                    self.all_code.set(self.all_code.get() | notices.tlb_flush);
                    self.stop_engine();
                }
            } else {
                self.renew_code(notices.tlb_flush | self.all_code.take());
            }
        }
    }

    pub(super) fn forget_code(&self, start: u64, end: u64) {
        let end = end.min(self.space.limit());
        if start >= end {
            return;
        }
        if end - start > MANY_CODE_BYTES {
            // SAFETY: open and not within translated code.
            unsafe { self.api.flush_code(self.engine) };
            return;
        }
        // SAFETY: open and not within translated code. The callback lets the engine look up
        // `start` whatever is mapped there; the TLB entry that this leaves is flushed.
        unsafe {
            self.invalidating.set(true);
            self.api.flush_tlb(self.engine);
            self.api.remove_code(self.engine, start, end);
            self.api.flush_tlb(self.engine);
            self.invalidating.set(false);
        }
    }
}
