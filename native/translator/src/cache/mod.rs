//! The code cache: translations by guest pc, chained to each other.
//!
//! One cache serves all threads of a guest process. Code lives in an [`arena`];
//! when that is full a new generation starts, and the old one goes with its tables when
//! no core is in its code any more. A thread in a system call is not in it. Code is never overwritten within a generation, so
//! return addresses and jump-table entries stay valid; forgetting a block only
//! unlinks it.

pub mod arena;
pub mod record;
mod source;

pub use source::Source;

use crate::host::x64::code::{Code, FaultPoint, FloatSite, Recipe, Reloc};
use crate::host::x64::layout::Pinning;
use arena::Arena;
use record::Fix;
use source::{Changes, Sources};
use std::collections::{HashMap, hash_map};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What selects a translation: guest pc and mode.
pub type Key = (u64, u32);

/// In a translation's mode: it is a region, to be reached from its loop only.
pub const REGION: u32 = 1 << 29;

const PAGE: u64 = 4096;
/// No entry.
const NONE: u32 = u32::MAX;
/// The stamp of a translation that is gone for good.
const DEAD: u32 = 0;

/// A translation.
pub struct Entry {
    pub key: Key,
    /// Where the guest code starts, and where it ends.
    start: u64,
    pub end: u64,
    pub host: usize,
    /// Its part of the tables of these names.
    faults: std::ops::Range<u32>,
    floats: std::ops::Range<u32>,
    fixes: std::ops::Range<u32>,
    /// Where its recipes start.
    recipes: u32,
    /// Exits chained to this block: the first of its [`Link`]s, or [`NONE`].
    incoming: u32,
    /// This block's own exits.
    exits: std::ops::Range<u32>,
    /// Where guest registers are, if not where they usually are.
    pin: Option<Arc<Pinning>>,
}

/// A host instruction that can fault.
struct Fault {
    /// From the translation's start.
    offset: u32,
    /// The guest instruction, from the translation's guest pc.
    pc: i32,
    write: bool,
    /// [`FaultPoint::recipe`].
    recipe: u32,
}

/// What is known about a fault in translated code.
pub struct Faulted {
    pub pc: u64,
    pub write: bool,
    /// How to get the condition flags, if they are pending.
    pub recipe: Option<Recipe>,
    /// Where guest registers are, if not where they usually are.
    pub pin: Option<Arc<Pinning>>,
}

/// An exit that was chained to a block (and may since have been chained to another), and the next one.
#[derive(Clone, Copy)]
struct Link {
    exit: u32,
    next: u32,
}

/// A jump or call in the code that can be chained. There are many, so they are small: places are offsets in the
/// arena.
struct Exit {
    target: u64,
    mode: u32,
    patch: u32,
    stub: u32,
    /// The entry that it is chained to, or [`NONE`].
    to: u32,
    /// The guest instruction that leaves, from the target.
    from: i32,
    /// A counting stub's jump, chained until the loop is hot, and where it goes when it is not; or zeros.
    inner: (u32, u32),
    /// Chained past its counter.
    hot: bool,
}

impl Exit {
    fn key(&self) -> Key {
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
}

/// The code of one arena.
pub struct Generation {
    pub arena: Arena,
    pub id: u64,
}

struct Tables {
    map: HashMap<Key, u32, Hasher>,
    entries: Vec<Entry>,
    /// By entry: equal to `stamp` while it may be used, [`DEAD`], or older than `stamp`: parked.
    stamps: Vec<u32>,
    stamp: u32,
    /// What each entry was made from.
    sources: Sources,
    /// In order of host address, as blocks are placed.
    exits: Vec<Exit>,
    links: Vec<Link>,
    faults: Vec<Fault>,
    floats: Vec<FloatSite>,
    fixes: Vec<Fix>,
    recipes: Vec<Recipe>,
    pages: HashMap<u64, Vec<u32>, Hasher>,
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
    fn is_live(&self, n: u32) -> bool {
        self.stamps[n as usize] == self.stamp
    }

    /// The live entry of a key.
    fn live(&self, key: Key) -> Option<u32> {
        self.map.get(&key).copied().filter(|&n| self.is_live(n))
    }

    /// Has exit `x` go straight to the translation of its key, if there is one.
    fn chain(&mut self, arena: &Arena, x: u32) {
        let Some(e) = self.exits.get(x as usize) else {
            return;
        };
        if let Some(target) = self.live(e.key()) {
            self.chain_to(arena, x, target);
        }
    }

    /// Has exit `x` go straight to entry `target`.
    fn chain_to(&mut self, arena: &Arena, x: u32, target: u32) {
        let Some(e) = self.exits.get(x as usize) else {
            return;
        };
        if e.to != target && !e.hot {
            arena.patch(e.usual(), self.entries[target as usize].host);
            self.link(x, target);
        }
    }

    /// Notes that exit `x` leads to entry `target`.
    fn link(&mut self, x: u32, target: u32) {
        let t = &mut self.entries[target as usize];
        self.links.push(Link {
            exit: x,
            next: t.incoming,
        });
        t.incoming = self.links.len() as u32 - 1;
        self.exits[x as usize].to = target;
    }

    /// The entry whose code is at `host`.
    fn entry_at(&self, host: usize) -> Option<&Entry> {
        let n = self.entries.partition_point(|e| e.host <= host);
        self.entries.get(n.checked_sub(1)?)
    }

    /// Has exit `x` leave translated code again.
    fn unchain(&mut self, arena: &Arena, x: u32) {
        let x = &mut self.exits[x as usize];
        x.to = NONE;
        x.hot = false;
        arena.patch(x.patch, arena.address(x.stub));
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

impl Inner {
    fn found(&self, n: u32) -> Found {
        Found {
            host: self.tables.entries[n as usize].host,
            generation: self.generation.id,
            entry: n,
        }
    }
}

struct Inner {
    changes: Changes,
    generation: Arc<Generation>,
    tables: Tables,
    /// Earlier generations that cores are or were in.
    retired: Vec<(Arc<Generation>, Tables)>,
}

impl Inner {
    /// The tables of a generation that a core is in.
    fn tables_of(&self, generation: u64) -> Option<&Tables> {
        if self.generation.id == generation {
            return Some(&self.tables);
        }
        let old = self.retired.iter().find(|(g, _)| g.id == generation)?;
        Some(&old.1)
    }

    /// Forgets the generations that nobody is in.
    fn sweep(&mut self, busy: Busy<'_>) {
        self.retired.retain(|(generation, _)| {
            let keep = busy(generation.id);
            if !keep {
                generation.arena.release();
            }
            keep
        });
    }
}

/// Says whether a core is in the code of a generation. Cores that enter it later see that it is not
/// [`Cache::current`] and leave it at once.
pub type Busy<'a> = &'a dyn Fn(u64) -> bool;

/// Why a translation was not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its code has changed since it was read.
    Changed,
    /// There is no memory for it.
    NoRoom,
}

/// The cache of one guest process.
pub struct Cache {
    inner: Mutex<Inner>,
    pub pin: Pinning,
    size: usize,
    /// Counts invalidations that hit something: tables of jump targets older than that are void.
    epoch: AtomicU64,
    /// The count of [`Inner::changes`].
    changes: AtomicU64,
    /// Some translations are or were parked.
    parked: AtomicBool,
    /// The current generation's number.
    current: AtomicU64,
}

/// How a floating-point instruction that trapped is carried out.
#[derive(Clone, Copy, Debug)]
pub enum FloatTrap {
    /// By the code at this address, which goes on behind the instruction.
    Cold(usize),
    /// By itself with the exception masked; its length.
    Masked(usize),
}

/// Where a lookup or an installation leads.
#[derive(Clone, Copy)]
pub struct Found {
    pub host: usize,
    pub generation: u64,
    entry: u32,
}

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
    /// A cache with arenas of `size` bytes.
    ///
    /// # Errors
    /// The host permits no executable memory.
    pub fn new(pin: Pinning, size: usize) -> Result<Self, String> {
        let arena = Arena::new(size, &pin)?;
        let generation = Arc::new(Generation { arena, id: 0 });
        Ok(Self {
            inner: Mutex::new(Inner {
                generation,
                tables: Tables::default(),
                retired: Vec::new(),
                changes: Changes::default(),
            }),
            pin,
            size,
            epoch: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            parked: AtomicBool::new(false),
            current: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current generation.
    #[must_use]
    pub fn generation(&self) -> Arc<Generation> {
        self.lock().generation.clone()
    }

    /// Its number. A core asks once more when it has said that it is going to be in its code.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.current.load(Ordering::SeqCst)
    }

    /// A core has left the code of an old generation: frees those that nobody is in.
    pub fn sweep(&self, busy: Busy<'_>) {
        self.lock().sweep(busy);
    }

    /// The translation of a key.
    #[must_use]
    pub fn find(&self, key: Key) -> Option<Found> {
        let inner = self.lock();
        Some(inner.found(inner.tables.live(key)?))
    }

    /// Whether there is a translation of a key.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        self.lock().tables.live(key).is_some()
    }

    /// Where the guest code of a translation ends.
    #[must_use]
    pub fn end_of(&self, key: Key) -> Option<u64> {
        let inner = self.lock();
        let n = inner.tables.live(key)?;
        Some(inner.tables.entries[n as usize].end)
    }

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
        generation
            .arena
            .patch(e.patch, tables.entries[target as usize].host);
        tables.link(n, target);
    }

    /// How often code has changed so far; to be asked before code is read.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Installs a translation, or returns the one that another thread installed meanwhile.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn install(
        &self,
        key: Key,
        end: u64,
        pcs: &[u64],
        code: &mut Code,
        source: &Source,
        busy: Busy<'_>,
    ) -> Result<Found, Refusal> {
        self.place(key, end, pcs, code, source, None, busy)
    }

    /// As [`Self::install`], of code that has guest registers in other places. Replaces what is there.
    ///
    /// # Errors
    /// As [`Self::install`].
    #[expect(clippy::too_many_arguments, reason = "what is installed")]
    pub fn install_region(
        &self,
        key: Key,
        end: u64,
        pcs: &[u64],
        code: &mut Code,
        source: &Source,
        pin: Pinning,
        busy: Busy<'_>,
    ) -> Result<Found, Refusal> {
        self.place(key, end, pcs, code, source, Some(Arc::new(pin)), busy)
    }

    /// Begins a new generation: there is no room in this one.
    fn turn_over(&self, inner: &mut Inner, busy: Busy<'_>) -> Result<(), Refusal> {
        let id = inner.generation.id + 1;
        inner.sweep(busy);
        let arena = Arena::new(self.size, &self.pin).map_err(|_| Refusal::NoRoom)?;
        let old = std::mem::replace(&mut inner.generation, Arc::new(Generation { arena, id }));
        let stamp = inner.tables.stamp;
        let tables = std::mem::take(&mut inner.tables);
        inner.tables.stamp = stamp;
        inner.retired.push((old, tables));
        self.current.store(id, Ordering::SeqCst);
        inner.sweep(busy);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "what is installed")]
    fn place(
        &self,
        key: Key,
        end: u64,
        pcs: &[u64],
        code: &mut Code,
        source: &Source,
        pin: Option<Arc<Pinning>>,
        busy: Busy<'_>,
    ) -> Result<Found, Refusal> {
        let mut inner = self.lock();
        let start = source.start().unwrap_or(key.0);
        if inner.changes.touched(source.since, start, end) {
            return Err(Refusal::Changed);
        }
        let mut host = inner.generation.arena.alloc(code.bytes.len());
        if host.is_none() {
            self.turn_over(&mut inner, busy)?;
            host = inner.generation.arena.alloc(code.bytes.len());
        }
        let host = host.ok_or(Refusal::NoRoom)?;
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        let n = tables.entries.len() as u32;
        match tables.map.entry(key) {
            hash_map::Entry::Occupied(mut e) => {
                let old = *e.get();
                if pin.is_none() && tables.stamps[old as usize] == tables.stamp {
                    // Another thread was faster.
                    return Ok(inner.found(old));
                }
                e.insert(n);
            }
            hash_map::Entry::Vacant(e) => {
                e.insert(n);
            }
        }
        let first = tables.exits.len() as u32;
        let offset = generation.arena.offset(host);
        let place = |at: u32| if at == 0 { 0 } else { offset + at };
        tables.exits.extend(code.exits.iter().map(|x| Exit {
            target: x.target,
            // The mode of a region is for nothing else.
            mode: key.1 & !REGION,
            patch: offset + x.patch,
            stub: offset + x.stub,
            to: NONE,
            from: x.from.wrapping_sub(x.target) as i32,
            inner: (place(x.inner.0), place(x.inner.1)),
            hot: false,
        }));
        for &(at, r) in &code.relocs {
            let at = at as usize;
            match r {
                Reloc::Entry(e) => {
                    let target = generation.arena.entry(e);
                    let rel = target.wrapping_sub(host + at + 4) as u32;
                    code.bytes[at..at + 4].copy_from_slice(&rel.to_le_bytes());
                }
                Reloc::Helper(f) => {
                    code.bytes[at..at + 8].copy_from_slice(&(f as usize as u64).to_le_bytes())
                }
                Reloc::Eval => {}
                Reloc::ExitNumber(n) => {
                    code.bytes[at..at + 4].copy_from_slice(&(first + n).to_le_bytes())
                }
            }
        }
        generation.arena.write(host, &code.bytes);
        let exits = first..tables.exits.len() as u32;
        let (faults, floats) = (tables.faults.len() as u32, tables.floats.len() as u32);
        let (fixes, recipes) = (tables.fixes.len() as u32, tables.recipes.len() as u32);
        let kept = code.relocs.iter().map(|&(at, r)| Fix::new(at, r));
        tables.fixes.extend(kept);
        tables.faults.extend(code.faults.iter().map(|f| Fault {
            offset: f.offset,
            pc: pcs[usize::from(f.insn)].wrapping_sub(key.0) as i32,
            write: f.write,
            recipe: f.recipe,
        }));
        tables.floats.extend_from_slice(&code.floats);
        tables.recipes.extend_from_slice(&code.recipes);
        tables.entries.push(Entry {
            key,
            start,
            end,
            host,
            faults: faults..tables.faults.len() as u32,
            floats: floats..tables.floats.len() as u32,
            fixes: fixes..tables.fixes.len() as u32,
            recipes,
            incoming: NONE,
            exits,
            pin,
        });
        tables.stamps.push(tables.stamp);
        tables.sources.push(source);
        let mut page = start & !(PAGE - 1);
        while page < end.max(start + 1) {
            tables.pages.entry(page).or_default().push(n);
            page += PAGE;
        }
        Ok(inner.found(n))
    }

    /// Forgets all translations that touch `start..end`. True if there were any.
    pub fn invalidate(&self, start: u64, end: u64) -> bool {
        let mut inner = self.lock();
        inner.changes.note(start, end);
        self.changes.store(inner.changes.count(), Ordering::Release);
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        if tables.pages.is_empty() {
            return false;
        }
        let first = start & !(PAGE - 1);
        let mut hit: Vec<u32> = Vec::new();
        let span = (end.saturating_sub(first)) / PAGE;
        if span as usize > tables.pages.len() {
            for (&p, list) in &tables.pages {
                if p < end && p + PAGE > first {
                    hit.extend(list);
                }
            }
        } else {
            let mut p = first;
            while p < end {
                hit.extend(tables.pages.get(&p).into_iter().flatten());
                p += PAGE;
            }
        }
        let mut any = false;
        for n in hit {
            let e = &tables.entries[n as usize];
            // What is parked is looked at before it is used.
            if !tables.is_live(n) || e.start >= end || e.end <= start {
                continue;
            }
            any = true;
            tables.stamps[n as usize] = DEAD;
            let e = &mut tables.entries[n as usize];
            let (key, from, end) = (e.key, e.start, e.end);
            let (mut incoming, own) = (e.incoming, e.exits.clone());
            e.incoming = NONE;
            while let Some(&Link { exit, next }) = tables.links.get(incoming as usize) {
                if tables.exits[exit as usize].to == n {
                    tables.unchain(&generation.arena, exit);
                }
                incoming = next;
            }
            // Its own exits: what still runs in it leaves at once.
            for x in own {
                tables.unchain(&generation.arena, x);
            }
            if tables.map.get(&key) == Some(&n) {
                tables.map.remove(&key);
            }
            for p in (from & !(PAGE - 1)..end.max(from + 1)).step_by(PAGE as usize) {
                if let Some(list) = tables.pages.get_mut(&p) {
                    list.retain(|&x| x != n);
                }
            }
        }
        if any {
            self.epoch.fetch_add(1, Ordering::Release);
        }
        any
    }

    /// How often something was invalidated.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What is known about the host instruction at `host`, which faulted, of a generation that the
    /// core is in.
    #[must_use]
    pub fn fault_at(&self, generation: u64, host: usize) -> Option<Faulted> {
        let inner = self.lock();
        let tables = inner.tables_of(generation)?;
        let e = tables.entry_at(host)?;
        let list = &tables.faults[e.faults.start as usize..e.faults.end as usize];
        let offset = (host - e.host) as u32;
        let f = &list[list.binary_search_by_key(&offset, |f| f.offset).ok()?];
        let recipe = (f.recipe != FaultPoint::SETTLED)
            .then(|| tables.recipes[(e.recipes + f.recipe) as usize]);
        Some(Faulted {
            pc: e.key.0.wrapping_add_signed(i64::from(f.pc)),
            write: f.write,
            recipe,
            pin: e.pin.clone(),
        })
    }

    /// What to do about the floating-point trap of the host instruction at `host`.
    #[must_use]
    pub fn float_trap(&self, generation: u64, host: usize) -> Option<FloatTrap> {
        let inner = self.lock();
        let tables = inner.tables_of(generation)?;
        let e = tables.entry_at(host)?;
        let list = &tables.floats[e.floats.start as usize..e.floats.end as usize];
        let offset = (host - e.host) as u32;
        let f = list[list.binary_search_by_key(&offset, |f| f.start).ok()?];
        Some(match f.cold {
            0 => FloatTrap::Masked((f.end - f.start) as usize),
            cold => FloatTrap::Cold(e.host + cold as usize),
        })
    }

    /// Bytes of code in the current arena.
    pub fn used(&self) -> usize {
        self.lock().generation.arena.used()
    }
}
