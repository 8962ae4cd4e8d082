//! Branches, exceptions and system instructions (Arm ARM C4.1, "Branches,
//! Exception Generating and System instructions").

use super::features::MTE;
use super::insn::{Insn, set, slot, x};
use super::nzcv;
use super::system::{self, DIT as DIT_BIT, PSTATE_SSBS};
use super::{bti, mte};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::flags::Cc;
use crate::ir::sem::{Indirect, Sem};
use crate::ir::state::State;
use crate::ir::{Op, Trap, float};

pub fn b<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.jump(i.target(i.sf_imm(0, 26) << 2));
    Lift::End
}

pub fn bl<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let ret = s.konst(i.pc.wrapping_add(4));
    set(s, 64, 30, ret);
    s.call_to(i.target(i.sf_imm(0, 26) << 2), i.pc.wrapping_add(4));
    Lift::End
}

pub fn b_cond<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let c = nzcv::cond(s, i.f(0, 4));
    let target = i.target(i.sf_imm(5, 19) << 2);
    if i.f(0, 4) >= 14 {
        s.jump(target);
        return Lift::End;
    }
    s.side(c, target);
    Lift::Next
}

pub fn cbz<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = x(s, i.rd());
    let c = if i.bit(24) {
        s.not_zero(i.sf(), v)
    } else {
        s.is_zero(i.sf(), v)
    };
    s.side(c, i.target(i.sf_imm(5, 19) << 2));
    Lift::Next
}

pub fn tbz<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let bit = i.f(31, 1) << 5 | i.f(19, 5);
    let v = x(s, i.rd());
    let v = s.and_k(64, v, 1 << bit);
    let c = if i.bit(24) {
        s.not_zero(64, v)
    } else {
        s.is_zero(64, v)
    };
    s.side(c, i.target(i.sf_imm(5, 14) << 2));
    Lift::Next
}

/// CB<cc> of registers, of their low bytes and halfwords, and of a register and an immediate number (FEAT_CMPBR).
pub fn compare_branch<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let a = x(s, i.rd());
    let cc = i.f(21, 3);
    let (w, a, b, cc) = if i.bit(24) {
        if i.bit(14) {
            return Lift::Undefined;
        }
        let b = s.konst(u64::from(i.f(15, 6)));
        (
            i.sf(),
            a,
            b,
            [Cc::Gt, Cc::Lt, Cc::Hi, Cc::Cc][cc as usize & 3],
        )
    } else {
        let b = x(s, i.rm());
        let signed = cc < 2;
        let mut narrow = |v, w| s.op1(if signed { Op::Sext } else { Op::Zext }, w, v);
        let (w, a, b) = match (i.f(14, 2), i.bit(31)) {
            (0, _) => (i.sf(), a, b),
            (2, false) => (64, narrow(a, 8), narrow(b, 8)),
            (3, false) => (64, narrow(a, 16), narrow(b, 16)),
            _ => return Lift::Undefined,
        };
        (w, a, b, [Cc::Gt, Cc::Ge, Cc::Hi, Cc::Cs][cc as usize & 3])
    };
    let cc = match i.f(21, 3) {
        4 | 5 => return Lift::Undefined,
        6 => Cc::Eq,
        7 => Cc::Ne,
        _ => cc,
    };
    let f = s.op2(Op::FSub, w, a, b);
    let c = s.cc(cc, f);
    s.side(c, i.target(i.sf_imm(5, 9) << 2));
    Lift::Next
}

/// BR, BLR, RET.
pub fn br<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let t = x(s, i.rn());
    let ret = i.pc.wrapping_add(4);
    let how = match i.f(21, 2) {
        0 => Indirect::Jump,
        1 => Indirect::Call,
        _ => Indirect::Return,
    };
    if how == Indirect::Call {
        let k = s.konst(ret);
        set(s, 64, 30, k);
    }
    bti::leave(s, i, how, i.rn());
    s.jump_r(how, t, ret);
    Lift::End
}

pub fn svc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    super::sve::discard(s, i);
    s.trap(Trap::Syscall, i.f(5, 16), i.pc.wrapping_add(4));
    Lift::End
}

pub fn brk<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.trap(Trap::Breakpoint, i.f(5, 16), i.pc);
    Lift::End
}

pub fn clrex<S: Sem>(s: &mut S, _i: Insn) -> Lift {
    s.clear_ex();
    Lift::Next
}

/// DSB, DMB: only store-load order needs anything on a host with stronger order.
pub fn barrier<S: Sem>(s: &mut S, i: Insn) -> Lift {
    // CRm bits 1-0: 1 loads, 2 stores, 3 all.
    if i.f(8, 2) == 3 || i.f(8, 2) == 0 {
        s.fence();
    }
    Lift::Next
}

/// ISB, and SB: what follows is looked up anew.
pub fn isb<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.fence();
    s.trap(Trap::Resync, 0, i.pc.wrapping_add(4));
    Lift::End
}

/// The floating-point status register out of its parts.
#[must_use]
pub fn fpsr(st: &State) -> u64 {
    let e = st.fpenv;
    let bit = |m: u32, n: u32| u64::from(e & m != 0) << n;
    st.fpstatus
        | bit(float::INVALID, 0)
        | bit(float::DIV_BY_ZERO, 1)
        | bit(float::OVERFLOW, 2)
        | bit(float::UNDERFLOW, 3)
        | bit(float::INEXACT, 4)
        | u64::from(st.fpext & float::INPUT_DENORMAL != 0) << 7
}

/// Writes it. Only QC (27), IDC (7) and the five flags exist in AArch64 state; N-V (31-28) are AArch32's.
pub fn set_fpsr(st: &mut State, v: u64) {
    st.fpstatus = v & 0xf800_0000;
    let bit = |n: u32, m: u32| if v >> n & 1 != 0 { m } else { 0 };
    st.fpext = (st.fpext & float::MODES) | bit(7, float::INPUT_DENORMAL);
    st.fpenv = (st.fpenv & !0x3f)
        | bit(0, float::INVALID)
        | bit(1, float::DIV_BY_ZERO)
        | bit(2, float::OVERFLOW)
        | bit(3, float::UNDERFLOW)
        | bit(4, float::INEXACT);
}

/// Writes FPCR: its modes go to the environment too.
pub fn set_fpcr(st: &mut State, v: u64) {
    let v = v & 0x07c8_0000;
    st.r_mut()[usize::from(slot::FPCR)] = v;
    // Arm: nearest, up, down, zero. The environment: nearest, down, up, zero.
    let rc = [0u32, 2, 1, 3][(v >> 22 & 3) as usize];
    st.fpenv = (st.fpenv & !0x6000) | rc << 13;
    let bit = |n: u32, m: u32| if v >> n & 1 != 0 { m } else { 0 };
    st.fpext = (st.fpext & !float::MODES)
        | bit(25, float::DEFAULT_NAN)
        | bit(24, float::FLUSH)
        | bit(19, float::FLUSH_HALF)
        | bit(26, float::ALT_HALF);
}

/// A counter of 62.5 MHz, as QEMU's.
fn counter() -> u128 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: fills a timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut t) };
    (t.tv_sec as u128 * 1_000_000_000 + t.tv_nsec as u128) / 16
}

/// op0:op1:CRn:CRm:op2 of a system instruction.
fn key(i: Insn) -> u32 {
    i.f(5, 16)
}

const fn sysreg(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

const NZCV: u32 = sysreg(3, 3, 4, 2, 0);
const DIT: u32 = sysreg(3, 3, 4, 2, 5);
const SSBS: u32 = sysreg(3, 3, 4, 2, 6);
const TCO: u32 = sysreg(3, 3, 4, 2, 7);
const RNDR: u32 = sysreg(3, 3, 2, 4, 0);
const RNDRRS: u32 = sysreg(3, 3, 2, 4, 1);
const FPCR: u32 = sysreg(3, 3, 4, 4, 0);
const FPSR: u32 = sysreg(3, 3, 4, 4, 1);
const TPIDR: u32 = sysreg(3, 3, 13, 0, 2);
const TPIDRRO: u32 = sysreg(3, 3, 13, 0, 3);
const TPIDR2: u32 = sysreg(3, 3, 13, 0, 5);
const CTR: u32 = sysreg(3, 3, 0, 0, 1);
const DCZID: u32 = sysreg(3, 3, 0, 0, 7);
const CNTFRQ: u32 = sysreg(3, 3, 14, 0, 0);
const CNTVCT: u32 = sysreg(3, 3, 14, 0, 2);
/// The same, in order with what is around it (FEAT_ECV).
const CNTVCTSS: u32 = sysreg(3, 3, 14, 0, 6);

pub fn mrs<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = match key(i) {
        NZCV => {
            let f = s.get_f();
            let p = s.op1(Op::Pack, 16, f);
            let n = nzcv::unpack_nibble(s, p);
            s.shift_k(Op::Shl, 64, n, 28)
        }
        TPIDR => s.get(slot::TPIDR),
        TPIDR2 => s.get(slot::TPIDR2),
        FPCR => s.get(slot::FPCR),
        FPSR => {
            let v = s.call(
                |st, _, _, _, _| {
                    st.exact_status = 1;
                    u128::from(fpsr(st))
                },
                [None; 3],
                0,
            );
            set(s, 64, i.rd(), v);
            // Translations with exact flags may be others.
            s.trap(Trap::Resync, 0, i.pc.wrapping_add(4));
            return Lift::End;
        }
        // 64-byte lines, no IDC/DIC: code changes need IC IVAU.
        CTR => s.konst(0x8444_c004),
        // DC ZVA clears 64 bytes.
        DCZID => s.konst(4),
        CNTFRQ => s.konst(62_500_000),
        CNTVCT | CNTVCTSS => s.call(|_, _, _, _, _| counter(), [None; 3], 0),
        DIT => system::get_bit(s, DIT_BIT),
        TCO if i.has(MTE) => system::get_bit(s, mte::TCO),
        SSBS => system::get_bit(s, PSTATE_SSBS),
        RNDR | RNDRRS => system::random(s),
        TPIDRRO => s.konst(0),
        // Identification registers (op1 = 0, CRn = 0), which the kernel emulates: they depend on
        // the CPU model, which whoever opens the core knows (`native::Emulate`).
        k if k >> 7 == 3 << 7 => return Lift::Unlifted,
        _ => return Lift::Undefined,
    };
    set(s, 64, i.rd(), v);
    Lift::Next
}

pub fn msr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = x(s, i.rd());
    match key(i) {
        NZCV => {
            let n = s.shift_k(Op::Shr, 64, v, 28);
            let p = nzcv::pack_nibble(s, n);
            let f = s.op1(Op::FPack, 16, p);
            s.set_f(f);
        }
        TPIDR => s.set(slot::TPIDR, v),
        TPIDR2 => s.set(slot::TPIDR2, v),
        FPCR => {
            s.call(
                |st, v, _, _, _| {
                    set_fpcr(st, v as u64);
                    0
                },
                [Some(v), None, None],
                0,
            );
            s.trap(Trap::Resync, 0, i.pc.wrapping_add(4));
            return Lift::End;
        }
        FPSR => {
            s.call(
                |st, v, _, _, _| {
                    st.exact_status = 1;
                    set_fpsr(st, v as u64);
                    0
                },
                [Some(v), None, None],
                0,
            );
            s.trap(Trap::Resync, 0, i.pc.wrapping_add(4));
            return Lift::End;
        }
        DIT => system::set_bit(s, v, DIT_BIT),
        TCO if i.has(MTE) => {
            system::set_bit(s, v, mte::TCO);
            s.trap(Trap::Resync, 0, i.pc.wrapping_add(4));
            return Lift::End;
        }
        SSBS => system::set_bit(s, v, PSTATE_SSBS),
        _ => return Lift::Undefined,
    }
    Lift::Next
}

/// SYS: the cache maintenance that EL0 may do.
pub fn sys<S: Sem>(s: &mut S, i: Insn) -> Lift {
    // op1:CRn:CRm:op2
    const IC_IVAU: u32 = sysreg(0, 3, 7, 5, 1);
    const DC_ZVA: u32 = sysreg(0, 3, 7, 4, 1);
    const DC_GVA: u32 = sysreg(0, 3, 7, 4, 3);
    const DC_GZVA: u32 = sysreg(0, 3, 7, 4, 4);
    let addr = x(s, i.rd());
    match key(i) & 0x3fff {
        IC_IVAU => {
            s.call(
                |st, a, _, _, _| {
                    st.trap_addr = a as u64;
                    0
                },
                [Some(addr), None, None],
                0,
            );
            s.trap(Trap::Invalidate, 0, i.pc.wrapping_add(4));
            return Lift::End;
        }
        DC_ZVA => {
            let a = s.and_k(64, addr, !63);
            let z = s.wide(0);
            for k in 0..4 {
                let p = s.add_k(64, a, 16 * k);
                s.store_x(128, p, z);
            }
        }
        DC_GVA => return mte::block(s, i, false),
        DC_GZVA => return mte::block(s, i, true),
        // DC CVAC, CVAU, CIVAC, CVAP, CVADP: an address that must be mapped.
        k if [
            sysreg(0, 3, 7, 10, 1),
            sysreg(0, 3, 7, 11, 1),
            sysreg(0, 3, 7, 14, 1),
            sysreg(0, 3, 7, 12, 1),
            sysreg(0, 3, 7, 13, 1),
        ]
        .contains(&k) =>
        {
            s.load(8, 0, addr);
        }
        _ => return Lift::Undefined,
    }
    Lift::Next
}
