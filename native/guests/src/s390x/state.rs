//! What the library keeps of an s390x processor and has no ids for: fields of QEMU's `CPUS390XState`.
//!
//! The copy that the library makes of a processor's state (`uc_context`) has them behind a head of its own.
//! Where, is found by registers that do have ids ([`find`]); a library that lays it out in another way is refused.

use crate::unicorn::engine::Engine;
use crate::unicorn::guest::UcReg;

use super::unicorn::{FPC, PSWA, R0};

// Offsets in CPUS390XState of Unicorn 2 (qemu/target/s390x/cpu.h). General registers come first.
const AT_FPC: usize = 0x2f4;
/// `float_rounding_mode` of `fpu_status`.
const AT_ROUNDING: usize = 0x2fe;
const AT_PSW_ADDRESS: usize = 0x318;
const AT_EX_VALUE: usize = 0x338;
/// The prefix: where the processor has its low core.
const AT_PSA: usize = 0x348;
const AT_PGM_CODE: usize = 0x350;
const AT_PGM_SIZE: usize = 0x354;
const AT_SVC_CODE: usize = 0x358;
const AT_SVC_SIZE: usize = 0x35c;
const END: usize = 0x360;

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

    fn double(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }

    /// The code of the last program interruption, and the length of its instruction.
    pub fn program_interruption(&self) -> (u32, u32) {
        (self.word(AT_PGM_CODE), self.word(AT_PGM_SIZE))
    }

    /// The immediate of the last SUPERVISOR CALL, and its length (that of an EXECUTE whose target it was).
    pub fn supervisor_call(&self) -> (u32, u32) {
        (self.word(AT_SVC_CODE), self.word(AT_SVC_SIZE))
    }

    pub fn set_prefix(&mut self, at: u64) {
        self.0[AT_PSA..AT_PSA + 8].copy_from_slice(&at.to_ne_bytes());
    }

    pub fn move_pc(&mut self, bytes: u32) {
        let pc = self.double(AT_PSW_ADDRESS).wrapping_add(bytes.into());
        self.0[AT_PSW_ADDRESS..AT_PSW_ADDRESS + 8].copy_from_slice(&pc.to_ne_bytes());
    }

    /// Forgets the target of an EXECUTE that is about to be executed. True: there was one.
    pub fn forget_target(&mut self) -> bool {
        let pending = self.double(AT_EX_VALUE) != 0;
        self.0[AT_EX_VALUE..AT_EX_VALUE + 8].fill(0);
        pending
    }

    /// Makes the rounding mode that of a floating-point-control register, as `sfpc` of QEMU's fpu_helper.c.
    pub fn round_as(&mut self, fpc: u32) {
        // softfloat-types.h: nearest even, down, up, to zero, and to odd.
        self.0[AT_ROUNDING] = match fpc & 7 {
            1 => 3,
            2 => 2,
            3 => 1,
            7 => 5,
            _ => 0,
        };
    }
}

/// Where the state begins in a copy.
///
/// # Errors
/// The library lays it out in another way.
pub fn find(engine: Engine<'_>) -> Result<usize, String> {
    const MARK: u64 = 0x7153_c2e1_0b64_9d38;
    let general = |n: u64| UcReg::bits64(R0 + n as i32);
    for n in 0..16 {
        engine.write(general(n), u128::from(MARK + n));
    }
    engine.write(UcReg::bits64(PSWA), u128::from(!MARK));
    engine.write(UcReg::bits32(FPC), 0x00f0_0000);
    let found = engine.with_state(|bytes| (start(bytes, MARK), false));
    for n in 0..16 {
        engine.write(general(n), 0);
    }
    engine.write(UcReg::bits64(PSWA), 0);
    engine.write(UcReg::bits32(FPC), 0);
    found?.ok_or_else(|| {
        "unicorn: its record of an s390x processor is not that of version 2.1".into()
    })
}

fn start(bytes: &mut [u8], mark: u64) -> Option<usize> {
    let first = mark.to_ne_bytes();
    let start = bytes.windows(8).position(|window| window == first)?;
    if bytes.len() - start < END {
        return None;
    }
    let state = State::new(bytes, start);
    let general = (0..16).all(|n| state.double(n * 8) == mark + n as u64);
    let control = state.double(AT_PSW_ADDRESS) == !mark && state.word(AT_FPC) == 0x00f0_0000;
    (general && control).then_some(start)
}
