//! The guests: one module for each instruction set, with its decode table and lifters.
//!
//! [`by_name`] is the register of them.

mod aarch64;
pub mod names;
#[cfg(test)]
mod tests;

use translator::guest::Guest;
use translator::{guest, ir};

use qusr_translator as translator;
#[cfg(test)]
use {qusr_cpu as cpu, qusr_memory as memory, qusr_unicorn as unicorn};

/// Every guest that has lifters.
static ALL: [&dyn Guest; 1] = [&aarch64::AArch64];

/// The guest of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Guest> {
    ALL.into_iter().find(|guest| guest.name() == name)
}
