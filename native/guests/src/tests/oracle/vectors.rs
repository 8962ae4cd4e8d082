//! RISC-V's vectors against qemu 11.1.3 (`tools/newer-qemu`, or the one that `QUSR_TEST_QEMU_RISCV64` names), with registers of
//! 128 to 1,024 bits.

use super::batch::{Oracle, tool};
use super::riscv::{Place, map};
use crate::cpu::{CpuCore, Exit, Flow};
use crate::memory::{AddressSpace, SpaceConfig};
use crate::riscv::features::{self, Features};
use crate::riscv::table::{self, Encoding};
use crate::riscv::{PIECE0, Riscv, VSTART};
use crate::tests::fuzz::{Rng, cases, env_number, only};
use crate::translator::{Fallback, NativeConfig, Options, open};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

const MEMORY: usize = 1024;
/// The last bytes of a page, behind which is none.
const WINDOW: u64 = 0x2000_0c00;
const SLOT: u64 = 16;
const PC: u32 = 32;
const F0: u32 = 33;
const FCSR: u32 = 67;
const PATIENCE: usize = 30;
/// Bytes of a register.
const LENGTHS: [usize; 4] = [16, 32, 64, 128];

/// Words: x (the signal in the place of x0), f, fcsr, vl, vtype, vstart, vcsr.
const WORDS: usize = 69;

#[derive(Clone, PartialEq, Eq)]
struct State {
    words: [u64; WORDS],
    memory: [u8; MEMORY],
    v: Vec<u8>,
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        let words = self.words.iter().flat_map(|w| w.to_le_bytes());
        words
            .chain(self.memory)
            .chain(self.v.iter().copied())
            .collect()
    }

    fn parse(b: &[u8]) -> Self {
        let word = |n: usize| u64::from_le_bytes(b[8 * n..][..8].try_into().expect("eight bytes"));
        Self {
            words: std::array::from_fn(word),
            memory: b[8 * WORDS..][..MEMORY].try_into().expect("the memory"),
            v: b[8 * WORDS + MEMORY..].to_vec(),
        }
    }

    /// What an undefined instruction leaves is not looked at.
    fn settled(mut self) -> Self {
        if self.words[0] == libc::SIGILL as u64 {
            self.words[1..].fill(0);
            self.memory.fill(0);
            self.v.fill(0);
        }
        self
    }
}

fn guest(length: usize) -> &'static Riscv {
    let longer = match length {
        16 => Features(0),
        32 => features::VLEN_256,
        64 => features::VLEN_512,
        _ => features::VLEN_1024,
    };
    Riscv::of(features::by_names(&[], 64).and(longer), 64)
}

struct Judge {
    oracle: Oracle,
    length: usize,
}

impl Judge {
    fn new(length: usize) -> Option<Self> {
        let named = std::env::var_os("QUSR_TEST_QEMU_RISCV64").map(PathBuf::from);
        let qemu = named.or_else(|| tool("newer-qemu", "riscv64"));
        let cpu = format!("max,v=true,vlen={}", 8 * length);
        let options = ["-fno-stack-protector", "-mno-relax", "-Wl,--no-relax"];
        let how = ["-cpu", &cpu];
        let compiler = "riscv64-linux-gnu-gcc";
        let oracle = Oracle::new(compiler, &options, &["vectors.c"], qemu, &how)?;
        Some(Self { oracle, length })
    }

    fn ask(&self, codes: &[u32], states: &[State]) -> Vec<State> {
        let mut input: Vec<u8> = (codes.len() as u32).to_le_bytes().to_vec();
        input.extend((self.length as u32).to_le_bytes());
        input.extend(codes.iter().flat_map(|c| c.to_le_bytes()));
        input.extend(states.iter().flat_map(State::bytes));
        let size = 8 * WORDS + MEMORY + 32 * self.length;
        let (_, out) = self.oracle.ask(input, 0, codes.len() * size);
        out.chunks(size)
            .map(|b| State::parse(b).settled())
            .collect()
    }
}

struct Ours {
    space: Arc<AddressSpace>,
    cores: Vec<(&'static str, Box<dyn CpuCore>)>,
}

impl Ours {
    fn new(cases: usize, length: usize) -> Self {
        let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
        map(&space, Place::Data, 0x1000);
        map(
            &space,
            Place::Code,
            (cases as u64 * SLOT).next_multiple_of(4096),
        );
        let missing: Fallback = Arc::new(|| Err("none".into()));
        let core = |o: &str| {
            let config = NativeConfig {
                options: Options::parse(o).expect("options"),
                ..NativeConfig::default()
            };
            open(guest(length), &config, space.clone(), Some(missing.clone())).expect("a core")
        };
        let cores = vec![
            ("interpreted", core("")),
            ("translated", core("")),
            // In a block that knows vtype.
            ("typed", core("")),
        ];
        Self { space, cores }
    }

    fn run(&mut self, who: usize, n: usize, code: u32, from: &State) -> State {
        let start = Place::Code.start() + SLOT * n as u64;
        let vtype = from.words[66];
        let before = who == 2 && from.words[67] == 0 && vtype < 0x100;
        // VSETVLI x0, x0 keeps vl.
        let set = (vtype as u32) << 20 | 0x7057;
        let bytes: Vec<u8> = if before {
            set.to_le_bytes().to_vec()
        } else {
            Vec::new()
        };
        let pc = start + bytes.len() as u64;
        let mut bytes = [bytes, code.to_le_bytes().to_vec()].concat();
        bytes.extend(0x9002u16.to_le_bytes());
        self.space.write(start, &bytes).expect("code");
        self.space.write(WINDOW, &from.memory).expect("data");
        let core = &mut self.cores[who].1;
        for n in 1..32 {
            core.set(n, from.words[n as usize]);
        }
        for n in 0..32 {
            core.set(F0 + n, from.words[32 + n as usize]);
        }
        core.set(FCSR, from.words[64]);
        // vstart, vl, vtype, vcsr.
        for (id, n) in [(0, 67), (1, 65), (2, 66), (3, 68)] {
            core.set(VSTART + id, from.words[n]);
        }
        for (n, b) in from.v.chunks(16).enumerate() {
            let piece = u128::from_le_bytes(b.try_into().expect("a piece"));
            core.set_wide(PIECE0 + n as u32, piece);
        }
        core.set(PC, start);
        let exit = if who == 0 {
            core.step()
        } else {
            core.run(&mut |_, _| Flow::Leave)
        };
        let at = core.get(PC);
        let signal = match exit {
            Exit::Interrupted => 0,
            Exit::Breakpoint { .. } if at == pc + 4 => 0,
            Exit::Undefined => libc::SIGILL,
            Exit::Fault { .. } => libc::SIGSEGV,
            e => panic!("{code:#x}: {e:?}"),
        };
        let mut memory = [0; MEMORY];
        self.space.read(WINDOW, &mut memory).expect("data");
        let word = |n: usize| match n {
            0 => signal as u64,
            1..32 => core.get(n as u32),
            32..64 => core.get(F0 + n as u32 - 32),
            64 => core.get(FCSR),
            65 => core.get(VSTART + 1),
            66 => core.get(VSTART + 2),
            67 => core.get(VSTART),
            _ => core.get(VSTART + 3),
        };
        let words = std::array::from_fn(word);
        let pieces = (0..from.v.len() as u32 / 16).map(|n| core.get_wide(PIECE0 + n));
        State {
            words,
            memory,
            v: pieces.flat_map(u128::to_le_bytes).collect(),
        }
        .settled()
    }
}

/// An instruction of a line and a state, in which it means something more often than by chance.
fn case(e: &Encoding, length: usize, r: &mut Rng) -> (u32, State) {
    let mut w = r.next() as u32 & !e.mask | e.value;
    let memory = matches!(w & 0x7f, 0x07 | 0x27);
    let (mut sew, mut lmul) = (r.below(4), r.below(4));
    if r.below(3) == 0 {
        lmul = (5 + r.below(3)) & 7;
    }
    // Conversions to wider and narrower formats want some room.
    if e.name.starts_with("vw") || e.name.starts_with("vn") || e.name.starts_with("vf") {
        sew = r
            .below(3)
            .max(u64::from(e.name.starts_with("vf") && r.below(4) != 0));
        lmul = if lmul == 3 { 2 } else { lmul };
    }
    if e.name.contains("bf16") {
        sew = 1;
    }
    if e.name.starts_with("vclmul") {
        sew = 3;
    }
    if w & 0x7f == 0x77 {
        sew = if e.name.starts_with("vsha2") {
            2 + r.below(2)
        } else {
            2
        };
        lmul = r.below(4);
    }
    if memory {
        if r.below(3) != 0 {
            // Not more of segments than fit.
            w &= !0xc000_0000;
            lmul = [0, 0, 1, 7][r.below(4) as usize];
        }
        w = w & !e.mask | e.value;
    }
    let mut vtype = sew << 3 | lmul | r.below(4) << 6;
    if r.below(40) == 0 {
        vtype = r.below(256);
    }
    // Registers that groups begin with.
    if r.below(16) != 0 {
        let step = if lmul < 4 { 1 << lmul } else { 1 };
        let step = if e.name.starts_with("vw")
            || e.name.starts_with("vn")
            || e.name.contains("wcvt")
            || e.name.contains("ncvt")
            || e.name.starts_with("vfw")
        {
            (step * 2).min(8)
        } else {
            step
        };
        for at in [7, 15, 20] {
            let scalar = at == 15 && (memory || !matches!(w >> 12 & 7, 0..=2));
            if e.mask >> at & 31 == 0
                && !scalar
                && !(at == 7 && w & 0x7f == 0x57 && e.name == "vmv_x_s")
            {
                let n = (w >> at & 31) / step * step;
                w = w & !(31 << at) | n << at;
            }
        }
    }
    let most = crate::riscv::most_elements(vtype, length);
    let vl = match r.below(4) {
        0 => most,
        _ => r.below(most + 1),
    };
    let mut words = [0; WORDS];
    for x in &mut words[1..32] {
        *x = r.register(64);
    }
    for f in &mut words[32..64] {
        *f = r.float_register();
    }
    let mode = if r.below(3) == 0 { r.below(6) } else { 0 };
    words[64] = mode << 5 | if r.below(4) == 0 { r.below(32) } else { 0 };
    words[65] = vl;
    words[66] = if most == 0 { 1 << 63 } else { vtype };
    words[67] = if r.below(6) == 0 {
        r.below(vl.max(1) + 1)
    } else {
        0
    };
    words[68] = r.below(8);
    let mut s = State {
        words,
        memory: [0; MEMORY],
        v: vec![0; 32 * length],
    };
    if most == 0 {
        s.words[65] = 0;
    }
    for c in s.memory.chunks_mut(8).chain(s.v.chunks_mut(8)) {
        c.copy_from_slice(&r.lanes().to_le_bytes());
    }
    let (rs1, rs2) = ((w >> 15 & 31) as usize, (w >> 20 & 31) as usize);
    if memory {
        // Beyond all elements qemu 11 fails an assertion of its own. Whole registers have fewer than vl may say.
        let size = [1, 0, 0, 0, 0, 2, 4, 8][(w >> 12 & 7) as usize].max(1);
        let whole = w >> 26 & 3 == 0 && w >> 20 & 31 == 8;
        let elements = if whole { length as u64 / size } else { vl / 8 };
        s.words[67] = if s.words[67] != 0 {
            r.below(elements.max(1))
        } else {
            0
        };
        let room = if r.below(4) == 0 { MEMORY } else { MEMORY / 2 };
        s.words[rs1] = WINDOW + r.below(room as u64);
        if w >> 26 & 3 == 2 && rs2 != rs1 {
            s.words[rs2] = (r.below(40) as i64 - 20) as u64;
        }
        if w >> 26 & 1 != 0 {
            let iw = [1, 0, 0, 0, 0, 2, 4, 8][(w >> 12 & 7) as usize];
            let group = (rs2 * length..(rs2 + 8).min(32) * length).step_by(iw);
            for at in group {
                let index = r.below(if iw == 1 { 256 } else { 400 });
                s.v[at..at + iw].copy_from_slice(&index.to_le_bytes()[..iw]);
            }
        }
    } else if r.below(3) == 0 {
        // Offsets, amounts and indices that are small.
        s.words[rs1] = r.below(2 * most.max(1));
    }
    s.words[0] = 0;
    (w, s)
}

/// What qemu 11 has otherwise than the manual, or not as exactly: it accesses whole registers in pieces, to which vstart is rounded
/// where one faults; scalars of VFWMACCBF16 that are in no box are half precision's NaN. It knows of a
/// bit of vtype that is of a later extension (Zvfbfa).
fn is_doubtful(e: &Encoding, w: u32, from: &State) -> bool {
    let x = from.words[32 + (w >> 15 & 31) as usize];
    if matches!(w & 0x7f, 0x07 | 0x27) && w >> 26 & 3 == 0 && w >> 20 & 31 == 8 {
        let at = from.words[(w >> 15 & 31) as usize];
        let end = WINDOW + MEMORY as u64;
        let size = from.v.len() as u64 / 32 * u64::from((w >> 29) + 1);
        return at < end && at + size > end;
    }
    match e.name {
        "vfwmaccbf16_vf" => x >> 16 != u64::MAX >> 16,
        "vsetvli" | "vsetivli" => w >> 28 & 1 != 0,
        "vsetvl" => from.words[(w >> 20 & 31) as usize] >> 8 & 1 != 0,
        _ => false,
    }
}

fn batch(e: &'static Encoding, length: usize, size: usize, r: &mut Rng) -> (Vec<u32>, Vec<State>) {
    let (mut codes, mut states) = (Vec::new(), Vec::new());
    while codes.len() < size {
        let (w, from) = case(e, length, r);
        if is_doubtful(e, w, &from) {
            continue;
        }
        let found = table::find_for(w, features::by_names(&[], 64));
        if found.is_some_and(|n| std::ptr::eq(&raw const table::TABLE[n], e)) {
            codes.push(w);
            states.push(from);
        }
    }
    (codes, states)
}

fn difference(a: &State, b: &State) -> String {
    let mut text = String::new();
    if a.words[0] != b.words[0] {
        return format!(" signal {} / {}", a.words[0], b.words[0]);
    }
    for n in 1..WORDS {
        if a.words[n] != b.words[n] {
            let _ = write!(text, " word {n}: {:#x} / {:#x}", a.words[n], b.words[n]);
        }
    }
    let length = a.v.len() / 32;
    for (n, (x, y)) in a.v.chunks(length).zip(b.v.chunks(length)).enumerate() {
        if x != y {
            let _ = write!(text, " v{n}: {x:02x?} / {y:02x?}");
        }
    }
    if a.memory != b.memory {
        text += " memory";
    }
    text
}

fn lines() -> impl Iterator<Item = &'static Encoding> {
    let only = only();
    let all = table::TABLE.iter().filter(|e| e.need.contains(features::V));
    all.filter(move |e| e.name.contains(&only))
}

/// Cases of a line that are enough each time.
const USUAL: usize = 40;

fn compare(judge: &Judge) -> Vec<String> {
    let show = env_number("QUSR_FUZZ_SHOW", 2);
    let length = judge.length;
    let mut failed = Vec::new();
    // Without being asked for more, a line is looked at with one of the lengths, and not often: all of it takes a quarter of an hour.
    let all = std::env::var_os("QUSR_FUZZ_CASES").is_some();
    // A line has its cases with all lengths together.
    let each = if all {
        (cases() as usize).div_ceil(LENGTHS.len())
    } else {
        USUAL
    };
    for (n, e) in lines().enumerate() {
        if !all && LENGTHS[n % LENGTHS.len()] != length {
            continue;
        }
        let mut r = Rng(env_number("QUSR_FUZZ_SEED", 1) * 0x9e37_79b9 + 1);
        let (mut wrong, mut defined, mut batches) = (0, 0, 0);
        while defined < each && batches < PATIENCE && wrong == 0 {
            let (codes, states) = batch(e, length, each, &mut r);
            let want = judge.ask(&codes, &states);
            let mut ours = Ours::new(each, length);
            for (n, ((&code, from), want)) in codes.iter().zip(&states).zip(&want).enumerate() {
                defined += usize::from(want.words[0] != libc::SIGILL as u64);
                for who in 0..ours.cores.len() {
                    let text = difference(want, &ours.run(who, n, code, from));
                    if text.is_empty() {
                        continue;
                    }
                    wrong += 1;
                    if wrong <= show {
                        let (name, who) = (e.name, ours.cores[who].0);
                        let [vl, vtype, vstart, vcsr] = [65, 66, 67, 68].map(|n| from.words[n]);
                        eprintln!(
                            "{name} {code:08x} vlenb {length} vl {vl} vtype {vtype:#x} vstart {vstart} vcsr {vcsr} \
                             fcsr {:#x} {who}: qemu / ours:{text}",
                            from.words[64]
                        );
                    }
                    break;
                }
            }
            batches += 1;
        }
        if wrong > 0 {
            failed.push(format!("{} {wrong}/{} at {length}", e.name, each * batches));
        } else if defined < each {
            failed.push(format!("{} only {defined} at {length}", e.name));
        }
    }
    failed
}

#[test]
fn vectors_agree_with_qemu() {
    let judges = LENGTHS.into_iter().filter_map(Judge::new);
    let failed: Vec<String> = judges.flat_map(|judge| compare(&judge)).collect();
    assert!(failed.is_empty(), "{}: {}", failed.len(), failed.join(", "));
}
