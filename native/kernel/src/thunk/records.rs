//! What read(2) and write(2) move in the host's byte order, for big-endian guests: the
//! counters of eventfd and timerfd, the records of signalfd, inotify and fanotify.
//!
//! What kind a descriptor is of is asked of /proc at each call that could move such
//! data: a table of descriptors would have to follow dup, SCM_RIGHTS, fork and exec.

use std::ffi::CString;

use crate::abi::GuestAbi;

/// A kind of descriptor whose data has a byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    Eventfd,
    Timerfd,
    Signalfd,
    Inotify,
    Fanotify,
}

/// Sizes of the fields of struct signalfd_siginfo (linux/signalfd.h) up to its padding.
const SIGNALFD: [usize; 21] = [
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 2, 2, 4, 8, 4,
];
const SIGNALFD_SIZE: usize = 128;
/// Where `ssi_int` and `ssi_ptr` are in it.
const SSI_INT: usize = 44;
const SSI_PTR: usize = 48;
/// struct inotify_event without its name: wd, mask, cookie, len.
const INOTIFY_SIZE: usize = 16;
/// struct fanotify_event_metadata: event_len, vers, reserved, metadata_len, mask, fd, pid.
const FANOTIFY: [usize; 7] = [4, 1, 1, 2, 8, 4, 4];
const FANOTIFY_SIZE: usize = 24;
/// struct fanotify_event_info_header, then fsid and the head of struct file_handle.
const FANOTIFY_INFO: [usize; 7] = [1, 1, 2, 4, 4, 4, 4];

impl Records {
    fn of(fd: i32) -> Option<Self> {
        let path = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
        let mut link = [0u8; 32];
        // SAFETY: `path` is a C string and `link` has the size given.
        let size = unsafe { libc::readlink(path.as_ptr(), link.as_mut_ptr().cast(), link.len()) };
        let link = &link[..usize::try_from(size).ok()?];
        Some(match link.strip_prefix(b"anon_inode:")? {
            b"[eventfd]" => Self::Eventfd,
            b"[timerfd]" => Self::Timerfd,
            b"[signalfd]" => Self::Signalfd,
            b"inotify" => Self::Inotify,
            b"[fanotify]" => Self::Fanotify,
            _ => return None,
        })
    }

    /// The kind of `fd` if `size` bytes read from it can hold a record.
    pub fn read_from(fd: i32, size: usize, abi: GuestAbi) -> Option<Self> {
        // Little-endian guests have other numbers, in the longest of the records alone.
        let least = if abi.big_endian { 8 } else { SIGNALFD_SIZE };
        if size < least { None } else { Self::of(fd) }
    }

    /// The kind of `fd` if `size` bytes written to it can be a record.
    pub fn written_to(fd: i32, size: usize) -> Option<Self> {
        if size != 8 {
            return None;
        }
        Self::of(fd).filter(|kind| matches!(kind, Self::Eventfd | Self::Fanotify))
    }

    /// Brings what a guest writes into the host's order.
    pub fn swap_written(self, bytes: &mut [u8]) {
        match self {
            // struct fanotify_response: fd, response.
            Self::Fanotify => swap_fields(bytes, &[4, 4]),
            _ => swap_fields(bytes, &[8]),
        }
    }

    /// Brings what the kernel stored into the guest's order and numbers.
    pub fn swap_read(self, bytes: &mut [u8], abi: GuestAbi) {
        if self == Self::Signalfd && abi.numbers.is_some() {
            for record in bytes.chunks_exact_mut(SIGNALFD_SIZE) {
                let signal = i32::from_le_bytes([record[0], record[1], record[2], record[3]]);
                record[..4].copy_from_slice(&abi.signal_to_guest(signal).to_le_bytes());
            }
        }
        if !abi.big_endian {
            return;
        }
        match self {
            Self::Eventfd | Self::Timerfd => swap_fields(bytes, &[8]),
            Self::Signalfd => {
                for record in bytes.chunks_exact_mut(SIGNALFD_SIZE) {
                    swap_fields(record, &SIGNALFD);
                    if abi.word_bytes() == 8 {
                        // Of a union sigval the int is the upper half of the pointer, not the lower one.
                        record.copy_within(SSI_PTR..SSI_PTR + 4, SSI_INT);
                    }
                }
            }
            Self::Inotify => {
                let mut rest = bytes;
                while rest.len() >= INOTIFY_SIZE {
                    let size = INOTIFY_SIZE + u32_at(rest, 12);
                    let (record, next) = rest.split_at_mut(size.min(rest.len()));
                    swap_fields(record, &[4, 4, 4, 4]);
                    rest = next;
                }
            }
            Self::Fanotify => {
                let mut rest = bytes;
                while rest.len() >= FANOTIFY_SIZE {
                    let size = u32_at(rest, 0).clamp(FANOTIFY_SIZE, rest.len());
                    let (record, next) = rest.split_at_mut(size);
                    swap_fields(record, &FANOTIFY);
                    swap_fanotify_infos(&mut record[FANOTIFY_SIZE..]);
                    rest = next;
                }
            }
        }
    }
}

/// The information records behind a fanotify event; those of a file handle are swapped whole.
fn swap_fanotify_infos(mut rest: &mut [u8]) {
    while rest.len() >= 4 {
        let size = usize::from(u16::from_le_bytes([rest[2], rest[3]])).clamp(4, rest.len());
        let (record, next) = rest.split_at_mut(size);
        swap_fields(record, &FANOTIFY_INFO);
        rest = next;
    }
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}

/// Reverses fields of these sizes that follow each other, as far as the bytes reach.
fn swap_fields(bytes: &mut [u8], sizes: &[usize]) {
    let mut at = 0;
    for size in sizes {
        let Some(field) = bytes.get_mut(at..at + size) else {
            return;
        };
        field.reverse();
        at += size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIG: GuestAbi = GuestAbi::of(32, true);

    #[test]
    fn kinds_of_descriptors() {
        // SAFETY: these calls touch no memory.
        let (event, timer, plain) = unsafe {
            (
                libc::eventfd(0, 0),
                libc::timerfd_create(libc::CLOCK_MONOTONIC, 0),
                libc::inotify_init(),
            )
        };
        assert_eq!(Records::read_from(event, 8, BIG), Some(Records::Eventfd));
        assert_eq!(Records::written_to(event, 8), Some(Records::Eventfd));
        assert_eq!(Records::written_to(event, 9), None);
        assert_eq!(Records::written_to(timer, 8), None);
        assert_eq!(Records::read_from(timer, 8, BIG), Some(Records::Timerfd));
        assert_eq!(Records::read_from(plain, 32, BIG), Some(Records::Inotify));
        assert_eq!(Records::read_from(0, 4, BIG), None);
        for fd in [event, timer, plain] {
            // SAFETY: the descriptors were opened above.
            unsafe { libc::close(fd) };
        }
    }

    #[test]
    fn inotify_records_of_different_lengths() {
        let mut bytes = Vec::new();
        for (wd, name) in [(1u32, &b"ab\0\0"[..]), (2, b""), (3, b"longer\0\0")] {
            for field in [wd, 0x100, 7, name.len() as u32] {
                bytes.extend_from_slice(&field.to_le_bytes());
            }
            bytes.extend_from_slice(name);
        }
        Records::Inotify.swap_read(&mut bytes, BIG);
        assert_eq!(bytes[..8], [0, 0, 0, 1, 0, 0, 1, 0]);
        assert_eq!(&bytes[12..20], b"\0\0\0\x04ab\0\0");
        assert_eq!(bytes[20..24], [0, 0, 0, 2]);
        assert_eq!(&bytes[48..], b"\0\0\0\x08longer\0\0");
    }

    #[test]
    fn signalfd_fields_fill_the_struct() {
        // linux/signalfd.h: 28 bytes of padding end the 128.
        assert_eq!(SIGNALFD.iter().sum::<usize>(), SIGNALFD_SIZE - 28);
    }
}
