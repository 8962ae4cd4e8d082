//! What instructions compute of accumulators of 64 bits, by their numbers in bits 10-6.

use super::control::{ACCUMULATED, Control, EXTRACTED, range};

fn half(v: u32, n: u32) -> i64 {
    i64::from((v >> (16 * n)) as i16)
}

/// The sum of the products of two lanes each.
fn dot(a: [i64; 2], b: [i64; 2]) -> i64 {
    a[0] * b[0] + a[1] * b[1]
}

/// DPA.W.PH and its class: products of what is in `a` and `b` added to accumulator `n`, or taken off.
pub fn accumulate(c: &mut Control<'_>, op: u64, n: u32, acc: i64, a: u32, b: u32) -> i64 {
    let flag = ACCUMULATED + n;
    let halves = |v: u32| [half(v, 0), half(v, 1)];
    let crossed = |v: u32| [half(v, 1), half(v, 0)];
    let bytes = |v: u32, from: u32| [from, from + 1].map(|n| i64::from(v >> (8 * n) & 0xff));
    let sub = |op: u64| op & 1 != 0;
    let add = |v: i64, takes: bool| {
        if takes {
            acc.wrapping_sub(v)
        } else {
            acc.wrapping_add(v)
        }
    };
    match op {
        0 | 1 => add(dot(halves(a), halves(b)), sub(op)),
        8 | 9 => add(dot(halves(a), crossed(b)), sub(op)),
        // MULSA.W.PH
        2 => acc.wrapping_add(half(a, 1) * half(b, 1) - half(a, 0) * half(b, 0)),
        // DPAU.H.QBL, QBR; DPSU.H.QBL, QBR
        3 | 11 => add(dot(bytes(a, 2), bytes(b, 2)), op == 11),
        7 | 15 => add(dot(bytes(a, 0), bytes(b, 0)), op == 15),
        // DPAQ_S.W.PH, DPSQ_S.W.PH, MULSAQ_S.W.PH, DPAQX_S.W.PH, DPSQX_S.W.PH
        4..7 | 24 | 25 => {
            let b = if op >= 24 { crossed(b) } else { halves(b) };
            let high = c.product(half(a, 1), b[1], 16, flag);
            let low = c.product(half(a, 0), b[0], 16, flag);
            if op == 6 {
                acc.wrapping_add(high - low)
            } else {
                add(high + low, sub(op))
            }
        }
        // DPAQX_SA.W.PH, DPSQX_SA.W.PH
        26 | 27 => {
            let b = crossed(b);
            let high = c.product(half(a, 1), b[1], 16, flag);
            let low = c.product(half(a, 0), b[0], 16, flag);
            c.fit(add(high + low, sub(op)), 32, true, true, flag)
        }
        // DPAQ_SA.L.W, DPSQ_SA.L.W
        12 | 13 => {
            let (x, y) = (i64::from(a as i32), i64::from(b as i32));
            let p = if x == y && x == range(32, true).0 {
                c.set(flag);
                i64::MAX
            } else {
                x * y * 2
            };
            let (v, wraps) = if op == 13 {
                acc.overflowing_sub(p)
            } else {
                acc.overflowing_add(p)
            };
            if !wraps {
                return v;
            }
            c.set(flag);
            if acc < 0 { i64::MIN } else { i64::MAX }
        }
        // MAQ_SA.W.PHL, PHR; MAQ_S.W.PHL, PHR
        _ => {
            let at = u32::from(op & 2 == 0);
            let p = c.product(half(a, at), half(b, at), 16, flag);
            let v = acc.wrapping_add(p);
            if op & 4 != 0 { v } else { narrow(c, v, flag) }
        }
    }
}

/// A sum that is to have 32 bits: the bit above these tells whether it has.
fn narrow(c: &mut Control<'_>, v: i64, flag: u32) -> i64 {
    let (sign, top) = (v >> 32 & 1, v >> 31 & 1);
    let (least, most) = range(32, true);
    if sign == top {
        return i64::from(v as i32);
    }
    c.set(flag);
    if sign != 0 { least } else { most }
}

/// EXTR.W and its class: `acc >> n`, rounded (4), saturated (6), or as a half word (14).
pub fn extract(c: &mut Control<'_>, op: u64, acc: i64, n: u32) -> u32 {
    let n = n & 31;
    if op & !1 == 14 {
        return c.fit(acc >> n, 16, true, true, EXTRACTED) as u32;
    }
    // With one bit more.
    let exact = (i128::from(acc) << 1) >> n;
    let rounded = exact + 1;
    let fits = |v: i128| i128::from((v >> 1) as i32) == v >> 1;
    if !fits(exact) || !fits(rounded) {
        c.set(EXTRACTED);
    }
    match op & !1 {
        0 => (exact >> 1) as u32,
        4 => (rounded >> 1) as u32,
        _ if fits(rounded) => (rounded >> 1) as u32,
        _ if rounded < 0 => 0x8000_0000,
        _ => 0x7fff_ffff,
    }
}

/// EXTP, EXTPDP (bit 3), which moves `pos`: `size + 1` bits down from it.
pub fn extract_bits(c: &mut Control<'_>, op: u64, acc: i64, size: u32) -> u32 {
    let (pos, size) = (c.pos(), size & 31);
    let below = pos as i32 - (size as i32 + 1);
    if below < -1 {
        c.set_efi(true);
        return 0;
    }
    c.set_efi(false);
    if op & 8 != 0 {
        c.set_pos(below as u32);
    }
    let v = (acc as u64) >> (below + 1);
    v as u32 & u32::MAX >> (31 - size)
}

/// SHILO: by six bits with a sign, to the right.
pub fn shift(acc: i64, by: u32) -> i64 {
    let by = (by << 26) as i32 >> 26;
    if by >= 0 {
        (acc as u64 >> by) as i64
    } else {
        acc << -by
    }
}
