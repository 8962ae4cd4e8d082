//! What is inline: instructions without a mask, in blocks that know vtype, for as many elements as there can be. When there are
//! fewer, the interpreter is asked for that instruction, which has the helpers.

use super::super::csr::rounding;
use super::super::insn::{Insn, VECTORS, address, f, mode, slot, x};
use super::unit::{Type, log2};
use crate::decode::Bits;
use crate::ir::sem::Sem;
use crate::ir::{Op, Trap};
use crate::riscv::features;

/// The configuration of a block, and how many pieces of 128 bits its groups have.
#[derive(Clone, Copy)]
struct Known {
    sew: u8,
    /// Registers of a group.
    size: u32,
    /// Pieces of a register.
    per: u32,
    most: u64,
}

/// None: it is not known, or a group is less than a register.
fn known<S: Sem>(i: Insn) -> Option<Known> {
    if S::STEPS || i.mode & mode::TYPED == 0 || !i.bit(25) {
        return None;
    }
    let t = Type::of(u64::from(i.mode >> mode::TYPE & 0x1ff))?;
    let log = features::log_bytes(i.features);
    (t.lmul >= 0).then(|| Known {
        sew: t.sew as u8,
        size: 1 << t.lmul,
        per: 1 << (log - 4),
        most: t.most(log),
    })
}

impl Known {
    /// The `n`-th piece of the group that begins with `reg`.
    fn piece(self, reg: u32, n: u32) -> u16 {
        VECTORS + (reg * self.per + n) as u16
    }

    /// Groups of so many pieces are worth it.
    fn pieces(self) -> Option<u32> {
        (self.size * self.per <= 8).then_some(self.size * self.per)
    }

    fn aligned(self, regs: &[u32]) -> bool {
        regs.iter().all(|r| r.is_multiple_of(self.size))
    }
}

/// Leaves if there are not all elements; or something else holds.
fn all_or_leave<S: Sem>(s: &mut S, i: Insn, k: Known, or: Option<S::V>) {
    let (vl, most) = (s.get(slot::VL), s.konst(k.most));
    let fewer = s.op2(Op::Xor, 64, vl, most);
    let start = s.get(slot::VSTART);
    let mut bad = s.op2(Op::Or, 64, fewer, start);
    if let Some(or) = or {
        bad = s.op2(Op::Or, 64, bad, or);
    }
    let bad = s.not_zero(64, bad);
    s.trap_if(bad, Trap::Step, 0, i.pc);
}

/// vs1, or the scalar in all lanes.
enum Second<V> {
    Group(u32),
    All(V),
}

fn second<S: Sem>(s: &mut S, k: Known, from: &Second<S::V>, n: u32) -> S::V {
    match *from {
        Second::Group(reg) => s.get_x(k.piece(reg, n)),
        Second::All(v) => v,
    }
}

/// The second operand of an integer instruction; `unsigned`: an immediate that is not signed.
fn operand<S: Sem>(s: &mut S, i: Insn, k: Known) -> Second<S::V> {
    let v = match i.funct3() {
        0 | 2 => return Second::Group(i.rs1()),
        3 => s.konst(i64::from(i.signed(15, 5)) as u64),
        _ => {
            let v = x(s, i.rs1());
            s.op1(Op::Sext, i.xlen, v)
        }
    };
    Second::All(s.op1(Op::VDupG, k.sew, v))
}

/// What becomes of a piece of vs2, one of the second operand and the old one of vd.
type Lanes<'a, S> =
    &'a mut dyn FnMut(&mut S, <S as Sem>::V, <S as Sem>::V, <S as Sem>::V) -> <S as Sem>::V;

/// `f` for each piece of vs2 and the second operand.
fn pieces<S: Sem>(s: &mut S, i: Insn, k: Known, from: Second<S::V>, count: u32, f: Lanes<'_, S>) {
    all_or_leave(s, i, k, None);
    for n in 0..count {
        let a = s.get_x(k.piece(i.rs2(), n));
        let b = second(s, k, &from, n);
        let d = s.get_x(k.piece(i.rd(), n));
        let r = f(s, a, b, d);
        s.set_x(k.piece(i.rd(), n), r);
    }
}

/// What there is of OPI.
pub fn integer<S: Sem>(s: &mut S, i: Insn) -> bool {
    let Some((k, count)) = known::<S>(i).and_then(|k| Some((k, k.pieces()?))) else {
        return false;
    };
    let funct6 = i.f(26, 6);
    let groups = [i.rd(), i.rs2(), if i.funct3() == 0 { i.rs1() } else { 0 }];
    let shift = matches!(funct6, 0x25 | 0x28 | 0x29);
    let op = match funct6 {
        0x00 => Op::VAdd,
        0x02 | 0x03 => Op::VSub,
        0x04 => Op::VMinU,
        0x05 => Op::VMinS,
        0x06 => Op::VMaxU,
        0x07 => Op::VMaxS,
        0x09 => Op::VAnd,
        0x0a => Op::VOr,
        0x0b => Op::VXor,
        // VMV.V.*: vs2 is none.
        0x17 if i.rs2() == 0 => Op::VOr,
        0x25 if i.funct3() == 3 => Op::VShl,
        0x28 if i.funct3() == 3 => Op::VShrU,
        0x29 if i.funct3() == 3 => Op::VShrS,
        _ => return false,
    };
    if !k.aligned(&groups) {
        return false;
    }
    let from = operand(s, i, k);
    // Of fields, a shift has as many bits as the width needs.
    let amount = u64::from(i.rs1()) & u64::from(k.sew - 1);
    pieces(s, i, k, from, count, &mut |s, a, b, _| match funct6 {
        0x03 => s.op2(op, k.sew, b, a),
        0x17 => b,
        _ if shift && amount == 0 => a,
        _ if shift => s.op1i(op, k.sew, a, amount),
        0x09..=0x0b => s.op2(op, 128, a, b),
        _ => s.op2(op, k.sew, a, b),
    });
    true
}

/// Of OPM: products.
pub fn multiply<S: Sem>(s: &mut S, i: Insn) -> bool {
    let Some((k, count)) = known::<S>(i).and_then(|k| Some((k, k.pieces()?))) else {
        return false;
    };
    let (funct6, vector) = (i.f(26, 6), i.funct3() == 2);
    let groups = [i.rd(), i.rs2(), if vector { i.rs1() } else { 0 }];
    if !matches!(funct6, 0x25 | 0x2d) || k.sew == 64 || k.sew == 8 || !k.aligned(&groups) {
        return false;
    }
    let from = operand(s, i, k);
    pieces(s, i, k, from, count, &mut |s, a, b, d| {
        let p = s.op2(Op::VMul, k.sew, a, b);
        if funct6 == 0x25 {
            p
        } else {
            s.op2(Op::VAdd, k.sew, p, d)
        }
    });
    true
}

/// Of OPF: arithmetic in single and double precision.
pub fn float<S: Sem>(s: &mut S, i: Insn) -> bool {
    let Some((k, count)) = known::<S>(i).and_then(|k| Some((k, k.pieces()?))) else {
        return false;
    };
    let (funct6, vector) = (i.f(26, 6), i.funct3() == 1);
    let groups = [i.rd(), i.rs2(), if vector { i.rs1() } else { 0 }];
    let op = match funct6 {
        0x00 => Op::VFpAdd,
        0x02 => Op::VFpSub,
        0x20 => Op::VFpDiv,
        0x24 => Op::VFpMul,
        0x28..=0x2f => Op::VFpFma,
        _ => return false,
    };
    if k.sew < 32 || i.frm >= rounding::AWAY || !k.aligned(&groups) {
        return false;
    }
    let from = if vector {
        Second::Group(i.rs1())
    } else {
        let mut v = f(s, i.rs1());
        if k.sew == 32 {
            v = s.op1(Op::VUnbox, 32, v);
        }
        Second::All(s.op1i(Op::VDupLane, k.sew, v, 0))
    };
    let signs = [0, 3, 2, 1][funct6 as usize & 3];
    pieces(s, i, k, from, count, &mut |s, a, b, d| match funct6 {
        0x28..=0x2b => s.op(op, k.sew, [Some(d), Some(b), Some(a)], signs),
        0x2c..=0x2f => s.op(op, k.sew, [Some(a), Some(b), Some(d)], signs),
        _ => s.op2(op, k.sew, a, b),
    });
    true
}

/// Loads and stores of elements that follow each other, within a page: so the first one faults, or none.
pub fn access<S: Sem>(s: &mut S, i: Insn) -> bool {
    const PAGE: u64 = 4096;
    let Some(k) = known::<S>(i) else { return false };
    let width = [8, 0, 0, 0, 0, 16, 32, 64][i.funct3() as usize];
    // Fields, modes and kinds.
    if i.f(26, 6) != 0 || i.rs2() != 0 {
        return false;
    }
    let shift = log2(width) - log2(k.sew.into());
    let size = if shift >= 0 {
        k.size << shift
    } else {
        k.size >> -shift
    };
    let count = size * k.per;
    if size == 0 || count > 8 || !i.rd().is_multiple_of(size) {
        return false;
    }
    let base = x(s, i.rs1());
    // Whether it reaches the page's last bytes.
    let last = s.and_k(64, base, PAGE - 1);
    let crosses = s.add_k(64, last, u64::from(16 * count) - 1);
    let crosses = s.and_k(64, crosses, PAGE);
    all_or_leave(s, i, k, Some(crosses));
    for n in 0..count {
        let at = address(s, i, i.rs1(), i64::from(16 * n));
        let piece = k.piece(i.rd(), n);
        if i.bit(5) {
            let v = s.get_x(piece);
            s.store_x(128, at, v);
        } else {
            let v = s.load_x(128, at);
            s.set_x(piece, v);
        }
    }
    true
}
