//! Code for memory accesses, exclusives and atomics.

use super::asm::{Alu, Map, Mem, NOREG, Pp, RAX, RBX, RCX, RDX, Reg, Rm, Shift, cc};
use super::codegen::{Gen, Opnd};
use super::layout;
use crate::ir::{Addr, Inst, NONE, Op, Rmw, Val};

/// Byte numbers of a vector, the last one first.
const REVERSED: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;

impl Gen<'_> {
    pub(super) fn memory(&mut self, v: Val, i: &Inst) {
        match i.op {
            Op::Load => self.load(v, i),
            Op::LoadX => {
                let m = self.address(i);
                let d = self.dst_x(v, NONE);
                if Addr::unpack(i.imm).big {
                    self.load_big_x(i, d, m);
                } else {
                    self.fault_point(i, false);
                    self.load_x(i.w, d, Rm::M(m));
                }
                self.define_x(v, d, i.w);
            }
            Op::Store => self.store(i),
            Op::StoreX => {
                let m = self.address(i);
                let r = self.reg_x(i.c);
                if Addr::unpack(i.imm).big {
                    self.store_big_x(i, m, r);
                } else {
                    self.fault_point(i, true);
                    self.store_x(i.w, m, r);
                }
            }
            Op::StoreUnder => self.store_under(i),
            Op::Fence => {
                // lock or dword [rsp], 0: cheaper than mfence
                self.asm.bytes(&[0xf0, 0x83, 0x0c, 0x24, 0x00]);
            }
            Op::ClearEx => self.asm.mov_mi(64, layout::ex_addr(), -1),
            Op::Aligned => self.aligned(i),
            Op::Watched => self.watched(i),
            Op::LoadEx => self.load_ex(v, i),
            Op::StoreEx => self.store_ex(v, i),
            Op::Rmw => self.rmw(v, i),
            Op::Cas => self.cas(v, i),
            _ => self.pair(v, i),
        }
    }

    /// Guest memory at the plain address in `a`.
    fn at(&mut self, a: Val) -> Mem {
        let base = self.reg(a);
        Mem {
            base,
            index: NOREG,
            shift: 0,
            disp: 0,
            gs: true,
            wrap: false,
        }
    }

    fn load(&mut self, v: Val, i: &Inst) {
        let m = self.address(i);
        let used = self.live.at[v as usize].last != 0;
        let d = if used { self.dst(v, i.a) } else { RAX };
        self.fault_point(i, false);
        let a = Addr::unpack(i.imm);
        if a.big {
            self.load_big(i.w, a.sx, d, m);
            if used {
                self.define(v, d);
            }
            return;
        }
        match (a.sx, i.w) {
            (0, 64) | (_, 64) => self.asm.mov(64, d, m),
            (0, w) => self.asm.movzx(w, d, m),
            (sx, w) if sx == w => self.asm.mov(w, d, m),
            (sx, w) => self.asm.movsx(w, sx, d, m),
        }
        if used {
            self.define(v, d);
        }
    }

    /// Loads a value whose highest byte comes first.
    fn load_big(&mut self, w: u8, sx: u8, d: Reg, m: Mem) {
        self.asm.movbe(w, d, m);
        match sx {
            0 if w == 16 => self.asm.movzx(16, d, Rm::R(d)),
            sx if sx > w => self.asm.movsx(w, sx, d, Rm::R(d)),
            _ => {}
        }
    }

    fn load_big_x(&mut self, i: &Inst, d: Reg, m: Mem) {
        self.fault_point(i, false);
        if i.w == 128 {
            self.load_x(128, d, Rm::M(m));
            self.load_const(0, REVERSED);
            self.vex3((Map::M0f38, 0x00), d, d, Rm::R(0));
            return;
        }
        self.load_big(i.w, 0, RAX, m);
        self.asm
            .vex(Pp::P66, Map::M0f, true, 0x6e, d, 0, Rm::R(RAX));
    }

    fn store_big_x(&mut self, i: &Inst, m: Mem, r: Reg) {
        if i.w == 128 {
            self.load_const(0, REVERSED);
            self.vex3((Map::M0f38, 0x00), 0, r, Rm::R(0));
            self.fault_point(i, true);
            self.store_x(128, m, 0);
            return;
        }
        // vmovq rax, r
        self.asm
            .vex(Pp::P66, Map::M0f, true, 0x7e, r, 0, Rm::R(RAX));
        self.fault_point(i, true);
        self.asm.movbe_mr(i.w, m, RAX);
    }

    /// Reverses the bytes of the low `w` bits; what is above becomes 0 or stays.
    fn swap_bytes(&mut self, w: u8, r: Reg) {
        match w {
            8 => {}
            16 => {
                self.asm.bswap(32, r);
                self.asm.shift_i(Shift::Shr, 32, Rm::R(r), 16);
            }
            w => self.asm.bswap(w, r),
        }
    }

    fn store(&mut self, i: &Inst) {
        let m = self.address(i);
        if Addr::unpack(i.imm).big {
            let r = self.reg(i.c);
            self.fault_point(i, true);
            self.asm.movbe_mr(i.w, m, r);
            return;
        }
        let k = if i.w == 64 {
            self.known(i.c).filter(|&k| i32::try_from(k as i64).is_ok())
        } else {
            self.known(i.c)
        };
        if let Some(k) = k {
            self.fault_point(i, true);
            self.asm.mov_mi(i.w, m, k as i32);
            return;
        }
        let r = self.reg(i.c);
        self.fault_point(i, true);
        self.asm.mov_mr(i.w, m, r);
    }

    /// What is not aligned goes to an address that no x86-64 has: the interpreter then finds
    /// out what is wrong.
    fn aligned(&mut self, i: &Inst) {
        let base = self.reg(i.a);
        let (bytes, block) = (i.imm as i32 >> 8 & 255, i.imm as i32 >> 16);
        self.asm.test_i(32, Rm::R(base), bytes - 1);
        if bytes == block {
            self.refuse_if(cc::NE, i, i.imm & 1 != 0);
            return;
        }
        // Aligned is what most are; the others may lie within the block all the same.
        let f = self.asm.jcc(cc::NE);
        let from = self.fixup_at(f);
        let on = self.here();
        let (mut to, mut back) = (on, on);
        self.cold(|g| {
            to = g.here();
            g.asm.mov(32, RAX, Rm::R(base));
            g.asm.alu_i(Alu::And, 32, Rm::R(RAX), block - 1);
            g.asm.alu_i(Alu::Cmp, 32, Rm::R(RAX), block - bytes);
            let within = g.asm.jcc(cc::BE);
            back = g.fixup_at(within);
            g.refuse(i, i.imm & 1 != 0);
        });
        self.bind(from, to);
        self.bind(back, on);
    }

    /// As for what is not aligned: the interpreter sees what is watched.
    fn watched(&mut self, i: &Inst) {
        let base = self.reg(i.a);
        let before = u64::from(i.w / 8) - 1;
        // The distance from the first address at which an access of this size touches the range.
        self.asm.mov_ri(RAX, before.wrapping_sub(i.imm));
        self.asm.alu(Alu::Add, 64, RAX, Rm::R(base));
        self.asm.alu_i(
            Alu::Cmp,
            64,
            Rm::R(RAX),
            (u64::from(i.h >> 1) + before) as i32,
        );
        self.refuse_if(cc::B, i, i.h & 1 != 0);
    }

    /// Faults on condition `when`, at an address that has nothing to do with the guest's.
    fn refuse_if(&mut self, when: u8, i: &Inst, write: bool) {
        let f = self.asm.jcc(when);
        let from = self.fixup_at(f);
        let mut to = None;
        self.cold(|g| {
            to = Some(g.here());
            g.refuse(i, write);
        });
        if let Some(to) = to {
            self.bind(from, to);
        }
    }

    /// Faults, at an address that has nothing to do with the guest's.
    fn refuse(&mut self, i: &Inst, write: bool) {
        const NOWHERE: u64 = 1 << 63;
        self.asm.mov_ri(RAX, NOWHERE);
        self.fault_point(i, write);
        self.asm.mov(64, RAX, Mem::base(RAX, 0));
    }

    fn load_ex(&mut self, v: Val, i: &Inst) {
        let m = self.at(i.a);
        let d = self.temp();
        self.fault_point(i, false);
        self.asm.movzx(i.w, d, m);
        if i.h != 0 {
            self.swap_bytes(i.w, d);
        }
        self.asm.mov_mr(64, layout::ex_addr(), m.base);
        self.asm.mov_mi(64, layout::ex_size(), i32::from(i.w));
        self.asm.mov_mr(64, layout::ex_value(0), d);
        self.asm.mov_mi(64, layout::ex_value(1), 0);
        self.define(v, d);
    }

    fn store_ex(&mut self, v: Val, i: &Inst) {
        let m = self.at(i.a);
        let mut new = self.reg(i.c);
        if i.h != 0 && i.w > 8 {
            let t = self.temp();
            self.asm.mov(64, t, Rm::R(new));
            self.swap_bytes(i.w, t);
            new = t;
        }
        let d = self.temp();
        self.asm.mov_ri(d, 1);
        self.asm.alu_mr(Alu::Cmp, 64, layout::ex_addr(), m.base);
        let other = self.asm.jcc(cc::NE);
        self.asm
            .alu_i(Alu::Cmp, 64, layout::ex_size(), i32::from(i.w));
        let size = self.asm.jcc(cc::NE);
        self.asm.mov(64, RAX, layout::ex_value(0));
        if i.h != 0 {
            self.swap_bytes(i.w, RAX);
        }
        self.fault_point(i, true);
        self.asm.locked(Map::M0f, 0xb0, 0xb1, i.w, m, new);
        self.asm.setcc(cc::NE, d);
        self.asm.bind(other);
        self.asm.bind(size);
        self.asm.mov_mi(64, layout::ex_addr(), -1);
        self.define(v, d);
    }

    fn rmw(&mut self, v: Val, i: &Inst) {
        let m = self.at(i.a);
        let op = Rmw::from_index(i.imm);
        let value = self.reg(i.c);
        let d = self.temp();
        let used = self.live.at[v as usize].last != 0;
        let big = i.h != 0 && i.w > 8;
        match op {
            _ if big => self.rmw_big(op, i, m, d, value),
            Rmw::Swap | Rmw::Add => {
                self.asm.mov(64, d, Rm::R(value));
                self.fault_point(i, true);
                if op == Rmw::Add {
                    self.asm.locked(Map::M0f, 0xc0, 0xc1, i.w, m, d);
                } else {
                    self.asm.locked(Map::One, 0x86, 0x87, i.w, m, d);
                }
                if i.w < 64 {
                    self.asm.movzx(i.w, d, Rm::R(d));
                }
            }
            Rmw::Or | Rmw::Xor | Rmw::Clear if !used => {
                self.asm.mov(64, d, Rm::R(value));
                let alu = match op {
                    Rmw::Or => Alu::Or,
                    Rmw::Xor => Alu::Xor,
                    _ => {
                        self.asm.group3(2, 64, Rm::R(d));
                        Alu::And
                    }
                };
                self.fault_point(i, true);
                self.asm
                    .locked(Map::One, (alu as u8) << 3, (alu as u8) << 3 | 1, i.w, m, d);
            }
            _ => {
                // A compare-and-swap loop: rax old, d new.
                self.fault_point(i, true);
                if i.w < 64 {
                    self.asm.movzx(i.w, RAX, m);
                } else {
                    self.asm.mov(64, RAX, m);
                }
                let top = self.asm.pos();
                self.rmw_new(op, i.w, d, value);
                self.fault_point(i, true);
                self.asm.locked(Map::M0f, 0xb0, 0xb1, i.w, m, d);
                let again = self.asm.jcc(cc::NE);
                self.asm.bind_to(again, top);
                self.zext(i.w, d, Rm::R(RAX));
            }
        }
        self.define(v, d);
    }

    /// Where the highest byte comes first: a compare-and-swap loop, between the reversals.
    fn rmw_big(&mut self, op: Rmw, i: &Inst, m: Mem, d: Reg, value: Reg) {
        let old = self.temp();
        self.fault_point(i, true);
        self.asm.movzx(i.w, old, m);
        let top = self.asm.pos();
        self.asm.mov(64, RAX, Rm::R(old));
        self.swap_bytes(i.w, RAX);
        self.rmw_new(op, i.w, d, value);
        self.swap_bytes(i.w, d);
        self.asm.mov(64, RAX, Rm::R(old));
        self.fault_point(i, true);
        self.asm.locked(Map::M0f, 0xb0, 0xb1, i.w, m, d);
        self.zext(i.w, old, Rm::R(RAX));
        let again = self.asm.jcc(cc::NE);
        self.asm.bind_to(again, top);
        self.asm.mov(64, d, Rm::R(old));
        self.swap_bytes(i.w, d);
    }

    /// d = op(rax, value).
    fn rmw_new(&mut self, op: Rmw, w: u8, d: Reg, value: Reg) {
        match op {
            Rmw::Swap => self.asm.mov(64, d, Rm::R(value)),
            Rmw::Add => {
                self.asm.mov(64, d, Rm::R(RAX));
                self.asm.alu(Alu::Add, 64, d, Rm::R(value));
            }
            Rmw::Or | Rmw::Xor => {
                self.asm.mov(64, d, Rm::R(RAX));
                self.asm.alu(
                    if op == Rmw::Or { Alu::Or } else { Alu::Xor },
                    64,
                    d,
                    Rm::R(value),
                );
            }
            Rmw::Clear => self.asm.andn(64, d, value, Rm::R(RAX)),
            _ => {
                let keep = match op {
                    Rmw::MaxS => cc::G,
                    Rmw::MinS => cc::L,
                    Rmw::MaxU => cc::A,
                    _ => cc::B,
                };
                self.asm.mov(64, d, Rm::R(value));
                self.asm.alu(Alu::Cmp, w, RAX, Rm::R(value));
                self.asm.cmov(keep, 64, d, Rm::R(RAX));
            }
        }
    }

    fn cas(&mut self, v: Val, i: &Inst) {
        let m = self.at(i.a);
        let new = self.reg(i.c);
        let expected = self.reg(i.b);
        let d = self.temp();
        self.asm.mov(64, RAX, Rm::R(expected));
        let mut from = new;
        if i.h != 0 && i.w > 8 {
            self.swap_bytes(i.w, RAX);
            self.asm.mov(64, d, Rm::R(new));
            self.swap_bytes(i.w, d);
            from = d;
        }
        self.fault_point(i, true);
        self.asm.locked(Map::M0f, 0xb0, 0xb1, i.w, m, from);
        self.zext(i.w, d, Rm::R(RAX));
        if i.h != 0 {
            self.swap_bytes(i.w, d);
        }
        self.define(v, d);
    }

    /// Pairs: `cmpxchg16b` (or `8b`) on rdx:rax with rcx:rbx.
    fn pair(&mut self, v: Val, i: &Inst) {
        let wide = i.w == 64;
        for r in [RCX, RDX, RBX] {
            self.take(r);
        }
        let m = self.at(i.a);
        if i.op == Op::LoadExPair {
            let d = self.dst_x(v, NONE);
            self.fault_point(i, false);
            self.load_x(2 * i.w, d, Rm::M(m));
            self.asm.mov_mr(64, layout::ex_addr(), m.base);
            self.asm.mov_mi(64, layout::ex_size(), i32::from(i.w) * 2);
            self.store_x(128, layout::ex_value(0), d);
            self.define_x(v, d, 2 * i.w);
            return;
        }
        let half = i32::from(i.w / 8);
        let part = |m: Mem, hi: bool| {
            if hi {
                Mem {
                    disp: m.disp + half,
                    ..m
                }
            } else {
                m
            }
        };
        let new = self.reg_x(i.c);
        self.store_x(128, layout::arg(1), new);
        let mut skip = Vec::new();
        if i.op == Op::StoreExPair {
            self.asm.mov_mi(64, layout::arg(2), 1);
            self.asm.alu_mr(Alu::Cmp, 64, layout::ex_addr(), m.base);
            skip.push(self.asm.jcc(cc::NE));
            self.asm
                .alu_i(Alu::Cmp, 64, layout::ex_size(), i32::from(i.w) * 2);
            skip.push(self.asm.jcc(cc::NE));
        } else {
            let e = self.reg_x(i.b);
            self.store_x(128, layout::arg(0), e);
        }
        let expected = if i.op == Op::StoreExPair {
            layout::ex_value(0)
        } else {
            layout::arg(0)
        };
        self.asm.mov(i.w, RAX, expected);
        self.asm.mov(i.w, RDX, part(expected, true));
        self.asm.mov(i.w, RCX, part(layout::arg(1), true));
        self.asm.mov(i.w, RBX, layout::arg(1));
        self.fault_point(i, true);
        self.asm.cmpxchg_pair(wide, m);
        if i.op == Op::StoreExPair {
            let ne = self.asm.jcc(cc::NE);
            self.asm.mov_mi(64, layout::arg(2), 0);
            self.asm.bind(ne);
            for f in skip {
                self.asm.bind(f);
            }
            self.asm.mov_mi(64, layout::ex_addr(), -1);
            let d = self.temp_of(RCX);
            self.asm.mov(64, d, layout::arg(2));
            self.define(v, d);
            return;
        }
        self.asm.mov_mr(i.w, layout::arg(0), RAX);
        self.asm.mov_mr(i.w, part(layout::arg(0), true), RDX);
        let d = self.dst_x(v, NONE);
        self.load_x(2 * i.w, d, Rm::M(layout::arg(0)));
        self.define_x(v, d, 2 * i.w);
    }

    /// A register that `take` already emptied.
    fn temp_of(&mut self, r: Reg) -> Reg {
        self.lock(r);
        r
    }

    /// A plain immediate or register operand, for exits.
    pub(super) fn any(&mut self, v: Val) -> Opnd {
        self.opnd(v)
    }

    /// Loads `w` bits into xmm `d`, zero above.
    pub(super) fn load_x(&mut self, w: u8, d: Reg, m: Rm) {
        match w {
            // vmovups / vmovaps
            128 => match m {
                Rm::R(r) if r == d => {}
                Rm::R(r) => self
                    .asm
                    .vex(Pp::None, Map::M0f, false, 0x28, d, 0, Rm::R(r)),
                m => self.asm.vex(Pp::None, Map::M0f, false, 0x10, d, 0, m),
            },
            // vmovq
            64 => self.asm.vex(Pp::F3, Map::M0f, false, 0x7e, d, 0, m),
            32 => match m {
                // vinsertps d, r, r: lane 0 of r, zeros
                Rm::R(r) => self
                    .asm
                    .vexi(Pp::P66, Map::M0f3a, false, 0x21, d, r, Rm::R(r), 0x0e),
                m => self.asm.vex(Pp::P66, Map::M0f, false, 0x6e, d, 0, m),
            },
            _ => {
                match m {
                    Rm::R(r) => {
                        self.asm
                            .vex(Pp::P66, Map::M0f, false, 0x7e, r, 0, Rm::R(RAX));
                        self.asm.movzx(w, RAX, Rm::R(RAX));
                    }
                    m => self.asm.movzx(w, RAX, m),
                }
                self.asm
                    .vex(Pp::P66, Map::M0f, false, 0x6e, d, 0, Rm::R(RAX));
            }
        }
    }

    /// Stores the low `w` bits of xmm `r`.
    pub(super) fn store_x(&mut self, w: u8, m: Mem, r: Reg) {
        match w {
            128 => self.asm.vex(Pp::None, Map::M0f, false, 0x11, r, 0, m),
            64 => self.asm.vex(Pp::P66, Map::M0f, false, 0xd6, r, 0, m),
            32 => self.asm.vex(Pp::P66, Map::M0f, false, 0x7e, r, 0, m),
            16 => self.asm.vexi(Pp::P66, Map::M0f3a, false, 0x15, r, 0, m, 0),
            _ => self.asm.vexi(Pp::P66, Map::M0f3a, false, 0x14, r, 0, m, 0),
        }
    }
}
