//! The differential tester of RISC-V, of both word sizes: as `differential` does it for AArch64, against Unicorn, which has
//! I, M, A, F, D and C. The extensions that it lacks are judged by qemu-user (`tests::oracle`).
//!
//! The variables of `tests::fuzz` steer it.

mod encodings;
pub mod exempt;
mod lines;
pub mod operands;
mod rig;

use super::rig::{CODE_LEN, DATA, DATA_LEN, READ_ONLY};

/// Instructions under test go to the second half of this mapping.
const CODE: u64 = 0x0100_0000;
const CODE_START: u64 = CODE + CODE_LEN / 2;
