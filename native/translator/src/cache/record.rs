//! A translation as bytes, for a file that outlives the process.
//!
//! It is the code before it has an address: displacements to other translations are those of its own
//! stubs, and what depends on where things are is in its relocations. With it are the guest bytes it
//! was made from. All numbers are little-endian. A record is only read by the build that wrote it.

use super::tables::Tables;
use super::{Cache, Key, REGION, Source};
use crate::cache::arena::Arena;
use crate::host::code::{
    Code, Entry as Support, ExitSite, FaultPoint, FloatSite, Place, Recipe, Reloc,
};
use crate::host::{Host, Native};
use crate::ir::Op;
use crate::ir::eval::eval_any;
use crate::ir::state::Helper;

/// A relocation as it is kept: where, with its kind in the upper four bits, and what.
#[derive(Clone, Copy)]
pub(super) struct Fix {
    at: u32,
    what: i32,
}

const ENTRY: u32 = 0;
const HELPER: u32 = 1;
const EVAL: u32 = 2;
const EXIT: u32 = 3;

/// Helpers are named by their distance from this function, which no two runs of a build differ in.
fn anchor() -> usize {
    eval_any as *const () as usize
}

impl Fix {
    pub fn new(at: u32, reloc: Reloc) -> Self {
        let (kind, what) = match reloc {
            Reloc::Entry(e) => (ENTRY, e as i32),
            Reloc::Helper(f) => (HELPER, (f as usize).wrapping_sub(anchor()) as i32),
            Reloc::Eval => (EVAL, 0),
            Reloc::ExitNumber(n) => (EXIT, n as i32),
        };
        Self {
            at: at | kind << 28,
            what,
        }
    }

    fn reloc(self) -> Option<(u32, Reloc)> {
        let reloc = match self.at >> 28 {
            ENTRY => Reloc::Entry(*Support::ALL.get(self.what as usize)?),
            HELPER => {
                let address = anchor().wrapping_add_signed(self.what as isize);
                // SAFETY: the file's key and the record's checksum say that this very build wrote the
                // distance of one of its helpers.
                Reloc::Helper(unsafe { std::mem::transmute::<usize, Helper>(address) })
            }
            EVAL => Reloc::Eval,
            EXIT => Reloc::ExitNumber(self.what as u32),
            _ => return None,
        };
        Some((self.at & 0xfff_ffff, reloc))
    }
}

/// A fault without a recipe.
const NO_RECIPE: u32 = 0xffff;

/// Appends numbers and lists.
struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn u16(&mut self, n: u32) {
        debug_assert!(n < 1 << 16);
        self.0.extend_from_slice(&(n as u16).to_le_bytes());
    }
    fn u32(&mut self, n: u32) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }
    fn u64(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }
    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
    }
    fn list<T>(&mut self, items: &[T], one: impl Fn(&mut Self, &T)) {
        self.u16(items.len() as u32);
        for item in items {
            one(self, item);
        }
    }
    fn place(&mut self, place: Place) {
        let (kind, n) = match place {
            Place::Const(n) => (0, n),
            Place::Reg(r) => (1, u64::from(r)),
            Place::Wide(r) => (2, u64::from(r)),
            Place::Memory(at) => (3, at as u64),
        };
        self.u16(kind);
        self.u64(n);
    }
    fn optional(&mut self, place: Option<(Place, u8)>) {
        self.u16(place.map_or(0, |(_, bit)| u32::from(bit) + 1));
        if let Some((place, _)) = place {
            self.place(place);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u16(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*first).into())
    }
    fn u32(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*first))
    }
    fn u64(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }
    fn list(&mut self, mut one: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        (0..self.u16()?).try_for_each(|_| one(self))
    }
    fn optional(&mut self) -> Option<Option<(Place, u8)>> {
        Some(match self.u16()? {
            0 => None,
            n => Some((self.place()?, (n - 1) as u8)),
        })
    }
    fn place(&mut self) -> Option<Place> {
        let (kind, n) = (self.u16()?, self.u64()?);
        Some(match kind {
            0 => Place::Const(n),
            1 => Place::Reg(n as u8),
            2 => Place::Wide(n as u8),
            3 => Place::Memory(n as i32),
            _ => return None,
        })
    }
}

/// Reads a record into the buffers given. The key, and where the guest code ends.
#[must_use]
pub fn read(
    record: &[u8],
    pcs: &mut Vec<u64>,
    code: &mut Code,
    source: &mut Source,
) -> Option<(Key, u64)> {
    let mut r = Reader(record);
    let key = (r.u64()?, r.u32()?);
    let end = key.0 + u64::from(r.u32()?);
    pcs.clear();
    code.clear();
    code.risk = r.u64()?;
    code.bytes.extend_from_slice(r.bytes()?);
    let size = code.bytes.len() as u32;
    r.list(|r| {
        let fix = Fix {
            at: r.u32()?,
            what: r.u32()? as i32,
        };
        let (at, reloc) = fix.reloc()?;
        code.relocs.push((at, reloc));
        (at + Native::reloc_size(reloc) <= size).then_some(())
    })?;
    r.list(|r| {
        let (patch, stub, inner) = (r.u16()?, r.u16()?, (r.u16()?, r.u16()?));
        let direct = (r.u16()?, r.u16()?);
        let needs = if direct.0 == 0 { 0 } else { r.u64()? };
        let target = r.u64()?;
        let from = target.wrapping_add_signed(i64::from(r.u32()? as i32));
        code.exits.push(ExitSite {
            patch,
            stub,
            target,
            from,
            inner,
            direct,
            needs,
        });
        (patch.max(inner.0).max(direct.0) + Native::PATCH_SIZE <= size && stub.max(direct.1) < size)
            .then_some(())
    })?;
    r.list(|r| {
        let (offset, pc, recipe) = (r.u16()?, r.u16()?, r.u16()?);
        code.faults.push(FaultPoint {
            offset,
            insn: pcs.len().try_into().ok()?,
            write: pc & 1 != 0,
            rough: pc & 2 != 0,
            recipe: if recipe == NO_RECIPE {
                FaultPoint::SETTLED
            } else {
                recipe
            },
        });
        pcs.push(key.0 + u64::from(pc >> 2));
        Some(())
    })?;
    r.list(|r| {
        let (op, w) = (r.u16()? as u8, r.u16()? as u8);
        code.recipes.push(Recipe {
            op: Op::of_flags(op)?,
            w,
            imm: r.u64()?,
            a: r.place()?,
            b: r.place()?,
            nz: r.optional()?.map(|(place, _)| place),
            carry: r.optional()?,
        });
        Some(())
    })?;
    r.list(|r| {
        code.floats.push(FloatSite {
            start: r.u16()?,
            end: r.u16()?,
            cold: r.u16()?,
        });
        Some(())
    })?;
    let mut spans = Vec::new();
    r.list(|r| {
        spans.push((r.u64()?, r.u32()?));
        Some(())
    })?;
    source.set(spans, r.bytes()?)?;
    Some((key, end))
}

impl Tables {
    /// Appends entry `n`, whose code is followed by that at `next`.
    fn write(&self, arena: &Arena, n: usize, next: usize, out: &mut Vec<u8>) -> Option<()> {
        let e = &self.entries[n];
        let base = arena.offset(e.host);
        // Places within fit 16 bits then. Of a translation of 64 instructions nearly all do.
        if next - e.host >= 1 << 16 || e.end - e.key.0 >= 1 << 15 {
            return None;
        }
        let start = out.len() + 28;
        let mut w = Writer(out);
        w.u64(e.key.0);
        w.u32(e.key.1);
        w.u32((e.end - e.key.0) as u32);
        w.u64(e.risk);
        w.bytes(arena.code(e.host, next - e.host));
        let part = |range: &std::ops::Range<u32>| range.start as usize..range.end as usize;
        w.list(&self.fixes[part(&e.fixes)], |w, fix| {
            w.u32(fix.at);
            w.u32(fix.what as u32);
        });
        let exits = &self.exits[part(&e.exits)];
        let offset = |at: u32| at.saturating_sub(base);
        w.list(exits, |w, x| {
            let (inner, direct) = (x.inner, x.direct);
            for n in [x.patch, x.stub, inner.0, inner.1, direct.0, direct.1] {
                w.u16(offset(n));
            }
            if direct.0 != 0 {
                w.u64(x.needs);
            }
            w.u64(x.target);
            w.u32(x.from as u32);
        });
        let faults = &self.faults[part(&e.faults)];
        w.list(faults, |w, f| {
            w.u16(f.offset);
            w.u16((f.pc as u32) << 2 | u32::from(f.rough) << 1 | u32::from(f.write));
            w.u16(f.recipe.min(NO_RECIPE));
        });
        let used = faults.iter().map(|f| f.recipe);
        let count = used.filter(|&r| r != FaultPoint::SETTLED).max();
        let recipes = e.recipes as usize..(e.recipes + count.map_or(0, |most| most + 1)) as usize;
        for r in &self.recipes[recipes.clone()] {
            Op::of_flags(r.op as u8)?;
        }
        w.list(&self.recipes[recipes], |w, r| {
            w.u16(u32::from(r.op as u8));
            w.u16(u32::from(r.w));
            w.u64(r.imm);
            w.place(r.a);
            w.place(r.b);
            w.optional(r.nz.map(|place| (place, 0)));
            w.optional(r.carry);
        });
        w.list(&self.floats[part(&e.floats)], |w, f| {
            w.u16(f.start);
            w.u16(f.end);
            w.u16(f.cold);
        });
        let (spans, bytes) = self.sources.of(n as u32);
        w.list(spans, |w, &(addr, len)| {
            w.u64(addr);
            w.u32(len);
        });
        w.bytes(bytes);
        // Whatever it is chained to, the copy leads to its own stubs.
        for x in exits {
            for (patch, stub) in [(x.patch, x.stub), x.inner, x.direct] {
                if patch != 0 {
                    let at = start + offset(patch) as usize;
                    let to = Native::patch(patch as usize, stub as usize);
                    out[at..at + to.len()].copy_from_slice(&to);
                }
            }
        }
        Some(())
    }
}

/// Translations as records, one behind the other.
#[derive(Default)]
pub struct Records {
    bytes: Vec<u8>,
    /// By key, where they end.
    ends: Vec<(Key, usize)>,
}

impl Records {
    pub fn iter(&self) -> impl Iterator<Item = (Key, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let both = self.ends.iter().zip(starts);
        both.map(|((key, end), start)| (*key, &self.bytes[start..*end]))
    }
}

impl Cache {
    /// The live translations that are `wanted`, until there are `most` bytes.
    #[must_use]
    pub fn records(&self, most: usize, wanted: &dyn Fn(Key) -> bool) -> Records {
        let inner = self.lock();
        let (tables, arena) = (&inner.tables, &inner.generation.arena);
        let mut records = Records::default();
        for (n, e) in tables.entries.iter().enumerate() {
            let plain = e.key.1 & REGION == 0 && e.pin.is_none();
            if !plain || !tables.is_live(n as u32) || !wanted(e.key) {
                continue;
            }
            let next = tables.entries.get(n + 1);
            let end = next.map_or_else(|| arena.end(), |next| next.host);
            let start = records.bytes.len();
            if tables.write(arena, n, end, &mut records.bytes).is_none() {
                records.bytes.truncate(start);
                continue;
            }
            if records.bytes.len() > most {
                break;
            }
            records.ends.push((e.key, records.bytes.len()));
        }
        records
    }
}
