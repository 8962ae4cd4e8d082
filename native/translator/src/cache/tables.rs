//! What is known about the translations of a generation: entries, exits and what is chained, by guest pc and host address.

use super::Key;
use super::arena::Arena;
use super::record::Fix;
use super::source::Sources;
use crate::host::Pinning;
use crate::host::code::{FloatSite, Recipe};
use std::collections::HashMap;
use std::sync::Arc;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// The stamp of a translation that is gone for good.
pub(super) const DEAD: u32 = 0;

/// A translation.
pub struct Entry {
    pub key: Key,
    /// Where the guest code starts, and where it ends.
    pub(super) start: u64,
    pub end: u64,
    pub host: usize,
    /// Its part of the tables of these names.
    pub(super) faults: std::ops::Range<u32>,
    pub(super) floats: std::ops::Range<u32>,
    pub(super) fixes: std::ops::Range<u32>,
    /// Where its recipes start.
    pub(super) recipes: u32,
    /// Exits chained to this block: the first of its [`Link`]s, or [`NONE`].
    pub(super) incoming: u32,
    /// This block's own exits.
    pub(super) exits: std::ops::Range<u32>,
    /// Where guest registers are, if not where they usually are.
    pub(super) pin: Option<Arc<Pinning>>,
    /// [`Code::risk`](crate::host::code::Code::risk)
    pub(super) risk: u64,
}

/// A host instruction that can fault.
pub(super) struct Fault {
    /// From the translation's start.
    pub(super) offset: u32,
    /// The guest instruction, from the translation's guest pc.
    pub(super) pc: i32,
    /// [`FaultPoint::insn`].
    pub(super) insn: u16,
    pub(super) write: bool,
    /// [`FaultPoint::rough`].
    pub(super) rough: bool,
    /// [`FaultPoint::recipe`].
    pub(super) recipe: u32,
}

/// An exit that was chained to a block (and may since have been chained to another), and the next one.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) exit: u32,
    pub(super) next: u32,
}

/// A jump or call in the code that can be chained. There are many, so they are small: places are offsets in the
/// arena.
pub(super) struct Exit {
    pub(super) target: u64,
    pub(super) mode: u32,
    pub(super) patch: u32,
    pub(super) stub: u32,
    /// The entry that it is chained to, or [`NONE`].
    pub(super) to: u32,
    /// The guest instruction that leaves, from the target.
    pub(super) from: i32,
    /// A counting stub's jump, chained until the loop is hot, and where it goes when it is not; or zeros.
    pub(super) inner: (u32, u32),
    /// [`ExitSite::direct`](crate::host::code::ExitSite::direct), or zeros, and what it takes.
    pub(super) direct: (u32, u32),
    pub(super) needs: u64,
    /// Chained past its counter.
    pub(super) hot: bool,
}

impl Exit {
    pub(super) fn key(&self) -> Key {
        (self.target, self.mode)
    }

    /// What is patched as long as it counts, if it does.
    fn usual(&self) -> u32 {
        if self.inner.0 == 0 {
            self.patch
        } else {
            self.inner.0
        }
    }

    /// Leads to `target` without storing the flags, if that permits.
    pub(super) fn shorten(&self, arena: &Arena, target: &Entry) {
        if self.direct.0 != 0 && self.needs & target.risk == 0 {
            arena.patch(self.direct.0, target.host);
        }
    }
}

pub(super) struct Tables {
    pub(super) map: HashMap<Key, u32, Hasher>,
    pub(super) entries: Vec<Entry>,
    /// By entry: equal to `stamp` while it may be used, [`DEAD`], or older than `stamp`: parked.
    pub(super) stamps: Vec<u32>,
    pub(super) stamp: u32,
    /// What each entry was made from.
    pub(super) sources: Sources,
    /// In order of host address, as blocks are placed.
    pub(super) exits: Vec<Exit>,
    pub(super) links: Vec<Link>,
    pub(super) faults: Vec<Fault>,
    pub(super) floats: Vec<FloatSite>,
    pub(super) fixes: Vec<Fix>,
    pub(super) recipes: Vec<Recipe>,
    pub(super) pages: HashMap<u64, Vec<u32>, Hasher>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            map: HashMap::default(),
            entries: Vec::new(),
            stamps: Vec::new(),
            stamp: DEAD + 1,
            sources: Sources::default(),
            exits: Vec::new(),
            links: Vec::new(),
            faults: Vec::new(),
            floats: Vec::new(),
            fixes: Vec::new(),
            recipes: Vec::new(),
            pages: HashMap::default(),
        }
    }
}

impl Tables {
    /// Has room for what a forked child translates, which would else begin with copies of whole tables.
    pub(super) fn make_room(&mut self) {
        const COUNT: usize = 64;
        self.map.reserve(COUNT);
        self.entries.reserve(COUNT);
        self.stamps.reserve(COUNT);
        self.sources.make_room(COUNT);
        self.exits.reserve(4 * COUNT);
        self.links.reserve(8 * COUNT);
        self.faults.reserve(16 * COUNT);
        self.floats.reserve(COUNT);
        self.fixes.reserve(16 * COUNT);
        self.recipes.reserve(4 * COUNT);
        self.pages.reserve(COUNT / 4);
    }

    pub(super) fn is_live(&self, n: u32) -> bool {
        self.stamps[n as usize] == self.stamp
    }

    /// The live entry of a key.
    pub(super) fn live(&self, key: Key) -> Option<u32> {
        self.map.get(&key).copied().filter(|&n| self.is_live(n))
    }

    /// Has exit `x` go straight to the translation of its key, if there is one.
    pub(super) fn chain(&mut self, arena: &Arena, x: u32) {
        let Some(e) = self.exits.get(x as usize) else {
            return;
        };
        if let Some(target) = self.live(e.key()) {
            self.chain_to(arena, x, target);
        }
    }

    /// Has exit `x` go straight to entry `target`.
    pub(super) fn chain_to(&mut self, arena: &Arena, x: u32, target: u32) {
        let Some(e) = self.exits.get(x as usize) else {
            return;
        };
        if e.to != target && !e.hot {
            let t = &self.entries[target as usize];
            arena.patch(e.usual(), t.host);
            // What counts is on the longer way.
            if e.inner.0 == 0 {
                e.shorten(arena, t);
            }
            self.link(x, target);
        }
    }

    /// Notes that exit `x` leads to entry `target`.
    pub(super) fn link(&mut self, x: u32, target: u32) {
        let t = &mut self.entries[target as usize];
        self.links.push(Link {
            exit: x,
            next: t.incoming,
        });
        t.incoming = self.links.len() as u32 - 1;
        self.exits[x as usize].to = target;
    }

    /// The entry whose code is at `host`.
    pub(super) fn entry_at(&self, host: usize) -> Option<&Entry> {
        let n = self.entries.partition_point(|e| e.host <= host);
        self.entries.get(n.checked_sub(1)?)
    }

    /// Has exit `x` leave translated code again.
    pub(super) fn unchain(&mut self, arena: &Arena, x: u32) {
        let x = &mut self.exits[x as usize];
        x.to = NONE;
        x.hot = false;
        arena.patch(x.patch, arena.address(x.stub));
        if x.direct.0 != 0 {
            arena.patch(x.direct.0, arena.address(x.direct.1));
        }
        if x.inner.0 != 0 {
            arena.patch(x.inner.0, arena.address(x.inner.1));
        }
    }
}

/// A multiplicative hash: keys are addresses, not input of an adversary that matters.
#[derive(Clone, Default)]
pub struct Hasher(u64);

impl std::hash::Hasher for Hasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(u64::from(b));
        }
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 29;
    }
}

impl std::hash::BuildHasher for Hasher {
    type Hasher = Self;
    fn build_hasher(&self) -> Self {
        Self::default()
    }
}
