//! What Linux makes of 32-bit ARM. `arch/arm` of the kernel is the reference, and `arch/arm64`, which
//! runs the same programs.

mod convention;
mod frame;
mod registers;
mod trap;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};
use crate::vdso;

/// ARM's Linux in one byte order of data and of code: little-endian, BE8 (code is little-endian), BE32.
pub struct ArmLinux {
    pub name: &'static str,
    pub big_data: bool,
    pub big_code: bool,
}

impl ArmLinux {
    fn data(&self) -> GuestAbi {
        GuestAbi::of(32, self.big_data)
    }

    fn half(&self, bytes: [u8; 2]) -> u16 {
        if self.big_code {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big_code {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

impl LinuxAbi for ArmLinux {
    fn name(&self) -> &'static str {
        self.name
    }

    fn abi(&self) -> GuestAbi {
        self.data()
    }

    fn facts(&self) -> &'static Facts {
        &convention::FACTS
    }

    #[inline]
    fn set_result(&self, regs: &mut dyn Regs, result: i64, _second: Option<u64>) {
        regs.set(registers::R0, result as u64);
    }

    fn call_address(&self, regs: &mut dyn Regs, behind: u64) -> u64 {
        convention::call_address(regs, behind)
    }

    fn trampoline(&self) -> Vec<u8> {
        convention::trampoline_page(self)
    }

    fn vdso(&self) -> Option<&'static [u8]> {
        Some(convention::vdso(self))
    }

    fn clocks(&self) -> Option<(u64, u32)> {
        Some((vdso::clocks(convention::vdso(self)), vdso::CLOCKS))
    }

    fn push_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        top: u64,
        context: &FrameContext<'_>,
    ) -> Result<(), Efault> {
        frame::push(core, space, top, context, self)
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
        frame::pop(core, space, rt, self)
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, space: &AddressSpace) -> FaultInfo {
        trap::fault(exit, core, space, self)
    }
}
