//! What Linux makes of x86. `arch/x86` of the kernel is the reference.

mod convention;
mod fpu;
mod frame32;
mod frame64;
mod own;
pub mod registers;
pub mod segments;
pub mod trap;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi, OwnCall};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

use super::direct;
use registers::{Numbers, W32, W64};

const ABI64: GuestAbi = GuestAbi::of(64, false);

const ABI32: GuestAbi = GuestAbi {
    align: 4,
    ..GuestAbi::of(32, false)
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
    pub const BITS32: Self = Self {
        name: "i386",
        abi: ABI32,
        numbers: &W32,
        facts: &convention::FACTS32,
    };

    fn is_wide(&self) -> bool {
        self.abi.word_bits == 64
    }
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
        self.is_wide().then_some(b"i686")
    }

    /// Data breakpoints are traps, not faults (Intel's manual, vol. 3, 18.2.4).
    fn watches_behind(&self) -> bool {
        true
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
        match (call, self.is_wide()) {
            (OwnCall::ArchPrctl, true) => own::arch_prctl(args, core, space),
            (OwnCall::ArchPrctl, false) => own::arch_prctl32(args),
            (OwnCall::SetThreadArea, false) => {
                segments::set_thread_area(args[0], core, space, true)
            }
            (OwnCall::GetThreadArea, false) => segments::get_thread_area(args[0], core, space),
            (OwnCall::ModifyLdt, false) => segments::modify_ldt(args, core, space, false),
            (OwnCall::ModifyLdt, true) if core.extended().is_some() => {
                // The host's processor is to know them. An int as well.
                Ok(direct::modify_ldt(args, space) as u32 as u64)
            }
            (OwnCall::ModifyLdt, true) => {
                // The call gives an int, and its errors are not extended (arch/x86/kernel/ldt.c).
                let result = segments::modify_ldt(args, core, space, true);
                Ok(result.unwrap_or_else(|error| (-error) as u32 as u64))
            }
            _ => Err(libc::ENOSYS),
        }
    }

    fn set_thread_pointer(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        value: u64,
    ) -> Result<(), i32> {
        if self.is_wide() {
            core.set(registers::FS_BASE, value);
            return Ok(());
        }
        segments::set_thread_area(value, core, space, false).map(|_| ())
    }

    fn kernel_code(&self, exit: Exit, core: &mut dyn CpuCore, space: &AddressSpace) -> Option<u64> {
        if !self.is_wide() {
            return None;
        }
        own::vsyscall(exit, core, space)
    }

    /// With 64 bits handlers have to bring their own.
    fn trampoline(&self) -> Vec<u8> {
        if self.is_wide() {
            return Vec::new();
        }
        convention::trampoline32()
    }

    fn push_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        top: u64,
        context: &FrameContext<'_>,
    ) -> Result<(), Efault> {
        if self.is_wide() {
            frame64::push(core, space, top, context)
        } else {
            frame32::push(core, space, top, context)
        }
    }

    fn frame_mask(&self, rt: bool) -> u64 {
        if self.is_wide() {
            return frame64::MASK_AT;
        }
        frame32::mask_at(rt)[0]
    }

    fn frame_mask_rest(&self, rt: bool) -> Option<u64> {
        (!self.is_wide()).then(|| frame32::mask_at(rt)[1])
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        rt: bool,
    ) -> Result<Restored, Efault> {
        if self.is_wide() {
            frame64::pop(core, space)
        } else {
            frame32::pop(core, space, rt)
        }
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, _space: &AddressSpace) -> FaultInfo {
        trap::fault(exit, core, self.numbers)
    }
}
