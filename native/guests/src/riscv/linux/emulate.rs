//! Instructions that trap in a program and that are carried out for it.

use crate::cpu::Emulated;

/// What the counter `time` runs at, in Hz: that of QEMU's machine `virt` (`timebase-frequency`).
const TIMEBASE: u64 = 10_000_000;

/// The CSRs with the counter, and with its upper half on RV32.
const TIME: u32 = 0xc01;
const TIMEH: u32 = 0xc81;

/// RDTIME and RDTIMEH, that is CSRRS or CSRRC with nothing to set or clear: without such a counter the firmware
/// carries them out (OpenSBI).
pub fn emulate(_: &[(u32, u64)], code: &[u8]) -> Option<Emulated> {
    let insn = u32::from_le_bytes(*code.first_chunk()?);
    let (csr, operand, form, register) =
        (insn >> 20, insn >> 15 & 31, insn >> 12 & 7, insn >> 7 & 31);
    // SYSTEM; CSRRS, CSRRC, and their forms with an immediate.
    if insn & 0x7f != 0x73 || operand != 0 || !matches!(form, 2 | 3 | 6 | 7) {
        return None;
    }
    let value = match csr {
        TIME => ticks(),
        TIMEH => ticks() >> 32,
        _ => return None,
    };
    Some(Emulated {
        register: (register != 0).then_some(register),
        value,
        size: 4,
    })
}

/// The counter: CLOCK_MONOTONIC in its ticks.
pub fn ticks() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists, and the buffer is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * TIMEBASE + now.tv_nsec as u64 / (1_000_000_000 / TIMEBASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_the_time() {
        let read = |insn: u32| {
            let found = emulate(&[], &insn.to_le_bytes());
            found.map(|read| (read.register, read.size))
        };
        // Encodings by riscv64-linux-gnu-as.
        assert_eq!(read(0xc010_2573), Some((Some(10), 4))); // rdtime a0
        assert_eq!(read(0xc010_2073), Some((None, 4))); // rdtime zero
        assert_eq!(read(0xc810_25f3), Some((Some(11), 4))); // rdtimeh a1
        assert_eq!(read(0xc010_1073), None); // csrw time, zero
        assert_eq!(read(0x3000_2573), None); // csrr a0, mstatus
        assert_eq!(read(0), None);
        let before = ticks();
        let value = emulate(&[], &0xc010_2573u32.to_le_bytes()).unwrap().value;
        assert!((before..=ticks()).contains(&value));
    }
}
