//! Stopping a running engine from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use super::ffi::{Api, Engine};
use crate::cpu::Interrupter;

/// Shared by a core and everybody who may interrupt it.
///
/// `uc_emu_stop` on its own is not enough: what it sets is reset when a run begins, so
/// that a call just before would be lost. Hence `pending`, which the core looks at in every
/// callback; and since a run begins with an empty TLB, it has one (the fetch of its first
/// instruction) after that reset.
pub struct Stop {
    pending: AtomicBool,
    /// Another guest thread waits for its turn, see [`super::turn`].
    turn_wanted: AtomicBool,
    /// The engine may be told to stop at any moment. Else the core looks at the flags often.
    direct: AtomicBool,
    /// That, while it does not count instructions ([`crate::target::Target`]).
    stops_between_blocks: bool,
    /// Null once the engine is closed.
    engine: AtomicPtr<Engine>,
    /// How many threads and signal handlers are within [`Stop::interrupt`].
    users: AtomicU32,
    api: Arc<Api>,
}

impl Stop {
    pub fn new(api: Arc<Api>, engine: *mut Engine, stops_between_blocks: bool) -> Self {
        Self {
            pending: AtomicBool::new(false),
            turn_wanted: AtomicBool::new(false),
            direct: AtomicBool::new(stops_between_blocks),
            stops_between_blocks,
            engine: AtomicPtr::new(engine),
            users: AtomicU32::new(0),
            api,
        }
    }

    /// Whether the engine is to stop, for one reason or the other.
    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst) || self.turn_wanted.load(Ordering::SeqCst)
    }

    /// Has the engine stop so that the turn can change, without an interrupt for the guest.
    pub fn ask_for_turn(&self) {
        self.turn_wanted.store(true, Ordering::SeqCst);
        self.stop_engine();
    }

    /// To be called with the turn newly taken.
    pub fn turn_begins(&self) {
        self.turn_wanted.store(false, Ordering::SeqCst);
    }

    /// While the engine counts instructions it can stop within one, see [`super::stops`]; but
    /// then it does stop soon.
    pub fn set_counting(&self, counting: bool) {
        self.direct
            .store(self.stops_between_blocks && !counting, Ordering::SeqCst);
    }

    /// True when an interrupt was pending, which it then no longer is.
    pub fn take(&self) -> bool {
        self.pending.swap(false, Ordering::SeqCst)
    }

    /// Called before the engine is closed: nobody uses it afterwards.
    pub fn engine_closes(&self) {
        self.engine.store(std::ptr::null_mut(), Ordering::SeqCst);
        while self.users.load(Ordering::SeqCst) != 0 {
            std::hint::spin_loop();
        }
    }
}

impl Stop {
    fn stop_engine(&self) {
        if !self.direct.load(Ordering::SeqCst) {
            return;
        }
        self.users.fetch_add(1, Ordering::SeqCst);
        let engine = self.engine.load(Ordering::SeqCst);
        if !engine.is_null() {
            // SAFETY: the engine is open, since `engine_closes` waits for us. On an
            // initialised engine `uc_emu_stop` only stores to flags (uc.c, `cpu_exit`), so it
            // may be called from signal handlers and other threads.
            unsafe { (self.api.emu_stop)(engine) };
        }
        self.users.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Interrupter for Stop {
    fn interrupt(&self) {
        self.pending.store(true, Ordering::SeqCst);
        self.stop_engine();
    }
}
