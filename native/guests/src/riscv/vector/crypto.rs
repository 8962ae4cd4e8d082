//! Vector cryptography: Zvkned, Zvknha and Zvknhb, Zvksed, Zvksh, Zvkg. Its operands are groups of four or eight elements.

use super::unit::{Done, Unit, overlap, require};
use crate::ir::Op;
use crate::ir::ciphers::{Sha, gcm, sha, sm3_p0, sm3_p1, sm4};
use crate::ir::crypto::{boxes, eval};
use crate::ir::eval::mask;

/// What a group of `N` elements is.
type Words<const N: usize> = [u64; N];

/// SubWord of AES's key expansion.
fn substituted(x: u32) -> u32 {
    u32::from_le_bytes(x.to_le_bytes().map(|b| boxes()[0][usize::from(b)]))
}

/// AES's round constants, from 1 on.
pub fn constant(round: u32) -> u32 {
    (1..round).fold(1, |c, _| c << 1 ^ if c & 0x80 != 0 { 0x11b } else { 0 })
}

/// Words of four rounds' keys on: `last` is the key before, `first` what is four, or eight, words back.
fn schedule(first: u128, turned: u32) -> u128 {
    let (mut r, mut t) = (0, turned);
    for n in 0..4 {
        t ^= (first >> (32 * n)) as u32;
        r |= u128::from(t) << (32 * n);
    }
    r
}

fn key_128(last: u128, mut round: u32) -> u128 {
    if round == 0 || round > 10 {
        round ^= 8;
    }
    let top = (last >> 96) as u32;
    schedule(last, substituted(top.rotate_right(8)) ^ constant(round))
}

fn key_256(last: u128, before: u128, mut round: u32) -> u128 {
    if !(2..=14).contains(&round) {
        round ^= 8;
    }
    let top = (last >> 96) as u32;
    let t = if round & 1 != 0 {
        substituted(top)
    } else {
        substituted(top.rotate_right(8)) ^ constant(round >> 1)
    };
    schedule(before, t)
}

/// VAESDM, VAESDF, VAESEM, VAESEF, VAESZ.
fn aes(how: u32, state: u128, key: u128) -> u128 {
    match how {
        0 => eval(
            Op::AesInvMix,
            eval(Op::AesInvSub, state, 0, 0, 0) ^ key,
            0,
            0,
            0,
        ),
        1 => eval(Op::AesInvSub, state, 0, 0, 0) ^ key,
        2 => eval(Op::AesRound, state, 0, 0, 0) ^ key,
        3 => eval(Op::AesSub, state, 0, 0, 0) ^ key,
        _ => state ^ key,
    }
}

/// SM4's constants of four rounds of the key schedule: multiples of seven.
fn sm4_constants(four: u32) -> u128 {
    (0..4).fold(0, |r, n| {
        let word = (0..4).fold(0u32, |w, j| w << 8 | ((16 * four + 4 * n + j) * 7) & 0xff);
        r | u128::from(word) << (32 * n)
    })
}

fn sha_schedule(w: u8, d: Words<4>, b: Words<4>, c: Words<4>) -> Words<4> {
    // W0 to W3; W4, W9 to W11; W12 to W15.
    let m = mask(w);
    let one = |low: u64, next: u64, ninth: u64, fourteenth: u64| {
        let sum = sha(Sha::Sigma1, w, fourteenth).wrapping_add(ninth);
        sum.wrapping_add(sha(Sha::Sigma0, w, next))
            .wrapping_add(low)
            & m
    };
    let w16 = one(d[0], d[1], b[1], c[2]);
    let w17 = one(d[1], d[2], b[2], c[3]);
    [
        w16,
        w17,
        one(d[2], d[3], b[3], w16),
        one(d[3], b[0], c[0], w17),
    ]
}

fn sha_rounds(w: u8, cdgh: Words<4>, abef: Words<4>, words: [u64; 2]) -> Words<4> {
    let [mut f, mut e, mut b, mut a] = abef;
    let [mut h, mut g, mut d, mut c] = cdgh;
    let m = mask(w);
    for word in words {
        let t1 = h
            .wrapping_add(sha(Sha::Sum1, w, e))
            .wrapping_add((e & f) ^ (!e & g))
            .wrapping_add(word);
        let t2 = sha(Sha::Sum0, w, a).wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(t1) & m);
        (d, c, b, a) = (c, b, a, t1.wrapping_add(t2) & m);
    }
    [f, e, b, a]
}

/// SM3's words are in memory with the highest byte first.
fn swapped(w: Words<8>) -> [u32; 8] {
    w.map(|x| (x as u32).swap_bytes())
}

fn sm3_schedule(low: Words<8>, high: Words<8>) -> Words<8> {
    let mut w = [0u32; 24];
    w[..8].copy_from_slice(&swapped(low));
    w[8..16].copy_from_slice(&swapped(high));
    for n in 16..24 {
        let t = w[n - 16] ^ w[n - 9] ^ w[n - 3].rotate_left(15);
        w[n] = sm3_p1(t) ^ w[n - 13].rotate_left(7) ^ w[n - 6];
    }
    std::array::from_fn(|n| w[16 + n].swap_bytes().into())
}

fn sm3_rounds(state: Words<8>, words: Words<8>, rounds: u32) -> Words<8> {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = swapped(state);
    let w = swapped(words);
    let mut out = [0u32; 8];
    for n in 0..2 {
        let j = 2 * rounds + n;
        let early = j < 16;
        let t = if early { 0x79cc_4519u32 } else { 0x7a87_9d8a };
        let ss1 = a
            .rotate_left(12)
            .wrapping_add(e)
            .wrapping_add(t.rotate_left(j % 32));
        let ss1 = ss1.rotate_left(7);
        let ss2 = ss1 ^ a.rotate_left(12);
        let ff = if early {
            a ^ b ^ c
        } else {
            (a & b) | (a & c) | (b & c)
        };
        let gg = if early { e ^ f ^ g } else { (e & f) | (!e & g) };
        let n = n as usize;
        let tt1 = ff
            .wrapping_add(d)
            .wrapping_add(ss2)
            .wrapping_add(w[n] ^ w[n + 4]);
        let tt2 = gg.wrapping_add(h).wrapping_add(ss1).wrapping_add(w[n]);
        (d, c, b, a) = (c, b.rotate_left(9), a, tt1);
        (h, g, f, e) = (g, f.rotate_left(19), e, sm3_p0(tt2));
        // The last one's are below the first one's.
        for (k, v) in [a, c, e, g].into_iter().enumerate() {
            out[2 * k + 1 - n] = v;
        }
    }
    out.map(|x| x.swap_bytes().into())
}

impl Unit<'_> {
    fn words<const N: usize>(&self, reg: u32, group: u64) -> Words<N> {
        std::array::from_fn(|k| self.get(reg, group * N as u64 + k as u64, self.sew))
    }

    fn put_words<const N: usize>(&mut self, reg: u32, group: u64, v: Words<N>) {
        for (k, x) in v.into_iter().enumerate() {
            self.put(reg, group * N as u64 + k as u64, self.sew, x);
        }
    }

    /// The instruction's, by its number.
    pub fn cipher(&mut self) -> Done {
        let (n, vd, vs1, vs2) = (self.f(26, 6), self.vd(), self.vs1(), self.vs2());
        let size = 1 << self.lmul.max(0);
        let hash = matches!(n, 0x2d..=0x2f);
        let eight = matches!(n, 0x20 | 0x2b);
        let per = if eight { 8 } else { 4 };
        let need = |u: &Self, w: u32| u.most() * u64::from(u.sew) >= u64::from(per * w);
        require(self.sew == 32 || hash && self.sew == 64)?;
        require(need(self, self.sew) && self.aligned(vd, self.lmul))?;
        let scalar = n == 0x29;
        if scalar {
            require(!overlap(vd, size, vs2, 1))?;
        } else {
            require(self.aligned(vs2, self.lmul))?;
        }
        if matches!(n, 0x20 | 0x2c..=0x2f) {
            require(self.aligned(vs1, self.lmul))?;
        }
        require(!hash || vd != vs1 && vd != vs2)?;
        require(!eight || vd != vs2)?;
        let per = u64::from(per);
        require(self.vl.is_multiple_of(per) && self.vstart.is_multiple_of(per))?;
        for i in self.vstart / per..self.vl / per {
            match n {
                0x20 => {
                    let v = sm3_schedule(self.words(vs1, i), self.words(vs2, i));
                    self.put_words(vd, i, v);
                }
                0x2b => {
                    let v = sm3_rounds(self.words(vd, i), self.words(vs2, i), vs1);
                    self.put_words(vd, i, v);
                }
                0x2d => {
                    let (d, b, c) = (self.words(vd, i), self.words(vs2, i), self.words(vs1, i));
                    let v = sha_schedule(self.sew as u8, d, b, c);
                    self.put_words(vd, i, v);
                }
                0x2e | 0x2f => {
                    let w: Words<4> = self.words(vs1, i);
                    let w = if n == 0x2e {
                        [w[2], w[3]]
                    } else {
                        [w[0], w[1]]
                    };
                    let v = sha_rounds(self.sew as u8, self.words(vd, i), self.words(vs2, i), w);
                    self.put_words(vd, i, v);
                }
                _ => {
                    let (d, b) = (
                        self.get_wide(vd, i),
                        self.get_wide(vs2, if scalar { 0 } else { i }),
                    );
                    let v = match (n, vs1) {
                        (0x21, round) => sm4(b, sm4_constants(round & 7), true),
                        (0x22, round) => key_128(b, round & 15),
                        (0x2a, round) => key_256(b, d, round & 15),
                        (0x2c, _) => gcm(d ^ self.get_wide(vs1, i), b),
                        (_, 0x10) => sm4(d, b, false),
                        (_, 0x11) => gcm(d, b),
                        (_, how) => aes(how, d, b),
                    };
                    self.put_wide(vd, i, v);
                }
            }
        }
        Ok(())
    }
}
