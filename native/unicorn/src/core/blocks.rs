//! Leaving a run before each block of guest code, while somebody wants to see them.

use std::cell::Cell;
use std::ffi::c_void;

use super::{Inner, Leave};
use crate::cpu::Exit;
use crate::ffi::Engine;
use crate::rescue;

/// The hook, and which block is executed next without a word.
#[derive(Default)]
pub(super) struct Blocks {
    /// The library's name for the hook; None: nobody asks.
    hook: Cell<Option<usize>>,
    told: Cell<Option<u64>>,
}

impl Inner {
    /// Begins to leave before blocks, or ends it. What was translated before is forgotten. Not while the engine runs.
    pub(super) fn tell_blocks(&self, wanted: bool) {
        let blocks = &self.blocks;
        if wanted == blocks.hook.get().is_some() {
            return;
        }
        let user = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: as in `open`: the callback takes `user` as an `&Inner`, which outlives the engine.
        unsafe {
            match blocks.hook.take() {
                Some(hook) => self.api.unhook(self.engine, hook),
                None => blocks
                    .hook
                    .set(self.api.hook_blocks(self.engine, on_told_block, user).ok()),
            }
            self.api.flush_code(self.engine);
        }
        blocks.told.set(None);
    }

    /// Whether the run is to be left before the block at `pc`.
    fn leaves_before(&self, pc: u64, size: u32) -> bool {
        // A step asks with a length of which nobody knows anything.
        if self.counting.get() || self.blocks.told.take() == Some(pc) {
            return false;
        }
        self.blocks.told.set(Some(pc));
        self.end_run(Leave::Exit(Exit::Block { size }));
        true
    }
}

extern "C" fn on_told_block(_: *mut Engine, pc: u64, size: u32, user: *mut c_void) {
    // SAFETY: `user` is the `Inner` of the running engine, as registered.
    let inner = unsafe { &*user.cast::<Inner>() };
    if inner.leaves_before(pc, size) && inner.can_leave() {
        // SAFETY: the library has set the program counter, and calls this from translated code. Nothing here has
        // anything to clean up.
        unsafe { rescue::leave(inner, inner.cpu.get()) };
    }
}
