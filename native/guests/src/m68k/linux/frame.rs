//! 680x0 signal frames (arch/m68k/kernel/signal.c; uapi/asm/sigcontext.h, asm/ucontext.h).

use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

use super::ABI;
use super::convention::RT_TRAMPOLINE;
use super::registers::{A0, A1, D0, D1, FP0, FPCR, PC, PS, SP};
use super::trap::vector_of;

const INFO_SIZE: usize = 128;
/// Where all frames have the code that once was executed there.
const CODE_AT: usize = 16;

/// struct sigframe: return address, signal, vector, address of the context, code, the mask's second word, the context.
mod old {
    pub const EXTRA_MASK: usize = 24;
    /// struct sigcontext: mask, stack pointer, d0, d1, a0, a1, status, pc, format and vector, two floating-point
    /// registers, the control registers, what FSAVE stores.
    pub const CONTEXT: usize = 28;
    pub const GENERAL: usize = CONTEXT + 4;
    pub const STATUS: usize = CONTEXT + 24;
    pub const PC: usize = CONTEXT + 26;
    pub const FORMAT: usize = CONTEXT + 30;
    pub const FLOAT: usize = CONTEXT + 32;
    pub const CONTROL: usize = FLOAT + 24;
    pub const STATE: usize = CONTROL + 12;
    pub const SIZE: usize = CONTEXT + 284;
}

/// struct rt_sigframe: return address, signal, addresses of siginfo and ucontext, code, these.
mod rt {
    use super::INFO_SIZE;
    pub const INFO: usize = 24;
    pub const UC: usize = INFO + INFO_SIZE;
    pub const STACK: usize = UC + 8;
    /// mcontext_t: version, d0 to d7, a0 to a6, stack pointer, pc, status; control and floating-point registers.
    pub const VERSION: usize = STACK + 12;
    pub const GENERAL: usize = VERSION + 4;
    pub const CONTROL: usize = GENERAL + 18 * 4;
    pub const FLOAT: usize = CONTROL + 12;
    /// uc_filler: what FSAVE stores, format and vector, what more the processor had stored.
    pub const STATE: usize = FLOAT + 8 * 12;
    pub const FORMAT: usize = STATE + 216;
    pub const SIGMASK: usize = STATE + 320;
    pub const SIZE: usize = SIGMASK + 8;
}

/// moveq #119, %d0; trap #0
pub(super) const CODE: [u8; 8] = [0x70, 0x77, 0x4e, 0x40, 0, 0, 0, 0];
/// moveq #~173, %d0; not.b %d0; trap #0
pub(super) const RT_CODE: [u8; 8] = [0x70, 0x52, 0x46, 0x00, 0x4e, 0x40, 0, 0];

/// MCONTEXT_VERSION
const VERSION: u64 = 2;
/// What FSAVE of the 68040 stores first, for a unit that is in use but idle: the version, and that nothing follows. All
/// zeros: it was not used, and the registers in the frame mean nothing.
const IDLE: u64 = 0x4100_0000;

/// The registers of the old frame, which handlers may change: the stack pointer first.
const OLD_ORDER: [u32; 5] = [SP, D0, D1, A0, A1];
/// Those of the new one, but for pc and status: numbers 0 to 15.
const GENERAL: u32 = 16;

fn put_floats(bytes: &mut Bytes, core: &mut dyn CpuCore, at: usize, count: u32, control: usize) {
    for n in 0..count {
        let value = core.get_wide(FP0 + n).to_be_bytes();
        let at = at + n as usize * 12;
        bytes.bytes[at..at + 12].copy_from_slice(&value[4..]);
    }
    for n in 0..3 {
        bytes.put(control + n as usize * 4, 4, core.get(FPCR + n));
    }
}

fn get_floats(bytes: &Bytes, core: &mut dyn CpuCore, at: usize, count: u32, control: usize) {
    for n in 0..count {
        let mut value = [0; 16];
        let at = at + n as usize * 12;
        value[4..].copy_from_slice(&bytes.bytes[at..at + 12]);
        core.set_wide(FP0 + n, u128::from_be_bytes(value));
    }
    for n in 0..3 {
        core.set(FPCR + n, bytes.get(control + n as usize * 4, 4));
    }
}

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
) -> Result<(), Efault> {
    let rt = context.action.has(libc::SA_SIGINFO);
    let size = if rt { rt::SIZE } else { old::SIZE };
    let frame = top.wrapping_sub(size as u64) & !7 & 0xffff_ffff;
    // Formats are always that of four words: what the others have is for the processor to go on with.
    let vector = context.fault.map_or(0, vector_of);
    let mut bytes = Bytes::new(size, ABI);
    bytes.put(
        0,
        4,
        context.trampoline + if rt { RT_TRAMPOLINE } else { 0 },
    );
    bytes.put(4, 4, context.signal as u64);
    if rt {
        bytes.put(8, 4, frame + rt::INFO as u64);
        bytes.put(12, 4, frame + rt::UC as u64);
        bytes.bytes[CODE_AT..CODE_AT + 8].copy_from_slice(&RT_CODE);
        bytes.bytes[rt::INFO..rt::INFO + INFO_SIZE].copy_from_slice(context.info);
        bytes.put_altstack(rt::STACK, 4, context, false);
        bytes.put(rt::VERSION, 4, VERSION);
        for n in 0..GENERAL {
            bytes.put(rt::GENERAL + n as usize * 4, 4, core.get(n));
        }
        bytes.put(rt::GENERAL + 64, 4, core.get(PC));
        bytes.put(rt::GENERAL + 68, 4, core.get(PS));
        put_floats(&mut bytes, core, rt::FLOAT, 8, rt::CONTROL);
        bytes.put(rt::STATE, 4, IDLE);
        bytes.put(rt::FORMAT, 4, vector);
        bytes.put_mask(rt::SIGMASK, 4, context.mask);
    } else {
        bytes.put(8, 4, vector);
        bytes.put(12, 4, frame + old::CONTEXT as u64);
        bytes.bytes[CODE_AT..CODE_AT + 8].copy_from_slice(&CODE);
        bytes.put(old::EXTRA_MASK, 4, context.mask >> 32);
        bytes.put(old::CONTEXT, 4, context.mask);
        for (n, register) in OLD_ORDER.into_iter().enumerate() {
            bytes.put(old::GENERAL + n * 4, 4, core.get(register));
        }
        bytes.put(old::STATUS, 2, core.get(PS));
        bytes.put(old::PC, 4, core.get(PC));
        bytes.put(old::FORMAT, 2, vector);
        put_floats(&mut bytes, core, old::FLOAT, 2, old::CONTROL);
        bytes.put(old::STATE, 4, IDLE);
    }
    space.write(frame, &bytes.bytes)?;
    core.set(SP, frame);
    core.set(PC, context.action.handler);
    Ok(())
}

/// From the stack pointer at sigreturn to the frame: a handler has returned by its first word.
const BACK: u64 = 4;

/// Where the words of the mask are at sigreturn.
pub(super) fn mask_at(rt: bool) -> [u64; 2] {
    let [low, high] = if rt {
        [rt::SIGMASK, rt::SIGMASK + 4]
    } else {
        [old::CONTEXT, old::EXTRA_MASK]
    };
    [low as u64 - BACK, high as u64 - BACK]
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    rt: bool,
) -> Result<Restored, Efault> {
    let frame = core.get(SP).wrapping_sub(BACK) & 0xffff_ffff;
    let size = if rt { rt::SIZE } else { old::SIZE };
    let bytes = Bytes::read(space, frame, size, ABI)?;
    if rt {
        if bytes.get(rt::VERSION, 4) != VERSION {
            return Err(Efault { addr: frame });
        }
        for n in 0..GENERAL {
            core.set(n, bytes.get(rt::GENERAL + n as usize * 4, 4));
        }
        core.set(PC, bytes.get(rt::GENERAL + 64, 4));
        core.set(PS, bytes.get(rt::GENERAL + 68, 4));
        if bytes.get(rt::STATE, 1) != 0 {
            get_floats(&bytes, core, rt::FLOAT, 8, rt::CONTROL);
        }
    } else {
        for (n, register) in OLD_ORDER.into_iter().enumerate() {
            core.set(register, bytes.get(old::GENERAL + n * 4, 4));
        }
        core.set(PS, bytes.get(old::STATUS, 2));
        core.set(PC, bytes.get(old::PC, 4));
        if bytes.get(old::STATE, 1) != 0 {
            get_floats(&bytes, core, old::FLOAT, 2, old::CONTROL);
        }
    }
    let altstack = rt.then(|| bytes.get_altstack(rt::STACK, 4, false));
    Ok(Restored { altstack })
}
