//! Decode tables: patterns, and finding the line that an instruction matches; the fields of an instruction.
//!
//! A pattern is a string of 16 or 32 characters, the highest bit first: `0` and `1` are fixed, letters name
//! fields, spaces are for the eye. The first line that matches wins.

/// The fixed bits of a pattern (`wanted` is `b'm'`), or those of them that are 1 (`b'v'`).
///
/// # Panics
/// At compile time, if the pattern has not `size` bits.
#[must_use]
pub const fn parse(pattern: &str, size: u32, wanted: u8) -> u32 {
    let b = pattern.as_bytes();
    let (mut i, mut bit, mut m) = (0, 0, 0u32);
    while i < b.len() {
        if b[i] != b' ' {
            assert!(bit < size, "a pattern is too long");
            let fixed = b[i] == b'0' || b[i] == b'1';
            if (wanted == b'm' && fixed) || (wanted == b'v' && b[i] == b'1') {
                m |= 1 << (size - 1 - bit);
            }
            bit += 1;
        }
        i += 1;
    }
    assert!(bit == size, "a pattern is too short");
    m
}

/// `len` bits from bit `lo`; fewer than 32.
#[inline]
const fn field(bits: u32, lo: u32, len: u32) -> u32 {
    bits >> lo & ((1 << len) - 1)
}

/// What consists of bit fields: an instruction.
pub trait Bits: Copy {
    fn bits(self) -> u32;

    /// `len` bits from bit `lo`; fewer than 32.
    #[must_use]
    fn f(self, lo: u32, len: u32) -> u32 {
        field(self.bits(), lo, len)
    }
    #[must_use]
    fn bit(self, n: u32) -> bool {
        self.bits() >> n & 1 != 0
    }
    /// `len` bits from bit `lo`, sign-extended.
    #[must_use]
    fn signed(self, lo: u32, len: u32) -> i32 {
        let s = 32 - len;
        ((self.f(lo, len) << s) as i32) >> s
    }
}

/// What finding a line needs of it.
#[derive(Clone, Copy)]
pub struct Line {
    pub mask: u32,
    pub value: u32,
    pub number: u16,
}

/// Two fields of an instruction that lines are sorted by: each a shift and a number of bits.
#[derive(Clone, Copy)]
pub struct Fields {
    pub high: (u32, u32),
    pub low: (u32, u32),
}

impl Fields {
    /// One field: `bits` bits from bit `shift`.
    #[must_use]
    pub const fn one(shift: u32, bits: u32) -> Self {
        Self {
            high: (shift, bits),
            low: (0, 0),
        }
    }

    /// The number of values.
    #[must_use]
    pub const fn buckets(self) -> usize {
        1 << (self.high.1 + self.low.1)
    }

    /// The fields' value in an instruction (or in a mask).
    #[must_use]
    #[inline]
    pub const fn of(self, bits: u32) -> u32 {
        let high = field(bits, self.high.0, self.high.1);
        let low = field(bits, self.low.0, self.low.1);
        high << self.low.1 | low
    }
}

/// The lines that can match for each value of the fields, in order, and where each value's start.
/// `B` is one more than there are values.
pub struct Index<const N: usize, const B: usize> {
    start: [u16; B],
    lines: [Line; N],
}

impl<const N: usize, const B: usize> Index<N, B> {
    /// Makes the index; with `N` = 0 only how many lines it is to have, as the last bucket's end.
    #[must_use]
    pub const fn new(all: &[Line], fields: Fields) -> Self {
        let none = Line {
            mask: 0,
            value: 0,
            number: 0,
        };
        let mut out = Self {
            start: [0; B],
            lines: [none; N],
        };
        let buckets = fields.buckets();
        assert!(B == buckets + 1, "an index of another size");
        // First their number, then, from the last one to the first, the lines.
        let mut pass = 0;
        while pass < 2 {
            let mut n = all.len();
            while n > 0 {
                n -= 1;
                let (m, v) = (fields.of(all[n].mask), fields.of(all[n].value));
                let free = !m & (buckets as u32 - 1);
                // All subsets of the free bits.
                let mut sub = 0;
                loop {
                    let b = (v | sub) as usize;
                    if pass == 0 {
                        out.start[b] += 1;
                    } else if N > 0 {
                        out.start[b] -= 1;
                        out.lines[out.start[b] as usize] = all[n];
                    }
                    sub = sub.wrapping_sub(free) & free;
                    if sub == 0 {
                        break;
                    }
                }
            }
            if pass == 0 {
                // Each bucket's end, which the second pass brings down to its start.
                let mut b = 1;
                while b <= buckets {
                    out.start[b] += out.start[b - 1];
                    b += 1;
                }
            }
            pass += 1;
        }
        out
    }

    /// How many lines an index has to have.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.start[B - 1] as usize
    }

    /// The number of the line for an instruction. The fields are those that the index was made with: constants to
    /// the caller, which they are not if they are loaded from here.
    #[must_use]
    #[inline]
    pub fn find(&self, fields: Fields, bits: u32) -> Option<usize> {
        self.find_where(fields, bits, |_| true)
    }

    /// The same of the first line for which `wanted` holds.
    #[must_use]
    #[inline]
    pub fn find_where(
        &self,
        fields: Fields,
        bits: u32,
        wanted: impl Fn(&usize) -> bool,
    ) -> Option<usize> {
        let b = fields.of(bits) as usize;
        let (start, end) = (self.start[b], self.start[b + 1]);
        let lines = &self.lines[usize::from(start)..usize::from(end)];
        let matching = lines.iter().filter(|line| bits & line.mask == line.value);
        matching.map(|line| usize::from(line.number)).find(wanted)
    }
}

/// Makes `TABLE`, `find` and `Lifters` of lines of `$size` bits, sorted by the fields `$fields`.
///
/// The guest's module `$guest` has `table::Encoding`, of which a line is a name, a pattern, a lifter and its further
/// columns, and `insn::Insn`, which the lifters take.
macro_rules! table {
    ($guest:ident, $size:literal, $fields:expr;
     $($name:ident $pattern:literal $path:path { $($column:ident: $value:expr),* })*) => {
        const LINES: &[$crate::$guest::table::Encoding] = &[$($crate::$guest::table::Encoding {
            name: stringify!($name), pattern: $pattern,
            mask: $crate::decode::parse($pattern, $size, b'm'),
            value: $crate::decode::parse($pattern, $size, b'v'),
            $($column: $value),*
        }),*];
        /// The table.
        pub static TABLE: &[$crate::$guest::table::Encoding] = LINES;

        /// The lifters for one implementation of [`Sem`](crate::ir::sem::Sem).
        pub struct Lifters<S>(std::marker::PhantomData<S>);

        impl<S: $crate::ir::sem::Sem> Lifters<S> {
            /// In the order of [`TABLE`].
            pub const ALL: [fn(&mut S, $crate::$guest::insn::Insn) -> $crate::guest::Lift; TABLE.len()] = [$($path),*];
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
            INDEX.find(FIELDS, bits)
        }
    };
}

pub(crate) use table;
