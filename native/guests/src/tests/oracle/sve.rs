//! SVE and SVE2 against a newer `qemu-aarch64 -cpu max`, with vectors of 16, 32, 48 and 256 bytes.

use super::batch::{Oracle, carry_out, map, tool};
use crate::aarch64::registers::{FPCR, FPSR, P0, PC, PSTATE, SP, V0, VECTORS, Z0};
use crate::aarch64::sve::table::{Encoding, GROUPS, Run, find};
use crate::aarch64::{AArch64, features};
use crate::cpu::{CpuCore, Exit};
use crate::memory::{AddressSpace, SpaceConfig};
use crate::tests::fuzz::{Rng, cases, env_number, only};
use crate::translator::{Fallback, NativeConfig, Options, open};
use std::fmt::Write as _;
use std::sync::Arc;

const DATA: u64 = 0x2000_0000;
/// The last bytes of a page, behind which is none.
const WINDOW: u64 = DATA + 0xc00;
const CODE: u64 = 0x3000_0000;
const MEMORY: usize = 1024;
const HEAD: usize = 304;
const NZCV: u64 = 0xf000_0000;
const LENGTHS: [usize; 4] = [16, 32, 48, 256];
/// Cases of a line that are enough each time, and those that are asked for together.
const USUAL: usize = 12;
const TOGETHER: usize = 1200;

#[derive(Clone, PartialEq, Eq)]
struct State {
    x: [u64; 31],
    sp: u64,
    /// From the instruction on.
    pc: u64,
    pstate: u64,
    signal: u32,
    fpsr: u32,
    fpcr: u32,
    fault: u64,
    memory: [u8; MEMORY],
    z: Vec<u8>,
    /// P0 to P15, FFR.
    p: Vec<u8>,
}

fn size(length: usize) -> usize {
    (HEAD + MEMORY + 32 * length + 17 * length / 8).next_multiple_of(8)
}

impl State {
    fn bytes(&self, length: usize) -> Vec<u8> {
        let mut b: Vec<u8> = self.x.iter().flat_map(|x| x.to_le_bytes()).collect();
        let more = [self.sp, self.pc, self.pstate];
        b.extend(more.iter().flat_map(|x| x.to_le_bytes()));
        let more = [self.signal, 0, self.fpsr, self.fpcr];
        b.extend(more.iter().flat_map(|x| x.to_le_bytes()));
        b.extend([0; 16]);
        b.extend(self.memory);
        b.extend(&self.z);
        b.extend(&self.p);
        b.resize(size(length), 0);
        b
    }

    fn parse(b: &[u8], length: usize) -> Self {
        let word = |n: usize| u64::from_le_bytes(b[8 * n..][..8].try_into().expect("eight bytes"));
        let half = |n: usize| u32::from_le_bytes(b[4 * n..][..4].try_into().expect("four bytes"));
        let vectors = &b[HEAD + MEMORY..];
        Self {
            x: std::array::from_fn(word),
            sp: word(31),
            pc: word(32),
            pstate: word(33) & NZCV,
            signal: half(68),
            fpsr: half(70),
            fpcr: half(71),
            fault: word(36),
            memory: b[HEAD..][..MEMORY].try_into().expect("the memory"),
            z: vectors[..32 * length].to_vec(),
            p: vectors[32 * length..][..17 * length / 8].to_vec(),
        }
    }
}

fn ask(oracle: &Oracle, length: usize, codes: &[u32], states: &[State]) -> Vec<State> {
    let mut input: Vec<u8> = (codes.len() as u32).to_le_bytes().to_vec();
    input.extend((length as u32).to_le_bytes());
    input.extend(codes.iter().flat_map(|c| c.to_le_bytes()));
    input.extend(states.iter().flat_map(|s| s.bytes(length)));
    let (_, out) = oracle.ask(input, 0, codes.len() * size(length));
    let states = out.chunks(size(length));
    states.map(|b| State::parse(b, length)).collect()
}

struct Ours {
    space: Arc<AddressSpace>,
    length: usize,
    cores: Vec<(&'static str, Box<dyn CpuCore>)>,
}

impl Ours {
    fn new(cases: usize, length: usize) -> Self {
        let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
        map(&space, DATA, 0x1000, libc::PROT_READ | libc::PROT_WRITE);
        let len = (cases as u64 * 8).next_multiple_of(4096);
        let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        map(&space, CODE, len, all);
        let missing: Fallback = Arc::new(|| Err("none".into()));
        let all = features::USUAL.and(features::ALL_SVE);
        let guest = AArch64::of(features::with_length(all, length as u32 / 16), false);
        let core = |options: &str| {
            let config = NativeConfig {
                options: Options::parse(options).expect("options"),
                ..NativeConfig::default()
            };
            open(guest, &config, space.clone(), Some(missing.clone())).expect("a core")
        };
        let cores = vec![
            ("interpreted", core("")),
            ("translated", core("")),
            ("unoptimised", core("no-all")),
        ];
        Self {
            space,
            length,
            cores,
        }
    }

    fn run(&mut self, who: usize, n: usize, code: u32, from: &State) -> State {
        let pc = CODE + 8 * n as u64;
        let bytes: Vec<u8> = [code, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
        self.space.write(pc, &bytes).expect("code");
        self.space.write(WINDOW, &from.memory).expect("data");
        let length = self.length;
        let core = &mut self.cores[who].1;
        for (n, &x) in from.x.iter().enumerate() {
            core.set(n as u32, x);
        }
        core.set(SP, from.sp);
        core.set(PC, pc);
        core.set(PSTATE, from.pstate);
        core.set(FPSR, u64::from(from.fpsr));
        core.set(FPCR, u64::from(from.fpcr));
        core.set(VECTORS, 1);
        let quad = |b: &[u8]| u128::from_le_bytes(b.try_into().expect("16 bytes"));
        for n in 0..32 {
            for (k, b) in from.z[n * length..][..length].chunks(16).enumerate() {
                let id = if k == 0 {
                    V0 + n as u32
                } else {
                    Z0 + (15 * n + k - 1) as u32
                };
                core.set_wide(id, quad(b));
            }
        }
        for (n, b) in from.p.chunks(length / 8).enumerate() {
            for (k, word) in b.chunks(8).enumerate() {
                let v = word.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b));
                core.set(P0 + (4 * n + k) as u32, v);
            }
        }
        let exit = carry_out(&mut **core, who == 0);
        let at = core.get(PC);
        let (signal, fault) = match exit {
            Exit::Undefined => (libc::SIGILL, at),
            Exit::Fault {
                addr, align: true, ..
            } => (libc::SIGBUS, addr),
            Exit::Fault { addr, .. } => (libc::SIGSEGV, addr),
            e => panic!("{code:x?}: {e:?}"),
        };
        let mut memory = [0; MEMORY];
        self.space.read(WINDOW, &mut memory).expect("data");
        let mut z = Vec::new();
        for n in 0..32 {
            z.extend(core.get_wide(V0 + n).to_le_bytes());
            for k in 0..length as u32 / 16 - 1 {
                z.extend(core.get_wide(Z0 + 15 * n + k).to_le_bytes());
            }
        }
        let mut p = Vec::new();
        for n in 0..17 {
            let words = (0..4).flat_map(|k| core.get(P0 + 4 * n + k).to_le_bytes());
            p.extend(words.take(length / 8));
        }
        State {
            x: std::array::from_fn(|n| core.get(n as u32)),
            sp: core.get(SP),
            pc: at.wrapping_sub(pc),
            pstate: core.get(PSTATE) & NZCV,
            signal: signal as u32,
            fpsr: core.get(FPSR) as u32,
            fpcr: core.get(FPCR) as u32,
            fault,
            memory,
            z,
            p,
        }
    }
}

/// Fills a predicate: all, nothing, the first few, or anything.
fn predicate(p: &mut [u8], r: &mut Rng) {
    let bits = 8 * p.len() as u64;
    let how = r.below(8);
    let some = r.below(bits + 1);
    for (n, b) in p.iter_mut().enumerate() {
        *b = match how {
            0..=2 => 0xff,
            3 => 0,
            4 => (0..8).fold(0, |b, k| b | u8::from(8 * n as u64 + k < some) << k),
            _ => r.next() as u8,
        };
    }
}

/// Numbers near each other, so that comparisons and matches hold now and then.
fn near(w: &mut [u8], r: &mut Rng) {
    for b in w {
        *b = r.below(3) as u8;
    }
}

fn case(e: &Encoding, length: usize, r: &mut Rng) -> (u32, State) {
    let mut w = r.next() as u32 & !e.mask | e.value;
    let mut s = State {
        x: std::array::from_fn(|_| r.register(64)),
        sp: r.next() & !15,
        pc: 0,
        pstate: r.next() & NZCV,
        signal: 0,
        fpsr: 0,
        fpcr: 0,
        fault: 0,
        memory: [0; MEMORY],
        z: vec![0; 32 * length],
        p: vec![0; 17 * length / 8],
    };
    for c in s.memory.chunks_mut(8).chain(s.z.chunks_mut(8)) {
        c.copy_from_slice(&r.lanes().to_le_bytes());
    }
    for p in s.p.chunks_mut(length / 8) {
        predicate(p, r);
    }
    if r.below(4) == 0 {
        near(&mut s.z, r);
    }
    if r.below(4) == 0 {
        // Rounding, flushing, default NaNs, the alternative half precision.
        s.fpcr = (r.next() as u32) & 0x07c8_0000;
    }
    // Lengths and limits.
    let (n, m) = ((w >> 5 & 31) as usize, (w >> 16 & 31) as usize);
    if e.name.starts_with("while") && r.below(4) != 0 {
        if r.below(2) == 0 && n < 31 {
            s.x[n] = r.below(1000).wrapping_sub(500);
        }
        if n < 31 && m < 31 {
            s.x[m] = s.x[n]
                .wrapping_add(r.below(4 * length as u64))
                .wrapping_sub(length as u64);
        }
    }
    if e.name == "cterm" && n < 31 && m < 31 && r.below(2) == 0 {
        s.x[m] = s.x[n];
    }
    if e.name.starts_with("ftm")
        || e.name.starts_with("tbl")
        || e.name.starts_with("tbx")
        || e.name.contains("shl")
    {
        for b in s.z[m * length..][..length].iter_mut() {
            *b = if r.below(3) == 0 { r.next() as u8 } else { 0 };
        }
    }
    if matches!(e.run, Run::Memory(_)) {
        memory_case(e, &mut w, &mut s, length, r);
    }
    (w, s)
}

fn memory_case(e: &Encoding, w: &mut u32, s: &mut State, length: usize, r: &mut Rng) {
    // Indices and offsets are small.
    let vector_base =
        e.name.contains("_b") || (e.name.contains("nt1_32") || e.name.contains("nt1_64"));
    let scalar_index = e.name.ends_with("_r");
    let (n, m) = ((*w >> 5 & 31) as usize, (*w >> 16 & 31) as usize);
    let near = |r: &mut Rng| {
        let beyond = if r.below(8) == 0 { 64 } else { 0 };
        WINDOW + r.below(MEMORY as u64 + beyond)
    };
    if vector_base {
        let esize = if e.name.contains("32") { 4 } else { 8 };
        for c in s.z[n * length..][..length].chunks_mut(esize) {
            let at = near(r);
            c.copy_from_slice(&at.to_le_bytes()[..esize]);
        }
        if e.name.contains("nt1") && m < 31 {
            s.x[m] = r.below(64).wrapping_sub(32);
        }
        return;
    }
    if e.name.starts_with("ldff1_r") || e.name.starts_with("ldnf1_i") {
        // qemu 11 looks at the wrong bits of the predicate where the first active element is not the first one of 64 bytes
        // (sve_ldnfff1_r reads it from that byte on and shifts it by as much again).
        s.p[(*w >> 10 & 7) as usize * length / 8] |= 1;
    }
    let middle = WINDOW + MEMORY as u64 / 2;
    let base = if r.below(3) == 0 {
        near(r)
    } else {
        middle + r.below(128) - 64
    };
    if n == 31 {
        s.sp = base;
    } else {
        s.x[n] = base;
    }
    if scalar_index && m < 31 && m != n {
        s.x[m] = r.below(16).wrapping_sub(8);
    }
    if e.name.ends_with("_i") && length == 256 && r.below(4) != 0 {
        // Not far away.
        *w &= !(7 << 16);
    }
    if e.name.contains("_z") || e.name.contains("_p") {
        *w &= !(0x3e << 16);
    }
    let esize = if e.name.contains("u32") || e.name.contains("64") {
        8
    } else {
        4
    };
    if !scalar_index && !e.name.ends_with("_i") {
        for c in s.z[m * length..][..length].chunks_mut(esize) {
            let at = r
                .below(200)
                .wrapping_sub(if r.below(4) == 0 { 100 } else { 0 });
            c.copy_from_slice(&at.to_le_bytes()[..esize]);
        }
    }
}

fn difference(e: &Encoding, a: &State, b: &State) -> String {
    let mut text = String::new();
    if a.signal != b.signal || a.pc != b.pc {
        return format!(
            " signal {} at {} / {} at {}",
            a.signal, a.pc, b.signal, b.pc
        );
    }
    // Of these qemu has the block that the host reads.
    let block = if e.name.starts_with("ld1_") && !e.name.ends_with("_r") && !e.name.ends_with("_i")
    {
        !15
    } else {
        !0
    };
    if a.signal == libc::SIGSEGV as u32 && (a.fault ^ b.fault) & block != 0 {
        let _ = write!(text, " fault {:#x} / {:#x}", a.fault, b.fault);
    }
    for n in 0..31 {
        if a.x[n] != b.x[n] {
            let _ = write!(text, " x{n} {:#x} / {:#x}", a.x[n], b.x[n]);
        }
    }
    let words = [
        ("sp", a.sp, b.sp),
        ("pstate", a.pstate, b.pstate),
        ("fpsr", a.fpsr.into(), b.fpsr.into()),
        ("fpcr", a.fpcr.into(), b.fpcr.into()),
    ];
    for (name, a, b) in words {
        if a != b {
            let _ = write!(text, " {name} {a:#x} / {b:#x}");
        }
    }
    // Of a vector that is loaded in pieces qemu has some when it faults.
    if a.signal == libc::SIGSEGV as u32 && e.name.starts_with("ldr_") {
        return text;
    }
    let length = a.z.len() / 32;
    // qemu declines all of such a load where its first element reaches into the next page, as any may (MemSingleNF).
    if e.name == "ldnf1_i" && a.p[2 * length..].iter().all(|&b| b == 0) {
        return text;
    }
    for (name, size, a, b) in [("z", length, &a.z, &b.z), ("p", length / 8, &a.p, &b.p)] {
        for (n, (x, y)) in a.chunks(size).zip(b.chunks(size)).enumerate() {
            if x != y {
                let at = x.iter().zip(y).position(|(x, y)| x != y).unwrap_or(0) & !7;
                let part = at..(at + 16).min(size);
                let (x, y) = (&x[part.clone()], &y[part]);
                let _ = write!(text, " {name}{n} from {at}: {x:02x?} / {y:02x?}");
            }
        }
    }
    // How much of a store is done when it faults is open.
    let stored = a.signal == libc::SIGSEGV as u32 && e.name.starts_with("st");
    if a.memory != b.memory && !stored {
        text += " memory";
    }
    text
}

/// What goes with a case.
struct Asked {
    line: &'static Encoding,
    code: u32,
    from: State,
}

fn lines() -> impl Iterator<Item = &'static Encoding> {
    let only = only();
    let all = GROUPS.iter().flat_map(|g| g.lines);
    all.filter(move |e| e.name.contains(&only))
}

fn compare(oracle: &Oracle, length: usize, asked: &[Asked], failed: &mut Vec<String>) -> Vec<bool> {
    let show = env_number("QUSR_FUZZ_SHOW", 2);
    let codes: Vec<u32> = asked.iter().map(|a| a.code).collect();
    let states: Vec<State> = asked.iter().map(|a| a.from.clone()).collect();
    let want = ask(oracle, length, &codes, &states);
    let mut ours = Ours::new(asked.len(), length);
    let mut defined = Vec::new();
    let mut shown = 0;
    let mut last = "";
    for (n, (a, want)) in asked.iter().zip(&want).enumerate() {
        defined.push(want.pc != 0 || want.signal != libc::SIGILL as u32);
        for who in 0..ours.cores.len() {
            let text = difference(a.line, want, &ours.run(who, n, a.code, &a.from));
            if text.is_empty() {
                continue;
            }
            shown = if a.line.name == last { shown + 1 } else { 1 };
            last = a.line.name;
            if shown <= show {
                let (name, code, who) = (a.line.name, a.code, ours.cores[who].0);
                let fpcr = a.from.fpcr;
                let [n, m] = [code >> 5 & 31, code >> 16 & 31]
                    .map(|n| a.from.x.get(n as usize).unwrap_or(&a.from.sp));
                let g = (code >> 10 & 7) as usize;
                let p = &a.from.p[g * length / 8..(g + 1) * length / 8];
                eprintln!(
                    "{name} {code:08x} length {length} fpcr {fpcr:#x} xn {n:#x} xm {m:#x} pg {p:02x?} {who}: \
                     qemu / ours:{text:.900}"
                );
            }
            failed.push(format!("{} at {length}", a.line.name));
            break;
        }
    }
    defined
}

#[test]
fn sve_agrees_with_qemu() {
    let Some(oracle) = Oracle::new(
        "aarch64-linux-gnu-gcc",
        &[],
        &["sve.c"],
        tool("newer-qemu", "aarch64"),
        &["-cpu", "max,sme=off"],
    ) else {
        return;
    };
    let many = std::env::var_os("QUSR_FUZZ_CASES").is_some();
    let mut failed = Vec::new();
    let mut dead: Vec<&str> = Vec::new();
    for (which, length) in LENGTHS.into_iter().enumerate() {
        let each = if many {
            (cases() as usize).div_ceil(LENGTHS.len())
        } else {
            USUAL
        };
        let mut asked: Vec<Asked> = Vec::new();
        let all: Vec<&Encoding> = lines().collect();
        for (n, line) in all.iter().enumerate() {
            // Without being asked for more, a line is looked at with one of the lengths.
            if many || n % LENGTHS.len() == which {
                let mut r = Rng((env_number("QUSR_FUZZ_SEED", 1) + n as u64) * 0x9e37_79b9 + 1);
                let mut tries = 0;
                let enough = asked.len() + each;
                while asked.len() < enough && tries < 8 * each {
                    tries += 1;
                    let (code, from) = case(line, length, &mut r);
                    let found = find(code).map(|(g, n)| &GROUPS[g].lines[n]);
                    if found.is_some_and(|f| std::ptr::eq(f, *line))
                        && !is_doubtful(line, code, length)
                    {
                        asked.push(Asked { line, code, from });
                    }
                }
            }
            if asked.len() >= TOGETHER || n + 1 == all.len() {
                if asked.is_empty() {
                    continue;
                }
                let defined = compare(&oracle, length, &asked, &mut failed);
                for line in asked.iter().map(|a| a.line) {
                    let mut own = asked
                        .iter()
                        .zip(&defined)
                        .filter(|(a, _)| std::ptr::eq(a.line, line));
                    let usual = !wants_more(line, length);
                    if usual && !own.any(|(_, d)| *d) && !dead.contains(&line.name) {
                        dead.push(line.name);
                    }
                }
                asked.clear();
            }
        }
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for f in &failed {
        match kinds.iter_mut().find(|k| k.0 == *f) {
            Some(k) => k.1 += 1,
            None => kinds.push((f.clone(), 1)),
        }
    }
    assert!(
        failed.is_empty(),
        "{} differences: {kinds:?}; undefined for qemu: {dead:?}",
        failed.len()
    );
    assert!(dead.is_empty(), "undefined for qemu: {dead:?}");
}

/// What qemu has of later extensions (bfloat16 arithmetic), or otherwise than the manual: odd numbers of 128 bits, which no processor
/// may have any more.
fn is_doubtful(e: &Encoding, w: u32, length: usize) -> bool {
    let bfloat = w >> 24 == 0x65 && w >> 22 & 3 == 0 && e.mask >> 22 & 3 == 0;
    // Elements of 128 bits.
    let quads = e.name.starts_with("st1_")
        && (w >> 21 & 3) < (w >> 23 & 3)
        && matches!(e.name, "st1_r" | "st1_i");
    bfloat || quads || (length == 48 && e.need == features::SVE_F64MM)
}

/// The longer ones are undefined with short vectors.
fn wants_more(e: &Encoding, length: usize) -> bool {
    e.need == features::SVE_F64MM && length < 32
}
