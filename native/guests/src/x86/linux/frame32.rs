//! Signal frames with 32 bits (arch/x86/kernel/signal_32.c; asm/sigframe.h, uapi/asm/sigcontext.h).

use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored, SA_RESTORER};
use crate::memory::{AddressSpace, Efault};

use super::ABI32;
use super::convention::RT_TRAMPOLINE;
use super::fpu::{self, FXSAVE_SIZE};
use super::registers::{
    DIRECTION_FLAG, Numbers, RESUME_FLAG, TRAP_FLAG, USER_CS32, USER_DS32, USER_FLAGS, W32,
};
use super::trap::{PAGE, error_of, vector_of};

const INFO_SIZE: usize = 128;

// struct sigcontext_32, from its start.
/// gs, fs, es, ds.
const SEGMENTS: [u32; 4] = [Numbers::GS, Numbers::FS, Numbers::ES, Numbers::DS];
const GENERAL: usize = 16;
const ORDER: [u32; 8] = [
    W32.di, W32.si, W32.bp, W32.sp, W32.bx, W32.dx, W32.cx, W32.ax,
];
const VECTOR: usize = GENERAL + 8 * 4;
const ERROR: usize = VECTOR + 4;
const IP: usize = ERROR + 4;
const CS: usize = IP + 4;
const FLAGS: usize = CS + 4;
const SP_AT_SIGNAL: usize = FLAGS + 4;
const SS: usize = SP_AT_SIGNAL + 4;
const FPSTATE: usize = SS + 4;
const OLD_MASK: usize = FPSTATE + 4;
const CR2: usize = OLD_MASK + 4;
const CONTEXT_SIZE: usize = CR2 + 4;

/// struct sigframe_ia32: pretcode, signal, context, room that is not used, the mask's upper word, an instruction.
mod old {
    use super::CONTEXT_SIZE;
    pub const CONTEXT: usize = 8;
    pub const EXTRA_MASK: usize = CONTEXT + CONTEXT_SIZE + 624;
    pub const CODE: usize = EXTRA_MASK + 4;
    pub const SIZE: usize = CODE + 8;
}

/// struct rt_sigframe_ia32: pretcode, signal, addresses of siginfo and ucontext, these, an instruction.
mod rt {
    use super::{CONTEXT_SIZE, INFO_SIZE};
    pub const INFO: usize = 16;
    pub const UC: usize = INFO + INFO_SIZE;
    pub const STACK: usize = UC + 8;
    pub const CONTEXT: usize = STACK + 12;
    pub const SIGMASK: usize = CONTEXT + CONTEXT_SIZE;
    pub const CODE: usize = SIGMASK + 8;
    pub const SIZE: usize = CODE + 8;
}

/// popl %eax; movl $119, %eax; int $0x80: for debuggers, which know a frame by them.
pub(super) const CODE: [u8; 8] = [0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80];
/// movl $173, %eax; int $0x80
pub(super) const RT_CODE: [u8; 8] = [0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0];

/// struct fregs_state, what FSAVE stores: seven words, eight registers of 10 bytes; and two halves of Linux's.
const FSAVE_SIZE: usize = 112;
const FSAVE_ST: usize = 28;
const FSAVE_STATUS: usize = 108;

fn put_fsave(bytes: &mut Bytes, core: &mut dyn CpuCore) {
    let [fiseg, fioff, foseg, fooff, fop] = W32.last_instruction();
    let halves = [W32.fctrl, W32.fstat(), W32.ftag()];
    for (index, register) in halves.into_iter().enumerate() {
        bytes.put(index * 4, 4, 0xffff_0000 | core.get(register));
    }
    bytes.put(12, 4, core.get(fioff));
    bytes.put(16, 4, core.get(fiseg) & 0xffff | core.get(fop) << 16);
    bytes.put(20, 4, core.get(fooff));
    bytes.put(24, 4, core.get(foseg));
    for n in 0..8 {
        let value = core.get_wide(W32.st + n).to_le_bytes();
        let at = FSAVE_ST + n as usize * 10;
        bytes.bytes[at..at + 10].copy_from_slice(&value[..10]);
    }
    let status = core.get(W32.fstat());
    // Behind it: X86_FXSR_MAGIC, which is 0: what FXSAVE stores follows.
    bytes.put(FSAVE_STATUS, 2, status);
}

fn put_context(
    bytes: &mut Bytes,
    at: usize,
    core: &mut dyn CpuCore,
    context: &FrameContext<'_>,
    fpstate: u64,
) {
    for (index, segment) in SEGMENTS.into_iter().enumerate() {
        bytes.put(at + index * 4, 4, core.get(W32.cs + segment));
    }
    for (index, register) in ORDER.into_iter().enumerate() {
        bytes.put(at + GENERAL + index * 4, 4, core.get(register));
    }
    if let Some(fault) = context.fault {
        bytes.put(at + VECTOR, 4, vector_of(fault));
        bytes.put(at + ERROR, 4, error_of(fault));
        if vector_of(fault) == PAGE.into() {
            bytes.put(at + CR2, 4, fault.addr);
        }
    }
    bytes.put(at + IP, 4, core.get(W32.ip));
    bytes.put(at + CS, 4, core.get(W32.cs));
    bytes.put(at + FLAGS, 4, core.get(W32.flags));
    bytes.put(at + SP_AT_SIGNAL, 4, core.get(W32.sp));
    bytes.put(at + SS, 4, core.get(W32.cs + Numbers::SS));
    bytes.put(at + FPSTATE, 4, fpstate);
    bytes.put(at + OLD_MASK, 4, context.mask);
}

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
) -> Result<(), Efault> {
    let rt = context.action.has(libc::SA_SIGINFO);
    let size = if rt { rt::SIZE } else { old::SIZE };
    let fxsave = top.wrapping_sub(FXSAVE_SIZE as u64) & !63;
    let fpstate = fxsave.wrapping_sub(FSAVE_SIZE as u64);
    let below = fpstate.wrapping_sub(size as u64);
    // At the handler's start the stack is as behind a call.
    let frame = ((below.wrapping_add(4) & !15).wrapping_sub(4)) & 0xffff_ffff;

    let mut state = Bytes::new(FSAVE_SIZE + FXSAVE_SIZE, ABI32);
    put_fsave(&mut state, core);
    fpu::put(&mut state, FSAVE_SIZE, core, &W32, false);
    let own = context.action.flags & SA_RESTORER != 0;
    let code = context.trampoline + if rt { RT_TRAMPOLINE } else { 0 };
    let mut bytes = Bytes::new(size, ABI32);
    bytes.put(0, 4, if own { context.action.restorer } else { code });
    bytes.put(4, 4, context.signal as u64);
    let at = if rt { rt::CONTEXT } else { old::CONTEXT };
    put_context(&mut bytes, at, core, context, fpstate);
    let (info, uc) = (frame + rt::INFO as u64, frame + rt::UC as u64);
    if rt {
        bytes.put(8, 4, info);
        bytes.put(12, 4, uc);
        bytes.bytes[rt::INFO..rt::INFO + INFO_SIZE].copy_from_slice(context.info);
        bytes.put_altstack(rt::STACK, 4, context, false);
        bytes.put_mask(rt::SIGMASK, 4, context.mask);
        bytes.bytes[rt::CODE..].copy_from_slice(&RT_CODE);
    } else {
        bytes.put(old::EXTRA_MASK, 4, context.mask >> 32);
        bytes.bytes[old::CODE..].copy_from_slice(&CODE);
    }
    space.write(fpstate & 0xffff_ffff, &state.bytes)?;
    space.write(frame, &bytes.bytes)?;

    core.set(W32.sp, frame);
    core.set(W32.ax, context.signal as u64);
    core.set(W32.dx, if rt { info } else { 0 });
    core.set(W32.cx, if rt { uc } else { 0 });
    for segment in [Numbers::DS, Numbers::ES, Numbers::SS] {
        core.set(W32.cs + segment, USER_DS32);
    }
    core.set(W32.cs, USER_CS32);
    let flags = core.get(W32.flags) & !(DIRECTION_FLAG | RESUME_FLAG | TRAP_FLAG);
    core.set(W32.flags, flags);
    fpu::reset(core, &W32);
    core.set(W32.ip, context.action.handler);
    Ok(())
}

/// From the stack pointer at sigreturn to the frame: a handler has returned by its first word, and the code of
/// the old form has taken the second one.
fn back(rt: bool) -> u64 {
    if rt { 4 } else { 8 }
}

/// Where the words of the mask are at sigreturn.
pub(super) fn mask_at(rt: bool) -> [u64; 2] {
    let [low, high] = if rt {
        [rt::SIGMASK, rt::SIGMASK + 4]
    } else {
        [old::CONTEXT + OLD_MASK, old::EXTRA_MASK]
    };
    [low as u64 - back(rt), high as u64 - back(rt)]
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    rt: bool,
) -> Result<Restored, Efault> {
    let frame = core.get(W32.sp).wrapping_sub(back(rt)) & 0xffff_ffff;
    let (size, at) = if rt {
        (rt::CODE, rt::CONTEXT)
    } else {
        (old::CODE, old::CONTEXT)
    };
    let bytes = Bytes::read(space, frame, size, ABI32)?;
    let fpstate = bytes.get(at + FPSTATE, 4);
    if fpstate == 0 {
        fpu::reset(core, &W32);
    } else {
        let fxsave = fpstate + FSAVE_SIZE as u64;
        let state = Bytes::read(space, fxsave & 0xffff_ffff, FXSAVE_SIZE, ABI32)?;
        if !fpu::take(&state, 0, core, &W32, false) {
            return Err(Efault { addr: fpstate });
        }
    }
    for (index, segment) in SEGMENTS.into_iter().enumerate() {
        core.set(W32.cs + segment, bytes.get(at + index * 4, 2));
    }
    core.set(W32.cs + Numbers::SS, bytes.get(at + SS, 2) | 3);
    core.set(W32.cs, bytes.get(at + CS, 2) | 3);
    for (index, register) in ORDER.into_iter().enumerate() {
        core.set(register, bytes.get(at + GENERAL + index * 4, 4));
    }
    let flags = core.get(W32.flags) & !USER_FLAGS;
    core.set(W32.flags, flags | bytes.get(at + FLAGS, 4) & USER_FLAGS);
    core.set(W32.ip, bytes.get(at + IP, 4));
    Ok(Restored {
        altstack: rt.then(|| bytes.get_altstack(rt::STACK, 4, false)),
    })
}
