//! Struct conversions between the guest's layout and the host's.
//!
//! A conversion is a list of moves computed by `conversion_program` in
//! compiler.py. Integers are widened or narrowed and byte-swapped; pointers get
//! the guest base added (or taken off).

use super::exec::map_flags;
use super::reader::Reader;
use super::table::FlagMap;
use crate::abi::GuestAbi;
use crate::memory::AddressSpace;

/// A host address that no process can map (non-canonical): the kernel answers
/// EFAULT for it exactly when it would look at the pointer, so that the order of
/// its error checks is kept.
pub const BAD_POINTER: u64 = 0x8000_0000_0000_0000;

/// What a 16-bit guest sees of a larger user or group id (`fs_overflowuid`, kernel/sys.c).
const OVERFLOW_ID: u64 = 65534;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Copy,
    Int,
    Pointer,
    Bitmap,
    /// The number of a signal.
    Signal,
    Errno,
    /// si_code.
    Code,
    /// What wait4(2) stores.
    Wait,
    /// si_status of SIGCHLD.
    Child,
    /// Flags by a map of this number.
    Flags(usize),
    /// Pointer to a set of signals, and its size (pselect6).
    Sigset,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    kind: Kind,
    guest: usize,
    guest_size: usize,
    host: usize,
    host_size: usize,
    signed: bool,
    /// The value must fit the guest's field.
    checked: bool,
    /// A 16-bit user or group id of the guest.
    id16: bool,
    count: usize,
}

/// How one struct is converted.
#[derive(Debug)]
pub struct Conversion {
    pub guest_size: usize,
    pub host_size: usize,
    /// The layouts are the same: the guest's bytes can be handed to the kernel.
    pub identical: bool,
    moves: Vec<Move>,
    maps: Vec<FlagMap>,
}

/// Reads an integer of `bytes.len()` bytes (1, 2, 4 or 8) in the given byte order.
#[must_use]
pub fn get_int(bytes: &[u8], big_endian: bool, signed: bool) -> u64 {
    let mut value = 0u64;
    if big_endian {
        for byte in bytes {
            value = value << 8 | u64::from(*byte);
        }
    } else {
        for byte in bytes.iter().rev() {
            value = value << 8 | u64::from(*byte);
        }
    }
    let unused = 64 - 8 * bytes.len() as u32;
    if signed {
        ((value << unused) as i64 >> unused) as u64
    } else {
        value
    }
}

/// Writes the low bytes of `value`.
pub fn put_int(bytes: &mut [u8], big_endian: bool, value: u64) {
    let size = bytes.len();
    if big_endian {
        bytes.copy_from_slice(&value.to_be_bytes()[8 - size..]);
    } else {
        bytes.copy_from_slice(&value.to_le_bytes()[..size]);
    }
}

/// Copies a bit set kept in guest words to or from host words: the bytes of each
/// guest word are reversed for a big-endian guest.
pub fn swap_words(bytes: &mut [u8], abi: GuestAbi) {
    if abi.big_endian {
        for word in bytes.chunks_mut(abi.word_bytes()) {
            word.reverse();
        }
    }
}

/// A guest pointer for the kernel: null stays null, a wild one becomes [`BAD_POINTER`].
#[must_use]
pub fn host_pointer(space: &AddressSpace, address: u64) -> u64 {
    if address == 0 {
        return 0;
    }
    space
        .host_ptr(address, 1)
        .map_or(BAD_POINTER, |pointer| pointer as u64)
}

/// On the host: the pointer, the size, and the set itself.
const SIGSET_PACK: usize = 24;

/// The last argument of pselect6(2), whose set is put behind what the kernel looks at.
fn sigset_to_host(source: &[u8], target: &mut [u8], abi: GuestAbi, space: &AddressSpace) {
    let word = abi.word_bytes();
    let address = get_int(&source[..word], abi.big_endian, false);
    let size = get_int(&source[word..], abi.big_endian, false);
    let own = if abi.numbers.is_some() { 16 } else { 8 };
    let pointer = match read_set(space, address, abi) {
        _ if address == 0 => 0,
        None => BAD_POINTER,
        Some(set) => {
            put_int(&mut target[16..], false, set);
            target[16..].as_ptr() as u64
        }
    };
    put_int(&mut target[..8], false, pointer);
    // Another size is refused.
    put_int(&mut target[8..16], false, if size == own { 8 } else { 0 });
}

/// The set of signals at an address, by the host's numbers; None: it cannot be read.
#[must_use]
pub fn read_set(space: &AddressSpace, address: u64, abi: GuestAbi) -> Option<u64> {
    let mut bytes = [0; 8];
    space.read(address, &mut bytes).ok()?;
    swap_words(&mut bytes, abi);
    Some(abi.mask_to_host(u64::from_le_bytes(bytes)))
}

/// The guest's form of a status of wait4(2) (include/uapi/linux/wait.h): the signal that has ended a process, or stopped it.
#[must_use]
pub fn wait_status_to_guest(status: i32, abi: GuestAbi) -> i32 {
    const CONTINUED: i32 = 0xffff;
    const CORE: i32 = 0x80;
    if status == CONTINUED || status & 0x7f == 0 {
        status
    } else if status & 0xff == 0x7f {
        // A tracer may see SIGTRAP | 0x80, and events above.
        let signal = status >> 8 & 0x7f;
        status & !0x7f00 | abi.signal_to_guest(signal) << 8
    } else {
        status & !0x7f & !CORE | status & CORE | abi.signal_to_guest(status & 0x7f)
    }
}

impl Conversion {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, String> {
        let guest_total = reader.u32()? as usize;
        let host_total = reader.u32()? as usize;
        let flags = reader.u8()?;
        let count = reader.u16()?;
        let mut moves = Vec::with_capacity(count.into());
        let mut wanted = 0;
        for _ in 0..count {
            let kind = match reader.u8()? {
                0 => Kind::Copy,
                1 => Kind::Int,
                2 => Kind::Pointer,
                3 => Kind::Bitmap,
                4 => Kind::Signal,
                5 => Kind::Errno,
                6 => Kind::Code,
                7 => Kind::Wait,
                8 => Kind::Child,
                9 => {
                    wanted += 1;
                    Kind::Flags(wanted - 1)
                }
                10 => Kind::Sigset,
                _ => return Err("struct move of unknown kind".into()),
            };
            let (guest, guest_size) = (reader.u32()? as usize, reader.u32()? as usize);
            let (host, host_size) = (reader.u32()? as usize, reader.u32()? as usize);
            let flags = reader.u8()?;
            let item = Move {
                kind,
                guest,
                guest_size,
                host,
                host_size,
                signed: flags & 1 != 0,
                checked: flags & 2 != 0,
                id16: flags & 4 != 0,
                count: reader.u16()?.into(),
            };
            let fits = item.guest + item.guest_size * item.count <= guest_total
                && item.host + item.host_size * item.count <= host_total;
            let sizes_fit = match kind {
                Kind::Copy | Kind::Bitmap => item.guest_size == item.host_size,
                Kind::Sigset => item.host_size == SIGSET_PACK && item.count == 1,
                _ => item.guest_size <= 8 && item.host_size <= 8,
            };
            if !fits || !sizes_fit {
                return Err("struct move out of range".into());
            }
            moves.push(item);
        }
        let count = reader.u16()?;
        let maps = (0..count)
            .map(|_| reader.flag_map())
            .collect::<Result<Vec<_>, _>>()?;
        if maps.len() != wanted {
            return Err("struct moves without their maps".into());
        }
        Ok(Self {
            guest_size: guest_total,
            host_size: host_total,
            identical: flags & 1 != 0,
            moves,
            maps,
        })
    }

    /// Fills `host` from `guest`; what no move covers becomes zero.
    pub fn to_host(&self, guest: &[u8], host: &mut [u8], abi: GuestAbi, space: &AddressSpace) {
        host[..self.host_size].fill(0);
        for item in &self.moves {
            for index in 0..item.count {
                let from = item.guest + index * item.guest_size;
                let to = item.host + index * item.host_size;
                let source = &guest[from..from + item.guest_size];
                let target = &mut host[to..to + item.host_size];
                match item.kind {
                    Kind::Copy => target.copy_from_slice(source),
                    Kind::Int => {
                        let value = get_int(source, abi.big_endian, item.signed);
                        let minus_one = item.id16 && value == 0xffff;
                        put_int(target, false, if minus_one { u64::MAX } else { value });
                    }
                    Kind::Pointer => {
                        let address = get_int(source, abi.big_endian, false);
                        put_int(target, false, host_pointer(space, address));
                    }
                    Kind::Sigset => sigset_to_host(source, target, abi, space),
                    Kind::Signal
                    | Kind::Errno
                    | Kind::Code
                    | Kind::Wait
                    | Kind::Child
                    | Kind::Flags(_) => {
                        let value = get_int(source, abi.big_endian, item.signed);
                        put_int(target, false, self.number_to_host(item.kind, value, abi));
                    }
                    Kind::Bitmap => {
                        target.copy_from_slice(source);
                        swap_words(target, abi);
                    }
                }
            }
        }
    }

    /// Fills `guest` from `host`; what no move covers becomes zero.
    pub fn to_guest(&self, host: &[u8], guest: &mut [u8], abi: GuestAbi, space: &AddressSpace) {
        guest[..self.guest_size].fill(0);
        for item in &self.moves {
            for index in 0..item.count {
                let from = item.host + index * item.host_size;
                let to = item.guest + index * item.guest_size;
                let source = &host[from..from + item.host_size];
                let target = &mut guest[to..to + item.guest_size];
                match item.kind {
                    Kind::Copy => target.copy_from_slice(source),
                    Kind::Int => {
                        let value = get_int(source, false, item.signed);
                        let large = item.id16 && value > 0xffff;
                        put_int(
                            target,
                            abi.big_endian,
                            if large { OVERFLOW_ID } else { value },
                        );
                    }
                    Kind::Pointer => {
                        let address = get_int(source, false, false);
                        let base = space.base() as u64;
                        let address = if address == 0 {
                            0
                        } else {
                            address.wrapping_sub(base)
                        };
                        put_int(target, abi.big_endian, address);
                    }
                    Kind::Bitmap => {
                        target.copy_from_slice(source);
                        swap_words(target, abi);
                    }
                    // Is only ever read.
                    Kind::Sigset => {}
                    Kind::Signal
                    | Kind::Errno
                    | Kind::Code
                    | Kind::Wait
                    | Kind::Child
                    | Kind::Flags(_) => {
                        let value = get_int(source, false, item.signed);
                        let value = self.number_to_guest(item.kind, value, host, abi);
                        put_int(target, abi.big_endian, value);
                    }
                }
            }
        }
    }

    fn number_to_host(&self, kind: Kind, value: u64, abi: GuestAbi) -> u64 {
        match kind {
            Kind::Signal => abi.signal_to_host(value as i32) as u64,
            Kind::Code => abi.code_to_host(value as i32) as u64,
            Kind::Flags(map) => map_flags(&self.maps[map], value, false),
            // Kernels do not look at these.
            _ => value,
        }
    }

    /// `host` is the whole struct.
    fn number_to_guest(&self, kind: Kind, value: u64, host: &[u8], abi: GuestAbi) -> u64 {
        let number = value as i32;
        let found = match kind {
            Kind::Flags(map) => return map_flags(&self.maps[map], value, true),
            Kind::Signal => abi.signal_to_guest(number),
            Kind::Errno => abi.errno_to_guest(number),
            Kind::Code => abi.code_to_guest(number),
            Kind::Wait => wait_status_to_guest(number, abi),
            Kind::Child if get_int(&host[8..12], false, true) as i32 != libc::CLD_EXITED => {
                abi.signal_to_guest(number)
            }
            _ => number,
        };
        found as u64
    }

    /// True when an integer of `host` does not fit a checked field of the guest: EOVERFLOW
    /// (fs/stat.c, `cp_new_stat`). All ones, "unknown" in a statfs, always fits.
    #[must_use]
    pub fn overflows(&self, host: &[u8]) -> bool {
        self.moves
            .iter()
            .filter(|item| item.kind == Kind::Int && item.checked)
            .any(|item| {
                item.guest_size < item.host_size && {
                    let value = get_int(
                        &host[item.host..item.host + item.host_size],
                        false,
                        item.signed,
                    );
                    let unused = 64 - 8 * item.guest_size as u32;
                    let back = if item.signed {
                        ((value << unused) as i64 >> unused) as u64
                    } else {
                        value << unused >> unused
                    };
                    back != value && value != u64::MAX
                }
            })
    }
}
