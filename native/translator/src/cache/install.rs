//! Giving a translation its place.

use super::arena::{self, Arena};
use super::record::Fix;
use super::tables::{Entry, Exit, Fault, NONE};
use super::{Busy, Cache, Found, Generation, Inner, Key, PAGE, REGION, Source};
use crate::host::code::{Code, ExitSite};
use crate::host::{Host, Native, Pinning};
use std::collections::hash_map;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Why a translation was not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its code has changed since it was read.
    Changed,
    /// There is no memory for it.
    NoRoom,
}

/// What is installed.
pub struct Made<'a> {
    pub key: Key,
    /// Where its guest code ends.
    pub end: u64,
    /// The guest pc of each guest instruction.
    pub pcs: &'a [u64],
    pub code: &'a mut Code,
    pub source: &'a Source,
    /// Where it has guest registers, if not where they usually are: then it replaces what is there.
    pub pin: Option<Pinning>,
}

/// The places of an exit that are patched.
fn patched(x: &ExitSite) -> impl Iterator<Item = u32> + use<> {
    [x.patch, x.inner.0, x.direct.0]
        .into_iter()
        .filter(|&at| at != 0)
}

impl Cache {
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

    /// Installs a translation, or returns the one that another thread installed meanwhile.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn install(&self, made: Made<'_>, busy: Busy<'_>) -> Result<Found, Refusal> {
        let Made {
            key,
            end,
            pcs,
            code,
            source,
            pin,
        } = made;
        let pin = pin.map(Arc::new);
        let mut inner = self.lock();
        let start = source.start().unwrap_or(key.0);
        if inner.changes.touched(source.since, start, end) {
            return Err(Refusal::Changed);
        }
        // A region is hot: it has its cache lines for itself.
        let fits = |at: usize| {
            let mut patched = code.exits.iter().flat_map(patched);
            pin.is_none() && patched.all(|p| arena::is_patched_whole(at + p as usize))
        };
        let mut host = inner.generation.arena.alloc(code.bytes.len(), fits);
        if host.is_none() {
            self.turn_over(&mut inner, busy)?;
            host = inner.generation.arena.alloc(code.bytes.len(), fits);
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
            direct: (place(x.direct.0), place(x.direct.1)),
            needs: x.needs,
            hot: false,
        }));
        for &(at, r) in &code.relocs {
            let entry = |e| generation.arena.entry(e);
            Native::relocate(&mut code.bytes, at, host, r, entry, first);
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
            insn: f.insn,
            write: f.write,
            rough: f.rough,
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
            risk: code.risk,
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
}
