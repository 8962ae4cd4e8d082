//! SM3 and SM4 instructions (Arm ARM C4.1.96, "Cryptographic"; GB/T 32905 and 32907). All by helpers:
//! x86 has instructions for them on few machines.

use super::insn::Insn;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::ciphers::{sm3_p1 as p1, sm4};
use crate::ir::sem::Sem;
use crate::ir::vector::{from_lanes, lane};

fn w(v: u128, i: u32) -> u32 {
    lane(v, 32, i) as u32
}

fn words(f: impl Fn(u32) -> u32) -> u128 {
    from_lanes(32, |i| u64::from(f(i)))
}

fn partw1(d: u128, n: u128, m: u128) -> u128 {
    let x = |i| w(d, i) ^ w(n, i);
    let mut r = [0; 4];
    for i in 0..4 {
        let from = if i < 3 { w(m, i + 1) } else { r[0] };
        r[i as usize] = p1(x(i) ^ from.rotate_left(15));
    }
    words(|i| r[i as usize])
}

fn partw2(d: u128, n: u128, m: u128) -> u128 {
    let t = words(|i| w(n, i) ^ w(m, i).rotate_left(7));
    d ^ t ^ u128::from(p1(w(t, 0).rotate_left(15))) << 96
}

/// SM3TT1A, SM3TT1B, SM3TT2A, SM3TT2B by `how` & 3; the word of `m` by `how` >> 2.
fn tt(d: u128, n: u128, m: u128, how: u64) -> u128 {
    let (a, b, c) = (w(d, 3), w(d, 2), w(d, 1));
    let f = match how & 3 {
        0 | 2 => a ^ b ^ c,
        1 => (a & c) | (a & b) | (c & b),
        _ => (a & b) | (!a & c),
    };
    let sum = f
        .wrapping_add(w(d, 0))
        .wrapping_add(w(m, (how >> 2) as u32));
    let (top, turn) = if how & 2 == 0 {
        (sum.wrapping_add(w(n, 3) ^ a.rotate_left(12)), 9)
    } else {
        let t = sum.wrapping_add(w(n, 3));
        (t ^ t.rotate_left(9) ^ t.rotate_left(17), 19)
    };
    words(|i| [c, b.rotate_left(turn), a, top][i as usize])
}

/// SM3PARTW1, SM3PARTW2, SM4EKEY.
pub fn three<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let [n, m, d] = [i.rn(), i.rm(), i.rd()].map(|r| s.get_x(r as u16));
    let args = [Some(d), Some(n), Some(m)];
    let r = match i.f(10, 2) {
        0 => s.call_x(|_, d, n, m, _| partw1(d, n, m), args, 0),
        1 => s.call_x(|_, d, n, m, _| partw2(d, n, m), args, 0),
        2 => s.call_x(|_, _, n, m, _| sm4(n, m, true), args, 0),
        _ => return Lift::Undefined,
    };
    s.set_x(i.rd() as u16, r);
    Lift::Next
}

/// SM3TT1A, SM3TT1B, SM3TT2A, SM3TT2B.
pub fn rounds<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let [n, m, d] = [i.rn(), i.rm(), i.rd()].map(|r| s.get_x(r as u16));
    let how = u64::from(i.f(10, 2) | i.f(12, 2) << 2);
    let r = s.call_x(
        |_, d, n, m, how| tt(d, n, m, how),
        [Some(d), Some(n), Some(m)],
        how,
    );
    s.set_x(i.rd() as u16, r);
    Lift::Next
}

/// SM3SS1.
pub fn ss1<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let [n, m, a] = [i.rn(), i.rm(), i.ra()].map(|r| s.get_x(r as u16));
    let r = s.call_x(
        |_, n, m, a, _| {
            let t = w(n, 3).rotate_left(12);
            let t = t.wrapping_add(w(m, 3)).wrapping_add(w(a, 3));
            u128::from(t.rotate_left(7)) << 96
        },
        [Some(n), Some(m), Some(a)],
        0,
    );
    s.set_x(i.rd() as u16, r);
    Lift::Next
}

/// SM4E.
pub fn sm4e<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let [n, d] = [i.rn(), i.rd()].map(|r| s.get_x(r as u16));
    let r = s.call_x(
        |_, d, n, _, _| sm4(d, n, false),
        [Some(d), Some(n), None],
        0,
    );
    s.set_x(i.rd() as u16, r);
    Lift::Next
}
