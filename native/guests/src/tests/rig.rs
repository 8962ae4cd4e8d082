//! The cores under test over one memory, for the guests of any instruction set.

use crate::cpu::{Access, CpuCore, Exit, Flow, Interrupter, OnSyscall, Regs};
use crate::guest::Guest;
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use crate::translator::{Fallback, NativeConfig, Options, open};
use crate::unicorn::{self, UnicornConfig};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Of the mapping for code, in the second half of which instructions under test are.
pub const CODE_LEN: u64 = 0x80_0000;
/// Data: four pages, the third of which is read-only; nothing is mapped around them.
pub const DATA: u64 = 0x1000_0000;
pub const DATA_LEN: u64 = 0x4000;
pub const READ_ONLY: u64 = DATA + 0x2000;

/// Backward jumps that make a loop a region here.
pub const HOT: u32 = 3;

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
    fn set_stops(&mut self, _: &Arc<crate::cpu::Stops>) {}
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
fn code_file(filler: u8) -> File {
    // SAFETY: the name is a C string; the descriptor is ours alone.
    let file = unsafe {
        let fd = libc::memfd_create(c"code under test".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        File::from_raw_fd(fd)
    };
    let nothing = vec![filler; CODE_LEN as usize];
    file.write_all_at(&nothing, 0).expect("room for code");
    file
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

/// Registers by the numbers that cores know them by.
pub type RegFile = Vec<u128>;

/// What came of an execution.
#[derive(PartialEq, Eq)]
pub struct Outcome {
    /// `done`, `undefined`, or what else happened.
    pub class: String,
    pub regs: RegFile,
    /// The data, if it is not as it was.
    pub memory: Option<Vec<u8>>,
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

impl Case {
    /// Whether an address is one of its instructions'.
    pub fn has(&self, addr: u64) -> bool {
        (self.pc..self.end).contains(&addr)
    }
}

/// What a guest's cores are made of.
#[derive(Clone, Copy)]
pub struct Machine {
    pub guest: &'static dyn Guest,
    pub unicorn: &'static dyn unicorn::Guest,
    /// Unicorn's model `max`.
    pub model: i32,
    /// Where its memory and the mapping for code are.
    pub space: SpaceConfig,
    pub code: u64,
    /// The bytes of the code that is not there yet.
    pub filler: u8,
    pub registers: u32,
    pub pc: u32,
    /// A register of flags, and which of its bits are the program's.
    pub flags: (usize, u128),
    pub name: fn(usize) -> String,
}

impl Machine {
    /// None, with a word about it, where there is no Unicorn.
    fn unicorn(&self) -> Option<UnicornConfig> {
        let Some(library) = std::env::var_os("QUSR_TEST_LIBUNICORN") else {
            eprintln!("QUSR_TEST_LIBUNICORN is not set: nothing is compared");
            return None;
        };
        Some(UnicornConfig {
            library: library.into(),
            guest: self.unicorn,
            model: self.model,
            emulate: None,
            features: vec![],
        })
    }

    /// Where the first case goes.
    pub fn code_start(&self) -> u64 {
        self.code + CODE_LEN / 2
    }

    pub fn load(&self, core: &mut dyn CpuCore, regs: &RegFile, pc: u64) {
        for (id, &v) in (0..).zip(regs).filter(|x| x.0 != self.pc) {
            core.set_wide(id, v);
        }
        core.set(self.pc, pc);
    }

    pub fn save(&self, core: &mut dyn CpuCore) -> RegFile {
        let mut v: RegFile = (0..self.registers).map(|id| core.get_wide(id)).collect();
        v[self.flags.0] &= self.flags.1;
        v
    }

    /// The differences between two outcomes, for people; empty if there are none.
    pub fn differences(&self, want: &Outcome, got: &Outcome) -> String {
        if want == got {
            return String::new();
        }
        let mut text = format!("{} / {}", want.class, got.class);
        for (i, (a, b)) in want.regs.iter().zip(&got.regs).enumerate() {
            if a != b {
                text += &format!(" {}: {a:#x} / {b:#x}", (self.name)(i));
            }
        }
        if want.memory != got.memory {
            let byte = |m: &Option<Vec<u8>>, n: usize| m.as_ref().map(|m| m[n]);
            let at =
                (0..DATA_LEN as usize).find(|&n| byte(&want.memory, n) != byte(&got.memory, n));
            text += &format!(" memory at {:#x}", DATA + at.unwrap_or(0) as u64);
        }
        text
    }
}

/// What an execution left.
pub struct Ran {
    pub exit: Exit,
    /// The pc.
    pub to: u64,
    pub regs: RegFile,
    pub memory: Option<Vec<u8>>,
}

impl Ran {
    /// With what the exit says about the last instruction: reaching what is behind it is completion. A fault's
    /// address and whether it is one of alignment are told by `fault`.
    pub fn outcome(self, case: &Case, fault: fn(u64, bool) -> String) -> Outcome {
        let class = match self.exit {
            Exit::Interrupted => "done".into(),
            // Elsewhere: a branch that led to nothing, or to the breakpoints behind.
            Exit::Breakpoint { .. } | Exit::Undefined if !case.has(self.to) => "done".into(),
            Exit::Fault {
                access: Access::Fetch,
                ..
            } => "done".into(),
            Exit::Undefined => "undefined".into(),
            Exit::Fault { addr, align, .. } => fault(addr, align),
            e => format!("{e:?}"),
        };
        Outcome {
            class,
            regs: self.regs,
            memory: self.memory,
        }
    }
}

/// The cores.
pub struct Cores {
    pub machine: Machine,
    pub space: Arc<AddressSpace>,
    native: Box<dyn CpuCore>,
    plain: Box<dyn CpuCore>,
    interp: Box<dyn CpuCore>,
    unicorn: Box<dyn CpuCore>,
    code: File,
    /// What the data is before each execution.
    data: Vec<u8>,
    /// Where the next case goes.
    pub at: u64,
    age: u64,
}

impl Cores {
    /// None, with a word about it, where there is no Unicorn.
    pub fn open(machine: Machine) -> Option<Self> {
        let config = machine.unicorn()?;
        let space = AddressSpace::new(machine.space).expect("an address space");
        let rw = libc::PROT_READ | libc::PROT_WRITE;
        let code = code_file(machine.filler);
        let rx = libc::PROT_READ | libc::PROT_EXEC;
        map(&space, machine.code, CODE_LEN, rx, Some(&code));
        map(&space, DATA, DATA_LEN, rw, None);
        let optimised = NativeConfig {
            trap_limit: u32::MAX,
            hot: HOT,
            ..NativeConfig::default()
        };
        let plain = NativeConfig {
            options: Options::parse("no-all").expect("an option"),
            ..optimised.clone()
        };
        let missing: Fallback = Arc::new(|| Ok(Box::new(Missing)));
        let native = |c: &NativeConfig| {
            let fallback = Some(missing.clone());
            open(machine.guest, c, space.clone(), fallback).expect("a native core")
        };
        Some(Self {
            native: native(&optimised),
            plain: native(&plain),
            interp: native(&optimised),
            unicorn: unicorn::open(&config, space.clone()).expect("unicorn"),
            space,
            code,
            data: Vec::new(),
            at: machine.code_start(),
            age: 0,
            machine,
        })
    }

    /// New contents for the data, now and then.
    pub fn refill(&mut self, contents: impl FnOnce() -> Vec<u8>) {
        if self.age.is_multiple_of(64) {
            let protect = |prot| {
                let done = self.space.mprotect(READ_ONLY, 0x1000, prot);
                assert_eq!(done, Ok(()));
            };
            protect(libc::PROT_READ | libc::PROT_WRITE);
            self.data = contents();
            self.space.write(DATA, &self.data).expect("data");
            protect(libc::PROT_READ);
        }
        self.age += 1;
    }

    /// Writes code to `pc`; the next case goes to `next`. None: there is no room left.
    pub fn write(&mut self, pc: u64, bytes: &[u8], next: u64) -> Option<()> {
        self.at = next;
        if next > self.machine.code + CODE_LEN {
            return None;
        }
        let offset = pc - self.machine.code;
        self.code.write_all_at(bytes, offset).expect("code");
        // Another case may have jumped here when there was nothing yet.
        for core in [
            &mut self.native,
            &mut self.plain,
            &mut self.interp,
            &mut self.unicorn,
        ] {
            core.invalidate(pc, next);
        }
        Some(())
    }

    pub fn core(&mut self, who: Who) -> &mut dyn CpuCore {
        match who {
            Who::Unicorn => self.unicorn.as_mut(),
            Who::Translated => self.native.as_mut(),
            Who::Unoptimised => self.plain.as_mut(),
            Who::Interpreted => self.interp.as_mut(),
        }
    }

    /// The address at which an interpreted instruction faults.
    pub fn fault_address(&mut self, case: &Case, regs: &RegFile) -> Option<u64> {
        let machine = self.machine;
        let core = self.core(Who::Interpreted);
        machine.load(core, regs, case.pc);
        let exit = core.step();
        self.restore();
        match exit {
            Exit::Fault { addr, .. } => Some(addr),
            _ => None,
        }
    }

    /// Undoes what an execution did to the data, and returns the data if it did.
    pub fn restore(&mut self) -> Option<Vec<u8>> {
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

    /// Executes a case. None: it took what has no core here, or it is a loop that only who steps comes back from.
    pub fn execute(&mut self, who: Who, case: &Case, regs: &RegFile) -> Option<Ran> {
        let machine = self.machine;
        let core = self.core(who);
        machine.load(core, regs, case.pc);
        let mut exit = Exit::Interrupted;
        if matches!(who, Who::Unicorn | Who::Interpreted) {
            // Step by step: unicorn's own blocks are not what is tested.
            for _ in 0..case.steps {
                exit = core.step();
                if exit != Exit::Interrupted || !case.has(core.get(machine.pc)) {
                    break;
                }
            }
        } else {
            exit = core.run(&mut |_, _| Flow::Leave);
        }
        let regs = machine.save(core);
        let memory = self.restore();
        let to = regs[machine.pc as usize] as u64;
        let again = exit == Exit::Interrupted && case.has(to);
        (exit != MISSING && !again).then_some(Ran {
            exit,
            to,
            regs,
            memory,
        })
    }
}
