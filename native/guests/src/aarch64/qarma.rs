//! QARMA-64 with five rounds, and with three, as the Arm ARM's ComputePAC has it (J1.1, shared/functions/pointer authentication;
//! R. Avanzi, "The QARMA Block Cipher Family").
//!
//! A word is 16 cells of 4 bits, the first one highest.

const ROUND_CONSTANTS: [u64; 5] = [
    0,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
];
const ALPHA: u64 = 0xc0ac_29b7_c97c_50dd;

/// Which cell goes to each place.
const SHUFFLE: [u8; 16] = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
const TWEAK: [u8; 16] = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
/// The cells of a tweak that then are stepped.
const STEPPED: [usize; 7] = [0, 1, 3, 4, 8, 11, 13];
/// The S-boxes of five rounds and of three, which is its own inverse.
const BOX5: [u8; 16] = [11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10];
const BOX3: [u8; 16] = [10, 13, 14, 6, 15, 7, 3, 5, 9, 8, 0, 12, 11, 1, 2, 4];

const fn inverse(of: &[u8; 16]) -> [u8; 16] {
    let mut out = [0; 16];
    let mut n = 0;
    while n < 16 {
        out[of[n] as usize] = n as u8;
        n += 1;
    }
    out
}

const UNSHUFFLE: [u8; 16] = inverse(&SHUFFLE);
const UNTWEAK: [u8; 16] = inverse(&TWEAK);
const INVERSE_BOX5: [u8; 16] = inverse(&BOX5);

fn cell(v: u64, n: usize) -> u64 {
    v >> (60 - 4 * n) & 15
}

fn cells(f: impl Fn(usize) -> u64) -> u64 {
    (0..16).fold(0, |all, n| all << 4 | f(n))
}

fn permuted(v: u64, from: &[u8; 16]) -> u64 {
    cells(|n| cell(v, from[n].into()))
}

fn substituted(v: u64, by: &[u8; 16]) -> u64 {
    cells(|n| by[cell(v, n) as usize].into())
}

/// All cells turned left.
fn turned(v: u64, by: u32) -> u64 {
    let keep = 0x1111_1111_1111_1111 * (15 >> by);
    (v & keep) << by | v >> (4 - by) & !(keep << by)
}

/// Each column times circ(0, r, r^2, r), r turning a cell by one bit. A row is 16 bits.
fn mixed(v: u64) -> u64 {
    let (once, twice) = (turned(v, 1), turned(v, 2));
    once.rotate_left(16) ^ twice.rotate_left(32) ^ once.rotate_left(48)
}

fn tweaked(v: u64) -> u64 {
    let v = permuted(v, &TWEAK);
    cells(|n| match cell(v, n) {
        c if STEPPED.contains(&n) => c >> 1 | (c ^ c >> 1) << 3 & 8,
        c => c,
    })
}

fn untweaked(v: u64) -> u64 {
    let v = cells(|n| match cell(v, n) {
        c if STEPPED.contains(&n) => c << 1 & 15 | (c ^ c >> 3) & 1,
        c => c,
    });
    permuted(v, &UNTWEAK)
}

/// The code of `data` under a modifier and a key (its bits 127-64, and 63-0), by QARMA3 or QARMA5.
#[must_use]
pub fn code(data: u64, modifier: u64, (k0, k1): (u64, u64), three: bool) -> u64 {
    let (rounds, there, back) = if three {
        (2, &BOX3, &BOX3)
    } else {
        (4, &BOX5, &INVERSE_BOX5)
    };
    let modified = k0.rotate_right(1) ^ k0 >> 63;
    let mut tweak = modifier;
    let mut v = data ^ k0;
    for (n, constant) in ROUND_CONSTANTS.iter().enumerate().take(rounds + 1) {
        v ^= k1 ^ tweak ^ constant;
        if n > 0 {
            v = mixed(permuted(v, &SHUFFLE));
        }
        v = substituted(v, there);
        tweak = tweaked(tweak);
    }
    v ^= modified ^ tweak;
    v = substituted(mixed(permuted(v, &SHUFFLE)), there);
    v = mixed(permuted(v, &SHUFFLE)) ^ k1;
    v = substituted(permuted(v, &UNSHUFFLE), back);
    v = permuted(mixed(v), &UNSHUFFLE) ^ k0 ^ tweak;
    for n in (0..=rounds).rev() {
        v = substituted(v, back);
        if n > 0 {
            v = permuted(mixed(v), &UNSHUFFLE);
        }
        tweak = untweaked(tweak);
        v ^= k1 ^ tweak ^ ROUND_CONSTANTS[n] ^ ALPHA;
    }
    v ^ modified
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By qemu-aarch64 11 (`pacga`, whose result is the upper half) under a key that follows from its `-seed 1`.
    #[test]
    fn codes_are_those_of_qemu() {
        let (data, modifier) = (0xfb62_3599_da6c_127c, 0x477d_469d_ec0b_8762);
        let key = (0x9b81_0e76_6ec9_d286, 0x63ca_828d_d5f4_b3b2);
        let found = |three| code(data, modifier, key, three) >> 32;
        assert_eq!(found(false), 0xd58a_3cb8);
        assert_eq!(found(true), 0x3656_4e50);
    }

    #[test]
    fn what_has_an_inverse_is_undone_by_it() {
        let v = 0x0123_4567_89ab_cdef;
        assert_eq!(untweaked(tweaked(v)), v);
        assert_eq!(mixed(mixed(v)), v);
        assert_eq!(permuted(permuted(v, &SHUFFLE), &UNSHUFFLE), v);
        assert_eq!(substituted(substituted(v, &BOX3), &BOX3), v);
    }
}
