//! MIPS, little-endian, against a newer qemu, whose processors have what Unicorn's lack: each line of the table but branches and
//! what traps, with all of the floating-point control register.

use super::batch::{Oracle, carry_out, map, tool};
use crate::cpu::{CpuCore, Exit};
use crate::ir::float::is_nan;
use crate::memory::{AddressSpace, SpaceConfig};
use crate::mips::Mips;
use crate::mips::dsp::control::ALL;
use crate::mips::features::{DSP, DSP2};
use crate::mips::linux::registers::{DSPCONTROL, FCSR, FR, HI, HI1, LO, MSACSR, PC, STATUS, W0};
use crate::mips::table::{Encoding, TABLE, find_for};
use crate::tests::fuzz::{Rng, env_number, only};
use crate::tests::mips::exempt::wants_words;
use crate::translator::{Fallback, NativeConfig, Options, open};
use std::fmt::Write as _;
use std::sync::Arc;

const WINDOW: u64 = 0x2000_0c00;
const DATA: u64 = 0x2000_0000;
const CODE: u64 = 0x3000_0000;
const MEMORY: usize = 1024;
const SIZE: usize = 872 + MEMORY;
const TOGETHER: usize = 4000;
/// Cases of a line that are enough each time.
const USUAL: u64 = 24;

/// A processor of qemu's, and how the batch program is built for it.
struct Kind {
    guest: &'static str,
    cpu: &'static str,
    names: &'static [&'static str],
    compiler: &'static str,
    options: &'static [&'static str],
}

/// Those with NaNs of IEEE 754-2008 are not among them: qemu 11's sigreturn takes FCSR.NAN2008 away from them, so that what they
/// answer is another processor's.
const KINDS: &[Kind] = &[
    Kind {
        guest: "mipsel",
        cpu: "24Kf",
        names: &["r2"],
        compiler: O32,
        options: &["-mips32r2", "-mfp64"],
    },
    Kind {
        guest: "mipsel",
        cpu: "74Kf",
        names: &["r2", "dsp", "dsp2"],
        compiler: O32,
        options: &["-mips32r2", "-mfp64", "-mdspr2"],
    },
    Kind {
        guest: "mips64el",
        cpu: "MIPS64R2-generic",
        names: &["r2", "ps"],
        compiler: N64,
        options: &["-mips64r2"],
    },
];
const O32: &str = "mipsel-linux-gnu-gcc";
const N64: &str = "mips64el-linux-gnuabi64-gcc";

impl Kind {
    fn is_wide(&self) -> bool {
        self.guest == "mips64el"
    }

    /// The bits of a general register.
    fn xlen(&self) -> u64 {
        if self.is_wide() {
            u64::MAX
        } else {
            0xffff_ffff
        }
    }

    fn has_vectors(&self) -> bool {
        self.options.contains(&"-mmsa")
    }

    fn processor(&self) -> &'static Mips {
        let names: Vec<String> = self.names.iter().map(|&name| name.into()).collect();
        Mips::of(self.guest, &names, self.is_wide(), false)
    }

    fn oracle(&self) -> Option<Oracle> {
        const ALL: [&str; 6] = [
            "-nostdlib",
            "-ffreestanding",
            "-fno-pic",
            "-mno-abicalls",
            "-G0",
            "-w",
        ];
        let options = [&ALL, self.options].concat();
        let emulator = tool("newer-qemu", self.guest);
        Oracle::new(
            self.compiler,
            &options,
            &["mips.c"],
            emulator,
            &["-cpu", self.cpu],
        )
    }
}

#[derive(Clone, PartialEq, Eq)]
struct State {
    r: [u64; 32],
    hi: [u64; 4],
    lo: [u64; 4],
    /// From the instruction on; before: that it is a branch.
    pc: u64,
    signal: u32,
    fcsr: u32,
    dsp: u32,
    msacsr: u32,
    fault: u64,
    w: [u128; 32],
    memory: [u8; MEMORY],
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        let words = self.r.iter().chain(&self.hi).chain(&self.lo);
        let mut b: Vec<u8> = words.flat_map(|v| v.to_le_bytes()).collect();
        b.extend(self.pc.to_le_bytes());
        let more = [self.signal, 0, self.fcsr, self.dsp, self.msacsr, 0];
        b.extend(more.iter().flat_map(|v| v.to_le_bytes()));
        b.extend(self.fault.to_le_bytes());
        b.extend(self.w.iter().flat_map(|v| v.to_le_bytes()));
        b.extend(self.memory);
        b
    }

    fn parse(b: &[u8]) -> Self {
        let word = |n: usize| u64::from_le_bytes(b[8 * n..][..8].try_into().expect("eight bytes"));
        let half = |n: usize| u32::from_le_bytes(b[4 * n..][..4].try_into().expect("four bytes"));
        Self {
            r: std::array::from_fn(word),
            hi: std::array::from_fn(|n| word(32 + n)),
            lo: std::array::from_fn(|n| word(36 + n)),
            pc: word(40),
            signal: half(82),
            fcsr: half(84),
            dsp: half(85),
            msacsr: half(86),
            fault: word(44),
            w: std::array::from_fn(|n| {
                u128::from(word(45 + 2 * n)) | u128::from(word(46 + 2 * n)) << 64
            }),
            memory: b[872..][..MEMORY].try_into().expect("the memory"),
        }
    }
}

fn ask(oracle: &Oracle, asked: &[Asked]) -> Vec<State> {
    let mut input: Vec<u8> = (asked.len() as u32).to_le_bytes().to_vec();
    input.extend(asked.iter().flat_map(|a| a.code.to_le_bytes()));
    input.extend(asked.iter().flat_map(|a| a.from.bytes()));
    let (_, out) = oracle.ask(input, 0, asked.len() * SIZE);
    out.chunks(SIZE).map(State::parse).collect()
}

struct Ours<'a> {
    kind: &'a Kind,
    space: Arc<AddressSpace>,
    cores: Vec<(&'static str, Box<dyn CpuCore>)>,
}

impl<'a> Ours<'a> {
    fn new(kind: &'a Kind) -> Self {
        let space = AddressSpace::new(SpaceConfig {
            va_bits: if kind.is_wide() { 47 } else { 32 },
            ..SpaceConfig::default()
        })
        .expect("an address space");
        let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        map(&space, DATA, 0x1000, all);
        map(
            &space,
            CODE,
            (TOGETHER as u64 * 16).next_multiple_of(0x1000),
            all,
        );
        let missing: Fallback = Arc::new(|| Err("none".into()));
        let core = |options: &str| {
            let config = NativeConfig {
                options: Options::parse(options).expect("options"),
                ..NativeConfig::default()
            };
            let mut core = open(
                kind.processor(),
                &config,
                space.clone(),
                Some(missing.clone()),
            )
            .expect("a core");
            core.set(STATUS, FR);
            core
        };
        let cores = vec![
            ("interpreted", core("")),
            ("translated", core("")),
            ("unoptimised", core("no-all")),
        ];
        Self { kind, space, cores }
    }

    fn run(&mut self, who: usize, n: usize, code: u32, from: &State) -> State {
        let pc = CODE + 16 * n as u64;
        let second = if from.pc != 0 { 0 } else { 13 };
        let bytes: Vec<u8> = [code, second, 13, 13]
            .iter()
            .flat_map(|w: &u32| w.to_le_bytes())
            .collect();
        self.space.write(pc, &bytes).expect("code");
        self.space.write(WINDOW, &from.memory).expect("data");
        let xlen = self.kind.xlen();
        let core = &mut self.cores[who].1;
        for n in 0..32 {
            core.set(n as u32, from.r[n] & xlen);
            core.set_wide(W0 + n as u32, from.w[n]);
        }
        core.set(HI, from.hi[0] & xlen);
        core.set(LO, from.lo[0] & xlen);
        for n in 1..4 {
            core.set(HI1 + 2 * (n - 1), from.hi[n as usize] & xlen);
            core.set(HI1 + 1 + 2 * (n - 1), from.lo[n as usize] & xlen);
        }
        core.set(DSPCONTROL, from.dsp.into());
        core.set(MSACSR, from.msacsr.into());
        core.set(FCSR, from.fcsr.into());
        core.set(PC, pc);
        let exit = carry_out(&mut **core, who == 0);
        let at = core.get(PC);
        let (signal, fault) = match exit {
            Exit::Undefined => (libc::SIGILL, at),
            Exit::Breakpoint { .. } => (libc::SIGTRAP, at),
            Exit::Exception { code: 21 | 23, .. } => (libc::SIGFPE, at),
            Exit::Exception { .. } => (libc::SIGTRAP, at),
            Exit::Fault {
                addr, align: true, ..
            } => (libc::SIGBUS, addr),
            Exit::Fault { addr, .. } => (libc::SIGSEGV, addr),
            e => panic!("{code:08x}: {e:?}"),
        };
        // In MIPS's numbers.
        let signal = if signal == libc::SIGBUS { 10 } else { signal };
        let mut memory = [0; MEMORY];
        self.space.read(WINDOW, &mut memory).expect("data");
        let extended = |v: u64| {
            if xlen == u64::MAX { v } else { v as i32 as u64 }
        };
        let half = |core: &mut dyn CpuCore, n: usize, first: u32, others: u32| {
            let others = others + 2 * (n as u32).saturating_sub(1);
            extended(core.get(if n == 0 { first } else { others }))
        };
        State {
            r: std::array::from_fn(|n| extended(core.get(n as u32))),
            hi: std::array::from_fn(|n| half(core.as_mut(), n, HI, HI1)),
            lo: std::array::from_fn(|n| half(core.as_mut(), n, LO, HI1 + 1)),
            pc: at.wrapping_sub(pc),
            signal: signal as u32,
            fcsr: core.get(FCSR) as u32,
            dsp: core.get(DSPCONTROL) as u32,
            msacsr: core.get(MSACSR) as u32,
            fault,
            w: std::array::from_fn(|n| core.get_wide(W0 + n as u32)),
            memory,
        }
    }
}

/// What goes with a case.
struct Asked {
    line: &'static Encoding,
    code: u32,
    from: State,
}

/// What is not asked here: ways into the kernel, what stops by design, branches (but those of extensions, which Unicorn has not).
fn is_asked(e: &Encoding) -> bool {
    let own =
        e.name.starts_with("bposge") || e.name.starts_with("bz") || e.name.starts_with("bnz_");
    let left = matches!(
        e.name,
        "syscall" | "break" | "rdhwr" | "synci" | "cache" | "pref" | "prefx"
    );
    let linked = e.name.starts_with("sc_")
        || matches!(
            e.name,
            "sc" | "scd" | "ll" | "lld" | "ll_r6" | "lld_r6" | "pref_r6"
        );
    let compact = matches!(
        e.name,
        "bgec_bltc" | "bgec_bltc_al" | "beqc" | "bnec" | "bc_balc" | "beqzc_bnezc"
    );
    (own || !e.has_slot) && !left && !linked && !compact && e.value >> 26 != 0x3b
}

fn case(kind: &Kind, e: &Encoding, r: &mut Rng) -> (u32, State) {
    let mut w = r.next() as u32 & !e.mask | e.value;
    let wide = kind.is_wide();
    let general = |r: &mut Rng| {
        let v = r.operand();
        // Words are sign-extended, and mostly there are such.
        if wide && r.below(3) == 0 {
            v
        } else {
            v as i32 as u64
        }
    };
    let mut s = State {
        r: std::array::from_fn(|_| general(r)),
        hi: std::array::from_fn(|_| general(r)),
        lo: std::array::from_fn(|_| general(r)),
        pc: u64::from(e.has_slot),
        signal: 0,
        fcsr: r.below(4) as u32 | (r.below(32) << 2) as u32,
        dsp: if kind.names.contains(&"dsp") {
            // Positions and counts within a word, more often than not.
            let near = if r.below(2) == 0 { !(32 | 32 << 7) } else { !0 };
            r.next() as u32 & near & ALL as u32
        } else {
            0
        },
        msacsr: 0,
        fault: 0,
        w: std::array::from_fn(|_| u128::from(r.lanes()) | u128::from(r.lanes()) << 64),
        memory: [0; MEMORY],
    };
    s.r[0] = 0;
    if kind.names.contains(&"nan2008") {
        s.fcsr |= 3 << 18;
    }
    if !kind.names.contains(&"r6") {
        s.fcsr |= (r.below(2) << 23 | r.below(128) << 25) as u32;
    }
    if r.below(4) == 0 {
        // Not of underflow, which is enabled for exact results too (qemu has these not).
        s.fcsr |= (r.below(32) << 7) as u32 & !(1 << 8);
    }
    if !kind.has_vectors() {
        for v in &mut s.w {
            *v &= u128::from(u64::MAX);
        }
    }
    for c in s.memory.chunks_mut(8) {
        c.copy_from_slice(&r.lanes().to_le_bytes());
    }
    if e.has_slot {
        w = w & !0xffff | 2;
    }
    let at = |r: &mut Rng| {
        let beyond = if r.below(8) == 0 { 64 } else { 0 };
        WINDOW + r.below(MEMORY as u64 + beyond)
    };
    // Bases of accesses, with their offsets taken off.
    let base = (w >> 21 & 31) as usize;
    let opcode = w >> 26;
    if opcode >= 0x20 || matches!(opcode, 0x1a | 0x1b) {
        s.r[base] = at(r).wrapping_sub(w as i16 as u64);
    } else if opcode == 0x13 || matches!(e.name, "lwx" | "lhx" | "lbux") {
        let index = (w >> 16 & 31) as usize;
        s.r[base] = at(r);
        if index != base {
            s.r[index] = r.below(64).wrapping_sub(32);
        }
    }
    s.r[0] = 0;
    if e.name == "ctc1" {
        let register = [25, 26, 28, 31, 31][r.below(5) as usize];
        w = w & !0xf800 | register << 11;
        let n = (w >> 16 & 31) as usize;
        // The bits that there are, without an operation that is not implemented.
        let bits: u32 = match register {
            25 => 0xff,
            26 => 0x1_f07c,
            28 => 0xf87,
            _ => 0xff81_ffff,
        };
        s.r[n] = (s.r[n] as u32 & bits) as i32 as u64;
    }
    if e.name == "cfc1" {
        w = w & !0xf800 | [25, 26, 28, 31, 31][r.below(5) as usize] << 11;
    }
    (w, s)
}

fn difference(kind: &Kind, e: &Encoding, a: &State, b: &State) -> String {
    let mut text = String::new();
    if a.signal != b.signal || a.pc != b.pc {
        return format!(
            " signal {} at {} / {} at {}",
            a.signal, a.pc, b.signal, b.pc
        );
    }
    if a.signal == libc::SIGSEGV as u32 && (a.fault ^ b.fault) & !7 != 0 {
        let _ = write!(text, " fault {:#x} / {:#x}", a.fault, b.fault);
    }
    // Causes are exact while exceptions are enabled.
    let causes = if a.fcsr & 0xf80 != 0 { 0 } else { 0x3f << 12 };
    let words = [
        ("fcsr", a.fcsr | causes, b.fcsr | causes),
        ("dsp", a.dsp, b.dsp),
        ("msacsr", a.msacsr, b.msacsr),
    ];
    for (name, a, b) in words {
        if a != b {
            let _ = write!(text, " {name} {a:#x} / {b:#x}");
        }
    }
    for (name, x, y) in [
        ("r", &a.r[1..], &b.r[1..]),
        ("hi", &a.hi[..], &b.hi[..]),
        ("lo", &a.lo[..], &b.lo[..]),
    ] {
        for (n, (x, y)) in x.iter().zip(y).enumerate() {
            if (x ^ y) & kind.xlen() != 0 {
                let n = if name == "r" { n + 1 } else { n };
                let _ = write!(text, " {name}{n} {x:#x} / {y:#x}");
            }
        }
    }
    let bits = u128::MAX;
    for n in 0..32 {
        // What is above what an instruction of the floating-point unit writes is open (MSA's manual, 3.2).
        let bits = if e.value >> 26 == 0x1e {
            bits
        } else {
            bits & u128::from(u64::MAX)
        };
        if (a.w[n] ^ b.w[n]) & bits != 0 {
            // Which NaN comes of one that is quiet for these processors the manual leaves open; Unicorn's copy of qemu gives the
            // operand as we do, qemu 11 a default one now and then.
            let (x, y) = (a.w[n] as u64, b.w[n] as u64);
            let nans = [32, 64].iter().any(|&w| is_nan(w, x) && is_nan(w, y));
            let halves = is_nan(32, x >> 32) && is_nan(32, y >> 32);
            if !kind.names.contains(&"nan2008") && (nans || halves) {
                continue;
            }
            let _ = write!(text, " f{n} {:#x} / {:#x}", a.w[n] & bits, b.w[n] & bits);
        }
    }
    // How much of a store is done when it faults is open.
    if a.memory != b.memory && a.signal != libc::SIGSEGV as u32 {
        text += " memory";
    }
    text
}

fn compare(kind: &Kind, oracle: &Oracle, asked: &[Asked], failed: &mut Vec<&'static str>) {
    let show = env_number("QUSR_FUZZ_SHOW", 2);
    let want = ask(oracle, asked);
    let mut ours = Ours::new(kind);
    let (mut shown, mut last) = (0, "");
    for (n, (a, want)) in asked.iter().zip(&want).enumerate() {
        for who in 0..ours.cores.len() {
            let got = ours.run(who, n, a.code, &a.from);
            let text = difference(kind, a.line, want, &got);
            if text.is_empty() {
                continue;
            }
            shown = if a.line.name == last { shown + 1 } else { 1 };
            last = a.line.name;
            if shown <= show {
                let (name, code, who) = (a.line.name, a.code, ours.cores[who].0);
                let [rs, rt, rd] = [21, 16, 11].map(|by| (code >> by & 31) as usize);
                let (f, g) = (a.from.fcsr, &a.from);
                eprintln!(
                    "{} {name} {code:08x} fcsr {f:#x} dsp {:#x} rs {:#x} rt {:#x} fs {:#x} ft {:#x} {who}: qemu / ours:{text:.900}",
                    kind.cpu, g.dsp, g.r[rs], g.r[rt], g.w[rd], g.w[rt]
                );
            }
            failed.push(a.line.name);
            break;
        }
    }
}

/// What differs.
fn differences(kind: &Kind) -> String {
    let Some(oracle) = kind.oracle() else {
        return String::new();
    };
    let each = env_number("QUSR_FUZZ_CASES", USUAL) as usize;
    let only = only();
    let features = kind.processor().features;
    let mut failed = Vec::new();
    let mut asked: Vec<Asked> = Vec::new();
    for (n, line) in TABLE.iter().enumerate() {
        if !is_asked(line) || !line.name.contains(&only) || !features.contains(line.need) {
            continue;
        }
        let mut r = Rng((env_number("QUSR_FUZZ_SEED", 1) + n as u64) * 0x9e37_79b9 + 1);
        let (mut tries, mut enough) = (0, each);
        while enough > 0 && tries < 8 * each {
            tries += 1;
            let (code, from) = case(kind, line, &mut r);
            if find_for(code, features) == Some(n) && !is_doubtful(line, code, &from) {
                asked.push(Asked { line, code, from });
                enough -= 1;
            }
            if asked.len() == TOGETHER {
                compare(kind, &oracle, &asked, &mut failed);
                asked.clear();
            }
        }
    }
    if !asked.is_empty() {
        compare(kind, &oracle, &asked, &mut failed);
    }
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for name in &failed {
        match kinds.iter_mut().find(|k| k.0 == *name) {
            Some(k) => k.1 += 1,
            None => kinds.push((name, 1)),
        }
    }
    if failed.is_empty() {
        return String::new();
    }
    format!("{}: {} differences: {kinds:?}\n", kind.cpu, failed.len())
}

/// What the manual leaves open, or qemu does otherwise.
fn is_doubtful(e: &Encoding, w: u32, s: &State) -> bool {
    let word = |n: u32| s.r[n as usize] == s.r[n as usize] as i32 as u64;
    let [rs, rt] = [w >> 21 & 31, w >> 16 & 31];
    let words = wants_words(e);
    let rd = w >> 11 & 31;
    let class = w & 63;
    // qemu leaves DSPControl as it is where the result goes to register 0.
    let unseen = e.value >> 26 == 0x1f
        && (e.need.contains(DSP) || e.need.contains(DSP2))
        && match class {
            0x10..=0x13 | 0x18 => rd == 0 && e.mask & 31 << 11 == 0,
            0x38 => rt == 0 && e.mask & 31 << 16 == 0,
            _ => false,
        };
    // As `tests::mips::exempt`.
    let open = match e.name {
        "insv" => (s.dsp & 31) + (s.dsp >> 7 & 63) > 32,
        "alnv_ps" => s.r[rs as usize] & 3 != 0,
        "movf_ps_movt_ps" => w >> 18 & 1 != 0,
        "c_cond_ps" => w >> 8 & 1 != 0,
        _ => false,
    };
    unseen || open || words && !(word(rs) && word(rt))
}

#[test]
fn mips_agrees_with_qemu() {
    let only = std::env::var("QUSR_FUZZ_CPU").unwrap_or_default();
    let kinds = KINDS.iter().filter(|k| k.cpu.contains(&only));
    let found: String = kinds.map(differences).collect();
    assert!(found.is_empty(), "{found}");
}
