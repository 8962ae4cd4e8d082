//! The condition flags of Arm: N, Z, C and V, with a carry that says "no borrow" after a subtraction (Arm ARM,
//! AddWithCarry), and C for a comparison of floating-point numbers that are equal, greater or unordered (FPCompare).

use crate::ir::flags::{Kind, MASK, Model, of_add, of_logic};
use crate::ir::{Op, float};

/// Of both instruction sets.
pub static MODEL: Model = Model {
    mask: MASK,
    kinds: &[
        Kind {
            op: Op::FSub,
            flags: |w, a, b, _| of_add(w, a as u64, !b as u64, 1),
        },
        Kind {
            op: Op::FAdd,
            flags: |w, a, b, _| of_add(w, a as u64, b as u64, 0),
        },
        Kind {
            op: Op::FLogic,
            flags: |w, a, _, _| of_logic(w, a as u64),
        },
        Kind {
            op: Op::FFcmp,
            flags: |w, a, b, mut env| float::compare(&mut env, w, a as u64, b as u64, false),
        },
    ],
};
