//! PowerPC on Unicorn. Ids are those of `ppc.h`.

use std::sync::OnceLock;

use crate::cpu::{Access, Exit};
use crate::unicorn::Guest;
use crate::unicorn::engine::{Engine, Stopped};
use crate::unicorn::guest::{
    Bank, Exception, Facts, Meaning, Preset, Probe, UcReg, Width, misaligned_at,
};

use super::linux::trap::{FLOATING, PRIVILEGED};
use super::linux::{reads_version, registers as regs};
use super::state::{self, State};

pub struct Unicorn;

pub static PPC: Unicorn = Unicorn;

const PC: i32 = 1;
pub const R0: i32 = 2;
pub const F0: i32 = 42;
pub const LR: i32 = 74;
pub const CTR: i32 = 76;
const MSR: i32 = 77;
pub const FPSCR: i32 = 78;
const CR: i32 = 79;

/// POWERPC_EXCP_* of QEMU's target/ppc/cpu.h. But for a system call the pc is behind the instruction.
const ALIGN: u32 = 5;
const PROGRAM: u32 = 6;
const SYSCALL: u32 = 8;
const NO_VECTORS: u32 = 73;
const EMULATION: u32 = 96;

/// Codes of a program exception: the upper bits of POWERPC_EXCP_FP and POWERPC_EXCP_TRAP.
const ERROR_KIND: u32 = 0xf0;
const ERROR_FLOATING: u32 = 0x10;
const ERROR_TRAP: u32 = 0x40;

const fn bank(first: u32, count: u32, id: i32, width: Width) -> Bank {
    let uc = UcReg { id, width };
    Bank { first, count, uc }
}

static FACTS: Facts = Facts {
    arch: 5,
    mode: 1 << 2 | 1 << 30,
    target: "ppc",
    sets_page_size: false,
    banks: &[
        bank(regs::R0, 32, R0, Width::Bits32),
        bank(regs::F0, 32, F0, Width::Bits64),
        bank(regs::CR, 1, CR, Width::Bits32),
        bank(regs::LR, 1, LR, Width::Bits32),
        bank(regs::CTR, 1, CTR, Width::Bits32),
        bank(regs::FPSCR, 1, FPSCR, Width::Bits32),
        // Ours; it has more numbers than the library.
        bank(regs::MODES, 1, MSR, Width::Bits32),
    ],
    pc: regs::PC,
    uc_pc: UcReg::bits32(PC),
    leading: &[],
    presets: &[Preset {
        name: "MSR",
        uc: UcReg::bits32(MSR),
        set: regs::MSR_FP | PROBLEM_STATE,
        clear: regs::MSR_VEC | regs::MSR_FE,
    }],
    exceptions: &[
        Exception::new(SYSCALL, Meaning::Call),
        Exception::new(ALIGN, Meaning::Misaligned(Access::Read)).back(4),
        Exception::new(PROGRAM, Meaning::Ask).back(4),
        Exception::new(NO_VECTORS, Meaning::Undefined).back(4),
        Exception::new(EMULATION, Meaning::Undefined).back(4),
    ],
    // Nothing tells of ICBI.
    count: 0,
    coherent_code: true,
    raised: None,
    address_mask: 0xffff_ffff,
    call: None,
    kernel_pages: (0, 0),
    // lbz r3, 0(r4)
    probe: Probe {
        code: &[0x88, 0x64, 0x00, 0x00],
        base: UcReg::bits32(R0 + 4),
    },
};

/// MSR.PR
const PROBLEM_STATE: u64 = 0x4000;

/// Where the state begins in a copy of it; found once, by the first engine.
fn state_start() -> &'static OnceLock<usize> {
    static START: OnceLock<usize> = OnceLock::new();
    &START
}

fn with_state<T: Default>(engine: Engine<'_>, look: impl FnOnce(&mut State<'_>) -> (T, bool)) -> T {
    // Set up before the first instruction.
    let start = *state_start().get().expect("an engine that was set up");
    let result = engine.with_state(|bytes| look(&mut State::new(bytes, start)));
    // The library gives an error for the lack of memory for the copy only.
    result.unwrap_or_default()
}

fn modes(engine: Engine<'_>) -> u64 {
    engine.read(UcReg::bits32(MSR)) as u64 & (regs::MSR_VEC | regs::MSR_FE)
}

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        "ppc"
    }

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn set_up(&self, engine: Engine<'_>, _model: i32) -> Result<(), String> {
        if state_start().get().is_none() {
            let found = state::find(engine)?;
            state_start().get_or_init(|| found);
        }
        Ok(())
    }

    /// STWCX. compares addresses and values only: what others changed and put back it would not see.
    fn before_run(&self, engine: Engine<'_>) {
        with_state(engine, |state| ((), state.forget_reservation()));
    }

    fn read(&self, engine: Engine<'_>, reg: u32) -> Option<u128> {
        Some(match reg {
            regs::MSR => (regs::MSR_USER | regs::MSR_FP | modes(engine)).into(),
            regs::MODES => modes(engine).into(),
            regs::XER => with_state(engine, |state| (state.xer(), false)).into(),
            regs::VSCR => with_state(engine, |state| (state.vscr(), false)).into(),
            regs::VRSAVE => with_state(engine, |state| (state.vrsave(), false)).into(),
            regs::VR0..regs::VSCR => {
                with_state(engine, |state| (state.vector(reg - regs::VR0), false))
            }
            _ => return None,
        })
    }

    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        let change = |set: &dyn Fn(&mut State<'_>)| {
            with_state(engine, |state| {
                set(state);
                ((), true)
            });
        };
        match reg {
            regs::MSR => {}
            // The library leaves out what the model does not have.
            regs::MODES => {
                let own = value as u64 & (regs::MSR_VEC | regs::MSR_FE);
                let msr = regs::MSR_FP | PROBLEM_STATE | own;
                engine.write(UcReg::bits32(MSR), msr.into());
            }
            regs::XER => change(&|state| state.set_xer(value as u32)),
            regs::VSCR => change(&|state| state.set_vscr(value as u32)),
            regs::VRSAVE => change(&|state| state.set_vrsave(value as u32)),
            regs::VR0..regs::VSCR => change(&|state| state.set_vector(reg - regs::VR0, value)),
            _ => return false,
        }
        true
    }

    fn exception(&self, cpu: &Stopped<'_>, _number: u32) -> Exit {
        let error = with_state(cpu.engine, |state| (state.error(), false));
        let (code, size) = match error & ERROR_KIND {
            ERROR_TRAP => return Exit::Breakpoint { imm: 0 },
            ERROR_FLOATING => (FLOATING, 4),
            // What the kernel carries out.
            _ if reads_version(u32::from_be_bytes(cpu.code(cpu.pc()))) => return Exit::Undefined,
            _ => (PRIVILEGED, 4),
        };
        Exit::Exception { code, size }
    }

    /// LWARX and STWCX., whose address the kernel does not make up for (`fix_alignment`).
    fn misaligned(&self, cpu: &Stopped<'_>, _access: Access) -> Exit {
        let insn = u32::from_be_bytes(cpu.code(cpu.pc()));
        let base = insn >> 16 & 31;
        let base = if base == 0 { 0 } else { cpu.get(base) };
        let addr = base.wrapping_add(cpu.get(insn >> 11 & 31)) & 0xffff_ffff;
        let store = insn >> 1 & 0x3ff == 150;
        misaligned_at(addr, if store { Access::Write } else { Access::Read })
    }

    fn undefined(&self, cpu: &Stopped<'_>) -> Result<u64, Exit> {
        let insn = u32::from_be_bytes(cpu.code(cpu.pc()));
        if is_vector(insn) && modes(cpu.engine) & regs::MSR_VEC == 0 {
            // The first one of a program (`altivec_unavailable_exception`).
            cpu.set(regs::MODES, modes(cpu.engine) | regs::MSR_VEC);
            if modes(cpu.engine) & regs::MSR_VEC != 0 {
                return Ok(0);
            }
        }
        emulate(insn, cpu).then_some(4).ok_or(Exit::Undefined)
    }

    /// Those of several registers are the longest.
    fn reach(&self, _cpu: &Stopped<'_>) -> u64 {
        128
    }
}

/// Whether an instruction is one of AltiVec's (Programming Environments Manual for it, appendix A).
fn is_vector(insn: u32) -> bool {
    let loads_and_stores = [
        6, 7, 38, 39, 71, 103, 135, 167, 199, 231, 359, 487, // LVSL ... STVXL
    ];
    match insn >> 26 {
        4 => true,
        31 => loads_and_stores.contains(&(insn >> 1 & 0x3ff)),
        _ => false,
    }
}

/// Carries out what later processors have, as `emulate_instruction` of arch/powerpc/kernel/traps.c does. False:
/// it does not know the instruction.
fn emulate(insn: u32, cpu: &Stopped<'_>) -> bool {
    if insn >> 26 != 31 {
        return false;
    }
    let (rt, ra, rb) = (insn >> 21 & 31, insn >> 16 & 31, insn >> 11 & 31);
    match insn >> 1 & 0x3ff {
        // POPCNTB
        122 => {
            let bytes = (cpu.get(rt) as u32).to_be_bytes();
            let counts = bytes.map(|byte| byte.count_ones() as u8);
            cpu.set(ra, u32::from_be_bytes(counts).into());
        }
        // DCBA is a hint.
        758 => {}
        // ISEL, whose number has five bits.
        xo if xo & 0x1f == 15 => {
            let bit = cpu.get(regs::CR) >> (31 - (insn >> 6 & 31)) & 1;
            let first = if ra == 0 { 0 } else { cpu.get(ra) };
            cpu.set(rt, if bit != 0 { first } else { cpu.get(rb) });
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_vector;

    #[test]
    fn vector_instructions() {
        // By powerpc-linux-gnu-as: vor, vmaddfp, lvx, stvxl, lvsl, stvewx; add, lwarx, lfdx, isel.
        for insn in [
            0x1021_0c84u32,
            0x1022_192e,
            0x7c20_28ce,
            0x7c20_2bce,
            0x7c20_280c,
            0x7c20_298e,
        ] {
            assert!(is_vector(insn), "{insn:#x}");
        }
        for insn in [0x7c64_2a14u32, 0x7c60_2828, 0x7c20_2cae, 0x7c64_289e] {
            assert!(!is_vector(insn), "{insn:#x}");
        }
    }
}
