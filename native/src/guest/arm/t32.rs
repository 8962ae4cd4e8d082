//! The decode table of the 32-bit instructions of T32.

use super::features::T2;
use super::status;
use super::table::encodings;
use crate::guest::decode::Fields;

encodings! { 32, Fields { high: (20, 9), low: (12, 4) };
    it                  "1111 1111 1111 1111 1111 1111 1111 1111" status::it, 'r' 's' T2;
}
