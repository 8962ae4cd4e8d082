//! Advanced SIMD data processing: the frequent forms as IR, the others lane by
//! lane through `simd_eval` and `simd_fp`. Scalar forms (bit 28) work on lane 0.

mod copy;
mod different;
mod element;
mod float;
mod integer;
mod misc;
mod reduce;
mod same;
mod shift;

pub use copy::{copy, ext, mod_imm, permute, tbl};
pub use different::three_different;
pub use element::by_element;
pub use float::{three_same_half, two_misc_half};
pub use misc::two_misc;
pub use reduce::{across, pairwise_scalar};
pub use same::{three_extra, three_same};
pub use shift::shift_imm;

use super::insn::Insn;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::ir::state::Helper;

pub(super) fn v<S: Sem>(s: &mut S, n: u32) -> S::V {
    s.get_x(n as u16)
}

/// Writes a result of the instruction's size: a scalar of `w` bits, a D or a Q register.
pub(super) fn put<S: Sem>(s: &mut S, i: Insn, w: u8, r: S::V) {
    let r = match (i.bit(28), i.bit(30)) {
        (true, _) => s.op1(Op::VZext, w, r),
        (_, false) => s.op1(Op::VZext, 64, r),
        _ => r,
    };
    s.set_x(i.rd() as u16, r);
}

/// Writes a whole register, whatever Q is.
pub(super) fn put_q<S: Sem>(s: &mut S, i: Insn, r: S::V) -> Lift {
    s.set_x(i.rd() as u16, r);
    Lift::Next
}

/// Through a helper that gets the instruction word.
pub(super) fn lanes<S: Sem>(
    s: &mut S,
    i: Insn,
    h: Helper,
    a: S::V,
    b: S::V,
    c: Option<S::V>,
) -> S::V {
    s.call_x(h, [Some(a), Some(b), c], u64::from(i.bits))
}

/// A narrowed result: the low half of the register, or its upper half (Q), keeping the other one.
pub(super) fn put_narrow<S: Sem>(s: &mut S, i: Insn, n: S::V) -> Lift {
    if !i.bit(30) || scalar(i) {
        return put_q(s, i, n);
    }
    let d = v(s, i.rd());
    let r = s.op2(Op::VZip1, 64, d, n);
    put_q(s, i, r)
}

pub(super) fn scalar(i: Insn) -> bool {
    i.bit(28)
}

/// The D form of an operation that pairs up lanes of a:b: both halves in one register.
pub(super) fn joined<S: Sem>(s: &mut S, a: S::V, b: S::V) -> S::V {
    s.op2(Op::VZip1, 64, a, b)
}

/// The even and the odd lanes of a:b, for an operation on pairs, in its D or Q form.
pub(super) fn pairs<S: Sem>(s: &mut S, i: Insn, w: u8, a: S::V, b: S::V) -> (S::V, S::V) {
    let (a, b) = if i.bit(30) {
        (a, b)
    } else {
        let j = joined(s, a, b);
        (j, j)
    };
    (s.op2(Op::VUzp1, w, a, b), s.op2(Op::VUzp2, w, a, b))
}
