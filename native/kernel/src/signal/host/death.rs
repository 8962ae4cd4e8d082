//! Deaths by default: which signals' are carried out here instead of by the host kernel, and how.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

/// The signals whose default action, a death, is ours to carry out: they come to our handler
/// where the guest has none. Those of [`CORE`] when the guest is to be dumped, or the host kernel would
/// dump the emulator; all that kill when somebody wants to hear of it.
static OURS: AtomicU64 = AtomicU64::new(0);
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Whether a death of `signal` by default is ours to carry out.
#[must_use]
pub fn is_ours(signal: i32) -> bool {
    OURS.load(Ordering::SeqCst) & bit(signal) != 0
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

/// Deaths by default are to be heard of (see [`look_at_core_limit`]).
pub fn watch_deaths() {
    WATCHED.store(true, Ordering::SeqCst);
}

/// Looks at RLIMIT_CORE. True: what [`is_ours`] says has changed, and actions are to be
/// installed again.
pub fn look_at_core_limit() -> bool {
    const KEPT_BY_DEFAULT: u64 = bit(libc::SIGCHLD)
        | bit(libc::SIGURG)
        | bit(libc::SIGWINCH)
        | bit(libc::SIGCONT)
        | bit(libc::SIGTSTP)
        | bit(libc::SIGTTIN)
        | bit(libc::SIGTTOU)
        | UNBLOCKABLE;
    /// Below a page the kernel does not begin (fs/coredump.c, `min_coredump`).
    const LEAST: u64 = 4096;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is an rlimit. The second call touches no memory.
    let (known, first) = unsafe {
        (
            libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) == 0,
            libc::getpid() == 1,
        )
    };
    // The first process of a PID namespace does not die of its own signals by default
    // (pid_namespaces(7)); with a handler it would.
    let ours = match WATCHED.load(Ordering::SeqCst) {
        _ if first => 0,
        true => !KEPT_BY_DEFAULT,
        false if known && limit.rlim_cur >= LEAST || core_goes_to_a_program() => CORE,
        false => 0,
    };
    OURS.swap(ours, Ordering::SeqCst) != ours
}

/// Dies of `signal` as the guest did, whatever the host's action and mask are.
pub fn die_by(signal: i32) {
    prepare_to_die(signal);
    // A core file would be the emulator's, not the guest's. SAFETY: touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    raise_fatal(signal);
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
