//! What Linux makes of MIPS. `arch/mips` of the kernel is the reference.

mod convention;
mod frame;
pub mod insn;
mod registers;
mod trap;
mod unaligned;

use crate::cpu::{CpuCore, Exit, Regs};
use crate::kernel::abi::GuestAbi;
use crate::kernel::linux::{Facts, LinuxAbi};
use crate::kernel::signal::{FaultInfo, FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

/// MIPS' Linux in one ABI (o32 has 32 bits, n64 64) and byte order.
#[derive(Clone, Copy)]
pub struct MipsLinux {
    pub name: &'static str,
    pub word_bits: u8,
    pub big_endian: bool,
}

impl MipsLinux {
    fn guest_abi(&self) -> GuestAbi {
        GuestAbi {
            word_bits: self.word_bits,
            big_endian: self.big_endian,
            numbers: None,
        }
    }

    fn word_bytes(&self) -> usize {
        usize::from(self.word_bits / 8)
    }

    /// A floating-point register as the kernel saves it: with o32 (Status.FR is 0) an even one has 64
    /// bits, whose upper half is the odd one behind it.
    fn float(&self, core: &mut dyn CpuCore, index: u32) -> u64 {
        let value = core.get(frame::register(index));
        if self.word_bits == 64 {
            value
        } else if frame::is_pair(index) {
            value & 0xffff_ffff | core.get(frame::register(index + 1)) << 32
        } else {
            0
        }
    }

    fn set_float(&self, core: &mut dyn CpuCore, index: u32, value: u64) {
        if self.word_bits == 64 {
            core.set(frame::register(index), value);
        } else if frame::is_pair(index) {
            core.set(frame::register(index), value & 0xffff_ffff);
            core.set(frame::register(index + 1), value >> 32);
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
        if self.word_bits == 64 {
            &convention::N64_FACTS
        } else {
            &convention::O32_FACTS
        }
    }

    fn set_result(&self, regs: &mut dyn Regs, result: i64, second: Option<u64>) {
        convention::set_result(regs, result, second);
    }

    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind.wrapping_sub(4)
    }

    fn trampoline(&self) -> Vec<u8> {
        convention::trampoline(self)
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
        frame::Layout::of(self.word_bytes(), rt).sigmask as u64
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        rt: bool,
    ) -> Result<Restored, Efault> {
        frame::pop(core, space, rt, self)
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
