//! What the translator has to know of a guest instruction set.

use crate::ir::Op;
use crate::ir::build::IrBuilder;
use crate::ir::flags::Model;
use crate::ir::interp::Interp;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;
use crate::ir::state::{Helper, State};
use crate::memory::Flags;
/// What AArch64 ignores of a data address taken away.
pub use crate::memory::tags::untagged;

/// What lifting one instruction came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lift {
    /// Done; the next instruction follows.
    Next,
    /// Done, and an exit was recorded.
    End,
    /// Not an instruction of the profile.
    Undefined,
    /// An instruction without a lifter: for the fallback core.
    Unlifted,
}

/// The instruction by which a vDSO reads a clock: the slots of what is asked for and of what comes of it.
#[derive(Clone, Copy, Debug)]
pub struct ReadClock {
    pub what: u16,
    pub seconds: u16,
    /// Of the seconds' upper half, where a slot has 32 bits.
    pub high: Option<u16>,
    pub nanoseconds: u16,
    /// Gives seconds, and above them nanoseconds.
    pub read: Helper,
}

impl ReadClock {
    /// All of the instruction.
    pub fn carry_out<S: Sem>(&self, s: &mut S) {
        let what = s.get(self.what);
        let time = s.ask_x(self.read, what);
        let nanoseconds = s.op1i(Op::VGet, 64, time, 1);
        let mut seconds = s.op1i(Op::VGet, 64, time, 0);
        if let Some(slot) = self.high {
            let high = s.shift_k(Op::Shr, 64, seconds, 32);
            seconds = s.op1(Op::Zext, 32, seconds);
            s.set(slot, high);
        }
        s.set(self.seconds, seconds);
        s.set(self.nanoseconds, nanoseconds);
    }
}

/// What the translator needs of a guest instruction set.
pub trait Guest: Send + Sync {
    /// For the stocks of translations: it tells apart all that translates the same bytes in another way (CPU features, byte orders).
    fn name(&self) -> &'static str;
    /// The registers that its state has.
    fn layout(&self) -> Layout;
    /// Its condition flags.
    fn flags(&self) -> &'static Model;
    /// General slots in the order in which they deserve host registers.
    fn hot_slots(&self) -> &'static [u16];
    /// Units of wide slots likewise.
    fn hot_wide(&self) -> &'static [u16];
    /// The bits of a general slot above these are always 0.
    fn slot_width(&self) -> u8 {
        64
    }
    /// Records the instruction at `pc`, whose bytes start `code`. Returns its length too. `mode` becomes that of
    /// the next instruction.
    fn lift(&self, s: &mut IrBuilder, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8);
    /// Computes it.
    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8);
    /// How the instruction treats the condition flags.
    fn flag_use(&self, pc: u64, code: &[u8]) -> FlagUse;
    /// Whether an instruction accesses memory, as far as can be seen at a glance: only speed depends on it.
    fn may_access(&self, _pc: u64, _code: &[u8]) -> bool {
        true
    }
    /// Where in memory the instruction of a pc is.
    fn fetch_address(&self, pc: u64) -> u64 {
        pc
    }
    /// A branch to `pc` is one that the processor takes exception to, before it looks for an instruction.
    fn is_misaligned(&self, _pc: u64) -> bool {
        false
    }
    /// The length of the instruction at `pc`, of which `code` has the shortest instruction's bytes at least.
    fn insn_size(&self, _pc: u64, _code: &[u8]) -> usize {
        self.max_insn()
    }
    /// The shortest instruction in bytes.
    fn min_insn(&self) -> usize {
        self.max_insn()
    }
    /// There are no translations that begin in this mode: the interpreter steps until it is another.
    fn must_step(&self, _mode: u32) -> bool {
        false
    }
    /// A translation may end before an instruction in this mode, and go on with the next one's.
    fn may_end(&self, _mode: u32) -> bool {
        true
    }
    /// Ends a translation before the instruction at `pc`, in a mode that it may not end in.
    fn pause(&self, _s: &mut IrBuilder, _pc: u64, _mode: u32) {}
    /// Makes a zeroed state that of a processor at the start of a program.
    fn reset(&self, _st: &mut State) {}
    /// State that selects translations (guest-defined bits).
    fn mode(&self, st: &State) -> u32;
    /// The instruction by which the kernel's own code reads a clock; that is asked for within a vDSO only. It has
    /// four bytes.
    fn read_clock(&self, _pc: u64, _code: &[u8]) -> Option<ReadClock> {
        None
    }
    /// What memory adds to [`Self::mode`] once a program has some with these flags ([`Flags::OWN`]).
    fn mode_of_space(&self, _st: &State, _uses: Flags) -> u32 {
        0
    }
    /// The mode of code in memory with these flags.
    fn mode_of_page(&self, mode: u32, _flags: Flags) -> u32 {
        mode
    }
    /// The mode of a block that no indirect branch leads to.
    fn mode_within(&self, mode: u32) -> u32 {
        mode
    }
    /// Where the bytes of memory's tags are (`memory::granules`), from guest address 0 on, for a program that has such memory.
    fn see_tags(&self, _st: &mut State, _at: u64) {}
    /// An access was by an address with another tag than memory's: the exception for it, or None where it is only noted.
    fn tag_differs(&self, _st: &mut State, _write: bool) -> Option<u32> {
        None
    }
    /// An exception that is due before the next instruction.
    fn due(&self, _st: &mut State) -> Option<u32> {
        None
    }
    /// Gives another result each time (a counter): not to be compared between runs.
    fn is_volatile(&self, code: &[u8]) -> bool;
    /// The longest instruction in bytes.
    fn max_insn(&self) -> usize;
    /// How many registers [`crate::cpu::Regs`] has for this guest.
    fn register_count(&self) -> u32;
    /// A register by its number in [`crate::cpu::Regs`].
    fn register(&self, st: &State, id: u32) -> u128;
    fn set_register(&self, st: &mut State, id: u32, value: u128);
    /// How many of the highest bits of a data address the processor ignores.
    fn tag_bits(&self) -> u8;
    /// A data address without what the processor ignores of it.
    fn data_address(&self, addr: u64) -> u64;
    /// The same for a branch target.
    fn code_address(&self, addr: u64) -> u64;
    /// The bytes that an instruction-cache operation at `addr` covers.
    fn cache_line(&self, addr: u64) -> std::ops::Range<u64>;
}

/// The condition flags as bits of a set.
pub mod flag {
    pub const N: u8 = 8;
    pub const Z: u8 = 4;
    pub const C: u8 = 2;
    pub const V: u8 = 1;
    pub const ALL: u8 = N | Z | C | V;
}

/// What code does with the condition flags that it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagFate {
    /// Reads some of them.
    Read,
    /// Sets all of them, in a straight line. `seen`: with an access before that may fault.
    Dies { seen: bool },
    /// Nobody knows.
    Unknown,
}

/// An instruction's effect on the condition flags, for finding dead ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagUse {
    /// Reads them.
    Reads,
    /// Reads these ([`flag`]) and leads somewhere unknown, or to two places.
    Tests(u8),
    /// Leads somewhere unknown, or nobody knows.
    Unknown,
    /// Reads and then writes these ([`flag`]); the instruction at `next` decides about the others.
    Goes { reads: u8, writes: u8, next: u64 },
}
