//! Code that is jumped over: what makes several instructions conditional at once.
//!
//! Values from before it are where the jump leads to at the same places as where it begins, whichever way was taken.
//! So they are put there first: out of the temporary registers, and out of the slots that the part sets.
//! Values of the part itself are not used behind it (`ir::skip`).

use super::asm::{Fixup, NOREG, RAX, Rm};
use super::codegen::{Gen, Loc, Opnd};
use super::layout::{self, TEMPS};
use crate::ir::{Inst, NONE, Op, Val};

/// The allocator's state at the jump.
pub struct Skipped {
    /// The jumps.
    from: Vec<Fixup>,
    /// Where the part ends.
    end: u32,
    loc: Vec<Loc>,
    owner: [Val; 16],
    owner_x: [Val; 16],
    slot_owner: Vec<Val>,
    slot_owner_x: Vec<Val>,
    spilled: Vec<Val>,
    sets: Vec<usize>,
    sets_x: Vec<usize>,
}

impl Gen<'_> {
    /// `v` is used behind the part that is being generated.
    pub(super) fn outlives_skip(&self, v: Val) -> bool {
        self.skip
            .as_ref()
            .is_some_and(|s| self.live.at[v as usize].last > s.end)
    }

    fn outlives(&self, v: Val, end: u32) -> bool {
        v != NONE && self.live.at[v as usize].last > end
    }

    pub(super) fn begin_skip(&mut self, i: &Inst) {
        let pin = self.pin;
        let start = self.pos as usize + 1;
        let rest = &self.blk.insts[start..];
        let length = rest
            .iter()
            .position(|x| x.op == Op::Label)
            .unwrap_or(rest.len());
        let end = (start + length) as u32;
        let slots = |op| {
            let all = rest[..length].iter().filter(|x| x.op == op);
            let mut all: Vec<usize> = all.map(|x| x.imm as usize).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (sets, mut sets_x) = (slots(Op::Set), slots(Op::SetX));
        // What lies in a slot goes before a part of it is set.
        for n in &mut sets_x {
            if pin.reg_x[*n] == NOREG {
                *n = pin.layout.unit(*n).0 / 16;
            }
        }
        if self.loc[i.a as usize] == Loc::None && self.get(i.a).op != Op::Cc && !self.combined(i.a)
        {
            self.reg(i.a);
        }
        for &s in &sets {
            self.move_out(s, end);
        }
        for &s in &sets_x {
            self.move_out_x(s, end);
        }
        for r in TEMPS {
            if self.outlives(self.owner[usize::from(r)], end) {
                self.evict(r);
            }
        }
        for &r in &pin.temps_x {
            if self.outlives(self.owner_x[usize::from(r)], end) {
                self.evict_x(r);
            }
        }
        let from = self.branch(i.a, false).into_iter().collect();
        self.skip = Some(Box::new(Skipped {
            from,
            end,
            loc: self.loc[..self.pos as usize].to_vec(),
            owner: self.owner,
            owner_x: self.owner_x,
            slot_owner: self.slot_owner.clone(),
            slot_owner_x: self.slot_owner_x.clone(),
            spilled: self.spilled.clone(),
            sets,
            sets_x,
        }));
    }

    /// The value in slot `s` moves to a place that the part does not set.
    fn move_out(&mut self, s: usize, end: u32) {
        let p = self.pin.reg[s];
        let owner = if p == NOREG {
            &mut self.slot_owner[s]
        } else {
            &mut self.owner[usize::from(p)]
        };
        let v = *owner;
        if v == NONE || self.live.at[v as usize].last <= end {
            // The part itself may need it: it moves when the slot is set.
            return;
        }
        *owner = NONE;
        let here = if p == NOREG {
            Loc::Slot(s as u16)
        } else {
            Loc::G(p)
        };
        if self.loc[v as usize] != here {
            return;
        }
        let n = self.take_spill();
        let m = layout::spill(usize::from(n));
        match self.opnd(v) {
            Opnd::Rm(Rm::R(r)) => self.asm.mov_mr(64, m, r),
            o => {
                self.load_o(64, RAX, o);
                self.asm.mov_mr(64, m, RAX);
            }
        }
        self.loc[v as usize] = Loc::Spill(n);
        self.spilled.push(v);
    }

    fn move_out_x(&mut self, s: usize, end: u32) {
        let p = self.pin.reg_x[s];
        let owner = if p == NOREG {
            &mut self.slot_owner_x[s]
        } else {
            &mut self.owner_x[usize::from(p)]
        };
        let v = *owner;
        if v == NONE || self.live.at[v as usize].last <= end {
            // The part itself may need it: it moves when the slot is set.
            return;
        }
        *owner = NONE;
        let here = if p == NOREG {
            Loc::SlotX(s as u16)
        } else {
            Loc::X(p)
        };
        if self.loc[v as usize] != here {
            return;
        }
        let n = self.take_spill();
        let m = self.opnd_x(v);
        self.load_x(128, 0, m);
        self.store_x(128, layout::spill(usize::from(n)), 0);
        self.loc[v as usize] = Loc::Spill(n);
        self.spilled.push(v);
    }

    pub(super) fn end_skip(&mut self) {
        let Some(s) = self.skip.take() else {
            unreachable!("a label without a jump");
        };
        let pin = self.pin;
        for f in s.from {
            self.asm.bind(f);
        }
        self.loc[..s.loc.len()].copy_from_slice(&s.loc);
        (self.owner, self.owner_x) = (s.owner, s.owner_x);
        (self.slot_owner, self.slot_owner_x) = (s.slot_owner, s.slot_owner_x);
        for r in TEMPS {
            self.owner[usize::from(r)] = NONE;
        }
        for &r in &pin.temps_x {
            self.owner_x[usize::from(r)] = NONE;
        }
        for n in s.sets {
            match self.pin.reg[n] {
                NOREG => self.slot_owner[n] = NONE,
                p => self.owner[usize::from(p)] = NONE,
            }
        }
        for n in s.sets_x {
            match self.pin.reg_x[n] {
                NOREG => self.slot_owner_x[n] = NONE,
                p => self.owner_x[usize::from(p)] = NONE,
            }
        }
        self.spilled = s.spilled;
        let end = self.pos;
        self.spilled
            .retain(|&v| self.live.at[v as usize].last > end);
        self.spill_free = u64::MAX;
        for &v in &self.spilled {
            if let Loc::Spill(n) = self.loc[v as usize] {
                self.spill_free &= !(1 << n);
            }
        }
    }
}
