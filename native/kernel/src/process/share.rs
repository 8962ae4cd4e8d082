//! clone(2) with CLONE_VM and without CLONE_THREAD, as vfork(2) and posix_spawn(3) have it: a process of
//! its own that lives in the caller's memory.
//!
//! It is one on the host, too, so that all that either side writes is the other's at once, and nothing
//! is copied. The emulator runs in that memory as well, and its code needs a stack and
//! thread-local variables of its own. So a thread is made for each such child that lends it both: the *donor*
//! sleeps until the kernel says, by the word of CLONE_CHILD_CLEARTID, that the child is gone
//! from the memory. The clone itself is the calling thread's, whose child it is then in
//! every respect (PR_SET_PDEATHSIG, __WNOTHREAD, CLONE_PARENT, what a tracer sees).
//!
//! What the child has for itself, a CPU above all, lies in that memory too, and the kernel takes none of it away. It
//! is in the child's [`Life`], which the donor drops when the child has left in order. A life is memory only: what else a
//! process has is gone with it, and the number of a descriptor of the child's is one of the parent's own to the
//! donor. (A table of descriptors for donors alone would not do: who closes a copy of a message queue's
//! takes back the mq_notify(3) of the whole process, ipc/mqueue.c.)
//!
//! The host call never has CLONE_VFORK. The wait is ours, because a child may have to execute its
//! program without leaving the memory (`qusr/syscalls/handlers/exec.py`).

use std::arch::asm;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

use super::aside;
use super::child::{CloneArgs, ForkRequest, set_thread_name};
use super::ids::SHARERS;
use super::{GuestThread, Process};
use crate::signal::host::{self, Mailbox};

/// What the child does, and all that it leaves in this memory. It is dropped in another process than it was used in, so nothing
/// in it may own anything but memory: no descriptor, timer, or lock of a file.
pub trait Life: Send {
    /// Runs in the child; it ends the process, or has it execute another program. Nothing is dropped that is on the
    /// stack then: what has memory belongs into `self`.
    fn live(&mut self, child: &Child);
}

/// What is left to be done in the parent when the child is gone; true: it left in order, not by a
/// sudden death. It runs on the donor, in the thread-local variables that the child had.
pub type After = Box<dyn FnOnce(bool) + Send>;

/// Enough for Python's handlers.
const STACK: usize = 4 << 20;
/// Between the donor's own frames and the child's.
const GAP: u64 = 16 << 10;

/// The status of a process that ends by a mistake of the emulator's (EX_SOFTWARE of sysexits.h).
const INTERNAL: i32 = 70;

/// Children that live in this memory.
static LIVING: AtomicUsize = AtomicUsize::new(0);
/// Donors that have not ended: those of the living, and of some that are gone.
static DONORS: AtomicUsize = AtomicUsize::new(0);
/// There has been one.
static EVER: AtomicBool = AtomicBool::new(false);
/// One has ended since somebody asked.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Whether a directory listing (getdents64(2)) is one of threads, which may have donors in it.
pub(crate) fn lists_donors(fd: i32) -> bool {
    const PROC_SUPER_MAGIC: i64 = 0x9fa0;
    if !EVER.load(Ordering::Relaxed) {
        return false;
    }
    // SAFETY: statfs is plain data, for which zero is valid.
    let mut info: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills `info`.
    let known = unsafe { libc::fstatfs(fd, &raw mut info) } == 0;
    if !known || info.f_type != PROC_SUPER_MAGIC {
        return false;
    }
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}"));
    link.is_ok_and(|path| path.ends_with("task"))
}

/// Whether an entry of such a listing is one.
pub(crate) fn is_donor(tid: &[u8]) -> bool {
    let comm = [b"/proc/self/task/", tid, b"/comm"].concat();
    let name = std::fs::read(std::ffi::OsStr::from_bytes(&comm));
    name.is_ok_and(|name| name.strip_suffix(b"\n") == Some(NAME))
}

/// Whether another process uses the memory.
#[must_use]
pub fn is_shared() -> bool {
    LIVING.load(Ordering::SeqCst) != 0
}

/// In a forked child, whose memory is a copy.
pub fn forget_sharers() {
    LIVING.store(0, Ordering::SeqCst);
    DONORS.store(0, Ordering::SeqCst);
    SHARERS.clear();
    aside::forget();
}

// States of `Loan::member`.
/// The kernel's answer: the child is gone from the memory.
const GONE: u32 = 0;
const MEMBER: u32 = 1;
/// It runs another program, in memory of its own.
const APART: u32 = 2;
/// It waits for the caller to do something for it.
const ASKS: u32 = 3;

// States of `Loan::donor`.
const STARTING: u32 = 0;
const READY: u32 = 1;
/// The donor is to wait for the child's end.
const WATCH: u32 = 2;
const FAILED: u32 = 3;

/// What caller, child and donor share.
pub(super) struct Loan {
    member: AtomicU32,
    donor: AtomicU32,
    /// The caller has stored the ids: the child may begin.
    go: AtomicU32,
    pid: AtomicI32,
    /// The child has begun: what it stores first is there.
    begun: AtomicU32,
    thread_pointer: AtomicU64,
    stack: AtomicU64,
    /// The child holds nothing of the emulator's any more.
    in_order: AtomicBool,
    /// Of boxes. Null once it has been dropped.
    life: AtomicPtr<Box<dyn Life>>,
}

impl Loan {
    /// Drops what the child has left.
    fn drop_life(&self) {
        let life = self.life.swap(null_mut(), Ordering::SeqCst);
        if !life.is_null() {
            // SAFETY: from a box, and the child that used it is not there any more, or never was.
            drop(unsafe { Box::from_raw(life) });
        }
    }
}

/// The child's handle to those who wait for it.
#[derive(Clone)]
pub struct Child(Arc<Loan>);

impl Child {
    /// What the caller's memory is to hold when its clone returns is there.
    pub fn has_begun(&self) {
        set(&self.0.begun, 1);
    }

    /// Whether the child could end now without leaving anything held or half done.
    pub fn is_in_order(&self, yes: bool) {
        self.0.in_order.store(yes, Ordering::SeqCst);
    }

    /// Asks a vfork's parent, which waits, to do something; see [`Made::takes_request`].
    pub fn ask(&self) {
        set(&self.0.member, ASKS);
    }

    /// A vfork's parent may go on, though the child stays in the memory.
    pub fn release_parent(&self) {
        set(&self.0.member, APART);
    }
}

/// Stores and wakes all who wait.
fn set(word: &AtomicU32, value: u32) {
    word.store(value, Ordering::SeqCst);
    // SAFETY: wakes waiters on a word of ours.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// Waits while the word is `value`, for at most 50 ms.
///
/// Not FUTEX_PRIVATE: the kernel wakes the word of CLONE_CHILD_CLEARTID as a shared one
/// (kernel/fork.c, `mm_release`), and one waiter of it only.
fn wait(word: &AtomicU32, value: u32) {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    // SAFETY: the kernel compares and waits on a word of ours.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            value,
            &raw const time,
        )
    };
}

/// Tracers leave it alone, and no list shows it.
const NAME: &[u8] = b"qusr-donor";

/// The donor: lends its stack and thread-local variables, and cleans up in the end.
fn donate(loan: Arc<Loan>, after: After) {
    let thread_pointer: u64;
    // SAFETY: the first word of the thread control block is its own address (x86-64 psABI, TLS
    // variant II).
    unsafe { asm!("mov {}, fs:0", out(reg) thread_pointer, options(readonly, nostack)) };
    set_thread_name(NAME);
    let here = 0u64;
    loan.thread_pointer.store(thread_pointer, Ordering::SeqCst);
    loan.stack
        .store((&raw const here as u64 - GAP) & !15, Ordering::SeqCst);
    // Messages as well: what their handler notes would be the child's.
    let usual = host::mask();
    host::set_whole_mask(!0);
    set(&loan.donor, READY);
    while loan.donor.load(Ordering::SeqCst) == READY {
        wait(&loan.donor, READY);
    }
    if loan.donor.load(Ordering::SeqCst) == WATCH {
        watch(loan, after);
    } else {
        host::set_whole_mask(usual);
        end(&loan, after);
    }
}

/// Takes over the watch that another donor has put down.
pub(super) fn watch_on(loan: Arc<Loan>, after: After) {
    DONORS.fetch_add(1, Ordering::SeqCst);
    // Without a thread to be had nobody cleans up behind the child.
    let _ = std::thread::Builder::new().spawn(move || {
        host::set_whole_mask(!0);
        set_thread_name(NAME);
        watch(loan, after);
    });
}

/// Whether there are donors, or there were some until now: that one has ended is told once.
pub(super) fn donors_matter() -> bool {
    ENDED.swap(false, Ordering::SeqCst) || DONORS.load(Ordering::SeqCst) != 0
}

/// Whether a donor has not stepped aside nor ended.
pub(super) fn has_donors() -> bool {
    DONORS.load(Ordering::SeqCst) != 0
}

/// Until the child is gone; then cleans up behind it.
fn watch(loan: Arc<Loan>, after: After) {
    loop {
        match loan.member.load(Ordering::SeqCst) {
            GONE => break,
            _ if aside::is_wanted() => {
                aside::put_down(loan, after);
                DONORS.fetch_sub(1, Ordering::SeqCst);
                // SAFETY: ends the thread for the kernel only: to the C library it is there, with its stack.
                loop {
                    unsafe { libc::syscall(libc::SYS_exit, 0) };
                }
            }
            value => wait(&loan.member, value),
        }
    }
    SHARERS.remove(loan.pid.load(Ordering::SeqCst));
    LIVING.fetch_sub(1, Ordering::SeqCst);
    // The child may have had children that live on.
    aside::take_over();
    // The child's, in the thread-local variables that it had.
    Mailbox::detach();
    // A fault that is the emulator's own must not be blocked.
    host::set_whole_mask(!host::own());
    end(&loan, after);
}

fn end(loan: &Loan, after: After) {
    let in_order = loan.in_order.load(Ordering::SeqCst);
    after(in_order);
    // Who died in the midst of something may have left it half changed, or locked.
    if in_order {
        loan.drop_life();
    }
    ENDED.store(true, Ordering::SeqCst);
    DONORS.fetch_sub(1, Ordering::SeqCst);
}

extern "C" fn enter(loan: *const c_void) -> ! {
    // SAFETY: the caller and the donor keep the loan as long as the child is there.
    let loan = unsafe { &*loan.cast::<Loan>() };
    let mut waits = 0;
    while loan.go.load(Ordering::SeqCst) == 0 {
        wait(&loan.go, 0);
        waits += 1;
        if waits > 200 {
            // The caller was killed in between.
            // SAFETY: ends the process.
            unsafe { libc::_exit(INTERNAL) };
        }
    }
    // SAFETY: as above, so the loan is not dropped before; and nobody else uses the life as long.
    let (child, life) = unsafe {
        let child = ManuallyDrop::new(Child(Arc::from_raw(loan)));
        (child, loan.life.load(Ordering::SeqCst).as_mut())
    };
    if let Some(life) = life {
        let _ = catch_unwind(AssertUnwindSafe(|| life.live(&child)));
    }
    // SAFETY: ends the process.
    unsafe { libc::_exit(INTERNAL) }
}

/// A child that was made.
pub struct Made {
    pub pid: i32,
    loan: Arc<Loan>,
}

impl GuestThread {
    /// Makes a child process in the same memory with this `life`, which is dropped when the child has left in order, or
    /// cannot be had. `after` runs before, when it is gone.
    ///
    /// # Errors
    /// The errno of clone(2), or of making the donor.
    pub fn share(
        &mut self,
        request: &ForkRequest,
        borrower: &Process,
        life: Box<dyn Life>,
        after: After,
    ) -> Result<Made, i32> {
        let loan = Arc::new(Loan {
            member: AtomicU32::new(MEMBER),
            donor: AtomicU32::new(STARTING),
            go: AtomicU32::new(0),
            pid: AtomicI32::new(0),
            begun: AtomicU32::new(0),
            thread_pointer: AtomicU64::new(0),
            stack: AtomicU64::new(0),
            in_order: AtomicBool::new(false),
            life: AtomicPtr::new(Box::into_raw(Box::new(life))),
        });
        // Donor and child begin with everything blocked, and nothing may be delivered to the child
        // that was meant for the parent.
        host::set_mask(!0);
        let actions = Arc::clone(&self.process.actions);
        self.announce_clone(NOBODYS);
        let result = start_donor(&loan, after).and_then(|()| {
            self.announce_clone(request.event);
            actions.with(|table| {
                if request.flags & libc::CLONE_SIGHAND as u64 == 0 {
                    borrower.actions.take(table);
                }
                make(request, &loan)
            })
        });
        self.announce_clone(0);
        let waits = self.signals.mailbox.waits();
        host::set_mask(if waits { !0 } else { self.signals.blocked });
        if result.is_err() {
            loan.drop_life();
        }
        result.map(|pid| Made { pid, loan })
    }
}

/// An event that no tracer wants: the host attaches the donor, which is nobody's thread.
const NOBODYS: u32 = 31;

fn start_donor(loan: &Arc<Loan>, after: After) -> Result<(), i32> {
    let lent = loan.clone();
    let donor = std::thread::Builder::new().stack_size(STACK);
    DONORS.fetch_add(1, Ordering::SeqCst);
    EVER.store(true, Ordering::Relaxed);
    if let Err(error) = donor.spawn(move || donate(lent, after)) {
        DONORS.fetch_sub(1, Ordering::SeqCst);
        return Err(error.raw_os_error().unwrap_or(libc::EAGAIN));
    }
    while loan.donor.load(Ordering::SeqCst) == STARTING {
        wait(&loan.donor, STARTING);
    }
    Ok(())
}

fn make(request: &ForkRequest, loan: &Arc<Loan>) -> Result<i32, i32> {
    /// What is known to be free below the top.
    const LEAST: u64 = 64 << 10;
    LIVING.fetch_add(1, Ordering::SeqCst);
    let flags =
        request.flags | (libc::CLONE_VM | libc::CLONE_SETTLS | libc::CLONE_CHILD_CLEARTID) as u64;
    let args = CloneArgs {
        flags,
        child_tid: loan.member.as_ptr() as u64,
        stack: loan.stack.load(Ordering::SeqCst) - LEAST,
        stack_size: LEAST,
        tls: loan.thread_pointer.load(Ordering::SeqCst),
        ..CloneArgs::new(request)
    };
    // SAFETY: stack and thread pointer are the donor's, which uses neither as long as the child
    // is there; the loan is kept by both.
    let pid = unsafe { clone_with(&args, enter, Arc::as_ptr(loan).cast()) };
    if pid > 0 {
        let pid = pid as i32;
        loan.pid.store(pid, Ordering::SeqCst);
        // SAFETY: touches no memory.
        SHARERS.add(unsafe { libc::getpid() });
        SHARERS.add(pid);
        return Ok(pid);
    }
    LIVING.fetch_sub(1, Ordering::SeqCst);
    set(&loan.donor, FAILED);
    Err(-pid as i32)
}

impl Made {
    /// Lets the child begin, and waits until it has stored what it stores first.
    pub fn begin(&self) {
        set(&self.loan.go, 1);
        while self.loan.begun.load(Ordering::SeqCst) == 0
            && self.loan.member.load(Ordering::SeqCst) == MEMBER
        {
            wait(&self.loan.begun, 0);
        }
    }

    /// Whether the child waits for its parent ([`Child::ask`]), which is to see to it now. [`GuestThread::wait_for_borrower`] waits for
    /// the child again, whenever that hears of it.
    #[must_use]
    pub fn takes_request(&self) -> bool {
        let member = &self.loan.member;
        member
            .compare_exchange(ASKS, MEMBER, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Whether the child neither has executed a program nor ended, and asks for nothing.
    pub(super) fn is_member(&self) -> bool {
        self.loan.member.load(Ordering::SeqCst) == MEMBER
    }

    /// Waits a moment for that to change.
    pub(super) fn wait(&self) {
        wait(&self.loan.member, MEMBER);
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // From here on the donor is the one that waits.
        set(&self.loan.donor, WATCH);
    }
}

/// clone3(2), or clone(2) if that can do it: a host without clone3, or that forbids it, is
/// no obstacle then. The child calls `entry(arg)` on the new stack.
///
/// # Safety
/// The stack is free, and so is the thread pointer's block; both stay so until the child is gone.
unsafe fn clone_with(
    args: &CloneArgs,
    entry: extern "C" fn(*const c_void) -> !,
    arg: *const c_void,
) -> i64 {
    let result: i64;
    if args.is_plain() {
        let flags = args.flags | args.exit_signal;
        // SAFETY: the caller's promise. In the child only registers are used before `entry`.
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp",
                "mov rdi, r12",
                "call r13",
                "ud2",
                "2:",
                inlateout("rax") libc::SYS_clone => result,
                in("rdi") flags,
                in("rsi") args.stack + args.stack_size,
                in("rdx") args.pidfd,
                in("r10") args.child_tid,
                in("r8") args.tls,
                in("r12") arg,
                in("r13") entry,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        return result;
    }
    // SAFETY: as above.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") args,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") arg,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}
