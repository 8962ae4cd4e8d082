//! The cores under test, as A32 and T32 need them.

use super::operands::random_regs;
use super::{CODE, CODE_LEN, CODE_START, DATA_LEN};
use crate::cpu::Flow;
use crate::memory::SpaceConfig;
use crate::tests::fuzz::Rng;
use crate::tests::rig::{Case as Code, Cores, Machine, Outcome, RegFile, Who};
use crate::translator::{Log, LogItem, NativeConfig, open};
use std::sync::Arc;

/// The number of CPSR, and its bit for Thumb.
const CPSR: usize = 16;
const THUMB: u128 = 0x20;

fn machine() -> Machine {
    const UC_CPU_ARM_MAX: i32 = 33;
    Machine {
        guest: crate::tests::arm(),
        unicorn: crate::tests::unicorn_of("arm"),
        model: UC_CPU_ARM_MAX,
        space: SpaceConfig {
            va_bits: 32,
            ..SpaceConfig::default()
        },
        code: CODE,
        // UDF in Thumb; where A32 leads is not compared.
        filler: 0xde,
        registers: 51,
        pc: 15,
        // Modes and masks are not the program's.
        flags: (CPSR, 0xfe0f_fe20),
        name: |id| match id {
            0..=15 => format!("r{id}"),
            CPSR => "cpsr".into(),
            17..=48 => format!("d{}", id - 17),
            49 => "fpscr".into(),
            _ => "tpidruro".into(),
        },
    }
}

/// Forgets what an instruction that faults in its midst leaves open: what was stored by then, and which registers
/// `of` it were loaded.
pub fn forget_parts(o: &mut Outcome, of: u32) {
    if o.class.starts_with("fault") {
        o.memory = None;
        for n in (0..15).filter(|n| of >> n & 1 != 0) {
            o.regs[n] = 0;
        }
    }
}

/// Instructions of one of the sets.
pub struct Case {
    code: Code,
    thumb: bool,
}

impl Case {
    fn regs(&self, regs: &RegFile) -> RegFile {
        let mut regs = regs.clone();
        regs[CPSR] |= if self.thumb { THUMB } else { 0 };
        regs
    }
}

pub struct Rig(Cores);

impl Rig {
    /// None, with a word about it, where there is no Unicorn.
    pub fn new() -> Option<Self> {
        Cores::open(machine()).map(Self)
    }

    /// Writes instructions (2 or 4 bytes each) to a place of their own. None: there is no room left.
    pub fn place(&mut self, r: &mut Rng, thumb: bool, insns: &[u32]) -> Option<Case> {
        let cores = &mut self.0;
        cores.refill(|| {
            let words = (0..DATA_LEN / 4).flat_map(|_| r.operand32().to_le_bytes());
            words.collect()
        });
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
        let mut pc = cores.at;
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
        cores.write(pc, &bytes, (pc + bytes.len() as u64 + 7) & !3)?;
        let code = Code {
            pc,
            words: insns.to_vec(),
            end,
            steps: insns.len(),
        };
        Some(Case { code, thumb })
    }

    /// Whether an address is within another case's code, where who runs on goes further than who steps.
    fn is_other_code(&self, addr: u64, thumb: bool, case: &Code) -> bool {
        let all = if thumb {
            CODE_START..self.0.at
        } else {
            CODE..CODE + CODE_LEN
        };
        all.contains(&addr) && !(case.pc..=case.end).contains(&addr)
    }

    /// The address at which an interpreted instruction faults.
    pub fn fault_address(&mut self, case: &Case, regs: &RegFile) -> Option<u64> {
        self.0.fault_address(&case.code, &case.regs(regs))
    }

    /// Executes a case. None: there is nothing to be compared.
    pub fn observe(&mut self, who: Who, case: &Case, regs: &RegFile) -> Option<Outcome> {
        let ran = self.0.execute(who, &case.code, &case.regs(regs))?;
        let thumb = case.thumb && ran.regs[CPSR] & THUMB != 0;
        if who == Who::Unicorn && self.is_other_code(ran.to, thumb, &case.code) {
            return None;
        }
        let fault = |addr, align| format!("fault {addr:#x} {align}");
        Some(ran.outcome(&case.code, fault))
    }

    /// The differences between two outcomes, for people; empty if there are none.
    pub fn differences(&self, want: &Outcome, got: &Outcome) -> String {
        self.0.machine.differences(want, got)
    }

    /// Prints the IR and the code of a case.
    pub fn dump(&mut self, r: &mut Rng, thumb: bool, insns: &[u32]) {
        let Some(case) = self.place(r, thumb, insns) else {
            return;
        };
        let sink: Log = Arc::new(|_, text| eprintln!("{text}"));
        let c = NativeConfig {
            log: Some((vec![LogItem::Op, LogItem::OutAsm], sink)),
            ..NativeConfig::default()
        };
        let Cores { machine, space, .. } = &self.0;
        let mut core = open(machine.guest, &c, space.clone(), None).expect("a core");
        let regs = case.regs(&random_regs(r));
        machine.load(core.as_mut(), &regs, case.code.pc);
        core.run(&mut |_, _| Flow::Leave);
    }
}
