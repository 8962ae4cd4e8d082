//! What scalar floating point of several guests shares.

use crate::ir::Op;
use crate::ir::float;
use crate::ir::sem::Sem;

fn sign<S: Sem>(s: &mut S, w: u8) -> S::V {
    s.wide(1 << (w - 1))
}

/// FNEG
pub fn negated<S: Sem>(s: &mut S, w: u8, a: S::V) -> S::V {
    let m = sign(s, w);
    s.op2(Op::VXor, 64, a, m)
}

/// FABS
pub fn positive<S: Sem>(s: &mut S, w: u8, a: S::V) -> S::V {
    let m = sign(s, w);
    s.op2(Op::VAndn, 64, a, m)
}

/// The flags of a comparison. `flush`: denormal operands count as zero; `signals`: quiet NaNs are invalid too.
pub fn flags_of<S: Sem>(
    s: &mut S,
    w: u8,
    [mut a, mut b]: [S::V; 2],
    flush: bool,
    signals: bool,
) -> S::V {
    if w == 16 {
        let f = s.call(
            |st, a, b, _, signals| {
                let mut env = st.env();
                let f = float::compare(
                    &mut env,
                    16,
                    a as u64 & 0xffff,
                    b as u64 & 0xffff,
                    signals != 0,
                );
                st.set_env(env);
                u128::from(f)
            },
            [Some(a), Some(b), None],
            u64::from(signals),
        );
        return s.op1(Op::FPack, 16, f);
    }
    if flush {
        a = s.op1(Op::FpFlush, w, a);
        b = s.op1(Op::FpFlush, w, b);
    }
    s.op2i(Op::FFcmp, w, a, b, u64::from(signals))
}

/// Of what kind a number is, as a bit, as RISC-V has them (table "Format of result of FCLASS instruction"): minus infinity,
/// normal, denormal, zero; plus zero, denormal, normal, infinity; signalling, quiet NaN.
#[must_use]
pub fn kind_of(w: u8, v: u64) -> u64 {
    let (exp_bits, frac_bits) = match w {
        16 => (5, 10),
        32 => (8, 23),
        _ => (11, 52),
    };
    let v = v & crate::ir::eval::mask(w);
    let negative = v >> (exp_bits + frac_bits) & 1 != 0;
    let (exp, frac) = (
        v >> frac_bits & ((1 << exp_bits) - 1),
        v & ((1 << frac_bits) - 1),
    );
    let side = |minus: u32, plus| if negative { minus } else { plus };
    let bit = match (exp, frac) {
        (0, 0) => side(3, 4),
        (0, _) => side(2, 5),
        (e, 0) if e == (1 << exp_bits) - 1 => side(0, 7),
        (e, _) if e == (1 << exp_bits) - 1 => 8 + (frac >> (frac_bits - 1)) as u32,
        _ => side(1, 6),
    };
    1 << bit
}
