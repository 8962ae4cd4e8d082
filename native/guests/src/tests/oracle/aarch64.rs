//! AArch64 that Unicorn does not know, against a newer `qemu-aarch64 -cpu max`.

use super::batch::{Oracle, carry_out, map, tool};
use super::twister::Twister;
use crate::aarch64::pauth::PACFAIL;
use crate::aarch64::registers::{FPCR, FPSR, KEYS, PC, PSTATE, SP, V0};
use crate::aarch64::table::{Encoding, TABLE, find};
use crate::aarch64::{AArch64, features};
use crate::cpu::{CpuCore, Exit};
use crate::features::Features;
use crate::memory::{AddressSpace, SpaceConfig};
use crate::tests::fuzz::{Rng, cases, env_number, only};
use crate::translator::{Fallback, NativeConfig, Options, open};
use std::sync::Arc;

const DATA: u64 = 0x2000_0000;
const WINDOW: u64 = DATA + 0xc00;
const CODE: u64 = 0x3000_0000;
const MEMORY: usize = 1024;
const WORDS: usize = 4;
const STATE: usize = 304 + 512 + MEMORY;
const NZCV: u64 = 0xf000_0000;
/// Of a case's code, with the undefined instruction at its end.
const SLOT: u64 = 4 * (WORDS as u64 + 1);

/// Batches of cases after which a line is given up.
const PATIENCE: usize = 40;

/// The lines that are judged here; the others are Unicorn's.
const LINES: &[&str] = &[
    "one_source",
    "bc_cond",
    "cmp_branch",
    "abs",
    "extreme",
    "extreme_imm",
    "pauth_one",
    "xpac",
    "pacga",
    "br_auth",
    "ldr_auth",
    "wait_time",
    "msr_imm",
    "mops_copy",
    "mops_set",
    "lse128",
    "hint",
    "stxr",
    "ldxr",
    "stxp",
    "ldxp",
    "casp",
    "cas",
    "stlr",
    "ldar",
    "ldapr",
    "ldadd",
    "swp",
    "ldapur",
    "addg",
    "subp",
    "subps",
    "irg",
    "gmi",
];

/// Of them, those that look the same whatever else there is.
const PAUTH_LINES: &[&str] = &["pauth_one", "xpac", "pacga", "br_auth", "ldr_auth", "hint"];

/// What a case begins with, and ends with.
#[derive(Clone, PartialEq, Eq)]
struct State {
    x: [u64; 31],
    sp: u64,
    /// From the first instruction on.
    pc: u64,
    pstate: u64,
    signal: u32,
    code: u32,
    fpsr: u32,
    fpcr: u32,
    fault: u64,
    v: [u128; 32],
    memory: [u8; MEMORY],
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        let mut b: Vec<u8> = self.x.iter().flat_map(|x| x.to_le_bytes()).collect();
        b.extend(
            [self.sp, self.pc, self.pstate]
                .iter()
                .flat_map(|x| x.to_le_bytes()),
        );
        b.extend(
            [self.signal, self.code, self.fpsr, self.fpcr]
                .iter()
                .flat_map(|x| x.to_le_bytes()),
        );
        b.extend([self.fault, 0].iter().flat_map(|x| x.to_le_bytes()));
        b.extend(self.v.iter().flat_map(|v| v.to_le_bytes()));
        b.extend(self.memory);
        b
    }

    fn parse(b: &[u8]) -> Self {
        let word =
            |n: usize| u64::from_le_bytes(b[8 * n..8 * n + 8].try_into().expect("eight bytes"));
        let half =
            |n: usize| u32::from_le_bytes(b[4 * n..4 * n + 4].try_into().expect("four bytes"));
        let wide =
            |n: usize| u128::from_le_bytes(b[304 + 16 * n..320 + 16 * n].try_into().expect("16"));
        Self {
            x: std::array::from_fn(word),
            sp: word(31),
            pc: word(32),
            pstate: word(33) & NZCV,
            signal: half(68),
            code: half(69),
            fpsr: half(70),
            fpcr: half(71),
            fault: word(36),
            v: std::array::from_fn(wide),
            memory: b[816..].try_into().expect("the memory"),
        }
    }
}

/// Instructions of a case, what is behind them being undefined.
type Code = [u32; WORDS];

/// An algorithm of pointer authentication: of qemu's options, and of ours.
#[derive(Clone, Copy)]
struct Algorithm {
    option: &'static str,
    feature: Features,
}

const ALGORITHMS: [Algorithm; 2] = [
    Algorithm {
        option: "max,sve=off,sme=off,pauth-qarma5=on",
        feature: features::QARMA5,
    },
    Algorithm {
        option: "max,sve=off,sme=off,pauth-qarma3=on",
        feature: features::QARMA3,
    },
];

fn oracle(cpu: &str) -> Option<Oracle> {
    Oracle::new(
        "aarch64-linux-gnu-gcc",
        &[],
        &["aarch64.c"],
        tool("newer-qemu", "aarch64"),
        &["-cpu", cpu, "-seed", "1"],
    )
}

/// The keys that qemu has under `-seed 1`: what its generator gives behind what the guest is told to be random.
fn keys(random: &[u8]) -> [u128; 5] {
    let mut t = Twister::of(&[1, 0]);
    let mut wide = || (0..4).fold(0, |all, n| all | u128::from(t.next()) << (32 * n));
    assert_eq!(wide().to_le_bytes(), random, "AT_RANDOM under -seed");
    std::array::from_fn(|_| wide())
}

fn ask(program: &Oracle, codes: &[Code], states: &[State]) -> ([u128; 5], Vec<State>) {
    let mut input: Vec<u8> = (codes.len() as u32).to_le_bytes().to_vec();
    input.extend(codes.iter().flatten().flat_map(|w| w.to_le_bytes()));
    input.extend(states.iter().flat_map(State::bytes));
    let (random, out) = program.ask(input, 16, codes.len() * STATE);
    (keys(&random), out.chunks(STATE).map(State::parse).collect())
}

/// Who executes for us.
struct Ours {
    space: Arc<AddressSpace>,
    cores: Vec<(&'static str, Box<dyn CpuCore>)>,
}

impl Ours {
    fn new(cases: usize, algorithm: Algorithm) -> Self {
        let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
        map(&space, DATA, 0x1000, libc::PROT_READ | libc::PROT_WRITE);
        let len = (cases as u64 * SLOT).next_multiple_of(4096);
        let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        map(&space, CODE, len, all);
        let missing: Fallback = Arc::new(|| Err("none".into()));
        let guest = AArch64::of(
            features::USUAL.and(algorithm.feature).and(features::MTE),
            false,
        );
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
        Self { space, cores }
    }

    fn run(&mut self, who: usize, n: usize, code: &Code, keys: &[u128; 5], from: &State) -> State {
        let pc = CODE + SLOT * n as u64;
        let bytes: Vec<u8> = code
            .iter()
            .chain([&0])
            .flat_map(|w| w.to_le_bytes())
            .collect();
        self.space.write(pc, &bytes).expect("code");
        self.space.write(WINDOW, &from.memory).expect("data");
        let core = &mut self.cores[who].1;
        for (n, &x) in from.x.iter().enumerate() {
            core.set(n as u32, x);
        }
        core.set(SP, from.sp);
        core.set(PC, pc);
        core.set(PSTATE, from.pstate);
        core.set(FPSR, u64::from(from.fpsr));
        core.set(FPCR, u64::from(from.fpcr));
        for (n, &v) in from.v.iter().enumerate() {
            core.set_wide(V0 + n as u32, v);
        }
        for (n, &key) in keys.iter().enumerate() {
            core.set_wide(KEYS + n as u32, key);
        }
        let exit = carry_out(&mut **core, who == 0);
        let at = core.get(PC);
        let (signal, code, fault) = match exit {
            Exit::Undefined => (libc::SIGILL, 1, at),
            Exit::Exception { code: PACFAIL, .. } => (libc::SIGILL, 2, at),
            Exit::Fault {
                addr, align: true, ..
            } => (libc::SIGBUS, 1, addr),
            Exit::Fault { addr, mapped, .. } => (libc::SIGSEGV, 1 + i32::from(mapped), addr),
            e => panic!("{code:x?}: {e:?}"),
        };
        let mut memory = [0; MEMORY];
        self.space.read(WINDOW, &mut memory).expect("data");
        State {
            x: std::array::from_fn(|n| core.get(n as u32)),
            sp: core.get(SP),
            pc: at.wrapping_sub(pc),
            pstate: core.get(PSTATE) & NZCV,
            signal: signal as u32,
            code: code as u32,
            fpsr: core.get(FPSR) as u32,
            fpcr: core.get(FPCR) as u32,
            fault,
            v: std::array::from_fn(|n| core.get_wide(V0 + n as u32)),
            memory,
        }
    }
}

/// Register choices that the architecture leaves open, and what is another line's, or nobody's yet.
fn left_out(name: &str, w: u32) -> bool {
    let (s, t, n, t2) = (w >> 16 & 31, w & 31, w >> 5 & 31, w >> 10 & 31);
    match name {
        "stxr" => s == t || s == n || n == 17 || n == 16,
        "stxp" => s == t || s == t2 || s == n || n == 17 || n == 16,
        "ldxp" => t == t2,
        "ldr_auth" => w >> 11 & 1 != 0 && n == t,
        // PSTATE.SSBS and DIT: the others are privileged, or SME's.
        "msr_imm" => !matches!(w >> 5 & 7, 1 | 2),
        // GCS, and hints that wait.
        "hint" => matches!(w >> 5 & 127, 1..=6 | 16..=23 | 32..),
        _ => false,
    }
}

/// The instructions of a case of `w`.
fn sequence(name: &str, w: u32, r: &mut Rng) -> Code {
    let (n, d) = (w >> 5 & 31, w & 31);
    let signed = r.below(4) != 0;
    match name {
        "stxr" => [0x085f_7c00 | (w & 0xc000_03e0) | 17, w, 0, 0],
        "stxp" => [0x887f_4400 | (w & 0x4000_03e0) | 16, w, 0, 0],
        "bc_cond" => [w & !0x00ff_ffe0 | 2 << 5, 0, 0, 0],
        "cmp_branch" => [w & !0x3fe0 | 2 << 5, 0, 0, 0],
        // What is authenticated was signed before, mostly.
        "pauth_one" if w >> 12 & 1 != 0 && signed => [w & !(1 << 12), w, 0, 0],
        "hint" if w >> 7 & 1 != 0 && signed => [w & !(1 << 7), w, 0, 0],
        "ldr_auth" if n != 31 && signed => [0xdac1_2be0 | w >> 13 & 1 << 10 | n, w, 0, 0],
        "br_auth" if signed => {
            let key = w & 1 << 10;
            let sign = match (w >> 21 & 3, w >> 24 & 1) {
                (2, _) => 0xd503_233f | key >> 4,
                (_, 0) => 0xdac1_23e0 | key | n,
                _ => 0xdac1_0000 | key | d << 5 | n,
            };
            [sign, w, 0, 0]
        }
        "msr_imm" => [w, 0xd53b_42a0 | 1, 0xd53b_42c0 | 2, 0],
        "mops_copy" => [
            w & !(3 << 22),
            w & !(3 << 22) | 1 << 22,
            w & !(3 << 22) | 2 << 22,
            0,
        ],
        "mops_set" => [
            w & !(3 << 14),
            w & !(3 << 14) | 1 << 14,
            w & !(3 << 14) | 2 << 14,
            0,
        ],
        _ => [w, 0, 0, 0],
    }
}

fn state(name: &str, w: u32, slot: u64, r: &mut Rng) -> State {
    let mut s = State {
        x: std::array::from_fn(|_| r.operand()),
        sp: r.operand(),
        pc: 0,
        pstate: r.next() & NZCV,
        signal: 0,
        code: 0,
        fpsr: 0,
        fpcr: 0,
        fault: 0,
        v: std::array::from_fn(|_| u128::from(r.lanes()) | u128::from(r.lanes()) << 64),
        memory: std::array::from_fn(|_| r.next() as u8),
    };
    let (n, d, m) = (
        (w >> 5 & 31) as usize,
        (w & 31) as usize,
        (w >> 16 & 31) as usize,
    );
    let mut put = |n: usize, v: u64| *s.x.get_mut(n).unwrap_or(&mut s.sp) = v;
    match name {
        "br_auth" => put(if w >> 21 & 3 == 2 { 30 } else { n }, slot + 12),
        "pauth_one" | "xpac" => put(d, pointer(r)),
        "hint" => {
            put(30, pointer(r));
            put(17, pointer(r));
        }
        "ldr_auth" => {
            let offset = i64::from((w << 9 >> 31) as i32 & 1) * -512 + i64::from(w >> 12 & 511);
            put(
                n,
                (WINDOW + 8 * r.below(100)).wrapping_sub((offset * 8) as u64),
            );
        }
        "mops_copy" | "mops_set" => {
            let size = [r.below(20), r.below(80), r.below(600)][r.below(3) as usize];
            let (a, b) = (r.below(1000 - size), r.below(1000 - size));
            // Forward copies, which do not look where they go, go downward.
            let (to, from) = if w >> 26 & 1 == 0 {
                (a.min(b), a.max(b))
            } else {
                (a, b)
            };
            let (mut to, mut from) = (WINDOW + to, WINDOW + from);
            match r.below(12) {
                0 => to = DATA + 0x1000 - r.below(size + 1),
                1 if name == "mops_copy" => from = DATA + 0x1000 - r.below(size + 1),
                2 => (to, from) = (to | 0xab << 56, from | 0xcd << 56),
                _ => {}
            }
            put(m, if name == "mops_copy" { from } else { r.next() });
            put(d, to);
            put(n, size);
        }
        _ if w >> 27 & 7 == 1 || w >> 24 & 0x3f == 0x19 || w >> 24 & 0x3f == 0x38 => {
            let at = match r.below(8) {
                0 => DATA + 0x1000 - r.below(20),
                1..=3 => WINDOW + r.below(900),
                _ => WINDOW + 16 * r.below(60),
            };
            let offset = if name == "ldapur" {
                (w << 11) as i32 >> 23
            } else {
                0
            };
            put(n, at.wrapping_sub(i64::from(offset) as u64));
        }
        _ => {}
    }
    s
}

/// An address with a tag, or with something in the place of its code.
fn pointer(r: &mut Rng) -> u64 {
    let plain = r.next() & 0xffff_ffff_ffff;
    let v = match r.below(4) {
        0 => plain,
        1 => plain | r.next() << 56,
        2 => plain | !0 << 48,
        _ => r.next(),
    };
    // AddPAC takes bit 55 for the half of the address space if one of the two has tags; qemu bit 63 if it is the other.
    if v >> 55 & 1 != 0 { v | 1 << 63 } else { v }
}

fn difference(name: &str, a: &State, b: &State) -> String {
    let mut text = String::new();
    let mut ends = |s: &State| (s.signal, s.code, s.pc, s.fault);
    let mut page = |s: &State| (s.signal, s.code, 0, s.fault & !0xfff);
    // How far a copy got before its fault is for the processor to choose.
    let ends: &mut dyn FnMut(&State) -> (u32, u32, u64, u64) =
        if name.starts_with("mops") && a.signal == libc::SIGSEGV as u32 {
            &mut page
        } else {
            &mut ends
        };
    if ends(a) != ends(b) {
        return format!(" ends {:x?} / {:x?}", ends(a), ends(b));
    }
    if name.starts_with("mops") && a.signal == libc::SIGSEGV as u32 {
        return text;
    }
    for (n, (a, b)) in
        a.x.iter()
            .chain([&a.sp])
            .zip(b.x.iter().chain([&b.sp]))
            .enumerate()
    {
        if a != b {
            text += &format!(" x{n} {a:#x} / {b:#x}");
        }
    }
    if a.pstate != b.pstate {
        text += &format!(" flags {:x} / {:x}", a.pstate >> 28, b.pstate >> 28);
    }
    if a.v != b.v || a.fpsr != b.fpsr {
        text += " vectors";
    }
    if a.memory != b.memory {
        text += " memory";
    }
    text
}

/// Compares so many instructions of a line: how many were executed, and how many differ.
fn batch(
    program: &Oracle,
    algorithm: Algorithm,
    e: &Encoding,
    size: usize,
    r: &mut Rng,
    show: usize,
) -> (usize, usize) {
    let (mut codes, mut states) = (Vec::new(), Vec::new());
    while codes.len() < size {
        let w = (r.next() as u32 & !e.mask) | e.value;
        let own = find(w).is_some_and(|n| TABLE[n].name == e.name);
        if own && !left_out(e.name, w) {
            let slot = CODE + SLOT * codes.len() as u64;
            codes.push(sequence(e.name, w, r));
            states.push(state(e.name, w, slot, r));
        }
    }
    let (keys, want) = ask(program, &codes, &states);
    let mut ours = Ours::new(size, algorithm);
    let (mut wrong, mut executed) = (0, 0);
    for (n, ((code, from), want)) in codes.iter().zip(&states).zip(&want).enumerate() {
        executed += usize::from(want.pc != 0 || want.signal != libc::SIGILL as u32);
        for who in 0..ours.cores.len() {
            let got = ours.run(who, n, code, &keys, from);
            let text = difference(e.name, want, &got);
            if text.is_empty() {
                continue;
            }
            wrong += 1;
            if wrong <= show {
                let who = ours.cores[who].0;
                eprintln!("{} {code:08x?} {who}: qemu / ours:{text}", e.name);
                eprintln!("  from {:x?} sp {:x} {:x}", from.x, from.sp, from.pstate);
            }
            break;
        }
    }
    (executed, wrong)
}

#[test]
fn newer_instructions_agree_with_qemu() {
    let each = cases() as usize;
    let mut r = Rng(env_number("QUSR_FUZZ_SEED", 1).wrapping_mul(0x9e37_79b9) + 1);
    let (only, show) = (only(), env_number("QUSR_FUZZ_SHOW", 2) as usize);
    let (mut failed, mut thin) = (Vec::new(), Vec::new());
    for (algorithm, lines) in ALGORITHMS.into_iter().zip([LINES, PAUTH_LINES]) {
        let Some(program) = oracle(algorithm.option) else {
            return;
        };
        for e in TABLE {
            if !e.name.contains(&only) || !lines.contains(&e.name) {
                continue;
            }
            let (mut wrong, mut executed, mut batches) = (0, 0, 0);
            // Those that are undefined are compared, too, but do not count.
            while executed < each && batches < PATIENCE && wrong == 0 {
                let (d, w) = batch(&program, algorithm, e, each, &mut r, show);
                (executed, wrong, batches) = (executed + d, wrong + w, batches + 1);
            }
            if wrong > 0 {
                failed.push(format!("{} {wrong}/{}", e.name, each * batches));
            } else if executed < each {
                thin.push(format!("{}: {executed}", e.name));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join(", "));
    assert!(
        thin.is_empty(),
        "lines with fewer than {each} cases that qemu executed: {}",
        thin.join(", ")
    );
}
