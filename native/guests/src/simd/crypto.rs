//! AES, SHA-1 and SHA-256 instructions (Arm ARM C4.1.96, "Cryptographic").

use super::{Form, put_q};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;

/// Rotates lanes to the right.
pub fn ror<S: Sem>(s: &mut S, w: u8, a: S::V, n: u64) -> S::V {
    let r = s.op1i(Op::VShrU, w, a, n);
    let l = s.op1i(Op::VShl, w, a, u64::from(w) - n);
    s.op2(Op::VOr, 64, l, r)
}

pub fn xor3<S: Sem>(s: &mut S, a: S::V, b: S::V, c: S::V) -> S::V {
    let r = s.op2(Op::VXor, 64, a, b);
    s.op2(Op::VXor, 64, r, c)
}

/// AESE, AESD, AESMC, AESIMC.
pub fn aes<S: Sem>(s: &mut S, i: Form) -> Lift {
    let a = i.n(s);
    let opcode = i.f(12, 5);
    let r = match opcode {
        4 | 5 => {
            let d = i.d(s);
            let x = s.op2(Op::VXor, 64, d, a);
            let op = if opcode == 4 {
                Op::AesSub
            } else {
                Op::AesInvSub
            };
            s.op1(op, 128, x)
        }
        6 => s.op1(Op::AesMix, 128, a),
        7 => s.op1(Op::AesInvMix, 128, a),
        _ => return Lift::Undefined,
    };
    put_q(s, i, r)
}

/// Three-register SHA-1 and SHA-256.
pub fn sha_three<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (n, m, d) = (i.n(s), i.m(s), i.d(s));
    let r = match i.f(12, 3) {
        op @ 0..=2 => s.op(
            Op::Sha1Rounds,
            128,
            [Some(d), Some(n), Some(m)],
            u64::from(op),
        ),
        // SHA1SU0
        3 => {
            let t = s.op2i(Op::VExt, 8, d, n, 8);
            xor3(s, t, d, m)
        }
        4 => s.op3(Op::Sha256Abcd, 128, d, n, m),
        5 => s.op3(Op::Sha256Efgh, 128, n, d, m),
        6 => s.op3(Op::Sha256Su1, 128, d, n, m),
        _ => return Lift::Undefined,
    };
    put_q(s, i, r)
}

/// SHA1H, SHA1SU1, SHA256SU0.
pub fn sha_two<S: Sem>(s: &mut S, i: Form) -> Lift {
    let (n, d) = (i.n(s), i.d(s));
    let r = match i.f(12, 5) {
        0 => {
            let r = ror(s, 32, n, 2);
            s.op1(Op::VZext, 32, r)
        }
        1 => {
            let z = s.wide(0);
            let n = s.op2i(Op::VExt, 8, n, z, 4);
            let t = s.op2(Op::VXor, 64, d, n);
            let r = ror(s, 32, t, 31);
            // The last word also gets the first one, rotated by two.
            let first = ror(s, 32, t, 30);
            let first = s.op2i(Op::VExt, 8, z, first, 4);
            let k = s.wide(u128::MAX << 96);
            let first = s.op2(Op::VAnd, 64, first, k);
            s.op2(Op::VXor, 64, r, first)
        }
        2 => s.op2(Op::Sha256Su0, 128, d, n),
        _ => return Lift::Undefined,
    };
    put_q(s, i, r)
}
