//! A *recipe*: all that Python worked out for a start, so that the next one need not.
//!
//! Addresses are not randomised, so filling an empty address space with a program is the same list
//! of operations each time. `qusr/recipe.py` records it, with what else follows from the
//! program and the options, and says what the fields are.

/// Changes with what is in a recipe.
const FORMAT: u64 = 2;

/// One operation on the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Mmap {
        addr: u64,
        len: u64,
        prot: i32,
        flags: i32,
        file: Source,
        offset: u64,
        /// What it gave; if it gives something else now, the recipe is of no use.
        result: u64,
    },
    Munmap {
        addr: u64,
        len: u64,
    },
    Mprotect {
        addr: u64,
        len: u64,
        prot: i32,
    },
    Write {
        addr: u64,
        data: Vec<u8>,
    },
    Zero {
        addr: u64,
        len: u64,
    },
    MmapBase(u64),
    Brk(u64),
    Name {
        addr: u64,
        len: u64,
        name: String,
    },
}

/// What is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Nothing,
    Program,
    Interpreter,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The sysroot that was found or asked for; "" for none.
    pub sysroot: Vec<u8>,
    /// The interpreter's file and identity; nothing for a static program.
    pub interpreter: Option<(Vec<u8>, Vec<u8>)>,
    /// Files that were looked for and were not there.
    pub absent: Vec<Vec<u8>>,
    pub va_bits: u8,
    pub mmap_min_addr: u64,
    /// The Unicorn core behind the native one.
    pub library: Vec<u8>,
    /// As the list of guests calls it.
    pub guest: String,
    pub model: i32,
    /// The CPU's system registers that programs read: number and value.
    pub system_registers: Vec<(u32, u64)>,
    /// What the CPU model has.
    pub features: Vec<String>,
    /// The key of the thunk table in the store.
    pub table: Vec<u8>,
    pub ops: Vec<Op>,
    pub start: u64,
    /// An address of the program's code.
    pub code: u64,
    pub stack_top: u64,
    pub big_endian: bool,
    pub platform: Vec<u8>,
    /// `machine` of uname(2).
    pub uname: Vec<u8>,
    pub auxv: Vec<(u64, u64)>,
    /// What only Python reads, when it takes the running program over.
    pub rest: Vec<u8>,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        self.number()?.try_into().ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.small()?;
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    fn owned(&mut self) -> Option<Vec<u8>> {
        self.bytes().map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.owned()?).ok()
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.number()?).map(|_| one(self)).collect()
    }

    fn op(&mut self) -> Option<Op> {
        Some(match self.number()? {
            0 => Op::Mmap {
                addr: self.number()?,
                len: self.number()?,
                prot: self.small()?,
                flags: self.small()?,
                file: match self.number()? {
                    0 => Source::Nothing,
                    1 => Source::Program,
                    2 => Source::Interpreter,
                    _ => return None,
                },
                offset: self.number()?,
                result: self.number()?,
            },
            1 => Op::Munmap {
                addr: self.number()?,
                len: self.number()?,
            },
            2 => Op::Mprotect {
                addr: self.number()?,
                len: self.number()?,
                prot: self.small()?,
            },
            3 => Op::Write {
                addr: self.number()?,
                data: self.owned()?,
            },
            4 => Op::Zero {
                addr: self.number()?,
                len: self.number()?,
            },
            5 => Op::MmapBase(self.number()?),
            6 => Op::Brk(self.number()?),
            7 => Op::Name {
                addr: self.number()?,
                len: self.number()?,
                name: self.text()?,
            },
            _ => return None,
        })
    }
}

impl Recipe {
    /// Reads a recipe; None: it is of another version, or damaged.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let mut r = Reader(data);
        if r.number()? != FORMAT {
            return None;
        }
        let recipe = Self {
            sysroot: r.owned()?,
            interpreter: match (r.owned()?, r.owned()?) {
                (path, _) if path.is_empty() => None,
                pair => Some(pair),
            },
            absent: r.list(Reader::owned)?,
            va_bits: r.small()?,
            mmap_min_addr: r.number()?,
            library: r.owned()?,
            guest: r.text()?,
            model: r.number()? as i32,
            system_registers: r.list(|r| Some((r.small()?, r.number()?)))?,
            features: r.list(Reader::text)?,
            table: r.owned()?,
            ops: r.list(Reader::op)?,
            start: r.number()?,
            code: r.number()?,
            stack_top: r.number()?,
            big_endian: r.number()? != 0,
            platform: r.owned()?,
            uname: r.owned()?,
            auxv: r.list(|r| Some((r.number()?, r.number()?)))?,
            rest: r.owned()?,
        };
        r.0.is_empty().then_some(recipe)
    }
}
