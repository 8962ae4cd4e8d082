//! s390x: z/Architecture with 64 bits. No lifters yet: it runs on Unicorn.

mod linux;
mod reach;
mod state;
mod unicorn;

use crate::Entry;
use linux::S390xLinux;

/// There is one byte order.
pub static GUESTS: [Entry; 1] = [Entry {
    command: "s390x",
    linux: &S390xLinux,
    isa: None,
    unicorn: &unicorn::S390X,
    emulate: None,
    lengths: None,
}];
