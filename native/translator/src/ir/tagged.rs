//! [`IrBuilder`]: accesses that are compared with the tags of memory (`memory::granules`).

use super::build::IrBuilder;
use super::flags::Cc;
use super::sem::{Sem, Tags};
use super::{Addr, NONE, Op, Trap, Val};
use crate::memory::granules::{GRANULE, TAGGED};

impl IrBuilder {
    /// Before an access of `w` bits at an address with its tag.
    pub(super) fn compare_tags(&mut self, w: u8, addr: Val) {
        let (at, into) = match self.tags {
            Tags::Ignored => return,
            Tags::Trapped(at) => (at, None),
            Tags::Noted(at, into) => (at, Some(into)),
        };
        self.compare_tag(addr, at, into);
        if w > 8 {
            // It may end in another granule.
            let last = self.add_k(64, addr, u64::from(w / 8) - 1);
            self.compare_tag(last, at, into);
        }
    }

    fn compare_tag(&mut self, addr: Val, at: u16, into: Option<u16>) {
        // The byte is 0, or has this bit and the tag: what is above it is what differs.
        let plain = self.shift_k(Op::Shl, 64, addr, 8);
        let granule = self.shift_k(Op::Shr, 64, plain, 8 + u64::from(GRANULE.trailing_zeros()));
        let tags = self.get(at);
        let place = self.op2(Op::Add, 64, granule, tags);
        // Beyond what there are tags of it faults, and the interpreter knows.
        let found = self.push(Op::Load, 8, [place, NONE, NONE], Addr::default().pack());
        let own = self.shift_k(Op::Shr, 64, addr, 56);
        let own = self.and_k(64, own, 15);
        let both = self.op2(Op::Xor, 64, found, own);
        let limit = self.konst(TAGGED.into());
        let f = self.op2(Op::FSub, 64, both, limit);
        let differs = self.cc(Cc::Hi, f);
        if let Some(into) = into {
            let old = self.get(into);
            let new = self.op2(Op::Or, 64, old, differs);
            self.set(into, new);
        } else {
            let pc = self.block.pcs.last().copied().unwrap_or(0);
            self.trap_if(differs, Trap::Step, 0, pc);
        }
    }
}
