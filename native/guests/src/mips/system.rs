//! Calls of the system, what stops a program, hardware registers, caches.

use super::insn::{Insn, done, k, slot, x};
use crate::guest::Lift;
use crate::ir::sem::Sem;
use crate::ir::{Op, Trap};

/// Exceptions by their numbers of target/mips/cpu.h, which `linux/trap.rs` knows them by.
pub const OVERFLOW: u32 = 21;
pub const TRAP: u32 = 22;
pub const FLOATING: u32 = 23;

/// The kernel goes on behind the instruction, wherever that is (arch/mips/kernel/scall*.S).
pub fn syscall<S: Sem>(s: &mut S, i: Insn) -> Lift {
    s.trap(Trap::Syscall, 0, i.next());
    Lift::End
}

pub fn breakpoint<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let code = super::linux::insn::Insn(i.bits).break_code();
    s.trap(Trap::Breakpoint, code, i.epc());
    Lift::End
}

/// SYNC: the host orders all but a store before a later load. Its kinds (stype) 16 to 19 leave that order open.
pub fn sync<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if !matches!(i.sa(), 16..=19) {
        s.fence();
    }
    Lift::Next
}

/// PREF, CACHE of what programs may do, NOPs.
pub fn nop<S: Sem>(_s: &mut S, _i: Insn) -> Lift {
    Lift::Next
}

/// PREF of release 6, whose hints from 24 on are reserved.
pub fn prefetch<S: Sem>(_s: &mut S, i: Insn) -> Lift {
    if i.rt() < 24 {
        Lift::Next
    } else {
        Lift::Undefined
    }
}

/// Bytes that SYNCI is about, as RDHWR tells.
pub const SYNCI_STEP: u64 = 32;

/// SYNCI: the block at an address. In a delay slot it comes before its branch, which is done after it by itself.
pub fn synci<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let base = x(s, i.rs());
    let offset = k(s, i, i.imm());
    let addr = s.op2(Op::Add, i.xlen(), base, offset);
    s.call(
        |st, a, _, _, _| {
            st.trap_addr = a as u64;
            0
        },
        [Some(addr), None, None],
        0,
    );
    if i.in_slot {
        let one = s.konst(1);
        s.set(slot::SLOT_DONE, one);
    }
    let pc = if i.in_slot { i.epc() } else { i.next() };
    s.trap(Trap::Invalidate, 0, pc);
    Lift::End
}

/// Counts of a counter of 500 MHz, of which each cycle counts (CCRes is 1).
fn ticks() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists, and the buffer is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    (now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64) / 2
}

/// Registers of RDHWR.
const CPU: u32 = 0;
const STEP: u32 = 1;
const COUNTER: u32 = 2;
const RESOLUTION: u32 = 3;
const USER_LOCAL: u32 = 29;

/// What gives another result each time.
#[must_use]
pub fn is_volatile(bits: u32) -> bool {
    let reads = bits & 0xffe0_003f == 0x7c00_003b;
    reads && matches!(bits >> 11 & 31, CPU | COUNTER)
}

/// RDHWR of what Linux lets programs read (HWREna, arch/mips/kernel/cpu-probe.c), or carries out for them.
pub fn rdhwr<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let v = match i.rd() {
        CPU => s.call(
            // SAFETY: it has no arguments.
            |_, _, _, _, _| unsafe { libc::sched_getcpu() }.max(0) as u128,
            [None; 3],
            0,
        ),
        STEP => s.konst(SYNCI_STEP),
        COUNTER => {
            let v = s.call(|_, _, _, _, _| u128::from(ticks() as u32), [None; 3], 0);
            super::insn::extended(s, i, v)
        }
        RESOLUTION => s.konst(1),
        USER_LOCAL => s.get(slot::USERLOCAL),
        _ => return Lift::Undefined,
    };
    done(s, i, i.rt(), v)
}

/// Whether the translation has to leave this to the interpreter: what selects translations changes between a branch
/// and where it leads.
pub fn steps_in_slot<S: Sem>(s: &mut S, i: Insn) -> bool {
    if i.in_slot && !S::STEPS {
        s.trap(Trap::Step, 0, i.epc());
        return true;
    }
    false
}

/// Behind what selects translations.
pub fn changed<S: Sem>(s: &mut S, i: Insn) -> Lift {
    if i.in_slot {
        return Lift::Next;
    }
    s.trap(Trap::Resync, 0, i.next());
    Lift::End
}
