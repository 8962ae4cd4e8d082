//! A file of translations in the store, of which there are two for a program: see [`super::stock`].

use crate::cache::Key;
use crate::crc32::crc32;
use crate::store;
use std::collections::HashSet;

/// The kind of its entry in the store.
const KIND: &str = "code";
/// All records of a file.
pub(super) const MOST: usize = 16 << 20;
/// No more is kept if less than this is left of that.
const LITTLE: usize = MOST / 16;

/// One line of the index: guest pc, mode, and place, length and CRC-32 of the record.
const LINE: usize = 24;

/// A translation's record.
pub(super) type Record<'a> = (Key, &'a [u8]);

/// One of the files, and what this process has found in it.
#[derive(Default)]
pub(super) struct Shelf {
    /// Its name in the store; empty: there is none.
    key: Vec<u8>,
    tried: bool,
    /// What was found in the file and was right.
    found: HashSet<Key>,
    file: Option<File>,
}

impl Shelf {
    pub(super) fn new(key: Vec<u8>) -> Self {
        Self {
            key,
            ..Self::default()
        }
    }

    pub(super) fn has_found(&self, key: Key) -> bool {
        self.found.contains(&key)
    }

    /// Whether more can be kept.
    pub(super) fn has_room(&self) -> bool {
        !self.key.is_empty() && MOST.saturating_sub(self.size()) >= LITTLE
    }

    fn size(&self) -> usize {
        self.file.as_ref().map_or(0, |file| file.map.bytes().len())
    }

    /// Has `use_it` look at the record of a key, if there is one.
    pub(super) fn find<T>(
        &mut self,
        folder: &[u8],
        key: Key,
        use_it: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        if !self.tried && !self.key.is_empty() {
            self.file = File::open(folder, &self.key);
        }
        self.tried = true;
        let found = use_it(self.file.as_ref()?.find(key)?)?;
        self.found.insert(key);
        Some(found)
    }

    /// Writes the file anew with these, too, if there are `worth` that it has not, or a 32nd of what it has: a large
    /// file is not written for a few.
    pub(super) fn keep<'a>(&'a self, folder: &[u8], mut all: Vec<Record<'a>>, worth: usize) {
        if !self.has_room() {
            return;
        }
        let old = self.file.as_ref();
        // Those from before the file was opened.
        all.retain(|(key, record)| old.and_then(|file| file.find(*key)) != Some(*record));
        let mut size = self.size();
        all.retain(|(_, record)| {
            size += LINE + record.len();
            size <= MOST
        });
        let count = old.map_or(0, |file| file.count);
        if all.len() < worth.max(count / 32) {
            return;
        }
        let new: HashSet<Key> = all.iter().map(|(key, _)| *key).collect();
        for n in 0..count {
            if let Some((key, record)) = old.and_then(|file| file.record(n))
                && !new.contains(&key)
            {
                all.push((key, record));
            }
        }
        all.sort_unstable_by_key(|(key, _)| *key);
        // No failure of the store is one of the program.
        let _ = store::put(folder, KIND, &self.key, &image(&all));
    }
}

/// An open file, mapped.
struct File {
    map: store::Mapped,
    /// Where the index is, and its lines.
    index: usize,
    count: usize,
}

/// The index and the records.
fn image(records: &[Record<'_>]) -> Vec<u8> {
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
    fn open(folder: &[u8], key: &[u8]) -> Option<Self> {
        let map = store::map(folder, KIND, key)?;
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

    fn record(&self, n: usize) -> Option<Record<'_>> {
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
