//! Code generators, one module a host instruction set, and what the rest of the translator knows of one.
//!
//! The cache and the engine name no host: they use [`Native`] by its traits. A host's module is
//! private, so the compiler sees to that. All is known when the translator is compiled, and nothing is called through a
//! table.

pub mod code;
mod x64;

use crate::guest::{FlagFate, Guest};
use crate::ir::state::State;
use crate::ir::{Block, Trap};
use crate::memory::fault::HostFault;
use code::{Code, Entry, Place, Reloc};
use std::sync::atomic::AtomicU32;

/// The host that this build is for.
pub type Native = x64::X64;
/// Where guest registers are while translated code runs.
pub type Pinning = <Native as Host>::Pinning;
/// A core as translated code sees it.
pub type NativeCpu = <Native as Host>::Cpu;

/// How code is generated: single optimisations, and what a translation's mode asks for.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    pub coalesce: bool,
    pub returns: bool,
    pub inline_jumps: bool,
    /// Invalid operations trap, so that NaNs need no checks.
    pub traps: bool,
    /// Modes that the host has not (`ir::float::MODES`).
    pub float_modes: u32,
    /// Regions, too, look for results that Arm finds tiny and x86 does not; other code does in any case.
    pub probes: bool,
    /// The host flushes denormal numbers, or they trap.
    pub host_flush: bool,
    /// Backward exits count themselves and tell when they were taken often.
    pub heat: bool,
    /// Flags that the target may not read leave a block as the operands of what makes them.
    pub defer: bool,
    /// Each way out adds to [`Head::executed`](crate::ir::state::Head::executed) how many guest instructions came before it.
    pub count: bool,
    /// The code is part of a region: where exits lead is for `region` to say.
    pub region: bool,
}

/// Too many values at once: translate fewer instructions.
#[derive(Debug)]
pub struct TooBig;

/// Why translated code came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This exit is not chained.
    Link(u32),
    /// This exit, which counts, was taken often.
    Hot(u32),
    /// An indirect jump to a pc that is not in the core's table.
    Indirect,
    Interrupted,
    /// A host instruction faulted or trapped: see [`Cpu::fault`].
    Fault,
    Trap {
        trap: Trap,
        /// 24 bits.
        arg: u32,
    },
}

/// A host instruction of translated code that faulted or trapped.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultNote {
    pub pc: usize,
    /// The address accessed; all ones if the host does not tell.
    pub addr: u64,
    pub write: bool,
    /// SIGBUS.
    pub bus: bool,
    /// SIGFPE.
    pub float: bool,
}

/// What translated code works on: the guest's state, and what only the host's code generator knows of.
pub trait Cpu {
    fn new(guest: &dyn Guest) -> Box<Self>;
    fn state(&self) -> &State;
    fn state_mut(&mut self) -> &mut State;

    /// The word that is not 0 if translated code is to leave.
    ///
    /// # Safety
    /// `cpu` is one; nothing of it is read.
    unsafe fn interrupt(cpu: *const Self) -> *const AtomicU32;
    /// The value of the return stack's pointer below which calls leave translated code.
    ///
    /// # Safety
    /// As [`Self::interrupt`].
    unsafe fn return_limit(cpu: *const Self) -> *mut u64;

    /// The return stack's pointer, and that of the empty stack.
    fn returns(&self) -> (u64, u64);
    /// Empties the return stack, whose pointer is `top` then.
    fn set_returns(&mut self, top: u64);
    /// The core's table of indirect jumps: pairs of guest pc and host address.
    fn set_jumps(&mut self, table: *const [u64; 2]);
    /// What the loop at guest address `pc` counts down.
    fn heat(&mut self, pc: u64) -> &mut u32;
    /// Sets all such counters.
    fn fill_heat(&mut self, count: u32);

    /// What the signal handler noted last.
    fn fault(&self) -> FaultNote;
    fn set_fault(&mut self, fault: FaultNote);
    /// What is at a place, at a fault.
    fn value(&self, place: Place) -> u128;

    /// The floating-point environment that code was entered with.
    fn loaded_env(&self) -> u32;
    /// What is toggled in it where code traps, by the flags that are set: none, underflow, inexact, both.
    fn set_toggles(&mut self, by_flags: [u32; 4]);
    /// Where [`Host::resume`] goes on, with exceptions that trap.
    fn resume_at(&mut self, host: usize);
    /// Where the code of a [`MaskedStub`] goes on.
    fn back_to(&mut self, host: usize);
}

/// Executable memory of one core's own for one floating-point instruction, and around it the masking of exceptions.
pub trait MaskedStub: Sized {
    /// # Errors
    /// The host has no executable memory.
    fn new() -> Result<Self, String>;
    /// Code that executes `insn` with these exceptions masked, registers intact, and goes on at [`Cpu::back_to`].
    fn fill(&mut self, insn: &[u8], masks: u32) -> usize;
}

/// A host instruction set.
pub trait Host {
    type Cpu: Cpu + ?Sized;
    type Pinning: Clone + Send + Sync;
    /// Memory that one generation of code leaves to the next.
    type Work: Default;
    /// Where the entries of the support code are.
    type Entries: Copy + Send + Sync;
    type Stub: MaskedStub;

    /// # Errors
    /// What this host's processor lacks.
    fn check() -> Result<(), String>;
    /// What generated code depends on besides that, as bits.
    fn features() -> u64;
    /// Makes guest address 0 known to this thread's translated code.
    fn set_guest_base(base: u64);

    /// Which guest registers are in host registers across blocks.
    fn pinning(guest: &dyn Guest) -> Self::Pinning;
    /// Generates code for a block into `code`. `fate(pc)` says what code at a guest pc does with the condition flags.
    ///
    /// # Errors
    /// The block needs more temporaries than there are.
    fn emit(
        block: &Block,
        pin: &Self::Pinning,
        tune: Tuning,
        fate: impl FnMut(u64) -> FlagFate,
        work: &mut Self::Work,
        code: &mut Code,
    ) -> Result<(), TooBig>;
    /// The pinning for a region of these blocks, unless the usual one is as good.
    fn region_pinning(usual: &Self::Pinning, blocks: &[Block]) -> Option<Self::Pinning>;
    /// Puts a region's blocks, of so many guest instructions each, together. The first is the loop's head; `traps`: it
    /// has floating-point code that traps or flushes.
    fn assemble(
        parts: Vec<(u64, Code)>,
        insns: &[usize],
        usual: &Self::Pinning,
        own: &Self::Pinning,
        traps: bool,
    ) -> Code;

    /// How many bytes a relocation fills.
    fn reloc_size(reloc: Reloc) -> u32;
    /// Fills in what is `at` in code that will be at address `host`; `entry` gives the address of a support entry,
    /// `first_exit` is the number of the first exit.
    fn relocate(
        code: &mut [u8],
        at: u32,
        host: usize,
        reloc: Reloc,
        entry: impl Fn(Entry) -> usize,
        first_exit: u32,
    );
    /// How many bytes of an exit are patched.
    const PATCH_SIZE: u32;
    /// What is in an exit at address `at` that goes to `target`.
    fn patch(at: usize, target: usize) -> [u8; 4];

    /// The code at the start of each arena.
    fn support(pin: &Self::Pinning) -> (Vec<u8>, Self::Entries);
    /// How far into the support code an entry is; None: where faults land.
    fn entry(entries: &Self::Entries, entry: Option<Entry>) -> usize;
    /// Runs translated code at `host` until it leaves.
    ///
    /// # Safety
    /// `support` is the address of support code, `host` a translation in its arena, `cpu` is prepared for it, and
    /// this thread knows the guest's base.
    unsafe fn enter(
        support: usize,
        entries: &Self::Entries,
        cpu: *mut Self::Cpu,
        host: usize,
    ) -> Answer;
    /// Goes on at [`Cpu::resume_at`] with all registers as they were at the fault that made code leave.
    ///
    /// # Safety
    /// As [`Self::enter`].
    unsafe fn resume(support: usize, entries: &Self::Entries, cpu: *mut Self::Cpu) -> Answer;

    /// The core whose translated code faulted.
    fn faulted(fault: &mut HostFault<'_>) -> *mut Self::Cpu;
    /// Puts the guest registers that were in host registers at a fault into their slots.
    fn settle(pin: &Self::Pinning, cpu: &mut Self::Cpu);
}

/// Whether this host's processor has what translated code needs.
///
/// # Errors
/// The names of the missing features.
pub fn check_host() -> Result<(), String> {
    Native::check()
}
