//! RISC-V with 64 and with 32 bits: one set of tables and lifters, of which lines need a word size.

mod atomic;
mod bfloat;
mod bits;
mod branch;
mod compressed;
mod crypto;
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
mod vector;

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
use insn::{Insn, slot};
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
        lengths: None,
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
        lengths: None,
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

    /// log2 of the bytes of a vector register.
    fn log_bytes(&self) -> u32 {
        features::log_bytes(self.features)
    }

    /// Reads the instruction at `pc`, in a translation's mode.
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
            frm: (mode & insn::mode::FRM) as u8,
            mode,
            size,
            xlen: self.xlen,
            features: self.features,
        };
        Decoded { kind, line, insn }
    }

    fn lift<S: Sem>(&self, s: &mut S, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        let d = self.decode(pc, code, *mode);
        let lift = match d.line {
            Some(n) => d.kind.lifter::<S>(n)(s, d.insn),
            None => Lift::Undefined,
        };
        if d.kind == Kind::Long && vector::sets_type(d.insn) {
            *mode &= !insn::mode::WITHIN;
            if let Some(kind) = vector::known_behind(d.insn) {
                *mode |= insn::mode::TYPED | (kind as u32) << insn::mode::TYPE;
            }
        }
        (lift, d.insn.size)
    }
}

/// VLMAX for a vtype and registers of so many bytes; 0: vill.
#[cfg(test)]
pub fn most_elements(vtype: u64, bytes: usize) -> u64 {
    vector::most(vector::legal(vtype), bytes.ilog2())
}

/// Registers of vectors ([`crate::cpu::Regs`]): vstart, vl, vtype, vcsr, vlenb, whether they have been used (and above that bit what prctl(2) said of them),
/// then all pieces of 128 bits.
pub const VSTART: u32 = 68;
pub const VLENB: u32 = VSTART + 4;
pub const VSTATE: u32 = VSTART + 5;
pub const PIECE0: u32 = VSTART + 6;

fn vector_status(st: &State, guest: &Riscv, id: u32) -> u64 {
    let r = |n: u16| st.r()[usize::from(n)];
    match id - VSTART {
        0 => r(slot::VSTART),
        1 => r(slot::VL),
        2 => vector::vtype(r(slot::VTYPE), guest.xlen),
        3 => r(slot::VXRM) << 1 | r(slot::VXSAT),
        4 if guest.features.contains(features::V) => 1 << guest.log_bytes(),
        4 => 0,
        _ => r(slot::VUSED) | r(slot::VCONTROL) << 1,
    }
}

fn set_vector_status(st: &mut State, guest: &Riscv, id: u32, v: u64) {
    let r = st.r_mut();
    let mut set = |n: u16, v: u64| r[usize::from(n)] = v;
    match id {
        VSTART => set(slot::VSTART, v & ((8 << guest.log_bytes()) - 1)),
        69 => set(slot::VL, v),
        // No more elements than there can be.
        70 => {
            let vtype = vector::legal(v);
            set(slot::VTYPE, vtype);
            let most = vector::most(vtype, guest.log_bytes());
            let vl = &mut r[usize::from(slot::VL)];
            *vl = most.min(*vl);
        }
        71 => {
            set(slot::VXRM, v >> 1 & 3);
            set(slot::VXSAT, v & 1);
        }
        VLENB => {}
        _ => {
            set(slot::VUSED, v & 1);
            set(slot::VCONTROL, v >> 1);
        }
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
        Riscv::lift(self, s, pc, code, mode)
    }

    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        Riscv::lift(self, s, pc, code, mode)
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
        st.r_mut()[usize::from(slot::VTYPE)] = vector::legal(u64::MAX);
    }

    fn mode(&self, st: &State) -> u32 {
        let off = st.r()[usize::from(slot::VCONTROL)] & 3 == 1;
        csr::frm(st) as u32 | if off { insn::mode::VECTORS_OFF } else { 0 }
    }

    fn read_clock(&self, _pc: u64, code: &[u8]) -> Option<ReadClock> {
        (code.first_chunk() == Some(&0x8c00_0073_u32.to_le_bytes())).then_some(ReadClock {
            what: 10,
            seconds: 12,
            high: (self.xlen == 32).then_some(14),
            nanoseconds: 13,
            read: crate::vdso::READ,
        })
    }

    fn is_volatile(&self, code: &[u8]) -> bool {
        code.first_chunk()
            .is_some_and(|word| csr::is_volatile(u32::from_le_bytes(*word)))
    }

    fn register_count(&self) -> u32 {
        let pieces = if self.features.contains(features::V) {
            2 << self.log_bytes()
        } else {
            0
        };
        PIECE0 + pieces
    }

    fn register(&self, st: &State, id: u32) -> u128 {
        match id {
            0..=31 => u128::from(st.r()[id as usize]),
            32 => u128::from(self.code_address(st.pc)),
            33..=64 => st.wide(usize::from(insn::unit(id - 33))),
            65 => u128::from(csr::fflags(st)),
            66 => u128::from(csr::frm(st)),
            67 => u128::from(csr::fcsr(st)),
            VSTART..PIECE0 => vector_status(st, self, id).into(),
            _ => st
                .v()
                .get((id - PIECE0) as usize + 16)
                .copied()
                .unwrap_or(0),
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
            VSTART..PIECE0 => set_vector_status(st, self, id, v),
            PIECE0.. => {
                if let Some(piece) = st.v_mut().get_mut((id - PIECE0) as usize + 16) {
                    *piece = value;
                }
            }
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
