//! RISC-V on Unicorn, which executes RV64GC and RV32GC. Ids are those of `riscv.h`.

use crate::cpu::{Access, Exit};
use crate::unicorn::Guest;
use crate::unicorn::engine::{Engine, Stopped};
use crate::unicorn::guest::{Bank, Exception, Facts, Meaning, Preset, Probe, UcReg, Width};

/// In one word size.
pub struct Unicorn {
    name: &'static str,
    facts: &'static Facts,
    privilege: UcReg,
}

// Ids of both word sizes. Registers but those of floating point are as wide as a word.
const X1: i32 = 2;
const FFLAGS: i32 = 41;
const MSTATUS: i32 = 116;
const F0: i32 = 158;
const PC: i32 = 190;
const PRIV: i32 = 191;

/// mstatus.FS: floating point is on, and dirty (Privileged Architecture 3.1.6.6).
const FS_DIRTY: u64 = 3 << 13;

/// The library has the pc four bytes behind instructions that raise one, be they two bytes long.
const fn behind(number: u32, meaning: Meaning) -> Exception {
    Exception::new(number, meaning).back(4)
}

/// Codes of mcause (Privileged Architecture, table 14).
static EXCEPTIONS: [Exception; 5] = [
    behind(0, Meaning::Misaligned(Access::Fetch)),
    behind(2, Meaning::Undefined),
    behind(4, Meaning::Misaligned(Access::Read)),
    behind(6, Meaning::Misaligned(Access::Write)),
    Exception::new(8, Meaning::Call),
];

/// x1 to x31, f0 to f31; fflags, frm and fcsr.
const fn banks(word: Width) -> [Bank; 3] {
    [
        bank(1, 31, X1, word),
        bank(33, 32, F0, Width::Bits64),
        bank(65, 3, FFLAGS, word),
    ]
}

const fn bank(first: u32, count: u32, id: i32, width: Width) -> Bank {
    let uc = UcReg { id, width };
    Bank { first, count, uc }
}

/// The user level last: from there the others cannot be reached.
const fn presets(word: Width) -> [Preset; 2] {
    [
        preset("mstatus", MSTATUS, word, FS_DIRTY, 0),
        preset("the privilege", PRIV, word, 0, 7),
    ]
}

const fn preset(name: &'static str, id: i32, width: Width, set: u64, clear: u64) -> Preset {
    let uc = UcReg { id, width };
    Preset {
        name,
        uc,
        set,
        clear,
    }
}

static RV64_FACTS: Facts = Facts {
    arch: 8,
    mode: 1 << 3,
    target: "riscv64",
    sets_page_size: false,
    banks: &banks(Width::Bits64),
    pc: 32,
    uc_pc: UcReg::bits64(PC),
    leading: &[],
    presets: &presets(Width::Bits64),
    exceptions: &EXCEPTIONS,
    count: 0,
    raised: None,
    coherent_code: false,
    address_mask: u64::MAX,
    call: None,
    kernel_pages: (0, 0),
    // lbu a0, 0(a1)
    probe: Probe {
        code: &0x0005_c503u32.to_le_bytes(),
        base: UcReg::bits64(X1 + 10),
    },
};

static RV32_FACTS: Facts = Facts {
    mode: 1 << 2,
    target: "riscv32",
    banks: &banks(Width::Bits32),
    uc_pc: UcReg::bits32(PC),
    presets: &presets(Width::Bits32),
    probe: Probe {
        base: UcReg::bits32(X1 + 10),
        ..RV64_FACTS.probe
    },
    ..RV64_FACTS
};

pub static RV64: Unicorn = Unicorn {
    name: "riscv64",
    facts: &RV64_FACTS,
    privilege: UcReg::bits64(PRIV),
};

pub static RV32: Unicorn = Unicorn {
    name: "riscv32",
    facts: &RV32_FACTS,
    privilege: UcReg::bits32(PRIV),
};

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn facts(&self) -> &'static Facts {
        self.facts
    }

    /// Writing the privilege drops LR's reservation, as the kernel does before it goes back to a program
    /// (arch/riscv/kernel/entry.S): SC, which compares values, would not see what others changed and put back.
    fn before_run(&self, engine: Engine<'_>) {
        engine.write(self.privilege, 0);
    }

    /// By the width in loads, stores and atomics.
    fn reach(&self, cpu: &Stopped<'_>) -> u64 {
        reach(u32::from_le_bytes(cpu.code(cpu.pc())))
    }

    /// EBREAK and C.EBREAK.
    fn invalid(&self, cpu: &Stopped<'_>) -> Option<Exit> {
        let pc = cpu.pc();
        let short = u16::from_le_bytes(cpu.code(pc));
        let long = u32::from_le_bytes(cpu.code(pc));
        Some(if short == 0x9002 || long == 0x0010_0073 {
            Exit::Breakpoint { imm: 0 }
        } else {
            Exit::Undefined
        })
    }
}

/// Bytes that an instruction accesses (Unprivileged ISA, "RV32/64G Instruction Set Listings" and "RVC Instruction Set Listings").
fn reach(code: u32) -> u64 {
    if code & 3 == 3 {
        // The lower bits of funct3 are the width; the third one tells unsigned loads.
        return 1 << (code >> 12 & 3);
    }
    let double = match (code & 3, code >> 13 & 7) {
        // C.FLD, C.FSD and those of the stack; C.LW, C.SW.
        (0 | 2, 1 | 5) => true,
        (0 | 2, 2 | 6) => false,
        // C.LD and C.SD, or C.FLW and C.FSW of RV32, which access less.
        _ => true,
    };
    if double { 8 } else { 4 }
}

#[cfg(test)]
mod tests {
    use super::reach;

    #[test]
    fn widths_of_accesses() {
        // As llvm-mc assembles: lb lhu lw ld sd fld amoadd.w amoadd.d
        let long = [
            (0x0005_8503, 1),
            (0x0005_d503, 2),
            (0x0005_a503, 4),
            (0x0005_b503, 8),
            (0x00a5_b023, 8),
            (0x0005_b507, 8),
            (0x00c5_a52f, 4),
            (0x00c5_b52f, 8),
        ];
        // c.lw c.ld c.fld c.sw c.sd c.swsp c.sdsp
        let short = [
            (0x4188, 4),
            (0x6188, 8),
            (0x2188, 8),
            (0xc188, 4),
            (0xe188, 8),
            (0xc02a, 4),
            (0xe02a, 8),
        ];
        for (code, bytes) in long.into_iter().chain(short) {
            assert_eq!(reach(code), bytes, "{code:#x}");
        }
    }
}
