//! The decode table of SVE and SVE2: one line for each encoding, by the index of the Arm ARM ("SVE encodings").
//!
//! A line is its name, its pattern (as in `aarch64::table`), the feature that it needs, what it sets beside vectors and predicates
//! (`n` nothing, `f` the condition flags, `x` register Rd, 31 being none, `s` the same, 31 being sp), and what it does.

mod compare;
mod float;
mod integer;
mod memory;
mod second;

use super::memory::Access;
use super::unit::{Done, Unit};
use crate::decode::{self, Fields, Index};
use crate::features::Features;
use crate::ir::interp::Mem;

/// What an instruction does.
#[derive(Clone, Copy)]
pub enum Run {
    Registers(fn(&mut Unit<'_>) -> Done),
    Memory(fn(&mut Unit<'_>, &mut dyn Mem) -> Access),
    /// CTERMEQ, CTERMNE, which change the flags that there are.
    Terminate(()),
}

/// One encoding.
pub struct Encoding {
    #[cfg(test)]
    pub name: &'static str,
    #[cfg(test)]
    pub pattern: &'static str,
    pub mask: u32,
    pub value: u32,
    pub need: Features,
    pub sets: char,
    pub run: Run,
}

/// The lines of one of the major groups.
pub struct Group {
    pub lines: &'static [Encoding],
    find: fn(u32) -> Option<usize>,
}

/// By bits 24-21 and 15-13.
const FIELDS: Fields = Fields {
    high: (21, 4),
    low: (13, 3),
};
const BUCKETS: usize = FIELDS.buckets() + 1;

const fn sorted<const N: usize>(lines: &[Encoding]) -> [decode::Line; N] {
    let mut out = [decode::Line {
        mask: 0,
        value: 0,
        number: 0,
    }; N];
    let mut n = 0;
    while n < N {
        out[n] = decode::Line {
            mask: lines[n].mask,
            value: lines[n].value,
            number: n as u16,
        };
        n += 1;
    }
    out
}

/// A group's lines, as `GROUP`.
macro_rules! lines {
    ($($name:ident $pattern:literal $need:ident $sets:literal $kind:ident $run:expr;)*) => {
        const LINES: &[super::Encoding] = &[$(super::Encoding {
            #[cfg(test)]
            name: stringify!($name),
            #[cfg(test)]
            pattern: $pattern,
            mask: $crate::decode::parse($pattern, 32, b'm'),
            value: $crate::decode::parse($pattern, 32, b'v'),
            need: $crate::aarch64::features::$need,
            sets: $sets,
            run: super::Run::$kind($run),
        }),*];
        const SORTED: [$crate::decode::Line; LINES.len()] = super::sorted(LINES);
        static INDEX: super::Index<
            { super::Index::<0, { super::BUCKETS }>::new(&SORTED, super::FIELDS).size() },
            { super::BUCKETS },
        > = super::Index::new(&SORTED, super::FIELDS);
        pub static GROUP: super::Group = super::Group {
            lines: LINES,
            find: |bits| INDEX.find(super::FIELDS, bits),
        };
    };
}
use lines;

/// All groups; by bits 31-29 the first four, and the rest.
pub static GROUPS: [&Group; 5] = [
    &integer::GROUP,
    &compare::GROUP,
    &second::GROUP,
    &float::GROUP,
    &memory::GROUP,
];

/// The line for an instruction: its group's number, and its own.
#[must_use]
pub fn find(bits: u32) -> Option<(usize, usize)> {
    let group = (bits >> 29).min(4) as usize;
    (GROUPS[group].find)(bits).map(|line| (group, line))
}
