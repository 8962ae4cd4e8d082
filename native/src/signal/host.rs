//! The host's side: the one signal handler, and masks.
//!
//! The handler does only async-signal-safe things: it stores into the thread's
//! [`Mailbox`] and may move the interrupted pc out of a system call's entry.

use std::arch::global_asm;
use std::cell::{Cell, UnsafeCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::{Action, SA_RESTORER, SIG_DFL, SIG_IGN};
use crate::cpu::Interrupter;
use crate::thunk::host::interrupted_at;

/// Where the handler leaves the signal of a thread. One is enough: after it all
/// signals are blocked until the guest's thread has taken it.
pub struct Mailbox {
    /// Non-zero while a signal waits; [`crate::thunk::host::safe_syscall`] looks at it.
    pub pending: AtomicU32,
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
}

impl Mailbox {
    #[must_use]
    pub fn new(interrupter: Arc<dyn Interrupter>) -> Arc<Self> {
        Arc::new(Self {
            pending: AtomicU32::new(0),
            signal: AtomicI32::new(0),
            // SAFETY: siginfo_t is plain data.
            info: UnsafeCell::new(unsafe { std::mem::zeroed() }),
            interrupter,
        })
    }

    /// Makes this the mailbox of the calling thread, until [`Mailbox::detach`].
    pub fn attach(self: &Arc<Self>) {
        MAILBOX.set(Arc::as_ptr(self));
    }

    /// The calling thread no longer takes guest signals.
    pub fn detach() {
        MAILBOX.set(std::ptr::null());
    }

    /// Whether a signal waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.pending.load(Ordering::Acquire) != 0
    }

    /// Takes the waiting signal. All signals stay blocked; the caller sets the mask next.
    pub fn take(&self) -> Option<(i32, libc::siginfo_t)> {
        if self.pending.load(Ordering::Acquire) == 0 {
            return None;
        }
        let signal = self.signal.load(Ordering::Relaxed);
        // SAFETY: pending is set, so the handler has finished writing, and it does
        // not run again while all signals are blocked.
        let info = unsafe { *self.info.get() };
        self.pending.store(0, Ordering::Release);
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

/// Whether the host ignores `signal`.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    kernel_action(signal, None).is_some_and(|action| action.handler == SIG_IGN as usize)
}

/// Signals that the emulator itself lives by: their host handler is
/// [`crate::memory::fault`]'s, and they are never blocked on the host.
pub const OWN: u64 = 1 << (libc::SIGSEGV - 1) | 1 << (libc::SIGBUS - 1);

/// Makes the host's action that of the guest.
pub fn install(signal: i32, action: &Action) {
    if super::bit(signal) & OWN != 0 || signal == libc::SIGKILL || signal == libc::SIGSTOP {
        return;
    }
    let passed_on = libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT | libc::SA_RESTART;
    let flags = action.flags & passed_on as u64 | SA_RESTORER;
    let kernel = if action.handler == SIG_DFL || action.handler == SIG_IGN {
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
    let mask = blocked & !OWN;
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

/// The handler of all signals for which the guest has one.
pub extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let mailbox = MAILBOX.get();
    if mailbox.is_null() {
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
    mailbox.pending.store(1, Ordering::Release);
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
