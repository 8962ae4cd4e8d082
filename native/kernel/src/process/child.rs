//! fork, the ends of threads, and what an execve takes away.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Process;
use super::aside;
use super::execed;
use super::forked::clone;
use super::ids::SHARERS;
use super::kill;
use super::share::{self, Made, forget_sharers};
use super::thread::GuestThread;
use crate::signal::deferred;
use crate::signal::host::{self, Mailbox};

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
    /// The PTRACE_EVENT that it is.
    pub event: u32,
}

/// struct clone_args (include/uapi/linux/sched.h).
#[repr(C)]
#[derive(Debug)]
pub(super) struct CloneArgs {
    pub(super) flags: u64,
    pub(super) pidfd: u64,
    pub(super) child_tid: u64,
    pub(super) parent_tid: u64,
    pub(super) exit_signal: u64,
    pub(super) stack: u64,
    pub(super) stack_size: u64,
    pub(super) tls: u64,
    pub(super) set_tid: u64,
    pub(super) set_tid_size: u64,
    pub(super) cgroup: u64,
}

impl CloneArgs {
    pub(super) fn new(request: &ForkRequest) -> Self {
        Self {
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
        }
    }

    /// The arguments of the clone(2) that does the same, without a stack. It takes a few flags and signals that clone3(2) does
    /// not.
    pub(super) fn plain(&self) -> Option<[i64; 6]> {
        const BOTH: u64 = (libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID) as u64;
        let beyond = self.flags >> 32 != 0 || self.flags & 0xff != 0 || self.set_tid_size != 0;
        if beyond || self.flags & BOTH == BOTH {
            return None;
        }
        let told = if self.flags & libc::CLONE_PIDFD as u64 != 0 {
            self.pidfd
        } else {
            self.parent_tid
        };
        let flags = (self.flags | self.exit_signal) as i64;
        Some([flags, 0, told as i64, 0, 0, 0])
    }

    /// Whether clone(2) can do it, but for `parent_tid`.
    pub(super) fn is_plain(&self) -> bool {
        const PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
        let beyond = self.flags >> 32 != 0 || self.flags & 0xff != 0;
        !beyond && self.set_tid_size == 0 && self.flags & PARENT_SETTID == 0
    }
}

impl GuestThread {
    /// Makes a child process: its pid, 0 in the child, or -errno. The caller has stopped
    /// the guest's other threads, and Python's locks are the caller's business too.
    pub fn fork(&mut self, request: &ForkRequest) -> i64 {
        let space = Arc::clone(&self.process.space);
        let actions = Arc::clone(&self.process.actions);
        let process = Arc::clone(&self.process);
        let traced = self.is_traced();
        if request.flags & libc::CLONE_FS as u64 != 0
            && let Some(sysroot) = self.sysroot()
        {
            sysroot.is_common();
        }
        self.core.before_fork();
        let result = actions.with(|_| {
            let mut robust_lists = process.robust_lists();
            let _held = (process.limits.lock(), process.cookies(), process.hold());
            let guard = space.lock_for_fork();
            // Nothing may be delivered to the child that was meant for the parent.
            host::set_mask(!0);
            let put_off = deferred::pending();
            let slot = execed::before_fork();
            let result = clone(request, traced);
            if result > 0 {
                execed::in_parent(slot, result as i32);
            }
            if result == 0 {
                execed::in_child(slot);
                deferred::forget(put_off);
                robust_lists.clear();
            }
            drop(guard);
            result
        });
        if result == 0 {
            forget_sharers();
            space.after_fork_in_child();
            self.core.after_fork_in_child();
            self.signals.mailbox.forget();
            self.whereabouts.forked();
            self.forget_tracer();
        }
        host::set_mask(self.signals.blocked);
        result
    }

    /// As the parent of a child with a copy of the memory that was made with CLONE_VFORK, or of a thread: waits until it has
    /// executed a program or is gone.
    pub fn wait_for_child(&mut self, pid: i32) {
        /// Nobody tells: a guest's execve is none to the kernel.
        const STEP: std::time::Duration = std::time::Duration::from_micros(300);
        while !execed::has_executed(pid) && !kill::is_dead(pid) && self.waits_on() {
            std::thread::sleep(STEP);
        }
    }

    /// As the parent of a vfork: waits until the child execs or ends, or asks for something.
    pub fn wait_for_borrower(&mut self, made: &Made) {
        while made.is_member() && self.waits_on() {
            made.wait();
        }
    }

    /// Whether a vfork's parent is to wait on: only what ends the calling thread ends that (kernel/fork.c,
    /// `wait_for_vfork_done`). A tracer that wants it to stop has it stop here.
    fn waits_on(&mut self) -> bool {
        self.stop_in_wait();
        let mailbox = &self.signals.mailbox;
        !mailbox.is_doomed() && !mailbox.is_deadly(self.signals.blocked)
    }

    /// The thread has a current directory of its own from now on (unshare(2) with CLONE_FS).
    pub fn own_directory(&mut self) {
        let own = self.caller.sysroot.as_ref().map(|sysroot| sysroot.copy());
        self.caller.sysroot = own.map(Arc::new);
    }

    /// execve(2) of a program of the host; returns -errno when it fails.
    pub fn exec_host(&mut self, path: Vec<u8>, argv: Vec<Vec<u8>>, envp: Vec<Vec<u8>>) -> i64 {
        self.execution(path, argv, envp).run()
    }

    /// The same, to be done when nothing of this thread is in use any more.
    #[must_use]
    pub fn execution(&self, path: Vec<u8>, argv: Vec<Vec<u8>>, envp: Vec<Vec<u8>>) -> Execution {
        Execution {
            path: CString::new(path).unwrap_or_default(),
            argv: Strings::new(argv),
            envp: Strings::new(envp),
            blocked: self.signals.blocked,
            mailbox: self.signals.mailbox.clone(),
            process: self.process.clone(),
            clear_child_tid: self.clear_child_tid.clone(),
        }
    }

    /// What the kernel does for a thread that ends (kernel/fork.c `mm_release`,
    /// kernel/futex/core.c): robust futexes are given up, the tid word is cleared.
    pub fn thread_ends(&mut self) {
        // SAFETY: gettid touches no memory.
        self.process
            .give_up_robust_futexes(unsafe { libc::gettid() });
        clear_tid(&self.process, &self.clear_child_tid);
    }
}

/// Clears the word that set_tid_address(2) named, once, and wakes who waits for that.
pub(super) fn clear_tid(process: &Process, word: &AtomicU64) {
    let address = word.swap(0, Ordering::SeqCst);
    if address != 0 {
        let _ = process.space.write(address, &[0; 4]);
        process.wake(address);
    }
}

/// An array of C strings.
struct Strings {
    _texts: Vec<CString>,
    /// Their addresses, with NULL at the end.
    addresses: Vec<usize>,
}

impl Strings {
    fn new(texts: Vec<Vec<u8>>) -> Self {
        let texts = texts.into_iter().map(CString::new);
        let texts: Vec<_> = texts.map(Result::unwrap_or_default).collect();
        let addresses = texts.iter().map(|text| text.as_ptr() as usize);
        Self {
            addresses: addresses.chain([0]).collect(),
            _texts: texts,
        }
    }

    fn as_ptr(&self) -> *const *const libc::c_char {
        self.addresses.as_ptr().cast()
    }
}

/// A real execve(2) that is about to be made. It has all the memory that it takes.
pub struct Execution {
    path: CString,
    argv: Strings,
    envp: Strings,
    blocked: u64,
    mailbox: Arc<Mailbox>,
    process: Arc<Process>,
    clear_child_tid: Arc<AtomicU64>,
}

impl Execution {
    /// Makes it; comes back only with -errno.
    pub fn run(&self) -> i64 {
        host::set_mask(!0);
        if self.mailbox.waits() {
            self.mailbox.send_again();
        }
        // The host kernel does not know the guest's lists, nor its word.
        self.process.give_up_all_robust_futexes();
        if self.process.borrows {
            clear_tid(&self.process, &self.clear_child_tid);
        }
        let shares = share::is_shared();
        if shares {
            aside::be_alone();
        }
        // The next program does not live here any more, and this one holds nothing.
        // SAFETY: touches no memory.
        let pid = unsafe { libc::getpid() };
        self.process.actions.around_exec(self.blocked, || {
            SHARERS.remove(pid);
            execed::executed();
            // SAFETY: NULL-terminated arrays of C strings that live until the call fails.
            unsafe { libc::execve(self.path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
            let failed = std::io::Error::last_os_error();
            execed::executed_nothing();
            if shares {
                SHARERS.add(pid);
                aside::stay();
            }
            -i64::from(failed.raw_os_error().unwrap_or(libc::ENOEXEC))
        })
    }
}

/// What execve(2) resets of the process: it can be dumped again (so that its files in /proc are its
/// own after a change of user), and capabilities do not survive the next one.
/// That is a matter of the memory, and left alone where this is `shared`.
pub fn reset_credentials(shared: bool) {
    // SAFETY: these prctls touch no memory.
    unsafe {
        if !shared {
            libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
        }
        libc::prctl(libc::PR_SET_KEEPCAPS, 0, 0, 0, 0);
    }
}

/// The errno with which the kernel would refuse to execute an open file, 0 if it would not: ETXTBSY when
/// somebody has it open for writing, EPERM when a listener of fanotify(7) says so.
///
/// Only the kernel knows. It says so when asked to execute the file, which Linux 6.14 does without
/// going through with it. Before, a read lease tells of ETXTBSY alone, and the file must be ours for it.
#[must_use]
pub fn exec_refusal(fd: i32) -> i32 {
    let refusal = check_exec(fd);
    if refusal != libc::EINVAL {
        return refusal;
    }
    // SAFETY: takes numbers only.
    let lease = |kind: i32| unsafe { libc::fcntl(fd, libc::F_SETLEASE, kind) };
    let refused = lease(libc::F_RDLCK) < 0;
    let busy = refused && errno() == libc::EAGAIN;
    lease(libc::F_UNLCK);
    if busy { libc::ETXTBSY } else { 0 }
}

/// Whether that is because somebody has the file open for writing.
#[must_use]
pub fn is_being_written(fd: i32) -> bool {
    exec_refusal(fd) == libc::ETXTBSY
}

/// The errno with which the kernel would refuse to execute an open file, 0 if it would not, by
/// AT_EXECVE_CHECK of execveat(2). EINVAL before Linux 6.14.
fn check_exec(fd: i32) -> i32 {
    const AT_EXECVE_CHECK: i32 = 0x10000;
    let (argv, envp) = ([c"-".as_ptr(), std::ptr::null()], [std::ptr::null::<u8>()]);
    // SAFETY: the path is a C string, and the arrays of them end with null. With this flag nothing
    // is executed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd,
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH | AT_EXECVE_CHECK,
        )
    };
    if result == 0 { 0 } else { errno() }
}

fn errno() -> i32 {
    let error = std::io::Error::last_os_error();
    error.raw_os_error().unwrap_or(libc::EINVAL)
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

/// Names the calling thread (/proc/PID/comm).
pub fn set_thread_name(name: &[u8]) {
    let mut text = [0u8; 16];
    for (to, from) in text[..15].iter_mut().zip(name) {
        *to = *from;
    }
    // SAFETY: the kernel reads at most 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, text.as_ptr(), 0, 0, 0) };
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
