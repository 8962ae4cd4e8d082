//! Dying with WCOREDUMP set in the wait status, after the guest's core was written.
//!
//! Only the host kernel sets that bit, and only for a core that it has written itself
//! (fs/coredump.c, `vfs_coredump`). So it gets to write one, of the emulator, of a single page and to
//! a place where nobody sees it: a tmpfs that is mounted nowhere, made the dying thread's current
//! directory. It vanishes with the process.

use std::ffi::CString;
use std::os::fd::RawFd;

use crate::signal::host::{core_goes_to_a_program, die_by, prepare_to_die, raise_fatal};

/// The least that the kernel calls a core.
const LIMIT: u64 = 4096;

/// Dies of `signal`, of which the guest's core `name` (as core_pattern gives it) was
/// written. Where the bit cannot be had, it dies without.
pub fn die_dumped(signal: i32, name: &[u8]) {
    if lead_core_away(name).is_some() {
        prepare_to_die(signal);
        raise_fatal(signal);
    }
    die_by(signal);
}

/// PR_GET_DUMPABLE of prctl(2), which guests set on the host: 1 is what programs have at first.
#[must_use]
pub fn is_dumpable() -> bool {
    // SAFETY: touches no memory.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 }
}

fn lead_core_away(name: &[u8]) -> Option<()> {
    if core_goes_to_a_program() {
        return None;
    }
    // These belong to the process's last moments: the emulator needs neither files nor limits
    // any more.
    std::fs::write("/proc/self/coredump_filter", "0").ok()?;
    let place = detached_tmpfs().or_else(tmpfs_of_a_child)?;
    // SAFETY: touches no memory. Other tasks may share the current directory.
    check(unsafe { libc::unshare(libc::CLONE_FS) })?;
    // SAFETY: touches no memory.
    check(unsafe { libc::fchdir(place) })?;
    if name.starts_with(b"/") {
        // SAFETY: a C string literal.
        check(unsafe { libc::chroot(c".".as_ptr()) })?;
    }
    let parts: Vec<&[u8]> = name.split(|&byte| byte == b'/').collect();
    for count in 1..parts.len() {
        let folder = CString::new(parts[..count].join(&b"/"[..])).ok()?;
        // SAFETY: a C string. A failure is that of the core file.
        unsafe { libc::mkdir(folder.as_ptr(), 0o700) };
    }
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is an rlimit.
    check(unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) })?;
    limit.rlim_cur = LIMIT.min(limit.rlim_max);
    // SAFETY: as above.
    check(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) })
}

fn check(result: i32) -> Option<()> {
    (result == 0).then_some(())
}

/// A tmpfs that is mounted nowhere (fsmount(2)); needs CAP_SYS_ADMIN.
fn detached_tmpfs() -> Option<RawFd> {
    const FSCONFIG_CMD_CREATE: u32 = 6;
    const CLOEXEC: u32 = 1;
    // SAFETY: a C string literal; the kernel touches no other memory.
    let result = unsafe {
        let context = libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), CLOEXEC);
        if context < 0 {
            return None;
        }
        let null = std::ptr::null::<u8>();
        if libc::syscall(
            libc::SYS_fsconfig,
            context,
            FSCONFIG_CMD_CREATE,
            null,
            null,
            0,
        ) < 0
        {
            return None;
        }
        libc::syscall(libc::SYS_fsmount, context, CLOEXEC, 0)
    };
    (result >= 0).then_some(result as RawFd)
}

/// The same by a child in a user namespace of its own, where it has the capability. It shares our
/// descriptors, and is gone when this returns.
fn tmpfs_of_a_child() -> Option<RawFd> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both only ask.
    let maps = unsafe { [libc::geteuid(), libc::getegid()] }.map(|id| format!("{id} {id} 1"));
    // struct clone_args: flags first; exit_signal 0, so that the guest's parent hears nothing.
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_FILES;
    let args = [flags as u64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: without CLONE_VM and with no new stack, clone3 returns twice like fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, args.as_ptr(), size_of_val(&args)) };
    if pid == 0 {
        // Only system calls: other threads may have held any lock.
        for (file, text) in [
            (c"/proc/self/setgroups", "deny"),
            (c"/proc/self/uid_map", &maps[0]),
            (c"/proc/self/gid_map", &maps[1]),
        ] {
            // SAFETY: a C string and a buffer with its length.
            unsafe {
                let fd = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
                libc::write(fd, text.as_ptr().cast(), text.len());
            }
        }
        let made = detached_tmpfs().unwrap_or(-1);
        // SAFETY: the buffer is 4 bytes; _exit does not return.
        unsafe {
            libc::write(ends[1], (&raw const made).cast(), 4);
            libc::_exit(0);
        }
    }
    if pid < 0 {
        return None;
    }
    let mut made = -1;
    // SAFETY: waitpid may have no status; the kernel writes at most 4 bytes.
    unsafe {
        libc::waitpid(pid as i32, std::ptr::null_mut(), libc::__WALL);
        libc::fcntl(ends[0], libc::F_SETFL, libc::O_NONBLOCK);
        libc::read(ends[0], (&raw mut made).cast(), 4);
    }
    (made >= 0).then_some(made)
}
