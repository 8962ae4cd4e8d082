//! What is inline where vectors have up to 256 bits: a vector is one or two pieces of 128 bits, and its predicates are within one
//! word. An access with a predicate that is not simple is for the interpreter.

use super::super::insn::{Insn, UPPER, set, slot, x, xsp};
use crate::decode::{self, Bits, Fields, Index};
use crate::ir::flags::{C, N, Z};
use crate::ir::sem::Sem;
use crate::ir::{Op, Trap};

/// How an instruction sees its vectors.
#[derive(Clone, Copy)]
pub struct Form {
    pub i: Insn,
    /// Quadwords of a vector: 1 or 2.
    pub quads: u16,
    /// Bits of an element.
    pub w: u8,
}

impl Form {
    /// None: vectors are longer than what is inline, or each instruction is computed by itself.
    #[must_use]
    pub fn of<S: Sem>(i: Insn) -> Option<Self> {
        let quads = i.quads();
        (!S::STEPS && quads <= 2).then(|| Self {
            i,
            quads,
            w: 8 << i.f(22, 2),
        })
    }

    fn piece(self, n: u32, k: u16) -> u16 {
        if k == 0 {
            n as u16
        } else {
            UPPER + n as u16 * (self.quads - 1) + k - 1
        }
    }
    pub fn z<S: Sem>(self, s: &mut S, n: u32, k: u16) -> S::V {
        s.get_x(self.piece(n, k))
    }
    pub fn put<S: Sem>(self, s: &mut S, n: u32, k: u16, v: S::V) {
        s.set_x(self.piece(n, k), v);
    }
    /// Elements of a vector, and of a piece.
    fn count(self) -> u64 {
        u64::from(self.quads) * self.lanes()
    }
    fn lanes(self) -> u64 {
        128 / u64::from(self.w)
    }
    /// A predicate with all elements.
    fn full(self) -> u64 {
        let step = u64::from(self.w / 8);
        (0..self.count()).fold(0, |p, i| p | 1 << (i * step))
    }
    fn p<S: Sem>(self, s: &mut S, n: u32) -> S::V {
        s.get(slot::PREDICATES + n as u16)
    }
    fn put_p<S: Sem>(self, s: &mut S, n: u32, v: S::V) {
        s.set(slot::PREDICATES + n as u16, v);
    }
    fn g(self) -> u32 {
        self.i.f(10, 3)
    }

    /// All ones in the lanes of piece `k` that a predicate has.
    fn mask<S: Sem>(self, s: &mut S, p: S::V, k: u16) -> S::V {
        let part = if k == 0 {
            p
        } else {
            s.shift_k(Op::Shr, 64, p, 16)
        };
        let step = u32::from(self.w / 8);
        let bits = (0..16 / step).fold(0u128, |v, i| {
            let bit = if step == 1 { i % 8 } else { i * step };
            v | 1 << bit << (i * u32::from(self.w))
        });
        let bits = s.wide(bits);
        let lanes = if self.w == 8 {
            let v = s.op1(Op::VFromG, 64, part);
            let spread = s.wide(0x0101_0101_0101_0101_u128 << 64);
            s.op2(Op::VTbl1, 8, v, spread)
        } else {
            s.op1(Op::VDupG, self.w, part)
        };
        let on = s.op2(Op::VAnd, 128, lanes, bits);
        s.op2(Op::VCmpEq, self.w, on, bits)
    }

    /// The bits of a predicate by lanes that are all ones or 0.
    fn bits<S: Sem>(self, s: &mut S, lanes: &[S::V]) -> S::V {
        let low = s.op1(Op::VMask, 16, lanes[0]);
        match lanes.get(1) {
            None => low,
            Some(&high) => {
                let high = s.op1(Op::VMask, 16, high);
                let high = s.shift_k(Op::Shl, 64, high, 16);
                s.op2(Op::Or, 64, low, high)
            }
        }
    }

    /// The flags of PredTest.
    fn test<S: Sem>(self, s: &mut S, g: S::V, r: S::V) {
        // The lowest active one, and how many zeros are above the highest ones.
        let minus = s.op1(Op::Neg, 64, g);
        let lowest = s.op2(Op::And, 64, g, minus);
        let first = s.op2(Op::And, 64, lowest, r);
        let first = s.not_zero(64, first);
        let (a, b) = (s.op1(Op::Clz, 64, g), s.op1(Op::Clz, 64, r));
        let differ = s.op2(Op::Xor, 64, a, b);
        let differ = s.not_zero(64, differ);
        let none = s.is_zero(64, r);
        let nothing = s.is_zero(64, g);
        let last = s.op2(Op::Or, 64, differ, nothing);
        let place =
            |s: &mut S, v: S::V, bit: u64| s.shift_k(Op::Shl, 64, v, bit.trailing_zeros().into());
        let (n, z, c) = (place(s, first, N), place(s, none, Z), place(s, last, C));
        let all = s.op2(Op::Or, 64, n, z);
        let all = s.op2(Op::Or, 64, all, c);
        let f = s.op1(Op::FPack, 16, all);
        s.set_f(f);
    }
}

/// The lifters, each with its encodings. They answer whether they were able to.
macro_rules! inline {
    ($($pattern:literal $path:path;)*) => {
        const LINES: &[decode::Line] = &[$(decode::Line {
            mask: decode::parse($pattern, 32, b'm'),
            value: decode::parse($pattern, 32, b'v'),
            number: 0,
        }),*];
        struct Lifters<S>(std::marker::PhantomData<S>);
        impl<S: Sem> Lifters<S> {
            const ALL: [fn(&mut S, Form) -> bool; LINES.len()] = [$($path),*];
        }
    };
}

inline! {
    // Arithmetic without a predicate.
    "00000100 zz 1 mmmmm 00000o nnnnn ddddd" add_sub;
    "00000100 zz 1 mmmmm 0001oo nnnnn ddddd" saturating;
    "00000100 zz 1 mmmmm 001100 nnnnn ddddd" logic;
    "00000100 zz 1 iiiii 010000 iiiii ddddd" index;
    "00000100 zz 1 iiiii 010001 nnnnn ddddd" index;
    "00000100 zz 1 mmmmm 010010 iiiii ddddd" index;
    "00000100 zz 1 mmmmm 010011 nnnnn ddddd" index;
    "00000100 zz 1 mmmmm 011000 nnnnn ddddd" mul;
    "00000100 zz 1 zziii 1001oo nnnnn ddddd" shift_imm;
    "00000100 00 1 00000 101111 nnnnn ddddd" move_all;
    "00100101 zz 10000o 11 h iiiiiiii ddddd" add_imm;
    "00100101 zz 1010oo 110 iiiiiiii ddddd" min_max_imm;
    "00100101 zz 110000 110 iiiiiiii ddddd" mul_imm;
    "00100101 zz 111000 11 h iiiiiiii ddddd" dup_imm;
    "00000101 zz 100000 001110 nnnnn ddddd" dup;
    "00000101 zz 1 mmmmm 0110oo nnnnn ddddd" zip_uzp;
    "00000101 zz 1 mmmmm 01110o nnnnn ddddd" trn;
    "00000101 zz 1100oo 001110 nnnnn ddddd" unpack;
    // With one.
    "00000100 zz 0000oo 000 ggg mmmmm ddddd" add_sub_p;
    "00000100 zz 0010oo 000 ggg mmmmm ddddd" min_max_p;
    "00000100 zz 010000 000 ggg mmmmm ddddd" mul_p;
    "00000100 zz 0110oo 000 ggg mmmmm ddddd" logic_p;
    "00000100 zz 0 mmmmm 01o ggg nnnnn ddddd" mla;
    "00000100 zz 0 mmmmm 11o ggg aaaaa ddddd" mad;
    "00000100 zz 010o11 101 ggg nnnnn ddddd" neg_p;
    "00000100 zz 010110 101 ggg nnnnn ddddd" neg_p;
    "00000101 zz 1 mmmmm 11 gggg nnnnn ddddd" sel;
    "00000101 zz 101000 101 ggg nnnnn ddddd" dup_p;
    "00000101 zz 01 gggg 0 M h iiiiiiii ddddd" dup_imm_p;
    // Floating point.
    "01100101 zz 0 mmmmm 0000oo nnnnn ddddd" fp;
    "01100101 zz 0000oo 100 ggg mmmmm ddddd" fp_p;
    "01100101 zz 00110o 100 ggg mmmmm ddddd" fp_p;
    "01100101 zz 1 mmmmm ooo ggg nnnnn ddddd" fma;
    // Comparisons and predicates.
    "00100100 zz 0 mmmmm 000 ggg nnnnn o dddd" compare;
    "00100100 zz 0 mmmmm 100 ggg nnnnn o dddd" compare;
    "00100100 zz 0 mmmmm 101 ggg nnnnn o dddd" compare;
    "00100101 zz 0 iiiii o0o ggg nnnnn o dddd" compare;
    "00100100 zz 1 iiiiiii o ggg nnnnn o dddd" compare;
    "00100101 zz 1 mmmmm 000 f o1 nnnnn 0 dddd" while_less;
    "00100101 zz 011000 111000 ppppp 0 dddd" ptrue;
    "00100101 00 011000 111001 00000 0 dddd" pfalse;
    "00100101 01 010000 11 gggg 0 nnnn 0 0000" ptest;
    "00100101 oo 00 mmmm 01 gggg o nnnn o dddd" logic_of_predicates;
    "00100101 zz 010000 01 gggg 0 nnnn 0 dddd" brk;
    "00100101 00 101100 1001000 0000 00000" setffr;
    "00100101 00 101000 1001000 nnnn 00000" wrffr;
    "00100101 0s 011000 1111000 nnnn 0 dddd" rdffr_p;
    "00100101 00 011001 111100 00000 0 dddd" rdffr;
    "00100101 zz 100000 10 gggg 0 nnnn ddddd" cntp;
    "00100101 zz 10110 o 10001 00 nnnn ddddd" incp;
    "00000100 zz 10 iiii 111000 ppppp ddddd" count;
    "00000100 zz 11 iiii 11100 o ppppp ddddd" count;
    "00000100 101 11111 01010 iiiiii ddddd" length;
    // Accesses.
    "1010010 zzzz mmmmm 01 f ggg nnnnn ttttt" load;
    "1010010 zzzz 0 iiii 101 ggg nnnnn ttttt" load;
    "1010010 zz 00 mmmmm 110 ggg nnnnn ttttt" load_once;
    "1010010 zz 000 iiii 111 ggg nnnnn ttttt" load_once;
    "1000010 zz 1 iiiiii 1 zz ggg nnnnn ttttt" load_replicated;
    "10000101 10 iiiiii 010 iii nnnnn ttttt" whole;
    "11100101 10 iiiiii 010 iii nnnnn ttttt" whole;
    "1110010 zz zz mmmmm 010 ggg nnnnn ttttt" store;
    "1110010 zz zz 0 iiii 111 ggg nnnnn ttttt" store;
}

/// By bits 24-21 and 31-29.
const FIELDS: Fields = Fields {
    high: (21, 4),
    low: (29, 3),
};
const BUCKETS: usize = FIELDS.buckets() + 1;
const SORTED: [decode::Line; LINES.len()] = {
    let mut out = [decode::Line {
        mask: 0,
        value: 0,
        number: 0,
    }; LINES.len()];
    let mut n = 0;
    while n < LINES.len() {
        out[n] = decode::Line {
            number: n as u16,
            ..LINES[n]
        };
        n += 1;
    }
    out
};
static INDEX: Index<{ Index::<0, BUCKETS>::new(&SORTED, FIELDS).size() }, BUCKETS> =
    Index::new(&SORTED, FIELDS);

/// Lifts an instruction that is known to be one; false: it is not inline.
pub fn lift<S: Sem>(s: &mut S, i: Insn) -> bool {
    let Some(form) = Form::of::<S>(i) else {
        return false;
    };
    match INDEX.find(FIELDS, i.bits) {
        Some(n) => Lifters::<S>::ALL[n](s, form),
        None => false,
    }
}

/// What a piece becomes of two.
type Two<'a, S> = &'a mut dyn FnMut(&mut S, <S as Sem>::V, <S as Sem>::V) -> <S as Sem>::V;

/// Zd by Zn and Zm.
fn binary<S: Sem>(s: &mut S, f: Form, op: Two<'_, S>) -> bool {
    let mut all = Vec::new();
    for k in 0..f.quads {
        let (a, b) = (f.z(s, f.i.rn(), k), f.z(s, f.i.rm(), k));
        all.push(op(s, a, b));
    }
    for (k, v) in (0..).zip(all) {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

/// Zdn by it and Zm (bits 9-5), where Pg is.
fn destructive<S: Sem>(s: &mut S, f: Form, op: Two<'_, S>) -> bool {
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (a, b) = (f.z(s, f.i.rd(), k), f.z(s, f.i.rn(), k));
        let r = op(s, a, b);
        let m = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, r, a, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

fn add_sub<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = if f.i.bit(10) { Op::VSub } else { Op::VAdd };
    binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

fn saturating<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = [Op::VAddSatS, Op::VAddSatU, Op::VSubSatS, Op::VSubSatU][f.i.f(10, 2) as usize];
    f.w < 32 && binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

fn logic<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = [Op::VAnd, Op::VOr, Op::VXor, Op::VAndn][f.i.f(22, 2) as usize];
    binary(s, f, &mut |s, a, b| s.op2(op, 128, a, b))
}

fn mul<S: Sem>(s: &mut S, f: Form) -> bool {
    matches!(f.w, 16 | 32) && binary(s, f, &mut |s, a, b| s.op2(Op::VMul, f.w, a, b))
}

fn move_all<S: Sem>(s: &mut S, f: Form) -> bool {
    binary(s, f, &mut |_, a, _| a)
}

/// `v` in all lanes.
fn splat(w: u8, v: u64) -> u128 {
    crate::ir::vector::from_lanes(w, |_| v & crate::ir::eval::mask(w))
}

fn every<S: Sem>(s: &mut S, f: Form, v: S::V) -> bool {
    for k in 0..f.quads {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

fn index<S: Sem>(s: &mut S, f: Form) -> bool {
    let (base_register, step_register) = (f.i.bit(10), f.i.bit(11));
    // Products of registers are there for some widths.
    if step_register && !matches!(f.w, 16 | 32) {
        return false;
    }
    let step = f.i.sf_imm(16, 5) as u64;
    let base = if base_register {
        let v = x(s, f.i.rn());
        s.op1(Op::VDupG, f.w, v)
    } else {
        s.wide(splat(f.w, f.i.sf_imm(5, 5) as u64))
    };
    let stride = step_register.then(|| {
        let v = x(s, f.i.rm());
        s.op1(Op::VDupG, f.w, v)
    });
    for k in 0..f.quads {
        let first = u64::from(k) * f.lanes();
        let number = |n: u32| first + u64::from(n);
        let numbers = crate::ir::vector::from_lanes(f.w, |n| {
            let v = if step_register {
                number(n)
            } else {
                number(n).wrapping_mul(step)
            };
            v & crate::ir::eval::mask(f.w)
        });
        let mut v = s.wide(numbers);
        if let Some(stride) = stride {
            v = s.op2(Op::VMul, f.w, v, stride);
        }
        let v = s.op2(Op::VAdd, f.w, v, base);
        f.put(s, f.i.rd(), k, v);
    }
    true
}

fn shift_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let tsz = f.i.f(22, 2) << 2 | f.i.f(19, 2);
    let Some((w, left, right)) = super::int::amounts(tsz, f.i.f(16, 3)) else {
        return false;
    };
    let (op, n) = match f.i.f(10, 2) {
        0 => (Op::VShrS, right),
        1 => (Op::VShrU, right),
        3 => (Op::VShl, left),
        _ => return false,
    };
    binary(s, f, &mut |s, a, _| {
        if n == 0 {
            a
        } else {
            s.op1i(op, w as u8, a, n.into())
        }
    })
}

/// Bits 12-5, and 13 for a shift.
fn imm8(f: Form, signed: bool) -> Option<u64> {
    let v = if signed {
        f.i.sf_imm(5, 8) as u64
    } else {
        f.i.f(5, 8).into()
    };
    let shifted = f.i.bit(13);
    (!shifted || f.w > 8).then_some(if shifted { v << 8 } else { v })
}

fn add_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let Some(v) = imm8(f, false) else {
        return false;
    };
    let op = if f.i.bit(16) { Op::VSub } else { Op::VAdd };
    let v = s.wide(splat(f.w, v));
    for k in 0..f.quads {
        let a = f.z(s, f.i.rd(), k);
        let r = s.op2(op, f.w, a, v);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

fn min_max<S: Sem>(s: &mut S, w: u8, how: u32, a: S::V, b: S::V) -> S::V {
    let op = [Op::VMaxS, Op::VMaxU, Op::VMinS, Op::VMinU][how as usize];
    s.op2(op, w, a, b)
}

fn min_max_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let how = f.i.f(16, 2);
    let v = if how & 1 == 0 {
        f.i.sf_imm(5, 8) as u64
    } else {
        f.i.f(5, 8).into()
    };
    let v = s.wide(splat(f.w, v));
    for k in 0..f.quads {
        let a = f.z(s, f.i.rd(), k);
        let r = min_max(s, f.w, how, a, v);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

fn mul_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    if !matches!(f.w, 16 | 32) {
        return false;
    }
    let v = s.wide(splat(f.w, f.i.sf_imm(5, 8) as u64));
    for k in 0..f.quads {
        let a = f.z(s, f.i.rd(), k);
        let r = s.op2(Op::VMul, f.w, a, v);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

fn dup_imm<S: Sem>(s: &mut S, f: Form) -> bool {
    let Some(v) = imm8(f, true) else { return false };
    let v = s.wide(splat(f.w, v));
    every(s, f, v)
}

fn dup<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = xsp(s, f.i.rn());
    let v = s.op1(Op::VDupG, f.w, v);
    every(s, f, v)
}

fn zip_uzp<S: Sem>(s: &mut S, f: Form) -> bool {
    let (uzp, second) = (f.i.bit(11), f.i.bit(10));
    let (n, m) = (f.i.rn(), f.i.rm());
    let mut all = Vec::new();
    if uzp {
        let op = if second { Op::VUzp2 } else { Op::VUzp1 };
        if f.quads == 1 {
            let (a, b) = (f.z(s, n, 0), f.z(s, m, 0));
            all.push(s.op2(op, f.w, a, b));
        } else {
            for from in [n, m] {
                let (a, b) = (f.z(s, from, 0), f.z(s, from, 1));
                all.push(s.op2(op, f.w, a, b));
            }
        }
    } else if f.quads == 1 {
        let (a, b) = (f.z(s, n, 0), f.z(s, m, 0));
        all.push(s.op2(if second { Op::VZip2 } else { Op::VZip1 }, f.w, a, b));
    } else {
        let k = u16::from(second);
        let (a, b) = (f.z(s, n, k), f.z(s, m, k));
        all.push(s.op2(Op::VZip1, f.w, a, b));
        all.push(s.op2(Op::VZip2, f.w, a, b));
    }
    for (k, v) in (0..).zip(all) {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

fn trn<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = if f.i.bit(10) { Op::VTrn2 } else { Op::VTrn1 };
    binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

fn unpack<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.w == 8 {
        return false;
    }
    let op = if f.i.bit(17) {
        Op::VWidenU
    } else {
        Op::VWidenS
    };
    let high = u16::from(f.i.bit(16));
    let h = f.w / 2;
    if f.quads == 1 {
        let a = f.z(s, f.i.rn(), 0);
        let v = s.op1i(op, h, a, high.into());
        f.put(s, f.i.rd(), 0, v);
    } else {
        let a = f.z(s, f.i.rn(), high);
        let all = [0, 1].map(|part| s.op1i(op, h, a, part));
        for (k, v) in (0..).zip(all) {
            f.put(s, f.i.rd(), k, v);
        }
    }
    true
}

fn add_sub_p<S: Sem>(s: &mut S, f: Form) -> bool {
    match f.i.f(16, 2) {
        0 => destructive(s, f, &mut |s, a, b| s.op2(Op::VAdd, f.w, a, b)),
        1 => destructive(s, f, &mut |s, a, b| s.op2(Op::VSub, f.w, a, b)),
        3 => destructive(s, f, &mut |s, a, b| s.op2(Op::VSub, f.w, b, a)),
        _ => false,
    }
}

fn min_max_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let how = f.i.f(16, 2);
    destructive(s, f, &mut |s, a, b| min_max(s, f.w, how, a, b))
}

fn mul_p<S: Sem>(s: &mut S, f: Form) -> bool {
    matches!(f.w, 16 | 32) && destructive(s, f, &mut |s, a, b| s.op2(Op::VMul, f.w, a, b))
}

fn logic_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = [Op::VOr, Op::VXor, Op::VAnd, Op::VAndn][f.i.f(16, 2) as usize];
    destructive(s, f, &mut |s, a, b| s.op2(op, 128, a, b))
}

/// MLA, MLS.
fn mla<S: Sem>(s: &mut S, f: Form) -> bool {
    if !matches!(f.w, 16 | 32) {
        return false;
    }
    let op = if f.i.bit(13) { Op::VSub } else { Op::VAdd };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (d, a, b) = (
            f.z(s, f.i.rd(), k),
            f.z(s, f.i.rn(), k),
            f.z(s, f.i.rm(), k),
        );
        let product = s.op2(Op::VMul, f.w, a, b);
        let m = f.mask(s, p, k);
        let product = s.op2(Op::VAnd, 128, product, m);
        let r = s.op2(op, f.w, d, product);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// MAD, MSB.
fn mad<S: Sem>(s: &mut S, f: Form) -> bool {
    if !matches!(f.w, 16 | 32) {
        return false;
    }
    let op = if f.i.bit(13) { Op::VSub } else { Op::VAdd };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (d, a, m) = (
            f.z(s, f.i.rd(), k),
            f.z(s, f.i.rn(), k),
            f.z(s, f.i.rm(), k),
        );
        let product = s.op2(Op::VMul, f.w, d, m);
        let r = s.op2(op, f.w, a, product);
        let on = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, r, d, on);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// ABS, NEG.
fn neg_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = match f.i.f(16, 6) {
        0x16 if f.w < 64 => Op::VAbs,
        0x17 => Op::VNeg,
        _ => return false,
    };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (a, d) = (f.z(s, f.i.rn(), k), f.z(s, f.i.rd(), k));
        let r = s.op1(op, f.w, a);
        let m = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, r, d, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

fn sel<S: Sem>(s: &mut S, f: Form) -> bool {
    let p = f.p(s, f.i.f(10, 4));
    for k in 0..f.quads {
        let (a, b) = (f.z(s, f.i.rn(), k), f.z(s, f.i.rm(), k));
        let m = f.mask(s, p, k);
        let r = s.op3(Op::VBsl, 128, a, b, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

fn copy_under<S: Sem>(s: &mut S, f: Form, p: S::V, v: S::V, zeroing: bool) -> bool {
    for k in 0..f.quads {
        let m = f.mask(s, p, k);
        let r = if zeroing {
            s.op2(Op::VAnd, 128, v, m)
        } else {
            let d = f.z(s, f.i.rd(), k);
            s.op3(Op::VBsl, 128, v, d, m)
        };
        f.put(s, f.i.rd(), k, r);
    }
    true
}

fn dup_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = xsp(s, f.i.rn());
    let v = s.op1(Op::VDupG, f.w, v);
    let p = f.p(s, f.g());
    copy_under(s, f, p, v, false)
}

fn dup_imm_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let Some(v) = imm8(f, true) else { return false };
    let v = s.wide(splat(f.w, v));
    let p = f.p(s, f.i.f(16, 4));
    copy_under(s, f, p, v, !f.i.bit(14))
}

// Floating point. Elements that a predicate has not must not raise anything: they are zeros, or one divided by one.

fn fp<S: Sem>(s: &mut S, f: Form) -> bool {
    let op = match f.i.f(10, 2) {
        0 => Op::VFpAdd,
        1 => Op::VFpSub,
        2 => Op::VFpMul,
        _ => return false,
    };
    f.w >= 32 && binary(s, f, &mut |s, a, b| s.op2(op, f.w, a, b))
}

fn fp_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let (op, reversed) = match f.i.f(16, 4) {
        0 => (Op::VFpAdd, false),
        1 => (Op::VFpSub, false),
        2 => (Op::VFpMul, false),
        3 => (Op::VFpSub, true),
        12 => (Op::VFpDiv, true),
        13 => (Op::VFpDiv, false),
        _ => return false,
    };
    if f.w < 32 {
        return false;
    }
    let one = if f.w == 32 { 0x3f80_0000 } else { 0x3ff << 52 };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let (d, b) = (f.z(s, f.i.rd(), k), f.z(s, f.i.rn(), k));
        let m = f.mask(s, p, k);
        let quiet = |s: &mut S, v: S::V| {
            if op == Op::VFpDiv {
                let one = s.wide(splat(f.w, one));
                s.op3(Op::VBsl, 128, v, one, m)
            } else {
                s.op2(Op::VAnd, 128, v, m)
            }
        };
        let (x, y) = (quiet(s, d), quiet(s, b));
        let r = if reversed {
            s.op2(op, f.w, y, x)
        } else {
            s.op2(op, f.w, x, y)
        };
        let r = s.op3(Op::VBsl, 128, r, d, m);
        f.put(s, f.i.rd(), k, r);
    }
    true
}

/// FMLA and its relatives.
fn fma<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.w < 32 {
        return false;
    }
    let signs = [0, 1, 3, 2][f.i.f(13, 2) as usize];
    let (d, n, m) = (f.i.rd(), f.i.rn(), f.i.rm());
    let (a, b, c) = if f.i.bit(15) { (d, n, m) } else { (n, m, d) };
    let p = f.p(s, f.g());
    for k in 0..f.quads {
        let old = f.z(s, d, k);
        let on = f.mask(s, p, k);
        let args = [a, b, c].map(|r| {
            let v = f.z(s, r, k);
            Some(s.op2(Op::VAnd, 128, v, on))
        });
        let r = s.op(Op::VFpFma, f.w, args, signs);
        let r = s.op3(Op::VBsl, 128, r, old, on);
        f.put(s, d, k, r);
    }
    true
}

// Comparisons and predicates.

/// Of elements with those of Zm, or with an immediate.
fn compare<S: Sem>(s: &mut S, f: Form) -> bool {
    let bits = f.i.bits;
    let (how, immediate) = match (bits >> 24 & 1, bits >> 21 & 1) {
        (0, 0) => (f.i.f(13, 3) << 1 | f.i.f(4, 1), None),
        // Signed: CMPGE, CMPGT, CMPLT, CMPLE, CMPEQ, CMPNE.
        (1, 0) => (
            f.i.f(13, 3) << 1 | f.i.f(4, 1) | 0x20,
            Some(f.i.sf_imm(16, 5) as u64),
        ),
        (0, _) => (
            f.i.f(13, 1) << 1 | f.i.f(4, 1) | 0x40,
            Some(f.i.f(14, 7).into()),
        ),
        _ => return false,
    };
    let g = f.p(s, f.g());
    let mut lanes = Vec::new();
    for k in 0..f.quads {
        let a = f.z(s, f.i.rn(), k);
        let b = match immediate {
            Some(v) => s.wide(splat(f.w, v)),
            None => f.z(s, f.i.rm(), k),
        };
        let (op, swap, not) = match how {
            // CMPHS, CMPHI, CMPGE, CMPGT, CMPEQ, CMPNE.
            0 | 0x40 => (Op::VCmpGeU, false, false),
            1 | 0x41 => (Op::VCmpGtU, false, false),
            8 | 0x20 => (Op::VCmpGeS, false, false),
            9 | 0x21 => (Op::VCmpGtS, false, false),
            10 | 0x28 => (Op::VCmpEq, false, false),
            11 | 0x29 => (Op::VCmpEq, false, true),
            0x22 => (Op::VCmpGtS, true, false),
            0x23 => (Op::VCmpGeS, true, false),
            0x42 => (Op::VCmpGtU, true, false),
            0x43 => (Op::VCmpGeU, true, false),
            _ => return false,
        };
        let v = if swap {
            s.op2(op, f.w, b, a)
        } else {
            s.op2(op, f.w, a, b)
        };
        lanes.push(if not { s.op1(Op::VNot, 128, v) } else { v });
    }
    let r = f.bits(s, &lanes);
    let active = s.and_k(64, g, f.full());
    let r = s.op2(Op::And, 64, r, active);
    f.put_p(s, f.i.f(0, 4), r);
    f.test(s, active, r);
    true
}

/// WHILELT, WHILELO.
fn while_less<S: Sem>(s: &mut S, f: Form) -> bool {
    let size = if f.i.bit(12) { 64 } else { 32 };
    let (a, b) = (x(s, f.i.rn()), x(s, f.i.rm()));
    let flags = s.op2(Op::FSub, size, a, b);
    use crate::ir::flags::Cc;
    let less = s.cc(if f.i.bit(11) { Cc::Cc } else { Cc::Lt }, flags);
    let distance = s.op2(Op::Sub, size, b, a);
    let (count, zero) = (s.konst(f.count()), s.konst(0));
    let beyond = s.op2(Op::FSub, 64, distance, count);
    let fewer = s.cc(Cc::Cc, beyond);
    let some = s.select(64, fewer, distance, count);
    let n = s.select(64, less, some, zero);
    let bits = s.shift_k(Op::Shl, 64, n, u64::from((f.w / 8).trailing_zeros()));
    let one = s.konst(1);
    let above = s.op2(Op::Shl, 64, one, bits);
    let all = s.op2(Op::Sub, 64, above, one);
    let r = s.and_k(64, all, f.full());
    f.put_p(s, f.i.f(0, 4), r);
    // The first is so, none is, the last is not.
    let end = s.op2(Op::Xor, 64, n, count);
    let short = s.not_zero(64, end);
    let (first, none) = (s.konst(N), s.konst(Z));
    let any = s.not_zero(64, n);
    let nz = s.select(64, any, first, none);
    let c = s.shift_k(Op::Shl, 64, short, C.trailing_zeros().into());
    let all = s.op2(Op::Or, 64, nz, c);
    let flags = s.op1(Op::FPack, 16, all);
    s.set_f(flags);
    true
}

fn ptrue<S: Sem>(s: &mut S, f: Form) -> bool {
    let n = elements(f);
    let step = u64::from(f.w / 8);
    let v = (0..n).fold(0, |p, i| p | 1 << (i * step));
    let v = s.konst(v);
    f.put_p(s, f.i.f(0, 4), v);
    true
}

fn pfalse<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = s.konst(0);
    f.put_p(s, f.i.f(0, 4), v);
    true
}

fn ptest<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n) = (f.p(s, f.i.f(10, 4)), f.p(s, f.i.f(5, 4)));
    let r = s.op2(Op::And, 64, g, n);
    f.test(s, g, r);
    true
}

fn logic_of_predicates<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n, m) = (
        f.p(s, f.i.f(10, 4)),
        f.p(s, f.i.f(5, 4)),
        f.p(s, f.i.f(16, 4)),
    );
    let (or, flags) = (f.i.bit(23), f.i.bit(22));
    let (op, not) = match (or, f.i.bit(9), f.i.bit(4)) {
        (false, false, false) => (Op::And, false),
        (false, false, true) => (Op::Andn, false),
        (false, true, false) => (Op::Xor, false),
        (true, false, false) => (Op::Or, false),
        (true, false, true) => (Op::Orn, false),
        (true, true, false) => (Op::Or, true),
        (true, true, true) => (Op::And, true),
        _ => return false,
    };
    let r = s.op2(op, 64, n, m);
    let r = if not {
        s.op2(Op::Andn, 64, g, r)
    } else {
        s.op2(Op::And, 64, g, r)
    };
    f.put_p(s, f.i.f(0, 4), r);
    if flags {
        f.test(s, g, r);
    }
    true
}

/// BRKA, BRKB, zeroing.
fn brk<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n) = (f.p(s, f.i.f(10, 4)), f.p(s, f.i.f(5, 4)));
    let both = s.op2(Op::And, 64, g, n);
    let minus = s.op1(Op::Neg, 64, both);
    let first = s.op2(Op::And, 64, both, minus);
    let one = s.konst(1);
    // What is below it; all where there is none.
    let below = s.op2(Op::Sub, 64, first, one);
    let kept = if f.i.bit(23) {
        below
    } else {
        s.op2(Op::Or, 64, below, first)
    };
    let r = s.op2(Op::And, 64, g, kept);
    f.put_p(s, f.i.f(0, 4), r);
    if f.i.bit(22) {
        f.test(s, g, r);
    }
    true
}

const FFR: u32 = super::unit::Unit::FFR as u32;

fn setffr<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = s.konst((1 << (16 * f.quads)) - 1);
    f.put_p(s, FFR, v);
    true
}

fn wrffr<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = f.p(s, f.i.f(5, 4));
    f.put_p(s, FFR, v);
    true
}

fn rdffr<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = f.p(s, FFR);
    f.put_p(s, f.i.f(0, 4), v);
    true
}

fn rdffr_p<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, v) = (f.p(s, f.i.f(5, 4)), f.p(s, FFR));
    let r = s.op2(Op::And, 64, g, v);
    f.put_p(s, f.i.f(0, 4), r);
    if f.i.bit(22) {
        f.test(s, g, r);
    }
    true
}

fn cntp<S: Sem>(s: &mut S, f: Form) -> bool {
    let (g, n) = (f.p(s, f.i.f(10, 4)), f.p(s, f.i.f(5, 4)));
    let r = s.op2(Op::And, 64, g, n);
    let r = s.and_k(64, r, f.full());
    let r = s.op1(Op::Popcnt, 64, r);
    set(s, 64, f.i.rd(), r);
    true
}

fn incp<S: Sem>(s: &mut S, f: Form) -> bool {
    let n = f.p(s, f.i.f(5, 4));
    let n = s.and_k(64, n, f.full());
    let n = s.op1(Op::Popcnt, 64, n);
    let x = x(s, f.i.rd());
    let r = s.op2(if f.i.bit(16) { Op::Sub } else { Op::Add }, 64, x, n);
    set(s, 64, f.i.rd(), r);
    true
}

/// What a pattern (bits 9-5) has.
fn elements(f: Form) -> u64 {
    super::unit::pattern(f.i.f(5, 5), f.count() as usize) as u64
}

fn count<S: Sem>(s: &mut S, f: Form) -> bool {
    let n = elements(f) * u64::from(f.i.f(16, 4) + 1);
    let r = if !f.i.bit(20) {
        s.konst(n)
    } else {
        let x = x(s, f.i.rd());
        let n = if f.i.bit(10) { n.wrapping_neg() } else { n };
        s.add_k(64, x, n)
    };
    set(s, 64, f.i.rd(), r);
    true
}

fn length<S: Sem>(s: &mut S, f: Form) -> bool {
    let v = s.konst((f.i.sf_imm(5, 6) * 16 * i64::from(f.quads)) as u64);
    set(s, 64, f.i.rd(), v);
    true
}

// Accesses.

/// Leaves for the interpreter if it holds.
fn leave_if<S: Sem>(s: &mut S, f: Form, bad: S::V) {
    let bad = s.not_zero(64, bad);
    s.trap_if(bad, Trap::Step, 0, f.i.pc);
}

/// Not 0: `bytes` bytes from an address on are not within a page.
fn crosses<S: Sem>(s: &mut S, at: S::V, bytes: u64) -> S::V {
    const PAGE: u64 = 4096;
    let within = s.and_k(64, at, PAGE - 1);
    let last = s.add_k(64, within, bytes - 1);
    s.and_k(64, last, PAGE)
}

/// The address of a contiguous access: Rn and Rm's elements, or as many accesses as an immediate says.
fn contiguous<S: Sem>(s: &mut S, f: Form, immediate: bool, msz: u32, bytes: u64) -> S::V {
    let base = xsp(s, f.i.rn());
    if immediate {
        let offset = f.i.sf_imm(16, 4) * bytes as i64;
        return s.add_k(64, base, offset as u64);
    }
    let index = x(s, f.i.rm());
    let offset = s.shift_k(Op::Shl, 64, index, msz.into());
    s.op2(Op::Add, 64, base, offset)
}

/// LD1*, LDFF1*, LDNF1*: within a page, with the first element active, so that it faults or none.
fn load<S: Sem>(s: &mut S, f: Form) -> bool {
    let (m, e) = (f.i.f(23, 2), f.i.f(21, 2));
    let (msz, esz, signed) = if e >= m {
        (m, e, false)
    } else {
        (3 - m, 3 - e, true)
    };
    let immediate = f.i.f(13, 3) == 5;
    if msz == esz && signed || !immediate && f.i.rm() == 31 && !f.i.bit(13) {
        return false;
    }
    load_as(s, f, immediate, msz, esz, signed)
}

fn load_once<S: Sem>(s: &mut S, f: Form) -> bool {
    let msz = f.i.f(23, 2);
    let immediate = f.i.bit(13);
    (immediate || f.i.rm() != 31) && load_as(s, f, immediate, msz, msz, false)
}

fn load_as<S: Sem>(s: &mut S, f: Form, immediate: bool, msz: u32, esz: u32, signed: bool) -> bool {
    if f.i.big() && msz > 0 {
        return false;
    }
    let f = Form { w: 8 << esz, ..f };
    let per = 16u64 >> (esz - msz);
    let bytes = per * u64::from(f.quads);
    let at = contiguous(s, f, immediate, msz, bytes);
    let p = f.p(s, f.g());
    let crossing = crosses(s, at, bytes);
    let active = s.and_k(64, p, 1);
    let one = s.konst(1);
    let inactive = s.op2(Op::Xor, 64, active, one);
    let bad = s.op2(Op::Or, 64, crossing, inactive);
    leave_if(s, f, bad);
    let mut all = Vec::new();
    for k in 0..f.quads {
        let at = s.address(64, at, u64::from(k) * per);
        let mut v = if per == 2 {
            let v = s.load(16, 0, at);
            s.op1(Op::VFromG, 64, v)
        } else {
            s.load_x(8 * per as u8, at)
        };
        for n in msz..esz {
            let op = if signed { Op::VWidenS } else { Op::VWidenU };
            v = s.op1i(op, 8 << n, v, 0);
        }
        all.push(v);
    }
    for (k, v) in (0..).zip(all) {
        let m = f.mask(s, p, k);
        let v = s.op2(Op::VAnd, 128, v, m);
        f.put(s, f.i.rd(), k, v);
    }
    true
}

/// LD1R*.
fn load_replicated<S: Sem>(s: &mut S, f: Form) -> bool {
    let (m, e) = (f.i.f(23, 2), f.i.f(13, 2));
    let (msz, esz, signed) = if e >= m {
        (m, e, false)
    } else {
        (3 - m, 3 - e, true)
    };
    if msz == esz && signed || f.i.big() && msz > 0 {
        return false;
    }
    let f = Form { w: 8 << esz, ..f };
    let p = f.p(s, f.g());
    let active = s.and_k(64, p, f.full());
    let none = s.is_zero(64, active);
    s.trap_if(none, Trap::Step, 0, f.i.pc);
    let base = xsp(s, f.i.rn());
    let at = s.address(64, base, u64::from(f.i.f(16, 6)) << msz);
    let v = s.load(8 << msz, if signed { 64 } else { 0 }, at);
    let v = s.op1(Op::VDupG, f.w, v);
    copy_under(s, f, p, v, true)
}

/// LDR and STR of vectors.
fn whole<S: Sem>(s: &mut S, f: Form) -> bool {
    if f.i.big() {
        return false;
    }
    let imm = i64::from((f.i.f(16, 6) << 3 | f.i.f(10, 3)) as i32) << 55 >> 55;
    let base = xsp(s, f.i.rn());
    let base = s.add_k(64, base, (imm * 16 * i64::from(f.quads)) as u64);
    let mut all = Vec::new();
    for k in 0..f.quads {
        let at = s.address(64, base, 16 * u64::from(k));
        if f.i.bit(30) {
            let v = f.z(s, f.i.rd(), k);
            s.store_x(128, at, v);
        } else {
            all.push(s.load_x(128, at));
        }
    }
    for (k, v) in (0..).zip(all) {
        f.put(s, f.i.rd(), k, v);
    }
    true
}

/// ST1* of all elements, as wide as in memory.
fn store<S: Sem>(s: &mut S, f: Form) -> bool {
    let (msz, esz) = (f.i.f(23, 2), f.i.f(21, 2));
    let immediate = f.i.f(13, 3) == 7;
    if msz != esz || !immediate && f.i.rm() == 31 || f.i.big() && msz > 0 {
        return false;
    }
    let f = Form { w: 8 << esz, ..f };
    let bytes = 16 * u64::from(f.quads);
    let at = contiguous(s, f, immediate, msz, bytes);
    let p = f.p(s, f.g());
    let full = s.konst(f.full());
    let missing = s.op2(Op::Andn, 64, full, p);
    leave_if(s, f, missing);
    for k in 0..f.quads {
        let at = s.address(64, at, 16 * u64::from(k));
        let v = f.z(s, f.i.rd(), k);
        s.store_x(128, at, v);
    }
    true
}
