//! What Linux makes of 680x0. `arch/m68k` of the kernel is the reference.

mod convention;
mod frame;
pub mod registers;
pub mod trap;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

const ABI: GuestAbi = GuestAbi {
    align: 2,
    ..GuestAbi::of(32, true)
};

/// 680x0's Linux; there are no variants of it.
pub struct M68kLinux;

impl LinuxAbi for M68kLinux {
    fn name(&self) -> &'static str {
        "m68k"
    }

    fn abi(&self) -> GuestAbi {
        ABI
    }

    fn facts(&self) -> &'static Facts {
        &convention::FACTS
    }

    /// gdb has no `have_nonsteppable_watchpoint` for it.
    fn watches_behind(&self) -> bool {
        true
    }

    #[inline]
    fn set_result(&self, regs: &mut dyn Regs, result: i64, _second: Option<u64>) {
        regs.set(registers::D0, result as u64);
    }

    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(convention::CALL_SIZE)
    }

    fn trampoline(&self) -> Vec<u8> {
        convention::trampoline()
    }

    fn push_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        top: u64,
        context: &FrameContext<'_>,
    ) -> Result<(), Efault> {
        frame::push(core, space, top, context)
    }

    fn frame_mask(&self, rt: bool) -> u64 {
        frame::mask_at(rt)[0]
    }

    fn frame_mask_rest(&self, rt: bool) -> Option<u64> {
        Some(frame::mask_at(rt)[1])
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        rt: bool,
    ) -> Result<Restored, Efault> {
        frame::pop(core, space, rt)
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, _space: &AddressSpace) -> FaultInfo {
        trap::fault(exit, core)
    }
}
