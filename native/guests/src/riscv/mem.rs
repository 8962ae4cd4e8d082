//! Loads and stores. Misaligned ones are as good as others.

use super::insn::{Insn, address, done, f, set_fp, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;

/// LB ... LWU: the width, and bit 14 for unsigned ones.
pub fn load<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = 8 << i.f(12, 2);
    let addr = address(s, i, i.rs1(), i.imm_i());
    let sx = if i.bit(14) || w == i.xlen { 0 } else { i.xlen };
    let v = s.load(w, sx, addr);
    done(s, i, v)
}

pub fn store<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = 8 << i.f(12, 2);
    let addr = address(s, i, i.rs1(), i.imm_s());
    let v = x(s, i.rs2());
    s.store(w, addr, v);
    Lift::Next
}

/// FLH, FLW, FLD.
pub fn load_fp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = 8 << i.f(12, 2);
    let addr = address(s, i, i.rs1(), i.imm_i());
    let v = s.load_x(w, addr);
    set_fp(s, w, i.rd(), v);
    Lift::Next
}

/// FSH, FSW, FSD: the bits as they are.
pub fn store_fp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = 8 << i.f(12, 2);
    let addr = address(s, i, i.rs1(), i.imm_s());
    let v = f(s, i.rs2());
    s.store_x(w, addr, v);
    Lift::Next
}

/// CBO.CLEAN, CBO.FLUSH: an address that can be read.
pub fn block<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = address(s, i, i.rs1(), 0);
    s.load(8, 0, addr);
    Lift::Next
}

/// Bytes that CBO.ZERO clears.
pub const ZERO_BLOCK: u64 = 64;

pub fn zero_block<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let base = x(s, i.rs1());
    let start = s.and_k(i.xlen, base, !(ZERO_BLOCK - 1));
    let zero = s.wide(0);
    for n in 0..ZERO_BLOCK / 16 {
        let addr = s.address(i.xlen, start, 16 * n);
        s.store_x(128, addr, zero);
    }
    Lift::Next
}
