//! Forgetting translations whose code has changed.

use super::tables::Link;
use super::tables::{DEAD, NONE};
use super::{Cache, Inner, PAGE};
use std::sync::atomic::Ordering;

impl Cache {
    /// How often code has changed so far; to be asked before code is read.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
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
}
