//! Advanced SIMD of A32 and T32 (Arm ARM F4.1.19 and F4.1.23-25, "Advanced SIMD data-processing" and "element or
//! structure load/store"). What AArch64 has too is brought into the layout of its encodings and lifted by
//! [`crate::simd`]; arithmetic is under the standard FPSCR value.

mod element;
mod later;
mod memory;
mod misc;
mod permute;
mod same;
mod shift;

pub use element::by_element;
pub use later::{
    bfloat_dot, bfloat_long, bfloat_matrix, complex_add, complex_multiply,
    complex_multiply_element, dot, dot_element, matrix, multiply_long, multiply_long_element,
};
pub use memory::{all_lanes, multiple, one_lane};
pub use misc::{aes, convert, convert_bfloat, convert_half, sha_two, two_misc, two_misc_float};
pub use permute::{duplicate, extract, table, transpose};
pub use same::{
    fused, max_min_number, rounding_double, sha1, sha256, three_different, three_same,
    three_same_float,
};
pub use shift::{fixed_point, mod_imm, shift_imm};

use super::insn::{Insn, mode};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::Trap;
use crate::ir::float::STANDARD_USED;
use crate::ir::sem::Sem;
use crate::simd::{File, Form};

fn dd(i: Insn) -> u32 {
    i.f(22, 1) << 4 | i.f(12, 4)
}
fn dn(i: Insn) -> u32 {
    i.f(7, 1) << 4 | i.f(16, 4)
}
fn dm(i: Insn) -> u32 {
    i.f(5, 1) << 4 | i.f(0, 4)
}

/// The instruction is of Q registers.
fn q(i: Insn) -> bool {
    i.bit(6)
}

/// The form of an instruction whose registers are D, or Q where said: `bits` in AArch64's layout but for
/// registers. None: an odd register as a Q register.
fn form(i: Insn, bits: u32, wide: [bool; 3]) -> Option<Form> {
    let numbers = [dd(i), dn(i), dm(i)];
    if (0..3).any(|k| wide[k] && numbers[k] & 1 != 0) {
        return None;
    }
    Some(Form {
        bits: bits | numbers[0] | numbers[1] << 5 | numbers[2] << 16,
        file: File::Parts {
            d: wide[0],
            n: wide[1],
            m: wide[2],
        },
        standard: true,
    })
}

/// All registers are of the size that bit 6 says.
fn uniform(i: Insn, bits: u32) -> Option<Form> {
    let q = q(i);
    form(i, bits | u32::from(q) << 30, [q; 3])
}

/// The same with one operand, which is in the place of the second one and has to be in that of the first.
fn unary(i: Insn, bits: u32, wide: [bool; 2]) -> Option<Form> {
    let numbers = [dd(i), dm(i)];
    if (0..2).any(|k| wide[k] && numbers[k] & 1 != 0) {
        return None;
    }
    Some(Form {
        bits: bits | numbers[0] | numbers[1] << 5,
        file: File::Parts {
            d: wide[0],
            n: wide[1],
            m: wide[1],
        },
        standard: true,
    })
}

/// Before arithmetic: a thread says once that it has operations under the standard FPSCR value, and then has
/// translations that can do with that. Answers what the lifter is to answer then.
fn standard_first<S: Sem>(s: &mut S, i: Insn) -> Option<Lift> {
    if i.mode & mode::STANDARD != 0 {
        return None;
    }
    s.call(
        |st, _, _, _, _| {
            st.fpext |= STANDARD_USED;
            0
        },
        [None; 3],
        0,
    );
    s.trap(Trap::Resync, 0, i.own());
    Some(Lift::End)
}

/// The same, in a lifter.
macro_rules! enter {
    ($s:expr, $i:expr) => {
        if let Some(lift) = super::standard_first($s, $i) {
            return lift;
        }
    };
}
use enter;

/// `Undefined` from the lifter if there is no such form.
macro_rules! known {
    ($e:expr) => {
        match $e {
            Some(x) => x,
            None => return Lift::Undefined,
        }
    };
}
use known;
