//! 32-bit ARM on Unicorn. Ids are those of `arm.h`; Arm ARM: DDI 0406, DDI 0487 part F.

use crate::aarch64::unicorn::{Misaligned, exceptions};
use crate::cpu::{Access, Exit};
use crate::unicorn::Guest;
use crate::unicorn::engine::{Block, Engine, Stopped};
use crate::unicorn::guest::{Bank, Facts, Meaning, Preset, Probe, UcReg, misaligned_at};

use super::is_wide;

/// In one byte order of data and of code.
pub struct Unicorn {
    pub name: &'static str,
    pub big_data: bool,
    pub big_code: bool,
}

const R0: i32 = 66;
const UC_CPSR: UcReg = UcReg::bits32(3);
const ESR: UcReg = UcReg::bits32(140);
const CP_REG: i32 = 139;
const MODE_BIG_ENDIAN: i32 = 1 << 30;

/// Our number of the status register.
const CPSR: u32 = 16;

const CPSR_MODE: u32 = 0x1f;
const CPSR_USR: u64 = 0x10;
const CPSR_E: u64 = 1 << 9;
const THUMB: u32 = 1 << 5;
/// What a program may change: NZCVQ, IT, GE, E, T; the mode stays USR, interrupts enabled (B1.3.3).
const USER: u32 = 0xfe0f_fe20;
/// ITSTATE in the CPSR (G8.2.33).
const IT_STATE: u32 = 0x0600_fc00;
/// What is written to the syndrome register before a run. No exception has this value.
const NO_SYNDROME: u32 = u32::MAX;

/// SCTLR: WFI and WFE do not trap, the CP15 barrier operations work.
const SCTLR: u64 = 1 << 16 | 1 << 18 | 1 << 5;
/// CPACR: full access to coprocessors 10 and 11, that is VFP and Advanced SIMD.
const CPACR_CP10_CP11: u64 = 0xf << 20;
const FPEXC_EN: u64 = 1 << 30;
/// CNTKCTL: user code may read the virtual counter and the frequency, as on Linux.
const CNTKCTL_VCT: u64 = 1 << 1;
/// The models that have the timer: UC_CPU_ARM_CORTEX_A7, _A15, UC_CPU_ARM_MAX. Of the others Unicorn would
/// complain on stderr.
const GENERIC_TIMER_MODELS: [i32; 3] = [14, 17, 33];

static LITTLE: Facts = Facts {
    arch: 1,
    mode: 0,
    target: "arm",
    sets_page_size: true,
    banks: &[
        bank(0, 13, UcReg::bits32(R0)),
        bank(13, 1, UcReg::bits32(12)),
        bank(14, 1, UcReg::bits32(10)),
        bank(CPSR, 1, UC_CPSR),
        bank(17, 32, UcReg::bits64(14)), // d0 to d31
        bank(49, 1, UcReg::bits32(6)),   // FPSCR
        bank(50, 1, UcReg::bits32(113)), // TPIDRURO
    ],
    pc: 15,
    uc_pc: UcReg::bits32(11),
    leading: &[CPSR],
    presets: &[
        preset("CPACR", 111, CPACR_CP10_CP11),
        preset("FPEXC", 4, FPEXC_EN),
    ],
    exceptions: &exceptions(),
    count: 0,
    raised: None,
    coherent_code: false,
    address_mask: u64::MAX,
    call: None,
    kernel_pages: (0, 0),
    // ldrb r0, [r1]
    probe: Probe {
        code: &0xe5d1_0000u32.to_le_bytes(),
        base: UcReg::bits32(R0 + 1),
    },
};

static BIG_CODE: Facts = Facts {
    mode: MODE_BIG_ENDIAN,
    probe: Probe {
        code: &0xe5d1_0000u32.to_be_bytes(),
        ..LITTLE.probe
    },
    ..LITTLE
};

const fn bank(first: u32, count: u32, uc: UcReg) -> Bank {
    Bank { first, count, uc }
}

const fn preset(name: &'static str, id: i32, set: u64) -> Preset {
    Preset {
        name,
        uc: UcReg::bits32(id),
        set,
        clear: 0xffff_ffff,
    }
}

impl Unicorn {
    fn half(&self, cpu: &Stopped<'_>, addr: u64) -> u32 {
        let bytes = cpu.code(addr);
        u32::from(if self.big_code {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn word(&self, cpu: &Stopped<'_>, addr: u64) -> u32 {
        let bytes = cpu.code(addr);
        if self.big_code {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

fn cpsr(engine: Engine<'_>) -> u32 {
    engine.read(UC_CPSR) as u32
}

fn is_thumb(engine: Engine<'_>) -> bool {
    cpsr(engine) & THUMB != 0
}

fn set_cpsr(engine: Engine<'_>, value: u32) {
    let mode = cpsr(engine) & CPSR_MODE;
    engine.write(UC_CPSR, u128::from(value & USER | mode));
}

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn facts(&self) -> &'static Facts {
        if self.big_code { &BIG_CODE } else { &LITTLE }
    }

    fn set_up(&self, engine: Engine<'_>, model: i32) -> Result<(), String> {
        let endian = if self.big_data { CPSR_E } else { 0 };
        engine.change("CPSR", UC_CPSR, CPSR_USR | endian, 0xffff_ffff)?;
        if GENERIC_TIMER_MODELS.contains(&model) {
            coprocessor(engine, "CNTKCTL", (14, 1, 0, 0), CNTKCTL_VCT)?;
        }
        coprocessor(engine, "SCTLR", (1, 0, 0, 0), SCTLR)
    }

    /// Bit 0 selects Thumb; without it the state stays.
    fn branch(&self, engine: Engine<'_>, pc: u64) -> u64 {
        if pc & 1 != 0 {
            set_cpsr(engine, cpsr(engine) | THUMB);
        }
        pc & 0xffff_fffe
    }

    /// Unicorn takes the instruction set from bit 0.
    fn entry(&self, engine: Engine<'_>, pc: u64) -> u64 {
        pc | u64::from(is_thumb(engine))
    }

    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        if reg == CPSR {
            set_cpsr(engine, value as u32);
        }
        reg == CPSR
    }

    fn before_run(&self, engine: Engine<'_>) {
        engine.write(ESR, NO_SYNDROME.into());
    }

    /// Undoes what the engine does for our sake before it asks for the page of a data access: it
    /// makes its state that of the instruction, as for a fault (`cpu_restore_state` in
    /// qemu/softmmu/unicorn_vtlb.c of 2.1.4), although the translated code goes on. That relies on
    /// ITSTATE being 0 within a block and never clears it, so that whatever ran next would be
    /// taken for the rest of the IT block. The syndrome is the business of [`Guest::invalid`].
    fn after_fill(&self, engine: Engine<'_>) {
        engine.write(ESR, NO_SYNDROME.into());
        let status = cpsr(engine);
        if status & IT_STATE != 0 {
            engine.write(UC_CPSR, u128::from(status & !IT_STATE));
        }
    }

    /// Of an IT block, which the engine takes as a whole otherwise.
    fn step_end(&self, cpu: &Stopped<'_>) -> Option<u64> {
        let status = cpsr(cpu.engine);
        if status & THUMB == 0 {
            return None;
        }
        let insn = self.half(cpu, cpu.pc());
        // ITSTATE is CPSR[15:10, 26:25]; its low four bits are 0 outside of IT blocks.
        let in_block = status >> 25 & 3 != 0 || status >> 10 & 3 != 0;
        let length = if is_wide(insn) { 4 } else { 2 };
        (in_block || is_it(insn)).then(|| cpu.pc() + length)
    }

    /// Those of an IT block.
    fn silent(&self, cpu: &Stopped<'_>) -> Vec<u64> {
        let status = cpsr(cpu.engine);
        if status & THUMB == 0 {
            return Vec::new();
        }
        let (mut at, insn) = (cpu.pc(), self.half(cpu, cpu.pc()));
        // ITSTATE[3:0] ends with a one as many bits before its end as instructions follow, less than 4.
        let mut mask = status >> 25 & 3 | status >> 8 & 0xc;
        if mask == 0 && is_it(insn) {
            mask = insn & 0xf;
            at += 2;
        }
        let count = if mask == 0 {
            0
        } else {
            4 - mask.trailing_zeros()
        };
        let mut found = Vec::new();
        for _ in 0..count {
            found.push(at);
            at += if is_wide(self.half(cpu, at)) { 4 } else { 2 };
        }
        found
    }

    fn immediate(&self, cpu: &Stopped<'_>, meaning: Meaning) -> u32 {
        let thumb = is_thumb(cpu.engine);
        let back = match (meaning, thumb) {
            (Meaning::Call, true) => 2,
            (Meaning::Call, false) => 4,
            _ => 0,
        };
        let at = cpu.pc().wrapping_sub(back);
        match (meaning, thumb) {
            (_, true) => self.half(cpu, at) & 0xff,
            (Meaning::Call, false) => self.word(cpu, at) & 0x00ff_ffff,
            (_, false) => bkpt_imm(self.word(cpu, at)),
        }
    }

    fn misaligned(&self, cpu: &Stopped<'_>, access: Access) -> Exit {
        let pc = cpu.pc();
        if access == Access::Fetch {
            misaligned_at(pc, access)
        } else if is_thumb(cpu.engine) {
            t32_misaligned(self.half(cpu, pc) << 16 | self.half(cpu, pc + 2)).exit(cpu)
        } else {
            a32_misaligned(self.word(cpu, pc)).exit(cpu)
        }
    }

    /// An undefined instruction, or one of the hints that end a block (YIELD, WFE): these leave the syndrome
    /// register alone; a system call before leaves EC 0x11 there.
    fn invalid(&self, cpu: &Stopped<'_>) -> Option<Exit> {
        let syndrome = cpu.engine.read(ESR) as u32;
        let hint = syndrome == NO_SYNDROME || syndrome >> 26 == 0x11;
        (!hint).then_some(Exit::Undefined)
    }
}

/// Sets bits of a register of coprocessor 15, given as (CRn, CRm, opc1, opc2), by a `uc_arm_cp_reg`.
fn coprocessor(
    engine: Engine<'_>,
    name: &str,
    (crn, crm, opc1, opc2): (u32, u32, u32, u32),
    set: u64,
) -> Result<(), String> {
    const VALUE: usize = 32;
    let mut record = Block::default();
    let fields = [15, 0, 0, crn, crm, opc1, opc2];
    for (index, field) in fields.into_iter().enumerate() {
        record.put_u32(index * 4, field);
    }
    engine.read_block(name, CP_REG, &mut record)?;
    record.put_u64(VALUE, record.u64_at(VALUE) | set);
    engine.write_block(name, CP_REG, &record)
}

/// The immediate of an A32 BKPT.
fn bkpt_imm(insn: u32) -> u32 {
    insn >> 4 & 0xfff0 | insn & 0xf
}

/// Whether a T16 instruction is IT.
fn is_it(half: u32) -> bool {
    half & 0xff00 == 0xbf00 && half & 0xf != 0
}

/// The access of an A32 instruction that demands alignment: LDREX, STREX, LDA, STL, SWP families.
fn a32_misaligned(insn: u32) -> Misaligned {
    let load = insn >> 20 & 1 == 1;
    Misaligned {
        base: insn >> 16 & 15,
        offset: 0,
        access: if load { Access::Read } else { Access::Write },
        mask: 0xffff_ffff,
    }
}

/// The same for T32, `insn` having the first halfword on top.
fn t32_misaligned(insn: u32) -> Misaligned {
    // LDREX and STREX of a word have an offset, the others none (F5).
    let offset = if insn & 0xffe0_0000 == 0xe840_0000 {
        i64::from(insn & 0xff) << 2
    } else {
        0
    };
    Misaligned {
        offset,
        ..a32_misaligned(insn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misaligned_operands() {
        let found = |m: Misaligned| (m.base, m.offset, m.access);
        // Encodings by arm-linux-gnueabi-as.
        assert_eq!(found(a32_misaligned(0xe193_1f9f)), (3, 0, Access::Read)); // ldrex r1, [r3]
        assert_eq!(found(t32_misaligned(0xe853_1f02)), (3, 8, Access::Read)); // ldrex r1, [r3, #8]
        assert_eq!(found(t32_misaligned(0xe8c3_2f51)), (3, 0, Access::Write)); // strexh r1, r2, [r3]
    }

    #[test]
    fn immediates() {
        assert_eq!(bkpt_imm(0xe121_2374), 0x1234); // bkpt 0x1234
        assert!(is_it(0xbf18) && !is_it(0xbf30)); // it ne; wfi
        assert!(is_wide(0xe853) && !is_wide(0xbe12) && is_wide(0xf000));
    }
}
