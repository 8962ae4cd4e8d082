//! How many registers a guest has, and how they share bits.

/// What is in the register area of a [`super::state::State`]. A guest has one, whatever its mode.
///
/// Wide registers consist of *pieces* of 128 bits, which is what a value of the intermediate representation has: a guest
/// with vectors of 256 bits has two in each. Pieces, and the halves and quarters of pieces that are registers
/// of their own (Arm's D and S registers share bits with Q registers), are the *units* that `GetX` and `SetX` number:
/// first all pieces, slot by slot, then the halves, then the quarters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// General slots, of 64 bits.
    pub general: u16,
    /// Wide slots.
    pub wide: u16,
    /// Pieces of each wide slot.
    pub pieces: u16,
    /// How many pieces, from the first one on, can be addressed by halves of 64 bits, and by quarters of 32.
    pub halved: u16,
    pub quartered: u16,
}

impl Layout {
    /// Of wide slots of 128 bits that are only used as a whole.
    #[must_use]
    pub const fn new(general: u16, wide: u16) -> Self {
        Self {
            general,
            wide,
            pieces: 1,
            halved: 0,
            quartered: 0,
        }
    }

    /// All pieces.
    #[must_use]
    pub const fn wholes(self) -> usize {
        self.wide as usize * self.pieces as usize
    }

    #[must_use]
    pub const fn units(self) -> usize {
        self.wholes() + 2 * self.halved as usize + 4 * self.quartered as usize
    }

    /// The unit that is piece `piece` of wide slot `slot`.
    #[must_use]
    pub const fn piece(self, slot: u16, piece: u16) -> u16 {
        assert!(slot < self.wide && piece < self.pieces);
        slot * self.pieces + piece
    }

    /// The unit that is the `n`-th half (64 bits) or quarter (32) of the pieces, counted over all of them.
    #[must_use]
    pub const fn part(self, w: u8, n: u16) -> u16 {
        let wholes = self.wholes() as u16;
        if w == 64 {
            assert!(n < 2 * self.halved);
            wholes + n
        } else {
            assert!(n < 4 * self.quartered);
            wholes + 2 * self.halved + n
        }
    }

    /// Where a unit lies: the offset in bytes from the first wide slot's start, and its width in bits.
    #[must_use]
    pub const fn unit(self, n: usize) -> (usize, u8) {
        let halves = self.wholes();
        let quarters = halves + 2 * self.halved as usize;
        if n < halves {
            (16 * n, 128)
        } else if n < quarters {
            (8 * (n - halves), 64)
        } else {
            (4 * (n - quarters), 32)
        }
    }

    /// The unit is part of a piece.
    #[must_use]
    pub const fn is_part(self, n: usize) -> bool {
        n >= self.wholes()
    }

    /// Two units share bits.
    #[must_use]
    pub const fn overlap(self, a: usize, b: usize) -> bool {
        let ((x, w), (y, v)) = (self.unit(a), self.unit(b));
        x < y + v as usize / 8 && y < x + w as usize / 8
    }

    /// The two units that unit `n` consists of.
    #[must_use]
    pub const fn halves_of(self, n: usize) -> Option<[usize; 2]> {
        let (at, w) = self.unit(n);
        let (first, count) = match w {
            128 => (self.wholes(), 2 * self.halved as usize),
            64 => (
                self.wholes() + 2 * self.halved as usize,
                4 * self.quartered as usize,
            ),
            _ => return None,
        };
        let k = at / (w as usize / 16);
        if k + 1 < count {
            Some([first + k, first + k + 1])
        } else {
            None
        }
    }

    /// The unit that unit `n` is the low (0) or high (1) half of.
    #[must_use]
    pub const fn half_of(self, n: usize) -> Option<(usize, u64)> {
        let (at, w) = self.unit(n);
        let first = match w {
            64 => 0,
            32 => self.wholes(),
            _ => return None,
        };
        let k = at / (w as usize / 8);
        if w == 32 && k / 2 >= 2 * self.halved as usize {
            return None;
        }
        Some((first + k / 2, k as u64 & 1))
    }

    /// Where the wide slots begin in the register area, in bytes. The general ones come first.
    #[must_use]
    pub const fn wide_offset(self) -> usize {
        (8 * self.general as usize).next_multiple_of(64)
    }

    /// The register area's size in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        (self.wide_offset() + 16 * self.wholes()).next_multiple_of(64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: Layout = Layout {
        halved: 16,
        quartered: 8,
        ..Layout::new(23, 16)
    };
    /// As of a vector extension with 256 bits.
    const LONG: Layout = Layout {
        pieces: 2,
        ..Layout::new(16, 32)
    };

    #[test]
    fn parts_and_what_they_are_parts_of() {
        for n in 0..PARTS.units() {
            let Some(halves) = PARTS.halves_of(n) else {
                continue;
            };
            let (at, w) = PARTS.unit(n);
            for (k, half) in halves.into_iter().enumerate() {
                let step = usize::from(w / 16);
                assert_eq!(PARTS.unit(half), (at + k * step, w / 2));
                assert_eq!(PARTS.half_of(half), Some((n, k as u64)));
                assert!(PARTS.overlap(n, half));
            }
            assert!(!PARTS.overlap(halves[0], halves[1]));
        }
        let quarters = (0..PARTS.units()).filter(|&n| PARTS.unit(n).1 == 32);
        assert_eq!(quarters.count(), 32);
        assert_eq!(PARTS.unit(usize::from(PARTS.part(32, 13))), (52, 32));
        assert_eq!(PARTS.halves_of(usize::from(PARTS.part(64, 16))), None);
    }

    #[test]
    fn pieces_of_long_vectors() {
        assert_eq!(LONG.wholes(), 64);
        assert_eq!(LONG.unit(usize::from(LONG.piece(3, 1))), (3 * 32 + 16, 128));
        assert_eq!(LONG.wide_offset(), 128);
        assert_eq!(LONG.size(), 128 + 32 * 32);
        assert!(!LONG.overlap(6, 7));
    }
}
