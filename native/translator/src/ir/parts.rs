//! What [`IrBuilder`] knows of the parts of wide slots: a part of a known value is taken from it, and two known
//! halves make a whole, so that memory is not read in another width than it was just written in (no
//! processor forwards two stores to one load).

use super::build::IrBuilder;
use super::sem::Sem;
use super::{NONE, Op, Val};

impl IrBuilder {
    /// The unit's value out of larger or smaller ones that are known.
    pub(super) fn derived(&mut self, n: usize) -> Option<Val> {
        if !self.has_parts && !self.layout.is_part(n) {
            return None;
        }
        self.has_parts = true;
        self.taken(n).or_else(|| self.composed(n))
    }

    fn taken(&mut self, n: usize) -> Option<Val> {
        let (whole, half) = self.layout.half_of(n)?;
        let w = self.layout.unit(n).1;
        let v = match self.cur.wide[whole] {
            NONE => self.taken(whole)?,
            v => v,
        };
        self.cur.wide[whole] = v;
        // What is above the low half is anything.
        Some(if half == 0 {
            v
        } else {
            self.op1i(Op::VDupLane, w, v, 1)
        })
    }

    fn composed(&mut self, n: usize) -> Option<Val> {
        let parts = self.layout.halves_of(n)?;
        let mut known = [NONE; 2];
        for (v, part) in known.iter_mut().zip(parts) {
            *v = match self.cur.wide[part] {
                NONE => self.composed(part)?,
                v => v,
            };
        }
        let w = self.layout.unit(n).1 / 2;
        Some(self.op2(Op::VZip1, w, known[0], known[1]))
    }

    /// Unit `n` is set: what shares its bits is not known any more.
    pub(super) fn forget_overlapping(&mut self, n: usize) {
        let l = self.layout;
        let piece = l.unit(n).0 / 16;
        let quarters = l.wholes() + 2 * usize::from(l.halved);
        let halves = (l.wholes() + 2 * piece..).take(2).filter(|&u| u < quarters);
        let quarters = (quarters + 4 * piece..).take(4).filter(|&u| u < l.units());
        for u in halves.chain(quarters).chain(std::iter::once(piece)) {
            if l.overlap(u, n) {
                self.cur.wide[u] = NONE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::flags::Model;
    use crate::ir::layout::Layout;
    use crate::ir::state::State;

    const LAYOUT: Layout = Layout {
        halved: 16,
        quartered: 8,
        ..Layout::new(23, 16)
    };

    static NO_FLAGS: Model = Model {
        mask: 0,
        kinds: &[],
    };

    fn part(w: u8, n: u16) -> u16 {
        LAYOUT.part(w, n)
    }

    fn builder() -> IrBuilder {
        let mut b = IrBuilder::new(LAYOUT, true);
        b.start_insn(0);
        b
    }

    #[test]
    fn a_part_is_taken_from_what_is_known_of_the_whole() {
        let mut b = builder();
        let v = b.wide(1);
        b.set_x(3, v);
        assert_eq!(b.get_x(part(64, 6)), v);
        let upper = b.get_x(part(64, 7));
        assert_eq!(b.inst(upper).op, Op::VDupLane);
        // s13 of q3: the upper half of d6.
        let s13 = b.get_x(part(32, 13));
        assert_eq!((b.inst(s13).op, b.inst(s13).w), (Op::VDupLane, 32));
        assert!(!b.block.insts.iter().any(|i| i.op == Op::GetX));
    }

    #[test]
    fn two_parts_make_a_whole_and_one_does_not() {
        let mut b = builder();
        let (x, y) = (b.wide(1), b.wide(2));
        b.set_x(part(64, 4), x);
        let read = b.get_x(2);
        assert_eq!(b.inst(read).op, Op::GetX);
        b.set_x(part(64, 5), y);
        // Setting a half has made the whole unknown again, and the other half is not.
        b.set_x(part(64, 4), x);
        let whole = b.get_x(2);
        assert_eq!(b.inst(whole).op, Op::VZip1);
        // A quarter leaves neither.
        b.set_x(part(32, 9), y);
        let again = b.get_x(part(64, 4));
        assert_eq!(b.inst(again).op, Op::GetX);
        assert_eq!(b.get_x(part(64, 5)), y);
    }

    #[test]
    fn units_share_the_bits_that_they_should() {
        let mut st = State::new(LAYOUT, &NO_FLAGS);
        st.set_wide(1, 0x4444_4444_3333_3333_2222_2222_1111_1111);
        for (n, want) in [(4, 0x1111_1111), (5, 0x2222_2222), (6, 0x3333_3333)] {
            assert_eq!(st.wide(usize::from(part(32, n))), want);
        }
        st.set_wide(usize::from(part(64, 3)), 5);
        assert_eq!(st.wide(1), 5 << 64 | 0x2222_2222_1111_1111);
        st.set_wide(usize::from(part(32, 7)), u128::MAX);
        assert_eq!(st.wide(usize::from(part(64, 3))), 0xffff_ffff_0000_0005);
    }
}
