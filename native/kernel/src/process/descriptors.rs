//! Which descriptors there are, with /proc and without.

/// The descriptors of this process that are closed by an execve(2).
///
/// # Errors
/// That of poll(2) or select(2), where there is no /proc.
pub fn close_on_exec() -> std::io::Result<Vec<i32>> {
    let listed = std::fs::read_dir("/proc/self/fd").map(|entries| {
        let number = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.ok()?.file_name().to_str()?.parse().ok()
        };
        entries.filter_map(number).collect()
    });
    let open: Vec<i32> = listed.or_else(|_| open_descriptors())?;
    let closes = |fd: &i32| {
        // SAFETY: F_GETFD touches no memory. The listing's own descriptor is closed by now.
        let flags = unsafe { libc::fcntl(*fd, libc::F_GETFD) };
        flags >= 0 && flags & libc::FD_CLOEXEC != 0
    };
    Ok(open.into_iter().filter(closes).collect())
}

/// The descriptors of this process, without /proc: poll(2) says POLLNVAL of a number that is none.
fn open_descriptors() -> std::io::Result<Vec<i32>> {
    const BATCH: i32 = 1024;
    let end = descriptor_table()?;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills a valid rlimit.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    // poll(2) refuses more entries than that at a time, whatever their numbers.
    let batch = BATCH.min(i32::try_from(limit.rlim_cur).unwrap_or(BATCH).max(1));
    let mut open = Vec::new();
    for start in (0..end).step_by(batch as usize) {
        let mut polled: Vec<libc::pollfd> = (start..end.min(start.saturating_add(batch)))
            .map(|fd| libc::pollfd {
                fd,
                events: 0,
                revents: 0,
            })
            .collect();
        // SAFETY: that many entries, and it does not wait.
        if unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, 0) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
        let is_open = |entry: &&libc::pollfd| entry.revents & libc::POLLNVAL == 0;
        open.extend(polled.iter().filter(is_open).map(|entry| entry.fd));
    }
    Ok(open)
}

/// A number that all descriptors of this process are below. RLIMIT_NOFILE is none: it may have been
/// higher once, and is a milliard in some containers. select(2) takes its sets to be as long as the
/// table of descriptors (`core_sys_select` of fs/select.c), so that one which is shorter gives EFAULT.
fn descriptor_table() -> std::io::Result<i32> {
    const PAGE: usize = 4096;
    let mut bytes = PAGE;
    loop {
        // SAFETY: new memory, whose last page is not readable.
        let set = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes + PAGE,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if set == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let mut now = libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        };
        // SAFETY: an empty set, in the memory just made, which goes when the kernel has read it.
        let (found, error) = unsafe {
            libc::mprotect(set, bytes, libc::PROT_READ | libc::PROT_WRITE);
            let (none, set_at) = (std::ptr::null_mut(), set.cast());
            let found = libc::select(i32::MAX, set_at, none, none, &raw mut now);
            let error = std::io::Error::last_os_error();
            libc::munmap(set, bytes + PAGE);
            (found, error)
        };
        match error.raw_os_error() {
            _ if found >= 0 => return Ok(i32::try_from(bytes * 8).unwrap_or(i32::MAX)),
            Some(libc::EFAULT) if bytes < i32::MAX as usize / 8 => bytes *= 2,
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    use super::{close_on_exec, descriptor_table, open_descriptors};

    /// The other way to know them, of this process; other tests open and close some meanwhile.
    #[test]
    fn without_proc_they_are_the_same() {
        let file = std::fs::File::open("/dev/null").expect("there is a /dev/null");
        // SAFETY: a new descriptor, which nobody else has.
        let far = unsafe {
            OwnedFd::from_raw_fd(libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 300))
        };
        let open: BTreeSet<i32> = open_descriptors().expect("no /proc").into_iter().collect();
        for fd in [0, 1, 2, file.as_raw_fd(), far.as_raw_fd()] {
            // SAFETY: F_GETFD touches no memory.
            let there = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
            assert_eq!(open.contains(&fd), there, "{fd} in {open:?}");
        }
        let far = far.as_raw_fd();
        assert!(close_on_exec().expect("/proc").contains(&far));
        assert!(!open.contains(&(far + 10_000)));
    }

    #[test]
    fn the_table_is_short_whatever_the_limit() {
        let end = descriptor_table().expect("select(2)");
        assert!((256..1 << 20).contains(&end), "{end}");
    }
}
