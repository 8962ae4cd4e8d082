//! Executable memory, and who faults in it.

use crate::host::code::Entry;
use crate::host::{Answer, Cpu, FaultNote, Host, Native, NativeCpu, Pinning};
use crate::memory::fault::{self, HostFault, Stage};
use crate::pages;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Executable memory with the support code at its start.
pub struct Arena {
    base: usize,
    size: usize,
    used: AtomicUsize,
    /// What has memory.
    ready: AtomicUsize,
    entries: <Native as Host>::Entries,
    /// See [`Arena::release`].
    released: AtomicBool,
}

/// Memory is asked for in such pieces: a page fault for each page of code would cost a tenth of what translating does.
const STEP: usize = 128 << 10;
/// A cache line of the host.
const LINE: usize = 64;
/// Translations begin at multiples of this.
const GRAIN: usize = 16;

/// An arena as a signal handler finds it. They are never freed, and used again.
struct Known {
    /// 0: none.
    start: AtomicUsize,
    /// Stored last.
    end: AtomicUsize,
    landing: AtomicUsize,
    next: AtomicPtr<Known>,
}

impl Known {
    const fn new(start: usize) -> Self {
        Self {
            start: AtomicUsize::new(start),
            end: AtomicUsize::new(0),
            landing: AtomicUsize::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// All of them, used or not.
    fn all() -> impl Iterator<Item = &'static Self> {
        // SAFETY: what is linked is never freed.
        std::iter::successors(Some(&KNOWN), |k| unsafe {
            k.next.load(Ordering::Acquire).as_ref()
        })
    }

    /// An unused one, or a new one, with `start` in it.
    fn take(start: usize) -> &'static Self {
        let free = Self::all().find(|k| {
            k.start
                .compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        });
        free.unwrap_or_else(|| {
            let new: &'static mut Self = Box::leak(Box::new(Self::new(start)));
            let old = KNOWN.next.load(Ordering::Acquire);
            new.next = AtomicPtr::new(old);
            let new = ptr::from_mut(new);
            let mut old = old;
            while let Err(now) =
                KNOWN
                    .next
                    .compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire)
            {
                // SAFETY: nobody else knows it yet.
                unsafe { (*new).next = AtomicPtr::new(now) };
                old = now;
            }
            // SAFETY: leaked.
            unsafe { &*new }
        })
    }
}

static KNOWN: Known = Known::new(0);

/// Whether other threads see what is patched at `at` old or new, and nothing in between.
pub fn is_patched_whole(at: usize) -> bool {
    at % LINE + Native::PATCH_SIZE as usize <= LINE
}

/// The first place from `used` on that `fits`, or that is the start of a line.
fn place(used: usize, fits: impl Fn(usize) -> bool) -> usize {
    let mut at = used;
    while !at.is_multiple_of(LINE) && !fits(at) {
        at += GRAIN;
    }
    at
}

/// An arena is not made smaller than this of its own accord: with less room nearly every large program is translated
/// again and again.
const LEAST: usize = 8 << 20;

/// Whether the host's limits are what the last call met (ulimit -d and -v; all that may be written to counts
/// where vm.overcommit_memory is 2).
fn is_out_of_memory() -> bool {
    std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOMEM)
}

/// An error of mapping the cache, with what can be done where the host's limits are to blame.
fn advise(error: &str) -> String {
    let small = is_out_of_memory();
    let advice = "; -opt cache=2M takes less, ulimit -d or -v permits more";
    format!("{error}{}", if small { advice } else { "" })
}

/// Memory of `wanted` bytes; where there is no room for that, of a quarter or less, with as much again left
/// to all else: Python has not begun yet, and the guest wants memory, too.
fn mapped(wanted: usize) -> Result<(*mut u8, usize), String> {
    let map = |size| pages::map(size, pages::RWX, "translated code");
    let first = map(wanted);
    if first.is_ok() || !is_out_of_memory() {
        return first.map(|p| (p, wanted));
    }
    let mut size = wanted / 4;
    while size >= LEAST {
        if let Ok(p) = map(2 * size) {
            // SAFETY: the second half of a mapping that is ours and that nobody knows yet.
            unsafe { libc::munmap(p.add(size).cast(), size) };
            return Ok((p, size));
        }
        size /= 2;
    }
    first.map(|p| (p, wanted))
}

impl Arena {
    /// Maps `size` bytes, or less where there is no room for them.
    ///
    /// # Errors
    /// The host refuses memory that is both writable and executable.
    pub fn new(size: usize, pin: &Pinning) -> Result<Self, String> {
        let (p, size) = mapped(size).map_err(|error| advise(&error))?;
        let (code, entries) = Native::support(pin);
        let a = Self {
            base: p as usize,
            size,
            used: AtomicUsize::new(0),
            ready: AtomicUsize::new(0),
            entries,
            released: AtomicBool::new(false),
        };
        let at = a
            .alloc(code.len(), |_| true)
            .ok_or("the code cache is too small")?;
        a.write(at, &code);
        fault::add_claim(Stage::Take, claim).map_err(|e| e.to_string())?;
        fault::install().map_err(|e| e.to_string())?;
        let known = Known::take(a.base);
        known
            .landing
            .store(a.base + Native::entry(&entries, None), Ordering::Relaxed);
        known.end.store(a.base + size, Ordering::Release);
        Ok(a)
    }

    /// Gives the memory back. Nobody is in this code, and nobody enters it any more; its addresses may
    /// still be compared.
    pub fn release(&self) {
        if self.released.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(k) = Known::all().find(|k| k.start.load(Ordering::Relaxed) == self.base) {
            k.end.store(0, Ordering::Release);
            k.start.store(0, Ordering::Release);
        }
        // SAFETY: our mapping, which nobody uses.
        unsafe { libc::munmap(self.base as *mut libc::c_void, self.size) };
    }

    /// Room for `len` bytes at an address that `fits`, as the start of a cache line must. Other places are as good: how
    /// dense code is counts for more than where a line of it begins.
    #[must_use]
    pub fn alloc(&self, len: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let at = place(self.used.load(Ordering::Relaxed), fits);
        let next = (at + len).next_multiple_of(GRAIN);
        if next > self.size {
            return None;
        }
        self.used.store(next, Ordering::Relaxed);
        let ready = self.ready.load(Ordering::Relaxed);
        if next > ready {
            let end = next.next_multiple_of(STEP).min(self.size);
            let start = (self.base + ready) as *mut libc::c_void;
            // SAFETY: within the arena. Where the kernel cannot do it (before 5.14) pages come by faults.
            unsafe { libc::madvise(start, end - ready, libc::MADV_POPULATE_WRITE) };
            self.ready.store(end, Ordering::Relaxed);
        }
        Some(self.base + at)
    }

    /// Fills freshly allocated room.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        debug_assert!(at >= self.base && at + bytes.len() <= self.base + self.size);
        // SAFETY: within the arena, and nobody executes it yet.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
    }

    /// The address `offset` bytes into it.
    #[must_use]
    pub fn address(&self, offset: u32) -> usize {
        self.base + offset as usize
    }

    /// How far into it an address is. Arenas are smaller than 2 GiB, or jumps could not reach.
    #[must_use]
    pub fn offset(&self, address: usize) -> u32 {
        (address - self.base) as u32
    }

    /// The code at `at`. Exits may be being patched.
    pub fn code(&self, at: usize, len: usize) -> &[u8] {
        assert!(at >= self.base && at + len <= self.end());
        // SAFETY: within the arena. A displacement that another thread patches meanwhile may be read
        // old or new; whoever copies code sets them all.
        unsafe { std::slice::from_raw_parts(at as *const u8, len) }
    }

    /// Where the next code goes.
    pub fn end(&self) -> usize {
        self.base + self.used.load(Ordering::Relaxed)
    }

    /// Makes the exit at offset `at` go to `target`. Other threads may be running it: what is patched does not cross a
    /// cache line, so they see the old or the new target.
    pub fn patch(&self, at: u32, target: usize) {
        let at = self.address(at);
        debug_assert!(is_patched_whole(at), "an exit crosses a cache line");
        let to = u32::from_ne_bytes(Native::patch(at, target));
        // SAFETY: within the arena; see above.
        unsafe { ptr::write_volatile(at as *mut Unaligned, Unaligned(to)) };
    }

    /// Address of a support entry.
    #[must_use]
    pub fn entry(&self, e: Entry) -> usize {
        self.base + Native::entry(&self.entries, Some(e))
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Runs translated code at `host` until it leaves.
    ///
    /// # Safety
    /// `host` is a translation in this arena, `cpu` is prepared for it, and this thread knows the guest's base.
    pub unsafe fn enter(&self, cpu: *mut NativeCpu, host: usize) -> Answer {
        // SAFETY: as the caller promises.
        unsafe { Native::enter(self.base, &self.entries, cpu, host) }
    }

    /// Goes on at [`Cpu::resume_at`] with all registers as they were at the fault that made code leave.
    ///
    /// # Safety
    /// As [`Self::enter`].
    pub unsafe fn resume(&self, cpu: *mut NativeCpu) -> Answer {
        // SAFETY: as the caller promises.
        unsafe { Native::resume(self.base, &self.entries, cpu) }
    }
}

/// What is patched, at any address.
#[repr(C, packed)]
struct Unaligned(u32);

impl Drop for Arena {
    fn drop(&mut self) {
        // No core is in it: each holds a reference.
        self.release();
    }
}

/// A fault of translated code: remember it and leave by the landing.
fn claim(f: &mut HostFault<'_>) -> bool {
    let pc = f.pc();
    let inside =
        |k: &Known| pc >= k.start.load(Ordering::Acquire) && pc < k.end.load(Ordering::Acquire);
    let Some(k) = Known::all().find(|k| inside(k)) else {
        return false;
    };
    if !f.is_synchronous() {
        return false;
    }
    let landing = k.landing.load(Ordering::Relaxed);
    // A general protection fault (a non-canonical address) has no address.
    let address = if f.info.si_code == 128 {
        usize::MAX
    } else {
        f.address()
    };
    // SAFETY: translated code was running, so the host knows whose.
    let cpu = unsafe { &mut *Native::faulted(f) };
    cpu.set_fault(FaultNote {
        pc,
        addr: address as u64,
        write: f.is_write(),
        bus: f.signal == libc::SIGBUS,
        float: f.signal == libc::SIGFPE,
    });
    f.resume_at(landing);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_such_that_no_exit_crosses_a_line() {
        let fits = |exit: usize| move |at: usize| is_patched_whole(at + exit);
        // 16 + 46 is two bytes before the end of a line.
        assert_eq!(place(16, fits(46)), 32);
        assert_eq!(place(16, fits(44)), 16);
        // Only the start of a line is right for all of a translation whose exits are everywhere.
        let all = |at: usize| [1, 13, 29, 46].iter().all(|exit| fits(*exit)(at));
        assert_eq!(place(16, all), 64);
        assert_eq!(place(64, |_| false), 64);
    }
}
