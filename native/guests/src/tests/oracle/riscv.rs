//! Floating point and the extensions of 64-bit RISC-V, against qemu-user.
//!
//! qemu 7.2 (Debian 12) judges what it has. The lines of extensions that came later are judged by a qemu that
//! `QUSR_TEST_QEMU_RISCV64` names, and where there is none by what qemu 11.1.3 answered to the same cases: `riscv-later.txt` has
//! a sum of the answers for each line (`QUSR_WRITE_DOCS=1` writes it anew).

use crate::cpu::{CpuCore, Exit, Flow};
use crate::memory::{AddressSpace, SpaceConfig};
use crate::riscv::features::{self, Features};
use crate::riscv::table::Encoding;
use crate::riscv::{Kind, Riscv};
use crate::tests::fuzz::{Rng, cases, env_number, only};
use crate::tests::riscv::exempt::is_computing;
use crate::tests::riscv::operands::word;
use crate::translator::{Fallback, NativeConfig, Options, open};
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

const DATA: u64 = 0x2000_0000;
const WINDOW: u64 = DATA + 0x800;
const CODE: u64 = 0x3000_0000;
const MEMORY: usize = 256;
const STATE: usize = 8 * 65 + MEMORY;
/// Bytes for each case: the instruction, and C.EBREAK behind it.
const SLOT: u64 = 8;

/// Batches of cases after which a line is given up.
const PATIENCE: usize = 40;

const PC: u32 = 32;
const F0: u32 = 33;
const FCSR: u32 = 67;

/// The processor of qemu 7.2 with all that it has of our lines.
const QEMU_7_2: &str = "rv64,zba=true,zbb=true,zbc=true,zbs=true,Zfh=true,Zfhmin=true";

/// What a case begins with, and ends with.
#[derive(Clone, PartialEq, Eq)]
struct State {
    /// The signal in the place of x0.
    x: [u64; 32],
    f: [u64; 32],
    fcsr: u64,
    memory: [u8; MEMORY],
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        let words = self.x.iter().chain(&self.f).chain([&self.fcsr]);
        let mut b: Vec<u8> = words.flat_map(|w| w.to_le_bytes()).collect();
        b.extend(self.memory);
        b
    }

    fn parse(b: &[u8]) -> Self {
        let word = |n: usize| u64::from_le_bytes(b[8 * n..][..8].try_into().expect("eight bytes"));
        Self {
            x: std::array::from_fn(word),
            f: std::array::from_fn(|n| word(32 + n)),
            fcsr: word(64),
            memory: b[8 * 65..][..MEMORY].try_into().expect("the memory"),
        }
    }

    /// What a signal leaves open: nothing else is compared of it.
    fn settled(mut self) -> Self {
        if self.x[0] != 0 {
            self.x[1..].fill(0);
            self.f.fill(0);
            self.fcsr = 0;
            self.memory.fill(0);
        }
        self
    }
}

/// The guest program, built once; None without a cross compiler.
fn program() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/oracle/riscv.c");
    let out = std::env::temp_dir().join(format!("qusr-oracle-riscv-{}", std::process::id()));
    assert!(source.exists(), "{source:?} is missing");
    let built = Command::new("riscv64-linux-gnu-gcc")
        .args([
            "-O1",
            "-static",
            "-fno-stack-protector",
            "-mno-relax",
            "-Wl,--no-relax",
            "-o",
        ])
        .arg(&out)
        .arg(source)
        .status();
    built.is_ok_and(|b| b.success()).then_some(out)
}

/// An emulator, and its processor.
struct Judge {
    qemu: PathBuf,
    cpu: &'static str,
}

impl Judge {
    /// Debian's.
    fn usual() -> Option<Self> {
        let there = Command::new("qemu-riscv64")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        there.is_ok_and(|t| t.success()).then(|| Self {
            qemu: "qemu-riscv64".into(),
            cpu: QEMU_7_2,
        })
    }

    fn later() -> Option<Self> {
        Some(Self {
            qemu: std::env::var_os("QUSR_TEST_QEMU_RISCV64")?.into(),
            cpu: "max",
        })
    }

    fn ask(&self, program: &Path, codes: &[u32], states: &[State]) -> Vec<State> {
        let mut input: Vec<u8> = (codes.len() as u32).to_le_bytes().to_vec();
        input.extend(codes.iter().flat_map(|c| c.to_le_bytes()));
        input.extend(states.iter().flat_map(State::bytes));
        let mut child = Command::new(&self.qemu)
            .args(["-cpu", self.cpu])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-riscv64");
        let mut stdin = child.stdin.take().expect("a pipe");
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let out = child.wait_with_output().expect("its output");
        assert!(feeder.join().expect("the feeder").is_ok() && out.status.success());
        assert_eq!(out.stdout.len(), codes.len() * STATE);
        let all = out.stdout.chunks(STATE).map(State::parse);
        all.map(State::settled).collect()
    }
}

/// Who executes for us.
struct Ours {
    space: Arc<AddressSpace>,
    cores: Vec<(&'static str, Box<dyn CpuCore>)>,
}

/// What is mapped where.
#[derive(Clone, Copy)]
pub enum Place {
    Data,
    Code,
}

impl Place {
    pub fn start(self) -> u64 {
        match self {
            Self::Data => DATA,
            Self::Code => CODE,
        }
    }
}

pub fn map(space: &AddressSpace, place: Place, len: u64) {
    let rw = libc::PROT_READ | libc::PROT_WRITE;
    let (addr, prot) = match place {
        Place::Data => (DATA, rw),
        Place::Code => (CODE, rw | libc::PROT_EXEC),
    };
    super::batch::map(space, addr, len, prot);
}

fn guest() -> &'static Riscv {
    Riscv::of(features::by_names(&[], 64), 64)
}

impl Ours {
    fn new(cases: usize) -> Self {
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
            open(guest(), &config, space.clone(), Some(missing.clone())).expect("a core")
        };
        let cores = vec![
            ("interpreted", core("")),
            ("translated", core("")),
            ("unoptimised", core("no-all")),
        ];
        Self { space, cores }
    }

    fn run(&mut self, who: usize, n: usize, code: u32, from: &State) -> State {
        let pc = CODE + SLOT * n as u64;
        let len = if code & 3 == 3 { 4 } else { 2 };
        let mut bytes = code.to_le_bytes()[..len].to_vec();
        bytes.extend(0x9002u16.to_le_bytes());
        self.space.write(pc, &bytes).expect("code");
        self.space.write(WINDOW, &from.memory).expect("data");
        let core = &mut self.cores[who].1;
        for n in 1..32 {
            core.set(n, from.x[n as usize]);
        }
        for n in 0..32 {
            core.set(F0 + n, from.f[n as usize]);
        }
        core.set(FCSR, from.fcsr);
        core.set(PC, pc);
        let exit = if who == 0 {
            core.step()
        } else {
            core.run(&mut |_, _| Flow::Leave)
        };
        let at = core.get(PC);
        let signal = match exit {
            Exit::Interrupted => 0,
            Exit::Breakpoint { .. } if at == pc + len as u64 => 0,
            Exit::Undefined => libc::SIGILL,
            Exit::Fault { bus: true, .. } | Exit::Fault { align: true, .. } => libc::SIGBUS,
            Exit::Fault { .. } => libc::SIGSEGV,
            e => panic!("{code:#x}: {e:?}"),
        };
        let mut memory = [0; MEMORY];
        self.space.read(WINDOW, &mut memory).expect("data");
        let x = |n: usize| {
            if n == 0 {
                signal as u64
            } else {
                core.get(n as u32)
            }
        };
        State {
            x: std::array::from_fn(x),
            f: std::array::from_fn(|n| core.get(F0 + n as u32)),
            fcsr: core.get(FCSR),
            memory,
        }
        .settled()
    }
}

/// Extensions that came after qemu 7.2.
fn is_later(e: &Encoding) -> bool {
    use features::{ZABHA, ZACAS, ZAWRS, ZCB, ZCMOP, ZFA, ZICBOM, ZICBOZ, ZICOND, ZIMOP};
    use features::{ZBKB, ZBKX, ZFBF_MIN, ZKND, ZKNE, ZKNH, ZKNX, ZKSED, ZKSH};
    let later = [
        ZABHA, ZACAS, ZAWRS, ZCB, ZCMOP, ZFA, ZICBOM, ZICBOZ, ZICOND, ZIMOP, ZBKB, ZBKX, ZKND,
        ZKNE, ZKNH, ZKNX, ZKSED, ZKSH, ZFBF_MIN,
    ];
    later.iter().any(|f| e.need.contains(*f))
}

/// Floating point, and what is beyond IMAFDC; with 64 bits.
fn is_ours(e: &Encoding) -> bool {
    let known = ["m", "a", "f", "d", "c"].map(String::from);
    let has = |f: Features| f.contains(e.need);
    // qemu-user does not permit CBO.CLEAN and CBO.FLUSH, which Linux does: `blocks_are_kept_clean` has these.
    let permitted = e.need != features::ZICBOM;
    permitted
        // `vectors` has those.
        && !e.need.contains(features::V)
        && has(features::by_names(&[], 64))
        && (is_computing(e) || !has(features::by_names(&known, 64)))
}

/// The base register of an access, and its displacement.
fn base(kind: Kind, w: u32) -> Option<(usize, i64)> {
    if kind == Kind::Short {
        return Some((8 + (w >> 7 & 7) as usize, 0));
    }
    let n = (w >> 15 & 31) as usize;
    match w & 0x7f {
        0x2f | 0x0f => Some((n, 0)),
        0x07 => Some((n, i64::from(w as i32 >> 20))),
        0x27 => Some((n, i64::from(w as i32 >> 25 << 5) | i64::from(w >> 7 & 31))),
        _ => None,
    }
}

fn state(kind: Kind, w: u32, r: &mut Rng) -> State {
    let mode = if r.below(3) == 0 { r.below(8) } else { 0 };
    let flags = if r.below(4) == 0 { r.below(32) } else { 0 };
    let mut s = State {
        x: std::array::from_fn(|_| r.register(64)),
        f: std::array::from_fn(|_| r.float_register()),
        fcsr: mode << 5 | flags,
        memory: [0; MEMORY],
    };
    for c in s.memory.chunks_mut(8) {
        c.copy_from_slice(&r.register(64).to_le_bytes());
    }
    if let Some((n, offset)) = base(kind, w) {
        let step = [1, 2, 4, 8, 16, 16][r.below(6) as usize];
        let at = WINDOW + 64 + r.below(64) / step * step;
        s.x[n] = at.wrapping_sub(offset as u64);
        // What is compared is there now and then.
        if w & 0xf800_007f == 0x2800_002f && r.below(2) == 0 {
            let d = (w >> 7 & 31) as usize;
            let from = (at - WINDOW) as usize;
            let word = |k: usize| {
                let bytes = s.memory[from + k..][..8].try_into();
                u64::from_le_bytes(bytes.expect("eight bytes"))
            };
            let (low, high) = (word(0), word(8));
            if d != n {
                s.x[d] = low;
            }
            if d + 1 < 32 && d + 1 != n && w >> 12 & 7 == 4 {
                s.x[d + 1] = high;
            }
        }
    }
    s.x[0] = 0;
    s
}

fn difference(a: &State, b: &State) -> String {
    let mut text = String::new();
    if a.x[0] != b.x[0] {
        return format!(" signal {} / {}", a.x[0], b.x[0]);
    }
    for n in 1..32 {
        if a.x[n] != b.x[n] {
            let _ = write!(text, " x{n}: {:#x} / {:#x}", a.x[n], b.x[n]);
        }
    }
    for n in 0..32 {
        if a.f[n] != b.f[n] {
            let _ = write!(text, " f{n}: {:#018x} / {:#018x}", a.f[n], b.f[n]);
        }
    }
    if a.fcsr != b.fcsr {
        let _ = write!(text, " fcsr {:#x} / {:#x}", a.fcsr, b.fcsr);
    }
    if a.memory != b.memory {
        text += " memory";
    }
    text
}

/// What qemu 7.2 has otherwise than the manual: CTZW counts on in the upper half if the lower one is 0.
fn is_doubtful(e: &Encoding, w: u32, from: &State) -> bool {
    let operand = from.x[(w >> 15 & 31) as usize];
    e.name == "clzw_ctzw" && w >> 20 & 1 != 0 && operand as u32 == 0 && operand != 0
}

/// Instructions of a line, with their states.
fn batch(kind: Kind, e: &'static Encoding, size: usize, r: &mut Rng) -> (Vec<u32>, Vec<State>) {
    let (mut codes, mut states) = (Vec::new(), Vec::new());
    while codes.len() < size {
        let w = word(r, kind, e);
        let d = guest().decode(0, &w.to_le_bytes(), 0);
        let own = d.kind == kind
            && d.line
                .is_some_and(|n| std::ptr::eq(&raw const kind.table()[n], e));
        if !own {
            continue;
        }
        let from = state(kind, w, r);
        if !is_doubtful(e, w, &from) {
            states.push(from);
            codes.push(w);
        }
    }
    (codes, states)
}

/// FNV-1a.
fn sum(answers: &[State]) -> u64 {
    let bytes = answers.iter().flat_map(State::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    })
}

fn lines(later: bool) -> impl Iterator<Item = (Kind, &'static Encoding)> {
    let all = [Kind::Long, Kind::Short].into_iter();
    let all = all.flat_map(|k| k.table().iter().map(move |e| (k, e)));
    let only = only();
    all.filter(move |(_, e)| is_ours(e) && is_later(e) == later && e.name.contains(&only))
}

/// Compares with a judge: the lines that differ, and those of which too few cases were executed.
fn compare(judge: &Judge, later: bool) {
    let Some(program) = program() else {
        eprintln!("no riscv64-linux-gnu-gcc: nothing is compared");
        return;
    };
    let (each, show) = (cases() as usize, env_number("QUSR_FUZZ_SHOW", 2));
    let (mut failed, mut thin) = (Vec::new(), Vec::new());
    for (kind, e) in lines(later) {
        let mut r = Rng(env_number("QUSR_FUZZ_SEED", 1) * 0x9e37_79b9 + 1);
        let (mut wrong, mut defined, mut batches) = (0, 0, 0);
        while defined < each && batches < PATIENCE && wrong == 0 {
            let (codes, states) = batch(kind, e, each, &mut r);
            let want = judge.ask(&program, &codes, &states);
            let mut ours = Ours::new(each);
            for (n, ((&code, from), want)) in codes.iter().zip(&states).zip(&want).enumerate() {
                defined += usize::from(want.x[0] != libc::SIGILL as u64);
                for who in 0..ours.cores.len() {
                    let text = difference(want, &ours.run(who, n, code, from));
                    if text.is_empty() {
                        continue;
                    }
                    wrong += 1;
                    if wrong <= show {
                        let (name, who, fcsr) = (e.name, ours.cores[who].0, from.fcsr);
                        eprintln!("{name} {code:08x} fcsr {fcsr:#x} {who}: qemu / ours:{text}");
                        eprintln!("  from {:x?} {:x?}", from.x, from.f);
                    }
                    break;
                }
            }
            batches += 1;
        }
        if wrong > 0 {
            failed.push(format!("{} {wrong}/{}", e.name, each * batches));
        } else if defined < each {
            thin.push(format!("{}: {defined}", e.name));
        }
    }
    let _ = std::fs::remove_file(&program);
    assert!(failed.is_empty(), "{}", failed.join(", "));
    assert!(
        thin.is_empty(),
        "lines with fewer than {each} cases that qemu executed: {}",
        thin.join(", ")
    );
}

#[test]
fn riscv_agrees_with_qemu() {
    if Judge::usual().is_none() {
        eprintln!("no qemu-riscv64: nothing is compared");
    }
    for judge in [Judge::usual(), Judge::later()].into_iter().flatten() {
        compare(&judge, false);
    }
}

#[test]
fn blocks_are_kept_clean() {
    // cbo.clean (a0), cbo.flush (a0), as riscv64-linux-gnu-as assembles them.
    for code in [0x0015_200f, 0x0025_200f] {
        let mut ours = Ours::new(4);
        let mut from = state(Kind::Long, code, &mut Rng(5));
        for who in 0..ours.cores.len() {
            assert_eq!(difference(&from, &ours.run(who, 0, code, &from)), "");
        }
        from.x[10] = 0x1000;
        for who in 0..ours.cores.len() {
            assert_eq!(ours.run(who, 1, code, &from).x[0], libc::SIGSEGV as u64);
        }
    }
}

/// Cases of each later line whose answers are kept.
const KEPT: usize = 1500;

const ANSWERS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/tests/oracle/riscv-later.txt"
);

#[test]
fn later_extensions_agree_with_qemu() {
    if let Some(judge) = Judge::later() {
        compare(&judge, true);
        if only().is_empty() && std::env::var_os("QUSR_WRITE_DOCS").is_some() {
            let program = program().expect("a cross compiler");
            let mut text = String::new();
            for (kind, e) in lines(true) {
                let (codes, states) = batch(kind, e, KEPT, &mut Rng(0x1234_5677));
                let answers = judge.ask(&program, &codes, &states);
                let _ = writeln!(text, "{} {:016x}", e.name, sum(&answers));
            }
            std::fs::write(ANSWERS, text).expect("answers can be written");
        }
    }
    let kept = std::fs::read_to_string(ANSWERS).expect("answers that were kept");
    let mut wrong = Vec::new();
    for (kind, e) in lines(true) {
        let (codes, states) = batch(kind, e, KEPT, &mut Rng(0x1234_5677));
        let mut ours = Ours::new(KEPT);
        for who in 0..ours.cores.len() {
            let cases = codes.iter().zip(&states).enumerate();
            let answers: Vec<State> = cases.map(|(n, (&w, s))| ours.run(who, n, w, s)).collect();
            let line = format!("{} {:016x}", e.name, sum(&answers));
            if !kept.lines().any(|l| l == line) {
                wrong.push(format!("{} {}", e.name, ours.cores[who].0));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "other answers than qemu 11.1.3 gave: {}",
        wrong.join(", ")
    );
}
