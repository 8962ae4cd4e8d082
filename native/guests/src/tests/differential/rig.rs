//! The cores under test, as A64 needs them.

use super::{BRK, CODE, CODE_START, DATA_LEN};
use crate::aarch64::{AArch64, LITTLE};
use crate::cpu::{Exit, Flow};
use crate::memory::SpaceConfig;
use crate::tests::fuzz::Rng;
use crate::tests::rig::{Case, Cores, Machine, Outcome, Ran, RegFile, Who};
use std::sync::atomic::{AtomicBool, Ordering};

/// The number of the pc.
const PC: u32 = 32;

fn machine(guest: &'static AArch64) -> Machine {
    const UC_CPU_ARM64_MAX: i32 = 3;
    Machine {
        guest,
        unicorn: crate::tests::unicorn_of(if guest.big_data {
            "aarch64-be"
        } else {
            "aarch64"
        }),
        model: UC_CPU_ARM64_MAX,
        space: SpaceConfig::default(),
        code: CODE,
        filler: 0,
        registers: 69,
        pc: PC,
        // Unicorn shows BTYPE too.
        flags: (33, 0xf000_0000),
        name: |id| match id {
            0..=30 => format!("x{id}"),
            31 => "sp".into(),
            32 => "pc".into(),
            33 => "nzcv".into(),
            34..=65 => format!("v{}", id - 34),
            66 => "fpsr".into(),
            67 => "fpcr".into(),
            _ => "tpidr".into(),
        },
    }
}

/// Forgets what an access that faults in its midst leaves open where it is not single-copy atomic (Arm
/// ARM B2.2.1): what was stored by then, and of `structures` the registers that are loaded one by one.
pub fn forget_parts(o: &mut Outcome, structures: bool) {
    if o.class.starts_with("fault") {
        o.memory = None;
        if structures {
            o.regs[34..66].fill(0);
        }
    }
}

pub struct Rig {
    pub guest: &'static AArch64,
    cores: Cores,
}

impl Rig {
    /// None, with a word about it, where there is no Unicorn.
    pub fn new() -> Option<Self> {
        Self::of(&LITTLE)
    }

    /// For a guest of its own byte order.
    pub fn of(guest: &'static AArch64) -> Option<Self> {
        let cores = Cores::open(machine(guest))?;
        Some(Self { guest, cores })
    }

    /// Another one like it, with room for more cases.
    pub fn again(&self) -> Self {
        Self::of(self.guest).expect("there was one before")
    }

    /// Writes instructions to a place of their own. None: there is no room left.
    pub fn place(&mut self, r: &mut Rng, words: &[u32]) -> Option<Case> {
        let cores = &mut self.cores;
        cores.refill(|| {
            let halves = (0..DATA_LEN / 8).flat_map(|_| r.lanes().to_le_bytes());
            halves.collect()
        });
        let pc = cores.at;
        let all = words.iter().chain(&[BRK; 3]);
        let bytes: Vec<u8> = all.flat_map(|w| w.to_le_bytes()).collect();
        cores.write(pc, &bytes, pc + bytes.len() as u64)?;
        Some(Case {
            pc,
            words: words.to_vec(),
            end: pc + 4 * words.len() as u64,
            steps: words.len(),
        })
    }

    /// Whether an address is within another case's code, where who runs on goes further than who steps.
    fn is_other_code(&self, addr: u64, case: &Case) -> bool {
        (CODE_START..self.cores.at).contains(&addr) && !(case.pc..=case.end).contains(&addr)
    }

    /// The address at which an interpreted instruction faults.
    pub fn fault_address(&mut self, case: &Case, regs: &RegFile) -> Option<u64> {
        self.cores.fault_address(case, regs)
    }

    /// Executes a case on the translating core while another thread interrupts it all the time; after an interrupt
    /// some instructions are interpreted.
    pub fn observe_interrupted(&mut self, r: &mut Rng, case: &Case, regs: &RegFile) -> Outcome {
        let machine = self.cores.machine;
        let core = self.cores.core(Who::Translated);
        machine.load(core, regs, case.pc);
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
        let regs = machine.save(core);
        core.set(PC, case.end);
        while core.run(&mut |_, _| Flow::Leave) == Exit::Interrupted {}
        let ran = Ran {
            exit,
            to: regs[PC as usize] as u64,
            regs,
            memory: self.cores.restore(),
        };
        ran.outcome(case, fault)
    }

    /// Executes a case. None: there is nothing to be compared.
    pub fn observe(&mut self, who: Who, case: &Case, regs: &RegFile) -> Option<Outcome> {
        let ran = self.cores.execute(who, case, regs)?;
        // Alignment of atomics and exclusives is not enforced, as with FEAT_LSE2.
        if matches!(ran.exit, Exit::Fault { align: true, .. }) {
            return None;
        }
        // The window is smaller than the architecture's address space: a pointer far outside of it (or far
        // below 0) may meet something of the host's.
        let beyond = self.cores.space.limit()..u64::MAX - (4 << 30);
        if let Exit::Fault { addr, .. } = ran.exit
            && who == Who::Unicorn
            && beyond.contains(&untagged(addr))
        {
            return None;
        }
        if who == Who::Unicorn && self.is_other_code(ran.to, case) {
            return None;
        }
        Some(ran.outcome(case, fault))
    }

    /// The differences between two outcomes, for people; empty if there are none.
    pub fn differences(&self, want: &Outcome, got: &Outcome) -> String {
        self.cores.machine.differences(want, got)
    }
}

/// An address without its tag.
fn untagged(addr: u64) -> u64 {
    ((addr << 8) as i64 >> 8) as u64
}

/// Whether an atomic access faults by reading or by writing is told apart by nobody.
fn fault(addr: u64, _align: bool) -> String {
    format!("fault {:#x}", untagged(addr))
}
