//! What is inline where vectors have up to 256 bits: a vector is one or two pieces of 128 bits, and its predicates are within one
//! word. An access with a predicate that is not simple is for the interpreter.

mod access;
mod float;
mod predicate;
mod under;
mod vector;

use super::super::insn::{Insn, UPPER, slot};
use crate::decode::{self, Bits, Fields, Index};
use crate::ir::Op;
use crate::ir::flags::{C, N, Z};
use crate::ir::sem::Sem;
use access::{
    gather, load, load_once, load_quadword, load_replicated, load_structures, scatter, store,
    store_once, store_structures, whole,
};
use float::{by_element, compare as fp_compare, extreme, fma, fp, fp_p, unary};
use predicate::{
    brk, cntp, compare, count, incp, length, logic_of_predicates, pfalse, ptest, ptrue, rdffr,
    rdffr_p, setffr, while_less, wrffr,
};
use under::{
    add_sub_p, dup_imm_p, dup_p, extend, logic_p, mad, min_max_p, mla, mul_p, neg_p, prefix, sel,
    shift_imm_p, sign,
};
use vector::{
    add_imm, add_sub, dot, dup, dup_imm, index, logic, min_max_imm, move_all, mul, mul_imm,
    saturating, shift_imm, step, trn, unpack, zip_uzp,
};

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

    pub(super) fn piece(self, n: u32, k: u16) -> u16 {
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
    pub(super) fn count(self) -> u64 {
        u64::from(self.quads) * self.lanes()
    }
    pub(super) fn lanes(self) -> u64 {
        128 / u64::from(self.w)
    }
    /// A predicate with all elements.
    pub(super) fn full(self) -> u64 {
        let step = u64::from(self.w / 8);
        (0..self.count()).fold(0, |p, i| p | 1 << (i * step))
    }
    pub(super) fn p<S: Sem>(self, s: &mut S, n: u32) -> S::V {
        s.get(slot::PREDICATES + n as u16)
    }
    pub(super) fn put_p<S: Sem>(self, s: &mut S, n: u32, v: S::V) {
        s.set(slot::PREDICATES + n as u16, v);
    }
    pub(super) fn g(self) -> u32 {
        self.i.f(10, 3)
    }

    /// All ones in the lanes of piece `k` that a predicate has.
    pub(super) fn mask<S: Sem>(self, s: &mut S, p: S::V, k: u16) -> S::V {
        s.op1i(Op::VLanes, self.w, p, 16 * u64::from(k))
    }

    /// The bits of a predicate by lanes that are all ones or 0.
    pub(super) fn bits<S: Sem>(self, s: &mut S, lanes: &[S::V]) -> S::V {
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
    pub(super) fn test<S: Sem>(self, s: &mut S, g: S::V, r: S::V) {
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
    "00000100 zz 11 iiii 11000 o ppppp ddddd" step;
    "01000100 zz 0 mmmmm 00000o nnnnn ddddd" dot;
    // With one.
    "00000100 zz 01000m 001 ggg nnnnn ddddd" prefix;
    "00000100 zz 0000oo 100 ggg zziii ddddd" shift_imm_p;
    "00000100 zz 0100oo 101 ggg nnnnn ddddd" extend;
    "00000100 zz 01010o 101 ggg nnnnn ddddd" extend;
    "00000100 zz 01110o 101 ggg nnnnn ddddd" sign;
    "00000100 zz 0000oo 000 ggg mmmmm ddddd" add_sub_p;
    "00000100 zz 0010oo 000 ggg mmmmm ddddd" min_max_p;
    "00000100 zz 010000 000 ggg mmmmm ddddd" mul_p;
    "00000100 zz 0110oo 000 ggg mmmmm ddddd" logic_p;
    "00000100 zz 0 mmmmm 01o ggg nnnnn ddddd" mla;
    "00000100 zz 0 mmmmm 11o ggg aaaaa ddddd" mad;
    "00000100 zz 010111 101 ggg nnnnn ddddd" neg_p;
    "00000100 zz 010110 101 ggg nnnnn ddddd" neg_p;
    "00000101 zz 1 mmmmm 11 gggg nnnnn ddddd" sel;
    "00000101 zz 101000 101 ggg nnnnn ddddd" dup_p;
    "00000101 zz 01 gggg 0 M h iiiiiiii ddddd" dup_imm_p;
    // Floating point.
    "01100101 zz 0 mmmmm 0000oo nnnnn ddddd" fp;
    "01100101 zz 0000oo 100 ggg mmmmm ddddd" fp_p;
    "01100101 zz 00110o 100 ggg mmmmm ddddd" fp_p;
    "01100101 zz 1 mmmmm ooo ggg nnnnn ddddd" fma;
    "01100101 zz 00011o 100 ggg mmmmm ddddd" extreme;
    "01100101 zz 0100oo 001 ggg nnnnn o dddd" fp_compare;
    "01100101 zz 0 mmmmm 01o ggg nnnnn o dddd" fp_compare;
    "01100101 zz 001101 101 ggg nnnnn ddddd" unary;
    "01100101 zz 0101oo 101 ggg nnnnn ddddd" unary;
    "01100101 zz 0111oo 101 ggg nnnnn ddddd" unary;
    "01100100 1z 1 mmmmm 00000o nnnnn ddddd" by_element;
    "01100100 1z 1 mmmmm 001000 nnnnn ddddd" by_element;
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
    "1110010 zz 001 iiii 111 ggg nnnnn ttttt" store_once;
    "1110010 zz 00 mmmmm 011 ggg nnnnn ttttt" store_once;
    "1010010 zz 00 mmmmm 000 ggg nnnnn ttttt" load_quadword;
    "1010010 zz 000 iiii 001 ggg nnnnn ttttt" load_quadword;
    "1010010 zz 01 mmmmm 110 ggg nnnnn ttttt" load_structures;
    "1010010 zz 11 mmmmm 110 ggg nnnnn ttttt" load_structures;
    "1010010 zz 010 iiii 111 ggg nnnnn ttttt" load_structures;
    "1010010 zz 110 iiii 111 ggg nnnnn ttttt" load_structures;
    "1110010 zz 01 mmmmm 011 ggg nnnnn ttttt" store_structures;
    "1110010 zz 11 mmmmm 011 ggg nnnnn ttttt" store_structures;
    "1110010 zz 011 iiii 111 ggg nnnnn ttttt" store_structures;
    "1110010 zz 111 iiii 111 ggg nnnnn ttttt" store_structures;
    // Vectors of offsets.
    "1000010 zz x 0 mmmmm 0 uf ggg nnnnn ttttt" gather;
    "1000010 zz x 1 mmmmm 0 uf ggg nnnnn ttttt" gather;
    "1100010 zz x 0 mmmmm 0 uf ggg nnnnn ttttt" gather;
    "1100010 zz x 1 mmmmm 0 uf ggg nnnnn ttttt" gather;
    "1100010 zz 10 mmmmm 1 uf ggg nnnnn ttttt" gather;
    "1100010 zz 11 mmmmm 1 uf ggg nnnnn ttttt" gather;
    "1110010 zz 00 mmmmm 101 ggg nnnnn ttttt" scatter;
    "1110010 zz 01 mmmmm 101 ggg nnnnn ttttt" scatter;
    "1110010 zz 00 mmmmm 1 x 0 ggg nnnnn ttttt" scatter;
    "1110010 zz 01 mmmmm 1 x 0 ggg nnnnn ttttt" scatter;
    "1110010 zz 10 mmmmm 1 x 0 ggg nnnnn ttttt" scatter;
    "1110010 zz 11 mmmmm 1 x 0 ggg nnnnn ttttt" scatter;
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
    // What is inline for a big-endian program are bytes, and whole vectors, which LDR and STR have lowest byte first.
    s.byte_order(false);
    match INDEX.find(FIELDS, i.bits) {
        Some(n) => Lifters::<S>::ALL[n](s, form),
        None => false,
    }
}
