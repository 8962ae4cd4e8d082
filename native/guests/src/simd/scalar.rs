//! What scalar floating point of both Arm states shares.

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
