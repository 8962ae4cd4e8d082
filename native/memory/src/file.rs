//! The files behind mappings.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, Metadata, OpenOptions};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use super::host_maps::HostMaps;
use super::region::FileId;
use super::types::Errno;
use super::window::errno;

/// What we need to know of a descriptor that is being mapped.
pub(super) struct MappedFile {
    pub id: FileId,
    /// The file system is mounted `noexec`.
    pub noexec: bool,
    /// The page size of a file on hugetlbfs (a memfd with MFD_HUGETLB is one).
    pub huge: Option<u64>,
    /// In bytes.
    pub size: u64,
}

impl MappedFile {
    pub fn of(fd: RawFd) -> Result<Self, Errno> {
        let mut stat = MaybeUninit::<libc::stat>::zeroed();
        let mut fs = MaybeUninit::<libc::statvfs>::zeroed();
        // SAFETY: the kernel fills `stat`; a bad descriptor is an error.
        if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
            return Err(errno());
        }
        // SAFETY: filled by the call above.
        let stat = unsafe { stat.assume_init() };
        // SAFETY: the kernel fills `fs`; zeros (no flags) stay if it cannot.
        let fs = unsafe {
            libc::fstatvfs(fd, fs.as_mut_ptr());
            fs.assume_init()
        };
        let path = fd_path(fd).unwrap_or_default();
        Ok(Self {
            id: FileId {
                path,
                dev: stat.st_dev,
                inode: stat.st_ino,
            },
            noexec: fs.f_flag & libc::ST_NOEXEC != 0,
            huge: huge_pages_of(fd, fs.f_bsize),
            size: stat.st_size as u64,
        })
    }
}

/// The page size of a file on hugetlbfs, which is the file system's block size.
fn huge_pages_of(fd: RawFd, block: u64) -> Option<u64> {
    if block < 64 << 10 || !block.is_power_of_two() {
        return None;
    }
    let mut fs = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel fills `fs`.
    let result = unsafe { libc::fstatfs(fd, fs.as_mut_ptr()) };
    // SAFETY: filled by the call above, and zero is valid.
    (result == 0 && unsafe { fs.assume_init() }.f_type == libc::HUGETLBFS_MAGIC).then_some(block)
}

/// Opens a mapped file again: by its path, or by the mapping at a host address, which takes
/// privileges (`/proc/self/map_files`, man 5 proc).
pub(super) fn reopen(file: &FileId, mapped_at: u64, write: bool) -> Option<File> {
    let same = |opened: &File| {
        let found = opened.metadata();
        found.is_ok_and(|found| (found.dev(), found.ino()) == (file.dev, file.inode))
    };
    let by_path = open(OsStr::from_bytes(&file.path), write).filter(same);
    by_path.or_else(|| reopen_mapping(mapped_at, write).filter(same))
}

/// Opens what is mapped at a host address.
pub(super) fn reopen_mapping(mapped_at: u64, write: bool) -> Option<File> {
    let maps = HostMaps::read().ok()?;
    let vma = maps.meeting(mapped_at, mapped_at + 1).next()?;
    let link = format!("/proc/self/map_files/{:x}-{:x}", vma.start, vma.end);
    open(OsStr::new(&link), write)
}

fn open(path: &OsStr, write: bool) -> Option<File> {
    // To open a device may do something; a file's mapping is all we need this for.
    fs::metadata(path).ok().filter(Metadata::is_file)?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(write)
        .custom_flags(libc::O_NONBLOCK);
    options.open(path).ok()
}

/// The path that the kernel shows for a descriptor.
fn fd_path(fd: RawFd) -> Option<Vec<u8>> {
    let link = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
    let mut path = vec![0_u8; libc::PATH_MAX as usize];
    // SAFETY: the buffer is as long as we say.
    let len = unsafe { libc::readlink(link.as_ptr(), path.as_mut_ptr().cast(), path.len()) };
    path.truncate(usize::try_from(len).ok()?);
    Some(path)
}
