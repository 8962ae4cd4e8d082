//! What the library keeps of a 680x0 processor and has no ids for, the floating-point unit: fields of QEMU's
//! `CPUM68KState`.
//!
//! The copy that the library makes of a processor's state (`uc_context`) has them behind a head of its own.
//! Where, is found by registers that do have ids ([`find`]); a library that lays it out in another way is refused.
//! The other way, to have a few instructions move the registers to memory, would need a page of the guest's own
//! and could not be gone within a hook.

use crate::unicorn::engine::Engine;
use crate::unicorn::guest::UcReg;

use super::unicorn::{A0, D0, PC};

// Offsets in CPUM68KState of Unicorn 2 (qemu/target/m68k/cpu.h). D0 to D7 and A0 to A7 come first, the pc and the
// status behind them.
const AT_PC: usize = 64;
/// How the flags follow from the numbers behind it, which are X, N, V, C and Z if that is [`FLAGS_AS_THEY_ARE`].
const AT_CC_OP: usize = 88;
const FLAGS_AS_THEY_ARE: u32 = 1;
/// `floatx80`s: eight bytes of fraction, two of sign and exponent.
const AT_FP: usize = 112;
const FP_SIZE: usize = 16;
/// Of the eight registers, and of the result that conditions are about.
const AT_FPCR: usize = AT_FP + 9 * FP_SIZE;
const AT_FPSR: usize = AT_FPCR + 4;
/// `fp_status`: how tiny results are found, how to round, flags, the precision.
const AT_ROUNDING: usize = AT_FPSR + 4 + 1;
const AT_PRECISION: usize = AT_ROUNDING + 2;
const END: usize = AT_PRECISION + 1;

/// The state in a copy of it.
pub struct State<'a>(&'a mut [u8]);

impl<'a> State<'a> {
    /// `bytes` is the library's copy, in which the state begins at `start`.
    pub fn new(bytes: &'a mut [u8], start: usize) -> Self {
        Self(&mut bytes[start..])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    fn set_word(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    /// Without the library's noticing: who writes its register for the pc within a hook has the run's next stop take the
    /// pc to be exact (`skip_sync_pc_on_exit`), which it is not between blocks that are chained.
    pub fn move_pc(&mut self, by: u32) {
        self.set_word(AT_PC, self.word(AT_PC).wrapping_add(by));
    }

    /// X, N, Z, V and C as the status register has them (`COMPUTE_CCR`). The library's own way to read that register
    /// changes what instructions find in it.
    pub fn flags(&self) -> u32 {
        let [op, x, n, v, c, z] = [0, 4, 8, 12, 16, 20].map(|part| self.word(AT_CC_OP + part));
        // Of a byte, a short or a long number.
        let extended = |value: u32, first: u32| match op - first {
            0 => value as i8 as u32,
            1 => value as i16 as u32,
            _ => value,
        };
        let [n, z, v, c] = match op {
            // A sum and its second number.
            2..=4 => {
                let first = extended(n.wrapping_sub(v), 2);
                [n, n, (n ^ first) & !(first ^ v), x]
            }
            // A difference and what was taken away.
            5..=7 => {
                let first = extended(n.wrapping_add(v), 5);
                [n, n, (n ^ first) & (first ^ v), x]
            }
            // Two numbers that were compared.
            8..=10 => {
                let result = extended(n.wrapping_sub(v), 8);
                [result, result, (result ^ n) & (n ^ v), u32::from(n < v)]
            }
            11 => [n, n, 0, 0],
            _ => [n, z, v, c],
        };
        (x & 1) << 4 | n >> 31 << 3 | u32::from(z == 0) << 2 | v >> 31 << 1 | c & 1
    }

    pub fn set_flags(&mut self, flags: u32) {
        let bit = |at: u32| flags >> at & 1;
        let numbers = [
            FLAGS_AS_THEY_ARE,
            bit(4),
            bit(3) << 31,
            bit(1) << 31,
            bit(0),
            1 - bit(2),
        ];
        for (place, number) in numbers.into_iter().enumerate() {
            self.set_word(AT_CC_OP + place * 4, number);
        }
    }

    /// A floating-point register in the 96 bits that it has in memory: sign and exponent, 16 zeros, the fraction.
    pub fn float(&self, n: u32) -> u128 {
        let at = AT_FP + n as usize * FP_SIZE;
        let [low, high] = [0, 8].map(|part| {
            let bytes = self.0[at + part..].first_chunk();
            u64::from_ne_bytes(*bytes.expect("eight bytes"))
        });
        u128::from(high as u16) << 80 | u128::from(low)
    }

    pub fn set_float(&mut self, n: u32, value: u128) {
        let at = AT_FP + n as usize * FP_SIZE;
        self.0[at..at + 8].copy_from_slice(&(value as u64).to_ne_bytes());
        self.0[at + 8..at + 10].copy_from_slice(&((value >> 80) as u16).to_ne_bytes());
    }

    pub fn control(&self) -> u32 {
        self.word(AT_FPCR)
    }

    /// With what of it the arithmetic looks at (`cpu_m68k_set_fpcr`).
    pub fn set_control(&mut self, value: u32) {
        self.set_word(AT_FPCR, value & 0xffff);
        // To nearest, to zero, down, up: QEMU's numbers are others.
        self.0[AT_ROUNDING] = [0, 3, 1, 2][value as usize >> 4 & 3];
        self.0[AT_PRECISION] = [80, 32, 64, 80][value as usize >> 6 & 3];
    }

    pub fn status(&self) -> u32 {
        self.word(AT_FPSR)
    }

    pub fn set_status(&mut self, value: u32) {
        self.set_word(AT_FPSR, value);
    }
}

/// Where the state begins in a copy.
///
/// # Errors
/// The library lays it out in another way.
pub fn find(engine: Engine<'_>) -> Result<usize, String> {
    const MARK: u32 = 0x0b64_9d38;
    // Written before a program's registers are: all of them are set afterwards.
    let marked = || {
        let general = (0..8).flat_map(|n| [D0 + n, A0 + n]);
        general.chain([PC]).map(UcReg::bits32)
    };
    for (n, reg) in marked().enumerate() {
        engine.write(reg, (MARK + n as u32).into());
    }
    let found = engine.with_state(|bytes| (start(bytes, MARK), false));
    for reg in marked() {
        engine.write(reg, 0);
    }
    found?
        .ok_or_else(|| "unicorn: its record of a 680x0 processor is not that of version 2.1".into())
}

fn start(bytes: &mut [u8], mark: u32) -> Option<usize> {
    let first = mark.to_ne_bytes();
    let start = bytes.windows(4).position(|window| window == first)?;
    if bytes.len() - start < END {
        return None;
    }
    let state = State::new(bytes, start);
    let general = (0..8).all(|n| {
        let [data, address] = [state.word(n * 4), state.word(32 + n * 4)];
        (data, address) == (mark + 2 * n as u32, mark + 2 * n as u32 + 1)
    }) && state.word(AT_PC) == mark + 16;
    // Nothing has been computed yet.
    let idle = state.control() == 0 && state.status() == 0;
    (general && idle).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_results() {
        let of = |numbers: [u32; 6]| {
            let mut bytes = [0; END];
            let mut state = State::new(&mut bytes, 0);
            for (place, number) in numbers.into_iter().enumerate() {
                state.set_word(AT_CC_OP + place * 4, number);
            }
            state.flags()
        };
        // X 16, N 8, Z 4, V 2, C 1 ("M68000 Family Programmer's Reference Manual", table 3-18).
        assert_eq!(of([10, 0, 1, 1, 0, 0]), 4); // cmp.l of equal numbers
        assert_eq!(of([10, 0, 1, 2, 0, 0]), 9); // cmp.l: 1 - 2
        assert_eq!(of([8, 0, 0xffff_ff80, 1, 0, 0]), 2); // cmp.b: -128 - 1
        assert_eq!(of([4, 0, 0x8000_0000, 1, 0, 0]), 10); // add.l: 0x7fffffff + 1
        assert_eq!(of([2, 1, 0, 0xffff_ffff, 0, 0]), 21); // add.b: 1 + -1
        assert_eq!(of([7, 1, 0xffff_ffff, 1, 0, 0]), 25); // sub.l: 0 - 1
        assert_eq!(of([11, 1, 0, 0, 0, 0]), 20); // a logical zero leaves X
        for flags in 0..32 {
            let mut bytes = [0; END];
            let mut state = State::new(&mut bytes, 0);
            state.set_flags(flags);
            assert_eq!(state.flags(), flags);
        }
    }
}
