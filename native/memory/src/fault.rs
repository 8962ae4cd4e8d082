//! Host SIGSEGV, SIGBUS and SIGFPE: who they belong to.
//!
//! One handler for the whole process asks, in this order:
//! 1. the *resolvers*: claims that remove the cause (a page write-protected because
//!    code on it was translated) and have the instruction run again;
//! 2. the *landings*: ranges of host code whose faults continue at a given address;
//! 3. the *takers*: claims that turn the signal into something else (an exact fault
//!    of translated guest code, a signal queued for the guest);
//! 4. whoever had the signal before us, or the default action.
//!
//! Everything here runs inside a signal handler: it only reads atomics. Registration is
//! lock-free, and nothing can be taken back.

use std::io;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

use libc::{c_int, c_void, siginfo_t, ucontext_t};

/// The signals that may be handled here. SIGFPE is how translated code finds NaNs (`docs/native-translator.md`); the last three
/// are [`widen`]'s.
pub const SIGNALS: [c_int; 6] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSYS,
    libc::SIGTRAP,
    libc::SIGILL,
];
/// Of these, as many as every core needs.
const NARROW: usize = 3;
static IN_USE: AtomicUsize = AtomicUsize::new(NARROW);

/// The signals that are handled here.
#[must_use]
pub fn signals() -> &'static [c_int] {
    &SIGNALS[..IN_USE.load(Ordering::Relaxed)]
}

/// Whether these are all of [`SIGNALS`].
#[must_use]
pub fn is_wide() -> bool {
    IN_USE.load(Ordering::Relaxed) > NARROW
}

/// The code that handlers are entered by, if a core needs one; 0: none.
static ENTRY: AtomicUsize = AtomicUsize::new(0);
/// What it calls, by signal.
static ENTERED: [AtomicUsize; 65] = [const { AtomicUsize::new(0) }; 65];

/// What to give the kernel as the handler of `signal`, so that `handler` is called.
#[must_use]
pub fn entry(signal: c_int, handler: usize) -> usize {
    match (ENTRY.load(Ordering::Acquire), ENTERED.get(signal as usize)) {
        (0, _) | (_, None) => handler,
        (entry, Some(place)) => {
            place.store(handler, Ordering::Release);
            entry
        }
    }
}

/// The handler that [`entry`] was told of. Async-signal-safe.
#[must_use]
pub fn entered(signal: c_int) -> usize {
    let place = ENTERED.get(signal as usize);
    place.map_or(0, |place| place.load(Ordering::Acquire))
}

/// Whether that is the code which [`widen`] was told of.
#[must_use]
pub fn is_entry(handler: usize) -> bool {
    handler > 1 && handler == ENTRY.load(Ordering::Acquire)
}

/// The handler that is called by what the kernel has for one.
#[must_use]
pub fn behind(signal: c_int, handler: usize) -> usize {
    if is_entry(handler) {
        entered(signal)
    } else {
        handler
    }
}

/// From now on all [`SIGNALS`] are handled here, and `code` is what the host enters handlers by: the guest's code runs on the host's
/// processor, in which signals mean the guest's and its own registers are where the emulator's would be. Before there are
/// guests; a second time is harmless.
pub fn widen(code: usize) -> io::Result<()> {
    install()?;
    if ENTRY.swap(code, Ordering::SeqCst) == code {
        return Ok(());
    }
    IN_USE.store(SIGNALS.len(), Ordering::SeqCst);
    for (index, &signal) in SIGNALS.iter().enumerate() {
        if index >= NARROW {
            keep_previous(index)?;
        }
        act(signal, true)?;
    }
    for signal in 1..65 {
        if SIGNALS.contains(&signal) {
            continue;
        }
        // SAFETY: all zero is a valid `sigaction`, which the kernel fills in and reads. The C library keeps two signals for
        // itself and refuses them.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) == 0
                && ![libc::SIG_DFL, libc::SIG_IGN, code].contains(&action.sa_sigaction)
            {
                action.sa_sigaction = entry(signal, action.sa_sigaction);
                action.sa_flags |= libc::SA_ONSTACK;
                libc::sigaction(signal, &raw const action, ptr::null_mut());
            }
        }
    }
    Ok(())
}

fn index(signal: c_int) -> usize {
    SIGNALS.iter().position(|&s| s == signal).unwrap_or(0)
}

/// A host signal being handled.
pub struct HostFault<'a> {
    pub signal: c_int,
    pub info: &'a siginfo_t,
    context: &'a mut ucontext_t,
}

impl HostFault<'_> {
    /// Whether an instruction caused it, rather than `kill` and its like.
    #[must_use]
    pub fn is_synchronous(&self) -> bool {
        self.info.si_code > 0
    }

    /// The host address that could not be accessed.
    #[must_use]
    pub fn address(&self) -> usize {
        // SAFETY: SIGSEGV and SIGBUS carry an address; for one sent by `kill` it is some
        // other number, which is as safe to read.
        unsafe { self.info.si_addr() as usize }
    }

    /// The host instruction that the signal interrupted.
    #[must_use]
    pub fn pc(&self) -> usize {
        self.context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize
    }

    /// What is in the register that has a system call's result.
    #[must_use]
    pub fn result(&self) -> i64 {
        self.context.uc_mcontext.gregs[libc::REG_RAX as usize]
    }

    /// Whether the access was a write (bit 1 of the page-fault error code).
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.context.uc_mcontext.gregs[libc::REG_ERR as usize] & 2 != 0
    }

    /// Continues at `pc` when the handler returns.
    pub fn resume_at(&mut self, pc: usize) {
        self.context.uc_mcontext.gregs[libc::REG_RIP as usize] = pc as i64;
    }

    /// The interrupted machine state.
    pub fn context(&mut self) -> &mut ucontext_t {
        self.context
    }
}

/// Decides about one signal; true when it is dealt with. Async-signal-safe.
pub type Claim = fn(&mut HostFault<'_>) -> bool;

/// When a claim is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before the landings: may only claim faults whose cause it removes.
    Resolve = 0,
    /// After them: anything else that it knows to be its own.
    Take = 1,
}

const SLOTS: usize = 8;

/// `Claim`s as numbers; 0 is an empty slot.
static CLAIMS: [[AtomicUsize; SLOTS]; 2] = [const { [const { AtomicUsize::new(0) }; SLOTS] }; 2];

struct Landing {
    start: AtomicUsize,
    /// Stored last: 0 as long as the slot is not complete.
    end: AtomicUsize,
    pc: AtomicUsize,
}

static LANDINGS: [Landing; SLOTS] = [const {
    Landing {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        pc: AtomicUsize::new(0),
    }
}; SLOTS];

static PREVIOUS: [OnceLock<libc::sigaction>; SIGNALS.len()] =
    [const { OnceLock::new() }; SIGNALS.len()];

/// Registers a claim; a second time is harmless.
pub fn add_claim(stage: Stage, claim: Claim) -> io::Result<()> {
    let value = claim as usize;
    for slot in &CLAIMS[stage as usize] {
        match slot.compare_exchange(0, value, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(()),
            Err(there) if there == value => return Ok(()),
            Err(_) => {}
        }
    }
    Err(io::Error::other("no room for another fault claim"))
}

/// Makes faults of host code in `range` continue at `pc`; a second time is harmless.
pub fn add_landing(range: Range<usize>, pc: usize) -> io::Result<()> {
    for slot in &LANDINGS {
        match slot
            .start
            .compare_exchange(0, range.start, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => {
                slot.pc.store(pc, Ordering::Relaxed);
                slot.end.store(range.end, Ordering::Release);
                return Ok(());
            }
            Err(there) if there == range.start => return Ok(()),
            Err(_) => {}
        }
    }
    Err(io::Error::other("no room for another fault landing"))
}

/// Installs the handler, once a process.
pub fn install() -> io::Result<()> {
    static ONCE: Once = Once::new();
    static RESULT: OnceLock<Option<i32>> = OnceLock::new();
    ONCE.call_once(|| {
        let result = install_handlers()
            .err()
            .map(|e| e.raw_os_error().unwrap_or(libc::EINVAL));
        let _ = RESULT.set(result);
    });
    match RESULT.get().copied().flatten() {
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => Ok(()),
    }
}

fn install_handlers() -> io::Result<()> {
    for (index, &signal) in signals().iter().enumerate() {
        keep_previous(index)?;
        act(signal, true)?;
    }
    Ok(())
}

/// Remembers the action that was there before.
fn keep_previous(index: usize) -> io::Result<()> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: only asks for the present action, which the kernel writes to `old`.
    if unsafe { libc::sigaction(SIGNALS[index], ptr::null(), old.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: written by the call above (and zero is a valid value of it anyway).
    let _ = PREVIOUS[index].set(unsafe { old.assume_init() });
    Ok(())
}

/// Makes our handler the one of `signal`.
fn act(signal: c_int, restart: bool) -> io::Result<()> {
    // SAFETY: all zero is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = entry(signal, handler as *const () as usize);
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    if restart {
        action.sa_flags |= libc::SA_RESTART;
    }
    // A handler within this one would find the mask that it leaves behind undone when this one returns.
    // SAFETY: a set of bits. sigfillset(3) leaves two out that the C library uses, and guests too.
    unsafe { (&raw mut action.sa_mask).write_bytes(0xff, 1) };
    // SAFETY: `handler` has the type that SA_SIGINFO asks for and is async-signal-safe.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether system calls that `signal` (one of [`install`]'s) interrupts are made again, as sigaction(2)'s SA_RESTART has
/// it. They are, to begin with.
pub fn set_restart(signal: c_int, on: bool) {
    // SAFETY: all zero is a valid `sigaction`, which the kernel fills in and reads.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        if libc::sigaction(signal, ptr::null(), &raw mut action) != 0
            || behind(signal, action.sa_sigaction) != handler as *const () as usize
        {
            return;
        }
        let flags = action.sa_flags;
        action.sa_flags = if on {
            flags | libc::SA_RESTART
        } else {
            flags & !libc::SA_RESTART
        };
        if action.sa_flags != flags {
            action.sa_mask = mem::zeroed();
            (&raw mut action.sa_mask).write_bytes(0xff, 1);
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }
}

/// Whether this process was started with `signal` (one of [`install`]'s) ignored.
#[must_use]
pub fn was_ignored(signal: c_int) -> bool {
    PREVIOUS[index(signal)]
        .get()
        .is_some_and(|action| action.sa_sigaction == libc::SIG_IGN)
}

extern "C" fn handler(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes valid pointers that are ours until we return.
    let (info_ref, context_ref) = unsafe { (&*info, &mut *context.cast::<ucontext_t>()) };
    // SAFETY: the errno location is this thread's; claims may make calls that change it.
    let saved_errno = unsafe { *libc::__errno_location() };
    let mut fault = HostFault {
        signal,
        info: info_ref,
        context: context_ref,
    };
    if !dispatch(&mut fault) {
        pass_on(signal, info, context);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = saved_errno };
}

fn dispatch(fault: &mut HostFault<'_>) -> bool {
    claimed(Stage::Resolve, fault) || landed(fault) || claimed(Stage::Take, fault)
}

fn claimed(stage: Stage, fault: &mut HostFault<'_>) -> bool {
    CLAIMS[stage as usize]
        .iter()
        .map(|slot| slot.load(Ordering::Acquire))
        .any(|value| {
            // SAFETY: a non-zero slot holds a `Claim` that `add_claim` put there.
            value != 0 && unsafe { mem::transmute::<usize, Claim>(value) }(fault)
        })
}

fn landed(fault: &mut HostFault<'_>) -> bool {
    let pc = fault.pc();
    fault.is_synchronous()
        && LANDINGS.iter().any(|slot| {
            let end = slot.end.load(Ordering::Acquire);
            let hit = pc < end && pc >= slot.start.load(Ordering::Relaxed);
            if hit {
                fault.resume_at(slot.pc.load(Ordering::Relaxed));
            }
            hit
        })
}

/// Gives the signal to the action that was there before [`install`].
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let action = PREVIOUS[index(signal)].get();
    let function = action.map_or(libc::SIG_DFL, |action| action.sa_sigaction);
    // SAFETY: `info` is valid for the whole handler.
    let synchronous = unsafe { (*info).si_code } > 0;
    match function {
        libc::SIG_IGN if !synchronous => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: all zero with SIG_DFL is a valid action. When we return, an instruction
            // faults again and a sent signal, which stays blocked until then, is delivered.
            unsafe {
                let mut default: libc::sigaction = mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &raw const default, ptr::null_mut());
                if !synchronous {
                    libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
                }
            }
        }
        // SAFETY: `sigaction` gave us this handler, of the kind that its flags tell.
        _ if action.is_some_and(|a| a.sa_flags & libc::SA_SIGINFO != 0) => unsafe {
            let call: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = mem::transmute(function);
            call(signal, info, context);
        },
        // SAFETY: as above.
        _ => unsafe {
            let call: extern "C" fn(c_int) = mem::transmute(function);
            call(signal);
        },
    }
}
