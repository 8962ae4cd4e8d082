//! Calls of helpers.

use super::asm::Mem;
use super::asm::{RAX, Rm};
use super::codegen::Gen;
use super::layout;
use crate::host::code::{Entry, Reloc};
use crate::ir::{Inst, Kind, NONE, Op, Val};

impl Gen<'_> {
    /// Stores an operand where a helper finds it.
    fn pass(&mut self, n: usize, v: Val) {
        if v == NONE {
            return;
        }
        let m = layout::arg(n);
        if self.get(v).op.kind() == Kind::Wide {
            let r = self.reg_x(v);
            self.store_x(128, m, r);
            return;
        }
        let r = self.reg(v);
        self.asm.mov_mr(64, m, r);
        self.asm.mov_mi(
            64,
            Mem {
                disp: m.disp + 8,
                ..m
            },
            0,
        );
    }

    /// An operation by its meaning in `ir::eval`, or a helper of the guest.
    pub fn call_helper(&mut self, v: Val, i: &Inst) {
        for (n, x) in [i.a, i.b, i.c].into_iter().enumerate() {
            self.pass(n, x);
        }
        self.helper_call(i);
        match i.op.kind() {
            Kind::General if self.live.at[v as usize].last != 0 => {
                let d = self.dst(v, NONE);
                self.asm.mov(64, d, layout::arg(0));
                self.define(v, d);
            }
            Kind::Wide => {
                let d = self.dst_x(v, NONE);
                self.load_x(128, d, Rm::M(layout::arg(0)));
                self.define_x(v, d, 128);
            }
            _ => {}
        }
    }

    /// The call itself; preserves everything but rax and xmm0. The code, the operation and the immediate
    /// travel in the state's `host` words.
    pub fn helper_call(&mut self, i: &Inst) {
        let (r, sel) = match i.op {
            Op::Call | Op::CallX | Op::AskX => (Reloc::Helper(self.blk.helpers[i.h as usize]), 0),
            _ => (
                Reloc::Eval,
                i32::from(i.op as u8) | i32::from(i.w) << 8 | 1 << 16,
            ),
        };
        let imm = i.imm | self.standard;
        if let Ok(k) = i32::try_from(imm as i64) {
            self.asm
                .mov_mi(64, layout::host(super::runtime::HELPER_IMM), k);
        } else {
            self.asm.mov_ri(RAX, imm);
            self.asm
                .mov_mr(64, layout::host(super::runtime::HELPER_IMM), RAX);
        }
        self.asm
            .mov_mi(64, layout::host(super::runtime::HELPER_SEL), sel);
        // movabs rax, imm64
        self.asm.bytes(&[0x48, 0xb8]);
        let at = self.here();
        self.asm.bytes(&[0; 8]);
        self.reloc(at, r);
        self.call_entry(match i.op {
            Op::Call | Op::CallX => Entry::Helper,
            o if o.is_float() => Entry::FloatEval,
            _ => Entry::Eval,
        });
    }
}
