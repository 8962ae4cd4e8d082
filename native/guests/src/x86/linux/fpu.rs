//! The state of the floating-point unit and of SSE as FXSAVE stores it (Intel's manual, vol. 1, 10.5.1), which
//! signal frames have.

use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;

use super::registers::{INITIAL_CONTROL, INITIAL_MXCSR, MXCSR_BITS, Numbers};

pub const FXSAVE_SIZE: usize = 512;
const MXCSR: usize = 24;
const ST: usize = 32;
const XMM: usize = 160;

/// `wide`: as FXSAVE64 does, with addresses of 64 bits.
pub fn put(bytes: &mut Bytes, at: usize, core: &mut dyn CpuCore, numbers: &Numbers, wide: bool) {
    let [fiseg, fioff, foseg, fooff, fop] = numbers.last_instruction();
    bytes.put(at, 2, core.get(numbers.fctrl));
    bytes.put(at + 2, 2, core.get(numbers.fstat()));
    bytes.put(at + 4, 2, core.get(numbers.ftw));
    bytes.put(at + 6, 2, core.get(fop));
    if wide {
        bytes.put(at + 8, 8, core.get(fioff));
        bytes.put(at + 16, 8, core.get(fooff));
    } else {
        bytes.put(at + 8, 4, core.get(fioff));
        bytes.put(at + 12, 2, core.get(fiseg));
        bytes.put(at + 16, 4, core.get(fooff));
        bytes.put(at + 20, 2, core.get(foseg));
    }
    bytes.put(at + MXCSR, 4, core.get(numbers.mxcsr));
    bytes.put(at + MXCSR + 4, 4, core.get(numbers.mxcsr_mask));
    for n in 0..8 {
        bytes.put_wide(at + ST + n as usize * 16, core.get_wide(numbers.st + n));
    }
    for n in 0..numbers.xmm_count {
        bytes.put_wide(at + XMM + n as usize * 16, core.get_wide(numbers.xmm + n));
    }
}

/// False: MXCSR has bits that there are not, and FXRSTOR traps.
#[must_use]
pub fn take(
    bytes: &Bytes,
    at: usize,
    core: &mut dyn CpuCore,
    numbers: &Numbers,
    wide: bool,
) -> bool {
    let mxcsr = bytes.get(at + MXCSR, 4);
    if mxcsr & !MXCSR_BITS != 0 {
        return false;
    }
    let [fiseg, fioff, foseg, fooff, fop] = numbers.last_instruction();
    // The top of the stack first: st0 is what is there.
    core.set(numbers.fstat(), bytes.get(at + 2, 2));
    core.set(numbers.fctrl, bytes.get(at, 2));
    for n in 0..8 {
        let value = bytes.get_wide(at + ST + n as usize * 16);
        core.set_wide(numbers.st + n, value & ((1 << 80) - 1));
    }
    core.set(numbers.ftw, bytes.get(at + 4, 1));
    core.set(fop, bytes.get(at + 6, 2));
    if wide {
        core.set(fioff, bytes.get(at + 8, 8));
        core.set(fooff, bytes.get(at + 16, 8));
    } else {
        core.set(fioff, bytes.get(at + 8, 4));
        core.set(fiseg, bytes.get(at + 12, 2));
        core.set(fooff, bytes.get(at + 16, 4));
        core.set(foseg, bytes.get(at + 20, 2));
    }
    core.set(numbers.mxcsr, mxcsr);
    for n in 0..numbers.xmm_count {
        core.set_wide(numbers.xmm + n, bytes.get_wide(at + XMM + n as usize * 16));
    }
    true
}

/// As a program finds it, and each signal handler (`fpu__clear_user_states`).
pub fn reset(core: &mut dyn CpuCore, numbers: &Numbers) {
    core.set(numbers.fstat(), 0);
    core.set(numbers.fctrl, INITIAL_CONTROL);
    for n in 0..8 {
        core.set_wide(numbers.st + n, 0);
    }
    core.set(numbers.ftw, 0);
    for register in numbers.last_instruction() {
        core.set(register, 0);
    }
    core.set(numbers.mxcsr, INITIAL_MXCSR);
    for n in 0..numbers.xmm_count {
        core.set_wide(numbers.xmm + n, 0);
    }
}
