//! The cores under test over one memory.

use super::operands::{RegFile, Rng};
use super::{BRK, CODE, CODE_LEN, CODE_START, DATA, DATA_LEN, READ_ONLY};
use crate::aarch64::{AArch64, LITTLE};
use crate::cpu::{Access, CpuCore, Exit, Flow, Interrupter, OnSyscall, Regs};
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use crate::translator::{Fallback, NativeConfig, Options, open};
use crate::unicorn::{self, Guest as UnicornGuest, UnicornConfig};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// The code is in a file, so that it is the rig's to write and not the guest's: an instruction that wrote over
/// the code of its own case would find other code when the next core has its turn.
fn code_file() -> File {
    // SAFETY: the name is a C string; the descriptor is ours alone.
    let file = unsafe {
        let fd = libc::memfd_create(c"code under test".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        File::from_raw_fd(fd)
    };
    file.set_len(CODE_LEN).expect("room for code");
    file
}

fn unicorn_config(guest: &AArch64) -> Option<UnicornConfig> {
    let library = std::env::var_os("QUSR_TEST_LIBUNICORN")?.into();
    const UC_CPU_ARM64_MAX: i32 = 3;
    Some(UnicornConfig {
        library,
        guest: if guest.big_data {
            UnicornGuest::Aarch64Be
        } else {
            UnicornGuest::Aarch64
        },
        model: UC_CPU_ARM64_MAX,
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
    memory: Option<Vec<u8>>,
}

impl Outcome {
    /// Forgets what an access that faults in its midst leaves open where it is not single-copy atomic (Arm
    /// ARM B2.2.1): what was stored by then, and of `structures` the registers that are loaded one by one.
    pub fn forget_parts(&mut self, structures: bool) {
        if self.class.starts_with("fault") {
            self.memory = None;
            if structures {
                self.regs[34..66].fill(0);
            }
        }
    }
}

/// Instructions at an address.
pub struct Case {
    pub pc: u64,
    pub words: Vec<u32>,
    /// Behind the last.
    pub end: u64,
    /// How many are executed at most.
    pub steps: usize,
}

/// Backward jumps that make a loop a region here.
pub const HOT: u32 = 3;

pub struct Rig {
    pub guest: &'static AArch64,
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
        Self::of(&LITTLE)
    }

    /// For a guest of its own byte order.
    pub fn of(guest: &'static AArch64) -> Option<Self> {
        let Some(config) = unicorn_config(guest) else {
            eprintln!("QUSR_TEST_LIBUNICORN is not set: nothing is compared");
            return None;
        };
        let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
        let rw = libc::PROT_READ | libc::PROT_WRITE;
        let code = code_file();
        let rx = libc::PROT_READ | libc::PROT_EXEC;
        map(&space, CODE, CODE_LEN, rx, Some(&code));
        map(&space, DATA, DATA_LEN, rw, None);
        let missing: Fallback = Arc::new(|| Ok(Box::new(Missing)));
        let c = NativeConfig {
            trap_limit: u32::MAX,
            hot: HOT,
            ..NativeConfig::default()
        };
        let none = NativeConfig {
            options: Options::parse("no-all").expect("an option"),
            ..c.clone()
        };
        Some(Self {
            guest,
            native: open(guest, &c, space.clone(), Some(missing.clone())).expect("a native core"),
            plain: open(guest, &none, space.clone(), Some(missing.clone())).expect("a native core"),
            interp: open(guest, &c, space.clone(), Some(missing.clone())).expect("a native core"),
            unicorn: unicorn::open(&config, space.clone()).expect("unicorn"),
            space,
            code,
            data: Vec::new(),
            at: CODE_START,
            age: 0,
        })
    }

    /// Another one like it, with room for more cases.
    pub fn again(&self) -> Self {
        Self::of(self.guest).expect("there was one before")
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
            for _ in 0..DATA_LEN / 8 {
                self.data.extend(r.lanes().to_le_bytes());
            }
            self.space.write(DATA, &self.data).expect("data");
            protect(libc::PROT_READ);
        }
        self.age += 1;
    }

    /// Writes instructions to a place of their own. None: there is no room left.
    pub fn place(&mut self, r: &mut Rng, words: &[u32]) -> Option<Case> {
        self.refill(r);
        let pc = self.at;
        self.at += 4 * (words.len() as u64 + 3);
        if self.at > CODE + CODE_LEN {
            return None;
        }
        let all = words.iter().chain(&[BRK; 3]);
        let bytes: Vec<u8> = all.flat_map(|w| w.to_le_bytes()).collect();
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
            words: words.to_vec(),
            end: pc + 4 * words.len() as u64,
            steps: words.len(),
        })
    }

    /// Whether an address is within another case's code, where who runs on goes further than who steps.
    fn is_other_code(&self, addr: u64, case: &Case) -> bool {
        (CODE_START..self.at).contains(&addr) && !(case.pc..=case.end).contains(&addr)
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
        load(core, regs, case.pc);
        let exit = core.step();
        self.restore();
        match exit {
            Exit::Fault { addr, .. } => Some(addr),
            _ => None,
        }
    }

    /// Executes a case on the translating core while another thread interrupts it all the time; after an interrupt
    /// some instructions are interpreted.
    pub fn observe_interrupted(&mut self, r: &mut Rng, case: &Case, regs: &RegFile) -> Outcome {
        let core = self.core(Who::Translated);
        load(core, regs, case.pc);
        let handle = core.interrupter();
        let over = AtomicBool::new(false);
        let exit = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    handle.interrupt();
                    for _ in 0..1000 {
                        std::hint::spin_loop();
                    }
                }
            });
            let mut exit = Exit::Interrupted;
            while exit == Exit::Interrupted {
                exit = core.run(&mut |_, _| Flow::Leave);
                for _ in 0..r.below(4) {
                    if exit == Exit::Interrupted {
                        exit = core.step();
                    }
                }
            }
            over.store(true, Ordering::Relaxed);
            exit
        });
        // The last one may have come too late.
        let regs = save(core);
        core.set(32, case.end);
        while core.run(&mut |_, _| Flow::Leave) == Exit::Interrupted {}
        Outcome {
            class: class(exit, regs[32] as u64, case),
            regs,
            memory: self.restore(),
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
        load(core, regs, case.pc);
        let mut exit = Exit::Interrupted;
        if matches!(who, Who::Unicorn | Who::Interpreted) {
            // Step by step: unicorn's own blocks are not what is tested.
            for _ in 0..case.steps {
                exit = core.step();
                if exit != Exit::Interrupted || !(case.pc..case.end).contains(&core.get(32)) {
                    break;
                }
            }
        } else {
            exit = core.run(&mut |_, _| Flow::Leave);
        }
        let regs = save(core);
        let memory = self.restore();
        let to = regs[32] as u64;
        // Alignment of atomics and exclusives is not enforced, as with FEAT_LSE2.
        if exit == MISSING || matches!(exit, Exit::Fault { align: true, .. }) {
            return None;
        }
        // The window is smaller than the architecture's address space: a pointer far outside of it (or far
        // below 0) may meet something of the host's.
        if let Exit::Fault { addr, .. } = exit
            && who == Who::Unicorn
            && (self.space.limit()..u64::MAX - (4 << 30)).contains(&untagged(addr))
        {
            return None;
        }
        // Other code, or a loop that only who steps comes back from.
        let again = exit == Exit::Interrupted && (case.pc..case.end).contains(&to);
        if again || (who == Who::Unicorn && self.is_other_code(to, case)) {
            return None;
        }
        Some(Outcome {
            class: class(exit, to, case),
            regs,
            memory,
        })
    }
}

/// An address without its tag.
fn untagged(addr: u64) -> u64 {
    ((addr << 8) as i64 >> 8) as u64
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
        // Whether an atomic access faults by reading or by writing is told apart by nobody.
        Exit::Fault { addr, .. } => format!("fault {:#x}", untagged(addr)),
        e => format!("{e:?}"),
    }
}

/// The differences between two outcomes, for people; empty if there are none.
pub fn differences(want: &Outcome, got: &Outcome) -> String {
    if want == got {
        return String::new();
    }
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
    let mut text = format!("{} / {}", want.class, got.class);
    for i in (0..69).filter(|&i| want.regs[i] != got.regs[i]) {
        text += &format!(" {}: {:#x} / {:#x}", name(i), want.regs[i], got.regs[i]);
    }
    if want.memory != got.memory {
        let byte = |m: &Option<Vec<u8>>, n: usize| m.as_ref().map(|m| m[n]);
        let at = (0..DATA_LEN as usize).find(|&n| byte(&want.memory, n) != byte(&got.memory, n));
        text += &format!(" memory at {:#x}", DATA + at.unwrap_or(0) as u64);
    }
    text
}
