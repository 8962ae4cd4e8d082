//! Random instructions and register contents.

use super::rig::{F0, FCSR, FR, Kind, STATUS};
use crate::mips::table::Encoding;
use crate::tests::fuzz::Rng;
use crate::tests::rig::{DATA, READ_ONLY, RegFile};

/// A general register. Those of 64 bits hold words more often than not: operations of 32 bits ask for them.
fn general(r: &mut Rng, kind: Kind) -> u128 {
    let v = r.operand();
    let v = match (kind.is_wide, r.below(3)) {
        (false, _) => v & 0xffff_ffff,
        (true, 0) => v,
        (true, _) => v as i32 as u64,
    };
    v.into()
}

/// By number: r0-r31, lo, hi, pc, f0-f31, fcsr, fir, userlocal, status.
pub fn random_regs(r: &mut Rng, kind: Kind) -> RegFile {
    let mut v: RegFile = vec![0];
    v.extend((1..34).map(|_| general(r, kind)));
    v.push(0);
    let bits = if kind.has_fr() { u64::MAX } else { 0xffff_ffff };
    v.extend((0..32).map(|_| u128::from(r.lanes() & bits)));
    // Rounding, flags and conditions; now and then an exception is enabled.
    let mut fcsr = r.below(4) | r.below(32) << 2;
    if kind.names.contains(&"nan2008") {
        fcsr |= 3 << 18;
    } else {
        fcsr |= r.below(2) << 23 | r.below(128) << 25;
    }
    if r.below(6) == 0 {
        // Not of underflow, which is enabled for exact results too (qemu has these not).
        fcsr |= [1 << 7, 1 << 9, 1 << 10, 1 << 11][r.below(4) as usize];
    }
    v.push(fcsr.into());
    v.push(0);
    v.push(general(r, kind));
    v.push(if kind.has_fr() { FR } else { 0 });
    assert_eq!((v.len(), FCSR - F0), (STATUS + 1, 32));
    v
}

/// An address in or at the edges of the data, aligned more often than not.
pub fn address(r: &mut Rng) -> u64 {
    match r.below(8) {
        0 => {
            let page = DATA + 0x1000 * r.below(5);
            page.wrapping_add(r.below(64)).wrapping_sub(32)
        }
        1 => READ_ONLY + r.below(0x1000),
        2 => DATA + 0x800 + r.below(0x1000),
        _ => DATA + 0x800 + 8 * r.below(0x200),
    }
}

/// A random instruction of a line.
pub fn word(r: &mut Rng, line: &Encoding) -> u32 {
    let mut w = r.next() as u32 & !line.mask | line.value;
    // The same register twice now and then, and register 0.
    let pair = |w: u32, from: u32, to: u32| w & !(31 << to) | (w >> from & 31) << to;
    if r.below(6) == 0 && line.mask & 0x03ff_0000 == 0 {
        w = pair(w, 21, 16);
    }
    if r.below(6) == 0 && line.mask & 0x001f_f800 == 0 {
        w = pair(w, 16, 11);
    }
    if r.below(10) == 0 && line.mask & 0x001f_0000 == 0 {
        w &= !0x001f_0000;
    }
    // Registers that programs have.
    if line.name == "rdhwr" {
        w = w & !0xf9c0 | [1, 29, 29][r.below(3) as usize] << 11;
    }
    if matches!(line.name, "cfc1" | "ctc1") {
        w = w & !0xf800 | [0, 25, 26, 28, 31, 31][r.below(6) as usize] << 11;
    }
    w
}
