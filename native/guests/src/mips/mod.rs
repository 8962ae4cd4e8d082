//! MIPS: o32, n32 and n64, in both byte orders: one table and set of lifters, of which lines need a word size or a release.

mod branch;
pub mod dsp;
mod fcsr;
pub mod features;
mod fp;
pub mod insn;
mod int;
pub mod linux;
mod mem;
mod paired;
mod system;
pub mod table;
mod unicorn;

use crate::Entry;
use crate::guest::{FlagUse, Guest, Lift, ReadClock};
use crate::ir::build::IrBuilder;
use crate::ir::eval::mask;
use crate::ir::flags::Model;
use crate::ir::interp::Interp;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use features::Features;
use insn::{Insn, LAYOUT, mode, slot};
use linux::registers;
use linux::{Abi, MipsLinux};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const fn guest(
    linux: &'static MipsLinux,
    isa: fn(&[String]) -> &'static dyn Guest,
    unicorn: &'static unicorn::Unicorn,
) -> Entry {
    Entry {
        command: linux.name,
        linux,
        isa: Some(isa),
        unicorn,
        emulate: None,
        lengths: None,
    }
}

static MIPSEL: MipsLinux = MipsLinux {
    name: "mipsel",
    abi: Abi::O32,
    big_endian: false,
};
static MIPS: MipsLinux = MipsLinux {
    name: "mips",
    big_endian: true,
    ..MIPSEL
};
static MIPS64EL: MipsLinux = MipsLinux {
    name: "mips64el",
    abi: Abi::N64,
    ..MIPSEL
};
static MIPS64: MipsLinux = MipsLinux {
    name: "mips64",
    abi: Abi::N64,
    ..MIPS
};
static MIPSN32EL: MipsLinux = MipsLinux {
    name: "mipsn32el",
    abi: Abi::N32,
    ..MIPSEL
};
static MIPSN32: MipsLinux = MipsLinux {
    name: "mipsn32",
    abi: Abi::N32,
    ..MIPS
};

/// The ABIs in both byte orders.
pub static GUESTS: [Entry; 6] = [
    guest(
        &MIPSEL,
        |f| Mips::of(MIPSEL.name, f, false, false),
        &unicorn::MIPSEL,
    ),
    guest(
        &MIPS,
        |f| Mips::of(MIPS.name, f, false, true),
        &unicorn::MIPS,
    ),
    guest(
        &MIPS64EL,
        |f| Mips::of(MIPS64EL.name, f, true, false),
        &unicorn::MIPS64EL,
    ),
    guest(
        &MIPS64,
        |f| Mips::of(MIPS64.name, f, true, true),
        &unicorn::MIPS64,
    ),
    guest(
        &MIPSN32EL,
        |f| Mips::of(MIPSN32EL.name, f, true, false),
        &unicorn::MIPSN32EL,
    ),
    guest(
        &MIPSN32,
        |f| Mips::of(MIPSN32.name, f, true, true),
        &unicorn::MIPSN32,
    ),
];

/// A CPU model in a byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Processor {
    pub features: Features,
    /// Registers have 64 bits.
    pub is_wide: bool,
    pub big_endian: bool,
}

/// The guest description.
pub struct Mips {
    pub cpu: Processor,
    /// With all of it, since translations depend on it.
    name: &'static str,
}

impl std::ops::Deref for Mips {
    type Target = Processor;
    fn deref(&self) -> &Processor {
        &self.cpu
    }
}

/// An instruction, and its line.
pub struct Decoded {
    pub line: Option<usize>,
    pub insn: Insn,
}

impl Mips {
    /// The description of a guest's CPU model with these features; there is one of each.
    #[must_use]
    pub fn of(
        guest: &'static str,
        names: &[String],
        is_wide: bool,
        big_endian: bool,
    ) -> &'static Self {
        type All = HashMap<(&'static str, Processor), &'static Mips>;
        static ALL: Mutex<Option<All>> = Mutex::new(None);
        let features = features::by_names(names, is_wide);
        let cpu = Processor {
            features,
            is_wide,
            big_endian,
        };
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default()
            .entry((guest, cpu))
            .or_insert_with(|| {
                let name = format!("{guest} {:x}", features.0);
                Box::leak(Box::new(Self {
                    cpu,
                    name: Box::leak(name.into_boxed_str()),
                }))
            })
    }
}

impl Processor {
    /// Bits of a general register.
    #[must_use]
    pub fn xlen(self) -> u8 {
        if self.is_wide { 64 } else { 32 }
    }

    /// The word at the start of code.
    fn word(self, code: &[u8]) -> u32 {
        let bytes = [code[0], code[1], code[2], code[3]];
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    fn has_slot(self, bits: u32) -> bool {
        table::find_for(bits, self.features).is_some_and(|n| table::TABLE[n].has_slot)
    }

    /// Reads the instruction at `pc`, with that in its delay slot, in a translation's mode.
    #[must_use]
    pub fn decode(self, pc: u64, code: &[u8], mode: u32) -> Decoded {
        let bits = self.word(code);
        let line = table::find_for(bits, self.features);
        let branches = line.is_some_and(|n| table::TABLE[n].has_slot);
        let insn = Insn {
            bits,
            pc,
            behind: if branches { self.word(&code[4..]) } else { 0 },
            in_slot: false,
            mode,
            guest: self,
        };
        Decoded { line, insn }
    }

    fn lift<S: Sem>(self, s: &mut S, pc: u64, code: &[u8], mode: u32) -> (Lift, u8) {
        if pc & 3 != 0 {
            // An address error of the fetch.
            let pc = s.konst(pc);
            s.aligned_to(4, pc, false);
            return (Lift::Undefined, 4);
        }
        let d = self.decode(pc, code, mode);
        let Some(n) = d.line else {
            return (Lift::Undefined, 4);
        };
        s.byte_order(self.big_endian);
        let lift = table::Lifters::<S>::ALL[n](s, d.insn);
        (lift, if table::TABLE[n].has_slot { 8 } else { 4 })
    }

    /// The instruction in a delay slot. There is no branch in one.
    fn lift_in_slot<S: Sem>(self, s: &mut S, i: Insn) -> Lift {
        match table::find_for(i.bits, self.features) {
            Some(n) if !table::TABLE[n].has_slot => table::Lifters::<S>::ALL[n](s, i),
            _ => Lift::Undefined,
        }
    }
}

/// Registers by their numbers ([`crate::cpu::Regs`]).
mod id {
    pub use super::linux::registers::{
        DSPCONTROL, FCSR, HI, HI1, LO, LO3, MSACSR, PC, STATUS, USERLOCAL, W0, W31,
    };
    pub const F0: u32 = super::linux::registers::F0;
    pub const F31: u32 = F0 + 31;
    pub const FIR: u32 = FCSR + 1;
}

/// Which part of the state floating-point register `n` is. Where registers have 32 bits, the odd ones are upper halves.
fn float_unit(st: &State, n: u32) -> usize {
    let n = n as u16;
    let unit = if st.r()[usize::from(slot::FR)] != 0 {
        LAYOUT.part(64, 2 * n)
    } else {
        LAYOUT.part(32, 4 * (n & !1) + (n & 1))
    };
    unit.into()
}

impl Guest for Mips {
    fn name(&self) -> &'static str {
        self.name
    }

    fn layout(&self) -> Layout {
        LAYOUT
    }

    /// There are none: nothing sets them.
    fn flags(&self) -> &'static Model {
        &crate::nzcv::MODEL
    }

    fn hot_slots(&self) -> &'static [u16] {
        // v0, v1, a0 to a3, sp, t9 and ra of calls, gp, s0, s1, then what compilers take for temporaries.
        &[
            2, 3, 4, 5, 29, 16, 6, 17, 28, 7, 8, 25, 18, 31, 9, 19, 20, 30,
        ]
    }

    fn hot_wide(&self) -> &'static [u16] {
        // Programs use them as singles and doubles, in turns: loops choose what they need.
        &[]
    }

    fn slot_width(&self) -> u8 {
        self.xlen()
    }

    fn lift(&self, s: &mut IrBuilder, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        self.cpu.lift(s, pc, code, *mode)
    }

    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        self.cpu.lift(s, pc, code, *mode)
    }

    fn flag_use(&self, _pc: u64, _code: &[u8]) -> FlagUse {
        FlagUse::Unknown
    }

    /// A branch and the instruction in its delay slot are one.
    fn insn_size(&self, _pc: u64, code: &[u8]) -> usize {
        if self.has_slot(self.word(code)) { 8 } else { 4 }
    }

    fn min_insn(&self) -> usize {
        4
    }

    fn max_insn(&self) -> usize {
        8
    }

    fn must_step(&self, mode: u32) -> bool {
        mode & mode::SLOT_DONE != 0
    }

    fn reset(&self, st: &mut State) {
        fcsr::reset(st, self.cpu);
        st.r_mut()[usize::from(slot::FR)] = self.is_wide.into();
    }

    fn mode(&self, st: &State) -> u32 {
        fcsr::translation_mode(st)
    }

    fn is_misaligned(&self, pc: u64) -> bool {
        pc & 3 != 0
    }

    fn read_clock(&self, _pc: u64, code: &[u8]) -> Option<ReadClock> {
        (self.word(code) == 0x3d).then_some(ReadClock {
            what: 4,
            seconds: 6,
            high: (self.xlen() == 32).then_some(24),
            nanoseconds: 7,
            read: crate::vdso::READ,
        })
    }

    fn is_volatile(&self, code: &[u8]) -> bool {
        let first = self.word(code);
        let behind = code.get(4..8).map_or(0, |rest| self.word(rest));
        system::is_volatile(first) || self.has_slot(first) && system::is_volatile(behind)
    }

    fn register_count(&self) -> u32 {
        registers::DSP_PRESENT + 1
    }

    fn register(&self, st: &State, id: u32) -> u128 {
        let r = |n: u16| u128::from(st.r()[usize::from(n)]);
        match id {
            0..=31 => r(id as u16),
            id::LO => r(slot::LO),
            id::HI => r(slot::HI),
            id::PC => u128::from(self.code_address(st.pc)),
            id::F0..=id::F31 => st.wide(float_unit(st, id - id::F0)),
            id::FCSR => u128::from(fcsr::fcsr(st, self.cpu)),
            id::FIR => u128::from(fcsr::fir(self.cpu)),
            id::USERLOCAL => r(slot::USERLOCAL),
            registers::STRICT => r(slot::STRICT),
            id::HI1..=id::LO3 => r(slot::HI1 + (id - id::HI1) as u16),
            id::DSPCONTROL => r(slot::DSP),
            id::MSACSR => r(slot::MSACSR),
            registers::DSP_PRESENT => self.features.contains(features::DSP).into(),
            id::W0..=id::W31 => st.wide((id - id::W0) as usize),
            _ if r(slot::FR) != 0 => u128::from(linux::registers::FR),
            _ => 0,
        }
    }

    fn set_register(&self, st: &mut State, id: u32, value: u128) {
        let v = value as u64 & mask(self.xlen());
        let mut set = |n: u16, v: u64| st.r_mut()[usize::from(n)] = v;
        match id {
            1..=31 => set(id as u16, v),
            id::LO => set(slot::LO, v),
            id::HI => set(slot::HI, v),
            id::PC => {
                st.pc = self.code_address(v);
                st.r_mut()[usize::from(slot::SLOT_DONE)] = 0;
            }
            id::F0..=id::F31 => st.set_wide(float_unit(st, id - id::F0), value),
            id::FCSR => fcsr::set_fcsr(st, v),
            id::USERLOCAL => set(slot::USERLOCAL, v),
            id::STATUS => set(slot::FR, (v & linux::registers::FR != 0).into()),
            registers::STRICT => set(slot::STRICT, v),
            id::HI1..=id::LO3 => set(slot::HI1 + (id - id::HI1) as u16, v),
            id::DSPCONTROL => set(slot::DSP, v & dsp::control::ALL),
            id::MSACSR => set(slot::MSACSR, v & 0x0107_ffff),
            id::W0..=id::W31 => st.set_wide((id - id::W0) as usize, value),
            _ => {}
        }
    }

    fn tag_bits(&self) -> u8 {
        0
    }

    fn data_address(&self, addr: u64) -> u64 {
        addr & mask(self.xlen())
    }

    fn code_address(&self, addr: u64) -> u64 {
        addr & mask(self.xlen())
    }

    /// What SYNCI is about.
    fn cache_line(&self, addr: u64) -> std::ops::Range<u64> {
        let start = addr & !(system::SYNCI_STEP - 1);
        start..start.saturating_add(system::SYNCI_STEP)
    }
}
