//! The area of XSAVE (Intel's manual, vol. 1, chapter 13), in its standard format, and the registers in it.

use std::arch::x86_64::__cpuid_count;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::entry::State;

pub const FXSAVE_SIZE: usize = 512;
/// XSTATE_BV: which parts are there; the others are as the processor begins with.
pub const PRESENT: usize = 512;
/// XCOMP_BV, and what must be 0.
const REST_OF_HEADER: std::ops::Range<usize> = 520..576;
const HEADER_END: usize = 576;
const X87: u64 = 1;
const SSE: u64 = 2;
const PKRU: u32 = 9;
/// The kernel's: no access but by key 0 (`init_pkru_value` of arch/x86/mm/pkeys.c).
const INITIAL_PKRU: u32 = 0x5555_5554;

pub const FCW: usize = 0;
pub const FSW: usize = 2;
pub const FTW: usize = 4;
pub const FOP: usize = 6;
pub const FIP: usize = 8;
pub const FDP: usize = 16;
pub const MXCSR: usize = 24;
pub const MXCSR_MASK: usize = 28;
pub const ST: usize = 32;
pub const XMM: usize = 160;
/// What software has of an FXSAVE area: the kernel writes there what follows (struct _fpx_sw_bytes of asm/sigcontext.h).
const SOFTWARE: usize = 464;
const MAGIC: u32 = 0x4650_5853;
const SIZE_AT: usize = SOFTWARE + 16;
/// FP_XSTATE_MAGIC2, behind the area.
pub const MAGIC_BEHIND: u32 = 0x4650_5845;

/// What CPUID says of it, asked once: under a hypervisor that takes as long as many system calls.
static FEATURES: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicUsize = AtomicUsize::new(0);
static PKRU_AT: AtomicUsize = AtomicUsize::new(0);

/// Asks. Before there is an area.
pub fn look() {
    let leaf = __cpuid_count(0xd, 0);
    let features = u64::from(leaf.edx) << 32 | u64::from(leaf.eax);
    if features >> PKRU & 1 != 0 {
        let at = __cpuid_count(0xd, PKRU).ebx as usize;
        PKRU_AT.store(at, Ordering::Relaxed);
    }
    // The size for what the kernel has turned on.
    SIZE.store((leaf.ebx as usize).max(HEADER_END), Ordering::Relaxed);
    FEATURES.store(features, Ordering::Relaxed);
}

/// An area, aligned as XRSTOR wants it, and its size.
#[derive(Clone)]
pub struct Area(Vec<Line>, usize);

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Area {
    /// As a program finds it.
    pub fn new() -> Self {
        let size = SIZE.load(Ordering::Relaxed).max(HEADER_END);
        let mut area = Self(vec![Line([0; 64]); size.div_ceil(64)], size);
        let bytes = area.bytes();
        bytes[FCW..FCW + 2].copy_from_slice(&0x37f_u16.to_le_bytes());
        bytes[MXCSR..MXCSR + 4].copy_from_slice(&0x1f80_u32.to_le_bytes());
        bytes[MXCSR_MASK..MXCSR_MASK + 4].copy_from_slice(&mxcsr_mask().to_le_bytes());
        begin(bytes);
        area
    }

    pub fn size(&self) -> usize {
        self.1
    }

    pub fn pointer(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: lines are bytes, one behind the other.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(), self.size()) }
    }
}

/// The parts that the kernel has turned on (XCR0).
pub fn features() -> u64 {
    FEATURES.load(Ordering::Relaxed) | X87 | SSE
}

/// Whatever FXSAVE does not have becomes what a program begins with, and a signal handler (`fpu__clear_user_states`).
pub fn begin(area: &mut [u8]) {
    let mut present = X87 | SSE;
    let at = PKRU_AT.load(Ordering::Relaxed);
    if at != 0 {
        area[at..at + 4].copy_from_slice(&INITIAL_PKRU.to_le_bytes());
        present |= 1 << PKRU;
    }
    area[PRESENT..PRESENT + 8].copy_from_slice(&present.to_le_bytes());
    area[REST_OF_HEADER].fill(0);
}

/// What the kernel writes where software may (struct _fpx_sw_bytes), and how long the area is with what is behind it.
pub fn mark(area: &mut Vec<u8>) {
    let size = area.len() as u32;
    let bytes = &mut area[SOFTWARE..FXSAVE_SIZE];
    bytes.fill(0);
    bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[4..8].copy_from_slice(&(size + 4).to_le_bytes());
    bytes[8..16].copy_from_slice(&features().to_le_bytes());
    bytes[16..20].copy_from_slice(&size.to_le_bytes());
    area.extend(MAGIC_BEHIND.to_le_bytes());
}

/// The size of the area that these 512 bytes begin, where [`mark`] has marked it.
pub fn marked(legacy: &[u8]) -> Option<usize> {
    let size = word(legacy, SIZE_AT) as usize;
    let is_marked = word(legacy, SOFTWARE) == MAGIC && size >= HEADER_END;
    is_marked.then_some(size)
}

/// The bits of MXCSR that there are, by FXSAVE.
fn mxcsr_mask() -> u32 {
    #[repr(align(16))]
    struct Legacy([u8; FXSAVE_SIZE]);
    let mut legacy = Legacy([0; FXSAVE_SIZE]);
    // SAFETY: writes 512 bytes, aligned.
    unsafe { std::arch::x86_64::_fxsave64((&raw mut legacy.0).cast()) };
    let mask = word(&legacy.0, MXCSR_MASK);
    if mask == 0 { 0xffbf } else { mask }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Takes over what the kernel has put into a signal's frame. Async-signal-safe.
///
/// # Safety
/// `from` is null or the kernel's.
pub unsafe fn save(state: &mut State, from: *const u8) {
    if from.is_null() {
        return;
    }
    // SAFETY: the state has its area; the kernel's has 512 bytes, and says how many more.
    let (area, legacy) = unsafe {
        (
            std::slice::from_raw_parts_mut(state.area, state.area_size),
            std::slice::from_raw_parts(from, FXSAVE_SIZE),
        )
    };
    let mut size = FXSAVE_SIZE;
    if word(legacy, SOFTWARE) == MAGIC {
        size = (word(legacy, SIZE_AT) as usize).min(area.len());
    }
    // SAFETY: as above.
    area[..size].copy_from_slice(unsafe { std::slice::from_raw_parts(from, size) });
    area[SOFTWARE..FXSAVE_SIZE].fill(0);
    if size < HEADER_END {
        area[PRESENT..HEADER_END].fill(0);
        area[PRESENT] = (X87 | SSE) as u8;
    }
    settle(area);
}

/// Makes an area whole: what is not there becomes what the processor begins with, so that its registers can be read and written.
pub fn settle(area: &mut [u8]) {
    let mut bits = [0; 8];
    bits.copy_from_slice(&area[PRESENT..PRESENT + 8]);
    let present = u64::from_le_bytes(bits);
    if present & X87 == 0 {
        area[..MXCSR].fill(0);
        area[FCW..FCW + 2].copy_from_slice(&0x37f_u16.to_le_bytes());
        area[ST..XMM].fill(0);
    }
    if present & SSE == 0 {
        area[XMM..XMM + 256].fill(0);
    }
    let present = (present | X87 | SSE) & features();
    area[PRESENT..PRESENT + 8].copy_from_slice(&present.to_le_bytes());
    area[REST_OF_HEADER].fill(0);
}

/// The tag word as FSTENV has it, of the one that FXSAVE has.
pub fn full_tags(area: &[u8]) -> u16 {
    let (short, top) = (area[FTW], area[FSW + 1] >> 3 & 7);
    (0..8).fold(0, |tags, register: u8| {
        let at = ST + usize::from(register.wrapping_sub(top) & 7) * 16;
        let exponent = u16::from_le_bytes([area[at + 8], area[at + 9]]) & 0x7fff;
        let whole = area[at + 7] & 0x80 != 0;
        let empty = area[at..at + 8].iter().all(|&byte| byte == 0);
        let tag = match exponent {
            _ if short >> register & 1 == 0 => 3,
            0 if empty => 1,
            0 | 0x7fff => 2,
            _ if whole => 0,
            _ => 2,
        };
        tags | tag << (register * 2)
    })
}

/// And the other way round.
pub fn short_tags(full: u16) -> u8 {
    (0..8).fold(0, |tags, register| {
        tags | u8::from(full >> (register * 2) & 3 != 3) << register
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_found() {
        look();
        let mut area = Area::new();
        let size = area.size();
        let mut copy = area.bytes().to_vec();
        assert_eq!(marked(&copy), None);
        mark(&mut copy);
        assert_eq!((marked(&copy), copy.len()), (Some(size), size + 4));
        assert_eq!(word(&copy, size), MAGIC_BEHIND);
    }

    #[test]
    fn tags_by_what_is_in_the_registers() {
        let mut area = Area::new();
        let bytes = area.bytes();
        assert_eq!(full_tags(bytes), 0xffff);
        // Top is 7: st0 is register 7.
        bytes[FSW + 1] = 7 << 3;
        bytes[FTW] = 0x81;
        // st0 is 1.0, st1 (register 0) is 0.
        bytes[ST..ST + 10].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);
        assert_eq!(full_tags(bytes), 0x3ffd);
        assert_eq!(short_tags(0x3ffd), 0x81);
    }

    #[test]
    fn what_is_not_there_is_as_in_the_beginning() {
        let mut area = Area::new();
        let bytes = area.bytes();
        bytes[XMM] = 1;
        bytes[FCW] = 0;
        bytes[PRESENT..PRESENT + 8].fill(0);
        settle(bytes);
        assert_eq!((bytes[XMM], bytes[FCW], bytes[PRESENT]), (0, 0x7f, 3));
    }
}
