//! Code for AES and SHA operations, where the host has instructions for them.

use super::asm::{Map, Pp, Reg, Rm};
use super::codegen::Gen;
use super::features::host_has;
use crate::ir::{Inst, NONE, Op, Val};

impl Gen<'_> {
    /// Emits a cryptographic operation; false if the host has none such.
    pub(super) fn crypto_op(&mut self, v: Val, i: &Inst) -> bool {
        if i.op < Op::Sha1Rounds {
            if host_has!("aes") {
                self.aes(v, i);
                return true;
            }
        } else if host_has!("sha") {
            self.sha(v, i);
            return true;
        }
        false
    }

    fn aes(&mut self, v: Val, i: &Inst) {
        const ENC: (Map, u8) = (Map::M0f38, 0xdc);
        const ENC_LAST: (Map, u8) = (Map::M0f38, 0xdd);
        const DEC: (Map, u8) = (Map::M0f38, 0xde);
        const DEC_LAST: (Map, u8) = (Map::M0f38, 0xdf);
        let a = self.reg_x(i.a);
        let d = self.dst_x(v, i.a);
        if i.op == Op::AesInvMix {
            self.asm
                .vex(Pp::P66, Map::M0f38, false, 0xdb, d, 0, Rm::R(a));
        } else {
            // All of them add a round key: zero.
            self.vex3((Map::M0f, 0xef), 0, 0, Rm::R(0));
            let code = match i.op {
                Op::AesSub => ENC_LAST,
                Op::AesInvSub => DEC_LAST,
                Op::AesInvRound => DEC,
                Op::AesMix => {
                    // A round whose first half is undone before.
                    self.vex3(DEC_LAST, d, a, Rm::R(0));
                    self.vex3(ENC, d, d, Rm::R(0));
                    self.define_x(v, d, 128);
                    return;
                }
                _ => ENC,
            };
            self.vex3(code, d, a, Rm::R(0));
        }
        self.define_x(v, d, 128);
    }

    /// SHA instructions have no VEX form: `reg` is read and written.
    fn sha_insn(&mut self, opcode: u8, reg: Reg, rm: Reg) {
        self.asm.op(
            Pp::None,
            Map::M0f38,
            opcode,
            false,
            reg,
            Rm::R(rm),
            false,
            false,
        );
    }

    fn pshufd(&mut self, d: Reg, a: Rm, sel: u8) {
        self.asm.vexi(Pp::P66, Map::M0f, false, 0x70, d, 0, a, sel);
    }

    fn sha(&mut self, v: Val, i: &Inst) {
        match i.op {
            Op::Sha1Rounds => {
                // The host's words are in the other order, and it adds the round constant.
                const K: [u32; 3] = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc];
                let k = u128::from(K[i.imm as usize % 3]);
                let (t, u) = (self.temp_x(), self.temp_x());
                let m = self.source_x(i.c);
                self.pshufd(u, m, 0x1b);
                self.load_const(0, k | k << 32 | k << 64 | k << 96);
                self.vex3((Map::M0f, 0xfa), u, u, Rm::R(0));
                let e = self.reg_x(i.b);
                self.byte_shift(7, 0, e, 12);
                self.vex3((Map::M0f, 0xfe), u, u, Rm::R(0));
                let abcd = self.source_x(i.a);
                self.pshufd(t, abcd, 0x1b);
                // sha1rnds4
                self.asm
                    .op(Pp::None, Map::M0f3a, 0xcc, false, t, Rm::R(u), false, false);
                self.asm.bytes(&[i.imm as u8]);
                let d = self.dst_x(v, NONE);
                self.pshufd(d, Rm::R(t), 0x1b);
                self.define_x(v, d, 128);
            }
            Op::Sha256Abcd | Op::Sha256Efgh => {
                let (abcd, efgh) = (self.reg_x(i.a), self.reg_x(i.b));
                let (t, u) = (self.temp_x(), self.temp_x());
                let wk = self.source_x(i.c);
                self.load_x(128, 0, wk);
                // cdgh and abef from the top.
                self.vex3((Map::M0f, 0x6d), t, efgh, Rm::R(abcd));
                self.vex3((Map::M0f, 0x6c), u, efgh, Rm::R(abcd));
                self.pshufd(t, Rm::R(t), 0xb1);
                self.pshufd(u, Rm::R(u), 0xb1);
                // Two rounds each; the words are in xmm0.
                self.sha_insn(0xcb, t, u);
                self.pshufd(0, Rm::R(0), 0x0e);
                self.sha_insn(0xcb, u, t);
                let d = self.dst_x(v, NONE);
                let sel = if i.op == Op::Sha256Abcd { 0xbb } else { 0x11 };
                self.asm
                    .vexi(Pp::None, Map::M0f, false, 0xc6, d, u, Rm::R(t), sel);
                self.define_x(v, d, 128);
            }
            Op::Sha256Su0 => {
                let (a, b) = (self.reg_x(i.a), self.reg_x(i.b));
                let t = self.temp_x();
                self.mov_x(t, a);
                self.sha_insn(0xcc, t, b);
                self.define_x(v, t, 128);
            }
            _ => {
                let (n, m) = (self.reg_x(i.b), self.reg_x(i.c));
                let t = self.temp_x();
                self.asm
                    .vexi(Pp::P66, Map::M0f3a, false, 0x0f, t, m, Rm::R(n), 4);
                let d = self.source_x(i.a);
                self.vex3((Map::M0f, 0xfe), t, t, d);
                self.sha_insn(0xcd, t, m);
                self.define_x(v, t, 128);
            }
        }
    }
}
