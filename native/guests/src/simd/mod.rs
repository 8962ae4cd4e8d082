//! Advanced SIMD data processing of both Arm states: the frequent forms as IR, the others lane by
//! lane through `eval` and `fp`. Scalar forms (bit 28) work on lane 0.

mod copy;
pub mod crypto;
pub mod different;
pub mod element;
pub mod estimate;
pub mod eval;
pub mod float;
pub mod form;
pub mod fp;
pub mod integer;
pub mod matrix;
mod misc;
mod reduce;
mod same;
pub mod scalar;
mod shift;

pub use copy::{ext, mod_imm, permute};
pub use crypto::{aes, sha_three, sha_two};
pub use different::three_different;
pub use element::by_element;
pub use float::{three_same_half, two_misc_half};
pub use misc::two_misc;
pub use reduce::{across, pairwise_scalar};
pub use same::{three_extra, three_same};
pub use shift::shift_imm;

pub use form::{File, Form};

use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Op;
use crate::ir::sem::Sem;
use crate::ir::state::Helper;

/// Writes a result of the instruction's size: a scalar of `w` bits, a D or a Q register.
pub fn put<S: Sem>(s: &mut S, i: Form, w: u8, r: S::V) {
    let r = match (i.file, i.bit(28), i.bit(30)) {
        (File::Parts { .. }, ..) | (_, false, true) => r,
        (_, true, _) => s.op1(Op::VZext, w, r),
        (_, false, false) => s.op1(Op::VZext, 64, r),
    };
    i.set_d(s, r);
}

/// Writes a whole register, whatever Q is.
pub fn put_q<S: Sem>(s: &mut S, i: Form, r: S::V) -> Lift {
    i.set_d(s, r);
    Lift::Next
}

/// Through a helper that gets the instruction word.
pub fn lanes<S: Sem>(s: &mut S, i: Form, h: Helper, a: S::V, b: S::V, c: Option<S::V>) -> S::V {
    s.call_x(h, [Some(a), Some(b), c], u64::from(i.bits) | i.mode())
}

/// Puts a narrowed result into the low half of the register, or into its upper half (Q), keeping the other one.
pub fn put_narrow<S: Sem>(s: &mut S, i: Form, n: S::V) -> Lift {
    if !i.bit(30) || scalar(i) {
        return put_q(s, i, n);
    }
    let d = i.d(s);
    let r = s.op2(Op::VZip1, 64, d, n);
    put_q(s, i, r)
}

pub fn scalar(i: Form) -> bool {
    i.bit(28)
}

/// The D form of an operation that pairs up lanes of a:b: both halves in one register.
pub fn joined<S: Sem>(s: &mut S, a: S::V, b: S::V) -> S::V {
    s.op2(Op::VZip1, 64, a, b)
}

/// The even and the odd lanes of a:b, for an operation on pairs, in its D or Q form.
pub fn pairs<S: Sem>(s: &mut S, i: Form, w: u8, a: S::V, b: S::V) -> (S::V, S::V) {
    let (a, b) = if i.bit(30) {
        (a, b)
    } else {
        let j = joined(s, a, b);
        (j, j)
    };
    (s.op2(Op::VUzp1, w, a, b), s.op2(Op::VUzp2, w, a, b))
}
