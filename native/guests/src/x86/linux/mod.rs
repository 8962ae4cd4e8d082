//! What Linux makes of x86. `arch/x86` of the kernel is the reference.

mod convention;
mod fpu;
mod frame64;
mod own;
pub mod registers;
pub mod trap;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi, OwnCall};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

use registers::{Numbers, W64};

const ABI64: GuestAbi = GuestAbi {
    word_bits: 64,
    big_endian: false,
};

/// x86's Linux in one word size.
pub struct X86Linux {
    name: &'static str,
    abi: GuestAbi,
    numbers: &'static Numbers,
    facts: &'static Facts,
}

impl X86Linux {
    pub const BITS64: Self = Self {
        name: "x86_64",
        abi: ABI64,
        numbers: &W64,
        facts: &convention::FACTS64,
    };
}

impl LinuxAbi for X86Linux {
    fn name(&self) -> &'static str {
        self.name
    }

    fn abi(&self) -> GuestAbi {
        self.abi
    }

    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn compat_machine(&self) -> Option<&'static [u8]> {
        // arch/x86/include/asm/compat.h
        Some(b"i686")
    }

    #[inline]
    fn set_result(&self, regs: &mut dyn Regs, result: i64, _second: Option<u64>) {
        regs.set(self.numbers.ax, result as u64);
    }

    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(convention::CALL_SIZE)
    }

    fn own_call(
        &self,
        call: OwnCall,
        args: &[u64],
        core: &mut dyn CpuCore,
        space: &AddressSpace,
    ) -> Result<u64, i32> {
        match call {
            OwnCall::ArchPrctl => own::arch_prctl(args, core, space),
            _ => Err(libc::ENOSYS),
        }
    }

    fn kernel_code(&self, exit: Exit, core: &mut dyn CpuCore, space: &AddressSpace) -> Option<u64> {
        own::vsyscall(exit, core, space)
    }

    fn trampoline(&self) -> Vec<u8> {
        Vec::new()
    }

    fn push_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        top: u64,
        context: &FrameContext<'_>,
    ) -> Result<(), Efault> {
        frame64::push(core, space, top, context)
    }

    fn frame_mask(&self, _rt: bool) -> u64 {
        frame64::MASK_AT
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        _rt: bool,
    ) -> Result<Restored, Efault> {
        frame64::pop(core, space)
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, _space: &AddressSpace) -> FaultInfo {
        trap::fault(exit, core, self.numbers)
    }
}
