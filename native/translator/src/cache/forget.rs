//! Forgetting translations whose code has changed.

use super::arena::Arena;
use super::source::ReadCode;
use super::tables::{DEAD, Link, NONE, Tables};
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
            // A program may name the last page of all.
            let mut next = Some(first);
            while let Some(p) = next.filter(|&p| p < end) {
                hit.extend(tables.pages.get(&p).into_iter().flatten());
                next = p.checked_add(PAGE);
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
            tables.forget(&generation.arena, n);
        }
        if any {
            self.epoch.fetch_add(1, Ordering::Release);
        }
        any
    }

    /// Forgets the translations that guest memory does not hold any more what they were made from. True if there were any.
    pub fn revise(&self, read: ReadCode<'_>) -> bool {
        let mut inner = self.lock();
        // What is being translated now was not compared.
        inner.changes.note(0, u64::MAX);
        self.changes.store(inner.changes.count(), Ordering::Release);
        let Inner {
            generation, tables, ..
        } = &mut *inner;
        let stale = tables.stale(read);
        for &n in &stale {
            tables.forget(&generation.arena, n);
        }
        if !stale.is_empty() {
            self.epoch.fetch_add(1, Ordering::Release);
        }
        !stale.is_empty()
    }

    /// How often something was invalidated.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

impl Tables {
    /// Forgets a live translation.
    fn forget(&mut self, arena: &Arena, n: u32) {
        self.stamps[n as usize] = DEAD;
        let e = &mut self.entries[n as usize];
        let (key, from, end) = (e.key, e.start, e.end);
        let (mut incoming, own) = (e.incoming, e.exits.clone());
        e.incoming = NONE;
        while let Some(&Link { exit, next }) = self.links.get(incoming as usize) {
            if self.exits[exit as usize].to == n {
                self.unchain(arena, exit);
            }
            incoming = next;
        }
        // Its own exits: what still runs in it leaves at once.
        for x in own {
            self.unchain(arena, x);
        }
        if self.map.get(&key) == Some(&n) {
            self.map.remove(&key);
        }
        for p in (from & !(PAGE - 1)..end.max(from + 1)).step_by(PAGE as usize) {
            if let Some(list) = self.pages.get_mut(&p) {
                list.retain(|&x| x != n);
            }
        }
    }
}
