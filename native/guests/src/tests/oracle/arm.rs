//! Floating point and Advanced SIMD of 32-bit Arm, against `qemu-arm -cpu max`.

use super::batch::{Oracle, map};
use crate::arm::fptable::TABLE;
use crate::arm::table::Encoding;
use crate::cpu::{CpuCore, Exit, Flow};
use crate::memory::{AddressSpace, SpaceConfig};
use crate::tests::fuzz::{Rng, only};
use crate::translator::{Fallback, NativeConfig, Options, open};
use std::sync::Arc;

const DATA: u64 = 0x2000_0000;
const WINDOW: u64 = DATA + 0x800;
const CODE: u64 = 0x3000_0000;
const MEMORY: usize = 256;
const STATE: usize = 80 + 256 + MEMORY;

/// Batches of cases after which a line is given up.
const PATIENCE: usize = 40;

/// The register numbers of the core: r0-r14, pc, cpsr, d0-d31, fpscr.
const PC: u32 = 15;
const CPSR: u32 = 16;
const D0: u32 = 17;
const FPSCR: u32 = 49;

/// What a case begins with, and ends with.
#[derive(Clone, PartialEq, Eq)]
struct State {
    r: [u32; 15],
    signal: u32,
    cpsr: u32,
    fpscr: u32,
    d: [u64; 32],
    memory: [u8; MEMORY],
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        let mut b: Vec<u8> = self.r.iter().flat_map(|r| r.to_le_bytes()).collect();
        for w in [self.signal, self.cpsr, self.fpscr, 0, 0] {
            b.extend(w.to_le_bytes());
        }
        b.extend(self.d.iter().flat_map(|d| d.to_le_bytes()));
        b.extend(self.memory);
        b
    }

    fn parse(b: &[u8]) -> Self {
        let word =
            |n: usize| u32::from_le_bytes(b[4 * n..4 * n + 4].try_into().expect("four bytes"));
        let double = |n: usize| {
            u64::from_le_bytes(b[80 + 8 * n..88 + 8 * n].try_into().expect("eight bytes"))
        };
        Self {
            r: std::array::from_fn(word),
            signal: word(15),
            cpsr: word(16) & 0xf000_0000,
            fpscr: word(17),
            d: std::array::from_fn(double),
            memory: b[336..336 + MEMORY].try_into().expect("the memory"),
        }
    }
}

/// The guest program; None without a cross compiler and qemu.
fn program() -> Option<Oracle> {
    Oracle::new(
        "arm-linux-gnueabihf-gcc",
        &["-marm"],
        &["arm.c", "arm.S"],
        Some("qemu-arm".into()),
        &["-cpu", "max"],
    )
}

fn ask(program: &Oracle, codes: &[u32], states: &[State]) -> Vec<State> {
    let mut input: Vec<u8> = (codes.len() as u32).to_le_bytes().to_vec();
    input.extend(codes.iter().flat_map(|c| c.to_le_bytes()));
    input.extend(states.iter().flat_map(State::bytes));
    let (_, out) = program.ask(input, 0, codes.len() * STATE);
    out.chunks(STATE).map(State::parse).collect()
}

/// Who executes for us.
struct Ours {
    space: Arc<AddressSpace>,
    cores: Vec<(&'static str, Box<dyn CpuCore>)>,
}

impl Ours {
    fn new(cases: usize) -> Self {
        let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
        map(&space, DATA, 0x1000, libc::PROT_READ | libc::PROT_WRITE);
        let len = (cases as u64 * 12).next_multiple_of(4096);
        map(
            &space,
            CODE,
            len,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
        );
        let config = |options: &str| NativeConfig {
            trap_limit: if options == "no-traps" { 0 } else { u32::MAX },
            options: Options::parse(options).expect("options"),
            ..NativeConfig::default()
        };
        let missing: Fallback = Arc::new(|| Err("none".into()));
        let core = |o: &str| {
            open(
                crate::tests::arm(),
                &config(o),
                space.clone(),
                Some(missing.clone()),
            )
            .expect("a core")
        };
        let cores = vec![
            ("interpreted", core("")),
            ("translated", core("")),
            ("unoptimised", core("no-all")),
        ];
        Self { space, cores }
    }

    fn run(&mut self, who: usize, n: usize, code: u32, from: &State) -> State {
        const UDF: u32 = 0xe7f0_00f0;
        let pc = CODE + 12 * n as u64;
        let bytes: Vec<u8> = [code, UDF].iter().flat_map(|w| w.to_le_bytes()).collect();
        self.space.write(pc, &bytes).expect("code");
        self.space.write(WINDOW, &from.memory).expect("data");
        let core = &mut self.cores[who].1;
        for (n, &r) in from.r.iter().enumerate() {
            core.set(n as u32, u64::from(r));
        }
        core.set(PC, pc);
        core.set(CPSR, u64::from(from.cpsr | 0x10));
        for (n, &d) in from.d.iter().enumerate() {
            core.set(D0 + n as u32, d);
        }
        core.set(FPSCR, u64::from(from.fpscr));
        let exit = if who == 0 {
            core.step()
        } else {
            core.run(&mut |_, _| Flow::Leave)
        };
        let at = core.get(PC);
        let signal = match exit {
            Exit::Interrupted => 0,
            Exit::Undefined if at == pc + 4 => 0,
            Exit::Undefined => libc::SIGILL,
            Exit::Fault { bus: true, .. } | Exit::Fault { align: true, .. } => libc::SIGBUS,
            Exit::Fault { .. } => libc::SIGSEGV,
            e => panic!("{code:#x}: {e:?}"),
        };
        let mut memory = [0; MEMORY];
        self.space.read(WINDOW, &mut memory).expect("data");
        State {
            r: std::array::from_fn(|n| core.get(n as u32) as u32),
            signal: signal as u32,
            cpsr: core.get(CPSR) as u32 & 0xf000_0000,
            fpscr: core.get(FPSCR) as u32,
            d: std::array::from_fn(|n| core.get(D0 + n as u32)),
            memory,
        }
    }
}

fn field(pattern: &str, letter: char, bits: u32) -> Option<u32> {
    let chars: Vec<char> = pattern.chars().filter(|c| *c != ' ').collect();
    let mut found = None;
    for (n, c) in chars.iter().enumerate() {
        if *c == letter {
            found = Some(found.unwrap_or(0) << 1 | bits >> (31 - n) & 1);
        }
    }
    found
}

/// A random instruction of a line: always executed.
fn instruction(e: &Encoding, r: &mut Rng) -> u32 {
    let mut bits = (r.next() as u32 & !e.mask) | e.value;
    if e.pattern.starts_with("cccc") {
        bits = bits & 0x0fff_ffff | 0xe000_0000;
    }
    bits
}

/// What the manual leaves open.
fn unpredictable(e: &Encoding, bits: u32, from: &State) -> bool {
    let short = from.fpscr >> 16 & 7 != 0;
    let is = |letter, n| field(e.pattern, letter, bits) == Some(n);
    let transfer = is('t', 15) && e.name.starts_with("vmov_core") || is('u', 15);
    match e.name {
        "vmov_core_pair_s" | "vmov_core_pair_d" => {
            transfer
                || (bits >> 20 & 1 != 0 && bits >> 16 & 15 == bits >> 12 & 15)
                || (e.name == "vmov_core_pair_s" && bits & 0x2f == 0x2f)
        }
        "vdup_core" | "vmov_to_element" | "vmov_from_element" | "vmrs" | "vmsr" => is('t', 15),
        // The pc as a base, registers beyond the last, none at all, more than 16.
        "vldm_vstm" => {
            let (n, words) = (bits >> 16 & 15, bits & 255);
            let double = bits >> 8 & 1 != 0;
            let d = bits >> 12 & 15;
            let d = if double {
                d | bits >> 18 & 16
            } else {
                d << 1 | bits >> 22 & 1
            };
            let count = if double { words / 2 } else { words };
            n == 15 || count == 0 || d + count > 32 || (double && count > 16)
        }
        "vldr_vstr" | "vldr_vstr_half" => bits >> 16 & 15 == 15,
        // An alignment of 32 bytes is one of 16 for qemu 7.2 (as its own source says at pow2_align).
        "vld_multiple"
            if bits >> 4 & 3 == 3 && from.r[(bits >> 16 & 15) as usize % 15] & 31 == 16 =>
        {
            true
        }
        "vld_multiple" | "vld_all_lanes" | "vld_one_lane" => {
            bits >> 16 & 15 == 15 || last_register(e.name, bits) > 31
        }
        // Of short vectors qemu 7.2 advances the wrong register.
        "vmov_vabs_vneg_vsqrt" => bits >> 8 & 1 != 0 && short && bits & 0xc != 0,
        "vtbl" => (bits >> 3 & 16 | bits >> 16 & 15) + (bits >> 8 & 3) + 1 > 32,
        "vcvt_fixed" => bits >> 7 & 1 == 0 && (bits & 15) << 1 | bits >> 5 & 1 > 16,
        // The same register twice.
        "vswp_vtrn_vuzp_vzip" => {
            bits >> 7 & 3 != 0 && bits >> 18 & 16 | bits >> 12 & 15 == bits >> 1 & 16 | bits & 15
        }
        _ => transfer && e.name.starts_with("vmov_core"),
    }
}

fn last_register(name: &str, bits: u32) -> u32 {
    let d = bits >> 18 & 16 | bits >> 12 & 15;
    d + match name {
        "vld_multiple" => match bits >> 8 & 15 {
            0 | 2 | 3 => 3,
            1 => 6,
            4 | 6 => 2,
            5 => 4,
            8 | 10 => 1,
            9 => 2,
            _ => 0,
        },
        "vld_all_lanes" => {
            let n = bits >> 8 & 3;
            let twice = bits >> 5 & 1;
            if n == 0 { twice } else { n * (1 + twice) }
        }
        _ => {
            let n = bits >> 8 & 3;
            let twice = match bits >> 10 & 3 {
                0 => 0,
                1 => bits >> 5 & 1,
                _ => bits >> 6 & 1,
            };
            n * (1 + twice)
        }
    }
}

fn state(e: &Encoding, bits: u32, r: &mut Rng) -> State {
    let memory = e.name.starts_with("vld");
    let mut s = State {
        r: std::array::from_fn(|_| {
            if memory {
                let step = [1, 2, 4, 8, 16, 32][r.below(6) as usize];
                WINDOW as u32 + 64 + (r.below(64) as u32 / step * step)
            } else {
                r.operand() as u32
            }
        }),
        signal: 0,
        cpsr: (r.next() as u32) & 0xf000_0000,
        fpscr: fpscr(e, r),
        d: std::array::from_fn(|_| r.lanes()),
        memory: [0; MEMORY],
    };
    for c in s.memory.chunks_mut(8) {
        c.copy_from_slice(&r.lanes().to_le_bytes());
    }
    // Displacements lead into the window.
    if e.name.starts_with("vldr") {
        let scale = if e.name.ends_with("half") { 2 } else { 4 };
        let at = (bits & 255) * scale;
        let n = (bits >> 16 & 15) as usize;
        if n < 15 {
            s.r[n] = if bits >> 23 & 1 != 0 {
                s.r[n].wrapping_sub(at)
            } else {
                s.r[n].wrapping_add(at)
            };
        }
    }
    if e.name == "vldm_vstm" && bits >> 23 & 1 == 0 {
        let n = (bits >> 16 & 15) as usize;
        if n < 15 {
            s.r[n] = s.r[n].wrapping_add(4 * (bits & 255));
        }
    }
    s
}

fn fpscr(e: &Encoding, r: &mut Rng) -> u32 {
    let mut v = (r.next() as u32) & 0xf800_009f;
    if r.below(2) == 0 {
        v &= 0xf800_0000;
    }
    // AHP, DN, FZ, FZ16; RMode
    for bit in [26, 25, 24, 19] {
        v |= u32::from(r.below(4) == 0) << bit;
    }
    if r.below(2) == 0 {
        v |= (r.below(4) as u32) << 22;
    }
    // Short vectors, of one bank at most; qemu takes a stride of 2 for 4 in single precision.
    if e.pattern.starts_with("cccc 1110") && r.below(4) == 0 {
        v |= (r.below(4) as u32) << 16;
    }
    // Whether a denormal number that is flushed is an integer, qemu 7.2 does not say as FPToFixedJS does.
    if e.name == "vjcvt" {
        v &= !(1 << 24);
    }
    v
}

fn difference(a: &State, b: &State) -> String {
    let mut text = String::new();
    if a.signal != b.signal {
        return format!(" signal {} / {}", a.signal, b.signal);
    }
    for n in 0..15 {
        if a.r[n] != b.r[n] {
            text += &format!(" r{n}: {:#x} / {:#x}", a.r[n], b.r[n]);
        }
    }
    if a.cpsr != b.cpsr || a.fpscr != b.fpscr {
        text += &format!(
            " cpsr {:x} / {:x} fpscr {:08x} / {:08x}",
            a.cpsr, b.cpsr, a.fpscr, b.fpscr
        );
    }
    for n in 0..32 {
        if a.d[n] != b.d[n] {
            text += &format!(" d{n}: {:016x} / {:016x}", a.d[n], b.d[n]);
        }
    }
    if a.memory != b.memory {
        text += " memory";
    }
    text
}

/// Compares so many random instructions of a line: how many are defined, and how many differ.
fn batch(program: &Oracle, e: &Encoding, size: usize, r: &mut Rng, show: usize) -> (usize, usize) {
    let (mut codes, mut states) = (Vec::new(), Vec::new());
    while codes.len() < size {
        let bits = instruction(e, r);
        let from = state(e, bits, r);
        let found = crate::arm::fptable::find(bits).map(|n| TABLE[n].name);
        if found == Some(e.name) && !unpredictable(e, bits, &from) {
            codes.push(bits);
            states.push(from);
        }
    }
    let want = ask(program, &codes, &states);
    let mut ours = Ours::new(size);
    let (mut wrong, mut defined) = (0, 0);
    for (n, ((&code, from), want)) in codes.iter().zip(&states).zip(&want).enumerate() {
        defined += usize::from(want.signal != libc::SIGILL as u32);
        for who in 0..ours.cores.len() {
            let got = ours.run(who, n, code, from);
            if got.signal == want.signal && want.signal != 0 {
                continue;
            }
            let text = difference(want, &got);
            if text.is_empty() {
                continue;
            }
            wrong += 1;
            if wrong <= show {
                let who = ours.cores[who].0;
                eprintln!(
                    "{} {code:08x} fpscr {:08x} {who}: qemu / ours:{text}",
                    e.name, from.fpscr
                );
                eprintln!("  from {:x?} {:x?}", from.r, from.d);
            }
            break;
        }
    }
    (defined, wrong)
}

#[test]
fn floating_point_agrees_with_qemu() {
    let Some(program) = program() else {
        return;
    };
    let number = |name, other| {
        std::env::var(name)
            .ok()
            .and_then(|v| v.parse().ok())
            .unwrap_or(other)
    };
    let each: usize = number("QUSR_FUZZ_CASES", 1000);
    let mut r = Rng(number("QUSR_FUZZ_SEED", 1) as u64 * 0x9e37_79b9 + 1);
    let only = only();
    let show = number("QUSR_FUZZ_SHOW", 2);
    let (mut failed, mut thin) = (Vec::new(), Vec::new());
    for e in TABLE {
        if !e.name.contains(&only) {
            continue;
        }
        let (mut wrong, mut defined, mut batches) = (0, 0, 0);
        // Those that are undefined are compared, too, but do not count.
        while defined < each && batches < PATIENCE && wrong == 0 {
            let (d, w) = batch(&program, e, each, &mut r, show);
            (defined, wrong, batches) = (defined + d, wrong + w, batches + 1);
        }
        if wrong > 0 {
            failed.push(format!("{} {wrong}/{}", e.name, each * batches));
        } else if defined < each {
            thin.push(format!("{}: {defined}", e.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join(", "));
    assert!(
        thin.is_empty(),
        "lines with fewer than {each} cases that qemu executed: {}",
        thin.join(", ")
    );
}
