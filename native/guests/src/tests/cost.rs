//! What a translation costs: a measurement, not a test. `docs/performance.md` says how to use it.

use crate::aarch64::LITTLE;
use crate::arm::{Arm, features};
use crate::guest::Guest;
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use crate::translator::{NativeConfig, Options, Survey};
use std::sync::Arc;

/// A number of `len` bytes in an ELF file.
fn word(file: &[u8], at: usize, len: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..len].copy_from_slice(&file[at..at + len]);
    u64::from_le_bytes(bytes)
}

/// The largest section of code of an ELF file: offset, address, size.
fn text(file: &[u8]) -> (usize, u64, usize) {
    // Places in the ELF header and in a section header, by class.
    let (long, table, fields) = if file[4] == 2 {
        (8, [40, 58, 60], [24, 16, 32])
    } else {
        (4, [32, 46, 48], [16, 12, 20])
    };
    let (headers, size) = (word(file, table[0], long), word(file, table[1], 2));
    (0..word(file, table[2], 2))
        .map(|n| (headers + n * size) as usize)
        .filter(|&h| word(file, h + 4, 4) == 1 && word(file, h + 8, long) & 4 != 0)
        .map(|h| fields.map(|f| word(file, h + f, long)))
        .max_by_key(|section| section[2])
        .map(|[offset, addr, size]| (offset as usize, addr, size as usize))
        .expect("a section of code")
}

/// The targets of the calls in code at `start`.
fn called(code: &[u8], start: u64) -> Vec<u64> {
    let words = code
        .chunks_exact(4)
        .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    let calls = words.enumerate().filter(|(_, w)| w >> 26 == 0b10_0101);
    calls
        .map(|(n, w)| {
            let distance = i64::from((w << 6) as i32 >> 6) * 4;
            start.wrapping_add_signed(n as i64 * 4 + distance)
        })
        .collect()
}

/// The same of T32 code, as interworking addresses.
fn called_t32(code: &[u8], start: u64) -> Vec<u64> {
    let halves: Vec<u32> = code
        .chunks_exact(2)
        .map(|h| u32::from(u16::from_le_bytes([h[0], h[1]])))
        .collect();
    let pairs = halves.windows(2).enumerate();
    // BL, whose first half begins no other instruction.
    let calls = pairs.filter(|(_, h)| h[0] >> 11 == 0b11110 && h[1] & 0xd000 == 0xd000);
    calls
        .map(|(n, h)| {
            let sign = h[0] >> 10 & 1;
            let (i1, i2) = ((h[1] >> 13 ^ sign ^ 1) & 1, (h[1] >> 11 ^ sign ^ 1) & 1);
            let k = sign << 24 | i1 << 23 | i2 << 22 | (h[0] & 0x3ff) << 12 | (h[1] & 0x7ff) << 1;
            let distance = i64::from((k << 7) as i32 >> 7);
            start.wrapping_add_signed(n as i64 * 2 + 4 + distance) | 1
        })
        .collect()
}

/// `QUSR_TRANSLATE=FILE cargo test --release translation_cost -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn translation_cost() {
    let path = std::env::var("QUSR_TRANSLATE").expect("QUSR_TRANSLATE: a program");
    let file = std::fs::read(path).expect("the program");
    let (offset, addr, size) = text(&file);
    let code = &file[offset..offset + size];
    // As much as valgrind permits.
    let config = SpaceConfig {
        va_bits: if file[4] == 2 { 34 } else { 32 },
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
    let (guest, mut entries): (&'static dyn Guest, _) = match word(&file, 18, 2) {
        183 => (&LITTLE, called(code, start)),
        _ => {
            let all = Arm::of(features::by_names(&[]), false, false);
            (all, called_t32(code, start))
        }
    };
    entries.sort_unstable();
    entries.dedup();
    // Here and there in the program.
    entries.sort_by_key(|&pc| (pc >> 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut survey =
        Survey::new(guest, &config, Arc::clone(&space), entries, 100_000).expect("a core");
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
