//! What a translation costs: a measurement, not a test. `docs/performance.md` says how to use it.

use crate::aarch64::LITTLE;
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use crate::translator::{NativeConfig, Options, Survey};
use std::sync::Arc;

/// The executable segment of an ELF file: offset, address, size.
fn text(file: &[u8]) -> (usize, u64, usize) {
    let word = |at: usize, len: usize| {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(&file[at..at + len]);
        u64::from_le_bytes(bytes)
    };
    let (headers, size, count) = (word(32, 8) as usize, word(54, 2) as usize, word(56, 2));
    (0..count as usize)
        .map(|n| headers + n * size)
        .find(|&h| word(h, 4) == 1 && word(h + 4, 4) & 1 != 0)
        .map(|h| {
            (
                word(h + 8, 8) as usize,
                word(h + 16, 8),
                word(h + 32, 8) as usize,
            )
        })
        .expect("an executable segment")
}

/// `QUSR_TRANSLATE=FILE cargo test --release translation_cost -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn translation_cost() {
    let path = std::env::var("QUSR_TRANSLATE").expect("QUSR_TRANSLATE: an AArch64 program");
    let file = std::fs::read(path).expect("the program");
    let (offset, addr, size) = text(&file);
    let code = &file[offset..offset + size];
    // As much as valgrind permits.
    let config = SpaceConfig {
        va_bits: 34,
        ..SpaceConfig::default()
    };
    let space = AddressSpace::new(config).expect("an address space");
    let base = 0x1000_0000 + (addr & !4095);
    let request = MmapRequest {
        addr: base,
        len: (size as u64 + 8191) & !4095,
        prot: libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
        flags: libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
        fd: -1,
        offset: 0,
    };
    assert_eq!(space.mmap(request), Ok(base));
    let start = base + (addr & 4095);
    space.write(start, code).expect("room for the code");
    let options = std::env::var("QUSR_OPT").unwrap_or_default();
    let config = NativeConfig {
        options: Options {
            // Which blocks there are would depend on their order.
            share: false,
            ..Options::parse(&options).expect("options")
        },
        ..NativeConfig::default()
    };
    let words = code
        .chunks_exact(4)
        .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    let calls = words
        .enumerate()
        .filter(|(_, w)| w >> 26 == 0b10_0101)
        .map(|(n, w)| {
            let distance = i64::from((w << 6) as i32 >> 6) * 4;
            start.wrapping_add_signed(n as i64 * 4 + distance)
        });
    let mut entries: Vec<u64> = calls.collect();
    entries.sort_unstable();
    entries.dedup();
    let mut survey =
        Survey::new(&LITTLE, &config, Arc::clone(&space), entries, 100_000).expect("a core");
    let (before, faults) = (cpu_time(), page_faults());
    survey.translate_all();
    let spent = cpu_time() - before;
    println!(
        "{} blocks, {} instructions, {} bytes, {} page faults: {:.1} ns an instruction, {:.0} a block",
        survey.blocks(),
        survey.instructions,
        survey.used(),
        page_faults() - faults,
        spent / survey.instructions as f64,
        spent / survey.blocks() as f64,
    );
}

/// In nanoseconds.
fn cpu_time() -> f64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut now) };
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

fn page_faults() -> i64 {
    // SAFETY: `usage` is plain data, to be written.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage.ru_minflt
    }
}
