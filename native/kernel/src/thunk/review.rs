//! Looking at results: what has to be told differently to the guest than the host kernel did.

use std::ffi::{CStr, CString};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::convert::{get_int, put_int};
use super::exec::{Call, Outcome, Review, map_flags};
use super::procfs::{self, Opened, status};
use super::running;
use super::table::{Op, Ret};
use crate::process::directory::without_donors;
use crate::process::share::lists_donors;
use crate::signal::host::wrap_sent;

/// Descriptors below this are known by [`Marks::small`].
const SMALL_FDS: usize = 4096;

/// What the host kernel does not keep of a guest's open files.
pub struct Marks {
    /// Bit n: descriptor n was opened by a 32-bit guest without O_LARGEFILE, which a 64-bit
    /// kernel sets on its own (force_o_largefile of include/linux/fcntl.h).
    small: [AtomicU64; SMALL_FDS / 64],
    has_memory_files: AtomicBool,
    /// Threads of this process trace others, so Python makes the calls that wait for children.
    pub traces: AtomicBool,
    /// A listing of /proc/self/map_files may be open.
    pub map_files: AtomicBool,
    /// (st_dev, st_ino) of the files that stand for /proc/self/mem and pagemap.
    memory_files: RwLock<Vec<(u64, u64)>>,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            small: [const { AtomicU64::new(0) }; SMALL_FDS / 64],
            has_memory_files: AtomicBool::new(false),
            traces: AtomicBool::new(false),
            map_files: AtomicBool::new(false),
            memory_files: RwLock::default(),
        }
    }
}

impl Marks {
    /// For a process with a copy of the descriptors.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        for (to, from) in copy.small.iter().zip(&self.small) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let listed = self.map_files.load(Ordering::Relaxed);
        copy.map_files.store(listed, Ordering::Relaxed);
        let files = self.memory_files.read();
        for &(dev, ino) in files
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
        {
            copy.add_memory_file(dev, ino);
        }
        copy
    }

    fn small_word(&self, fd: i32) -> Option<(&AtomicU64, u64)> {
        let fd = usize::try_from(fd).ok()?;
        Some((self.small.get(fd / 64)?, 1 << (fd % 64)))
    }

    fn set_small(&self, fd: i32, small: bool) {
        if let Some((word, bit)) = self.small_word(fd) {
            if small {
                word.fetch_or(bit, Ordering::Relaxed);
            } else {
                word.fetch_and(!bit, Ordering::Relaxed);
            }
        }
    }

    fn is_small(&self, fd: i32) -> bool {
        self.small_word(fd)
            .is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// Has calls on the file (st_dev, st_ino) handed to Python: [`Review::MemoryFile`].
    pub fn add_memory_file(&self, dev: u64, ino: u64) {
        let mut files = self
            .memory_files
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        files.push((dev, ino));
        self.has_memory_files.store(true, Ordering::Release);
    }
}

impl Call<'_> {
    /// The outcome of a call that the host made.
    pub(super) fn finish(
        &self,
        ret: Ret,
        result: i64,
        host_args: &[u64; 6],
        ops: &[Op],
    ) -> Outcome {
        if result < 0 {
            return Outcome::Done(result);
        }
        match ret {
            Ret::Long => Outcome::Done(result),
            Ret::Signal => Outcome::Done(self.abi.signal_to_guest(result as i32).into()),
            Ret::Fd => self.opened(result as i32, host_args, ops),
            Ret::Off if self.abi.register_bits == 32 && result > i64::from(i32::MAX) => {
                Outcome::Done(-i64::from(libc::EOVERFLOW))
            }
            Ret::Flags(map) => {
                let map = &self.env.table.flag_maps[usize::from(map)];
                let mut flags = result as u64;
                if self.abi.register_bits == 32 && self.env.marks.is_small(host_args[0] as i32) {
                    flags &= !O_LARGEFILE;
                }
                Outcome::Done(map_flags(map, flags, true) as i64)
            }
            Ret::Store(slot) => {
                let mut bytes = [0; 8];
                put_int(&mut bytes, self.abi.big_endian, result as u64);
                let stored = self.write(self.slot(slot), &bytes);
                Outcome::Done(stored.map_or_else(|errno| -i64::from(errno), |()| 0))
            }
            Ret::Path => self.link(result as usize, host_args, ops),
            Ret::Stat if self.is_own_exe(host_args, ops) => {
                Outcome::Review(Review::ExeStat, result)
            }
            _ => Outcome::Done(result),
        }
    }

    /// A descriptor was opened.
    fn opened(&self, fd: i32, host_args: &[u64; 6], ops: &[Op]) -> Outcome {
        let Some(file) = status(fd) else {
            return Outcome::Done(fd.into());
        };
        // A 64-bit kernel adds O_LARGEFILE (`force_o_largefile` of include/linux/fcntl.h).
        if self.abi.register_bits == 32 {
            let flags = ops
                .iter()
                .zip(host_args)
                .find_map(|(op, value)| matches!(op, Op::Flags { .. }).then_some(*value));
            let small = flags.is_some_and(|bits| bits & (O_LARGEFILE | O_PATH) == 0);
            self.env.marks.set_small(fd, small);
            // generic_file_open of fs/open.c
            let regular = file.st_mode & libc::S_IFMT == libc::S_IFREG;
            if small && regular && file.st_size > i64::from(i32::MAX) {
                // SAFETY: the guest does not know this descriptor yet.
                unsafe { libc::close(fd) };
                return Outcome::Done(-i64::from(libc::EOVERFLOW));
            }
        }
        if running::is_denied(fd, &file) {
            // SAFETY: the guest does not know this descriptor yet.
            unsafe { libc::close(fd) };
            return Outcome::Done(-i64::from(libc::ETXTBSY));
        }
        let env = self.env;
        let guest = procfs::Guest {
            space: env.space,
            facts: &env.facts(),
            own_exe: env.own_exe,
            marks: env.marks,
        };
        match procfs::review(fd, &file, guest) {
            Ok(Opened::Done) => Outcome::Done(fd.into()),
            Ok(Opened::Python) => Outcome::Review(Review::ProcFd, fd.into()),
            Err(errno) => Outcome::Done(-i64::from(errno)),
        }
    }

    /// A listing that was stored, without the threads that are not the guest's; another one when nothing else was in it.
    pub(super) fn hide_donors(&mut self, size: i64, host: u16, host_args: &mut [u64; 6]) -> i64 {
        let mut size = size;
        while size > 0 && lists_donors(host_args[0] as i32) {
            let mut listing = vec![0; size as usize];
            let at = self.args[1];
            if self.env.space.read(at, &mut listing).is_err() {
                break;
            }
            let out = without_donors(&listing);
            if !out.is_empty() {
                let written = self.write(at, &out);
                return written.map_or_else(|errno| -i64::from(errno), |()| out.len() as i64);
            }
            size = self.make(host, None, host_args);
        }
        size
    }

    /// A write by a 32-bit guest to a file opened without O_LARGEFILE ends at 2 GiB - 1
    /// (generic_write_check_limits of fs/read_write.c): cuts its length or gives EFBIG.
    pub(super) fn limit_write(&self, host: u16, host_args: &mut [u64; 6]) -> Result<(), i32> {
        let (fd, count) = (host_args[0] as i32, host_args[2]);
        let positioned = i64::from(host) == libc::SYS_pwrite64;
        if self.abi.register_bits != 32
            || !positioned && i64::from(host) != libc::SYS_write
            || !self.env.marks.is_small(fd)
        {
            return Ok(());
        }
        let position = if positioned {
            host_args[3] as i64
        } else {
            // SAFETY: lseek touches no memory. Files without a position have no limit either.
            unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) }
        };
        let room = i64::from(i32::MAX) - position;
        if position < 0 || count == 0 || (room > 0 && count <= room as u64) {
            return Ok(());
        }
        if status(fd).is_none_or(|file| file.st_mode & libc::S_IFMT != libc::S_IFREG) {
            return Ok(());
        }
        if room <= 0 {
            return Err(libc::EFBIG);
        }
        host_args[2] = room as u64;
        Ok(())
    }

    /// A signal that is sent with the siginfo_t of a fault must not be taken for one here.
    pub(super) fn wrap_sent_fault(&mut self, host: u16, host_args: &mut [u64; 6]) {
        let slot = match i64::from(host) {
            libc::SYS_rt_sigqueueinfo | libc::SYS_pidfd_send_signal => 2,
            libc::SYS_rt_tgsigqueueinfo => 3,
            _ => return,
        };
        let mut info = [0; 128];
        if self.abi.word_bits == 64 && !self.abi.big_endian {
            // The guest's own bytes; what cannot be read is for the kernel to refuse.
            if self.env.space.read(self.args[slot], &mut info).is_err() {
                return;
            }
        } else if host_args[slot] != 0 {
            // SAFETY: a siginfo_t that was converted, in scratch memory.
            info = unsafe { *(host_args[slot] as *const [u8; 128]) };
        }
        let before = info;
        let to_thread = i64::from(host) == libc::SYS_rt_tgsigqueueinfo;
        wrap_sent(host_args[slot - 1] as i32, &mut info, to_thread);
        if info != before {
            let copy = self.scratch.slice(info.len());
            copy.copy_from_slice(&info);
            host_args[slot] = copy.as_ptr() as u64;
        }
    }

    /// Whether a read or write is of what stands for /proc/self/mem or pagemap.
    pub(super) fn concerns_memory_file(&self, host: u16, host_args: &[u64; 6]) -> bool {
        let marks = self.env.marks;
        let known = [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_pread64,
            libc::SYS_pwrite64,
            libc::SYS_readv,
            libc::SYS_writev,
            libc::SYS_preadv,
            libc::SYS_pwritev,
            libc::SYS_preadv2,
            libc::SYS_pwritev2,
        ];
        if !marks.has_memory_files.load(Ordering::Acquire) || !known.contains(&host.into()) {
            return false;
        }
        let files = marks
            .memory_files
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        status(host_args[0] as i32).is_some_and(|file| files.contains(&(file.st_dev, file.st_ino)))
    }

    /// Whether a call is Python's to make, because it may concern a tracee.
    pub(super) fn concerns_tracer(&self, host: u16) -> bool {
        let moves = [libc::SYS_process_vm_readv, libc::SYS_process_vm_writev];
        (is_wait(host) || moves.contains(&host.into()))
            && self.env.marks.traces.load(Ordering::Relaxed)
    }

    /// Whether a wait that was made told of a child that stopped, or may have (it did not
    /// say): perhaps it called PTRACE_TRACEME.
    pub(super) fn tells_of_stop(&self, host: u16, result: i64) -> bool {
        const CLD_TRAPPED: u64 = 4;
        let get = |address: u64| {
            let mut bytes = [0; 4];
            let read = self.env.space.read(address, &mut bytes);
            read.map(|()| get_int(&bytes, self.abi.big_endian, false))
        };
        if !is_wait(host) || result < 0 {
            return false;
        }
        if i64::from(host) == libc::SYS_wait4 {
            return result > 0 && get(self.args[1]).map_or(true, |status| status & 0xff == 0x7f);
        }
        // si_code is the third int of siginfo_t.
        get(self.args[2].wrapping_add(8)).is_ok_and(|code| code == CLD_TRAPPED)
    }

    /// A path as the host's call gets it. None: it is none.
    pub(super) fn read_back(&self, host: u64) -> Option<CString> {
        let space = self.env.space;
        if let Some(address) = space.guest_addr(host as usize) {
            let path = space.read_cstr(address, libc::PATH_MAX as usize);
            return CString::new(path.ok()??).ok();
        }
        // Null, or what stands for a pointer that is none of the guest's.
        if host == 0 || host >> 47 != 0 {
            return None;
        }
        // SAFETY: a path that is not in guest memory is a C string in scratch memory.
        Some(unsafe { CStr::from_ptr(host as *const libc::c_char) }.to_owned())
    }

    /// Whether the host's stat or statx buffer names the emulator's executable.
    fn is_own_exe(&self, host_args: &[u64; 6], ops: &[Op]) -> bool {
        let exe = self.env.own_exe;
        let buffer = ops.iter().zip(host_args).find_map(|(op, host)| match *op {
            Op::Struct {
                conversion,
                direction,
                ..
            } if direction.writes() => Some((self.conversion(conversion).host_size, *host)),
            _ => None,
        });
        let Some((size, host)) = buffer else {
            return false;
        };
        let mut bytes = [0u8; size_of::<libc::statx>()];
        let bytes = &mut bytes[..size.min(size_of::<libc::statx>())];
        if let Some(address) = self.env.space.guest_addr(host as usize) {
            if self.env.space.read(address, bytes).is_err() {
                return false;
            }
        } else {
            // SAFETY: a prepared struct argument that is not in guest memory is scratch
            // memory of the conversion's host size.
            bytes.copy_from_slice(unsafe {
                std::slice::from_raw_parts(host as *const u8, bytes.len())
            });
        }
        let word = |at: usize| get_int(&bytes[at..at + 8], false, false);
        let half = |at: usize| get_int(&bytes[at..at + 4], false, false) as u32;
        let (dev, ino) = if bytes.len() == size_of::<libc::statx>() {
            // stx_ino at 0x20, stx_dev_major and stx_dev_minor at 0x88 (linux/stat.h).
            (libc::makedev(half(0x88), half(0x8c)), word(0x20))
        } else {
            (word(0), word(8))
        };
        exe.ino != 0 && ino == exe.ino && dev == exe.dev
    }
}

fn is_wait(host: u16) -> bool {
    [libc::SYS_wait4, libc::SYS_waitid].contains(&host.into())
}

/// The host's values.
const O_LARGEFILE: u64 = 0o100_000;
const O_PATH: u64 = libc::O_PATH as u64;
