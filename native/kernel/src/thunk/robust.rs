//! Waits for a robust futex whose owner may be dead.
//!
//! A kernel walks the robust list of each thread that ends, and marks the futexes which that holds
//! (kernel/futex/core.c, `exit_robust_list`). The host's cannot walk a guest's list, whose pointers are guest addresses;
//! when the emulator is there at the end of a thread, it does so itself (`process/robust.rs`). It is not
//! when the host kernel kills it: SIGKILL, the default actions, the end of memory. So who
//! sleeps for a futex that another process may hold wakes now and then, and looks whether that one is still alive.
//!
//! Such a futex is known by its value: the owner's tid and FUTEX_WAITERS (Documentation/locking/robust-futex-ABI.rst). Futexes with
//! such a value that are in no robust list (musl's recursive mutexes) get FUTEX_OWNER_DIED as
//! well; who does not expect that goes on waiting, as for any other change of an owner.

use std::sync::atomic::{AtomicU32, Ordering};

use super::exec::Call;
use super::host::safe_syscall;

// include/uapi/linux/futex.h
const TID_MASK: u32 = 0x3fff_ffff;
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;
const ANY: u64 = 0xffff_ffff;

/// Nanoseconds between two looks at the owner: at first, and at most.
const FIRST: i64 = 10_000_000;
const MOST: i64 = 160_000_000;
const SECOND: i64 = 1_000_000_000;

/// Not in the libc crate (asm-generic/unistd.h).
const SYS_FUTEX_WAIT: i64 = 455;
/// Of include/uapi/linux/futex.h, for futex_wait(2) and futex_waitv(2).
const FUTEX2_SIZE_MASK: u32 = 3;
const FUTEX2_SIZE_U32: u32 = 2;
const FUTEX2_PRIVATE: u32 = 128;
const FUTEX_WAITV_MAX: usize = 128;
const FUTEX_LOCK_PI2: i32 = 13;

/// Whether calls of the host's number `host` may wait for an owner.
#[must_use]
pub(super) fn is_of(host: u16) -> bool {
    [libc::SYS_futex, SYS_FUTEX_WAIT, libc::SYS_futex_waitv].contains(&host.into())
}

/// struct futex_waitv
#[repr(C)]
#[derive(Clone, Copy)]
struct WaitV {
    val: u64,
    uaddr: u64,
    flags: u32,
    reserved: u32,
}

/// A futex that another process may hold.
#[derive(Clone, Copy)]
struct Held {
    /// Where on the host, and the word there that the guest waits to change.
    word: u64,
    raw: u32,
    owner: i32,
    /// What the call returns that is woken there.
    result: i64,
}

/// A wait, as the guest wants it.
struct Wait {
    held: Vec<Held>,
    clock: libc::clockid_t,
    /// In nanoseconds of that clock.
    deadline: Option<i64>,
    /// The host's call with a deadline in its argument `time`.
    call: [u64; 6],
    time: usize,
}

impl Call<'_> {
    /// Makes a futex(2), futex_wait(2) or futex_waitv(2) call.
    pub(super) fn make_futex(&mut self, host: u16, args: &mut [u64; 6]) -> i64 {
        let wait = match i64::from(host) {
            SYS_FUTEX_WAIT => self.futex_wait(args),
            libc::SYS_futex_waitv => self.futex_waitv(args),
            _ => match args[1] as i32 & libc::FUTEX_CMD_MASK {
                libc::FUTEX_LOCK_PI | libc::FUTEX_TRYLOCK_PI | FUTEX_LOCK_PI2 => {
                    return self.lock_pi(host, args);
                }
                _ => self.futex(args),
            },
        };
        match wait {
            Some(wait) => self.wait_watching(host, wait),
            None => self.make(host, None, args),
        }
    }

    /// A futex that another process may hold; None: it is none.
    fn held(&self, word: u64, raw: u32, private: bool, result: i64) -> Option<Held> {
        let size = size_of::<AtomicU32>() as u64;
        let value = self.value(raw);
        let owner = (value & TID_MASK) as i32;
        if private || owner == 0 || value & (WAITERS | OWNER_DIED) != WAITERS {
            return None;
        }
        // Bad addresses are for the kernel to refuse.
        let known = self.env.space.guest_addr(word as usize).is_some();
        (known && word.is_multiple_of(size)).then_some(Held {
            word,
            raw,
            owner,
            result,
        })
    }

    /// FUTEX_WAIT and FUTEX_WAIT_BITSET.
    fn futex(&self, args: &[u64; 6]) -> Option<Wait> {
        let op = args[1] as i32;
        let (relative, bits) = match op & libc::FUTEX_CMD_MASK {
            libc::FUTEX_WAIT => (true, ANY),
            libc::FUTEX_WAIT_BITSET => (false, args[5]),
            _ => return None,
        };
        let private = op & libc::FUTEX_PRIVATE_FLAG != 0;
        let held = self.held(args[0], args[2] as u32, private, 0)?;
        let flags = op & libc::FUTEX_CLOCK_REALTIME;
        if relative && flags != 0 {
            return None;
        }
        let clock = if flags == 0 {
            libc::CLOCK_MONOTONIC
        } else {
            libc::CLOCK_REALTIME
        };
        let mut deadline = deadline(args[3])?;
        if relative {
            deadline = deadline.map(|time| now(clock) + time);
        }
        let op = (libc::FUTEX_WAIT_BITSET | flags) as u64;
        Some(Wait {
            held: vec![held],
            clock,
            deadline,
            call: [args[0], op, args[2], 0, 0, bits],
            time: 3,
        })
    }

    /// futex_wait(2)
    fn futex_wait(&self, args: &[u64; 6]) -> Option<Wait> {
        let flags = args[3] as u32;
        if flags & !FUTEX2_PRIVATE != FUTEX2_SIZE_U32 {
            return None;
        }
        let private = flags & FUTEX2_PRIVATE != 0;
        let held = self.held(args[0], args[1] as u32, private, 0)?;
        Some(Wait {
            held: vec![held],
            clock: clock(args[5])?,
            deadline: deadline(args[4])?,
            call: *args,
            time: 4,
        })
    }

    /// futex_waitv(2), whose structs are in scratch memory.
    fn futex_waitv(&self, args: &[u64; 6]) -> Option<Wait> {
        let count = args[1] as u32 as usize;
        let outside = self.env.space.guest_addr(args[0] as usize).is_none() && args[0] >> 47 == 0;
        if !outside || args[0] == 0 || !(1..=FUTEX_WAITV_MAX).contains(&count) {
            return None;
        }
        // SAFETY: an array that was converted is scratch memory of as many structs.
        let list = unsafe { std::slice::from_raw_parts(args[0] as *const WaitV, count) };
        let held: Vec<Held> = (0..)
            .zip(list)
            .filter(|(_, waiter)| waiter.flags & FUTEX2_SIZE_MASK == FUTEX2_SIZE_U32)
            .filter_map(|(index, waiter)| {
                let private = waiter.flags & FUTEX2_PRIVATE != 0;
                self.held(waiter.uaddr, waiter.val as u32, private, index)
            })
            .collect();
        (!held.is_empty()).then_some(Wait {
            held,
            clock: clock(args[4])?,
            deadline: deadline(args[3])?,
            call: *args,
            time: 3,
        })
    }

    /// The kernel looks for the owner of a PI futex and does not find one that is dead (ESRCH), unless the futex
    /// was given up, when it is taken with FUTEX_OWNER_DIED left in it.
    fn lock_pi(&mut self, host: u16, args: &mut [u64; 6]) -> i64 {
        loop {
            let result = self.make(host, None, args);
            let mut bytes = [0; 4];
            let known = self.env.space.guest_addr(args[0] as usize);
            if result != -i64::from(libc::ESRCH)
                || known.is_none_or(|at| self.env.space.read(at, &mut bytes).is_err())
            {
                return result;
            }
            let raw = u32::from_ne_bytes(bytes);
            let value = self.value(raw);
            let held = Held {
                word: args[0],
                raw,
                owner: (value & TID_MASK) as i32,
                result,
            };
            let died = held.owner != 0 && value & OWNER_DIED == 0 && is_dead(held.owner);
            if !died || !self.mark(held, value & WAITERS) {
                return result;
            }
        }
    }

    /// A futex's value, which lies in memory as the guest's.
    fn value(&self, raw: u32) -> u32 {
        if self.abi.big_endian {
            raw.swap_bytes()
        } else {
            raw
        }
    }

    fn wait_watching(&self, host: u16, wait: Wait) -> i64 {
        const TIMED_OUT: i64 = -(libc::ETIMEDOUT as i64);
        let mut slice = FIRST;
        let mut call = wait.call;
        loop {
            for held in &wait.held {
                if is_dead(held.owner) && self.mark(*held, WAITERS) {
                    return held.result;
                }
            }
            let end = now(wait.clock) + slice;
            let last = wait.deadline.is_some_and(|deadline| deadline <= end);
            let until = wait.deadline.map_or(end, |deadline| deadline.min(end));
            let time = [until / SECOND, until % SECOND];
            call[wait.time] = &raw const time as u64;
            // SAFETY: the words are the guest's, and `time` a timespec.
            let result = unsafe { safe_syscall(self.env.pending, host, &call) };
            if result != TIMED_OUT || last {
                return result;
            }
            slice = (slice * 2).min(MOST);
        }
    }

    /// Marks the futex as the kernel does (`handle_futex_death`). False: it is another's by now.
    fn mark(&self, held: Held, waiters: u32) -> bool {
        let mut bytes = [0; 4];
        let at = self.env.space.guest_addr(held.word as usize);
        if at.is_none_or(|at| self.env.space.read(at, &mut bytes).is_err()) {
            return false;
        }
        // SAFETY: the word was readable just now and is aligned; guest memory is only accessed as shared memory.
        let word = unsafe { AtomicU32::from_ptr(held.word as *mut u32) };
        let new = self.value(waiters | OWNER_DIED);
        word.compare_exchange(held.raw, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

/// A clock that such calls may name; None: the kernel refuses it.
fn clock(number: u64) -> Option<libc::clockid_t> {
    let clock = number as libc::clockid_t;
    [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC]
        .contains(&clock)
        .then_some(clock)
}

/// The time at a host address, Some(None) for no limit; None: the kernel refuses it, or it is for ever.
fn deadline(at: u64) -> Option<Option<i64>> {
    if at == 0 {
        Some(None)
    } else {
        read_time(at).map(Some)
    }
}

fn now(clock: libc::clockid_t) -> i64 {
    let mut time = [0i64; 2];
    // SAFETY: fills a timespec.
    unsafe { libc::clock_gettime(clock, (&raw mut time).cast()) };
    time[0].saturating_mul(SECOND).saturating_add(time[1])
}

/// A timespec at a host address, in nanoseconds; None: it is none, or is for ever.
fn read_time(at: u64) -> Option<i64> {
    let mut time = [0i64; 2];
    let part = |at: u64, size: usize| libc::iovec {
        iov_base: at as *mut libc::c_void,
        iov_len: size,
    };
    let (to, from) = (part(&raw mut time as u64, 16), part(at, 16));
    // SAFETY: through the kernel, since the guest's pointer may be bad.
    let count = unsafe { libc::process_vm_readv(libc::getpid(), &to, 1, &from, 1, 0) };
    let valid = count == 16 && time[0] >= 0 && (0..SECOND).contains(&time[1]);
    valid.then(|| time[0].checked_mul(SECOND)?.checked_add(time[1]))?
}

/// Whether the thread `tid` has ended, though its parent may not have waited for it.
fn is_dead(tid: i32) -> bool {
    let errno = || std::io::Error::last_os_error().raw_os_error();
    // SAFETY: kill(2) with 0 only looks.
    if unsafe { libc::kill(tid, 0) } < 0 && errno() == Some(libc::ESRCH) {
        return true;
    }
    // SAFETY: takes numbers only. Fails for threads that are not their process's first: those vanish when they end.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, tid, 0) } as i32;
    if fd < 0 {
        return errno() == Some(libc::ESRCH);
    }
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd; the descriptor is ours.
    unsafe {
        let ended = libc::poll(&raw mut poll, 1, 0) == 1;
        libc::close(fd);
        ended
    }
}
