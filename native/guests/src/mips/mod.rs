//! MIPS: o32, n32 and n64, in both byte orders. No lifters yet: it runs on Unicorn.

mod linux;
mod unicorn;

use crate::Entry;
use linux::{Abi, MipsLinux};

const fn guest(linux: &'static MipsLinux, unicorn: &'static unicorn::Unicorn) -> Entry {
    Entry {
        command: linux.name,
        linux,
        isa: None,
        unicorn,
        emulate: None,
        lengths: None,
    }
}

static MIPSEL: MipsLinux = MipsLinux {
    name: "mipsel",
    abi: Abi::O32,
    big_endian: false,
};
static MIPS: MipsLinux = MipsLinux {
    name: "mips",
    big_endian: true,
    ..MIPSEL
};
static MIPS64EL: MipsLinux = MipsLinux {
    name: "mips64el",
    abi: Abi::N64,
    ..MIPSEL
};
static MIPS64: MipsLinux = MipsLinux {
    name: "mips64",
    abi: Abi::N64,
    ..MIPS
};
static MIPSN32EL: MipsLinux = MipsLinux {
    name: "mipsn32el",
    abi: Abi::N32,
    ..MIPSEL
};
static MIPSN32: MipsLinux = MipsLinux {
    name: "mipsn32",
    abi: Abi::N32,
    ..MIPS
};

/// The ABIs in both byte orders.
pub static GUESTS: [Entry; 6] = [
    guest(&MIPSEL, &unicorn::MIPSEL),
    guest(&MIPS, &unicorn::MIPS),
    guest(&MIPS64EL, &unicorn::MIPS64EL),
    guest(&MIPS64, &unicorn::MIPS64),
    guest(&MIPSN32EL, &unicorn::MIPSN32EL),
    guest(&MIPSN32, &unicorn::MIPSN32),
];
