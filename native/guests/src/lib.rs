//! The guests: one module for each instruction set, with its decode table and lifters, and with what
//! Linux makes of it.
//!
//! [`by_name`] is the list of them.

mod aarch64;
mod arm;
mod decode;
mod features;
mod m68k;
mod mips;
pub mod names;
mod nzcv;
mod ppc;
mod riscv;
mod s390x;
mod simd;
#[cfg(test)]
mod tests;
mod vdso;
pub mod x86;

use std::sync::Arc;

use cpu::{Emulate, Emulated};
use kernel::linux::LinuxAbi;
use translator::guest::Guest;
use translator::{guest, ir};

use qusr_cpu as cpu;
use qusr_kernel as kernel;
use qusr_memory as memory;
use qusr_translator as translator;
use qusr_unicorn as unicorn;

/// The guests of each module.
static ALL: [&[Entry]; 8] = [
    &aarch64::GUESTS,
    &arm::GUESTS,
    &m68k::GUESTS,
    &mips::GUESTS,
    &ppc::GUESTS,
    &riscv::GUESTS,
    &s390x::GUESTS,
    &x86::GUESTS,
];

/// Those whose code the host's processor may run itself.
static DIRECT: [&Direct; 1] = [&x86::DIRECT];

/// How the host's processor runs a guest's code.
pub struct Direct {
    pub guest: &'static str,
    /// Makes this process one that does it, before there is memory for the guest; or says why not.
    pub prepare: fn() -> Result<(), String>,
    /// A core over a space of [`memory::SpaceConfig::executes`].
    pub open: fn(Arc<memory::AddressSpace>) -> Box<dyn cpu::CpuCore>,
    /// AT_HWCAP, AT_HWCAP2 and AT_MINSIGSTKSZ.
    pub facts: fn() -> [u64; 3],
}

/// That of a guest, if there is one.
#[must_use]
pub fn direct(guest: &str) -> Option<&'static Direct> {
    DIRECT.into_iter().find(|direct| direct.guest == guest)
}

/// One guest: an instruction set in one byte order.
pub struct Entry {
    /// Its name in [`names`]; guests whose programs are told apart by more than that share it.
    pub command: &'static str,
    /// Its Linux; what that is called is the name of the guest.
    pub linux: &'static dyn LinuxAbi,
    /// Its instructions, if there are lifters, as a CPU model with these features has them (none: with all).
    pub isa: Option<fn(&[String]) -> &'static dyn Guest>,
    /// What Unicorn takes it for.
    pub unicorn: &'static dyn unicorn::Guest,
    /// What Linux carries out for programs although it traps.
    pub emulate: Option<Emulation>,
    /// Properties of `-cpu` about vector lengths, of which there are too many for a model each.
    pub lengths: Option<Lengths>,
}

/// Which properties those are, and what they make of a model's features.
pub struct Lengths {
    pub concerns: fn(&str) -> bool,
    pub choose: fn(&mut Vec<String>, &[&str]) -> Result<(), String>,
}

/// Carries out the instruction in these bytes, by the system registers (number, value) of the CPU that
/// are not 0. None: it is not one that Linux carries out.
pub type Emulation = fn(&[(u32, u64)], &[u8]) -> Option<Emulated>;

impl Entry {
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.linux.name()
    }

    /// [`Entry::emulate`] for a CPU with these system registers.
    #[must_use]
    pub fn emulation(&self, registers: Vec<(u32, u64)>) -> Option<Emulate> {
        let emulate = self.emulate?;
        Some(Arc::new(move |code| emulate(&registers, code)))
    }
}

/// All guests.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    ALL.into_iter().flatten()
}

/// The guest of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    all().find(|guest| guest.name() == name)
}
