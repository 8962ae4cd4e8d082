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

use std::sync::Arc;

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

/// AT_HWCAP, AT_HWCAP2 and AT_MINSIGSTKSZ: the host's.
fn facts() -> [u64; 3] {
    // SAFETY: asks for numbers only.
    [libc::AT_HWCAP, libc::AT_HWCAP2, libc::AT_MINSIGSTKSZ]
        .map(|what| unsafe { libc::getauxval(what) })
}
