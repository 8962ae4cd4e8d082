//! What the library keeps of a PowerPC processor and has no ids for: fields of QEMU's `CPUPPCState`.
//!
//! The copy that the library makes of a processor's state (`uc_context`) has them behind a head of its own.
//! Where, is found by registers that do have ids ([`find`]); a library that lays it out in another way is refused.

use crate::unicorn::engine::Engine;
use crate::unicorn::guest::UcReg;

use super::unicorn::{CTR, F0, FPSCR, LR, R0};

// Offsets in CPUPPCState of Unicorn 2 (qemu/target/ppc/cpu.h). General registers come first.
const AT_LR: usize = 0x100;
const AT_CTR: usize = 0x104;
/// XER without the bits that have fields of their own behind it: SO, OV, CA.
const AT_XER: usize = 0x128;
const AT_SO: usize = 0x12c;
const AT_OV: usize = 0x130;
const AT_CA: usize = 0x134;
/// The address that LWARX reserved; all ones: none.
const AT_RESERVE: usize = 0x140;
/// VRSAVE, which is the special-purpose register 256.
const AT_VRSAVE: usize = 0x6b8;
const AT_VSCR: usize = 0x1_12b8;
/// The vector-scalar registers: f0 to f31 in the first 32, v0 to v31 behind them.
const AT_VSR: usize = 0x1_12c0;
const AT_VR: usize = AT_VSR + 32 * 16;
/// The vector that is not 0 when VSCR.SAT is set.
const AT_SATURATED: usize = 0x1_16c0;
/// `flush_to_zero` of `vec_status`, which follows VSCR.NJ.
const AT_FLUSH: usize = 0x1_16e0;
const AT_FPSCR: usize = 0x1_16ec;
/// What a program exception is about.
const AT_ERROR: usize = 0x1_1730;
const END: usize = 0x1_1734;

// XER (Programming Environments Manual, "XER Register").
const XER_SO: u32 = 1 << 31;
const XER_OV: u32 = 1 << 30;
const XER_CA: u32 = 1 << 29;
/// VSCR's two bits: the mode without denormals, and that some result was saturated.
const VSCR_NJ: u32 = 1 << 16;
const VSCR_SAT: u32 = 1;

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

    fn wide(&self, at: usize) -> u128 {
        u128::from_ne_bytes(self.0[at..at + 16].try_into().expect("sixteen bytes"))
    }

    pub fn xer(&self) -> u32 {
        let bit = |at, mask| if self.word(at) != 0 { mask } else { 0 };
        self.word(AT_XER) | bit(AT_SO, XER_SO) | bit(AT_OV, XER_OV) | bit(AT_CA, XER_CA)
    }

    pub fn set_xer(&mut self, xer: u32) {
        self.set_word(AT_XER, xer & !(XER_SO | XER_OV | XER_CA));
        for (at, mask) in [(AT_SO, XER_SO), (AT_OV, XER_OV), (AT_CA, XER_CA)] {
            self.set_word(at, u32::from(xer & mask != 0));
        }
    }

    /// Forgets what LWARX reserved. True: there was a reservation.
    pub fn forget_reservation(&mut self) -> bool {
        let reserved = self.word(AT_RESERVE) != u32::MAX;
        self.set_word(AT_RESERVE, u32::MAX);
        reserved
    }

    pub fn vrsave(&self) -> u32 {
        self.word(AT_VRSAVE)
    }

    pub fn set_vrsave(&mut self, value: u32) {
        self.set_word(AT_VRSAVE, value);
    }

    pub fn vector(&self, n: u32) -> u128 {
        self.wide(AT_VR + n as usize * 16)
    }

    pub fn set_vector(&mut self, n: u32, value: u128) {
        let at = AT_VR + n as usize * 16;
        self.0[at..at + 16].copy_from_slice(&value.to_ne_bytes());
    }

    pub fn vscr(&self) -> u32 {
        let saturated = self.wide(AT_SATURATED) != 0;
        self.word(AT_VSCR) & VSCR_NJ | if saturated { VSCR_SAT } else { 0 }
    }

    pub fn set_vscr(&mut self, value: u32) {
        self.set_word(AT_VSCR, value & VSCR_NJ);
        self.0[AT_FLUSH] = u8::from(value & VSCR_NJ != 0);
        self.0[AT_SATURATED..AT_SATURATED + 16].fill(0);
        self.0[AT_SATURATED] = (value & VSCR_SAT) as u8;
    }

    /// The code of the last exception (`POWERPC_EXCP_*`).
    pub fn error(&self) -> u32 {
        self.word(AT_ERROR)
    }
}

/// Where the state begins in a copy.
///
/// # Errors
/// The library lays it out in another way.
pub fn find(engine: Engine<'_>) -> Result<usize, String> {
    const MARK: u32 = 0x0b64_9d38;
    // Written before a program's registers are: all of them are set afterwards.
    let marked = (0..32)
        .map(|n| (UcReg::bits32(R0 + n), u64::from(MARK) + n as u64))
        .chain([
            (UcReg::bits32(LR), u64::from(!MARK)),
            (UcReg::bits32(CTR), u64::from(!MARK - 1)),
            (UcReg::bits64(F0), u64::from(MARK) << 32 | 7),
            (UcReg::bits64(F0 + 31), u64::from(MARK) << 32 | 9),
            (UcReg::bits32(FPSCR), 2),
        ]);
    let marked: Vec<_> = marked.collect();
    for (reg, value) in &marked {
        engine.write(*reg, u128::from(*value));
    }
    let found = engine.with_state(|bytes| (start(bytes, MARK), false));
    for (reg, _) in &marked {
        engine.write(*reg, 0);
    }
    found?.ok_or_else(|| {
        "unicorn: its record of a PowerPC processor is not that of version 2.1".into()
    })
}

fn start(bytes: &mut [u8], mark: u32) -> Option<usize> {
    let first = mark.to_ne_bytes();
    let start = bytes.windows(4).position(|window| window == first)?;
    if bytes.len() - start < END {
        return None;
    }
    let state = State::new(bytes, start);
    let general = (0..32).all(|n| state.word(n * 4) == mark + n as u32);
    let control = state.word(AT_LR) == !mark && state.word(AT_CTR) == !mark - 1;
    let floating = |n: usize, low: u32| {
        state.wide(AT_VSR + n * 16) >> 64 == u128::from(mark) << 32 | u128::from(low)
    };
    let found = general && control && floating(0, 7) && floating(31, 9);
    (found && state.word(AT_FPSCR) == 2).then_some(start)
}
