//! PowerPC's signal frames and contexts (arch/powerpc/kernel/signal_32.c; uapi/asm/{sigcontext,ucontext,elf}.h).

use crate::cpu::CpuCore;
use crate::kernel::linux::Contexts;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

use super::ABI;
use super::convention::{RT_TRAMPOLINE, TRAMPOLINE};
use super::registers::{
    CR, CTR, F0, FPSCR, LR, MODES, MSR, MSR_VEC, PC, R0, R1, R2, R3, VR0, VRSAVE, VSCR, XER,
};

/// Room that the caller of a function leaves for it (__SIGNAL_FRAMESIZE); the back chain is its first word.
const STACK_FRAME: u64 = 64;
/// Programs by another ABI may use what is below the stack pointer.
const GAP: usize = 56 * 4;
const INFO_SIZE: usize = 128;

/// struct mcontext: general registers, floating-point registers and FPSCR, padding, vectors with VSCR and VRSAVE.
mod registers_at {
    pub const GENERAL: usize = 0;
    pub const FLOATING: usize = 48 * 4;
    pub const VECTORS: usize = FLOATING + 33 * 8 + 2 * 4;
    pub const SIZE: usize = VECTORS + 33 * 16;
}

/// struct sigframe: a sigcontext (unused words, signal, handler, mask, pointer to the registers), registers.
mod old {
    use super::{GAP, registers_at};
    pub const UPPER_MASK: usize = 12;
    pub const SIGNAL: usize = 16;
    pub const HANDLER: usize = 20;
    pub const MASK: usize = 24;
    pub const POINTER: usize = 28;
    pub const REGISTERS: usize = 32;
    pub const SIZE: usize = REGISTERS + registers_at::SIZE + GAP;
}

/// struct ucontext: flags, link, stack_t, padding, pointer to the registers, mask with room for 1024 signals, padding,
/// registers.
mod uc {
    use super::registers_at;
    pub const STACK: usize = 8;
    pub const POINTER: usize = 48;
    pub const MASK: usize = 52;
    pub const REGISTERS: usize = 192;
    pub const SIZE: usize = REGISTERS + registers_at::SIZE;
}

/// struct rt_sigframe: siginfo_t, ucontext.
const RT_UC: usize = INFO_SIZE;
const RT_SIZE: usize = RT_UC + uc::SIZE + GAP;

// Places in the general registers (PT_* of uapi/asm/ptrace.h).
const PT_NIP: usize = 32;
const PT_MSR: usize = 33;
const PT_ORIG_R3: usize = 34;
const PT_CTR: usize = 35;
const PT_LNK: usize = 36;
const PT_XER: usize = 37;
const PT_CCR: usize = 38;
const PT_TRAP: usize = 40;
const PT_DAR: usize = 41;
const PT_DSISR: usize = 42;

/// Numbers of exceptions that end up in programs' contexts: a system call, and the timer's.
const TRAP_CALL: u64 = 0xc00;
const TRAP_TIMER: u64 = 0x900;

/// What a fault's `syndrome` says: the exception's number, and DSISR.
pub fn syndrome(trap: u32, dsisr: u32) -> u64 {
    u64::from(dsisr) << 32 | u64::from(trap)
}

/// `save_user_regs`. Vectors are there when the program has used some.
fn put_registers(bytes: &mut Bytes, at: usize, core: &mut dyn CpuCore) {
    let general = |n: usize| at + registers_at::GENERAL + n * 4;
    for n in 0..32 {
        let index = n as usize;
        bytes.put(general(index), 4, core.get(R0 + n));
        let floating = at + registers_at::FLOATING + index * 8;
        bytes.put(floating, 8, core.get(F0 + n));
    }
    for (place, reg) in [
        (PT_NIP, PC),
        (PT_MSR, MSR),
        (PT_ORIG_R3, R3),
        (PT_CTR, CTR),
        (PT_LNK, LR),
        (PT_XER, XER),
        (PT_CCR, CR),
    ] {
        bytes.put(general(place), 4, core.get(reg));
    }
    bytes.put(at + registers_at::FLOATING + 32 * 8, 8, core.get(FPSCR));
    let vectors = at + registers_at::VECTORS;
    if core.get(MODES) & MSR_VEC != 0 {
        for n in 0..32 {
            bytes.put_wide(vectors + n as usize * 16, core.get_wide(VR0 + n));
        }
        bytes.put(vectors + 32 * 16 + 12, 4, core.get(VSCR));
    }
    bytes.put(vectors + 32 * 16, 4, core.get(VRSAVE));
}

/// `restore_user_regs`.
fn get_registers(bytes: &Bytes, core: &mut dyn CpuCore) {
    let general = |n: usize| registers_at::GENERAL + n * 4;
    for n in 0..32 {
        let index = n as usize;
        core.set(R0 + n, bytes.get(general(index), 4));
        let floating = registers_at::FLOATING + index * 8;
        core.set(F0 + n, bytes.get(floating, 8));
    }
    for (place, reg) in [
        (PT_NIP, PC),
        (PT_CTR, CTR),
        (PT_LNK, LR),
        (PT_XER, XER),
        (PT_CCR, CR),
    ] {
        core.set(reg, bytes.get(general(place), 4));
    }
    core.set(FPSCR, bytes.get(registers_at::FLOATING + 32 * 8 + 4, 4));
    let vectors = registers_at::VECTORS;
    let modes = core.get(MODES);
    let saved = bytes.get(general(PT_MSR), 4) & MSR_VEC != 0;
    if saved {
        core.set(MODES, modes | MSR_VEC);
    }
    // Without vectors in the frame those that the program has used since are 0 again.
    if saved || modes & MSR_VEC != 0 {
        let get = |at: usize, size| if saved { bytes.get(at, size) } else { 0 };
        for n in 0..32 {
            let at = vectors + n as usize * 16;
            let value = if saved { bytes.get_wide(at) } else { 0 };
            core.set_wide(VR0 + n, value);
        }
        core.set(VSCR, get(vectors + 32 * 16 + 12, 4));
    }
    core.set(VRSAVE, bytes.get(vectors + 32 * 16, 4));
}

/// PT_TRAP, and what goes with it.
fn put_trap(bytes: &mut Bytes, at: usize, context: &FrameContext<'_>) {
    let fault = context.fault;
    let trap = fault.map_or(TRAP_TIMER, |fault| fault.syndrome & 0xffff_ffff);
    bytes.put(at + PT_TRAP * 4, 4, trap);
    if let Some(fault) = fault {
        bytes.put(at + PT_DAR * 4, 4, fault.addr);
        bytes.put(at + PT_DSISR * 4, 4, fault.syndrome >> 32);
    }
}

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
) -> Result<(), Efault> {
    let rt = context.action.has(libc::SA_SIGINFO);
    let (size, registers) = if rt {
        (RT_SIZE, RT_UC + uc::REGISTERS)
    } else {
        (old::SIZE, old::REGISTERS)
    };
    let frame = top.wrapping_sub(size as u64) & 0xffff_fff0;
    let mut bytes = Bytes::new(size - GAP, ABI);
    let pointer = frame + registers as u64;
    if rt {
        bytes.bytes[..INFO_SIZE].copy_from_slice(context.info);
        bytes.put_altstack(RT_UC + uc::STACK, 4, context, false);
        bytes.put(RT_UC + uc::POINTER, 4, pointer);
        bytes.put_mask(RT_UC + uc::MASK, 4, context.mask);
    } else {
        bytes.put(old::UPPER_MASK, 4, context.mask >> 32);
        bytes.put(old::SIGNAL, 4, context.signal as u64);
        bytes.put(old::HANDLER, 4, context.action.handler);
        bytes.put(old::MASK, 4, context.mask);
        bytes.put(old::POINTER, 4, pointer);
    }
    put_registers(&mut bytes, registers, core);
    put_trap(&mut bytes, registers, context);
    // What the handler's caller would have for it.
    let head = if rt { STACK_FRAME + 16 } else { STACK_FRAME };
    let sp = frame.wrapping_sub(head) & 0xffff_ffff;
    let back = core.get(R1) as u32;
    space.write(sp, &back.to_be_bytes())?;
    space.write(frame, &bytes.bytes)?;

    let code = if rt { RT_TRAMPOLINE } else { TRAMPOLINE };
    core.set(LR, context.trampoline + code);
    core.set(FPSCR, 0);
    core.set(R1, sp);
    core.set(R3, context.signal as u64);
    if rt {
        core.set(R3 + 1, frame);
        core.set(R3 + 2, frame + RT_UC as u64);
        core.set(R3 + 3, frame);
    } else {
        core.set(R3 + 1, frame);
    }
    core.set(PC, context.action.handler);
    Ok(())
}

/// Where the mask is behind the stack pointer; that of a plain frame has its upper half elsewhere.
pub(super) fn mask_at(rt: bool) -> u64 {
    if rt {
        STACK_FRAME + 16 + (RT_UC + uc::MASK) as u64
    } else {
        STACK_FRAME + old::MASK as u64
    }
}

/// Of a plain frame.
pub(super) fn upper_mask_at() -> u64 {
    STACK_FRAME + old::UPPER_MASK as u64
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    rt: bool,
) -> Result<Restored, Efault> {
    let (head, size, pointer) = if rt {
        (STACK_FRAME + 16, RT_UC + uc::SIZE, RT_UC + uc::POINTER)
    } else {
        (STACK_FRAME, old::REGISTERS, old::POINTER)
    };
    let frame = core.get(R1).wrapping_add(head) & 0xffff_ffff;
    let bytes = Bytes::read(space, frame, size, ABI)?;
    // The registers are where the frame says.
    let registers = bytes.get(pointer, 4);
    let registers = Bytes::read(space, registers, registers_at::SIZE, ABI)?;
    get_registers(&registers, core);
    Ok(Restored {
        altstack: rt.then(|| bytes.get_altstack(RT_UC + uc::STACK, 4, false)),
    })
}

/// Contexts of swapcontext(2), `struct ucontext`.
pub(super) struct UserContexts;

impl Contexts for UserContexts {
    fn size(&self) -> u64 {
        uc::SIZE as u64
    }

    fn mask(&self) -> u64 {
        uc::MASK as u64
    }

    /// The stack and the flags are the program's own.
    fn put(&self, core: &mut dyn CpuCore, space: &AddressSpace, at: u64) -> Result<(), Efault> {
        let mut bytes = Bytes::new(registers_at::SIZE, ABI);
        put_registers(&mut bytes, 0, core);
        bytes.put(PT_TRAP * 4, 4, TRAP_CALL);
        let registers = at + uc::REGISTERS as u64;
        space.write(registers, &bytes.bytes)?;
        let pointer = (registers as u32).to_be_bytes();
        space.write(at + uc::POINTER as u64, &pointer)
    }

    /// The thread pointer stays what it is.
    fn get(&self, core: &mut dyn CpuCore, space: &AddressSpace, at: u64) -> Result<(), Efault> {
        let head = Bytes::read(space, at, uc::REGISTERS, ABI)?;
        let registers = head.get(uc::POINTER, 4);
        let bytes = Bytes::read(space, registers, registers_at::SIZE, ABI)?;
        let thread = core.get(R2);
        get_registers(&bytes, core);
        core.set(R2, thread);
        Ok(())
    }
}
