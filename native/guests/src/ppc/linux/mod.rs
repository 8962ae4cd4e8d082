//! What Linux makes of PowerPC with 32 bits. `arch/powerpc` of the kernel is the reference.

mod convention;
mod emulate;
mod frame;
pub mod registers;
pub mod trap;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Contexts, Facts, LinuxAbi};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

pub use emulate::{emulate, reads_version};

const ABI: GuestAbi = GuestAbi::of(32, true);

/// PowerPC's Linux; there are no variants of it.
pub struct PpcLinux;

impl LinuxAbi for PpcLinux {
    fn name(&self) -> &'static str {
        "ppc"
    }

    fn abi(&self) -> GuestAbi {
        ABI
    }

    fn facts(&self) -> &'static Facts {
        &convention::FACTS
    }

    #[inline]
    fn set_result(&self, regs: &mut dyn Regs, result: i64, _second: Option<u64>) {
        convention::set_result(regs, result);
    }

    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(4)
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
        frame::mask_at(rt)
    }

    fn frame_mask_rest(&self, rt: bool) -> Option<u64> {
        (!rt).then(frame::upper_mask_at)
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        rt: bool,
    ) -> Result<Restored, Efault> {
        frame::pop(core, space, rt)
    }

    fn contexts(&self) -> Option<&dyn Contexts> {
        Some(&frame::UserContexts)
    }

    fn float_exceptions(&self, regs: &mut dyn Regs) -> Option<u32> {
        Some(convention::float_exceptions(regs))
    }

    fn set_float_exceptions(&self, regs: &mut dyn Regs, mode: u64) -> bool {
        convention::set_float_exceptions(regs, mode)
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, _space: &AddressSpace) -> FaultInfo {
        trap::fault(exit, core)
    }
}
