//! Guest signals.
//!
//! The host kernel does the kernel's work: the thread's host signal mask is the
//! guest's, a guest's SIG_DFL or SIG_IGN is the host's, so that blocking,
//! queueing, stopping, default deaths and SIGCHLD are Linux's own. Only a signal with a
//! guest handler reaches [`host`], which notes it, blocks all others until it is
//! delivered (so the kernel keeps the queue) and makes the core stop; [`deliver`] then builds
//! the guest's frame between two guest instructions.
//!
//! SA_RESTART is passed on with the host handler, so the kernel decides call by call whether
//! an interrupted call fails with EINTR or is made again (`thunk::host` shows how).

pub mod calls;
pub mod deferred;
pub mod deliver;
pub mod frame;
pub mod host;
pub mod siginfo;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::GuestAbi;
use crate::linux::LinuxAbi;

pub use frame::{FrameContext, Restored};
pub use siginfo::{FaultInfo, RefusedCall};

/// Signals are numbered 1 to 64, as on all of Linux but MIPS.
pub const NSIG: usize = 64;

pub const SIG_DFL: u64 = 0;
pub const SIG_IGN: u64 = 1;
/// SA_RESTORER, where an ABI has it; the libc crate does not.
pub const SA_RESTORER: u64 = 0x0400_0000;

/// A signal action as the guest gave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: u64,
}

impl Action {
    #[must_use]
    pub fn has_handler(&self) -> bool {
        self.handler != SIG_DFL && self.handler != SIG_IGN
    }

    #[must_use]
    pub fn has(&self, flag: i32) -> bool {
        self.flags & flag as u32 as u64 != 0
    }
}

/// The bit of a signal in a mask.
#[must_use]
pub const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// SIGKILL and SIGSTOP, which no mask holds.
pub const UNBLOCKABLE: u64 = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);

/// The signal actions of a process (shared by threads with CLONE_SIGHAND).
pub struct Actions {
    /// And those of MIPS's signals 65 to 128, which no host sends.
    table: Mutex<([Action; NSIG], [Action; NSIG])>,
    /// What the host's handler has to know of it.
    pub known: host::Known,
    taken_back: AtomicBool,
    /// Two processes have them (CLONE_SIGHAND), on the host, too.
    pub(crate) shared: AtomicBool,
}

impl Actions {
    /// The actions that this process inherited: what the host ignores, the guest ignores. `before`: those
    /// of the program that ran here until an execve.
    #[must_use]
    pub fn inherited(before: Option<&Self>) -> Arc<Self> {
        let known = before.map_or_else(host::Known::inherited, |before| before.known.copy());
        known.orderly.store(false, Ordering::SeqCst);
        let actions = Self {
            table: Mutex::new(([Action::default(); NSIG], [Action::default(); NSIG])),
            taken_back: AtomicBool::new(before.is_some_and(Self::is_taken_back)),
            shared: AtomicBool::new(false),
            known,
        };
        for signal in 1..=NSIG as i32 {
            if actions.known.is_ignored(signal) {
                actions.with(|table| table[signal as usize - 1].handler = SIG_IGN);
            }
        }
        Arc::new(actions)
    }

    /// A copy for another process, to which the host has given a copy of its own actions.
    #[must_use]
    pub fn copy(&self) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::new(*self.lock()),
            known: self.known.copy(),
            taken_back: AtomicBool::new(self.is_taken_back()),
            shared: AtomicBool::new(false),
        })
    }

    fn is_taken_back(&self) -> bool {
        self.taken_back.load(Ordering::SeqCst)
    }

    /// From now on the process dies of signals at safe places only ([`host::deaths_of_ours`]).
    pub fn die_orderly(&self) {
        if !self.known.orderly.swap(true, Ordering::SeqCst) {
            self.core_limit_changed();
        }
    }

    /// Access under the lock.
    pub fn with<T>(&self, function: impl FnOnce(&mut [Action; NSIG]) -> T) -> T {
        function(&mut self.lock().0)
    }

    /// Gives the action of signal 65 and up at this index, and sets it.
    pub fn exchange_beyond(&self, index: usize, new: Option<Action>) -> Action {
        let slot = &mut self.lock().1[index];
        let before = *slot;
        *slot = new.unwrap_or(before);
        before
    }

    fn lock(&self) -> MutexGuard<'_, ([Action; NSIG], [Action; NSIG])> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn get(&self, signal: i32) -> Action {
        self.with(|table| table[signal as usize - 1])
    }

    /// The C library takes signal 33 for itself when the first thread of a process is made
    /// (glibc's nptl/pthread_create.c, `late_init`). To the guest it is a signal like others.
    pub fn take_back(&self) {
        const SIGSETXID: i32 = 33;
        if !self.taken_back.swap(true, Ordering::SeqCst) {
            self.with(|table| self.install(SIGSETXID, &table[SIGSETXID as usize - 1]));
        }
    }

    /// Where Python's start could not be told to leave them alone (the extension's `begin.rs`), it ignores SIGPIPE and
    /// SIGXFSZ and catches SIGINT (`Modules/signalmodule.c`): they are the guest's again.
    /// What that does about them by now is in the table, whatever its other threads have called meanwhile.
    pub fn take_back_from_python(&self) {
        self.with(|table| {
            for signal in [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGINT] {
                self.install(signal, &table[signal as usize - 1]);
            }
        });
    }

    /// Makes the host's action that of the guest.
    fn install(&self, signal: i32, action: &Action) {
        host::install(&self.known, signal, action);
    }

    /// RLIMIT_CORE may have changed, or [`host::watch_deaths`] was called.
    pub fn core_limit_changed(&self) {
        if self.known.look_at_core_limit() {
            self.with(|table| {
                for (signal, action) in (1..).zip(table.iter()) {
                    if action.handler == SIG_DFL {
                        self.install(signal, action);
                    }
                }
            });
        }
    }

    /// Takes over the actions that the host copies at this moment.
    pub(crate) fn take(&self, table: &[Action; NSIG]) {
        self.with(|own| *own = *table);
    }

    /// Runs `exec`, a real execve(2): see [`host::around_exec`].
    pub fn around_exec<T>(&self, blocked: u64, exec: impl FnOnce() -> T) -> T {
        if self.shared.load(Ordering::SeqCst) {
            // The other process needs them as they are.
            return host::with_mask(blocked, exec);
        }
        let handled = self.with(|table| {
            let ours = |signal, action: &Action| {
                action.has_handler() || action.handler == SIG_DFL && self.known.is_ours(signal)
            };
            (1..).zip(table.iter()).fold(0, |set, (signal, action)| {
                set | if ours(signal, action) { bit(signal) } else { 0 }
            })
        });
        host::around_exec(&self.known, handled & !UNBLOCKABLE, blocked, exec)
    }

    /// execve: handlers become SIG_DFL, ignored signals stay ignored.
    pub fn reset_for_exec(&self) {
        self.with(|table| {
            for (index, action) in table.iter_mut().enumerate() {
                let ignored = action.handler == SIG_IGN;
                let reset = Action {
                    handler: if ignored { SIG_IGN } else { SIG_DFL },
                    ..Action::default()
                };
                if *action != reset {
                    *action = reset;
                    self.install(index as i32 + 1, action);
                }
            }
        });
    }
}

/// An alternate signal stack (sigaltstack(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AltStack {
    pub sp: u64,
    pub size: u64,
    pub flags: i32,
}

impl Default for AltStack {
    fn default() -> Self {
        Self {
            sp: 0,
            size: 0,
            flags: libc::SS_DISABLE,
        }
    }
}

impl AltStack {
    /// Whether `sp` is on this stack (include/linux/sched/signal.h, `on_sig_stack`).
    #[must_use]
    pub fn contains(&self, sp: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && sp > self.sp && sp - self.sp <= self.size
    }
}

/// Not in the libc crate (uapi/linux/signal.h).
pub const SS_AUTODISARM: i32 = i32::MIN;

/// What a guest thread keeps of its signals.
pub struct ThreadSignals {
    pub actions: Arc<Actions>,
    /// The guest's signal mask; the host's is the same but while a signal waits.
    pub blocked: u64,
    /// The mask to put back by the frame of a signal that interrupted sigsuspend.
    pub saved: Option<u64>,
    pub altstack: AltStack,
    pub mailbox: Arc<host::Mailbox>,
    /// The page with its code, and the guest that it is for.
    pub trampoline: u64,
    pub linux: &'static dyn LinuxAbi,
    pub abi: GuestAbi,
    /// Signals on their way to the guest are kept in `seen`, for logs.
    pub watch: bool,
    /// The signal that was just delivered and its siginfo_t in the guest's layout.
    pub seen: Option<Seen>,
}

/// A delivered signal: its number and siginfo_t.
pub type Seen = Box<(i32, [u8; siginfo::SIZE])>;
