//! What [`IrBuilder`] knows of the parts of wide slots: a part of a known value is taken from it, and two known
//! halves make a whole, so that memory is not read in another width than it was just written in (no
//! processor forwards two stores to one load).

use super::build::IrBuilder;
use super::sem::Sem;
use super::state::{self, UNITS, WIDE};
use super::{NONE, Op, Val};

/// The two units that unit `n` consists of, or the unit that it is the half (0 or 1) of.
struct Family {
    parts: Option<[usize; 2]>,
    whole: Option<(usize, u64)>,
}

fn family(n: usize) -> Family {
    let (at, w) = state::unit(n);
    let find = |at: usize, w: u8| (0..UNITS).find(|&u| state::unit(u) == (at, w));
    let half = usize::from(w / 16);
    let parts = match w {
        32 => None,
        _ => find(at, w / 2)
            .zip(find(at + half, w / 2))
            .map(|(a, b)| [a, b]),
    };
    let whole = match w {
        128 => None,
        _ => find(at & !(4 * half - 1), w * 2).map(|u| (u, u64::from(at & (2 * half) != 0))),
    };
    Family { parts, whole }
}

/// By unit.
static FAMILIES: std::sync::LazyLock<Vec<Family>> =
    std::sync::LazyLock::new(|| (0..UNITS).map(family).collect());

impl IrBuilder {
    /// The unit's value out of larger or smaller ones that are known.
    pub(super) fn derived(&mut self, n: usize) -> Option<Val> {
        if !self.has_parts && !state::is_part(n) {
            return None;
        }
        self.has_parts = true;
        self.taken(n).or_else(|| self.composed(n))
    }

    fn taken(&mut self, n: usize) -> Option<Val> {
        let (whole, half) = FAMILIES[n].whole?;
        let w = state::unit(n).1;
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
        let parts = FAMILIES[n].parts?;
        let mut known = [NONE; 2];
        for (v, part) in known.iter_mut().zip(parts) {
            *v = match self.cur.wide[part] {
                NONE => self.composed(part)?,
                v => v,
            };
        }
        let w = state::unit(n).1 / 2;
        Some(self.op2(Op::VZip1, w, known[0], known[1]))
    }

    /// Unit `n` is set: what shares its bits is not known any more.
    pub(super) fn forget_overlapping(&mut self, n: usize) {
        let slot = state::unit(n).0 / 16;
        let first = |w: u8, per: usize| {
            let at = usize::from(state::part(w, 0));
            let end = if w == 64 {
                usize::from(state::part(32, 0))
            } else {
                UNITS
            };
            (at + per * slot..at + per * (slot + 1)).filter(move |&u| u < end)
        };
        let others = first(64, 2)
            .chain(first(32, 4))
            .chain(std::iter::once(slot));
        for u in others {
            if state::overlap(u, n) {
                self.cur.wide[u] = NONE;
            }
        }
        debug_assert!(slot < WIDE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::state::{State, part};

    fn builder() -> IrBuilder {
        let mut b = IrBuilder::new(true);
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
        let mut st = State::new();
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
