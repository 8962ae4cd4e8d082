//! The core `direct`: the guest's code runs on the host's processor.
//!
//! Guest addresses are host addresses (`SpaceConfig::executes`), so there is nothing to translate. What has to be done is to
//! get in and out: [`entry`] loads all of the guest's registers, bases of FS and GS included, and jumps; out of it only signals lead.
//! A system call is one (SIGSYS) by Syscall User Dispatch (Documentation/admin-guide/syscall-user-dispatch.rst, Linux 5.11), which
//! a byte of the thread's turns on while the guest runs. [`signals`] takes each signal that arrives in the guest, puts
//! the emulator's FS base back before anything else, and has the handler end in [`entry`]'s landing
//! instead of the guest, when the guest is to be left.
//!
//! It keeps nobody in: code of the guest can reach the emulator's memory and make system calls that nobody sees
//! (docs/security.md).

mod entry;
pub mod fpu;
mod run;
mod signals;
mod slots;

use std::arch::x86_64::__cpuid;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Direct;
use crate::cpu::CpuCore;
use crate::memory::{AddressSpace, fault};

/// For the list of guests.
pub static DIRECT: Direct = Direct {
    guest: "x86_64",
    prepare,
    open,
    facts,
};

/// AT_HWCAP2 (asm/hwcap2.h): programs may use RDFSBASE and its like.
const HWCAP2_FSGSBASE: u64 = 2;
const PR_SET_SYSCALL_USER_DISPATCH: i32 = 59;
const PR_SYS_DISPATCH_OFF: i32 = 0;

/// Makes the process one in which guests run so; before there is memory for one.
fn prepare() -> Result<(), String> {
    if fault::is_wide() {
        // A guest may run so already: its dispatch stays as it is.
        return Ok(());
    }
    // SAFETY: asks for a number only.
    let features = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    if features & HWCAP2_FSGSBASE == 0 {
        return Err(
            "the core direct needs FSGSBASE: a processor with it, and Linux 5.9 or newer".into(),
        );
    }
    // SAFETY: off is what it is, so nothing changes.
    let dispatch =
        unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) };
    if dispatch != 0 {
        return Err("the core direct needs Syscall User Dispatch: Linux 5.11 or newer".into());
    }
    fpu::look();
    slots::reserve()?;
    fault::widen(signals::code()).map_err(|error| format!("the core direct: {error}"))
}

fn open(space: Arc<AddressSpace>) -> Box<dyn CpuCore> {
    Box::new(run::Core::new(space))
}

/// AT_HWCAP, which the C library has changed for its own use; 0: not looked up yet.
static HWCAP: AtomicU64 = AtomicU64::new(0);

/// AT_HWCAP, AT_HWCAP2 and AT_MINSIGSTKSZ: the host's.
fn facts() -> [u64; 3] {
    let mut hwcap = HWCAP.load(Ordering::Relaxed);
    if hwcap == 0 {
        // The same by the processor itself (ELF_HWCAP of asm/elf.h), where there is no /proc.
        hwcap = told(libc::AT_HWCAP).unwrap_or_else(|| u64::from(__cpuid(1).edx));
        HWCAP.store(hwcap, Ordering::Relaxed);
    }
    // SAFETY: asks for numbers only.
    let [second, stack] =
        [libc::AT_HWCAP2, libc::AT_MINSIGSTKSZ].map(|what| unsafe { libc::getauxval(what) });
    [hwcap, second, stack]
}

/// What the kernel told this process of `what`.
fn told(what: u64) -> Option<u64> {
    let vector = std::fs::read("/proc/self/auxv").ok()?;
    let mut entries = vector.chunks_exact(16);
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_ne_bytes);
    let entry = entries.find(|entry| number(&entry[..8]) == Some(what))?;
    number(&entry[8..])
}

/// modify_ldt(2), of which the host has the table: its result or -errno.
pub fn modify_ldt(args: &[u64], space: &AddressSpace) -> i64 {
    // What is not the guest's is not canonical: EFAULT, when the kernel looks at it.
    let at = space
        .host_ptr(args[1], args[2])
        .map_or(1 << 63, |at| at as u64);
    // SAFETY: the kernel checks the pointer, which is the guest's.
    let result = unsafe { libc::syscall(libc::SYS_modify_ldt, args[0], at, args[2]) };
    if result < 0 {
        -i64::from(
            std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EIO),
        )
    } else {
        result
    }
}
