//! The current directory: chdir(2) and getcwd(2), by the paths that the guest has.

use std::ffi::{CStr, CString};

use super::builtin::check;
use super::thread::GuestThread;
use crate::thunk::path::current_directory;
use crate::thunk::pin::{self, Last, Place};

impl GuestThread {
    /// getcwd(2): the size of the path with its NUL. Within the sysroot it is a path in there.
    pub(super) fn getcwd(&self, address: u64, size: u64) -> Result<u64, i32> {
        let mut path = current_directory()?;
        if let Some(inner) = self.sysroot().and_then(|root| root.guest_path(&path)) {
            path = inner.to_vec();
        }
        path.push(0);
        // fs/d_path.c looks at the size first.
        if path.len() as u64 > size {
            return Err(libc::ERANGE);
        }
        let written = self.process.space.write(address, &path);
        written
            .map(|()| path.len() as u64)
            .map_err(|_| libc::EFAULT)
    }

    /// chdir(2) to the path at a guest address.
    pub(super) fn chdir(&mut self, address: u64) -> Result<u64, i32> {
        let limit = libc::PATH_MAX as usize;
        let path = self
            .process
            .space
            .read_cstr(address, limit)
            .map_err(|_| libc::EFAULT)?;
        let path = path.ok_or(libc::ENAMETOOLONG)?;
        let place = self.sysroot().map_or(Ok(Place::AsItIs), |root| {
            pin::find(root, libc::AT_FDCWD, &path, Last::Followed, false)
        });
        // SAFETY: `path` is a C string.
        let go = |path: &CStr| check(unsafe { libc::chdir(path.as_ptr()) });
        let result = match place? {
            Place::AsItIs => go(&CString::new(path).map_err(|_| libc::EINVAL)?),
            Place::Plain(path) => go(&path),
            Place::Held(pinned) => pinned.go(go),
        };
        self.directory_changed();
        result
    }
}
