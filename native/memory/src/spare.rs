//! The allocator: the C library's, and a little memory for when that has none.
//!
//! Rust aborts the process when an allocation fails. Where a guest, or its neighbours, have used up the
//! memory that there is (an RLIMIT_AS or RLIMIT_DATA of the host, a full commit limit, all mappings), its
//! calls are to fail with ENOMEM, and they need some memory to come to that. So what the C library refuses is
//! taken from a pool in the library's .bss, which costs nothing as long as nobody touches it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SIZE: usize = 4 << 20;
/// Blocks are powers of two from here, and aligned to their size.
const SMALLEST: usize = 64;
const CLASSES: usize = (SIZE / SMALLEST).ilog2() as usize + 1;

/// Bytes of pools that are in use.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Whether so much of the pool is gone that the guest is to get nothing more that takes memory of ours.
#[must_use]
pub fn is_low() -> bool {
    IN_USE.load(Ordering::Relaxed) > SIZE / 8
}

#[repr(align(4096))]
struct Bytes(UnsafeCell<[u8; SIZE]>);

/// What has been given back, by size: each block begins with the address of the next.
struct Lists {
    free: [usize; CLASSES],
    /// How much of the pool was handed out once.
    used: usize,
}

/// The C library's allocator with the pool behind it.
pub struct Spare {
    bytes: Bytes,
    lists: UnsafeCell<Lists>,
    locked: AtomicBool,
}

// SAFETY: `lists` and the free blocks are only touched by who holds `locked`.
unsafe impl Sync for Spare {}

impl Default for Spare {
    fn default() -> Self {
        Self::new()
    }
}

impl Spare {
    /// With all of the pool left.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Bytes(UnsafeCell::new([0; SIZE])),
            lists: UnsafeCell::new(Lists {
                free: [0; CLASSES],
                used: 0,
            }),
            locked: AtomicBool::new(false),
        }
    }

    fn start(&self) -> usize {
        self.bytes.0.get() as usize
    }

    fn owns(&self, block: *const u8) -> bool {
        (block as usize).wrapping_sub(self.start()) < SIZE
    }

    /// Runs `f` with the lists; None if they stay locked, as in a child whose parent forked while
    /// another thread was here.
    fn with<T>(&self, f: impl FnOnce(&mut Lists) -> T) -> Option<T> {
        let free = || {
            self.locked
                .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        };
        let got = (0..1_000_000).any(|_| {
            std::hint::spin_loop();
            free()
        });
        got.then(|| {
            // SAFETY: the lock is ours.
            let result = f(unsafe { &mut *self.lists.get() });
            self.locked.store(false, Ordering::Release);
            result
        })
    }

    fn take(&self, layout: Layout) -> *mut u8 {
        let size = layout.size().max(layout.align()).max(SMALLEST);
        let Some(size) = size.checked_next_power_of_two().filter(|&s| s <= SIZE) else {
            return ptr::null_mut();
        };
        let found = self.with(|lists| {
            let list = &mut lists.free[class(size)];
            if *list != 0 {
                let block = *list as *mut usize;
                // SAFETY: a free block of the pool holds the address of the next one.
                *list = unsafe { *block };
                return block.cast();
            }
            let start = lists.used.next_multiple_of(size);
            if size > SIZE - start.min(SIZE) || layout.align() > 4096 {
                return ptr::null_mut();
            }
            lists.used = start + size;
            (self.start() + start) as *mut u8
        });
        let block: *mut u8 = found.unwrap_or(ptr::null_mut());
        if !block.is_null() {
            IN_USE.fetch_add(size, Ordering::Relaxed);
        }
        block
    }

    fn give_back(&self, block: *mut u8, layout: Layout) {
        let size = layout.size().max(layout.align()).max(SMALLEST);
        let size = size.next_power_of_two();
        let list = class(size);
        IN_USE.fetch_sub(size, Ordering::Relaxed);
        self.with(|lists| {
            // SAFETY: the block is the pool's, of at least SMALLEST bytes, and nobody's any more.
            unsafe { *block.cast::<usize>() = lists.free[list] };
            lists.free[list] = block as usize;
        });
    }
}

fn class(size: usize) -> usize {
    (size / SMALLEST).ilog2() as usize
}

// SAFETY: blocks come from the C library's allocator or are disjoint parts of the pool that are large and
// aligned enough; each goes back to where it came from.
unsafe impl GlobalAlloc for Spare {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps GlobalAlloc's contract.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() {
            return self.take(layout);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = self.take(layout);
        if !block.is_null() {
            // SAFETY: of that size, and ours alone.
            unsafe { ptr::write_bytes(block, 0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.owns(block) {
            self.give_back(block, layout);
        } else {
            // SAFETY: as above.
            unsafe { System.dealloc(block, layout) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.owns(block) {
            // SAFETY: as above.
            let new = unsafe { System.realloc(block, layout, size) };
            if !new.is_null() {
                return new;
            }
        }
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
            return ptr::null_mut();
        };
        // SAFETY: as above; both blocks have as many bytes as are copied.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_of_the_pool_are_apart_and_come_back() {
        static POOL: Spare = Spare::new();
        let pool = &POOL;
        let sizes = [1, 64, 65, 848, 4096, 5000, 100];
        let blocks: Vec<_> = sizes
            .iter()
            .map(|&size| pool.take(layout(size, 16)))
            .collect();
        for (n, (&block, &size)) in blocks.iter().zip(&sizes).enumerate() {
            assert!(pool.owns(block) && (block as usize).is_multiple_of(64));
            // SAFETY: of that size.
            unsafe { ptr::write_bytes(block, n as u8, size) };
        }
        for (n, (&block, &size)) in blocks.iter().zip(&sizes).enumerate() {
            // SAFETY: as above.
            assert!((0..size).all(|at| usize::from(unsafe { *block.add(at) }) == n));
            // SAFETY: taken from there.
            unsafe { pool.dealloc(block, layout(size, 16)) };
        }
        assert_eq!(pool.take(layout(800, 16)), blocks[3]);
        assert!(pool.take(layout(SIZE + 1, 16)).is_null());
        assert!(pool.take(layout(SIZE, 16)).is_null());
    }

    #[test]
    fn what_is_in_the_pool_can_grow_out_of_it() {
        static POOL: Spare = Spare::new();
        let pool = &POOL;
        let block = pool.take(layout(100, 8));
        // SAFETY: the block is the pool's and has 100 bytes.
        unsafe {
            ptr::write_bytes(block, 7, 100);
            let new = pool.realloc(block, layout(100, 8), 10_000);
            assert!(!pool.owns(new));
            assert!((0..100).all(|at| *new.add(at) == 7));
            pool.dealloc(new, layout(10_000, 8));
        }
    }
}
