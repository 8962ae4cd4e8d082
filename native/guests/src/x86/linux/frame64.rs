//! Signal frames with 64 bits (arch/x86/kernel/signal_64.c; uapi/asm/{sigcontext,ucontext}.h).

use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored, SA_RESTORER};
use crate::memory::{AddressSpace, Efault};

use super::super::direct::fpu as xsave;
use super::ABI64;
use super::fpu::{self, FXSAVE_SIZE};
use super::registers::{
    DIRECTION_FLAG, Numbers, R8, RESUME_FLAG, TRAP_FLAG, USER_CS, USER_FLAGS, W64,
};
use super::trap::{PAGE, error_of, vector_of};

/// What a function may use below the stack pointer (the ABI's red zone).
const RED_ZONE: u64 = 128;

// struct rt_sigframe: pretcode; ucontext: uc_flags, uc_link, uc_stack, uc_mcontext, uc_sigmask; siginfo.
const UC: usize = 8;
const STACK: usize = UC + 16;
const CONTEXT: usize = STACK + 24;
const SIGMASK: usize = CONTEXT + 256;
const INFO: usize = SIGMASK + 8;
const INFO_SIZE: usize = 128;
const SIZE: usize = INFO + INFO_SIZE;

// struct sigcontext, in words of 8 bytes; the segments are four of 2 bytes: cs, gs, fs, ss.
const ORDER: [u32; 18] = [
    R8,
    R8 + 1,
    R8 + 2,
    R8 + 3,
    R8 + 4,
    R8 + 5,
    R8 + 6,
    R8 + 7,
    W64.di,
    W64.si,
    W64.bp,
    W64.bx,
    W64.dx,
    W64.ax,
    W64.cx,
    W64.sp,
    W64.ip,
    W64.flags,
];
const SEGMENTS: usize = CONTEXT + 18 * 8;
const ERROR: usize = SEGMENTS + 8;
const VECTOR: usize = ERROR + 8;
const OLD_MASK: usize = VECTOR + 8;
const CR2: usize = OLD_MASK + 8;
const FPSTATE: usize = CR2 + 8;

/// uc_flags: ss is there, and goes back exactly.
const UC_FLAGS: u64 = 6;
/// The state is that of XSAVE.
const UC_FP_XSTATE: u64 = 1;

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
) -> Result<(), Efault> {
    if context.action.flags & SA_RESTORER == 0 {
        // There is no other code for it.
        return Err(Efault { addr: top });
    }
    let switched = top != core.get(W64.sp);
    let below = if switched {
        top
    } else {
        top.wrapping_sub(RED_ZONE)
    };
    let extended = core.extended().map(|area| {
        let mut area = area.to_vec();
        xsave::mark(&mut area);
        area
    });
    let size = extended.as_ref().map_or(FXSAVE_SIZE, Vec::len);
    let fpstate = below.wrapping_sub(size as u64) & !63;
    let frame = (fpstate.wrapping_sub(SIZE as u64) & !15).wrapping_sub(8);

    let flags = UC_FLAGS | extended.as_ref().map_or(0, |_| UC_FP_XSTATE);
    let state = extended.unwrap_or_else(|| {
        let mut state = Bytes::new(FXSAVE_SIZE, ABI64);
        fpu::put(&mut state, 0, core, &W64, true);
        state.bytes.clone()
    });
    let mut bytes = Bytes::new(SIZE, ABI64);
    bytes.put(0, 8, context.action.restorer);
    bytes.put(UC, 8, flags);
    bytes.put_altstack(STACK, 8, context, false);
    for (index, register) in ORDER.into_iter().enumerate() {
        bytes.put(CONTEXT + index * 8, 8, core.get(register));
    }
    let selectors = [0, Numbers::GS, Numbers::FS, Numbers::SS];
    for (index, segment) in selectors.into_iter().enumerate() {
        bytes.put(SEGMENTS + index * 2, 2, core.get(W64.cs + segment));
    }
    if let Some(fault) = context.fault {
        bytes.put(ERROR, 8, error_of(fault));
        bytes.put(VECTOR, 8, vector_of(fault));
        if vector_of(fault) == PAGE.into() {
            bytes.put(CR2, 8, fault.addr);
        }
    }
    bytes.put(OLD_MASK, 8, context.mask);
    bytes.put(FPSTATE, 8, fpstate);
    bytes.put_mask(SIGMASK, 8, context.mask);
    if context.action.has(libc::SA_SIGINFO) {
        bytes.bytes[INFO..INFO + INFO_SIZE].copy_from_slice(context.info);
    }
    space.write(fpstate, &state)?;
    space.write(frame, &bytes.bytes)?;

    core.set(W64.di, context.signal as u64);
    core.set(W64.ax, 0);
    core.set(W64.si, frame + INFO as u64);
    core.set(W64.dx, frame + UC as u64);
    core.set(W64.sp, frame);
    let flags = core.get(W64.flags) & !(DIRECTION_FLAG | RESUME_FLAG | TRAP_FLAG);
    core.set(W64.flags, flags);
    fpu::reset(core, &W64);
    if let Some(area) = core.extended() {
        xsave::begin(area);
    }
    core.set(W64.ip, context.action.handler);
    Ok(())
}

/// Where the mask is in a frame whose first word the handler has returned by.
pub(super) const MASK_AT: u64 = SIGMASK as u64 - 8;

pub(super) fn pop(core: &mut dyn CpuCore, space: &AddressSpace) -> Result<Restored, Efault> {
    let frame = core.get(W64.sp).wrapping_sub(8);
    let bytes = Bytes::read(space, frame, INFO, ABI64)?;
    let fpstate = bytes.get(FPSTATE, 8);
    if bytes.get(SEGMENTS, 2) | 3 != USER_CS {
        // There is no other code segment that it could go on in.
        return Err(Efault { addr: frame });
    }
    if fpstate == 0 {
        fpu::reset(core, &W64);
        if let Some(area) = core.extended() {
            xsave::begin(area);
        }
    } else {
        let state = Bytes::read(space, fpstate, FXSAVE_SIZE, ABI64)?;
        if !fpu::take(&state, 0, core, &W64, true) {
            return Err(Efault { addr: fpstate });
        }
        take_extended(core, space, fpstate, &state.bytes)?;
    }
    let flags = core.get(W64.flags) & !USER_FLAGS;
    for (index, register) in ORDER.into_iter().enumerate() {
        let value = bytes.get(CONTEXT + index * 8, 8);
        if register == W64.flags {
            core.set(register, flags | value & USER_FLAGS);
        } else {
            core.set(register, value);
        }
    }
    Ok(Restored {
        altstack: Some(bytes.get_altstack(STACK, 8, false)),
    })
}

/// What XSAVE has beside FXSAVE's `legacy`, which is taken: as it is where the frame has it whole (`check_xstate_in_sigframe` of
/// arch/x86/kernel/fpu/signal.c), else as in the beginning.
fn take_extended(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    fpstate: u64,
    legacy: &[u8],
) -> Result<(), Efault> {
    let mxcsr = core.get(W64.mxcsr);
    let Some(area) = core.extended() else {
        return Ok(());
    };
    let size = xsave::marked(legacy).filter(|&size| size <= area.len());
    let mut behind = [0; 4];
    if let Some(size) = size {
        space.read(fpstate.wrapping_add(size as u64), &mut behind)?;
    }
    match size {
        Some(size) if u32::from_le_bytes(behind) == xsave::MAGIC_BEHIND => {
            space.read(fpstate, &mut area[..size])?;
            xsave::settle(area);
            core.set(W64.mxcsr, mxcsr);
        }
        _ => xsave::begin(area),
    }
    Ok(())
}
