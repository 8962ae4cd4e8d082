//! Directory listings of 32-bit and big-endian guests, and seeking in them.
//!
//! File systems number the positions in a directory with 64 bits (ext4: a hash of the
//! name), and inodes often too. A 32-bit C library refuses a whole listing when one does
//! not fit (EOVERFLOW). So a 32-bit guest sees positions of 1 GiB and more as *cookies*,
//! numbers from 1 GiB on that stand for them; lseek takes them back.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::share::{is_donor, lists_donors};
use super::thread::GuestThread;
use crate::abi::GuestAbi;
use crate::thunk::convert::put_int;
use crate::thunk::map_files;
use crate::thunk::procfs::status;

const FIRST_COOKIE: u64 = 0x4000_0000;
const LAST_COOKIE: u64 = 0x7fff_ffff;

/// Host buffers of getdents64.
const SMALLEST: usize = 512;
const LARGEST: usize = 1 << 16;

/// Numbers for directory positions that 32 bits cannot hold.
///
/// Old ones are forgotten by generations, so that a guest that lists millions of files
/// does not fill memory.
#[derive(Clone, Debug)]
pub struct Cookies {
    generation: usize,
    next: u64,
    by_offset: HashMap<u64, u64>,
    offsets: HashMap<u64, u64>,
    older: HashMap<u64, u64>,
}

impl Default for Cookies {
    fn default() -> Self {
        Self {
            generation: 1 << 17,
            next: FIRST_COOKIE,
            by_offset: HashMap::new(),
            offsets: HashMap::new(),
            older: HashMap::new(),
        }
    }
}

impl Cookies {
    /// What stands for `offset`: itself if it is small.
    fn cookie(&mut self, offset: u64) -> u64 {
        if offset < FIRST_COOKIE {
            return offset;
        }
        if let Some(known) = self.by_offset.get(&offset) {
            return *known;
        }
        if self.offsets.len() >= self.generation {
            self.older = std::mem::take(&mut self.offsets);
            self.by_offset.clear();
        }
        let cookie = self.next;
        self.next = if cookie == LAST_COOKIE {
            FIRST_COOKIE
        } else {
            cookie + 1
        };
        self.offsets.insert(cookie, offset);
        self.by_offset.insert(offset, cookie);
        cookie
    }

    /// The position behind a cookie; other numbers are positions themselves.
    fn offset(&self, cookie: u64) -> u64 {
        let known = self.offsets.get(&cookie);
        *known.or_else(|| self.older.get(&cookie)).unwrap_or(&cookie)
    }
}

/// A struct linux_dirent64 of the host (fs/readdir.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry<'a> {
    ino: u64,
    offset: u64,
    kind: u8,
    name: &'a [u8],
}

/// The first entry of a listing, and the rest.
fn entry(data: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    const NAME: usize = 19;
    let word = |at: usize| {
        let bytes = data.get(at..at + 8)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    };
    let (ino, offset) = (word(0)?, word(8)?);
    let length = u16::from_le_bytes(*data.get(16..)?.first_chunk()?);
    let (whole, rest) = data.split_at_checked(length.into())?;
    let name = whole.get(NAME..)?.split(|byte| *byte == 0).next()?;
    let kind = whole[NAME - 1];
    let found = Entry {
        ino,
        offset,
        kind,
        name,
    };
    Some((found, rest))
}

/// The form of the entries that a guest gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub abi: GuestAbi,
    /// The struct linux_dirent of getdents(2), in words and with the type at the end.
    pub old: bool,
}

impl Form {
    /// Appends an entry whose position the guest calls `offset`; false when there is no room.
    fn append(self, out: &mut Vec<u8>, entry: Entry<'_>, offset: u64, room: usize) -> bool {
        let word = if self.old { self.abi.word_bytes() } else { 8 };
        // The inode, the position, the length; the new form has the type here.
        let head = 2 * word + 2 + usize::from(!self.old);
        // The name, its NUL and, in the old form, the type.
        let length = head + entry.name.len() + 1 + usize::from(self.old);
        let length = length.next_multiple_of(word);
        if out.len() + length > room {
            return false;
        }
        let start = out.len();
        out.resize(start + length, 0);
        let bytes = &mut out[start..];
        let ino = if self.old && word == 4 {
            fold(entry.ino)
        } else {
            entry.ino
        };
        let big = self.abi.big_endian;
        put_int(&mut bytes[..word], big, ino);
        put_int(&mut bytes[word..2 * word], big, offset);
        put_int(&mut bytes[2 * word..2 * word + 2], big, length as u64);
        let kind = if self.old { length - 1 } else { head - 1 };
        bytes[kind] = entry.kind;
        bytes[head..head + entry.name.len()].copy_from_slice(entry.name);
        true
    }
}

/// An inode that does not fit: it is only shown, and 0 would mean that there is no file.
fn fold(ino: u64) -> u64 {
    let folded = if ino >> 32 == 0 {
        ino
    } else {
        (ino ^ ino >> 32) & 0xffff_ffff
    };
    folded.max(1)
}

/// The same listing of the host without the threads that the guest knows nothing of.
pub(crate) fn without_donors(listing: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), listing);
    while let Some((found, behind)) = entry(rest) {
        if !is_donor(found.name) {
            out.extend_from_slice(&rest[..rest.len() - behind.len()]);
        }
        rest = behind;
    }
    out
}

impl GuestThread {
    /// getdents(2) and getdents64(2): the size of what was stored, or -errno.
    pub(super) fn getdents(&mut self, form: Form, fd: i32, dirp: u64, room: u32) -> i64 {
        let room = room as usize;
        let mut listing = vec![0u8; room.clamp(SMALLEST, LARGEST)];
        // What is no directory has no position, as getdents64 will say.
        let first = self.seek_host(fd, 0, libc::SEEK_CUR).max(0);
        let args = [
            fd as u64,
            listing.as_mut_ptr() as u64,
            listing.len() as u64,
            0,
            0,
            0,
        ];
        let listed = self.process.marks.map_files.load(Ordering::Relaxed);
        let own = listed.then(|| map_files::listing(&self.process.space, fd, listing.len()));
        let size = match own.flatten() {
            Some(Ok(list)) => {
                listing[..list.len()].copy_from_slice(&list);
                list.len() as i64
            }
            Some(Err(errno)) => -i64::from(errno),
            None => self.host_call(libc::SYS_getdents64 as u16, &args),
        };
        if size < 0 {
            return size;
        }
        let small = form.abi.word_bytes() == 4;
        let hides = lists_donors(fd);
        let (mut out, mut rest) = (Vec::new(), &listing[..size as usize]);
        let mut after = first;
        while let Some((found, behind)) = entry(rest) {
            if hides && is_donor(found.name) {
                after = found.offset as i64;
                rest = behind;
                continue;
            }
            let offset = if small {
                self.process.cookies().cookie(found.offset)
            } else {
                found.offset
            };
            if !form.append(&mut out, found, offset, room) {
                // Entries are never larger than the host's: the guest's buffer is a tiny one.
                self.seek_host(fd, after, libc::SEEK_SET);
                if out.is_empty() {
                    return -i64::from(libc::EINVAL);
                }
                break;
            }
            after = found.offset as i64;
            rest = behind;
        }
        if out.is_empty() && size > 0 {
            return self.getdents(form, fd, dirp, room as u32);
        }
        if self.process.space.write(dirp, &out).is_err() {
            self.seek_host(fd, first, libc::SEEK_SET);
            return -i64::from(libc::EFAULT);
        }
        out.len() as i64
    }

    /// lseek(2) of a 32-bit guest, by a number that may be a cookie: what the guest is to see.
    pub(super) fn seek(&mut self, fd: i32, offset: u64, whence: i32) -> i64 {
        let directory = |file: libc::stat| file.st_mode & libc::S_IFMT == libc::S_IFDIR;
        let cookie = whence == libc::SEEK_SET
            && (FIRST_COOKIE..=LAST_COOKIE).contains(&offset)
            && status(fd).is_some_and(directory);
        if !cookie {
            return self.seek_host(fd, offset as i64, whence);
        }
        let behind = self.process.cookies().offset(offset);
        let result = self.seek_host(fd, behind as i64, whence);
        if result < 0 { result } else { offset as i64 }
    }

    /// lseek on the host; -errno.
    fn seek_host(&mut self, fd: i32, offset: i64, whence: i32) -> i64 {
        // SAFETY: lseek touches no memory.
        let result = unsafe { libc::lseek(fd, offset, whence) };
        if result < 0 {
            let error = std::io::Error::last_os_error();
            return -i64::from(error.raw_os_error().unwrap_or(libc::EINVAL));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_positions_are_themselves() {
        let mut cookies = Cookies::default();
        for offset in [0, 1, FIRST_COOKIE - 1] {
            assert_eq!(cookies.cookie(offset), offset);
            assert_eq!(cookies.offset(offset), offset);
        }
    }

    #[test]
    fn large_positions_come_back() {
        let mut cookies = Cookies::default();
        for offset in [FIRST_COOKIE, 1 << 31, 1 << 62, (1 << 63) - 1, u64::MAX] {
            let cookie = cookies.cookie(offset);
            assert!((FIRST_COOKIE..=LAST_COOKIE).contains(&cookie));
            assert_eq!(cookies.cookie(offset), cookie);
            assert_eq!(cookies.offset(cookie), offset);
        }
    }

    #[test]
    fn old_cookies_are_forgotten_late() {
        let mut cookies = Cookies {
            generation: 10,
            ..Cookies::default()
        };
        let offsets: Vec<u64> = (1 << 40..(1 << 40) + 15).collect();
        let known: Vec<u64> = offsets.iter().map(|at| cookies.cookie(*at)).collect();
        let back: Vec<u64> = known.iter().map(|cookie| cookies.offset(*cookie)).collect();
        assert_eq!(back, offsets);
        for offset in 1 << 50..(1 << 50) + 30 {
            cookies.cookie(offset);
        }
        assert!(cookies.offsets.len() + cookies.older.len() <= 20);
    }

    #[test]
    fn cookies_wrap_around() {
        let mut cookies = Cookies {
            next: LAST_COOKIE,
            ..Cookies::default()
        };
        assert_eq!(cookies.cookie(1 << 40), LAST_COOKIE);
        assert_eq!(cookies.cookie(1 << 41), FIRST_COOKIE);
        assert_eq!(cookies.offset(LAST_COOKIE), 1 << 40);
    }

    #[test]
    fn entries_have_the_guests_form() {
        let found = Entry {
            ino: 0x1234_5678,
            offset: 77,
            kind: libc::DT_REG,
            name: b"name",
        };
        let form = |word_bits, big_endian, old| Form {
            abi: GuestAbi::of(word_bits, big_endian),
            old,
        };
        let made = |form: Form, room| {
            let mut out = Vec::new();
            form.append(&mut out, found, 99, room).then_some(out)
        };
        // struct linux_dirent64: u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, d_name.
        let mut new = [&0x1234_5678u64.to_be_bytes()[..], &99u64.to_be_bytes()].concat();
        new.extend(24u16.to_be_bytes());
        new.extend(b"\x08name\0");
        new.resize(24, 0);
        assert_eq!(made(form(32, true, false), 24), Some(new.clone()));
        assert_eq!(made(form(64, true, false), 24), Some(new));
        assert_eq!(made(form(32, false, false), 23), None);
        // struct linux_dirent: unsigned long d_ino, d_off, u16 d_reclen, d_name, u8 at the end.
        let mut old = [&0x1234_5678u32.to_le_bytes()[..], &99u32.to_le_bytes()].concat();
        old.extend(16u16.to_le_bytes());
        old.extend(b"name\0\x08");
        assert_eq!(made(form(32, false, true), 16), Some(old));
        assert_eq!(made(form(32, false, true), 15), None);
        assert_eq!(fold(0x1_0000_0001), 1);
        assert_eq!(fold(0x5_0000_0001), 4);
    }

    #[test]
    fn a_host_listing_is_taken_apart() {
        let mut data = Vec::new();
        let form = Form {
            abi: GuestAbi::HOST,
            old: false,
        };
        let entries = [(5, &b"."[..]), (6, b"a longer name")].map(|(ino, name)| Entry {
            ino,
            offset: ino + 1,
            kind: libc::DT_DIR,
            name,
        });
        for made in entries {
            assert!(form.append(&mut data, made, made.offset, 4096));
        }
        let (first, rest) = entry(&data).unwrap();
        let (second, rest) = entry(rest).unwrap();
        assert_eq!([first, second], entries);
        assert_eq!(entry(rest), None);
        assert_eq!(entry(&data[..20]), None, "cut short");
    }
}
