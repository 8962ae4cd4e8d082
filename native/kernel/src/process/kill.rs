//! SIGKILL for a process that lives in another one's memory ([`super::share`]).
//!
//! The emulator runs in that memory as well. Killed in the midst of its code, the process would take with it what
//! others wait for (locks of malloc, of the interpreter, of translated code) and leave half done what it was
//! doing. The kernel lets nobody put a SIGKILL off, so whoever is about to send one asks such a process to die first,
//! by [`Message::Kill`](crate::signal::host::Message), and waits until it has left the memory. That makes no difference that
//! could be seen: the message is blocked by no mask, goes before all other signals (kernel/signal.c,
//! `dequeue_synchronous_signal`), and the process dies of SIGKILL in the end. Then the call is made as it is, for who did not come to it.
//!
//! The same is done for a process that has memory which it may share with others by mappings: there may be robust futexes in
//! there that it holds, which nobody but itself can give up ([`super::robust`]).
//!
//! What comes from elsewhere is not put off: docs/internals.md lists it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::ids::SHARERS;
use super::share::is_shared;
use crate::signal::host::{LEAST, ask_to_die, dies_orderly};

/// How long a process may take to die. Only the machine's being busy makes it more than a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// After this a process may be a stopped one, which has to be woken to die.
const PROMPT: Duration = Duration::from_millis(20);
const STEP: Duration = Duration::from_micros(200);

/// Before a host call with these arguments is made: if it sends a SIGKILL, has those die that live in others' memory.
/// What waits for the calling thread (`pending`) goes first; the call is made again then, this included.
pub(crate) fn before(host: u16, args: &[u64; 6], pending: &AtomicU32) {
    let signal = match i64::from(host) {
        libc::SYS_kill
        | libc::SYS_tkill
        | libc::SYS_rt_sigqueueinfo
        | libc::SYS_pidfd_send_signal => args[1],
        libc::SYS_tgkill | libc::SYS_rt_tgsigqueueinfo => args[2],
        _ => return,
    };
    if signal as i32 == libc::SIGKILL {
        die_first(&victims(host, args[0] as i32), pending);
    }
}

/// The processes that a call of this kind would kill, as far as they must not die at once.
fn victims(host: u16, target: i32) -> Vec<Victim> {
    let own = std::process::id() as i32;
    let pid = match i64::from(host) {
        libc::SYS_pidfd_send_signal => pid_of(target),
        libc::SYS_tkill => status(target).and_then(|status| number(&status, "Tgid:")),
        // A group, or all there are: those of this memory are known.
        libc::SYS_kill if target <= 0 => {
            let hit = |pid: &i32| {
                // SAFETY: both touch no memory.
                let (group, ours) = unsafe { (libc::getpgid(*pid), libc::getpgrp()) };
                match target {
                    -1 => true,
                    0 => group == ours,
                    _ => group == -target,
                }
            };
            let all = sharers().into_iter().filter(|pid| *pid != own);
            return all.filter(hit).map(Victim::here).collect();
        }
        _ => Some(target),
    };
    match pid {
        // The first process of a PID namespace is killed by nobody in there (pid_namespaces(7)).
        None | Some(1) => Vec::new(),
        // That may be the caller itself: it is not in the midst of anything, but other threads may be, and it leaves in
        // order what is the others' to free.
        Some(pid) if sharers().contains(&pid) => vec![Victim::here(pid)],
        // It may hold robust futexes.
        Some(pid) if pid == own => {
            let gives_up = |own: &Victim| matches!(own.home, Home::Its);
            Victim::elsewhere(pid)
                .filter(gives_up)
                .into_iter()
                .collect()
        }
        Some(pid) => Victim::elsewhere(pid).into_iter().collect(),
    }
}

/// The processes of this memory; none if it has one only.
fn sharers() -> Vec<i32> {
    if is_shared() {
        SHARERS.all()
    } else {
        Vec::new()
    }
}

struct Victim {
    pid: i32,
    home: Home,
}

/// Whose memory a victim lives in.
enum Home {
    Ours,
    Its,
    Of(i32),
}

impl Victim {
    fn here(pid: i32) -> Self {
        let home = Home::Ours;
        Self { pid, home }
    }

    /// A process of qusr's that lives in memory which is not ours, and must not die at once.
    fn elsewhere(pid: i32) -> Option<Self> {
        let status = status(pid)?;
        let signals = |name| u64::from_str_radix(field(&status, name)?, 16).ok();
        let (caught, ignored) = (signals("SigCgt:")?, signals("SigIgn:")?);
        let parent = number(&status, "PPid:")?;
        let home = if same_memory(pid, parent) {
            Home::Of(parent)
        } else if dies_orderly(caught | ignored) {
            Home::Its
        } else {
            return None;
        };
        let program = |pid: &str| {
            let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
            Some((file.dev(), file.ino()))
        };
        let ours = caught & LEAST == LEAST && program("self")? == program(&pid.to_string())?;
        ours.then_some(Self { pid, home })
    }

    fn has_left(&self) -> bool {
        match self.home {
            Home::Of(host) => !same_memory(self.pid, host),
            Home::Its => is_dead(self.pid),
            // The first one is not struck off.
            Home::Ours => !sharers().contains(&self.pid) || is_dead(self.pid),
        }
    }

    /// All threads are asked: some may have ended as far as the guest goes.
    fn ask(&self) {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            ask_to_die(self.pid, self.pid);
            return;
        };
        for thread in threads.flatten() {
            if let Some(tid) = thread.file_name().to_str().and_then(|tid| tid.parse().ok()) {
                ask_to_die(self.pid, tid);
            }
        }
    }
}

fn die_first(victims: &[Victim], pending: &AtomicU32) {
    // SAFETY: touches no memory. Who may not send it a signal is told so by the call itself.
    let may = |victim: &&Victim| unsafe { libc::kill(victim.pid, 0) } == 0;
    let mut left: Vec<&Victim> = victims.iter().filter(may).collect();
    for victim in &left {
        victim.ask();
    }
    let begin = Instant::now();
    let mut woken = false;
    loop {
        left.retain(|victim| !victim.has_left());
        let waited = begin.elapsed();
        if left.is_empty() || waited > PATIENCE || pending.load(Ordering::SeqCst) != 0 {
            return;
        }
        if waited > PROMPT && !woken {
            woken = true;
            for victim in left.iter().filter(|victim| state(victim.pid) == Some('T')) {
                // SAFETY: touches no memory.
                unsafe { libc::kill(victim.pid, libc::SIGCONT) };
            }
        }
        std::thread::sleep(STEP);
    }
}

/// Whether two processes share their memory (kcmp(2)); not known: no.
fn same_memory(one: i32, other: i32) -> bool {
    const KCMP_VM: i32 = 1;
    // SAFETY: touches no memory.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0 }
}

fn status(pid: i32) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/status")).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn number(status: &str, name: &str) -> Option<i32> {
    field(status, name)?.parse().ok()
}

fn state(pid: i32) -> Option<char> {
    field(&status(pid)?, "State:")?.chars().next()
}

pub(super) fn is_dead(pid: i32) -> bool {
    matches!(state(pid), None | Some('Z' | 'X'))
}

/// Whose descriptor a pidfd is (proc(5), /proc/PID/fdinfo).
fn pid_of(fd: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    number(&text, "Pid:").filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_pidfd() {
        let own = std::process::id() as i32;
        // SAFETY: touches no memory.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, own, 0) } as i32;
        assert_eq!(pid_of(fd), Some(own));
        assert_eq!(pid_of(-1), None);
        // SAFETY: just opened.
        unsafe { libc::close(fd) };
    }

    #[test]
    fn memory_is_compared() {
        let own = std::process::id() as i32;
        // SAFETY: touches no memory.
        let parent = unsafe { libc::getppid() };
        assert!(same_memory(own, own));
        assert!(!same_memory(own, parent) && !same_memory(own, -1));
        assert!(!is_dead(own) && is_dead(i32::MAX));
    }

    #[test]
    fn who_is_no_sharer_is_killed_at_once() {
        let own = std::process::id() as i32;
        // SAFETY: touches no memory.
        let parent = unsafe { libc::getppid() };
        assert!(victims(libc::SYS_kill as u16, own).is_empty());
        assert!(victims(libc::SYS_kill as u16, parent).is_empty());
        assert!(victims(libc::SYS_kill as u16, 0).is_empty());
        assert!(victims(libc::SYS_kill as u16, i32::MAX).is_empty());
    }
}
