//! fork, the ends of threads, and what an execve takes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::thread::GuestThread;
use crate::memory::Region;
use crate::signal::host;
use crate::thunk::convert::get_int;

/// What clone(2) was asked for, in host terms: pointers are host addresses or 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForkRequest {
    pub flags: u64,
    pub exit_signal: u64,
    pub pidfd: u64,
    pub parent_tid: u64,
    pub child_tid: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

/// struct clone_args (include/uapi/linux/sched.h).
#[repr(C)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const PLAIN: u64 = (libc::CLONE_CHILD_SETTID | libc::CLONE_PARENT_SETTID) as u64;

impl GuestThread {
    /// Makes a child process: its pid, 0 in the child, or -errno. The caller has stopped
    /// the guest's other threads, and Python's locks are the caller's business too.
    pub fn fork(&mut self, request: &ForkRequest) -> i64 {
        let space = Arc::clone(&self.process.space);
        let actions = Arc::clone(&self.process.actions);
        let result = actions.with(|_| {
            let guard = space.lock_for_fork();
            // Nothing may be delivered to the child that was meant for the parent.
            host::set_mask(!0);
            let result = clone(request);
            drop(guard);
            result
        });
        if result == 0 {
            space.after_fork_in_child();
            self.signals.mailbox.forget();
        }
        host::set_mask(if self.signals.mailbox.waits() {
            !0
        } else {
            self.signals.blocked
        });
        result
    }

    /// What the kernel does for a thread that ends (kernel/fork.c `mm_release`,
    /// kernel/futex/core.c): robust futexes are given up, the tid word is cleared.
    pub fn thread_ends(&mut self) {
        self.give_up_robust_futexes();
        if self.clear_child_tid != 0 {
            let _ = self.process.space.write(self.clear_child_tid, &[0; 4]);
            self.wake(self.clear_child_tid);
            self.clear_child_tid = 0;
        }
    }

    fn wake(&self, address: u64) {
        if let Some(pointer) = self.process.space.host_ptr(address, 4) {
            // SAFETY: FUTEX_WAKE only looks the address up; the kernel checks it.
            unsafe { libc::syscall(libc::SYS_futex, pointer, libc::FUTEX_WAKE, 1) };
        }
    }

    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let size = self.signals.abi.word_bytes();
        self.process.space.read(address, &mut bytes[..size]).ok()?;
        Some(get_int(&bytes[..size], self.signals.abi.big_endian, false))
    }

    /// Walks the robust list as `exit_robust_list` does.
    fn give_up_robust_futexes(&mut self) {
        /// ROBUST_LIST_LIMIT of the kernel: lists may be circular or damaged.
        const LIMIT: usize = 2048;
        let head = std::mem::take(&mut self.robust_list).0;
        if head == 0 {
            return;
        }
        let word = self.signals.abi.word_bytes() as u64;
        let Some(first) = self.word(head) else { return };
        let (Some(offset), Some(pending)) = (self.word(head + word), self.word(head + 2 * word))
        else {
            return;
        };
        let mut entry = first;
        for _ in 0..LIMIT {
            // Bit 0 of an entry says that the futex is a PI one.
            let at = entry & !1;
            if at == head {
                break;
            }
            let Some(next) = self.word(at) else { return };
            if at != pending & !1 {
                self.owner_died(at.wrapping_add(offset));
            }
            entry = next;
        }
        if pending != 0 {
            self.owner_died((pending & !1).wrapping_add(offset));
        }
    }

    /// Marks a futex that this thread holds (`handle_futex_death`).
    fn owner_died(&self, address: u64) {
        const TID_MASK: u32 = 0x3fff_ffff;
        const OWNER_DIED: u32 = 0x4000_0000;
        const WAITERS: u32 = 0x8000_0000;
        let mut bytes = [0; 4];
        if !address.is_multiple_of(4) || self.process.space.read(address, &mut bytes).is_err() {
            return;
        }
        let Some(pointer) = self.process.space.host_ptr(address, 4) else {
            return;
        };
        // SAFETY: the word was readable just now, is aligned, and guest memory is only
        // ever accessed as shared memory.
        let futex = unsafe { AtomicU32::from_ptr(pointer.cast()) };
        let big = self.signals.abi.big_endian;
        let swap = |value: u32| if big { value.swap_bytes() } else { value };
        let old = futex.load(Ordering::SeqCst);
        let value = swap(old);
        // SAFETY: gettid touches no memory.
        if value & TID_MASK != unsafe { libc::gettid() } as u32 {
            return;
        }
        let new = swap(value & WAITERS | OWNER_DIED);
        if futex
            .compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
            && value & WAITERS != 0
        {
            self.wake(address);
        }
    }

    /// For a vfork(2) that was made by fork: gives the parent what the child wrote, as
    /// if the memory had been shared. `only`: just the mappings of these addresses, when the
    /// parent has other threads that go on writing elsewhere.
    pub fn give_back_memory(&self, parent: i32, only: &[u64]) {
        let Ok(pagemap) = std::fs::File::open("/proc/self/pagemap") else {
            return;
        };
        for region in self.process.space.regions() {
            let wanted = only.is_empty()
                || only
                    .iter()
                    .any(|address| (region.start..region.end).contains(address));
            if wanted && region.prot.is_write() && !region.is_shared() {
                self.give_back_region(&pagemap, &region, parent);
            }
        }
    }

    fn give_back_region(&self, pagemap: &std::fs::File, region: &Region, parent: i32) {
        use std::os::unix::fs::FileExt;
        /// A page that no other process maps (Documentation/admin-guide/mm/pagemap.rst): since the
        /// fork it was written here, or first touched.
        const EXCLUSIVE: u64 = 1 << 56;
        const PRESENT: u64 = 1 << 63;
        const PAGE: usize = 4096;
        let base = self.process.space.base() as u64 + region.start;
        let pages = ((region.end - region.start) / PAGE as u64) as usize;
        let mut entries = vec![0u8; pages.min(1 << 16) * 8];
        let mut done = 0;
        while done < pages {
            let count = (pages - done).min(1 << 16);
            let at = (base / PAGE as u64 + done as u64) * 8;
            if pagemap
                .read_exact_at(&mut entries[..count * 8], at)
                .is_err()
            {
                return;
            }
            for (index, entry) in entries[..count * 8].chunks_exact(8).enumerate() {
                if get_int(entry, false, false) & (PRESENT | EXCLUSIVE) == PRESENT | EXCLUSIVE {
                    let page = base + ((done + index) * PAGE) as u64;
                    let part = libc::iovec {
                        iov_base: page as *mut libc::c_void,
                        iov_len: PAGE,
                    };
                    // SAFETY: both vectors name one page of guest memory, which lies at the same
                    // host address in parent and child; the kernel checks both.
                    unsafe {
                        libc::process_vm_writev(parent, &raw const part, 1, &raw const part, 1, 0)
                    };
                }
            }
            done += count;
        }
    }
}

/// clone(2) without shared memory. A plain fork goes through the C library, whose own locks
/// are then whole in the child even when other threads were in it.
fn clone(request: &ForkRequest) -> i64 {
    let errno = || {
        -i64::from(
            std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EAGAIN),
        )
    };
    if request.flags & !PLAIN == 0
        && request.exit_signal == libc::SIGCHLD as u64
        && request.set_tid_size == 0
    {
        // SAFETY: the child goes on in the same code with the locks it needs held by itself.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return errno();
        }
        let (flag, at, tid) = if pid == 0 {
            // SAFETY: gettid touches no memory.
            (libc::CLONE_CHILD_SETTID, request.child_tid, unsafe {
                libc::gettid()
            })
        } else {
            (libc::CLONE_PARENT_SETTID, request.parent_tid, pid)
        };
        if request.flags & flag as u64 != 0 {
            store_tid(at, tid);
        }
        return pid.into();
    }
    let args = CloneArgs {
        flags: request.flags,
        pidfd: request.pidfd,
        child_tid: request.child_tid,
        parent_tid: request.parent_tid,
        exit_signal: request.exit_signal,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: request.set_tid,
        set_tid_size: request.set_tid_size,
        cgroup: request.cgroup,
    };
    // SAFETY: without CLONE_VM and with no new stack, clone3 returns twice like fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    if pid < 0 { errno() } else { pid }
}

/// Stores through the kernel, so that a bad address is no harm.
fn store_tid(at: u64, tid: i32) {
    let source = libc::iovec {
        iov_base: (&raw const tid).cast_mut().cast(),
        iov_len: 4,
    };
    let target = libc::iovec {
        iov_base: at as *mut libc::c_void,
        iov_len: 4,
    };
    // SAFETY: the source is a local; the kernel checks the target.
    unsafe {
        libc::process_vm_writev(
            libc::getpid(),
            &raw const source,
            1,
            &raw const target,
            1,
            0,
        )
    };
}

/// Deletes the POSIX timers of this process, as execve(2) does.
pub fn delete_timers() {
    let Ok(text) = std::fs::read_to_string("/proc/self/timers") else {
        return;
    };
    for id in text.lines().filter_map(|line| line.strip_prefix("ID: ")) {
        if let Ok(id) = id.trim().parse::<i32>() {
            // SAFETY: timer_delete touches no memory.
            unsafe { libc::syscall(libc::SYS_timer_delete, id) };
        }
    }
}

/// Tells the kernel where the guest's arguments and environment are, so that
/// /proc/PID/cmdline and environ (and ps) show the guest program. The kernel lets a process
/// say so of itself (prctl(2), PR_SET_MM_MAP); the other fields stay as they are.
pub fn publish_arguments(arg: (u64, u64), env: (u64, u64)) -> bool {
    /// struct prctl_mm_map (include/uapi/linux/prctl.h).
    #[repr(C)]
    struct MmMap {
        start_code: u64,
        end_code: u64,
        start_data: u64,
        end_data: u64,
        start_brk: u64,
        brk: u64,
        start_stack: u64,
        arg_start: u64,
        arg_end: u64,
        env_start: u64,
        env_end: u64,
        auxv: *const u64,
        auxv_size: u32,
        exe_fd: u32,
    }
    const PR_SET_MM: i32 = 35;
    const PR_SET_MM_MAP: i32 = 14;
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return false;
    };
    // The fields of proc(5) from the third on; comm may hold anything, so look behind its ')'.
    let fields: Vec<u64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| {
            rest.split_whitespace()
                .map(|text| text.parse().unwrap_or(0))
                .collect()
        })
        .unwrap_or_default();
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
    // SAFETY: sbrk(0) only asks.
    let brk = unsafe { libc::sbrk(0) } as u64;
    let map = MmMap {
        start_code: field(26),
        end_code: field(27),
        start_data: field(45),
        end_data: field(46),
        start_brk: field(47),
        brk: brk.max(field(47)),
        start_stack: field(28),
        arg_start: arg.0,
        arg_end: arg.1,
        env_start: env.0,
        env_end: env.1,
        auxv: std::ptr::null(),
        auxv_size: 0,
        exe_fd: u32::MAX,
    };
    // SAFETY: `map` is a prctl_mm_map of the size given.
    unsafe {
        libc::prctl(
            PR_SET_MM,
            PR_SET_MM_MAP,
            &raw const map,
            size_of_val(&map),
            0,
        ) == 0
    }
}
