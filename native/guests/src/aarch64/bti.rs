//! Branch target identification (Arm ARM D8.4.4; FEAT_BTI).
//!
//! PSTATE.BTYPE says how the instruction is reached. It is 0 but for the first instruction behind an indirect branch, so it is a
//! slot that branches set and that the beginning of each translation looks at: nothing else can be reached by one. All of this is
//! only there once a program has guarded memory ([`super::MODE_BRANCHES`]).

use super::insn::{Insn, slot};
use crate::ir::Trap;
use crate::ir::sem::{Indirect, Sem};

/// [`Trap::Exception`]: a branch to what is none of its targets (`EC_BTITRAP`).
pub const BTI: u32 = 0x0d;
/// Where PSTATE has it.
pub const SHIFT: u32 = 10;
/// Of BLR, and of a signal's handler (PSR_BTYPE_C).
pub const CALL: u64 = 2;

/// Which values of BTYPE that are not 0 an instruction in guarded memory is not meant for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refuses {
    All,
    One(u64),
    None,
}

/// BRK, HLT: what they raise is what is seen, with BTYPE as it is.
fn is_break(bits: u32) -> bool {
    matches!(bits & 0xffe0_001f, 0xd420_0000 | 0xd440_0000)
}

/// By `BTypeCompatible_BTI` and `_PACIXSP`; the kernel sets SCTLR_EL1.BT0, so PACIASP is as BTI c (`bti_enable`).
fn refuses(bits: u32) -> Refuses {
    match bits {
        // BTI c, PACIASP, PACIBSP; BTI j; BTI jc.
        0xd503_245f | 0xd503_233f | 0xd503_237f => Refuses::One(3),
        0xd503_249f => Refuses::One(2),
        0xd503_24df => Refuses::None,
        _ => Refuses::All,
    }
}

/// Before the first instruction of a translation, and before each that is stepped.
pub fn arrive<S: Sem>(s: &mut S, i: Insn) {
    if i.mode & super::MODE_INNER != 0 || is_break(i.bits) {
        return;
    }
    if i.mode & super::MODE_GUARDED != 0 {
        let refuses = refuses(i.bits);
        let how = s.get(slot::BTYPE);
        let wrong = match refuses {
            Refuses::All => Some(s.not_zero(64, how)),
            Refuses::One(n) => {
                let n = s.konst(n);
                let other = s.op2(crate::ir::Op::Xor, 64, how, n);
                Some(s.is_zero(64, other))
            }
            Refuses::None => None,
        };
        if let Some(wrong) = wrong {
            s.trap_if(wrong, Trap::Exception, BTI, i.pc);
        }
        if refuses == Refuses::All {
            return;
        }
    }
    let none = s.konst(0);
    s.set(slot::BTYPE, none);
}

/// At BR, BLR and their like by register `n`; a return leaves 0.
pub fn leave<S: Sem>(s: &mut S, i: Insn, how: Indirect, n: u32) {
    if i.mode & super::MODE_BRANCHES == 0 {
        return;
    }
    let kind = match how {
        Indirect::Return => return,
        Indirect::Call => CALL,
        // Code out of guarded memory may only jump to functions by x16 and x17, as veneers do.
        Indirect::Jump if i.mode & super::MODE_GUARDED != 0 && n != 16 && n != 17 => 3,
        Indirect::Jump => 1,
    };
    let kind = s.konst(kind);
    s.set(slot::BTYPE, kind);
}
