//! The backward pass before code generation: last uses, dead values, registers to
//! compute into, and the condition flags pending at each exit.

use super::asm::{NOREG, Reg};
use super::layout::Pinning;
use crate::ir::state::{SLOTS, WIDE};
use crate::ir::{Block, Inst, Kind, NONE, Op, Trap, Val};

/// What is found out about an operation and its value.
#[derive(Clone, Copy)]
pub struct Info {
    /// Position of the last use; 0 if there is none.
    pub last: u32,
    /// Flags not yet in the state, at exits and faulting instructions.
    pub flags_at: Val,
    /// The pinned register that the value is set to next, or `NOREG`.
    pub hint: Reg,
    /// The slot that last wanted the value.
    slot: u8,
    pub dead: bool,
    /// An exit whose target reads the flags.
    pub read_at: bool,
    /// An `FLogic` whose operand is an `And` that only serves the test.
    pub fused_and: bool,
    /// Has a use other than an `FLogic`.
    other_use: bool,
    /// Computed again wherever it is used: flags, conditions.
    again: bool,
}

impl Info {
    const NEW: Self = Self {
        last: 0,
        flags_at: NONE,
        hint: NOREG,
        slot: 0,
        dead: false,
        read_at: false,
        fused_and: false,
        other_use: false,
        again: false,
    };
}

/// The result, and what it takes to get it: to be used again for the next block.
#[derive(Default)]
pub struct Liveness {
    /// By value.
    pub at: Vec<Info>,
    general: Wanted<SLOTS>,
    wide: Wanted<WIDE>,
    /// The `FLogic`s.
    tests: Vec<u32>,
}

/// Conditions are computed where they are used.
fn is_condition(i: &Inst) -> bool {
    i.op == Op::Cc || (i.w == 8 && matches!(i.op, Op::And | Op::Or | Op::Xor))
}

/// Flags that are recomputed where they are used.
fn is_virtual_flags(op: Op) -> bool {
    matches!(op, Op::FAdd | Op::FSub | Op::FLogic | Op::FPack | Op::FFcmp)
}

/// Sticky exception flags make these worth doing even if nobody reads the result.
fn has_status(op: Op) -> bool {
    op.is_float()
}

/// `v` is used at `i`; what it is recomputed from is too.
#[inline]
fn mark(b: &Block, at: &mut [Info], v: Val, i: u32) {
    // NONE is beyond the end.
    let Some(info) = at.get_mut(v as usize) else {
        return;
    };
    if info.last == 0 {
        info.last = i;
    }
    if info.again {
        mark_operands(b, at, v, i);
    }
}

fn mark_operands(b: &Block, at: &mut [Info], v: Val, i: u32) {
    let through = at[v as usize].fused_and;
    let x = &b.insts[v as usize];
    for a in [x.a, x.b, x.c] {
        if through && a == x.a {
            let y = &b.insts[a as usize];
            mark(b, at, y.a, i);
            mark(b, at, y.b, i);
        } else {
            mark(b, at, a, i);
        }
    }
}

/// The value that each of `N` slots is set to next.
struct Wanted<const N: usize> {
    /// With the period in which it was noted; older ones are forgotten.
    slots: [(Val, u64); N],
    period: u64,
}

impl<const N: usize> Default for Wanted<N> {
    fn default() -> Self {
        Self {
            slots: [(NONE, 0); N],
            period: 1,
        }
    }
}

impl<const N: usize> Wanted<N> {
    fn want(&mut self, at: &mut [Info], slot: usize, v: Val) {
        self.slots[slot] = (v, self.period);
        if v != NONE {
            at[v as usize].slot = slot as u8;
        }
    }

    fn forget(&mut self) {
        self.period += 1;
    }

    fn take(&mut self, at: &[Info], v: Val) -> Option<usize> {
        let s = usize::from(at[v as usize].slot);
        let found = self.slots.get(s) == Some(&(v, self.period));
        if found {
            self.slots[s].0 = NONE;
        }
        found.then_some(s)
    }
}

impl Liveness {
    /// Analyses a block. `reads_flags(pc)` says whether code at a guest pc reads the condition flags.
    pub fn analyse(
        &mut self,
        b: &Block,
        pin: &Pinning,
        coalesce: bool,
        reads_flags: impl FnMut(u64) -> bool,
    ) {
        self.at.clear();
        self.at.resize(b.insts.len(), Info::NEW);
        self.tests.clear();
        self.general.forget();
        self.wide.forget();
        self.forward(b, reads_flags);
        self.backward(b, pin, coalesce);
    }

    /// Which flags are pending where; which `And`s only serve tests.
    fn forward(&mut self, b: &Block, mut reads_flags: impl FnMut(u64) -> bool) {
        let at = &mut self.at[..];
        let mut flags = NONE;
        for (i, x) in b.insts.iter().enumerate() {
            let uses = [x.a, x.b, x.c];
            match x.op {
                // Nothing that needs a closer look: most operations.
                Op::Const | Op::Get | Op::GetX | Op::Set | Op::SetX => {}
                Op::SetF => {
                    // What the state holds already is not pending.
                    flags = if b.insts[x.a as usize].op == Op::GetF {
                        NONE
                    } else {
                        x.a
                    }
                }
                Op::Side | Op::Jump | Op::CallTo => {
                    at[i].flags_at = flags;
                    at[i].read_at = flags != NONE && reads_flags(x.imm);
                }
                Op::FLogic => {
                    at[i].again = true;
                    self.tests.push(i as u32);
                    continue;
                }
                o if o.is_exit() || o.can_fault() => at[i].flags_at = flags,
                o => at[i].again = is_virtual_flags(o) || is_condition(x),
            }
            for a in uses {
                if a != NONE {
                    at[a as usize].other_use = true;
                }
            }
        }
        for &i in &self.tests {
            let x = &b.insts[i as usize];
            let y = &b.insts[x.a as usize];
            let fits = y.op == Op::And
                && y.w == x.w
                && y.b != NONE
                && b.insts[y.b as usize].op == Op::Const;
            at[i as usize].fused_and = fits && !at[x.a as usize].other_use;
        }
    }

    /// Uses, and what each slot is set to next, as far as nothing in between may look.
    fn backward(&mut self, b: &Block, pin: &Pinning, coalesce: bool) {
        let at = &mut self.at[..];
        for (i, x) in b.insts.iter().enumerate().rev() {
            let unused = at[i].last == 0;
            if unused && x.op.is_pure() && !has_status(x.op) {
                at[i].dead = true;
                continue;
            }
            let v = i as Val;
            match x.op.kind() {
                Kind::General => {
                    if let Some(s) = self.general.take(at, v) {
                        at[i].hint = pin.reg[s];
                    }
                }
                Kind::Wide => {
                    if let Some(s) = self.wide.take(at, v) {
                        at[i].hint = pin.reg_x[s];
                        if x.op == Op::VZext {
                            self.wide.want(at, s, x.a);
                        }
                    }
                }
                _ => {}
            }
            match x.op {
                Op::Set if coalesce => {
                    let s = x.imm as usize;
                    let v = if pin.reg[s] == NOREG { NONE } else { x.a };
                    self.general.want(at, s, v);
                }
                Op::SetX if coalesce => {
                    let s = x.imm as usize;
                    let v = if pin.reg_x[s] == NOREG { NONE } else { x.a };
                    self.wide.want(at, s, v);
                }
                Op::Get => self.general.want(at, x.imm as usize, NONE),
                Op::GetX => self.wide.want(at, x.imm as usize, NONE),
                o if o.can_fault() || o.is_exit() || matches!(o, Op::Call | Op::CallX) => {
                    self.general.forget();
                    self.wide.forget();
                    // A fault must be able to tell the flags too.
                    let flags = at[i].flags_at;
                    mark(b, at, flags, i as u32);
                }
                // What makes them is used where they are needed.
                Op::SetF => continue,
                _ => {}
            }
            if !at[i].again || (x.op == Op::FFcmp && unused) {
                // A flags-making operation that is materialised uses its operands here.
                for a in [x.a, x.b, x.c] {
                    mark(b, at, a, i as u32);
                }
            }
        }
    }
}

/// A trap that needs exact flags: all of them do.
#[must_use]
pub fn trap_of(w: u8) -> Trap {
    const ALL: [Trap; 7] = [
        Trap::Syscall,
        Trap::Breakpoint,
        Trap::Undefined,
        Trap::Fallback,
        Trap::Resync,
        Trap::Invalidate,
        Trap::Align,
    ];
    ALL[usize::from(w) % ALL.len()]
}
