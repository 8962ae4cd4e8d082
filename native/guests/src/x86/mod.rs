//! x86. No lifters yet: it runs on Unicorn, or on the host's own processor.

mod direct;
mod linux;
mod state;
mod unicorn;

pub use direct::DIRECT;

use crate::Entry;
use linux::X86Linux;
pub use linux::segments::{shown as shown_segment, stored as stored_segment};

/// By the word size.
pub static GUESTS: [Entry; 2] = [
    Entry {
        command: "x86_64",
        linux: &X86Linux::BITS64,
        isa: None,
        unicorn: &unicorn::X86_64,
        emulate: None,
        lengths: None,
    },
    Entry {
        command: "i386",
        linux: &X86Linux::BITS32,
        isa: None,
        unicorn: &unicorn::I386,
        emulate: None,
        lengths: None,
    },
];
