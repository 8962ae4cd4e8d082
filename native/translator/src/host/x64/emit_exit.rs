//! Code for leaving a block: chained jumps, calls with predicted returns, indirect
//! jumps through the core's table, traps.

use super::asm::{Alu, Mem, RAX, RCX, RSP, Rm, Shift, cc};
use super::codegen::{At, Gen, Opnd};
use super::layout::{self, host};
use crate::host::code::{Entry, Reloc};
use crate::ir::handover::Short;
use crate::ir::{Inst, NONE, Op, Val};

impl Gen<'_> {
    pub(super) fn exit(&mut self, i: &Inst) {
        let flags = self.live.at[self.pos as usize].flags_at;
        if matches!(
            i.op,
            Op::Jump | Op::CallTo | Op::JumpR | Op::CallR | Op::RetR
        ) {
            self.count(i.insn + 1);
        }
        match i.op {
            Op::Side => self.side(i, flags),
            Op::Jump => self.leave(i, flags),
            Op::CallTo => {
                let ret = self.known(i.b).unwrap_or(0);
                if self.tune.returns {
                    let short = self.begin_leave(i.imm, flags);
                    let unstored = short.is_some_and(|s| s.record.is_none());
                    self.push_return(ret, Some(i.imm), if unstored { flags } else { NONE });
                    self.align_patch();
                    let f = self.asm.call();
                    let patch = self.fixup_at(f);
                    self.end_leave(patch, i.imm, false, flags, short);
                    self.asm.pop(RAX);
                    self.chain(ret, false);
                } else {
                    self.sync_flags(flags);
                    if self.backward(i) {
                        self.check_interrupt(i.imm, NONE);
                    }
                    self.chain(i.imm, false);
                }
            }
            Op::JumpR => {
                self.sync_flags(flags);
                self.target(i.a);
                self.check_interrupt_rax();
                self.lookup(false);
            }
            Op::CallR => {
                self.sync_flags(flags);
                self.target(i.a);
                self.check_interrupt_rax();
                if self.tune.returns {
                    let ret = self.known(i.b).unwrap_or(0);
                    self.asm.mov(64, RCX, Rm::R(RAX));
                    self.push_return(ret, None, NONE);
                    self.asm.mov(64, RAX, Rm::R(RCX));
                    self.lookup(true);
                    self.asm.pop(RAX);
                    self.chain(ret, false);
                } else {
                    self.lookup(false);
                }
            }
            Op::RetR => {
                self.sync_flags(flags);
                self.target(i.a);
                if self.tune.returns {
                    self.asm.alu_mr(Alu::Cmp, 64, Mem::base(RSP, 8), RAX);
                    let miss = self.asm.jcc(cc::NE);
                    // ret
                    self.asm.bytes(&[0xc3]);
                    // The return stack tells nothing any more.
                    self.asm.bind(miss);
                    self.asm.mov(64, RSP, layout::host(host::RETURN_TOP));
                }
                self.check_interrupt_rax();
                self.lookup(false);
            }
            Op::TrapIf => {
                let taken = self.branch(i.a, true);
                let mut to = self.here();
                self.cold(|g| {
                    to = g.here();
                    g.trap(i, flags);
                });
                for f in taken {
                    let from = self.fixup_at(f);
                    self.bind(from, to);
                }
            }
            _ => self.trap(i, flags),
        }
    }

    /// On a way out: adds the guest instructions that were executed. No host flag is in use there.
    fn count(&mut self, executed: u16) {
        if self.tune.count && executed != 0 {
            self.asm
                .alu_i(Alu::Add, 64, layout::executed(), executed.into());
        }
    }

    fn trap(&mut self, i: &Inst, flags: Val) {
        // Its instruction is done unless the pc is to be on it (with an interworking bit or without).
        let on = i.imm | 1 == self.blk.pcs[usize::from(i.insn)] | 1;
        self.count(i.insn + u16::from(!on));
        self.sync_flags(flags);
        self.store_pc(i.imm);
        self.asm.mov_ri(RAX, u64::from(i.w) | u64::from(i.h) << 4);
        self.jmp_entry(Entry::Trap);
    }

    fn backward(&self, i: &Inst) -> bool {
        i.imm <= self.blk.pcs[usize::from(i.insn)]
    }

    fn store_pc(&mut self, pc: u64) {
        if let Ok(k) = i32::try_from(pc as i64) {
            self.asm.mov_mi(64, layout::pc(), k);
        } else {
            self.asm.mov_ri(RAX, pc);
            self.asm.mov_mr(64, layout::pc(), RAX);
        }
    }

    /// Puts the target of an indirect jump into rax.
    fn target(&mut self, v: Val) {
        let o: Opnd = self.any(v);
        self.load_o(64, RAX, o);
    }

    /// Leaves for the target of `i`, with the flags `flags`.
    fn leave(&mut self, i: &Inst, flags: Val) {
        let backward = self.backward(i);
        let short = self.begin_leave(i.imm, flags);
        if backward {
            let unstored = short.is_some_and(|s| s.record.is_none());
            self.check_interrupt(i.imm, if unstored { flags } else { NONE });
        }
        self.align_patch();
        let f = self.asm.jmp();
        let patch = self.fixup_at(f);
        self.end_leave(patch, i.imm, backward, flags, short);
    }

    /// Leaves the flags in the shortest form that there is for `target`.
    fn begin_leave(&mut self, target: u64, flags: Val) -> Option<Short> {
        let short = self.handover(flags, target);
        match short {
            Some(short) => self.store_short(short),
            None => self.sync_flags(flags),
        }
        short
    }

    /// What the jump or call `patch` goes to while it is not chained: the stub, or, where flags were left in a short form, first
    /// code that stores them in full.
    fn end_leave(
        &mut self,
        patch: At,
        target: u64,
        backward: bool,
        flags: Val,
        short: Option<Short>,
    ) {
        let Some(short) = short else {
            self.stub(patch, target, backward);
            return;
        };
        let (mut store, mut behind) = (patch, patch);
        self.cold(|g| {
            store = g.here();
            g.sync_flags(flags);
            g.align_patch();
            let f = g.asm.jmp();
            behind = g.fixup_at(f);
        });
        self.bind(patch, store);
        self.stub(behind, target, backward);
        self.set_direct(patch, store, short.needs);
    }

    /// Leaves for `pc` if an interrupt is pending. `flags`: they are not stored yet.
    fn check_interrupt(&mut self, pc: u64, flags: Val) {
        self.asm.alu_i(Alu::Cmp, 32, layout::interrupt(), 0);
        let f = self.asm.jcc(cc::NE);
        let from = self.fixup_at(f);
        let mut to = None;
        self.cold(|g| {
            to = Some(g.here());
            g.sync_flags(flags);
            g.asm.mov_ri(RAX, pc);
            g.jmp_entry(Entry::Interrupted);
        });
        if let Some(to) = to {
            self.bind(from, to);
        }
    }

    fn check_interrupt_rax(&mut self) {
        self.asm.alu_i(Alu::Cmp, 32, layout::interrupt(), 0);
        let f = self.asm.jcc(cc::NE);
        let at = self.fixup_at(f);
        self.reloc(at, Reloc::Entry(Entry::Interrupted));
    }

    /// The displacement of the jump or call that comes next is to be patched: it must not cross a cache line.
    fn align_patch(&mut self) {
        if self.in_cold {
            self.asm.align_patch_anywhere(1);
        } else {
            self.asm.align_patch(1, 0);
        }
    }

    /// A jump to guest pc `target`, chained once its translation is known.
    fn chain(&mut self, target: u64, backward: bool) {
        self.align_patch();
        let f = self.asm.jmp();
        let patch = self.fixup_at(f);
        self.stub(patch, target, backward);
    }

    /// The stub that an unchained jump or call goes to.
    fn stub(&mut self, patch: At, target: u64, backward: bool) {
        let n = self.exit_site(patch, target);
        if self.tune.region {
            return;
        }
        let mut stub = patch;
        let mut inner = None;
        let counts = backward && self.tune.heat;
        self.cold(|g| {
            stub = g.here();
            if counts {
                // A jump of its own as long as the loop is not hot.
                g.asm.alu_i(Alu::Sub, 32, layout::heat(target), 1);
                let hot = g.asm.jcc(cc::B);
                g.align_patch();
                let f = g.asm.jmp();
                let jump = g.fixup_at(f);
                g.asm.bind(hot);
                g.leave_by(n, Entry::Hot);
                let link = g.here();
                inner = Some((jump, link));
            }
            g.leave_by(n, Entry::Link);
        });
        self.bind(patch, stub);
        if let Some((jump, link)) = inner {
            self.bind(jump, link);
        }
        self.set_stub(n, stub, inner);
    }

    /// Tells that exit `n` was taken.
    fn leave_by(&mut self, n: u32, entry: Entry) {
        // mov eax, imm32
        self.asm.bytes(&[0xb8]);
        let at = self.here();
        self.asm.bytes(&[0; 4]);
        self.reloc(at, Reloc::ExitNumber(n));
        self.jmp_entry(entry);
    }

    /// Pushes a guest return address, for a call to `target` or to the pc in rcx. Leaves before the call where there is no
    /// room; an interrupt makes it look like that, so that no tree of calls keeps it waiting. `flags`: they are not stored
    /// yet.
    fn push_return(&mut self, ret: u64, target: Option<u64>, flags: Val) {
        self.asm
            .alu(Alu::Cmp, 64, RSP, layout::host(host::RETURN_LIMIT));
        let full = self.asm.jcc(cc::B);
        let from = self.fixup_at(full);
        let mut to = None;
        self.cold(|g| {
            to = Some(g.here());
            g.sync_flags(flags);
            match target {
                Some(pc) => g.asm.mov_ri(RAX, pc),
                None => g.asm.mov(64, RAX, Rm::R(RCX)),
            }
            g.jmp_entry(Entry::Interrupted);
        });
        if let Some(to) = to {
            self.bind(from, to);
        }
        if let Ok(k) = i32::try_from(ret as i64) {
            // push imm32
            self.asm.bytes(&[0x68]);
            self.asm.bytes(&k.to_le_bytes());
        } else {
            self.asm.mov_ri(RAX, ret);
            self.asm.push(RAX);
        }
    }

    /// Jumps (or calls) to the translation of the guest pc in rax, found in the core's table.
    fn lookup(&mut self, call: bool) {
        const INDEX: i32 = 0xfff0;
        if self.tune.inline_jumps {
            self.asm.mov(32, RCX, Rm::R(RAX));
            self.asm.shift_i(Shift::Shl, 32, Rm::R(RCX), 2);
            self.asm.alu_i(Alu::And, 32, Rm::R(RCX), INDEX);
            self.asm.alu(Alu::Add, 64, RCX, layout::host(host::JUMPS));
            self.asm.alu_mr(Alu::Cmp, 64, Mem::base(RCX, 0), RAX);
            let miss = self.asm.jcc(cc::NE);
            let m = Mem::base(RCX, 8);
            if call {
                self.asm.call_rm(m);
                let back = self.here();
                let from = self.fixup_at(miss);
                let mut to = None;
                self.cold(|g| {
                    to = Some(g.here());
                    g.call_entry(Entry::Indirect);
                    let f = g.asm.jmp();
                    let at = g.fixup_at(f);
                    g.bind(at, back);
                });
                if let Some(to) = to {
                    self.bind(from, to);
                }
            } else {
                self.asm.jmp_rm(m);
                let at = self.fixup_at(miss);
                self.reloc(at, Reloc::Entry(Entry::Indirect));
            }
        } else if call {
            self.call_entry(Entry::Indirect);
        } else {
            self.jmp_entry(Entry::Indirect);
        }
    }

    fn side(&mut self, i: &Inst, flags: Val) {
        if self.backward(i) {
            let over = self.branch(i.a, false);
            self.count(i.insn + 1);
            self.leave(i, flags);
            for f in over {
                self.asm.bind(f);
            }
            return;
        }
        let taken = self.branch(i.a, true);
        let short = self.handover(flags, i.imm);
        let unstored = match short {
            None => flags == NONE,
            Some(short) => short.record.is_none(),
        };
        if taken.rest.is_empty() && unstored && !self.tune.count {
            // The conditional jump itself is chained.
            let patch = self.fixup_at(taken.first);
            if patch.pos & 63 <= 60 {
                self.end_leave(patch, i.imm, false, flags, short);
                return;
            }
        }
        let mut to = None;
        self.cold_nested(i, flags, short, &mut to);
        if let Some(to) = to {
            for f in taken {
                let from = self.fixup_at(f);
                self.bind(from, to);
            }
        }
    }

    /// A cold jump to the target of `i`, storing the flags first, with its stub behind it.
    fn cold_nested(&mut self, i: &Inst, flags: Val, short: Option<Short>, to: &mut Option<At>) {
        let mut patch = self.here();
        self.cold(|g| {
            *to = Some(g.here());
            g.count(i.insn + 1);
            match short {
                Some(short) => g.store_short(short),
                None => g.sync_flags(flags),
            }
            g.align_patch();
            let f = g.asm.jmp();
            patch = g.fixup_at(f);
        });
        self.end_leave(patch, i.imm, false, flags, short);
    }
}
