//! Exits that were taken, and chaining them to the translations that they lead to.

use super::{Cache, Found, Inner, Key};

/// An exit that was taken.
pub struct Taken {
    /// Where it leads.
    pub pc: u64,
    pub mode: u32,
    /// The instruction that it comes from.
    pub from: u64,
    /// The translation there, if there is one.
    pub found: Option<Found>,
}

impl Cache {
    /// What exit `n` of generation `generation`, which was taken, leads to.
    #[must_use]
    pub fn taken(&self, generation: u64, n: u32) -> Option<Taken> {
        let inner = self.lock();
        let e = inner.tables_of(generation)?.exits.get(n as usize)?;
        Some(Taken {
            pc: e.target,
            mode: e.mode,
            from: e.target.wrapping_add_signed(i64::from(e.from)),
            found: inner.tables.live(e.key()).map(|n| inner.found(n)),
        })
    }

    /// Chains exit `n` of generation `generation` to `found`, if both are still there.
    pub fn chain_to(&self, generation: u64, n: u32, found: Found) {
        let mut inner = self.lock();
        if inner.generation.id != generation || found.generation != generation {
            return;
        }
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        if tables.is_live(found.entry) {
            tables.chain_to(&generation.arena, n, found.entry);
        }
    }

    /// Chains exit `n` to the translation of its key, if there is one.
    pub fn chain(&self, generation: u64, n: u32) {
        let mut inner = self.lock();
        if inner.generation.id != generation {
            return;
        }
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        tables.chain(&generation.arena, n);
    }

    /// Chains the exits of a translation as far as there are translations for them.
    pub fn chain_exits(&self, key: Key) {
        let mut inner = self.lock();
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        if let Some(n) = tables.live(key) {
            for x in tables.entries[n as usize].exits.clone() {
                tables.chain(&generation.arena, x);
            }
        }
    }

    /// Chains exit `n`, which counts, past its counter, to the translation of its pc in `mode`.
    pub fn chain_hot(&self, generation: u64, n: u32, mode: u32) {
        let mut inner = self.lock();
        if inner.generation.id != generation {
            return;
        }
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        let key = (tables.exits[n as usize].target, mode);
        let Some(target) = tables.live(key) else {
            return;
        };
        let e = &mut tables.exits[n as usize];
        e.hot = true;
        let to = &tables.entries[target as usize];
        generation.arena.patch(e.patch, to.host);
        e.shorten(&generation.arena, to);
        tables.link(n, target);
    }
}
