//! Messages between threads of qusr, by signals that no mask blocks.

use std::sync::atomic::Ordering;

use super::mailbox::{BELL, DUE, EARLY_BELL, EARLY_KILL, MAILBOX, ORPHANED};
use super::make_again;
use crate::memory::fault::{HostFault, signals};
use crate::process::whereabouts;
use crate::signal::deferred;
use crate::thunk::host::{interrupted_at, landing, was_made_at};

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
    /// A thread is to look at what waits for its process ([`crate::signal::deferred::Shared`]). This one is carried by any
    /// of the signals that no mask blocks.
    Look = 0x5158,
    /// A thread is to say where it is (`process/whereabouts.rs`), and nothing else is to change.
    Report = 0x5156,
    /// The process is to die of SIGKILL, where nobody waits for what it holds (`process/kill.rs`).
    Kill = 0x5157,
}

pub(super) fn message_info(signal: i32, message: Message, rest: u64) -> libc::siginfo_t {
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

/// False: there is no such thread in this process.
pub(super) fn send(tid: i32, signal: i32, info: &libc::siginfo_t) -> bool {
    // SAFETY: `info` is valid; the kernel checks that the thread is one of this process.
    unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            libc::getpid(),
            tid,
            signal,
            std::ptr::from_ref(info),
        ) == 0
    }
}

/// Queues for the calling thread, once more, a signal that the kernel gave with `info`.
pub fn queue_again(signal: i32, info: &libc::siginfo_t) {
    // SAFETY: gettid touches no memory.
    send(unsafe { libc::gettid() }, signal, info);
}

/// The same for the process: whichever of its threads does not block the signal gets it.
pub fn queue_for_process(signal: i32, info: &libc::siginfo_t) {
    // SAFETY: `info` is valid.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigqueueinfo,
            libc::getpid(),
            signal,
            std::ptr::from_ref(info),
        );
    }
}

/// What [`wrap_sent`] marks, and what it marks that was sent to one thread.
const SENT: u64 = 0x746c_7561_4674_6e53;
const SENT_TO_THREAD: u64 = 0x6461_6572_6854_6e53;
/// Where its fields are in a siginfo_t: behind what SI_QUEUE uses, within what the kernel keeps (48
/// bytes, include/linux/signal_types.h).
const SENT_AT: usize = 32;

/// Makes the siginfo_t of a signal to be sent one that is not taken for a fault. A process may send
/// itself what looks like one (rt_sigqueueinfo(2)), as crash reporters do. Nothing else in a siginfo_t tells whether it is for
/// a thread or for its process (`to_thread`). [`unwrap_sent`] gives it back.
pub fn wrap_sent(signal: i32, info: &mut [u8; 128], to_thread: bool) {
    let code = i32::from_le_bytes([info[8], info[9], info[10], info[11]]);
    if !signals().contains(&signal) || code <= 0 && !(to_thread && code == libc::SI_QUEUE) {
        return;
    }
    let mark = if to_thread { SENT_TO_THREAD } else { SENT };
    info[8..12].copy_from_slice(&libc::SI_QUEUE.to_le_bytes());
    info[SENT_AT..SENT_AT + 8].copy_from_slice(&mark.to_le_bytes());
    info[SENT_AT + 8..SENT_AT + 12].copy_from_slice(&code.to_le_bytes());
}

/// Undoes [`wrap_sent`]. True: it was sent to one thread.
pub fn unwrap_sent(info: &mut libc::siginfo_t) -> bool {
    let fields = std::ptr::from_mut(info).cast::<u8>();
    // SAFETY: siginfo_t is 128 bytes of plain data.
    unsafe {
        let mark = fields.add(SENT_AT).cast::<u64>();
        let mark = mark.read_unaligned();
        if info.si_code == libc::SI_QUEUE && [SENT, SENT_TO_THREAD].contains(&mark) {
            info.si_code = fields.add(SENT_AT + 8).cast::<i32>().read_unaligned();
            std::ptr::write_bytes(fields.add(SENT_AT), 0, 12);
            return mark == SENT_TO_THREAD;
        }
    }
    info.si_code == libc::SI_TKILL
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
pub(super) fn take_message(fault: &mut HostFault<'_>, value: usize) -> bool {
    let (kind, rest) = (value as u64 >> 48, value as u64 & 0xffff_ffff_ffff);
    let messenger = fault.signal == libc::SIGSEGV;
    if kind == Message::Stop as u64 && messenger {
        ORPHANED.set(true);
        return true;
    }
    if kind == Message::Report as u64 && messenger {
        report(fault);
        return true;
    }
    if kind == Message::Look as u64 {
        look_at_process(fault);
        return true;
    }
    if kind == Message::Kill as u64 && messenger {
        take_kill(fault);
        return true;
    }
    if kind != Message::Bell as u64 || !messenger {
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

/// The thread was asked where it is. Who asks does not ask threads that sleep; one that fell asleep meanwhile must not
/// notice.
fn report(fault: &mut HostFault<'_>) {
    let mailbox = MAILBOX.get();
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let Some(mailbox) = (unsafe { mailbox.as_ref() }) else {
        return;
    };
    whereabouts::ask();
    make_again(fault);
    mailbox.interrupter.interrupt();
}

/// Has the thread `tid` look at what waits for its process, and end its call for that as `signal` would. False: there is no
/// such thread in this process. Async-signal-safe.
pub fn look(tid: i32, signal: i32) -> bool {
    send(tid, signal, &message_info(signal, Message::Look, 0))
}

/// In the handler of [`look`].
fn look_at_process(fault: &mut HostFault<'_>) {
    let mailbox = MAILBOX.get();
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let Some(mailbox) = (unsafe { mailbox.as_ref() }) else {
        return;
    };
    if deferred::due(deferred::blocked()) == 0 {
        // Another thread has it, or this one blocks it now and has told the others.
        make_again(fault);
        return;
    }
    mailbox.pending.fetch_or(DUE, Ordering::SeqCst);
    if let Some(landing) = interrupted_at(fault.pc()) {
        fault.resume_at(landing);
    }
    mailbox.interrupter.interrupt();
}

fn take_kill(fault: &mut HostFault<'_>) {
    let mailbox = MAILBOX.get();
    // SAFETY: a non-null mailbox is alive: its thread detaches before it is dropped.
    let Some(mailbox) = (unsafe { mailbox.as_ref() }) else {
        EARLY_KILL.set(true);
        return;
    };
    mailbox.is_to_be_killed();
    if let Some(landing) = interrupted_at(fault.pc()) {
        fault.resume_at(landing);
    }
    mailbox.interrupter.interrupt();
}

/// Asks a thread of any process of qusr to have that die of SIGKILL as soon as it can.
pub fn ask_to_die(pid: i32, tid: i32) {
    let info = message_info(libc::SIGSEGV, Message::Kill, 0);
    // SAFETY: `info` is valid; the kernel checks the ids and whether this may be.
    unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            pid,
            tid,
            libc::SIGSEGV,
            &raw const info,
        );
    }
}

/// Makes a guest thread of this process end soon, wherever it is.
pub fn doom(tid: i32) {
    let info = message_info(libc::SIGSEGV, Message::Doom, 0);
    send(tid, libc::SIGSEGV, &info);
}
