//! What Linux makes of MIPS. `arch/mips` of the kernel is the reference.

mod convention;
mod float;
mod frame;
pub mod insn;
pub mod registers;
mod trap;
mod unaligned;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi, OwnCall};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};
use crate::vdso;

/// What programs and the kernel have agreed upon: o32 has 32 bits, n64 64, n32 pointers of 32 in registers of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    O32,
    N32,
    N64,
}

/// MIPS' Linux in one ABI and byte order.
#[derive(Clone, Copy)]
pub struct MipsLinux {
    pub name: &'static str,
    pub abi: Abi,
    pub big_endian: bool,
}

impl MipsLinux {
    fn guest_abi(&self) -> GuestAbi {
        let word_bits = if self.abi == Abi::N64 { 64 } else { 32 };
        GuestAbi {
            register_bits: if self.is_wide() { 64 } else { 32 },
            ..GuestAbi::of(word_bits, self.big_endian)
        }
    }

    /// Whether the registers have 64 bits.
    fn is_wide(&self) -> bool {
        self.abi != Abi::O32
    }

    /// In a register.
    fn wrapped(&self, value: u64) -> u64 {
        if self.is_wide() {
            value
        } else {
            value & 0xffff_ffff
        }
    }
}

impl LinuxAbi for MipsLinux {
    fn name(&self) -> &'static str {
        self.name
    }

    fn abi(&self) -> GuestAbi {
        self.guest_abi()
    }

    fn facts(&self) -> &'static Facts {
        if self.is_wide() {
            &convention::N64_FACTS
        } else {
            &convention::O32_FACTS
        }
    }

    /// With a bit for n32 (`__AUDIT_ARCH_CONVENTION_MIPS64_N32`), which counts as a 64-bit ABI.
    fn audit_arch(&self) -> u32 {
        let little = u32::from(!self.big_endian) << 30;
        let (wide, n32) = (self.is_wide(), self.abi == Abi::N32);
        u32::from(self.facts().machine) | u32::from(wide) << 31 | little | u32::from(n32) << 29
    }

    fn set_result(&self, regs: &mut dyn Regs, result: i64, second: Option<u64>) {
        convention::set_result(regs, result, second);
    }

    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(4)
    }

    fn begin_floats(&self, core: &mut dyn CpuCore, float_abi: u8) {
        if !self.is_wide() {
            float::begin(core, float_abi);
        }
    }

    fn own_call(
        &self,
        call: OwnCall,
        args: &[u64],
        core: &mut dyn CpuCore,
        _space: &AddressSpace,
    ) -> Result<u64, i32> {
        match call {
            OwnCall::SetFpMode => float::set_mode(args[0], core, self.is_wide()),
            OwnCall::GetFpMode => Ok(float::mode(core)),
            _ => Err(libc::ENOSYS),
        }
    }

    fn trampoline(&self) -> Vec<u8> {
        convention::vdso(self).to_vec()
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
        frame::Layout::of(self.abi, rt).sigmask as u64
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        rt: bool,
    ) -> Result<Restored, Efault> {
        frame::pop(core, space, rt, self)
    }

    fn set_carries_out(&self, regs: &mut dyn Regs, on: bool) {
        regs.set(registers::STRICT, (!on).into());
    }

    fn carry_out(
        &self,
        exit: Exit,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
    ) -> Option<Result<(), FaultInfo>> {
        match exit {
            Exit::Fault { align: true, .. } => unaligned::carry_out(core, space, self),
            _ => None,
        }
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, space: &AddressSpace) -> FaultInfo {
        trap::fault(exit, core, space, self)
    }
}
