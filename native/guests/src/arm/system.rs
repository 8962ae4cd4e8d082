//! Status registers, barriers, hints, and what programs may do of coprocessor 15 (Arm ARM F5, G8).

use super::features::{LPAE, V6, V6K, V7};
use super::insn::{Insn, reg, set, slot};
use super::status::{ge_bits, ge_mask};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::{Op, Trap, flags};

/// NZCV of the current flags at bits 31-28.
pub fn nzcv<S: Sem>(s: &mut S) -> S::V {
    let f = s.get_f();
    let p = s.op1(Op::Pack, 16, f);
    let bit = |s: &mut S, m: u64, by: u64| {
        let v = s.and_k(32, p, m);
        s.shift_k(Op::Shl, 32, v, by)
    };
    let nz = bit(s, flags::N | flags::Z, 16);
    let c = bit(s, flags::C, 21);
    let v = bit(s, flags::V, 28);
    let r = s.op2(Op::Or, 32, nz, c);
    s.op2(Op::Or, 32, r, v)
}

/// Sets NZCV by bits 31-28 of `v`.
pub fn set_nzcv<S: Sem>(s: &mut S, v: S::V) {
    let bit = |s: &mut S, m: u64, by: u64| {
        let v = s.shift_k(Op::Shr, 32, v, by);
        s.and_k(32, v, m)
    };
    let nz = bit(s, flags::N | flags::Z, 16);
    let c = bit(s, flags::C, 21);
    let o = bit(s, flags::V, 28);
    let r = s.op2(Op::Or, 32, nz, c);
    let r = s.op2(Op::Or, 32, r, o);
    let f = s.op1(Op::FPack, 16, r);
    s.set_f(f);
}

/// MRS of APSR; CPSR reads the same, with the mode and the byte order, but without IT and T.
pub fn mrs<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let d = if i.thumb { i.f(8, 4) } else { i.f(12, 4) };
    if d == 15 {
        return Lift::Undefined;
    }
    let flags = nzcv(s);
    let q = s.get(slot::Q);
    let q = s.not_zero(32, q);
    let q = s.shift_k(Op::Shl, 32, q, 27);
    let ge = s.get(slot::GE);
    let ge = s.call(
        |_, m, _, _, _| u128::from(ge_bits(m as u32) << 16),
        [Some(ge), None, None],
        0,
    );
    let e = s.get(slot::E);
    let e = s.shift_k(Op::Shl, 32, e, 9);
    let user = s.konst(0x10);
    let mut r = flags;
    for v in [q, ge, e, user] {
        r = s.op2(Op::Or, 32, r, v);
    }
    set(s, d, r);
    Lift::Next
}

/// MSR: bit 19 of the mask is NZCVQ, bit 18 GE; programs cannot write anything else.
fn write_apsr<S: Sem>(s: &mut S, i: Insn, v: S::V, mask: u32) -> Lift {
    if mask & 4 != 0 && i.has(V6) {
        let ge = s.call(
            |_, v, _, _, _| u128::from(ge_mask(v as u32 >> 16)),
            [Some(v), None, None],
            0,
        );
        let ge = s.op1(Op::Zext, 32, ge);
        s.set(slot::GE, ge);
    }
    if mask & 8 != 0 {
        let q = s.shift_k(Op::Shr, 32, v, 27);
        let q = s.and_k(32, q, 1);
        s.set(slot::Q, q);
        set_nzcv(s, v);
    }
    Lift::Next
}

pub fn msr_imm<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let k = i.f(0, 8).rotate_right(2 * i.f(8, 4));
    let v = s.konst(u64::from(k));
    write_apsr(s, i, v, i.f(16, 4))
}

pub fn msr_reg<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, mask) = if i.thumb {
        (i.f(16, 4), i.f(8, 4))
    } else {
        (i.f(0, 4), i.f(16, 4))
    };
    if n == 15 {
        return Lift::Undefined;
    }
    let v = reg(s, i, n);
    write_apsr(s, i, v, mask)
}

/// Hints, and what has no effect at user level (CPS).
pub fn nop<S: Sem>(_s: &mut S, _i: Insn) -> Lift {
    Lift::Next
}

/// DSB and DMB: only store-load order needs anything on a host with stronger order.
pub fn barrier<S: Sem>(s: &mut S, i: Insn) -> Lift {
    // Loads (1) and stores (2) alone keep their order.
    if i.f(0, 2) == 3 || i.f(0, 2) == 0 {
        s.fence();
    }
    Lift::Next
}

/// ISB and SB: what follows is looked up anew.
pub fn isb<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.fence();
    if i.in_it() {
        return Lift::Next;
    }
    s.trap(Trap::Resync, 0, i.next());
    Lift::End
}

pub fn setend<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.in_it() {
        return Lift::Undefined;
    }
    let big = if i.thumb { i.bit(3) } else { i.bit(9) };
    let k = s.konst(u64::from(big));
    s.set(slot::E, k);
    s.trap(Trap::Resync, 0, i.next());
    Lift::End
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

/// opc1, CRn, CRm, opc2 of an access to coprocessor 15.
fn cp15(i: Insn) -> (u32, u32, u32, u32) {
    (i.f(21, 3), i.f(16, 4), i.f(0, 4), i.f(5, 3))
}

/// MRC p15.
pub fn mrc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = match cp15(i) {
        (0, 13, 0, 2) if i.has(V6K) => s.get(slot::TPIDRURW),
        (0, 13, 0, 3) if i.has(V6K) => s.get(slot::TPIDRURO),
        // PMUSERENR: programs may do nothing to the performance monitors.
        (0, 9, 14, 0) if i.has(V7) => s.konst(0),
        (0, 14, 0, 0) if i.has(LPAE) => s.konst(62_500_000),
        _ => return Lift::Undefined,
    };
    match i.f(12, 4) {
        // To the flags.
        15 => set_nzcv(s, v),
        t => set(s, t, v),
    }
    Lift::Next
}

/// MCR p15: the program's own thread register, and the barriers of Armv6.
pub fn mcr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let t = i.f(12, 4);
    if t == 15 {
        return Lift::Undefined;
    }
    match cp15(i) {
        (0, 13, 0, 2) if i.has(V6K) => {
            let v = reg(s, i, t);
            s.set(slot::TPIDRURW, v);
        }
        // DSB, DMB
        (0, 7, 10, 4 | 5) if i.has(V6) => s.fence(),
        // ISB
        (0, 7, 5, 4) if i.has(V6) => return isb(s, i),
        _ => return Lift::Undefined,
    }
    Lift::Next
}

/// MRRC p15: the virtual counter.
pub fn mrrc<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (t, t2) = (i.f(12, 4), i.f(16, 4));
    if i.f(0, 8) != 0x1e || t == 15 || t2 == 15 || t == t2 {
        return Lift::Undefined;
    }
    let v = s.call(|_, _, _, _, _| counter(), [None; 3], 0);
    let high = s.shift_k(Op::Shr, 64, v, 32);
    set(s, t, v);
    set(s, t2, high);
    Lift::Next
}
