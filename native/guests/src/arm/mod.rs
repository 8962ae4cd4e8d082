//! The 32-bit Arm guest: A32 and T32, little- and big-endian.
//!
//! The pc of a translation (`State::pc`, exits, keys of the cache) is an interworking address: bit 0 says Thumb. So
//! BX, POP {pc} and their like jump to what they have loaded, and calls and returns compare what programs compare.

pub mod a32;
mod alu;
mod alu16;
mod branch;
mod decoded;
pub mod features;
pub mod fp;
pub mod fptable;
pub mod insn;
mod linux;
mod media;
mod mem;
mod mul;
mod multi;
pub mod neon;
pub mod status;
mod sync;
mod system;
pub mod t16;
pub mod t32;
pub mod table;
pub mod unicorn;

use crate::Entry;
use crate::decode::Bits;
use crate::guest::{FlagUse, Guest, Lift, ReadClock};
use crate::ir::Trap;
use crate::ir::build::IrBuilder;
use crate::ir::flags::Cc;
use crate::ir::flags::Model;
use crate::ir::interp::Interp;
use crate::ir::layout::Layout;
use crate::ir::sem::{Guard, Sem};
use crate::ir::state::State;
pub use decoded::{Decoded, Kind};
use decoded::{fp_form, is_fp_a32, is_wide};
use features::Features;
use insn::{Insn, mode, slot};
use linux::ArmLinux;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use unicorn::Unicorn;

/// Little-endian, and the two big-endian kinds of programs.
pub static GUESTS: [Entry; 3] = [
    Entry {
        command: "arm",
        linux: &ArmLinux {
            name: "arm",
            big_data: false,
            big_code: false,
        },
        isa: Some(|f| Arm::of(features::by_names(f), false, false)),
        unicorn: &Unicorn {
            name: "arm",
            big_data: false,
            big_code: false,
        },
        emulate: None,
        lengths: None,
    },
    Entry {
        command: "armeb",
        linux: &ArmLinux {
            name: "arm-be8",
            big_data: true,
            big_code: false,
        },
        isa: Some(|f| Arm::of(features::by_names(f), true, false)),
        unicorn: &Unicorn {
            name: "arm-be8",
            big_data: true,
            big_code: false,
        },
        emulate: None,
        lengths: None,
    },
    Entry {
        command: "armeb",
        linux: &ArmLinux {
            name: "arm-be32",
            big_data: true,
            big_code: true,
        },
        isa: Some(|f| Arm::of(features::by_names(f), true, true)),
        unicorn: &Unicorn {
            name: "arm-be32",
            big_data: true,
            big_code: true,
        },
        emulate: None,
        lengths: None,
    },
];

/// Where the page of the vectors and of the kernel's helpers is, with nothing behind it.
const VECTORS: u64 = 0xffff_0000;

/// The guest description: a CPU model in one byte order.
pub struct Arm {
    features: Features,
    /// Instructions are big-endian (BE-32).
    big_code: bool,
    /// Programs start with big-endian data.
    big_data: bool,
    /// With all of that, since translations depend on it.
    name: &'static str,
}

/// The descriptions that were asked for: features, byte orders of data and code.
type Known = HashMap<(Features, bool, bool), &'static Arm>;

impl Arm {
    /// The description of these properties; there is one of each.
    #[must_use]
    pub fn of(features: Features, big_data: bool, big_code: bool) -> &'static Self {
        static ALL: Mutex<Option<Known>> = Mutex::new(None);
        let name = format!("arm {:x} {big_data} {big_code}", features.0);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default()
            .entry((features, big_data, big_code))
            .or_insert_with(|| {
                Box::leak(Box::new(Self {
                    features,
                    big_code,
                    big_data,
                    name: Box::leak(name.into_boxed_str()),
                }))
            })
    }

    fn half(&self, code: &[u8]) -> u32 {
        let b = [code[0], code[1]];
        u32::from(if self.big_code {
            u16::from_be_bytes(b)
        } else {
            u16::from_le_bytes(b)
        })
    }

    fn word(&self, code: &[u8]) -> u32 {
        let b = [code[0], code[1], code[2], code[3]];
        if self.big_code {
            u32::from_be_bytes(b)
        } else {
            u32::from_le_bytes(b)
        }
    }

    /// Reads the instruction at `pc`.
    #[must_use]
    pub fn decode(&self, pc: u64, code: &[u8], mode: u32) -> Decoded {
        let thumb = pc & 1 != 0;
        let mut size = 4;
        let (kind, bits) = if !thumb {
            let w = self.word(code);
            if is_fp_a32(w) {
                (Kind::Fp, w)
            } else {
                (Kind::A32, w)
            }
        } else {
            let h = self.half(code);
            if is_wide(h) {
                let w = h << 16 | self.half(&code[2..]);
                fp_form(w).map_or((Kind::T32, w), |w| (Kind::Fp, w))
            } else {
                size = 2;
                (Kind::T16, h)
            }
        };
        let line = kind.find(bits);
        let insn = Insn {
            bits,
            pc: pc as u32 & !1,
            mode,
            size,
            thumb,
            features: if pc >= VECTORS {
                self.features.and(features::HELPERS)
            } else {
                self.features
            },
        };
        Decoded { kind, line, insn }
    }

    /// What an IT instruction and those under its condition do to the flags, as far as they are in `code`.
    fn it_flag_use(&self, it: Insn, code: &[u8]) -> FlagUse {
        let first = it.f(4, 4);
        if first >= 14 {
            return FlagUse::Reads;
        }
        // Both conditions of a block read the same flags.
        let cond = Cc::from_index(u64::from(first));
        let mut reads = cond.reads();
        let (mut pc, mut at) = (it.next(), usize::from(it.size));
        for _ in 0..4 - it.bits.trailing_zeros() {
            let rest = code.get(at..).unwrap_or_default();
            if rest.len() < self.min_insn() || rest.len() < self.insn_size(pc, rest) {
                return FlagUse::Tests(reads);
            }
            let d = self.decode(pc, rest, 0);
            match d.conditional_flag_use(cond) {
                FlagUse::Goes { reads: more, .. } => reads |= more,
                FlagUse::Tests(more) => return FlagUse::Tests(reads | more),
                FlagUse::Reads => return FlagUse::Reads,
                FlagUse::Unknown => return FlagUse::Unknown,
            }
            (pc, at) = (d.insn.next(), at + usize::from(d.insn.size));
        }
        FlagUse::Goes {
            reads,
            writes: 0,
            next: pc,
        }
    }

    fn lift<S: Sem>(&self, s: &mut S, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        let d = self.decode(pc, code, *mode);
        let i = d.insn;
        s.byte_order(*mode & mode::BIG != 0);
        *mode = *mode & !mode::IT | status::next_it(i.it()) << mode::IT_SHIFT;
        let lift = self.conditional(s, &d);
        if i.thumb {
            if d.kind == Kind::T16 && status::is_it(i.bits) && lift == Lift::Next {
                *mode |= (i.bits & 0xff) << mode::IT_SHIFT;
            }
            if S::STEPS && matches!(lift, Lift::Next | Lift::End) {
                let k = s.konst(u64::from(*mode >> mode::IT_SHIFT & 0xff));
                s.set(slot::IT, k);
            }
        }
        (lift, i.size)
    }

    /// Lifts an instruction with its condition.
    fn conditional<S: Sem>(&self, s: &mut S, d: &Decoded) -> Lift {
        let i = d.insn;
        let cond = d.cond();
        let line = d.encoding();
        let effects = line.is_none_or(|l| l.how == 'e');
        // Within an IT block the short forms set flags only if they do nothing else.
        let spared = d.kind == Kind::T16 && i.in_it() && !t16::compares(i.bits);
        let set_flags = !spared && line.is_some_and(|l| l.sets_flags(i));
        let always = cond >= 14;
        let mut condition = None;
        let mut how = Guard::Select;
        if !always {
            condition = Some(Cc::from_index(u64::from(cond)));
            how = match (effects, set_flags) {
                (true, _) => Guard::Jump,
                (false, true) => Guard::Select,
                (false, false) => Guard::Either,
            };
        }
        s.guard(condition, how);
        // What faults or stops within an IT block says where.
        let mark = |s: &mut S, it: u32| {
            if i.in_it() && !S::STEPS {
                let k = s.konst(u64::from(it));
                s.set(slot::IT, k);
            }
        };
        if effects {
            mark(s, i.it());
        }
        let lift = match (d.line, line) {
            (Some(n), Some(l)) if i.features.contains(l.need) => d.kind.lifter::<S>(n)(s, i),
            (None, _) if d.kind == Kind::Fp => Lift::Unlifted,
            _ => Lift::Undefined,
        };
        let trap = match lift {
            Lift::Undefined => Trap::Undefined,
            Lift::Unlifted => Trap::Fallback,
            Lift::Next | Lift::End => {
                if effects && lift == Lift::Next {
                    mark(s, 0);
                }
                if always {
                    return lift;
                }
                s.unguard();
                // Where the condition does not hold it goes on.
                return Lift::Next;
            }
        };
        if always && !i.in_it() {
            return lift;
        }
        // Nothing was done yet.
        s.unguard();
        s.guard(condition, Guard::Jump);
        mark(s, i.it());
        s.trap(trap, 0, i.own());
        if always {
            return Lift::End;
        }
        s.unguard();
        Lift::Next
    }
}

impl Guest for Arm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn tag_bits(&self) -> u8 {
        0
    }

    fn layout(&self) -> Layout {
        insn::LAYOUT
    }

    fn flags(&self) -> &'static Model {
        &crate::nzcv::MODEL
    }

    fn hot_slots(&self) -> &'static [u16] {
        // By their use in compiled code.
        &[0, 1, 2, 3, slot::SP, 4, 5, 6, slot::LR, 7, 8, 12, 9, 10, 11]
    }

    fn hot_wide(&self) -> &'static [u16] {
        // Programs use them as D, S and Q registers, in turns: loops choose what they need.
        &[]
    }

    fn slot_width(&self) -> u8 {
        32
    }

    fn lift(&self, s: &mut IrBuilder, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        Arm::lift(self, s, pc, code, mode)
    }

    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], mode: &mut u32) -> (Lift, u8) {
        Arm::lift(self, s, pc, code, mode)
    }

    fn flag_use(&self, pc: u64, code: &[u8]) -> FlagUse {
        let d = self.decode(pc, code, 0);
        if d.kind == Kind::T16 && status::is_it(d.insn.bits) {
            return self.it_flag_use(d.insn, code);
        }
        match d.cond() {
            14.. => d.flag_use(),
            cond => d.conditional_flag_use(Cc::from_index(u64::from(cond))),
        }
    }

    fn may_access(&self, pc: u64, code: &[u8]) -> bool {
        self.decode(pc, code, 0).may_access()
    }

    fn fetch_address(&self, pc: u64) -> u64 {
        pc & 0xffff_fffe
    }

    fn min_insn(&self) -> usize {
        2
    }

    fn max_insn(&self) -> usize {
        4
    }

    fn insn_size(&self, pc: u64, code: &[u8]) -> usize {
        if pc & 1 == 0 || is_wide(self.half(code)) {
            4
        } else {
            2
        }
    }

    fn must_step(&self, mode: u32) -> bool {
        mode & mode::IT != 0
    }

    fn may_end(&self, mode: u32) -> bool {
        mode & mode::IT == 0
    }

    fn pause(&self, s: &mut IrBuilder, pc: u64, mode: u32) {
        s.close();
        let it = s.konst(u64::from(mode >> mode::IT_SHIFT & 0xff));
        s.set(slot::IT, it);
        s.trap(Trap::Resync, 0, pc);
    }

    /// In A32: bit 0 would mean Thumb (Arm ARM G1.12.3, "PC alignment checking").
    fn is_misaligned(&self, pc: u64) -> bool {
        pc & 3 == 2
    }

    fn read_clock(&self, pc: u64, code: &[u8]) -> Option<ReadClock> {
        const UDF: [u8; 4] = 0xe7f7_51f0_u32.to_le_bytes();
        let mut bytes: [u8; 4] = *code.first_chunk()?;
        if self.big_code {
            bytes.reverse();
        }
        (pc & 1 == 0 && bytes == UDF).then_some(ReadClock {
            what: 0,
            seconds: 2,
            high: Some(12),
            nanoseconds: 3,
            read: crate::vdso::READ,
        })
    }

    fn reset(&self, st: &mut State) {
        st.r_mut()[usize::from(slot::E)] = u64::from(self.big_data);
    }

    fn mode(&self, st: &State) -> u32 {
        let r = |n: u16| st.r()[usize::from(n)] as u32;
        let big = if r(slot::E) != 0 { mode::BIG } else { 0 };
        big | fp::mode(st) | r(slot::IT) << mode::IT_SHIFT
    }

    fn is_volatile(&self, code: &[u8]) -> bool {
        // MRRC p15, 1, Rt, Rt2, c14 (CNTVCT), in any of its forms.
        let le = u32::from_le_bytes([code[0], code[1], code[2], code[3]]);
        let counter = |w: u32| w & 0x0ff0_0fff == 0x0c50_0f1e;
        counter(le) || counter(le.rotate_left(16)) || counter(le.swap_bytes())
    }

    fn register_count(&self) -> u32 {
        51
    }

    fn register(&self, st: &State, id: u32) -> u128 {
        match id {
            0..=14 => u128::from(st.r()[id as usize]),
            15 => u128::from(st.pc & 0xffff_fffe),
            16 => u128::from(status::cpsr(st)),
            17..=48 => st.wide(usize::from(fp::d_unit(id - 17))),
            49 => u128::from(fp::fpscr(st)),
            50 => u128::from(st.r()[usize::from(slot::TPIDRURO)]),
            _ => 0,
        }
    }

    fn set_register(&self, st: &mut State, id: u32, value: u128) {
        let v = value as u32;
        match id {
            0..=14 => st.r_mut()[id as usize] = u64::from(v),
            // Bit 0 selects Thumb; without it the state stays.
            15 => st.pc = u64::from(v) | st.pc & 1,
            16 => status::set_cpsr(st, v),
            17..=48 => st.set_wide(usize::from(fp::d_unit(id - 17)), value),
            49 => fp::set_fpscr(st, v),
            50 => st.r_mut()[usize::from(slot::TPIDRURO)] = u64::from(v),
            _ => {}
        }
    }

    fn data_address(&self, addr: u64) -> u64 {
        addr & 0xffff_ffff
    }

    fn code_address(&self, addr: u64) -> u64 {
        addr & 0xffff_ffff
    }

    fn cache_line(&self, addr: u64) -> std::ops::Range<u64> {
        let a = addr & !63;
        a..a + 64
    }
}
