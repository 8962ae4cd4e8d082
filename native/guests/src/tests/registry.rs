//! The list of guests, and what Linux makes of each, against the kernel's headers.

use std::collections::BTreeSet;

use crate::cpu::Regs;
use crate::names::NAMES;
use crate::{all, by_name};

/// Registers that are whatever was stored.
struct File([u64; 128]);

impl Regs for File {
    fn get(&mut self, id: u32) -> u64 {
        self.0[id as usize]
    }

    fn set(&mut self, id: u32, value: u64) {
        self.0[id as usize] = value;
    }
}

#[test]
fn names() {
    let names: BTreeSet<_> = all().map(crate::Entry::name).collect();
    assert_eq!(names.len(), all().count(), "two guests have one name");
    for guest in all() {
        // So much room is in what a tracer is told.
        assert!(guest.name().len() <= 16, "{}", guest.name());
        assert!(by_name(guest.name()).is_some_and(|found| std::ptr::eq(found, guest)));
    }
    // Translations that are kept must not be another guest's.
    let translated: Vec<_> = all().filter_map(|guest| guest.isa).collect();
    let names: BTreeSet<_> = translated.iter().map(|isa| isa(&[]).name()).collect();
    assert_eq!(
        names.len(),
        translated.len(),
        "two guests share translations"
    );
    let commands: BTreeSet<_> = all().map(|guest| guest.command).collect();
    assert_eq!(commands, NAMES.iter().map(|(name, _)| *name).collect());
    assert!(by_name("vax").is_none());
}

#[test]
fn registers_are_within_the_file() {
    for guest in all() {
        let regs = guest.linux.facts().registers;
        let all = [regs.number, regs.pc, regs.sp, regs.tls].into_iter();
        let all = all.chain(regs.call_marker).chain(regs.args.iter().copied());
        let mut all = all.chain(regs.results.iter().chain(regs.leading).copied());
        assert!(all.all(|id| (id as usize) < regs.count), "{}", guest.name());
        assert!(!regs.results.is_empty());
    }
}

#[test]
fn audit_architectures() {
    // include/uapi/linux/audit.h: AUDIT_ARCH_AARCH64, _ARM, _ARMEB, _RISCV64, _RISCV32,
    // _S390X, _PPC, _MIPSEL, _MIPS64, _MIPS64N32, _MIPSEL64N32.
    let known = [
        ("aarch64", 0xc000_00b7),
        ("arm", 0x4000_0028),
        ("arm-be8", 0x28),
        ("arm-be32", 0x28),
        ("riscv64", 0xc000_00f3),
        ("riscv32", 0x4000_00f3),
        ("s390x", 0x8000_0016),
        ("ppc", 20),
        ("mipsel", 0x4000_0008),
        ("mips64", 0x8000_0008),
        ("mipsn32", 0xa000_0008),
        ("mipsn32el", 0xe000_0008),
    ];
    for (name, value) in known {
        assert_eq!(by_name(name).unwrap().linux.audit_arch(), value, "{name}");
    }
}

#[test]
fn calls_that_are_made_again() {
    let mut file = File([0; 128]);
    let address = |name: &str, file: &mut File| {
        let linux = by_name(name).unwrap().linux;
        linux.call_address(file, 0x1_0008)
    };
    assert_eq!(address("aarch64", &mut file), 0x1_0004);
    assert_eq!(address("arm", &mut file), 0x1_0004);
    file.set(16, 0x10 | 1 << 5); // CPSR.T
    assert_eq!(address("arm", &mut file), 0x1_0006);
    assert_eq!(address("riscv64", &mut file), 0x1_0004);
    assert_eq!(address("ppc", &mut file), 0x1_0004);
    // An instruction of two bytes, or the EXECUTE that it is the target of.
    for size in [2, 4, 6] {
        file.set(85, size);
        assert_eq!(address("s390x", &mut file), 0x1_0008 - size);
    }
}

#[test]
fn the_code_that_calls_sigreturn() {
    // By the GNU assemblers; BE32 has instructions in the other byte order.
    let code = |name: &str| by_name(name).unwrap().linux.trampoline();
    assert_eq!(code("aarch64"), [0x68, 0x11, 0x80, 0xd2, 1, 0, 0, 0xd4]);
    assert_eq!(code("aarch64-be"), code("aarch64"));
    let little = code("arm");
    assert_eq!(little[..8], [0x77, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef]);
    assert_eq!(little[20..], [0xad, 0x27, 0, 0xdf]);
    assert_eq!(code("arm-be8"), little);
    let big = code("arm-be32");
    assert_eq!(big[..8], [0xe3, 0xa0, 0x70, 0x77, 0xef, 0, 0, 0]);
    assert_eq!(big[20..], [0x27, 0xad, 0xdf, 0]);
    assert_eq!(code("riscv64"), [0x93, 0x08, 0xb0, 0x08, 0x73, 0, 0, 0]);
    assert_eq!(code("riscv32"), code("riscv64"));
    assert_eq!(code("s390x"), [0x0a, 0x77, 7, 0, 0x0a, 0xad, 7, 0]);
}
