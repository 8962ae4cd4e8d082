//! bfloat16: singles with fewer digits (Zfbfmin, and vectors of them).

use super::csr::rounding_in;
use crate::ir::Op;
use crate::ir::float::{self, INEXACT, INVALID, OVERFLOW, UNDERFLOW, round};
use crate::ir::state::State;

/// The rounding mode of an environment, as `float::round` has it.
pub fn float_mode(env: u32) -> u64 {
    if env & float::AWAY != 0 {
        return round::AWAY;
    }
    [round::NEAREST, round::DOWN, round::UP, round::ZERO][(env >> 13 & 3) as usize]
}

/// Whether a magnitude rounds up, of which these bits fall away.
fn rounds_up(env: u32, negative: bool, odd: bool, rest: u32, half: u32) -> bool {
    match float_mode(env) {
        round::NEAREST => rest > half || rest == half && odd,
        round::AWAY => rest >= half,
        round::UP => !negative && rest != 0,
        round::DOWN => negative && rest != 0,
        _ => false,
    }
}

/// A single as bfloat16.
pub fn to_bf16(env: &mut u32, v: u32) -> u64 {
    let (negative, m) = (v >> 31 != 0, v & 0x7fff_ffff);
    let sign = u64::from(v >> 31) << 15;
    if m > 0x7f80_0000 {
        if m & 0x40_0000 == 0 {
            *env |= INVALID;
        }
        return 0x7fc0;
    }
    let rest = m & 0xffff;
    let up = rounds_up(*env, negative, m >> 16 & 1 != 0, rest, 0x8000);
    let r = (m >> 16) + u32::from(up);
    if rest != 0 {
        *env |= INEXACT;
        // With another digit it would round up to the smallest normal number, or not: tiny is what does not.
        let full = m >> 15 == 0xff && rounds_up(*env, negative, true, m & 0x7fff, 0x4000);
        if m < 0x80_0000 && !full {
            *env |= UNDERFLOW;
        }
        if r >= 0x7f80 {
            *env |= OVERFLOW;
        }
    }
    sign | u64::from(r)
}

/// bfloat16 as a single.
pub fn from_bf16(env: &mut u32, v: u64) -> u64 {
    float::eval(
        env,
        Op::FpMul,
        32,
        u128::from(v & 0xffff) << 16,
        0x3f80_0000,
        0,
        0,
    ) as u64
}

/// FCVT.S.BF16, of a register.
pub fn widened(st: &mut State, v: u128, _: u128, _: u128, _: u64) -> u128 {
    let v = v as u64;
    let mut env = st.env();
    let v = if v >> 16 == u64::MAX >> 16 { v } else { 0x7fc0 };
    let r = from_bf16(&mut env, v);
    st.set_env(env);
    r.into()
}

/// FCVT.BF16.S in a rounding mode.
pub fn narrowed(st: &mut State, v: u128, _: u128, _: u128, mode: u64) -> u128 {
    let mut env = rounding_in(st.env(), mode as u8);
    let r = to_bf16(&mut env, v as u32);
    let all = st.env() | env & float::STICKY;
    st.set_env(all);
    r.into()
}
