//! The meaning of the cryptographic operations (FIPS 197, FIPS 180-4), which have host
//! instructions on most machines and are evaluated here on others.

use super::Op;
use super::vector::{from_lanes, lane, with_lane};
use std::sync::OnceLock;

/// Multiplication by x in AES's field.
fn xtime(b: u8) -> u8 {
    b << 1 ^ if b & 0x80 != 0 { 0x1b } else { 0 }
}

fn times(mut a: u8, mut b: u8) -> u8 {
    let mut r = 0;
    while b != 0 {
        if b & 1 != 0 {
            r ^= a;
        }
        a = xtime(a);
        b >>= 1;
    }
    r
}

/// The S-box and its inverse, computed from their definition (FIPS 197, 5.1.1).
pub fn boxes() -> &'static [[u8; 256]; 2] {
    static BOXES: OnceLock<[[u8; 256]; 2]> = OnceLock::new();
    BOXES.get_or_init(|| {
        let mut t = [[0u8; 256]; 2];
        for x in 0..=255u8 {
            // The inverse is x^254.
            let inv = (0..254).fold(1u8, |r, _| times(r, x));
            let s = (0..5).fold(0x63, |r, n| r ^ inv.rotate_left(n));
            t[0][usize::from(x)] = s;
            t[1][usize::from(s)] = x;
        }
        t
    })
}

fn byte(v: u128, i: u32) -> u8 {
    lane(v, 8, i) as u8
}

/// ShiftRows and SubBytes, or their inverses.
fn rows(v: u128, decrypt: bool) -> u128 {
    let t = &boxes()[usize::from(decrypt)];
    from_lanes(8, |i| {
        let (row, col) = (i % 4, i / 4);
        let from = if decrypt {
            (col + 4 - row) % 4
        } else {
            (col + row) % 4
        };
        u64::from(t[usize::from(byte(v, 4 * from + row))])
    })
}

fn columns(v: u128, k: [u8; 4]) -> u128 {
    from_lanes(8, |i| {
        let (row, col) = (i % 4, i & !3);
        u64::from((0..4).fold(0, |r, n| {
            r ^ times(byte(v, col + (row + n) % 4), k[n as usize])
        }))
    })
}

fn w(v: u128, i: u32) -> u32 {
    lane(v, 32, i) as u32
}

/// Four rounds of SHA-1 with choice (0), parity (1) or majority (2); `m` has the round constant in it.
fn sha1_rounds(mut x: u128, mut y: u32, m: u128, how: u64) -> u128 {
    for e in 0..4 {
        let (b, c, d) = (w(x, 1), w(x, 2), w(x, 3));
        let f = match how {
            0 => (b & (c ^ d)) ^ d,
            1 => b ^ c ^ d,
            _ => (b & c) | ((b | c) & d),
        };
        y = y
            .wrapping_add(w(x, 0).rotate_left(5))
            .wrapping_add(f)
            .wrapping_add(w(m, e));
        x = with_lane(x, 32, 1, u64::from(b.rotate_left(30)));
        let top = w(x, 3);
        x = x << 32 | u128::from(y);
        y = top;
    }
    x
}

/// Four rounds of SHA-256 of abcd and efgh; one of the two.
fn sha256_rounds(mut x: u128, mut y: u128, m: u128, part: bool) -> u128 {
    for e in 0..4 {
        let (a, b, c, d) = (w(x, 0), w(x, 1), w(x, 2), w(x, 3));
        let (ee, f, g, h) = (w(y, 0), w(y, 1), w(y, 2), w(y, 3));
        let ch = (ee & f) ^ (!ee & g);
        let maj = (a & b) | ((a | b) & c);
        let s1 = ee.rotate_right(6) ^ ee.rotate_right(11) ^ ee.rotate_right(25);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t = h.wrapping_add(s1).wrapping_add(ch).wrapping_add(w(m, e));
        let new_e = d.wrapping_add(t);
        let new_a = t.wrapping_add(s0).wrapping_add(maj);
        x = x << 32 | u128::from(new_a);
        y = y << 32 | u128::from(new_e);
    }
    if part { y } else { x }
}

/// SHA-256's message schedule, first half: d + sigma0 of the next words.
fn sha256_schedule0(d: u128, n: u128) -> u128 {
    let t = d >> 32 | n << 96;
    let sigma = |x: u32| x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3;
    from_lanes(32, |e| u64::from(w(d, e).wrapping_add(sigma(w(t, e)))))
}

/// The second half.
fn sha256_schedule1(d: u128, n: u128, m: u128) -> u128 {
    let sigma = |x: u32| x.rotate_right(17) ^ x.rotate_right(19) ^ x >> 10;
    let t0 = n >> 32 | m << 96;
    let mut r = 0;
    for e in 0..4 {
        let t1 = if e < 2 { w(m, e + 2) } else { w(r, e - 2) };
        let v = sigma(t1).wrapping_add(w(d, e)).wrapping_add(w(t0, e));
        r = with_lane(r, 32, e, u64::from(v));
    }
    r
}

/// Evaluates a cryptographic operation.
#[must_use]
pub fn eval(op: Op, a: u128, b: u128, c: u128, imm: u64) -> u128 {
    const MIX: [u8; 4] = [2, 3, 1, 1];
    const INVERSE: [u8; 4] = [14, 11, 13, 9];
    match op {
        Op::AesSub => rows(a, false),
        Op::AesInvSub => rows(a, true),
        Op::AesMix => columns(a, MIX),
        Op::AesInvMix => columns(a, INVERSE),
        Op::AesRound => columns(rows(a, false), MIX),
        Op::AesInvRound => columns(rows(a, true), INVERSE),
        Op::Sha1Rounds => sha1_rounds(a, b as u32, c, imm),
        Op::Sha256Abcd => sha256_rounds(a, b, c, false),
        Op::Sha256Efgh => sha256_rounds(a, b, c, true),
        Op::Sha256Su0 => sha256_schedule0(a, b),
        Op::Sha256Su1 => sha256_schedule1(a, b, c),
        _ => unreachable!("{op:?} is not a cryptographic operation"),
    }
}
