//! fork() of the C library that makes another clone than its own.
//!
//! What clone3(2) can make and fork() cannot (another exit signal, namespaces, shared descriptors, ids that are chosen) needs the
//! locks of the C library no less, and only fork() knows them. So it is fork() that is called, with the thread's system calls
//! coming to a handler (Documentation/admin-guide/syscall-user-dispatch.rst, since Linux 5.11): the
//! handler makes them as they are, but for the clone.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, Ordering};

use super::child::{CloneArgs, ForkRequest};
use super::forked::{CHILD_SETTID, store};
use crate::signal::host::{Borrowed, queue_again, return_code};

const PR_SET_SYSCALL_USER_DISPATCH: i32 = 59;
const PR_SYS_DISPATCH_OFF: i32 = 0;
const PR_SYS_DISPATCH_ON: i32 = 1;
/// What the selector says of system calls.
const ALLOW: u8 = 0;
const BLOCK: u8 = 1;
/// si_code of SIGSYS (asm-generic/siginfo.h).
const SYS_USER_DISPATCH: i32 = 2;

/// One fork at a time (the caller holds the lock of the signal actions).
struct State {
    /// Its address is the kernel's. A cell, as the kernel reads it at each system call.
    selector: UnsafeCell<u8>,
    args: AtomicPtr<CloneArgs>,
    /// The errno of the clone, which is not always one that fork() would hand on.
    result: AtomicI64,
    /// A SIGSYS that somebody sent meanwhile.
    sent: AtomicBool,
    info: UnsafeCell<libc::siginfo_t>,
}

// SAFETY: the cells are used by the one thread that forks, and by its handler.
unsafe impl Sync for State {}

static STATE: State = State {
    selector: UnsafeCell::new(ALLOW),
    args: AtomicPtr::new(std::ptr::null_mut()),
    result: AtomicI64::new(0),
    sent: AtomicBool::new(false),
    // SAFETY: siginfo_t is plain data.
    info: UnsafeCell::new(unsafe { std::mem::zeroed() }),
};

fn select(value: u8) {
    // SAFETY: a byte of ours.
    unsafe { STATE.selector.get().write_volatile(value) };
}

/// A copy of the process as `request` wants it: its pid, 0 in the copy, or -errno. None: this kernel cannot
/// divert system calls. All signals are blocked, and nobody else changes what is done about them.
pub(super) fn fork(request: &ForkRequest) -> Option<i64> {
    // The id is stored behind the call: fork() has a use of its own for the address.
    let mut args = CloneArgs {
        flags: request.flags & !CHILD_SETTID,
        child_tid: 0,
        ..CloneArgs::new(request)
    };
    STATE.args.store(&raw mut args, Ordering::SeqCst);
    STATE.result.store(0, Ordering::SeqCst);
    STATE.sent.store(false, Ordering::SeqCst);
    select(ALLOW);
    // The handler returns by a system call, too.
    if dispatch(PR_SYS_DISPATCH_ON, return_code()) != 0 {
        return None;
    }
    let borrowed = Borrowed::take(libc::SIGSYS, on_call);
    select(BLOCK);
    // SAFETY: the child goes on in the same code with the locks it needs held by itself.
    let pid = unsafe { libc::fork() };
    select(ALLOW);
    borrowed.give_back();
    if pid == 0 {
        // A copy has no such setting (kernel/fork.c), and what was sent was for its parent.
        if request.flags & CHILD_SETTID != 0 {
            // A bad address is no error. SAFETY: touches no memory.
            let _ = store(request.child_tid, unsafe { libc::gettid() });
        }
        return Some(0);
    }
    dispatch(PR_SYS_DISPATCH_OFF, 0..0);
    if STATE.sent.load(Ordering::SeqCst) {
        // SAFETY: written before the flag, and by this thread.
        queue_again(libc::SIGSYS, unsafe { &*STATE.info.get() });
    }
    Some(STATE.result.load(Ordering::SeqCst))
}

fn dispatch(how: i32, outside: std::ops::Range<usize>) -> i32 {
    let on = how == PR_SYS_DISPATCH_ON;
    let selector = if on {
        STATE.selector.get()
    } else {
        std::ptr::null_mut()
    };
    // SAFETY: the kernel reads the selector, which is static.
    unsafe {
        libc::prctl(
            PR_SET_SYSCALL_USER_DISPATCH,
            how,
            outside.start,
            outside.len(),
            selector,
        )
    }
}

/// Makes the system call that was about to be made.
extern "C" fn on_call(_: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    select(ALLOW);
    // SAFETY: the kernel passes both to a handler with SA_SIGINFO.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    if info.si_code != SYS_USER_DISPATCH {
        // SAFETY: nobody else writes to it.
        unsafe { *STATE.info.get() = *info };
        STATE.sent.store(true, Ordering::SeqCst);
        select(BLOCK);
        return;
    }
    let regs = &mut context.uc_mcontext.gregs;
    let reg = |index: i32| regs[index as usize];
    let mut args = [
        reg(libc::REG_RDI),
        reg(libc::REG_RSI),
        reg(libc::REG_RDX),
        reg(libc::REG_R10),
        reg(libc::REG_R8),
        reg(libc::REG_R9),
    ];
    let mut number = reg(libc::REG_RAX);
    // clone(flags, stack, parent_tid, child_tid, tls)
    let own_tid = (number == libc::SYS_clone).then_some(args[3]);
    if own_tid.is_some() {
        let at = STATE.args.load(Ordering::SeqCst);
        // SAFETY: `fork` keeps them.
        let wanted = unsafe { &*at };
        if let Some(plain) = wanted.plain() {
            args = plain;
        } else {
            number = libc::SYS_clone3;
            args = [at as i64, size_of::<CloneArgs>() as i64, 0, 0, 0, 0];
        }
    }
    let result = raw(number, &args);
    if let Some(tid) = own_tid {
        if result == 0 {
            // What the library's clone has the kernel do, by the flags CHILD_SETTID and CHILD_CLEARTID.
            let own = raw(libc::SYS_set_tid_address, &[tid, 0, 0, 0, 0, 0]);
            // SAFETY: the tid word of the calling thread's control block.
            unsafe { (tid as *mut i32).write(own as i32) };
        } else {
            STATE.result.store(result, Ordering::SeqCst);
        }
    }
    context.uc_mcontext.gregs[libc::REG_RAX as usize] = result;
    select(BLOCK);
}

/// A system call with the kernel's own result.
fn raw(number: i64, args: &[i64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the calls are those that the C library was about to make, and a clone without CLONE_VM, which returns
    // twice.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}
