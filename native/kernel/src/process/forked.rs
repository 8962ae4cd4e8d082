//! clone(2) without shared memory: a copy of the process.
//!
//! Other threads may be in the C library at any moment, and only its own fork() brings its locks through (those
//! of malloc above all: a child whose allocator another thread held would wait for ever). So each copy is made by it:
//! as it is, or with another system call in its midst ([`super::diverted`]).

use std::io::Error;
use std::sync::atomic::{AtomicU32, Ordering};

use super::child::{CloneArgs, ForkRequest};
use super::diverted;

pub(super) const CHILD_SETTID: u64 = libc::CLONE_CHILD_SETTID as u64;
const PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
const PIDFD: u64 = libc::CLONE_PIDFD as u64;

/// Makes the copy: its pid, 0 in the copy, or -errno.
/// `traced`: a tracer would see the signals of a diverted call.
pub(super) fn clone(request: &ForkRequest, traced: bool) -> i64 {
    let beyond = request.flags & !(CHILD_SETTID | PARENT_SETTID | PIDFD);
    if beyond == 0 && request.exit_signal == libc::SIGCHLD as u64 && request.set_tid_size == 0 {
        let made = if request.flags & PIDFD != 0 {
            with_pidfd(request)
        } else {
            Some(fork(request))
        };
        if let Some(result) = made {
            return result;
        }
    }
    let diverted = if traced {
        None
    } else {
        diverted::fork(request)
    };
    diverted.unwrap_or_else(|| {
        let args = CloneArgs::new(request);
        // SAFETY: without CLONE_VM and with no new stack, clone3 returns twice like fork.
        let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
        if pid < 0 { -errno() } else { pid }
    })
}

fn errno() -> i64 {
    Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EAGAIN)
        .into()
}

fn fork(request: &ForkRequest) -> i64 {
    // SAFETY: the child goes on in the same code with the locks it needs held by itself.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return -errno();
    }
    let (flag, at, tid) = if pid == 0 {
        // SAFETY: gettid touches no memory.
        let tid = unsafe { libc::gettid() };
        (CHILD_SETTID, request.child_tid, tid)
    } else {
        (PARENT_SETTID, request.parent_tid, pid)
    };
    if request.flags & flag != 0 {
        // A bad address is no error (kernel/fork.c).
        let _ = store(at, tid);
    }
    pid.into()
}

/// CLONE_PIDFD. The child waits until its parent has the descriptor: nobody can reap it before, whatever is
/// done with SIGCHLD. None: there is no pidfd_open(2) here (before Linux 5.3, or forbidden).
fn with_pidfd(request: &ForkRequest) -> Option<i64> {
    // Both can fail, which must be known before there is a child (kernel/fork.c, copy_process).
    // SAFETY: getpid touches no memory.
    let own = match pidfd_open(unsafe { libc::getpid() }) {
        Ok(fd) => fd,
        Err(libc::EMFILE) => return Some(-i64::from(libc::EMFILE)),
        Err(libc::ENFILE) => return Some(-i64::from(libc::ENFILE)),
        Err(_) => return None,
    };
    let result = load(request.pidfd)
        .and_then(|before| store(request.pidfd, own).map(|()| before))
        .and_then(|before| Ok((before, Gate::new()?)));
    let (before, gate) = match result {
        Ok(both) => both,
        Err(errno) => {
            close(own);
            let forbidden = errno == libc::EPERM || errno == libc::ENOSYS;
            return (!forbidden).then_some(-i64::from(errno));
        }
    };
    let pid = fork(request);
    close(own);
    if pid == 0 {
        // It must not be gone before its parent has got the descriptor.
        gate.wait();
        // The child's memory is as it was.
        let _ = store(request.pidfd, before);
        return Some(0);
    }
    if pid < 0 {
        let _ = store(request.pidfd, before);
        return Some(pid);
    }
    match pidfd_open(pid as i32) {
        Ok(fd) => {
            let _ = store(request.pidfd, fd);
        }
        // Another thread took the last descriptor meanwhile: there is to be no child.
        Err(errno @ (libc::EMFILE | libc::ENFILE)) => {
            // SAFETY: the child is ours and has not been reaped; no status is asked for.
            unsafe {
                libc::kill(pid as i32, libc::SIGKILL);
                libc::waitpid(pid as i32, std::ptr::null_mut(), libc::__WALL);
            }
            let _ = store(request.pidfd, before);
            return Some(-i64::from(errno));
        }
        // Somebody killed it already, and SIGCHLD is ignored.
        Err(_) => {
            let _ = store(request.pidfd, -1);
        }
    }
    gate.open();
    Some(pid)
}

fn pidfd_open(pid: i32) -> Result<i32, i32> {
    // SAFETY: touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        Err(errno() as i32)
    } else {
        Ok(fd as i32)
    }
}

fn close(fd: i32) {
    // SAFETY: a descriptor of this module's.
    unsafe { libc::close(fd) };
}

/// What a child waits at until its parent opens it, or is gone.
struct Gate {
    word: *mut libc::c_void,
    parent: i32,
}

impl Gate {
    fn new() -> Result<Self, i32> {
        let (prot, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping.
        let word = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<AtomicU32>(),
                prot,
                flags,
                -1,
                0,
            )
        };
        if word == libc::MAP_FAILED {
            return Err(errno() as i32);
        }
        // SAFETY: getpid touches no memory.
        let parent = unsafe { libc::getpid() };
        Ok(Self { word, parent })
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: the mapping is page-aligned, zeroed, and lives as long as this.
        unsafe { &*self.word.cast::<AtomicU32>() }
    }

    fn open(&self) {
        self.word().store(1, Ordering::Release);
        // SAFETY: wakes waiters on a word of ours.
        unsafe { libc::syscall(libc::SYS_futex, self.word, libc::FUTEX_WAKE, 1) };
    }

    fn wait(&self) {
        /// Of 50 ms each.
        const TURNS: u32 = 600;
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        // getppid gives 0 where the parent is out of sight, in another
        // namespace: then the number of turns ends this.
        let is_there = |parent: i32| parent == 0 || parent == self.parent;
        for _ in 0..TURNS {
            // SAFETY: touches no memory.
            if self.word().load(Ordering::Acquire) != 0 || !is_there(unsafe { libc::getppid() }) {
                return;
            }
            // SAFETY: the kernel compares and waits on a word of ours.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.word,
                    libc::FUTEX_WAIT,
                    0,
                    &raw const time,
                )
            };
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference to the mapping any more.
        unsafe { libc::munmap(self.word, size_of::<AtomicU32>()) };
    }
}

/// Stores through the kernel, so that a bad address is no harm.
pub(super) fn store(at: u64, value: i32) -> Result<(), i32> {
    let source = part(&raw const value as u64);
    // SAFETY: the source is a local; the kernel checks the target.
    moved(unsafe { libc::process_vm_writev(libc::getpid(), &source, 1, &part(at), 1, 0) })
}

/// Loads likewise.
fn load(at: u64) -> Result<i32, i32> {
    let mut value = 0i32;
    let target = part(&raw mut value as u64);
    // SAFETY: the target is a local; the kernel checks the source.
    moved(unsafe { libc::process_vm_readv(libc::getpid(), &target, 1, &part(at), 1, 0) })?;
    Ok(value)
}

fn part(at: u64) -> libc::iovec {
    libc::iovec {
        iov_base: at as *mut libc::c_void,
        iov_len: size_of::<i32>(),
    }
}

fn moved(count: isize) -> Result<(), i32> {
    match count {
        4 => Ok(()),
        0.. => Err(libc::EFAULT),
        _ => Err(errno() as i32),
    }
}
