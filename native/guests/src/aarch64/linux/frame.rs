//! AArch64 signal frames (arch/arm64/kernel/signal.c; uapi/asm/sigcontext.h).

use crate::aarch64::{bti, mte, system};
use crate::cpu::CpuCore;
use crate::kernel::abi::GuestAbi;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored, SA_RESTORER};
use crate::memory::tags::untagged;
use crate::memory::{AddressSpace, Efault, Flags};

use super::convention;
use super::registers::{FPCR, FPSR, LR, PC, PSTATE, SP, TAG_FAULT, V0, X0, X29};
use super::trap::SEGV_MTESERR;
use super::vector::{self, Vectors};
use crate::vdso;

// struct rt_sigframe: siginfo_t, then ucontext: uc_flags, uc_link, uc_stack, uc_sigmask
// (with room for 1024 signals), then the sigcontext, aligned to 16.
const SI_ADDR: usize = 16;
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
/// struct extra_context: behind its header an address and a size.
const EXTRA_SIZE: usize = 32;
const TERMINATOR: usize = 16;
/// More than the longest vectors take.
const MOST_EXTRA: usize = 0x4000;
/// What of the reserved bytes others may take.
const FIXED: usize = FPSIMD_SIZE + ESR_SIZE + EXTRA_SIZE + TERMINATOR;

/// asm-generic/signal-defs.h
const SA_EXPOSE_TAGBITS: i32 = 0x800;

/// What of PSTATE a frame may set (SPSR_EL1_AARCH64_RES0_BITS, and what programs run with): the condition flags, DIT, SSBS, BTYPE.
const OF_PROGRAMS: u64 = 0xf000_0000 | system::DIT | system::PSTATE_SSBS | mte::TCO | BTYPE;
const BTYPE: u64 = 3 << bti::SHIFT;

/// What is behind the frame for vectors whose record has so many bytes: nothing, if they fit beside the others; otherwise a record
/// among these (extra_context) says where they are, and a terminator is behind them.
pub(super) fn extra(size: usize) -> usize {
    if FIXED + size > RESERVED_SIZE {
        size + TERMINATOR
    } else {
        0
    }
}

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
    abi: GuestAbi,
) -> Result<(), Efault> {
    let vectors = Vectors::of(core);
    let size = vectors.map_or(0, Vectors::size);
    let extra = extra(size);
    let whole = FRAME_SIZE + extra;
    // The frame record (x29, x30) lies above the frame, so that unwinders walk through.
    let record = (top & !15).wrapping_sub(16);
    let frame = record.wrapping_sub(whole as u64);
    let mut bytes = Bytes::new(whole + 16, abi);
    if context.action.has(libc::SA_SIGINFO) {
        bytes.bytes[..context.info.len()].copy_from_slice(context.info);
    }
    let fault = context.fault.filter(|fault| fault.code == SEGV_MTESERR);
    if let Some(fault) = fault
        && context.action.has(SA_EXPOSE_TAGBITS)
        && context.action.has(libc::SA_SIGINFO)
    {
        // Of the others si_addr has no tags (`hide_si_addr_tag_bits`).
        let exposed = core.get(TAG_FAULT);
        if untagged(exposed) == fault.addr {
            bytes.put(SI_ADDR, 8, exposed);
        }
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
        at += ESR_SIZE;
    }
    match vectors {
        Some(vectors) if extra != 0 => {
            bytes.put(at, 4, EXTRA_MAGIC);
            bytes.put(at + 4, 4, EXTRA_SIZE as u64);
            bytes.put(at + 8, 8, frame + FRAME_SIZE as u64);
            bytes.put(at + 16, 4, extra as u64);
            vectors.put(core, &mut bytes, FRAME_SIZE);
        }
        Some(vectors) => vectors.put(core, &mut bytes, at),
        None => {}
    }
    // The terminating records are all zero already.
    bytes.put(whole, 8, core.get(X29));
    bytes.put(whole + 8, 8, core.get(LR));
    space.write(frame, &bytes.bytes)?;

    let restorer = if context.action.flags & SA_RESTORER != 0 {
        context.action.restorer
    } else {
        context.trampoline + vdso::sigreturn(convention::vdso(abi.big_endian))
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
    let uses = space.uses();
    if uses.has(Flags::TAGGED) {
        let pstate = core.get(PSTATE) & !mte::TCO;
        core.set(PSTATE, pstate);
    }
    if uses.has(Flags::GUARDED) {
        // setup_return: a handler is called.
        let pstate = core.get(PSTATE) & !BTYPE | bti::CALL << bti::SHIFT;
        core.set(PSTATE, pstate);
    }
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
    restore_records(core, space, &bytes, frame, abi)?;
    for index in 0..31 {
        core.set(X0 + index, bytes.get(REGS + index as usize * 8, 8));
    }
    core.set(SP, bytes.get(CONTEXT_SP, 8));
    let pstate = core.get(PSTATE) & !OF_PROGRAMS | bytes.get(CONTEXT_PSTATE, 8) & OF_PROGRAMS;
    core.set(PSTATE, pstate);
    core.set(PC, bytes.get(CONTEXT_PC, 8));
    Ok(Restored {
        altstack: Some(bytes.get_altstack(UC_STACK, 8, false)),
    })
}

/// Walks the extension records as `parse_user_sigframe` does.
fn restore_records(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    bytes: &Bytes,
    frame: u64,
    abi: GuestAbi,
) -> Result<(), Efault> {
    let bad = |at: usize| Efault {
        addr: frame + at as u64,
    };
    let mut at = RESERVED;
    let mut fpsimd = None;
    let mut extra = None;
    // Of vectors: a copy of the bytes, where in them, and how many.
    let mut vectors: Option<(Bytes, usize, usize)> = None;
    while at + 8 <= FRAME_SIZE {
        let magic = bytes.get(at, 4);
        let size = bytes.get(at + 4, 4) as usize;
        let fits = at.checked_add(size).is_some_and(|end| end <= FRAME_SIZE);
        match magic {
            0 if size == 0 => break,
            FPSIMD_MAGIC if size == FPSIMD_SIZE && fits && fpsimd.is_none() => fpsimd = Some(at),
            ESR_MAGIC => {}
            EXTRA_MAGIC if size == EXTRA_SIZE && fits && extra.is_none() => {
                extra = Some((bytes.get(at + 8, 8), bytes.get(at + 16, 4) as usize));
            }
            vector::MAGIC if fits && size >= vector::HEADER && vectors.is_none() => {
                let mut copy = Bytes::new(size, abi);
                copy.bytes.copy_from_slice(&bytes.bytes[at..at + size]);
                vectors = Some((copy, 0, size));
            }
            _ => return Err(bad(at)),
        }
        if size < 8 || !size.is_multiple_of(16) {
            return Err(bad(at));
        }
        at += size;
    }
    if let Some((more, size)) = extra {
        // Right behind the frame, as the kernel has it.
        if more != frame + FRAME_SIZE as u64 || !size.is_multiple_of(16) || size > MOST_EXTRA {
            return Err(bad(RESERVED));
        }
        let copy = Bytes::read(space, more, size, abi)?;
        let record = if size >= vector::HEADER {
            copy.get(4, 4) as usize
        } else {
            0
        };
        if copy.get(0, 4) != vector::MAGIC || record > size || vectors.is_some() {
            return Err(bad(RESERVED));
        }
        vectors = Some((copy, 0, record));
    }
    let at = fpsimd.ok_or(bad(RESERVED))?;
    core.set(FPSR, bytes.get(at + 8, 4));
    core.set(FPCR, bytes.get(at + 12, 4));
    if let Some((copy, from, size)) = vectors {
        let own = Vectors::of(core).ok_or(bad(RESERVED))?;
        if !own.take(core, &copy, from, size) {
            return Err(bad(RESERVED));
        }
    }
    // They are what the lowest quadwords become, whatever the vectors' record has there (`restore_sve_fpsimd_context`).
    for index in 0..32 {
        core.set_wide(V0 + index, bytes.get_wide(at + 16 + index as usize * 16));
    }
    Ok(())
}
