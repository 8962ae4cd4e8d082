//! 680x0 with floating point (the Motorola 68020 and its successors). No lifters yet: it runs on Unicorn.

mod insn;
mod linux;
mod state;
mod unicorn;

use crate::Entry;
use linux::M68kLinux;

/// There is one byte order.
pub static GUESTS: [Entry; 1] = [Entry {
    command: "m68k",
    linux: &M68kLinux,
    isa: None,
    unicorn: &unicorn::M68K,
    emulate: None,
    lengths: None,
}];
