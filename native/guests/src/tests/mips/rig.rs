//! The cores under test, as MIPS needs them.

use crate::cpu::Exit;
use crate::memory::SpaceConfig;
use crate::mips::Mips;
use crate::mips::table::Encoding;
use crate::tests::fuzz::Rng;
use crate::tests::rig::{CODE_LEN, Case, Cores, DATA, DATA_LEN, Machine, Outcome, RegFile, Who};

const CODE: u64 = 0x0100_0000;
const CODE_START: u64 = CODE + CODE_LEN / 2;

// Registers by their numbers (docs/internals.md).
pub const LO: usize = 32;
pub const PC: u32 = 34;
pub const F0: usize = 35;
pub const FCSR: usize = 67;
pub const FIR: usize = 68;
pub const STATUS: usize = 70;
pub const FR: u128 = 1 << 26;

/// A processor that Unicorn has, too.
#[derive(Clone, Copy)]
pub struct Kind {
    pub guest: &'static str,
    /// `UC_CPU_MIPS*`, and what it has.
    pub model: i32,
    pub names: &'static [&'static str],
    pub is_wide: bool,
    pub big_endian: bool,
}

/// 24Kf, MIPS64R2-generic.
pub const MIPSEL: Kind = Kind {
    guest: "mipsel",
    model: 8,
    names: &["r2"],
    is_wide: false,
    big_endian: false,
};
pub const MIPS: Kind = Kind {
    guest: "mips",
    big_endian: true,
    ..MIPSEL
};
pub const MIPS64EL: Kind = Kind {
    guest: "mips64el",
    model: 5,
    names: &["r2", "ps"],
    is_wide: true,
    big_endian: false,
};
pub const MIPS64: Kind = Kind {
    guest: "mips64",
    big_endian: true,
    ..MIPS64EL
};
/// mips32r6-generic, I6400.
pub const MIPSEL_R6: Kind = Kind {
    model: 14,
    names: &["r6", "nan2008"],
    ..MIPSEL
};
pub const MIPS64EL_R6: Kind = Kind {
    model: 8,
    names: &["r6", "nan2008"],
    ..MIPS64EL
};

impl Kind {
    pub fn processor(self) -> &'static Mips {
        let names: Vec<String> = self.names.iter().map(|&name| name.into()).collect();
        Mips::of(self.guest, &names, self.is_wide, self.big_endian)
    }

    /// Floating-point registers have 64 bits: release 6 has no others.
    pub fn has_fr(self) -> bool {
        self.is_wide || self.names.contains(&"r6")
    }

    pub fn xlen(self) -> u8 {
        if self.is_wide { 64 } else { 32 }
    }

    fn bytes(self, word: u32) -> [u8; 4] {
        if self.big_endian {
            word.to_be_bytes()
        } else {
            word.to_le_bytes()
        }
    }

    /// Whether the line of an instruction is this one.
    pub fn is_own(self, line: &Encoding, w: u32) -> bool {
        crate::mips::table::find_for(w, self.processor().features)
            .is_some_and(|n| std::ptr::eq(&raw const crate::mips::table::TABLE[n], line))
    }
}

fn machine(kind: Kind) -> Machine {
    Machine {
        guest: kind.processor(),
        unicorn: crate::tests::unicorn_of(kind.guest),
        model: kind.model,
        space: SpaceConfig {
            va_bits: if kind.is_wide { 47 } else { 32 },
            ..SpaceConfig::default()
        },
        code: CODE,
        // Nothing in either release, in either byte order.
        filler: 0x7b,
        registers: 71,
        pc: PC,
        // There are no condition flags.
        flags: (0, 0),
        name: |id| match id {
            0..=31 => format!("r{id}"),
            LO => "lo".into(),
            33 => "hi".into(),
            34 => "pc".into(),
            F0..FCSR => format!("f{}", id - F0),
            FCSR => "fcsr".into(),
            FIR => "fir".into(),
            69 => "userlocal".into(),
            _ => "status".into(),
        },
    }
}

pub struct Rig {
    pub kind: Kind,
    cores: Cores,
}

impl Rig {
    /// None, with a word about it, where there is no Unicorn.
    pub fn new(kind: Kind) -> Option<Self> {
        let mut cores = Cores::open(machine(kind))?;
        if kind.has_fr() {
            // Before the registers that it says the width of.
            for who in [Who::Unicorn].into_iter().chain(Who::OURS) {
                cores.core(who).set(STATUS as u32, FR as u64);
            }
        }
        Some(Self { kind, cores })
    }

    /// Writes instructions to a place of their own. None: there is no room left.
    pub fn place(&mut self, r: &mut Rng, insns: &[u32]) -> Option<Case> {
        let cores = &mut self.cores;
        cores.refill(|| {
            let words = (0..DATA_LEN / 8).flat_map(|_| r.lanes().to_le_bytes());
            words.collect()
        });
        let mut pc = cores.at;
        // A branch across a page's end now and then.
        if r.below(8) == 0 {
            pc = (pc | 0xfff) + 1 - 4 * r.below(2);
        }
        let end = pc + 4 * insns.len() as u64;
        // BREAK
        let behind = [0x0000_000d; 4];
        let all = insns.iter().chain(&behind);
        let bytes: Vec<u8> = all.flat_map(|&w| self.kind.bytes(w)).collect();
        cores.write(pc, &bytes, pc + bytes.len() as u64)?;
        Some(Case {
            pc,
            words: insns.to_vec(),
            end,
            steps: insns.len(),
        })
    }

    /// The address at which an interpreted instruction faults.
    pub fn fault_address(&mut self, case: &Case, regs: &RegFile) -> Option<u64> {
        self.cores.fault_address(case, regs)
    }

    /// Executes a case. None: there is nothing to be compared.
    pub fn observe(&mut self, who: Who, case: &Case, regs: &RegFile) -> Option<Outcome> {
        let mut ran = self.cores.execute(who, case, regs)?;
        let to = ran.to;
        // The translator counts a delay slot to its branch.
        if let Exit::Exception { size, .. } = &mut ran.exit {
            *size = 4;
        }
        if who == Who::Unicorn
            && (CODE_START..self.cores.at).contains(&to)
            && !(case.pc..=case.end).contains(&to)
        {
            // Within another case's code who runs on goes further than who steps.
            return None;
        }
        // What is beyond the program's half is the kernel's: an address error, as one that is misaligned.
        if let Exit::Fault { addr, .. } = ran.exit
            && addr > DATA + 0x1_0000
        {
            return None;
        }
        // Of a misaligned address Unicorn tells nothing.
        let fault = |addr: u64, align| {
            if align {
                "misaligned".into()
            } else {
                format!("fault {:#x}", addr & !7)
            }
        };
        let mut outcome = ran.outcome(case, fault);
        outcome.regs[FIR] = 0;
        outcome.regs[STATUS] = 0;
        // Causes are kept where exceptions are enabled.
        if regs[FCSR] & 0xf80 == 0 {
            outcome.regs[FCSR] &= !0x3f000;
        }
        Some(outcome)
    }

    /// The differences between two outcomes, for people; empty if there are none.
    pub fn differences(&self, want: &Outcome, got: &Outcome) -> String {
        self.cores.machine.differences(want, got)
    }
}
