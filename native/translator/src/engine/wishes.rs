//! What forked children had to translate that their parent could have had ready.
//!
//! A child's translations go with it, and a shell's children all do the same between fork and exec,
//! and in the C library after it. So a child writes down what it translated and chained, in memory that it shares with
//! its parent, and the parent does the same before its next fork. These are only hints: the parent translates
//! its own memory, and only where it has the same bytes, so that a hint can be wrong, lost or
//! half written (children do not wait for each other).

use super::NativeCore;
use super::masked::MODE_BLOCKS;
use crate::shared::page::SharedPage;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

const ROOM: usize = 160;
/// Guest code compared before a hint is followed.
const SAMPLE: usize = 8;

/// A hint: `what` is a pc (or an exit's number), `mode` the translation mode (or [`CHAIN`]), `check` the guest bytes there
/// (or the generation).
#[derive(Default)]
struct Hint {
    what: AtomicU64,
    mode: AtomicU64,
    check: AtomicU64,
}

const CHAIN: u64 = u64::MAX;

struct Page {
    count: AtomicU32,
    hints: [Hint; ROOM],
}

/// The page of the process that forked this one.
static PARENTS: AtomicPtr<Page> = AtomicPtr::new(std::ptr::null_mut());
/// The page for this process's own children.
static OWN: AtomicPtr<Page> = AtomicPtr::new(std::ptr::null_mut());

fn page(which: &AtomicPtr<Page>) -> Option<&'static Page> {
    // SAFETY: pages are never unmapped, and all their fields are atomic.
    unsafe { which.load(Ordering::Acquire).as_ref() }
}

fn tell(what: u64, mode: u64, check: u64) {
    let Some(page) = page(&PARENTS) else {
        return;
    };
    let n = page.count.fetch_add(1, Ordering::AcqRel) as usize;
    if let Some(hint) = page.hints.get(n) {
        hint.check.store(check, Ordering::Relaxed);
        hint.mode.store(mode, Ordering::Relaxed);
        hint.what.store(what, Ordering::Release);
    }
}

/// In a forked child: the page that it inherited is its parent's.
pub(super) fn after_fork_in_child() {
    let inherited = OWN.swap(std::ptr::null_mut(), Ordering::AcqRel);
    PARENTS.store(inherited, Ordering::Release);
}

impl NativeCore {
    fn sample(&self, pc: u64) -> u64 {
        let mut bytes = [0; SAMPLE];
        let len = SAMPLE.min((4096 - (pc & 4095)) as usize);
        let _ = self.common.space.read(pc, &mut bytes[..len]);
        u64::from_le_bytes(bytes)
    }

    /// The block at `pc` had to be translated.
    pub(super) fn tell_translated(&self, pc: u64, mode: u32) {
        if page(&PARENTS).is_some() {
            tell(pc, u64::from(mode), self.sample(pc));
        }
    }

    /// Exit `n` had to be chained.
    pub(super) fn tell_chained(&self, generation: u64, n: u32) {
        tell(u64::from(n), CHAIN, generation);
    }

    /// Does what children wished for; there is a page for the next one then. The caller forks, and so keeps
    /// all other threads out of the translator.
    pub(super) fn follow_wishes(&mut self) {
        if !self.common.config.options.chain {
            // Every block has to come back, so nothing may be chained ahead either.
            return;
        }
        let Some(page) = page(&OWN) else {
            if let Ok(page) = SharedPage::<Page>::new() {
                OWN.store(page.get(), Ordering::Release);
                // Children of this process may use it for as long as they live.
                std::mem::forget(page);
            }
            return;
        };
        // This is not the first child, and may not be the last.
        self.common.cache.make_room();
        let count = page.count.load(Ordering::Acquire) as usize;
        if count == 0 {
            return;
        }
        let mut learned = Vec::new();
        for hint in &page.hints[..count.min(ROOM)] {
            let what = hint.what.swap(0, Ordering::AcqRel);
            let mode = hint.mode.load(Ordering::Relaxed);
            let check = hint.check.load(Ordering::Relaxed);
            if mode == CHAIN {
                self.common.cache.chain(check, what as u32);
            } else if what != 0
                && let Ok(mode) = u32::try_from(mode)
                && mode & MODE_BLOCKS == 0
                && self.common.cache.find((what, mode)).is_none()
                && self.sample(what) == check
                && self.lookup(what, mode).is_ok()
            {
                learned.push((what, mode));
            }
        }
        page.count.store(0, Ordering::Release);
        for key in learned {
            self.common.cache.chain_exits(key);
        }
    }
}
