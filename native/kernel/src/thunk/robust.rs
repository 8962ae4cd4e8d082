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

/// A wait, as the guest wants it.
struct Wait {
    owner: i32,
    clock: libc::clockid_t,
    /// In nanoseconds of that clock.
    deadline: Option<i64>,
}

impl Call<'_> {
    /// Makes a futex(2) call.
    pub(super) fn make_futex(&mut self, host: u16, args: &mut [u64; 6]) -> i64 {
        match self.watched(args) {
            Some(wait) => self.wait_watching(&wait, args),
            None => self.make(host, None, args),
        }
    }

    /// A wait for what another process may hold.
    fn watched(&self, args: &[u64; 6]) -> Option<Wait> {
        let op = args[1] as i32;
        let relative = match op & libc::FUTEX_CMD_MASK {
            libc::FUTEX_WAIT => true,
            libc::FUTEX_WAIT_BITSET => false,
            _ => return None,
        };
        let value = self.value(args[2] as u32);
        let owner = (value & TID_MASK) as i32;
        let shared = op & libc::FUTEX_PRIVATE_FLAG == 0;
        if !shared || owner == 0 || value & (WAITERS | OWNER_DIED) != WAITERS {
            return None;
        }
        let size = size_of::<AtomicU32>() as u64;
        // Bad addresses and times are for the kernel to refuse.
        self.env.space.host_ptr(self.args[0], size)?;
        let realtime = op & libc::FUTEX_CLOCK_REALTIME != 0;
        if relative && realtime || !args[0].is_multiple_of(size) {
            return None;
        }
        let clock = if realtime {
            libc::CLOCK_REALTIME
        } else {
            libc::CLOCK_MONOTONIC
        };
        let deadline = match args[3] {
            0 => None,
            at => {
                let time = read_time(at)?;
                Some(if relative { now(clock) + time } else { time })
            }
        };
        Some(Wait {
            owner,
            clock,
            deadline,
        })
    }

    /// A futex's value, which lies in memory as the guest's.
    fn value(&self, raw: u32) -> u32 {
        if self.abi.big_endian {
            raw.swap_bytes()
        } else {
            raw
        }
    }

    fn wait_watching(&self, wait: &Wait, args: &[u64; 6]) -> i64 {
        const TIMED_OUT: i64 = -(libc::ETIMEDOUT as i64);
        let op = args[1] as i32;
        let flags = op & libc::FUTEX_CLOCK_REALTIME;
        let bits = if op & libc::FUTEX_CMD_MASK == libc::FUTEX_WAIT {
            ANY
        } else {
            args[5]
        };
        let mut slice = FIRST;
        loop {
            if is_dead(wait.owner) && self.mark(args) {
                return 0;
            }
            let end = now(wait.clock) + slice;
            let last = wait.deadline.is_some_and(|deadline| deadline <= end);
            let until = wait.deadline.map_or(end, |deadline| deadline.min(end));
            let time = [until / SECOND, until % SECOND];
            let call = [
                args[0],
                (libc::FUTEX_WAIT_BITSET | flags) as u64,
                args[2],
                &raw const time as u64,
                0,
                bits,
            ];
            // SAFETY: the word is the guest's, and `time` a timespec.
            let result = unsafe { safe_syscall(self.env.pending, libc::SYS_futex as u16, &call) };
            if result != TIMED_OUT || last {
                return result;
            }
            slice = (slice * 2).min(MOST);
        }
    }

    /// Marks the futex as the kernel does (`handle_futex_death`). False: it is another's by now.
    fn mark(&self, args: &[u64; 6]) -> bool {
        let mut bytes = [0; 4];
        if self.env.space.read(self.args[0], &mut bytes).is_err() {
            return false;
        }
        // SAFETY: the word was readable just now and is aligned; guest memory is only accessed as shared memory.
        let word = unsafe { AtomicU32::from_ptr(args[0] as *mut u32) };
        let (old, new) = (args[2] as u32, self.value(WAITERS | OWNER_DIED));
        word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
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
