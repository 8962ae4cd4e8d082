//! What the cores and the kernel's side have to know of single instructions ("M68000 Family Programmer's Reference
//! Manual").

/// TRAPV, and TRAPcc without and with a number that nobody looks at.
const TRAPV: u16 = 0x4e76;

/// How long the extension words of an effective address are, in bytes; `immediate`: those of a number. `word` gives the
/// word so many bytes behind the first extension word.
fn extension(ea: u16, immediate: u64, word: impl Fn(u64) -> u16) -> u64 {
    match (ea >> 3 & 7, ea & 7) {
        (5, _) | (7, 0 | 2) => 2,
        (6, _) | (7, 3) => indexed(word(0)),
        (7, 1) => 4,
        (7, 4) => immediate,
        _ => 0,
    }
}

/// The brief form of an index, or the full one with a base and an outer displacement.
fn indexed(first: u16) -> u64 {
    if first & 0x100 == 0 {
        return 2;
    }
    let size = |bits: u16| match bits & 3 {
        2 => 2,
        3 => 4,
        _ => 0,
    };
    2 + size(first >> 4) + size(first)
}

/// How long the division or CHK is that has trapped, whose words `word` gives by their places in bytes.
pub fn length(word: impl Fn(u64) -> u16) -> u64 {
    let first = word(0);
    let (words, immediate) = match first & 0xffc0 {
        // DIVU.L, DIVS.L
        0x4c40 => (4, 4),
        // CHK2 and CMP2 of any size
        op if op & 0xf9c0 == 0x00c0 => (4, 0),
        // CHK.L
        op if op & 0xf1c0 == 0x4100 => (2, 4),
        _ => (2, 2),
    };
    words + extension(first, immediate, |at| word(words + at))
}

/// What a trap that depends on flags does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    pub length: u64,
    pub taken: bool,
}

/// TRAPV or TRAPcc with these flags. None: it is another instruction.
pub fn trap(first: u16, flags: u64) -> Option<Trap> {
    if first == TRAPV {
        let taken = flags & 2 != 0;
        return Some(Trap { length: 2, taken });
    }
    let length = match first & 0xf0ff {
        0x50fa => 4,
        0x50fb => 6,
        0x50fc => 2,
        _ => return None,
    };
    let taken = holds(first >> 8 & 15, flags);
    Some(Trap { length, taken })
}

/// Whether a condition holds (section 3, table 3-19).
fn holds(condition: u16, flags: u64) -> bool {
    let [c, v, z, n] = [1, 2, 4, 8].map(|bit| flags & bit != 0);
    let base = match condition >> 1 {
        0 => true,
        1 => !c && !z,
        2 => !c,
        3 => !z,
        4 => !v,
        5 => !n,
        6 => n == v,
        _ => n == v && !z,
    };
    base == (condition & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        // By m68k-linux-gnu-as.
        let of = |words: &[u16]| length(|at| words[at as usize / 2]);
        assert_eq!(of(&[0x80c1]), 2); // divu.w %d1, %d0
        assert_eq!(of(&[0x81fc, 0]), 4); // divs.w #0, %d0
        assert_eq!(of(&[0x4c40, 0x1801]), 4); // divsl.l %d0, %d1
        assert_eq!(of(&[0x4c7c, 0x0801, 0, 0]), 8); // divs.l #0, %d0
        assert_eq!(of(&[0x4c68, 0x1801, 8]), 6); // divs.l 8(%a0), %d1
        assert_eq!(of(&[0x41bc, 1]), 4); // chk.w #1, %d0
        assert_eq!(of(&[0x4139, 0, 0]), 6); // chk.l 0.l, %d0
        assert_eq!(of(&[0x80f0, 0x1800]), 4); // divu.w (%a0, %d1.l), %d0
        assert_eq!(of(&[0x80f0, 0x1933, 0, 1, 0, 2]), 12); // divu.w ([1, %a0, %d1], 2), %d0
    }

    #[test]
    fn traps() {
        assert_eq!(trap(0x4e76, 0).map(|t| t.taken), Some(false));
        assert_eq!(trap(0x4e76, 2).map(|t| t.taken), Some(true));
        let always = Trap {
            length: 2,
            taken: true,
        };
        assert_eq!(trap(0x50fc, 0), Some(always)); // trapt
        assert_eq!(
            trap(0x51fb, 0).map(|t| (t.length, t.taken)),
            Some((6, false))
        ); // trapf.l #0
        assert_eq!(
            trap(0x57fa, 4).map(|t| (t.length, t.taken)),
            Some((4, true))
        ); // trapeq.w #0
        assert_eq!(trap(0x5dfc, 8).map(|t| t.taken), Some(true)); // traplt, N
        assert_eq!(trap(0x5dfc, 10).map(|t| t.taken), Some(false)); // traplt, N and V
        assert_eq!(trap(0x4afc, 0), None); // illegal
    }
}
