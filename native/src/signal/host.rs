//! The host's side: the one signal handler, and masks.
//!
//! The handler does only async-signal-safe things: it stores into the thread's
//! [`Mailbox`] and may move the interrupted pc out of a system call's entry.

use std::arch::global_asm;
use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock};

use super::{Action, SA_RESTORER, SIG_DFL, SIG_IGN, deferred};
use crate::cpu::Interrupter;
use crate::memory::fault::{self, HostFault};
use crate::thunk::host::{interrupted_at, landing, was_made_at};

/// Where the handler leaves the signal of a thread. One is enough: after it all
/// signals are blocked until the guest's thread has taken it.
pub struct Mailbox {
    /// Non-zero while a signal waits; [`crate::thunk::host::safe_syscall`] looks at it.
    pub pending: AtomicU32,
    /// The thread is to end: see [`doom`].
    doomed: AtomicBool,
    /// The ERESTART* number of a host call that the bell of a tracer interrupted.
    restart: AtomicI32,
    signal: AtomicI32,
    info: UnsafeCell<libc::siginfo_t>,
    interrupter: Arc<dyn Interrupter>,
}

// SAFETY: `info` is written by the handler on the thread that owns the mailbox and read
// by that thread with signals blocked; the rest is atomic.
unsafe impl Send for Mailbox {}
// SAFETY: as above.
unsafe impl Sync for Mailbox {}

thread_local! {
    /// Const-initialised and without a destructor: safe to use in a signal handler.
    static MAILBOX: Cell<*const Mailbox> = const { Cell::new(std::ptr::null()) };
    /// The bell was rung before the thread had a mailbox.
    static EARLY_BELL: Cell<bool> = const { Cell::new(false) };
    /// Nobody took the message of a stop: there is no tracer any more.
    static ORPHANED: Cell<bool> = const { Cell::new(false) };
}

impl Mailbox {
    #[must_use]
    pub fn new(interrupter: Arc<dyn Interrupter>) -> Arc<Self> {
        Arc::new(Self {
            pending: AtomicU32::new(0),
            doomed: AtomicBool::new(false),
            restart: AtomicI32::new(0),
            signal: AtomicI32::new(0),
            // SAFETY: siginfo_t is plain data.
            info: UnsafeCell::new(unsafe { std::mem::zeroed() }),
            interrupter,
        })
    }

    /// Makes this the mailbox of the calling thread, until [`Mailbox::detach`].
    pub fn attach(self: &Arc<Self>) {
        MAILBOX.set(Arc::as_ptr(self));
        if EARLY_BELL.get() {
            EARLY_BELL.set(false);
            self.pending.fetch_or(BELL, Ordering::SeqCst);
        }
    }

    /// The calling thread no longer takes guest signals.
    pub fn detach() {
        MAILBOX.set(std::ptr::null());
    }

    /// Queues the waiting signal with the kernel again, for who comes after this mailbox.
    pub fn send_again(&self) {
        if let Some((signal, info)) = self.take() {
            // SAFETY: `info` is a siginfo that the kernel gave.
            unsafe {
                libc::syscall(
                    libc::SYS_rt_tgsigqueueinfo,
                    libc::getpid(),
                    libc::gettid(),
                    signal,
                    &raw const info,
                );
            }
        }
    }

    /// In a forked child: what waits was the parent's.
    pub fn forget(&self) {
        // But a tracer may have rung already: then it is for the child.
        self.pending.fetch_and(BELL, Ordering::SeqCst);
    }

    /// Whether a tracer wants the thread to come to the next guest instruction.
    #[must_use]
    pub fn bell(&self) -> bool {
        self.pending.load(Ordering::Acquire) & BELL != 0
    }

    /// The same, and it is heard.
    #[must_use]
    pub fn take_bell(&self) -> bool {
        self.pending.fetch_and(!BELL, Ordering::SeqCst) & BELL != 0
    }

    /// The ERESTART* number of the call that the bell interrupted, or 0.
    #[must_use]
    pub fn take_restart(&self) -> i32 {
        self.restart.swap(0, Ordering::SeqCst)
    }

    /// The signal that waits, when one does.
    #[must_use]
    pub fn signal(&self) -> i32 {
        self.signal.load(Ordering::Relaxed)
    }

    /// Whether a signal waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.pending.load(Ordering::Acquire) & 1 != 0
    }

    /// Whether the thread is to end.
    #[must_use]
    pub fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst)
    }

    /// Takes the waiting signal. All signals stay blocked; the caller sets the mask next.
    pub fn take(&self) -> Option<(i32, libc::siginfo_t)> {
        if self.pending.load(Ordering::Acquire) & 1 == 0 {
            return None;
        }
        let signal = self.signal.load(Ordering::Relaxed);
        // SAFETY: pending is set, so the handler has finished writing, and it does
        // not run again while all signals are blocked.
        let info = unsafe { *self.info.get() };
        self.pending.fetch_and(!1, Ordering::Release);
        Some((signal, info))
    }
}

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
);

unsafe extern "C" {
    fn qusr_signal_return();
}

fn kernel_action(signal: i32, new: Option<&KernelAction>) -> Option<KernelAction> {
    let mut old = KernelAction {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both pointers are null or valid kernel sigactions. The C library's
    // function is not used because it keeps signals 32 and 33 for itself.
    let result =
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, &raw mut old, 8usize) };
    (result == 0).then_some(old)
}

/// Whether a program that starts now has `signal` ignored.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    if super::bit(signal) & OWN != 0 {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for own in fault::SIGNALS {
                if fault::was_ignored(own) {
                    OWN_IGNORED.fetch_or(super::bit(own), Ordering::SeqCst);
                }
            }
        });
        return OWN_IGNORED.load(Ordering::SeqCst) & super::bit(signal) != 0;
    }
    kernel_action(signal, None).is_some_and(|action| action.handler == SIG_IGN as usize)
}

/// Signals that the emulator itself lives by: their host handler is
/// [`crate::memory::fault`]'s, and they are never blocked on the host.
pub const OWN: u64 = 1 << (libc::SIGSEGV - 1) | 1 << (libc::SIGBUS - 1) | 1 << (libc::SIGFPE - 1);

/// Those of [`OWN`] for which the guest has a handler, and those that it ignores.
static OWN_HANDLED: AtomicU64 = AtomicU64::new(0);
static OWN_IGNORED: AtomicU64 = AtomicU64::new(0);

/// What processes of qusr tell one another, or the tracer of one: the upper 16 bits of the
/// value of a queued SIGSEGV, which no mask blocks. `qusr/ptrace/block.py` has them, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Message {
    /// A tracer rings; the rest is the ERESTART* number of the interrupted call, or 0.
    Bell = 0x5152,
    /// A tracee stops; the rest is the address of its block.
    Stop = 0x5153,
    /// A thread is to end: see [`doom`].
    Doom = 0x5155,
    /// The process dies of a signal that a tracer has already seen.
    Die = 0x5154,
}

/// In [`Mailbox::pending`].
pub const BELL: u32 = 4;

fn message_info(signal: i32, message: Message, rest: u64) -> libc::siginfo_t {
    // SAFETY: siginfo_t is plain data.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    info.si_signo = signal;
    info.si_code = libc::SI_QUEUE;
    // si_value lies behind si_pid and si_uid, at 24 bytes.
    // SAFETY: siginfo_t is 128 bytes, so bytes 24-31 are inside it.
    unsafe {
        (&raw mut info)
            .cast::<u64>()
            .add(3)
            .write((message as u64) << 48 | rest);
    }
    info
}

fn send(tid: i32, signal: i32, info: &libc::siginfo_t) {
    // SAFETY: `info` is valid; the kernel checks that the thread is one of this process.
    unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            libc::getpid(),
            tid,
            signal,
            std::ptr::from_ref(info),
        );
    }
}

/// Sends the calling thread a message, which is delivered before this returns.
pub fn send_to_self(message: Message, rest: u64) {
    // SAFETY: gettid touches no memory.
    let tid = unsafe { libc::gettid() };
    let info = message_info(libc::SIGSEGV, message, rest);
    send(tid, libc::SIGSEGV, &info);
}

/// Sends the calling thread SIGTRAP as kill(2) would (SI_USER, and itself as the sender).
pub fn send_trap() {
    // SAFETY: siginfo_t is plain data. The calls only ask.
    let (mut info, tid, ids): (libc::siginfo_t, _, _) = unsafe {
        (
            std::mem::zeroed(),
            libc::gettid(),
            [libc::getpid() as u32, libc::getuid()],
        )
    };
    info.si_signo = libc::SIGTRAP;
    // si_pid and si_uid follow si_signo, si_errno, si_code and 4 bytes of padding.
    // SAFETY: siginfo_t is 128 bytes, so bytes 16-23 are inside it.
    unsafe { (&raw mut info).cast::<[u32; 2]>().add(2).write(ids) };
    send(tid, libc::SIGTRAP, &info);
}

/// Whether a [`Message::Stop`] came back, since no tracer took it.
#[must_use]
pub fn was_orphaned() -> bool {
    ORPHANED.replace(false)
}

/// Takes the messages of tracing; false: it is something else. Async-signal-safe.
fn take_message(fault: &mut HostFault<'_>, value: usize) -> bool {
    let (kind, rest) = (value as u64 >> 48, value as u64 & 0xffff_ffff_ffff);
    if kind == Message::Stop as u64 {
        ORPHANED.set(true);
        return true;
    }
    if kind != Message::Bell as u64 {
        return false;
    }
    let mailbox = MAILBOX.get();
    if mailbox.is_null() {
        EARLY_BELL.set(true);
        return true;
    }
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let mailbox = unsafe { &*mailbox };
    mailbox.pending.fetch_or(BELL, Ordering::SeqCst);
    let entered = rest != 0 && was_made_at(fault.pc());
    let before = interrupted_at(fault.pc());
    if let Some(landing) = before.or(entered.then(landing)) {
        // A call that was not entered is made again in any case, as for ERESTARTNOINTR.
        let code = if rest == 0 { 513 } else { rest as i32 };
        mailbox.restart.store(code, Ordering::SeqCst);
        fault.resume_at(landing);
    }
    mailbox.interrupter.interrupt();
    true
}

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
        set |= super::bit(signals[index]);
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
    OURS.load(Ordering::SeqCst) & super::bit(signal) != 0
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
    const KEPT_BY_DEFAULT: u64 = super::bit(libc::SIGCHLD)
        | super::bit(libc::SIGURG)
        | super::bit(libc::SIGWINCH)
        | super::bit(libc::SIGCONT)
        | super::bit(libc::SIGTSTP)
        | super::bit(libc::SIGTTIN)
        | super::bit(libc::SIGTTOU)
        | super::UNBLOCKABLE;
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

/// Makes the host's action that of the guest.
pub fn install(signal: i32, action: &Action) {
    if super::bit(signal) & OWN != 0 {
        let put = |set: &AtomicU64, on: bool| {
            if on {
                set.fetch_or(super::bit(signal), Ordering::SeqCst);
            } else {
                set.fetch_and(!super::bit(signal), Ordering::SeqCst);
            }
        };
        put(&OWN_HANDLED, action.has_handler());
        put(&OWN_IGNORED, action.handler == SIG_IGN);
        return;
    }
    if signal == libc::SIGKILL || signal == libc::SIGSTOP {
        return;
    }
    let passed_on = libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT | libc::SA_RESTART;
    let flags = action.flags & passed_on as u64 | SA_RESTORER;
    let kernel = if action.handler == SIG_IGN || action.handler == SIG_DFL && !is_ours(signal) {
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
            mask: !OWN,
        }
    };
    kernel_action(signal, Some(&kernel));
}

/// Sets the calling thread's host mask to the guest's `blocked`.
pub fn set_mask(blocked: u64) {
    set_whole_mask(blocked & !OWN);
    deferred::set_mask(blocked);
}

fn set_whole_mask(mask: u64) {
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
/// when it comes back it has failed, and the emulator's own are put in place again.
pub fn around_exec<T>(blocked: u64, exec: impl FnOnce() -> T) -> T {
    set_whole_mask(!0);
    let ignored = OWN_IGNORED.load(Ordering::SeqCst);
    let before = fault::SIGNALS.map(|signal| {
        let action = KernelAction {
            handler: usize::from(ignored & super::bit(signal) != 0),
            flags: SA_RESTORER,
            restorer: qusr_signal_return as *const () as usize,
            mask: 0,
        };
        (signal, kernel_action(signal, Some(&action)))
    });
    set_whole_mask(blocked);
    let result = exec();
    set_whole_mask(!0);
    for (signal, action) in before {
        kernel_action(signal, action.as_ref());
    }
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

/// The handler of all signals for which the guest has one, and of [`OURS`].
extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let mailbox = MAILBOX.get();
    if mailbox.is_null() {
        if is_ours(signal) {
            // Between two programs (execve) there is nothing to dump.
            die_by(signal);
        }
        return;
    }
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let mailbox = unsafe { &*mailbox };
    // SAFETY: the kernel passes a valid siginfo and ucontext to an SA_SIGINFO handler.
    let (info, context) = unsafe { (*info, &mut *context.cast::<libc::ucontext_t>()) };
    // SAFETY: all signals but OWN are blocked while this runs, and the owner reads
    // only after `pending` is set.
    unsafe { *mailbox.info.get() = info };
    mailbox.signal.store(signal, Ordering::Relaxed);
    mailbox.pending.fetch_or(1, Ordering::Release);
    // Nothing else is to arrive before the guest's thread has taken this one. The kernel's
    // mask is the first 8 bytes of uc_sigmask.
    let mask = (&raw mut context.uc_sigmask).cast::<u64>();
    // SAFETY: uc_sigmask is at least 8 bytes and belongs to this handler's frame.
    unsafe { *mask = !OWN };
    let pc = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
    if let Some(landing) = interrupted_at(*pc as usize) {
        *pc = landing as i64;
    }
    mailbox.interrupter.interrupt();
}

/// Takes SIGSEGV, SIGBUS and SIGFPE that were sent and not caused: to the guest's handler, or
/// the message of [`doom`]. The fault handler asks this last.
pub fn claim(fault: &mut HostFault<'_>) -> bool {
    let mailbox = MAILBOX.get();
    if fault.is_synchronous() {
        return false;
    }
    // SAFETY: si_value is read as a number only.
    let value = unsafe { fault.info.si_value() }.sival_ptr as usize;
    if fault.info.si_code == libc::SI_QUEUE
        && fault.signal == libc::SIGSEGV
        && take_message(fault, value)
    {
        return true;
    }
    if mailbox.is_null() {
        return false;
    }
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let mailbox = unsafe { &*mailbox };
    if fault.info.si_code == libc::SI_QUEUE && value as u64 >> 48 == Message::Doom as u64 {
        mailbox.doomed.store(true, Ordering::SeqCst);
        mailbox.pending.fetch_or(2, Ordering::SeqCst);
        if let Some(landing) = interrupted_at(fault.pc()) {
            fault.resume_at(landing);
        }
        mailbox.interrupter.interrupt();
        return true;
    }
    let bit = super::bit(fault.signal);
    if deferred::is_blocked(fault.signal) || mailbox.waits() {
        // The mailbox holds one signal; the mask is set again after its delivery.
        deferred::put_aside(fault.signal, fault.info);
        return true;
    }
    let ignored = OWN_IGNORED.load(Ordering::SeqCst) & bit != 0;
    if OWN_HANDLED.load(Ordering::SeqCst) & bit != 0 || is_ours(fault.signal) && !ignored {
        let mut info = *fault.info;
        let context: *mut libc::ucontext_t = fault.context();
        handle(fault.signal, &raw mut info, context.cast());
        return true;
    }
    ignored
}

/// Makes a guest thread of this process end soon, wherever it is.
pub fn doom(tid: i32) {
    let info = message_info(libc::SIGSEGV, Message::Doom, 0);
    send(tid, libc::SIGSEGV, &info);
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
    set_whole_mask(!super::bit(signal));
}

/// Sends the calling thread the signal it is to die of.
pub fn raise_fatal(signal: i32) {
    // SAFETY: touches no memory.
    let tid = unsafe { libc::gettid() };
    send(tid, signal, &message_info(signal, Message::Die, 0));
}
