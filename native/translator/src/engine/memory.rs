//! Guest memory for the interpreter.

use crate::cpu::{Exit, Stops};
use crate::guest::Guest;
use crate::ir::interp::{Fault, Mem};
use crate::ir::sem::Tags;
use crate::memory::{AddressSpace, Prot};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The address space itself.
pub struct Direct<'a> {
    pub space: &'a AddressSpace,
    pub guest: &'a dyn Guest,
    /// What a debugger watches: such accesses fail.
    pub stops: Option<&'a Stops>,
    /// The first of those: [`Exit::Watched`].
    pub seen: Option<Exit>,
    /// How accesses are compared with the tags of memory.
    pub tags: Tags,
    /// The first one by an address with another tag, and whether it is a write.
    pub differs: Option<(u64, bool)>,
}

impl<'a> Direct<'a> {
    /// Memory where nothing is watched.
    pub fn new(space: &'a AddressSpace, guest: &'a dyn Guest) -> Self {
        Self {
            space,
            guest,
            stops: None,
            seen: None,
            tags: Tags::Ignored,
            differs: None,
        }
    }

    /// Fails for a watched access.
    fn look(&mut self, addr: u64, len: usize, write: bool) -> Result<(), Fault> {
        let Some(stops) = self.stops else {
            return Ok(());
        };
        let addr = self.guest.data_address(addr);
        if !stops.sees(addr, len as u64, write) {
            return Ok(());
        }
        let len = len as u32;
        self.seen.get_or_insert(Exit::Watched { addr, len, write });
        Err(Fault { addr, write })
    }

    /// Compares the tag of an access with that of memory, if it can be accessed at all.
    fn compare(&mut self, addr: u64, len: usize, write: bool) -> Result<(), Fault> {
        if self.tags == Tags::Ignored {
            return Ok(());
        }
        let Some(at) = self.space.differing(addr, len as u64) else {
            return Ok(());
        };
        let prot = if write { Prot::WRITE } else { Prot::READ };
        let plain = self.guest.data_address(addr);
        if !self.space.is_accessible(plain, len as u64, prot) {
            return Ok(());
        }
        self.differs.get_or_insert((at, write));
        match self.tags {
            Tags::Trapped(_) => Err(Fault { addr: at, write }),
            _ => Ok(()),
        }
    }

    fn retry(
        &self,
        addr: u64,
        len: usize,
        write: bool,
        mut f: impl FnMut(u64) -> Result<(), u64>,
    ) -> Result<(), Fault> {
        let a = self.guest.data_address(addr);
        let Err(at) = f(a) else { return Ok(()) };
        // A stack that grows.
        if self.space.fault(at) && f(a).is_ok() {
            return Ok(());
        }
        // The kernel reports addresses without their tags.
        let addr = self.first_missing(a, len as u64, at, write);
        Err(Fault { addr, write })
    }

    /// The first byte of an access that may not be accessed. `at`: where the copy says that it failed;
    /// one that is a single access of the host names its start.
    fn first_missing(&self, a: u64, len: u64, at: u64, write: bool) -> u64 {
        let next = (a | 0xfff).wrapping_add(1);
        let prot = if write { Prot::WRITE } else { Prot::READ };
        if at == a && next > a && next - a < len && self.space.is_accessible(a, next - a, prot) {
            next
        } else {
            at
        }
    }
}

impl Mem for Direct<'_> {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        self.look(addr, buf.len(), false)?;
        self.compare(addr, buf.len(), false)?;
        self.retry(addr, buf.len(), false, |a| {
            self.space.read(a, buf).map_err(|e| e.addr)
        })
    }

    fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        self.look(addr, data.len(), true)?;
        self.compare(addr, data.len(), true)?;
        // 16 bytes are not one access of the host: none of them is to be written if some cannot be.
        let (a, len) = (self.guest.data_address(addr), data.len() as u64);
        let writable = || self.space.is_accessible(a, len, Prot::WRITE);
        if len > 8 && !writable() {
            let addr = self.first_missing(a, len, a, true);
            if !(self.space.fault(addr) && writable()) {
                return Err(Fault { addr, write: true });
            }
        }
        self.retry(addr, data.len(), true, |a| {
            self.space.write(a, data).map_err(|e| e.addr)
        })
    }

    fn cas(&mut self, addr: u64, w: u8, expected: u128, new: u128) -> Result<u128, Fault> {
        let a = self.guest.data_address(addr);
        let bytes = u64::from(w / 8);
        self.look(addr, bytes as usize, true)?;
        let mut probe = [0u8; 16];
        self.read(addr, &mut probe[..bytes as usize])?;
        if !self.space.is_accessible(a, bytes, Prot::WRITE) {
            return Err(Fault {
                addr: self.first_missing(a, bytes, a, true),
                write: true,
            });
        }
        let p = self.space.host_ptr(a, bytes).ok_or(Fault {
            addr: a,
            write: true,
        })?;
        const O: Ordering = Ordering::SeqCst;
        let got = |r: Result<u64, u64>| u128::from(r.unwrap_or_else(|x| x));
        // SAFETY: mapped and writable a moment ago; another thread that unmaps it meanwhile
        // makes this fault like any other access of translated code.
        unsafe {
            if a.is_multiple_of(bytes) && w <= 64 {
                let (e, n) = (expected as u64, new as u64);
                return Ok(match w {
                    8 => got((*p.cast::<AtomicU8>())
                        .compare_exchange(e as u8, n as u8, O, O)
                        .map(u64::from)
                        .map_err(u64::from)),
                    16 => got((*p.cast::<AtomicU16>())
                        .compare_exchange(e as u16, n as u16, O, O)
                        .map(u64::from)
                        .map_err(u64::from)),
                    32 => got((*p.cast::<AtomicU32>())
                        .compare_exchange(e as u32, n as u32, O, O)
                        .map(u64::from)
                        .map_err(u64::from)),
                    _ => got((*p.cast::<AtomicU64>()).compare_exchange(e, n, O, O)),
                });
            }
            if w == 128 && a.is_multiple_of(16) {
                return Ok(cas128(p.cast(), expected, new));
            }
        }
        let old = u128::from_le_bytes(probe);
        if old == expected {
            self.write(addr, &new.to_le_bytes()[..bytes as usize])?;
        }
        Ok(old)
    }

    fn check_tags(&mut self, tags: Tags) {
        self.tags = tags;
    }

    fn tag(&mut self, addr: u64) -> Result<Option<u8>, Fault> {
        let a = self.guest.data_address(addr);
        self.retry(addr, 1, false, |a| {
            self.space.read(a, &mut [0]).map_err(|e| e.addr)
        })?;
        Ok(self.space.tag(a))
    }

    fn set_tag(&mut self, addr: u64, tag: u8) -> Result<(), Fault> {
        let a = self.guest.data_address(addr);
        let writable = || self.space.is_accessible(a, 1, Prot::WRITE);
        if !(writable() || self.space.fault(a) && writable()) {
            return Err(Fault {
                addr: a,
                write: true,
            });
        }
        self.space.set_tag(a, tag);
        Ok(())
    }
}

/// # Safety
/// `p` is aligned to 16 bytes, mapped and writable.
unsafe fn cas128(p: *mut u128, expected: u128, new: u128) -> u128 {
    let (mut lo, mut hi) = (expected as u64, (expected >> 64) as u64);
    // SAFETY: as the caller promises. rbx is the compiler's, so it is swapped in and out.
    unsafe {
        std::arch::asm!("xchg {nl}, rbx", "lock cmpxchg16b [{p}]", "mov rbx, {nl}",
            p = in(reg) p, nl = inout(reg) new as u64 => _, in("rcx") (new >> 64) as u64, inout("rax") lo, inout("rdx") hi);
    }
    u128::from(lo) | u128::from(hi) << 64
}

/// Memory with writes held back, for co-simulation: what was written, and on reads what would be there.
pub struct Overlay<'a> {
    pub below: Direct<'a>,
    pub written: std::collections::BTreeMap<u64, u8>,
    /// Memory that other processes may write to was accessed: what it holds a moment later is theirs to say.
    pub shared: bool,
}

impl Mem for Overlay<'_> {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        self.below.read(addr, buf)?;
        let a = self.below.guest.data_address(addr);
        self.shared |= self.below.space.is_shared_at(a);
        for (n, b) in buf.iter_mut().enumerate() {
            if let Some(&x) = self.written.get(&a.wrapping_add(n as u64)) {
                *b = x;
            }
        }
        Ok(())
    }

    fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let a = self.below.guest.data_address(addr);
        self.shared |= self.below.space.is_shared_at(a);
        for n in 0..data.len() as u64 {
            let at = a.wrapping_add(n);
            if !self
                .below
                .space
                .is_accessible(at, 1, crate::memory::Prot::WRITE)
                && !self.below.space.fault(at)
            {
                return Err(Fault {
                    addr: at,
                    write: true,
                });
            }
        }
        for (n, &b) in data.iter().enumerate() {
            self.written.insert(a.wrapping_add(n as u64), b);
        }
        Ok(())
    }

    fn check_tags(&mut self, tags: Tags) {
        self.below.check_tags(tags);
    }

    fn tag(&mut self, addr: u64) -> Result<Option<u8>, Fault> {
        self.below.tag(addr)
    }

    fn cas(&mut self, addr: u64, w: u8, expected: u128, new: u128) -> Result<u128, Fault> {
        let mut b = [0u8; 16];
        self.read(addr, &mut b[..usize::from(w / 8)])?;
        let old = u128::from_le_bytes(b);
        let data = if old == expected { new } else { old };
        self.write(addr, &data.to_le_bytes()[..usize::from(w / 8)])?;
        Ok(old)
    }
}
