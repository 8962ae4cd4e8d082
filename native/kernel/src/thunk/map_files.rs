//! `/proc/PID/map_files`, whose links are named by addresses: the guest's, not the host's.
//!
//! The host's links do all else, so rights, times and what they lead to are the kernel's. A call by a
//! guest's name finds nothing on the host and is made again with the host's name; a listing is made here.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::Ordering;

use super::exec::Call;
use super::host::safe_syscall;
use super::path::fd_path;
use super::procfs::{on_procfs, own_file, status};
use super::table::{HostArg, Op};
use crate::memory::AddressSpace;

/// What a directory's entries begin with in the kernel's own struct linux_dirent64: inode, position, length, type.
const HEAD: usize = 8 + 8 + 2 + 1;

/// The range that a link is named by (`dname_to_vma_addr` of fs/proc/base.c).
fn range(name: &[u8]) -> Option<(u64, u64)> {
    let (start, end) = str::from_utf8(name).ok()?.split_once('-')?;
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let zeros = digits.len() > 1 && digits.starts_with('0');
        (plain && !zeros).then(|| u64::from_str_radix(digits, 16).ok())?
    };
    Some((number(start)?, number(end)?))
}

/// Whether a folder is the /proc/PID/map_files of this process.
fn is_own(folder: i32) -> bool {
    on_procfs(folder) && fd_path(folder).is_some_and(|name| own_file(&name) == Some(b"map_files"))
}

/// A path to a link in this process's `map_files` with the host's name in place of the guest's; None for all others.
#[must_use]
pub fn by_host_name(space: &AddressSpace, at: i32, path: &[u8]) -> Option<CString> {
    let cut = path.iter().rposition(|&byte| byte == b'/');
    let (folder, name) = path.split_at(cut.map_or(0, |slash| slash + 1));
    let (start, end) = range(name)?;
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let parent = CString::new(if folder.is_empty() { b"." } else { folder }).ok()?;
    // SAFETY: `parent` is a C string.
    let fd = unsafe { libc::openat(at, parent.as_ptr(), flags) };
    if fd < 0 {
        return None;
    }
    // SAFETY: a new descriptor that nobody else owns.
    let parent = unsafe { OwnedFd::from_raw_fd(fd) };
    if !is_own(parent.as_raw_fd()) {
        return None;
    }
    let (start, end) = space.host_of_file_range(start, end)?;
    let name = format!("{start:x}-{end:x}");
    CString::new([folder, name.as_bytes()].concat()).ok()
}

/// getdents64(2) of an open `map_files` of this process: at most `room` bytes in the host's form. None: it is none.
/// The position in it is that of the descriptor, counted as proc_map_files_readdir does.
#[must_use]
pub fn listing(space: &AddressSpace, fd: i32, room: usize) -> Option<Result<Vec<u8>, i32>> {
    if !is_own(fd) {
        return None;
    }
    // SAFETY: lseek touches no memory.
    let position = unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
    let first = usize::try_from(position).ok()?;
    let ranges = space.file_ranges();
    let links = ranges.iter().map(|range| {
        let (host_start, host_end) = range.host;
        let name = format!("{:x}-{:x}", range.start, range.end);
        (name, format!("{host_start:x}-{host_end:x}"), libc::DT_LNK)
    });
    let dots = [".", ".."].map(|name| (name.to_owned(), name.to_owned(), libc::DT_DIR));
    let mut out = Vec::new();
    let mut next = first;
    for (index, (name, host, kind)) in dots.into_iter().chain(links).enumerate().skip(first) {
        let length = (HEAD + name.len() + 1).next_multiple_of(8);
        if out.len() + length > room {
            if out.is_empty() {
                return Some(Err(libc::EINVAL));
            }
            break;
        }
        let begin = out.len();
        out.extend_from_slice(&inode(fd, &host).to_le_bytes());
        out.extend_from_slice(&(index as u64 + 1).to_le_bytes());
        out.extend_from_slice(&(length as u16).to_le_bytes());
        out.push(kind);
        out.extend_from_slice(name.as_bytes());
        out.resize(begin + length, 0);
        next = index + 1;
    }
    // SAFETY: as above.
    unsafe { libc::lseek(fd, next as i64, libc::SEEK_SET) };
    Some(Ok(out))
}

/// The inode of a link as lstat tells it; 1 for one that is gone.
fn inode(folder: i32, name: &str) -> u64 {
    let Ok(name) = CString::new(std::ffi::OsStr::new(name).as_bytes()) else {
        return 1;
    };
    // SAFETY: stat is plain data for which zero is valid.
    let mut buffer: libc::stat = unsafe { std::mem::zeroed() };
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: a C string and a valid stat.
    let result = unsafe { libc::fstatat(folder, name.as_ptr(), &raw mut buffer, flags) };
    if result == 0 { buffer.st_ino } else { 1 }
}

impl Call<'_> {
    /// Makes a call again that found no such file, if one of its paths is a link in our `map_files`. None: none is.
    pub(super) fn by_map_file(
        &mut self,
        host: u16,
        host_args: &mut [u64; 6],
        ops: &[Op],
        order: &[HostArg],
    ) -> Option<i64> {
        let mut found = false;
        for (slot, arg) in order.iter().enumerate() {
            let HostArg::Op(index) = *arg else { continue };
            let Some(Op::Path { at, .. }) = ops.get(usize::from(index)) else {
                continue;
            };
            let at = self.directory(*at);
            let Some(path) = self.read_back(host_args[slot]) else {
                continue;
            };
            if let Some(path) = by_host_name(self.env.space, at, path.as_bytes()) {
                host_args[slot] = self.keep(&path);
                found = true;
            }
        }
        if !found {
            return None;
        }
        // SAFETY: as in `make`.
        Some(unsafe { safe_syscall(self.env.pending, host, host_args) })
    }

    /// The listing that is the result of a getdents64 of our `map_files`.
    pub(super) fn list_map_files(&self, host_args: &[u64; 6]) -> Option<i64> {
        if !self.env.marks.map_files.load(Ordering::Relaxed) {
            return None;
        }
        let fd = host_args[0] as i32;
        let position = status(fd).map(|_| {
            // SAFETY: lseek touches no memory.
            unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) }
        })?;
        let address = self.env.space.guest_addr(host_args[1] as usize);
        let list = match listing(self.env.space, fd, host_args[2] as u32 as usize)? {
            Ok(list) => list,
            Err(errno) => return Some(-i64::from(errno)),
        };
        if address.is_none_or(|address| self.env.space.write(address, &list).is_err()) {
            // SAFETY: lseek touches no memory.
            unsafe { libc::lseek(fd, position, libc::SEEK_SET) };
            return Some(-i64::from(libc::EFAULT));
        }
        Some(list.len() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_two_hexadecimal_numbers() {
        assert_eq!(range(b"1000-2000"), Some((0x1000, 0x2000)));
        assert_eq!(range(b"aB-Cd"), Some((0xab, 0xcd)));
        assert_eq!(range(b"0-1000"), Some((0, 0x1000)));
        for none in [
            &b"01000-2000"[..],
            b"1000-02000",
            b"1000",
            b"-1000",
            b"1000-",
            b"+1-2",
            b"1-2-3",
            b"1-2 ",
            b"10000000000000000-1",
        ] {
            assert_eq!(range(none), None, "{}", none.escape_ascii());
        }
    }
}
