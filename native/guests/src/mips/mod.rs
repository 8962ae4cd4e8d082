//! MIPS: o32 and n64, in both byte orders. No lifters yet: it runs on Unicorn.

mod linux;
mod unicorn;

use crate::Entry;
use linux::MipsLinux;

const fn guest(linux: &'static MipsLinux, unicorn: &'static unicorn::Unicorn) -> Entry {
    Entry {
        command: linux.name,
        linux,
        isa: None,
        unicorn,
        emulate: None,
    }
}

static MIPSEL: MipsLinux = MipsLinux {
    name: "mipsel",
    word_bits: 32,
    big_endian: false,
};
static MIPS: MipsLinux = MipsLinux {
    name: "mips",
    big_endian: true,
    ..MIPSEL
};
static MIPS64EL: MipsLinux = MipsLinux {
    name: "mips64el",
    word_bits: 64,
    ..MIPSEL
};
static MIPS64: MipsLinux = MipsLinux {
    name: "mips64",
    word_bits: 64,
    ..MIPS
};

/// Both ABIs in both byte orders.
pub static GUESTS: [Entry; 4] = [
    guest(&MIPSEL, &unicorn::MIPSEL),
    guest(&MIPS, &unicorn::MIPS),
    guest(&MIPS64EL, &unicorn::MIPS64EL),
    guest(&MIPS64, &unicorn::MIPS64),
];
