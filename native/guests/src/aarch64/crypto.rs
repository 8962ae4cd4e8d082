//! SHA-512 and SHA-3 instructions (Arm ARM C4.1.96, "Cryptographic"). SM3 and SM4 are in `sm.rs`; AES,
//! SHA-1 and SHA-256, which AArch32 has too, in [`crate::simd`].

use super::insn::Insn;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::simd::crypto::{ror, xor3};

fn v<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(n as u16)
}

fn put<S: Sem>(s: &mut S, i: Insn, r: S::V) -> Lift {
    s.set_x(i.rd() as u16, r);
    Lift::Next
}

/// The exclusive or of three rotations of a general value.
fn sigma<S: Sem>(s: &mut S, x: S::V, n: [u64; 3]) -> S::V {
    let [a, b, c] = n.map(|n| s.shift_k(Op::Ror, 64, x, n));
    let r = s.op2(Op::Xor, 64, a, b);
    s.op2(Op::Xor, 64, r, c)
}

fn halves<S: Sem>(s: &mut S, v: S::V) -> [S::V; 2] {
    [0, 1].map(|n| s.op1i(Op::VGet, 64, v, n))
}

fn joined<S: Sem>(s: &mut S, low: S::V, high: S::V) -> S::V {
    let r = s.op1(Op::VFromG, 64, low);
    s.op2i(Op::VIns, 64, r, high, 1)
}

/// SHA512H, SHA512H2: two rounds (Arm ARM C7.2; FIPS 180-4, 6.4.2).
fn sha512_rounds<S: Sem>(s: &mut S, i: Insn, second: bool) -> S::V {
    let (x, y, w) = (v(s, i.rn()), v(s, i.rm()), v(s, i.rd()));
    let ([x0, x1], [y0, y1], [w0, w1]) = (halves(s, x), halves(s, y), halves(s, w));
    let add = |s: &mut S, a, b| s.op2(Op::Add, 64, a, b);
    // c ^ (a & (b ^ c)) is the choice of b or c by a.
    let choose = |s: &mut S, a, b, c| {
        let t = s.op2(Op::Xor, 64, b, c);
        let t = s.op2(Op::And, 64, a, t);
        s.op2(Op::Xor, 64, t, c)
    };
    let majority = |s: &mut S, a, b, c| {
        let t = s.op2(Op::Xor, 64, a, b);
        choose(s, t, c, a)
    };
    if second {
        const N: [u64; 3] = [28, 34, 39];
        let t = majority(s, x0, y1, y0);
        let g = sigma(s, y0, N);
        let t = add(s, t, g);
        let high = add(s, t, w1);
        let t = majority(s, high, y0, y1);
        let g = sigma(s, high, N);
        let t = add(s, t, g);
        let low = add(s, t, w0);
        joined(s, low, high)
    } else {
        const N: [u64; 3] = [14, 18, 41];
        let t = choose(s, y1, x0, x1);
        let g = sigma(s, y1, N);
        let t = add(s, t, g);
        let high = add(s, t, w1);
        let tmp = add(s, high, y0);
        let t = choose(s, tmp, y1, x0);
        let g = sigma(s, tmp, N);
        let t = add(s, t, g);
        let low = add(s, t, w0);
        joined(s, low, high)
    }
}

/// sigma0 or sigma1 of SHA-512's message schedule, on both lanes.
fn schedule<S: Sem>(s: &mut S, x: S::V, [r1, r2, shift]: [u64; 3]) -> S::V {
    let (a, b) = (ror(s, 64, x, r1), ror(s, 64, x, r2));
    let c = s.op1i(Op::VShrU, 64, x, shift);
    xor3(s, a, b, c)
}

/// SHA512H, SHA512H2, SHA512SU1, RAX1.
pub fn sha512_three<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let r = match i.f(10, 2) {
        op @ 0..=1 => sha512_rounds(s, i, op == 1),
        2 => {
            let (n, m, d) = (v(s, i.rn()), v(s, i.rm()), v(s, i.rd()));
            let t = schedule(s, n, [19, 61, 6]);
            let r = s.op2(Op::VAdd, 64, d, t);
            s.op2(Op::VAdd, 64, r, m)
        }
        _ => {
            let (n, m) = (v(s, i.rn()), v(s, i.rm()));
            let t = ror(s, 64, m, 63);
            s.op2(Op::VXor, 64, n, t)
        }
    };
    put(s, i, r)
}

/// SHA512SU0.
pub fn sha512_two<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, d) = (v(s, i.rn()), v(s, i.rd()));
    let x = s.op2i(Op::VExt, 8, d, n, 8);
    let t = schedule(s, x, [1, 8, 7]);
    let r = s.op2(Op::VAdd, 64, d, t);
    put(s, i, r)
}

/// EOR3, BCAX.
pub fn sha3_four<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, m, a) = (v(s, i.rn()), v(s, i.rm()), v(s, i.ra()));
    let r = if i.bit(21) {
        let t = s.op2(Op::VAndn, 64, m, a);
        s.op2(Op::VXor, 64, n, t)
    } else {
        xor3(s, n, m, a)
    };
    put(s, i, r)
}

/// XAR.
pub fn xar<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, m) = (v(s, i.rn()), v(s, i.rm()));
    let x = s.op2(Op::VXor, 64, n, m);
    let by = u64::from(i.f(10, 6));
    let r = if by == 0 { x } else { ror(s, 64, x, by) };
    put(s, i, r)
}
