//! The backward pass before code generation: last uses, dead values, registers to
//! compute into, and the condition flags pending at each exit.

use super::asm::{NOREG, Reg};
use super::layout::Pinning;
use crate::ir::state::{SLOTS, WIDE};
use crate::ir::{Block, Kind, NONE, Op, Trap, Val};

/// The result.
pub struct Liveness {
    /// Position of the last use; 0 if there is none.
    pub last: Vec<u32>,
    pub dead: Vec<bool>,
    /// The pinned register that a value is set to next, or `NOREG`.
    pub hint: Vec<Reg>,
    /// Flags not yet in the state, at exits and faulting instructions.
    pub flags_at: Vec<Val>,
    /// Exits whose target reads the flags.
    pub read_at: Vec<bool>,
    /// `FLogic` whose operand is an `And` that only serves the test.
    pub fused_and: Vec<bool>,
}

/// Conditions are computed where they are used.
fn is_condition(b: &Block, v: Val) -> bool {
    let i = &b.insts[v as usize];
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

struct Pass<'a> {
    b: &'a Block,
    out: Liveness,
}

impl Pass<'_> {
    /// `v` is used at `i`; what it is recomputed from is too.
    fn mark(&mut self, v: Val, i: u32) {
        if v == NONE {
            return;
        }
        if self.out.last[v as usize] == 0 {
            self.out.last[v as usize] = i;
        }
        let x = self.b.insts[v as usize];
        if is_condition(self.b, v) || is_virtual_flags(x.op) {
            let through = self.out.fused_and[v as usize].then_some(x.a);
            for a in [x.a, x.b, x.c] {
                if Some(a) == through {
                    let y = self.b.insts[a as usize];
                    self.mark(y.a, i);
                    self.mark(y.b, i);
                } else {
                    self.mark(a, i);
                }
            }
        }
    }
}

/// The value that each slot is set to next.
struct Wanted {
    /// With the period in which it was noted; older ones are forgotten.
    slots: Vec<(Val, u32)>,
    /// The slot that last wanted a value.
    slot_of: Vec<u8>,
    period: u32,
}

impl Wanted {
    fn new(values: usize, slots: usize) -> Self {
        Self {
            slots: vec![(NONE, 0); slots],
            slot_of: vec![0; values],
            period: 1,
        }
    }

    fn want(&mut self, slot: usize, v: Val) {
        self.slots[slot] = (v, self.period);
        if v != NONE {
            self.slot_of[v as usize] = slot as u8;
        }
    }

    fn forget(&mut self) {
        self.period += 1;
    }

    fn take(&mut self, v: Val) -> Option<usize> {
        let s = usize::from(self.slot_of[v as usize]);
        let found = self.slots[s] == (v, self.period);
        if found {
            self.slots[s].0 = NONE;
        }
        found.then_some(s)
    }
}

/// Analyses a block. `reads_flags(pc)` says whether code at a guest pc reads the condition flags.
pub fn analyse(
    b: &Block,
    pin: &Pinning,
    coalesce: bool,
    mut reads_flags: impl FnMut(u64) -> bool,
) -> Liveness {
    let n = b.insts.len();
    let mut p = Pass {
        b,
        out: Liveness {
            last: vec![0; n],
            dead: vec![false; n],
            hint: vec![NOREG; n],
            flags_at: vec![NONE; n],
            read_at: vec![false; n],
            fused_and: vec![false; n],
        },
    };
    // Forward: which flags are pending where; which `And`s only serve tests.
    let mut flags = NONE;
    let mut other_use = vec![false; n];
    for (i, x) in b.insts.iter().enumerate() {
        match x.op {
            Op::SetF => flags = x.a,
            Op::Side | Op::Jump | Op::CallTo => {
                p.out.flags_at[i] = flags;
                p.out.read_at[i] = flags != NONE && reads_flags(x.imm);
            }
            o if o.is_exit() || o.can_fault() => p.out.flags_at[i] = flags,
            _ => {}
        }
        if p.out.flags_at[i] != NONE && b.insts[p.out.flags_at[i] as usize].op == Op::GetF {
            p.out.flags_at[i] = NONE;
        }
        for a in [x.a, x.b, x.c] {
            if a != NONE && x.op != Op::FLogic {
                other_use[a as usize] = true;
            }
        }
    }
    for (i, x) in b.insts.iter().enumerate() {
        if x.op == Op::FLogic {
            let y = &b.insts[x.a as usize];
            let fits = y.op == Op::And
                && y.w == x.w
                && y.b != NONE
                && b.insts[y.b as usize].op == Op::Const;
            p.out.fused_and[i] = fits && !other_use[x.a as usize];
        }
    }
    // Backward. What each slot is set to next, as far as nothing in between may look.
    let mut general = Wanted::new(n, SLOTS);
    let mut wide = Wanted::new(n, WIDE);
    for i in (0..n).rev() {
        let x = b.insts[i];
        let unused = p.out.last[i] == 0;
        if unused && x.op.is_pure() && !has_status(x.op) && x.op.kind() != Kind::None {
            p.out.dead[i] = true;
            continue;
        }
        let v = i as Val;
        match x.op.kind() {
            Kind::General => {
                if let Some(s) = general.take(v) {
                    p.out.hint[i] = pin.reg[s];
                }
            }
            Kind::Wide => {
                if let Some(s) = wide.take(v) {
                    p.out.hint[i] = pin.reg_x[s];
                    if x.op == Op::VZext {
                        wide.want(s, x.a);
                    }
                }
            }
            _ => {}
        }
        match x.op {
            Op::Set if coalesce => {
                let s = x.imm as usize;
                general.want(s, if pin.reg[s] == NOREG { NONE } else { x.a });
            }
            Op::SetX if coalesce => {
                let s = x.imm as usize;
                wide.want(s, if pin.reg_x[s] == NOREG { NONE } else { x.a });
            }
            Op::Get => general.want(x.imm as usize, NONE),
            Op::GetX => wide.want(x.imm as usize, NONE),
            o if o.can_fault() || o.is_exit() || matches!(o, Op::Call | Op::CallX) => {
                general.forget();
                wide.forget();
            }
            _ => {}
        }
        let at = i as u32;
        let virtual_here = is_virtual_flags(x.op) || is_condition(b, v);
        if !virtual_here || (x.op == Op::FFcmp && unused) {
            // A flags-making operation that is materialised uses its operands here.
            for a in [x.a, x.b, x.c] {
                if x.op != Op::SetF {
                    p.mark(a, at);
                }
            }
        }
        // A fault must be able to tell the flags too.
        if (x.op.is_exit() || x.op.can_fault()) && p.out.flags_at[i] != NONE {
            let f = p.out.flags_at[i];
            p.mark(f, at);
        }
    }
    p.out
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
