//! What the translator has to know of a guest instruction set.

use crate::ir::build::IrBuilder;
use crate::ir::interp::Interp;
use crate::ir::state::State;
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

/// What the translator needs of a guest instruction set.
pub trait Guest: Send + Sync {
    /// As `qusr/arch/` and the stocks of translations call it.
    fn name(&self) -> &'static str;
    /// General slots in the order in which they deserve host registers.
    fn hot_slots(&self) -> &'static [u16];
    /// Wide slots likewise.
    fn hot_wide(&self) -> &'static [u16];
    /// Records the instruction at `pc`, whose bytes start `code`. Returns its length too.
    fn lift(&self, s: &mut IrBuilder, pc: u64, code: &[u8], mode: u32) -> (Lift, u8);
    /// Computes it.
    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], mode: u32) -> (Lift, u8);
    /// How the instruction treats the condition flags.
    fn flag_use(&self, pc: u64, code: &[u8]) -> FlagUse;
    /// State that selects translations (guest-defined bits).
    fn mode(&self, st: &State) -> u32;
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

/// An instruction's effect on the condition flags, for finding dead ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagUse {
    /// Reads them.
    Reads,
    /// Leads somewhere unknown, or nobody knows.
    Unknown,
    /// Writes all of them without reading.
    Kills,
    /// Neither; the next instruction at this address decides.
    Passes(u64),
}
