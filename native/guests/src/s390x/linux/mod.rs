//! What Linux makes of s390x. `arch/s390` of the kernel is the reference.

mod convention;
mod frame;
pub mod registers;
mod trap;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

const ABI: GuestAbi = GuestAbi::of(64, true);

/// s390x's Linux; there are no variants of it.
pub struct S390xLinux;

impl LinuxAbi for S390xLinux {
    fn name(&self) -> &'static str {
        "s390x"
    }

    fn abi(&self) -> GuestAbi {
        ABI
    }

    fn facts(&self) -> &'static Facts {
        &convention::FACTS
    }

    fn compat_machine(&self) -> Option<&'static [u8]> {
        // arch/s390/include/asm/compat.h
        Some(b"s390")
    }

    fn watches_behind(&self) -> bool {
        // Program-event recording: Principles of Operation, "Storage Alteration" events come when the unit of operation is complete.
        true
    }

    #[inline]
    fn set_result(&self, regs: &mut dyn Regs, result: i64, _second: Option<u64>) {
        regs.set(registers::R2, result as u64);
    }

    fn call_address(&self, regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(regs.get(registers::CALL_SIZE))
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
        frame::mask_at(rt) as u64
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
