//! The differential tester of the integer instructions of A32 and T32: as `differential` does it for AArch64, against
//! Unicorn's model `max`. Conditions and IT blocks are part of the cases.
//!
//! The variables of `tests::fuzz` steer it.

mod encodings;
mod exempt;
mod lines;
mod operands;
mod rig;

use super::rig::{CODE_LEN, DATA, DATA_LEN, READ_ONLY};

/// Instructions under test go to the second half of this mapping.
const CODE: u64 = 0x0100_0000;
const CODE_START: u64 = CODE + CODE_LEN / 2;
