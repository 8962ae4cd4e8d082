//! Calls that Rust makes itself, because they concern what qusr keeps: the
//! memory map, the thread pointer, the current directory's place in the sysroot.

use std::ffi::CString;

use super::thread::{GuestThread, Stop};
use crate::memory::MmapRequest;
use crate::thunk::exec::{Args, Scalars};
use crate::thunk::table::Builtin;

impl GuestThread {
    /// Makes the call; None when its result is in the registers.
    pub(super) fn builtin(&mut self, id: Builtin, scalars: &Scalars, _args: &Args) -> Option<Stop> {
        let value = |index: usize| scalars.values[index];
        let int = |index: usize| scalars.values[index] as i32;
        let space = self.process.space.clone();
        let unit = |result: Result<(), i32>| result.map(|()| 0u64);
        let result: Result<u64, i32> = match id {
            Builtin::Mmap => space.mmap(MmapRequest {
                addr: value(0),
                len: value(1),
                prot: int(2),
                flags: int(3),
                fd: int(4),
                offset: value(5),
            }),
            // mmap2 counts its offset in units of 4096 bytes whatever the page size.
            Builtin::Mmap2 => space.mmap(MmapRequest {
                addr: value(0),
                len: value(1),
                prot: int(2),
                flags: int(3),
                fd: int(4),
                offset: (value(5) & 0xffff_ffff) << 12,
            }),
            Builtin::Munmap => unit(space.munmap(value(0), value(1))),
            Builtin::Mprotect => unit(space.mprotect(value(0), value(1), int(2))),
            Builtin::Brk => Ok(space.brk(value(0))),
            Builtin::Chdir => self.chdir(value(0)),
            Builtin::Fchdir => {
                // SAFETY: fchdir touches no memory.
                let result = check(unsafe { libc::fchdir(int(0)) });
                self.directory_changed();
                result
            }
            Builtin::Exit => {
                return Some(Stop::Exited {
                    status: int(0),
                    whole: false,
                });
            }
            Builtin::ExitGroup => {
                return Some(Stop::Exited {
                    status: int(0),
                    whole: true,
                });
            }
            Builtin::SetTls => {
                let tls = self.process.regs.tls;
                self.core.set(tls, value(0));
                Ok(0)
            }
            Builtin::GetTls => Ok(self.core.get(self.process.regs.tls)),
            Builtin::Cacheflush => {
                if value(1) < value(0) || value(2) != 0 {
                    Err(libc::EINVAL)
                } else {
                    self.core.invalidate(value(0), value(1));
                    Ok(0)
                }
            }
            _ => return Some(Stop::Enosys { number: u64::MAX }),
        };
        self.finish_call(result.map_or_else(|errno| -i64::from(errno), |value| value as i64));
        None
    }

    fn chdir(&mut self, address: u64) -> Result<u64, i32> {
        let limit = libc::PATH_MAX as usize;
        let path = self
            .process
            .space
            .read_cstr(address, limit)
            .map_err(|_| libc::EFAULT)?;
        let path = path.ok_or(libc::ENAMETOOLONG)?;
        let host = self
            .sysroot()
            .and_then(|root| root.resolve(libc::AT_FDCWD, &path, true));
        let path = match host {
            Some(host) => host,
            None => CString::new(path).map_err(|_| libc::EINVAL)?,
        };
        // SAFETY: `path` is a C string.
        let result = check(unsafe { libc::chdir(path.as_ptr()) });
        self.directory_changed();
        result
    }
}

fn check(result: i32) -> Result<u64, i32> {
    if result < 0 {
        return Err(std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EINVAL));
    }
    Ok(result as u64)
}
