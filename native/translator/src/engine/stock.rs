//! The stock of a program: its translations in files, for the next process that runs it.
//!
//! There are two files ([`Shelf`]). One belongs to the program; the other, with what is in files that the program has
//! mapped, belongs to its interpreter, so that programs with the same libraries share it: nearly all that a short
//! program executes is the C library's. Both belong to an option set and a build of this library, too. What is in
//! them is used only where guest memory holds the very bytes that a translation was made from, as when a
//! translation is taken back after an `execve`, so that a file may be old, or of
//! a program that maps other libraries this time, and do no harm. They are opened after some misses only:
//! a process that finds nearly all in what it has inherited need not.

use super::Options;
use super::shelf::{MOST, Record, Shelf};
use crate::cache::record::{self, Records};
use crate::cache::{Key, Made};
use crate::host::{Host, Native};
use crate::store;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the stock of a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory of the store.
    pub folder: Vec<u8>,
    /// What names the program.
    pub program: Vec<u8>,
    /// Where the program itself is mapped.
    pub image: Range<u64>,
    /// What names its interpreter; None for a static program.
    pub interpreter: Option<Vec<u8>>,
}

/// Blocks that are translated before the files are looked at.
const PATIENCE: u32 = 24;
/// New translations that are worth a look at what is new in which file.
const WORTH: u32 = 100;
/// Those of the program itself that are worth a file: to make them takes as long as to open one.
const WORTH_OF_OWN: usize = 32;

/// See the module.
#[derive(Default)]
pub(super) struct Stock {
    state: Mutex<State>,
    /// Translations that were not found in the files.
    misses: AtomicU32,
}

#[derive(Default)]
struct State {
    place: Option<Place>,
    /// The process that began with it; what its children translate is not told apart.
    owner: u32,
    own: Shelf,
    shared: Shelf,
}

/// What a translation depends on besides the guest: this build, and what of the processor is
/// not in the least that the core wants.
fn build() -> u64 {
    let mut hasher = DefaultHasher::new();
    store::build().hash(&mut hasher);
    Native::features().hash(&mut hasher);
    hasher.finish()
}

impl Stock {
    /// From now on another program runs.
    pub fn begin(&self, place: Option<Place>, guest: &str, options: Options) {
        let mut state = self.lock();
        *state = State::default();
        self.misses.store(0, Ordering::Relaxed);
        if let Some(place) = place {
            let terms = format!("{guest} {options:?} ");
            let build = build().to_le_bytes();
            let shelf = |kind: &[u8], name: &[u8]| {
                Shelf::new([terms.as_bytes(), kind, &build, name].concat())
            };
            state.own = shelf(b"", &place.program);
            if let Some(name) = &place.interpreter {
                state.shared = shelf(b"libraries ", name);
            }
            state.owner = std::process::id();
            state.place = Some(place);
        }
    }

    /// From now on there is no file.
    pub fn forget(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Has `use_it` look at the records of a key, until it can use one.
    pub fn find<T>(&self, key: Key, mut use_it: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        if self.misses.fetch_add(1, Ordering::Relaxed) < PATIENCE {
            return None;
        }
        let mut state = self.lock();
        let State {
            place, own, shared, ..
        } = &mut *state;
        let folder = &place.as_ref()?.folder[..];
        let found = own
            .find(folder, key, &mut use_it)
            .or_else(|| shared.find(folder, key, &mut use_it))?;
        self.misses.fetch_sub(1, Ordering::Relaxed);
        Some(found)
    }

    /// The process ends: writes the files for which there is enough that is new. `records` gives what there is, of
    /// at most so many bytes, and not what a function says is there already; `is_file` says whether guest memory is
    /// a mapped file's.
    pub fn keep(
        &self,
        records: impl FnOnce(usize, &dyn Fn(Key) -> bool) -> Records,
        is_file: impl Fn(u64) -> bool,
    ) {
        let state = self.lock();
        let Some(place) = &state.place else {
            return;
        };
        let misses = self.misses.load(Ordering::Relaxed);
        if state.owner != std::process::id() || misses < WORTH {
            return;
        }
        let (own, shared) = (&state.own, &state.shared);
        let new = records(MOST, &|key| !own.has_found(key) && !shared.has_found(key));
        // When there is no room any more each program has its own again.
        let share = shared.has_room();
        let (others, mine): (Vec<Record<'_>>, Vec<Record<'_>>) = new
            .iter()
            .partition(|((pc, _), _)| share && !place.image.contains(pc) && is_file(*pc));
        own.keep(&place.folder, mine, WORTH_OF_OWN);
        shared.keep(&place.folder, others, WORTH as usize);
    }
}

impl super::NativeCore {
    /// The translation of a program that ran before, if it is right here.
    pub(super) fn take_from_stock(&mut self, pc: u64, mode: u32) -> Option<crate::cache::Found> {
        let common = self.common.clone();
        let mut work = self.work.take().unwrap_or_default();
        let found = common.stock.find((pc, mode), |bytes| {
            let source = &mut work.source;
            source.clear(common.cache.changes());
            let (key, end) = record::read(bytes, &mut work.block.pcs, &mut work.code, source)?;
            if key != (pc, mode) || !source.holds(self.code_reader()) {
                return None;
            }
            let made = Made {
                key,
                end,
                pcs: &work.block.pcs,
                code: &mut work.code,
                source,
                pin: None,
            };
            let found = common.cache.install(made, &|id| common.is_busy(id));
            found.ok()
        });
        self.work = Some(work);
        if found.is_some() {
            self.tell_translated(pc, mode);
        }
        found
    }
}
