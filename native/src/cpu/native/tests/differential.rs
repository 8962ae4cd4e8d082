//! The differential tester: random encodings from the decode table, on the native core
//! (translated, and interpreted) and on Unicorn. `QUSR_TEST_LIBUNICORN` names the library;
//! `QUSR_FUZZ_CASES` (cases an encoding), `QUSR_FUZZ_SEED` and `QUSR_FUZZ_ONLY` (part of a name) steer it.

use super::super::{Fallback, NativeConfig, Options, open};
use crate::cpu::unicorn::{self, Guest as UnicornGuest, UnicornConfig};
use crate::cpu::{CpuCore, Exit, Flow, Interrupter, OnSyscall, Regs};
use crate::guest::aarch64::table::{Encoding, TABLE, find};
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use std::sync::Arc;

const CODE: u64 = 0x55_0010_0000;
const DATA: u64 = 0x1000_0000;
const DATA_LEN: u64 = 0x4000;
const BRK: u32 = 0xd420_0000;

/// xorshift64*: reproducible.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// An operand: edge cases more often than not.
    fn operand(&mut self) -> u64 {
        const EDGES: [u64; 14] = [
            0,
            1,
            2,
            31,
            32,
            63,
            64,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            i64::MAX as u64,
            1 << 63,
            u64::MAX,
            0xff80_0000_0000_0000,
        ];
        match self.below(4) {
            0 => EDGES[self.below(EDGES.len() as u64) as usize],
            1 => self.next(),
            2 => self.next() >> self.below(64),
            _ => DATA + 0x1000 + self.below(0x1000),
        }
    }

    /// Half of a vector register: floating-point edge cases of all sizes.
    fn lanes(&mut self) -> u64 {
        const HALF: [u16; 8] = [0, 0x8000, 0x3c00, 0x7c00, 0xfc00, 0x7e01, 0x7d00, 0x0001];
        const SINGLE: [u32; 16] = [
            0,
            0x8000_0000,
            0x3f80_0000,
            0xbf80_0000,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0001,
            0xffc1_2345,
            0x7f80_0001,
            0xffa0_0000,
            0x0000_0001,
            0x807f_ffff,
            0x7f7f_ffff,
            0x4f00_0000,
            0x3f00_0000,
            0x4b80_0001,
        ];
        const DOUBLE: [u64; 16] = [
            0,
            1 << 63,
            0x3ff0_0000_0000_0000,
            0xbff0_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_0001,
            0xfff8_1234_0000_0000,
            0x7ff0_0000_0000_0001,
            0xfff4_0000_0000_0000,
            1,
            0x800f_ffff_ffff_ffff,
            0x7fef_ffff_ffff_ffff,
            0x41e0_0000_0000_0000,
            0x3fe0_0000_0000_0000,
            0x4340_0000_0000_0001,
        ];
        match self.below(6) {
            0 => self.next(),
            1 => {
                let mut v = 0;
                for _ in 0..2 {
                    v = v << 32 | u64::from(SINGLE[self.below(16) as usize]);
                }
                v
            }
            2 => DOUBLE[self.below(16) as usize],
            3 => (0..4).fold(0, |v, _| v << 16 | u64::from(HALF[self.below(8) as usize])),
            // Numbers of ordinary size.
            4 => (self.below(2000) as f64 / 16.0 - 50.0).to_bits(),
            _ => {
                let mut f = || u64::from((self.below(2000) as f32 / 16.0 - 50.0).to_bits());
                f() << 32 | f()
            }
        }
    }
}

type RegFile = Vec<u128>;

fn random_regs(r: &mut Rng, fpcr: u64) -> RegFile {
    let mut v: RegFile = (0..31).map(|_| u128::from(r.operand())).collect();
    v.push(u128::from(DATA + 0x1000 + r.below(0x100) * 16));
    v.push(0);
    v.push(u128::from(r.below(16)) << 28);
    for _ in 0..32 {
        v.push(u128::from(r.lanes()) | u128::from(r.lanes()) << 64);
    }
    v.push(0);
    v.push(u128::from(fpcr));
    v.push(u128::from(r.next()));
    v
}

fn load(core: &mut dyn CpuCore, regs: &RegFile, pc: u64) {
    for (id, &v) in regs.iter().enumerate() {
        core.set_wide(id as u32, if id == 32 { u128::from(pc) } else { v });
    }
}

fn save(core: &mut dyn CpuCore) -> RegFile {
    let mut v: RegFile = (0..69).map(|id| core.get_wide(id)).collect();
    // Unicorn shows BTYPE too.
    v[33] &= 0xf000_0000;
    v
}

fn unicorn_config() -> Option<UnicornConfig> {
    let library = std::env::var_os("QUSR_TEST_LIBUNICORN")?.into();
    const UC_CPU_ARM64_MAX: i32 = 3;
    Some(UnicornConfig {
        library,
        guest: UnicornGuest::by_name("aarch64")?,
        model: UC_CPU_ARM64_MAX,
        id_registers: vec![],
    })
}

fn map(space: &AddressSpace, addr: u64, len: u64, prot: i32) {
    let request = MmapRequest {
        addr,
        len,
        prot,
        flags: libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
        fd: -1,
        offset: 0,
    };
    assert_eq!(space.mmap(request), Ok(addr));
}

/// Why an encoding is not compared with Unicorn.
fn skipped(bits: u32) -> Option<&'static str> {
    let name = find(bits).map_or("", |n| TABLE[n].name);
    match name {
        "mrs" | "msr" if !matches!(bits >> 5 & 0xffff, 0xda10 | 0xda20 | 0xda21 | 0xde82) => {
            Some("ID registers, counters: unicorn has a whole system's")
        }
        "hint" if bits >> 5 & 0x7f >= 4 => {
            Some("pointer authentication, WFE, SEV: no-ops in this profile")
        }
        "sys" => Some("unicorn has no user-mode cache maintenance"),
        "simd_mod_imm" if bits & 0x2000_f800 == 0x2000_f800 => {
            Some("reserved (op and o2 set); QEMU 5 takes it for FMOV")
        }
        "stxr" | "stxp" => {
            Some("unicorn's monitor starts with address -1; the guest programs test them")
        }
        // Smaller than 64 bits: unicorn compares without sign (qemu-aarch64 7.2 agrees with us).
        "ldadd" if matches!(bits >> 12 & 7, 4 | 5) && bits >> 30 != 3 => {
            Some("signed minimum and maximum")
        }
        "isb" | "sb" => Some("unicorn ends its block in another way"),
        _ => None,
    }
}

/// A fallback core that says that it was needed.
struct Missing;

const MISSING: Exit = Exit::Syscall { imm: u32::MAX };

impl Regs for Missing {
    fn get(&mut self, _id: u32) -> u64 {
        0
    }
    fn set(&mut self, _id: u32, _value: u64) {}
}

impl CpuCore for Missing {
    fn run(&mut self, _: OnSyscall<'_>) -> Exit {
        MISSING
    }
    fn step(&mut self) -> Exit {
        MISSING
    }
    fn interrupter(&self) -> Arc<dyn Interrupter> {
        unreachable!("nobody interrupts it")
    }
    fn invalidate(&mut self, _start: u64, _end: u64) {}
    fn duplicate(&self) -> Result<Box<dyn CpuCore>, String> {
        Ok(Box::new(Missing))
    }
}

struct Rig {
    space: Arc<AddressSpace>,
    native: Box<dyn CpuCore>,
    plain: Box<dyn CpuCore>,
    interp: Box<dyn CpuCore>,
    unicorn: Box<dyn CpuCore>,
}

impl Rig {
    fn new(config: &UnicornConfig) -> Self {
        let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
        map(
            &space,
            CODE,
            0x80_0000,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
        );
        map(&space, DATA, DATA_LEN, libc::PROT_READ | libc::PROT_WRITE);
        let missing: Fallback = Arc::new(|| Ok(Box::new(Missing)));
        let c = NativeConfig {
            trap_limit: u32::MAX,
            ..NativeConfig::default()
        };
        let none = NativeConfig {
            options: Options::parse("no-all").expect("an option"),
            ..c.clone()
        };
        Self {
            native: open(&c, space.clone(), Some(missing.clone())).expect("a native core"),
            plain: open(&none, space.clone(), Some(missing.clone())).expect("a native core"),
            interp: open(&c, space.clone(), Some(missing.clone())).expect("a native core"),
            unicorn: unicorn::open(config, space.clone()).expect("unicorn"),
            space,
        }
    }

    fn data(&self) -> Vec<u8> {
        let mut b = vec![0; DATA_LEN as usize];
        self.space.read(DATA, &mut b).expect("data");
        b
    }
}

/// Runs to the next breakpoint or fault.
fn run(core: &mut dyn CpuCore) -> Exit {
    core.run(&mut |_, _| Flow::Leave)
}

/// What an exit says about the instruction itself: reaching the breakpoint behind is completion.
fn class(exit: Exit, pc: u64, at: u64, is_brk: bool) -> String {
    match exit {
        Exit::Breakpoint { .. } if pc != at || !is_brk => "done".into(),
        Exit::Interrupted => "done".into(),
        Exit::Fault {
            access: crate::cpu::Access::Fetch,
            ..
        } => "done".into(),
        Exit::Undefined if pc != at => "done".into(),
        // Whether an atomic access faults by reading or by writing is told apart by nobody.
        Exit::Fault { addr, .. } => format!("fault {:#x}", addr & 0x00ff_ffff_ffff_ffff),
        e => format!("{e:?}"),
    }
}

fn differences(a: &RegFile, b: &RegFile) -> String {
    let name = |id: usize| match id {
        0..=30 => format!("x{id}"),
        31 => "sp".into(),
        32 => "pc".into(),
        33 => "nzcv".into(),
        34..=65 => format!("v{}", id - 34),
        66 => "fpsr".into(),
        67 => "fpcr".into(),
        _ => "tpidr".into(),
    };
    (0..69)
        .filter(|&i| a[i] != b[i])
        .map(|i| format!(" {}: {:#x} / {:#x}", name(i), a[i], b[i]))
        .collect()
}

fn random_word(r: &mut Rng, e: &Encoding) -> u32 {
    let mut w = (r.next() as u32 & !e.mask) | e.value;
    // Registers close to each other now and then, so that operands coincide.
    if r.below(4) == 0 && e.mask & 0x3e0 == 0 && e.mask & 0x1f == 0 {
        w = (w & !0x3e0) | (w & 0x1f) << 5;
    }
    w
}

fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(default)
}

#[test]
fn instructions_agree_with_unicorn() {
    let Some(config) = unicorn_config() else {
        eprintln!("QUSR_TEST_LIBUNICORN is not set: nothing is compared");
        return;
    };
    let cases = env_number("QUSR_FUZZ_CASES", 60);
    let only = std::env::var("QUSR_FUZZ_ONLY").unwrap_or_default();
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x1234_5678_9abc_def1));
    let mut failures = Vec::new();
    let mut words = Vec::new();
    for e in TABLE.iter().filter(|e| e.name.contains(&only)) {
        for _ in 0..cases {
            let w = random_word(&mut r, e);
            if find(w).is_some_and(|n| TABLE[n].name == e.name) && skipped(w).is_none() {
                words.push(w);
            }
        }
    }
    let mut rig = Rig::new(&config);
    let mut at = CODE + 0x40_0000;
    for (n, &w) in words.iter().enumerate() {
        if n % 100_000 == 99_999 {
            rig = Rig::new(&config);
            at = CODE + 0x40_0000;
        }
        let pc = at;
        at += 16;
        for (k, i) in [w, BRK, BRK, BRK].into_iter().enumerate() {
            rig.space.write_u32(pc + 4 * k as u64, i).expect("code");
        }
        let fpcr = if r.below(4) == 0 { r.below(4) << 22 } else { 0 };
        let regs = random_regs(&mut r, fpcr);
        let bytes: Vec<u8> = (0..DATA_LEN / 8)
            .flat_map(|_| r.lanes().to_le_bytes())
            .collect();
        let mut results = Vec::new();
        let is_brk = w & 0xffe0_001f == BRK;
        for who in 0..4 {
            rig.space.write(DATA, &bytes).expect("data");
            let core = match who {
                0 => &mut rig.unicorn,
                1 => &mut rig.native,
                2 => &mut rig.plain,
                _ => &mut rig.interp,
            };
            load(core.as_mut(), &regs, pc);
            let exit = if who == 1 || who == 2 {
                run(core.as_mut())
            } else {
                core.step()
            };
            if exit == MISSING {
                // No lifter: unicorn executes it anyway.
                results.clear();
                break;
            }
            let state = save(core.as_mut());
            let to = state[32] as u64;
            if who == 0 && (CODE + 0x40_0000..at).contains(&to) && to != pc && to != pc + 4 {
                // A branch into another case's code: who runs on goes further.
                break;
            }
            if who == 0 && matches!(exit, Exit::Fault { align: true, .. }) {
                // Alignment of atomics and exclusives is not enforced, as with FEAT_LSE2.
                break;
            }
            results.push((class(exit, to, pc, is_brk), state, rig.data()));
        }
        if results.is_empty() {
            continue;
        }
        let (want, rest) = results.split_at(1);
        for (who, got) in ["translated", "unoptimised", "interpreted"]
            .iter()
            .zip(rest)
        {
            let diff = differences(&want[0].1, &got.1);
            let mem = want[0].2 != got.2;
            if want[0].0 != got.0 || !diff.is_empty() || mem {
                let name = find(w).map_or("?", |n| TABLE[n].name);
                failures.push(format!(
                    "{name} {w:08x} {who}: {} / {}{diff}{}",
                    want[0].0,
                    got.0,
                    if mem { " memory" } else { "" }
                ));
            }
        }
        if failures.len() > 200 {
            break;
        }
    }
    let shown: Vec<_> = failures.iter().take(60).collect();
    assert!(
        failures.is_empty(),
        "{} differences in {} cases (unicorn / native):\n{}",
        failures.len(),
        words.len(),
        shown
            .iter()
            .map(|s| s.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// Straight lines of random instructions: the register allocator, flags carried across
/// instructions, and exact state where one of them faults.
#[test]
fn blocks_agree_with_unicorn() {
    let Some(config) = unicorn_config() else {
        eprintln!("QUSR_TEST_LIBUNICORN is not set: nothing is compared");
        return;
    };
    let cases = env_number("QUSR_FUZZ_CASES", 60) * 10;
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 0x0bad_cafe_1234_5671));
    let usable: Vec<&Encoding> = TABLE
        .iter()
        .filter(|e| {
            let branches = [
                "b", "bl", "b_cond", "cbz", "tbz", "br", "blr", "ret", "svc", "brk", "isb", "sb",
                "hint",
            ];
            // Exclusives and pairs of them depend on a monitor that unicorn keeps differently.
            let other = [
                "mrs", "msr", "sys", "stxr", "ldxr", "stxp", "ldxp", "casp", "clrex",
            ];
            !branches.contains(&e.name) && !other.contains(&e.name)
        })
        .collect();
    let mut rig = Rig::new(&config);
    let mut failures = Vec::new();
    let mut at = CODE + 0x40_0000;
    for _ in 0..cases {
        let count = 2 + r.below(20) as usize;
        let mut words = Vec::new();
        while words.len() < count {
            // Integer encodings come first in the table: prefer them, and loads and stores near sp.
            let n = if r.below(3) == 0 {
                r.below(usable.len() as u64)
            } else {
                r.below(48)
            };
            let e = usable[n as usize];
            let mut w = random_word(&mut r, e);
            if e.name.starts_with("ldst") && r.below(8) != 0 {
                w |= 0x3e0;
            }
            // Few registers, so that values meet.
            if r.below(2) == 0 && e.mask & 0x1f == 0 {
                w = (w & !0x1f) | r.below(8) as u32;
            }
            let same = find(w).is_some_and(|n| TABLE[n].name == e.name);
            if same && skipped(w).is_none() {
                words.push(w);
            }
        }
        words.push(BRK);
        let pc = at;
        at += 4 * words.len() as u64;
        if at > CODE + 0x7f_0000 {
            rig = Rig::new(&config);
            at = CODE + 0x40_0000;
            continue;
        }
        for (k, &w) in words.iter().enumerate() {
            rig.space.write_u32(pc + 4 * k as u64, w).expect("code");
        }
        let regs = random_regs(&mut r, 0);
        let bytes: Vec<u8> = (0..DATA_LEN / 8)
            .flat_map(|_| r.lanes().to_le_bytes())
            .collect();
        let mut results = Vec::new();
        for who in 0..3 {
            rig.space.write(DATA, &bytes).expect("data");
            let core = [&mut rig.unicorn, &mut rig.native, &mut rig.plain]
                .into_iter()
                .nth(who)
                .expect("a core");
            load(core.as_mut(), &regs, pc);
            let mut exit = Exit::Interrupted;
            if who == 0 {
                // Step by step: unicorn's own blocks are not what is tested.
                for _ in 0..count {
                    exit = core.step();
                    if exit != Exit::Interrupted {
                        break;
                    }
                }
            } else {
                exit = run(core.as_mut());
            }
            let unlike = exit == MISSING || matches!(exit, Exit::Fault { align: true, .. });
            if unlike {
                results.clear();
                break;
            }
            let state = save(core.as_mut());
            let to = state[32] as u64;
            results.push((class(exit, to, pc, false), state, rig.data()));
        }
        let Some((want, rest)) = results.split_first() else {
            continue;
        };
        for (who, got) in ["translated", "unoptimised"].iter().zip(rest) {
            let diff = differences(&want.1, &got.1);
            if want.0 != got.0 || !diff.is_empty() || want.2 != got.2 {
                let text: Vec<String> = words.iter().map(|w| format!("{w:08x}")).collect();
                failures.push(format!(
                    "{pc:#x} {who}: {} / {}{diff} | {}",
                    want.0,
                    got.0,
                    text.join(" ")
                ));
            }
        }
    }
    let shown: Vec<_> = failures.iter().take(20).map(String::as_str).collect();
    assert!(
        failures.is_empty(),
        "{} differences (unicorn / native):\n{}",
        failures.len(),
        shown.join("\n")
    );
}
