//! The list of guests, and what Linux makes of each, against the kernel's headers.

use std::collections::BTreeSet;

use crate::cpu::Regs;
use crate::names::NAMES;
use crate::{all, by_name, vdso};

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
    // _S390X, _PPC, _M68K, _MIPSEL, _MIPS64, _MIPS64N32, _MIPSEL64N32.
    let known = [
        ("aarch64", 0xc000_00b7),
        ("arm", 0x4000_0028),
        ("arm-be8", 0x28),
        ("arm-be32", 0x28),
        ("riscv64", 0xc000_00f3),
        ("riscv32", 0x4000_00f3),
        ("s390x", 0x8000_0016),
        ("ppc", 20),
        ("m68k", 4),
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
    let little = code("arm");
    assert_eq!(little[..8], [0x77, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef]);
    assert_eq!(little[20..], [0xad, 0x27, 0, 0xdf]);
    assert_eq!(code("arm-be8"), little);
    let big = code("arm-be32");
    assert_eq!(big[..8], [0xe3, 0xa0, 0x70, 0x77, 0xef, 0, 0, 0]);
    assert_eq!(big[20..], [0x27, 0xad, 0xdf, 0]);
    assert_eq!(code("s390x"), [0x0a, 0x77, 7, 0, 0x0a, 0xad, 7, 0]);
    // Those that have it in their vDSO.
    let code = |name: &str, size: usize| {
        let image = code(name);
        let at = vdso::sigreturn(&image) as usize;
        image[at..at + size].to_vec()
    };
    let aarch64 = [0x68, 0x11, 0x80, 0xd2, 1, 0, 0, 0xd4];
    assert_eq!(code("aarch64", 8), aarch64);
    assert_eq!(code("aarch64-be", 8), aarch64);
    let riscv = [0x93, 0x08, 0xb0, 0x08, 0x73, 0, 0, 0];
    assert_eq!(code("riscv64", 8), riscv);
    assert_eq!(code("riscv32", 8), riscv);
    // rt_sigreturn, sigreturn.
    let o32 = [
        0x24, 2, 0x10, 0x61, 0, 0, 0, 0xc, 0x24, 2, 0x10, 0x17, 0, 0, 0, 0xc,
    ];
    assert_eq!(code("mips", 16), o32);
    assert_eq!(code("mips64", 8), [0x24, 2, 0x14, 0x5b, 0, 0, 0, 0xc]);
    assert_eq!(code("mipsn32", 8), [0x24, 2, 0x18, 0x43, 0, 0, 0, 0xc]);
    let mipsel: Vec<u8> = o32
        .chunks(4)
        .flat_map(|w| w.iter().rev().copied())
        .collect();
    assert_eq!(code("mipsel", 16), mipsel);
}

/// An instruction that has no meaning elsewhere.
#[test]
fn a_vdso_reads_clocks_only_where_its_word_says_so() {
    for entry in all() {
        let linux = entry.linux;
        let Some((at, clocks)) = linux.clocks() else {
            continue;
        };
        let image = linux
            .vdso()
            .map_or_else(|| linux.trampoline(), <[u8]>::to_vec);
        assert_eq!(image[at as usize..][..4], [0; 4], "{}", entry.name());
        assert_eq!(clocks, 0x8f3, "{}", entry.name());
        assert!(image.len() <= 4096);
        let guest = entry.isa.unwrap()(&[]);
        let reads = image.chunks(4).filter(|code| code.len() == 4);
        let reads = reads
            .filter(|code| guest.read_clock(0, code).is_some())
            .count();
        // gettimeofday has two; rv32 has none of these functions.
        let expected = match entry.name() {
            "riscv32" => 0,
            "aarch64" | "aarch64-be" | "riscv64" | "mips64" | "mips64el" => 4,
            _ => 5,
        };
        assert_eq!(reads, expected, "{}", entry.name());
    }
}
