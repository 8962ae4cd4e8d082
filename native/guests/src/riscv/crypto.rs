//! Scalar cryptography: Zknd, Zkne, Zknh, Zksed, Zksh, Zbkb, Zbkx. Helpers on values: none of them is in a loop for long that
//! could not use vectors. There is no seed (Zkr): Linux does not permit programs to read it.

use super::insn::{Insn, done, done_w, x};
use super::vector::constant;
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::ciphers::{Sha, sha, sm3_p0, sm3_p1, sm4_box, sm4_mix};
use crate::ir::crypto::{boxes, eval};
use crate::ir::sem::Sem;
use crate::ir::state::State;

fn two<S: Sem>(s: &mut S, i: Insn) -> [Option<S::V>; 3] {
    let (a, b) = (x(s, i.rs1()), x(s, i.rs2()));
    [Some(a), Some(b), None]
}

/// A byte through AES's S-box, or back, and a column of the mix.
fn aes_byte(b: u8, inverse: bool, mix: bool) -> u32 {
    let y = boxes()[usize::from(inverse)][usize::from(b)];
    if !mix {
        return y.into();
    }
    // The column of a state that is this byte alone.
    let op = if inverse { Op::AesInvMix } else { Op::AesMix };
    eval(op, y.into(), 0, 0, 0) as u32
}

/// AES32ESI, AES32ESMI, AES32DSI, AES32DSMI; SM4ED, SM4KS.
pub fn byte_wise<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, b: u128, _: u128, imm: u64) -> u128 {
        let shift = 8 * (imm & 3) as u32;
        let byte = (b as u32 >> shift) as u8;
        let v = match imm >> 2 {
            0x11 => aes_byte(byte, false, false),
            0x13 => aes_byte(byte, false, true),
            0x15 => aes_byte(byte, true, false),
            0x17 => aes_byte(byte, true, true),
            // Its words have the highest byte first; a map of words turns with them.
            n => {
                let word = u32::from(sm4_box()[usize::from(byte)]) << 24;
                sm4_mix(word, n == 0x1a).swap_bytes()
            }
        };
        u128::from(a as u32 ^ v.rotate_left(shift))
    }
    let args = two(s, i);
    let r = s.call(helper, args, u64::from(i.f(30, 2) | i.f(25, 5) << 2));
    done_w(s, i, r)
}

/// AES64ES, AES64ESM, AES64DS, AES64DSM: half a round.
pub fn aes64<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, b: u128, _: u128, imm: u64) -> u128 {
        const OPS: [Op; 4] = [Op::AesSub, Op::AesRound, Op::AesInvSub, Op::AesInvRound];
        let state = a & u128::from(u64::MAX) | b << 64;
        eval(OPS[imm as usize & 3], state, 0, 0, 0) & u128::from(u64::MAX)
    }
    let args = two(s, i);
    let r = s.call(helper, args, u64::from(i.f(26, 2)));
    done(s, i, r)
}

/// AES64IM.
pub fn aes64_inverse_mix<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, _: u128, _: u128, _: u64) -> u128 {
        eval(Op::AesInvMix, a & u128::from(u64::MAX), 0, 0, 0) & u128::from(u64::MAX)
    }
    let a = x(s, i.rs1());
    let r = s.call(helper, [Some(a), None, None], 0);
    done(s, i, r)
}

/// AES64KS1I.
pub fn aes64_schedule<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, _: u128, _: u128, round: u64) -> u128 {
        let top = (a >> 32) as u32;
        let top = if round == 10 {
            top
        } else {
            top.rotate_right(8)
        };
        let bytes = top.to_le_bytes().map(|b| boxes()[0][usize::from(b)]);
        let constant = if round == 10 {
            0
        } else {
            constant(round as u32 + 1)
        };
        let v = u32::from_le_bytes(bytes) ^ constant;
        u128::from(v) | u128::from(v) << 32
    }
    let round = i.f(20, 4);
    if round > 10 {
        return Lift::Undefined;
    }
    let a = x(s, i.rs1());
    let r = s.call(helper, [Some(a), None, None], round.into());
    done(s, i, r)
}

/// AES64KS2.
pub fn aes64_schedule_2<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs1()), x(s, i.rs2()));
    let top = s.shift_k(Op::Shr, 64, a, 32);
    let low = s.op2(Op::Xor, 32, top, b);
    let next = s.shift_k(Op::Shr, 64, b, 32);
    let high = s.op2(Op::Xor, 64, low, next);
    let high = s.shift_k(Op::Shl, 64, high, 32);
    let r = s.op2(Op::Or, 64, low, high);
    done(s, i, r)
}

const SHA: [Sha; 4] = [Sha::Sum0, Sha::Sum1, Sha::Sigma0, Sha::Sigma1];

/// SHA256*, SHA512* of 64-bit registers, SM3P0, SM3P1.
pub fn hash<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, _: u128, _: u128, which: u64) -> u128 {
        let a = a as u64;
        u128::from(match which {
            0..4 => sha(SHA[which as usize], 32, a),
            4..8 => sha(SHA[which as usize - 4], 64, a),
            8 => sm3_p0(a as u32).into(),
            _ => sm3_p1(a as u32).into(),
        })
    }
    let which = i.f(20, 5);
    let a = x(s, i.rs1());
    let r = s.call(helper, [Some(a), None, None], which.into());
    if matches!(which, 4..8) {
        done(s, i, r)
    } else {
        done_w(s, i, r)
    }
}

/// SHA512* of pairs of 32-bit registers: rs1 has the half that is asked for. SIG0H and SIG1H leave out what is shifted in.
pub fn hash_half<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, b: u128, _: u128, which: u64) -> u128 {
        let (low, high) = (u64::from(a as u32), u64::from(b as u32));
        let v = match which {
            // Rotations by more than 32 have the halves the other way round.
            0 => sha(Sha::Sum0, 64, low | high << 32),
            1 => sha(Sha::Sum1, 64, low | high << 32),
            2 => sha(Sha::Sigma0, 64, low | high << 32),
            3 => sha(Sha::Sigma1, 64, low | high << 32),
            6 => sha(Sha::Sigma0, 64, low << 32 | high) >> 32,
            _ => sha(Sha::Sigma1, 64, low << 32 | high) >> 32,
        };
        u128::from(v as u32)
    }
    let args = two(s, i);
    let r = s.call(helper, args, u64::from(i.f(25, 3)));
    done(s, i, r)
}

/// PACK, PACKH, PACKW: the low halves, or bytes, of two.
pub fn pack<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (a, b) = (x(s, i.rs1()), x(s, i.rs2()));
    let word = i.bit(3);
    let half = match i.funct3() {
        7 => 8,
        _ if word => 16,
        _ => i.xlen / 2,
    };
    let (low, high) = (s.op1(Op::Zext, half, a), s.op1(Op::Zext, half, b));
    let high = s.shift_k(Op::Shl, 64, high, half.into());
    let r = s.op2(Op::Or, 64, low, high);
    if word { done_w(s, i, r) } else { done(s, i, r) }
}

/// BREV8: the bits of each byte.
pub fn reverse_in_bytes<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rs1());
    let r = s.op1(Op::Rbit, i.xlen, a);
    let r = s.op1(Op::Rev, i.xlen, r);
    done(s, i, r)
}

/// ZIP, and UNZIP (bit 14): the halves' bits by turns.
pub fn zip<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, _: u128, _: u128, back: u64) -> u128 {
        let a = a as u32;
        let bit = |n: u32| {
            if back == 0 {
                n >> 1 | (n & 1) << 4
            } else {
                n << 1 & 31 | n >> 4
            }
        };
        u128::from((0..32).fold(0, |r, n| r | (a >> bit(n) & 1) << n))
    }
    let a = x(s, i.rs1());
    let r = s.call(helper, [Some(a), None, None], u64::from(i.bit(14)));
    done(s, i, r)
}

/// XPERM4, XPERM8: lanes of rs1 by the numbers in rs2.
pub fn permute<S: Sem>(s: &mut S, i: Insn) -> Lift {
    fn helper(_: &mut State, a: u128, b: u128, _: u128, imm: u64) -> u128 {
        let (w, xlen) = ((imm & 15) as u32, (imm >> 4) as u32);
        let m = (1u128 << w) - 1;
        (0..xlen / w).fold(0, |r, n| {
            let from = (b >> (w * n) & m) as u32;
            let v = if from < xlen / w {
                a >> (w * from) & m
            } else {
                0
            };
            r | v << (w * n)
        })
    }
    let w = if i.funct3() == 2 { 4 } else { 8 };
    let args = two(s, i);
    let r = s.call(helper, args, w | u64::from(i.xlen) << 4);
    done(s, i, r)
}
