//! What Linux makes of AArch64. `arch/arm64` of the kernel is the reference.

mod convention;
mod emulate;
mod frame;
mod mte;
mod pauth;
pub mod random;
pub mod registers;
mod trap;
mod vector;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi, OwnCall};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault, PROT_BTI, PROT_MTE};
use crate::vdso;

pub use emulate::emulate;

/// AArch64's Linux in one byte order of data; code is little-endian always.
pub struct AArch64Linux {
    pub name: &'static str,
    pub big_endian: bool,
}

impl LinuxAbi for AArch64Linux {
    fn name(&self) -> &'static str {
        self.name
    }

    fn abi(&self) -> GuestAbi {
        GuestAbi::of(64, self.big_endian)
    }

    fn facts(&self) -> &'static Facts {
        &convention::FACTS
    }

    fn compat_machine(&self) -> Option<&'static [u8]> {
        // arch/arm64/include/asm/compat.h
        Some(if self.big_endian {
            b"armv8b"
        } else {
            b"armv8l"
        })
    }

    #[inline]
    fn set_result(&self, regs: &mut dyn Regs, result: i64, _second: Option<u64>) {
        regs.set(registers::X0, result as u64);
    }

    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(4)
    }

    fn begin(
        &self,
        regs: &mut dyn Regs,
        random: &mut dyn FnMut() -> Result<[u8; 16], i32>,
        seeded: bool,
    ) -> Result<(), i32> {
        for n in 0..pauth::KEYS {
            regs.set_wide(registers::KEYS + n, u128::from_le_bytes(random()?));
        }
        if seeded {
            let [seed, ..] = random()?.map(u64::from);
            regs.set(registers::SEED, seed << 1 | 1);
        }
        Ok(())
    }

    fn own_call(
        &self,
        call: OwnCall,
        args: &[u64],
        core: &mut dyn CpuCore,
        _space: &AddressSpace,
    ) -> Result<u64, i32> {
        match call {
            OwnCall::PacResetKeys => pauth::reset_keys(args, core),
            OwnCall::PacSetKeys => pauth::set_enabled(args, core),
            OwnCall::PacGetKeys => pauth::enabled(args, core),
            OwnCall::SveSetLength => vector::set_length(args, core),
            OwnCall::SveGetLength => vector::length(core),
            OwnCall::SetTagChecks => mte::set_checks(args, core),
            OwnCall::GetTagChecks => Ok(mte::checks(core)),
            _ => Err(libc::ENOSYS),
        }
    }

    fn kept(&self, core: &mut dyn CpuCore) -> u64 {
        core.get(registers::LENGTH_CONTROL)
    }

    fn take_kept(&self, core: &mut dyn CpuCore, kept: u64) {
        vector::take_kept(core, kept);
    }

    fn frame_room(&self, features: &[String]) -> u64 {
        vector::room(features)
    }

    fn own_protections(&self, features: &[String]) -> i32 {
        // system_supports_bti(), system_supports_mte().
        let has = |name: &str| features.iter().any(|f| f == name);
        let known = [("bti", PROT_BTI), ("mte", PROT_MTE)];
        let known = known.into_iter().filter(|(name, _)| has(name));
        known.map(|(_, bit)| bit).sum()
    }

    fn trampoline(&self) -> Vec<u8> {
        convention::vdso(self.big_endian).to_vec()
    }

    fn clocks(&self) -> Option<(u64, u32)> {
        Some((
            vdso::clocks(convention::vdso(self.big_endian)),
            vdso::CLOCKS,
        ))
    }

    fn push_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        top: u64,
        context: &FrameContext<'_>,
    ) -> Result<(), Efault> {
        frame::push(core, space, top, context, self.abi())
    }

    fn frame_mask(&self, _rt: bool) -> u64 {
        frame::UC_SIGMASK as u64
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        _rt: bool,
    ) -> Result<Restored, Efault> {
        frame::pop(core, space, self.abi())
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, _space: &AddressSpace) -> FaultInfo {
        trap::fault(exit, core)
    }
}
