//! Condition flags into the state: packed, or as what makes them.

use super::asm::{Alu, RAX, Rm};
use super::asm::{Shift, cc};
use super::codegen::{Gen, Opnd};
use super::layout;
use crate::guest::FlagFate;
use crate::host::code::Entry;
use crate::ir::eval::{PART_CARRY, PART_NZ};
use crate::ir::flags;
use crate::ir::handover::{self, Short};
use crate::ir::{Inst, NONE, Op, Val};

impl Gen<'_> {
    /// Packed flags in ax; bits outside of the packing are rubbish.
    pub fn flags_to_rax(&mut self, f: Val) {
        if !self.pin.flags.is_common() && self.defer_flags(f, 0) {
            // Only the guest knows.
            self.settle_here();
            self.asm.mov(32, RAX, layout::flags());
            return;
        }
        let i = *self.get(f);
        match i.op {
            Op::FSub => {
                self.compare(i.w, i.a, i.b);
                // cmc ; lahf ; seto al
                self.asm.bytes(&[0xf5, 0x9f, 0x0f, 0x90, 0xc0]);
            }
            Op::FAdd => {
                let (a, b) = (self.opnd_w(i.w, i.a), self.opnd_w(i.w, i.b));
                self.sum_to_rax(i.w, a, b);
                self.asm.bytes(&[0x9f, 0x0f, 0x90, 0xc0]);
            }
            Op::FLogic => {
                if self.test(f) {
                    // One bit: zero or not; the sign if it is the top one.
                    let top = self.known(self.get(i.a).b) == Some(1 << 63);
                    self.asm.mov_ri(RAX, u64::from(top) << 15);
                    let set = self.asm.jcc(cc::B);
                    self.asm.mov_ri(RAX, crate::ir::flags::Z);
                    self.asm.bind(set);
                } else {
                    self.asm.bytes(&[0x9f, 0x0f, 0x90, 0xc0]);
                }
            }
            Op::FFcmp => {
                self.fcompare(i.w, i.a, i.b, i.imm != 0);
                // Greater, or else; unordered sets all of them.
                self.asm.mov_ri(RAX, crate::ir::flags::C);
                for (n, cond) in [cc::B, cc::E, cc::P].into_iter().enumerate() {
                    let k = layout::host(layout::host::COMPARED + n);
                    self.asm.cmov(cond, 32, RAX, k);
                }
            }
            Op::FPack => {
                let o = self.opnd(i.a);
                self.load_o(32, RAX, o);
            }
            Op::GetF => self.asm.mov(32, RAX, layout::flags()),
            Op::FPart => self.part_to_rax(&i),
            Op::FSelect if self.live.at[f as usize].again => self.selected_to_rax(&i),
            _ => {
                let o = self.opnd(f);
                self.load_o(32, RAX, o);
            }
        }
    }

    /// Packed flags that come from several places.
    fn part_to_rax(&mut self, i: &Inst) {
        use crate::ir::flags::{C, MASK, N, Z};
        let (has_nz, has_carry) = (i.imm & PART_NZ != 0, i.imm & PART_CARRY != 0);
        let mut kept = MASK;
        if has_nz {
            kept &= !(N | Z);
        }
        if has_carry {
            kept &= !C;
        }
        if i.c == NONE {
            if self.tune.defer {
                self.settle_here();
            }
            self.asm.mov(32, RAX, layout::flags());
        } else {
            self.flags_to_rax(i.c);
        }
        let m = layout::arg(1);
        self.asm.alu_i(Alu::And, 32, Rm::R(RAX), kept as i32);
        self.asm.mov_mr(32, m, RAX);
        if has_carry {
            let o = self.opnd_w(32, i.b);
            self.load_o(32, RAX, o);
            let bit = (i.imm & 63) as u8;
            match bit {
                0..8 => self.asm.shift_i(Shift::Shl, 32, Rm::R(RAX), 8 - bit),
                8 => {}
                _ => self.asm.shift_i(Shift::Shr, 32, Rm::R(RAX), bit - 8),
            }
            self.asm.alu_i(Alu::And, 32, Rm::R(RAX), C as i32);
            self.asm.alu_mr(Alu::Or, 32, m, RAX);
        }
        if has_nz {
            let o = self.opnd_w(32, i.a);
            self.load_o(32, RAX, o);
            self.asm.test(32, Rm::R(RAX), RAX);
            // lahf
            self.asm.bytes(&[0x9f]);
            self.asm.alu_i(Alu::And, 32, Rm::R(RAX), (N | Z) as i32);
            self.asm.alu(Alu::Or, 32, RAX, m);
        } else {
            self.asm.mov(32, RAX, m);
        }
    }

    /// Stores pending flags before an exit: the flags, if the target reads them, or what makes them.
    pub fn sync_flags(&mut self, f: Val) {
        if f == NONE {
            return;
        }
        let read = self.live.at[self.pos as usize].fate == FlagFate::Read;
        let common = self.pin.flags.is_common();
        if (!common || self.tune.defer && !read) && self.defer_flags(f, 0) {
            if !self.tune.defer {
                self.settle_here();
            }
            return;
        }
        self.flags_to_rax(f);
        self.store_flags();
    }

    /// What an exit to `target` may leave instead of its flags if the translation there permits; None: nothing shorter.
    pub(super) fn handover(&self, flags: Val, target: u64) -> Option<Short> {
        let FlagFate::Dies { seen } = self.live.at[self.pos as usize].fate else {
            return None;
        };
        let model = self.pin.flags;
        if flags == NONE || !self.tune.defer || self.tune.count || !model.is_common() {
            return None;
        }
        // A loop of one block is the only target that is known by now.
        let known = target == self.blk.pcs[0];
        if known && self.risk & handover::LIVES != 0 {
            return None;
        }
        let seen = if known {
            self.risk & handover::LOOKS != 0
        } else {
            seen
        };
        handover::short(self.blk, model, flags, self.pos as usize, seen)
    }

    /// Stores what [`Self::handover`] came to.
    pub(super) fn store_short(&mut self, short: Short) {
        if let Some(record) = short.record {
            self.asm.mov_mi(32, layout::deferred(), record as i32);
        }
    }

    /// Those in rax into the state, with nothing deferred.
    fn store_flags(&mut self) {
        let flags = self.pin.flags;
        if flags.is_common() {
            self.asm.movzx(16, RAX, Rm::R(RAX));
        } else {
            self.asm.alu_i(Alu::And, 32, Rm::R(RAX), flags.mask as i32);
        }
        self.asm.mov_mr(64, layout::flags(), RAX);
    }

    /// Three stores instead of working out the flags. False: these are in a register anyway. `parts` (see
    /// [`flags::parts`]) come from elsewhere.
    fn defer_flags(&mut self, f: Val, parts: u32) -> bool {
        let i = *self.get(f);
        if i.op == Op::FSelect && self.live.at[f as usize].again && parts == 0 {
            let take_a = self.branch(i.c, true);
            self.leave_flags(i.b);
            let end = self.asm.jmp();
            for f in take_a {
                self.asm.bind(f);
            }
            self.leave_flags(i.a);
            self.asm.bind(end);
            return true;
        }
        if i.op == Op::FPart {
            debug_assert_eq!(parts, 0, "there is one FPart, upon others");
            self.defer_part(&i);
            return true;
        }
        let and = self.live.at[f as usize].fused_and;
        let (a, b) = if and {
            (self.get(i.a).a, self.get(i.a).b)
        } else {
            (i.a, i.b)
        };
        let constant = self.known(b).and_then(|k| u8::try_from(k).ok());
        let Some(code) = self.pin.flags.pack(i.op, i.w, and, constant) else {
            return false;
        };
        let b = if constant.is_some() { NONE } else { b };
        if i.op == Op::FFcmp {
            // For its exceptions.
            self.fcompare(i.w, a, b, i.imm != 0);
        }
        for (n, v) in [a, b].into_iter().enumerate() {
            let to = layout::compared(n);
            if v == NONE {
                continue;
            }
            if i.op == Op::FFcmp {
                let r = match self.opnd_x(v) {
                    Rm::R(r) => r,
                    m => {
                        self.load_x(128, 0, m);
                        0
                    }
                };
                self.store_x(128, to, r);
                continue;
            }
            match self.opnd(v) {
                Opnd::Rm(Rm::R(r)) => self.asm.mov_mr(64, to, r),
                Opnd::Imm(k) => self.asm.mov_mi(64, to, k),
                o => {
                    self.load_o(64, RAX, o);
                    self.asm.mov_mr(64, to, RAX);
                }
            }
        }
        self.asm
            .mov_mi(32, layout::deferred(), (code | parts) as i32);
        true
    }

    /// Stores flags, or what makes them.
    fn leave_flags(&mut self, f: Val) {
        if !self.defer_flags(f, 0) {
            self.flags_to_rax(f);
            self.store_flags();
        }
    }

    /// Flags that come from several places: what they are of, beside what is deferred already.
    fn defer_part(&mut self, i: &Inst) {
        let bits = flags::parts(i.imm);
        let told = i.c != NONE && self.defer_flags(i.c, bits);
        if i.c != NONE && !told {
            self.flags_to_rax(i.c);
            self.store_flags();
        }
        let has_carry = i.imm & PART_CARRY != 0;
        let parts = [(i.imm & PART_NZ != 0, i.a), (has_carry, i.b)];
        for (n, (has, v)) in parts.into_iter().enumerate() {
            if !has {
                continue;
            }
            let m = layout::over(n);
            match self.opnd_w(32, v) {
                Opnd::Rm(Rm::R(r)) => self.asm.mov_mr(32, m, r),
                Opnd::Imm(k) => self.asm.mov_mi(32, m, k),
                o => {
                    self.load_o(32, RAX, o);
                    self.asm.mov_mr(32, m, RAX);
                }
            }
        }
        if told {
            // With what they are beside.
            return;
        }
        if has_carry {
            self.asm
                .mov_mi(8, layout::deferred_part(2), (bits >> 16 & 0xff) as i32);
        }
        self.asm
            .mov_mi(8, layout::deferred_part(3), (bits >> 24) as i32);
    }

    /// The same as [`Self::settle`], anywhere.
    fn settle_here(&mut self) {
        self.asm.alu_i(Alu::Cmp, 32, layout::deferred(), 0);
        let over = self.asm.jcc(cc::E);
        self.call_entry(Entry::Settle);
        self.asm.bind(over);
    }

    /// Makes sure that the flags in the state are worked out.
    pub fn settle(&mut self) {
        self.asm.alu_i(Alu::Cmp, 32, layout::deferred(), 0);
        let f = self.asm.jcc(cc::NE);
        let (from, back) = (self.fixup_at(f), self.here());
        let mut to = back;
        self.cold(|g| {
            to = g.here();
            g.call_entry(Entry::Settle);
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        self.bind(from, to);
    }
}
