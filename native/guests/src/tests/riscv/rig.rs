//! The cores under test, as RISC-V needs them.

use super::{CODE, CODE_START, DATA_LEN};
use crate::memory::SpaceConfig;
use crate::riscv::{Riscv, features};
use crate::tests::fuzz::Rng;
use crate::tests::rig::{Case, Cores, Machine, Outcome, RegFile, Who};

pub const PC: u32 = 32;
/// fflags, frm, fcsr.
pub const STATUS: usize = 65;

fn machine(xlen: u8) -> Machine {
    Machine {
        guest: guest(xlen),
        unicorn: crate::tests::unicorn_of(if xlen == 64 { "riscv64" } else { "riscv32" }),
        // UC_CPU_RISCV64_ANY, UC_CPU_RISCV32_ANY
        model: 0,
        space: SpaceConfig {
            va_bits: if xlen == 64 { 47 } else { 32 },
            ..SpaceConfig::default()
        },
        code: CODE,
        filler: 0,
        registers: 68,
        pc: PC,
        // There are no condition flags.
        flags: (0, 0),
        name: |id| match id {
            0..=31 => format!("x{id}"),
            32 => "pc".into(),
            33..=64 => format!("f{}", id - 33),
            STATUS => "fflags".into(),
            66 => "frm".into(),
            _ => "fcsr".into(),
        },
    }
}

/// With all extensions.
pub fn guest(xlen: u8) -> &'static Riscv {
    Riscv::of(features::by_names(&[], xlen), xlen)
}

pub struct Rig {
    pub xlen: u8,
    cores: Cores,
}

impl Rig {
    /// None, with a word about it, where there is no Unicorn.
    pub fn new(xlen: u8) -> Option<Self> {
        let cores = Cores::open(machine(xlen))?;
        Some(Self { xlen, cores })
    }

    /// Writes instructions (2 or 4 bytes each) to a place of their own. None: there is no room left.
    pub fn place(&mut self, r: &mut Rng, insns: &[u32]) -> Option<Case> {
        let cores = &mut self.cores;
        cores.refill(|| {
            let words = (0..DATA_LEN / 8).flat_map(|_| r.lanes().to_le_bytes());
            words.collect()
        });
        let mut bytes: Vec<u8> = Vec::new();
        for &w in insns {
            let len = if w & 3 == 3 { 4 } else { 2 };
            bytes.extend(&w.to_le_bytes()[..len]);
        }
        let mut pc = cores.at;
        // One across a page's end now and then.
        if r.below(8) == 0 {
            pc = (pc | 0xfff) + 1 - 2 * r.below(4);
        }
        let end = pc + bytes.len() as u64;
        // C.EBREAK
        for _ in 0..6 {
            bytes.extend(0x9002u16.to_le_bytes());
        }
        cores.write(pc, &bytes, (pc + bytes.len() as u64 + 7) & !3)?;
        Some(Case {
            pc,
            words: insns.to_vec(),
            end,
            steps: insns.len(),
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

    /// Executes a case. None: there is nothing to be compared.
    pub fn observe(&mut self, who: Who, case: &Case, regs: &RegFile) -> Option<Outcome> {
        let ran = self.cores.execute(who, case, regs)?;
        if who == Who::Unicorn && self.is_other_code(ran.to, case) {
            return None;
        }
        // What is beyond the window may be something of the host's.
        let beyond = self.cores.space.limit()..u64::MAX - (4 << 30);
        if let crate::cpu::Exit::Fault { addr, .. } = ran.exit
            && who == Who::Unicorn
            && beyond.contains(&addr)
        {
            return None;
        }
        // Of a misaligned address Unicorn tells nothing, and Linux tells of the instruction.
        let fault = |addr, align| {
            if align {
                "misaligned".into()
            } else {
                format!("fault {addr:#x}")
            }
        };
        Some(ran.outcome(case, fault))
    }

    /// The differences between two outcomes, for people; empty if there are none.
    pub fn differences(&self, want: &Outcome, got: &Outcome) -> String {
        self.cores.machine.differences(want, got)
    }
}
