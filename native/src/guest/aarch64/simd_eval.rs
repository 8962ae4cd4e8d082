//! Advanced SIMD lane by lane: what the lifters in `simd*` have no IR for.
//!
//! Each function is an `ir::state::Helper` and gets the instruction word as its
//! immediate. Operations: Arm ARM C7.2, shared pseudocode.

use crate::ir::eval::mask;
use crate::ir::state::State;
use crate::ir::vector::{from_lanes, lane, with_lane};

/// FPSR.QC
pub const QC: u64 = 1 << 27;

/// Fields of a vector or scalar encoding.
#[derive(Clone, Copy)]
pub struct F(pub u32);

impl F {
    pub fn u(self) -> bool {
        self.0 >> 29 & 1 != 0
    }
    pub fn q(self) -> bool {
        self.0 >> 30 & 1 != 0
    }
    /// Lane width by bits 23-22.
    pub fn w(self) -> u8 {
        8 << (self.0 >> 22 & 3)
    }
    pub fn bits(self, lo: u32, len: u32) -> u32 {
        self.0 >> lo & ((1 << len) - 1)
    }
}

fn s(w: u8, x: u64) -> i128 {
    i128::from(crate::ir::eval::sext(w, x))
}

/// A lane as a number, signed or not.
fn num(unsigned: bool, w: u8, x: u64) -> i128 {
    if unsigned {
        i128::from(x & mask(w))
    } else {
        s(w, x)
    }
}

/// Saturates to `w` bits, setting QC.
fn sat(st: &mut State, unsigned: bool, w: u8, x: i128) -> u64 {
    let (lo, hi) = if unsigned {
        (0, (1i128 << w) - 1)
    } else {
        (-(1i128 << (w - 1)), (1i128 << (w - 1)) - 1)
    };
    if x < lo || x > hi {
        st.fpstatus |= QC;
    }
    x.clamp(lo, hi) as u64 & mask(w)
}

/// Shift left by a signed amount (the low byte of `by`), rounding, saturating.
fn shift(
    st: &mut State,
    unsigned: bool,
    w: u8,
    x: i128,
    by: i128,
    round: bool,
    saturate: bool,
) -> u64 {
    let n = i128::from(by as u8 as i8);
    if n >= 0 {
        let big = n >= i128::from(w);
        if !saturate {
            return if big { 0 } else { (x << n) as u64 & mask(w) };
        }
        let wide = if x == 0 {
            0
        } else if n >= 64 {
            x.signum() << 100
        } else {
            x << n
        };
        return sat(st, unsigned, w, wide);
    }
    let n = (-n).min(127);
    let r = if round {
        ((x >> (n - 1)) + 1) >> 1
    } else {
        x >> n
    };
    r as u64 & mask(w)
}

fn pmul(a: u64, b: u64, w: u8) -> u128 {
    (0..u32::from(w))
        .filter(|k| b >> k & 1 != 0)
        .fold(0, |r, k| r ^ u128::from(a) << k)
}

/// SQ(R)DMULH, SQRDMLAH, SQRDMLSH: the high half of acc * 2^w + 2 a b.
fn doubling_high(st: &mut State, w: u8, acc: i128, a: u64, b: u64, round: bool, sub: bool) -> u64 {
    let p = 2 * s(w, a) * s(w, b);
    let sum = (acc << w) + if sub { -p } else { p } + if round { 1i128 << (w - 1) } else { 0 };
    sat(st, false, w, sum >> w)
}

/// Three registers of the same type, integers. Pairwise forms too.
pub fn three_same(st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (u, w, opcode) = (f.u(), f.w(), f.bits(11, 5));
    let pairwise = matches!(opcode, 0x14 | 0x15 | 0x17);
    let per = if f.q() { 128 } else { 64 } / u32::from(w);
    from_lanes(w, |i| {
        let (x, y) = if pairwise {
            let (v, k) = if i < per / 2 {
                (a, i)
            } else {
                (b, i.wrapping_sub(per / 2) % per)
            };
            if i >= per {
                return 0;
            }
            (lane(v, w, 2 * k), lane(v, w, 2 * k + 1))
        } else {
            (lane(a, w, i), lane(b, w, i))
        };
        let acc = lane(d, w, i);
        let (nx, ny) = (num(u, w, x), num(u, w, y));
        let all = |c: bool| if c { u64::MAX } else { 0 };
        match opcode {
            0x00 => ((nx + ny) >> 1) as u64,
            0x01 => sat(st, u, w, nx + ny),
            0x02 => ((nx + ny + 1) >> 1) as u64,
            0x04 => ((nx - ny) >> 1) as u64,
            0x05 => sat(st, u, w, nx - ny),
            0x06 => all(nx > ny),
            0x07 => all(nx >= ny),
            0x08 => shift(st, u, w, nx, i128::from(y), false, false),
            0x09 => shift(st, u, w, nx, i128::from(y), false, true),
            0x0a => shift(st, u, w, nx, i128::from(y), true, false),
            0x0b => shift(st, u, w, nx, i128::from(y), true, true),
            0x0c | 0x14 => nx.max(ny) as u64,
            0x0d | 0x15 => nx.min(ny) as u64,
            0x0e => (nx - ny).unsigned_abs() as u64,
            0x0f => acc.wrapping_add((nx - ny).unsigned_abs() as u64),
            0x10 if u => x.wrapping_sub(y),
            0x10 | 0x17 => x.wrapping_add(y),
            0x11 if u => all(x == y),
            0x11 => all(x & y != 0),
            0x12 if u => acc.wrapping_sub(x.wrapping_mul(y)),
            0x12 => acc.wrapping_add(x.wrapping_mul(y)),
            0x13 if u => pmul(x, y, w) as u64,
            0x13 => x.wrapping_mul(y),
            _ => doubling_high(st, w, 0, x, y, u, false),
        }
    })
}

/// SQRDMLAH, SQRDMLSH, SDOT, UDOT.
pub fn three_extra(st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let w = f.w();
    let opcode = f.bits(11, 4);
    from_lanes(w, |i| {
        let acc = lane(d, w, i);
        if opcode == 2 {
            return (0..4).fold(acc, |r, k| {
                let n = 4 * i + k;
                r.wrapping_add((num(f.u(), 8, lane(a, 8, n)) * num(f.u(), 8, lane(b, 8, n))) as u64)
            });
        }
        doubling_high(
            st,
            w,
            s(w, acc),
            lane(a, w, i),
            lane(b, w, i),
            true,
            opcode == 1,
        )
    })
}

/// Three registers of different types: long, wide and narrowing forms; Q selects the upper half.
pub fn three_different(st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (u, w, opcode) = (f.u(), f.w(), f.bits(12, 4));
    let high = if f.q() { 64 / u32::from(w) } else { 0 };
    let w2 = w * 2;
    if opcode == 4 || opcode == 6 {
        // Narrowing: the high halves of sums or differences of wide lanes.
        let half = from_lanes(w, |i| {
            if i >= 64 / u32::from(w) {
                return 0;
            }
            let wide = |v: u128| if w == 64 { 0 } else { lane(v, w2, i) };
            let (x, y) = (wide(a), wide(b));
            let r = if opcode == 4 {
                x.wrapping_add(y)
            } else {
                x.wrapping_sub(y)
            };
            let r = if u { r.wrapping_add(1 << (w - 1)) } else { r };
            (r & mask(w2)) >> w
        });
        return if f.q() {
            (d & u128::from(u64::MAX)) | half << 64
        } else {
            half
        };
    }
    if opcode == 14 {
        let pick = |v: u128| if f.q() { (v >> 64) as u64 } else { v as u64 };
        if w == 64 {
            return pmul(pick(a), pick(b), 64);
        }
        return from_lanes(16, |i| {
            pmul(lane(a, 8, i + high), lane(b, 8, i + high), 8) as u64
        });
    }
    from_lanes(w2, |i| {
        let narrow = |v: u128| num(u, w, lane(v, w, i + high));
        let wide = |v: u128| num(u, w2, lane(v, w2, i));
        let acc = lane(d, w2, i);
        let product = || (narrow(a) * narrow(b)) as u64;
        let doubled = |st: &mut State| {
            let p = 2 * s(w, lane(a, w, i + high)) * s(w, lane(b, w, i + high));
            sat(st, false, w2, p)
        };
        match opcode {
            0 => (narrow(a) + narrow(b)) as u64,
            1 => (wide(a) + narrow(b)) as u64,
            2 => (narrow(a) - narrow(b)) as u64,
            3 => (wide(a) - narrow(b)) as u64,
            5 => acc.wrapping_add((narrow(a) - narrow(b)).unsigned_abs() as u64),
            7 => (narrow(a) - narrow(b)).unsigned_abs() as u64,
            8 => acc.wrapping_add(product()),
            10 => acc.wrapping_sub(product()),
            12 => product(),
            9 => {
                let p = doubled(st);
                sat(st, false, w2, s(w2, acc) + s(w2, p))
            }
            11 => {
                let p = doubled(st);
                sat(st, false, w2, s(w2, acc) - s(w2, p))
            }
            _ => doubled(st),
        }
    })
}

/// The low half from `v`'s lanes of `2 w` bits narrowed by `g`; Q writes the upper half of `d`.
fn narrow(f: F, w: u8, v: u128, d: u128, mut g: impl FnMut(u64) -> u64) -> u128 {
    let half = from_lanes(w, |i| {
        if i < 64 / u32::from(w) {
            g(lane(v, w * 2, i))
        } else {
            0
        }
    });
    if f.q() {
        (d & u128::from(u64::MAX)) | half << 64
    } else {
        half
    }
}

/// Two registers, integers.
pub fn two_misc(st: &mut State, a: u128, d: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (u, w, opcode) = (f.u(), f.w(), f.bits(12, 5));
    let all = |c: bool| if c { u64::MAX } else { 0 };
    match opcode {
        // SADDLP, UADDLP, SADALP, UADALP.
        0x02 | 0x06 => {
            return from_lanes(w * 2, |i| {
                let sum = num(u, w, lane(a, w, 2 * i)) + num(u, w, lane(a, w, 2 * i + 1));
                let acc = if opcode == 6 { lane(d, w * 2, i) } else { 0 };
                acc.wrapping_add(sum as u64)
            });
        }
        0x12 => {
            return narrow(f, w, a, d, |x| sat(st, true, w, s(w * 2, x)));
        }
        0x14 => {
            return narrow(f, w, a, d, |x| sat(st, u, w, num(u, w * 2, x)));
        }
        0x13 => {
            let high = if f.q() { 64 / u32::from(w) } else { 0 };
            return from_lanes(w * 2, |i| lane(a, w, i + high) << w);
        }
        _ => {}
    }
    from_lanes(w, |i| {
        let x = lane(a, w, i);
        let n = s(w, x);
        match opcode {
            0x03 if u => sat(st, true, w, num(true, w, lane(d, w, i)) + n),
            0x03 => sat(st, false, w, s(w, lane(d, w, i)) + i128::from(x)),
            0x04 if u => u64::from(x.leading_zeros()) - u64::from(64 - w),
            0x04 => {
                let y = (n ^ (n >> 127)) as u64 & mask(w);
                u64::from(y.leading_zeros()) - u64::from(64 - w) - 1
            }
            // RBIT of bytes.
            0x05 => {
                u64::from((x as u8).reverse_bits())
                    | u64::from(((x >> 8) as u8).reverse_bits()) << 8
            }
            0x07 if u => sat(st, false, w, -n),
            0x07 => sat(st, false, w, n.abs()),
            0x08 => all(if u { n >= 0 } else { n > 0 }),
            0x09 => all(if u { n <= 0 } else { n == 0 }),
            0x0a => all(n < 0),
            _ if u => (-n) as u64,
            _ => n.unsigned_abs() as u64,
        }
    })
}

/// The lane width and shift amounts of a shift by immediate.
pub fn shift_fields(f: F) -> (u8, u32, u32) {
    let immh = f.bits(19, 4);
    let w = 8u8 << (31 - immh.leading_zeros());
    let n = f.bits(16, 7);
    (w, 2 * u32::from(w) - n, n - u32::from(w))
}

/// Shifts by immediate.
pub fn shift_imm(st: &mut State, a: u128, d: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (u, opcode) = (f.u(), f.bits(11, 5));
    let (w, right, left) = shift_fields(f);
    if (0x10..0x14).contains(&opcode) {
        let round = if opcode & 1 != 0 {
            1i128 << (right - 1)
        } else {
            0
        };
        return narrow(f, w, a, d, |x| match opcode {
            0x10 | 0x11 if !u => ((i128::from(x) + round) >> right) as u64,
            0x10 | 0x11 => sat(st, true, w, (s(w * 2, x) + round) >> right),
            _ => sat(st, u, w, (num(u, w * 2, x) + round) >> right),
        });
    }
    if opcode == 0x14 {
        let high = if f.q() { 64 / u32::from(w) } else { 0 };
        return from_lanes(w * 2, |i| (num(u, w, lane(a, w, i + high)) << left) as u64);
    }
    from_lanes(w, |i| {
        let x = lane(a, w, i);
        let acc = lane(d, w, i);
        let n = num(u, w, x);
        let rounded = (n + (1i128 << (right - 1))) >> right;
        match opcode {
            0x00 => (n >> right) as u64,
            0x02 => acc.wrapping_add((n >> right) as u64),
            0x04 => rounded as u64,
            0x06 => acc.wrapping_add(rounded as u64),
            0x08 => {
                let m = if right >= u32::from(w) {
                    0
                } else {
                    mask(w) >> right
                };
                (acc & !m) | (x.checked_shr(right).unwrap_or(0) & m)
            }
            0x0a if u => (acc & !(mask(w) << left)) | x << left,
            0x0a => x << left,
            0x0c => sat(st, true, w, s(w, x) << left),
            _ => sat(st, u, w, n << left),
        }
    })
}

/// SADDLV, UADDLV, SMAXV, SMINV, UMAXV, UMINV, ADDV.
pub fn across(_st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (u, w) = (f.u(), f.w());
    let lanes = if f.q() { 128 } else { 64 } / u32::from(w);
    let all = (0..lanes).map(|i| num(u, w, lane(a, w, i)));
    let r = match f.bits(12, 5) {
        0x03 => return u128::from(all.sum::<i128>() as u64 & mask(w * 2)),
        0x0a => all.max(),
        0x1a => all.min(),
        _ => Some(all.sum()),
    };
    u128::from(r.unwrap_or(0) as u64 & mask(w))
}

/// TBL and TBX: `imm` is the table's length in registers, bit 4 TBX, the first register's number above; the
/// table is read from the state.
pub fn table(st: &mut State, idx: u128, d: u128, _c: u128, imm: u64) -> u128 {
    let (len, extend, first) = ((imm & 7) as usize, imm & 16 != 0, (imm >> 8) as usize);
    from_lanes(8, |i| {
        let n = lane(idx, 8, i) as usize;
        match n / 16 < len {
            true => lane(st.v[(first + n / 16) % 32], 8, n as u32 % 16),
            false if extend => lane(d, 8, i),
            false => 0,
        }
    })
}

/// URECPE and URSQRTE.
pub fn estimate_int(_st: &mut State, a: u128, _b: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    from_lanes(32, |i| {
        let x = lane(a, 32, i);
        if f.u() {
            if x >> 30 == 0 {
                0xffff_ffff
            } else {
                super::simd_fp::rsqrt_estimate(x >> 23) << 23
            }
        } else if x >> 31 == 0 {
            0xffff_ffff
        } else {
            super::simd_fp::recip_estimate(x >> 23) << 23
        }
    })
}

/// Replaces one lane: for loads of single elements.
pub fn put_lane(v: u128, w: u8, i: u32, x: u64) -> u128 {
    with_lane(v, w, i, x)
}
