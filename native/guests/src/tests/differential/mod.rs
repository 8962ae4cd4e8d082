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
//! | `rig.rs` | the cores over one memory |
//! | `exempt.rs` | what Unicorn cannot judge, why, and who judges it |
//!
//! `QUSR_TEST_LIBUNICORN` names the library. `QUSR_FUZZ_CASES` (default 1000 for each line of the table),
//! `QUSR_FUZZ_SEED` and `QUSR_FUZZ_ONLY` (part of a name) steer it: 50,000 cases are a long run, with
//! 1,000 for each opcode of each line.

mod encodings;
mod exempt;
mod faults;
mod lines;
mod loops;
pub mod operands;
mod rig;

/// Instructions under test go to the second half of this mapping.
const CODE: u64 = 0x55_0010_0000;
const CODE_LEN: u64 = 0x80_0000;
const CODE_START: u64 = CODE + 0x40_0000;
/// Data: four pages, the third of which is read-only; nothing is mapped around them.
const DATA: u64 = 0x1000_0000;
const DATA_LEN: u64 = 0x4000;
const READ_ONLY: u64 = DATA + 0x2000;
const BRK: u32 = 0xd420_0000;

fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(default)
}

/// How many cases a line of the table gets.
fn cases() -> u64 {
    env_number("QUSR_FUZZ_CASES", 1000)
}

fn only() -> String {
    std::env::var("QUSR_FUZZ_ONLY").unwrap_or_default()
}

/// Fails with the first of many lines.
fn report(failures: &[String], compared: u64) {
    let shown: Vec<&str> = failures.iter().take(60).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} differences in {compared} cases (unicorn / native):\n{}",
        failures.len(),
        shown.join("\n")
    );
}
