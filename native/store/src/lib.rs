//! The store of load plans, thunk tables, starts and translations on disk.
//!
//! A store may be damaged, out of date, written by another version, or put there by someone else.
//! So an entry carries its kind, its full key and a checksum, the directory must be ours and nobody
//! else's to write, and whatever does not fit is a miss. Entries are written to a temporary file
//! and renamed, so that readers and other writers see whole ones only.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{DirBuilder, File};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

pub mod crc32;

use crc32::crc32;

const MAGIC: &[u8] = b"qusrcach";
/// Magic, CRC-32 of all that follows, lengths of kind (u16), key (u16) and value (u32).
const HEAD: usize = 20;
/// The largest value, in bytes; larger ones are not kept.
pub const MAX_VALUE: usize = 16 << 20;
const MAX_KEY: usize = 4096;
/// The largest value and key, with a head.
const MOST: usize = MAX_VALUE + 65536;
/// All entries together, in bytes and in number; beyond that the oldest go.
pub const MAX_TOTAL: u64 = 256 << 20;
pub const MAX_ENTRIES: usize = 4096;
/// Makes the names of temporary files differ within a process.
static PUTS: AtomicU32 = AtomicU32::new(0);
/// The start of the second checksum in a file's name.
const SECOND: u32 = 0x5bd1_e995;

/// The value that was put under `kind` and `key` into the store at `folder`, if it is there, whole,
/// and nobody else can have written it.
#[must_use]
pub fn get(folder: &[u8], kind: &str, key: &[u8]) -> Option<Vec<u8>> {
    let (mut file, size) = open(folder, kind, key)?;
    let mut data = vec![0; size];
    file.read_exact(&mut data).ok()?;
    let value = value_of(kind.as_bytes(), key, &data)?;
    let sum = u32::from_le_bytes(*data[8..].first_chunk()?);
    (crc32(&data[12..], 0) == sum).then(|| data.split_off(value))
}

/// A file of the store, mapped to be read.
pub struct Mapped {
    start: *mut libc::c_void,
    size: usize,
    /// Where the value begins.
    pub value: usize,
}

// SAFETY: the mapping is read-only and private, and goes only with this.
unsafe impl Send for Mapped {}

impl Mapped {
    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for as long as this lives. Files of the store are replaced, never changed.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.size) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: nobody holds a reference to it any more.
        unsafe { libc::munmap(self.start, self.size) };
    }
}

/// As [`get`], without reading all of it: the caller has to check what it uses.
#[must_use]
pub fn map(folder: &[u8], kind: &str, key: &[u8]) -> Option<Mapped> {
    let (file, size) = open(folder, kind, key)?;
    let (prot, flags) = (libc::PROT_READ, libc::MAP_PRIVATE);
    // SAFETY: a new mapping.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), size, prot, flags, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    let mut map = Mapped {
        start,
        size,
        value: 0,
    };
    map.value = value_of(kind.as_bytes(), key, map.bytes())?;
    Some(map)
}

/// Where the store is: `QUSR_CACHE_DIR`, else below `XDG_CACHE_HOME` or `~/.cache`, of which only an
/// absolute one counts (the XDG base directory specification). `find` gives a variable's value.
/// None: nowhere, for an empty `QUSR_CACHE_DIR` asks for none.
pub fn directory(find: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let absolute = |path: &Vec<u8>| path.starts_with(b"/");
    if let Some(chosen) = find("QUSR_CACHE_DIR") {
        // An empty path is the one that is refused.
        let path = std::path::absolute(OsStr::from_bytes(&chosen)).ok()?;
        return Some(path.into_os_string().into_encoded_bytes());
    }
    let home = || {
        let home = find("HOME").filter(absolute)?;
        Some([&home[..], b"/.cache"].concat())
    };
    let base = find("XDG_CACHE_HOME").filter(absolute).or_else(home)?;
    Some([&base[..], b"/qusr"].concat())
}

/// Puts a value into the store, whose directory is made if need be: whole, or not at all.
///
/// # Errors
/// Those of the file system, or what cannot be kept; the store is then as it was. A failure of the
/// store is none of the program.
pub fn put(folder: &[u8], kind: &str, key: &[u8], value: &[u8]) -> std::io::Result<()> {
    if value.len() > MAX_VALUE || key.len() > MAX_KEY {
        return Err(ErrorKind::InvalidInput.into());
    }
    let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
    let at = CString::new(folder)?;
    if stat(&at).is_none() && Error::last_os_error().kind() == ErrorKind::NotFound {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path(folder))?;
    }
    if !stat(&at).is_some_and(|info| is_directory(&info) && is_ours(&info)) {
        return Err(ErrorKind::PermissionDenied.into());
    }
    let name = name(kind, key);
    let place = path(&[folder, name.as_bytes()].concat());
    let count = PUTS.fetch_add(1, Ordering::Relaxed);
    let unique = format!("/.{}.{:x}.{count:x}", &name[1..], std::process::id());
    let temporary = path(&[folder, unique.as_bytes()].concat());
    let lengths = [
        &(kind.len() as u16).to_le_bytes()[..],
        &(key.len() as u16).to_le_bytes(),
        &(value.len() as u32).to_le_bytes(),
    ];
    let head = [&lengths.concat(), kind.as_bytes(), key].concat();
    let sum = crc32(value, crc32(&head, 0));
    // A write beyond the limit would end the process (SIGXFSZ), and the limit is the guest's.
    if (HEAD + head.len() + value.len()) as u64 > file_size_limit() {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&temporary)?;
    let written = file
        .write_all(&[MAGIC, &sum.to_le_bytes(), &head].concat())
        .and_then(|()| file.write_all(value))
        .and_then(|()| std::fs::rename(&temporary, place));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    } else if sum & 31 == 0 {
        // Bounds the size of the store: one put in 32 looks.
        trim(folder, MAX_TOTAL, MAX_ENTRIES);
    }
    written
}

/// Removes the oldest entries of a store that is larger than `total` bytes or has more than
/// `entries`, down to three quarters of either.
pub fn trim(folder: &[u8], total: u64, entries: usize) {
    let trusted = CString::new(folder).ok().and_then(|path| stat(&path));
    if !trusted.is_some_and(|info| is_directory(&info) && is_ours(&info)) {
        return;
    }
    let Ok(all) = std::fs::read_dir(OsStr::from_bytes(folder)) else {
        return;
    };
    // What cannot be looked at, another process removes at the same time.
    let mut found: Vec<_> = all
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let info = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some(((info.mtime(), info.mtime_nsec()), entry.path(), info.len()))
        })
        .collect();
    let mut size: u64 = found.iter().map(|(_, _, size)| size).sum();
    let mut count = found.len();
    if size <= total && count <= entries {
        return;
    }
    found.sort_unstable();
    for (_, file, its) in found {
        if size <= total / 4 * 3 && count <= entries / 4 * 3 {
            break;
        }
        // Gone already, or not ours to remove: either way nothing is lost.
        let _ = std::fs::remove_file(file);
        size -= its;
        count -= 1;
    }
}

/// RLIMIT_FSIZE.
fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills a valid rlimit; if it does not, nothing may be written.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
}

/// This library's file and when it was changed last.
#[must_use]
pub fn own_library() -> Option<(PathBuf, i64, i64, u64)> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let own = own_library as *const libc::c_void;
    // SAFETY: the structure is filled when the call succeeds; its name is a string of the linker's.
    let path = unsafe {
        if libc::dladdr(own, info.as_mut_ptr()) == 0 {
            return None;
        }
        CStr::from_ptr(info.assume_init().dli_fname)
    };
    let path = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
    let info = std::fs::metadata(&path).ok()?;
    Some((path, info.mtime(), info.mtime_nsec(), info.size()))
}

/// The file's name: two checksums of the key. A clash is a miss, for the key is compared.
fn name(kind: &str, key: &[u8]) -> String {
    format!("/{kind}-{:08x}{:08x}", crc32(key, 0), crc32(key, SECOND))
}

/// Opens an entry, if it is ours and nobody else's; and its size.
fn open(folder: &[u8], kind: &str, key: &[u8]) -> Option<(File, usize)> {
    let path = CString::new(folder).ok()?;
    let info = stat(&path)?;
    if !is_directory(&info) || !is_ours(&info) {
        return None;
    }
    let path = CString::new([folder, name(kind, key).as_bytes()].concat()).ok()?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return None;
    }
    // SAFETY: the descriptor was just opened and belongs to nobody else.
    let file = unsafe { File::from_raw_fd(fd) };
    let info = fstat(file.as_raw_fd())?;
    let size = usize::try_from(info.st_size).ok()?;
    if info.st_mode & libc::S_IFMT != libc::S_IFREG
        || !is_ours(&info)
        || !(HEAD..=MOST).contains(&size)
    {
        return None;
    }
    Some((file, size))
}

/// Where the value of an entry begins, if it is the one of this kind and key.
fn value_of(kind: &[u8], key: &[u8], data: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?));
    let value = HEAD + usize::from(half(12)?) + usize::from(half(14)?);
    let whole = data.starts_with(MAGIC)
        && usize::from(half(12)?) == kind.len()
        && data.len() == value + word(16)? as usize
        && data[HEAD..value] == [kind, key].concat();
    whole.then_some(value)
}

fn is_directory(info: &libc::stat) -> bool {
    info.st_mode & libc::S_IFMT == libc::S_IFDIR
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

/// What tells a file from every other one and from what it was before. The time of the last change
/// is in it because a program can set that of the last modification back, but not this one.
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
