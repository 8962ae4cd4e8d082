//! The guests: one module for each instruction set, with its decode table and lifters.
//!
//! [`by_name`] is the register of them.

mod aarch64;
mod arm;
mod decode;
mod simd;
#[cfg(test)]
mod tests;

use translator::guest::Guest;
use translator::{guest, ir};

use qusr_translator as translator;
#[cfg(test)]
use {qusr_cpu as cpu, qusr_memory as memory, qusr_unicorn as unicorn};

/// The guest of this name, of a CPU model with `features` (none: with all).
#[must_use]
pub fn by_name(name: &str, features: &[String]) -> Option<&'static dyn Guest> {
    let arm = |big_data, big_code| -> &'static dyn Guest {
        arm::Arm::of(
            arm::features::Features::by_names(features),
            big_data,
            big_code,
        )
    };
    match name {
        "aarch64" => Some(&aarch64::AArch64),
        "arm" => Some(arm(false, false)),
        "arm-be8" => Some(arm(true, false)),
        "arm-be32" => Some(arm(true, true)),
        _ => None,
    }
}
