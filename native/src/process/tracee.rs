//! The tracee's half of ptrace(2); `docs/ptrace.md` tells how the halves meet.
//!
//! The tracer is another process of qusr, and host ptrace(2) carries stops, waits and SIGCHLD between
//! the two. The host kernel stops a thread wherever the emulator happens to be; the tracer then
//! rings the *bell* ([`Mailbox::bell`]), and the thread goes on to the next place between two
//! guest instructions. There, and at system calls, steps and events, it writes what a tracer may
//! ask into its [`Block`] and sends itself the *stop* message, which only the tracer sees.

use std::sync::atomic::{AtomicU64, Ordering};

use super::thread::GuestThread;
use crate::memory::AddressSpace;
use crate::signal::host::{self, Message, send_to_self, send_trap, was_orphaned};
use crate::signal::{FrameKind, siginfo};
use crate::thunk::exec::Args;

/// What a stop is. `qusr/ptrace/block.py` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Between two instructions, because the bell was rung.
    Boundary = 1,
    /// Before a system call.
    Entry = 2,
    /// After it.
    Exit = 3,
    /// A signal that the guest's own instruction caused, with its siginfo.
    Fault = 4,
    /// PTRACE_EVENT_`code`.
    Event = 5,
}

/// How the tracer lets a tracee go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Continue,
    Calls,
    Step,
    Emulate,
    Detached,
}

impl Mode {
    fn of(number: u32) -> Self {
        match number {
            1 => Self::Calls,
            2 => Self::Step,
            3 => Self::Emulate,
            4 => Self::Detached,
            _ => Self::Continue,
        }
    }
}

const REGISTERS: usize = 80;
const MAGIC: u64 = 0x7265_6361_7254_5351;
/// The tracer changed registers, or the signal mask.
const DIRTY_REGISTERS: u32 = 1;
const DIRTY_MASK: u32 = 2;

/// What tracee and tracer tell each other; the tracer reads and writes it in the stopped tracee with
/// process_vm_readv(2) and process_vm_writev(2).
#[repr(C)]
struct Block {
    magic: u64,
    kind: u32,
    code: u32,
    message: u64,
    base: u64,
    limit: u64,
    word_bits: u32,
    big_endian: u32,
    isa: u32,
    /// From here to `resume_signal` the tracer writes; see [`Mode`].
    mode: u32,
    options: u32,
    seized: u32,
    resume_signal: u32,
    dirty: u32,
    blocked: u64,
    number: i64,
    first_arg: u64,
    code_ring: u64,
    request: u32,
    /// The event that the clone being made is: whom the host kernel attached may not be wanted.
    cloning: u32,
    reply: u64,
    reply_size: u64,
    info: [u8; siginfo::SIZE],
    registers: [u128; REGISTERS],
}

/// Ranges of guest code that tracers changed: one for the process, since any of its threads may be
/// the next to run.
#[repr(C)]
struct CodeRing {
    written: AtomicU64,
    taken: AtomicU64,
    ranges: [[AtomicU64; 2]; RING],
}

const RING: usize = 256;

static CODE_RING: CodeRing = CodeRing {
    written: AtomicU64::new(0),
    taken: AtomicU64::new(0),
    ranges: [const { [const { AtomicU64::new(0) }; 2] }; RING],
};

impl CodeRing {
    /// Tells the cores of all new ranges. Without a lock, which a fork could leave held.
    fn drain(&self, space: &AddressSpace) {
        loop {
            let taken = self.taken.load(Ordering::SeqCst);
            let written = self.written.load(Ordering::SeqCst);
            if taken == written {
                return;
            }
            let overrun = written.wrapping_sub(taken) > RING as u64;
            let [start, end] = if overrun {
                [0, space.limit()]
            } else {
                let range = &self.ranges[taken as usize % RING];
                [
                    range[0].load(Ordering::SeqCst),
                    range[1].load(Ordering::SeqCst),
                ]
            };
            let next = if overrun { written } else { taken + 1 };
            let won = self
                .taken
                .compare_exchange(taken, next, Ordering::SeqCst, Ordering::SeqCst);
            if won.is_ok() {
                space.notify_code_write(start, end);
            }
        }
    }
}

/// A system call that a stop interrupted: it is made again unless a handler runs first.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted {
    /// The kernel's ERESTART* number.
    code: i32,
    /// The pc on the call's instruction, and behind it.
    on: u64,
    behind: u64,
}

/// A thread's state as a tracee.
pub struct Tracee {
    /// Never freed: a tracer looks at it until the host thread is gone.
    block: *mut Block,
    exit_due: bool,
    step_due: bool,
    exec_due: bool,
    reply: Vec<u8>,
}

// SAFETY: the block is used by the thread that owns the tracee, and by a tracer only while that
// thread is stopped.
unsafe impl Send for Tracee {}

impl Tracee {
    fn new() -> Self {
        // SAFETY: a Block is plain data for which zero is valid.
        let block: Box<Block> = Box::new(unsafe { std::mem::zeroed() });
        Self {
            block: Box::leak(block),
            exit_due: false,
            step_due: false,
            exec_due: false,
            reply: Vec::new(),
        }
    }

    fn block(&mut self) -> &mut Block {
        // SAFETY: leaked, so alive; `&mut self` keeps other users in this process out, and the
        // tracer writes only while this thread is stopped within `raise`.
        unsafe { &mut *self.block }
    }

    fn mode(&self) -> Mode {
        // SAFETY: as in `block`. Volatile, because another process writes it.
        Mode::of(unsafe { (&raw const (*self.block).mode).read_volatile() })
    }
}

/// The kernel's own numbers (include/linux/errno.h).
const ERESTARTSYS: i32 = 512;
const ERESTARTNOINTR: i32 = 513;

/// What a tracer may ask of a stopped tracee, in [`Block::request`].
const REQUEST_MAPS: u32 = 1;
const REQUEST_AUXV: u32 = 2;
const REQUEST_EXE: u32 = 3;

impl GuestThread {
    /// Whether system calls stop for a tracer.
    pub(super) fn traces_calls(&self) -> bool {
        self.tracee
            .as_ref()
            .is_some_and(|tracee| matches!(tracee.mode(), Mode::Calls | Mode::Emulate))
    }

    /// Whether a tracer wants one instruction at a time.
    pub(super) fn traces_steps(&self) -> bool {
        self.tracee
            .as_ref()
            .is_some_and(|tracee| tracee.mode() == Mode::Step)
    }

    /// One instruction, or system call, of a tracer's step is done.
    pub(super) fn step_done(&mut self) {
        if let Some(tracee) = &mut self.tracee {
            tracee.step_due = true;
        }
    }

    /// PTRACE_TRACEME was called.
    pub fn become_tracee(&mut self) {
        self.tracee.get_or_insert_with(Tracee::new);
    }

    /// An execve put this thread in the place of `old`.
    pub fn follow_exec(&mut self, old: &mut Self) {
        self.tracee = old.tracee.take();
        if let Some(tracee) = &mut self.tracee {
            tracee.exec_due = true;
        }
    }

    /// In a forked child: the parent's tracer has to attach to it anew, if it wants.
    pub(super) fn forget_tracer(&mut self) {
        self.tracee = None;
        CODE_RING
            .taken
            .store(CODE_RING.written.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Says which PTRACE_EVENT the clone is that is about to be made.
    pub fn announce_clone(&mut self, event: u32) {
        if let Some(tracee) = &mut self.tracee {
            tracee.block().cloning = event;
        }
    }

    /// Stops for PTRACE_EVENT_`event` if the tracer wants to know.
    pub fn trace_event(&mut self, event: u32, message: u64) {
        let wanted = self
            .tracee
            .as_mut()
            .is_some_and(|tracee| tracee.block().options >> event & 1 != 0);
        if wanted {
            self.stop(Kind::Event, event, message, None);
        }
    }

    /// Before a system call: the number to go on with; None when it is not to be made.
    pub(super) fn entry_stop(&mut self, number: u64, args: &Args) -> Option<u64> {
        let Some(tracee) = &mut self.tracee else {
            return Some(number);
        };
        tracee.exit_due = true;
        let emulate = tracee.mode() == Mode::Emulate;
        let block = tracee.block();
        block.number = i64::from(number as i32);
        block.first_arg = args[0];
        self.stop(Kind::Entry, 0, 0, None);
        let Some(tracee) = &mut self.tracee else {
            return Some(number);
        };
        let altered = tracee.block().number;
        if emulate || altered == -1 {
            return None;
        }
        Some(if altered == i64::from(number as i32) {
            number
        } else {
            altered as u32 as u64
        })
    }

    /// Stops for a signal that an instruction caused; `info` is laid out as on the host. False: the
    /// tracer took it away.
    pub(super) fn fault_stop(&mut self, signal: i32, info: &[u8; siginfo::SIZE]) -> bool {
        if self.tracee.is_none() {
            return true;
        }
        let answer = self.stop(Kind::Fault, signal as u32, 0, Some(info));
        self.tracee.is_none() || answer == signal as u32
    }

    /// The thread is about to end: what a tracer may read of it then.
    pub(super) fn publish_end(&mut self) {
        if self.tracee.is_some() {
            self.publish(Kind::Event, 0, 0);
        }
    }

    /// Keeps what a call that has to be made again was interrupted for.
    pub(super) fn note_interrupted(&mut self, on: u64, behind: u64) {
        let code = match self.signals.mailbox.take_restart() {
            // It was not entered, so nothing can have been missed.
            0 => ERESTARTNOINTR,
            code => code,
        };
        if self.tracee.is_some() || self.signals.mailbox.bell() {
            self.interrupted = Some(Interrupted { code, on, behind });
        }
    }

    /// Between two instructions: all that a tracer is to see before the next one.
    pub(super) fn attend_tracer(&mut self) -> Option<super::Stop> {
        loop {
            if self.signals.mailbox.is_doomed() {
                return Some(super::Stop::Doomed);
            }
            if let Some(stop) = self.stop_if_due() {
                return Some(stop);
            }
            if self.signals.mailbox.waits() {
                let handled = self.end_interrupted_call();
                if let Some(stop) = self.deliver_one() {
                    return Some(stop);
                }
                if handled && self.traces_steps() {
                    // signal_setup_done of kernel/signal.c: a step into a handler ends there.
                    self.step_done();
                }
                continue;
            }
            if !self.signals.mailbox.take_bell() {
                break;
            }
            self.tracee.get_or_insert_with(Tracee::new);
            self.take_wait_mask();
            host::set_mask(self.signals.blocked);
            self.stop(Kind::Boundary, 0, 0, None);
        }
        if let Some(mask) = self.signals.saved.take() {
            // No handler ran: the mask was only that of the call which is made again.
            self.signals.blocked = mask;
            host::set_mask(mask);
        }
        self.forget_wait_mask();
        self.interrupted = None;
        None
    }

    /// A handler is about to run: whether the interrupted call fails with EINTR
    /// (arch/arm64/kernel/signal.c, do_signal). Gives whether there is a handler.
    fn end_interrupted_call(&mut self) -> bool {
        let signal = self.signals.mailbox.signal();
        let action = self.signals.actions.get(signal);
        let handled = action.has_handler();
        if let Some(call) = self.interrupted.take()
            && handled
            && self.core.get(self.process.regs.pc) == call.on
        {
            let restarts = call.code == ERESTARTNOINTR
                || call.code == ERESTARTSYS && action.has(libc::SA_RESTART);
            if !restarts {
                self.core.set(self.process.regs.pc, call.behind);
                self.finish_call(-i64::from(libc::EINTR));
            }
        }
        handled
    }

    fn stop_if_due(&mut self) -> Option<super::Stop> {
        let tracee = self.tracee.as_mut()?;
        let exec = std::mem::take(&mut tracee.exec_due);
        if exec {
            self.trace_event(libc::PTRACE_EVENT_EXEC as u32, own_tid() as u64);
        }
        let mode = self.tracee.as_ref().map(Tracee::mode);
        let due = |flag: fn(&mut Tracee) -> &mut bool, this: &mut Self| {
            this.tracee
                .as_mut()
                .is_some_and(|tracee| std::mem::take(flag(tracee)))
        };
        let exit_due = due(|tracee| &mut tracee.exit_due, self);
        if exit_due && mode == Some(Mode::Calls) {
            self.exit_stop();
        }
        if exec {
            self.trap_after_exec();
        }
        if due(|tracee| &mut tracee.step_due, self) && self.traces_steps() {
            const TRAP_TRACE: i32 = 2;
            let fault = siginfo::FaultInfo {
                signal: libc::SIGTRAP,
                code: TRAP_TRACE,
                addr: self.core.get(self.process.regs.pc),
                esr: 0,
            };
            return self.deliver_fault(&fault);
        }
        None
    }

    /// After a system call. One that is made again shows its ERESTART* as the result.
    fn exit_stop(&mut self) {
        let (pc, result) = (self.process.regs.pc, self.process.regs.result);
        let Some(call) = self.interrupted else {
            self.stop(Kind::Exit, 0, 0, None);
            return;
        };
        let arg = self.core.get(result);
        let shown = -i64::from(call.code) as u64;
        self.core.set(pc, call.behind);
        self.core.set(result, shown);
        let shown = self.core.get(result);
        self.stop(Kind::Exit, 0, 0, None);
        if self.core.get(pc) == call.behind && self.core.get(result) == shown {
            self.core.set(pc, call.on);
            self.core.set(result, arg);
        }
    }

    /// Without PTRACE_O_TRACEEXEC an execve sends SIGTRAP (include/linux/ptrace.h, ptrace_event).
    fn trap_after_exec(&mut self) {
        let Some(tracee) = &mut self.tracee else {
            return;
        };
        let block = tracee.block();
        let told = block.options >> libc::PTRACE_EVENT_EXEC & 1 != 0;
        if !told && block.seized == 0 && has_tracer() {
            send_trap();
        }
    }

    /// Stops until the tracer lets us go on; the signal that it wants delivered.
    fn stop(
        &mut self,
        kind: Kind,
        code: u32,
        message: u64,
        info: Option<&[u8; siginfo::SIZE]>,
    ) -> u32 {
        self.publish(kind, code, message);
        let Some(tracee) = &mut self.tracee else {
            return 0;
        };
        let block = tracee.block();
        if let Some(info) = info {
            block.info = *info;
        }
        loop {
            let address = self.tracee.as_ref().map_or(0, |tracee| tracee.block as u64);
            send_to_self(Message::Stop, address);
            if was_orphaned() {
                self.tracee = None;
                return 0;
            }
            if !self.serve() {
                break;
            }
        }
        CODE_RING.drain(&self.process.space);
        self.take_changes(kind);
        let Some(tracee) = &mut self.tracee else {
            return 0;
        };
        let signal = tracee.block().resume_signal;
        // Events come within a system call, whose end is traced if that is wanted by then.
        tracee.exit_due |= kind == Kind::Event;
        if tracee.mode() == Mode::Detached {
            self.tracee = None;
        }
        signal
    }

    fn publish(&mut self, kind: Kind, code: u32, message: u64) {
        let limit = self.process.space.limit();
        let base = self.process.space.base() as u64;
        let (abi, blocked) = (self.signals.abi, self.signals.blocked);
        let arm = self.signals.kind != FrameKind::Aarch64;
        let count = register_count(arm);
        let Some(tracee) = &mut self.tracee else {
            return;
        };
        let block = tracee.block();
        *block = Block {
            magic: MAGIC,
            kind: kind as u32,
            code,
            message,
            base,
            limit,
            word_bits: abi.word_bits.into(),
            big_endian: abi.big_endian.into(),
            isa: arm.into(),
            blocked,
            code_ring: &raw const CODE_RING as u64,
            resume_signal: 0,
            dirty: 0,
            request: 0,
            ..*block
        };
        for (id, value) in block.registers[..count].iter_mut().enumerate() {
            *value = self.core.get_wide(id as u32);
        }
        // Which side of a call it is stands in ip or x7 (arch/arm64/kernel/ptrace.c, report_syscall).
        if kind == Kind::Entry || kind == Kind::Exit {
            block.registers[marker(arm)] = u128::from(kind == Kind::Exit);
        }
    }

    /// Answers a question of the tracer's. False: there was none.
    fn serve(&mut self) -> bool {
        let Some(tracee) = &mut self.tracee else {
            return false;
        };
        let request = std::mem::take(&mut tracee.block().request);
        let facts = super::shared(&self.process.facts);
        tracee.reply = match request {
            0 => return false,
            REQUEST_MAPS => self.process.space.maps_text(&facts.root),
            REQUEST_AUXV => facts.auxv.clone(),
            REQUEST_EXE => facts.exe.clone(),
            _ => Vec::new(),
        };
        let (reply, size) = (tracee.reply.as_ptr() as u64, tracee.reply.len() as u64);
        let block = tracee.block();
        (block.reply, block.reply_size) = (reply, size);
        true
    }

    /// Takes over what the tracer changed.
    fn take_changes(&mut self, kind: Kind) {
        let arm = self.signals.kind != FrameKind::Aarch64;
        let (pc, status) = (self.process.regs.pc, self.process.regs.status);
        let Some(tracee) = &mut self.tracee else {
            return;
        };
        let block = tracee.block();
        if block.dirty & DIRTY_REGISTERS != 0 {
            // The instruction set before the pc, which may depend on it.
            self.core.set_wide(status, block.registers[status as usize]);
            for (id, value) in block.registers[..register_count(arm)].iter().enumerate() {
                let hidden = id == marker(arm) && (kind == Kind::Entry || kind == Kind::Exit);
                if id as u32 != pc && id as u32 != status && !hidden {
                    self.core.set_wide(id as u32, *value);
                }
            }
            self.core.set_wide(pc, block.registers[pc as usize]);
        }
        if block.dirty & DIRTY_MASK != 0 {
            self.signals.blocked = block.blocked;
            host::set_mask(block.blocked);
        }
        block.dirty = 0;
    }
}

/// How many registers a core has (docs/internals.md).
fn register_count(arm: bool) -> usize {
    if arm { 51 } else { 69 }
}

/// The register that tells entry from exit.
fn marker(arm: bool) -> usize {
    if arm { 12 } else { 7 }
}

fn own_tid() -> i32 {
    // SAFETY: gettid touches no memory.
    unsafe { libc::gettid() }
}

/// Whether this thread is traced, as the host kernel says.
fn has_tracer() -> bool {
    std::fs::read_to_string("/proc/thread-self/status").is_ok_and(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("TracerPid:"))
            .is_some_and(|pid| pid.trim() != "0")
    })
}
