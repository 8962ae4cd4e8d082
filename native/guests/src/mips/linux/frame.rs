//! MIPS signal frames (arch/mips/kernel/signal.c, signal_n32.c; uapi/asm/{sigcontext,ucontext}.h).

use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;
use crate::kernel::signal::{FrameContext, Restored};
use crate::memory::{AddressSpace, Efault};

use super::registers::{A0, DSP_PRESENT, DSPCONTROL, FCSR, HI, HI1, LO, PC, RA, SP, T9};
use super::{Abi, MipsLinux, convention, float};
use crate::vdso;

/// Room for arguments and code that once was there, in front of all frames.
const HEAD: usize = 24;
const INFO_SIZE: usize = 128;
/// `USED_FP` of sc_used_math.
const USED_FP: u64 = 1;

/// Where things are in a sigcontext. Registers have 64 bits in all.
struct Context {
    regs: usize,
    fp: usize,
    pc: usize,
    hi: usize,
    lo: usize,
    fcsr: usize,
    used_math: usize,
    /// DSPControl, and the halves of the further accumulators, in words or with n64 and n32 whole registers.
    dsp: usize,
    accumulators: [usize; 6],
    half: usize,
    size: usize,
}

const O32: Context = Context {
    pc: 8,
    regs: 16,
    fp: 272,
    fcsr: 532,
    used_math: 540,
    hi: 552,
    lo: 560,
    dsp: 544,
    accumulators: [568, 572, 576, 580, 584, 588],
    half: 4,
    size: 592,
};
const N64: Context = Context {
    regs: 0,
    fp: 256,
    hi: 512,
    lo: 544,
    pc: 576,
    fcsr: 584,
    used_math: 588,
    dsp: 592,
    accumulators: [520, 552, 528, 560, 536, 568],
    half: 8,
    size: 600,
};

/// Where things are in a frame: behind the head siginfo_t and ucontext (flags, link, stack_t, sigcontext, mask), or,
/// without siginfo, sigcontext and mask.
pub struct Layout {
    context: &'static Context,
    uc: usize,
    stack: usize,
    sc: usize,
    pub sigmask: usize,
    size: usize,
    word: usize,
    rt: bool,
}

/// Of a sigset_t.
const MASK_SIZE: usize = 16;

impl Layout {
    /// n64 and n32 have the form with siginfo only, and the same registers in it.
    pub fn of(abi: Abi, rt: bool) -> Self {
        let word = if abi == Abi::N64 { 8 } else { 4 };
        let context = if abi == Abi::O32 { &O32 } else { &N64 };
        let rt = rt || abi != Abi::O32;
        let uc = HEAD + if rt { INFO_SIZE } else { 0 };
        let stack = uc + 2 * word;
        let sc = if rt {
            (stack + 3 * word).next_multiple_of(8)
        } else {
            HEAD
        };
        let sigmask = sc + context.size;
        Self {
            context,
            uc,
            stack,
            sc,
            sigmask,
            size: sigmask + MASK_SIZE,
            word,
            rt,
        }
    }
}

pub(super) fn push(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    top: u64,
    context: &FrameContext<'_>,
    linux: &MipsLinux,
) -> Result<(), Efault> {
    let at = Layout::of(linux.abi, context.action.has(libc::SA_SIGINFO));
    let sp = core.get(SP);
    // What the kernel's own floating-point emulation may have there is left alone.
    let top = if top == sp { top.wrapping_sub(32) } else { top };
    let align = if linux.is_wide() { 15 } else { 7 };
    let frame = linux.wrapped(top.wrapping_sub(at.size as u64)) & !align;
    let mut bytes = Bytes::new(at.size, linux.guest_abi());
    if at.rt {
        bytes.bytes[HEAD..HEAD + context.info.len()].copy_from_slice(context.info);
        bytes.put_altstack(at.stack, at.word, context, true);
    }
    let sc = |offset: usize| at.sc + offset;
    let c = at.context;
    bytes.put(sc(c.pc), 8, core.get(PC));
    for index in 1..32 {
        bytes.put(sc(c.regs) + index as usize * 8, 8, core.get(index));
    }
    bytes.put(sc(c.hi), 8, core.get(HI));
    bytes.put(sc(c.lo), 8, core.get(LO));
    // Zeros where the processor has not the DSP module.
    for (id, at) in (HI1..).zip(c.accumulators) {
        bytes.put(sc(at), c.half, core.get(id));
    }
    bytes.put(sc(c.dsp), 4, core.get(DSPCONTROL));
    for index in 0..32 {
        let value = float::get(core, index);
        bytes.put(sc(c.fp) + index as usize * 8, 8, value);
    }
    bytes.put(sc(c.fcsr), 4, core.get(FCSR));
    bytes.put(sc(c.used_math), 4, USED_FP);
    bytes.put_mask(at.sigmask, at.word, context.mask);
    space.write(frame, &bytes.bytes)?;

    core.set(A0, context.signal as u64);
    if at.rt {
        core.set(A0 + 1, frame + HEAD as u64);
        core.set(A0 + 2, frame + at.uc as u64);
    } else {
        core.set(A0 + 1, 0);
        core.set(A0 + 2, frame + at.sc as u64);
    }
    core.set(SP, frame);
    let plain = u64::from(!at.rt) * 8;
    let code = vdso::sigreturn(convention::vdso(linux)) + plain;
    core.set(RA, context.trampoline + code);
    core.set(T9, context.action.handler);
    core.set(PC, context.action.handler);
    Ok(())
}

pub(super) fn pop(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    rt: bool,
    linux: &MipsLinux,
) -> Result<Restored, Efault> {
    let at = Layout::of(linux.abi, rt);
    let frame = core.get(SP);
    let bytes = Bytes::read(space, frame, at.size, linux.guest_abi())?;
    let sc = |offset: usize| at.sc + offset;
    let c = at.context;
    for index in 1..32 {
        core.set(index, bytes.get(sc(c.regs) + index as usize * 8, 8));
    }
    core.set(HI, bytes.get(sc(c.hi), 8));
    core.set(LO, bytes.get(sc(c.lo), 8));
    if core.get(DSP_PRESENT) != 0 {
        for (id, at) in (HI1..).zip(c.accumulators) {
            core.set(id, bytes.get(sc(at), c.half));
        }
        core.set(DSPCONTROL, bytes.get(sc(c.dsp), 4));
    }
    if bytes.get(sc(c.used_math), 4) & USED_FP != 0 {
        for index in 0..32 {
            let value = bytes.get(sc(c.fp) + index as usize * 8, 8);
            float::set(core, index, value);
        }
        // What an exception would be raised for at once is not set (`fpcsr_pending`).
        let fcsr = bytes.get(sc(c.fcsr), 4);
        let raised = fcsr >> 12 & fcsr >> 7 & 0x1f | fcsr >> 12 & 0x20;
        core.set(FCSR, fcsr & !(raised << 12));
    }
    core.set(PC, bytes.get(sc(c.pc), 8));
    let altstack = at.rt.then(|| bytes.get_altstack(at.stack, at.word, true));
    Ok(Restored { altstack })
}
