//! The memory through which a tracee and its tracer talk.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::memory::AddressSpace;
use crate::process::{GuestThread, shared};
use crate::signal::host;
use crate::signal::{FrameKind, siginfo};

/// What a stop is. `qusr/ptrace/block.py` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
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
pub(super) enum Mode {
    Continue,
    Calls,
    Step,
    Emulate,
    Detached,
}

impl Mode {
    pub(super) fn of(number: u32) -> Self {
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
pub(super) struct Block {
    pub(super) magic: u64,
    pub(super) kind: u32,
    pub(super) code: u32,
    pub(super) message: u64,
    pub(super) base: u64,
    pub(super) limit: u64,
    pub(super) word_bits: u32,
    pub(super) big_endian: u32,
    pub(super) isa: u32,
    /// From here to `resume_signal` the tracer writes; see [`Mode`].
    pub(super) mode: u32,
    pub(super) options: u32,
    pub(super) seized: u32,
    pub(super) resume_signal: u32,
    pub(super) dirty: u32,
    pub(super) blocked: u64,
    pub(super) number: i64,
    pub(super) first_arg: u64,
    pub(super) code_ring: u64,
    pub(super) request: u32,
    /// The event that the clone being made is: whom the host kernel attached may not be wanted.
    pub(super) cloning: u32,
    pub(super) reply: u64,
    pub(super) reply_size: u64,
    pub(super) info: [u8; siginfo::SIZE],
    pub(super) registers: [u128; REGISTERS],
}

/// Ranges of guest code that tracers changed: one for the process, since any of its threads may be
/// the next to run.
#[repr(C)]
pub(super) struct CodeRing {
    written: AtomicU64,
    taken: AtomicU64,
    ranges: [[AtomicU64; 2]; RING],
}

const RING: usize = 256;

pub(super) static CODE_RING: CodeRing = CodeRing {
    written: AtomicU64::new(0),
    taken: AtomicU64::new(0),
    ranges: [const { [const { AtomicU64::new(0) }; 2] }; RING],
};

impl CodeRing {
    /// In a forked child: what waits in it was for the parent.
    pub(super) fn forget(&self) {
        self.taken
            .store(self.written.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Tells the cores of all new ranges. Without a lock, which a fork could leave held.
    pub(super) fn drain(&self, space: &AddressSpace) {
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
/// What a tracer may ask of a stopped tracee, in [`Block::request`].
const REQUEST_MAPS: u32 = 1;
const REQUEST_AUXV: u32 = 2;
const REQUEST_EXE: u32 = 3;

impl GuestThread {
    pub(super) fn publish(&mut self, kind: Kind, code: u32, message: u64) {
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
    pub(super) fn serve(&mut self) -> bool {
        let Some(tracee) = &mut self.tracee else {
            return false;
        };
        let request = std::mem::take(&mut tracee.block().request);
        let facts = shared(&self.process.facts);
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
    pub(super) fn take_changes(&mut self, kind: Kind) {
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
