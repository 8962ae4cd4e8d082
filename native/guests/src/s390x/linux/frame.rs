//! s390x's signal frames (arch/s390/kernel/signal.c; uapi/asm/{sigcontext,ucontext}.h).

use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored, SA_RESTORER};
use crate::memory::{AddressSpace, Efault};

use super::ABI;
use super::convention::RT_TRAMPOLINE;
use super::registers::{
    A0, AMODE_64, F0, FPC, HAS_VECTORS, PSWA, PSWM, R0, R2, R14, R15, SPACE_MASK, USER_MASK,
    USER_PSW, V0_LOW, V16,
};

/// Room that the caller of a function leaves for it (__SIGNAL_FRAMESIZE); the back chain is its first word.
const STACK_FRAME: usize = 160;
const INFO_SIZE: usize = 128;

/// _sigregs: the PSW, 16 registers, 16 access registers; FPC, 16 floating-point registers.
const REGS: usize = 16;
const ACCESS: usize = REGS + 16 * 8;
const FLOATING: usize = ACCESS + 16 * 4;
const SIGREGS_SIZE: usize = FLOATING + 8 + 16 * 8;
/// _sigregs_ext: the second halves of v0 to v15; v16 to v31; reserved.
const EXT_SIZE: usize = 16 * 8 + 16 * 16 + 128;

/// struct sigframe: the stack frame, a sigcontext (mask, pointer to the registers), registers, signal number,
/// further registers, an instruction.
mod old {
    use super::{EXT_SIZE, SIGREGS_SIZE, STACK_FRAME};
    pub const CONTEXT: usize = STACK_FRAME;
    pub const REGISTERS: usize = CONTEXT + 16;
    pub const SIGNAL: usize = REGISTERS + SIGREGS_SIZE;
    pub const EXT: usize = SIGNAL + 8;
    pub const SIZE: usize = EXT + EXT_SIZE + 8;
}

/// struct rt_sigframe: the stack frame, an instruction, siginfo_t, ucontext: uc_flags, uc_link, uc_stack, registers,
/// uc_sigmask (with room for 1024 signals), further registers.
mod rt {
    use super::{EXT_SIZE, INFO_SIZE, SIGREGS_SIZE, STACK_FRAME};
    pub const INFO: usize = STACK_FRAME + 8;
    pub const UC: usize = INFO + INFO_SIZE;
    pub const STACK: usize = UC + 16;
    pub const REGISTERS: usize = STACK + 24;
    pub const SIGMASK: usize = REGISTERS + SIGREGS_SIZE;
    pub const EXT: usize = SIGMASK + 128;
    pub const SIZE: usize = EXT + EXT_SIZE;
}

/// uc_flags: there are vector registers (UC_VXRS).
const UC_VXRS: u64 = 2;
const HOME_SPACE: u64 = 0xc000_0000_0000;
const EXTENDED: u64 = 0x1_0000_0000;
const BASIC: u64 = 0x8000_0000;

fn has_vectors(core: &mut dyn CpuCore) -> bool {
    core.get(HAS_VECTORS) != 0
}

fn put_registers(bytes: &mut Bytes, at: usize, core: &mut dyn CpuCore) {
    bytes.put(at, 8, USER_PSW | core.get(PSWM) & USER_MASK);
    bytes.put(at + 8, 8, core.get(PSWA));
    for n in 0..16 {
        let index = n as usize;
        bytes.put(at + REGS + index * 8, 8, core.get(R0 + n));
        bytes.put(at + ACCESS + index * 4, 4, core.get(A0 + n));
        bytes.put(at + FLOATING + 8 + index * 8, 8, core.get(F0 + n));
    }
    bytes.put(at + FLOATING, 4, core.get(FPC));
}

fn put_vectors(bytes: &mut Bytes, at: usize, core: &mut dyn CpuCore) {
    for n in 0..16 {
        bytes.put(at + n as usize * 8, 8, core.get(V0_LOW + n));
        bytes.put_wide(at + 128 + n as usize * 16, core.get_wide(V16 + n));
    }
}

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
) -> Result<(), Efault> {
    let rt = context.action.has(libc::SA_SIGINFO);
    let vectors = has_vectors(core);
    // Without vectors the frame is shorter by their place.
    let full = if rt { rt::SIZE } else { old::SIZE };
    let size = if vectors { full } else { full - EXT_SIZE };
    let frame = top.wrapping_sub(size as u64) & !7;
    let mut bytes = Bytes::new(full, ABI);
    bytes.put(0, 8, core.get(R15));
    let (registers, ext) = if rt {
        bytes.bytes[rt::INFO..rt::INFO + INFO_SIZE].copy_from_slice(context.info);
        bytes.put(rt::UC, 8, if vectors { UC_VXRS } else { 0 });
        bytes.put_altstack(rt::STACK, 8, context, false);
        bytes.put_mask(rt::SIGMASK, 8, context.mask);
        (rt::REGISTERS, rt::EXT)
    } else {
        bytes.put(old::CONTEXT, 8, context.mask);
        bytes.put(old::CONTEXT + 8, 8, frame + old::REGISTERS as u64);
        bytes.put(old::SIGNAL, 4, core.get(R2));
        (old::REGISTERS, old::EXT)
    };
    put_registers(&mut bytes, registers, core);
    if vectors {
        put_vectors(&mut bytes, ext, core);
    }
    space.write(frame, &bytes.bytes[..size])?;

    let trampoline = context.trampoline + if rt { RT_TRAMPOLINE } else { 0 };
    let own = context.action.flags & SA_RESTORER != 0;
    core.set(
        R14,
        if own {
            context.action.restorer
        } else {
            trampoline
        },
    );
    core.set(R15, frame);
    let mask = core.get(PSWM) & !SPACE_MASK | AMODE_64;
    core.set(PSWM, mask);
    core.set(PSWA, context.action.handler);
    core.set(R2, context.signal as u64);
    if rt {
        core.set(R0 + 3, frame + rt::INFO as u64);
        core.set(R0 + 4, frame + rt::UC as u64);
        // The last branch's address (last_break), which is not known.
        core.set(R0 + 5, 0);
    } else {
        core.set(R0 + 3, frame + old::CONTEXT as u64);
        if let Some(fault) = context.fault {
            core.set(R0 + 4, fault.syndrome & 0x7f);
            core.set(R0 + 5, fault.addr);
            core.set(R0 + 6, 0);
        }
    }
    Ok(())
}

/// Where the mask is in a frame.
pub(super) fn mask_at(rt: bool) -> usize {
    if rt { rt::SIGMASK } else { old::CONTEXT }
}

/// Whether a floating-point-control word has no bits that are none and a rounding mode (`test_fp_ctl`).
fn is_control(fpc: u64) -> bool {
    fpc & 0x0303_0088 == 0 && !matches!(fpc & 7, 4..=6)
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    rt: bool,
) -> Result<Restored, Efault> {
    let frame = core.get(R15);
    let vectors = has_vectors(core);
    let (full, at, ext) = if rt {
        (rt::SIZE, rt::REGISTERS, rt::EXT)
    } else {
        (old::SIZE, old::REGISTERS, old::EXT)
    };
    let size = if vectors { full } else { full - EXT_SIZE };
    let bytes = Bytes::read(space, frame, size, ABI)?;
    let fpc = bytes.get(at + FLOATING, 4);
    if !is_control(fpc) {
        return Err(Efault {
            addr: frame + (at + FLOATING) as u64,
        });
    }
    let mut mask = core.get(PSWM) & !USER_MASK | bytes.get(at, 8) & USER_MASK;
    if mask & SPACE_MASK == HOME_SPACE {
        mask &= !SPACE_MASK;
    }
    if mask & EXTENDED != 0 {
        mask |= BASIC;
    }
    core.set(PSWM, mask);
    for n in 0..16 {
        let index = n as usize;
        core.set(R0 + n, bytes.get(at + REGS + index * 8, 8));
        core.set(A0 + n, bytes.get(at + ACCESS + index * 4, 4));
        core.set(F0 + n, bytes.get(at + FLOATING + 8 + index * 8, 8));
        if vectors {
            core.set(V0_LOW + n, bytes.get(ext + index * 8, 8));
            core.set_wide(V16 + n, bytes.get_wide(ext + 128 + index * 16));
        }
    }
    core.set(FPC, fpc);
    core.set(PSWA, bytes.get(at + 8, 8));
    Ok(Restored {
        altstack: rt.then(|| bytes.get_altstack(rt::STACK, 8, false)),
    })
}
