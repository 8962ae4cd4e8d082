//! Where each guest thread is, for who asks from another process (`qusr/debug/threads.py`).
//!
//! Each thread keeps a [`Record`] up to date: the system call that it makes, and whether it runs guest code. That is a
//! few stores a call and no lock, so it is done always, and a process that hangs can be looked at whose start nobody has
//! prepared for that. The records are found from [`TABLE`], whose place in the extension is the same in all processes
//! that run the same build. They are never freed, only used again, so a reader may come at any time.
//!
//! A thread that runs translated code has its pc in no memory. It is asked by [`Message::Report`]
//! (`signal/host/message.rs`), which makes the core stop, and notes it between two guest instructions.
//!
//! [`Message::Report`]: crate::signal::host::Message::Report

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::Process;
use crate::cpu::{CpuCore, Lock, Regs};
use crate::signal::host::look;
use crate::signal::{bit, deferred};
use crate::thunk::exec::Args;
use crate::thunk::table::MAX_SLOTS;

/// What the table begins with; the last byte is the layout's version. `qusr/debug/threads.py` has it, too.
const MAGIC: u64 = 0x0465_7265_6857_5351;

/// Values of [`Record::stage`].
const EMULATOR: u64 = 0;
const GUEST_CODE: u64 = 1;
const CALL: u64 = 2;

/// Where the records are.
#[repr(C)]
pub struct Table {
    magic: u64,
    first: AtomicPtr<Record>,
    /// The lock of the interpreter that is loaded, if one is.
    interpreter: LockRecord,
}

/// A lock's name (address and length) and place (address and size); zeros for none.
type LockRecord = [AtomicU64; 4];

/// How many a thread may know of.
const LOCKS: usize = 8;

/// See [`Table`].
pub static TABLE: Table = Table {
    magic: MAGIC,
    first: AtomicPtr::new(ptr::null_mut()),
    interpreter: [const { AtomicU64::new(0) }; 4],
};

/// One thread; the reader has the same layout. What it reads may be of two moments, which does not matter to a
/// person who looks at a process that hangs.
#[repr(C)]
struct Record {
    next: AtomicPtr<Record>,
    /// Whose it is: a [`Whereabouts`], until that is dropped.
    used: AtomicU32,
    tid: AtomicU32,
    stage: AtomicU64,
    /// The system call that it makes or made last, and where; [`NO_CALL`] before the first one.
    number: AtomicU64,
    pc: AtomicU64,
    sp: AtomicU64,
    args: [AtomicU64; MAX_SLOTS],
    /// How often it has answered a report, and the pc at the last one.
    answers: AtomicU64,
    answer: AtomicU64,
    /// Host address of guest address 0.
    base: AtomicU64,
    /// AUDIT_ARCH_*.
    guest: AtomicU64,
    /// Locks of the emulator's that it may wait for.
    locks: [LockRecord; LOCKS],
    /// Which of [`own`](crate::signal::host::own) its guest blocks; all, until it has said so. (No reader wants it.)
    blocked: AtomicU64,
}

const NO_CALL: u64 = u64::MAX;

thread_local! {
    static OWN: Cell<*const Record> = const { Cell::new(ptr::null()) };
    /// A report was asked for. Const-initialised and without a destructor: safe to use in a signal handler.
    static ASKED: AtomicBool = const { AtomicBool::new(false) };
}

/// In the handler: the calling thread is to note its pc when it comes between two guest instructions.
pub fn ask() {
    ASKED.with(|asked| asked.store(true, Ordering::Relaxed));
}

/// A guest thread's record.
pub struct Whereabouts(&'static Record);

impl Whereabouts {
    /// A record for a thread of `process` that runs on `core`.
    pub(super) fn new(process: &Process, core: &dyn CpuCore) -> Self {
        let own = Self(free_record().unwrap_or_else(new_record));
        let record = own.0;
        record.number.store(NO_CALL, Ordering::Relaxed);
        record.stage.store(EMULATOR, Ordering::Relaxed);
        record.answers.store(0, Ordering::Relaxed);
        let base = process.space.base() as u64;
        record.base.store(base, Ordering::Relaxed);
        record
            .guest
            .store(process.linux.audit_arch().into(), Ordering::Relaxed);
        let own_locks = [
            Lock::of("guest memory", &*process.space),
            Lock::of("the process", process),
            Lock::of("signal actions", &*process.actions),
        ];
        let mut locks = own_locks.into_iter().chain(core.locks());
        for slots in &record.locks {
            put_lock(slots, locks.next());
        }
        own
    }

    /// From now on the record is that of the calling thread, and none that it had before is.
    pub(super) fn attach(&self) {
        if OWN.get() != ptr::from_ref(self.0) {
            // SAFETY: records are never freed.
            let before = unsafe { OWN.get().as_ref() };
            OWN.set(self.0);
            let tid = tid();
            if let Some(before) = before {
                // Unless it has gone to another thread already.
                let gone =
                    before
                        .tid
                        .compare_exchange(tid, 0, Ordering::Relaxed, Ordering::Relaxed);
                let _ = gone;
            }
            self.0.tid.store(tid, Ordering::Relaxed);
            note_blocked(deferred::blocked());
        }
    }

    /// In a forked child, whose only thread is the calling one. (Records of the parent's other threads have
    /// tids that the child has not.)
    pub(super) fn forked(&self) {
        OWN.set(ptr::null());
        self.attach();
    }

    /// The guest's code goes on.
    pub(super) fn runs(&self) {
        self.0.stage.store(GUEST_CODE, Ordering::Relaxed);
    }

    /// The emulator does something that is no system call of the guest's.
    pub(super) fn pauses(&self) {
        self.0.stage.store(EMULATOR, Ordering::Relaxed);
    }

    /// A system call begins; the pc is behind its instruction.
    pub(super) fn enters(&self, number: u64, args: &Args, pc: u64, sp: u64) {
        let record = self.0;
        record.number.store(number, Ordering::Relaxed);
        record.pc.store(pc, Ordering::Relaxed);
        record.sp.store(sp, Ordering::Relaxed);
        for (slot, arg) in record.args.iter().zip(args) {
            slot.store(*arg, Ordering::Relaxed);
        }
        record.stage.store(CALL, Ordering::Relaxed);
    }

    /// Between two instructions: answers if somebody asked.
    pub(super) fn answers(&self, regs: &mut dyn Regs, pc: u32) {
        if ASKED.with(|asked| asked.load(Ordering::Relaxed)) {
            ASKED.with(|asked| asked.store(false, Ordering::Relaxed));
            self.0.answer.store(regs.get(pc), Ordering::Relaxed);
            self.0.answers.fetch_add(1, Ordering::Release);
        }
    }
}

/// Notes which signals of [`own`](crate::signal::host::own) the calling thread's guest blocks.
pub fn note_blocked(blocked: u64) {
    // SAFETY: records are never freed.
    if let Some(record) = unsafe { OWN.get().as_ref() } {
        record.blocked.store(blocked, Ordering::SeqCst);
    }
}

/// Has a thread of this process that does not block `signal` look at what waits for the process: the calling one by
/// itself, so another. Async-signal-safe.
pub fn ring(signal: i32) {
    let own = tid();
    let mut next = TABLE.first.load(Ordering::Acquire);
    // SAFETY: records are never freed.
    while let Some(record) = unsafe { next.as_ref() } {
        let other = record.tid.load(Ordering::Relaxed);
        let blocked = record.blocked.load(Ordering::SeqCst);
        // Records may be of threads that are gone, or of another process in the same memory.
        if other != 0 && other != own && blocked & bit(signal) == 0 && look(other as i32, signal) {
            return;
        }
        next = record.next.load(Ordering::Acquire);
    }
}

/// A system call that a thread of this process makes: number, arguments, sp and pc. None: it makes none.
#[must_use]
pub fn call_of(tid: i32) -> Option<(u64, Args, u64, u64)> {
    let mut next = TABLE.first.load(Ordering::Acquire);
    // SAFETY: records are never freed.
    while let Some(record) = unsafe { next.as_ref() } {
        let used = record.used.load(Ordering::Acquire) != 0;
        if used && record.tid.load(Ordering::Relaxed) == tid as u32 {
            if record.stage.load(Ordering::Relaxed) != CALL {
                return None;
            }
            let get = |word: &AtomicU64| word.load(Ordering::Relaxed);
            let args = record.args.each_ref().map(get);
            return Some((get(&record.number), args, get(&record.sp), get(&record.pc)));
        }
        next = record.next.load(Ordering::Acquire);
    }
    None
}

impl Drop for Whereabouts {
    fn drop(&mut self) {
        self.0.tid.store(0, Ordering::Relaxed);
        self.0.blocked.store(u64::MAX, Ordering::Relaxed);
        self.0.used.store(0, Ordering::Release);
    }
}

fn put_lock(slots: &LockRecord, lock: Option<Lock>) {
    let values = lock.map_or([0; 4], |lock| {
        let name = lock.name;
        [
            name.as_ptr() as u64,
            name.len() as u64,
            lock.start as u64,
            lock.size as u64,
        ]
    });
    for (slot, value) in slots.iter().zip(values) {
        slot.store(value, Ordering::Relaxed);
    }
}

/// Says where the lock of an interpreter in this process is.
pub fn note_interpreter(lock: Lock) {
    put_lock(&TABLE.interpreter, Some(lock));
}

fn tid() -> u32 {
    // SAFETY: gettid touches no memory.
    unsafe { libc::gettid() as u32 }
}

fn free_record() -> Option<&'static Record> {
    let mut next = TABLE.first.load(Ordering::Acquire);
    // SAFETY: records are never freed.
    while let Some(record) = unsafe { next.as_ref() } {
        let taken = record
            .used
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_ok() {
            return Some(record);
        }
        next = record.next.load(Ordering::Acquire);
    }
    None
}

fn new_record() -> &'static Record {
    let zero = || AtomicU64::new(0);
    let record: &'static Record = Box::leak(Box::new(Record {
        next: AtomicPtr::new(ptr::null_mut()),
        used: AtomicU32::new(1),
        tid: AtomicU32::new(0),
        stage: zero(),
        number: zero(),
        pc: zero(),
        sp: zero(),
        args: [const { AtomicU64::new(0) }; MAX_SLOTS],
        answers: zero(),
        answer: zero(),
        base: zero(),
        guest: zero(),
        locks: [const { [const { AtomicU64::new(0) }; 4] }; LOCKS],
        blocked: AtomicU64::new(u64::MAX),
    }));
    let mut first = TABLE.first.load(Ordering::Acquire);
    loop {
        record.next.store(first, Ordering::Relaxed);
        let here = ptr::from_ref(record).cast_mut();
        match TABLE
            .first
            .compare_exchange(first, here, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => return record,
            Err(now) => first = now,
        }
    }
}
