//! The floating-point environment: rounding, modes and sticky flags, in the layout of x86's MXCSR and above its bits.

use super::state::State;

/// Round to nearest, all exceptions masked, no flags.
pub const DEFAULT_ENV: u32 = 0x1f80;
/// In the environment: exceptions do not trap (they never do as far as guests can see).
pub const MASKS: u32 = 0x1f80;
pub const INVALID_MASKED: u32 = 0x80;
pub const DENORMAL_MASKED: u32 = 0x100;
pub const UNDERFLOW_MASKED: u32 = 0x800;
pub const INEXACT_MASKED: u32 = 0x1000;
/// In the environment while generated code runs only: the host takes denormal operands for zero.
pub const HOST_FLUSH_INPUTS: u32 = 0x40;
/// The same for results.
pub const HOST_FLUSH_RESULTS: u32 = 0x8000;
/// A denormal operand was met: a flag that Arm has not.
pub const DENORMAL: u32 = 2;
/// Sticky flags in the environment.
pub const INVALID: u32 = 1;
pub const DIV_BY_ZERO: u32 = 4;
pub const OVERFLOW: u32 = 8;
pub const UNDERFLOW: u32 = 16;
pub const INEXACT: u32 = 32;

/// Above MXCSR's bits: modes that the host has not, or not exactly so.
/// All NaNs that come out are the default one.
pub const DEFAULT_NAN: u32 = 1 << 16;
/// Denormal operands count as zero (and raise [`INPUT_DENORMAL`]), denormal results become zero; single and double.
pub const FLUSH: u32 = 1 << 17;
/// The same for half precision, whose operands raise nothing.
pub const FLUSH_HALF: u32 = 1 << 18;
/// Half precision has no infinities and NaNs in conversions (Arm's alternative format).
pub const ALT_HALF: u32 = 1 << 19;
/// The rounding mode is not to nearest, which operations that are [`STANDARD`] have to know.
pub const DIRECTED: u32 = 1 << 20;
/// Operations that are [`STANDARD`] are in use: denormal numbers trap for them.
pub const STANDARD_USED: u32 = 1 << 21;
/// Results are tiny if they are so after rounding, as on the host; else before it, as Arm has it.
pub const TINY_AFTER: u32 = 1 << 22;
/// Rounds to nearest, ties away from zero.
pub const AWAY: u32 = 1 << 23;
/// Quiet and signalling NaNs have each other's bit (MIPS before IEEE 754-2008). A signalling one becomes the default NaN, whose
/// other bits are 1; of quiet ones the first comes out as it is.
pub const LEGACY_NAN: u32 = 1 << 25;
/// All of these modes.
pub const MODES: u32 = 0xff << 16 | LEGACY_NAN;
/// In the immediate of a conversion to integers: a NaN is taken for the largest one, instead of 0.
pub const NAN_IS_LARGEST: u64 = 1 << 11;
/// In the immediate of a conversion to integers: a NaN and whatever does not fit are taken for the largest one.
pub const OVERFLOW_IS_LARGEST: u64 = 1 << 12;
/// In the immediate of a minimum or maximum: a quiet NaN loses against a number.
pub const QUIET_LOSES: u64 = 1;
/// The same: any NaN does (IEEE 754-2019, minimumNumber).
pub const PREFER_NUMBER: u64 = 2;
/// Sticky: a denormal operand was taken for zero.
pub const INPUT_DENORMAL: u32 = 1 << 24;
/// In an operation's immediate: it is done under Arm's standard modes whatever the environment's are: rounded to
/// nearest, with default NaNs, denormal numbers flushed (half precision as the environment says). Its flags
/// are added to the environment's.
pub const STANDARD: u64 = 1 << 33;
/// The flags.
pub const STICKY: u32 = 0x3f | INPUT_DENORMAL;

/// The flags in the order that most instruction sets have (RISC-V's fflags; MIPS' FCSR and z/Architecture's FPC somewhere in
/// theirs): inexact in bit 0, underflow, overflow, division by zero, invalid.
const ACCRUED: [u32; 5] = [INEXACT, UNDERFLOW, OVERFLOW, DIV_BY_ZERO, INVALID];

/// The sticky flags of an environment as [`super::Op::Accrued`] gives them.
#[must_use]
pub fn accrued(env: u32) -> u64 {
    let flag = |n: usize| u64::from(env & ACCRUED[n] != 0) << n;
    (0..ACCRUED.len()).map(flag).sum()
}

/// The environment with these sticky flags.
#[must_use]
pub fn with_accrued(env: u32, v: u64) -> u32 {
    let flag = |n: usize| if v >> n & 1 != 0 { ACCRUED[n] } else { 0 };
    env & !0x3f | (0..ACCRUED.len()).map(flag).sum::<u32>()
}

/// The environment for operations that are [`STANDARD`].
#[must_use]
pub fn standard(env: u32) -> u32 {
    DEFAULT_ENV | DEFAULT_NAN | FLUSH | env & (FLUSH_HALF | ALT_HALF)
}

/// `f` under the environment, or under standard modes if the immediate says so.
pub fn under<T>(env: &mut u32, imm: u64, f: impl FnOnce(&mut u32) -> T) -> T {
    if imm & STANDARD == 0 {
        return f(env);
    }
    let mut own = standard(*env);
    let r = f(&mut own);
    *env |= own & STICKY;
    r
}

/// The environment that a helper with this immediate computes under.
#[must_use]
pub fn env_of(st: &State, imm: u64) -> u32 {
    if imm & STANDARD == 0 {
        st.env()
    } else {
        standard(st.env())
    }
}

/// The state's environment after it: the flags, and nothing else of standard modes.
pub fn set_env_of(st: &mut State, env: u32, imm: u64) {
    let env = if imm & STANDARD == 0 {
        env
    } else {
        st.env() | env & STICKY
    };
    st.set_env(env);
}

/// The part of the environment that is MXCSR's.
pub const HOST_BITS: u32 = 0xffff;
