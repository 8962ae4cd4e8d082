//! What steers tests with random instructions, and their report.
//!
//! `QUSR_FUZZ_CASES` (default 1000 for each line of a table), `QUSR_FUZZ_SEED` and `QUSR_FUZZ_ONLY` (part of a
//! name).

/// xorshift64*: reproducible.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

pub fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(default)
}

/// How many cases a line of the table gets.
pub fn cases() -> u64 {
    env_number("QUSR_FUZZ_CASES", 1000)
}

pub fn only() -> String {
    std::env::var("QUSR_FUZZ_ONLY").unwrap_or_default()
}

/// Fails with the first of many lines.
pub fn report(failures: &[String], compared: u64) {
    let shown: Vec<&str> = failures.iter().take(60).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} differences in {compared} cases (unicorn / native):\n{}",
        failures.len(),
        shown.join("\n")
    );
}
