//! Code for vectors under predicates: which lanes one has, and stores of them.
//!
//! AVX2 has masked stores of 32 and 64 bits only, which take some twenty operations on the processors of AMD. What is stored
//! mostly is all lanes or, at the end of a loop, the first ones; so all are tested for where the code is, and what is left is
//! in its cold part.

use super::asm::{Alu, Map, Mem, Pp, RAX, Reg, Rm, Shift, cc};
use super::codegen::{At, Gen};
use super::layout;
use crate::ir::{Addr, Inst, NONE, Under, Val};

impl Gen<'_> {
    pub(super) fn lanes(&mut self, v: Val, i: &Inst) {
        let p = self.source(i.a);
        let d = self.dst_x(v, NONE);
        let [bits, bytes] = layout::lanes(i.w, i.imm);
        // vmovd
        self.asm.vex(Pp::P66, Map::M0f, false, 0x6e, d, 0, p);
        if i.w < 32 {
            self.vex3((Map::M0f38, 0x00), d, d, Rm::M(bytes));
        } else {
            self.broadcast(i.w.min(32), d, d);
        }
        self.vex3((Map::M0f, 0xdb), d, d, Rm::M(bits));
        let equal = match i.w {
            8 => (Map::M0f, 0x74),
            16 => (Map::M0f, 0x75),
            32 => (Map::M0f, 0x76),
            _ => (Map::M0f38, 0x29),
        };
        self.vex3(equal, d, d, Rm::M(bits));
        self.define_x(v, d, 128);
    }

    pub(super) fn store_under(&mut self, i: &Inst) {
        let under = Under::unpack(i.h);
        let (count, step) = under.lanes(i.w);
        let all = (0..count).fold(0u32, |all, n| all | 1 << (n * step)) << under.first;
        let p = self.source(i.b);
        let m = Mem {
            base: self.reg(i.a),
            index: super::asm::NOREG,
            shift: 0,
            disp: Addr::unpack(i.imm).disp,
            gs: true,
            wrap: false,
        };
        let v = self.reg_x(i.c);
        // What is as wide in memory as in the vector may be the first bytes of it.
        let first_bytes = i.w < 32 && under.spread == 0;
        let temps = first_bytes.then(|| (self.temp(), self.temp()));
        self.asm.mov(32, RAX, p);
        self.asm.alu_i(Alu::And, 32, Rm::R(RAX), all as i32);
        self.asm.alu_i(Alu::Cmp, 32, Rm::R(RAX), all as i32);
        let f = self.asm.jcc(cc::NE);
        let from = self.fixup_at(f);
        self.fault_point(i, true);
        self.store_x((128 >> under.spread) as u8, m, v);
        let on = self.here();
        let mut to = on;
        self.cold(|g| {
            to = g.here();
            if under.first != 0 {
                g.asm.shift_i(Shift::Shr, 32, Rm::R(RAX), under.first);
            }
            match temps {
                Some(temps) => g.first_bytes(i, m, v, temps, on),
                None => {
                    for n in 0..count {
                        g.asm.test_i(32, Rm::R(RAX), 1 << (n * step));
                        let f = g.asm.jcc(cc::E);
                        g.store_lane(i, m, v, n as u8);
                        g.asm.bind(f);
                    }
                }
            }
            g.go_on(on);
        });
        self.bind(from, to);
    }

    fn go_on(&mut self, on: At) {
        let f = self.asm.jmp();
        let at = self.fixup_at(f);
        self.bind(at, on);
    }

    fn store_lane(&mut self, i: &Inst, m: Mem, v: Reg, n: u8) {
        let at = Mem {
            disp: m.disp + i32::from(n) * i32::from(i.w / 8),
            ..m
        };
        let op = match i.w {
            8 => 0x14,
            16 => 0x15,
            _ => 0x16,
        };
        self.fault_point(i, true);
        self.asm
            .vexi(Pp::P66, Map::M0f3a, i.w == 64, op, v, 0, at, n);
    }

    /// Bytes or halfwords by the bits in rax: the first ones in two parts that overlap, others one by one.
    fn first_bytes(&mut self, i: &Inst, m: Mem, v: Reg, (t, u): (Reg, Reg), on: At) {
        let copy = layout::arg(0);
        self.store_x(128, copy, v);
        if i.w == 16 {
            // Both bytes' bits.
            self.asm.lea(
                32,
                RAX,
                Mem {
                    index: RAX,
                    shift: 1,
                    ..Mem::base(RAX, 0)
                },
            );
        }
        self.asm.lea(32, t, Mem::base(RAX, 1));
        self.asm.test(32, Rm::R(RAX), t);
        let gaps = self.asm.jcc(cc::NE);
        // tzcnt: how many there are.
        self.count_zeros(t, t);
        let end = |of: Mem, back: i32| Mem {
            index: t,
            disp: of.disp - back,
            ..of
        };
        for w in [64u8, 32, 16] {
            let bytes = i32::from(w / 8);
            self.asm.alu_i(Alu::Cmp, 32, Rm::R(t), bytes);
            let fewer = self.asm.jcc(cc::B);
            self.fault_point(i, true);
            self.store_x(w, m, v);
            self.asm.mov(w, RAX, end(copy, bytes));
            self.fault_point(i, true);
            self.asm.mov_mr(w, end(m, bytes), RAX);
            self.go_on(on);
            self.asm.bind(fewer);
        }
        if i.w == 8 {
            // One, or none.
            self.asm.test(32, Rm::R(t), t);
            let none = self.asm.jcc(cc::E);
            self.fault_point(i, true);
            self.store_x(8, m, v);
            self.asm.bind(none);
        }
        self.go_on(on);
        self.asm.bind(gaps);
        let top = self.asm.pos();
        self.count_zeros(t, RAX);
        self.asm.movzx(8, u, end(copy, 0));
        self.fault_point(i, true);
        self.asm.mov_mr(8, end(m, 0), u);
        // blsr
        self.asm
            .vex(Pp::None, Map::M0f38, false, 0xf3, 1, RAX, Rm::R(RAX));
        let again = self.asm.jcc(cc::NE);
        self.asm.bind_to(again, top);
    }

    /// tzcnt of 32 bits.
    fn count_zeros(&mut self, d: Reg, a: Reg) {
        self.asm
            .op(Pp::F3, Map::M0f, 0xbc, false, d, Rm::R(a), false, false);
    }
}
