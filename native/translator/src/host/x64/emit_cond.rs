//! Conditions and flags: comparisons repeated where they are asked for.

use super::asm::{Alu, Fixup, Map, Pp, RAX, Reg, Rm, cc};
use super::codegen::{At, Gen, Loc, Opnd};
use super::layout;
use crate::ir::flags::Cc;
use crate::ir::{Inst, NONE, Op, Val, float};

/// The host condition after a comparison or, with a carry in the guest's sense, after an addition.
fn host_cc(c: Cc, borrow: bool) -> u8 {
    match c {
        Cc::Eq => cc::E,
        Cc::Ne => cc::NE,
        Cc::Cs if borrow => cc::AE,
        Cc::Cc if borrow => cc::B,
        Cc::Cs => cc::B,
        Cc::Cc => cc::AE,
        Cc::Mi => cc::S,
        Cc::Pl => cc::NS,
        Cc::Vs => cc::O,
        Cc::Vc => cc::NO,
        Cc::Hi => cc::A,
        Cc::Ls => cc::BE,
        Cc::Ge => cc::GE,
        Cc::Lt => cc::L,
        Cc::Gt => cc::G,
        Cc::Le => cc::LE,
    }
}

/// Jumps to one place: one, but for combined conditions.
pub(super) struct Jumps {
    pub first: Fixup,
    pub rest: Vec<Fixup>,
}

impl IntoIterator for Jumps {
    type Item = Fixup;
    type IntoIter = std::iter::Chain<std::iter::Once<Fixup>, std::vec::IntoIter<Fixup>>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self.first).chain(self.rest)
    }
}

impl Gen<'_> {
    /// `cmp a, b`; uses rax only.
    pub(super) fn compare(&mut self, w: u8, a: Val, b: Val) {
        let (x, y) = (self.opnd_w(w, a), self.opnd_w(w, b));
        match (x, y) {
            (Opnd::Rm(Rm::R(r)), Opnd::Imm(0)) => self.asm.test(w, Rm::R(r), r),
            (Opnd::Rm(Rm::R(r)), y) => self.alu_o(Alu::Cmp, w, r, y),
            (Opnd::Rm(m), Opnd::Imm(k)) => self.asm.alu_i(Alu::Cmp, w, m, k),
            (Opnd::Rm(m), Opnd::Rm(Rm::R(r))) => self.asm.alu_mr(Alu::Cmp, w, m, r),
            (x, Opnd::Big(k)) => {
                // Two scratch values: the constant goes through the state.
                self.asm.mov_ri(RAX, k);
                self.asm.mov_mr(64, layout::arg(0), RAX);
                self.load_o(w, RAX, x);
                self.asm.alu(Alu::Cmp, w, RAX, layout::arg(0));
            }
            (x, y) => {
                self.load_o(w, RAX, x);
                self.alu_o(Alu::Cmp, w, RAX, y);
            }
        }
    }

    /// `test` for a logical result. True: a single bit was tested by `bt`, and the
    /// carry is its value.
    pub(super) fn test(&mut self, f: Val) -> bool {
        let i = *self.get(f);
        if !self.live.at[f as usize].fused_and {
            match self.opnd(i.a) {
                Opnd::Rm(Rm::R(r)) => self.asm.test(i.w, Rm::R(r), r),
                Opnd::Rm(m) => self.asm.alu_i(Alu::Cmp, i.w, m, 0),
                o => {
                    self.load_o(i.w, RAX, o);
                    self.asm.test(i.w, Rm::R(RAX), RAX);
                }
            }
            return false;
        }
        let x = *self.get(i.a);
        let k = self.known(x.b).unwrap_or(0);
        let o = self.opnd(x.a);
        let fits = i.w == 32 || i32::try_from(k as i64).is_ok();
        match o {
            // An 8-bit test needs no 32-bit immediate; sign is then bit 7, so only without it.
            Opnd::Rm(m) if k < 0x80 => self.asm.test_i(8, m, k as i32),
            Opnd::Rm(m) if fits => self.asm.test_i(i.w, m, k as i32),
            Opnd::Rm(m) if k.is_power_of_two() => {
                self.asm.bt_i(64, m, k.trailing_zeros() as u8);
                return true;
            }
            o => {
                let r = match o {
                    Opnd::Rm(Rm::R(r)) => r,
                    o => {
                        self.load_o(64, RAX, o);
                        self.asm.mov_mr(64, layout::arg(0), RAX);
                        self.asm.mov_ri(RAX, k);
                        self.asm.test(i.w, layout::arg(0), RAX);
                        return false;
                    }
                };
                self.asm.mov_ri(RAX, k);
                self.asm.test(i.w, Rm::R(r), RAX);
            }
        }
        false
    }

    /// `comis`: flags of a ? b.
    pub(super) fn fcompare(&mut self, w: u8, a: Val, b: Val, signals: bool) {
        if self.tune.float_modes & float::LEGACY_NAN != 0 {
            self.fcompare_legacy(w, a, b, signals, 0x45);
        } else {
            self.fcompare_host(w, a, b, signals);
        }
    }

    /// The same where quiet and signalling NaNs are other ones than the host's: what has NaNs is done by its meaning, and unordered
    /// leaves the host flags `unordered`, as `lahf` has them.
    fn fcompare_legacy(&mut self, w: u8, a: Val, b: Val, signals: bool, unordered: u8) {
        let i = Inst {
            op: Op::FFcmp,
            w,
            insn: 0,
            h: 0,
            a,
            b,
            c: NONE,
            imm: signals.into(),
        };
        let operands = [self.opnd_x(a), self.opnd_x(b)];
        let mut site = self.here();
        let f = if self.tune.traps {
            site = self.fcompare_host(w, a, b, signals);
            // A signalling one does not trap, unless all do.
            if signals {
                None
            } else {
                Some(self.asm.jcc(cc::P))
            }
        } else {
            Some(self.asm.jmp())
        };
        let from = f.map(|f| self.fixup_at(f));
        let back = self.here();
        let mut to = None;
        self.cold(|g| {
            use crate::ir::flags::{N, V, Z};
            to = Some(g.here());
            for (n, x) in operands.into_iter().enumerate() {
                let r = match x {
                    Rm::R(r) => r,
                    m => {
                        g.load_x(w, 0, m);
                        0
                    }
                };
                g.store_x(128, layout::arg(n), r);
            }
            g.helper_call(&i);
            g.asm.mov(32, RAX, layout::arg(0));
            for (flag, ah) in [(V, unordered), (N, 1)] {
                g.asm.test_i(32, Rm::R(RAX), flag as i32);
                let over = g.asm.jcc(cc::E);
                g.asm.mov_ri(RAX, u64::from(ah) << 8);
                // sahf
                g.asm.bytes(&[0x9e]);
                let f = g.asm.jmp();
                let at = g.fixup_at(f);
                g.bind(at, back);
                g.asm.bind(over);
            }
            // Z is where ZF goes to; none of them: greater.
            g.asm.alu_i(Alu::And, 32, Rm::R(RAX), Z as i32);
            g.asm.bytes(&[0x9e]);
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        if let Some(to) = to {
            if let Some(from) = from {
                self.bind(from, to);
            }
            if self.tune.traps {
                self.float_point(site, to);
            }
        }
    }

    /// Where the instruction is that compares.
    fn fcompare_host(&mut self, w: u8, a: Val, b: Val, signals: bool) -> At {
        let (x, y) = (self.opnd_x(a), self.opnd_x(b));
        let r = match x {
            Rm::R(r) => r,
            m => {
                self.load_x(w, 0, m);
                0
            }
        };
        let pp = if w == 64 { Pp::P66 } else { Pp::None };
        let site = self.here();
        self.asm.vex(
            pp,
            Map::M0f,
            false,
            if signals { 0x2f } else { 0x2e },
            r,
            0,
            y,
        );
        site
    }

    /// Makes packed flags of a general operand into host flags.
    fn unpack(&mut self, o: Opnd) {
        self.load_o(32, RAX, o);
        // add al, 0x7f ; sahf
        self.asm.bytes(&[0x04, 0x7f, 0x9e]);
    }

    /// Emits what decides condition `c`; the host condition to test. Uses rax and xmm0 only.
    pub fn condition(&mut self, c: Val) -> u8 {
        let i = *self.get(c);
        if i.op != Op::Cc || self.loc[c as usize] != Loc::None {
            if let Loc::None = self.loc[c as usize] {
                self.reg(c);
            }
            match self.opnd(c) {
                Opnd::Rm(m) => self.asm.test_i(8, m, 1),
                o => {
                    self.load_o(32, RAX, o);
                    self.asm.test_i(8, Rm::R(RAX), 1);
                }
            }
            return cc::NE;
        }
        let want = Cc::from_index(i.imm);
        let f = *self.get(i.a);
        match f.op {
            Op::FSub => {
                // `test` against zero leaves no borrow, as `cmp` does.
                self.compare(f.w, f.a, f.b);
                host_cc(want, true)
            }
            Op::FLogic => {
                if self.test(i.a) {
                    // Only equality is asked of a single bit (the others are constants or bit 63).
                    return match want {
                        Cc::Eq | Cc::Ls | Cc::Pl => cc::AE,
                        Cc::Ne | Cc::Mi => cc::B,
                        _ => {
                            self.flags_to_rax(i.a);
                            self.asm.bytes(&[0x04, 0x7f, 0x9e]);
                            return self.unpacked_cc(want);
                        }
                    };
                }
                match want {
                    Cc::Cs | Cc::Hi => cc::B,
                    Cc::Cc | Cc::Ls => cc::AE,
                    _ => host_cc(want, true),
                }
            }
            Op::FAdd => {
                let (a, b) = (self.opnd_w(f.w, f.a), self.opnd_w(f.w, f.b));
                self.sum_to_rax(f.w, a, b);
                self.unpacked_cc(want)
            }
            Op::FFcmp => self.fcondition(want, &f),
            Op::FPack => {
                let o = self.opnd(f.a);
                self.unpack(o);
                self.unpacked_cc(want)
            }
            Op::GetF => {
                self.unpack(Opnd::Rm(Rm::M(layout::flags())));
                self.unpacked_cc(want)
            }
            Op::FPart => {
                self.flags_to_rax(i.a);
                // add al, 0x7f ; sahf
                self.asm.bytes(&[0x04, 0x7f, 0x9e]);
                self.unpacked_cc(want)
            }
            // Packed in a register.
            _ => {
                let o = self.opnd(i.a);
                self.unpack(o);
                self.unpacked_cc(want)
            }
        }
    }

    pub(super) fn sum_to_rax(&mut self, w: u8, a: Opnd, b: Opnd) {
        match (a, b) {
            (a, Opnd::Big(k)) => {
                self.asm.mov_ri(RAX, k);
                match a {
                    Opnd::Rm(m) => self.asm.alu(Alu::Add, w, RAX, m),
                    Opnd::Imm(k) => self.asm.alu_i(Alu::Add, w, Rm::R(RAX), k),
                    Opnd::Big(k) => {
                        self.asm.mov_mr(64, layout::arg(0), RAX);
                        self.asm.mov_ri(RAX, k);
                        self.asm.alu(Alu::Add, w, RAX, layout::arg(0));
                    }
                }
            }
            (a, b) => {
                self.load_o(w, RAX, a);
                self.alu_o(Alu::Add, w, RAX, b);
            }
        }
    }

    /// The host condition when the host's carry is the guest's.
    fn unpacked_cc(&mut self, c: Cc) -> u8 {
        if matches!(c, Cc::Hi | Cc::Ls) {
            // cmc
            self.asm.bytes(&[0xf5]);
            return host_cc(c, true);
        }
        host_cc(c, false)
    }

    fn fcondition(&mut self, want: Cc, f: &crate::ir::Inst) -> u8 {
        let signals = f.imm != 0;
        let (cond, swap) = match want {
            Cc::Gt => (cc::A, false),
            Cc::Ge => (cc::AE, false),
            Cc::Lt => (cc::B, false),
            Cc::Le => (cc::BE, false),
            Cc::Mi | Cc::Cc => (cc::A, true),
            Cc::Pl | Cc::Cs => (cc::BE, true),
            Cc::Hi => (cc::B, true),
            Cc::Ls => (cc::AE, true),
            Cc::Vs => (cc::P, false),
            Cc::Vc => (cc::NP, false),
            Cc::Eq | Cc::Ne if self.tune.float_modes & float::LEGACY_NAN != 0 => {
                self.fcompare_legacy(f.w, f.a, f.b, signals, 1);
                return if want == Cc::Eq { cc::E } else { cc::NE };
            }
            Cc::Eq | Cc::Ne => {
                // cmpeq gives all ones for equal and ordered.
                let x = self.opnd_x(f.a);
                let r = if let Rm::R(r) = x {
                    r
                } else {
                    self.load_x(f.w, 0, x);
                    0
                };
                let y = self.opnd_x(f.b);
                let pp = if f.w == 64 { Pp::F2 } else { Pp::F3 };
                self.asm.vexi(
                    pp,
                    Map::M0f,
                    false,
                    0xc2,
                    0,
                    r,
                    y,
                    if signals { 0x10 } else { 0 },
                );
                // vmovd eax, xmm0
                self.asm
                    .vex(Pp::P66, Map::M0f, false, 0x7e, 0, 0, Rm::R(RAX));
                self.asm.test(32, Rm::R(RAX), RAX);
                return if want == Cc::Eq { cc::NE } else { cc::E };
            }
        };
        if swap {
            self.fcompare(f.w, f.b, f.a, signals);
        } else {
            self.fcompare(f.w, f.a, f.b, signals);
        }
        cond
    }

    /// A condition that has no register and is a combination of others.
    pub(super) fn combined(&self, c: Val) -> bool {
        let i = self.get(c);
        i.w == 8 && matches!(i.op, Op::And | Op::Or | Op::Xor) && self.loc[c as usize] == Loc::None
    }

    /// Jumps that are taken if condition `c` is `sense`.
    pub(super) fn branch(&mut self, c: Val, sense: bool) -> Jumps {
        if self.combined(c) {
            let i = *self.get(c);
            if i.op == Op::Xor {
                // By 1: the inverse.
                return self.branch(i.a, !sense);
            }
            if (i.op == Op::Or) == sense {
                let mut all = self.branch(i.a, sense);
                let more = self.branch(i.b, sense);
                all.rest.push(more.first);
                all.rest.extend(more.rest);
                return all;
            }
            let skip = self.branch(i.a, !sense);
            let taken = self.branch(i.b, sense);
            for f in skip {
                self.asm.bind(f);
            }
            return taken;
        }
        let cond = self.condition(c);
        Jumps {
            first: self.asm.jcc(if sense { cond } else { cond ^ 1 }),
            rest: Vec::new(),
        }
    }

    /// A condition as 0 or 1 in `d`.
    pub fn set_condition(&mut self, c: Val, d: Reg) {
        if self.combined(c) {
            // `d` may be an operand: collect the answer in the scratch state.
            let m = layout::arg(2);
            let taken = self.branch(c, true);
            self.asm.mov_mi(32, m, 0);
            let end = self.asm.jmp();
            for f in taken {
                self.asm.bind(f);
            }
            self.asm.mov_mi(32, m, 1);
            self.asm.bind(end);
            self.asm.mov(32, d, m);
            return;
        }
        let cond = self.condition(c);
        self.asm.setcc(cond, d);
        self.asm.movzx(8, d, Rm::R(d));
    }
}
