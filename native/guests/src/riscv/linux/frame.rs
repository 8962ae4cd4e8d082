//! RISC-V signal frames (arch/riscv/kernel/signal.c; uapi/asm/{sigcontext,ucontext,ptrace}.h).

use crate::cpu::CpuCore;
use crate::kernel::abi::GuestAbi;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

use super::convention;
use super::registers::{A0, F0, FCSR, PC, SP, X1};
use super::vector::{self, Vectors};
use crate::vdso;

const INFO_SIZE: usize = 128;
/// union __riscv_fp_state, as long as its form for quad precision: 64 doublewords, fcsr, three words.
const FP_SIZE: usize = 528;

/// Where things are in struct rt_sigframe: siginfo_t, then ucontext: uc_flags, uc_link, uc_stack, uc_sigmask
/// (with room for 1024 signals), then the sigcontext, aligned to 16: pc, x1 to x31, floating point.
pub struct Layout {
    word: usize,
    uc: usize,
    stack: usize,
    pub sigmask: usize,
    regs: usize,
    fp: usize,
    /// Behind the registers for double precision.
    fcsr: usize,
    /// A word that must be 0 (`restore_sigcontext`), and behind it the first extension's header.
    reserved: usize,
    size: usize,
}

impl Layout {
    /// The extensions: each begins with its magic number and its size; one of zeros is the last.
    fn extensions(&self) -> usize {
        self.reserved + 4
    }
}

impl Layout {
    pub fn of(abi: GuestAbi) -> Self {
        let word = abi.word_bytes();
        let uc = INFO_SIZE;
        let stack = uc + 2 * word;
        let sigmask = stack + 3 * word;
        let regs = (sigmask + 128).next_multiple_of(16);
        let fp = regs + 32 * word;
        Self {
            word,
            uc,
            stack,
            sigmask,
            regs,
            fp,
            fcsr: fp + 32 * 8,
            reserved: fp + FP_SIZE - 12,
            size: fp + FP_SIZE,
        }
    }
}

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
    abi: GuestAbi,
) -> Result<(), Efault> {
    let at = Layout::of(abi);
    let mask = u64::MAX >> (64 - u32::from(abi.word_bits));
    let vectors = Vectors::in_use(core);
    // With an extension there is one more header, the last one.
    let more = vectors
        .as_ref()
        .map_or(0, |v| v.size(at.word) + vector::HEADER);
    let size = (at.size + more).next_multiple_of(16);
    let frame = top.wrapping_sub(size as u64) & !15 & mask;
    let mut bytes = Bytes::new(size, abi);
    bytes.bytes[..context.info.len()].copy_from_slice(context.info);
    bytes.put_altstack(at.stack, at.word, context, false);
    bytes.put_mask(at.sigmask, at.word, context.mask);
    bytes.put(at.regs, at.word, core.get(PC));
    for index in 0..31 {
        let to = at.regs + (index as usize + 1) * at.word;
        bytes.put(to, at.word, core.get(X1 + index));
    }
    for index in 0..32 {
        bytes.put(at.fp + index as usize * 8, 8, core.get(F0 + index));
    }
    bytes.put(at.fcsr, 4, core.get(FCSR));
    if let Some(vectors) = vectors {
        vectors.put(core, &mut bytes, at.extensions(), frame, at.word);
    }
    space.write(frame, &bytes.bytes)?;

    let code = vdso::sigreturn(convention::vdso(abi.word_bits));
    core.set(X1, context.trampoline + code);
    core.set(SP, frame);
    core.set(A0, context.signal as u64);
    core.set(A0 + 1, frame);
    core.set(A0 + 2, frame + at.uc as u64);
    core.set(PC, context.action.handler);
    Ok(())
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    abi: GuestAbi,
) -> Result<Restored, Efault> {
    let at = Layout::of(abi);
    let frame = core.get(SP);
    let bytes = Bytes::read(space, frame, at.size, abi)?;
    let bad = Efault {
        addr: frame + at.reserved as u64,
    };
    if bytes.get(at.reserved, 4) != 0 {
        return Err(bad);
    }
    let mut header = frame + at.extensions() as u64;
    loop {
        let head = Bytes::read(space, header, vector::HEADER, abi)?;
        let (magic, size) = (head.get(0, 4), head.get(4, 4));
        if magic == 0 && size == 0 {
            break;
        }
        let vectors = Vectors::in_use(core)
            .filter(|v| magic == vector::MAGIC && size == v.size(at.word) as u64);
        vectors
            .ok_or(bad)?
            .take(core, space, header, at.word, abi)?;
        header += size;
    }
    for index in 0..31 {
        let from = at.regs + (index as usize + 1) * at.word;
        core.set(X1 + index, bytes.get(from, at.word));
    }
    for index in 0..32 {
        core.set(F0 + index, bytes.get(at.fp + index as usize * 8, 8));
    }
    core.set(FCSR, bytes.get(at.fcsr, 4));
    core.set(PC, bytes.get(at.regs, at.word) & !1);
    Ok(Restored {
        altstack: Some(bytes.get_altstack(at.stack, at.word, false)),
    })
}
