//! RISC-V with 64 and with 32 bits: one set of tables and lifters, of which lines need a word size.

mod atomic;
mod bits;
mod branch;
mod compressed;
pub mod csr;
pub mod features;
mod fp;
pub mod insn;
mod int;
mod linux;
mod mem;
pub mod short;
pub mod table;
mod unicorn;

use crate::Entry;
use crate::guest::{FlagUse, Guest, Lift};
use crate::ir::build::IrBuilder;
use crate::ir::eval::mask;
use crate::ir::flags::Model;
use crate::ir::interp::Interp;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use features::Features;
use insn::Insn;
use linux::RiscvLinux;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Both word sizes; little-endian.
pub static GUESTS: [Entry; 2] = [
    Entry {
        command: "riscv64",
        linux: &RiscvLinux {
            name: "riscv64",
            word_bits: 64,
        },
        isa: Some(|f| Riscv::of(features::by_names(f, 64), 64)),
        unicorn: &unicorn::RV64,
        emulate: Some(linux::emulate),
    },
    Entry {
        command: "riscv32",
        linux: &RiscvLinux {
            name: "riscv32",
            word_bits: 32,
        },
        isa: Some(|f| Riscv::of(features::by_names(f, 32), 32)),
        unicorn: &unicorn::RV32,
        emulate: Some(linux::emulate),
    },
];

/// The guest description: a CPU model.
pub struct Riscv {
    features: Features,
    /// Bits of a general register.
    pub xlen: u8,
    /// With both, since translations depend on them.
    name: &'static str,
}

/// Which table an instruction is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Long,
    Short,
}

impl Kind {
    #[cfg(test)]
    #[must_use]
    pub fn table(self) -> &'static [table::Encoding] {
        match self {
            Self::Long => table::TABLE,
            Self::Short => short::TABLE,
        }
    }

    fn lifter<S: Sem>(self, n: usize) -> fn(&mut S, Insn) -> Lift {
        match self {
            Self::Long => table::Lifters::<S>::ALL[n],
            Self::Short => short::Lifters::<S>::ALL[n],
        }
    }
}

/// An instruction, and its line.
pub struct Decoded {
    pub kind: Kind,
    pub line: Option<usize>,
    pub insn: Insn,
}

/// The length of an instruction that begins with this byte. Longer ones are undefined, whatever their length.
fn size(first: u8) -> u8 {
    if first & 3 == 3 { 4 } else { 2 }
}

impl Riscv {
    /// The description of these properties; there is one of each.
    #[must_use]
    pub fn of(features: Features, xlen: u8) -> &'static Self {
        static ALL: Mutex<Option<HashMap<Features, &'static Riscv>>> = Mutex::new(None);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default()
            .entry(features)
            .or_insert_with(|| {
                let name = format!("riscv{xlen} {:x}", features.0);
                Box::leak(Box::new(Self {
                    features,
                    xlen,
                    name: Box::leak(name.into_boxed_str()),
                }))
            })
    }

    /// Reads the instruction at `pc`; the mode is frm.
    #[must_use]
    pub fn decode(&self, pc: u64, code: &[u8], mode: u32) -> Decoded {
        let size = size(code[0]);
        let (kind, bits) = if size == 2 {
            let half = u16::from_le_bytes([code[0], code[1]]);
            (Kind::Short, u32::from(half))
        } else {
            let word = [code[0], code[1], code[2], code[3]];
            (Kind::Long, u32::from_le_bytes(word))
        };
        let line = match kind {
            Kind::Long => table::find_for(bits, self.features),
            Kind::Short => short::find_for(bits, self.features),
        };
        let insn = Insn {
            bits,
            pc,
            frm: mode as u8,
            size,
            xlen: self.xlen,
            features: self.features,
        };
        Decoded { kind, line, insn }
    }

    fn lift<S: Sem>(&self, s: &mut S, pc: u64, code: &[u8], mode: u32) -> (Lift, u8) {
        let d = self.decode(pc, code, mode);
        let lift = match d.line {
            Some(n) => d.kind.lifter::<S>(n)(s, d.insn),
            None => Lift::Undefined,
        };
        (lift, d.insn.size)
    }
}

impl Guest for Riscv {
    fn name(&self) -> &'static str {
        self.name
    }

    fn layout(&self) -> Layout {
        insn::LAYOUT
    }

    /// There are none: nothing sets them.
    fn flags(&self) -> &'static Model {
        &crate::nzcv::MODEL
    }

    fn hot_slots(&self) -> &'static [u16] {
        // In the order in which compilers take them: arguments from the last one on, sp, those that calls keep.
        &[15, 10, 2, 14, 8, 13, 11, 12, 9, 1, 18, 16, 17, 19, 6, 20]
    }

    fn hot_wide(&self) -> &'static [u16] {
        const HOT: [u16; 10] = [
            insn::unit(15),
            insn::unit(14),
            insn::unit(10),
            insn::unit(13),
            insn::unit(11),
            insn::unit(12),
            insn::unit(8),
            insn::unit(9),
            insn::unit(0),
            insn::unit(1),
        ];
        &HOT
    }

    fn slot_width(&self) -> u8 {
        self.xlen
    }

    fn lift(&self, s: &mut IrBuilder, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        Riscv::lift(self, s, pc, code, *mode)
    }

    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        Riscv::lift(self, s, pc, code, *mode)
    }

    fn flag_use(&self, _pc: u64, _code: &[u8]) -> FlagUse {
        FlagUse::Unknown
    }

    fn insn_size(&self, _pc: u64, code: &[u8]) -> usize {
        size(code[0]).into()
    }

    fn min_insn(&self) -> usize {
        2
    }

    fn max_insn(&self) -> usize {
        4
    }

    fn reset(&self, st: &mut State) {
        csr::reset(st);
    }

    fn mode(&self, st: &State) -> u32 {
        csr::frm(st) as u32
    }

    fn is_volatile(&self, code: &[u8]) -> bool {
        code.first_chunk()
            .is_some_and(|word| csr::is_volatile(u32::from_le_bytes(*word)))
    }

    fn register_count(&self) -> u32 {
        68
    }

    fn register(&self, st: &State, id: u32) -> u128 {
        match id {
            0..=31 => u128::from(st.r()[id as usize]),
            32 => u128::from(self.code_address(st.pc)),
            33..=64 => st.wide(usize::from(insn::unit(id - 33))),
            65 => u128::from(csr::fflags(st)),
            66 => u128::from(csr::frm(st)),
            67 => u128::from(csr::fcsr(st)),
            _ => 0,
        }
    }

    fn set_register(&self, st: &mut State, id: u32, value: u128) {
        let v = value as u64 & mask(self.xlen);
        match id {
            1..=31 => st.r_mut()[id as usize] = v,
            32 => st.pc = self.code_address(v),
            33..=64 => st.set_wide(usize::from(insn::unit(id - 33)), value),
            65 => csr::set_fflags(st, v),
            66 => csr::set_frm(st, v),
            67 => csr::set_fcsr(st, v),
            _ => {}
        }
    }

    fn tag_bits(&self) -> u8 {
        0
    }

    fn data_address(&self, addr: u64) -> u64 {
        addr & mask(self.xlen)
    }

    /// JALR clears bit 0 of its sum.
    fn code_address(&self, addr: u64) -> u64 {
        addr & mask(self.xlen) & !1
    }

    /// FENCE.I is about all of them; what is told of one is of this much.
    fn cache_line(&self, addr: u64) -> std::ops::Range<u64> {
        let a = addr & !63;
        a..a + 64
    }
}
