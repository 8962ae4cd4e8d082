//! The decode table of floating point and Advanced SIMD, for A32 and T32.
//!
//! Patterns are those of A32. Conditional instructions (VFP, moves, loads and stores) have the condition's four bits as
//! letters; Advanced SIMD has `1111` there. T32's differ in their top byte only and are brought into this form
//! ([`super::fp_form`]).

use super::features::{DOUBLE, VFP2};
use super::table::encodings;
use super::vfp;
use crate::guest::decode::Fields;

encodings! { 32, Fields { high: (20, 8), low: (8, 4) };
    vmov_core_pair_d    "cccc 1100010 o tttt uuuu 1011 00 m 1 mmmm" vfp::mov_core_pair, 'n' 'e' VFP2.and(DOUBLE);
}
