//! Bringing an engine into the state in which a kernel starts a user program.

use std::ffi::c_void;

use super::UnicornConfig;
use super::engine::Engine;
use super::ffi::{self, Api};
use crate::memory::PAGE_SIZE;

/// An engine being set up; closed again if that fails.
struct Opening<'a> {
    api: &'a Api,
    engine: *mut ffi::Engine,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if !self.engine.is_null() {
            // SAFETY: opened by us, and nobody else knows of it.
            unsafe { (self.api.close)(self.engine) };
        }
    }
}

/// Opens an engine whose memory is the host memory at `base`, at user level and with floating point.
///
/// # Safety
/// The `size` bytes at `base` stay reserved as long as the engine exists.
pub unsafe fn open_engine(
    api: &Api,
    config: &UnicornConfig,
    base: *mut c_void,
    size: u64,
) -> Result<*mut ffi::Engine, String> {
    let guest = config.guest;
    check_memory()?;
    let facts = guest.facts();
    let mut opening = Opening {
        api,
        engine: std::ptr::null_mut(),
    };
    // SAFETY: the engine pointer is ours to be written.
    api.check("open", unsafe {
        (api.open)(facts.arch, facts.mode, &raw mut opening.engine)
    })?;
    let engine = opening.engine;
    // SAFETY: the engine is open and not running; the caller vouches for the memory.
    let view = unsafe {
        if facts.sets_page_size {
            api.set_page_size(engine, PAGE_SIZE as u32)?;
        }
        api.set_cpu_model(engine, config.model)
            .map_err(|e| format!("{e} (model {} of {})", config.model, guest.name()))?;
        api.use_virtual_tlb(engine)?;
        api.use_exits(engine)?;
        let error = (api.mem_map_ptr)(engine, 0, size, ffi::PROT_ALL, base);
        api.check("mapping the address space", error)?;
        Engine::new(api, engine)
    };
    for preset in facts.presets {
        view.change(preset.name, preset.uc, preset.set, preset.clear)?;
    }
    guest.set_up(view, config.model)?;
    opening.engine = std::ptr::null_mut();
    Ok(engine)
}

/// Unicorn ends the process when it gets no memory for its translated code.
fn check_memory() -> Result<(), String> {
    /// What it asks for (DEFAULT_CODE_GEN_BUFFER_SIZE of its tcg/translate-all.c), and something for the rest.
    const WANTED: usize = (1 << 30) + (64 << 20);
    let limited = [libc::RLIMIT_AS, libc::RLIMIT_DATA].iter().any(|which| {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is an rlimit.
        let known = unsafe { libc::getrlimit(*which, &raw mut limit) } == 0;
        known && limit.rlim_cur != libc::RLIM_INFINITY
    });
    if !limited {
        return Ok(());
    }
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, which nobody uses.
    unsafe {
        let probe = libc::mmap(std::ptr::null_mut(), WANTED, prot, flags, -1, 0);
        if probe == libc::MAP_FAILED {
            return Err(
                "the unicorn core has no memory: it takes more than 1 GiB, which \
                        ulimit -d or -v does not permit (the native core takes less)"
                    .into(),
            );
        }
        libc::munmap(probe, WANTED);
    }
    Ok(())
}
