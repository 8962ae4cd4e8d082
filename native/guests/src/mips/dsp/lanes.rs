//! What instructions compute of two registers and DSPControl, by their numbers in bits 10-6.

use super::control::{ADDED, Control, MULTIPLIED, SHIFTED, range};

/// Lane `n` of `w` bits.
fn lane(v: u32, w: u32, n: u32, signed: bool) -> i64 {
    let up = 64 - w;
    let v = (u64::from(v) >> (w * n)) << up;
    if signed {
        v as i64 >> up
    } else {
        (v >> up) as i64
    }
}

fn half(v: u32, n: u32) -> i64 {
    lane(v, 16, n, true)
}

fn byte(v: u32, n: u32) -> i64 {
    lane(v, 8, n, false)
}

/// Of each lane of `w` bits.
fn each(a: u32, b: u32, w: u32, signed: bool, mut f: impl FnMut(i64, i64) -> i64) -> u32 {
    let lanes = (0..32 / w).map(|n| {
        let v = f(lane(a, w, n, signed), lane(b, w, n, signed));
        ((v as u64 & ((1 << w) - 1)) as u32) << (w * n)
    });
    lanes.sum()
}

/// Two half words.
fn pair(high: i64, low: i64) -> u32 {
    (high as u32) << 16 | low as u32 & 0xffff
}

/// `a / 2^n`, rounded or not.
fn halved(a: i64, n: u32, rounds: bool) -> i64 {
    if rounds && n > 0 {
        (a + (1 << (n - 1))) >> n
    } else {
        a >> n
    }
}

/// ADDU.QB and its class: sums, differences, products of some.
pub fn sum(c: &mut Control<'_>, op: u64, a: u32, b: u32) -> u32 {
    let (sub, saturates) = (op & 1 != 0, op & 4 != 0);
    let sum = |x: i64, y: i64| if sub { x - y } else { x + y };
    match op {
        0 | 1 | 4 | 5 => each(a, b, 8, false, |x, y| {
            c.fit(sum(x, y), 8, false, saturates, ADDED)
        }),
        8 | 9 | 12 | 13 => each(a, b, 16, false, |x, y| {
            c.fit(sum(x, y), 16, false, saturates, ADDED)
        }),
        10 | 11 | 14 | 15 => each(a, b, 16, true, |x, y| {
            c.fit(sum(x, y), 16, true, saturates, ADDED)
        }),
        22 | 23 => each(a, b, 32, true, |x, y| {
            c.fit(sum(x, y), 32, true, true, ADDED)
        }),
        // MULEU_S.PH.QBL, QBR
        6 | 7 => {
            let from = if op == 6 { 2 } else { 0 };
            let mut p = |n: u32| {
                let v = byte(a, from + n) * lane(b, 16, n, false);
                c.fit(v, 16, false, true, MULTIPLIED)
            };
            let (high, low) = (p(1), p(0));
            pair(high, low)
        }
        // ADDSC, ADDWC
        16 => {
            let (v, carry) = a.overflowing_add(b);
            c.set_carry(carry);
            v
        }
        17 => {
            let v = i64::from(a as i32) + i64::from(b as i32) + c.carry();
            c.fit(v, 32, true, false, ADDED) as u32
        }
        // MODSUB
        18 if a == 0 => b >> 8 & 0xffff,
        18 => a.wrapping_sub(b & 0xff),
        // RADDU.W.QB
        20 => (0..4).map(|n| byte(a, n) as u32).sum(),
        // MULEQ_S.W.PHL, PHR
        28 | 29 => {
            let n = u32::from(op == 28);
            c.product(half(a, n), half(b, n), 16, MULTIPLIED) as u32
        }
        // MULQ_S.PH
        30 => each(a, b, 16, true, |x, y| c.product(x, y, 16, MULTIPLIED) >> 16),
        // MULQ_RS.PH
        _ => each(a, b, 16, true, |x, y| {
            let v = c.fit(x * y * 2, 32, true, true, MULTIPLIED);
            if v == range(32, true).1 {
                0x7fff
            } else {
                (v + 0x8000) >> 16
            }
        }),
    }
}

/// ADDUH.QB and its class: halved sums and differences, products.
pub fn half_sum(c: &mut Control<'_>, op: u64, a: u32, b: u32) -> u32 {
    let (sub, rounds) = (op & 1 != 0, op >> 1 & 1);
    let sum = |x: i64, y: i64| (if sub { x - y } else { x + y } + rounds as i64) >> 1;
    match op {
        0..4 => each(a, b, 8, false, sum),
        8..12 => each(a, b, 16, true, sum),
        16..20 => each(a, b, 32, true, sum),
        // MUL.PH, MUL_S.PH
        12 | 14 => each(a, b, 16, true, |x, y| {
            c.fit(x * y, 16, true, op == 14, MULTIPLIED)
        }),
        // MULQ_S.W, MULQ_RS.W
        _ => {
            let (x, y) = (i64::from(a as i32), i64::from(b as i32));
            if x == y && x == range(32, true).0 {
                c.set(MULTIPLIED);
                return 0x7fff_ffff;
            }
            ((x * y * 2 + i64::from(op == 23) * 0x8000_0000) >> 32) as u32
        }
    }
}

/// CMPU.EQ.QB and its class: comparisons, choices, precision reduced.
pub fn compare(c: &mut Control<'_>, op: u64, a: u32, b: u32) -> u32 {
    let holds = |x: i64, y: i64| match op & 3 {
        0 => x == y,
        1 => x < y,
        _ => x <= y,
    };
    let of_bytes = || (0..4).map(|n| u32::from(holds(byte(a, n), byte(b, n))) << n);
    match op {
        0..=2 => {
            let bits = of_bytes().sum();
            c.set_conditions(4, bits);
            0
        }
        4..=6 => of_bytes().sum(),
        24..=26 => {
            let bits = of_bytes().sum();
            c.set_conditions(4, bits);
            bits
        }
        8..=10 => {
            let bits = (0..2).map(|n| u32::from(holds(half(a, n), half(b, n))) << n);
            let bits = bits.sum();
            c.set_conditions(2, bits);
            0
        }
        // PICK.QB, PICK.PH
        3 | 11 => {
            let w = if op == 3 { 8 } else { 16 };
            let mut n = 0;
            each(a, b, w, false, |x, y| {
                n += 1;
                if c.condition(n - 1) { x } else { y }
            })
        }
        // PRECRQ.QB.PH, PRECR.QB.PH
        12 | 13 => {
            let by = if op == 12 { 8 } else { 0 };
            let two = |v: u32| (v >> (16 + by) & 0xff) << 8 | v >> by & 0xff;
            two(a) << 16 | two(b)
        }
        // PACKRL.PH
        14 => a << 16 | b >> 16,
        // PRECRQU_S.QB.PH
        15 => {
            let mut one = |v: u32, n: u32| match half(v, n) {
                ..0 => {
                    c.set(SHIFTED);
                    0
                }
                0x7f81.. => {
                    c.set(SHIFTED);
                    0xff
                }
                v => v as u32 >> 7,
            };
            one(a, 1) << 24 | one(a, 0) << 16 | one(b, 1) << 8 | one(b, 0)
        }
        // PRECRQ.PH.W
        20 => a & 0xffff_0000 | b >> 16,
        // PRECRQ_RS.PH.W
        _ => {
            let mut one = |v: u32| {
                let v = i64::from(v as i32) + 0x8000;
                c.fit(v >> 16, 16, true, true, SHIFTED)
            };
            let (high, low) = (one(a), one(b));
            pair(high, low)
        }
    }
}

/// PRECR_SRA.PH.W, PRECR_SRA_R.PH.W (bit 0), by `n`.
pub fn shifted_pair(_: &mut Control<'_>, op: u64, a: u32, b: u32, n: u32) -> u32 {
    let one = |v: u32| halved(i64::from(v as i32), n, op & 1 != 0);
    pair(one(a), one(b))
}

/// ABSQ_S.PH and its class: of one register; `a` is the number of REPL.
pub fn expand(c: &mut Control<'_>, op: u64, a: u32, b: u32) -> u32 {
    let mut absolute = |w: u32| each(b, 0, w, true, |x, _| c.fit(x.abs(), w, true, true, ADDED));
    let bytes = |high: u32, low: u32, by: u32| pair(byte(b, high) << by, byte(b, low) << by);
    match op {
        1 => absolute(8),
        9 => absolute(16),
        17 => absolute(32),
        2 => (a & 0xff) * 0x0101_0101,
        3 => (b & 0xff) * 0x0101_0101,
        10 => {
            let v = i64::from(a << 22) as i32 >> 22;
            pair(v.into(), v.into())
        }
        11 => (b & 0xffff) * 0x0001_0001,
        4 => bytes(3, 2, 7),
        5 => bytes(1, 0, 7),
        6 => bytes(3, 1, 7),
        7 => bytes(2, 0, 7),
        28 => bytes(3, 2, 0),
        29 => bytes(1, 0, 0),
        30 => bytes(3, 1, 0),
        31 => bytes(2, 0, 0),
        12 => b & 0xffff_0000,
        13 => b << 16,
        // BITREV
        _ => (b << 16).reverse_bits(),
    }
}

/// SHLL.QB and its class; `a` is the amount.
pub fn shift(c: &mut Control<'_>, op: u64, a: u32, b: u32) -> u32 {
    match op {
        0 | 2 => each(b, 0, 8, false, |x, _| {
            c.fit(x << (a & 7), 8, false, false, SHIFTED)
        }),
        1 | 3 => each(b, 0, 8, false, |x, _| x >> (a & 7)),
        4..8 => each(b, 0, 8, true, |x, _| halved(x, a & 7, op & 1 != 0)),
        8 | 10 | 12 | 14 => each(b, 0, 16, true, |x, _| {
            c.fit(x << (a & 15), 16, true, op >= 12, SHIFTED)
        }),
        9 | 11 | 13 | 15 => each(b, 0, 16, true, |x, _| halved(x, a & 15, op >= 13)),
        20 | 22 => each(b, 0, 32, true, |x, _| {
            c.fit(x << (a & 31), 32, true, true, SHIFTED)
        }),
        21 | 23 => each(b, 0, 32, true, |x, _| halved(x, a & 31, true)),
        _ => each(b, 0, 16, false, |x, _| x >> (a & 15)),
    }
}

/// INSV: `scount` bits of `a` from `pos` on. What reaches beyond is left open.
pub fn insert(c: &mut Control<'_>, _: u64, a: u32, b: u32) -> u32 {
    let (pos, size) = (c.pos() & 31, c.scount());
    if size == 0 || pos + size > 32 {
        return b;
    }
    let m = (u32::MAX >> (32 - size)) << pos;
    b & !m | a << pos & m
}

/// APPEND, PREPEND, BALIGN: `a` is what comes to `b`, `n` by how much.
pub fn append(op: u64, a: u32, b: u32, n: u32) -> u32 {
    match op {
        0 if n == 0 => b,
        0 => b << n | a & (u32::MAX >> (32 - n)),
        1 if n == 0 => b,
        1 => a << (32 - n) | b >> n,
        _ => match n & 3 {
            n if n & 1 == 0 => b,
            n => b << (8 * n) | a >> (32 - 8 * n),
        },
    }
}
