//! What the code generator makes: code without an address yet, and what has to be known of it.

use crate::ir::Op;
use crate::ir::state::Helper;

/// A place at a fault, for [`Recipe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Const(u64),
    /// A general and a wide register of the host, by its number.
    Reg(u8),
    Wide(u8),
    /// In the core's memory: from where [`super::Cpu`] starts, in bytes.
    Memory(i32),
}

/// How to compute the pending condition flags at a fault. `op` may be `GetF`: from those in the state.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub op: Op,
    pub w: u8,
    pub imm: u64,
    pub a: Place,
    pub b: Place,
    /// What N and Z are of instead.
    pub nz: Option<Place>,
    /// What C is a bit of instead, and which.
    pub carry: Option<(Place, u8)>,
}

/// A host instruction that can fault.
#[derive(Clone, Copy, Debug)]
pub struct FaultPoint {
    pub offset: u32,
    /// Its guest instruction, counted from the block's start.
    pub insn: u16,
    pub write: bool,
    /// It may access more than its guest instruction does, or has other words for it: the interpreter says what is to be told.
    pub rough: bool,
    /// Index into [`Code::recipes`], or [`Self::SETTLED`].
    pub recipe: u32,
}

impl FaultPoint {
    /// The flags in the state are right.
    pub const SETTLED: u32 = u32::MAX;
}

/// A host instruction that traps on invalid floating-point operations.
#[derive(Clone, Copy, Debug)]
pub struct FloatSite {
    pub start: u32,
    pub end: u32,
    /// Code that does the operation exactly and goes on behind it. 0: the host's masked result is right.
    pub cold: u32,
}

/// A jump or call whose target is a guest pc.
#[derive(Clone, Copy, Debug)]
pub struct ExitSite {
    /// What is patched: see [`super::Host::patch`].
    pub patch: u32,
    /// Where it goes until then.
    pub stub: u32,
    pub target: u64,
    /// The guest instruction that leaves.
    pub from: u64,
    /// A counting stub's own jump and where that goes at first; 0: there is none.
    pub inner: (u32, u32),
    /// A jump to `patch` by way of storing condition flags, and where that storing is: to be patched where the target needs
    /// none. 0: there is none.
    pub direct: (u32, u32),
    /// When it needs none (`ir::handover`).
    pub needs: u64,
}

/// The entries of the run-time support code that translations go to; how they are called is the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An exit that is not chained.
    Link,
    /// A guest pc without known translation.
    Indirect,
    /// A guest pc to stop at.
    Interrupted,
    /// A trap, the pc stored.
    Trap,
    /// Calls a helper.
    Helper,
    /// Evaluates an operation, floating point or not; the guest's slots need not be up to date.
    FloatEval,
    Eval,
    /// As `Link`, for an exit whose counter has run down.
    Hot,
    /// Works out deferred flags.
    Settle,
    /// Lets invalid operations trap.
    Unmask,
}

impl Entry {
    /// In order.
    pub const ALL: [Self; 10] = [
        Self::Link,
        Self::Indirect,
        Self::Interrupted,
        Self::Trap,
        Self::Helper,
        Self::FloatEval,
        Self::Eval,
        Self::Hot,
        Self::Settle,
        Self::Unmask,
    ];
}

/// What has to be filled in when the code gets its address. Each has one form on a host
/// ([`super::Host::relocate`]).
#[derive(Clone, Copy, Debug)]
pub enum Reloc {
    /// A jump or call to a run-time entry.
    Entry(Entry),
    /// The address of a helper.
    Helper(Helper),
    /// Where a helper's address would be, for an operation that the run-time evaluates.
    Eval,
    /// The number of the exit with this index.
    ExitNumber(u32),
}

/// Generated code, not yet placed.
#[derive(Default)]
pub struct Code {
    pub bytes: Vec<u8>,
    pub faults: Vec<FaultPoint>,
    pub recipes: Vec<Recipe>,
    pub floats: Vec<FloatSite>,
    pub exits: Vec<ExitSite>,
    pub relocs: Vec<(u32, Reloc)>,
    /// What it does with the flags that it begins with (`ir::handover`).
    pub risk: u64,
}

impl Code {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.faults.clear();
        self.recipes.clear();
        self.floats.clear();
        self.exits.clear();
        self.relocs.clear();
    }
}
