//! Loads and stores. The kernel makes misaligned accesses for programs; here they are as good as others, but for LL and SC.

use super::fp;
use super::insn::{Insn, address, done, done_w, extended, k, mode, set, x};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// A load of `w` bits into register `n`.
fn load_to<S: Sem>(s: &mut S, i: Insn, w: u8, signed: bool, addr: S::V, n: u32) -> Lift {
    let sx = if signed && w < i.xlen() { i.xlen() } else { 0 };
    let v = s.load(w, sx, addr);
    done(s, i, n, v)
}

/// LB, LH, LW, LBU, LHU, LWU: bits 27-26 and 28.
pub fn load<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = [8, 16, 0, 32][i.f(26, 2) as usize];
    let addr = address(s, i, w, i.rs(), i.imm(), false);
    load_to(s, i, w, !i.bit(28), addr, i.rt())
}

pub fn load_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = address(s, i, 64, i.rs(), i.imm(), false);
    load_to(s, i, 64, false, addr, i.rt())
}

/// SB, SH, SW.
pub fn store<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = [8, 16, 0, 32][i.f(26, 2) as usize];
    let addr = address(s, i, w, i.rs(), i.imm(), true);
    let v = x(s, i.rt());
    s.store(w, addr, v);
    Lift::Next
}

pub fn store_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let addr = address(s, i, 64, i.rs(), i.imm(), true);
    let v = x(s, i.rt());
    s.store(64, addr, v);
    Lift::Next
}

/// What a part of a word is about: its width, whether it is the left part, the block that it is in and the byte in it.
struct Part<V> {
    w: u8,
    left: bool,
    addr: V,
    block: V,
    byte: V,
}

fn part<S: Sem>(s: &mut S, i: Insn, w: u8, left: bool) -> Part<S::V> {
    let base = x(s, i.rs());
    let offset = k(s, i, i.imm());
    let addr = s.op2(Op::Add, i.xlen(), base, offset);
    let last = u64::from(w / 8 - 1);
    Part {
        w,
        left,
        addr,
        block: s.and_k(i.xlen(), addr, !last),
        byte: s.and_k(i.xlen(), addr, last),
    }
}

impl<V: Copy> Part<V> {
    /// The part reaches from the block's byte to its end in memory, or else from its start to the byte.
    fn to_end(&self, i: Insn) -> bool {
        self.left == i.guest.big_endian
    }

    /// How many bytes of the block are not in the part, in bits.
    fn missing<S: Sem<V = V>>(&self, s: &mut S, i: Insn) -> V {
        let bits = s.shift_k(Op::Shl, self.w, self.byte, 3);
        if self.to_end(i) {
            return bits;
        }
        let all = s.konst(u64::from(self.w) - 8);
        s.op2(Op::Xor, self.w, bits, all)
    }
}

/// LWL, LWR; LDL, LDR: a part of a register from the bytes at an address up to the end of their word.
fn load_part<S: Sem>(s: &mut S, i: Insn, w: u8, left: bool) -> Lift {
    let p = part(s, i, w, left);
    let by = p.missing(s, i);
    let (old, ones) = (x(s, i.rt()), s.konst(crate::ir::eval::mask(w)));
    let v = s.load(w, 0, p.block);
    let op = if left { Op::Shl } else { Op::Shr };
    let (v, kept) = (s.op2(op, w, v, by), s.op2(op, w, ones, by));
    let rest = s.op2(Op::Andn, w, old, kept);
    let v = s.op2(Op::Or, w, rest, v);
    super::insn::result(s, i, w, i.rt(), v)
}

pub fn load_left<S: Sem>(s: &mut S, i: Insn) -> Lift {
    load_part(s, i, 32, true)
}

pub fn load_right<S: Sem>(s: &mut S, i: Insn) -> Lift {
    load_part(s, i, 32, false)
}

pub fn load_left_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    load_part(s, i, 64, true)
}

pub fn load_right_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    load_part(s, i, 64, false)
}

/// SWL, SWR; SDL, SDR. Not a byte of the word that is not stored is touched: it may be another thread's.
fn store_part<S: Sem>(s: &mut S, i: Insn, w: u8, left: bool) -> Lift {
    let p = part(s, i, w, left);
    let size = u64::from(w / 8);
    let (start, count) = if p.to_end(i) {
        let all = s.konst(size);
        (p.addr, s.op2(Op::Sub, w, all, p.byte))
    } else {
        (p.block, s.add_k(w, p.byte, 1))
    };
    let mut v = x(s, i.rt());
    if left {
        // The highest bytes.
        let by = p.missing(s, i);
        v = s.op2(Op::Shr, w, v, by);
    }
    let mut z = size;
    while z != 0 {
        let bit = s.and_k(w, count, z);
        let has = s.not_zero(w, bit);
        // Of a number of 7 bytes the first 4, the 2 behind these, the last one.
        let before = s.and_k(w, count, (size - 1) & !(2 * z - 1));
        let behind = s.and_k(w, count, z - 1);
        let shift = if i.guest.big_endian { behind } else { before };
        let shift = s.shift_k(Op::Shl, w, shift, 3);
        let piece = s.op2(Op::Shr, w, v, shift);
        let at = s.op2(Op::Add, i.xlen(), start, before);
        s.when(has);
        s.store(8 * z as u8, at, piece);
        s.unguard();
        z /= 2;
    }
    Lift::Next
}

pub fn store_left<S: Sem>(s: &mut S, i: Insn) -> Lift {
    store_part(s, i, 32, true)
}

pub fn store_right<S: Sem>(s: &mut S, i: Insn) -> Lift {
    store_part(s, i, 32, false)
}

pub fn store_left_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    store_part(s, i, 64, true)
}

pub fn store_right_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    store_part(s, i, 64, false)
}

/// The offset of what release 6 moved to SPECIAL3.
fn short_offset(i: Insn) -> i64 {
    if i.f(26, 6) == 0x1f {
        i64::from(i.signed(7, 9))
    } else {
        i.imm()
    }
}

fn linked<S: Sem>(s: &mut S, i: Insn, w: u8) -> Lift {
    let base = x(s, i.rs());
    let offset = k(s, i, short_offset(i));
    let addr = s.op2(Op::Add, i.xlen(), base, offset);
    s.aligned(w, addr, false);
    let v = s.load_ex(w, addr);
    if w == 32 {
        done_w(s, i, i.rt(), v)
    } else {
        done(s, i, i.rt(), v)
    }
}

fn conditional<S: Sem>(s: &mut S, i: Insn, w: u8) -> Lift {
    let base = x(s, i.rs());
    let offset = k(s, i, short_offset(i));
    let addr = s.op2(Op::Add, i.xlen(), base, offset);
    s.aligned(w, addr, true);
    let v = x(s, i.rt());
    let failed = s.store_ex(w, addr, v);
    let one = s.konst(1);
    let stored = s.op2(Op::Xor, 32, failed, one);
    set(s, i, i.rt(), stored);
    Lift::Next
}

/// LL, SC, LLD, SCD: aligned, and with an order of their own only by SYNC.
pub fn load_linked<S: Sem>(s: &mut S, i: Insn) -> Lift {
    linked(s, i, 32)
}

pub fn load_linked_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    linked(s, i, 64)
}

pub fn store_conditional<S: Sem>(s: &mut S, i: Insn) -> Lift {
    conditional(s, i, 32)
}

pub fn store_conditional_double<S: Sem>(s: &mut S, i: Insn) -> Lift {
    conditional(s, i, 64)
}

/// The width of LWC1 and the like and their register: an odd one of a pair stands for the pair (open in the manual; as in qemu).
fn fp_operand(i: Insn) -> (u8, u32) {
    let w = if i.bit(28) { 64 } else { 32 };
    let n = i.rt();
    (w, if fp::exists(i, w, n) { n } else { n & !1 })
}

/// LWC1, LDC1.
pub fn load_fp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, n) = fp_operand(i);
    let addr = address(s, i, w, i.rs(), i.imm(), false);
    let v = s.load_x(w, addr);
    fp::set_register(s, i, w, n, v);
    Lift::Next
}

/// SWC1, SDC1.
pub fn store_fp<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (w, n) = fp_operand(i);
    let addr = address(s, i, w, i.rs(), i.imm(), true);
    let v = fp::register(s, i, w, n);
    s.store_x(w, addr, v);
    Lift::Next
}

/// The sum of two registers, for LUXC1 and SUXC1 without its lowest bits.
fn indexed<S: Sem>(s: &mut S, i: Insn, w: u8, write: bool) -> S::V {
    let (a, b) = (x(s, i.rs()), x(s, i.rt()));
    let sum = s.op2(Op::Add, i.xlen(), a, b);
    if i.bit(2) {
        return s.and_k(i.xlen(), sum, !7);
    }
    if i.mode & mode::STRICT != 0 {
        s.aligned(w, sum, write);
    }
    sum
}

/// A load at the sum of two registers into a general one.
pub fn load_indexed<S: Sem>(s: &mut S, i: Insn, w: u8, signed: bool) -> Lift {
    let addr = indexed(s, i, w, false);
    load_to(s, i, w, signed, addr, i.rd())
}

/// LWXC1, LDXC1, LUXC1.
pub fn load_fp_indexed<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(0) { 64 } else { 32 };
    // LUXC1 and SUXC1 are for registers of 64 bits.
    if !fp::exists(i, w, i.sa()) || (i.bit(2) && !i.fr()) {
        return Lift::Undefined;
    }
    let addr = indexed(s, i, w, false);
    let v = s.load_x(w, addr);
    fp::set_register(s, i, w, i.sa(), v);
    Lift::Next
}

/// SWXC1, SDXC1, SUXC1.
pub fn store_fp_indexed<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let w = if i.bit(0) { 64 } else { 32 };
    // LUXC1 and SUXC1 are for registers of 64 bits.
    if !fp::exists(i, w, i.rd()) || (i.bit(2) && !i.fr()) {
        return Lift::Undefined;
    }
    let addr = indexed(s, i, w, true);
    let v = fp::register(s, i, w, i.rd());
    s.store_x(w, addr, v);
    Lift::Next
}

/// LWPC, LWUPC, LDPC (release 6).
pub fn load_pc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (at, w, signed) = if i.f(19, 2) == 3 {
        let offset = i64::from(i.signed(0, 18)) << 3;
        ((i.pc & !7).wrapping_add(offset as u64), 64, false)
    } else {
        let offset = i64::from(i.signed(0, 19)) << 2;
        (i.pc.wrapping_add(offset as u64), 32, i.f(19, 2) == 1)
    };
    let addr = s.konst(i.address(at));
    let v = s.load(w, 0, addr);
    let v = if signed { extended(s, i, v) } else { v };
    done(s, i, i.rs(), v)
}
