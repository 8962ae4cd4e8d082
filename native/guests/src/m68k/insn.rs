//! What the cores and the kernel's side have to know of single instructions ("M68000 Family Programmer's Reference
//! Manual").

/// TRAPV: it traps if V is set.
pub const TRAPV: u16 = 0x4e76;
pub const OVERFLOW: u64 = 2;

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
}
