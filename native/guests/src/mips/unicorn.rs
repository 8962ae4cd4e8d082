//! MIPS on Unicorn. Ids are those of `mips.h`.

use super::linux::insn::Insn;
use super::linux::registers;
use crate::cpu::{Access, Exit};
use crate::unicorn::Guest;
use crate::unicorn::engine::{Engine, Stopped};
use crate::unicorn::guest::{Bank, Exception, Facts, Meaning, Preset, Probe, Raised, UcReg, Width};

/// In one word size and byte order.
pub struct Unicorn {
    name: &'static str,
    facts: &'static Facts,
    big_endian: bool,
}

// Ids. General registers, HI and LO are as wide as a word.
const PC: i32 = 1;
const R0: i32 = 2;
const F0: i32 = 57;
const HI: i32 = 129;
const LO: i32 = 130;
const CONFIG3: i32 = 137;
const USERLOCAL: i32 = 138;
const STATUS: i32 = 139;
const FIR: i32 = 140;
const FCSR: i32 = 141;

// "MIPS Architecture For Programmers", volume III: Status.
const STATUS_EXL: u64 = 1 << 1;
const STATUS_ERL: u64 = 1 << 2;
const STATUS_USER: u64 = 1 << 4;
const STATUS_UX: u64 = 1 << 5;
const STATUS_BEV: u64 = 1 << 22;
const STATUS_PX: u64 = 1 << 23;
const STATUS_CU1: u64 = 1 << 29;
/// Config3.ULRI: there is a register for the thread pointer.
const CONFIG3_ULRI: u64 = 1 << 13;

/// What RDHWR reads in a program: the CPU's number, the cache's step, the cycle counter and how often that counts
/// (arch/mips/kernel/cpu-probe.c, `hwrena`), and the thread pointer.
const HARDWARE: u32 = 0xf | 1 << 29;

/// Numbers of target/mips/cpu.h.
static EXCEPTIONS: [Exception; 7] = [
    Exception::new(12, Meaning::Misaligned(Access::Read)),
    Exception::new(13, Meaning::Misaligned(Access::Write)),
    Exception::new(17, Meaning::Call),
    Exception::new(18, Meaning::Breakpoint),
    Exception::new(OVERFLOW, Meaning::Ask),
    Exception::new(TRAP, Meaning::Ask),
    Exception::new(FLOATING, Meaning::Ask),
];
const OVERFLOW: u32 = 21;
const TRAP: u32 = 22;
const FLOATING: u32 = 23;

const fn bank(first: u32, count: u32, id: i32, width: Width) -> Bank {
    let uc = UcReg { id, width };
    Bank { first, count, uc }
}

const fn banks(word: Width) -> [Bank; 8] {
    [
        bank(0, 32, R0, word),
        bank(32, 1, LO, word),
        bank(33, 1, HI, word),
        bank(35, 32, F0, Width::Bits64),
        bank(67, 1, FCSR, Width::Bits32),
        bank(68, 1, FIR, Width::Bits32),
        bank(69, 1, USERLOCAL, word),
        bank(registers::STATUS, 1, STATUS, Width::Bits32),
    ]
}

const fn presets(status: u64) -> [Preset; 2] {
    [
        Preset {
            name: "the thread pointer",
            uc: UcReg::bits32(CONFIG3),
            set: CONFIG3_ULRI,
            clear: 0,
        },
        Preset {
            name: "the status",
            uc: UcReg::bits32(STATUS),
            set: STATUS_CU1 | STATUS_USER | status,
            clear: STATUS_EXL | STATUS_ERL | STATUS_BEV | registers::FR,
        },
    ]
}

const BIG_ENDIAN: i32 = 1 << 30;
/// lbu $v0, 0($a0)
const LBU: u32 = 0x9082_0000;

static MIPSEL_FACTS: Facts = Facts {
    arch: 3,
    mode: 1 << 2,
    target: "mipsel",
    sets_page_size: false,
    banks: &banks(Width::Bits32),
    pc: 34,
    uc_pc: UcReg::bits32(PC),
    leading: &[],
    presets: &presets(0),
    exceptions: &EXCEPTIONS,
    raised: Some(Raised { bits: 32, call: 4 }),
    count: 0,
    coherent_code: false,
    address_mask: u64::MAX,
    call: None,
    kernel_pages: (0, 0),
    probe: Probe {
        code: &LBU.to_le_bytes(),
        base: UcReg::bits32(R0 + 4),
    },
};

static MIPS_FACTS: Facts = Facts {
    mode: MIPSEL_FACTS.mode | BIG_ENDIAN,
    target: "mips",
    probe: Probe {
        code: &LBU.to_be_bytes(),
        ..MIPSEL_FACTS.probe
    },
    ..MIPSEL_FACTS
};

static MIPS64EL_FACTS: Facts = Facts {
    mode: 1 << 3,
    target: "mips64el",
    banks: &banks(Width::Bits64),
    uc_pc: UcReg::bits64(PC),
    presets: &presets(STATUS_UX | STATUS_PX | registers::FR),
    raised: Some(Raised { bits: 64, call: 4 }),
    probe: Probe {
        base: UcReg::bits64(R0 + 4),
        ..MIPSEL_FACTS.probe
    },
    ..MIPSEL_FACTS
};

static MIPS64_FACTS: Facts = Facts {
    mode: MIPS64EL_FACTS.mode | BIG_ENDIAN,
    target: "mips64",
    probe: Probe {
        code: &LBU.to_be_bytes(),
        ..MIPS64EL_FACTS.probe
    },
    ..MIPS64EL_FACTS
};

pub static MIPSEL: Unicorn = Unicorn {
    name: "mipsel",
    facts: &MIPSEL_FACTS,
    big_endian: false,
};
pub static MIPS: Unicorn = Unicorn {
    name: "mips",
    facts: &MIPS_FACTS,
    big_endian: true,
};
pub static MIPS64EL: Unicorn = Unicorn {
    name: "mips64el",
    facts: &MIPS64EL_FACTS,
    big_endian: false,
};
pub static MIPS64: Unicorn = Unicorn {
    name: "mips64",
    facts: &MIPS64_FACTS,
    big_endian: true,
};
// The processor is the same: the kernel lets programs of n32 use addresses of 64 bits too (Status.UX), and what they
// have there are numbers of 32 with a sign.
pub static MIPSN32EL: Unicorn = Unicorn {
    name: "mipsn32el",
    ..MIPS64EL
};
pub static MIPSN32: Unicorn = Unicorn {
    name: "mipsn32",
    ..MIPS64
};

impl Unicorn {
    fn insn(&self, cpu: &Stopped<'_>, at: u64) -> Insn {
        Insn::read(cpu.code(at), self.big_endian)
    }

    /// The instruction that raised an exception: that in the delay slot, if the pc is on a branch.
    fn raising(&self, cpu: &Stopped<'_>) -> Insn {
        let insn = self.insn(cpu, cpu.pc());
        if insn.has_slot() {
            self.insn(cpu, cpu.pc() + 4)
        } else {
            insn
        }
    }
}

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn facts(&self) -> &'static Facts {
        self.facts
    }

    /// What the processor's floating point can is not to be changed, and r0 is 0.
    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        if reg == registers::STATUS {
            let status = UcReg::bits32(STATUS);
            let old = engine.read(status) as u64;
            let new = old & !registers::FR | value as u64 & registers::FR;
            if new != old {
                engine.write(status, new.into());
            }
            return true;
        }
        reg == 0 || reg == 68 || reg == registers::STRICT
    }

    fn counts_as(&self, cpu: &Stopped<'_>) -> usize {
        if self.insn(cpu, cpu.pc()).has_slot() {
            2
        } else {
            1
        }
    }

    fn immediate(&self, cpu: &Stopped<'_>, meaning: Meaning) -> u32 {
        if meaning == Meaning::Breakpoint {
            self.raising(cpu).break_code()
        } else {
            0
        }
    }

    fn exception(&self, _cpu: &Stopped<'_>, code: u32) -> Exit {
        Exit::Exception { code, size: 4 }
    }

    /// The first RDHWR of a program comes here: what it may read cannot be said before.
    fn undefined(&self, cpu: &Stopped<'_>) -> Result<u64, Exit> {
        match self.raising(cpu).hardware_register() {
            Some(register) if HARDWARE >> register & 1 != 0 && cpu.permit(HARDWARE) => Ok(0),
            _ => Err(Exit::Undefined),
        }
    }
}
