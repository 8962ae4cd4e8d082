//! The 32-bit ARM guest.

mod linux;

use crate::{Entry, unicorn};
use linux::ArmLinux;

/// Little-endian, and the two big-endian kinds of programs.
pub static GUESTS: [Entry; 3] = [
    Entry {
        command: "arm",
        linux: &ArmLinux {
            name: "arm",
            big_data: false,
            big_code: false,
        },
        isa: None,
        unicorn: unicorn::Guest::Arm,
        emulate: None,
    },
    Entry {
        command: "armeb",
        linux: &ArmLinux {
            name: "arm-be8",
            big_data: true,
            big_code: false,
        },
        isa: None,
        unicorn: unicorn::Guest::ArmBe8,
        emulate: None,
    },
    Entry {
        command: "armeb",
        linux: &ArmLinux {
            name: "arm-be32",
            big_data: true,
            big_code: true,
        },
        isa: None,
        unicorn: unicorn::Guest::ArmBe32,
        emulate: None,
    },
];
