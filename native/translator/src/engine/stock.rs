//! The stock of a program: its translations in a file, for the next process that runs it.
//!
//! A file belongs to a program, an option set and a build of this library. What is in it is used
//! only where guest memory holds the very bytes that a translation was made from, as when a
//! translation is taken back after an `execve`, so that a file may be old, or of
//! a program that maps other libraries this time, and do no harm. It is opened after some misses only:
//! a process that finds nearly all in what it has inherited need not.

use super::Options;
use crate::cache::{Key, Made, record};
use crate::crc32::crc32;
use crate::host::{Host, Native};
use crate::store;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the stock of a program is: the directory of the store, and what names the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub folder: Vec<u8>,
    pub program: Vec<u8>,
}

/// The kind of its entry in the store.
const KIND: &str = "code";
/// No more is kept if less than this is left of that.
const LITTLE: usize = MOST / 16;

/// Blocks that are translated before the file is looked at.
const PATIENCE: u32 = 24;
/// New translations that are worth a new file.
const WORTH: u32 = 100;
/// All records of a file.
const MOST: usize = 16 << 20;

/// One line of the index: guest pc, mode, and place, length and CRC-32 of the record.
const LINE: usize = 24;

/// See the module.
#[derive(Default)]
pub(super) struct Stock {
    state: Mutex<State>,
    /// Translations that were not found in the file.
    misses: AtomicU32,
}

#[derive(Default)]
struct State {
    place: Option<Place>,
    key: Vec<u8>,
    /// The process that began with it; what its children translate is not told apart.
    owner: u32,
    tried: bool,
    /// What was found in the file and was right.
    found: HashSet<Key>,
    file: Option<File>,
}

/// An open file, mapped.
struct File {
    map: store::Mapped,
    /// Where the index is, and its lines.
    index: usize,
    count: usize,
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
            state.key = [terms.as_bytes(), &build().to_le_bytes(), &place.program].concat();
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

    /// Has `use_it` look at the record of a key, if there is one.
    pub fn find<T>(&self, key: Key, use_it: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        if self.misses.fetch_add(1, Ordering::Relaxed) < PATIENCE {
            return None;
        }
        let mut state = self.lock();
        if !state.tried {
            state.tried = true;
            state.file = state
                .place
                .as_ref()
                .and_then(|place| File::open(place, &state.key));
        }
        let found = use_it(state.file.as_ref()?.find(key)?)?;
        state.found.insert(key);
        self.misses.fetch_sub(1, Ordering::Relaxed);
        Some(found)
    }

    /// The process ends: writes a file if there is enough that is new. `records` gives what there is, of
    /// at most so many bytes, and not what a function says is there already.
    pub fn keep(&self, records: impl FnOnce(usize, &dyn Fn(Key) -> bool) -> Vec<(Key, Vec<u8>)>) {
        let state = self.lock();
        let Some(place) = &state.place else {
            return;
        };
        let misses = self.misses.load(Ordering::Relaxed);
        if state.owner != std::process::id() || misses < WORTH {
            return;
        }
        let old = state.file.as_ref();
        let room = MOST.saturating_sub(old.map_or(0, File::size));
        if room < LITTLE {
            return;
        }
        let mut all = records(room, &|key| !state.found.contains(&key));
        // Those from before the file was opened.
        all.retain(|(key, record)| old.and_then(|file| file.find(*key)) != Some(record));
        if all.len() < WORTH as usize {
            return;
        }
        let new: HashSet<Key> = all.iter().map(|(key, _)| *key).collect();
        for n in 0..old.map_or(0, |file| file.count) {
            if let Some((key, record)) = old.and_then(|file| file.record(n))
                && !new.contains(&key)
            {
                all.push((key, record.to_vec()));
            }
        }
        all.sort_unstable_by_key(|(key, _)| *key);
        // No failure of the store is one of the program.
        let _ = store::put(&place.folder, KIND, &state.key, &image(&all));
    }
}

/// The index and the records.
fn image(records: &[(Key, Vec<u8>)]) -> Vec<u8> {
    let size: usize = records.iter().map(|(_, record)| LINE + record.len()).sum();
    let mut out = Vec::with_capacity(size + 4);
    out.extend_from_slice(&(records.len() as u32).to_le_bytes());
    let mut at = 4 + records.len() * LINE;
    for (key, record) in records {
        out.extend_from_slice(&key.0.to_le_bytes());
        for n in [key.1, at as u32, record.len() as u32, crc32(record, 0)] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        at += record.len();
    }
    for (_, record) in records {
        out.extend_from_slice(record);
    }
    out
}

impl File {
    fn open(place: &Place, key: &[u8]) -> Option<Self> {
        let map = store::map(&place.folder, KIND, key)?;
        let index = map.value;
        let count = map.bytes().get(index..)?.first_chunk()?;
        let count = u32::from_le_bytes(*count) as usize;
        let file = Self {
            index: index + 4,
            count,
            map,
        };
        (file.map.bytes().len() >= file.index + count * LINE).then_some(file)
    }

    fn size(&self) -> usize {
        self.map.bytes().len()
    }

    fn line(&self, n: usize) -> (Key, usize, usize, u32) {
        let at = self.index + n * LINE;
        let line = &self.map.bytes()[at..at + LINE];
        let word =
            |at: usize| u32::from_le_bytes([line[at], line[at + 1], line[at + 2], line[at + 3]]);
        let pc = u64::from(word(0)) | u64::from(word(4)) << 32;
        (
            (pc, word(8)),
            word(12) as usize,
            word(16) as usize,
            word(20),
        )
    }

    fn record(&self, n: usize) -> Option<(Key, &[u8])> {
        let (key, at, length, sum) = self.line(n);
        let start = self.map.value + at;
        let record = self.map.bytes().get(start..start + length)?;
        (crc32(record, 0) == sum).then_some((key, record))
    }

    fn find(&self, key: Key) -> Option<&[u8]> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = (low + high) / 2;
            if self.line(middle).0 < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (found, record) = (low < self.count).then(|| self.record(low))??;
        (found == key).then_some(record)
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
            let fetch = |at, to: &mut [u8]| self.fetch(at, to) == Ok(to.len());
            if key != (pc, mode) || !source.holds(fetch) {
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
