//! What Linux makes of RISC-V. `arch/riscv` of the kernel is the reference.

mod convention;
mod emulate;
mod frame;
mod registers;
mod trap;
mod vector;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi, OwnCall};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};
use crate::vdso;

pub use emulate::{emulate, ticks};

/// RISC-V's Linux in one word size.
pub struct RiscvLinux {
    pub name: &'static str,
    pub word_bits: u8,
}

impl LinuxAbi for RiscvLinux {
    fn name(&self) -> &'static str {
        self.name
    }

    fn abi(&self) -> GuestAbi {
        GuestAbi::of(self.word_bits, false)
    }

    fn facts(&self) -> &'static Facts {
        &convention::FACTS
    }

    #[inline]
    fn set_result(&self, regs: &mut dyn Regs, result: i64, _second: Option<u64>) {
        regs.set(registers::A0, result as u64);
    }

    /// ECALL has no compressed form.
    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(4)
    }

    fn own_call(
        &self,
        call: OwnCall,
        args: &[u64],
        core: &mut dyn CpuCore,
        _space: &AddressSpace,
    ) -> Result<u64, i32> {
        match call {
            OwnCall::VectorSetControl => vector::set_control(args, core),
            OwnCall::VectorGetControl => vector::control(core),
            _ => Err(libc::ENOSYS),
        }
    }

    fn kept(&self, core: &mut dyn CpuCore) -> u64 {
        vector::kept(core)
    }

    fn take_kept(&self, core: &mut dyn CpuCore, kept: u64) {
        vector::take_kept(core, kept);
    }

    fn trampoline(&self) -> Vec<u8> {
        convention::vdso(self.word_bits).to_vec()
    }

    fn clocks(&self) -> Option<(u64, u32)> {
        Some((vdso::clocks(convention::vdso(self.word_bits)), vdso::CLOCKS))
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

    fn frame_room(&self, features: &[String]) -> u64 {
        vector::room(features, self.abi().word_bytes())
    }

    fn frame_mask(&self, _rt: bool) -> u64 {
        frame::Layout::of(self.abi()).sigmask as u64
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
