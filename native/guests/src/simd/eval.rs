//! Advanced SIMD lane by lane: what the lifters in `simd*` have no IR for.
//!
//! Each function is an `ir::state::Helper` and gets the instruction word as its
//! immediate. Operations: Arm ARM C7.2, shared pseudocode.

use crate::ir::eval::mask;
use crate::ir::state::State;
use crate::ir::vector::{from_lanes, lane};

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

/// SQRDMLAH, SQRDMLSH: the high half of acc * 2^w + 2 a b, rounded.
fn doubling_high(st: &mut State, w: u8, acc: i128, a: u64, b: u64, sub: bool) -> u64 {
    let p = 2 * s(w, a) * s(w, b);
    let sum = (acc << w) + if sub { -p } else { p } + (1i128 << (w - 1));
    sat(st, false, w, sum >> w)
}

/// Three registers of the same type: SQADD and the like of 64 bits, saturating shifts, shifts of bytes, PMUL.
pub fn three_same(st: &mut State, a: u128, b: u128, _d: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (u, w, opcode) = (f.u(), f.w(), f.bits(11, 5));
    from_lanes(w, |i| {
        let (x, y) = (lane(a, w, i), lane(b, w, i));
        let (nx, ny) = (num(u, w, x), num(u, w, y));
        match opcode {
            0x01 => sat(st, u, w, nx + ny),
            0x05 => sat(st, u, w, nx - ny),
            0x08..=0x0b => {
                let (round, saturate) = (opcode & 2 != 0, opcode & 1 != 0);
                shift(st, u, w, nx, i128::from(y), round, saturate)
            }
            _ => pmul(x, y, w) as u64,
        }
    })
}

/// SQRDMLAH, SQRDMLSH.
pub fn three_extra(st: &mut State, a: u128, b: u128, d: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let w = f.w();
    let sub = f.bits(11, 4) == 1;
    from_lanes(w, |i| {
        let acc = s(w, lane(d, w, i));
        doubling_high(st, w, acc, lane(a, w, i), lane(b, w, i), sub)
    })
}

/// PMULL of bytes.
pub fn multiply_bytes(_st: &mut State, a: u128, b: u128, _d: u128, imm: u64) -> u128 {
    let high = if F(imm as u32).q() { 8 } else { 0 };
    from_lanes(16, |i| {
        pmul(lane(a, 8, i + high), lane(b, 8, i + high), 8) as u64
    })
}

/// SUQADD, USQADD.
pub fn two_misc(st: &mut State, a: u128, d: u128, _c: u128, imm: u64) -> u128 {
    let f = F(imm as u32);
    let (u, w) = (f.u(), f.w());
    // The addend is of the other kind.
    from_lanes(w, |i| {
        sat(
            st,
            u,
            w,
            num(u, w, lane(d, w, i)) + num(!u, w, lane(a, w, i)),
        )
    })
}

/// The lane width and shift amounts of a shift by immediate.
pub fn shift_fields(f: F) -> (u8, u32, u32) {
    let immh = f.bits(19, 4);
    let w = 8u8 << (31 - immh.leading_zeros());
    let n = f.bits(16, 7);
    (w, 2 * u32::from(w) - n, n - u32::from(w))
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
                super::estimate::rsqrt_estimate(x >> 23) << 23
            }
        } else if x >> 31 == 0 {
            0xffff_ffff
        } else {
            super::estimate::recip_estimate(x >> 23) << 23
        }
    })
}
