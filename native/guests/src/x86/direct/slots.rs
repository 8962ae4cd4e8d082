//! What each host thread has for guests: a [`Block`], and the stack on which its signals are handled.
//!
//! In the guest the FS base is not the emulator's, so that nothing finds the thread's variables. A handler finds the block
//! by its stack: both are in one slot, whose size is a power of two, and all slots are in one region.

use std::cell::Cell;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::PR_SET_SYSCALL_USER_DISPATCH;
use super::PR_SYS_DISPATCH_OFF;
use super::entry::Block;
use super::signals;

pub const SLOT: usize = 256 << 10;
/// The block, and inaccessible memory behind it.
const HEAD: usize = 4096;
const GUARD: usize = 4096;
const COUNT: usize = 32768;
const PR_SYS_DISPATCH_ON: i32 = 1;

/// Where the region is, and how long. The handlers' entry reads them.
pub static REGION: AtomicUsize = AtomicUsize::new(0);
pub static REGION_SIZE: AtomicUsize = AtomicUsize::new(0);
/// Which slots are somebody's.
static TAKEN: [AtomicU64; COUNT / 64] = [const { AtomicU64::new(0) }; COUNT / 64];

/// Reserves the region; a second time is harmless. Under a limit it is smaller.
pub fn reserve() -> Result<(), String> {
    if REGION.load(Ordering::SeqCst) != 0 {
        return Ok(());
    }
    for count in [COUNT, 256, 16] {
        let size = (count + 1) * SLOT;
        // SAFETY: a new mapping that replaces nothing.
        let got = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if got != libc::MAP_FAILED {
            REGION_SIZE.store(count * SLOT, Ordering::SeqCst);
            REGION.store((got as usize).next_multiple_of(SLOT), Ordering::SeqCst);
            return Ok(());
        }
    }
    Err(format!(
        "the core direct: no room for its threads: {}",
        io::Error::last_os_error()
    ))
}

/// Gives its slot back when the thread ends.
struct Own(Cell<*mut Block>);

impl Drop for Own {
    fn drop(&mut self) {
        let block = self.0.replace(ptr::null_mut());
        if block.is_null() {
            return;
        }
        // SAFETY: nothing of the guest runs in this thread any more.
        unsafe {
            libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
            let mut stack: libc::stack_t = std::mem::zeroed();
            stack.ss_flags = libc::SS_DISABLE;
            libc::sigaltstack(&raw const stack, ptr::null_mut());
        }
        let index = (block as usize - REGION.load(Ordering::SeqCst)) / SLOT;
        TAKEN[index / 64].fetch_and(!(1 << (index % 64)), Ordering::SeqCst);
    }
}

thread_local! {
    static OWN: Own = const { Own(Cell::new(ptr::null_mut())) };
}

fn take() -> Option<usize> {
    let count = REGION_SIZE.load(Ordering::SeqCst) / SLOT;
    for (place, word) in TAKEN.iter().enumerate().take(count.div_ceil(64)) {
        loop {
            let now = word.load(Ordering::SeqCst);
            let free = now.trailing_ones() as usize;
            if free == 64 || place * 64 + free >= count {
                break;
            }
            let new = now | 1 << free;
            if word
                .compare_exchange(now, new, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
            {
                return Some(place * 64 + free);
            }
        }
    }
    None
}

/// The calling thread's block.
///
/// # Errors
/// There is no room.
pub fn block() -> io::Result<*mut Block> {
    let own = OWN.with(|own| own.0.get());
    if !own.is_null() {
        return Ok(own);
    }
    let no_room = || io::Error::from_raw_os_error(libc::ENOMEM);
    let index = take().ok_or_else(no_room)?;
    let at = REGION.load(Ordering::SeqCst) + index * SLOT;
    let stack = at + HEAD + GUARD;
    for (start, len) in [(at, HEAD), (stack, SLOT - HEAD - GUARD)] {
        // SAFETY: within the slot, which is this thread's.
        let done = unsafe {
            libc::mprotect(
                start as *mut libc::c_void,
                len,
                libc::PROT_READ | libc::PROT_WRITE,
            )
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let block = at as *mut Block;
    let host_fs: u64;
    // SAFETY: FSGSBASE is there (`prepare`); the page is writable and this thread's.
    unsafe {
        std::arch::asm!("rdfsbase {}", out(reg) host_fs, options(nomem, nostack));
        block.write(Block {
            selector: 0,
            mode: 0,
            state: ptr::null_mut(),
            host_fs,
        });
    }
    OWN.with(|own| own.0.set(block));
    Ok(block)
}

/// Has the calling thread's signals handled on the block's stack, and the system calls of its guest dispatched. Neither is
/// inherited by a new process or thread.
pub fn arm(block: *mut Block) -> io::Result<()> {
    let stack = libc::stack_t {
        ss_sp: (block as usize + HEAD + GUARD) as *mut libc::c_void,
        ss_flags: 0,
        ss_size: SLOT - HEAD - GUARD,
    };
    let outside = signals::return_code();
    // SAFETY: the stack and the selector are the thread's as long as it lives.
    let done = unsafe {
        libc::sigaltstack(&raw const stack, ptr::null_mut()) == 0
            && libc::prctl(
                PR_SET_SYSCALL_USER_DISPATCH,
                PR_SYS_DISPATCH_ON,
                outside.start,
                outside.len(),
                &raw mut (*block).selector,
            ) == 0
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
