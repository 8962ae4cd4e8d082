//! Calls about a program's own processor: arch_prctl(2) (arch/x86/kernel/process_64.c), and the calls in the
//! vsyscall page (arch/x86/entry/vsyscall/vsyscall_64.c).

use crate::cpu::{Access, CpuCore, Exit};
use crate::memory::AddressSpace;

use super::registers::{FS_BASE, GS_BASE, W64};

// uapi/asm/prctl.h
const ARCH_SET_GS: u64 = 0x1001;
const ARCH_SET_FS: u64 = 0x1002;
const ARCH_GET_FS: u64 = 0x1003;
const ARCH_GET_GS: u64 = 0x1004;
const ARCH_GET_CPUID: u64 = 0x1011;
const ARCH_SET_CPUID: u64 = 0x1012;

/// TASK_SIZE_MAX with four levels of page tables.
const TASK_END: u64 = (1 << 47) - 4096;

pub fn arch_prctl(args: &[u64], core: &mut dyn CpuCore, space: &AddressSpace) -> Result<u64, i32> {
    let (option, value) = (args[0] & 0xffff_ffff, args[1]);
    let mut set = |register| {
        if value >= TASK_END {
            return Err(libc::EPERM);
        }
        core.set(register, value);
        Ok(0)
    };
    match option {
        ARCH_SET_FS => set(FS_BASE),
        ARCH_SET_GS => set(GS_BASE),
        ARCH_GET_FS | ARCH_GET_GS => {
            let register = if option == ARCH_GET_FS {
                FS_BASE
            } else {
                GS_BASE
            };
            let base = core.get(register).to_le_bytes();
            space.write(value, &base).map_err(|_| libc::EFAULT)?;
            Ok(0)
        }
        // The instruction works, and cannot be made to trap: the processor lacks CPUID faulting.
        ARCH_GET_CPUID => Ok(1),
        ARCH_SET_CPUID => Err(libc::ENODEV),
        _ => Err(libc::EINVAL),
    }
}

/// With 32 bits there is no other option (arch/x86/kernel/process_32.c).
pub fn arch_prctl32(args: &[u64]) -> Result<u64, i32> {
    match args[0] & 0xffff_ffff {
        ARCH_GET_CPUID => Ok(1),
        ARCH_SET_CPUID => Err(libc::ENODEV),
        _ => Err(libc::EINVAL),
    }
}

/// The page (VSYSCALL_ADDR) in which programs of old call these: they can execute it and not read it.
const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;
/// By their places there: gettimeofday, time, getcpu.
const CALLS: [(u64, u64); 3] = [(0, 96), (0x400, 201), (0x800, 309)];

pub fn vsyscall(exit: Exit, core: &mut dyn CpuCore, space: &AddressSpace) -> Option<u64> {
    let Exit::Fault {
        addr,
        access: Access::Fetch,
        ..
    } = exit
    else {
        return None;
    };
    let (_, number) = CALLS.into_iter().find(|(at, _)| VSYSCALL + at == addr)?;
    let sp = core.get(W64.sp);
    let mut caller = [0; 8];
    space.read(sp, &mut caller).ok()?;
    core.set(W64.sp, sp.wrapping_add(8));
    core.set(W64.ax, number);
    core.set(W64.ip, u64::from_le_bytes(caller));
    Some(number)
}
