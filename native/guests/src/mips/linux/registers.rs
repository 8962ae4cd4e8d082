//! The registers by their numbers (docs/internals.md), and those that the kernel knows.

use crate::kernel::linux::{Registers, StackArgs};

pub const V0: u32 = 2;
pub const V1: u32 = 3;
pub const A0: u32 = 4;
pub const A3: u32 = 7;
pub const T9: u32 = 25;
pub const SP: u32 = 29;
pub const RA: u32 = 31;
pub const LO: u32 = 32;
pub const HI: u32 = 33;
pub const PC: u32 = 34;
pub const F0: u32 = 35;
pub const FCSR: u32 = 67;
pub const FIR: u32 = 68;
pub const USERLOCAL: u32 = 69;
/// The processor's status register, of which [`FR`] alone can be changed.
pub const STATUS: u32 = 70;
/// Of [`STATUS`]: the floating-point registers have 64 bits.
pub const FR: u64 = 1 << 26;

/// Not 0: the processor tells of misaligned accesses, as nobody makes them for the program. Unicorn's tells always.
pub const STRICT: u32 = 71;

/// The further accumulators: HI1, LO1, HI2, LO2, HI3, LO3.
pub const HI1: u32 = 72;
pub const LO3: u32 = 77;
pub const DSPCONTROL: u32 = 78;
pub const MSACSR: u32 = 79;
/// MSA's registers, of which the floating-point registers are the low halves.
pub const W0: u32 = 80;
pub const W31: u32 = W0 + 31;

/// n64 and n32: all arguments are in registers.
pub const N64: Registers = Registers {
    number: V0,
    args: &[A0, 5, 6, A3, 8, 9],
    stack_args: None,
    results: &[V0, V1, A3],
    pc: PC,
    sp: SP,
    tls: USERLOCAL,
    count: STATUS as usize + 1,
    leading: &[],
    call_marker: None,
    shown_number: None,
    pending_result: None,
    indirect: None,
};

/// o32: behind the four in registers, whose places on the stack are left free, the others follow there.
pub const O32: Registers = Registers {
    args: &[A0, 5, 6, A3],
    stack_args: Some(StackArgs {
        offset: 16,
        count: 4,
    }),
    // sys_syscall of arch/mips/kernel/scall32-o32.S
    indirect: Some(4000),
    ..N64
};

/// Whether the processor has the DSP module; it reads as 0 or 1.
pub const DSP_PRESENT: u32 = W31 + 1;
