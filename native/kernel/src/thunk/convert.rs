//! Struct conversions between the guest's layout and the host's.
//!
//! A conversion is a list of moves computed by `conversion_program` in
//! compiler.py. Integers are widened or narrowed and byte-swapped; pointers get
//! the guest base added (or taken off).

use super::reader::Reader;
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

impl Conversion {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, String> {
        let guest_total = reader.u32()? as usize;
        let host_total = reader.u32()? as usize;
        let flags = reader.u8()?;
        let count = reader.u16()?;
        let mut moves = Vec::with_capacity(count.into());
        for _ in 0..count {
            let kind = match reader.u8()? {
                0 => Kind::Copy,
                1 => Kind::Int,
                2 => Kind::Pointer,
                3 => Kind::Bitmap,
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
            let scalar = item.guest_size <= 8 && item.host_size <= 8;
            if !fits || matches!(kind, Kind::Int | Kind::Pointer) && !scalar {
                return Err("struct move out of range".into());
            }
            moves.push(item);
        }
        Ok(Self {
            guest_size: guest_total,
            host_size: host_total,
            identical: flags & 1 != 0,
            moves,
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
                }
            }
        }
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
