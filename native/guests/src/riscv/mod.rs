//! RISC-V with 64 and with 32 bits. No lifters yet: it runs on Unicorn.

mod linux;
mod unicorn;

use crate::Entry;
use linux::RiscvLinux;

/// Both word sizes; little-endian.
pub static GUESTS: [Entry; 2] = [
    Entry {
        command: "riscv64",
        linux: &RiscvLinux {
            name: "riscv64",
            word_bits: 64,
        },
        isa: None,
        unicorn: &unicorn::RV64,
        emulate: Some(linux::emulate),
    },
    Entry {
        command: "riscv32",
        linux: &RiscvLinux {
            name: "riscv32",
            word_bits: 32,
        },
        isa: None,
        unicorn: &unicorn::RV32,
        emulate: Some(linux::emulate),
    },
];
