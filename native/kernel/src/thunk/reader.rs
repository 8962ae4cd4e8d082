//! Reading the bytes of a thunk table; every read is checked.

use std::collections::HashMap;

use super::table::{
    Builtin, Direction, FlagMap, Follow, HostArg, Length, MAX_OPS, MAX_SLOTS, NO_SLOT, Node, Op,
    Ret, Source, Table,
};

/// Reads the table's bytes; every read is checked.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from byte `at` on.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where it is.
    pub fn at(&self) -> u32 {
        self.at as u32
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let part = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.get(..count))
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

    /// Counted pairs of numbers.
    pub fn pairs(&mut self) -> Result<Vec<(u32, u32)>, String> {
        let count = self.u16()?;
        (0..count).map(|_| Ok((self.u32()?, self.u32()?))).collect()
    }

    pub fn flag_map(&mut self) -> Result<FlagMap, String> {
        let count = self.u16()?;
        (0..count)
            .map(|_| Ok([self.u64()?, self.u64()?, self.u64()?, self.u64()?]))
            .collect()
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

    pub(super) fn node(&mut self, table: &Table, depth: u32) -> Result<Node, String> {
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
                    7 => Ret::Signal,
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
                let file = match self.u8()? {
                    NO_SLOT => None,
                    slot if usize::from(slot) < MAX_SLOTS => Some(slot),
                    _ => return Err("thunk slot out of range".into()),
                };
                Node::Python {
                    handler,
                    file,
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
            6 => {
                let count = self.u8()?;
                if usize::from(count) > MAX_SLOTS {
                    return Err("thunk with too many arguments".into());
                }
                let sources: Result<Vec<_>, String> = (0..count).map(|_| self.source()).collect();
                Node::Forward {
                    sources: sources?,
                    node: Box::new(self.node(table, depth + 1)?),
                }
            }
            _ => return Err("thunk node of unknown kind".into()),
        })
    }

    fn source(&mut self) -> Result<Source, String> {
        let (kind, slot, index, value) = (self.u8()?, self.u8()?, self.u8()?, self.u64()?);
        if usize::from(slot) >= MAX_SLOTS {
            return Err("thunk slot out of range".into());
        }
        Ok(match kind {
            0 => Source::Slot { slot, mask: value },
            1 => Source::Memory { slot, index },
            2 => Source::Const(value),
            _ => return Err("thunk source of unknown kind".into()),
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
        if usize::from(index) < table.conversions() {
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
                let (mode, host_root) = (mode & 0x7f, mode & 0x80 != 0);
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
                Op::Path {
                    slot,
                    at,
                    follow,
                    host_root,
                }
            }
            5 => {
                let slot = self.slot()?;
                Op::Buf {
                    slot,
                    direction: Direction(self.u8()?),
                    size: self.length()?,
                }
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
            8 => Op::Iovec {
                slot: self.slot()?,
                count: self.slot()?,
                direction: Direction(self.u8()?),
            },
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
            18 => {
                let slot = self.slot()?;
                let map = self.u16()?;
                if usize::from(map) >= table.value_maps.len() {
                    return Err("thunk value map out of range".into());
                }
                Op::Value { slot, map }
            }
            19 => Op::Sigset { slot: self.slot()? },
            _ => return Err("thunk operation of unknown kind".into()),
        })
    }
}
