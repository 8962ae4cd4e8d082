//! Random instructions and register contents.

use super::{DATA, DATA_LEN, READ_ONLY};
use crate::aarch64::table::Encoding;
use crate::tests::fuzz::Rng;
use crate::tests::rig::RegFile;

impl Rng {
    /// A general register: edge cases more often than not.
    pub fn operand(&mut self) -> u64 {
        const EDGES: [u64; 22] = [
            0,
            1,
            2,
            7,
            15,
            31,
            32,
            33,
            63,
            64,
            127,
            128,
            255,
            0x7fff,
            0x8000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            i64::MAX as u64,
            1 << 63,
            u64::MAX,
            0xff80_0000_0000_0000,
        ];
        match self.below(4) {
            0 => self.pick(&EDGES),
            1 => self.next(),
            2 => self.next() >> self.below(64),
            _ => self.address(),
        }
    }

    /// An address in or at the edges of the data.
    pub fn address(&mut self) -> u64 {
        match self.below(8) {
            // Around a page boundary, where nothing, or read-only memory, follows now and then.
            0 => {
                let page = DATA + 0x1000 * self.below(DATA_LEN / 0x1000 + 1);
                page.wrapping_add(self.below(64)).wrapping_sub(32)
            }
            1 => READ_ONLY + self.below(0x1000),
            2 | 3 => DATA + 0x800 + self.below(0x1000),
            _ => DATA + 0x800 + 16 * self.below(0x100),
        }
    }

    /// Half of a vector register: floating-point edge cases of all sizes.
    pub fn lanes(&mut self) -> u64 {
        // Zeros, one, infinities, NaNs of both kinds with payloads, the ends of the ranges of denormal
        // and of normal numbers, bounds of the integers, halves.
        const HALF: [u16; 16] = [
            0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e01, 0xfe55, 0x7d00, 0xfc01, 0x0001,
            0x03ff, 0x0400, 0x7bff, 0x3bff, 0x3801,
        ];
        const SINGLE: [u32; 24] = [
            0,
            0x8000_0000,
            0x3f80_0000,
            0xbf80_0000,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0001,
            0xffc1_2345,
            0x7f80_0001,
            0xffa0_0000,
            0x0000_0001,
            0x807f_ffff,
            0x0080_0000,
            0x8080_0001,
            0x7f7f_ffff,
            0x4f00_0000,
            0x4eff_ffff,
            0xcf00_0001,
            0x5f00_0000,
            0x3f00_0000,
            0x3f7f_ffff,
            0x3f80_0001,
            0x4b80_0001,
            0x477f_f000,
        ];
        const DOUBLE: [u64; 24] = [
            0,
            1 << 63,
            0x3ff0_0000_0000_0000,
            0xbff0_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_0001,
            0xfff8_1234_0000_0000,
            0x7ff0_0000_0000_0001,
            0xfff4_0000_0000_0000,
            1,
            0x800f_ffff_ffff_ffff,
            0x0010_0000_0000_0000,
            0x8010_0000_0000_0001,
            0x7fef_ffff_ffff_ffff,
            0x41e0_0000_0000_0000,
            0x41df_ffff_ffe0_0000,
            0xc1e0_0000_0010_0000,
            0x43e0_0000_0000_0000,
            0x3fe0_0000_0000_0000,
            0x3fef_ffff_ffff_ffff,
            0x3ff0_0000_0000_0001,
            0x4340_0000_0000_0001,
            // Rounds up to the smallest normal single.
            0x380f_ffff_ffff_ffff,
        ];
        match self.below(6) {
            0 => self.next(),
            1 => u64::from(self.pick(&SINGLE)) << 32 | u64::from(self.pick(&SINGLE)),
            2 => self.pick(&DOUBLE),
            3 => (0..4).fold(0, |v, _| v << 16 | u64::from(self.pick(&HALF))),
            // Numbers of ordinary size.
            4 => (self.below(2000) as f64 / 16.0 - 50.0).to_bits(),
            _ => {
                let mut f = || u64::from((self.below(2000) as f32 / 16.0 - 50.0).to_bits());
                f() << 32 | f()
            }
        }
    }
}

/// By number: x0-x30, sp, pc, nzcv, v0-v31, fpsr, fpcr, tpidr.
pub fn random_regs(r: &mut Rng, fpcr: u64) -> RegFile {
    let mut v: RegFile = (0..31).map(|_| u128::from(r.operand())).collect();
    v.push(u128::from(DATA + 0x1000 + r.below(0x100) * 16));
    v.push(0);
    v.push(u128::from(r.below(16)) << 28);
    for _ in 0..32 {
        v.push(u128::from(r.lanes()) | u128::from(r.lanes()) << 64);
    }
    // Sticky flags that are set stay so: QC and the five of IEEE 754.
    let fpsr = if r.below(8) == 0 {
        r.next() & 0x0800_001f
    } else {
        0
    };
    v.push(u128::from(fpsr));
    v.push(u128::from(fpcr));
    v.push(u128::from(r.next()));
    v
}

/// A rounding mode now and then, or any of flushing to zero, default NaNs, the alternative half format.
pub fn random_fpcr(r: &mut Rng, word: u32) -> u64 {
    let fpcr = match r.below(16) {
        0..=2 => r.below(4) << 22,
        3..=4 => r.next() & 0x07c8_0000,
        _ => 0,
    };
    // FJCVTZS: what was flushed is no integer (FPToFixedJS); QEMU sets Z.
    if word & !0x3ff == 0x1e7e_0000 {
        fpcr & !(1 << 24)
    } else {
        fpcr
    }
}

/// A line of the table as a generator.
pub struct Words<'a> {
    pub line: &'a Encoding,
    /// Bits that select an operation and not its operands.
    opcode: u32,
}

impl<'a> Words<'a> {
    pub fn new(line: &'a Encoding) -> Self {
        let mut opcode = 0u32;
        let letters: Vec<char> = line.pattern.chars().filter(|c| *c != ' ').collect();
        for (n, &c) in letters.iter().enumerate() {
            // Registers, immediates and conditions are runs of four letters and more.
            let run = letters[..n].iter().rev().take_while(|x| **x == c).count()
                + letters[n..].iter().take_while(|x| **x == c).count();
            if !matches!(c, '0' | '1') && (c == 'o' || run < 4) {
                opcode |= 1 << (31 - n);
            }
        }
        Self { line, opcode }
    }

    /// How many opcodes there could be.
    pub fn opcodes(&self) -> u64 {
        1 << self.opcode.count_ones()
    }

    /// A random instruction with opcode `n`.
    pub fn word(&self, r: &mut Rng, n: u64) -> u32 {
        let mut w = (r.next() as u32 & !self.line.mask & !self.opcode) | self.line.value;
        let mut left = self.opcode;
        let mut k = 0;
        while left != 0 {
            w |= ((n >> k & 1) as u32) << left.trailing_zeros();
            left &= left - 1;
            k += 1;
        }
        // The same register twice now and then.
        if r.below(4) == 0 && (self.line.mask | self.opcode) & 0x3ff == 0 {
            w = (w & !0x3e0) | (w & 0x1f) << 5;
        }
        w
    }
}

/// Any instruction of a line.
pub fn random_word(r: &mut Rng, line: &Encoding) -> u32 {
    let words = Words::new(line);
    let n = r.below(words.opcodes());
    words.word(r, n)
}
