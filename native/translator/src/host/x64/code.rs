//! What the code generator makes: code without an address yet, and what has to be known of it.

use super::asm::Reg;
use crate::ir::Op;
use crate::ir::state::Helper;

/// A place at a fault, for [`Recipe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Const(u64),
    Reg(Reg),
    Xmm(Reg),
    /// Offset from the state register.
    State(i32),
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
    pub insn: u16,
    pub write: bool,
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
    /// The 32-bit displacement to patch.
    pub patch: u32,
    /// Where it goes until then.
    pub stub: u32,
    pub target: u64,
    /// The guest instruction that leaves.
    pub from: u64,
    /// A counting stub's own jump and where that goes at first; 0: there is none.
    pub inner: (u32, u32),
}

/// The entries of the run-time support code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// eax = exit number.
    Link,
    /// rax = guest pc without known translation.
    Indirect,
    /// rax = guest pc to stop at.
    Interrupted,
    /// eax = trap | arg << 8, pc stored.
    Trap,
    /// Calls a helper: rax = code, args in the state.
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

/// What has to be filled in when the code gets its address.
#[derive(Clone, Copy, Debug)]
pub enum Reloc {
    /// rel32 to a run-time entry.
    Entry(Entry),
    /// 64-bit address of a helper.
    Helper(Helper),
    /// 64-bit address of a run-time function that evaluates an operation.
    Eval,
    /// 32-bit number of the exit with this index.
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
