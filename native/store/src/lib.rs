//! The store of load plans, thunk tables, starts and translations on disk.
//!
//! A store may be damaged, out of date, written by another version, or put there by someone else.
//! So an entry carries its kind, its full key and a checksum, the directory must be ours and nobody
//! else's to write, and whatever does not fit is a miss. Entries are written to a temporary file
//! and renamed, so that readers and other writers see whole ones only.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::OnceLock;

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
    // Not by the process's id: containers that share a store have the same ones.
    let unique = format!("/.{}.{:016x}", &name[1..], random()?);
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

fn random() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: the kernel writes at most eight bytes.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == bytes.len() as isize {
        Ok(u64::from_ne_bytes(bytes))
    } else {
        Err(Error::last_os_error())
    }
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

/// What tells this build of the library from every other one: the linker's build ID, a checksum of all
/// that was linked. Without one (`--build-id` is a default of most compilers, and build.rs asks for it), the file
/// and when it was changed.
#[must_use]
pub fn build() -> Vec<u8> {
    static BUILD: OnceLock<Vec<u8>> = OnceLock::new();
    BUILD
        .get_or_init(|| build_id().unwrap_or_else(own_file))
        .clone()
}

/// The build ID of the object that this code is in.
fn build_id() -> Option<Vec<u8>> {
    struct Search {
        own: u64,
        found: Option<Vec<u8>>,
    }
    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        search: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: dl_iterate_phdr gives a valid structure, and passes `search` on from below.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        // SAFETY: the program headers of a loaded object.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let range = |header: &libc::Elf64_Phdr| {
            let start = info.dlpi_addr + header.p_vaddr;
            start..start + header.p_memsz
        };
        let loaded = |header: &&libc::Elf64_Phdr| header.p_type == libc::PT_LOAD;
        if !headers
            .iter()
            .filter(loaded)
            .any(|header| range(header).contains(&search.own))
        {
            return 0;
        }
        let notes = headers
            .iter()
            .filter(|header| header.p_type == libc::PT_NOTE);
        search.found = notes
            .filter_map(|header| {
                let range = range(header);
                let size = (range.end - range.start) as usize;
                // SAFETY: notes are part of what is loaded.
                let notes = unsafe { std::slice::from_raw_parts(range.start as *const u8, size) };
                id_in_notes(notes)
            })
            .next();
        1
    }
    let mut search = Search {
        own: build_id as *const () as u64,
        found: None,
    };
    // SAFETY: `look` is called with a pointer to `search`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}

/// The build ID in the notes of an ELF file (elf(5), Nhdr).
fn id_in_notes(mut notes: &[u8]) -> Option<Vec<u8>> {
    const NT_GNU_BUILD_ID: usize = 3;
    let word = |notes: &[u8], at: usize| {
        Some(u32::from_ne_bytes(*notes.get(at..)?.first_chunk()?) as usize)
    };
    loop {
        let (name, size, kind) = (word(notes, 0)?, word(notes, 4)?, word(notes, 8)?);
        let start = 12 + name.next_multiple_of(4);
        let value = notes.get(start..start.checked_add(size)?)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..12 + name)? == b"GNU\0" {
            return Some(value.to_vec());
        }
        notes = notes.get(start + size.next_multiple_of(4)..)?;
    }
}

/// This library's file and what of it changes with it.
fn own_file() -> Vec<u8> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let own = own_file as *const libc::c_void;
    // SAFETY: the structure is filled when the call succeeds; its name is a string of the linker's.
    let path = unsafe {
        if libc::dladdr(own, info.as_mut_ptr()) == 0 {
            return Vec::new();
        }
        CStr::from_ptr(info.assume_init().dli_fname)
    };
    let identity = stat(path).map(|info| file_identity(&info));
    [
        path.to_bytes(),
        identity.as_ref().map_or(&[][..], |bytes| bytes),
    ]
    .concat()
}

/// A number that changes with every Python source in these folders, and with this library.
///
/// The times of reproducible builds are all the same, so the time of the inode's change counts, which
/// nobody can set. The device does not: it is another one in each container of an image.
///
/// # Errors
/// Those of reading the folders.
pub fn stamp_sources(folders: &[Vec<u8>]) -> std::io::Result<u64> {
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(OsStr::from_bytes(folder))? {
            let file = entry?.path();
            if file.extension() == Some(OsStr::new("py")) {
                let info = std::fs::metadata(&file)?;
                let times = [
                    info.mtime(),
                    info.mtime_nsec(),
                    info.ctime(),
                    info.ctime_nsec(),
                ];
                files.push((file, info.ino(), info.size(), times));
            }
        }
    }
    files.sort_unstable();
    let mut hasher = DefaultHasher::new();
    (build(), files).hash(&mut hasher);
    Ok(hasher.finish())
}

/// The same for a Python package with those in it.
///
/// # Errors
/// Those of reading the folders.
pub fn stamp_packages(package: &[u8]) -> std::io::Result<u64> {
    let mut folders = vec![package.to_vec()];
    let mut known = 0;
    while let Some(folder) = folders.get(known) {
        known += 1;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(OsStr::from_bytes(folder))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && entry.path().join("__init__.py").exists() {
                found.push(entry.path().into_os_string().into_encoded_bytes());
            }
        }
        folders.extend(found);
    }
    stamp_sources(&folders)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u32, name: &[u8], value: &[u8]) -> Vec<u8> {
        let numbers = [name.len() as u32, value.len() as u32, kind];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        for part in [name, value] {
            bytes.extend_from_slice(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn a_build_id_is_found_among_notes() {
        let other = note(5, b"GNU\0", b"properties");
        let id = note(3, b"GNU\0", b"\x12\x34\x56");
        let odd = note(3, b"Go\0", b"go's");
        let all = [&other[..], &odd, &id].concat();
        assert_eq!(id_in_notes(&all), Some(b"\x12\x34\x56".to_vec()));
        assert_eq!(id_in_notes(&[other, odd].concat()), None);
        for cut in 0..all.len() - 1 {
            assert_eq!(id_in_notes(&all[..cut]), None, "{cut}");
        }
        let mut long = note(3, b"GNU\0", b"");
        long[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(id_in_notes(&long), None);
    }

    #[test]
    fn sources_of_the_same_size_and_time_differ() {
        let folder = std::env::temp_dir().join(format!("qusr-stamp-{:x}", random().unwrap()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("a.py");
        let folders = [folder.as_os_str().as_bytes().to_vec()];
        let stamp = |text: &str| {
            // As a package manager does it: another file in the place of the old one.
            let _ = std::fs::remove_file(&file);
            std::fs::write(&file, text).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
            let opened = File::options().write(true).open(&file).unwrap();
            opened.set_modified(time).unwrap();
            stamp_sources(&folders).unwrap()
        };
        let one = stamp("one");
        assert_eq!(one, stamp_sources(&folders).unwrap());
        // Beyond a tick of the clock that files' times are from.
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert_ne!(one, stamp("two"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(stamp_sources(&folders).is_err());
    }
}
