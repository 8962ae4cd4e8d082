//! Rounding to nearest with ties away from zero, which hosts have not: it differs from ties to even where the exact
//! result is just between two numbers, which is found out by integers.

use super::Op;
use super::float::{AWAY, INEXACT, by_host, format};

/// A finite number as an integer times a power of two.
type Term = (i128, i32);

fn term(w: u8, x: u64) -> Term {
    let f = format(w);
    let digits = f.quiet.trailing_zeros() + 1;
    let (exp, frac) = ((x & f.exp) >> digits, x & ((1 << digits) - 1));
    let least = if w == 32 { -149 } else { -1074 };
    let m = if exp == 0 { frac } else { frac | 1 << digits };
    let m = i128::from(m);
    let m = if x & f.sign != 0 { -m } else { m };
    (m, least + (exp.max(1) - 1) as i32)
}

fn product(a: Term, b: Term) -> Term {
    (a.0 * b.0, a.1 + b.1)
}

fn negative(a: Term) -> Term {
    (-a.0, a.1)
}

/// Whether the sum is 0: what has the fewest factors 2 can only vanish against another one with as few.
fn is_zero_sum(terms: &[Term]) -> bool {
    let mut left: Vec<Term> = terms.to_vec();
    loop {
        left.retain(|t| t.0 != 0);
        for t in &mut left {
            let zeros = t.0.trailing_zeros();
            *t = (t.0 >> zeros, t.1 + zeros as i32);
        }
        left.sort_by_key(|t| t.1);
        match left[..] {
            [] => return true,
            [a, b, ..] if a.1 == b.1 => {
                left[0].0 += b.0;
                left.remove(1);
            }
            _ => return false,
        }
    }
}

/// Arithmetic on numbers under [`AWAY`]; `FpCvt`: a double to single precision.
pub(super) fn to_nearest_away(env: &mut u32, op: Op, w: u8, a: u64, b: u64, c: u64) -> u64 {
    const ROUNDING: u32 = 0x6000;
    let plain = *env & !(AWAY | ROUNDING | 0x3f);
    let mut even = plain;
    let nearest = by_host(&mut even, op, w, a, b, c);
    *env |= even & 0x3f;
    let f = format(w);
    if even & INEXACT == 0 || f.infinite(nearest) || f.nan(nearest) {
        return nearest;
    }
    let mut truncating = plain | ROUNDING;
    let less = by_host(&mut truncating, op, w, a, b, c);
    if nearest != less {
        return nearest;
    }
    let (m, exp) = term(w, less);
    let half = if less & f.sign != 0 { -1 } else { 1 };
    let middle = (2 * m + half, exp - 1);
    let (x, y, z) = if op == Op::FpCvt {
        (term(64, a), (0, 0), (0, 0))
    } else {
        (term(w, a), term(w, b), term(w, c))
    };
    let tie = match op {
        Op::FpAdd => is_zero_sum(&[x, y, negative(middle)]),
        Op::FpSub => is_zero_sum(&[x, negative(y), negative(middle)]),
        Op::FpMul => is_zero_sum(&[product(x, y), negative(middle)]),
        Op::FpFma => is_zero_sum(&[product(x, y), z, negative(middle)]),
        Op::FpDiv => is_zero_sum(&[x, negative(product(middle, y))]),
        Op::FpCvt => is_zero_sum(&[x, negative(middle)]),
        // Half of an odd number has no root with finitely many digits that is longer than a result.
        _ => false,
    };
    if tie { less + 1 } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::super::float::DEFAULT_ENV;
    use super::*;

    #[test]
    fn ties() {
        let away = |op, a: f64, b: f64, c: f64| {
            let mut env = DEFAULT_ENV | AWAY;
            let [a, b, c] = [a, b, c].map(f64::to_bits);
            f64::from_bits(to_nearest_away(&mut env, op, 64, a, b, c))
        };
        let big = 2f64.powi(53);
        assert_eq!(away(Op::FpAdd, big, 1.0, 0.0), big + 2.0);
        assert_eq!(away(Op::FpAdd, -big, -1.0, 0.0), -big - 2.0);
        assert_eq!(away(Op::FpSub, big, -1.0, 0.0), big + 2.0);
        // Just below, and just above half.
        assert_eq!(away(Op::FpFma, 1.0 - 2f64.powi(-53), 1.0, big), big);
        assert_eq!(away(Op::FpFma, 0.5, 2.0, big), big + 2.0);
        assert_eq!(away(Op::FpDiv, 5e-324, 2.0, 0.0), 5e-324);
        assert_eq!(away(Op::FpMul, 5e-324, 0.5, 0.0), 5e-324);
        assert_eq!(away(Op::FpMul, -5e-324, 0.25, 0.0), -0.0);
        assert_eq!(away(Op::FpAdd, 1.0, 2.0, 0.0), 3.0);
    }
}
