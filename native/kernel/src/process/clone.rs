//! What clone(2), clone3(2), fork(2) and vfork(2) ask for. Whoever decides about the new process or
//! thread, this reads and checks the request and sets the registers of what was made.

use libc::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_DETACHED, CLONE_FS, CLONE_NEWIPC, CLONE_NEWNS,
    CLONE_NEWPID, CLONE_NEWUSER, CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_SETTLS,
    CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VFORK, CLONE_VM,
};

use super::Process;
use super::call::CLONE;
use super::child::ForkRequest;
use super::thread::GuestThread;
use crate::thunk::convert::{get_int, host_pointer};

const CSIGNAL: u64 = 0xff;
pub(super) const CLONE_NEWTIME: u64 = 0x80;
/// Signals that there are.
const NSIG: u64 = 64;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// Flags that are ours to keep; all others go to the host kernel.
const EMULATED: u64 = (CLONE_VM
    | CLONE_SIGHAND
    | CLONE_VFORK
    | CLONE_THREAD
    | CLONE_SETTLS
    | CLONE_CHILD_CLEARTID
    | CLONE_DETACHED) as u64
    | CLONE_CLEAR_SIGHAND;

/// `PTRACE_EVENT_*` (linux/ptrace.h).
pub const EVENT_FORK: u32 = 1;
pub const EVENT_VFORK: u32 = 2;
pub const EVENT_CLONE: u32 = 3;

/// struct clone_args (include/uapi/linux/sched.h) has 64-bit fields on every ABI: its first size, and
/// the one that is known here.
const ARGS_VER0: u64 = 64;
const ARGS_FIELDS: usize = 11;

/// What is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Thread,
    /// A process that lives in the caller's memory.
    Borrower,
    /// A process with a copy of it.
    Fork,
}

/// A request in guest terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneRequest {
    pub flags: u64,
    pub exit_signal: u64,
    /// 0 to keep the caller's.
    pub sp: u64,
    pub tls: u64,
    pub parent_tid: u64,
    pub child_tid: u64,
    pub pidfd: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

impl CloneRequest {
    /// The request of a call whose handler has this name; `values` are its arguments, clone(2)'s in the
    /// order that [`CLONE`]'s handler gets. None: it is no such call.
    ///
    /// # Errors
    /// The errno of a request that the kernel refuses.
    pub fn read(process: &Process, handler: &str, values: &[u64]) -> Option<Result<Self, i32>> {
        let checked = match handler {
            CLONE => match *values {
                [flags, sp, parent_tid, child_tid, tls, ..] => {
                    Self::of_clone(flags, sp, [parent_tid, child_tid, tls])
                }
                _ => return None,
            },
            "process:clone3" => Self::of_clone3(process, *values.first()?, *values.get(1)?),
            "process:fork" => Ok(Self::simple(0)),
            "process:vfork" => Ok(Self::simple((CLONE_VM | CLONE_VFORK) as u64)),
            _ => return None,
        };
        // From here on a signal has the host's number.
        let numbered = checked.map(|request| Self {
            exit_signal: process.abi.signal_to_host(request.exit_signal as i32) as u64,
            ..request
        });
        Some(numbered.and_then(Self::check))
    }

    fn simple(flags: u64) -> Self {
        Self {
            flags,
            exit_signal: libc::SIGCHLD as u64,
            ..Self::default()
        }
    }

    fn of_clone(flags: u64, sp: u64, [parent_tid, child_tid, tls]: [u64; 3]) -> Result<Self, i32> {
        // A sibling has its creator's signal (kernel/fork.c, copy_process).
        let is_sibling = flags & CLONE_PARENT as u64 != 0;
        let mut request = Self {
            flags: flags & 0xffff_ffff & !CSIGNAL,
            exit_signal: if is_sibling { 0 } else { flags & CSIGNAL },
            sp,
            tls,
            child_tid,
            ..Self::default()
        };
        if request.has(CLONE_PIDFD) {
            if request.has(CLONE_PARENT_SETTID) {
                return Err(libc::EINVAL);
            }
            request.pidfd = parent_tid;
        } else {
            request.parent_tid = parent_tid;
        }
        Ok(request)
    }

    /// By `copy_struct_from_user`'s rules for the size (kernel/fork.c, `copy_clone_args_from_user`).
    fn of_clone3(process: &Process, address: u64, size: u64) -> Result<Self, i32> {
        if size < ARGS_VER0 {
            return Err(libc::EINVAL);
        }
        if size > process.linux.facts().page_size {
            return Err(libc::E2BIG);
        }
        let mut data = vec![0; size as usize];
        let read = process.space.read(address, &mut data);
        read.map_err(|_| libc::EFAULT)?;
        let known = ARGS_FIELDS * 8;
        if data.len() > known && data[known..].iter().any(|&byte| byte != 0) {
            return Err(libc::E2BIG);
        }
        data.resize(known, 0);
        let mut fields = [0; ARGS_FIELDS];
        for (field, bytes) in fields.iter_mut().zip(data.chunks_exact(8)) {
            *field = get_int(bytes, process.abi.big_endian, false);
        }
        let [
            flags,
            pidfd,
            child_tid,
            parent_tid,
            exit_signal,
            stack,
            stack_size,
            tls,
            set_tid,
            set_tid_size,
            cgroup,
        ] = fields;
        let refused = CSIGNAL & !CLONE_NEWTIME | CLONE_DETACHED as u64;
        let has_none = (CLONE_THREAD | CLONE_PARENT) as u64;
        if exit_signal > NSIG
            || flags & refused != 0
            || exit_signal != 0 && flags & has_none != 0
            || (stack == 0) != (stack_size == 0)
        {
            return Err(libc::EINVAL);
        }
        Ok(Self {
            flags,
            exit_signal,
            sp: stack.wrapping_add(stack_size),
            tls,
            parent_tid,
            child_tid,
            pidfd,
            set_tid,
            set_tid_size,
            cgroup,
        })
    }

    /// `copy_process` of kernel/fork.c, and for threads `copy_namespaces` of kernel/nsproxy.c.
    fn check(self) -> Result<Self, i32> {
        let clears = self.flags & CLONE_CLEAR_SIGHAND != 0;
        if self.has(CLONE_THREAD) && !self.has(CLONE_SIGHAND)
            || self.has(CLONE_SIGHAND) && (!self.has(CLONE_VM) || clears)
            || self.has(CLONE_PIDFD) && self.has(CLONE_DETACHED)
        {
            return Err(libc::EINVAL);
        }
        let both = |one: i32, other: i32| self.has(one) && self.has(other);
        let is_alone = self.has(CLONE_NEWUSER) || self.has(CLONE_NEWPID) || self.set_tid_size != 0;
        let is_apart = both(CLONE_NEWNS, CLONE_FS) || both(CLONE_NEWIPC, CLONE_SYSVSEM);
        if self.has(CLONE_THREAD) && (is_alone || is_apart) {
            return Err(libc::EINVAL);
        }
        Ok(self)
    }

    #[must_use]
    pub fn has(&self, flag: i32) -> bool {
        self.flags & flag as u32 as u64 != 0
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.has(CLONE_THREAD) {
            Kind::Thread
        } else if self.has(CLONE_VM) {
            Kind::Borrower
        } else {
            Kind::Fork
        }
    }

    /// The `PTRACE_EVENT` that it is (kernel/fork.c, `kernel_clone`).
    #[must_use]
    pub fn event(&self) -> u32 {
        if self.has(CLONE_THREAD) {
            EVENT_CLONE
        } else if self.has(CLONE_VFORK) {
            EVENT_VFORK
        } else if self.exit_signal == libc::SIGCHLD as u64 {
            EVENT_FORK
        } else {
            EVENT_CLONE
        }
    }

    /// The same for the host's clone.
    #[must_use]
    pub fn to_host(&self, process: &Process) -> ForkRequest {
        let pointer = |wanted: bool, address: u64| {
            if wanted {
                host_pointer(&process.space, address)
            } else {
                0
            }
        };
        let mut flags = self.flags & !EMULATED;
        if self.has(CLONE_VM) || process.abi.big_endian {
            // The ids are stored by us, in the guest's byte order.
            flags &= !((CLONE_PARENT_SETTID | CLONE_CHILD_SETTID) as u64);
        }
        if self.has(CLONE_VM) {
            flags |= self.flags & CLONE_SIGHAND as u64;
        }
        ForkRequest {
            flags,
            exit_signal: self.exit_signal,
            pidfd: pointer(self.has(CLONE_PIDFD), self.pidfd),
            parent_tid: pointer(self.has(CLONE_PARENT_SETTID), self.parent_tid),
            child_tid: pointer(self.has(CLONE_CHILD_SETTID), self.child_tid),
            set_tid: pointer(true, self.set_tid),
            set_tid_size: self.set_tid_size,
            cgroup: self.cgroup,
            event: self.event(),
        }
    }
}

impl GuestThread {
    /// Sets the registers of the thread that a clone has made.
    pub fn begin_clone(&mut self, request: &CloneRequest) {
        use std::sync::atomic::Ordering;

        let regs = self.process.regs;
        if request.sp != 0 {
            self.core.set(regs.sp, request.sp);
        }
        if request.has(CLONE_SETTLS) {
            let process = &self.process;
            let core = self.core.as_mut();
            // What it points to is bad where that is a struct: the thread has none, then.
            let _ = process
                .linux
                .set_thread_pointer(core, &process.space, request.tls);
        }
        if request.has(CLONE_CHILD_CLEARTID) {
            let word = &self.clear_child_tid;
            word.store(request.child_tid, Ordering::Relaxed);
        }
        self.finish_call(0);
    }

    /// In a forked child, whose only thread this is: what the kernel gives it anew, and its registers.
    pub fn begin_fork(&mut self, request: &CloneRequest) {
        self.clear_child_tid = std::sync::Arc::default();
        self.process.seccomp.only(&self.seccomp);
        if request.flags & CLONE_CLEAR_SIGHAND != 0 {
            self.process.actions.reset_for_exec();
        }
        if request.has(CLONE_CHILD_SETTID) && self.process.abi.big_endian {
            // SAFETY: getpid touches no memory.
            self.store_id(request.child_tid, unsafe { libc::getpid() });
        }
        self.begin_clone(request);
    }

    /// In the parent of a forked child: what the host's kernel has not stored, or in its own byte order.
    pub fn has_forked(&self, request: &CloneRequest, pid: i64) {
        if pid <= 0 || !self.process.abi.big_endian {
            return;
        }
        if request.has(CLONE_PARENT_SETTID) {
            self.store_id(request.parent_tid, pid as i32);
        }
        let mut pidfd = [0; 4];
        if request.has(CLONE_PIDFD) && self.process.space.read(request.pidfd, &mut pidfd).is_ok() {
            self.store_id(request.pidfd, i32::from_le_bytes(pidfd));
        }
    }

    /// Stores a number of a big-endian guest; `put_user`'s failure is ignored (kernel/fork.c).
    fn store_id(&self, address: u64, id: i32) {
        let _ = self.process.space.write(address, &id.to_be_bytes());
    }

    /// Before another program takes this process over (execve): handlers and timers go, and signals wait
    /// until the new program's thread sets its mask. Gives the guest's. `shared`: the memory is another process's as well.
    pub fn leave_for_exec(&mut self, shared: bool) -> u64 {
        use super::child::{delete_timers, reset_credentials};
        use crate::signal::host;

        host::set_whole_mask(!host::own());
        let process = &self.process;
        process.give_up_all_robust_futexes();
        process.actions.reset_for_exec();
        delete_timers();
        reset_credentials(shared);
        if shared {
            process.child_is_gone(&self.clear_child_tid);
        }
        self.signals.blocked
    }

    /// Sets the guest's signal mask, on this host thread too.
    pub fn set_mask(&mut self, mask: u64) {
        self.signals.blocked = mask;
        self.signals.mailbox.attach();
        crate::signal::host::set_mask(mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused() {
        let clone = |flags: i32| CloneRequest::of_clone(flags as u64, 0, [1, 2, 3]);
        let checked = |flags: i32| clone(flags).and_then(CloneRequest::check);
        assert_eq!(checked(CLONE_THREAD), Err(libc::EINVAL));
        assert_eq!(checked(CLONE_SIGHAND), Err(libc::EINVAL));
        assert_eq!(
            checked(CLONE_PIDFD | CLONE_PARENT_SETTID),
            Err(libc::EINVAL)
        );
        let thread = checked(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM).unwrap();
        assert_eq!((thread.kind(), thread.event()), (Kind::Thread, EVENT_CLONE));
        let fork = checked(CLONE_PIDFD | libc::SIGCHLD).unwrap();
        assert_eq!((fork.kind(), fork.event()), (Kind::Fork, EVENT_FORK));
        assert_eq!((fork.pidfd, fork.parent_tid), (1, 0));
        let vfork = CloneRequest::simple((CLONE_VM | CLONE_VFORK) as u64);
        assert_eq!((vfork.kind(), vfork.event()), (Kind::Borrower, EVENT_VFORK));
    }
}
