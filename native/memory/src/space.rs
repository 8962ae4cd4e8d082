//! [`AddressSpace`]: what is shared by all threads of a guest process.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::capacity::{CUT, Capacity};
use super::copy;
use super::notice::{Hub, HubGuard, NoticeReader};
use super::region::{Backing, Flags, Region};
use super::regions::{RegionSet, STACK_GUARD_GAP};
use super::reserve::{MAP_WINDOW, reserve};
use super::tags::without_tag;
use super::types::{Errno, PAGE_SIZE, Prot};
use super::window::{Window, soft_limit};

/// How to lay out an address space.
#[derive(Clone, Copy, Debug)]
pub struct SpaceConfig {
    /// 32 for a 32-bit guest (a 4 GiB window). Else the most bits that the guest may have
    /// (`reserve.rs` says what it gets).
    pub va_bits: u8,
    /// Where guest address 0 is to be in the host (`-B`).
    pub guest_base: Option<u64>,
    /// The size of the window (`-R`).
    pub reserved_va: Option<u64>,
    /// The lowest address that the guest may map in any case; below, the host decides (`low.rs`).
    pub mmap_min_addr: u64,
    /// The guest's page size: a power of two, and no less than the host's.
    pub page_size: u64,
    /// The host's processor executes what is in it: guest addresses are host addresses (`reserve.rs`).
    pub executes: bool,
}

impl Default for SpaceConfig {
    fn default() -> Self {
        Self {
            va_bits: 64,
            guest_base: None,
            reserved_va: None,
            mmap_min_addr: 0x1_0000,
            page_size: PAGE_SIZE,
            executes: false,
        }
    }
}

/// Where a 32-bit ARM kernel puts its vectors page; stacks and mappings stay below.
const TOP_OF_32: u64 = 0xffff_0000;

/// What the lock protects.
#[derive(Debug)]
pub(super) struct Maps {
    pub regions: RegionSet,
    /// The guest's, in bytes.
    pub page_size: u64,
    /// Mappings are placed downwards from here.
    pub mmap_base: u64,
    pub brk_start: u64,
    pub brk: u64,
    /// `mlockall(MCL_FUTURE)`: flags of regions to come.
    pub lock_future: Flags,
    /// The next [`super::Backing::SharedAnonymous`] object.
    pub next_object: u64,
    pub capacity: Capacity,
    /// See `kernel_words.rs`.
    pub kernel_words: Vec<u64>,
}

impl Maps {
    /// Nothing is mapped below `limit`.
    fn empty(limit: u64, page_size: u64) -> Self {
        let base = default_mmap_base(limit.min(MAP_WINDOW));
        Self {
            regions: RegionSet::new(limit),
            page_size,
            mmap_base: floor(base, page_size).max(page_size),
            brk_start: 0,
            brk: 0,
            lock_future: Flags::NONE,
            next_object: 1,
            capacity: Capacity::default(),
            kernel_words: Vec::new(),
        }
    }

    /// Makes sure that a call that may cut a mapping in pieces does not take the host's last ones.
    pub fn spend_cut(&mut self) -> Result<(), Errno> {
        self.capacity.spend(CUT, self.regions.ranges())
    }
}

/// The memory of one guest process.
pub struct AddressSpace {
    pub(super) window: Window,
    pub(super) maps: RwLock<Maps>,
    pub(super) hub: Arc<Hub>,
    pub(super) min_addr: u64,
    page_size: u64,
    executes: bool,
    /// Copy of [`RegionSet::writable_code`], readable without the lock.
    writable_code: AtomicUsize,
    /// Copy of [`RegionSet::writable_shared`].
    writable_shared: AtomicUsize,
    /// The guest's RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK; `u64::MAX` is none.
    pub(super) limit_as: AtomicU64,
    pub(super) limit_data: AtomicU64,
    pub(super) limit_stack: AtomicU64,
    /// `READ_IMPLIES_EXEC` of the guest's personality.
    pub(super) read_implies_exec: AtomicBool,
    /// Bits of protections beyond the usual ones that mean something to the guest.
    pub(super) own_protections: AtomicI32,
    /// [`Flags`] that mappings have, or had, because of those.
    pub(super) uses: AtomicU16,
    /// See `granules.rs`.
    pub(super) tags: AtomicU64,
    /// This process was forked and still has the mappings that it began with.
    inherited: AtomicBool,
    /// See `kernel_words.rs`.
    pub(super) kernel_word_changes: AtomicU64,
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        self.drop_tags();
    }
}

/// Keeps the address space as it is while a thread forks.
pub struct ForkGuard<'a> {
    // Order matters: fields drop from the top.
    _hub: HubGuard<'a>,
    _maps: RwLockWriteGuard<'a, Maps>,
}

impl AddressSpace {
    /// Reserves the guest's memory.
    pub fn new(config: SpaceConfig) -> io::Result<Arc<Self>> {
        let page_size = config.page_size;
        if page_size < PAGE_SIZE || !page_size.is_power_of_two() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        copy::prepare()?;
        let window = reserve(&config)?;
        let limit = window.limit();
        let maps = Maps::empty(limit, page_size);
        let stack = soft_limit(libc::RLIMIT_STACK).unwrap_or(u64::MAX);
        Ok(Arc::new(Self {
            window,
            maps: RwLock::new(maps),
            hub: Arc::default(),
            min_addr: config.mmap_min_addr.next_multiple_of(page_size),
            page_size,
            executes: config.executes,
            writable_code: AtomicUsize::new(0),
            writable_shared: AtomicUsize::new(0),
            limit_as: AtomicU64::new(u64::MAX),
            limit_data: AtomicU64::new(u64::MAX),
            limit_stack: AtomicU64::new(stack),
            read_implies_exec: AtomicBool::new(false),
            own_protections: AtomicI32::new(0),
            uses: AtomicU16::new(0),
            tags: AtomicU64::new(0),
            inherited: AtomicBool::new(false),
            kernel_word_changes: AtomicU64::new(0),
        }))
    }

    /// The guest's page size in bytes.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.page_size
    }

    /// Whether the host's processor executes what is in it.
    #[must_use]
    pub fn executes(&self) -> bool {
        self.executes
    }

    /// The protection of the host mapping for memory with these rights.
    pub(super) fn host_prot(&self, prot: Prot) -> i32 {
        prot.host(self.executes)
    }

    /// Rounds down to a boundary of the guest's pages.
    pub(super) fn page_floor(&self, n: u64) -> u64 {
        floor(n, self.page_size)
    }

    /// Rounds up to one; wraps to 0 at the very end as the kernel's `PAGE_ALIGN` does.
    pub(super) fn page_ceil(&self, n: u64) -> u64 {
        floor(n.wrapping_add(self.page_size - 1), self.page_size)
    }

    /// Host address of guest address 0.
    #[must_use]
    pub fn base(&self) -> *mut u8 {
        self.window.base() as *mut u8
    }

    /// The first address that can never be the guest's (the kernel's TASK_SIZE).
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.window.limit()
    }

    /// The end of where things are placed that have no address of their own (the kernel's
    /// `DEFAULT_MAP_WINDOW`).
    #[must_use]
    pub fn map_window(&self) -> u64 {
        self.limit().min(MAP_WINDOW)
    }

    /// The host's view of a guest range. Only that it is the guest's is checked: whether it is
    /// accessible can change at any moment, so use [`AddressSpace::read`] and
    /// [`AddressSpace::write`] to look at it.
    #[must_use]
    pub fn host_ptr(&self, addr: u64, len: u64) -> Option<*mut u8> {
        if !self.call_may_access(addr, len) {
            return None;
        }
        self.window
            .host(addr, len)
            .or_else(|| self.window.host(without_tag(addr)?, len))
            .map(|host| host as *mut u8)
    }

    /// The guest address of a host one, if that is the guest's. Async-signal-safe.
    #[must_use]
    pub fn guest_addr(&self, host: usize) -> Option<u64> {
        self.window.guest(host as u64)
    }

    pub(super) fn read_maps(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write_maps(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called after regions changed, with the lock still held.
    pub(super) fn regions_changed(&self, maps: &Maps) {
        self.writable_code
            .store(maps.regions.writable_code(), Ordering::Relaxed);
        self.writable_shared
            .store(maps.regions.writable_shared(), Ordering::Relaxed);
    }

    /// Whether the guest can write to memory that another process may have mapped, too.
    #[must_use]
    pub fn shares_memory(&self) -> bool {
        self.writable_shared.load(Ordering::Relaxed) > 0
    }

    /// The protection of the page at `addr`; `None` when nothing is mapped there.
    #[must_use]
    pub fn prot_at(&self, addr: u64) -> Option<Prot> {
        self.read_maps()
            .regions
            .find(addr)
            .map(|region| region.prot)
    }

    /// Whether what is mapped at `addr` has this name of the kernel's ([`AddressSpace::set_name`]).
    #[must_use]
    pub fn is_special(&self, addr: u64, name: &str) -> bool {
        let maps = self.read_maps();
        let region = maps.regions.find(addr);
        region
            .is_some_and(|region| matches!(&region.backing, Backing::Special(of) if **of == *name))
    }

    /// The flags of the mapping at `addr`.
    #[must_use]
    pub fn flags_at(&self, addr: u64) -> Flags {
        let maps = self.read_maps();
        maps.regions
            .find(addr)
            .map_or(Flags::NONE, |region| region.flags)
    }

    /// Which flags that are this ISA's alone ([`Flags::OWN`]) mappings of the program have, or had. Nearly free.
    #[must_use]
    pub fn uses(&self) -> Flags {
        Flags::from_bits(self.uses.load(Ordering::Acquire))
    }

    /// Which bits of protections beyond the usual ones mean something on the guest's processor; to be told before
    /// its program is mapped.
    pub fn set_own_protections(&self, bits: i32) {
        self.own_protections.store(bits, Ordering::Relaxed);
    }

    /// Whether a file is mapped at `addr`.
    #[must_use]
    pub fn is_file_at(&self, addr: u64) -> bool {
        let maps = self.read_maps();
        let region = maps.regions.find(addr);
        region.is_some_and(|region| matches!(region.backing, Backing::File { .. }))
    }

    /// Whether another process may have the memory at `addr` mapped, too (`MAP_SHARED`).
    #[must_use]
    pub fn is_shared_at(&self, addr: u64) -> bool {
        let maps = self.read_maps();
        maps.regions.find(addr).is_some_and(Region::is_shared)
    }

    /// The protection of the page at `addr` and whether the page may be missing all the same,
    /// since it is an object's that may be shorter than its mapping.
    #[must_use]
    pub fn page_at(&self, addr: u64) -> Option<(Prot, bool)> {
        let maps = self.read_maps();
        let region = maps.regions.find(addr)?;
        Some((region.prot, region.backing.may_end()))
    }

    /// Whether an access that gave SIGSEGV met a guard of `MADV_GUARD_INSTALL`: the records permit it.
    /// (So they do when another thread has just permitted it.)
    #[must_use]
    pub fn is_guarded(&self, addr: u64, access: Prot) -> bool {
        self.prot_at(addr)
            .is_some_and(|prot| prot.effective().contains(access))
    }

    /// The mapping at `addr`.
    #[must_use]
    pub fn region_at(&self, addr: u64) -> Option<Region> {
        self.read_maps().regions.find(addr).cloned()
    }

    /// All mappings in order of address.
    #[must_use]
    pub fn regions(&self) -> Vec<Region> {
        self.read_maps().regions.iter().cloned().collect()
    }

    /// Whether the guest may access all of a range in the ways of `prot`.
    #[must_use]
    pub fn is_accessible(&self, addr: u64, len: u64, prot: Prot) -> bool {
        let Some(end) = addr.checked_add(len) else {
            return false;
        };
        let maps = self.read_maps();
        maps.regions.first_hole(addr, end).is_none()
            && maps
                .regions
                .meeting(addr, end)
                .all(|r| r.prot.effective().contains(prot))
    }

    /// Whether a write to the range may change code that the guest can execute. Nearly free
    /// as long as the guest has no memory that is both writable and executable.
    #[must_use]
    pub fn write_touches_code(&self, addr: u64, len: u64) -> bool {
        self.writable_code.load(Ordering::Relaxed) > 0 && {
            let end = addr.saturating_add(len);
            self.read_maps()
                .regions
                .meeting(addr, end)
                .any(|r| r.prot.is_exec())
        }
    }

    /// Tells the cores that the emulator itself changed code in `start..end`.
    pub fn notify_code_write(&self, start: u64, end: u64) {
        self.hub.announce(false, Some((start, end)));
    }

    /// Tells the cores that files may have become shorter: pages of their mappings that could be
    /// accessed may give SIGBUS now.
    pub fn notify_shorter_files(&self) {
        self.hub.announce(true, None);
    }

    /// A new reader of changes, for a core.
    #[must_use]
    pub fn subscribe(&self) -> NoticeReader {
        self.hub.subscribe(None)
    }

    /// Like [`AddressSpace::subscribe`], and has `kick` called after each change by the
    /// thread that made it. The space is locked meanwhile: `kick` may only set flags and
    /// send signals.
    #[must_use]
    pub fn subscribe_with_kick(&self, kick: Box<dyn Fn() + Send + Sync>) -> NoticeReader {
        self.hub.subscribe(Some(kick))
    }

    /// A page fault of the guest at `addr`: grows the stack region above it as the kernel
    /// does. True when the access should be tried again.
    pub fn fault(&self, addr: u64) -> bool {
        if addr >= self.limit() || addr < self.min_addr {
            return false;
        }
        let start = self.page_floor(addr);
        let above = |maps: &Maps| {
            maps.regions
                .find_from(addr)
                .map(|r| (r.start, r.end, r.flags.has(Flags::GROWSDOWN)))
        };
        // Nearly every fault is a plain one: see that without stopping the other threads.
        if !above(&self.read_maps()).is_some_and(|(low, _, grows)| grows && addr < low) {
            return false;
        }
        let mut maps = self.write_maps();
        let Some((low, end, true)) = above(&maps) else {
            return false;
        };
        if low <= addr {
            // Another thread was faster.
            return true;
        }
        if end - start > self.limit_stack.load(Ordering::Relaxed) {
            return false;
        }
        if let Some(before) = maps.regions.find_before(low) {
            let apart = before.flags.has(Flags::GROWSDOWN) || before.prot.is_none();
            if start < before.end || (!apart && start - before.end < STACK_GUARD_GAP) {
                return false;
            }
        }
        self.grow_down(&mut maps, low, start).is_ok()
    }

    /// Sets the guest's own limits (`None`: unlimited). They cannot be the host process's:
    /// the reservation alone would exceed RLIMIT_AS.
    pub fn set_rlimits(&self, space: Option<u64>, data: Option<u64>, stack: Option<u64>) {
        self.limit_as
            .store(space.unwrap_or(u64::MAX), Ordering::Relaxed);
        self.limit_data
            .store(data.unwrap_or(u64::MAX), Ordering::Relaxed);
        self.limit_stack
            .store(stack.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// `READ_IMPLIES_EXEC` of personality(2), which kernels set for old programs that
    /// have no PT_GNU_STACK.
    pub fn set_read_implies_exec(&self, on: bool) {
        self.read_implies_exec.store(on, Ordering::Relaxed);
    }

    /// Where mappings are placed downwards from.
    #[must_use]
    pub fn mmap_base(&self) -> u64 {
        self.read_maps().mmap_base
    }

    pub fn set_mmap_base(&self, addr: u64) {
        self.write_maps().mmap_base = self.page_floor(addr.min(self.map_window()));
    }

    /// Takes all locks, for the thread that forks to hold across the fork.
    #[must_use]
    pub fn lock_for_fork(&self) -> ForkGuard<'_> {
        let maps = self.write_maps();
        ForkGuard {
            _hub: self.hub.lock_for_fork(),
            _maps: maps,
        }
    }

    /// In a forked child: makes the ranges reservation again that `MADV_DONTFORK` left out.
    pub fn after_fork_in_child(&self) {
        self.inherited.store(true, Ordering::Relaxed);
        let mut maps = self.write_maps();
        let gone: Vec<(u64, u64)> = maps
            .regions
            .iter()
            .filter(|r| r.flags.has(Flags::DONTFORK))
            .map(|r| (r.start, r.end))
            .collect();
        for (start, end) in gone {
            // The host has nothing there, so this cannot fail but for lack of memory, and
            // then nothing else will work either.
            let _ = self.window.release(start, end - start);
            maps.regions.remove(start, end);
            self.renew_tags(&maps, start, end);
        }
        // Memory locks are not inherited either (man 2 fork).
        maps.lock_future = Flags::NONE;
        let locked = |r: &Region| r.flags.has(Flags::LOCKED);
        if maps.regions.iter().any(locked) {
            let limit = self.limit();
            maps.regions
                .change(0, limit, |r| r.flags = r.flags.without(Flags::LOCKED_ANY));
        }
        self.regions_changed(&maps);
        self.hub.announce(true, None);
    }

    /// Unmaps everything, for an `execve` that stays in this process.
    pub fn clear(&self) -> Result<(), Errno> {
        let mut maps = self.write_maps();
        let limit = self.limit();
        self.window.release(0, limit)?;
        self.window.give_back(0, limit);
        let old = std::mem::replace(&mut *maps, Maps::empty(limit, self.page_size));
        if self.inherited.swap(false, Ordering::Relaxed) {
            // Freeing would write to, and so copy, the pages that the parent has them in.
            std::mem::forget(old);
        }
        self.regions_changed(&maps);
        self.uses.store(0, Ordering::Release);
        self.forget_tags();
        self.kernel_words_are_gone();
        self.hub.announce(true, Some((0, limit)));
        Ok(())
    }
}

/// Rounds down to a multiple of a power of two.
const fn floor(n: u64, unit: u64) -> u64 {
    n & !(unit - 1)
}

/// Where the kernel's `mmap_base` would be: below the stack and as much room as it may need.
fn default_mmap_base(limit: u64) -> u64 {
    let top = if limit == 1 << 32 { TOP_OF_32 } else { limit };
    let stack = soft_limit(libc::RLIMIT_STACK).unwrap_or(u64::MAX);
    let most = top / 6 * 5;
    let least = (128 << 20).min(most);
    top - stack.saturating_add(STACK_GUARD_GAP).clamp(least, most)
}
