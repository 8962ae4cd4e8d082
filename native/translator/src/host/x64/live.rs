//! The backward pass before code generation: last uses, dead values, registers to
//! compute into, and the condition flags pending at each exit.

use super::asm::{NOREG, Reg};
use super::layout::Pinning;
use crate::guest::FlagFate;
use crate::ir::{Block, NONE, Op, Val};

/// What is found out about an operation and its value.
#[derive(Clone, Copy)]
pub struct Info {
    /// Position of the last use; 0 if there is none.
    pub last: u32,
    /// Flags not yet in the state, at exits and faulting instructions.
    pub flags_at: Val,
    /// The pinned register that the value is set to next, or `NOREG`.
    pub hint: Reg,
    /// The slot that last wanted the value, and its register.
    slot: u16,
    wish: Reg,
    /// What the target of an exit does with the flags.
    pub fate: FlagFate,
    /// An `FLogic` whose operand is an `And` that only serves the test.
    pub fused_and: bool,
    /// Has a use other than an `FLogic`.
    other_use: bool,
    /// Computed again wherever it is used: flags, conditions.
    pub again: bool,
    /// It is used somewhere that is always reached behind it: not only at exits that may not be taken.
    pub always: bool,
}

impl Info {
    const NEW: Self = Self {
        last: 0,
        flags_at: NONE,
        hint: NOREG,
        slot: 0,
        wish: NOREG,
        fate: FlagFate::Unknown,
        fused_and: false,
        other_use: false,
        again: false,
        always: false,
    };
}

/// The result, and what it takes to get it: to be used again for the next block.
#[derive(Default)]
pub struct Liveness {
    /// By value; behind them one that is nobody's, for what has no value.
    pub at: Vec<Info>,
    /// The operations that code is to be generated for, the last one first.
    pub order: Vec<u32>,
    /// There is floating point.
    pub floats: bool,
    wanted: Wanted,
    /// The `FLogic`s, and the `FSelect`s.
    tests: Vec<u32>,
    selects: Vec<u32>,
}

/// `v` is used at `i`; what it is recomputed from is too. `always`: whenever `i` is reached.
#[inline(always)]
fn mark(b: &Block, at: &mut [Info], v: Val, i: u32, always: bool) {
    let v = (v as usize).min(at.len() - 1);
    let info = &mut at[v];
    info.last = if info.last == 0 { i } else { info.last };
    info.always |= always;
    if info.again {
        mark_operands(b, at, v, i, always);
    }
}

#[inline(never)]
fn mark_operands(b: &Block, at: &mut [Info], v: usize, i: u32, always: bool) {
    let through = at[v].fused_and;
    let x = &b.insts[v];
    for a in [x.a, x.b, x.c] {
        if through && a == x.a {
            let y = &b.insts[a as usize];
            mark(b, at, y.a, i, always);
            mark(b, at, y.b, i, always);
        } else {
            mark(b, at, a, i, always);
        }
    }
}

/// Whether a condition is made of comparisons alone, so that code for it takes no register.
fn is_condition(b: &Block, c: Val) -> bool {
    let i = &b.insts[c as usize];
    match i.op {
        Op::Cc => b.insts[i.a as usize].op != Op::FSelect,
        // The inverse.
        Op::Xor if i.w == 8 => is_condition(b, i.a),
        Op::And | Op::Or if i.w == 8 => is_condition(b, i.a) && is_condition(b, i.b),
        _ => false,
    }
}

/// The value that each slot, general or wide, is set to next.
struct Wanted {
    /// With the period in which it was noted; older ones are forgotten.
    slots: Vec<(Val, u64)>,
    /// The period in which a general slot is set, with nothing before that reads it.
    set: Vec<u64>,
    period: u64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            set: Vec::new(),
            period: 1,
        }
    }
}

impl Wanted {
    /// `v` goes to a slot with register `reg`; or nothing that matters does.
    fn want(&mut self, at: &mut [Info], slot: usize, v: Val, reg: Reg) {
        self.slots[slot] = (v, self.period);
        let last = at.len() - 1;
        let info = &mut at[(v as usize).min(last)];
        (info.slot, info.wish) = (slot as u16, reg);
    }

    fn forget(&mut self) {
        self.period += 1;
    }

    /// `op` accesses a general slot. Whether it sets it in vain: nobody looks before it is set again.
    fn is_in_vain(&mut self, op: Op, slot: usize) -> bool {
        let set = &mut self.set[slot];
        if op == Op::Get {
            *set = 0;
            return false;
        }
        std::mem::replace(set, self.period) == self.period
    }

    /// Whether the slot that wanted `v` last still does.
    fn take(&mut self, slot: u16, v: Val) -> bool {
        let want = &mut self.slots[usize::from(slot)];
        let found = *want == (v, self.period);
        want.0 = if found { NONE } else { want.0 };
        found
    }
}

impl Liveness {
    /// Analyses a block. `fate(pc)` says what code at a guest pc does with the condition flags.
    pub fn analyse(
        &mut self,
        b: &Block,
        pin: &Pinning,
        coalesce: bool,
        fate: impl FnMut(u64) -> FlagFate,
    ) {
        self.at.clear();
        self.at.resize(b.insts.len() + 1, Info::NEW);
        self.tests.clear();
        self.selects.clear();
        let slots = pin.reg.len() + pin.reg_x.len();
        self.wanted.slots.resize(slots, (NONE, 0));
        self.wanted.set.resize(pin.reg.len(), 0);
        self.wanted.forget();
        self.forward(b, fate);
        self.backward(b, pin, coalesce);
    }

    /// Which flags are pending where; which `And`s only serve tests.
    fn forward(&mut self, b: &Block, mut fate: impl FnMut(u64) -> FlagFate) {
        let at = &mut self.at[..];
        let nobody = b.insts.len();
        let mut flags = NONE;
        self.floats = false;
        for (i, x) in b.insts.iter().enumerate() {
            let class = x.op.class();
            self.floats |= x.op.is_float();
            at[i].again = class.is_done_again(x.w);
            let test = x.op == Op::FLogic;
            if class.can_leave() {
                at[i].flags_at = flags;
                if class.is_direct() && flags != NONE {
                    at[i].fate = fate(x.imm);
                }
            } else if test {
                self.tests.push(i as u32);
            } else if x.op == Op::FSelect {
                self.selects.push(i as u32);
            } else if x.op == Op::SetF {
                // What the state holds already is not pending.
                let held = b.insts[x.a as usize].op == Op::GetF;
                flags = if held { NONE } else { x.a };
            }
            for a in [x.a, x.b, x.c] {
                at[(a as usize).min(nobody)].other_use |= !test;
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
        if !self.selects.is_empty() {
            self.find_lazy(b);
        }
    }

    /// Which selected flags are not worked out before an exit asks for them: those that nothing but exits asks for.
    #[inline(never)]
    fn find_lazy(&mut self, b: &Block) {
        let at = &mut self.at[..];
        let op = |v: Val| b.insts[v as usize].op;
        for &i in &self.selects {
            let x = &b.insts[i as usize];
            let simple = |v: Val| match op(v) {
                Op::FSub | Op::FAdd | Op::FLogic | Op::FPack | Op::GetF => true,
                Op::FSelect => at[v as usize].again,
                _ => false,
            };
            at[i as usize].again = simple(x.a) && simple(x.b) && is_condition(b, x.c);
        }
        let selected = |v: Val| v != NONE && op(v) == Op::FSelect;
        for (i, x) in b.insts.iter().enumerate() {
            if x.op.can_fault() {
                // A recipe has no conditions.
                let mut f = at[i].flags_at;
                if f != NONE && op(f) == Op::FPart {
                    f = b.insts[f as usize].c;
                }
                if selected(f) {
                    at[f as usize].again = false;
                }
            }
            if !matches!(x.op, Op::SetF | Op::FPart | Op::FSelect) {
                for v in [x.a, x.b, x.c].into_iter().filter(|&v| selected(v)) {
                    at[v as usize].again = false;
                }
            }
        }
    }

    /// Uses, and what each slot is set to next, as far as nothing in between may look.
    fn backward(&mut self, b: &Block, pin: &Pinning, coalesce: bool) {
        let at = &mut self.at[..];
        let nobody = b.insts.len();
        self.order.clear();
        self.order.resize(b.insts.len(), 0);
        let mut left = 0;
        for (i, x) in b.insts.iter().enumerate().rev() {
            let class = x.op.class();
            let info = at[i];
            let unused = info.last == 0;
            // `&`, here and below: a second branch would be predicted as badly.
            if unused & class.is_for_its_value() {
                continue;
            }
            // Setting a slot is also where a condition becomes a number, which comparisons take it to be.
            if matches!(x.op, Op::Get | Op::Set)
                && self.wanted.is_in_vain(x.op, x.imm as usize)
                && coalesce
                && !at[(x.a as usize).min(nobody)].again
            {
                continue;
            }
            self.order[left] = i as u32;
            left += usize::from(!class.has_no_code(x.w));
            let hinted = self.wanted.take(info.slot, i as Val);
            at[i].hint = if hinted { info.wish } else { NOREG };
            if hinted && x.op == Op::VZext {
                self.wanted.want(at, usize::from(info.slot), x.a, info.wish);
            }
            if let Some(sets) = class.slot() {
                let slot = x.imm as usize;
                let (slot, reg) = if matches!(x.op, Op::GetX | Op::SetX) {
                    (pin.reg.len() + slot, pin.reg_x[slot])
                } else {
                    (slot, pin.reg[slot])
                };
                let wanted = sets & coalesce & (reg != NOREG);
                self.wanted
                    .want(at, slot, if wanted { x.a } else { NONE }, reg);
            } else if class.is_seen() {
                self.wanted.forget();
                // A fault must be able to tell the flags too.
                let always = x.op.is_exit() && !matches!(x.op, Op::Side | Op::TrapIf);
                mark(b, at, info.flags_at, i as u32, always);
            } else if x.op == Op::SetF {
                // What makes them is used where they are needed.
                continue;
            }
            if matches!(x.op, Op::Skip | Op::Label) {
                // Nothing is computed ahead of its time across a jump.
                self.wanted.forget();
            }
            if !info.again || (x.op == Op::FFcmp && !info.always) {
                // A flags-making operation that is materialised uses its operands here.
                for a in [x.a, x.b, x.c] {
                    mark(b, at, a, i as u32, true);
                }
            }
        }
        self.order.truncate(left);
    }
}
