//! The meaning of the wide (vector) operations, lane by lane.

use super::Op;
use super::eval::{mask, sext};

/// Lane `i` of `w` bits.
#[must_use]
pub fn lane(v: u128, w: u8, i: u32) -> u64 {
    (v >> (u32::from(w) * i)) as u64 & mask(w)
}

/// `v` with lane `i` replaced.
#[must_use]
pub fn with_lane(v: u128, w: u8, i: u32, x: u64) -> u128 {
    let s = u32::from(w) * i;
    (v & !(u128::from(mask(w)) << s)) | u128::from(x & mask(w)) << s
}

/// Builds a value from a function of the lane number.
pub fn from_lanes(w: u8, mut f: impl FnMut(u32) -> u64) -> u128 {
    let mut r = 0;
    for i in 0..128 / u32::from(w) {
        r |= u128::from(f(i) & mask(w)) << (u32::from(w) * i);
    }
    r
}

fn map1(w: u8, a: u128, f: impl Fn(u64) -> u64) -> u128 {
    from_lanes(w, |i| f(lane(a, w, i)))
}

fn map2(w: u8, a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    from_lanes(w, |i| f(lane(a, w, i), lane(b, w, i)))
}

fn pairs(w: u8, a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let half = 64 / u32::from(w);
    from_lanes(w, |i| {
        let (v, i) = if i < half { (a, i) } else { (b, i - half) };
        f(lane(v, w, 2 * i), lane(v, w, 2 * i + 1))
    })
}

/// A number as the nearest of `w` bits with sign.
fn signed_clamp(w: u8, x: i128) -> u64 {
    let top = 1i128 << (w - 1);
    x.clamp(-top, top - 1) as u64
}

/// Evaluates a wide operation.
#[must_use]
pub fn eval(op: Op, w: u8, a: u128, b: u128, c: u128, imm: u64) -> u128 {
    let all = |x: bool| if x { u64::MAX } else { 0 };
    let n = imm as u32;
    let bits = u32::from(w);
    let lanes = 128 / bits.max(1);
    let half = lanes / 2;
    match op {
        Op::VAnd => a & b,
        Op::VOr => a | b,
        Op::VXor => a ^ b,
        Op::VAndn => a & !b,
        Op::VOrn => a | !b,
        Op::VNot => !a,
        Op::VBsl => (a & c) | (b & !c),
        Op::VZext if w >= 128 => a,
        Op::VZext => a & ((1 << bits) - 1),
        Op::VBox => a & u128::from(mask(w)) | u128::from(!mask(w)),
        Op::VUnbox if a as u64 | mask(w) == u64::MAX => a,
        Op::VUnbox => u128::from(super::float::default_nan(w)),
        Op::VExt if n == 0 => a,
        Op::VExt => a >> (8 * n) | b << (128 - 8 * n),
        Op::VAdd => map2(w, a, b, u64::wrapping_add),
        Op::VSub => map2(w, a, b, u64::wrapping_sub),
        Op::VMul => map2(w, a, b, u64::wrapping_mul),
        Op::VNeg => map1(w, a, u64::wrapping_neg),
        Op::VAbs => map1(w, a, |x| sext(w, x).unsigned_abs()),
        Op::VCmpEq => map2(w, a, b, |x, y| all(x == y)),
        Op::VCmpGtS => map2(w, a, b, |x, y| all(sext(w, x) > sext(w, y))),
        Op::VCmpGeS => map2(w, a, b, |x, y| all(sext(w, x) >= sext(w, y))),
        Op::VCmpGtU => map2(w, a, b, |x, y| all(x > y)),
        Op::VCmpGeU => map2(w, a, b, |x, y| all(x >= y)),
        Op::VMinS => map2(w, a, b, |x, y| sext(w, x).min(sext(w, y)) as u64),
        Op::VMinU => map2(w, a, b, u64::min),
        Op::VMaxS => map2(w, a, b, |x, y| sext(w, x).max(sext(w, y)) as u64),
        Op::VMaxU => map2(w, a, b, u64::max),
        Op::VShl => map1(w, a, |x| x.checked_shl(n).unwrap_or(0)),
        Op::VShrU => map1(w, a, |x| x.checked_shr(n).unwrap_or(0)),
        Op::VShrS => map1(w, a, |x| (sext(w, x) >> n.min(63)) as u64),
        Op::VWidenU => from_lanes(w * 2, |i| lane(a, w, i + n * half)),
        Op::VWidenS => from_lanes(w * 2, |i| sext(w, lane(a, w, i + n * half)) as u64),
        Op::VNarrow => from_lanes(w / 2, |i| if i < lanes { lane(a, w, i) } else { 0 }),
        Op::VZip1 | Op::VZip2 => {
            let base = if op == Op::VZip1 { 0 } else { half };
            from_lanes(w, |i| lane(if i & 1 == 0 { a } else { b }, w, base + i / 2))
        }
        Op::VUzp1 | Op::VUzp2 => {
            let odd = u32::from(op == Op::VUzp2);
            from_lanes(w, |i| {
                if i < half {
                    lane(a, w, 2 * i + odd)
                } else {
                    lane(b, w, 2 * (i - half) + odd)
                }
            })
        }
        Op::VTrn1 | Op::VTrn2 => {
            let odd = u32::from(op == Op::VTrn2);
            from_lanes(w, |i| {
                lane(if i & 1 == 0 { a } else { b }, w, (i & !1) + odd)
            })
        }
        Op::VAddP => pairs(w, a, b, u64::wrapping_add),
        Op::VMaxPU => pairs(w, a, b, u64::max),
        Op::VMinPU => pairs(w, a, b, u64::min),
        Op::VDupG => map1(w, 0, |_| a as u64),
        Op::VDupLane => map1(w, 0, |_| lane(a, w, n)),
        Op::VIns => with_lane(a, w, n, b as u64),
        Op::VGet => u128::from(lane(a, w, n)),
        Op::VFromG => a & u128::from(u64::MAX),
        Op::VMask => (0..16).fold(0, |r, i| r | (a >> (8 * i + 7) & 1) << i),
        Op::VLanes => from_lanes(w, |i| all(a >> (n + i * bits / 8) & 1 != 0)),
        Op::VPopcnt => map1(w, a, |x| u64::from(x.count_ones())),
        Op::VTbl1 => map1(8, b, |i| if i < 16 { lane(a, 8, i as u32) } else { 0 }),
        Op::VRev => {
            let per = n / bits;
            from_lanes(w, |i| lane(a, w, (i / per) * per + (per - 1 - i % per)))
        }
        Op::VSumU => {
            u128::from((0..lanes).fold(0u64, |s, i| s.wrapping_add(lane(a, w, i))) & mask(w))
        }
        Op::VPairU => from_lanes(w * 2, |i| lane(a, w, 2 * i) + lane(a, w, 2 * i + 1)),
        Op::VPairS => from_lanes(w * 2, |i| {
            (sext(w, lane(a, w, 2 * i)) + sext(w, lane(a, w, 2 * i + 1))) as u64
        }),
        Op::VMulLU => from_lanes(w * 2, |i| {
            lane(a, w, i + n * half) * lane(b, w, i + n * half)
        }),
        Op::VMulLS => from_lanes(w * 2, |i| {
            let i = i + n * half;
            (sext(w, lane(a, w, i)) * sext(w, lane(b, w, i))) as u64
        }),
        Op::VMulHiS => map2(w, a, b, |x, y| ((sext(w, x) * sext(w, y)) >> w) as u64),
        Op::VMulRoundS => map2(w, a, b, |x, y| {
            ((((sext(w, x) * sext(w, y)) >> (w - 2)) + 1) >> 1) as u64
        }),
        Op::VAvgU => map2(w, a, b, |x, y| {
            ((u128::from(x) + u128::from(y) + 1) >> 1) as u64
        }),
        Op::VAddSatU => map2(w, a, b, |x, y| x.saturating_add(y).min(mask(w))),
        Op::VSubSatU => map2(w, a, b, u64::saturating_sub),
        Op::VAddSatS => map2(w, a, b, |x, y| {
            signed_clamp(w, i128::from(sext(w, x)) + i128::from(sext(w, y)))
        }),
        Op::VSubSatS => map2(w, a, b, |x, y| {
            signed_clamp(w, i128::from(sext(w, x)) - i128::from(sext(w, y)))
        }),
        Op::VShlV => map2(w, a, b, |x, y| if y < 64 { x << y } else { 0 }),
        Op::VShrUV => map2(w, a, b, |x, y| if y < 64 { x >> y } else { 0 }),
        Op::VShrSV => map2(w, a, b, |x, y| (sext(w, x) >> y.min(63)) as u64),
        Op::VClMul => {
            let (x, y) = (u128::from(lane(a, 64, n)), lane(b, 64, n));
            (0..64)
                .filter(|k| y >> k & 1 != 0)
                .fold(0, |r, k| r ^ x << k)
        }
        Op::VDotU | Op::VDotS | Op::VDotUS => from_lanes(32, |i| {
            let num = |signed: bool, v: u128, k| {
                let x = lane(v, 8, 4 * i + k);
                if signed { sext(8, x) } else { x as i64 }
            };
            (0..4).fold(lane(c, 32, i), |sum, k| {
                let p = num(op == Op::VDotS, a, k) * num(op != Op::VDotU, b, k);
                sum.wrapping_add(p as u64)
            })
        }),
        _ => unreachable!("{op:?} is not a wide operation"),
    }
}
