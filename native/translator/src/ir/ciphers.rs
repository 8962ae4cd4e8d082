//! Parts of ciphers and hashes that several instruction sets have instructions for: SHA-2's functions (FIPS 180-4, 4.1), SM3's
//! and SM4's (GB/T 32905, 32907), products in GCM's field.

use super::vector::lane;
use std::sync::OnceLock;

/// SHA-2's functions of one word, of 32 or 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sha {
    Sum0,
    Sum1,
    Sigma0,
    Sigma1,
}

/// One of them.
#[must_use]
pub fn sha(which: Sha, w: u8, x: u64) -> u64 {
    if w == 32 {
        let x = x as u32;
        let r = |n| x.rotate_right(n);
        return u64::from(match which {
            Sha::Sum0 => r(2) ^ r(13) ^ r(22),
            Sha::Sum1 => r(6) ^ r(11) ^ r(25),
            Sha::Sigma0 => r(7) ^ r(18) ^ x >> 3,
            Sha::Sigma1 => r(17) ^ r(19) ^ x >> 10,
        });
    }
    let r = |n| x.rotate_right(n);
    match which {
        Sha::Sum0 => r(28) ^ r(34) ^ r(39),
        Sha::Sum1 => r(14) ^ r(18) ^ r(41),
        Sha::Sigma0 => r(1) ^ r(8) ^ x >> 7,
        Sha::Sigma1 => r(19) ^ r(61) ^ x >> 6,
    }
}

/// SM3's permutations.
#[must_use]
pub fn sm3_p0(x: u32) -> u32 {
    x ^ x.rotate_left(9) ^ x.rotate_left(17)
}

#[must_use]
pub fn sm3_p1(x: u32) -> u32 {
    x ^ x.rotate_left(15) ^ x.rotate_left(23)
}

/// SM4's field: polynomial x^8 + x^7 + x^6 + x^5 + x^4 + x^2 + 1.
fn times(mut a: u8, mut b: u8) -> u8 {
    let mut r = 0;
    while b != 0 {
        if b & 1 != 0 {
            r ^= a;
        }
        a = a << 1 ^ if a & 0x80 != 0 { 0xf5 } else { 0 };
        b >>= 1;
    }
    r
}

/// SM4's S-box: an affine map, the inverse in the field, and the map again.
#[must_use]
pub fn sm4_box() -> &'static [u8; 256] {
    static BOX: OnceLock<[u8; 256]> = OnceLock::new();
    BOX.get_or_init(|| {
        let map = |x: u8| {
            (0..8).fold(0xd3u8, |r, i| {
                let bit = (x & 0xa7u8.rotate_left(i)).count_ones() as u8 & 1;
                r ^ bit << i
            })
        };
        std::array::from_fn(|x| {
            let y = map(x as u8);
            map((0..254).fold(1, |r, _| times(r, y)))
        })
    })
}

/// SM4's linear maps: of a round, or of one of its key schedule.
#[must_use]
pub fn sm4_mix(t: u32, key: bool) -> u32 {
    if key {
        t ^ t.rotate_left(13) ^ t.rotate_left(23)
    } else {
        t ^ t.rotate_left(2) ^ t.rotate_left(10) ^ t.rotate_left(18) ^ t.rotate_left(24)
    }
}

/// Four rounds of SM4 (`key`: of its key schedule) on `x` with the words of `k`.
#[must_use]
pub fn sm4(mut x: u128, k: u128, key: bool) -> u128 {
    let w = |v, i| lane(v, 32, i) as u32;
    for i in 0..4 {
        let t = w(x, 3) ^ w(x, 2) ^ w(x, 1) ^ w(k, i);
        let t = u32::from_le_bytes(t.to_le_bytes().map(|b| sm4_box()[usize::from(b)]));
        x = x >> 32 | u128::from(sm4_mix(t, key) ^ w(x, 0)) << 96;
    }
    x
}

/// The product in the field of GCM (SP 800-38D, 6.3), whose numbers have the lowest bit of a byte last.
#[must_use]
pub fn gcm(a: u128, b: u128) -> u128 {
    let turned = |v: u128| v.reverse_bits().swap_bytes();
    let (a, mut b) = (turned(a), turned(b));
    let mut r = 0;
    for n in 0..128 {
        if a >> n & 1 != 0 {
            r ^= b;
        }
        b = b << 1 ^ if b >> 127 != 0 { 0x87 } else { 0 };
    }
    turned(r)
}
