//! Calls that may put Python's files out of reach ([`Call::confines`](crate::thunk::table::Call)), and that in fact do not.

use std::sync::atomic::{AtomicBool, Ordering};

use libc::{getresgid, getresuid};

/// The call behind which the guest is asked whether files may be opened (fanotify(7)).
pub(super) const LISTENING: &str = "fanotify_mark";

/// What was done so that they may be made.
#[derive(Debug, Default)]
pub struct Ready {
    /// Nothing more of Python's files is needed (`qusr/preload.py`).
    files: AtomicBool,
    /// And no descriptor, which a Python that begins does need.
    descriptors: AtomicBool,
    /// Nothing more is opened that a guest can listen to.
    listened: AtomicBool,
}

impl Ready {
    pub(super) fn is_for(&self, name: &str) -> bool {
        let listened = name != LISTENING || self.listened.load(Ordering::Relaxed);
        listened && self.files.load(Ordering::Relaxed)
    }

    pub(super) fn needs_no_descriptor(&self) -> bool {
        self.descriptors.load(Ordering::Relaxed)
    }

    /// What a Python that begins needs of its files is in memory.
    pub fn set_kept(&self) {
        self.files.store(true, Ordering::Relaxed);
    }

    /// All that a Python needs is in memory, or is a part of this program.
    pub fn set_complete(&self) {
        self.set_kept();
        self.descriptors.store(true, Ordering::Relaxed);
    }

    pub fn set_listened(&self) {
        self.listened.store(true, Ordering::Relaxed);
    }

    /// For a process that begins as this one is.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::default();
        copy.follow(self);
        copy
    }

    /// What was done for the program before holds for the next.
    pub(super) fn follow(&self, before: &Self) {
        let copy = |to: &AtomicBool, from: &AtomicBool| {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        copy(&self.files, &before.files);
        copy(&self.descriptors, &before.descriptors);
        copy(&self.listened, &before.listened);
    }
}

/// Whether a call sets ids that the calling thread has already, as posix_spawn(3) does with
/// POSIX_SPAWN_RESETIDS, which make(1) uses for each command.
pub(super) fn keeps_ids(name: &str, args: &[u64]) -> bool {
    let (of, count): (Get, _) = match name.strip_suffix("32").unwrap_or(name) {
        "setuid" => (getresuid, 1),
        "setreuid" => (getresuid, 2),
        "setresuid" => (getresuid, 3),
        "setgid" => (getresgid, 1),
        "setregid" => (getresgid, 2),
        "setresgid" => (getresgid, 3),
        _ => return false,
    };
    let Some(own) = only_id(of) else {
        return false;
    };
    let ids = args.iter().take(count);
    ids.into_iter()
        .all(|&id| [own, u32::MAX].contains(&(id as u32)))
}

type Get = unsafe extern "C" fn(*mut u32, *mut u32, *mut u32) -> i32;

/// The id that is the real, the effective and the saved one. None: they differ, or the calls for 16 bits cannot name it.
fn only_id(of: Get) -> Option<u32> {
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: the kernel fills three ids.
    let result = unsafe { of(&raw mut real, &raw mut effective, &raw mut saved) };
    let is_one = result == 0 && real == effective && real == saved;
    (is_one && real < 0xffff).then_some(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_by_who_sets_his_own() {
        let none = u64::from(u32::MAX);
        // The tests' user is an ordinary one, with one id.
        let own = u64::from(only_id(getresuid).unwrap());
        let group = u64::from(only_id(getresgid).unwrap());
        assert!(keeps_ids("setresuid", &[none, own, none, 7]));
        assert!(keeps_ids("setuid32", &[own]));
        assert!(keeps_ids("setregid", &[group, none]));
        assert!(!keeps_ids("setresuid", &[none, none, own + 1]));
        assert!(!keeps_ids("setgid", &[group + 1]));
        assert!(!keeps_ids("chroot", &[none, none, none]));
    }
}
