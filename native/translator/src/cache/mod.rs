//! The code cache: translations by guest pc, chained to each other.
//!
//! One cache serves all threads of a guest process. Code lives in an [`arena`];
//! when that is full a new generation starts, and the old one goes with its tables when
//! no core is in its code any more. A thread in a system call is not in it. Code is never overwritten within a generation, so
//! return addresses and jump-table entries stay valid; forgetting a block only
//! unlinks it.

pub mod arena;
mod chain;
mod faults;
mod forget;
mod install;
pub mod record;
mod source;
mod tables;

pub use faults::FloatTrap;
pub use install::{Made, Refusal};
pub use source::Source;

use crate::host::Pinning;
use arena::Arena;
use source::Changes;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tables::Tables;

/// What selects a translation: guest pc and mode.
pub type Key = (u64, u32);

/// In a translation's mode: it is a region, to be reached from its loop only.
pub const REGION: u32 = 1 << 29;

const PAGE: u64 = 4096;

/// The code of one arena.
pub struct Generation {
    pub arena: Arena,
    pub id: u64,
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

/// Where a lookup or an installation leads.
#[derive(Clone, Copy)]
pub struct Found {
    pub host: usize,
    pub generation: u64,
    entry: u32,
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

    /// Has room for what a child translates: to be called before a fork.
    pub fn make_room(&self) {
        self.lock().tables.make_room();
    }

    /// Bytes of code in the current arena.
    pub fn used(&self) -> usize {
        self.lock().generation.arena.used()
    }
}
