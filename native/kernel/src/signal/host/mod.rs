//! The host's side: the one signal handler, and masks.
//!
//! The handler does only async-signal-safe things: it stores into the thread's
//! [`Mailbox`] and may move the interrupted pc out of a system call's entry.

mod death;
mod mailbox;
mod message;

use std::arch::global_asm;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use self::mailbox::MAILBOX;
use self::message::take_message;
use super::{Action, NSIG, SA_RESTORER, SIG_DFL, SIG_IGN, bit, deferred};
use crate::memory::fault::{self, HostFault};
use crate::thunk::host::{interrupted_at, landing, safe_syscall, was_made_at};

pub use self::death::{
    core_goes_to_a_program, deaths_of_ours, die_beside_others, die_by, dies_orderly,
    prepare_to_die, raise_fatal, watch_deaths, watch_quit,
};
pub use self::mailbox::{BELL, DUE, Mailbox};
pub use self::message::{
    Message, ask_to_die, doom, look, queue_again, send_to_self, send_trap, unwrap_sent,
    was_orphaned, wrap_sent,
};

/// The bytes of a kernel sigaction on x86-64.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

global_asm!(
    ".global qusr_signal_return",
    "qusr_signal_return:",
    "mov eax, 15", // rt_sigreturn
    "syscall",
    ".global qusr_signal_return_end",
    "qusr_signal_return_end:",
    "ud2",
);

unsafe extern "C" {
    fn qusr_signal_return();
    static qusr_signal_return_end: u8;
}

/// The code that handlers return by. (The kernel compares the address behind the system call, so that is included.)
pub(crate) fn return_code() -> std::ops::Range<usize> {
    qusr_signal_return as *const () as usize..&raw const qusr_signal_return_end as usize + 1
}

/// A signal that another handler than usual takes for a while, with the mask that lets it through to the calling thread.
/// Nobody else changes what is done about it meanwhile.
pub(crate) struct Borrowed {
    signal: i32,
    before: Option<KernelAction>,
    mask: u64,
}

impl Borrowed {
    pub(crate) fn take(
        signal: i32,
        handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void),
    ) -> Self {
        let action = KernelAction {
            handler: handler as *const () as usize,
            flags: SA_RESTORER | (libc::SA_SIGINFO | libc::SA_ONSTACK) as u64,
            restorer: qusr_signal_return as *const () as usize,
            mask: !0,
        };
        let before = kernel_action(signal, Some(&action));
        let mask = mask();
        set_whole_mask(mask & !bit(signal));
        Self {
            signal,
            before,
            mask,
        }
    }

    pub(crate) fn give_back(self) {
        set_whole_mask(self.mask);
        if let Some(before) = &self.before {
            kernel_action(self.signal, Some(before));
        }
    }
}

fn kernel_action(signal: i32, new: Option<&KernelAction>) -> Option<KernelAction> {
    let mut old = KernelAction {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let called = fault::entered(signal);
    let new = new.map(|new| KernelAction {
        handler: match new.handler {
            handler @ ..=1 => handler,
            handler => fault::entry(signal, handler),
        },
        ..*new
    });
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both pointers are null or valid kernel sigactions. The C library's
    // function is not used because it keeps signals 32 and 33 for itself.
    let result =
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, &raw mut old, 8usize) };
    if fault::is_entry(old.handler) {
        old.handler = called;
    }
    (result == 0).then_some(old)
}

/// Signals that every emulator lives by: their host handler is [`crate::memory::fault`]'s, and they are never blocked on the
/// host.
pub const LEAST: u64 = 1 << (libc::SIGSEGV - 1) | 1 << (libc::SIGBUS - 1) | 1 << (libc::SIGFPE - 1);

/// Those where the host's processor runs the guest's code.
const ALL: u64 =
    LEAST | 1 << (libc::SIGSYS - 1) | 1 << (libc::SIGTRAP - 1) | 1 << (libc::SIGILL - 1);

/// Those of this process, which may be some more (`fault::widen`).
#[must_use]
pub fn own() -> u64 {
    if fault::is_wide() { ALL } else { LEAST }
}

/// What the handler has to know of a process's actions, without a lock.
#[derive(Debug, Default)]
pub struct Known {
    /// Those of [`own`] for which the guest has a handler, and those that it ignores.
    handled: AtomicU64,
    ignored: AtomicU64,
    /// See [`deaths_of_ours`].
    ours: AtomicU64,
    /// Whether the process must die at a safe place only (see [`deaths_of_ours`]).
    pub orderly: AtomicBool,
}

impl Known {
    /// What a program that starts in this process has inherited.
    #[must_use]
    pub fn inherited() -> Self {
        let known = Self::default();
        for &own in fault::signals() {
            if fault::was_ignored(own) {
                known.ignored.fetch_or(bit(own), Ordering::SeqCst);
            }
        }
        known
    }

    /// The same for another process.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = |set: &AtomicU64| AtomicU64::new(set.load(Ordering::SeqCst));
        Self {
            handled: copy(&self.handled),
            ignored: copy(&self.ignored),
            ours: copy(&self.ours),
            orderly: AtomicBool::new(self.orderly.load(Ordering::SeqCst)),
        }
    }

    /// Whether a death of `signal` by default is ours to carry out.
    #[must_use]
    pub fn is_ours(&self, signal: i32) -> bool {
        self.ours.load(Ordering::SeqCst) & bit(signal) != 0
    }

    /// Whether the guest ignores `signal`.
    #[must_use]
    pub fn is_ignored(&self, signal: i32) -> bool {
        if bit(signal) & own() != 0 {
            return self.ignored.load(Ordering::SeqCst) & bit(signal) != 0;
        }
        kernel_action(signal, None).is_some_and(|action| action.handler == SIG_IGN as usize)
    }

    /// Looks at RLIMIT_CORE. True: what [`Known::is_ours`] says has changed, and actions are to be
    /// installed again.
    pub fn look_at_core_limit(&self) -> bool {
        let ours = deaths_of_ours(self.orderly.load(Ordering::SeqCst));
        self.ours.swap(ours, Ordering::SeqCst) != ours
    }
}

/// Makes the host's action that of the guest.
pub fn install(known: &Known, signal: i32, action: &Action) {
    if bit(signal) & own() != 0 {
        let put = |set: &AtomicU64, on: bool| {
            if on {
                set.fetch_or(bit(signal), Ordering::SeqCst);
            } else {
                set.fetch_and(!bit(signal), Ordering::SeqCst);
            }
        };
        put(&known.handled, action.has_handler());
        // The kernel decides between EINTR and a restart, as for other signals. Who is not to notice: `make_again`.
        fault::set_restart(
            signal,
            !action.has_handler() || action.has(libc::SA_RESTART),
        );
        put(&known.ignored, action.handler == SIG_IGN);
        if action.handler == SIG_IGN {
            deferred::discard(signal);
        }
        return;
    }
    if signal == libc::SIGKILL || signal == libc::SIGSTOP {
        return;
    }
    let passed_on = libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT | libc::SA_RESTART;
    let flags = action.flags & passed_on as u64 | SA_RESTORER;
    let kernel = if action.handler == SIG_IGN || action.handler == SIG_DFL && !known.is_ours(signal)
    {
        KernelAction {
            handler: action.handler as usize,
            flags,
            restorer: qusr_signal_return as *const () as usize,
            mask: 0,
        }
    } else {
        KernelAction {
            handler: handle as *const () as usize,
            flags: flags | (libc::SA_SIGINFO | libc::SA_ONSTACK) as u64,
            restorer: qusr_signal_return as *const () as usize,
            // OWN as well: one that was sent must not come while the mailbox is half written.
            mask: !0,
        }
    };
    kernel_action(signal, Some(&kernel));
}

/// Sets the calling thread's host mask to the guest's `blocked`; if something waits for the thread, once that is
/// delivered (which sets the mask again).
pub fn set_mask(blocked: u64) {
    deferred::set_blocked(blocked);
    let mailbox = MAILBOX.get();
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let Some(mailbox) = (unsafe { mailbox.as_ref() }) else {
        set_whole_mask(blocked & !own());
        return;
    };
    mailbox.note_due(blocked);
    if blocked & !own() == !own() || !enter_mask(mailbox, blocked) {
        set_whole_mask(!own());
    }
}

/// Makes `blocked` the mask of the calling thread, which has this mailbox; false: something waits that was there
/// before, and nothing has changed (but that signals are blocked until that is delivered).
#[must_use]
pub fn try_mask(mailbox: &Mailbox, blocked: u64) -> bool {
    let old = deferred::set_blocked(blocked);
    mailbox.note_due(blocked);
    let done = if deferred::due(blocked) == 0 {
        enter_mask(mailbox, blocked)
    } else {
        // What else comes through now comes after those (kernel/signal.c: `next_signal` prefers
        // SYNCHRONOUS_MASK), on the mask of their handlers.
        set_whole_mask(!own());
        mailbox.pending.load(Ordering::SeqCst) & !DUE == 0
    };
    if !done {
        deferred::set_blocked(old);
        mailbox.note_due(old);
    }
    done
}

/// Sets the host mask if nothing waits: a signal that comes just before makes this fail.
fn enter_mask(mailbox: &Mailbox, blocked: u64) -> bool {
    let mask = blocked & !own();
    let how = libc::SIG_SETMASK as u64;
    let args = [how, &raw const mask as u64, 0, 8, 0, 0];
    // SAFETY: the kernel reads 8 bytes of mask.
    let result = unsafe { safe_syscall(&mailbox.pending, libc::SYS_rt_sigprocmask as u16, &args) };
    result == 0
}

/// Sets the calling thread's host mask as it is: with [`own`] in it, a fault of the emulator's is its end.
pub(crate) fn set_whole_mask(mask: u64) {
    // SAFETY: the kernel reads 8 bytes of mask.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            std::ptr::null::<u64>(),
            8usize,
        );
    }
}

/// Runs `exec`, a real execve(2), with the guest's mask and actions being the host's in full;
/// when it comes back it has failed, and the emulator's own are put in place again. `handled` are the
/// signals of which our handler takes notice: it could not tell the new program.
pub(super) fn around_exec<T>(
    known: &Known,
    handled: u64,
    blocked: u64,
    exec: impl FnOnce() -> T,
) -> T {
    set_whole_mask(!0);
    let ignored = known.ignored.load(Ordering::SeqCst);
    // A SIGSEGV may be a message (`ask_to_die`), of which the new program is not to die. Our handler goes with the
    // old program, unless the guest ignores the signal.
    let changes = (handled | own()) & !(bit(libc::SIGSEGV) & !ignored);
    let changed = || (1..=NSIG as i32).filter(|&signal| changes & bit(signal) != 0);
    // On the stack: a child in borrowed memory would leave what is allocated there.
    let mut before = [const { None }; NSIG];
    for signal in changed() {
        let action = KernelAction {
            handler: usize::from(ignored & bit(signal) != 0),
            flags: SA_RESTORER,
            restorer: qusr_signal_return as *const () as usize,
            mask: 0,
        };
        before[signal as usize - 1] = kernel_action(signal, Some(&action));
    }
    give_back();
    // One that is none is the end of this program.
    let segv = bit(libc::SIGSEGV);
    let (own_handled, ours) = (
        known.handled.fetch_and(!segv, Ordering::SeqCst),
        known.ours.fetch_and(!segv, Ordering::SeqCst),
    );
    set_whole_mask(blocked);
    let result = exec();
    set_whole_mask(!0);
    known.handled.store(own_handled, Ordering::SeqCst);
    known.ours.store(ours, Ordering::SeqCst);
    for signal in changed() {
        kernel_action(signal, before[signal as usize - 1].as_ref());
    }
    set_mask(blocked);
    result
}

/// What was put aside waits with the kernel again, for a new program. All signals are blocked.
fn give_back() {
    while let Some((signal, info)) = deferred::take_own(own()) {
        queue_again(signal, &info);
    }
    while let Some((signal, info)) = deferred::take(own()) {
        message::queue_for_process(signal, &info);
    }
}

/// Runs `exec` with nothing changed but the mask.
pub(super) fn with_mask<T>(blocked: u64, exec: impl FnOnce() -> T) -> T {
    set_whole_mask(blocked);
    let result = exec();
    set_mask(blocked);
    result
}

/// The calling thread's host mask.
#[must_use]
pub fn mask() -> u64 {
    let mut mask = 0u64;
    // SAFETY: the kernel writes 8 bytes of mask.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            std::ptr::null::<u64>(),
            &raw mut mask,
            8usize,
        );
    }
    mask
}

/// The handler of all signals for which the guest has one, and of those that are ours
/// ([`Known::is_ours`]).
extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let mailbox = MAILBOX.get();
    if mailbox.is_null() {
        if deaths_of_ours(false) & bit(signal) != 0 {
            // Between two programs (execve) there is nothing to dump.
            die_by(signal);
        }
        return;
    }
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let mailbox = unsafe { &*mailbox };
    // SAFETY: the kernel passes a valid siginfo and ucontext to an SA_SIGINFO handler.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    if !mailbox.put(signal, info) {
        // The mask was opened in spite of it. Not lost, at least.
        queue_again(signal, info);
    }
    // Nothing else is to arrive before the guest's thread has taken this one. The kernel's
    // mask is the first 8 bytes of uc_sigmask.
    let mask = (&raw mut context.uc_sigmask).cast::<u64>();
    // SAFETY: uc_sigmask is at least 8 bytes and belongs to this handler's frame.
    unsafe { *mask = !own() };
    let pc = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
    if let Some(landing) = interrupted_at(*pc as usize) {
        *pc = landing as i64;
    }
    mailbox.interrupter.interrupt();
}

/// The signal is one that the guest's thread is not to notice: a call that it has ended, as poll(2) whatever the flags
/// of its handler say, is made again (with all of its timeout).
fn make_again(fault: &mut HostFault<'_>) {
    if was_made_at(fault.pc()) && fault.result() == -i64::from(libc::EINTR) {
        fault.resume_at(landing());
    }
}

/// Takes SIGSEGV, SIGBUS and SIGFPE that were sent and not caused: for the guest's handler, or
/// the message of [`doom`]. The fault handler, which blocks all signals, asks this last.
pub fn claim(fault: &mut HostFault<'_>) -> bool {
    let mailbox = MAILBOX.get();
    if fault.is_synchronous() {
        return false;
    }
    // SAFETY: si_value is read as a number only.
    let value = unsafe { fault.info.si_value() }.sival_ptr as usize;
    if fault.info.si_code == libc::SI_QUEUE && take_message(fault, value) {
        return true;
    }
    let doomed = fault.info.si_code == libc::SI_QUEUE && value as u64 >> 48 == Message::Doom as u64;
    if mailbox.is_null() {
        if doomed {
            mailbox::is_early_to_end();
        }
        return doomed;
    }
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let mailbox = unsafe { &*mailbox };
    if doomed {
        mailbox.is_to_end();
    } else {
        let blocked = deferred::is_blocked(fault.signal);
        let bit = bit(fault.signal);
        let known = &mailbox.actions.known;
        // Who waits for it in sigtimedwait(2) gets it whatever the action is (`real_blocked`).
        let awaited = deferred::is_awaited(fault.signal);
        let ignored = known.ignored.load(Ordering::SeqCst) & bit != 0;
        let handled = known.handled.load(Ordering::SeqCst) & bit != 0;
        if !blocked && !awaited && ignored {
            make_again(fault);
            return true;
        }
        if !blocked && !awaited && !handled && !known.is_ours(fault.signal) {
            return false;
        }
        let mut info = *fault.info;
        let to_thread = unwrap_sent(&mut info);
        if blocked {
            deferred::put_aside_blocked(fault.signal, &info, to_thread);
            make_again(fault);
            return true;
        }
        deferred::put_aside(fault.signal, &info, to_thread);
        mailbox.pending.fetch_or(DUE, Ordering::SeqCst);
    }
    if let Some(landing) = interrupted_at(fault.pc()) {
        fault.resume_at(landing);
    }
    mailbox.interrupter.interrupt();
    true
}
