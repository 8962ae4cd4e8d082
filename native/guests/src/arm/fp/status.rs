//! FPSCR, and the identification registers.

use super::super::features::{self, FP16, V6, VECTORS, VFP3};
use super::super::insn::{Insn, mode as modes, reg, set, slot};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::ir::{Op, Trap, flags, float};

/// FPSCR.QC, which is in `State::fpstatus`.
const QC: u64 = 1 << 27;
/// Modes: AHP, DN, FZ, RMode, STRIDE, FZ16, LEN.
const MODES: u32 = 0x07ff_0000;

/// N, Z, C and V of FPSCR, as `ir::flags` packs them and as it has them.
const CONDITIONS: [(u64, u32); 4] = [
    (flags::N, 31),
    (flags::Z, 30),
    (flags::C, 29),
    (flags::V, 28),
];

/// FPSCR out of its parts.
#[must_use]
pub fn fpscr(st: &State) -> u32 {
    let e = st.fpenv;
    let bit = |m: u32, n: u32| u32::from(e & m != 0) << n;
    let packed = st.r()[usize::from(slot::FPFLAGS)];
    let condition = |c: (u64, u32)| u32::from(packed & c.0 != 0) << c.1;
    st.r()[usize::from(slot::FPSCR)] as u32
        | CONDITIONS.into_iter().map(condition).sum::<u32>()
        | (st.fpstatus & QC) as u32
        | bit(float::INVALID, 0)
        | bit(float::DIV_BY_ZERO, 1)
        | bit(float::OVERFLOW, 2)
        | bit(float::UNDERFLOW, 3)
        | bit(float::INEXACT, 4)
        | u32::from(st.fpext & float::INPUT_DENORMAL != 0) << 7
}

/// Writes it: modes as they are to their slot, and to the environment where that has them.
pub fn set_fpscr(st: &mut State, v: u32) {
    st.fpstatus = u64::from(v) & QC;
    let packed = |c: (u64, u32)| if v >> c.1 & 1 != 0 { c.0 } else { 0 };
    st.r_mut()[usize::from(slot::FPFLAGS)] = CONDITIONS.into_iter().map(packed).sum();
    st.r_mut()[usize::from(slot::FPSCR)] = u64::from(v & MODES);
    // Arm: nearest, up, down, zero. The environment: nearest, down, up, zero.
    let rc = [0u32, 2, 1, 3][(v >> 22 & 3) as usize];
    let bit = |n: u32, m: u32| if v >> n & 1 != 0 { m } else { 0 };
    st.fpenv = (st.fpenv & !0x603f)
        | rc << 13
        | bit(0, float::INVALID)
        | bit(1, float::DIV_BY_ZERO)
        | bit(2, float::OVERFLOW)
        | bit(3, float::UNDERFLOW)
        | bit(4, float::INEXACT);
    let directed = if rc == 0 { 0 } else { float::DIRECTED };
    st.fpext = (st.fpext & float::STANDARD_USED)
        | directed
        | bit(7, float::INPUT_DENORMAL)
        | bit(25, float::DEFAULT_NAN)
        | bit(24, float::FLUSH)
        | bit(19, float::FLUSH_HALF)
        | bit(26, float::ALT_HALF);
}

/// What of it selects translations: flush-to-zero, LEN and STRIDE.
#[must_use]
pub fn mode(st: &State) -> u32 {
    let fpscr = st.r()[usize::from(slot::FPSCR)] as u32;
    // LEN at 18-16, STRIDE at 21-20 (0 or 3).
    let vector = fpscr >> 16 & 7 | (fpscr >> 20 & 1) << 3;
    let flush = if fpscr >> 24 & 1 != 0 {
        modes::FLUSH
    } else {
        0
    };
    let standard = if st.fpext & float::STANDARD_USED != 0 {
        modes::STANDARD
    } else {
        0
    };
    vector << modes::VECTOR_SHIFT | flush | standard
}

/// What a processor with these features keeps of a value written.
fn writable(i: Insn) -> u32 {
    let mut mask = 0xf7c0_009f;
    if i.has(features::NEON) {
        mask |= 1 << 27;
    }
    if i.has(FP16) {
        mask |= 1 << 19;
    }
    if i.has(VECTORS) {
        mask |= 0x0037_0000;
    }
    mask
}

/// VMRS APSR_nzcv, FPSCR.
pub fn mrs_flags<S: Sem>(s: &mut S, _i: Insn) -> Lift {
    let p = s.get(slot::FPFLAGS);
    let f = s.op1(Op::FPack, 16, p);
    s.set_f(f);
    Lift::Next
}

/// VMRS. User code may read FPSCR, and up to VFPv2 FPSID.
pub fn mrs<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let t = i.f(12, 4);
    match i.f(16, 4) {
        1 if t != 15 => {
            let v = s.call(
                |st, _, _, _, _| {
                    st.exact_status = 1;
                    u128::from(fpscr(st))
                },
                [None; 3],
                0,
            );
            set(s, t, v);
            // Translations with exact flags may be others.
            s.trap(Trap::Resync, 0, i.next());
            Lift::End
        }
        0 if !i.has(VFP3) && t != 15 => {
            // VFP9-S, VFP11
            let id = s.konst(if i.has(V6) { 0x4101_20b4 } else { 0x4101_1090 });
            set(s, t, id);
            Lift::Next
        }
        _ => Lift::Undefined,
    }
}

/// VMSR.
pub fn msr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let t = i.f(12, 4);
    match i.f(16, 4) {
        1 if t != 15 => {
            let v = reg(s, i, t);
            s.call(
                |st, v, _, _, mask| {
                    st.exact_status = 1;
                    set_fpscr(st, v as u32 & mask as u32);
                    0
                },
                [Some(v), None, None],
                u64::from(writable(i)),
            );
            s.trap(Trap::Resync, 0, i.next());
            Lift::End
        }
        // Writes to FPSID do nothing.
        0 if !i.has(VFP3) => Lift::Next,
        _ => Lift::Undefined,
    }
}
