//! A guest process and its threads: what stands between the CPU core, the
//! system-call thunks and Python.

pub mod aside;
mod builtin;
mod call;
pub mod child;
pub mod clone;
pub mod confine;
pub mod core_bit;
pub mod descriptors;
pub(crate) mod directory;
mod diverted;
pub mod exec;
mod execed;
mod forked;
mod ids;
pub(crate) mod kill;
pub mod limits;
pub mod newborn;
mod place;
mod processor;
mod proctext;
mod robust;
pub mod share;
mod thread;
mod tracee;
mod trap;
pub mod whereabouts;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

pub use call::CLONE;
pub use child::Execution;
pub use thread::{GuestThread, Legacy, Stop};
pub use tracee::Debugged;

use crate::abi::GuestAbi;
use crate::linux::{LinuxAbi, Registers};
use crate::memory::fault::{Stage, add_claim};
use crate::memory::{AddressSpace, MmapRequest, Prot};
use crate::seccomp;
use crate::signal::{Actions, deferred, host};
use crate::thunk::convert::put_int;
use crate::thunk::exec::OwnExe;
use crate::thunk::path::Sysroot;
use crate::thunk::procfs::{self, Facts};
use crate::thunk::review::Marks;
use crate::thunk::running::{self, Running};
use crate::thunk::table::Table;
use confine::Ready;

/// What the threads of a guest process share.
pub struct Process {
    pub space: Arc<AddressSpace>,
    pub table: RwLock<Arc<Table>>,
    pub sysroot: RwLock<Option<Arc<Sysroot>>>,
    pub own_exe: RwLock<Arc<OwnExe>>,
    pub marks: Arc<Marks>,
    pub linux: &'static dyn LinuxAbi,
    /// Those of `linux`, at hand.
    pub regs: &'static Registers,
    pub abi: GuestAbi,
    pub actions: Arc<Actions>,
    /// Signals of [`host::own`] that were sent to the process and that all threads asked block.
    pub pending: Arc<deferred::Shared>,
    pub seccomp: seccomp::Threads,
    /// The page with [`LinuxAbi::trampoline`].
    pub trampoline: u64,
    /// The vDSO; 0: there is none.
    pub vdso: u64,
    /// The heads of the threads' robust futex lists (set_robust_list(2)), by tid.
    robust_lists: Mutex<BTreeMap<i32, u64>>,
    pub limits: limits::Limits,
    cookies: Mutex<directory::Cookies>,
    pub facts: RwLock<Arc<Facts>>,
    /// The file of the program that runs.
    pub running: Mutex<Option<Running>>,
    pub ready: Ready,
    /// Where a debugger wants it to stop.
    pub debugged: Debugged,
    /// The memory is another process's, which has lent it (clone(2) with CLONE_VM).
    borrows: bool,
}

impl Process {
    /// Nobody reads or changes what threads share as long as the result is held: across a fork. One that is read at that
    /// moment would stay so in the child.
    fn hold(&self) -> impl Sized {
        (
            write(&self.table),
            write(&self.sysroot),
            write(&self.own_exe),
            write(&self.facts),
            self.running.lock().unwrap_or_else(PoisonError::into_inner),
            self.debugged.hold(),
        )
    }

    fn facts(&self) -> Arc<Facts> {
        shared(&self.facts)
    }

    fn robust_lists(&self) -> MutexGuard<'_, BTreeMap<i32, u64>> {
        self.robust_lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The program of an open file, which was found at `path`, runs here from now on.
    pub fn runs(&self, fd: i32, path: &Path) {
        execed::executed();
        let apart = share::is_shared().then_some(path);
        let held = Running::hold(fd, apart);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        *running = held;
    }

    /// Takes over what an execve keeps of the process that ran here before, whose program is gone even
    /// if the object stays.
    pub fn follow(&self, before: &Self) {
        let sysroot = shared(&before.sysroot);
        *self.sysroot.write().unwrap_or_else(PoisonError::into_inner) = sysroot;
        self.inherit_limits(before);
        before.runs_no_more();
        self.ready.follow(&before.ready);
    }

    /// The program has made room for another one.
    pub fn runs_no_more(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Looks at a descriptor that was opened, as [`procfs::review`] does.
    ///
    /// # Errors
    /// Those of [`procfs::review`].
    pub fn review_fd(&self, fd: i32) -> Result<procfs::Opened, i32> {
        let Some(file) = procfs::status(fd) else {
            return Ok(procfs::Opened::Done);
        };
        if running::is_denied(fd, &file) {
            // SAFETY: the guest does not know this descriptor yet.
            unsafe { libc::close(fd) };
            return Err(libc::ETXTBSY);
        }
        let (facts, own_exe) = (shared(&self.facts), shared(&self.own_exe));
        let guest = procfs::Guest {
            space: &self.space,
            facts: &facts,
            own_exe: &own_exe,
            marks: &self.marks,
        };
        procfs::review(fd, &file, guest)
    }

    /// From now on the vDSO's functions make system calls, for who wants to see them.
    pub fn calls_for_clocks(&self) {
        let Some((at, _)) = self.linux.clocks().filter(|_| self.vdso != 0) else {
            return;
        };
        let mut word = [0; 4];
        let there = self.space.read(self.vdso + at, &mut word).is_ok();
        if there && word != [0; 4] && self.space.is_special(self.vdso, "[vdso]") {
            // What cannot be written is gone.
            let _ = self.space.poke(self.vdso + at, &[0; 4]);
        }
    }

    fn cookies(&self) -> MutexGuard<'_, directory::Cookies> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process whose memory already holds the program. `before`: what ran here until an execve; `reads_clocks`: its cores
    /// know the instruction of [`LinuxAbi::clocks`].
    ///
    /// # Errors
    /// The errno of mapping the page with the signal trampolines.
    pub fn new(
        space: Arc<AddressSpace>,
        table: Arc<Table>,
        linux: &'static dyn LinuxAbi,
        before: Option<&Self>,
        reads_clocks: bool,
    ) -> Result<Arc<Self>, i32> {
        add_claim(Stage::Take, host::claim)
            .map_err(|error| error.raw_os_error().unwrap_or(libc::ENOMEM))?;
        let (trampoline, vdso) = map_code(&space, linux, reads_clocks)?;
        let actions = Actions::inherited(before.map(|before| &*before.actions));
        actions.core_limit_changed();
        let numbers = table.abi.numbers;
        Ok(Arc::new(Self {
            space,
            table: RwLock::new(table),
            sysroot: RwLock::new(None),
            own_exe: RwLock::new(Arc::new(OwnExe::default())),
            marks: Arc::default(),
            linux,
            regs: &linux.facts().registers,
            abi: GuestAbi {
                numbers,
                ..linux.abi()
            },
            actions,
            pending: before.map_or_else(Arc::default, |before| before.pending.clone()),
            seccomp: seccomp::Threads::default(),
            trampoline,
            vdso,
            robust_lists: Mutex::default(),
            limits: limits::Limits::default(),
            cookies: Mutex::default(),
            facts: RwLock::default(),
            running: Mutex::default(),
            ready: Ready::default(),
            debugged: Debugged::after(before.map(|before| &before.debugged)),
            borrows: false,
        }))
    }

    /// What clone(2) with CLONE_VM makes of it for the new process. `lent` are the clone's flags:
    /// descriptors and signal actions may be shared, too.
    #[must_use]
    pub fn lend(&self, lent: u64) -> Arc<Self> {
        let copy = |sysroot: &Arc<Sysroot>| {
            if lent & libc::CLONE_FS as u64 != 0 {
                sysroot.clone()
            } else {
                Arc::new(sysroot.copy())
            }
        };
        Arc::new(Self {
            space: self.space.clone(),
            table: RwLock::new(shared(&self.table)),
            // The current directory need not stay the same, unless it is shared as well.
            sysroot: RwLock::new(shared(&self.sysroot).as_ref().map(copy)),
            own_exe: RwLock::new(shared(&self.own_exe)),
            marks: if lent & libc::CLONE_FILES as u64 != 0 {
                self.marks.clone()
            } else {
                Arc::new(self.marks.copy())
            },
            linux: self.linux,
            regs: self.regs,
            abi: self.abi,
            actions: if lent & libc::CLONE_SIGHAND as u64 != 0 {
                self.actions.shared.store(true, Ordering::SeqCst);
                self.actions.clone()
            } else {
                self.actions.copy()
            },
            pending: Arc::default(),
            seccomp: seccomp::Threads::default(),
            trampoline: self.trampoline,
            vdso: self.vdso,
            robust_lists: Mutex::default(),
            limits: self.limits.copy(),
            cookies: Mutex::new(self.cookies().clone()),
            facts: RwLock::new(shared(&self.facts)),
            // The parent holds it, or, after an execve, the new program.
            running: Mutex::default(),
            ready: self.ready.copy(),
            debugged: Debugged::default(),
            borrows: true,
        })
    }
}

/// Maps the page whose code calls sigreturn and the vDSO, which may be one, and gives their addresses; 0 where there is
/// none.
fn map_code(
    space: &AddressSpace,
    linux: &dyn LinuxAbi,
    reads_clocks: bool,
) -> Result<(u64, u64), i32> {
    let facts = linux.facts();
    let mut code = linux.trampoline();
    let apart = linux.vdso();
    let tell = |image: &mut Vec<u8>| {
        if let (true, Some((at, clocks))) = (reads_clocks, linux.clocks()) {
            let order = linux.abi();
            put_int(
                &mut image[at as usize..][..4],
                order.big_endian,
                clocks.into(),
            );
        }
    };
    if facts.has_vdso {
        tell(&mut code);
    }
    let trampoline = map_page(space, &code, facts.page_size, facts.trampoline_name)?;
    let vdso = match apart {
        Some(image) => {
            let mut image = image.to_vec();
            tell(&mut image);
            map_page(space, &image, facts.page_size, "[vdso]")?
        }
        None if facts.has_vdso => trampoline,
        None => 0,
    };
    Ok((trampoline, vdso))
}

fn map_page(space: &AddressSpace, code: &[u8], size: u64, name: &str) -> Result<u64, i32> {
    if code.is_empty() {
        return Ok(0);
    }
    let page = space.mmap(MmapRequest::anonymous(size, Prot::READ | Prot::WRITE))?;
    space.write(page, code).map_err(|_| libc::EFAULT)?;
    space.mprotect(page, size, (Prot::READ | Prot::EXEC).bits())?;
    space.set_name(page, size, name);
    Ok(page)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a lock's value; a poisoned lock (a panic elsewhere) still has a whole value.
pub(crate) fn shared<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone()
}
