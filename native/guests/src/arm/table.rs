//! What a line of a decode table is; the tables themselves are in `a32`, `t32`, `t16` and `fptable`.
//!
//! A line is a name, a pattern, a lifter, and three columns:
//!
//! 1. what it does to the condition flags: `n` nothing, `k` writes all four without reading any, `z` writes N and Z at
//!    least, `a` the same as `k` if bit 20 is set and else nothing, `l` the same as `z` if bit 20 is set and else
//!    nothing, `r` reads or anything else, `b` a direct branch that is always taken, `u` leads elsewhere;
//! 2. how it is made conditional: `s` by selecting between the old and the new values of the registers and flags
//!    that it sets, `e` (effects, or much work) by a jump over it, and then it must not set flags;
//! 3. the feature that it needs.

use super::features::Features;
use super::insn::Insn;

/// One encoding.
pub struct Encoding {
    #[cfg_attr(not(test), expect(dead_code, reason = "for tests and coverage tables"))]
    pub name: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "as above"))]
    pub pattern: &'static str,
    pub mask: u32,
    pub value: u32,
    pub flags: char,
    pub how: char,
    pub need: Features,
}

impl Encoding {
    /// Whether an instruction of this line sets condition flags.
    #[must_use]
    pub fn sets_flags(&self, i: Insn) -> bool {
        match self.flags {
            'n' | 'b' | 'u' => false,
            'a' | 'l' => i.bit(20),
            _ => true,
        }
    }
}

/// Makes `TABLE`, `find` and `Lifters` of lines of `$size` bits, sorted by the fields `$fields`.
macro_rules! encodings {
    ($size:literal, $fields:expr; $($name:ident $pattern:literal $path:path, $flags:literal $how:literal $need:expr;)*) => {
        const LINES: &[$crate::arm::table::Encoding] = &[$($crate::arm::table::Encoding {
            name: stringify!($name), pattern: $pattern,
            mask: $crate::decode::parse($pattern, $size, b'm'),
            value: $crate::decode::parse($pattern, $size, b'v'),
            flags: $flags, how: $how, need: $need,
        }),*];
        /// The table.
        pub static TABLE: &[$crate::arm::table::Encoding] = LINES;

        /// The lifters for one implementation of [`Sem`](crate::ir::sem::Sem).
        pub struct Lifters<S>(std::marker::PhantomData<S>);

        impl<S: $crate::ir::sem::Sem> Lifters<S> {
            /// In the order of [`TABLE`].
            pub const ALL: [fn(&mut S, $crate::arm::insn::Insn) -> $crate::guest::Lift; TABLE.len()] = [$($path),*];
        }

        const SORTED: [$crate::decode::Line; LINES.len()] = {
            let mut out = [$crate::decode::Line { mask: 0, value: 0, number: 0 }; LINES.len()];
            let mut n = 0;
            while n < LINES.len() {
                out[n] = $crate::decode::Line { mask: LINES[n].mask, value: LINES[n].value, number: n as u16 };
                n += 1;
            }
            out
        };
        const FIELDS: $crate::decode::Fields = $fields;
        const BUCKETS: usize = FIELDS.buckets() + 1;
        static INDEX: $crate::decode::Index<
            { $crate::decode::Index::<0, BUCKETS>::new(&SORTED, FIELDS).size() },
            BUCKETS,
        > = $crate::decode::Index::new(&SORTED, FIELDS);

        /// The line of the table for an instruction.
        #[must_use]
        pub fn find(bits: u32) -> Option<usize> {
            INDEX.find(bits)
        }
    };
}

pub(super) use encodings;
