//! Loads and stores of several registers (Arm ARM F5: LDM, STM, PUSH, POP).
//!
//! Registers are set as they are loaded, as processors do it: after a fault the instruction runs again from
//! its start, for which only the base has to be what it was.

use super::branch;
use super::insn::{Insn, add_k, address, reg, set};
use crate::decode::Bits;
use crate::guest::Lift;
use crate::ir::sem::Sem;

/// A transfer of the registers in `list`.
struct Multi {
    n: u32,
    list: u32,
    load: bool,
    up: bool,
    /// The base's own word is left out.
    before: bool,
    back: bool,
}

impl Multi {
    /// By the fields of A32, and of T32's 32-bit forms.
    fn of(i: Insn) -> Self {
        Self {
            n: i.f(16, 4),
            list: i.f(0, 16),
            load: i.bit(20),
            up: i.bit(23),
            before: i.bit(24),
            back: i.bit(21),
        }
    }

    fn has(&self, r: u32) -> bool {
        self.list >> r & 1 != 0
    }
}

fn transfer<S: Sem>(s: &mut S, i: Insn, x: &Multi) -> Lift {
    let count = x.list.count_ones() as i32;
    let base = s.get(x.n as u16);
    let first = match (x.up, x.before) {
        (true, false) => 0,
        (true, true) => 4,
        (false, false) => 4 - 4 * count,
        (false, true) => -4 * count,
    };
    // A translation leaves it to the interpreter to say which address it is.
    let checked = if S::STEPS {
        add_k(s, base, first)
    } else {
        base
    };
    s.aligned(32, checked, !x.load);
    let by = if x.up { 4 * count } else { -4 * count };
    let mut own = None;
    let mut pc = None;
    let registers = (0..16).filter(|&r| x.has(r));
    for (k, r) in registers.enumerate() {
        let addr = address(s, base, first + 4 * k as i32);
        if !x.load {
            let v = reg(s, i, r);
            s.store(32, addr, v);
            continue;
        }
        let v = s.load(32, 0, addr);
        match r {
            15 => pc = Some(v),
            r if r == x.n => own = Some(v),
            r => set(s, r, v),
        }
    }
    // What was loaded counts, not what the base moves to.
    if own.is_none() && x.back {
        own = Some(add_k(s, base, by));
    }
    if let Some(v) = own {
        set(s, x.n, v);
    }
    match pc {
        Some(v) => branch::load_to_pc(s, i, v, matches!(x.n, 11 | 13)),
        None => Lift::Next,
    }
}

pub fn a32<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Multi::of(i);
    // Before Armv7 what was loaded, or nobody knew, was in the base.
    let clash = x.load && x.back && x.has(x.n) && i.has(super::features::V7);
    if x.n == 15 || x.list == 0 || i.bit(22) || clash {
        return Lift::Undefined;
    }
    transfer(s, i, &x)
}

pub fn t32<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Multi::of(i);
    let pc_and_lr = x.list >> 14 == 3;
    if x.n == 15
        || x.list.count_ones() < 2
        || x.has(13)
        || (!x.load && x.has(15))
        || (x.load && pc_and_lr)
        || (x.back && x.has(x.n))
        || (x.load && x.has(15) && i.in_it_not_last())
    {
        return Lift::Undefined;
    }
    transfer(s, i, &x)
}

pub fn t16<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let (n, list, load) = (i.f(8, 3), i.f(0, 8), i.bit(11));
    if list == 0 {
        return Lift::Undefined;
    }
    let x = Multi {
        n,
        list,
        load,
        up: true,
        before: false,
        back: !(load && list >> n & 1 != 0),
    };
    transfer(s, i, &x)
}

pub fn push<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Multi {
        n: 13,
        list: i.f(8, 1) << 14 | i.f(0, 8),
        load: false,
        up: false,
        before: true,
        back: true,
    };
    if x.list == 0 {
        return Lift::Undefined;
    }
    transfer(s, i, &x)
}

pub fn pop<S: Sem>(s: &mut S, i: Insn) -> Lift {
    let x = Multi {
        n: 13,
        list: i.f(8, 1) << 15 | i.f(0, 8),
        load: true,
        up: true,
        before: false,
        back: true,
    };
    if x.list == 0 || (i.bit(8) && i.in_it_not_last()) {
        return Lift::Undefined;
    }
    transfer(s, i, &x)
}
