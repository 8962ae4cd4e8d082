//! The vector unit while it executes one instruction: registers, elements and predicates (Arm ARM, "SVE register file",
//! shared pseudocode: DecodePredCount, PredTest, ElemP).

use super::super::insn::{PREDICATE_WORDS, PREDICATES, UPPER, slot};
use crate::ir::eval::{mask, sext};
use crate::ir::float::STICKY;
use crate::ir::state::{Refused, State};
use crate::simd::eval::F;

/// Bytes of the longest vector.
pub const MOST: usize = 256;

/// The instruction is undefined as it is.
pub struct Reserved;
pub type Done = Result<(), Reserved>;

impl From<Reserved> for Refused {
    fn from(_: Reserved) -> Self {
        Self::Undefined
    }
}

/// `Err(Reserved)` unless it holds.
pub fn require(holds: bool) -> Done {
    if holds { Ok(()) } else { Err(Reserved) }
}

/// An element as a signed number.
#[must_use]
pub fn signed(w: u32, v: u64) -> i64 {
    sext(w as u8, v)
}

/// A vector's bytes; those above its length are 0.
#[derive(Clone, Copy)]
pub struct Z(pub [u8; MOST]);

impl Z {
    pub const ZERO: Self = Self([0; MOST]);

    /// Element `i` of `w` bits (8 to 64), zero-extended.
    #[must_use]
    pub fn get(&self, i: usize, w: u32) -> u64 {
        let b = &self.0;
        match w {
            8 => b[i].into(),
            16 => u16::from_le_bytes([b[2 * i], b[2 * i + 1]]).into(),
            32 => u32::from_le_bytes([b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3]]).into(),
            _ => {
                let mut word = [0; 8];
                word.copy_from_slice(&b[8 * i..8 * i + 8]);
                u64::from_le_bytes(word)
            }
        }
    }

    pub fn put(&mut self, i: usize, w: u32, v: u64) {
        let n = w as usize / 8;
        self.0[i * n..(i + 1) * n].copy_from_slice(&v.to_le_bytes()[..n]);
    }

    /// Element `i` of 128 bits.
    #[must_use]
    pub fn quad(&self, i: usize) -> u128 {
        u128::from(self.get(2 * i, 64)) | u128::from(self.get(2 * i + 1, 64)) << 64
    }

    pub fn put_quad(&mut self, i: usize, v: u128) {
        self.0[16 * i..16 * i + 16].copy_from_slice(&v.to_le_bytes());
    }
}

/// A predicate: a bit for each byte of a vector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct P(pub [u64; PREDICATE_WORDS as usize]);

impl P {
    pub const ZERO: Self = Self([0; PREDICATE_WORDS as usize]);

    #[must_use]
    pub fn bit(&self, n: usize) -> bool {
        self.0[n / 64] >> (n % 64) & 1 != 0
    }

    pub fn put_bit(&mut self, n: usize, v: bool) {
        let word = &mut self.0[n / 64];
        *word = *word & !(1 << (n % 64)) | u64::from(v) << (n % 64);
    }

    /// Element `i` of `w` bits is active.
    #[must_use]
    pub fn active(&self, i: usize, w: u32) -> bool {
        self.bit(i * w as usize / 8)
    }

    /// Makes it active or not. The other bits of its stay.
    pub fn put(&mut self, i: usize, w: u32, v: bool) {
        self.put_bit(i * w as usize / 8, v);
    }

    #[must_use]
    pub fn map(&self, with: &Self, f: fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|n| f(self.0[n], with.0[n])))
    }
}

/// An instruction's registers and what it answers.
pub struct Unit<'a> {
    pub st: &'a mut State,
    pub word: F,
    /// Bytes of a vector.
    pub bytes: usize,
    /// The floating-point environment.
    pub env: u32,
    /// A general register's new value.
    pub result: u64,
    /// New condition flags: N, Z, C, V from bit 3 on.
    pub nzcv: Option<u8>,
    /// Data are big-endian.
    pub big: bool,
}

impl<'a> Unit<'a> {
    pub fn new(st: &'a mut State, bits: u32) -> Self {
        let bytes = 16 * st.r()[usize::from(slot::QUADS)] as usize;
        let env = st.env();
        Self {
            st,
            word: F(bits),
            bytes,
            env,
            result: 0,
            nzcv: None,
            big: false,
        }
    }

    /// The flags that arithmetic raised are the processor's.
    pub fn finish(&mut self) {
        let all = self.st.env() | self.env & STICKY;
        self.st.set_env(all);
    }

    // Fields.

    #[must_use]
    pub fn f(&self, lo: u32, len: u32) -> u32 {
        self.word.bits(lo, len)
    }
    #[must_use]
    pub fn bit(&self, n: u32) -> bool {
        self.f(n, 1) != 0
    }
    /// Sign-extended.
    #[must_use]
    pub fn imm(&self, lo: u32, len: u32) -> i64 {
        sext(len as u8, self.f(lo, len).into())
    }
    #[must_use]
    pub fn d(&self) -> usize {
        self.f(0, 5) as usize
    }
    #[must_use]
    pub fn n(&self) -> usize {
        self.f(5, 5) as usize
    }
    #[must_use]
    pub fn m(&self) -> usize {
        self.f(16, 5) as usize
    }
    /// The governing predicate of most.
    #[must_use]
    pub fn g(&self) -> usize {
        self.f(10, 3) as usize
    }
    /// The element width by bits 23-22.
    #[must_use]
    pub fn w(&self) -> u32 {
        8 << self.f(22, 2)
    }
    /// How many elements of `w` bits a vector has.
    #[must_use]
    pub fn count(&self, w: u32) -> usize {
        8 * self.bytes / w as usize
    }

    // Registers.

    #[must_use]
    pub fn z(&self, n: usize) -> Z {
        let mut z = Z::ZERO;
        let v = self.st.v();
        z.0[..16].copy_from_slice(&v[n].to_le_bytes());
        let above = self.bytes / 16 - 1;
        let first = usize::from(UPPER) + n * above;
        for (k, piece) in v[first..first + above].iter().enumerate() {
            z.0[16 * (k + 1)..16 * (k + 2)].copy_from_slice(&piece.to_le_bytes());
        }
        z
    }

    pub fn put_z(&mut self, n: usize, z: &Z) {
        let above = self.bytes / 16 - 1;
        let first = usize::from(UPPER) + n * above;
        let v = self.st.v_mut();
        v[n] = z.quad(0);
        for (k, piece) in v[first..first + above].iter_mut().enumerate() {
            *piece = z.quad(k + 1);
        }
    }

    /// A number in the lowest element, and nothing above it.
    pub fn put_scalar(&mut self, n: usize, w: u32, v: u64) {
        let mut z = Z::ZERO;
        z.put(0, w, v);
        self.put_z(n, &z);
    }

    #[must_use]
    pub fn p(&self, n: usize) -> P {
        let r = self.st.r();
        let word = |k: usize| r[usize::from(slot::PREDICATES) + n + usize::from(PREDICATES) * k];
        P(std::array::from_fn(word))
    }

    pub fn put_p(&mut self, n: usize, p: &P) {
        let r = self.st.r_mut();
        for (k, &word) in p.0.iter().enumerate() {
            r[usize::from(slot::PREDICATES) + n + usize::from(PREDICATES) * k] = word;
        }
    }

    /// FFR's number among them.
    pub const FFR: usize = PREDICATES as usize - 1;

    /// x0 to x30; 31 is 0.
    #[must_use]
    pub fn x(&self, n: usize) -> u64 {
        if n == 31 { 0 } else { self.st.r()[n] }
    }
    /// The same, and 31 is sp.
    #[must_use]
    pub fn xsp(&self, n: usize) -> u64 {
        self.st.r()[n]
    }

    // Predicates.

    /// All elements of `w` bits.
    #[must_use]
    pub fn all(&self, w: u32) -> P {
        self.first_ones(self.count(w), w)
    }

    /// The first `n` elements.
    #[must_use]
    pub fn first_ones(&self, n: usize, w: u32) -> P {
        let mut p = P::ZERO;
        for i in 0..n {
            p.put(i, w, true);
        }
        p
    }

    /// DecodePredCount.
    #[must_use]
    pub fn pattern(&self, which: u32, w: u32) -> usize {
        pattern(which, self.count(w))
    }

    /// PredTest: N the first active element is so, Z none is, C the last active one is not.
    pub fn test(&mut self, governing: &P, result: &P, w: u32) {
        let (mut first, mut last) = (None, false);
        let mut any = false;
        for i in 0..self.count(w) {
            if governing.active(i, w) {
                let on = result.active(i, w);
                first.get_or_insert(on);
                (any, last) = (any | on, on);
            }
        }
        let (n, z, c) = (first == Some(true), !any, !last);
        self.nzcv = Some(u8::from(n) << 3 | u8::from(z) << 2 | u8::from(c) << 1);
    }

    /// The element number of the last active one.
    #[must_use]
    pub fn last_active(&self, p: &P, w: u32) -> Option<usize> {
        (0..self.count(w)).rev().find(|&i| p.active(i, w))
    }

    // What most instructions are made of: `f` for each element.

    /// For those of `w` bits that the predicate has: becomes element `i` of `d`.
    pub fn each(
        &mut self,
        w: u32,
        p: &P,
        d: usize,
        base: &Z,
        f: &mut dyn FnMut(&mut Self, usize) -> u64,
    ) {
        let mut r = *base;
        for i in 0..self.count(w) {
            if p.active(i, w) {
                let v = f(self, i);
                r.put(i, w, v);
            }
        }
        self.put_z(d, &r);
    }

    /// For all of them.
    pub fn every(&mut self, w: u32, d: usize, f: &mut dyn FnMut(&mut Self, usize) -> u64) {
        let all = self.all(w);
        self.each(w, &all, d, &Z::ZERO, f);
    }
}

/// The low `w` bits.
#[must_use]
pub fn low(w: u32, v: u64) -> u64 {
    v & mask(w as u8)
}

/// The nearest number of `w` bits.
#[must_use]
pub fn clip(w: u32, is_signed: bool, v: i128) -> u64 {
    let (least, most) = if is_signed {
        (-(1i128 << (w - 1)), (1i128 << (w - 1)) - 1)
    } else {
        (0, (1i128 << w) - 1)
    };
    low(w, v.clamp(least, most) as u64)
}

/// An element as a number, signed or not.
#[must_use]
pub fn number(is_signed: bool, w: u32, v: u64) -> i128 {
    if is_signed {
        signed(w, v).into()
    } else {
        low(w, v).into()
    }
}

/// How many of `most` elements a pattern has (DecodePredCount).
#[must_use]
pub fn pattern(which: u32, most: usize) -> usize {
    let fixed = |n: usize| if n <= most { n } else { 0 };
    match which {
        0 => 1 << most.ilog2(),
        n @ 1..=8 => fixed(n as usize),
        n @ 9..=13 => fixed(16 << (n - 9)),
        29 => most - most % 4,
        30 => most - most % 3,
        31 => most,
        _ => 0,
    }
}
