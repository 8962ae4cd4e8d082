//! 680x0 on Unicorn. Ids are those of `m68k.h`.

use std::sync::OnceLock;

use crate::cpu::Exit;
use crate::unicorn::Guest;
use crate::unicorn::engine::{Engine, Stopped};
use crate::unicorn::guest::{Bank, Exception, Facts, Meaning, Preset, Probe, UcReg, Width};

use super::insn;
use super::linux::registers as regs;
use super::linux::trap;
use super::state::{self, State};

pub struct Unicorn;

pub static M68K: Unicorn = Unicorn;

pub const A0: i32 = 1;
pub const D0: i32 = 9;
const SR: i32 = 17;
pub const PC: i32 = 18;
/// The stack pointer of the supervisor: programs cannot come to it, and there is no kernel that would use it.
const MSP: i32 = 27;

/// The status register's bit S.
const SUPERVISOR: u64 = 0x2000;

/// fmove.l #NUMBER, %fpcr, which QEMU took for an instruction with an impossible address once.
const SET_FPCR: [u8; 4] = [0xf2, 0x3c, 0x90, 0x00];

const fn bank(first: u32, count: u32, id: i32) -> Bank {
    let uc = UcReg {
        id,
        width: Width::Bits32,
    };
    Bank { first, count, uc }
}

static FACTS: Facts = Facts {
    arch: 7,
    mode: 1 << 30,
    target: "m68k",
    sets_page_size: false,
    banks: &[
        bank(regs::D0, 8, D0),
        bank(regs::A0, 8, A0),
        bank(regs::TP, 1, MSP),
    ],
    pc: regs::PC,
    uc_pc: UcReg::bits32(PC),
    leading: &[],
    presets: &[Preset {
        name: "the status",
        uc: UcReg::bits32(SR),
        set: 0,
        clear: SUPERVISOR,
    }],
    // Vectors ("M68000 Family Programmer's Reference Manual", table B-1).
    exceptions: &[
        Exception::new(trap::CALL, Meaning::Call),
        Exception::new(trap::ADDRESS, Meaning::Ask),
        Exception::new(trap::DIVIDE, Meaning::Ask),
        // The library steps over the first word.
        Exception::new(trap::CHECK, Meaning::Ask).back(2),
        Exception::new(trap::PRIVILEGE, Meaning::Ask),
        Exception::new(trap::CALL + 1, Meaning::Ask),
        Exception::new(trap::CALL + 2, Meaning::Ask),
        Exception::new(trap::CALL + 3, Meaning::Ask),
        Exception::new(trap::CALL + 4, Meaning::Ask),
        Exception::new(trap::CALL + 5, Meaning::Ask),
        Exception::new(trap::CALL + 6, Meaning::Ask),
        Exception::new(trap::CALL + 7, Meaning::Ask),
        Exception::new(trap::CALL + 8, Meaning::Ask),
        Exception::new(trap::CALL + 9, Meaning::Ask),
        Exception::new(trap::CALL + 10, Meaning::Ask),
        Exception::new(trap::CALL + 11, Meaning::Ask),
        Exception::new(trap::CALL + 12, Meaning::Ask),
        Exception::new(trap::CALL + 13, Meaning::Ask),
        Exception::new(trap::CALL + 14, Meaning::Ask),
        Exception::new(trap::BREAKPOINT, Meaning::Breakpoint),
    ],
    count: regs::COUNT,
    raised: None,
    coherent_code: false,
    address_mask: 0xffff_ffff,
    call: None,
    kernel_pages: (0, 0),
    // move.b (%a0), %d0
    probe: Probe {
        code: &[0x10, 0x10],
        base: UcReg::bits32(A0),
    },
};

/// Where the state begins in a copy of it; found once, by the first engine.
static START: OnceLock<usize> = OnceLock::new();

fn with_state<T: Default>(engine: Engine<'_>, look: impl FnOnce(&mut State<'_>) -> (T, bool)) -> T {
    // Set up before the first instruction.
    let start = *START.get().expect("an engine that was set up");
    let result = engine.with_state(|bytes| look(&mut State::new(bytes, start)));
    // The library gives an error for the lack of memory for the copy only.
    result.unwrap_or_default()
}

fn flags(engine: Engine<'_>) -> u64 {
    with_state(engine, |state| (state.flags(), false)).into()
}

fn word(cpu: &Stopped<'_>, at: u64) -> u16 {
    u16::from_be_bytes(cpu.code(cpu.pc().wrapping_add(at)))
}

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        "m68k"
    }

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn set_up(&self, engine: Engine<'_>, _model: i32) -> Result<(), String> {
        if START.get().is_none() {
            let found = state::find(engine)?;
            START.get_or_init(|| found);
        }
        Ok(())
    }

    fn read(&self, engine: Engine<'_>, reg: u32) -> Option<u128> {
        Some(match reg {
            regs::PS => flags(engine).into(),
            regs::FP0..regs::FPCR => {
                with_state(engine, |state| (state.float(reg - regs::FP0), false))
            }
            regs::FPCR => with_state(engine, |state| (state.control(), false)).into(),
            regs::FPSR => with_state(engine, |state| (state.status(), false)).into(),
            // The library has none.
            regs::FPIAR => 0,
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
            regs::PS => change(&|state| state.set_flags(value as u32)),
            regs::FP0..regs::FPCR => change(&|state| state.set_float(reg - regs::FP0, value)),
            regs::FPCR => change(&|state| state.set_control(value as u32)),
            regs::FPSR => change(&|state| state.set_status(value as u32)),
            regs::FPIAR => {}
            _ => return false,
        }
        true
    }

    fn pass_call(&self, engine: Engine<'_>) {
        with_state(engine, |state| {
            state.move_pc(2);
            ((), true)
        });
    }

    fn exception(&self, cpu: &Stopped<'_>, code: u32) -> Exit {
        match code {
            // What is no odd address is an instruction that the library knows in part.
            trap::ADDRESS if cpu.pc() & 1 == 0 => Exit::Undefined,
            trap::DIVIDE | trap::CHECK => Exit::Exception {
                code,
                size: insn::length(|at| word(cpu, at)) as u8,
            },
            _ => Exit::Exception { code, size: 2 },
        }
    }

    /// The library knows no TRAPV.
    fn undefined(&self, cpu: &Stopped<'_>) -> Result<u64, Exit> {
        if cpu.code(cpu.pc()) == SET_FPCR {
            let value = cpu.code(cpu.pc().wrapping_add(4));
            cpu.set(regs::FPCR, u32::from_be_bytes(value).into());
            return Ok(8);
        }
        match word(cpu, 0) {
            insn::TRAPV if flags(cpu.engine) & insn::OVERFLOW == 0 => Ok(2),
            insn::TRAPV => Err(Exit::Exception {
                code: trap::OVERFLOW,
                size: 2,
            }),
            _ => Err(Exit::Undefined),
        }
    }

    /// Those of several registers are the longest.
    fn reach(&self, _cpu: &Stopped<'_>) -> u64 {
        128
    }
}
