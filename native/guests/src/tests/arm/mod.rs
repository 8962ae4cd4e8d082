//! The differential tester of the integer instructions of A32 and T32: as `differential` does it for AArch64, against
//! Unicorn's model `max`. Conditions and IT blocks are part of the cases.
//!
//! `QUSR_FUZZ_CASES`, `QUSR_FUZZ_SEED` and `QUSR_FUZZ_ONLY` steer it.

mod encodings;
mod lines;
mod operands;
mod rig;

/// Instructions under test go to the second half of this mapping.
const CODE: u64 = 0x0100_0000;
const CODE_LEN: u64 = 0x80_0000;
const CODE_START: u64 = CODE + 0x40_0000;
/// Data: four pages, the third of which is read-only; nothing is mapped around them.
const DATA: u64 = 0x1000_0000;
const DATA_LEN: u64 = 0x4000;
const READ_ONLY: u64 = DATA + 0x2000;

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
