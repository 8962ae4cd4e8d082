//! PowerPC with 32 bits. No lifters yet: it runs on Unicorn.

mod linux;
mod state;
mod unicorn;

use crate::Entry;
use linux::PpcLinux;

/// There is one byte order that Linux has programs for.
pub static GUESTS: [Entry; 1] = [Entry {
    command: "ppc",
    linux: &PpcLinux,
    isa: None,
    unicorn: &unicorn::PPC,
    emulate: Some(linux::emulate),
    lengths: None,
}];
