//! DSPControl ("MIPS DSP Module", volume IV-e, 3.10), as it is in its slot.

use crate::ir::state::State;
use crate::mips::insn::slot;

/// The bits of each field, in the order of RDDSP's and WRDSP's mask: pos, scount, c, ouflag, ccond, EFI.
pub const FIELDS: [u64; 6] = [0x3f, 0x3f << 7, 1 << 13, 0xff << 16, 0xf << 24, 1 << 14];
/// What a program can set.
pub const ALL: u64 = 0x0fff_7fbf & !(1 << 15) & !(1 << 6);

/// Bits that overflows and saturation set: of additions, products, shifts, extractions; from 16 on of accumulators.
pub const ADDED: u32 = 20;
pub const MULTIPLIED: u32 = 21;
pub const SHIFTED: u32 = 22;
pub const EXTRACTED: u32 = 23;
pub const ACCUMULATED: u32 = 16;
const CARRY: u32 = 13;
const EFI: u32 = 14;
const CCOND: u32 = 24;

pub struct Control<'a>(&'a mut u64);

impl<'a> Control<'a> {
    pub fn of(st: &'a mut State) -> Self {
        Self(&mut st.r_mut()[usize::from(slot::DSP)])
    }
    pub fn set(&mut self, bit: u32) {
        *self.0 |= 1 << bit;
    }
    fn put(&mut self, bit: u32, on: bool) {
        *self.0 = *self.0 & !(1 << bit) | u64::from(on) << bit;
    }
    pub fn carry(&self) -> i64 {
        (*self.0 >> CARRY & 1) as i64
    }
    pub fn set_carry(&mut self, on: bool) {
        self.put(CARRY, on);
    }
    /// An extraction has failed.
    pub fn set_efi(&mut self, on: bool) {
        self.put(EFI, on);
    }
    pub fn pos(&self) -> u32 {
        *self.0 as u32 & 0x3f
    }
    pub fn set_pos(&mut self, pos: u32) {
        *self.0 = *self.0 & !0x3f | u64::from(pos & 0x3f);
    }
    pub fn scount(&self) -> u32 {
        (*self.0 >> 7) as u32 & 0x3f
    }
    /// Condition `n` of a comparison.
    pub fn condition(&self, n: u32) -> bool {
        *self.0 >> (CCOND + n) & 1 != 0
    }
    /// The lowest `count` of them.
    pub fn set_conditions(&mut self, count: u32, bits: u32) {
        let those = ((1u64 << count) - 1) << CCOND;
        *self.0 = *self.0 & !those | u64::from(bits) << CCOND;
    }
    /// A number in `w` bits; `bit` is set if it does not fit.
    pub fn fit(&mut self, v: i64, w: u32, signed: bool, saturates: bool, bit: u32) -> i64 {
        let (least, most) = range(w, signed);
        if (least..=most).contains(&v) {
            return v;
        }
        self.set(bit);
        if saturates { v.clamp(least, most) } else { v }
    }
    /// The doubled product of fractions; of two times -1 the largest one.
    pub fn product(&mut self, a: i64, b: i64, w: u32, bit: u32) -> i64 {
        self.fit(a * b * 2, 2 * w, true, true, bit)
    }
}

/// The least and the largest number of `w` bits.
pub fn range(w: u32, signed: bool) -> (i64, i64) {
    if signed {
        (-1 << (w - 1), (1 << (w - 1)) - 1)
    } else {
        (0, (1 << w) - 1)
    }
}
