//! What translations were made from, and whether guest memory still holds it.
//!
//! An `execve` maps most of the same files again: the dynamic linker, the C library. Their
//! translations are *parked* then, all at once, and each is taken back when its
//! guest address is reached and the guest bytes there are those it was made from. Neither names nor dates of
//! files decide that, so nothing need be known about how the bytes got there.

use super::tables::{Exit, NONE, Tables};
use super::{Found, Key, PAGE};
use crate::cache::arena::Arena;
use std::sync::atomic::Ordering;

/// The guest bytes that a translation depends on.
#[derive(Default)]
pub struct Source {
    /// [`super::Cache::changes`] before the first of them was read.
    pub(super) since: u64,
    spans: Vec<(u64, u32)>,
    bytes: Vec<u8>,
}

/// The latest invalidations. Code may change between the time when it is read and that
/// when its translation is installed; the invalidation then finds nothing to forget.
#[derive(Default)]
pub(super) struct Changes {
    count: u64,
    latest: [(u64, u64); 16],
}

impl Changes {
    pub fn note(&mut self, start: u64, end: u64) {
        self.latest[self.count as usize % self.latest.len()] = (start, end);
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether `start..end` may have changed since there were `since` changes.
    pub fn touched(&self, since: u64, start: u64, end: u64) -> bool {
        let size = self.latest.len() as u64;
        self.count - since > size
            || (since..self.count).any(|n| {
                let (from, to) = self.latest[(n % size) as usize];
                from < end && start < to
            })
    }
}

impl Source {
    /// None yet. `since`: [`super::Cache::changes`].
    #[must_use]
    pub fn new(since: u64) -> Self {
        Self {
            since,
            spans: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Begins anew.
    pub fn clear(&mut self, since: u64) {
        self.since = since;
        self.spans.clear();
        self.bytes.clear();
    }

    /// Takes what is said to be at `spans`; None: that is not so many bytes, or more than a page.
    pub(super) fn set(&mut self, spans: Vec<(u64, u32)>, bytes: &[u8]) -> Option<()> {
        let inside = |&(addr, len): &(u64, u32)| addr % PAGE + u64::from(len) <= PAGE;
        let size: usize = spans.iter().map(|span| span.1 as usize).sum();
        if size != bytes.len() || !spans.iter().all(inside) {
            return None;
        }
        self.spans = spans;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        Some(())
    }

    /// Whether guest memory has it; `read` is to read executable memory.
    pub fn holds(&self, mut read: impl FnMut(u64, &mut [u8]) -> bool) -> bool {
        let mut page = [0; PAGE as usize];
        let mut rest = self.bytes.as_slice();
        self.spans.iter().all(|&(addr, len)| {
            let (want, others) = rest.split_at(len as usize);
            rest = others;
            let now = &mut page[..want.len()];
            read(addr, now) && now == want
        })
    }

    /// Where the first of it is.
    pub(super) fn start(&self) -> Option<u64> {
        self.spans.iter().map(|span| span.0).min()
    }

    /// The translator looked at `bytes`, which are at `addr`. They are in one page.
    pub fn add(&mut self, addr: u64, bytes: &[u8]) {
        let size = bytes.len() as u32;
        if let Some((start, len)) = self.spans.last_mut() {
            let end = *start + u64::from(*len);
            if (*start..end).contains(&addr) && addr + u64::from(size) <= end {
                return;
            }
            if addr == end && !addr.is_multiple_of(PAGE) {
                *len += size;
                self.bytes.extend_from_slice(bytes);
                return;
            }
        }
        self.spans.push((addr, size));
        self.bytes.extend_from_slice(bytes);
    }
}

/// The sources of a generation's translations, by their number.
#[derive(Default)]
pub(super) struct Sources {
    /// Where each one's spans and bytes end.
    ends: Vec<(u32, u32)>,
    spans: Vec<(u64, u32)>,
    bytes: Vec<u8>,
}

impl Sources {
    pub fn push(&mut self, s: &Source) {
        self.spans.extend_from_slice(&s.spans);
        self.bytes.extend_from_slice(&s.bytes);
        self.ends
            .push((self.spans.len() as u32, self.bytes.len() as u32));
    }

    /// Has room for `count` more.
    pub fn make_room(&mut self, count: usize) {
        self.ends.reserve(count);
        self.spans.reserve(count * 2);
        self.bytes.reserve(count * 64);
    }

    /// What translation `n` was made from.
    pub fn of(&self, n: u32) -> (&[(u64, u32)], &[u8]) {
        let n = n as usize;
        let (span, byte) = n.checked_sub(1).map_or((0, 0), |k| self.ends[k]);
        let (spans, bytes) = self.ends[n];
        (
            &self.spans[span as usize..spans as usize],
            &self.bytes[byte as usize..bytes as usize],
        )
    }

    /// Whether guest memory has what translation `n` was made from.
    fn holds(&self, n: u32, memory: &mut Now<'_>) -> bool {
        let n = n as usize;
        let (first, mut at) = n.checked_sub(1).map_or((0, 0), |k| self.ends[k]);
        for &(addr, len) in &self.spans[first as usize..self.ends[n].0 as usize] {
            let want = &self.bytes[at as usize..(at + len) as usize];
            if !memory.has(addr, want) {
                return false;
            }
            at += len;
        }
        true
    }
}

/// Reads executable memory of the guest, within one page; false if there is none.
pub type ReadCode<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> bool;

/// Guest memory as it is now. Nothing of it is kept and nothing is allocated: a forked child compares as much as it
/// takes back, and each page of the heap that it writes to first is a copy.
struct Now<'a> {
    read: ReadCode<'a>,
    room: [u8; PAGE as usize],
}

impl<'a> Now<'a> {
    fn new(read: ReadCode<'a>) -> Self {
        Self {
            read,
            room: [0; PAGE as usize],
        }
    }

    /// Whether `want` is at `addr`.
    fn has(&mut self, addr: u64, want: &[u8]) -> bool {
        let Some(now) = self.room.get_mut(..want.len()) else {
            return false;
        };
        (self.read)(addr, now) && *now == *want
    }
}

impl Tables {
    /// The live translations that guest memory does not hold any more what they were made from.
    pub(super) fn stale(&self, read: ReadCode<'_>) -> Vec<u32> {
        let mut memory = Now::new(read);
        (0..self.entries.len() as u32)
            .filter(|&n| self.is_live(n) && !self.sources.holds(n, &mut memory))
            .collect()
    }

    /// Takes back the parked translation of `key`, with all that it is chained to, if guest memory
    /// still has what it was made from.
    pub(super) fn take_back(&mut self, arena: &Arena, key: Key, read: ReadCode<'_>) -> Option<u32> {
        let &n = self.map.get(&key)?;
        let mut memory = Now::new(read);
        if !self.sources.holds(n, &mut memory) {
            return None;
        }
        self.stamps[n as usize] = self.stamp;
        let mut todo = vec![n];
        while let Some(n) = todo.pop() {
            for x in self.entries[n as usize].exits.clone() {
                let Exit { to, .. } = self.exits[x as usize];
                if to == NONE || self.is_live(to) {
                    continue;
                }
                if self.sources.holds(to, &mut memory) {
                    self.stamps[to as usize] = self.stamp;
                    todo.push(to);
                } else {
                    self.unchain(arena, x);
                }
            }
        }
        Some(n)
    }
}

impl super::Cache {
    /// Has every translation be looked at again before it is used, as if memory
    /// were all new. No core may be running translated code.
    pub fn park(&self) {
        let mut inner = self.lock();
        inner.tables.stamp += 1;
        self.parked.store(true, Ordering::Release);
        drop(inner);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// A parked translation of `key` that is right for what guest memory now holds.
    #[must_use]
    pub fn take_back(&self, key: Key, read: ReadCode<'_>) -> Option<Found> {
        if !self.parked.load(Ordering::Acquire) {
            return None;
        }
        let mut inner = self.lock();
        let super::Inner {
            generation, tables, ..
        } = &mut *inner;
        let n = tables.take_back(&generation.arena, key, read)?;
        Some(inner.found(n))
    }
}
