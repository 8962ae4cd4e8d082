//! The decode table of A32, but for floating point and Advanced SIMD ([`super::fptable`]).

use super::features::V4;
use super::status;
use super::table::encodings;
use crate::guest::decode::Fields;

encodings! { 32, Fields { high: (20, 8), low: (4, 4) };
    it                  "1111 1111 1111 1111 1111 1111 1111 1111" status::it, 'r' 's' V4;
}
