//! The thunk table: what `qusr/syscalls/compiler.py` wrote, read back.
//!
//! All numbers are little-endian. After the magic: word size, byte order, then
//! three counted lists: struct conversions, flag maps, calls. A call is its
//! number, its name and a [`Node`]. The reader checks every index, so that a
//! damaged table is an error here and never a fault later.

use std::collections::HashMap;
use std::sync::Arc;

use super::convert::Conversion;
use crate::abi::GuestAbi;

const MAGIC: &[u8] = b"QTHUNK06";
/// A register slot that means "no such argument".
pub const NO_SLOT: u8 = 255;
/// How many register slots a call can use (arm: r0-r6).
pub const MAX_SLOTS: usize = 7;
/// How many arguments a call can have.
pub const MAX_OPS: usize = 8;

/// Where a length or count comes from.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    Const(u32),
    /// The value of an argument.
    Slot(u8),
    /// The `u32` that an argument points to.
    Deref(u8),
    /// The call's result.
    Ret,
}

/// Whether a path's final symbolic link is followed.
#[derive(Clone, Copy, Debug)]
pub enum Follow {
    Never,
    Always,
    /// Not when any of the bits is set in the argument.
    Unless(u8, u32),
    /// Only when any of the bits is set.
    If(u8, u32),
}

/// What data does: [`Direction::reads`] the guest's before the call, writes it after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction(pub u8);

impl Direction {
    #[must_use]
    pub fn reads(self) -> bool {
        self.0 & 1 != 0
    }
    #[must_use]
    pub fn writes(self) -> bool {
        self.0 & 2 != 0
    }
    /// Written back after EINTR too (the time that nanosleep has left).
    #[must_use]
    pub fn writes_interrupted(self) -> bool {
        self.0 & 4 != 0
    }
}

/// How one argument is converted.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Int {
        slot: u8,
        bits: u8,
        signed: bool,
    },
    Pair {
        low: u8,
        high: u8,
    },
    Flags {
        slot: u8,
        map: u16,
    },
    Const(i64),
    Path {
        slot: u8,
        at: u8,
        follow: Follow,
    },
    Buf {
        slot: u8,
    },
    Struct {
        slot: u8,
        conversion: u16,
        direction: Direction,
    },
    Array {
        slot: u8,
        conversion: u16,
        direction: Direction,
        count: Length,
        filled: Length,
    },
    Iovec {
        slot: u8,
        count: u8,
    },
    SockaddrIn {
        slot: u8,
        size: u8,
    },
    SockaddrOut {
        slot: u8,
        size: u8,
    },
    Msghdr {
        slot: u8,
        direction: Direction,
    },
    Mmsghdr {
        slot: u8,
        count: u8,
        direction: Direction,
    },
    Raw {
        slot: u8,
    },
    /// A 16-bit user or group id.
    Id16 {
        slot: u8,
    },
    Bits {
        slot: u8,
        direction: Direction,
        in_bits: bool,
        size: Length,
    },
    /// The bytes of read and write of a big-endian guest: see [`super::records`].
    Records {
        slot: u8,
        fd: u8,
        direction: Direction,
        size: Length,
    },
    /// A 32-bit value in the byte order of a big-endian guest's memory.
    Swap32 {
        slot: u8,
    },
}

/// An argument of the host call.
#[derive(Clone, Copy, Debug)]
pub enum HostArg {
    Op(u8),
    Const(i64),
}

/// What is done with a result that is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    Long,
    Fd,
    Off,
    Flags(u16),
    Path,
    Stat,
    /// Stored as a 64-bit number where the argument points; the call gives 0.
    Store(u8),
}

/// Calls that Rust does itself; the order is that of `BUILTINS` in compiler.py.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Builtin {
    Mmap,
    Munmap,
    Mprotect,
    Mremap,
    Brk,
    Madvise,
    Msync,
    Mincore,
    Mlock,
    Mlock2,
    Munlock,
    Mlockall,
    Munlockall,
    Shmat,
    Shmdt,
    Mmap2,
    RemapFilePages,
    SetVmaName,
    Chdir,
    Fchdir,
    Exit,
    ExitGroup,
    SetTls,
    GetTls,
    Cacheflush,
    RtSigaction,
    RtSigprocmask,
    RtSigpending,
    RtSigsuspend,
    Sigaltstack,
    RtSigreturn,
    Sigreturn,
    RtSigtimedwait,
    Sigaction,
    Sigprocmask,
    Sigpending,
    Sigsuspend,
    RtSigtimedwaitTime32,
    Pause,
    SetRobustList,
    GetRobustList,
    SetTidAddress,
    SetSeccomp,
    GetSeccomp,
    Seccomp,
    Getrlimit,
    Setrlimit,
    Prlimit64,
    Uname,
}

impl Builtin {
    fn from_index(index: u8) -> Option<Self> {
        if index > Self::Uname as u8 {
            return None;
        }
        // SAFETY: the enum is `repr(u8)` with the contiguous values 0..=last.
        Some(unsafe { std::mem::transmute::<u8, Self>(index) })
    }
}

/// One call, or one case of a call.
#[derive(Debug)]
pub enum Node {
    Native {
        host: u16,
        ops: Vec<Op>,
        args: Vec<HostArg>,
        ret: Ret,
    },
    /// `handler` is "module:function" below qusr.syscalls.handlers.
    Python {
        handler: Arc<str>,
        ops: Vec<Op>,
    },
    Builtin {
        id: Builtin,
        ops: Vec<Op>,
    },
    Enosys,
    Switch {
        slot: u8,
        mask: u64,
        cases: HashMap<u64, Node>,
        default: Box<Node>,
    },
    Errno(u16),
}

/// A named call.
#[derive(Debug)]
pub struct Call {
    pub name: String,
    pub node: Node,
}

/// Pairs of (guest bit, host bit); other bits are the same.
pub type FlagMap = Vec<(u64, u64)>;

/// All calls of one ABI.
#[derive(Debug)]
pub struct Table {
    pub abi: GuestAbi,
    pub conversions: Vec<Conversion>,
    pub flag_maps: Vec<FlagMap>,
    dense: Vec<Option<Call>>,
    sparse: HashMap<u32, Call>,
}

/// Numbers below this are looked up in a vector.
const DENSE: u32 = 1024;

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// A text that says what is wrong, for a table that is damaged or of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err("not a thunk table of this version".into());
        }
        let abi = GuestAbi {
            word_bits: reader.u8()? * 8,
            big_endian: reader.u8()? != 0,
        };
        let count = reader.u16()?;
        let conversions = (0..count)
            .map(|_| Conversion::parse(&mut reader))
            .collect::<Result<Vec<_>, _>>()?;
        let count = reader.u16()?;
        let mut flag_maps = Vec::new();
        for _ in 0..count {
            let pairs = reader.u16()?;
            let map: Result<FlagMap, String> = (0..pairs)
                .map(|_| Ok((reader.u64()?, reader.u64()?)))
                .collect();
            flag_maps.push(map?);
        }
        let mut table = Self {
            abi,
            conversions,
            flag_maps,
            dense: (0..DENSE).map(|_| None).collect(),
            sparse: HashMap::new(),
        };
        for _ in 0..reader.u16()? {
            let number = reader.u32()?;
            let length = reader.u8()?;
            let name = String::from_utf8_lossy(reader.take(length.into())?).into_owned();
            let call = Call {
                node: reader.node(&table, 0)?,
                name,
            };
            if number < DENSE {
                table.dense[number as usize] = Some(call);
            } else {
                table.sparse.insert(number, call);
            }
        }
        Ok(table)
    }

    /// The call with this number in the guest's table.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Call> {
        let number = u32::try_from(number).ok()?;
        match self.dense.get(number as usize) {
            Some(call) => call.as_ref(),
            None => self.sparse.get(&number),
        }
    }
}

/// Reads the table's bytes; every read is checked.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let part = self
            .bytes
            .get(self.at..self.at + count)
            .ok_or("thunk table cut short")?;
        self.at += count;
        Ok(part)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?
            .try_into()
            .map_err(|_| "thunk table cut short".into())
    }
    pub fn u8(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }
    pub fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    pub fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    pub fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    fn i64(&mut self) -> Result<i64, String> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn slot(&mut self) -> Result<u8, String> {
        let slot = self.u8()?;
        if usize::from(slot) < MAX_SLOTS {
            Ok(slot)
        } else {
            Err("thunk slot out of range".into())
        }
    }

    fn length(&mut self) -> Result<Length, String> {
        let kind = self.u8()?;
        let value = self.u32()?;
        let slot = u8::try_from(value)
            .ok()
            .filter(|slot| usize::from(*slot) < MAX_SLOTS);
        match (kind, slot) {
            (0, _) => Ok(Length::Const(value)),
            (1, Some(slot)) => Ok(Length::Slot(slot)),
            (2, Some(slot)) => Ok(Length::Deref(slot)),
            (3, _) => Ok(Length::Ret),
            _ => Err("thunk length of unknown kind".into()),
        }
    }

    fn node(&mut self, table: &Table, depth: u32) -> Result<Node, String> {
        if depth > 8 {
            return Err("thunk switches nested too deep".into());
        }
        Ok(match self.u8()? {
            0 => {
                let host = self.u16()?;
                let ops = self.ops(table)?;
                let count = self.u8()?;
                let mut args = Vec::new();
                for _ in 0..count {
                    let is_const = self.u8()? != 0;
                    let value = self.i64()?;
                    args.push(if is_const {
                        HostArg::Const(value)
                    } else {
                        let index = u8::try_from(value).map_err(|_| "thunk argument index")?;
                        if usize::from(index) >= ops.len() {
                            return Err("thunk argument index".into());
                        }
                        HostArg::Op(index)
                    });
                }
                let kind = self.u8()?;
                let map = self.u16()?;
                let ret = match kind {
                    0 => Ret::Long,
                    1 => Ret::Fd,
                    2 => Ret::Off,
                    3 if usize::from(map) < table.flag_maps.len() => Ret::Flags(map),
                    4 => Ret::Path,
                    5 => Ret::Stat,
                    6 if usize::from(map) < MAX_SLOTS => Ret::Store(map as u8),
                    _ => return Err("thunk result of unknown kind".into()),
                };
                Node::Native {
                    host,
                    ops,
                    args,
                    ret,
                }
            }
            1 => {
                let length = self.u8()?;
                let handler = String::from_utf8_lossy(self.take(length.into())?).into();
                Node::Python {
                    handler,
                    ops: self.ops(table)?,
                }
            }
            2 => {
                let id = Builtin::from_index(self.u8()?).ok_or("unknown builtin call")?;
                Node::Builtin {
                    id,
                    ops: self.ops(table)?,
                }
            }
            3 => Node::Enosys,
            4 => {
                let slot = self.slot()?;
                let mask = self.u64()?;
                let count = self.u16()?;
                let mut cases = HashMap::new();
                for _ in 0..count {
                    let key = self.u64()?;
                    cases.insert(key, self.node(table, depth + 1)?);
                }
                Node::Switch {
                    slot,
                    mask,
                    cases,
                    default: Box::new(self.node(table, depth + 1)?),
                }
            }
            5 => Node::Errno(self.u16()?),
            _ => return Err("thunk node of unknown kind".into()),
        })
    }

    fn ops(&mut self, table: &Table) -> Result<Vec<Op>, String> {
        let count = self.u8()?;
        if usize::from(count) > MAX_OPS {
            return Err("thunk with too many arguments".into());
        }
        (0..count).map(|_| self.op(table)).collect()
    }

    fn conversion(&mut self, table: &Table) -> Result<u16, String> {
        let index = self.u16()?;
        if usize::from(index) < table.conversions.len() {
            Ok(index)
        } else {
            Err("thunk conversion out of range".into())
        }
    }

    fn op(&mut self, table: &Table) -> Result<Op, String> {
        Ok(match self.u8()? {
            0 => Op::Int {
                slot: self.slot()?,
                bits: self.u8()?,
                signed: self.u8()? != 0,
            },
            1 => Op::Pair {
                low: self.slot()?,
                high: self.slot()?,
            },
            2 => {
                let slot = self.slot()?;
                let map = self.u16()?;
                if usize::from(map) >= table.flag_maps.len() {
                    return Err("thunk flag map out of range".into());
                }
                Op::Flags { slot, map }
            }
            3 => Op::Const(self.i64()?),
            4 => {
                let slot = self.slot()?;
                let at = self.u8()?;
                let mode = self.u8()?;
                let flag_slot = self.u8()?;
                let bits = self.u32()?;
                if at != NO_SLOT && usize::from(at) >= MAX_SLOTS
                    || mode >= 2 && usize::from(flag_slot) >= MAX_SLOTS
                {
                    return Err("thunk slot out of range".into());
                }
                let follow = match mode {
                    0 => Follow::Never,
                    1 => Follow::Always,
                    2 => Follow::Unless(flag_slot, bits),
                    _ => Follow::If(flag_slot, bits),
                };
                Op::Path { slot, at, follow }
            }
            5 => {
                let slot = self.slot()?;
                self.length()?;
                Op::Buf { slot }
            }
            6 => Op::Struct {
                slot: self.slot()?,
                conversion: self.conversion(table)?,
                direction: Direction(self.u8()?),
            },
            7 => Op::Array {
                slot: self.slot()?,
                conversion: self.conversion(table)?,
                direction: Direction(self.u8()?),
                count: self.length()?,
                filled: self.length()?,
            },
            8 => {
                let op = Op::Iovec {
                    slot: self.slot()?,
                    count: self.slot()?,
                };
                self.u8()?;
                op
            }
            9 => Op::SockaddrIn {
                slot: self.slot()?,
                size: self.slot()?,
            },
            10 => Op::SockaddrOut {
                slot: self.slot()?,
                size: self.slot()?,
            },
            11 => Op::Msghdr {
                slot: self.slot()?,
                direction: Direction(self.u8()?),
            },
            12 => Op::Mmsghdr {
                slot: self.slot()?,
                count: self.slot()?,
                direction: Direction(self.u8()?),
            },
            13 => Op::Raw { slot: self.slot()? },
            14 => Op::Bits {
                slot: self.slot()?,
                direction: Direction(self.u8()?),
                in_bits: self.u8()? != 0,
                size: self.length()?,
            },
            15 => Op::Swap32 { slot: self.slot()? },
            16 => Op::Id16 { slot: self.slot()? },
            17 => Op::Records {
                slot: self.slot()?,
                fd: self.slot()?,
                direction: Direction(self.u8()?),
                size: self.length()?,
            },
            _ => return Err("thunk operation of unknown kind".into()),
        })
    }
}
