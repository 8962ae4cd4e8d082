//! Floating-point exceptions of translated code.
//!
//! x86 and Arm agree on results to the bit unless an operation is invalid (a signalling NaN as an operand, or
//! the result is a default NaN, or a conversion does not fit). So translated code
//! runs with the host's invalid-operation exception unmasked and has no checks; what traps is done by a cold path of
//! its translation, or again with the exception masked where the host's answer is right.
//! A program that traps often gets translations with checks instead (`NativeConfig::trap_limit`).
//!
//! The sticky flags are MXCSR's, but for what follows. A flag is set only once: what traps for its sake
//! is masked when it is set, and costs nothing from then on.
//!
//! - Arm finds a result tiny before rounding, x86 after it. They differ where it rounds up to the smallest normal
//!   number. Until underflow has been raised it traps, and so does a probe that halves results which may be that one
//!   (`Gen::float_probed`); a cold path knows.
//! - x86 may raise inexact results, too, when it traps for underflow. So inexact results trap until their flag is
//!   set: then it is known whether it was set before.
//! - Operations under Arm's standard modes (`float::STANDARD`: Advanced SIMD of AArch32) flush denormal numbers among
//!   others that do not. In a thread that has such operations denormal operands and tiny results trap always,
//!   of whatever operation, and a cold path knows; that the result is a NaN is checked.
//! - NaNs of before IEEE 754-2008 ([`float::LEGACY_NAN`]) have the host's bit for quiet and signalling ones the other way round. All that
//!   traps goes on in a cold path, and the flag is taken back; what comes out as a NaN without a trap had an operand that is a
//!   signalling one, and is looked for behind each operation.
//! - Under flush-to-zero denormal operands trap until they have their flag; from then on the host flushes them. For
//!   a tiny result Arm raises underflow alone, x86 also an inexact result: it traps until both are set, and from then on
//!   the host flushes it.

use super::{NativeCore, WANT_ATTENTION};
use crate::cache::FloatTrap;
use crate::host::{Answer, Cpu, MaskedStub};
use crate::ir::float::{self, INVALID_MASKED};

/// In a translation's mode: invalid operations trap. Guests' modes are in the low half, those of
/// floating point ([`float::MODES`]) above them.
pub(super) const MODE_TRAPS: u32 = 1 << 31;
/// In a translation's mode: denormal numbers are flushed, by the host or by what traps.
pub(super) const MODE_HOST_FLUSH: u32 = 1 << 30;
/// In a translation's mode: regions have probes too.
pub(super) const MODE_PROBES: u32 = 1 << 28;

/// In a translation's mode: accesses take the tag off their addresses, instead of faulting and being interpreted.
pub(super) const MODE_TAGS: u32 = 1 << 27;
/// In a translation's mode: it counts guest instructions.
pub(super) const MODE_COUNT: u32 = 1 << 26;
/// In a translation's mode: it comes back behind each block.
pub(super) const MODE_BLOCKS: u32 = 1 << 24;

impl NativeCore {
    /// What selects translations now: the guest's mode, and whether invalid operations trap.
    pub(super) fn translation_mode(&self) -> u32 {
        let st = self.st_ref();
        let traps = if self.traps { MODE_TRAPS } else { 0 };
        let flush = if self.host_flush { MODE_HOST_FLUSH } else { 0 };
        let probes = if self.traps && st.exact_status != 0 {
            MODE_PROBES
        } else {
            0
        };
        let tags = if self.tagged >= self.common.config.tag_limit {
            MODE_TAGS
        } else {
            0
        };
        let count = if self.counting { MODE_COUNT } else { 0 };
        let blocks = if self.blocks.is_some() {
            MODE_BLOCKS
        } else {
            0
        };
        let asked = probes | tags | count | blocks;
        self.common.guest_mode(st) | st.fpext & float::MODES | traps | flush | asked
    }

    /// A floating-point instruction trapped: carries it out and goes on.
    pub(super) fn float_trap(&mut self) -> Answer {
        let at = self.cpu_ref().fault().pc;
        let gate = super::gate::inside();
        let trap = self.common.cache.float_trap(self.generation.id, at);
        drop(gate);
        let Some(trap) = trap else {
            panic!("native core: a floating-point trap at {at:#x} outside of translated code");
        };
        self.float_traps = self.float_traps.saturating_add(1);
        if self.float_traps == self.common.config.trap_limit {
            // Not before the code that has no checks is left.
            self.shared.kick(WANT_ATTENTION);
        }
        let raised = self.take_flags();
        let to = match trap {
            // The host flushes it now.
            _ if raised & float::DENORMAL != 0 && self.host_flush => at,
            FloatTrap::Cold(to) => to,
            FloatTrap::Masked(_) if raised & float::INEXACT != 0 => {
                self.st().fpenv |= float::INEXACT;
                at
            }
            FloatTrap::Masked(len) => {
                self.cpu().back_to(at + len);
                // SAFETY: the cache says that an instruction of this length is there.
                let insn = unsafe { std::slice::from_raw_parts(at as *const u8, len) };
                let masks = if self.st_ref().fpext & float::STANDARD_USED != 0 {
                    INVALID_MASKED | float::DENORMAL_MASKED
                } else {
                    INVALID_MASKED
                };
                self.masked.fill(insn, masks)
            }
        };
        self.cpu().resume_at(to);
        let cpu: *mut _ = self.cpu();
        // SAFETY: translated code left by a fault a moment ago, and nothing has changed since.
        unsafe { self.generation.arena.resume(cpu) }
    }

    /// Takes back the flags that the instruction which trapped has raised for the first time, and says which. A denormal
    /// number that is to be flushed has its flag at once, and the host flushes it when the instruction runs again.
    fn take_flags(&mut self) -> u32 {
        const TRAPPING: [(u32, u32); 3] = [
            (float::DENORMAL_MASKED, float::DENORMAL),
            (float::UNDERFLOW_MASKED, float::UNDERFLOW),
            (float::INEXACT_MASKED, float::INEXACT),
        ];
        let loaded = self.cpu_ref().loaded_env();
        let st = self.st();
        let mut raised = 0;
        // What the host finds invalid need not be so to the guest: the cold path says.
        let legacy = st.fpext & float::LEGACY_NAN != 0;
        let invalid = legacy.then_some((float::INVALID_MASKED, float::INVALID));
        for (mask, flag) in TRAPPING.into_iter().chain(invalid) {
            if loaded & mask == 0 {
                raised |= st.fpenv & !loaded & flag;
            }
        }
        st.fpenv &= !raised;
        if raised & float::DENORMAL != 0 && st.fpext & float::FLUSH != 0 {
            st.fpext |= float::INPUT_DENORMAL;
            self.set_toggles();
        }
        raised
    }

    /// What traps and when: see above.
    fn set_toggles(&mut self) {
        use float::{
            DENORMAL_MASKED, HOST_FLUSH_INPUTS, HOST_FLUSH_RESULTS, INEXACT_MASKED,
            UNDERFLOW_MASKED,
        };
        const BOTH: u32 = UNDERFLOW_MASKED | INEXACT_MASKED;
        let st = self.st();
        // By the flags that are set: none, underflow, inexact, both.
        let by_flags = if st.fpext & float::FLUSH != 0 {
            let inputs = if st.fpext & float::INPUT_DENORMAL == 0 {
                DENORMAL_MASKED
            } else {
                HOST_FLUSH_INPUTS
            };
            [BOTH, BOTH, UNDERFLOW_MASKED, HOST_FLUSH_RESULTS].map(|t| t | inputs)
        } else if st.fpext & float::STANDARD_USED != 0 {
            [BOTH, BOTH, UNDERFLOW_MASKED, UNDERFLOW_MASKED]
                .map(|t| t | INVALID_MASKED | DENORMAL_MASKED)
        } else {
            [BOTH, INEXACT_MASKED, UNDERFLOW_MASKED, 0].map(|t| t | INVALID_MASKED)
        };
        self.cpu().set_toggles(by_flags);
    }

    /// Outside of translated code: changes to translations with checks if traps were many, and as long as a mode makes
    /// results differ that are not invalid.
    pub(super) fn settle_traps(&mut self) {
        let config = &self.common.config;
        let on = config.options.traps && self.float_traps < config.trap_limit;
        let modes = self.st_ref().fpext & float::MODES;
        self.host_flush = on && modes & float::FLUSH != 0;
        self.traps = on && modes & (float::FLUSH | float::DEFAULT_NAN) == 0;
        self.set_toggles();
    }
}
