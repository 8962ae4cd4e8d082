//! Host registers and the state's layout as generated code sees it.
//!
//! | register | use |
//! |---|---|
//! | rbp | the core, 92 bytes into its registers, so that the first 28 slots and the records of flags before them have short displacements |
//! | rsp | the return stack: pairs of guest return pc and host return address |
//! | rax, xmm0 | scratch, never allocated |
//! | rcx rdx rsi rbx, xmm1-xmm5 | temporaries |
//! | rdi r8-r15, xmm6-xmm15 | the guest's hottest registers, across blocks |
//! | gs base | guest address 0 |

use super::asm::{Mem, R8, R9, R10, R11, R12, R13, R14, R15, RBP, RBX, RCX, RDI, RDX, RSI, Reg};
use super::cpu::{Cpu, HEAT, Own};
use crate::guest::Guest;
use crate::ir::flags::{self, Model};
use crate::ir::layout::Layout;
use crate::ir::state::Head;
use std::mem::offset_of;

/// Where the state and its register area lie in a [`Cpu`].
const STATE: usize = size_of::<Own>();
const AREA: usize = STATE + size_of::<Head>();
/// Where the register points: the first general slots have displacements of one byte, and so has what an exit stores of
/// flags, from [`deferred`] on.
pub const BIAS: i32 = (STATE + offset_of!(Head, flags) + 4) as i32 + 128;
const _: () = assert!(BIAS - AREA as i32 == 92, "records are before registers");
pub const TEMPS: [Reg; 4] = [RCX, RDX, RSI, RBX];
pub const TEMPS_X: [Reg; 5] = [1, 2, 3, 4, 5];
pub const PINS: [Reg; 9] = [RDI, R8, R9, R10, R11, R12, R13, R14, R15];
pub const PINS_X: [Reg; 10] = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Indices into [`Cpu::host`].
pub mod host {
    pub const RSP: usize = 0;
    /// The return stack's pointer while outside of translated code.
    pub const RETURN_RSP: usize = 1;
    pub const RETURN_LIMIT: usize = 2;
    pub const RETURN_TOP: usize = 3;
    /// The core's table of indirect-jump targets.
    pub const JUMPS: usize = 4;
    pub const MXCSR: usize = 5;
    pub const EXIT_ID: usize = 9;
    /// Where to go on after a floating-point trap.
    pub const RESUME: usize = 18;
    /// All ones once floating-point code that traps was entered, else 0.
    pub const TRAPS: usize = 19;
    /// The environment on its way to MXCSR.
    pub const ENV: usize = 20;
    /// What is toggled in the environment while [`TRAPS`] is set: four halves of words, by the flags of underflow
    /// and (twice that) of inexact results.
    pub const TOGGLES: usize = 52;
    /// Where a stub goes on.
    pub const BACK: usize = 24;
    /// Packed flags of comparisons: less, equal, unordered.
    pub const COMPARED: usize = 26;
    /// MXCSR before an operation that may have to be done again.
    pub const BEFORE: usize = 29;
    /// Constants in pairs of words, for operands in memory: all bits but the signs, and the smallest normal
    /// numbers, of singles and of doubles; then one half.
    pub const CONSTANTS: usize = 40;
    /// What is set above a single and above a half-precision number that is boxed, in pairs of words.
    pub const BOXES: usize = 56;
    /// MXCSR as the last operation that read the accrued exceptions found it.
    pub const ACCRUED: usize = 60;
    /// The lowest bit of each byte; those of the bytes that the accrued exceptions are in when bits became bytes in
    /// the opposite order.
    pub const BITS: usize = 61;
    /// For predicates, in pairs of words: the bits of lanes of 8 to 64 bits, if the first one's is bit 0 and if it is bit 16;
    /// then, for 8 and 16 bits, the bytes in which the bits are.
    pub const LANES: usize = 63;
    pub const COUNT: usize = LANES + 2 * 12;
}

const CONSTANTS: [[u64; 2]; 6] = [
    [0x7fff_ffff_7fff_ffff; 2],
    [0x0080_0000_0080_0000; 2],
    [i64::MAX as u64; 2],
    [1 << 52; 2],
    [0x3f00_0000_3f00_0000; 2],
    [0x3fe0_0000_0000_0000; 2],
];

const BOXES: [u64; 4] = [!0xffff_ffff, 0, !0xffff, 0];

const BITS: [u64; 2] = [0x0101_0101_0101_0101, 0x0100_0101_0101_0000];

/// The bit of the predicate that belongs to each lane of `8 << size` bits, where lanes have their part of it.
const fn bits_of_lanes(size: u32, first: u32) -> u128 {
    let step = 1 << size;
    let (mut v, mut lane) = (0, 0);
    while lane * step < 16 {
        // A lane of fewer than 32 bits has its own byte, or two.
        let bit = match size {
            0 => lane % 8,
            1 => lane * 2,
            _ => first + lane * step,
        };
        v |= 1 << bit << (8 * step * lane);
        lane += 1;
    }
    v
}

/// For each byte of the vector, the byte of the predicate in which its bit is.
const fn bytes_of_lanes(size: u32, first: u32) -> u128 {
    let (mut v, mut byte) = (0, 0);
    while byte < 16 {
        let from = first / 8 + if size == 0 { byte / 8 } else { byte % 2 };
        v |= (from as u128) << (8 * byte);
        byte += 1;
    }
    v
}

const LANES: [u128; 12] = {
    let mut all = [0; 12];
    let mut n = 0;
    while n < 4 {
        all[2 * n] = bits_of_lanes(n as u32, 0);
        all[2 * n + 1] = bits_of_lanes(n as u32, 16);
        if n < 2 {
            all[8 + 2 * n] = bytes_of_lanes(n as u32, 0);
            all[8 + 2 * n + 1] = bytes_of_lanes(n as u32, 16);
        }
        n += 1;
    }
    all
};

/// The bits of lanes of `w` bits, and (for 8 and 16) the bytes in which they are.
#[must_use]
pub fn lanes(w: u8, first: u64) -> [Mem; 2] {
    let n = 2 * (w.trailing_zeros() as usize - 3) + (first / 16) as usize;
    [n, 8 + n].map(|n| self::host(host::LANES + 2 * n))
}

/// Prepares a new core for generated code.
pub fn prepare(st: &mut Cpu) {
    let compared = [flags::N, flags::Z | flags::C, flags::C | flags::V];
    st.host[host::COMPARED..][..3].copy_from_slice(&compared);
    st.host[host::CONSTANTS..][..2 * CONSTANTS.len()].copy_from_slice(CONSTANTS.as_flattened());
    st.host[host::BITS..][..2].copy_from_slice(&BITS);
    st.host[host::BOXES..][..BOXES.len()].copy_from_slice(&BOXES);
    for (n, v) in LANES.iter().enumerate() {
        st.host[host::LANES + 2 * n] = *v as u64;
        st.host[host::LANES + 2 * n + 1] = (v >> 64) as u64;
    }
}

/// 128 bits of absolute-value masks, and of smallest normal numbers, for lanes of `w` bits.
#[must_use]
pub fn float_constants(w: u8) -> [Mem; 2] {
    let n = host::CONSTANTS + if w == 64 { 4 } else { 0 };
    [self::host(n), self::host(n + 2)]
}

/// The bits above a boxed number of `w` bits.
#[must_use]
pub fn box_of(w: u8) -> Mem {
    self::host(host::BOXES + if w == 32 { 0 } else { 2 })
}

/// One half in all lanes of `w` bits.
#[must_use]
pub fn half(w: u8) -> Mem {
    self::host(host::CONSTANTS + if w == 64 { 10 } else { 8 })
}

fn at(offset: usize) -> Mem {
    Mem::base(RBP, offset as i32 - BIAS)
}

#[must_use]
pub fn slot(n: usize) -> Mem {
    at(AREA + 8 * n)
}
/// A wide slot, or a part of one.
#[must_use]
pub fn slot_x(l: Layout, n: usize) -> Mem {
    at(AREA + l.wide_offset() + l.unit(n).0)
}
#[must_use]
pub fn spill(n: usize) -> Mem {
    at(offset_of!(Own, spill) + 16 * n)
}
#[must_use]
pub fn arg(n: usize) -> Mem {
    at(offset_of!(Own, args) + 16 * n)
}
#[must_use]
pub fn flags() -> Mem {
    at(STATE + offset_of!(Head, flags))
}
/// The high half of the flags: what is deferred.
#[must_use]
pub fn deferred() -> Mem {
    at(STATE + offset_of!(Head, flags) + 4)
}
/// Byte 2 or 3 of it: whether C, or N and Z, come from other places ([`Head::over`]).
#[must_use]
pub fn deferred_part(byte: usize) -> Mem {
    at(STATE + offset_of!(Head, flags) + 4 + byte)
}
#[must_use]
pub fn over(n: usize) -> Mem {
    at(STATE + offset_of!(Head, over) + 8 * n)
}
#[must_use]
pub fn compared(n: usize) -> Mem {
    at(STATE + offset_of!(Head, compared) + 16 * n)
}
#[must_use]
pub fn interrupt() -> Mem {
    at(STATE + offset_of!(Head, interrupt))
}
#[must_use]
pub fn fpenv() -> Mem {
    at(STATE + offset_of!(Head, fpenv))
}
#[must_use]
pub fn fpstatus() -> Mem {
    at(STATE + offset_of!(Head, fpstatus))
}
#[must_use]
pub fn pc() -> Mem {
    at(STATE + offset_of!(Head, pc))
}
#[must_use]
pub fn executed() -> Mem {
    at(STATE + offset_of!(Head, executed))
}
#[must_use]
pub fn ex_addr() -> Mem {
    at(STATE + offset_of!(Head, ex_addr))
}
#[must_use]
pub fn ex_size() -> Mem {
    at(STATE + offset_of!(Head, ex_size))
}
#[must_use]
pub fn ex_value(half: usize) -> Mem {
    at(STATE + offset_of!(Head, ex_value) + 8 * half)
}
#[must_use]
pub fn raw(r: Reg) -> Mem {
    at(offset_of!(Own, raw) + 8 * usize::from(r))
}
#[must_use]
pub fn raw_x(r: Reg) -> Mem {
    at(offset_of!(Own, raw_x) + 16 * usize::from(r))
}
/// The counter of the loop at guest address `pc`.
#[must_use]
pub fn heat(pc: u64) -> Mem {
    at(offset_of!(Own, heat) + 4 * heat_index(pc))
}
#[must_use]
pub fn heat_index(pc: u64) -> usize {
    (pc >> 2) as usize % HEAT
}
#[must_use]
pub fn host(n: usize) -> Mem {
    at(offset_of!(Own, host) + 8 * n)
}

/// Which guest slot lives in which host register.
#[derive(Clone)]
pub struct Pinning {
    pub layout: Layout,
    pub flags: &'static Model,
    /// Guest slot to host register, `NOREG` if in memory.
    pub reg: Vec<Reg>,
    /// By unit.
    pub reg_x: Vec<Reg>,
    /// The pinned slots with their registers.
    pub list: Vec<(u16, Reg)>,
    pub list_x: Vec<(u16, Reg)>,
    /// Wide registers for temporaries: [`TEMPS_X`], and those that no slot has.
    pub temps_x: Vec<Reg>,
}

impl Pinning {
    #[must_use]
    pub fn new(guest: &dyn Guest) -> Self {
        let layout = guest.layout();
        debug_assert_eq!(guest.flags().mask & !flags::MASK & !flags::FREE, 0);
        let mut p = Self {
            layout,
            flags: guest.flags(),
            reg: vec![super::asm::NOREG; layout.general.into()],
            reg_x: vec![super::asm::NOREG; layout.units()],
            list: vec![],
            list_x: vec![],
            temps_x: vec![],
        };
        for (&s, &r) in guest.hot_slots().iter().zip(&PINS) {
            p.reg[usize::from(s)] = r;
            p.list.push((s, r));
        }
        for (&s, &r) in guest.hot_wide().iter().zip(&PINS_X) {
            p.reg_x[usize::from(s)] = r;
            p.list_x.push((s, r));
        }
        p.find_temporaries();
        p
    }

    /// After a change of the pinned slots.
    pub fn find_temporaries(&mut self) {
        let free = |r: &Reg| !self.list_x.iter().any(|x| x.1 == *r);
        let rest = PINS_X.iter().copied().filter(free);
        self.temps_x = TEMPS_X.iter().copied().chain(rest).collect();
    }
}
