//! Calls that Rust makes itself, because they concern what qusr keeps: the
//! memory map, the thread pointer, the current directory's place in the sysroot.

use std::sync::atomic::Ordering;

use super::aside::{is_alone, without_donors};
use super::directory::Form;
use super::execed;
use super::limits;
use super::shared;
use super::thread::{GuestThread, Stop};
use crate::cpu::{Access, Exit};
use crate::linux::OwnCall;
use crate::memory::tags::untagged;
use crate::memory::{AddressSpace, MmapRequest, Prot};
use crate::seccomp;
use crate::signal::FaultInfo;
use crate::signal::calls::Swap;
use crate::thunk::convert::{get_int, put_int, swap_words};
use crate::thunk::exec::{Args, Scalars};
use crate::thunk::host::ERESTARTSYS;
use crate::thunk::table::Builtin;

impl GuestThread {
    /// Whether a signal that came before the call has to be delivered before it, since the call
    /// makes a difference to what becomes of the signal. (A tracer has seen the call begin.)
    fn waits_for(&self, id: Builtin) -> bool {
        let concerns = matches!(
            id,
            Builtin::RtSigaction | Builtin::Sigaction | Builtin::Sigaltstack | Builtin::Exit
        );
        concerns && self.tracee.is_none() && self.signals.mailbox.waits()
    }

    /// Makes the call; None when its result is in the registers.
    pub(super) fn builtin(
        &mut self,
        id: Builtin,
        scalars: &Scalars,
        _registers: &Args,
    ) -> Option<Stop> {
        if self.waits_for(id) {
            self.rewind();
            return None;
        }
        let value = |index: usize| scalars.values[index];
        // Calls on mappings of their own take tagged addresses in any case, but those that name a new
        // place (Documentation/arch/arm64/tagged-address-abi.rst).
        let has_tags = self.has_tags();
        let old = |index: usize| {
            if has_tags {
                untagged(value(index))
            } else {
                value(index)
            }
        };
        let int = |index: usize| scalars.values[index] as i32;
        let space = self.process.space.clone();
        let args = &scalars.values[..];
        let abi = self.signals.abi;
        let unit = |result: Result<(), i32>| result.map(|()| 0u64);
        if may_share(id, int(3)) {
            // Robust futexes in there must be given up whichever way the process ends.
            self.process.actions.die_orderly();
        }
        let result: Result<u64, i32> = match id {
            Builtin::Mmap => space.mmap(MmapRequest {
                addr: value(0),
                len: value(1),
                prot: int(2),
                flags: int(3),
                fd: int(4),
                offset: value(5),
            }),
            // mmap2 counts its offset in units of 4096 bytes whatever the page size.
            Builtin::Mmap2 => space.mmap(MmapRequest {
                addr: value(0),
                len: value(1),
                prot: int(2),
                flags: int(3),
                fd: int(4),
                offset: (value(5) & 0xffff_ffff) << 12,
            }),
            Builtin::Munmap => unit(space.munmap(old(0), value(1))),
            Builtin::Mprotect => unit(space.mprotect(old(0), value(1), int(2))),
            Builtin::Mremap => space.mremap(old(0), value(1), value(2), int(3), value(4)),
            Builtin::Madvise => unit(space.madvise(old(0), value(1), int(2))),
            Builtin::Msync => unit(space.msync(old(0), value(1), int(2))),
            Builtin::Mincore => space
                .mincore(old(0), value(1))
                .and_then(|pages| Ok(space.write(value(2), &pages).map(|()| 0)?)),
            Builtin::Mlock => unit(space.mlock2(old(0), value(1), 0)),
            Builtin::Mlock2 => unit(space.mlock2(old(0), value(1), int(2))),
            Builtin::Munlock => unit(space.munlock(old(0), value(1))),
            Builtin::Mlockall => unit(space.mlockall(int(0))),
            Builtin::Munlockall => unit(space.munlockall()),
            Builtin::Shmat => {
                let shmlba = self.process.linux.facts().shmlba;
                let mapped = space.shmat(int(0), value(1), int(2), shmlba);
                match (mapped, args[..scalars.count].get(3)) {
                    // ipc(2) stores the address.
                    (Ok(at), Some(result)) => self.store_word(*result, at),
                    (mapped, _) => mapped,
                }
            }
            Builtin::Shmdt => unit(space.shmdt(value(0))),
            Builtin::RemapFilePages => {
                unit(space.remap_file_pages(value(0), value(1), int(2), value(3)))
            }
            Builtin::SetVmaName => unit(set_vma_name(&space, &args[1..])),
            Builtin::Brk => Ok(space.brk(value(0))),
            Builtin::Chdir => self.chdir(value(0)),
            Builtin::Fchdir => {
                // SAFETY: fchdir touches no memory.
                let result = check(unsafe { libc::fchdir(int(0)) });
                self.directory_changed();
                result
            }
            Builtin::Getcwd => self.getcwd(value(0), value(1)),
            Builtin::Exit => {
                self.publish_end();
                return Some(Stop::Exited {
                    status: int(0),
                    whole: false,
                });
            }
            Builtin::ExitGroup => {
                self.publish_end();
                return Some(Stop::Exited {
                    status: int(0),
                    whole: true,
                });
            }
            Builtin::SetTls => {
                let tls = self.process.regs.tls;
                self.core.set(tls, value(0));
                Ok(0)
            }
            Builtin::GetTls => Ok(self.core.get(self.process.regs.tls)),
            Builtin::ArchPrctl => self.own_call(OwnCall::ArchPrctl, args),
            Builtin::ModifyLdt => self.own_call(OwnCall::ModifyLdt, args),
            Builtin::SetThreadArea => self.own_call(OwnCall::SetThreadArea, args),
            Builtin::GetThreadArea => self.own_call(OwnCall::GetThreadArea, args),
            Builtin::PageSize => Ok(self.process.linux.facts().page_size),
            Builtin::AtomicCompare => {
                let at = value(5);
                match self.atomic_compare(at, value(1) as u32, value(0) as u32) {
                    Ok(found) => Ok(found.into()),
                    // do_page_fault() has sent the signal; the number is what it gives then.
                    Err(_) => {
                        self.finish_call(0xdead_beef);
                        let mapped = space.is_accessible(at, 4, Prot::NONE);
                        let exit = Exit::Fault {
                            addr: at,
                            access: Access::Write,
                            mapped,
                            bus: false,
                            align: false,
                        };
                        let pc = self.core.get(self.process.regs.pc);
                        return self.deliver_fault(&FaultInfo::of(exit, pc));
                    }
                }
            }
            Builtin::FlushScope => self.flush_scope(value(0), int(1), int(2), value(3)),
            Builtin::Cacheflush => {
                if value(1) < value(0) || value(2) != 0 {
                    Err(libc::EINVAL)
                } else {
                    // By announcing it: the cores of other threads must hear of it too.
                    space.notify_code_write(value(0), value(1));
                    Ok(0)
                }
            }
            // The kernel forgets all code, whatever the range is (arch/riscv/kernel/sys_riscv.c); programs
            // give the one that they changed, or an empty one.
            Builtin::FlushRange => {
                let (start, size) = (value(0), value(1));
                match start.checked_add(size) {
                    Some(end) if end <= space.limit() => {
                        space.notify_code_write(start, end);
                        Ok(0)
                    }
                    _ => Err(libc::EFAULT),
                }
            }
            Builtin::Pipe => match pipe() {
                Ok([read, write]) => {
                    let linux = self.process.linux;
                    linux.set_result(self.core.as_mut(), read.into(), Some(write as u64));
                    self.whereabouts.pauses();
                    return None;
                }
                Err(errno) => Err(errno),
            },
            Builtin::FlushAll => {
                space.notify_code_write(0, space.limit());
                Ok(0)
            }
            // sysmips(MIPS_FIXADE): bit 1 is whether the kernel logs them.
            Builtin::FixUnaligned if value(1) & !3 != 0 => Err(libc::EINVAL),
            Builtin::FixUnaligned => {
                self.set_carries_out(value(1) & 1 != 0);
                Ok(0)
            }
            Builtin::AtomicSwap => match self.atomic_swap(value(1), value(2) as u32) {
                // Whatever it is, the word that was there is no error (arch/mips/kernel/syscall.c).
                Ok(old) => {
                    let value = self.process.regs.results[0];
                    self.process.linux.set_result(self.core.as_mut(), 0, None);
                    let old = i64::from(old as i32) as u64;
                    let is_wide = self.process.abi.register_bits == 64;
                    self.core
                        .set(value, if is_wide { old } else { old & 0xffff_ffff });
                    self.whereabouts.pauses();
                    return None;
                }
                Err(errno) => Err(errno),
            },
            Builtin::GetFpExc => match self.process.linux.float_exceptions(self.core.as_mut()) {
                Some(mode) => self.store_int(value(1), mode),
                None => Err(libc::EINVAL),
            },
            Builtin::SetFpExc => {
                let linux = self.process.linux;
                if linux.set_float_exceptions(self.core.as_mut(), value(1)) {
                    Ok(0)
                } else {
                    Err(libc::EINVAL)
                }
            }
            Builtin::SwapContext => {
                let (core, again) = (self.core.as_mut(), self.tracee.is_none());
                let contexts = (value(0), value(1));
                match self
                    .signals
                    .swap_context(core, &space, contexts, value(2), again)
                {
                    Swap::Stayed(result) => result.map(|()| 0),
                    Swap::Went => return None,
                    Swap::Again => {
                        self.rewind();
                        return None;
                    }
                }
            }
            Builtin::FlushIcache => {
                const LOCAL: u64 = 1;
                if value(2) & !LOCAL != 0 {
                    Err(libc::EINVAL)
                } else {
                    let (start, end) = (value(0), value(1));
                    let all = end <= start;
                    let (start, end) = if all {
                        (0, space.limit())
                    } else {
                        (start, end)
                    };
                    space.notify_code_write(start, end);
                    Ok(0)
                }
            }
            Builtin::SetTidAddress => {
                self.clear_child_tid.store(value(0), Ordering::Relaxed);
                // SAFETY: gettid touches no memory.
                Ok(unsafe { libc::gettid() } as u64)
            }
            Builtin::SetRobustList => {
                // struct robust_list_head: two pointers and a long.
                if value(1) == 3 * abi.word_bytes() as u64 {
                    // SAFETY: gettid touches no memory.
                    let tid = unsafe { libc::gettid() };
                    self.process.set_robust_list(tid, value(0));
                    Ok(0)
                } else {
                    Err(libc::EINVAL)
                }
            }
            Builtin::GetRobustList => self.get_robust_list(int(0), value(1), value(2)),
            Builtin::SetTaggedAddr => unit(self.set_tagged_addr(&args[1..])),
            Builtin::GetTaggedAddr => self.tagged_addr(&args[1..]),
            Builtin::PacResetKeys => self.prctl(OwnCall::PacResetKeys, args),
            Builtin::PacSetKeys => self.prctl(OwnCall::PacSetKeys, args),
            Builtin::PacGetKeys => self.prctl(OwnCall::PacGetKeys, args),
            Builtin::VectorSetControl => self.prctl(OwnCall::VectorSetControl, args),
            Builtin::VectorGetControl => self.prctl(OwnCall::VectorGetControl, args),
            // All threads change at once; others that run cannot be made to here.
            Builtin::SetFpMode
                if self.prctl(OwnCall::GetFpMode, args) != Ok(value(1) & 0xffff_ffff)
                    && !is_alone() =>
            {
                self.prctl(OwnCall::GetFpMode, args)
                    .and(Err(libc::EOPNOTSUPP))
            }
            Builtin::SetFpMode => self.prctl(OwnCall::SetFpMode, args),
            Builtin::GetFpMode => self.prctl(OwnCall::GetFpMode, args),
            Builtin::SveSetLength => self.prctl(OwnCall::SveSetLength, args),
            Builtin::SveGetLength => self.prctl(OwnCall::SveGetLength, args),
            Builtin::GetSeccomp => Ok(self.seccomp.mode()),
            // prctl(PR_SET_SECCOMP, mode, program)
            Builtin::SetSeccomp => match value(1) {
                seccomp::MODE_STRICT => unit(self.seccomp.set_strict()),
                seccomp::MODE_FILTER => self.add_filter(0, value(2)),
                _ => Err(libc::EINVAL),
            },
            // seccomp(operation, flags, args)
            Builtin::Seccomp => match (int(0), value(1) & 0xffff_ffff, value(2)) {
                (0, 0, 0) => unit(self.seccomp.set_strict()),
                (1, flags, program) => self.add_filter(flags, program),
                (2, 0, action) => {
                    let mut bytes = [0; 4];
                    let read = space.read(action, &mut bytes).map_err(|_| libc::EFAULT);
                    let action = get_int(&bytes, abi.big_endian, false) as u32;
                    read.and_then(|()| unit(seccomp::action_available(action)))
                }
                _ => Err(libc::EINVAL),
            },
            Builtin::Setrlimit if self.process.takes_files(abi, int(0) as u32, value(1)) => {
                return Some(Stop::Preload);
            }
            Builtin::Prlimit64 if self.process.takes_files(abi, int(1) as u32, value(2)) => {
                return Some(Stop::Preload);
            }
            Builtin::Getrlimit => self.process.getrlimit(abi, int(0) as u32, value(1)),
            Builtin::Setrlimit => self.process.setrlimit(abi, int(0) as u32, value(1)),
            Builtin::Prlimit64 => self.process.prlimit(
                abi,
                limits::Request {
                    pid: int(0),
                    resource: int(1) as u32,
                    new: value(2),
                    old: value(3),
                },
            ),
            Builtin::Getdents | Builtin::Getdents64 => {
                let old = id == Builtin::Getdents;
                let room = int(2) as u32;
                let result = self.getdents(Form { abi, old }, int(0), value(1), room);
                if result == -ERESTARTSYS {
                    self.rewind();
                    return None;
                }
                given(result)
            }
            Builtin::Lseek => given(self.seek(int(0), value(1), int(2))).and_then(|position| {
                // The result must fit the guest's register.
                if abi.register_bits == 32 {
                    i32::try_from(position).map_err(|_| libc::EOVERFLOW)?;
                }
                Ok(position)
            }),
            // _llseek(fd, offset, result, whence)
            Builtin::Llseek => given(self.seek(int(0), value(1), int(3))).and_then(|position| {
                let mut bytes = [0; 8];
                put_int(&mut bytes, abi.big_endian, position);
                let written = space.write(value(2), &bytes);
                written.map(|()| 0).map_err(|_| libc::EFAULT)
            }),
            Builtin::SchedGetaffinity => self.get_affinity(int(0), value(1) as u32, value(2)),
            Builtin::Setpgid => set_group(int(0), int(1)),
            // SAFETY: these calls take numbers only.
            Builtin::Unshare => without_donors(|| check(unsafe { libc::unshare(int(0)) })),
            // SAFETY: as above.
            Builtin::Setns => without_donors(|| check(unsafe { libc::setns(int(0), int(1)) })),
            Builtin::Uname => self.uname(value(0)),
            Builtin::RtSigaction => self.signals.sigaction(&space, args, false),
            Builtin::Sigaction => self.signals.sigaction(&space, args, true),
            Builtin::RtSigprocmask | Builtin::Sigprocmask => {
                let word_only = id == Builtin::Sigprocmask;
                let again = self.tracee.is_none();
                match self.signals.sigprocmask(&space, args, word_only, again) {
                    Some(result) => result,
                    None => {
                        self.rewind();
                        return None;
                    }
                }
            }
            Builtin::RtSigpending => self.signals.sigpending(&space, args, false),
            Builtin::Sigpending => self.signals.sigpending(&space, args, true),
            Builtin::RtSigsuspend | Builtin::Sigsuspend | Builtin::SigsuspendFirst => {
                let mask = match id {
                    Builtin::Sigsuspend => Some(args[2]),
                    Builtin::SigsuspendFirst => Some(args[0]),
                    _ => None,
                };
                match self.signals.sigsuspend(&space, args, mask) {
                    Some(result) => result,
                    None => {
                        self.rewind();
                        return None;
                    }
                }
            }
            Builtin::Sigaltstack => {
                let sp = self.core.get(self.process.regs.sp);
                self.signals.sigaltstack(&space, args, sp)
            }
            Builtin::RtSigtimedwait | Builtin::RtSigtimedwaitTime32 => {
                let short = id == Builtin::RtSigtimedwaitTime32;
                match self
                    .signals
                    .sigtimedwait(&space, args, if short { 4 } else { 8 })
                {
                    Some(result) => result,
                    None => {
                        self.rewind();
                        return None;
                    }
                }
            }
            Builtin::Pause => {
                let result = self.host_call(libc::SYS_pause as u16, &[0; 6]);
                Err(if result == -ERESTARTSYS {
                    libc::EINTR
                } else {
                    -result as i32
                })
            }
            Builtin::RtSigreturn | Builtin::Sigreturn => {
                let rt = id == Builtin::RtSigreturn;
                let (core, again) = (self.core.as_mut(), self.tracee.is_none());
                return match self.signals.sigreturn(core, &space, rt, again) {
                    Some(Ok(())) => None,
                    Some(Err(_)) => self.bad_frame(),
                    None => {
                        self.rewind();
                        None
                    }
                };
            }
        };
        self.finish_call(result.map_or_else(|errno| -i64::from(errno), |value| value as i64));
        None
    }

    /// A bad signal frame: SIGSEGV at the guest's pc (arm64_notify_segfault).
    fn bad_frame(&mut self) -> Option<Stop> {
        let addr = self.core.get(self.process.regs.sp);
        self.trap(Exit::Fault {
            addr,
            access: Access::Read,
            mapped: true,
            bus: false,
            align: false,
        })
    }

    fn get_robust_list(&mut self, pid: i32, head: u64, size: u64) -> Result<u64, i32> {
        // SAFETY: gettid touches no memory.
        let tid = if pid == 0 {
            unsafe { libc::gettid() }
        } else {
            pid
        };
        // SAFETY: kill with signal 0 only asks whether the thread is one of ours.
        if unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, 0) } != 0 {
            // Of another process it is told to who may trace it: not by us, who do not know it.
            let mut host = [0u64; 2];
            let list = host.as_mut_ptr();
            let size = list.wrapping_add(1);
            // SAFETY: the kernel fills two words.
            let asked = unsafe { libc::syscall(libc::SYS_get_robust_list, tid, list, size) };
            let errno = std::io::Error::last_os_error().raw_os_error();
            return Err(match errno {
                Some(libc::ESRCH) if asked < 0 => libc::ESRCH,
                _ => libc::EPERM,
            });
        }
        let word = self.signals.abi.word_bytes();
        let mut bytes = [0; 8];
        for (at, value) in [
            (size, 3 * word as u64),
            (head, self.process.robust_list(tid)),
        ] {
            put_int(&mut bytes[..word], self.signals.abi.big_endian, value);
            self.process
                .space
                .write(at, &bytes[..word])
                .map_err(|_| libc::EFAULT)?;
        }
        Ok(0)
    }

    /// sched_getaffinity(2): the guest's mask is in words of its own size, and may be shorter than
    /// the host demands (kernel/sched/syscalls.c).
    fn get_affinity(&self, pid: i32, size: u32, address: u64) -> Result<u64, i32> {
        let abi = self.signals.abi;
        let size = size as usize;
        if !size.is_multiple_of(abi.word_bytes()) {
            return Err(libc::EINVAL);
        }
        // Room for as many CPUs as any kernel has (NR_CPUS is at most 8192).
        let mut mask = [0u8; 1024];
        // SAFETY: `mask` has the size given.
        let filled = unsafe {
            libc::syscall(
                libc::SYS_sched_getaffinity,
                pid,
                mask.len(),
                mask.as_mut_ptr(),
            )
        };
        let filled = check(filled as i32)? as usize;
        let last = mask[..filled].iter().rposition(|byte| *byte != 0);
        if size <= last.unwrap_or(0) {
            return Err(libc::EINVAL);
        }
        let mask = &mut mask[..filled.min(size)];
        swap_words(mask, abi);
        let written = self.process.space.write(address, mask);
        written
            .map(|()| mask.len() as u64)
            .map_err(|_| libc::EFAULT)
    }

    /// uname(2): the host's names, with the guest's machine and the release that was asked for.
    fn uname(&self, address: u64) -> Result<u64, i32> {
        // SAFETY: utsname is bytes, for which zero is valid.
        let mut names: libc::utsname = unsafe { std::mem::zeroed() };
        // SAFETY: `names` is a valid utsname.
        check(unsafe { libc::uname(&raw mut names) })?;
        let facts = shared(&self.process.facts);
        match self.process.linux.compat_machine() {
            // override_architecture of kernel/sys.c
            Some(compat) if is_linux32() => put_name(&mut names.machine, compat),
            _ => put_name(&mut names.machine, &facts.machine),
        }
        if let Some(release) = &facts.release {
            put_name(&mut names.release, release);
        }
        // SAFETY: struct new_utsname is bytes throughout, and the same on every ABI.
        let bytes = unsafe {
            std::slice::from_raw_parts((&raw const names).cast::<u8>(), size_of_val(&names))
        };
        let written = self.process.space.write(address, bytes);
        written.map(|()| 0).map_err(|_| libc::EFAULT)
    }

    fn add_filter(&self, flags: u64, program: u64) -> Result<u64, i32> {
        let process = &self.process;
        let abi = self.signals.abi;
        self.seccomp
            .add_filter(&process.space, abi, flags, program, &process.seccomp)
    }
}

/// pipe(2): the ends for reading and for writing.
fn pipe() -> Result<[i32; 2], i32> {
    let mut ends = [0; 2];
    // SAFETY: the kernel stores two descriptors.
    let result = unsafe { libc::pipe(ends.as_mut_ptr()) };
    check(result).map(|_| ends)
}

/// Whether a call may map memory that processes share; `flags` are mmap(2)'s.
fn may_share(id: Builtin, flags: i32) -> bool {
    match id {
        // MAP_SHARED and MAP_SHARED_VALIDATE have this bit.
        Builtin::Mmap | Builtin::Mmap2 => flags & libc::MAP_SHARED != 0,
        Builtin::Shmat => true,
        _ => false,
    }
}

/// Whether the personality is PER_LINUX32, that of `setarch linux32`.
fn is_linux32() -> bool {
    // linux/personality.h
    const PER_MASK: i32 = 0xff;
    const PER_LINUX32: i32 = 8;
    // SAFETY: personality touches no memory; this number only asks.
    unsafe { libc::personality(0xffff_ffff) & PER_MASK == PER_LINUX32 }
}

/// Puts a name and its NUL into one of utsname's fields, as much of it as there is room for.
fn put_name(field: &mut [libc::c_char], name: &[u8]) {
    field.fill(0);
    let room = field.len() - 1;
    for (to, from) in field[..room].iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
}

/// setpgid(2), whose EACCES the host's kernel cannot know of; the order of its checks is kernel/sys.c's.
fn set_group(pid: i32, group: i32) -> Result<u64, i32> {
    // SAFETY: these calls take numbers only.
    unsafe {
        if group >= 0 && execed::has_executed(pid) && libc::getsid(pid) == libc::getsid(0) {
            return Err(libc::EACCES);
        }
        check(libc::setpgid(pid, group))
    }
}

/// A result that may be -errno.
fn given(result: i64) -> Result<u64, i32> {
    u64::try_from(result).map_err(|_| -result as i32)
}

pub(super) fn check(result: i32) -> Result<u64, i32> {
    if result < 0 {
        return Err(std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EINVAL));
    }
    Ok(result as u64)
}

/// prctl(PR_SET_VMA, attribute, addr, size, name): names anonymous memory.
fn set_vma_name(space: &AddressSpace, args: &[u64]) -> Result<(), i32> {
    if args[0] as i32 != libc::PR_SET_VMA_ANON_NAME {
        return Err(libc::EINVAL);
    }
    let name = match args[3] {
        0 => None,
        // More than the longest name and its NUL are too many.
        addr => Some(space.read_cstr(addr, 81)?.ok_or(libc::EINVAL)?),
    };
    space.set_anon_name(args[1], args[2], name.as_deref())
}
