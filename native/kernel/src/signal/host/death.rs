//! Deaths by default: which signals' are carried out here instead of by the host kernel, and how.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::message::{Message, message_info, send};
use super::{KernelAction, kernel_action, qusr_signal_return, set_whole_mask};
use crate::signal::{SA_RESTORER, UNBLOCKABLE, bit};

/// Signals whose default action is a core dump (signal(7)).
pub const CORE: u64 = {
    let signals = [
        libc::SIGQUIT,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGSYS,
    ];
    let (mut set, mut index) = (0, 0);
    while index < signals.len() {
        set |= bit(signals[index]);
        index += 1;
    }
    set
};

/// Somebody wants to hear of every death, whichever process's.
static WATCHED: AtomicBool = AtomicBool::new(false);
static QUIT_WATCHED: AtomicBool = AtomicBool::new(false);

/// Signals of whose default action nobody dies, and those whose action is nobody's to change.
const KEPT_BY_DEFAULT: u64 = bit(libc::SIGCHLD)
    | bit(libc::SIGURG)
    | bit(libc::SIGWINCH)
    | bit(libc::SIGCONT)
    | bit(libc::SIGTSTP)
    | bit(libc::SIGTTIN)
    | bit(libc::SIGTTOU)
    | UNBLOCKABLE;

/// Whether a process of qusr's that catches or ignores `signals` on the host is one that dies at safe places only
/// ([`deaths_of_ours`]).
#[must_use]
pub fn dies_orderly(signals: u64) -> bool {
    !signals & !KEPT_BY_DEFAULT == 0
}

/// Whether core_pattern names a program (or a socket), which gets cores whatever the limit
/// is (core(5)): the emulator's, if the kernel had its way.
#[must_use]
pub fn core_goes_to_a_program() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        std::fs::read("/proc/sys/kernel/core_pattern")
            .is_ok_and(|pattern| matches!(pattern.first(), Some(b'|' | b'@')))
    })
}

/// Deaths by default are to be heard of (see [`deaths_of_ours`]).
pub fn watch_deaths() {
    WATCHED.store(true, Ordering::SeqCst);
}

/// Deaths by SIGQUIT are to be heard of (see [`deaths_of_ours`]).
pub fn watch_quit() {
    QUIT_WATCHED.store(true, Ordering::SeqCst);
}

/// The signals whose default action, a death, is ours to carry out: they come to our handler
/// where the guest has none. Those of [`CORE`] when the guest is to be dumped, or the host kernel would
/// dump the emulator; all that kill when somebody wants to hear of it, or when `orderly`: a process
/// that shares its memory must not die with a lock in its hands that others wait for.
#[must_use]
pub fn deaths_of_ours(orderly: bool) -> u64 {
    /// Below a page the kernel does not begin (fs/coredump.c, `min_coredump`).
    const LEAST: u64 = 4096;
    let wanted = limit_of_core().is_some_and(|limit| limit.rlim_cur >= LEAST);
    // SAFETY: touches no memory.
    let first = unsafe { libc::getpid() } == 1;
    // The first process of a PID namespace does not die of its own signals by default
    // (pid_namespaces(7)); with a handler it would.
    match orderly || WATCHED.load(Ordering::SeqCst) {
        _ if first => 0,
        true => !KEPT_BY_DEFAULT,
        false if wanted || core_goes_to_a_program() => CORE,
        false if QUIT_WATCHED.load(Ordering::SeqCst) => bit(libc::SIGQUIT),
        false => 0,
    }
}

/// Dies of `signal` as the guest did, whatever the host's action and mask are.
pub fn die_by(signal: i32) {
    prepare_to_die(signal);
    // A core file would be the emulator's, not the guest's. SAFETY: touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    raise_fatal(signal);
}

/// The same in memory that is shared: that other processes can be dumped is theirs to decide
/// (PR_SET_DUMPABLE is kept with the memory).
pub fn die_beside_others(signal: i32) -> ! {
    if core_goes_to_a_program() || limit_of_core().is_none_or(|limit| limit.rlim_cur != 0) {
        // A limit of 1 byte is "no core" to pipes as well (fs/coredump.c).
        let most = limit_of_core().map_or(0, |limit| limit.rlim_max);
        let none = libc::rlimit {
            rlim_cur: most.min(1),
            rlim_max: most,
        };
        // SAFETY: `none` is an rlimit.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    }
    prepare_to_die(signal);
    raise_fatal(signal);
    // SAFETY: ends the process, if that has not.
    unsafe { libc::_exit(128 + signal) }
}

fn limit_of_core() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is an rlimit.
    (unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) } == 0).then_some(limit)
}

/// The default action for `signal`, and nothing else in its way.
pub fn prepare_to_die(signal: i32) {
    let action = KernelAction {
        handler: 0,
        flags: SA_RESTORER,
        restorer: qusr_signal_return as *const () as usize,
        mask: 0,
    };
    kernel_action(signal, Some(&action));
    set_whole_mask(!bit(signal));
}

/// Sends the calling thread the signal it is to die of.
pub fn raise_fatal(signal: i32) {
    // SAFETY: touches no memory.
    let tid = unsafe { libc::gettid() };
    send(tid, signal, &message_info(signal, Message::Die, 0));
}
