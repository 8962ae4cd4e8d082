//! The same random calls here and on the host itself, with the same outcome.
//!
//! An arena of the guest and one of the host process get the same sequence of mmap,
//! munmap, mprotect, mremap, madvise and stores. After each, result, mapped pages,
//! protections and contents must agree.

use super::model_host::{Host, hides_code, host_moves_several};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, MAP_SHARED, MREMAP_DONTUNMAP,
    MREMAP_FIXED, MREMAP_MAYMOVE,
};

use super::{PAGE, space};
use crate::{AddressSpace, MmapRequest};

/// Pages in the arena, and behind it where mappings may grow to.
pub(super) const PAGES: u64 = 48;
pub(super) const BEHIND: u64 = 32;
const GUEST: u64 = 0x100_0000;
/// Room for mappings that were moved out of the arena and have to come back.
const FILE_PAGES: u64 = 12;

/// A file whose pages start with 1, 2, 3 ..., with a path.
pub(super) fn named_file() -> File {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "qusr-model-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let path = std::env::temp_dir().join(name);
    let pages = 1..=FILE_PAGES;
    let content: Vec<u8> = pages
        .flat_map(|n| n.to_ne_bytes().into_iter().cycle().take(PAGE as usize))
        .collect();
    std::fs::write(&path, content).unwrap();
    File::options().read(true).write(true).open(path).unwrap()
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// What both sides can do. Addresses are relative to the arena.
pub(super) trait Memory {
    fn mmap(&self, at: u64, len: u64, prot: i32, flags: i32, offset: u64) -> Result<u64, i32>;
    fn munmap(&self, at: u64, len: u64) -> Result<(), i32>;
    fn mprotect(&self, at: u64, len: u64, prot: i32) -> Result<(), i32>;
    fn mremap(&self, at: u64, old: u64, new: u64, flags: i32, to: u64) -> Result<u64, i32>;
    fn madvise(&self, at: u64, len: u64, advice: i32) -> Result<(), i32>;
    fn read(&self, at: u64) -> Option<u64>;
    fn write(&self, at: u64, value: u64) -> bool;
    /// Start, end and protection of the mappings in the arena and behind it.
    fn layout(&self) -> Vec<(u64, u64, i32, bool)>;
}

struct Guest {
    space: Arc<AddressSpace>,
    file: File,
}

impl Memory for Guest {
    fn mmap(&self, at: u64, len: u64, prot: i32, flags: i32, offset: u64) -> Result<u64, i32> {
        let fd = if flags & MAP_ANONYMOUS != 0 {
            -1
        } else {
            self.file.as_raw_fd()
        };
        let addr = GUEST + at;
        let got = self.space.mmap(MmapRequest {
            addr,
            len,
            prot,
            flags,
            fd,
            offset,
        })?;
        Ok(got.wrapping_sub(GUEST))
    }

    fn munmap(&self, at: u64, len: u64) -> Result<(), i32> {
        self.space.munmap(GUEST + at, len)
    }

    fn mprotect(&self, at: u64, len: u64, prot: i32) -> Result<(), i32> {
        self.space.mprotect(GUEST + at, len, prot)
    }

    fn mremap(&self, at: u64, old: u64, new: u64, flags: i32, to: u64) -> Result<u64, i32> {
        let to = GUEST.wrapping_add(to);
        let got = self
            .space
            .mremap(GUEST.wrapping_add(at), old, new, flags, to)?;
        Ok(got.wrapping_sub(GUEST))
    }

    fn madvise(&self, at: u64, len: u64, advice: i32) -> Result<(), i32> {
        self.space.madvise(GUEST + at, len, advice)
    }

    fn read(&self, at: u64) -> Option<u64> {
        self.space.read_u64(GUEST + at).ok()
    }

    fn write(&self, at: u64, value: u64) -> bool {
        self.space.write_u64(GUEST + at, value).is_ok()
    }

    fn layout(&self) -> Vec<(u64, u64, i32, bool)> {
        let end = GUEST + (PAGES + BEHIND) * PAGE;
        let regions = self.space.regions().into_iter();
        regions
            .filter(|r| r.start < end && r.end > GUEST)
            .map(|r| (r.start - GUEST, r.end - GUEST, r.prot.bits(), r.is_shared()))
            .collect()
    }
}

pub(super) fn remove(file: &File) {
    let _ = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .and_then(std::fs::remove_file);
}

impl Drop for Guest {
    fn drop(&mut self) {
        remove(&self.file);
    }
}

/// The layout page by page: where regions join is not always the same, since the kernel
/// also asks for the history of their pages (`anon_vma`).
fn by_page(layout: &[(u64, u64, i32, bool)]) -> Vec<(u64, i32, bool)> {
    layout
        .iter()
        .flat_map(|&(start, end, prot, shared)| {
            (start / PAGE..end / PAGE).map(move |page| (page, prot, shared))
        })
        .collect()
}

/// Where a mapping ends and another begins within the range, edges included.
fn edges(layout: &[(u64, u64, i32, bool)], start: u64, end: u64) -> Vec<u64> {
    let all = layout.iter().flat_map(|r| [r.0, r.1]);
    all.filter(|&edge| edge >= start && edge <= end).collect()
}

struct Run<'a> {
    random: Random,
    guest: &'a Guest,
    host: &'a Host,
    remaps: u32,
    skipped: u32,
    what: String,
}

impl Run<'_> {
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, call: impl Fn(&dyn Memory) -> T) -> T {
        let ours = call(self.guest);
        let theirs = call(self.host);
        assert_eq!(ours, theirs, "{}: qusr left, host right", self.what);
        ours
    }

    fn range(&mut self) -> (u64, u64) {
        let start = self.random.below(PAGES);
        let len = 1 + self.random.below((PAGES - start).min(10));
        (start * PAGE, len * PAGE)
    }

    fn map(&mut self) {
        let (at, len) = self.range();
        let prot = self.random.below(8) as i32;
        let mut flags = self.random.pick(&[MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE]);
        flags |= self.random.pick(&[MAP_ANONYMOUS, 0]);
        flags |= self
            .random
            .pick(&[MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE]);
        let offset = self.random.below(4) * PAGE;
        self.what = format!("mmap({at:#x}, {len:#x}, {prot}, {flags:#x}, {offset:#x})");
        let _ = self.both(|memory| memory.mmap(at, len, prot, flags, offset));
    }

    fn remap(&mut self) {
        let (at, mut old) = self.range();
        let (to, mut new) = self.range();
        let flags = self.random.pick(&[
            0,
            MREMAP_MAYMOVE,
            MREMAP_MAYMOVE | MREMAP_FIXED,
            MREMAP_MAYMOVE | MREMAP_FIXED,
            MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
        ]);
        match self.random.below(8) {
            0 => old = 0,
            1..=4 => new = old,
            _ => {}
        }
        let (ours, theirs) = (self.guest.layout(), self.host.layout());
        let end = at + old.max(PAGE);
        let several = !edges(&theirs, at + 1, end - 1).is_empty();
        if edges(&ours, at, end) != edges(&theirs, at, end) || (several && !host_moves_several()) {
            self.skipped += 1;
            return;
        }
        self.remaps += 1;
        self.what = format!("mremap({at:#x}, {old:#x}, {new:#x}, {flags}, {to:#x})");
        if flags & MREMAP_FIXED != 0 || flags == 0 {
            let _ = self.both(|memory| memory.mremap(at, old, new, flags, to));
            return;
        }
        // It may go anywhere; then both do, and come back to the same place.
        let ours = self.guest.mremap(at, old, new, flags, to);
        let theirs = self.host.mremap(at, old, new, flags, to);
        let inside = |got: Result<u64, i32>| got.is_ok_and(|at| at < PAGES * PAGE);
        if let (Ok(our), Ok(their)) = (ours, theirs)
            && !inside(ours)
            && !inside(theirs)
        {
            let back = MREMAP_MAYMOVE | MREMAP_FIXED;
            let to = self.random.below(PAGES - new / PAGE) * PAGE;
            assert_eq!(
                self.guest.mremap(our, new, new, back, to),
                Ok(to),
                "{}",
                self.what
            );
            assert_eq!(
                self.host.mremap(their, new, new, back, to),
                Ok(to),
                "{}",
                self.what
            );
        } else {
            assert_eq!(ours, theirs, "{}: qusr left, host right", self.what);
        }
    }

    fn step(&mut self, count: u64) {
        match self.random.below(10) {
            0..=2 => self.map(),
            3 => {
                let (at, len) = self.range();
                self.what = format!("munmap({at:#x}, {len:#x})");
                let _ = self.both(|memory| memory.munmap(at, len));
            }
            4 => {
                let (at, len) = self.range();
                let prot = self.random.below(8) as i32;
                self.what = format!("mprotect({at:#x}, {len:#x}, {prot})");
                let _ = self.both(|memory| memory.mprotect(at, len, prot));
            }
            5 => {
                let (at, len) = self.range();
                let advice = self
                    .random
                    .pick(&[libc::MADV_DONTNEED, libc::MADV_WILLNEED]);
                self.what = format!("madvise({at:#x}, {len:#x}, {advice})");
                let _ = self.both(|memory| memory.madvise(at, len, advice));
            }
            6 | 7 => {
                for _ in 0..6 {
                    let at = self.random.below(PAGES) * PAGE;
                    self.what = format!("write({at:#x})");
                    self.both(|memory| memory.write(at, 1000 + count));
                }
            }
            _ => self.remap(),
        }
        self.what += &format!(" (call {count})");
        self.both(|memory| by_page(&memory.layout()));
        for page in 0..PAGES {
            self.what = format!(
                "{}: page {page:#x}000",
                self.what.split(": ").next().unwrap()
            );
            self.both(|memory| memory.read(page * PAGE));
        }
    }
}

/// For longer or other runs than the usual.
fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn run(seed: u64, base: u64, hides_code: bool) {
    let seed = seed ^ variable("QUSR_MODEL_SEED", 0);
    let guest = Guest {
        space: space(),
        file: named_file(),
    };
    let host = Host::new(base, hides_code);
    let what = String::new();
    let random = Random(seed);
    let mut run = Run {
        random,
        guest: &guest,
        host: &host,
        remaps: 0,
        skipped: 0,
        what,
    };
    for count in 0..variable("QUSR_MODEL_STEPS", 1500) {
        run.step(count);
    }
    assert!(run.remaps > 100, "only {} of mremap compared", run.remaps);
    let space = &guest.space;
    assert!(
        space.window.is_whole(0, space.limit()),
        "a hole in the reservation"
    );
}

#[test]
fn like_the_host_1() {
    run(0x1234_5678, 0x4_0000_0000, hides_code());
}

#[test]
fn like_the_host_2() {
    run(0xdead_beef, 0x5_0000_0000, hides_code());
}

#[test]
fn like_the_host_3() {
    run(0x600d_cafe, 0x6_0000_0000, hides_code());
}

/// As on a host with protection keys, whether this one has them or not.
#[test]
fn like_a_host_that_hides_code() {
    run(0x5eed_0004, 0x7_0000_0000, true);
}
