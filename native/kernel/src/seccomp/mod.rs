//! seccomp(2) of the guest. Its filters name the guest's call numbers and its strict mode
//! allows the guest's calls, so the host's seccomp cannot do it: the emulator makes other
//! calls. Each guest call is judged here before it is made (kernel/seccomp.c).

mod bpf;

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::abi::GuestAbi;
use crate::linux::LinuxAbi;
use crate::memory::AddressSpace;
use crate::thunk::convert::get_int;
use crate::thunk::exec::Args;
use bpf::{Data, Insn, MAX_INSNS};

pub const MODE_STRICT: u64 = 1;
pub const MODE_FILTER: u64 = 2;

const FLAG_TSYNC: u64 = 1;
const FLAG_LOG: u64 = 2;
const FLAG_SPEC_ALLOW: u64 = 4;
const FLAG_TSYNC_ESRCH: u64 = 16;

// SECCOMP_RET_*: the more restrictive is the smaller as a signed number.
const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_KILL_THREAD: u32 = 0;
const RET_TRAP: u32 = 0x0003_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RET_TRACE: u32 = 0x7ff0_0000;
const RET_LOG: u32 = 0x7ffc_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ACTION: u32 = 0xffff_0000;
const MAX_ERRNO: u32 = 4095;
/// MAX_INSNS_PER_PATH, and what each filter counts beside its instructions.
const MAX_PATH: usize = 32768;
const FILTER_COST: usize = 4;

/// What becomes of a call that may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fails; 0 for a "success" that did nothing.
    Errno(i32),
    /// SIGSYS with this in si_errno.
    Trap(i32),
    KillThread,
    KillProcess,
    /// Strict mode's SIGKILL.
    KillStrict,
}

/// A filter and those installed before it.
#[derive(Debug)]
struct Filter {
    program: Vec<Insn>,
    before: Option<Arc<Filter>>,
}

impl Filter {
    fn chain(first: Option<&Arc<Self>>) -> impl Iterator<Item = &Self> {
        std::iter::successors(first.map(Arc::as_ref), |filter| filter.before.as_deref())
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    mode: u64,
    filter: Option<Arc<Filter>>,
}

/// The state of one thread; threads with SECCOMP_FILTER_FLAG_TSYNC reach the others'.
#[derive(Debug, Default)]
pub struct Seccomp {
    active: AtomicBool,
    tid: AtomicI32,
    state: Mutex<State>,
}

/// The threads of a process.
#[derive(Debug, Default)]
pub struct Threads(Mutex<Vec<Weak<Seccomp>>>);

impl Threads {
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Seccomp>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new thread's state: that of `parent`, or none.
    pub fn add(&self, parent: Option<&Seccomp>) -> Arc<Seccomp> {
        let new = Arc::new(Seccomp::default());
        if let Some(parent) = parent {
            new.inherit(parent);
        }
        let mut list = self.lock();
        list.retain(|thread| thread.strong_count() > 0);
        list.push(Arc::downgrade(&new));
        new
    }

    /// In a forked child only the forking thread is left.
    pub fn only(&self, thread: &Arc<Seccomp>) {
        *self.lock() = vec![Arc::downgrade(thread)];
        thread.tid.store(0, Ordering::Relaxed);
    }

    /// Mode and number of filters of a thread, by its host id.
    #[must_use]
    pub fn state_of(&self, tid: i32) -> Option<(u64, usize)> {
        let list = self.lock();
        let mut threads = list.iter().filter_map(Weak::upgrade);
        let thread = threads.find(|thread| thread.tid.load(Ordering::Relaxed) == tid)?;
        let state = thread.lock();
        Some((state.mode, Filter::chain(state.filter.as_ref()).count()))
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        let alive = |thread: &&Weak<Seccomp>| thread.strong_count() > 0;
        self.lock().iter().filter(alive).count()
    }
}

/// struct seccomp_data: number, arch, instruction pointer, six arguments.
fn data(linux: &dyn LinuxAbi, number: u64, pc: u64, args: &Args) -> Data {
    let mut data = [0; 16];
    data[0] = number as u32;
    data[1] = linux.audit_arch();
    let big = linux.abi().big_endian;
    let values = std::iter::once(&pc).chain(&args[..6]);
    for (words, value) in data[2..].chunks_exact_mut(2).zip(values) {
        let (low, high) = (*value as u32, (value >> 32) as u32);
        words.copy_from_slice(&if big { [high, low] } else { [low, high] });
    }
    data
}

impl Seccomp {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        let active = state.mode != 0;
        *self.lock() = state;
        self.active.store(active, Ordering::Release);
    }

    /// Takes the state of another thread over: clone(2), execve(2).
    pub fn inherit(&self, other: &Self) {
        let state = other.lock().clone();
        self.set(state);
    }

    /// Whether calls have to be judged. This is asked before every call.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// PR_GET_SECCOMP.
    #[must_use]
    pub fn mode(&self) -> u64 {
        self.lock().mode
    }

    /// Notes which host thread this is the state of.
    pub fn attach(&self) {
        if self.tid.load(Ordering::Relaxed) == 0 {
            // SAFETY: gettid touches no memory.
            let tid = unsafe { libc::gettid() };
            self.tid.store(tid, Ordering::Relaxed);
        }
    }

    /// Judges a call; None: it may be made.
    pub fn judge(
        &self,
        linux: &dyn LinuxAbi,
        name: Option<&str>,
        number: u64,
        pc: u64,
        args: &Args,
    ) -> Option<Verdict> {
        let state = self.lock().clone();
        if state.mode == MODE_STRICT {
            let allowed = matches!(name, Some("read" | "write" | "exit" | "rt_sigreturn"));
            return (!allowed).then_some(Verdict::KillStrict);
        }
        let data = data(linux, number, pc, args);
        let mut result = RET_ALLOW;
        for filter in Filter::chain(state.filter.as_ref()) {
            let found = bpf::run(&filter.program, &data);
            if ((found & RET_ACTION) as i32) < (result & RET_ACTION) as i32 {
                result = found;
            }
        }
        let detail = result & !RET_ACTION;
        Some(match result & RET_ACTION {
            RET_ALLOW | RET_LOG => return None,
            RET_ERRNO => Verdict::Errno(detail.min(MAX_ERRNO) as i32),
            RET_TRAP => Verdict::Trap(detail as i32),
            // Nobody listens or traces.
            RET_TRACE | RET_USER_NOTIF => Verdict::Errno(libc::ENOSYS),
            RET_KILL_THREAD => Verdict::KillThread,
            _ => Verdict::KillProcess,
        })
    }

    /// SECCOMP_SET_MODE_STRICT.
    ///
    /// # Errors
    /// EINVAL when a filter is installed.
    pub fn set_strict(&self) -> Result<(), i32> {
        let mut state = self.lock();
        if state.mode == MODE_FILTER {
            return Err(libc::EINVAL);
        }
        state.mode = MODE_STRICT;
        drop(state);
        self.active.store(true, Ordering::Release);
        Ok(())
    }

    /// SECCOMP_SET_MODE_FILTER: 0, or with TSYNC the id of a thread that cannot follow.
    ///
    /// # Errors
    /// The call's errno.
    pub fn add_filter(
        &self,
        space: &AddressSpace,
        abi: GuestAbi,
        flags: u64,
        address: u64,
        threads: &Threads,
    ) -> Result<u64, i32> {
        // SECCOMP_FILTER_FLAG_NEW_LISTENER is one that kernels before 5.0 do not know.
        if flags & !(FLAG_TSYNC | FLAG_LOG | FLAG_SPEC_ALLOW | FLAG_TSYNC_ESRCH) != 0 {
            return Err(libc::EINVAL);
        }
        let program = read_program(space, abi, address)?;
        let before = self.lock().clone();
        if before.mode == MODE_STRICT {
            return Err(libc::EINVAL);
        }
        let length: usize = Filter::chain(before.filter.as_ref())
            .map(|filter| filter.program.len() + FILTER_COST)
            .sum();
        if length + program.len() > MAX_PATH {
            return Err(libc::ENOMEM);
        }
        let others: Vec<Arc<Self>> = if flags & FLAG_TSYNC == 0 {
            Vec::new()
        } else {
            let list = threads.lock();
            let others = list.iter().filter_map(Weak::upgrade);
            others
                .filter(|other| !std::ptr::eq(self, other.as_ref()))
                .collect()
        };
        if let Some(apart) = others.iter().find(|other| !other.precedes(&before)) {
            if flags & FLAG_TSYNC_ESRCH != 0 {
                return Err(libc::ESRCH);
            }
            return Ok(apart.tid.load(Ordering::Relaxed) as u64);
        }
        let state = State {
            mode: MODE_FILTER,
            filter: Some(Arc::new(Filter {
                program,
                before: before.filter,
            })),
        };
        for thread in &others {
            thread.set(state.clone());
        }
        self.set(state);
        Ok(0)
    }

    /// Whether this thread's filters are the first of `state`'s (`is_ancestor`).
    fn precedes(&self, state: &State) -> bool {
        let own = self.lock().clone();
        match own.filter {
            None => own.mode == 0,
            Some(filter) => Filter::chain(state.filter.as_ref())
                .any(|other| std::ptr::eq(other, filter.as_ref())),
        }
    }
}

/// Reads struct sock_fprog and its program.
fn read_program(space: &AddressSpace, abi: GuestAbi, address: u64) -> Result<Vec<Insn>, i32> {
    let word = abi.word_bytes();
    let big = abi.big_endian;
    let mut head = [0; 16];
    // A short, and where the pointer is aligned to.
    let place = word.min(abi.align.into());
    let head = &mut head[..place + word];
    space.read(address, head).map_err(|_| libc::EFAULT)?;
    let count = get_int(&head[..2], big, false) as usize;
    let at = get_int(&head[place..], big, false);
    if count == 0 || count > MAX_INSNS {
        return Err(libc::EINVAL);
    }
    if !may_install() {
        return Err(libc::EACCES);
    }
    let mut bytes = vec![0; 8 * count];
    space.read(at, &mut bytes).map_err(|_| libc::EFAULT)?;
    let program: Vec<Insn> = bytes
        .chunks_exact(8)
        .map(|insn| Insn {
            code: get_int(&insn[..2], big, false) as u16,
            jt: insn[2],
            jf: insn[3],
            k: get_int(&insn[4..], big, false) as u32,
        })
        .collect();
    if bpf::is_valid(&program) {
        Ok(program)
    } else {
        Err(libc::EINVAL)
    }
}

/// no_new_privs or CAP_SYS_ADMIN, both of which the host keeps for the guest.
fn may_install() -> bool {
    const CAP_SYS_ADMIN: u32 = 21;
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: prctl touches no memory; capget fills two structs of three words.
    unsafe {
        libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
            || libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) == 0
                && data[0] >> CAP_SYS_ADMIN & 1 != 0
    }
}

/// SECCOMP_GET_ACTION_AVAIL.
///
/// # Errors
/// EOPNOTSUPP for an action that is not there.
pub fn action_available(action: u32) -> Result<(), i32> {
    match action {
        RET_KILL_PROCESS | RET_KILL_THREAD | RET_TRAP | RET_ERRNO | RET_TRACE | RET_LOG
        | RET_ALLOW => Ok(()),
        _ => Err(libc::EOPNOTSUPP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::tests::TestAbi;

    fn with(programs: &[&[(u16, u8, u8, u32)]]) -> Seccomp {
        let mut filter = None;
        for program in programs {
            let program = program
                .iter()
                .map(|&(code, jt, jf, k)| Insn { code, jt, jf, k })
                .collect();
            filter = Some(Arc::new(Filter {
                program,
                before: filter,
            }));
        }
        let seccomp = Seccomp::default();
        seccomp.set(State {
            mode: MODE_FILTER,
            filter,
        });
        seccomp
    }

    #[test]
    fn what_a_filter_sees() {
        let args = [0x1_8000_0002, 0, 0, 0, 0, 0, 7, 0];
        let found = data(&TestAbi, 4001, 0x40_0004, &args);
        // Words of the guest's byte order: the upper half of each 64 bits is first.
        assert_eq!(found[..6], [4001, 8, 0, 0x40_0004, 1, 0x8000_0002]);
        assert_eq!(found[6..], [0; 10]);
    }

    #[test]
    fn the_most_restrictive_filter_wins() {
        let allow: &[_] = &[(0x06, 0, 0, RET_ALLOW)];
        let errno: &[_] = &[(0x06, 0, 0, RET_ERRNO | 1)];
        let kill: &[_] = &[(0x06, 0, 0, RET_KILL_PROCESS)];
        let judge = |seccomp: &Seccomp| seccomp.judge(&TestAbi, None, 1, 0, &[0; 8]);
        assert_eq!(judge(&with(&[allow, allow])), None);
        assert_eq!(judge(&with(&[errno, allow])), Some(Verdict::Errno(1)));
        assert_eq!(
            judge(&with(&[errno, kill, allow])),
            Some(Verdict::KillProcess)
        );
    }

    #[test]
    fn strict_mode_knows_four_calls() {
        let seccomp = Seccomp::default();
        assert!(!seccomp.is_active());
        seccomp.set_strict().unwrap();
        let judge = |name| seccomp.judge(&TestAbi, Some(name), 1, 0, &[0; 8]);
        assert_eq!(judge("read"), None);
        assert_eq!(judge("openat"), Some(Verdict::KillStrict));
        assert_eq!(with(&[]).set_strict(), Err(libc::EINVAL));
    }
}
