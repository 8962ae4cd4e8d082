//! Counting instructions, while somebody asks: the library calls us before each of them.
//!
//! What is counted is what a step executes: a branch with what is in its delay slot, an EXECUTE with its target. A
//! call before an instruction that then faults, or begins again, is taken back.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;

use super::{Inner, Leave};
use crate::cpu::{Access, Exit};
use crate::ffi::Engine;

/// How many instructions were completed.
#[derive(Default)]
pub(super) struct Counter {
    /// The library's name for the hook; None: nobody asks.
    hook: Cell<Option<usize>>,
    executed: Cell<u64>,
    /// The instruction that was counted last, and whether another one is part of it that did not begin yet.
    last: Cell<(u64, bool)>,
    /// Instructions that are executed next, before which the library does not call us.
    silent: RefCell<Vec<u64>>,
}

impl Counter {
    pub(super) fn executed(&self) -> Option<u64> {
        self.hook.get().map(|_| self.executed.get())
    }

    /// The instruction that was counted last is executed anew. May be called in a signal handler.
    pub(super) fn begins_again(&self) {
        if self.hook.get().is_some() {
            self.take_back();
        }
    }

    /// What the library was about to execute it will not, or not to its end.
    fn take_back(&self) {
        self.executed.set(self.executed.get().saturating_sub(1));
        self.last.set((0, false));
    }
}

impl Inner {
    /// Begins to count from 0, or ends it. What was translated before is forgotten. Not while the engine runs.
    pub(super) fn count(&self, wanted: bool) {
        let counter = &self.counter;
        if wanted == counter.hook.get().is_some() {
            return;
        }
        let user = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: as in `open`: the callback takes `user` as an `&Inner`, which outlives the engine.
        unsafe {
            match counter.hook.take() {
                Some(hook) => self.api.unhook(self.engine, hook),
                // Without memory for a hook nothing is counted, as the debugger is told.
                None => counter.hook.set(
                    self.api
                        .hook_instructions(self.engine, on_instruction, user)
                        .ok(),
                ),
            }
            self.api.flush_code(self.engine);
        }
        counter.executed.set(0);
        counter.last.set((0, false));
    }

    /// A run begins.
    pub(super) fn begin_count(&self) {
        if self.counter.hook.get().is_some() {
            let silent = self.guest().silent(&self.stopped(self.pc()));
            self.counter.silent.replace(silent);
        }
    }

    /// At `pc` all those before it have been executed of which we have heard nothing.
    fn count_silent(&self, pc: u64) {
        let silent = self.counter.silent.take();
        let here = silent.iter().position(|&at| at == pc);
        let done = here.unwrap_or(silent.len()) as u64;
        self.counter
            .executed
            .set(self.counter.executed.get() + done);
    }

    /// An instruction is about to be executed.
    fn count_one(&self, pc: u64) {
        self.count_silent(pc);
        let counter = &self.counter;
        let (last, unfinished) = counter.last.get();
        // Behind a branch that is not taken there may be nothing executed of its slot.
        if unfinished && (pc == last || pc == last.wrapping_add(4)) {
            counter.last.set((last, false));
            return;
        }
        if self.leave.get().is_some() {
            return; // a stop before it
        }
        let cpu = self.stopped(pc);
        counter.last.set((pc, self.guest().counts_as(&cpu) > 1));
        counter.silent.replace(self.guest().silent(&cpu));
        counter.executed.set(counter.executed.get() + 1);
    }

    /// The instruction at `pc`, where a run ends, may have been counted before.
    pub(super) fn take_back_count(&self, pc: u64) {
        if self.counter.last.get().0 == pc && self.counter.hook.get().is_some() {
            self.counter.take_back();
        }
    }

    /// A run has ended: in the midst of an instruction?
    pub(super) fn settle_count(&self, left: Option<Leave>) {
        if self.counter.hook.get().is_none() {
            return;
        }
        let pc = self.pc();
        self.count_silent(pc);
        match left {
            // Its EXECUTE begins again.
            None | Some(Leave::Resume) if self.counter.last.get().1 => self.counter.take_back(),
            None | Some(Leave::Resume) => {}
            Some(Leave::Exit(
                Exit::Syscall { .. }
                | Exit::Interrupted
                | Exit::Stop
                | Exit::Fault {
                    access: Access::Fetch,
                    ..
                },
            )) => {}
            Some(Leave::Exit(_) | Leave::Near(..)) => self.take_back_count(pc),
        }
    }
}

extern "C" fn on_instruction(_: *mut Engine, pc: u64, _: u32, user: *mut c_void) {
    // SAFETY: `user` is the `Inner` of the running engine, as registered.
    unsafe { &*user.cast::<Inner>() }.count_one(pc);
}
