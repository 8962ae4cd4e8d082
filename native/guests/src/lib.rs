//! The guests: one module for each instruction set, with its decode table and lifters.
//!
//! [`by_name`] is the register of them.

mod aarch64;
mod arm;
mod decode;
pub mod names;
mod simd;
#[cfg(test)]
mod tests;

use arm::{Arm, features::Features};
use translator::guest::Guest;
use translator::{guest, ir};

use qusr_translator as translator;
#[cfg(test)]
use {qusr_cpu as cpu, qusr_memory as memory, qusr_unicorn as unicorn};

/// The guest of this name, of a CPU model with all features; big-endian forms of Arm are `arm-be8` and `arm-be32`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Guest> {
    described(name, &[])
}

/// The guest of this name, of a CPU model with these features: its architecture's version and names as in
/// /proc/cpuinfo; none means all.
#[must_use]
pub fn described(name: &str, features: &[String]) -> Option<&'static dyn Guest> {
    let arm = |big_data, big_code| Arm::of(Features::by_names(features), big_data, big_code);
    Some(match name {
        "aarch64" => &aarch64::AArch64,
        "arm" => arm(false, false),
        "armeb" | "arm-be8" => arm(true, false),
        "arm-be32" => arm(true, true),
        _ => return None,
    })
}
