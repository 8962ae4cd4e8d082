//! What this core asks of a guest: which of the library's processors it is, and what that does not do by
//! itself.
//!
//! What is a number is in [`Facts`]; what is a rule is a method, and most guests need none of them. A guest's
//! is in `native/guests/src/<isa>/unicorn.rs`.

use std::ffi::c_int;

use crate::cpu::{Access, Exit};
use crate::engine::{Engine, Stopped};

/// How a register is held by the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Bits32,
    Bits64,
    Bits128,
}

/// A register of the library: `UC_*_REG_*` and its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UcReg {
    pub id: c_int,
    pub width: Width,
}

impl UcReg {
    #[must_use]
    pub const fn bits32(id: c_int) -> Self {
        let width = Width::Bits32;
        Self { id, width }
    }

    #[must_use]
    pub const fn bits64(id: c_int) -> Self {
        let width = Width::Bits64;
        Self { id, width }
    }

    #[must_use]
    pub const fn bits128(id: c_int) -> Self {
        let width = Width::Bits128;
        Self { id, width }
    }
}

/// Registers whose numbers (docs/internals.md) follow one another, as their ids in the library do.
#[derive(Clone, Copy, Debug)]
pub struct Bank {
    /// Number of the first one.
    pub first: u32,
    pub count: u32,
    pub uc: UcReg,
}

/// A control register's bits that are set before a program starts.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    pub name: &'static str,
    pub uc: UcReg,
    pub set: u64,
    pub clear: u64,
}

/// What an exception means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A system call.
    Call,
    /// An undefined instruction, which [`Guest::undefined`] may know.
    Undefined,
    /// An access of this kind that the processor wants aligned; [`Guest::misaligned`] knows more.
    Misaligned(Access),
    /// A breakpoint instruction.
    Breakpoint,
    /// [`Guest::exception`] says.
    Ask,
}

/// An exception of the library's interrupt hook.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    pub number: u32,
    pub meaning: Meaning,
    /// So many bytes before the pc that the hook sees is the instruction (for a call: is what follows it).
    pub back: u64,
}

impl Exception {
    #[must_use]
    pub const fn new(number: u32, meaning: Meaning) -> Self {
        let back = 0;
        Self {
            number,
            meaning,
            back,
        }
    }

    /// The same with [`Exception::back`].
    #[must_use]
    pub const fn back(self, back: u64) -> Self {
        Self { back, ..self }
    }
}

/// An instruction that loads a byte from where a register points to: with it the core finds out what the
/// library notes of failed accesses (`probe.rs`).
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub code: &'static [u8],
    pub base: UcReg,
}

/// For targets where that has to be found out, with what more these have in common: branches with delay slots, which
/// begin again when what is in the slot is to be done again (`raised.rs`).
#[derive(Clone, Copy, Debug)]
pub struct Raised {
    /// Of a program counter.
    pub bits: u32,
    /// How long the instruction of a call is, in bytes.
    pub call: u64,
}

/// What is a number.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// `UC_ARCH_*` and `UC_MODE_*`.
    pub arch: c_int,
    pub mode: c_int,
    /// What QEMU calls it: the end of names of the library's functions (`cpu_loop_exit_riscv64`).
    pub target: &'static str,
    /// The library's pages are smaller by default, and it lets them be set (ARM's are).
    pub sets_page_size: bool,
    pub banks: &'static [Bank],
    /// How many registers there are, with those that only [`Guest::read`] and [`Guest::write`] know; 0: those of
    /// the banks.
    pub count: u32,
    /// The number of the program counter, and the library's.
    pub pc: u32,
    pub uc_pc: UcReg,
    /// Registers that say what others mean (which instruction set a pc is in): copied first.
    pub leading: &'static [u32],
    /// Written before the first run, in this order.
    pub presets: &'static [Preset],
    /// Exceptions that are none of these are undefined instructions.
    pub exceptions: &'static [Exception],
    /// The library tells nobody where an exception was raised.
    pub raised: Option<Raised>,
    /// Programs need no instruction or call to have changed code executed, whoever changed it.
    pub coherent_code: bool,
    /// The bits of a data address that are no tag.
    pub address_mask: u64,
    /// The system-call instruction, where the library has a hook of its own for it: `UC_*_INS_*` and its size
    /// in bytes. In that hook the pc is on the instruction.
    pub call: Option<(c_int, u64)>,
    /// The start and end of what the processor itself reads (descriptor tables); what is mapped there is the
    /// guest's affair.
    pub kernel_pages: (u64, u64),
    pub probe: Probe,
}

/// What stops a program that makes a misaligned access.
#[must_use]
pub fn misaligned_at(addr: u64, access: Access) -> Exit {
    Exit::Fault {
        addr,
        access,
        mapped: true,
        bus: true,
        align: true,
    }
}

/// See the module.
pub trait Guest: Send + Sync {
    /// As people know it, for messages.
    fn name(&self) -> &'static str;

    fn facts(&self) -> &'static Facts;

    /// Brings the processor of a CPU model into the state in which a kernel starts programs, where presets do
    /// not do.
    ///
    /// # Errors
    /// The library's words about a register that it does not have.
    fn set_up(&self, engine: Engine<'_>, model: i32) -> Result<(), String> {
        let _ = (engine, model);
        Ok(())
    }

    /// The address at which code at `pc` is to be fetched; what else the number says goes to registers.
    fn branch(&self, engine: Engine<'_>, pc: u64) -> u64 {
        let _ = engine;
        pc
    }

    /// A program counter as the library takes it.
    fn entry(&self, engine: Engine<'_>, pc: u64) -> u64 {
        let _ = engine;
        pc
    }

    /// The register of this number, where that is more than a copy.
    fn read(&self, engine: Engine<'_>, reg: u32) -> Option<u128> {
        let _ = (engine, reg);
        None
    }

    /// Sets a register where that is more than a copy. False: it is not.
    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        let _ = (engine, reg, value);
        false
    }

    /// Moves behind the system-call instruction at the pc where the library leaves that to a kernel, and does
    /// what else it leaves.
    fn pass_call(&self, engine: Engine<'_>) {
        let _ = engine;
    }

    /// Has an instruction begin anew within which the library has stopped, if there are such.
    fn take_back(&self, engine: Engine<'_>) {
        let _ = engine;
    }

    /// For how many instructions the library takes the one at the pc: a branch goes nowhere without what is in its
    /// delay slot.
    fn counts_as(&self, cpu: &Stopped<'_>) -> usize {
        let _ = cpu;
        1
    }

    /// The addresses of instructions before which the library calls no hook: those that follow the one at the pc, or
    /// it and those, if it is such a one itself.
    fn silent(&self, cpu: &Stopped<'_>) -> Vec<u64> {
        let _ = cpu;
        Vec::new()
    }

    /// Before each run: others may have run since.
    fn before_run(&self, engine: Engine<'_>) {
        let _ = engine;
    }

    /// Before the engine goes on, when what the kernel keeps with the address space ([`AddressSpace::kernel_words`])
    /// is not what it was.
    ///
    /// [`AddressSpace::kernel_words`]: crate::memory::AddressSpace::kernel_words
    fn take_words(&self, engine: Engine<'_>, words: &[u64]) {
        let _ = (engine, words);
    }

    /// In the midst of a block, behind the core's answer to the question for a page of data.
    fn after_fill(&self, engine: Engine<'_>) {
        let _ = engine;
    }

    /// Where a step must end, if the library takes several instructions for one.
    fn step_end(&self, cpu: &Stopped<'_>) -> Option<u64> {
        let _ = cpu;
        None
    }

    /// The immediate of the call or breakpoint instruction, the pc being behind that of a call and on the other.
    fn immediate(&self, cpu: &Stopped<'_>, meaning: Meaning) -> u32 {
        let _ = (cpu, meaning);
        0
    }

    /// What an exception of [`Meaning::Ask`] means; the pc stands on the instruction. An undefined one is dealt with
    /// as [`Meaning::Undefined`] is.
    fn exception(&self, cpu: &Stopped<'_>, number: u32) -> Exit {
        let _ = (cpu, number);
        Exit::Undefined
    }

    /// The access of the instruction at the pc that was misaligned.
    fn misaligned(&self, cpu: &Stopped<'_>, access: Access) -> Exit {
        misaligned_at(cpu.pc(), access)
    }

    /// Carries out the undefined instruction at the pc, if the kernel does; then its size in bytes.
    ///
    /// # Errors
    /// What it is for the program.
    fn undefined(&self, cpu: &Stopped<'_>) -> Result<u64, Exit> {
        let _ = cpu;
        Err(Exit::Undefined)
    }

    /// How many bytes from the first address of its first access on the instruction at the pc accesses, where the
    /// library makes the access without its hooks (`core/trial.rs`); rather too many than too few.
    fn reach(&self, cpu: &Stopped<'_>) -> u64 {
        let _ = cpu;
        16
    }

    /// All accesses of such an instruction, whose first one is at `addr`: where, how many bytes, and whether they are
    /// stored to.
    fn accesses(&self, cpu: &Stopped<'_>, addr: u64, write: bool) -> Vec<(u64, u64, bool)> {
        vec![(addr, self.reach(cpu), write)]
    }

    /// What an instruction is that the library calls invalid, the pc being on it. None: nothing, go on.
    fn invalid(&self, cpu: &Stopped<'_>) -> Option<Exit> {
        let _ = cpu;
        Some(Exit::Undefined)
    }
}
