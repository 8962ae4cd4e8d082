//! Where in the host the guest's memory is to be, and how much of it there is.
//!
//! An access of translated code is one instruction, base plus guest address, so a guest has one linear
//! window. On x86-64 with four-level page tables a process has 47 bits in all, and the emulator lives in them: its
//! program and heap at 85 TiB, its libraries and stacks in the last TiB (or all of it from 21 TiB on downwards, under an
//! unlimited stack). So:
//!
//! * The window begins low, at 64 GiB: behind a Python that is linked at a fixed address, and its heap. Its nominal size
//!   is 47 bits; what lies where the emulator is, and in the last 64 GiB, cannot be had.
//! * The core, 4 TiB, is reserved, and everything without an address of its own is placed there, as by a kernel
//!   whose `DEFAULT_MAP_WINDOW` has 42 bits. That is one of the layouts that arm64 kernels have and that sanitizers know
//!   (ThreadSanitizer takes 39, 42 or 48 bits by the address of the stack), and it is the same on every host.
//! * The rest is taken from the host when it is asked for (`segments.rs`). So several guests in one process
//!   each have their core, and share what is above.
//!
//! A host with five-level page tables has 56 bits, and the guest 48, reserved as a whole.
//!
//! Where the host's processor executes the guest's code, guest addresses are host addresses: the window begins at 0,
//! and the same core is reserved from [`LOWEST`] on. The emulator has to be elsewhere.

use std::io;

use libc::MAP_FIXED_NOREPLACE;

use super::segments::SEGMENT;
use super::space::SpaceConfig;
use super::types::{PAGE_SIZE, page_ceil};
use super::window::{GUARD, Window, map_reserve, reservable, soft_limit, unmap};

/// Inaccessible bytes below guest address 0: a null pointer less some offset, as translated code
/// computes it, must not reach the emulator's own memory.
const BELOW: u64 = 4 << 30;
/// The window's alignment, so that guest and host agree on what is aligned for huge pages.
const ALIGN: u64 = 1 << 30;

/// Where the loader and calls without an address place things: below this many bytes.
pub(super) const MAP_WINDOW: u64 = 1 << 42;
/// A segment more, since what is placed at the end of the map window may be overrun.
const CORE: u64 = MAP_WINDOW + SEGMENT;
const FOUR_LEVELS: u64 = 1 << 47;
const FIVE_LEVELS: u64 = 1 << 48;
/// The first place for a window, and the distance to the next.
const FIRST: u64 = 64 << 30;
const STEP: u64 = CORE + FIRST;
const PLACES: u64 = 30;

/// Where a window that begins at 0 is reserved from: what `vm.mmap_min_addr` is at most as kernels come. Below, mappings
/// are the host's to permit (`low.rs`).
const LOWEST: u64 = 64 << 10;

/// Where the host permits less (an RLIMIT_AS), the window is the largest power of two that it does permit.
const MOST_BITS: u8 = 42;
const FEWEST_BITS: u8 = 26;

/// Reserves memory for `config`.
pub(super) fn reserve(config: &SpaceConfig) -> io::Result<Window> {
    if config.executes {
        fixed(LOWEST, CORE - LOWEST)?;
        return Ok(Window::new(0, CORE, FOUR_LEVELS, LOWEST..CORE));
    }
    if let Some(size) = config.reserved_va {
        return whole(page_ceil(size), config.guest_base);
    }
    let unlimited = soft_limit(libc::RLIMIT_AS).is_none();
    if unlimited && config.va_bits >= 47 {
        let found = match config.guest_base {
            Some(at) => open_at(at, at),
            None => five_levels(config.va_bits).or_else(|_| open()),
        };
        match found {
            Err(error) if may_be_smaller(&error) => {}
            result => return result,
        }
    }
    let most = if config.va_bits == 32 {
        32
    } else {
        config.va_bits.clamp(33, MOST_BITS)
    };
    let mut last = io::Error::from_raw_os_error(libc::ENOMEM);
    for bits in (FEWEST_BITS..=most).rev() {
        let size = 1_u64 << bits;
        if size > reservable() {
            continue;
        }
        match whole(size, config.guest_base) {
            Err(error) if may_be_smaller(&error) => last = error,
            result => return result,
        }
    }
    Err(last)
}

/// No room; or a fixed base that is partly taken: something smaller may fit.
fn may_be_smaller(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::EEXIST))
}

/// A window that is reserved wholly, at `at` or wherever the host likes.
fn whole(limit: u64, at: Option<u64>) -> io::Result<Window> {
    if let Some(at) = at {
        fixed(at, limit + GUARD)?;
        return Ok(Window::new(at, limit, limit, at..at + limit + GUARD));
    }
    let align = if limit >= ALIGN { ALIGN } else { 2 << 20 };
    let below = if limit >= ALIGN { BELOW } else { GUARD };
    let size = below + limit + GUARD + align;
    let start = map_reserve(0, size, 0)?;
    let base = (start + below).next_multiple_of(align);
    let end = base + limit + GUARD;
    unmap(start, base - below - start);
    unmap(end, start + size - end);
    Ok(Window::new(base, limit, limit, base - below..end))
}

/// A whole 48 bits, of which a process with five-level page tables has 256. The kernel gives addresses
/// above 47 bits to who names one (Documentation/arch/x86/x86_64/5level-paging.rst).
fn five_levels(va_bits: u8) -> io::Result<Window> {
    if va_bits < 48 {
        return Err(io::Error::from_raw_os_error(libc::ENOMEM));
    }
    let size = BELOW + FIVE_LEVELS + GUARD + ALIGN;
    let start = map_reserve(FIVE_LEVELS, size, 0)?;
    let base = (start + BELOW).next_multiple_of(ALIGN);
    let end = base + FIVE_LEVELS + GUARD;
    unmap(start, base - BELOW - start);
    unmap(end, start + size - end);
    Ok(Window::new(
        base,
        FIVE_LEVELS,
        FIVE_LEVELS,
        base - BELOW..end,
    ))
}

/// A window of which only the core is reserved, at the lowest place that is free.
fn open() -> io::Result<Window> {
    let mut last = io::Error::from_raw_os_error(libc::ENOMEM);
    for place in 0..PLACES {
        let base = FIRST + place * STEP;
        match open_at(base - BELOW, base) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => last = error,
            result => return result,
        }
    }
    Err(last)
}

fn open_at(start: u64, base: u64) -> io::Result<Window> {
    let end = base.checked_add(CORE);
    let end = end.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    fixed(start, end - start)?;
    Ok(Window::new(base, CORE, FOUR_LEVELS, start..end))
}

/// Reserves that place or none; EEXIST where something is there.
fn fixed(at: u64, size: u64) -> io::Result<()> {
    if !at.is_multiple_of(PAGE_SIZE) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let start = map_reserve(at, size, MAP_FIXED_NOREPLACE)?;
    if start != at {
        // Kernels before 4.17 take it for a hint.
        unmap(start, size);
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests have windows meanwhile, so only what holds in any case.
    #[test]
    fn windows_do_not_meet() {
        let config = SpaceConfig::default();
        let windows = [0; 3].map(|_| reserve(&config).expect("room"));
        for (n, window) in windows.iter().enumerate() {
            assert!(window.core() > MAP_WINDOW && window.limit() >= FOUR_LEVELS);
            assert_eq!(window.base() % ALIGN, 0);
            for other in &windows[..n] {
                let apart = window.base().abs_diff(other.base());
                assert!(apart >= window.core() + BELOW);
            }
        }
    }

    #[test]
    fn five_levels_are_used_where_the_host_has_them() {
        match five_levels(64) {
            Ok(window) => {
                assert_eq!((window.core(), window.limit()), (FIVE_LEVELS, FIVE_LEVELS));
                assert!(window.base() >= FOUR_LEVELS);
            }
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOMEM)),
        }
        assert!(five_levels(47).is_err());
    }

    #[test]
    fn a_window_with_a_base_is_there_or_nowhere() {
        let at = 0x3000_0000_0000;
        let config = SpaceConfig {
            guest_base: Some(at),
            ..SpaceConfig::default()
        };
        let window = reserve(&config).expect("room");
        assert_eq!((window.base(), window.core()), (at, CORE));
        assert!(reserve(&config).is_err());
    }
}
