//! vDSOs: the code of the kernel's that programs read clocks by, and by which handlers of signals return.
//!
//! A guest has it as an ELF image (`<isa>/linux/vdso`, built by `native/guests/vdso/Makefile`) with the names and versions that its
//! kernel's has. The code is the guest's own, which any core executes and anybody may disassemble, step through or fault in.
//! But for one instruction, it is: one that has no meaning elsewhere reads a clock of the host's, as a processor's
//! counter is read in the kernel's. The translator knows it within the vDSO only. A word at the image's begin says which
//! clocks it reads; where that is zero, as on other cores, and for all other clocks the functions make the system call.

use crate::ir::state::{Helper, State};

/// The instruction's clocks: those that the kernel's vDSO reads (lib/vdso/gettimeofday.c: `VDSO_HRES`, `VDSO_COARSE`,
/// `VDSO_RAW`).
pub const CLOCKS: u32 = 1 << libc::CLOCK_REALTIME
    | 1 << libc::CLOCK_MONOTONIC
    | 1 << libc::CLOCK_MONOTONIC_RAW
    | 1 << libc::CLOCK_REALTIME_COARSE
    | 1 << libc::CLOCK_MONOTONIC_COARSE
    | 1 << libc::CLOCK_BOOTTIME
    | 1 << libc::CLOCK_TAI;

/// Where in an image the word with [`CLOCKS`] is: behind the program's headers.
pub const fn clocks(image: &[u8]) -> u64 {
    let (wide, big) = (image[4] == 2, image[5] == 2);
    let (size, count) = if wide { (54, 56) } else { (42, 44) };
    let header = if wide { 64 } else { 52 };
    let end = header + half_at(image, size, big) * half_at(image, count, big);
    (end + 15) & !15
}

/// Where the code is that calls sigreturn.
pub const fn sigreturn(image: &[u8]) -> u64 {
    clocks(image) + 8
}

const fn half_at(image: &[u8], at: usize, big: bool) -> u64 {
    let bytes = [image[at], image[at + 1]];
    if big {
        u16::from_be_bytes(bytes) as u64
    } else {
        u16::from_le_bytes(bytes) as u64
    }
}

/// What else the instruction may be asked for (`native/guests/vdso/clocks.h`), beside a clock in the low eight bits.
const RESOLUTION: u64 = 1;
const ZONE: u64 = 2;
const MICROSECONDS: u64 = 3;

/// The instruction: seconds, and above them nanoseconds.
pub const READ: Helper = read;

fn read(_: &mut State, what: u128, _: u128, _: u128, _: u64) -> u128 {
    let (clock, what) = ((what & 0xff) as libc::clockid_t, (what >> 8) as u64 & 3);
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let (first, second) = match what {
        ZONE => {
            // struct timezone: tz_minuteswest, tz_dsttime.
            let mut zone = [0_i32; 2];
            // SAFETY: gettimeofday(2) fills in a struct timezone, which is two numbers of 32 bits.
            unsafe { libc::gettimeofday(std::ptr::null_mut(), zone.as_mut_ptr().cast()) };
            (i64::from(zone[0]), i64::from(zone[1]))
        }
        RESOLUTION => {
            // SAFETY: the call fills in the struct.
            unsafe { libc::clock_getres(clock, &raw mut time) };
            (time.tv_sec, time.tv_nsec)
        }
        _ => {
            // SAFETY: the call fills in the struct.
            unsafe { libc::clock_gettime(clock, &raw mut time) };
            let divisor = if what == MICROSECONDS { 1000 } else { 1 };
            (time.tv_sec, time.tv_nsec / divisor)
        }
    };
    u128::from(first as u64) | u128::from(second as u64) << 64
}
