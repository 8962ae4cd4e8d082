//! Where commands of breakpoints print: the program's standard output, as gdbserver's is the one of what it runs.

use std::ptr;

/// Writes to descriptor 1, as far as that goes. SIGPIPE is not for the guest, which has not written.
pub(super) fn write(text: &[u8]) {
    // SAFETY: sets are plain data, and all pointers are to locals.
    unsafe {
        let mut pipe: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut pipe);
        libc::sigaddset(&raw mut pipe, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut old);
        let mut rest = text;
        while !rest.is_empty() {
            let written = libc::write(1, rest.as_ptr().cast(), rest.len());
            if written > 0 {
                rest = &rest[written as usize..];
                continue;
            }
            match *libc::__errno_location() {
                libc::EINTR => continue,
                libc::EPIPE if libc::sigismember(&raw const old, libc::SIGPIPE) == 0 => {
                    let now = libc::timespec {
                        tv_sec: 0,
                        tv_nsec: 0,
                    };
                    libc::sigtimedwait(&raw const pipe, ptr::null_mut(), &raw const now);
                }
                _ => {}
            }
            break;
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, ptr::null_mut());
    }
}
