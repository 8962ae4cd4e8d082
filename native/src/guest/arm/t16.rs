//! The decode table of the 16-bit instructions of T32.

use super::features::T2;
use super::status;
use super::table::encodings;
use crate::guest::decode::Fields;

encodings! { 16, Fields { high: (6, 10), low: (0, 0) };
    it                  "1011 1111 cccc mmmm" status::it, 'r' 's' T2;
}
