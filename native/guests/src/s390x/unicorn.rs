//! s390x on Unicorn. Ids are those of `s390x.h`.
//!
//! The library has no kernel's part in it: what stopped an instruction, and which system call it is, it only
//! notes in its own state ([`super::state`]), and a system call stays where it is until somebody moves it on.

use std::sync::OnceLock;

use crate::cpu::Exit;
use crate::unicorn::Guest;
use crate::unicorn::engine::{Engine, Scratch, Stopped};
use crate::unicorn::guest::{Bank, Exception, Facts, Meaning, Preset, Probe, UcReg, Width};

use super::linux::registers as regs;
use super::reach;
use super::state::{self, State};

pub struct Unicorn;

pub static S390X: Unicorn = Unicorn;

pub const R0: i32 = 1;
const F0: i32 = 17;
const A0: i32 = 49;
pub const PSWA: i32 = 65;
const PSWM: i32 = 66;
/// The second halves of the vector registers.
const F0_LOW: i32 = 67;
pub const FPC: i32 = 99;
const CR0: i32 = 100;

/// CR0: the additional floating-point registers, and vectors (Principles of Operation, "Control Registers").
const AFP: u64 = 0x4_0000;
const VECTOR: u64 = 0x2_0000;

/// Numbers of the first models with vectors, z13 and its successors (UC_CPU_S390X_Z13), and of those before
/// that QEMU made up.
const Z13: i32 = 28;

/// EXCP_* of QEMU's target/s390x/cpu.h.
const EXCP_SVC: u32 = 2;
const EXCP_PGM: u32 = 3;

/// The bits of a PSW that say how long addresses are: 24 bits, 31, or with both 64.
const ADDRESSING: u64 = 1 << 32 | 1 << 31;

/// A program interruption's code for an invalid operation.
const OPERATION: u32 = 1;
/// The instruction that debuggers have for breakpoints (S390_BREAKPOINT_U16).
const BREAK: [u8; 2] = [0, 1];

/// Where the low core is: beyond all address spaces.
const PREFIX: u64 = 1 << 56;

const fn bank(first: u32, count: u32, id: i32, width: Width) -> Bank {
    let uc = UcReg { id, width };
    Bank { first, count, uc }
}

static FACTS: Facts = Facts {
    arch: 9,
    mode: 1 << 30,
    target: "s390x",
    sets_page_size: false,
    banks: &[
        bank(regs::PSWM, 1, PSWM, Width::Bits64),
        bank(regs::R0, 16, R0, Width::Bits64),
        bank(regs::A0, 16, A0, Width::Bits32),
        bank(regs::FPC, 1, FPC, Width::Bits32),
        bank(regs::F0, 16, F0, Width::Bits64),
        bank(regs::V0_LOW, 16, F0_LOW, Width::Bits64),
    ],
    pc: regs::PSWA,
    uc_pc: UcReg::bits64(PSWA),
    leading: &[],
    presets: &[
        Preset {
            name: "CR0",
            uc: UcReg::bits64(CR0),
            set: AFP | VECTOR,
            clear: 0,
        },
        Preset {
            name: "the PSW",
            uc: UcReg::bits64(PSWM),
            set: regs::USER_PSW | regs::AMODE_64,
            clear: 0,
        },
    ],
    exceptions: &[
        Exception::new(EXCP_SVC, Meaning::Call),
        Exception::new(EXCP_PGM, Meaning::Ask),
    ],
    count: regs::HAS_VECTORS + 1,
    raised: None,
    coherent_code: true,
    address_mask: u64::MAX,
    call: None,
    kernel_pages: (0, 0),
    // ic %r0, 0(%r2)
    probe: Probe {
        code: &[0x43, 0x00, 0x20, 0x00],
        base: UcReg::bits64(R0 + 2),
    },
};

/// Where the state begins in a copy of it; found once, by the first engine.
fn state_start() -> &'static OnceLock<usize> {
    static START: OnceLock<usize> = OnceLock::new();
    &START
}

fn with_state<T: Default>(engine: Engine<'_>, look: impl FnOnce(&mut State<'_>) -> (T, bool)) -> T {
    // Set up before the first instruction.
    let start = *state_start().get().expect("an engine that was set up");
    let result = engine.with_state(|bytes| look(&mut State::new(bytes, start)));
    // The library gives an error for the lack of a kilobyte of memory only.
    result.unwrap_or_default()
}

/// The two halves of v16 to v31, as the library has them.
fn halves(reg: u32) -> Option<[UcReg; 2]> {
    let n = (reg.checked_sub(regs::V16).filter(|n| *n < 16)? + 16) as i32;
    Some([UcReg::bits64(F0 + n), UcReg::bits64(F0_LOW + n)])
}

/// The halves of the thread pointer: access registers 0 and 1.
const TLS: [UcReg; 2] = [UcReg::bits32(A0), UcReg::bits32(A0 + 1)];

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        "s390x"
    }

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn set_up(&self, engine: Engine<'_>, model: i32) -> Result<(), String> {
        if state_start().get().is_none() {
            let found = state::find(engine)?;
            state_start().get_or_init(|| found);
        }
        // A data exception stores its code in the low core, which a program's page 0 must not be.
        static LOW_CORE: Scratch = Scratch::new();
        engine.map("the low core", PREFIX, &LOW_CORE)?;
        with_state(engine, |state| {
            state.set_prefix(PREFIX);
            ((), true)
        });
        if model < Z13 {
            engine.change("CR0", UcReg::bits64(CR0), 0, VECTOR)?;
        }
        Ok(())
    }

    fn read(&self, engine: Engine<'_>, reg: u32) -> Option<u128> {
        if let Some([high, low]) = halves(reg) {
            return Some(engine.read(high) << 64 | engine.read(low));
        }
        match reg {
            regs::TLS => Some(engine.read(TLS[0]) << 32 | engine.read(TLS[1])),
            regs::CALL => Some(call_number(engine).into()),
            regs::CALL_SIZE => {
                let (_, size) = with_state(engine, |state| (state.supervisor_call(), false));
                Some(size.into())
            }
            regs::HAS_VECTORS => {
                let control = engine.read(UcReg::bits64(CR0)) as u64;
                Some(u128::from(control & VECTOR != 0))
            }
            _ => None,
        }
    }

    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        if let Some([high, low]) = halves(reg) {
            engine.write(high, value >> 64);
            engine.write(low, value & u128::from(u64::MAX));
            return true;
        }
        match reg {
            regs::TLS => {
                engine.write(TLS[0], value >> 32 & 0xffff_ffff);
                engine.write(TLS[1], value & 0xffff_ffff);
            }
            // A tracer, or a handler that edits its frame, must not get at more than a program can. The library
            // has no SET ADDRESS SPACE CONTROL, and ends the process in the access-register mode.
            regs::PSWM => {
                let own = value as u64 & regs::USER_MASK & !regs::SPACE_MASK | regs::USER_PSW;
                engine.write(UcReg::bits64(PSWM), own.into());
            }
            // What the processor is doing, which nobody can set.
            regs::CALL | regs::CALL_SIZE | regs::HAS_VECTORS => {}
            // The library takes no notice of its rounding mode.
            regs::FPC => {
                engine.write(UcReg::bits32(FPC), value);
                with_state(engine, |state| {
                    state.round_as(value as u32);
                    ((), true)
                });
            }
            _ => return false,
        }
        true
    }

    fn pass_call(&self, engine: Engine<'_>) {
        with_state(engine, |state| {
            let (_, size) = state.supervisor_call();
            state.move_pc(size);
            ((), true)
        });
    }

    /// The target of an EXECUTE is a block of its own, before which the library may stop; the pc is still the
    /// EXECUTE's, which has changed nothing.
    fn take_back(&self, engine: Engine<'_>) {
        with_state(engine, |state| ((), state.forget_target()));
    }

    /// An EXECUTE and its target.
    fn counts_as(&self, cpu: &Stopped<'_>) -> usize {
        let code: [u8; 2] = cpu.code(cpu.pc());
        let is_execute = code[0] == 0x44 || (code[0] == 0xc6 && code[1] & 0xf == 0);
        if is_execute { 2 } else { 1 }
    }

    fn accesses(&self, cpu: &Stopped<'_>, addr: u64, write: bool) -> Vec<(u64, u64, bool)> {
        let mode = cpu.get(regs::PSWM) & ADDRESSING;
        let view = reach::View {
            pc: cpu.pc(),
            mask: match mode {
                ADDRESSING => u64::MAX,
                0 => 0xff_ffff,
                _ => 0x7fff_ffff,
            },
            general: &|number| cpu.get(regs::R0 + u32::from(number)),
            bytes: &|at, into| cpu.read(at, into),
        };
        reach::accesses(&view, addr, write)
    }

    fn exception(&self, cpu: &Stopped<'_>, _number: u32) -> Exit {
        let (code, size) = with_state(cpu.engine, |state| (state.program_interruption(), false));
        if code == OPERATION && cpu.code(cpu.pc()) == BREAK {
            return Exit::Breakpoint { imm: 0 };
        }
        let size = size as u8;
        Exit::Exception { code, size }
    }
}

/// The number of the system call: the instruction's immediate, or if that is 0 what is in r1
/// (arch/s390/kernel/syscall.c).
fn call_number(engine: Engine<'_>) -> u64 {
    let immediate = with_state(engine, |state| (state.supervisor_call().0, false));
    match immediate {
        0 => engine.read(UcReg::bits64(R0 + 1)) as u64 & 0xffff,
        number => number.into(),
    }
}
