//! The thunk table: what `qusr/syscalls/compiler.py` wrote, read back.
//!
//! All numbers are little-endian. After the magic: word size, byte order, two counted lists, of flag maps and of
//! value maps, and the index of the value map that the errnos of results go through ([`NO_MAP`]: none); then
//! struct conversions and calls, each with an index of where they are ([`Lazy`]): a program uses a twentieth of
//! them, and to read all took a tenth of its start. A call is its name and a [`Node`]. The reader checks
//! every index; [`Table::check`] reads all of a table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::convert::Conversion;
use super::lazy::Lazy;
use super::reader::Reader;
use crate::abi::{self, GuestAbi, Numbers, SIGNALS};

const MAGIC: &[u8] = b"QTHUNK11";
/// A register slot that means "no such argument".
pub const NO_SLOT: u8 = 255;
/// The index of a map that is not there.
const NO_MAP: u16 = 0xffff;
/// How many slots a call can use (mips: four registers, and four words on the stack).
pub const MAX_SLOTS: usize = 8;
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
    /// A number that the guest has another one for than the host.
    Value {
        slot: u8,
        map: u16,
    },
    Const(i64),
    Path {
        slot: u8,
        at: u8,
        follow: Follow,
        /// `/` is the host's, sysroot or not.
        host_root: bool,
    },
    Buf {
        slot: u8,
        direction: Direction,
        size: Length,
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
        direction: Direction,
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
    /// A set of signals that the kernel reads, whose size or numbers are not the host's.
    Sigset {
        slot: u8,
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
    Signal,
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
    Getdents,
    Getdents64,
    Lseek,
    Llseek,
    SchedGetaffinity,
    SetTaggedAddr,
    GetTaggedAddr,
    PacResetKeys,
    PacSetKeys,
    PacGetKeys,
    Setpgid,
    Unshare,
    Setns,
    FlushIcache,
    Getcwd,
    Pipe,
    FlushRange,
    FlushAll,
    AtomicSwap,
    FixUnaligned,
    SwapContext,
    GetFpExc,
    SetFpExc,
    ArchPrctl,
    ModifyLdt,
    SetThreadArea,
    GetThreadArea,
    PageSize,
    AtomicCompare,
    FlushScope,
    SigsuspendFirst,
    VectorSetControl,
    VectorGetControl,
    SetFpMode,
    GetFpMode,
    SveSetLength,
    SveGetLength,
}

impl Builtin {
    pub(super) fn from_index(index: u8) -> Option<Self> {
        if index > Self::SveGetLength as u8 {
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
        /// The slot of a path: if there is no such file the call gives ENOENT and Python is not asked.
        file: Option<u8>,
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
    /// Another call in another form: where its arguments are, and its node.
    Forward {
        sources: Vec<Source>,
        node: Box<Node>,
    },
}

/// Where an argument of a call is that another one stands for.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    Slot {
        slot: u8,
        mask: u64,
    },
    /// The `index`th word where the slot points.
    Memory {
        slot: u8,
        index: u8,
    },
    Const(u64),
}

/// A named call.
#[derive(Debug)]
pub struct Call {
    pub name: String,
    pub node: Node,
    /// One of [`CONFINING`].
    pub confines: bool,
}

/// The calls behind which Python may not find its files any more, or may not read them, or would wait for
/// the guest's own leave to do so. In order.
const CONFINING: [&str; 30] = [
    "capset",
    "chroot",
    "fanotify_mark",
    "fsmount",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
    "setfsgid",
    "setfsgid32",
    "setfsuid",
    "setfsuid32",
    "setgid",
    "setgid32",
    "setgroups",
    "setgroups32",
    "setns",
    "setregid",
    "setregid32",
    "setresgid",
    "setresgid32",
    "setresuid",
    "setresuid32",
    "setreuid",
    "setreuid32",
    "setuid",
    "setuid32",
    "umount2",
    "unshare",
];

/// Bits that guest and host have in different places: a mask of the guest's and what is there, and the
/// same of the host's. Masks of several bits are of fields, or of flags made of others. Other bits are
/// the same for both.
pub type FlagMap = Vec<[u64; 4]>;

/// Numbers that guest and host have for the same, where they differ, sorted by the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueMap(Vec<(u32, u32)>);

impl ValueMap {
    /// Of pairs in any order.
    #[must_use]
    pub fn new(mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        Self(pairs)
    }

    /// What stands for a number; the same one where the map has none.
    #[must_use]
    pub fn get(&self, value: u32) -> u32 {
        match self.0.binary_search_by_key(&value, |(from, _)| *from) {
            Ok(at) => self.0[at].1,
            Err(_) => value,
        }
    }
}

/// All calls of one ABI.
#[derive(Debug)]
pub struct Table {
    pub abi: GuestAbi,
    bytes: Cow<'static, [u8]>,
    conversions: Lazy<Conversion>,
    pub flag_maps: Vec<FlagMap>,
    /// The guest's numbers to the host's.
    pub value_maps: Vec<ValueMap>,
    /// The host's errnos to the guest's; None where they agree.
    errnos: Option<ValueMap>,
    calls: Lazy<Call>,
    /// By number, 1 more than the place in `calls`; 0: there is none.
    dense: Box<[u16; DENSE]>,
    sparse: HashMap<u32, u16>,
}

/// Numbers below this are looked up in an array.
const DENSE: usize = 1024;

impl Table {
    /// Reads a table, but for its conversions and calls.
    ///
    /// # Errors
    /// A text that says what is wrong, for a table that is damaged or of another version.
    pub fn parse(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, String> {
        let bytes = bytes.into();
        let mut reader = Reader::new(&bytes, 0);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err("not a thunk table of this version".into());
        }
        let abi = GuestAbi {
            word_bits: reader.u8()? * 8,
            register_bits: reader.u8()? * 8,
            align: reader.u8()?,
            big_endian: reader.u8()? != 0,
            numbers: None,
        };
        let count = reader.u16()?;
        let mut flag_maps = Vec::new();
        for _ in 0..count {
            flag_maps.push(reader.flag_map()?);
        }
        let count = reader.u16()?;
        let mut value_maps = Vec::new();
        for _ in 0..count {
            value_maps.push(ValueMap::new(reader.pairs()?));
        }
        let errnos = match reader.u16()? {
            NO_MAP => None,
            index if usize::from(index) + 1 == value_maps.len() => value_maps.pop(),
            _ => return Err("thunk map of errnos out of range".into()),
        };
        let abi = GuestAbi {
            numbers: numbers(&mut reader, errnos.as_ref())?,
            ..abi
        };
        let (conversions, _) = Lazy::index(&mut reader)?;
        let (calls, numbers) = Lazy::index(&mut reader)?;
        let (mut dense, mut sparse) = (Box::new([0; DENSE]), HashMap::new());
        for (place, number) in numbers.enumerate() {
            let place = place as u16 + 1;
            match dense.get_mut(number as usize) {
                Some(entry) => *entry = place,
                None => {
                    sparse.insert(number, place);
                }
            }
        }
        Ok(Self {
            abi,
            conversions,
            flag_maps,
            value_maps,
            errnos,
            calls,
            dense,
            sparse,
            bytes,
        })
    }

    /// Reads the conversions and calls, too.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn check(&self) -> Result<(), String> {
        for place in 0..self.conversions.len() {
            self.conversions
                .read(&self.bytes, place, Conversion::parse)?;
        }
        for place in 0..self.calls.len() {
            self.calls
                .read(&self.bytes, place, |r| self.parse_call(r))?;
        }
        Ok(())
    }

    fn parse_call(&self, reader: &mut Reader<'_>) -> Result<Call, String> {
        let length = reader.u8()?;
        let name = String::from_utf8_lossy(reader.take(length.into())?).into_owned();
        Ok(Call {
            node: reader.node(self, 0)?,
            confines: CONFINING.binary_search(&name.as_str()).is_ok(),
            name,
        })
    }

    /// How many conversions there are.
    pub(super) fn conversions(&self) -> usize {
        self.conversions.len()
    }

    /// A conversion of a call's argument.
    pub(super) fn conversion(&self, index: u16) -> &Conversion {
        self.conversions
            .get(&self.bytes, index.into(), Conversion::parse)
    }

    /// A call's result (an error is -errno) as the guest knows it.
    #[must_use]
    pub fn result(&self, result: i64) -> i64 {
        match &self.errnos {
            Some(map) if (-4095..0).contains(&result) => -i64::from(map.get(-result as u32)),
            _ => result,
        }
    }

    /// The call with this number in the guest's table.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Call> {
        let number = u32::try_from(number).ok()?;
        let place = match self.dense.get(number as usize) {
            Some(place) => *place,
            None => *self.sparse.get(&number)?,
        };
        let place = place.checked_sub(1)?;
        let parse = |reader: &mut Reader<'_>| self.parse_call(reader);
        Some(self.calls.get(&self.bytes, place.into(), parse))
    }
}

/// What the ABI numbers otherwise in memory: signals (the guest's number and the host's), flags of actions, codes
/// of siginfo_t (the host's and the guest's), and whether that has them first.
fn numbers(
    reader: &mut Reader<'_>,
    errnos: Option<&ValueMap>,
) -> Result<Option<&'static Numbers>, String> {
    if reader.u8()? == 0 {
        return Ok(None);
    }
    let mut to_host = std::array::from_fn(|number| number as u8);
    let mut to_guest = to_host;
    for (guest, host) in reader.pairs()? {
        let (guest, host) = (guest as usize, host as usize);
        if guest >= SIGNALS || host >= SIGNALS {
            return Err("thunk map of signals out of range".into());
        }
        to_host[guest] = host as u8;
        to_guest[host] = guest as u8;
    }
    let action_flags = reader.flag_map()?;
    let codes = reader.pairs()?;
    let codes = codes.into_iter().map(|(h, g)| (h as i32, g as i32));
    Ok(Some(abi::kept(Numbers {
        to_host,
        to_guest,
        action_flags,
        codes: codes.collect(),
        code_first: reader.u8()? != 0,
        sol_socket: reader.u32()? as i32,
        infinity: reader.u64()?,
        errnos: errnos.cloned().unwrap_or_default(),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confining_calls_are_found_by_a_binary_search() {
        assert!(CONFINING.is_sorted());
    }
}
