//! Vectors in signal frames, and prctl(2) of them (arch/riscv/kernel/{signal,vector}.c; uapi/asm/{sigcontext,ptrace}.h).

use super::registers::{PIECE0, VLENB, VSTART, VSTATE};
use crate::cpu::CpuCore;
use crate::kernel::abi::GuestAbi;
use crate::kernel::signal::frame::Bytes;
use crate::memory::{AddressSpace, Efault};

pub const MAGIC: u64 = 0x5346_5457;
/// struct __riscv_ctx_hdr: magic number and size.
pub const HEADER: usize = 8;
/// struct __riscv_v_ext_state: vstart, vl, vtype, vcsr, vlenb, and where the registers are.
const WORDS: usize = 6;

/// The vector registers of a thread that has used them: how many bytes one has.
pub struct Vectors(usize);

impl Vectors {
    pub fn in_use(core: &mut dyn CpuCore) -> Option<Self> {
        (core.get(VSTATE) & 1 != 0).then(|| Self(core.get(VLENB) as usize))
    }

    /// Where the registers are in an extension, which begins with its header.
    fn registers(word: usize) -> usize {
        HEADER + (WORDS * word).next_multiple_of(16)
    }

    /// An extension's bytes.
    pub fn size(&self, word: usize) -> usize {
        Self::registers(word) + 32 * self.0
    }

    fn pieces(&self) -> u32 {
        2 * self.0 as u32
    }

    /// The extension at `at` in the frame that will be at `frame`.
    pub fn put(
        &self,
        core: &mut dyn CpuCore,
        bytes: &mut Bytes,
        at: usize,
        frame: u64,
        word: usize,
    ) {
        bytes.put(at, 4, MAGIC);
        bytes.put(at + 4, 4, self.size(word) as u64);
        for n in 0..5 {
            bytes.put(at + HEADER + n * word, word, core.get(VSTART + n as u32));
        }
        let data = at + Self::registers(word);
        bytes.put(at + HEADER + 5 * word, word, frame + data as u64);
        for n in 0..self.pieces() {
            bytes.put_wide(data + 16 * n as usize, core.get_wide(PIECE0 + n));
        }
    }

    /// Takes the registers from the extension at `at`, which says where they are.
    pub fn take(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        at: u64,
        word: usize,
        abi: GuestAbi,
    ) -> Result<(), Efault> {
        let state = Bytes::read(space, at + HEADER as u64, WORDS * word, abi)?;
        let data = Bytes::read(space, state.get(5 * word, word), 32 * self.0, abi)?;
        // vtype behind vl: of what is said to be vill, or of longer elements, there are no more than fit.
        for n in [0, 1, 2, 3] {
            core.set(VSTART + n as u32, state.get(n * word, word));
        }
        for (n, piece) in (0..self.pieces()).zip(data.bytes.chunks_exact(16)) {
            let piece = piece.iter().rev().fold(0, |v, &b| v << 8 | u128::from(b));
            core.set_wide(PIECE0 + n, piece);
        }
        Ok(())
    }
}

/// What they take of the largest signal frame on a processor with these extensions.
pub fn room(features: &[String], word: usize) -> u64 {
    let has = |name: &str| features.iter().any(|f| f == name);
    if !has("v") {
        return 0;
    }
    let longer = [256, 512, 1024]
        .into_iter()
        .find(|n| has(&format!("vlen{n}")));
    let vectors = Vectors(longer.unwrap_or(128) / 8);
    (vectors.size(word) + HEADER).next_multiple_of(16) as u64
}

/// PR_RISCV_V_VSTATE_CTRL_*.
const OFF: u64 = 1;
const ON: u64 = 2;
const INHERIT: u64 = 1 << 4;
const ALL: u64 = 0x1f;

/// What a thread may do with vectors now and in what it executes next, as PR_RISCV_V_GET_CONTROL tells.
pub fn control(core: &mut dyn CpuCore) -> Result<u64, i32> {
    if core.get(VLENB) == 0 {
        return Err(libc::EINVAL);
    }
    let control = core.get(VSTATE) >> 1;
    Ok(if control & 3 == 0 {
        control | ON
    } else {
        control
    })
}

/// PR_RISCV_V_SET_CONTROL.
pub fn set_control(args: &[u64], core: &mut dyn CpuCore) -> Result<u64, i32> {
    let now = control(core)?;
    let wanted = args.first().copied().unwrap_or(0);
    let (cur, next) = (wanted & 3, wanted >> 2 & 3);
    if wanted & !ALL != 0 || cur == 3 {
        return Err(libc::EINVAL);
    }
    // Who may use them now cannot be stopped.
    if cur == OFF && now & 3 != OFF {
        return Err(libc::EPERM);
    }
    if next == 3 {
        return Err(libc::EINVAL);
    }
    let cur = if cur == 0 { now & 3 } else { cur };
    let used = core.get(VSTATE) & 1;
    core.set(VSTATE, used | (cur | next << 2 | wanted & INHERIT) << 1);
    Ok(0)
}

/// What of it the next program begins with: nothing, unless one is told of that.
pub fn kept(core: &mut dyn CpuCore) -> u64 {
    let control = control(core).unwrap_or(0);
    if control >> 2 == 0 { 0 } else { control }
}

/// `riscv_v_vstate_ctrl_init`, at the start of a program.
pub fn take_kept(core: &mut dyn CpuCore, kept: u64) {
    let (next, inherit) = (kept >> 2 & 3, kept & INHERIT);
    let cur = if next == 0 { ON } else { next };
    // Told of the next program only, those behind it are as usual.
    let next = if inherit == 0 { 0 } else { next };
    core.set(VSTATE, (cur | next << 2 | inherit) << 1);
}
