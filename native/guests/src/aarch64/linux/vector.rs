//! The vector length by prctl(2), and SVE's record in signal frames (arch/arm64/kernel/{fpsimd,signal}.c;
//! Documentation/arch/arm64/sve.rst; uapi/asm/sigcontext.h).

use super::registers::{LENGTH_CONTROL, LENGTHS, P0, QUADS, V0, VECTORS, Z0};
use crate::cpu::CpuCore;
use crate::kernel::signal::frame::Bytes;

const INHERIT: u64 = 1 << 17;
const ON_EXEC: u64 = 1 << 18;
const LENGTH: u64 = 0xffff;
/// SVE_VL_MAX: of what can be asked for.
const MOST: u64 = 8192;

/// What a thread's next program begins with: in the control register, 0 for the system's default; and whether the program after
/// that does, too.
const NEXT: u64 = 0x1f;
const STAYS: u64 = 1 << 8;

/// The longest length (quadwords) of these (bit n - 1: n) that is not longer.
fn supported(lengths: u64, quads: u64) -> u64 {
    let below = lengths & (u64::MAX >> (64 - quads.min(16)));
    u64::from(64 - below.leading_zeros())
}

fn answer(quads: u64, control: u64) -> u64 {
    let stays = if control & STAYS != 0 { INHERIT } else { 0 };
    (16 * quads) | stays
}

/// PR_SVE_SET_VL.
pub fn set_length(args: &[u64], core: &mut dyn CpuCore) -> Result<u64, i32> {
    // The kernel takes an unsigned long; upper halves that it does not know are flags, too.
    let wanted = args.first().copied().unwrap_or(0);
    let (length, flags) = (wanted & LENGTH, wanted & !LENGTH);
    let lengths = core.get(LENGTHS);
    let valid = (16..=MOST).contains(&length) && length.is_multiple_of(16);
    if lengths == 0 || flags & !(INHERIT | ON_EXEC) != 0 || !valid {
        return Err(libc::EINVAL);
    }
    let quads = supported(lengths, length / 16);
    let mut control = if flags != 0 { quads } else { 0 };
    if flags & INHERIT != 0 {
        control |= STAYS;
    }
    core.set(LENGTH_CONTROL, control);
    if flags & ON_EXEC == 0 {
        core.set(QUADS, quads);
    }
    Ok(answer(quads, control))
}

/// PR_SVE_GET_VL.
pub fn length(core: &mut dyn CpuCore) -> Result<u64, i32> {
    if core.get(LENGTHS) == 0 {
        return Err(libc::EINVAL);
    }
    Ok(answer(core.get(QUADS), core.get(LENGTH_CONTROL)))
}

/// What a new program has of the one before (`fpsimd_flush_thread_vl`).
pub fn take_kept(core: &mut dyn CpuCore, control: u64) {
    let lengths = core.get(LENGTHS);
    if lengths == 0 || control == 0 {
        return;
    }
    let quads = supported(lengths, control & NEXT);
    if quads != 0 {
        core.set(QUADS, quads);
    }
    // Unless it is inherited, the program after it begins with the default.
    core.set(
        LENGTH_CONTROL,
        if control & STAYS != 0 { control } else { 0 },
    );
}

pub const MAGIC: u64 = 0x5356_4501;
/// struct sve_context.
pub const HEADER: usize = 16;

/// The vectors of a thread as a frame has them: their length in quadwords, and whether they are in use, so that there is more than
/// the record's header.
#[derive(Clone, Copy)]
pub struct Vectors {
    quads: usize,
    live: bool,
}

impl Vectors {
    /// None: a processor without.
    pub fn of(core: &mut dyn CpuCore) -> Option<Self> {
        (core.get(LENGTHS) != 0).then(|| Self {
            quads: core.get(QUADS) as usize,
            live: core.get(VECTORS) != 0,
        })
    }

    /// A record's bytes with all registers.
    fn whole(self) -> usize {
        (HEADER + 32 * 16 * self.quads + 17 * 2 * self.quads).next_multiple_of(16)
    }

    pub fn size(self) -> usize {
        if self.live { self.whole() } else { HEADER }
    }

    pub fn put(self, core: &mut dyn CpuCore, bytes: &mut Bytes, at: usize) {
        bytes.put(at, 4, MAGIC);
        bytes.put(at + 4, 4, self.size() as u64);
        bytes.put(at + 8, 2, 16 * self.quads as u64);
        if !self.live {
            return;
        }
        let mut to = at + HEADER;
        for n in 0..32 {
            for k in 0..self.quads as u32 {
                let v = if k == 0 {
                    core.get_wide(V0 + n)
                } else {
                    core.get_wide(Z0 + 15 * n + k - 1)
                };
                // Bytes in the order of LDR and STR of vectors, whatever that of data is.
                bytes.bytes[to..to + 16].copy_from_slice(&v.to_le_bytes());
                to += 16;
            }
        }
        for n in 0..17 {
            let words = (0..4).flat_map(|k| core.get(P0 + 4 * n + k).to_le_bytes());
            for b in words.take(2 * self.quads) {
                bytes.bytes[to] = b;
                to += 1;
            }
        }
    }

    /// Takes the registers from a record at `at`; false: it is none of this length (`restore_sve_fpsimd_context`).
    pub fn take(self, core: &mut dyn CpuCore, bytes: &Bytes, at: usize, size: usize) -> bool {
        if size < HEADER || bytes.get(at + 8, 2) != 16 * self.quads as u64 {
            return false;
        }
        // The header alone: vectors are not in use.
        core.set(VECTORS, 0);
        if size == HEADER {
            return true;
        }
        if size < self.whole() {
            return false;
        }
        core.set(VECTORS, 1);
        let mut from = at + HEADER;
        for n in 0..32 {
            for k in 0..self.quads as u32 {
                let b = &bytes.bytes[from..from + 16];
                let v = b.iter().rev().fold(0, |v, &b| v << 8 | u128::from(b));
                core.set_wide(if k == 0 { V0 + n } else { Z0 + 15 * n + k - 1 }, v);
                from += 16;
            }
        }
        for n in 0..17 {
            let b = &bytes.bytes[from..from + 2 * self.quads];
            for (k, word) in b.chunks(8).enumerate() {
                let v = word.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b));
                core.set(P0 + 4 * n + k as u32, v);
            }
            from += 2 * self.quads;
        }
        true
    }
}

/// What the largest frame on a processor with these features takes beyond others.
pub fn room(features: &[String]) -> u64 {
    if !features.iter().any(|f| f == "sve") {
        return 0;
    }
    let lengths =
        crate::aarch64::features::lengths_of(crate::aarch64::features::by_names(features));
    let quads = 64 - lengths.leading_zeros() as usize;
    super::frame::extra(Vectors { quads, live: true }.whole()) as u64
}
