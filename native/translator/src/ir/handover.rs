//! Condition flags between two translations, the second of which sets all of them before it asks for any.
//!
//! Nobody sees the first one's flags then but at a fault in between. So the first leaves them in the shortest form that is
//! right at each such place: nothing at all if there is none, or a [`Record`] of the general slots that hold the
//! operands, if none of these is set before. What a translation does with the flags that it begins with is its
//! [`risk`]; what an exit asks of the translation that it leads to is a set of the same bits. They fit if none is in both.

use super::flags::{Model, Named};
use super::{Block, NONE, Op, Val};

/// Somebody may look at the flags as they were when the translation began.
pub const LOOKS: u64 = 1 << 63;
/// The flags are read, or last until an exit.
pub const LIVES: u64 = 1 << 62;
/// Nothing is promised.
pub const ALL: u64 = u64::MAX;
/// Slots below this one have a bit.
const SLOTS: u64 = 32;

/// What may happen to flags that a block begins with: [`LIVES`], [`LOOKS`], and each slot that may have been set
/// by then.
#[must_use]
pub fn risk(b: &Block) -> u64 {
    let (mut risk, mut set) = (0, 0);
    for i in &b.insts {
        match i.op {
            Op::Set if i.imm < SLOTS => set |= 1 << i.imm,
            // Others on top of those that there are: a fault's recipe says so.
            Op::SetF if is_upon_entry(b, i.a) => {}
            Op::SetF => return risk,
            Op::GetF | Op::Skip | Op::Label => return ALL,
            op if op.is_exit() || op.class().is_call() || op.is_float() => return ALL,
            op if op.can_fault() => risk |= LOOKS | set,
            _ => {}
        }
    }
    ALL
}

/// Flags of which some are those that the block begins with.
fn is_upon_entry(b: &Block, f: Val) -> bool {
    let i = &b.insts[f as usize];
    match i.op {
        Op::GetF => true,
        Op::FPart => i.c == NONE || is_upon_entry(b, i.c),
        Op::FSelect => is_upon_entry(b, i.a) || is_upon_entry(b, i.b),
        _ => false,
    }
}

/// Computing these flags is all that there is to do: a comparison of floating-point numbers raises exceptions.
fn is_only_flags(b: &Block, f: Val) -> bool {
    let i = &b.insts[f as usize];
    match i.op {
        Op::FSub | Op::FAdd | Op::FLogic | Op::FAdc | Op::FPack => true,
        Op::FPart => i.c == NONE || is_only_flags(b, i.c),
        Op::FSelect => is_only_flags(b, i.a) && is_only_flags(b, i.b),
        _ => false,
    }
}

/// What an exit may leave instead of the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// The number of a record to store.
    pub record: Option<u32>,
    /// What the target must not do.
    pub needs: u64,
}

/// The shortest form of the flags `f` at exit `at`. `seen`: the target is likely to have an access that may fault before it
/// sets its own.
#[must_use]
pub fn short(b: &Block, model: &Model, f: Val, at: usize, seen: bool) -> Option<Short> {
    if !is_only_flags(b, f) {
        None
    } else if seen {
        named(b, model, f, at)
    } else {
        Some(Short {
            record: None,
            needs: LIVES | LOOKS,
        })
    }
}

/// As a record of slots.
fn named(b: &Block, model: &Model, f: Val, at: usize) -> Option<Short> {
    let i = &b.insts[f as usize];
    if !matches!(i.op, Op::FSub | Op::FAdd | Op::FLogic) {
        return None;
    }
    let kind = model.kind(i.op)?;
    let constant = |v: Val| match b.insts[v as usize] {
        i if i.op == Op::Const => Some(i.imm),
        _ => None,
    };
    let same = |x: Val, y: Val| x == y || (constant(x).is_some() && constant(x) == constant(y));
    // The result of the same operands, from which the first can be had.
    let inverse = match i.op {
        Op::FSub => Some(Op::Sub),
        Op::FAdd => Some(Op::Add),
        _ => None,
    };
    let is_result = |v: Val| {
        let x = &b.insts[v as usize];
        i.b != NONE && Some(x.op) == inverse && x.w == i.w && same(x.a, i.a) && same(x.b, i.b)
    };
    let (mut first, mut result, mut second) = (None, None, None);
    let mut seen = 0u64;
    for (n, x) in b.insts[..at].iter().enumerate().rev() {
        let v = match x.op {
            Op::Set => x.a,
            Op::Get => n as Val,
            _ => continue,
        };
        if x.imm >= SLOTS || seen >> x.imm & 1 != 0 {
            continue;
        }
        seen |= 1 << x.imm;
        let slot = Some(x.imm as u8);
        if v == i.a {
            first = first.or(slot);
        }
        if v == i.b {
            second = second.or(slot);
        }
        if is_result(v) {
            result = result.or(slot);
        }
    }
    let b_const = if i.b == NONE { Some(0) } else { constant(i.b) };
    let mask = |slot: Option<u8>| slot.map_or(0, |s| 1u64 << s);
    let slot = first.or(result)?;
    let record = Named {
        kind,
        w: i.w,
        slot,
        from_result: first.is_none(),
        second: if b_const.is_some() { None } else { second },
        constant: b_const.unwrap_or(0),
    };
    if b_const.is_none() && second.is_none() {
        return None;
    }
    Some(Short {
        record: Some(record.pack()?),
        needs: LIVES | mask(Some(slot)) | mask(record.second),
    })
}
