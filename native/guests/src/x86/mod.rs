//! x86. No lifters yet: it runs on Unicorn.

mod linux;
mod state;
mod unicorn;

use crate::Entry;
use linux::X86Linux;

/// By the word size.
pub static GUESTS: [Entry; 1] = [Entry {
    command: "x86_64",
    linux: &X86Linux::BITS64,
    isa: None,
    unicorn: &unicorn::X86_64,
    emulate: None,
}];
