//! The differential tester of MIPS, in both word sizes and byte orders: as `differential` does it for AArch64, against Unicorn, whose
//! processors are of release 2 and of release 6.
//!
//! The variables of `tests::fuzz` steer it.

mod encodings;
pub mod exempt;
mod operands;
mod rig;
