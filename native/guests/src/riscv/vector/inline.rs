//! What is inline: instructions without a mask, in blocks that know vtype, for as many elements as there can be. Others are
//! left to the interpreter then, which has the helpers.

use super::super::insn::Insn;
use crate::ir::sem::Sem;

pub fn integer<S: Sem>(_s: &mut S, _i: Insn) -> bool {
    false
}

pub fn multiply<S: Sem>(_s: &mut S, _i: Insn) -> bool {
    false
}

pub fn float<S: Sem>(_s: &mut S, _i: Insn) -> bool {
    false
}

pub fn access<S: Sem>(_s: &mut S, _i: Insn) -> bool {
    false
}
