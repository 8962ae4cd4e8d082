//! The AArch64 guest.

pub mod atomic;
pub mod branch;
pub mod bti;
pub mod crypto;
pub mod features;
pub mod fp;
pub mod insn;
pub mod int;
pub mod lengths;
mod linux;
pub mod mem;
pub mod mops;
pub mod mte;
pub mod nzcv;
pub mod pauth;
mod qarma;
pub mod simd;
pub mod simd_mem;
pub mod sm;
pub mod sve;
pub mod system;
pub mod table;
pub mod unicorn;

use crate::features::Features;
use crate::guest::{FlagUse, Guest, Lift, ReadClock, flag, untagged};
use crate::ir::build::IrBuilder;
use crate::ir::flags;
use crate::ir::flags::Model;
use crate::ir::interp::Interp;
use crate::ir::layout::Layout;
use crate::ir::sem::{Above, Sem};
use crate::ir::state::State;
use crate::memory::Flags;
use crate::{Entry, Lengths, vdso};
use insn::{Insn, slot};
use linux::AArch64Linux;
pub use linux::registers;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use table::{Lifters, TABLE};
use unicorn::Unicorn;

/// Translation mode: FPCR.FZ.
pub const MODE_FLUSH: u32 = 1;
/// What lifters of a big-endian guest see beside it.
pub const MODE_BIG: u32 = 2;
/// From here on the four keys of addresses that are switched off.
pub const MODE_KEYS_OFF_SHIFT: u32 = 2;
/// Vectors are in use (`sve`); above it their length in quadwords, less one.
pub const MODE_VECTORS: u32 = 1 << 6;
pub const MODE_QUADS: u32 = 7;
/// The program has guarded memory (`bti`).
pub const MODE_BRANCHES: u32 = 1 << 11;
/// Of a page: it is guarded.
pub const MODE_GUARDED: u32 = 1 << 12;
/// Of a block: no indirect branch leads there.
pub const MODE_INNER: u32 = 1 << 13;
/// Accesses are compared with the tags of memory (`mte`), and those by another tag trap, or are noted.
pub const MODE_TAGS_TRAPPED: u32 = 1 << 14;
pub const MODE_TAGS_NOTED: u32 = 1 << 15;

/// The guest description: a CPU model in one byte order. Instructions are little-endian whatever data are.
pub struct AArch64 {
    features: Features,
    /// Data accesses are big-endian (SCTLR_EL1.E0E).
    pub big_data: bool,
    /// With all of that, since translations depend on it.
    name: &'static str,
}

/// As far as Unicorn can judge it.
#[cfg(test)]
pub static LITTLE: AArch64 = AArch64 {
    features: features::OF_UNICORN,
    big_data: false,
    name: "aarch64",
};
#[cfg(test)]
pub static BIG: AArch64 = AArch64 {
    features: features::OF_UNICORN,
    big_data: true,
    name: "aarch64-be",
};

const LENGTHS: Lengths = Lengths {
    concerns: lengths::concerns,
    choose: lengths::choose,
};

/// Little- and big-endian.
pub static GUESTS: [Entry; 2] = [
    Entry {
        command: "aarch64",
        linux: &AArch64Linux {
            name: "aarch64",
            big_endian: false,
        },
        isa: Some(|f| AArch64::of(features::by_names(f), false)),
        unicorn: &Unicorn {
            name: "aarch64",
            big_endian: false,
        },
        emulate: Some(linux::emulate),
        lengths: Some(LENGTHS),
    },
    Entry {
        command: "aarch64_be",
        linux: &AArch64Linux {
            name: "aarch64-be",
            big_endian: true,
        },
        isa: Some(|f| AArch64::of(features::by_names(f), true)),
        unicorn: &Unicorn {
            name: "aarch64-be",
            big_endian: true,
        },
        emulate: Some(linux::emulate),
        lengths: Some(LENGTHS),
    },
];

fn word(code: &[u8]) -> u32 {
    u32::from_le_bytes([code[0], code[1], code[2], code[3]])
}

/// The descriptions that were asked for: features, byte order.
type Known = HashMap<(Features, bool), &'static AArch64>;

impl AArch64 {
    /// The description of these properties; there is one of each.
    #[must_use]
    pub fn of(features: Features, big_data: bool) -> &'static Self {
        static ALL: Mutex<Option<Known>> = Mutex::new(None);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default()
            .entry((features, big_data))
            .or_insert_with(|| {
                let name = format!("aarch64 {:x} {big_data}", features.0);
                Box::leak(Box::new(Self {
                    features,
                    big_data,
                    name: Box::leak(name.into_boxed_str()),
                }))
            })
    }

    fn key(id: u32) -> usize {
        usize::from(insn::KEYS) + (id - registers::KEYS) as usize
    }

    fn insn(&self, pc: u64, bits: u32, mode: u32) -> Insn {
        Insn {
            bits,
            pc,
            mode: if self.big_data { mode | MODE_BIG } else { mode },
            features: self.features,
        }
    }

    fn lift<S: Sem>(&self, s: &mut S, pc: u64, code: &[u8], mode: u32, first: bool) -> Lift {
        let bits = word(code);
        s.byte_order(self.big_data);
        s.check_tags(mte::of(self.insn(pc, bits, mode)));
        if first && mode & MODE_BRANCHES != 0 {
            bti::arrive(s, self.insn(pc, bits, mode));
        }
        if sve::is_vector(bits) {
            s.zero_above(Above::default());
            return sve::lift(s, self.insn(pc, bits, mode));
        }
        s.zero_above(sve::above(self.insn(pc, bits, mode)));
        if !self.features.contains(features::USUAL)
            && !self.features.contains(features::needed(bits))
        {
            return Lift::Undefined;
        }
        match table::find(bits) {
            Some(n) => Lifters::<S>::ALL[n](s, self.insn(pc, bits, mode)),
            // UDF, and the top-level encodings that are reserved.
            None if bits >> 16 == 0 || bits >> 25 & 15 < 2 => Lift::Undefined,
            None => Lift::Unlifted,
        }
    }
}

impl Guest for AArch64 {
    fn name(&self) -> &'static str {
        self.name
    }

    fn layout(&self) -> Layout {
        insn::LAYOUT
    }

    fn flags(&self) -> &'static Model {
        &crate::nzcv::MODEL
    }

    fn hot_slots(&self) -> &'static [u16] {
        // By their use in compiled code: arguments and results, sp, callee-saved.
        &[0, 1, slot::SP, 2, 3, 19, 20, 4, 30, 29, 21, 5, 22, 6, 8, 23]
    }

    fn hot_wide(&self) -> &'static [u16] {
        &[0, 1, 2, 3, 4, 5, 6, 7, 31, 30, 16, 17]
    }

    fn lift(&self, s: &mut IrBuilder, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        let first = s.block.pcs.len() == 1;
        if *mode & (MODE_TAGS_TRAPPED | MODE_TAGS_NOTED) != 0 {
            s.remove_tags(self.tag_bits());
        }
        (self.lift(s, pc, code, *mode, first), 4)
    }

    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        (self.lift(s, pc, code, *mode, true), 4)
    }

    fn flag_use(&self, pc: u64, code: &[u8]) -> FlagUse {
        let bits = word(code);
        let goes = |writes, next| FlagUse::Goes {
            reads: 0,
            writes,
            next,
        };
        match table::find(bits).map(|n| TABLE[n].flags) {
            Some('n') => goes(0, pc.wrapping_add(4)),
            Some('k') => goes(flag::ALL, pc.wrapping_add(4)),
            Some('b') => {
                let i = self.insn(pc, bits, 0);
                goes(0, i.target(i.sf_imm(0, 26) << 2))
            }
            Some('r') => FlagUse::Reads,
            _ => FlagUse::Unknown,
        }
    }

    /// Loads and stores (Arm ARM C4.1).
    fn may_access(&self, _pc: u64, code: &[u8]) -> bool {
        word(code) >> 25 & 5 == 4
    }

    fn mode(&self, st: &State) -> u32 {
        let flush = st.r()[usize::from(slot::FPCR)] >> 24 & 1 != 0;
        let flush = if flush { MODE_FLUSH } else { 0 };
        let vectors = if st.r()[usize::from(slot::VECTORS)] != 0 {
            MODE_VECTORS
        } else {
            0
        };
        let quads = st.r()[usize::from(slot::QUADS)].saturating_sub(1) as u32;
        flush | pauth::mode(st.r()[pauth::OFF]) | vectors | quads << MODE_QUADS
    }

    fn mode_of_space(&self, st: &State, uses: Flags) -> u32 {
        let branches = if uses.has(Flags::GUARDED) {
            MODE_BRANCHES
        } else {
            0
        };
        let tags = if uses.has(Flags::TAGGED) {
            mte::mode(st)
        } else {
            0
        };
        branches | tags
    }

    fn see_tags(&self, st: &mut State, at: u64) {
        st.r_mut()[usize::from(slot::TAGS)] = at;
    }

    fn tag_differs(&self, st: &mut State, write: bool) -> Option<u32> {
        if mte::mode(st) == MODE_TAGS_NOTED {
            st.r_mut()[usize::from(slot::TAG_FAULTS)] = 1;
            return None;
        }
        Some(if write { mte::WRITE } else { mte::READ })
    }

    fn due(&self, st: &mut State) -> Option<u32> {
        let noted = &mut st.r_mut()[usize::from(slot::TAG_FAULTS)];
        (std::mem::take(noted) != 0).then_some(mte::NOTED)
    }

    fn mode_of_page(&self, mode: u32, flags: Flags) -> u32 {
        if mode & MODE_BRANCHES != 0 && flags.has(Flags::GUARDED) {
            mode | MODE_GUARDED
        } else {
            mode
        }
    }

    fn mode_within(&self, mode: u32) -> u32 {
        mode | MODE_INNER
    }

    fn reset(&self, st: &mut State) {
        st.r_mut()[usize::from(slot::QUADS)] = features::first_length(self.features);
    }

    /// Arm ARM D1.3.6, "PC alignment checking".
    fn is_misaligned(&self, pc: u64) -> bool {
        pc & 3 != 0
    }

    fn read_clock(&self, _pc: u64, code: &[u8]) -> Option<ReadClock> {
        // udf #0x7510
        (word(code) == 0x7510).then_some(ReadClock {
            what: 0,
            seconds: 2,
            high: None,
            nanoseconds: 3,
            read: vdso::READ,
        })
    }

    fn is_volatile(&self, code: &[u8]) -> bool {
        // MRS of CNTVCT_EL0, CNTVCTSS_EL0, RNDR, RNDRRS
        matches!(
            word(code) & !0x1f,
            0xd53b_e040 | 0xd53b_e0c0 | 0xd53b_2400 | 0xd53b_2420
        )
    }

    fn max_insn(&self) -> usize {
        4
    }

    fn register_count(&self) -> u32 {
        if self.features.contains(features::SVE) {
            registers::VECTOR_COUNT
        } else {
            registers::COUNT
        }
    }

    fn register(&self, st: &State, id: u32) -> u128 {
        match id {
            0..=31 => u128::from(st.r()[id as usize]),
            32 => u128::from(st.pc),
            33 => {
                let f = st.flags;
                let bit = |m: u64, n: u32| u128::from(f & m != 0) << n;
                let rest = u128::from(st.r()[usize::from(slot::PSTATE)]);
                let rest = rest | u128::from(st.r()[usize::from(slot::BTYPE)]) << bti::SHIFT;
                bit(flags::N, 31) | bit(flags::Z, 30) | bit(flags::C, 29) | bit(flags::V, 28) | rest
            }
            34..=65 => st.v()[id as usize - 34],
            66 => u128::from(branch::fpsr(st)),
            67 => u128::from(st.r()[usize::from(slot::FPCR)]),
            68 => u128::from(st.r()[usize::from(slot::TPIDR)]),
            registers::KEYS..registers::PAUTH => st.v()[Self::key(id)],
            registers::PAUTH => {
                let has = |feature, bit| {
                    if self.features.contains(feature) {
                        bit
                    } else {
                        0
                    }
                };
                let paca = has(features::PACA, registers::HAS_PACA);
                let pacg = has(features::PACG, registers::HAS_PACG);
                u128::from(st.r()[pauth::OFF] | paca | pacg)
            }
            registers::SEED => u128::from(st.r()[usize::from(slot::SEED)]),
            registers::TAG_CHECKS => {
                let has = if self.features.contains(features::MTE) {
                    registers::HAS_MTE
                } else {
                    0
                };
                u128::from(st.r()[usize::from(slot::TAG_CONTROL)] | has)
            }
            registers::TAG_FAULT => u128::from(st.trap_addr),
            _ => sve::register(st, self.features, id),
        }
    }

    fn set_register(&self, st: &mut State, id: u32, value: u128) {
        let v = value as u64;
        match id {
            0..=31 => st.r_mut()[id as usize] = v,
            32 => st.pc = v,
            33 => {
                st.flags = flags::pack(
                    v >> 31 & 1 != 0,
                    v >> 30 & 1 != 0,
                    v >> 29 & 1 != 0,
                    v >> 28 & 1 != 0,
                );
                let v = v & system::bits_of(self.features);
                let btype = v & 3 << bti::SHIFT;
                st.r_mut()[usize::from(slot::PSTATE)] = v & !btype;
                st.r_mut()[usize::from(slot::BTYPE)] = btype >> bti::SHIFT;
            }
            34..=65 => st.v_mut()[id as usize - 34] = value,
            66 => branch::set_fpsr(st, v),
            67 => branch::set_fpcr(st, v),
            68 => st.r_mut()[usize::from(slot::TPIDR)] = v,
            registers::KEYS..registers::PAUTH => st.v_mut()[Self::key(id)] = value,
            registers::PAUTH => st.r_mut()[pauth::OFF] = v & 15,
            registers::SEED => st.r_mut()[usize::from(slot::SEED)] = v,
            registers::TAG_CHECKS => st.r_mut()[usize::from(slot::TAG_CONTROL)] = v & mte::CONTROL,
            registers::TAG_FAULT => {}
            _ => sve::set_register(st, self.features, id, value),
        }
    }

    fn tag_bits(&self) -> u8 {
        // TBI: the top byte is a tag (Linux, Documentation/arch/arm64/tagged-pointers.rst).
        8
    }

    fn data_address(&self, addr: u64) -> u64 {
        untagged(addr)
    }

    fn code_address(&self, addr: u64) -> u64 {
        // BranchAddr(): the lower half of the address space ignores the top byte (TBI0).
        self.data_address(addr)
    }

    fn cache_line(&self, addr: u64) -> std::ops::Range<u64> {
        let a = addr & !63;
        a..a + 64
    }
}
