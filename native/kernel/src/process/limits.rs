//! Resource limits.
//!
//! `RLIMIT_AS`, `RLIMIT_DATA` and `RLIMIT_STACK` of the host process would count the
//! emulator's memory (its reservation alone is larger than any sensible `RLIMIT_AS`), so
//! the guest's values are kept here and the guest's address space obeys them. They
//! outlive execve and are inherited by fork like the process's other limits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Process;
use crate::abi::GuestAbi;
use crate::thunk::convert::{get_int, put_int};

/// Soft and hard.
pub type Limit = (u64, u64);

/// `RLIM_INFINITY` of the host and of struct rlimit64.
pub const INFINITY: u64 = u64::MAX;

/// With fewer descriptors Python might not be able to open its files.
const FEW_FILES: u64 = 64;

/// The limits that are kept here.
const OWN: [u32; 3] = [libc::RLIMIT_AS, libc::RLIMIT_DATA, libc::RLIMIT_STACK];

/// Those of [`OWN`] that the guest has set.
#[derive(Debug, Default)]
pub struct Limits(Mutex<[Option<Limit>; OWN.len()]>);

impl Limits {
    pub(super) fn copy(&self) -> Self {
        Self(Mutex::new(*self.lock()))
    }

    /// Also for the thread that forks to hold across the fork.
    pub(super) fn lock(&self) -> MutexGuard<'_, [Option<Limit>; OWN.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What prlimit64(2) is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub pid: i32,
    pub resource: u32,
    /// Guest addresses, or 0.
    pub new: u64,
    pub old: u64,
}

impl Process {
    /// Goes on with the limits of the program that was here before an execve.
    pub fn inherit_limits(&self, before: &Self) {
        let limits = *before.limits.lock();
        *self.limits.lock() = limits;
        self.obey(&limits);
    }

    /// Those that the guest has set: (number, soft, hard).
    pub fn own_limits(&self) -> Vec<(u32, u64, u64)> {
        let limits = *self.limits.lock();
        let set = OWN.iter().zip(limits);
        set.filter_map(|(number, limit)| limit.map(|(soft, hard)| (*number, soft, hard)))
            .collect()
    }

    /// Takes them over.
    pub fn set_own_limits(&self, given: &[(u32, u64, u64)]) {
        let mut limits = self.limits.lock();
        for &(number, soft, hard) in given {
            if let Some(index) = position(number) {
                limits[index] = Some((soft, hard));
            }
        }
        self.obey(&limits);
    }

    /// The guest's limit `resource`.
    ///
    /// # Errors
    /// EINVAL: there is no such limit.
    pub fn limit(&self, resource: u32) -> Result<Limit, i32> {
        let own = position(resource).and_then(|index| self.limits.lock()[index]);
        own.map_or_else(|| host_limit(0, resource, None), Ok)
    }

    /// Whether this new limit would keep Python from reading what it has not read yet.
    pub(super) fn takes_files(&self, abi: GuestAbi, resource: u32, new: u64) -> bool {
        resource == libc::RLIMIT_NOFILE
            && !self.ready.needs_no_descriptor()
            && new != 0
            && self
                .read_limit(abi, abi.word_bytes(), new)
                .is_ok_and(|(soft, _)| soft < FEW_FILES)
    }

    /// Sets a limit by the rules of `do_prlimit` (kernel/sys.c).
    fn set_limit(&self, resource: u32, new: Limit) -> Result<(), i32> {
        let Some(index) = position(resource) else {
            host_limit(0, resource, Some(new))?;
            self.actions.core_limit_changed();
            return Ok(());
        };
        let mut limits = self.limits.lock();
        let hard = limits[index]
            .map_or_else(|| host_limit(0, resource, None), Ok)?
            .1;
        if new.0 > new.1 {
            return Err(libc::EINVAL);
        }
        if new.1 > hard && !may_raise() {
            return Err(libc::EPERM);
        }
        limits[index] = Some(new);
        self.obey(&limits);
        Ok(())
    }

    /// Has the address space obey the limits. One that is borrowed goes on to obey its owner's: they
    /// are the process's, and the memory is not.
    fn obey(&self, limits: &[Option<Limit>; OWN.len()]) {
        if self.borrows {
            return;
        }
        let mut limits = *limits;
        // Of the stack the host's counts until the guest sets its own; the others are of the host's process.
        let stack = &mut limits[2];
        *stack = stack.or_else(|| host_limit(0, libc::RLIMIT_STACK, None).ok());
        let [space, data, stack] =
            limits.map(|limit| limit.map(|limit| limit.0).filter(|soft| *soft != INFINITY));
        self.space.set_rlimits(space, data, stack);
    }

    /// getrlimit(2) and ugetrlimit: what does not fit a word is `RLIM_INFINITY`.
    pub(super) fn getrlimit(&self, abi: GuestAbi, resource: u32, to: u64) -> Result<u64, i32> {
        let (soft, hard) = self.limit(resource)?;
        let top = abi.infinity();
        self.write_limit(abi, abi.word_bytes(), to, (soft.min(top), hard.min(top)))
    }

    /// setrlimit(2): the largest word means no limit.
    pub(super) fn setrlimit(&self, abi: GuestAbi, resource: u32, from: u64) -> Result<u64, i32> {
        let (soft, hard) = self.read_limit(abi, abi.word_bytes(), from)?;
        let widen = |value| {
            if value == abi.infinity() {
                INFINITY
            } else {
                value
            }
        };
        self.set_limit(resource, (widen(soft), widen(hard)))?;
        Ok(0)
    }

    /// prlimit64(2); struct rlimit64 is two 64-bit numbers on every ABI.
    pub(super) fn prlimit(&self, abi: GuestAbi, request: Request) -> Result<u64, i32> {
        let Request {
            pid,
            resource,
            new,
            old,
        } = request;
        let new = match new {
            0 => None,
            from => Some(self.read_limit(abi, 8, from)?),
        };
        let before = if is_own(pid) {
            let before = self.limit(resource)?;
            if let Some(new) = new {
                self.set_limit(resource, new)?;
            }
            before
        } else {
            // Another process, an emulator or not: its limits are the host's.
            host_limit(pid, resource, new)?
        };
        if old == 0 {
            return Ok(0);
        }
        self.write_limit(abi, 8, old, before)
    }

    fn read_limit(&self, abi: GuestAbi, size: usize, from: u64) -> Result<Limit, i32> {
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..2 * size];
        self.space.read(from, bytes).map_err(|_| libc::EFAULT)?;
        let (soft, hard) = bytes.split_at(size);
        let get = |bytes| get_int(bytes, abi.big_endian, false);
        Ok((get(soft), get(hard)))
    }

    fn write_limit(&self, abi: GuestAbi, size: usize, to: u64, limit: Limit) -> Result<u64, i32> {
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..2 * size];
        let (soft, hard) = bytes.split_at_mut(size);
        put_int(soft, abi.big_endian, limit.0);
        put_int(hard, abi.big_endian, limit.1);
        let written = self.space.write(to, bytes);
        written.map(|()| 0).map_err(|_| libc::EFAULT)
    }
}

fn position(resource: u32) -> Option<usize> {
    OWN.iter().position(|own| *own == resource)
}

/// Whether `pid` means this process; it may be the id of any of its threads.
fn is_own(pid: i32) -> bool {
    // SAFETY: neither call touches memory; signal 0 only asks whether the thread is there.
    unsafe {
        let own = libc::getpid();
        pid == 0 || pid == own || libc::syscall(libc::SYS_tgkill, own, pid, 0) == 0
    }
}

/// prlimit64 on the host: what the limit was.
fn host_limit(pid: i32, resource: u32, new: Option<Limit>) -> Result<Limit, i32> {
    let new = new.map(|(rlim_cur, rlim_max)| libc::rlimit64 { rlim_cur, rlim_max });
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let mut old = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `new` is null or a valid rlimit64, `old` is one that the kernel fills.
    if unsafe { libc::prlimit64(pid, resource, new, &raw mut old) } < 0 {
        let error = std::io::Error::last_os_error();
        return Err(error.raw_os_error().unwrap_or(libc::EINVAL));
    }
    Ok((old.rlim_cur, old.rlim_max))
}

/// Whether the thread has `CAP_SYS_RESOURCE`, as capget(2) says.
fn may_raise() -> bool {
    const VERSION_3: u32 = 0x2008_0522;
    const CAP_SYS_RESOURCE: u32 = 24;
    let header = [VERSION_3, 0];
    // Effective, permitted and inheritable; the low halves come first.
    let mut sets = [0u32; 6];
    // SAFETY: the header and the two structs of version 3 are valid and large enough.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    result == 0 && sets[0] >> CAP_SYS_RESOURCE & 1 != 0
}
