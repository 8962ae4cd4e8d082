//! 32-bit ARM signal frames (arch/arm/kernel/signal.c; uapi/asm/{sigcontext,ucontext}.h).

use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored, SA_RESTORER};
use crate::memory::{AddressSpace, Efault};

use super::ArmLinux;
use super::convention::{THUMB, code_is_thumb, trampoline};
use super::registers::{CPSR, D0, FPSCR, LR, PC, R0, SP};

// struct ucontext: uc_flags, uc_link, uc_stack, uc_mcontext, uc_sigmask, padding, uc_regspace.
const UC_STACK: usize = 8;
const MCONTEXT: usize = 20;
const OLDMASK: usize = MCONTEXT + 8;
const REGS: usize = MCONTEXT + 12;
const CONTEXT_CPSR: usize = REGS + 64;
const FAULT_ADDRESS: usize = CONTEXT_CPSR + 4;
const SIGMASK: usize = MCONTEXT + 84;
const REGSPACE: usize = 232;
const UC_SIZE: usize = REGSPACE + 512;
/// struct sigframe: the ucontext and four words of return code.
const RETCODE: usize = UC_SIZE;
const SIGFRAME_SIZE: usize = RETCODE + 16;
const INFO_SIZE: usize = 128;

/// uc_flags of a frame without siginfo, so that debuggers can tell (`setup_frame`).
const PLAIN_FLAGS: u64 = 0x5ac3_c35a;
const VFP_MAGIC: u64 = 0x5646_5001;
const VFP_SIZE: u64 = 288;

const BIG_ENDIAN: u64 = 1 << 9;
/// `IT[7:2]` in bits 15-10 and `IT[1:0]` in bits 26-25.
const IT: u64 = 0x0600_fc00;
/// The bits that MSR calls `f`: N Z C V Q, J, IT[1:0]. A handler begins without them (`setup_return`).
const FLAGS: u64 = 0xff00_0000;
/// What a frame may set of the CPSR: N Z C V Q, J, GE, IT, E, T.
const USER_CPSR: u64 = 0xff0f_0000 | IT | BIG_ENDIAN | THUMB;

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
    linux: &ArmLinux,
) -> Result<(), Efault> {
    let rt = context.action.has(libc::SA_SIGINFO);
    let head = if rt { INFO_SIZE } else { 0 };
    let size = head + SIGFRAME_SIZE;
    let frame = (top.wrapping_sub(size as u64) & !7) & 0xffff_ffff;
    let mut bytes = Bytes::new(size, linux.data());
    if rt {
        bytes.bytes[..INFO_SIZE].copy_from_slice(context.info);
    }
    bytes.put(head, 4, if rt { 0 } else { PLAIN_FLAGS });
    if rt {
        bytes.put_altstack(head + UC_STACK, 4, context, false);
    }
    let fault = context.fault;
    // trap_no 14 is what ARM kernels always say of page faults.
    bytes.put(head + MCONTEXT, 4, fault.map_or(0, |_| 14));
    bytes.put(head + OLDMASK, 4, context.mask);
    for index in 0..16 {
        bytes.put(head + REGS + index as usize * 4, 4, core.get(R0 + index));
    }
    let cpsr = core.get(CPSR);
    bytes.put(head + CONTEXT_CPSR, 4, cpsr);
    bytes.put(head + FAULT_ADDRESS, 4, fault.map_or(0, |fault| fault.addr));
    bytes.put_mask(head + SIGMASK, 4, context.mask);
    let vfp = head + REGSPACE;
    bytes.put(vfp, 4, VFP_MAGIC);
    bytes.put(vfp + 4, 4, VFP_SIZE);
    for index in 0..32 {
        bytes.put(vfp + 8 + index as usize * 8, 8, core.get(D0 + index));
    }
    bytes.put(vfp + 264, 4, core.get(FPSCR));

    let handler = context.action.handler;
    let thumb = code_is_thumb(handler);
    let restorer = if context.action.flags & SA_RESTORER != 0 {
        context.action.restorer
    } else {
        trampoline(context.trampoline, thumb, rt)
    };
    space.write(frame, &bytes.bytes)?;

    core.set(R0, context.signal as u64);
    if rt {
        core.set(R0 + 1, frame);
        core.set(R0 + 2, frame + INFO_SIZE as u64);
    }
    let mut cpsr = cpsr & !(FLAGS | IT | THUMB);
    cpsr |= if thumb { THUMB } else { 0 };
    // With big-endian code (BE32) the bit is the core's business: Unicorn has it set, hardware has SCTLR.B.
    if !linux.big_data {
        cpsr &= !BIG_ENDIAN;
    } else if !linux.big_code {
        cpsr |= BIG_ENDIAN;
    }
    core.set(CPSR, cpsr);
    core.set(SP, frame);
    core.set(LR, restorer);
    core.set(PC, handler & !1);
    Ok(())
}

/// Where the mask is in a frame.
pub(super) fn mask_at(rt: bool) -> usize {
    (if rt { INFO_SIZE } else { 0 }) + SIGMASK
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    rt: bool,
    linux: &ArmLinux,
) -> Result<Restored, Efault> {
    let frame = core.get(SP);
    if !frame.is_multiple_of(8) {
        return Err(Efault { addr: frame });
    }
    let head = if rt { INFO_SIZE } else { 0 };
    let bytes = Bytes::read(space, frame, head + SIGFRAME_SIZE, linux.data())?;
    let vfp = head + REGSPACE;
    if bytes.get(vfp, 4) != VFP_MAGIC || bytes.get(vfp + 4, 4) != VFP_SIZE {
        return Err(Efault {
            addr: frame + vfp as u64,
        });
    }
    for index in 0..32 {
        core.set(D0 + index, bytes.get(vfp + 8 + index as usize * 8, 8));
    }
    core.set(FPSCR, bytes.get(vfp + 264, 4));
    let cpsr = core.get(CPSR) & !USER_CPSR | bytes.get(head + CONTEXT_CPSR, 4) & USER_CPSR;
    core.set(CPSR, cpsr);
    for index in 0..16 {
        core.set(R0 + index, bytes.get(head + REGS + index as usize * 4, 4));
    }
    Ok(Restored {
        altstack: rt.then(|| bytes.get_altstack(head + UC_STACK, 4, false)),
    })
}
