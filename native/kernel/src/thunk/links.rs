//! What readlink(2) gave: links of /proc that tell of the emulator instead of the guest.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use super::exec::{Call, Outcome, Review};
use super::procfs::{self, link_target, on_procfs};
use super::table::Op;

impl Call<'_> {
    /// A readlink that gave `result` bytes.
    pub(super) fn link(&self, result: usize, host_args: &[u64; 6], ops: &[Op]) -> Outcome {
        if self.is_exe_link(result, ops) {
            return self.exe_link(result, host_args, ops);
        }
        match self.link_into_sysroot(result, host_args, ops) {
            Some(link) => self.replace_link(&link, result, ops),
            None => Outcome::Done(result as i64),
        }
    }

    /// Where a link of /proc (a descriptor, the current directory, a mapped file) leads to a file of the sysroot, the
    /// path that the guest has for it. None: the link is right as it is.
    fn link_into_sysroot(
        &self,
        result: usize,
        host_args: &[u64; 6],
        ops: &[Op],
    ) -> Option<Vec<u8>> {
        let sysroot = self.env.sysroot?;
        let [.., Op::Buf { slot: buffer, .. }, Op::Int { .. }] = ops else {
            return None;
        };
        let mut link = vec![0; result];
        self.env.space.read(self.slot(*buffer), &mut link).ok()?;
        let prefix = sysroot.prefix();
        if !link.starts_with(&prefix[..prefix.len().min(result)]) {
            return None;
        }
        // A link on another file system has this text itself.
        let (at, path) = self.link_path(host_args, ops)?;
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let fd = if path.is_empty() {
            at
        } else {
            // SAFETY: `path` is a C string.
            unsafe { libc::openat(at, path.as_ptr(), flags) }
        };
        // SAFETY: a new descriptor that nobody else owns, unless it is the guest's.
        let own = (!path.is_empty() && fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) });
        if fd < 0 || !on_procfs(fd) {
            return None;
        }
        let whole = link_target(own.as_ref().map_or(at, AsRawFd::as_raw_fd))?;
        sysroot.guest_path(&whole).map(<[u8]>::to_vec)
    }

    /// What a readlink was asked for.
    fn link_path(&self, host_args: &[u64; 6], ops: &[Op]) -> Option<(i32, CString)> {
        let path = ops.iter().position(|op| matches!(op, Op::Path { .. }))?;
        let at = path
            .checked_sub(1)
            .map_or(libc::AT_FDCWD, |at| host_args[at] as i32);
        Some((at, self.read_back(host_args[path])?))
    }

    /// Stores another link than the kernel did.
    fn replace_link(&self, link: &[u8], result: usize, ops: &[Op]) -> Outcome {
        let [.., Op::Buf { slot: buffer, .. }, Op::Int { slot: size, .. }] = ops else {
            return Outcome::Done(result as i64);
        };
        let mut link = link.to_vec();
        link.truncate(self.slot(*size) as u32 as usize & 0x7fff_ffff);
        let length = link.len();
        // What the kernel wrote behind it is taken away: many a program gives a buffer of zeros
        // and relies on those behind the result, which readlink does not terminate.
        link.resize(length.max(result), 0);
        let written = self.write(self.slot(*buffer), &link);
        Outcome::Done(written.map_or_else(|errno| -i64::from(errno), |()| length as i64))
    }

    /// Whether readlink gave the path of the emulator's executable (or as much of it
    /// as the buffer held).
    fn is_exe_link(&self, size: usize, ops: &[Op]) -> bool {
        let exe = &self.env.own_exe.path;
        // The buffer is the argument before the last, in readlink and in readlinkat.
        let Some(Op::Buf { slot, .. }) = ops.len().checked_sub(2).map(|index| ops[index]) else {
            return false;
        };
        let mut link = vec![0; size];
        size > 0
            && size <= exe.len()
            && self.env.space.read(self.slot(slot), &mut link).is_ok()
            && exe.starts_with(&link)
    }

    /// A readlink that gave the emulator's executable: where it was of our own /proc/PID/exe, the guest's.
    fn exe_link(&self, result: usize, host_args: &[u64; 6], ops: &[Op]) -> Outcome {
        let Some((at, path)) = self.link_path(host_args, ops) else {
            return Outcome::Done(result as i64);
        };
        let env = self.env;
        if !procfs::leads_to_own_exe(at, &path, 1) {
            // It may be that of a tracee.
            return if env.marks.traces.load(Ordering::Relaxed) {
                Outcome::Review(Review::ExeLink, result as i64)
            } else {
                Outcome::Done(result as i64)
            };
        }
        let link = procfs::exe_name(env.space, &env.facts(), env.sysroot);
        self.replace_link(&link, result, ops)
    }
}
