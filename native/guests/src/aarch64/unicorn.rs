//! AArch64 on Unicorn. Ids are those of `arm64.h`; Arm ARM: DDI 0487.

use crate::cpu::{Access, Exit};
use crate::unicorn::Guest;
use crate::unicorn::engine::{Block, Engine, Stopped};
use crate::unicorn::guest::{Bank, Exception, Facts, Meaning, Preset, Probe, UcReg, misaligned_at};

/// In one byte order of data.
pub struct Unicorn {
    pub name: &'static str,
    pub big_endian: bool,
}

const X0: i32 = 199;
const CP_REG: i32 = 290;

/// Our numbers of the registers that are needed here.
const SP: u32 = 31;
const PSTATE: u32 = 33;

/// SCTLR_EL1 bits (D19.2.131).
mod sctlr {
    /// EL0 may use DC ZVA.
    pub const DZE: u64 = 1 << 14;
    /// EL0 may read CTR_EL0; left 0, so that the core can answer.
    pub const UCT: u64 = 1 << 15;
    /// WFI and WFE do not trap.
    pub const NTWI: u64 = 1 << 16;
    pub const NTWE: u64 = 1 << 18;
    /// Data accesses at EL0 are big-endian.
    pub const E0E: u64 = 1 << 24;
    /// EL0 may do cache maintenance; left 0, so that the core hears of new code.
    pub const UCI: u64 = 1 << 26;
}
/// CPACR_EL1.FPEN: no trapping of FP and Advanced SIMD.
const CPACR_FPEN: u64 = 3 << 20;
/// CNTKCTL: user code may read the virtual counter and the frequency, as on Linux.
const CNTKCTL_VCT: u64 = 1 << 1;
/// TCR_EL1.TBI0: the top byte of an address is ignored.
const TCR_TBI0: u64 = 1 << 37;
/// Of PSTATE, what a program may change: NZCV and BTYPE; the mode stays EL0.
const USER: u32 = 0xf000_0c00;

static FACTS: Facts = Facts {
    arch: 2,
    mode: 0,
    target: "aarch64",
    sets_page_size: true,
    banks: &[
        bank(0, 29, UcReg::bits64(X0)),
        bank(29, 2, UcReg::bits64(1)),
        bank(SP, 1, UcReg::bits64(4)),
        bank(PSTATE, 1, UcReg::bits32(265)),
        bank(34, 32, UcReg::bits128(104)), // v0 to v31
        bank(66, 1, UcReg::bits32(292)),   // FPSR
        bank(67, 1, UcReg::bits32(291)),   // FPCR
        bank(68, 1, UcReg::bits64(262)),   // TPIDR_EL0
    ],
    pc: 32,
    uc_pc: UcReg::bits64(260),
    leading: &[PSTATE],
    presets: &[Preset {
        name: "CPACR_EL1",
        uc: UcReg::bits32(261),
        set: CPACR_FPEN,
        clear: 0xffff_ffff,
    }],
    exceptions: &exceptions(),
    count: 0,
    raised: None,
    coherent_code: false,
    address_mask: (1 << 56) - 1,
    call: None,
    kernel_pages: (0, 0),
    // ldrb w0, [x1]
    probe: Probe {
        code: &0x3940_0020u32.to_le_bytes(),
        base: UcReg::bits64(X0 + 1),
    },
};

/// Those of QEMU's ARM targets (target/arm/cpu.h).
pub const fn exceptions() -> [Exception; 5] {
    [
        Exception::new(1, Meaning::Undefined),
        Exception::new(2, Meaning::Call),
        Exception::new(3, Meaning::Misaligned(Access::Fetch)),
        Exception::new(4, Meaning::Misaligned(Access::Read)),
        Exception::new(7, Meaning::Breakpoint),
    ]
}

const fn bank(first: u32, count: u32, uc: UcReg) -> Bank {
    Bank { first, count, uc }
}

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn set_up(&self, engine: Engine<'_>, _model: i32) -> Result<(), String> {
        // EL0, interrupts not masked. Takes effect with the system registers below, whose
        // writing makes the engine recompute what it derives from all of this.
        engine.change("PSTATE", UcReg::bits32(265), 0, 0xffff_ffff)?;
        system(engine, "TCR_EL1", (0, 2, 0, 2), TCR_TBI0, 0)?;
        system(engine, "CNTKCTL_EL1", (0, 14, 1, 0), CNTKCTL_VCT, 0)?;
        let big = if self.big_endian { sctlr::E0E } else { 0 };
        let set = sctlr::DZE | sctlr::NTWI | sctlr::NTWE | big;
        let clear = sctlr::UCT | sctlr::UCI;
        system(engine, "SCTLR_EL1", (0, 1, 0, 0), set, clear)
    }

    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        if reg == PSTATE {
            engine.write(UcReg::bits32(265), u128::from(value as u32 & USER));
        }
        reg == PSTATE
    }

    fn immediate(&self, cpu: &Stopped<'_>, meaning: Meaning) -> u32 {
        let back = if meaning == Meaning::Call { 4 } else { 0 };
        insn(cpu, cpu.pc().wrapping_sub(back)) >> 5 & 0xffff
    }

    fn misaligned(&self, cpu: &Stopped<'_>, access: Access) -> Exit {
        match access {
            Access::Fetch => misaligned_at(cpu.pc(), access),
            _ => misaligned(insn(cpu, cpu.pc())).exit(cpu),
        }
    }

    fn undefined(&self, cpu: &Stopped<'_>) -> Result<u64, Exit> {
        match undefined(insn(cpu, cpu.pc())) {
            Trap::Undefined => return Err(Exit::Undefined),
            Trap::ReadCtr { rt } => {
                if rt != 31 {
                    cpu.set(rt.into(), CTR_EL0);
                }
            }
            Trap::CleanData { rt } => cpu.readable(x(cpu, rt))?,
            Trap::InvalidateCode { rt } => {
                let addr = x(cpu, rt);
                cpu.readable(addr)?;
                // By announcing it, so that the cores of other threads hear of it too.
                let line = addr & FACTS.address_mask & !(CACHE_LINE - 1);
                cpu.code_changed(line, line + CACHE_LINE);
            }
        }
        Ok(4)
    }
}

fn insn(cpu: &Stopped<'_>, addr: u64) -> u32 {
    u32::from_le_bytes(cpu.code(addr))
}

/// General register `rt`, where 31 is the zero register.
fn x(cpu: &Stopped<'_>, rt: u8) -> u64 {
    if rt == 31 { 0 } else { cpu.get(rt.into()) }
}

/// Sets and clears bits of the system register (3, op1, CRn, CRm, op2), by a `uc_arm64_cp_reg`.
fn system(
    engine: Engine<'_>,
    name: &str,
    (op1, crn, crm, op2): (u32, u32, u32, u32),
    set: u64,
    clear: u64,
) -> Result<(), String> {
    const VALUE: usize = 24;
    let mut record = Block::default();
    for (index, field) in [crn, crm, 3, op1, op2].into_iter().enumerate() {
        record.put_u32(index * 4, field);
    }
    engine.read_block(name, CP_REG, &mut record)?;
    record.put_u64(VALUE, record.u64_at(VALUE) & !clear | set);
    engine.write_block(name, CP_REG, &record)
}

/// An instruction that trapped as undefined at EL0 and that a Linux kernel nevertheless carries out
/// (`arch/arm64/kernel/traps.c`, `cpufeature.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trap {
    /// MRS of CTR_EL0.
    ReadCtr { rt: u8 },
    /// DC CVAU and its like: memory is coherent, so nothing but the address check is left.
    CleanData { rt: u8 },
    /// IC IVAU: code in this line may have changed.
    InvalidateCode { rt: u8 },
    /// Undefined for a program.
    Undefined,
}

/// CTR_EL0 as programs see it: 64-byte lines, PIPT instruction cache, and IDC=1 (data
/// caches need no cleaning for instruction fetches to see new code). DIC stays 0, so that
/// programs tell us of new code by IC IVAU.
const CTR_EL0: u64 = 1 << 31 | 1 << 28 | 4 << 24 | 4 << 20 | 4 << 16 | 3 << 14 | 4;

/// Bytes of a cache line by [`CTR_EL0`].
const CACHE_LINE: u64 = 64;

/// Decides what a trapped instruction is.
fn undefined(insn: u32) -> Trap {
    let rt = (insn & 31) as u8;
    let (op1, crn, crm, op2) = (
        insn >> 16 & 7,
        insn >> 12 & 15,
        insn >> 8 & 15,
        insn >> 5 & 7,
    );
    match insn & 0xfff8_0000 {
        // MRS with op0 = 3
        0xd538_0000 if (op1, crn, crm, op2) == (3, 0, 0, 1) => Trap::ReadCtr { rt },
        // SYS: DC CVAC, CVAU, CVAP, CVADP, CIVAC; IC IVAU
        0xd508_0000 => match (op1, crn, crm, op2) {
            (3, 7, 10..=14, 1) => Trap::CleanData { rt },
            (3, 7, 5, 1) => Trap::InvalidateCode { rt },
            _ => Trap::Undefined,
        },
        _ => Trap::Undefined,
    }
}

/// An access that raised an alignment fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misaligned {
    /// Number of the base register.
    pub base: u32,
    pub offset: i64,
    pub access: Access,
    /// Of addresses.
    pub mask: u64,
}

impl Misaligned {
    pub fn exit(self, cpu: &Stopped<'_>) -> Exit {
        let addr = cpu.get(self.base).wrapping_add_signed(self.offset);
        misaligned_at(addr & self.mask, self.access)
    }
}

/// The access of an instruction that demands alignment: exclusives, acquire/release
/// (C4.1.94 "Load/store exclusive register", "ordered") and atomics, all of which
/// address by a base register alone but for LDAPUR and STLUR.
fn misaligned(insn: u32) -> Misaligned {
    let base = insn >> 5 & 31;
    let (offset, access) = if insn & 0x3f20_0c00 == 0x1900_0000 {
        let imm9 = (insn >> 12 & 0x1ff) as i64;
        let store = insn >> 22 & 3 == 0;
        (
            (imm9 ^ 0x100) - 0x100,
            if store { Access::Write } else { Access::Read },
        )
    } else if insn & 0x3f00_0000 == 0x0800_0000 {
        let load = insn >> 22 & 1 == 1;
        (0, if load { Access::Read } else { Access::Write })
    } else {
        (0, Access::Write)
    };
    Misaligned {
        base,
        offset,
        access,
        mask: u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_type_and_maintenance() {
        // Encodings by aarch64-linux-gnu-as.
        assert_eq!(undefined(0xd53b_0021), Trap::ReadCtr { rt: 1 }); // mrs x1, ctr_el0
        assert_eq!(undefined(0xd50b_7b22), Trap::CleanData { rt: 2 }); // dc cvau, x2
        assert_eq!(undefined(0xd50b_7524), Trap::InvalidateCode { rt: 4 }); // ic ivau, x4
        assert_eq!(undefined(0xd538_1000), Trap::Undefined); // mrs x0, sctlr_el1
        assert_eq!(undefined(0), Trap::Undefined); // udf #0
    }

    #[test]
    fn misaligned_operands() {
        let found = |insn| {
            let m = misaligned(insn);
            (m.base, m.offset, m.access)
        };
        assert_eq!(found(0xc85f_7c41), (2, 0, Access::Read)); // ldxr x1, [x2]
        assert_eq!(found(0xc89f_fc41), (2, 0, Access::Write)); // stlr x1, [x2]
        assert_eq!(found(0xf821_0062), (3, 0, Access::Write)); // ldadd x1, x2, [x3]
        assert_eq!(found(0xd95f_8041), (2, -8, Access::Read)); // ldapur x1, [x2, #-8]
    }
}
