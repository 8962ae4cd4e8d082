//! AArch64 signal frames (arch/arm64/kernel/signal.c; uapi/asm/sigcontext.h).

use crate::cpu::CpuCore;
use crate::kernel::abi::GuestAbi;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored, SA_RESTORER};
use crate::memory::{AddressSpace, Efault};

use super::registers::{FPCR, FPSR, LR, PC, PSTATE, SP, V0, X0, X29};

// struct rt_sigframe: siginfo_t, then ucontext: uc_flags, uc_link, uc_stack, uc_sigmask
// (with room for 1024 signals), then the sigcontext, aligned to 16.
const UC: usize = 128;
const UC_STACK: usize = UC + 16;
pub(super) const UC_SIGMASK: usize = UC + 40;
const SIGCONTEXT: usize = UC + 176;
const FAULT_ADDRESS: usize = SIGCONTEXT;
const REGS: usize = SIGCONTEXT + 8;
const CONTEXT_SP: usize = REGS + 31 * 8;
const CONTEXT_PC: usize = CONTEXT_SP + 8;
const CONTEXT_PSTATE: usize = CONTEXT_PC + 8;
/// `__reserved`, aligned to 16: the extension records.
const RESERVED: usize = SIGCONTEXT + 288;
const RESERVED_SIZE: usize = 4096;
const FRAME_SIZE: usize = RESERVED + RESERVED_SIZE;

const FPSIMD_MAGIC: u64 = 0x4650_8001;
const FPSIMD_SIZE: usize = 528;
const ESR_MAGIC: u64 = 0x4553_5201;
const ESR_SIZE: usize = 16;
const EXTRA_MAGIC: u64 = 0x4558_5401;

/// The condition flags, which a frame may set; the rest of PSTATE is not the guest's.
const NZCV: u64 = 0xf000_0000;

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
    abi: GuestAbi,
) -> Result<(), Efault> {
    // The frame record (x29, x30) lies above the frame, so that unwinders walk through.
    let record = (top & !15).wrapping_sub(16);
    let frame = record.wrapping_sub(FRAME_SIZE as u64);
    let mut bytes = Bytes::new(FRAME_SIZE + 16, abi);
    if context.action.has(libc::SA_SIGINFO) {
        bytes.bytes[..context.info.len()].copy_from_slice(context.info);
    }
    bytes.put_altstack(UC_STACK, 8, context, false);
    bytes.put_mask(UC_SIGMASK, 8, context.mask);
    bytes.put(
        FAULT_ADDRESS,
        8,
        context.fault.map_or(0, |fault| fault.addr),
    );
    for index in 0..31 {
        bytes.put(REGS + index as usize * 8, 8, core.get(X0 + index));
    }
    bytes.put(CONTEXT_SP, 8, core.get(SP));
    bytes.put(CONTEXT_PC, 8, core.get(PC));
    bytes.put(CONTEXT_PSTATE, 8, core.get(PSTATE));

    let mut at = RESERVED;
    bytes.put(at, 4, FPSIMD_MAGIC);
    bytes.put(at + 4, 4, FPSIMD_SIZE as u64);
    bytes.put(at + 8, 4, core.get(FPSR));
    bytes.put(at + 12, 4, core.get(FPCR));
    for index in 0..32 {
        bytes.put_wide(at + 16 + index as usize * 16, core.get_wide(V0 + index));
    }
    at += FPSIMD_SIZE;
    if let Some(fault) = context.fault.filter(|fault| fault.syndrome != 0) {
        bytes.put(at, 4, ESR_MAGIC);
        bytes.put(at + 4, 4, ESR_SIZE as u64);
        bytes.put(at + 8, 8, fault.syndrome);
    }
    // The terminating record is all zero already.
    bytes.put(FRAME_SIZE, 8, core.get(X29));
    bytes.put(FRAME_SIZE + 8, 8, core.get(LR));
    space.write(frame, &bytes.bytes)?;

    let restorer = if context.action.flags & SA_RESTORER != 0 {
        context.action.restorer
    } else {
        context.trampoline
    };
    core.set(X0, context.signal as u64);
    if context.action.has(libc::SA_SIGINFO) {
        core.set(X0 + 1, frame);
        core.set(X0 + 2, frame + UC as u64);
    }
    core.set(X29, record);
    core.set(LR, restorer);
    core.set(SP, frame);
    core.set(PC, context.action.handler);
    Ok(())
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    abi: GuestAbi,
) -> Result<Restored, Efault> {
    let frame = core.get(SP);
    if !frame.is_multiple_of(16) {
        return Err(Efault { addr: frame });
    }
    let bytes = Bytes::read(space, frame, FRAME_SIZE, abi)?;
    restore_records(core, &bytes, frame)?;
    for index in 0..31 {
        core.set(X0 + index, bytes.get(REGS + index as usize * 8, 8));
    }
    core.set(SP, bytes.get(CONTEXT_SP, 8));
    let pstate = core.get(PSTATE) & !NZCV | bytes.get(CONTEXT_PSTATE, 8) & NZCV;
    core.set(PSTATE, pstate);
    core.set(PC, bytes.get(CONTEXT_PC, 8));
    Ok(Restored {
        altstack: Some(bytes.get_altstack(UC_STACK, 8, false)),
    })
}

/// Walks the extension records as `parse_user_sigframe` does.
fn restore_records(core: &mut dyn CpuCore, bytes: &Bytes, frame: u64) -> Result<(), Efault> {
    let mut at = RESERVED;
    let mut seen_fpsimd = false;
    while at + 8 <= FRAME_SIZE {
        let magic = bytes.get(at, 4);
        let size = bytes.get(at + 4, 4) as usize;
        match magic {
            0 if size == 0 => break,
            FPSIMD_MAGIC if size == FPSIMD_SIZE && at + size <= FRAME_SIZE => {
                seen_fpsimd = true;
                core.set(FPSR, bytes.get(at + 8, 4));
                core.set(FPCR, bytes.get(at + 12, 4));
                for index in 0..32 {
                    core.set_wide(V0 + index, bytes.get_wide(at + 16 + index as usize * 16));
                }
            }
            ESR_MAGIC | EXTRA_MAGIC => {}
            _ => {
                return Err(Efault {
                    addr: frame + at as u64,
                });
            }
        }
        if size < 8 || !size.is_multiple_of(16) {
            return Err(Efault {
                addr: frame + at as u64,
            });
        }
        at += size;
    }
    if seen_fpsimd {
        Ok(())
    } else {
        Err(Efault {
            addr: frame + RESERVED as u64,
        })
    }
}
