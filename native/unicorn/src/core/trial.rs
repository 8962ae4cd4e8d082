//! Whether an instruction accesses what a debugger watches: it is tried out.
//!
//! A page of which something is watched gets no right in the TLB, so whoever accesses it comes to us, but it is not
//! said how long the access is, nor what else the instruction will access. So it is executed with the library's hooks
//! of accesses, and if one was meant, registers and memory are made again what they were: the debugger sees the
//! moment before. All of that happens in one turn ([`crate::turn`]): no other guest thread runs in between.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};

use super::{Inner, UnicornCore};
use crate::cpu::{Access, CpuCore, Exit};
use crate::ffi::{self, Engine, Saved};
use crate::memory::PAGE_SIZE;

/// An instruction that is being tried out.
struct Trial {
    /// The address of the access because of which.
    addr: u64,
    /// What it is by the guest's knowledge. Asked before, as that goes by the pc and registers.
    known: Option<Exit>,
    before: Saved,
    /// The hooks have told of that access: they do not of those of some helpers, which copy memory.
    seen: bool,
    /// The first access that is watched: [`Exit::Watched`].
    hit: Option<Exit>,
    /// What was in memory that it has stored to.
    overwritten: Vec<(u64, Vec<u8>)>,
}

/// The one of an engine.
#[derive(Default)]
pub(super) struct Trials(RefCell<Option<Trial>>);

impl UnicornCore {
    /// Executes the instruction at the pc, unless it accesses what is watched; the access at `addr` is to a page where
    /// something is.
    pub(super) fn step_watched(&mut self, access: Access, addr: u64) -> Exit {
        let inner = std::rc::Rc::clone(&self.inner);
        let user = std::rc::Rc::as_ptr(&inner).cast_mut().cast::<c_void>();
        // SAFETY: open and not running; the callback takes `user` as an `&Inner`, which outlives the engine.
        let ready = unsafe {
            let hook = inner.api.hook_accesses(inner.engine, on_access, user);
            let before = Saved::of(&inner.api, inner.engine);
            // Translations of without the hook do not call it.
            inner.api.flush_code(inner.engine);
            (hook, before)
        };
        let known = inner.watched(access, addr);
        let (Ok(hook), Ok(before)) = ready else {
            return known.unwrap_or_else(|| self.step_over());
        };
        inner.trials.0.replace(Some(Trial {
            addr,
            known,
            before,
            seen: false,
            hit: None,
            overwritten: Vec::new(),
        }));
        let exit = self.step_over();
        inner.trials.0.replace(None);
        // SAFETY: as above.
        unsafe {
            inner.api.unhook(inner.engine, hook);
            inner.api.flush_code(inner.engine);
        }
        exit
    }
}

impl Inner {
    /// Behind a run: if that was a trial, and it found something, nothing of the instruction was executed.
    pub(super) fn settle_trial(&self) -> Option<Exit> {
        let trial = self.trials.0.borrow_mut().take()?;
        let exit = match trial.hit {
            Some(hit) => hit,
            None if trial.seen => return None,
            None => trial.known?,
        };
        for (addr, bytes) in trial.overwritten.iter().rev() {
            // It was written a moment ago; if it is gone by now there is nothing to be put right.
            let _ = self.space.write(*addr, bytes);
        }
        // SAFETY: open and not running.
        unsafe { trial.before.restore(self.engine) };
        self.leave.set(None);
        self.new_pc.set(None);
        Some(exit)
    }

    fn accessed(&self, addr: u64, size: u64, write: bool) {
        let mut trials = self.trials.0.borrow_mut();
        let Some(trial) = trials.as_mut() else { return };
        let addr = self.untagged(addr);
        let page = trial.addr & !(PAGE_SIZE - 1);
        trial.seen |= addr < page + PAGE_SIZE && page < addr + size;
        if write {
            let mut bytes = vec![0; size as usize];
            if self.space.read(addr, &mut bytes).is_ok() {
                trial.overwritten.push((addr, bytes));
            }
        }
        if trial.hit.is_none() && self.stops.borrow().sees(addr, size, write) {
            let len = size as u32;
            trial.hit = Some(Exit::Watched { addr, len, write });
        }
    }
}

extern "C" fn on_access(
    _: *mut Engine,
    kind: c_int,
    addr: u64,
    size: c_int,
    _: i64,
    user: *mut c_void,
) {
    // SAFETY: `user` is the `Inner` of the running engine, as registered.
    let inner = unsafe { &*user.cast::<Inner>() };
    inner.accessed(addr, size as u64, kind == ffi::MEM_WRITE);
}
