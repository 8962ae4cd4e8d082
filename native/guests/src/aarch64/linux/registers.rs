//! The registers by their numbers (docs/internals.md), and those that the kernel knows.

use crate::kernel::linux::Registers;

pub const X0: u32 = 0;
pub const X29: u32 = 29;
pub const LR: u32 = 30;
pub const SP: u32 = 31;
pub const PC: u32 = 32;
pub const PSTATE: u32 = 33;
pub const V0: u32 = 34;
pub const FPSR: u32 = 66;
pub const FPCR: u32 = 67;
const TPIDR: u32 = 68;
/// Of the core: the keys of pointer authentication (APIA, APIB, APDA, APDB, APGA); which of the first four are not in use, and
/// whether the processor has any; what random numbers follow from (0: nothing).
pub const KEYS: u32 = 69;
pub const PAUTH: u32 = KEYS + 5;
pub const HAS_PACA: u64 = 1 << 8;
pub const HAS_PACG: u64 = 1 << 9;
pub const SEED: u32 = PAUTH + 1;
pub const COUNT: u32 = SEED + 1;
/// Of a model with SVE: its vector lengths (bit n - 1: n quadwords), the present one in quadwords, what prctl(2) said of it,
/// whether vectors are in use; predicates and FFR, four words of 64 bits each; then what is above V, 15 quadwords each, of which
/// there are as many as the length has.
pub const LENGTHS: u32 = COUNT;
pub const QUADS: u32 = LENGTHS + 1;
pub const LENGTH_CONTROL: u32 = LENGTHS + 2;
pub const VECTORS: u32 = LENGTHS + 3;
pub const P0: u32 = LENGTHS + 4;
pub const Z0: u32 = P0 + 17 * 4;
pub const VECTOR_COUNT: u32 = Z0 + 32 * 15;
/// Not among the processor's: what prctl(2) has said of tags, and that the model has them; the address, with its tag, of the
/// access whose tag was another than memory's.
pub const TAG_CHECKS: u32 = VECTOR_COUNT;
pub const HAS_MTE: u64 = 1 << 32;
pub const TAG_FAULT: u32 = VECTOR_COUNT + 1;

pub const REGISTERS: Registers = Registers {
    number: 8,
    args: &[X0, 1, 2, 3, 4, 5],
    stack_args: None,
    results: &[X0],
    pc: PC,
    sp: SP,
    tls: TPIDR,
    count: TPIDR as usize + 1,
    leading: &[PSTATE],
    // arch/arm64/kernel/ptrace.c, report_syscall.
    call_marker: Some(7),
    shown_number: None,
    pending_result: None,
    indirect: None,
};
