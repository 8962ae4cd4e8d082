//! What a guest reads in its files of /proc about its arguments, memory and signals: the formats of fs/proc with the
//! guest's facts. Python makes the rarer ones (`qusr/syscalls/handlers/proctext.py`).

use super::GuestThread;
use crate::memory::{PAGE_SIZE, Prot, Region};
use crate::signal::{Action, SIG_IGN, bit};
use crate::thunk::path::fd_path;
use crate::thunk::procfs::{host_text, own_file, stand_in};

// Fields of /proc/PID/stat, counted from 1 as in proc(5).
const VSIZE: usize = 23;
const START_CODE: usize = 26;
const BLOCKED: usize = 32;
const SIGIGNORE: usize = 33;
const START_DATA: usize = 45;
/// The first one behind the name.
const STATE: usize = 3;

/// As many bits as a 32-bit number holds, without its sign (do_task_stat of fs/proc/array.c).
const SHOWN_SIGNALS: u64 = 0x7FFF_FFFF;

/// Sizes of the guest's memory in bytes, as fs/proc/task_mmu.c counts them.
#[derive(Default)]
struct Sizes {
    total: u64,
    data: u64,
    stack: u64,
    text: u64,
    libraries: u64,
    resident: u64,
    anonymous: u64,
}

/// Sets of signals by the guest's numbers.
struct Sets {
    /// Of the calling thread; of another one it is not known.
    blocked: Option<u64>,
    ignored: u64,
    caught: u64,
}

impl GuestThread {
    /// Puts the guest's file behind a descriptor of /proc/self that was opened, and gives it or -errno. None: Python does it.
    pub(super) fn put_proc_text(&self, fd: i32) -> Option<i64> {
        let path = fd_path(fd)?;
        let text = self.proc_text(own_file(&path)?, fd)?;
        let done = stand_in(fd, &path, &text);
        Some(done.map_or_else(|errno| -i64::from(errno), |()| fd.into()))
    }

    /// The guest's text of a file of /proc/self, whose own one is open as `fd`. None: it is not made here, or the kernel's
    /// is not readable.
    #[must_use]
    pub fn proc_text(&self, name: &[u8], fd: i32) -> Option<Vec<u8>> {
        match name {
            b"cmdline" => Some(self.cmdline()),
            b"environ" => Some(self.strings(self.process.facts().layout.env)),
            b"stat" => self.stat(&host_text(fd)?),
            b"statm" => Some(self.sizes()?.statm()),
            b"status" => self.status(&host_text(fd)?),
            _ => None,
        }
    }

    /// The guest's signals that are blocked, ignored and caught, by the host's numbers.
    #[must_use]
    pub fn signal_sets(&self) -> (u64, u64, u64) {
        let signals = &self.signals;
        signals.actions.with(|table| {
            let set = |wanted: fn(&Action) -> bool| {
                (1..).zip(table.iter()).fold(0, |mask, (signal, action)| {
                    mask | if wanted(action) { bit(signal) } else { 0 }
                })
            };
            let ignored = set(|action| action.handler == SIG_IGN);
            (signals.blocked, ignored, set(Action::has_handler))
        })
    }

    /// The strings as they are in the guest's memory now (get_mm_cmdline of fs/proc/base.c).
    ///
    /// A program that overwrote its last NUL has set its title: one string, which may run on into the environment.
    fn cmdline(&self) -> Vec<u8> {
        let layout = self.process.facts().layout;
        let mut text = self.strings(layout.args);
        if text.last().is_none_or(|&last| last == 0) {
            return text;
        }
        text.extend(self.strings(layout.env));
        if let Some(end) = text.iter().position(|&byte| byte == 0) {
            text.truncate(end);
        }
        text
    }

    /// The memory of a range, or nothing.
    fn strings(&self, (start, end): (u64, u64)) -> Vec<u8> {
        let mut text = vec![0; end.saturating_sub(start) as usize];
        match self.process.space.peek(start, &mut text) {
            Ok(()) => text,
            Err(_) => Vec::new(),
        }
    }

    fn sizes(&self) -> Option<Sizes> {
        let layout = self.process.facts().layout;
        let space = &self.process.space;
        let sums = space.smaps_sums(&["Rss:", "Anonymous:"]).ok()?;
        let mut sizes = Sizes {
            resident: sums[0],
            anonymous: sums[1],
            ..Sizes::default()
        };
        let mut executable = 0;
        for region in space.regions() {
            sizes.total += region.len();
            if (region.start..region.end).contains(&layout.sp) {
                sizes.stack += region.len();
            } else if is_data(&region) {
                sizes.data += region.len();
            }
            if region.prot.contains(Prot::EXEC) {
                executable += region.len();
            }
        }
        let (start, end) = layout.code;
        sizes.text = end.next_multiple_of(PAGE_SIZE) - start / PAGE_SIZE * PAGE_SIZE;
        sizes.libraries = executable.saturating_sub(sizes.text);
        Some(sizes)
    }

    fn sets(&self, task: i32) -> Sets {
        let (blocked, ignored, caught) = self.signal_sets();
        let abi = self.process.abi;
        // SAFETY: takes nothing.
        let own = unsafe { libc::gettid() };
        Sets {
            blocked: (task == own).then(|| abi.mask_to_guest(blocked)),
            ignored: abi.mask_to_guest(ignored),
            caught: abi.mask_to_guest(caught),
        }
    }

    /// /proc/PID/stat: the kernel's line with the fields that concern memory and signals.
    fn stat(&self, line: &[u8]) -> Option<Vec<u8>> {
        let layout = self.process.facts().layout;
        // The name may hold spaces and brackets.
        let end = line.windows(2).rposition(|part| part == b") ")? + 2;
        let (head, tail) = (&line[..end], std::str::from_utf8(&line[end..]).ok()?);
        let mut fields: Vec<String> = tail.split_ascii_whitespace().map(str::to_owned).collect();
        let mut put = |first: usize, values: &[u64]| {
            for (field, value) in fields.iter_mut().skip(first - STATE).zip(values) {
                *field = value.to_string();
            }
        };
        let sizes = self.sizes()?;
        put(VSIZE, &[sizes.total, sizes.resident / PAGE_SIZE]);
        put(START_CODE, &[layout.code.0, layout.code.1, layout.sp]);
        let sets = self.sets(number(head)?);
        put(
            SIGIGNORE,
            &[sets.ignored & SHOWN_SIGNALS, sets.caught & SHOWN_SIGNALS],
        );
        if let Some(blocked) = sets.blocked {
            put(BLOCKED, &[blocked & SHOWN_SIGNALS]);
        }
        let ((data, data_end), (brk, _)) = (layout.data, self.process.space.brk_range());
        let ((args, args_end), (env, env_end)) = (layout.args, layout.env);
        put(
            START_DATA,
            &[data, data_end, brk, args, args_end, env, env_end],
        );
        Some([head, fields.join(" ").as_bytes(), b"\n"].concat())
    }

    /// /proc/PID/status: the kernel's lines with the guest's sizes and signals, without the host CPU's.
    fn status(&self, text: &[u8]) -> Option<Vec<u8>> {
        let lines = || text.split_inclusive(|&byte| byte == b'\n');
        let task = lines().find_map(|line| number(line.strip_prefix(b"Pid:")?))?;
        let (mode, filters) = self.process.seccomp.state_of(task).unwrap_or_default();
        let (sizes, sets) = (self.sizes()?, self.sets(task));
        let mut out = Vec::new();
        for line in lines() {
            let key = line.split(|&byte| byte == b':').next().unwrap_or_default();
            let host = line
                .get(key.len() + 1..)
                .and_then(number)
                .unwrap_or_default();
            let changed = match key {
                b"Seccomp" => Some(format!("Seccomp:\t{}\n", mode.max(host as u64))),
                // The host's filters are those that the guest was started under.
                b"Seccomp_filters" => {
                    Some(format!("Seccomp_filters:\t{}\n", filters as i32 + host))
                }
                b"SigBlk" => sets.blocked.map(|set| format!("SigBlk:\t{set:016x}\n")),
                b"SigIgn" => Some(format!("SigIgn:\t{:016x}\n", sets.ignored)),
                b"SigCgt" => Some(format!("SigCgt:\t{:016x}\n", sets.caught)),
                key if key.starts_with(b"x86_") => Some(String::new()),
                key => sizes.of_status(key).map(|size| {
                    format!("{}:\t{:8} kB\n", String::from_utf8_lossy(key), size / 1024)
                }),
            };
            out.extend_from_slice(changed.as_deref().map_or(line, str::as_bytes));
        }
        Some(out)
    }
}

impl Sizes {
    /// /proc/PID/statm, in pages.
    fn statm(&self) -> Vec<u8> {
        let pages = |bytes: u64| bytes / PAGE_SIZE;
        let shared = pages(self.resident) - pages(self.anonymous).min(pages(self.resident));
        let (total, resident) = (pages(self.total), pages(self.resident));
        let (text, data) = (pages(self.text), pages(self.data + self.stack));
        format!("{total} {resident} {shared} {text} 0 {data} 0\n").into_bytes()
    }

    /// The size, in bytes, that a line of /proc/PID/status has.
    fn of_status(&self, key: &[u8]) -> Option<u64> {
        Some(match key {
            b"VmPeak" | b"VmSize" => self.total,
            b"VmData" => self.data,
            b"VmStk" => self.stack,
            b"VmExe" => self.text,
            b"VmLib" => self.libraries,
            b"VmHWM" | b"VmRSS" => self.resident,
            b"RssAnon" => self.anonymous,
            b"RssFile" => self.resident - self.anonymous.min(self.resident),
            b"RssShmem" => 0,
            _ => return None,
        })
    }
}

/// Private memory that may be written (is_data_mapping of mm/internal.h).
fn is_data(region: &Region) -> bool {
    region.prot.contains(Prot::WRITE) && !region.is_shared()
}

/// The first word as a number.
fn number(text: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(text.split(|&byte| byte == b'\n').next()?).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}
