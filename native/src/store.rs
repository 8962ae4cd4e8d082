//! Reading the store of load plans, thunk tables and starts on disk.
//!
//! `qusr/loader/cache.py` writes it and says what its entries look like. A store may be damaged, out
//! of date, or somebody else's: whatever does not fit is a miss.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};

use crate::crc32::crc32;

const MAGIC: &[u8] = b"qusrcach";
/// Magic, CRC-32 of all that follows, lengths of kind (u16), key (u16) and value (u32).
const HEAD: usize = 20;
/// The largest value and key, with a head.
const MOST: usize = (16 << 20) + 65536;
/// The start of the second checksum in a file's name.
const SECOND: u32 = 0x5bd1_e995;

/// The value that was put under `kind` and `key` into the store at `folder`, if it is there, whole,
/// and nobody else can have written it.
#[must_use]
pub fn get(folder: &[u8], kind: &str, key: &[u8]) -> Option<Vec<u8>> {
    let path = CString::new(folder).ok()?;
    let info = stat(&path)?;
    if info.st_mode & libc::S_IFMT != libc::S_IFDIR || !is_ours(&info) {
        return None;
    }
    let name = format!("/{kind}-{:08x}{:08x}", crc32(key, 0), crc32(key, SECOND));
    let path = CString::new([folder, name.as_bytes()].concat()).ok()?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return None;
    }
    // SAFETY: the descriptor was just opened and belongs to nobody else.
    let mut file = unsafe { File::from_raw_fd(fd) };
    let info = fstat(file.as_raw_fd())?;
    let size = usize::try_from(info.st_size).ok()?;
    if info.st_mode & libc::S_IFMT != libc::S_IFREG
        || !is_ours(&info)
        || !(HEAD..=MOST).contains(&size)
    {
        return None;
    }
    let mut data = vec![0; size];
    file.read_exact(&mut data).ok()?;
    unwrap(kind.as_bytes(), key, data)
}

fn unwrap(kind: &[u8], key: &[u8], mut data: Vec<u8>) -> Option<Vec<u8>> {
    let word = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?));
    let value = HEAD + usize::from(half(12)?) + usize::from(half(14)?);
    let whole = data.starts_with(MAGIC)
        && usize::from(half(12)?) == kind.len()
        && data.len() == value + word(16)? as usize
        && data[HEAD..value] == [kind, key].concat()
        && crc32(&data[12..], 0) == word(8)?;
    whole.then(|| data.split_off(value))
}

/// Belongs to this user, and nobody else may write to it.
fn is_ours(info: &libc::stat) -> bool {
    // SAFETY: geteuid cannot fail.
    let euid = unsafe { libc::geteuid() };
    info.st_uid == euid && info.st_mode & (libc::S_IWGRP | libc::S_IWOTH) == 0
}

/// stat(2); None: it failed.
#[must_use]
pub fn stat(path: &CStr) -> Option<libc::stat> {
    let mut info = std::mem::MaybeUninit::uninit();
    // SAFETY: the kernel fills the structure when the call succeeds.
    unsafe { (libc::stat(path.as_ptr(), info.as_mut_ptr()) == 0).then(|| info.assume_init()) }
}

/// fstat(2); None: it failed.
#[must_use]
pub fn fstat(fd: i32) -> Option<libc::stat> {
    let mut info = std::mem::MaybeUninit::uninit();
    // SAFETY: as in `stat`.
    unsafe { (libc::fstat(fd, info.as_mut_ptr()) == 0).then(|| info.assume_init()) }
}

/// What tells a file from every other one and from what it was before: `file_identity` of cache.py.
#[must_use]
pub fn file_identity(info: &libc::stat) -> [u8; 40] {
    let nanoseconds = |seconds: i64, rest: i64| (seconds * 1_000_000_000 + rest) as u64;
    let words = [
        info.st_dev,
        info.st_ino,
        info.st_size as u64,
        nanoseconds(info.st_mtime, info.st_mtime_nsec),
        nanoseconds(info.st_ctime, info.st_ctime_nsec),
    ];
    let mut bytes = [0; 40];
    for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}
