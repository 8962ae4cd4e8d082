//! What the core does around instructions: loops, faults, code that changes, interrupts, threads.
//! Encodings are those that `aarch64-linux-gnu-as` gives for the assembly beside them.

mod code;
mod control;
mod handover;
mod thumb;
mod values;

use crate::aarch64::LITTLE;
use crate::cpu::{Access, CpuCore, Exit, Flow, Regs};
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use crate::translator::{NativeConfig, Options, open};
use std::sync::Arc;

const CODE: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;
/// The register number of v0, behind x0-x30, sp, pc and the flags.
const V0: u32 = 34;
const BRK: u32 = 0xd420_0000;
const RET: u32 = 0xd65f_03c0;

fn map(space: &AddressSpace, addr: u64, len: u64, prot: i32) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let request = MmapRequest {
        addr,
        len,
        prot,
        flags,
        fd: -1,
        offset: 0,
    };
    assert_eq!(space.mmap(request), Ok(addr));
}

fn space(code: &[u32]) -> Arc<AddressSpace> {
    let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
    map(
        &space,
        CODE,
        0x1000,
        libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    );
    map(&space, DATA, 0x1000, libc::PROT_READ | libc::PROT_WRITE);
    for (n, &w) in code.iter().enumerate() {
        space.write_u32(CODE + 4 * n as u64, w).expect("code");
    }
    space
}

fn core(space: &Arc<AddressSpace>, opt: &str) -> Box<dyn CpuCore> {
    let options = Options::parse(opt).expect("options");
    let config = NativeConfig {
        options,
        // Loops of a few rounds are regions already.
        hot: 2,
        ..NativeConfig::default()
    };
    let mut core = open(&LITTLE, &config, space.clone(), None).expect("a core");
    core.set(32, CODE);
    core
}

fn run(core: &mut dyn CpuCore) -> Exit {
    core.run(&mut |_, _| Flow::Leave)
}

/// With everything on, everything off, and each optimisation off alone.
const SETTINGS: [&str; 12] = [
    "",
    "no-all",
    "no-chain",
    "no-fold",
    "no-flags",
    "no-coalesce",
    "no-returns",
    "no-jumps",
    "no-extend",
    "no-share",
    "no-traps",
    "no-regions",
];

#[test]
fn unknown_options_and_guests_are_refused() {
    assert!(Options::parse("no-such").is_err());
    assert!(crate::by_name("z80").is_none());
    assert!(crate::by_name("aarch64").is_some());
}
