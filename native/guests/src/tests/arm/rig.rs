//! The cores under test over one memory.

use super::operands::{RegFile, Rng};
use super::{CODE, CODE_LEN, CODE_START, DATA, DATA_LEN, READ_ONLY};
use crate::cpu::{Access, CpuCore, Exit, Flow, Interrupter, OnSyscall, Regs};
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use crate::translator::{Fallback, NativeConfig, Options, open};
use crate::unicorn::{self, Guest as UnicornGuest, UnicornConfig};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A fallback core that says that it was needed.
struct Missing;

pub const MISSING: Exit = Exit::Syscall { imm: u32::MAX };

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

fn map(space: &AddressSpace, addr: u64, len: u64, prot: i32, file: Option<&File>) {
    let request = MmapRequest {
        addr,
        len,
        prot,
        flags: libc::MAP_FIXED
            | file.map_or(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, |_| {
                libc::MAP_SHARED
            }),
        fd: file.map_or(-1, AsRawFd::as_raw_fd),
        offset: 0,
    };
    assert_eq!(space.mmap(request), Ok(addr));
}

/// The code is in a file, so that it is the rig's to write and not the guest's.
fn code_file() -> File {
    // SAFETY: the name is a C string; the descriptor is ours alone.
    let file = unsafe {
        let fd = libc::memfd_create(c"code under test".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        File::from_raw_fd(fd)
    };
    // UDF in Thumb; where A32 leads is not compared.
    let nothing = vec![0xde; CODE_LEN as usize];
    file.write_all_at(&nothing, 0).expect("room for code");
    file
}

/// Of all features.
fn unicorn_config() -> Option<UnicornConfig> {
    let library = std::env::var_os("QUSR_TEST_LIBUNICORN")?.into();
    const UC_CPU_ARM_MAX: i32 = 33;
    Some(UnicornConfig {
        library,
        guest: UnicornGuest::Arm,
        model: UC_CPU_ARM_MAX,
        emulate: None,
        features: vec![],
    })
}

/// Who executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Unicorn,
    Translated,
    Unoptimised,
    Interpreted,
}

impl Who {
    pub const OURS: [Self; 3] = [Self::Translated, Self::Unoptimised, Self::Interpreted];
}

/// What came of an execution.
#[derive(PartialEq, Eq)]
pub struct Outcome {
    /// `done`, `undefined`, or what else happened.
    pub class: String,
    pub regs: RegFile,
    /// The data, if it is not as it was.
    pub memory: Option<Vec<u8>>,
}

impl Outcome {
    /// Forgets what an instruction that faults in its midst leaves open: what was stored by then, and which
    /// registers `of` it were loaded.
    pub fn forget_parts(&mut self, of: u32) {
        if self.class.starts_with("fault") {
            self.memory = None;
            for n in (0..15).filter(|n| of >> n & 1 != 0) {
                self.regs[n] = 0;
            }
        }
    }
}

/// Instructions at an address.
pub struct Case {
    pub pc: u64,
    pub thumb: bool,
    /// Behind the last.
    pub end: u64,
    /// How many are executed at most.
    pub steps: usize,
}

pub struct Rig {
    pub space: Arc<AddressSpace>,
    native: Box<dyn CpuCore>,
    plain: Box<dyn CpuCore>,
    interp: Box<dyn CpuCore>,
    unicorn: Box<dyn CpuCore>,
    code: File,
    /// What the data is before each execution.
    data: Vec<u8>,
    at: u64,
    age: u64,
}

impl Rig {
    /// None, with a word about it, where there is no Unicorn.
    pub fn new() -> Option<Self> {
        let Some(config) = unicorn_config() else {
            eprintln!("QUSR_TEST_LIBUNICORN is not set: nothing is compared");
            return None;
        };
        let space = SpaceConfig {
            va_bits: 32,
            ..SpaceConfig::default()
        };
        let space = AddressSpace::new(space).expect("an address space");
        let rw = libc::PROT_READ | libc::PROT_WRITE;
        let code = code_file();
        let rx = libc::PROT_READ | libc::PROT_EXEC;
        map(&space, CODE, CODE_LEN, rx, Some(&code));
        map(&space, DATA, DATA_LEN, rw, None);
        let missing: Fallback = Arc::new(|| Ok(Box::new(Missing)));
        let c = NativeConfig {
            trap_limit: u32::MAX,
            hot: 3,
            ..NativeConfig::default()
        };
        let none = NativeConfig {
            options: Options::parse("no-all").expect("an option"),
            ..c.clone()
        };
        Some(Self {
            native: open(
                crate::tests::arm(),
                &c,
                space.clone(),
                Some(missing.clone()),
            )
            .expect("a native core"),
            plain: open(
                crate::tests::arm(),
                &none,
                space.clone(),
                Some(missing.clone()),
            )
            .expect("a native core"),
            interp: open(
                crate::tests::arm(),
                &c,
                space.clone(),
                Some(missing.clone()),
            )
            .expect("a native core"),
            unicorn: unicorn::open(&config, space.clone()).expect("unicorn"),
            space,
            code,
            data: Vec::new(),
            at: CODE_START,
            age: 0,
        })
    }

    /// New contents for the data, now and then.
    fn refill(&mut self, r: &mut Rng) {
        if self.age.is_multiple_of(64) {
            let protect = |prot| {
                let done = self.space.mprotect(READ_ONLY, 0x1000, prot);
                assert_eq!(done, Ok(()));
            };
            protect(libc::PROT_READ | libc::PROT_WRITE);
            self.data.clear();
            for _ in 0..DATA_LEN / 4 {
                self.data.extend(r.operand().to_le_bytes());
            }
            self.space.write(DATA, &self.data).expect("data");
            protect(libc::PROT_READ);
        }
        self.age += 1;
    }

    /// Writes instructions (2 or 4 bytes each) to a place of their own. None: there is no room left.
    pub fn place(&mut self, r: &mut Rng, thumb: bool, insns: &[u32]) -> Option<Case> {
        self.refill(r);
        let mut bytes: Vec<u8> = Vec::new();
        let half = |bytes: &mut Vec<u8>, h: u32| bytes.extend((h as u16).to_le_bytes());
        for &w in insns {
            match (thumb, w >> 16) {
                (false, _) => bytes.extend(w.to_le_bytes()),
                (true, 0) => half(&mut bytes, w),
                (true, top) => {
                    half(&mut bytes, top);
                    half(&mut bytes, w);
                }
            }
        }
        let mut pc = self.at;
        // A word or half of one across a page's end now and then.
        if thumb && r.below(8) == 0 {
            pc = (pc | 0xfff) + 1 - 2 * r.below(4);
        }
        let end = pc + bytes.len() as u64;
        // BKPT
        for _ in 0..6 {
            if thumb {
                half(&mut bytes, 0xbe00);
            } else {
                bytes.extend(0xe120_0070u32.to_le_bytes());
            }
        }
        self.at = (pc + bytes.len() as u64 + 7) & !3;
        if self.at + 0x1000 > CODE + CODE_LEN {
            return None;
        }
        self.code.write_all_at(&bytes, pc - CODE).expect("code");
        // Another case may have jumped here when there was nothing yet.
        for core in [
            &mut self.native,
            &mut self.plain,
            &mut self.interp,
            &mut self.unicorn,
        ] {
            core.invalidate(pc, self.at);
        }
        Some(Case {
            pc,
            thumb,
            end,
            steps: insns.len(),
        })
    }

    /// Whether an address is within another case's code, where who runs on goes further than who steps.
    fn is_other_code(&self, addr: u64, case: &Case) -> bool {
        let end = if case.thumb { self.at } else { CODE + CODE_LEN };
        let start = if case.thumb { CODE_START } else { CODE };
        (start..end).contains(&addr) && !(case.pc..=case.end).contains(&addr)
    }

    fn core(&mut self, who: Who) -> &mut dyn CpuCore {
        match who {
            Who::Unicorn => self.unicorn.as_mut(),
            Who::Translated => self.native.as_mut(),
            Who::Unoptimised => self.plain.as_mut(),
            Who::Interpreted => self.interp.as_mut(),
        }
    }

    /// The address at which an interpreted instruction faults.
    pub fn fault_address(&mut self, case: &Case, regs: &RegFile) -> Option<u64> {
        let core = self.core(Who::Interpreted);
        load(core, regs, case);
        let exit = core.step();
        self.restore();
        match exit {
            Exit::Fault { addr, .. } => Some(addr),
            _ => None,
        }
    }

    fn restore(&mut self) -> Option<Vec<u8>> {
        let mut now = vec![0; DATA_LEN as usize];
        self.space.read(DATA, &mut now).expect("data");
        if now == self.data {
            return None;
        }
        for page in [0, 0x1000, 0x3000] {
            let bytes = &self.data[page..page + 0x1000];
            self.space.write(DATA + page as u64, bytes).expect("data");
        }
        Some(now)
    }

    /// Executes a case. None: there is nothing to be compared.
    pub fn observe(&mut self, who: Who, case: &Case, regs: &RegFile) -> Option<Outcome> {
        let core = self.core(who);
        load(core, regs, case);
        let mut exit = Exit::Interrupted;
        if matches!(who, Who::Unicorn | Who::Interpreted) {
            // Step by step: unicorn's own blocks are not what is tested.
            for _ in 0..case.steps {
                exit = core.step();
                if exit != Exit::Interrupted || !(case.pc..case.end).contains(&core.get(15)) {
                    break;
                }
            }
        } else {
            exit = core.run(&mut |_, _| Flow::Leave);
        }
        let regs = save(core);
        let memory = self.restore();
        let to = regs[15] as u64;
        if exit == MISSING {
            return None;
        }
        // Other code, or a loop that only who steps comes back from.
        let again = exit == Exit::Interrupted && (case.pc..case.end).contains(&to);
        let a32 = Case {
            thumb: false,
            ..*case
        };
        let other = if save_is_thumb(&regs) {
            self.is_other_code(to, case)
        } else {
            self.is_other_code(to, &a32)
        };
        if again || (who == Who::Unicorn && other) {
            return None;
        }
        Some(Outcome {
            class: class(exit, to, case),
            regs,
            memory,
        })
    }
}

fn save_is_thumb(regs: &RegFile) -> bool {
    regs[16] & 0x20 != 0
}

fn load(core: &mut dyn CpuCore, regs: &RegFile, case: &Case) {
    for (id, &v) in regs.iter().enumerate().filter(|x| x.0 != 15) {
        let thumb = if case.thumb { 0x20 } else { 0 };
        core.set_wide(id as u32, if id == 16 { v | thumb } else { v });
    }
    core.set(15, case.pc);
}

fn save(core: &mut dyn CpuCore) -> RegFile {
    let mut v: RegFile = (0..51).map(|id| core.get_wide(id)).collect();
    // Modes and masks are not the program's.
    v[16] &= 0xfe0f_fe20;
    v
}

/// What an exit says about the last instruction: reaching what is behind it is completion.
fn class(exit: Exit, to: u64, case: &Case) -> String {
    let inside = (case.pc..case.end).contains(&to);
    match exit {
        Exit::Interrupted => "done".into(),
        // Elsewhere: a branch that led to nothing, or to the breakpoints behind.
        Exit::Breakpoint { .. } | Exit::Undefined if !inside => "done".into(),
        Exit::Fault {
            access: Access::Fetch,
            ..
        } => "done".into(),
        Exit::Undefined => "undefined".into(),
        Exit::Fault { addr, align, .. } => format!("fault {addr:#x} {align}"),
        e => format!("{e:?}"),
    }
}

/// The differences between two outcomes, for people; empty if there are none.
pub fn differences(want: &Outcome, got: &Outcome) -> String {
    if want == got {
        return String::new();
    }
    let name = |id: usize| match id {
        0..=15 => format!("r{id}"),
        16 => "cpsr".into(),
        17..=48 => format!("d{}", id - 17),
        49 => "fpscr".into(),
        _ => "tpidruro".into(),
    };
    let mut text = format!("{} / {}", want.class, got.class);
    for i in (0..51).filter(|&i| want.regs[i] != got.regs[i]) {
        text += &format!(" {}: {:#x} / {:#x}", name(i), want.regs[i], got.regs[i]);
    }
    if want.memory != got.memory {
        let byte = |m: &Option<Vec<u8>>, n: usize| m.as_ref().map(|m| m[n]);
        let at = (0..DATA_LEN as usize).find(|&n| byte(&want.memory, n) != byte(&got.memory, n));
        text += &format!(" memory at {:#x}", DATA + at.unwrap_or(0) as u64);
    }
    text
}

impl Rig {
    /// Prints the IR and the code of a case.
    pub fn dump(&mut self, r: &mut Rng, thumb: bool, insns: &[u32]) {
        let Some(case) = self.place(r, thumb, insns) else {
            return;
        };
        let sink: crate::translator::Log = Arc::new(|_, text| eprintln!("{text}"));
        let c = NativeConfig {
            log: Some((
                vec![
                    crate::translator::LogItem::Op,
                    crate::translator::LogItem::OutAsm,
                ],
                sink,
            )),
            ..NativeConfig::default()
        };
        let mut core = open(crate::tests::arm(), &c, self.space.clone(), None).expect("a core");
        let regs = super::operands::random_regs(r);
        load(core.as_mut(), &regs, &case);
        core.run(&mut |_, _| Flow::Leave);
    }
}
