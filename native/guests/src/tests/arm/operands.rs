//! Random instructions and register contents.

use super::{DATA, DATA_LEN, READ_ONLY};
use crate::arm::table::Encoding;
use crate::arm::{Kind, features};
use crate::tests::fuzz::Rng;
use crate::tests::rig::RegFile;

impl Rng {
    /// A general register: edge cases more often than not.
    pub fn operand32(&mut self) -> u32 {
        const EDGES: [u32; 20] = [
            0,
            1,
            2,
            7,
            8,
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
            0x7f80_ff01,
        ];
        match self.below(4) {
            0 => self.pick(&EDGES),
            1 => self.next() as u32,
            2 => self.next() as u32 >> self.below(32),
            _ => self.address32(),
        }
    }

    /// An address in or at the edges of the data.
    pub fn address32(&mut self) -> u32 {
        let a = match self.below(8) {
            // Around a page boundary, where nothing, or read-only memory, follows now and then.
            0 => {
                let page = DATA + 0x1000 * self.below(DATA_LEN / 0x1000 + 1);
                page.wrapping_add(self.below(64)).wrapping_sub(32)
            }
            1 => READ_ONLY + self.below(0x1000),
            2 => DATA + 0x800 + self.below(0x1000),
            _ => DATA + 0x800 + 8 * self.below(0x200),
        };
        a as u32
    }
}

/// By number: r0-r15, cpsr, d0-d31, fpscr, tpidruro.
pub fn random_regs(r: &mut Rng) -> RegFile {
    let mut v: RegFile = (0..13).map(|_| u128::from(r.operand32())).collect();
    v.push(u128::from(DATA + 0x1000 + r.below(0x100) * 8));
    v.push(u128::from(r.operand32()));
    v.push(0);
    // Flags, Q, GE.
    v.push(u128::from(r.next() as u32 & 0xf80f_0000 | 0x10));
    for _ in 0..32 {
        v.push(u128::from(r.next()));
    }
    v.push(0);
    v.push(u128::from(r.next() as u32));
    v
}

/// A random instruction of a line. `always`: without a condition.
pub fn word(r: &mut Rng, kind: Kind, line: &Encoding, always: bool) -> u32 {
    let mut w = r.next() as u32 & !line.mask | line.value;
    if kind == Kind::T16 {
        w &= 0xffff;
    }
    // What the encoding has where A32 has its condition.
    if kind == Kind::A32 && line.mask >> 28 == 0 {
        let cond = if always { 14 } else { r.below(15) as u32 };
        w = w & 0x0fff_ffff | cond << 28;
    }
    // The same register twice now and then, and sp and pc less often than chance has it.
    if r.below(4) == 0 && line.mask & 0xf_000f == 0 && kind != Kind::T16 {
        w = w & !0xf | w >> 16 & 0xf;
    }
    w
}

/// All that there is.
pub const ALL: features::Features = features::Features(u128::MAX);
