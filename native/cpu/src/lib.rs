//! The CPU-core interface: one guest CPU, run by one host thread.
//!
//! Two cores implement it: those of `qusr-unicorn` and `qusr-translator`. Everything above
//! them (system calls, signals, threads, the debugger) sees only
//! [`CpuCore`], so there is one mechanism for every core.

mod stops;

use std::sync::Arc;

pub use stops::{Stops, Watch};

/// How an access to guest memory failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Fetch,
}

impl Access {
    /// As Python calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Fetch => "fetch",
        }
    }
}

/// Why [`CpuCore::run`] returned. The core's registers are exact and complete in
/// each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A system-call instruction; the pc stands *behind* it. `imm` is the
    /// instruction's immediate (which Linux does not look at on arm: EABI).
    Syscall { imm: u32 },
    /// An access that the guest's mapping does not allow; the pc stands *on* the
    /// instruction. `mapped` tells SEGV_ACCERR from SEGV_MAPERR; `bus` says that
    /// the host answered with SIGBUS (beyond the end of a mapped file) or that
    /// the access was unaligned where the ISA forbids it (`align`).
    Fault {
        addr: u64,
        access: Access,
        mapped: bool,
        bus: bool,
        align: bool,
    },
    /// An undefined instruction; the pc stands on it.
    Undefined,
    /// A breakpoint instruction (BRK, BKPT); the pc stands on it.
    Breakpoint { imm: u32 },
    /// Another exception of the instruction at the pc, of `size` bytes, by the ISA's number for it.
    Exception { code: u32, size: u8 },
    /// The debugger wants the guest to stop before the instruction at the pc ([`Stops::code`]).
    Stop,
    /// The instruction at the pc is about to access what a debugger watches ([`Stops::data`]): these `len` bytes.
    Watched { addr: u64, len: u32, write: bool },
    /// The block at the pc, of `size` bytes of code, is about to be executed ([`Stops::blocks`]).
    Block { size: u32 },
    /// [`Interrupter::interrupt`] was called, or the step budget is used up.
    Interrupted,
}

/// What the fast system-call path told the core to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The call is done and its result is in the registers: go on.
    Continue,
    /// Leave [`CpuCore::run`] with [`Exit::Syscall`].
    Leave,
}

/// Register access while the core is stopped, or from the system-call callback.
///
/// `id` is the index into the guest's register table: `0..` the general
/// registers in the order of the ISA's gdb description, see
/// `qusr/arch/<isa>.py`. Registers wider than 64 bits go through the `_wide`
/// forms.
pub trait Regs {
    fn get(&mut self, id: u32) -> u64;
    fn set(&mut self, id: u32, value: u64);
    fn get_wide(&mut self, id: u32) -> u128 {
        u128::from(self.get(id))
    }
    fn set_wide(&mut self, id: u32, value: u128) {
        self.set(id, value as u64);
    }
    /// All that the host's processor keeps beside the general registers, in the host's format, where it runs the guest.
    fn extended(&mut self) -> Option<&mut [u8]> {
        None
    }
}

/// Makes a running core leave [`CpuCore::run`] soon. Callable from any thread
/// and from a signal handler, so implementations may only do async-signal-safe
/// things. An interrupt that arrives while the core is not running makes its
/// next `run` return [`Exit::Interrupted`] at once.
pub trait Interrupter: Send + Sync {
    fn interrupt(&self);
}

/// The callback for system calls that need no exit: see [`Flow`].
pub type OnSyscall<'a> = &'a mut dyn FnMut(&mut dyn Regs, u32) -> Flow;

/// Called before each block of guest code, with its address and length in bytes: for logs.
pub type BlockWatcher = Arc<dyn Fn(&mut dyn Regs, u64, u32) + Send + Sync>;

/// An instruction that the kernel carries out for programs and that only writes a register.
#[derive(Clone, Copy, Debug)]
pub struct Emulated {
    /// None: the result goes nowhere.
    pub register: Option<u32>,
    pub value: u64,
    /// Of the instruction, in bytes.
    pub size: u8,
}

/// Says what the kernel does with the instruction in these bytes, which traps.
pub type Emulate = Arc<dyn Fn(&[u8]) -> Option<Emulated> + Send + Sync>;

/// A lock of the emulator's that guest threads may wait for: for who asks why one stands still.
#[derive(Clone, Copy, Debug)]
pub struct Lock {
    /// What it guards; goes behind "the emulator's lock of".
    pub name: &'static str,
    /// Where its parts are in this process.
    pub start: usize,
    pub size: usize,
}

impl Lock {
    /// One in `thing`, which outlives those that are told.
    pub fn of<T>(name: &'static str, thing: &T) -> Self {
        Self {
            name,
            start: std::ptr::from_ref(thing) as usize,
            size: size_of::<T>(),
        }
    }
}

/// One guest CPU.
pub trait CpuCore: Regs + Send {
    /// Runs guest code from the current pc until one of the [`Exit`]s.
    /// `on_syscall(regs, imm)` is tried first at each system-call instruction.
    fn run(&mut self, on_syscall: OnSyscall<'_>) -> Exit;
    /// Executes exactly one guest instruction (a system call included: it
    /// exits with [`Exit::Syscall`] and is not offered to a callback).
    /// Returns [`Exit::Interrupted`] when the instruction simply completed.
    fn step(&mut self) -> Exit;
    /// As `step`, but whatever is watched; `step` does not look at the stops of instructions either.
    fn step_over(&mut self) -> Exit {
        self.step()
    }
    /// The instruction or block at the pc does not stop the next [`CpuCore::run`], though it is one to stop at. A core may
    /// execute it here, as `step`; else it gives [`Exit::Interrupted`], and nothing is done yet.
    fn pass_stop(&mut self) -> Exit {
        self.step()
    }
    /// Has `look` called while no core of the process has executed a part of an instruction, or one that it is about to
    /// take back.
    fn between_instructions(&self, look: &mut dyn FnMut()) {
        look();
    }
    /// From now on all cores of the process stop there ([`Exit::Stop`], [`Exit::Watched`]). None of them runs.
    fn set_stops(&mut self, stops: &Arc<Stops>);
    /// Guest instructions that this CPU has completed since it was told to count them ([`Stops::count`]); None: it
    /// does not. A system call is one of them as soon as it is made, and one that is made again counts again.
    fn executed(&self) -> Option<u64> {
        None
    }
    /// How many registers it has ([`Regs`]), where a processor may have more than each of the ISA: vectors. 0: it has not.
    fn register_count(&self) -> u32 {
        0
    }
    /// A handle for [`Interrupter::interrupt`]; valid as long as it is held.
    fn interrupter(&self) -> Arc<dyn Interrupter>;
    /// Has `watcher` called before each block from now on; before the first run. False: this
    /// core has logs of its own.
    fn watch_blocks(&mut self, watcher: BlockWatcher) -> bool {
        drop(watcher);
        false
    }
    /// What its threads may wait for within [`CpuCore::run`].
    fn locks(&self) -> Vec<Lock> {
        Vec::new()
    }
    /// Forgets translations of guest code in `start..end`.
    fn invalidate(&mut self, start: u64, end: u64);
    /// A child process is about to be forked.
    fn before_fork(&mut self) {}
    /// This process is the child.
    fn after_fork_in_child(&mut self) {}
    /// A new core with the same register state, for a guest thread's `clone`.
    fn duplicate(&self) -> Result<Box<dyn CpuCore>, String>;
}
