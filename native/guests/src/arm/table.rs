//! What a line of a decode table is; the tables themselves are in `a32`, `t32`, `t16` and `fptable`.
//!
//! A line is a name, a pattern, a lifter, and three columns:
//!
//! 1. what it does to the condition flags: `n` nothing, `k` writes all four without reading any, `z` writes N and Z at
//!    least, `a` the same as `k` if bit 20 is set and else nothing, `l` the same as `z` if bit 20 is set and else
//!    nothing, `s` shifts by a register, which leaves C if it is by 0, and writes N, Z and C else, `h` the same if bit
//!    20 is set and else nothing, `r` reads or anything else, `b` a direct branch that is always taken, `c` one with a
//!    condition of its own, `u` leads elsewhere;
//! 2. how it is made conditional: `s` by selecting between the old and the new values of the registers and flags
//!    that it sets, `e` (effects, or much work) by a jump over it, and then it must not set flags;
//! 3. the feature that it needs.

use super::features::Features;
use super::insn::Insn;
use crate::decode::Bits;

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
            'n' | 'b' | 'c' | 'u' => false,
            'a' | 'l' | 'h' => i.bit(20),
            _ => true,
        }
    }
}

/// Makes `TABLE`, `find` and `Lifters` of lines of `$size` bits, sorted by the fields `$fields`.
macro_rules! encodings {
    ($size:literal, $fields:expr; $($name:ident $pattern:literal $path:path, $flags:literal $how:literal $need:expr;)*) => {
        $crate::decode::table! {
            arm, $size, $fields;
            $($name $pattern $path { flags: $flags, how: $how, need: $need })*
        }
    };
}

pub(super) use encodings;
