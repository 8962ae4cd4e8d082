//! The actions of the signals that Python's start changes.

/// Python ignores the first two and catches the third (`Modules/signalmodule.c`).
const CHANGED: [i32; 3] = [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGINT];

/// What this process does about these signals.
pub struct Dispositions([libc::sigaction; CHANGED.len()]);

impl Dispositions {
    /// As it is now.
    #[must_use]
    pub fn save() -> Self {
        Self(CHANGED.map(|signal| {
            let mut action = std::mem::MaybeUninit::zeroed();
            // SAFETY: the kernel fills the structure, which may also stay zero (SIG_DFL).
            unsafe {
                libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
                action.assume_init()
            }
        }))
    }

    /// Makes it so again.
    pub fn restore(&self) {
        for (signal, action) in CHANGED.into_iter().zip(&self.0) {
            // SAFETY: the action is one that was in force.
            unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
        }
    }
}
