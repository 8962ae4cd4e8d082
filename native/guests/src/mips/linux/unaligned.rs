//! Misaligned accesses, which the kernel makes for programs (arch/mips/kernel/unaligned.c,
//! `emulate_load_store_insn`; arch/mips/kernel/branch.c, `compute_return_epc`).

use crate::cpu::CpuCore;
use crate::kernel::abi::GuestAbi;
use crate::kernel::signal::FaultInfo;
use crate::kernel::thunk::convert::{get_int, put_int};
use crate::memory::AddressSpace;

use super::insn::{Access, Insn, Place};
use super::registers::F0;
use super::registers::{FCSR, PC};
use super::trap::SI_KERNEL;
use super::{MipsLinux, float};

/// Makes the access of the instruction at the pc, or of that in the delay slot of the branch there, and moves on.
/// None: it is of an instruction that stays the program's own fault (LL, SC).
pub fn carry_out(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    linux: &MipsLinux,
) -> Option<Result<(), FaultInfo>> {
    let pc = core.get(PC);
    if pc & 3 != 0 {
        // The fetch itself (`do_ade`: badvaddr is epc).
        return None;
    }
    let at = |pc| Insn::fetch(space, pc, linux.big_endian);
    let first = at(pc);
    let (insn, next) = if first.has_slot() {
        (at(linux.wrapped(pc + 4)), branch(core, first, pc, linux))
    } else {
        (first, pc + 4)
    };
    let access = insn.access(linux.is_wide())?;
    if first.has_slot()
        && let Some(link) = first.links()
    {
        core.set(link, linux.wrapped(pc + 8));
    }
    let done = make(core, space, linux, insn, access);
    if done.is_ok() {
        core.set(PC, linux.wrapped(next));
    }
    Some(done)
}

fn make(
    core: &mut dyn CpuCore,
    space: &AddressSpace,
    linux: &MipsLinux,
    insn: Insn,
    access: Access,
) -> Result<(), FaultInfo> {
    let abi: GuestAbi = linux.guest_abi();
    let offset = match access.index {
        Some(index) => core.get(index),
        None => insn.immediate(),
    };
    let addr = linux.wrapped(core.get(insn.base()).wrapping_add(offset));
    let mut bytes = [0; 8];
    let bytes = &mut bytes[..access.size];
    // `force_sig(SIGSEGV)`: nothing is said of the address.
    let failed = FaultInfo {
        signal: libc::SIGSEGV,
        code: SI_KERNEL,
        addr: 0,
        syndrome: 0,
    };
    if access.store {
        let value = match access.place {
            Place::General(reg) => core.get(reg),
            Place::Float(reg) => float_part(core, reg, access.size),
        };
        put_int(bytes, abi.big_endian, value);
        return space.write(addr, bytes).map_err(|_| failed);
    }
    space.read(addr, bytes).map_err(|_| failed)?;
    let value = get_int(bytes, abi.big_endian, access.signed);
    match access.place {
        Place::General(0) => {}
        Place::General(reg) => core.set(reg, linux.wrapped(value)),
        Place::Float(reg) => set_float_part(core, reg, access.size, value),
    }
    Ok(())
}

/// Where a branch goes whose delay slot is done.
fn branch(core: &mut dyn CpuCore, insn: Insn, pc: u64, linux: &MipsLinux) -> u64 {
    let mut get = |reg: u32| core.get(reg);
    // As signed numbers of a word.
    let unused = if linux.is_wide() { 0 } else { 32 };
    let mut signed = |reg| (get(reg) << unused) as i64 >> unused;
    let taken = match insn.opcode() {
        0 => return core.get(insn.rs()),
        2 | 3 => return (pc + 4) & !0xfff_ffff | insn.target(),
        // Even numbers: BLTZ and its forms; odd ones: BGEZ.
        1 => (signed(insn.rs()) < 0) == (insn.rt() & 1 == 0),
        4 | 20 => signed(insn.rs()) == signed(insn.rt()),
        5 | 21 => signed(insn.rs()) != signed(insn.rt()),
        6 | 22 => signed(insn.rs()) <= 0,
        7 | 23 => signed(insn.rs()) > 0,
        // BC1F, BC1T; the first condition's bit in FCSR is apart from the others.
        _ => {
            let (condition, wanted) = insn.float_condition();
            let bit = if condition == 0 { 23 } else { 24 + condition };
            core.get(FCSR) >> bit & 1 == wanted
        }
    };
    let next = if taken {
        (pc + 4).wrapping_add(insn.displacement())
    } else {
        pc + 8
    };
    linux.wrapped(next)
}

/// A floating-point register's lowest 4 or all 8 bytes.
fn float_part(core: &mut dyn CpuCore, reg: u32, size: usize) -> u64 {
    if size == 8 {
        float::get(core, reg)
    } else {
        core.get(F0 + reg)
    }
}

fn set_float_part(core: &mut dyn CpuCore, reg: u32, size: usize, value: u64) {
    if size == 8 {
        float::set(core, reg, value);
    } else {
        core.set(F0 + reg, value & 0xffff_ffff);
    }
}
