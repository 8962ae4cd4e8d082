//! The exact address of a failed access.
//!
//! The TLB-fill callback is given the page only. The engine does note the exact
//! address (`invalid_addr` of its `uc_struct`) but has no call that tells it. Where that field
//! lies in the structure is found out, once a process and when first needed, by
//! making an engine of its own fail at known addresses.

use std::ffi::c_void;
use std::sync::OnceLock;

use super::UnicornConfig;
use super::ffi::{self, Api, Engine, TlbEntry};

/// Where the probe's code lies and where it makes accesses that fail.
const CODE: u64 = 0x1000;
const PROBES: [u64; 3] = [0x6b3a_5127, 0x19d4_e2c3, 0x3f70_0b95];
/// Only this much of the structure is searched; the field is among the first ones.
const SEARCHED: usize = 8192;

/// The address of the access that failed in `page` when `engine` last stopped.
pub fn fault_address(api: &Api, config: &UnicornConfig, engine: *mut Engine, page: u64) -> u64 {
    static OFFSET: OnceLock<Option<usize>> = OnceLock::new();
    let Some(offset) = *OFFSET.get_or_init(|| find_offset(api, config)) else {
        return page;
    };
    // SAFETY: `find_offset` made sure that the offset is within the structure.
    let addr = unsafe {
        engine
            .cast::<u8>()
            .add(offset)
            .cast::<u64>()
            .read_unaligned()
    };
    if addr & !0xfff == page & !0xfff {
        addr
    } else {
        page
    }
}

extern "C" fn probe_fill(
    _: *mut Engine,
    page: u64,
    _: i32,
    entry: *mut TlbEntry,
    _: *mut c_void,
) -> bool {
    if page & !0xfff != CODE {
        return false;
    }
    // SAFETY: the engine waits for its answer in `entry`.
    unsafe {
        *entry = TlbEntry {
            paddr: page,
            perms: ffi::PROT_ALL,
        }
    };
    true
}

extern "C" fn probe_interrupt(_: *mut Engine, _: u32, _: *mut c_void) {}

extern "C" fn probe_invalid(_: *mut Engine, _: *mut c_void) -> bool {
    false
}

/// Memory that the probe's engine runs in.
#[repr(C, align(4096))]
struct Memory([u8; 2 * CODE as usize]);

fn find_offset(api: &Api, config: &UnicornConfig) -> Option<usize> {
    let mut memory = Box::new(Memory([0; 2 * CODE as usize]));
    let base = (&raw mut memory.0).cast::<u8>();
    let probe = config.guest.facts().probe;
    memory.0[CODE as usize..][..probe.code.len()].copy_from_slice(probe.code);
    // SAFETY: `memory` outlives the engine, which is closed below.
    let engine = unsafe { super::setup::open_engine(api, config, base.cast(), 2 * CODE) }.ok()?;
    // SAFETY: open; the callbacks have the right types and need no user data.
    let hooked = unsafe {
        api.hooks(
            engine,
            probe_interrupt,
            probe_invalid,
            probe_fill,
            std::ptr::null_mut(),
        )
    };
    let offset = hooked.ok().and_then(|()| {
        // SAFETY: the engine's structure comes from the C library's allocator, which knows its size.
        let size = unsafe { libc::malloc_usable_size(engine.cast()) }.min(SEARCHED);
        let mut candidates: Vec<usize> = (0..size / 8).map(|word| word * 8).collect();
        for addr in PROBES {
            // SAFETY: open and not running; the register is 32 or 64 bits wide, both of which
            // are within `addr`; `candidates` are within the structure.
            unsafe {
                (api.reg_write)(engine, probe.base.id, (&raw const addr).cast());
                if (api.emu_start)(engine, CODE, 0, 0, 0) != ffi::ERR_EXCEPTION {
                    return None;
                }
                candidates.retain(|&at| engine.cast::<u8>().add(at).cast::<u64>().read() == addr);
            }
        }
        match candidates[..] {
            [offset] => Some(offset),
            _ => None,
        }
    });
    // SAFETY: open, not running, and known to nobody else.
    unsafe { (api.close)(engine) };
    offset
}
