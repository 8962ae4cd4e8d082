//! Register allocation on the fly: who is in which host register, and where the others are.

use super::asm::{NOREG, RCX, Reg, Rm};
use super::codegen::{Gen, Loc, Opnd};
use super::layout::{self, TEMPS};
use crate::ir::{NONE, Op, Val};

impl Gen<'_> {
    pub fn lock(&mut self, r: Reg) {
        self.locked |= 1 << r;
    }

    pub fn lock_x(&mut self, r: Reg) {
        self.locked_x |= 1 << r;
    }

    pub(super) fn take_spill(&mut self) -> u8 {
        if self.spill_free == 0 {
            self.failed = true;
            return 0;
        }
        let n = self.spill_free.trailing_zeros() as u8;
        self.spill_free &= !(1 << n);
        n
    }

    /// Takes a value out of its temporary register.
    pub(super) fn evict(&mut self, r: Reg) {
        let v = self.owner[usize::from(r)];
        self.owner[usize::from(r)] = NONE;
        if self.is_over(v) {
            return;
        }
        let i = *self.get(v);
        if i.op == Op::Const {
            self.loc[v as usize] = Loc::None;
            return;
        }
        if let Some(s) = self.slot_owner.iter().position(|&o| o == v) {
            self.loc[v as usize] = Loc::Slot(s as u16);
            return;
        }
        let n = self.take_spill();
        self.asm.mov_mr(64, layout::spill(usize::from(n)), r);
        self.loc[v as usize] = Loc::Spill(n);
        self.spilled.push(v);
    }

    pub(super) fn evict_x(&mut self, r: Reg) {
        let v = self.owner_x[usize::from(r)];
        self.owner_x[usize::from(r)] = NONE;
        if self.is_over(v) {
            return;
        }
        if let Some(s) = self.slot_owner_x.iter().position(|&o| o == v) {
            self.loc[v as usize] = Loc::SlotX(s as u16);
            return;
        }
        let n = self.take_spill();
        self.store_x(128, layout::spill(usize::from(n)), r);
        self.loc[v as usize] = Loc::Spill(n);
        self.spilled.push(v);
    }

    /// A temporary register, locked for this instruction.
    pub fn temp(&mut self) -> Reg {
        let pick = |g: &Self| {
            let mut best = (NOREG, 0);
            for &r in &TEMPS {
                if g.locked & 1 << r != 0 {
                    continue;
                }
                let v = g.owner[usize::from(r)];
                if g.is_over(v) {
                    return r;
                }
                let last = g.live.at[v as usize].last;
                if best.0 == NOREG || last > best.1 {
                    best = (r, last);
                }
            }
            best.0
        };
        let r = pick(self);
        if r == NOREG {
            self.failed = true;
            return RCX;
        }
        self.evict(r);
        self.lock(r);
        r
    }

    pub fn temp_x(&mut self) -> Reg {
        let mut best = (NOREG, 0);
        for &r in &self.pin.temps_x {
            if self.locked_x & 1 << r != 0 {
                continue;
            }
            let v = self.owner_x[usize::from(r)];
            let last = if self.is_over(v) {
                u32::MAX
            } else {
                self.live.at[v as usize].last
            };
            if best.0 == NOREG || last > best.1 {
                best = (r, last);
            }
        }
        if best.0 == NOREG {
            self.failed = true;
            return 1;
        }
        self.evict_x(best.0);
        self.lock_x(best.0);
        best.0
    }

    /// Empties a particular temporary and locks it; its value moves elsewhere.
    pub fn take(&mut self, r: Reg) {
        let v = self.owner[usize::from(r)];
        self.lock(r);
        if !self.is_over(v) && self.get(v).op != Op::Const {
            let free = TEMPS
                .iter()
                .copied()
                .find(|&t| self.locked & 1 << t == 0 && self.is_over(self.owner[usize::from(t)]));
            if let Some(t) = free {
                self.asm.mov(64, t, Rm::R(r));
                self.own(t, v);
                self.owner[usize::from(r)] = NONE;
                return;
            }
        }
        self.evict(r);
    }

    fn own(&mut self, r: Reg, v: Val) {
        self.owner[usize::from(r)] = v;
        self.loc[v as usize] = Loc::G(r);
    }

    fn own_x(&mut self, r: Reg, v: Val) {
        self.owner_x[usize::from(r)] = v;
        self.loc[v as usize] = Loc::X(r);
    }

    fn drop_spill(&mut self, v: Val, n: u8) {
        if self.outlives_skip(v) {
            // It is there again where the jump leads to.
            return;
        }
        self.spill_free |= 1 << n;
        self.spilled.retain(|&x| x != v);
    }

    /// The value in a register, locked. Leaves the host's flags alone except for conditions.
    pub fn reg(&mut self, v: Val) -> Reg {
        let r = match self.loc[v as usize] {
            Loc::G(r) => r,
            Loc::None => {
                if let Some(k) = self.known(v) {
                    let r = self.temp();
                    self.asm.mov_ri(r, k);
                    self.own(r, v);
                    r
                } else {
                    self.materialise(v)
                }
            }
            l => {
                let Opnd::Rm(m) = self.opnd(v) else {
                    unreachable!("{l:?}")
                };
                let r = self.temp();
                self.asm.mov(64, r, m);
                if let Loc::Spill(n) = l {
                    self.drop_spill(v, n);
                }
                self.own(r, v);
                r
            }
        };
        self.lock(r);
        r
    }

    /// A condition as a number in a temporary.
    fn materialise(&mut self, v: Val) -> Reg {
        let r = self.temp();
        self.set_condition(v, r);
        self.own(r, v);
        r
    }

    pub fn reg_x(&mut self, v: Val) -> Reg {
        let r = match self.loc[v as usize] {
            Loc::X(r) => r,
            l => {
                let m = self.opnd_x(v);
                let r = self.temp_x();
                self.load_x(128, r, m);
                if let Loc::Spill(n) = l {
                    self.drop_spill(v, n);
                }
                self.own_x(r, v);
                r
            }
        };
        self.lock_x(r);
        r
    }

    /// The register to compute `v` into: the pinned one it will be set to, that of
    /// the dying operand `reuse`, or a temporary.
    pub fn dst(&mut self, v: Val, reuse: Val) -> Reg {
        let hint = self.live.at[v as usize].hint;
        if hint != NOREG {
            let o = self.owner[usize::from(hint)];
            if o == NONE || !self.lives_on(o) || self.loc[o as usize] != Loc::G(hint) {
                self.lock(hint);
                return hint;
            }
        }
        if reuse != NONE
            && !self.lives_on(reuse)
            && let Loc::G(r) = self.loc[reuse as usize]
            && TEMPS.contains(&r)
            && self.owner[usize::from(r)] == reuse
        {
            return r;
        }
        self.temp()
    }

    pub fn dst_x(&mut self, v: Val, reuse: Val) -> Reg {
        let hint = self.live.at[v as usize].hint;
        if hint != NOREG {
            let o = self.owner_x[usize::from(hint)];
            if o == NONE || !self.lives_on(o) || self.loc[o as usize] != Loc::X(hint) {
                self.lock_x(hint);
                return hint;
            }
        }
        if reuse != NONE
            && !self.lives_on(reuse)
            && let Loc::X(r) = self.loc[reuse as usize]
            && self.pin.temps_x.contains(&r)
            && self.owner_x[usize::from(r)] == reuse
        {
            return r;
        }
        self.temp_x()
    }

    /// `v` is now in `r`.
    pub fn define(&mut self, v: Val, r: Reg) {
        self.own(r, v);
    }

    pub fn define_x(&mut self, v: Val, r: Reg, zero_above: u8) {
        self.own_x(r, v);
        self.zero_above[v as usize] = zero_above;
    }

    /// `v`, which owns a register, is not needed any more: its last use is behind us.
    pub(super) fn is_over(&self, v: Val) -> bool {
        v == NONE || self.live.at[v as usize].last < self.pos
    }

    pub(super) fn free_spilled(&mut self) {
        if !self.spilled.is_empty() {
            let (pos, live) = (self.pos, self.live);
            let (loc, free) = (&self.loc, &mut self.spill_free);
            self.spilled.retain(|&v| {
                let keep = live.at[v as usize].last > pos;
                if !keep && let Loc::Spill(n) = loc[v as usize] {
                    *free |= 1 << n;
                }
                keep
            });
        }
    }

    /// `IrBuilder` forwards what a slot was read as or set to, so a block reads a slot at most once, and
    /// before it sets it: no value that is still needed can be in the slot, or in its pinned register,
    /// when it is read. (A value computed in that register ahead of its `Set` would be one; `live` gives no such
    /// hint across a `Get` of the slot.)
    fn is_first_access(&self, slot: usize) -> bool {
        let o = match self.pin.reg[slot] {
            NOREG => self.slot_owner[slot],
            p => self.owner[usize::from(p)],
        };
        o == NONE || !self.lives_on(o)
    }

    fn is_first_access_x(&self, slot: usize) -> bool {
        let o = match self.pin.reg_x[slot] {
            NOREG => self.slot_owner_x[slot],
            p => self.owner_x[usize::from(p)],
        };
        o == NONE || !self.lives_on(o)
    }

    pub(super) fn get_slot(&mut self, v: Val, slot: usize) {
        let p = self.pin.reg[slot];
        debug_assert!(self.is_first_access(slot), "slot {slot} is read twice");
        if p == NOREG {
            self.loc[v as usize] = Loc::Slot(slot as u16);
            self.slot_owner[slot] = v;
        } else {
            self.own(p, v);
        }
    }

    pub(super) fn get_slot_x(&mut self, v: Val, slot: usize) {
        let p = self.pin.reg_x[slot];
        if p == NOREG && self.pin.layout.is_part(slot) {
            // No operand in memory: it would be read in full width.
            let (w, d) = (self.pin.layout.unit(slot).1, self.dst_x(v, NONE));
            self.load_x(w, d, Rm::M(layout::slot_x(self.pin.layout, slot)));
            self.define_x(v, d, w);
            return;
        }
        debug_assert!(self.is_first_access_x(slot), "slot {slot} is read twice");
        if p == NOREG {
            self.loc[v as usize] = Loc::SlotX(slot as u16);
            self.slot_owner_x[slot] = v;
        } else {
            self.own_x(p, v);
        }
    }

    pub(super) fn set_slot(&mut self, v: Val, slot: usize) {
        let p = self.pin.reg[slot];
        if p == NOREG {
            self.set_memory_slot(v, slot);
            return;
        }
        if self.loc[v as usize] == Loc::G(p) && self.owner[usize::from(p)] == v {
            return;
        }
        // Whoever lives there and is needed later moves out. A condition may still read it.
        let old = self.owner[usize::from(p)];
        if old != NONE && old != v && self.lives_on(old) && self.loc[old as usize] == Loc::G(p) {
            let t = self.temp();
            self.asm.mov(64, t, Rm::R(p));
            self.own(t, old);
        }
        match self.loc[v as usize] {
            Loc::None if self.known(v).is_none() => self.set_condition(v, p),
            _ => match self.opnd(v) {
                Opnd::Rm(m) => self.asm.mov(64, p, m),
                Opnd::Imm(k) => self.asm.mov_ri(p, i64::from(k) as u64),
                Opnd::Big(k) => self.asm.mov_ri(p, k),
            },
        }
        // From now on the pinned register is the value's home, unless it has another pinned one.
        match self.loc[v as usize] {
            Loc::G(r) if TEMPS.contains(&r) => {
                self.owner[usize::from(r)] = NONE;
                self.own(p, v);
            }
            Loc::Spill(n) => {
                self.drop_spill(v, n);
                self.own(p, v);
            }
            Loc::None | Loc::Slot(_) => self.own(p, v),
            _ => self.owner[usize::from(p)] = NONE,
        }
    }

    fn set_memory_slot(&mut self, v: Val, slot: usize) {
        let old = self.slot_owner[slot];
        // Before any allocation: what is in a register as well must not be left to the
        // slot when it is evicted from there.
        self.slot_owner[slot] = NONE;
        if old != NONE
            && old != v
            && self.lives_on(old)
            && self.loc[old as usize] == Loc::Slot(slot as u16)
        {
            self.reg(old);
        }
        let m = layout::slot(slot);
        match self.loc[v as usize] {
            Loc::None if self.known(v).is_none() => {
                let r = self.reg(v);
                self.asm.mov_mr(64, m, r);
            }
            _ => match self.opnd(v) {
                Opnd::Rm(Rm::R(r)) => self.asm.mov_mr(64, m, r),
                Opnd::Imm(k) => self.asm.mov_mi(64, m, k),
                _ => {
                    let r = self.reg(v);
                    self.asm.mov_mr(64, m, r);
                }
            },
        }
        self.slot_owner[slot] = v;
    }

    pub(super) fn set_slot_x(&mut self, v: Val, slot: usize) {
        let p = self.pin.reg_x[slot];
        if p == NOREG {
            let (at, w) = self.pin.layout.unit(slot);
            // The slot that the part lies in, if it is one.
            let whole = at / 16;
            let old = self.slot_owner_x[whole];
            self.slot_owner_x[whole] = NONE;
            if old != NONE
                && (old != v || w != 128)
                && self.lives_on(old)
                && self.loc[old as usize] == Loc::SlotX(whole as u16)
            {
                self.reg_x(old);
            }
            let r = self.reg_x(v);
            self.store_x(w, layout::slot_x(self.pin.layout, slot), r);
            if w == 128 {
                self.slot_owner_x[slot] = v;
            }
            return;
        }
        if self.loc[v as usize] == Loc::X(p) && self.owner_x[usize::from(p)] == v {
            return;
        }
        let old = self.owner_x[usize::from(p)];
        if old != NONE && old != v && self.lives_on(old) && self.loc[old as usize] == Loc::X(p) {
            let t = self.temp_x();
            self.mov_x(t, p);
            self.own_x(t, old);
        }
        let m = self.opnd_x(v);
        self.load_x(128, p, m);
        match self.loc[v as usize] {
            Loc::X(r) if self.pin.temps_x.contains(&r) => {
                self.owner_x[usize::from(r)] = NONE;
                self.own_x(p, v);
            }
            Loc::Spill(n) => {
                self.drop_spill(v, n);
                self.own_x(p, v);
            }
            Loc::SlotX(_) => self.own_x(p, v),
            _ => self.owner_x[usize::from(p)] = NONE,
        }
    }
}
