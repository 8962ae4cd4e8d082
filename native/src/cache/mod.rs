//! The code cache: translations by guest pc, chained to each other.
//!
//! One cache serves all threads of a guest process. Code lives in an [`arena`];
//! when that is full a new generation starts and the old one goes when
//! the last core has left it. Code is never overwritten within a generation, so
//! return addresses and jump-table entries stay valid; forgetting a block only
//! unlinks it.

pub mod arena;
mod source;

pub use source::Source;

use crate::host::x64::codegen::{Code, FaultPoint, FloatSite, Reloc};
use crate::host::x64::layout::Pinning;
use arena::Arena;
use source::{Changes, Sources};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
    /// Where the guest code ends.
    pub end: u64,
    pub host: usize,
    pub len: usize,
    pub faults: Vec<FaultPoint>,
    floats: Vec<FloatSite>,
    pub pcs: Vec<u64>,
    /// Exits chained to this block.
    incoming: Vec<u32>,
    /// This block's own exits.
    exits: std::ops::Range<u32>,
    /// Where guest registers are, if not where they usually are.
    pin: Option<Arc<Pinning>>,
}

/// A jump or call in the code that can be chained.
struct Exit {
    patch: usize,
    stub: usize,
    key: Key,
    /// The entry that it is chained to, or [`NONE`].
    to: u32,
    /// The guest instruction that leaves.
    from: u64,
    /// A counting stub's jump, chained until the loop is hot, and where it goes when it is not.
    inner: Option<(usize, usize)>,
    /// Chained past its counter.
    hot: bool,
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
        let Some(target) = self.live(e.key) else {
            return;
        };
        if e.to != target && !e.hot {
            let t = &mut self.entries[target as usize];
            arena.patch(e.inner.map_or(e.patch, |i| i.0), t.host);
            t.incoming.push(x);
            self.exits[x as usize].to = target;
        }
    }

    /// Has exit `x` leave translated code again.
    fn unchain(&mut self, arena: &Arena, x: u32) {
        let x = &mut self.exits[x as usize];
        x.to = NONE;
        x.hot = false;
        arena.patch(x.patch, x.stub);
        if let Some((patch, stub)) = x.inner {
            arena.patch(patch, stub);
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

struct Inner {
    changes: Changes,
    generation: Arc<Generation>,
    tables: Tables,
    /// Where the exits of earlier generations lead that cores may still be in.
    retired: Vec<(Weak<Generation>, u64, Vec<Exit>)>,
}

/// The cache of one guest process.
pub struct Cache {
    inner: Mutex<Inner>,
    pub pin: Pinning,
    size: usize,
    /// Counts invalidations that hit something: tables of jump targets older than that are void.
    epoch: AtomicU64,
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
#[derive(Clone)]
pub struct Found {
    pub host: usize,
    pub generation: u64,
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

    /// The translation of a key.
    #[must_use]
    pub fn find(&self, key: Key) -> Option<Found> {
        let inner = self.lock();
        let n = inner.tables.live(key)?;
        Some(Found {
            host: inner.tables.entries[n as usize].host,
            generation: inner.generation.id,
        })
    }

    /// Where the guest code of a translation ends.
    #[must_use]
    pub fn end_of(&self, key: Key) -> Option<u64> {
        let inner = self.lock();
        let n = inner.tables.live(key)?;
        Some(inner.tables.entries[n as usize].end)
    }

    /// The guest pc and mode that exit `n` of generation `generation` leads to, and the instruction it comes from.
    #[must_use]
    pub fn exit(&self, generation: u64, n: u32) -> Option<(u64, u32, u64)> {
        let inner = self.lock();
        let exits = if inner.generation.id == generation {
            &inner.tables.exits
        } else {
            &inner.retired.iter().find(|r| r.1 == generation)?.2
        };
        let e = exits.get(n as usize)?;
        Some((e.key.0, e.key.1, e.from))
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
        let key = (tables.exits[n as usize].key.0, mode);
        let Some(target) = tables.live(key) else {
            return;
        };
        let e = &mut tables.exits[n as usize];
        let t = &mut tables.entries[target as usize];
        e.to = target;
        e.hot = true;
        generation.arena.patch(e.patch, t.host);
        t.incoming.push(n);
    }

    /// How often code has changed so far; to be asked before code is read.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.lock().changes.count()
    }

    /// Installs a translation, or returns the one that another thread installed meanwhile. None: the
    /// code has changed since it was read.
    ///
    /// # Errors
    /// The host permits no more executable memory.
    pub fn install(
        &self,
        key: Key,
        end: u64,
        pcs: Vec<u64>,
        code: Code,
        source: &Source,
    ) -> Result<Option<Found>, String> {
        self.place(key, end, pcs, code, source, None)
    }

    /// As [`Self::install`], of code that has guest registers in other places. Replaces what is there.
    ///
    /// # Errors
    /// As [`Self::install`].
    pub fn install_region(
        &self,
        key: Key,
        end: u64,
        pcs: Vec<u64>,
        code: Code,
        source: &Source,
        pin: Pinning,
    ) -> Result<Option<Found>, String> {
        self.place(key, end, pcs, code, source, Some(Arc::new(pin)))
    }

    fn place(
        &self,
        key: Key,
        end: u64,
        pcs: Vec<u64>,
        mut code: Code,
        source: &Source,
        pin: Option<Arc<Pinning>>,
    ) -> Result<Option<Found>, String> {
        let mut inner = self.lock();
        if inner.changes.touched(source.since, key.0, end) {
            return Ok(None);
        }
        if pin.is_none()
            && let Some(n) = inner.tables.live(key)
        {
            return Ok(Some(Found {
                host: inner.tables.entries[n as usize].host,
                generation: inner.generation.id,
            }));
        }
        let mut host = inner.generation.arena.alloc(code.bytes.len());
        if host.is_none() {
            let id = inner.generation.id + 1;
            let arena = Arena::new(self.size, &self.pin)?;
            let old = std::mem::replace(&mut inner.generation, Arc::new(Generation { arena, id }));
            let tables = std::mem::take(&mut inner.tables);
            inner.retired.retain(|r| r.0.strong_count() > 0);
            inner
                .retired
                .push((Arc::downgrade(&old), old.id, tables.exits));
            host = inner.generation.arena.alloc(code.bytes.len());
        }
        let host = host.ok_or("a translation larger than the code cache")?;
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        let first = tables.exits.len() as u32;
        for x in &code.exits {
            let (patch, stub) = (host + x.patch as usize, host + x.stub as usize);
            tables.exits.push(Exit {
                patch,
                stub,
                // The mode of a region is for nothing else.
                key: (x.target, key.1 & !REGION),
                to: NONE,
                from: x.from,
                hot: false,
                inner: (x.inner.0 != 0)
                    .then(|| (host + x.inner.0 as usize, host + x.inner.1 as usize)),
            });
        }
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
        let n = tables.entries.len() as u32;
        let exits = first..tables.exits.len() as u32;
        let len = code.bytes.len();
        tables.entries.push(Entry {
            key,
            end,
            host,
            len,
            faults: code.faults,
            floats: code.floats,
            pcs,
            incoming: Vec::new(),
            exits,
            pin,
        });
        tables.stamps.push(tables.stamp);
        tables.sources.push(source);
        tables.map.insert(key, n);
        let mut page = key.0 & !(PAGE - 1);
        while page < end.max(key.0 + 1) {
            tables.pages.entry(page).or_default().push(n);
            page += PAGE;
        }
        Ok(Some(Found {
            host,
            generation: generation.id,
        }))
    }

    /// Forgets all translations that touch `start..end`. True if there were any.
    pub fn invalidate(&self, start: u64, end: u64) -> bool {
        let mut inner = self.lock();
        inner.changes.note(start, end);
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
            if !tables.is_live(n) || e.key.0 >= end || e.end <= start {
                continue;
            }
            any = true;
            tables.stamps[n as usize] = DEAD;
            let e = &mut tables.entries[n as usize];
            let (key, end) = (e.key, e.end);
            let (incoming, own) = (std::mem::take(&mut e.incoming), e.exits.clone());
            for x in incoming {
                if tables.exits[x as usize].to == n {
                    tables.unchain(&generation.arena, x);
                }
            }
            // Its own exits: what still runs in it leaves at once.
            for x in own {
                tables.unchain(&generation.arena, x);
            }
            if tables.map.get(&key) == Some(&n) {
                tables.map.remove(&key);
            }
            for p in (key.0 & !(PAGE - 1)..end.max(key.0 + 1)).step_by(PAGE as usize) {
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

    /// The guest pc and the flags recipe of the host instruction at `host`, and where guest registers are.
    #[must_use]
    pub fn fault_at(&self, host: usize) -> Option<(u64, FaultPoint, Option<Arc<Pinning>>)> {
        let inner = self.lock();
        let list = &inner.tables.entries;
        let n = list.partition_point(|e| e.host <= host).checked_sub(1)?;
        let e = &list[n];
        let offset = (host - e.host) as u32;
        let k = e.faults.binary_search_by_key(&offset, |f| f.offset).ok()?;
        let f = e.faults[k].clone();
        Some((e.pcs[usize::from(f.insn)], f, e.pin.clone()))
    }

    /// What to do about the floating-point trap of the host instruction at `host`.
    #[must_use]
    pub fn float_trap(&self, host: usize) -> Option<FloatTrap> {
        let inner = self.lock();
        let list = &inner.tables.entries;
        let n = list.partition_point(|e| e.host <= host).checked_sub(1)?;
        let e = &list[n];
        let offset = (host - e.host) as u32;
        let k = e.floats.binary_search_by_key(&offset, |f| f.start).ok()?;
        let f = e.floats[k];
        Some(match f.cold {
            0 => FloatTrap::Masked((f.end - f.start) as usize),
            cold => FloatTrap::Cold(e.host + cold as usize),
        })
    }

    /// Bytes of code in the current arena.
    #[must_use]
    pub fn used(&self) -> usize {
        self.lock().generation.arena.used()
    }
}
