//! The accrued floating-point exceptions as a value. They are MXCSR's, whose order is another one.

use super::asm::{Alu, Map, Mem, Pp, RAX, Reg, Rm, cc};
use super::codegen::Gen;
use super::layout::{self, host};
use super::runtime::{csr, guest_env};
use crate::ir::float::{self, STICKY};
use crate::ir::{Inst, NONE, Val};

/// MXCSR's flags but the one that no guest has.
const FLAGS: i32 = (STICKY & 0x3f & !float::DENORMAL) as i32;

impl Gen<'_> {
    /// Turns eight bits around, and leaves out those that are not flags: each becomes a byte on the way.
    fn reorder(&mut self, d: Reg, from: Reg, spread: Mem, gather: Mem) {
        // pdep, bswap, pext
        self.asm
            .vex(Pp::F2, Map::M0f38, true, 0xf5, d, from, Rm::M(spread));
        self.asm.bswap(64, d);
        self.asm
            .vex(Pp::F3, Map::M0f38, true, 0xf5, d, d, Rm::M(gather));
    }

    pub(super) fn accrued(&mut self, v: Val) {
        csr(&mut self.asm, false, layout::host(host::ACCRUED));
        self.accrued = v;
        if self.live.at[v as usize].last == 0 {
            return;
        }
        let d = self.dst(v, NONE);
        self.asm.mov(32, RAX, layout::host(host::ACCRUED));
        let (bits, flags) = (layout::host(host::BITS), layout::host(host::BITS + 1));
        self.reorder(d, RAX, bits, flags);
        self.define(v, d);
    }

    /// Writes MXCSR only if that changes a flag, as reading it takes a tenth of the time. A comparison with quiet NaNs is made
    /// of one that signals by reading the exceptions before and writing them after it.
    pub(super) fn accrue(&mut self, i: &Inst) {
        if i.a == self.accrued {
            self.asm.mov(32, RAX, layout::host(host::ACCRUED));
        } else {
            let a = self.reg(i.a);
            let (bits, flags) = (layout::host(host::BITS), layout::host(host::BITS + 1));
            self.reorder(RAX, a, flags, bits);
        }
        csr(&mut self.asm, false, layout::host(host::ENV));
        self.asm.alu(Alu::Xor, 32, RAX, layout::host(host::ENV));
        self.asm.alu_i(Alu::And, 32, Rm::R(RAX), FLAGS);
        let f = self.asm.jcc(cc::NE);
        let (from, back) = (self.fixup_at(f), self.here());
        let mut to = back;
        self.cold(|g| {
            to = g.here();
            guest_env(&mut g.asm, false);
            g.asm.alu_mr(Alu::Xor, 32, layout::fpenv(), RAX);
            guest_env(&mut g.asm, true);
            let f = g.asm.jmp();
            let at = g.fixup_at(f);
            g.bind(at, back);
        });
        self.bind(from, to);
    }
}
