//! Ways out of translated code that lead to other translated code.

use super::masked::MODE_BLOCKS;
use super::region::MODE_REGION;
use super::run::{Ahead, Next};
use super::shared::WANT_ATTENTION;
use super::translate::NoCode;
use super::{NativeCore, gate};
use crate::cache::Found;
use crate::host::Cpu;
use std::sync::atomic::Ordering;

impl NativeCore {
    /// Moves to the cache's generation, if that is another than the core's. What was found in `generation` is of use
    /// only where that is the core's afterwards.
    fn follow(&mut self, generation: u64) {
        if self.generation.id != generation {
            self.generation = self.common.cache.generation();
            self.clear_jumps();
            self.reset_returns();
            // So that the old one can go.
            self.common.for_each_core(|core| {
                let inside = core.inside.load(Ordering::SeqCst);
                if inside != 0 && inside - 1 != generation {
                    core.kick(WANT_ATTENTION);
                }
            });
        }
    }

    /// The translation of a pc in the core's generation, made if there is none.
    pub(super) fn lookup(&mut self, pc: u64, mode: u32) -> Result<Found, NoCode> {
        loop {
            let found = match self.common.cache.find((pc, mode)) {
                Some(found) => {
                    self.follow(found.generation);
                    found
                }
                None => self.make(pc, mode)?,
            };
            // Another thread may have begun one more generation since.
            if found.generation == self.generation.id {
                return Ok(found);
            }
        }
    }

    /// The translation of a pc that has none yet.
    fn make(&mut self, pc: u64, mode: u32) -> Result<Found, NoCode> {
        let known = if self.common.was_debugged() {
            None
        } else {
            let parked = self.take_back(pc, mode);
            parked.or_else(|| self.take_from_stock(pc, mode))
        };
        let found = match known {
            Some(f) => f,
            None => self.translate(pc, mode)?,
        };
        self.follow(found.generation);
        Ok(found)
    }

    /// Exit `n` was taken for the first time.
    pub(super) fn link(&mut self, n: u32) -> Next {
        let _gate = gate::inside();
        let id = self.generation.id;
        let epoch = self.common.cache.epoch();
        let Some(exit) = self.common.cache.taken(id, n) else {
            // The exit of a generation that is over: its pc is lost with the tables.
            unreachable!("an exit of an old generation");
        };
        let key = (exit.pc, exit.mode);
        self.st().pc = exit.pc;
        if !self.common.config.options.chain
            || self.common.config.check
            || exit.mode & MODE_BLOCKS != 0
        {
            return Next::Go;
        }
        let found = match exit.found {
            Some(found) => {
                self.follow(found.generation);
                found
            }
            None => match self.make(key.0, key.1) {
                Ok(found) => found,
                // `run_once` will say so.
                Err(_) => return Next::Go,
            },
        };
        self.common.cache.chain_to(id, n, found);
        self.tell_chained(id, n);
        self.next = Some(Ahead { key, epoch, found });
        Next::Go
    }

    /// Exit `n`, a backward jump, was taken often.
    pub(super) fn hot(&mut self, n: u32) -> Next {
        let _gate = gate::inside();
        let id = self.generation.id;
        let Some(exit) = self.common.cache.taken(id, n) else {
            unreachable!("an exit of an old generation");
        };
        let (pc, mode, last) = (exit.pc, exit.mode, exit.from);
        let limit = self.common.config.hot;
        self.st().pc = pc;
        *self.cpu().heat(pc) = limit;
        if self.common.cache.current() != id {
            return Next::Go;
        }
        // Without a region the exit at least need not count any more.
        let mode = match self.translate_region(pc, last, mode) {
            Some(_) => mode | MODE_REGION,
            None => mode,
        };
        self.common.cache.chain_hot(id, n, mode);
        Next::Go
    }

    /// An indirect jump whose target is not in the core's table.
    pub(super) fn indirect(&mut self) -> Next {
        let _gate = gate::inside();
        let pc = self.common.guest.code_address(self.st_ref().pc);
        self.st().pc = pc;
        let mode = self.translation_mode();
        let (pointer, top) = self.cpu_ref().returns();
        if pointer > top {
            self.reset_returns();
        }
        let epoch = self.common.cache.epoch();
        if let Ok(found) = self.lookup(pc, mode) {
            let n = (pc << 2 & 0xfff0) as usize / 16;
            self.jumps[n] = [pc, found.host as u64];
            let key = (pc, mode);
            self.next = Some(Ahead { key, epoch, found });
        }
        Next::Go
    }
}
