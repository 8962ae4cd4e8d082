//! The differential tester: random instructions from the decode table on the native core
//! (translated, translated without optimisations, interpreted) and on Unicorn, model `max`.
//! Registers, NZCV, FPSR, memory and faults are compared.
//!
//! | file | what |
//! |---|---|
//! | `encodings.rs` | each line of the table by itself, all of its opcodes evenly |
//! | `lines.rs` | straight lines of many instructions: register allocation, flags, faults in the middle |
//! | `loops.rs` | loops that become regions: left by faults, branches and interrupts |
//! | `faults.rs` | the condition flags at faults |
//! | `operands.rs` | random instructions and register contents, edge cases more often than not |
//! | `rig.rs` | the cores over one memory: what `tests::rig` leaves to A64 |
//! | `exempt.rs` | what Unicorn cannot judge, why, and who judges it |
//!
//! `QUSR_TEST_LIBUNICORN` names the library. The variables of `tests::fuzz` steer it: 50,000 cases are a long run,
//! with 1,000 for each opcode of each line.

mod encodings;
mod exempt;
mod faults;
mod lines;
mod loops;
mod operands;
mod rig;

use super::rig::{CODE_LEN, DATA, DATA_LEN, READ_ONLY};

/// Instructions under test go to the second half of this mapping.
const CODE: u64 = 0x55_0010_0000;
const CODE_START: u64 = CODE + CODE_LEN / 2;
const BRK: u32 = 0xd420_0000;
