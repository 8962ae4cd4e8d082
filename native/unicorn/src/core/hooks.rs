//! What the engine calls while it runs: exceptions, TLB fills, blocks.

use std::ffi::{c_int, c_void};

use super::registers::HookRegs;
use super::{Inner, Leave, PageFault};
use crate::cpu::{Access, Exit, Flow};
use crate::ffi::{self, Engine, TlbEntry};
use crate::memory::PAGE_SIZE;
use crate::regs::a32;
use crate::trap::{self, A64Trap};
use crate::turn::Turn;
use crate::{family, stops};

/// Exceptions of QEMU's ARM targets (target/arm/cpu.h), as the interrupt hook gets them.
mod excp {
    pub const UDEF: u32 = 1;
    pub const SWI: u32 = 2;
    pub const PREFETCH_ABORT: u32 = 3;
    pub const DATA_ABORT: u32 = 4;
    pub const BKPT: u32 = 7;
}

/// ITSTATE in the CPSR (Arm ARM G8.2.33).
const IT_STATE: u32 = 0x0600_fc00;
/// What is written to the AArch32 syndrome register before a run. No exception has this value.
pub(super) const NO_SYNDROME: u32 = u32::MAX;
impl Inner {
    /// Says, around a run, whether it counts instructions.
    pub(super) fn set_counting(&self, counting: bool) {
        self.stop.set_counting(counting);
        stops::set_counting(counting);
    }

    pub(super) fn take_turn(&self) {
        let turn = Turn::take(Some(&self.stop), self.space.shares_memory());
        self.turn.replace(Some(turn));
        self.stop.turn_begins();
    }

    pub(super) fn end_turn(&self) {
        self.turn.replace(None);
    }

    /// Whether blocks must be hooked, for turns among processes, and are not.
    pub(super) fn needs_hooks(&self) -> bool {
        !self.blocks_hooked.get() && self.space.shares_memory() && family::exists()
    }

    /// From now on [`on_block`] is called at each block. Not while the engine runs.
    pub(super) fn hook_blocks(&self) -> Result<(), String> {
        let user = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: as in `open`: the callback takes `user` as an `&Inner`, which outlives the engine.
        // What is translated already does not call.
        unsafe {
            self.api.hook_blocks(self.engine, on_block, user)?;
            self.api.flush_code(self.engine);
        }
        self.blocks_hooked.set(true);
        Ok(())
    }

    fn end_run(&self, leave: Leave) {
        self.leave.set(Some(leave));
        self.stop_engine();
    }

    fn stop_engine(&self) {
        // SAFETY: the engine is open.
        unsafe { (self.api.emu_stop)(self.engine) };
    }

    fn interrupted(&self, number: u32) {
        match number {
            excp::SWI => self.system_call(),
            excp::BKPT => self.end_run(Leave::Exit(self.breakpoint())),
            excp::DATA_ABORT => self.end_run(Leave::Exit(self.misaligned())),
            excp::PREFETCH_ABORT => {
                let addr = self.pc();
                let exit = Exit::Fault {
                    addr,
                    access: Access::Fetch,
                    mapped: true,
                    bus: true,
                    align: true,
                };
                self.end_run(Leave::Exit(exit));
            }
            excp::UDEF if self.guest().is_aarch64() => self.undefined_a64(),
            _ => self.end_run(Leave::Exit(Exit::Undefined)),
        }
    }

    fn system_call(&self) {
        let thumb = self.is_thumb();
        let insn = self.code_at(self.pc().wrapping_sub(if thumb { 2 } else { 4 }), thumb);
        let imm = if self.guest().is_aarch64() {
            insn >> 5 & 0xffff
        } else {
            trap::svc_imm(insn, thumb)
        };
        let Some(callback) = self.on_syscall.get() else {
            return self.end_run(Leave::Exit(Exit::Syscall { imm }));
        };
        self.in_hook.set(true);
        self.end_turn();
        // SAFETY: set by `run`, which is waiting for the engine and keeps the closure borrowed.
        let flow = unsafe { (*callback)(&mut HookRegs(self), imm) };
        self.take_turn();
        self.in_hook.set(false);
        if flow == Flow::Leave {
            return self.end_run(Leave::Exit(Exit::Syscall { imm }));
        }
        if self.new_pc.get().is_some() {
            return self.end_run(Leave::Resume);
        }
        self.apply_notices();
        if self.stop.is_pending() || self.needs_hooks() {
            self.stop_engine();
        }
    }

    fn breakpoint(&self) -> Exit {
        let thumb = self.is_thumb();
        let insn = self.code_at(self.pc(), thumb);
        let imm = if self.guest().is_aarch64() {
            insn >> 5 & 0xffff
        } else {
            trap::bkpt_imm(insn, thumb)
        };
        Exit::Breakpoint { imm }
    }

    /// Thumb: where a step must end if it is one of an IT block, which the engine takes as a
    /// whole otherwise.
    pub(super) fn it_step_end(&self) -> Option<u64> {
        let status = self.status();
        if self.guest().is_aarch64() || status & 1 << 5 == 0 {
            return None;
        }
        let insn = self.code_at(self.pc(), true);
        // ITSTATE is CPSR[15:10, 26:25]; its low four bits are 0 outside of IT blocks.
        let in_block = status >> 25 & 3 != 0 || status >> 10 & 3 != 0;
        let length = if trap::is_t32(insn) { 4 } else { 2 };
        (in_block || trap::is_it(insn)).then(|| self.pc() + length)
    }

    /// Undoes what the engine does for our sake before it asks for the page of a data access: it
    /// makes its state that of the instruction, as for a fault (`cpu_restore_state` in
    /// qemu/softmmu/unicorn_vtlb.c of 2.1.4), although the translated code goes on. That relies on
    /// ITSTATE being 0 within a block and never clears it, so that whatever ran next would be
    /// taken for the rest of the IT block. The syndrome is [`on_invalid`]'s business.
    fn back_within_block(&self) {
        if self.guest().is_aarch64() {
            return;
        }
        self.write_raw(a32::ESR, NO_SYNDROME);
        let status = self.read_raw::<u32>(a32::CPSR);
        if status & IT_STATE != 0 {
            self.write_raw(a32::CPSR, status & !IT_STATE);
        }
    }

    fn misaligned(&self) -> Exit {
        let pc = self.pc();
        let operand = if self.guest().is_aarch64() {
            trap::a64_misaligned(self.code_at(pc, false))
        } else if self.is_thumb() {
            trap::t32_misaligned(self.code_at(pc, true) << 16 | self.code_at(pc + 2, true))
        } else {
            trap::a32_misaligned(self.code_at(pc, false))
        };
        let addr = self.get(operand.base) as u64;
        let addr = addr.wrapping_add_signed(operand.offset);
        let addr = if self.guest().is_aarch64() {
            addr
        } else {
            addr & 0xffff_ffff
        };
        Exit::Fault {
            addr,
            access: operand.access,
            mapped: true,
            bus: true,
            align: true,
        }
    }

    fn undefined_a64(&self) {
        let pc = self.pc();
        let insn = self.code_at(pc, false);
        let emulate = self.config.emulate.as_ref();
        if let Some(done) = emulate.and_then(|emulate| emulate(&insn.to_le_bytes())) {
            if let Some(register) = done.register {
                self.set_x(register as u8, done.value);
            }
            self.new_pc.set(Some(pc + u64::from(done.size)));
            return self.end_run(Leave::Resume);
        }
        match trap::a64_undefined(insn) {
            A64Trap::Undefined => return self.end_run(Leave::Exit(Exit::Undefined)),
            A64Trap::ReadCtr { rt } => self.set_x(rt, trap::CTR_EL0),
            A64Trap::CleanData { rt } | A64Trap::InvalidateCode { rt } => {
                let addr = self.x(rt);
                if let Err(fault) = self.page(addr & !(PAGE_SIZE - 1), Access::Read) {
                    let exit = self.fault_exit(fault, addr);
                    return self.end_run(Leave::Exit(exit));
                }
                if let A64Trap::InvalidateCode { .. } = trap::a64_undefined(insn) {
                    // By announcing it, so that the cores of other threads hear of it too.
                    let line = self.untagged(addr) & !(trap::CACHE_LINE - 1);
                    self.space.notify_code_write(line, line + trap::CACHE_LINE);
                }
            }
        }
        self.new_pc.set(Some(pc + 4));
        self.end_run(Leave::Resume);
    }

    pub(super) fn fault_exit(&self, fault: PageFault, addr: u64) -> Exit {
        Exit::Fault {
            addr: self.untagged(addr),
            access: fault.access,
            mapped: fault.mapped,
            bus: fault.bus,
            align: false,
        }
    }
}

pub(super) extern "C" fn on_interrupt(_: *mut Engine, number: u32, user: *mut c_void) {
    // SAFETY: `user` is the `Inner` of the running engine, as registered.
    unsafe { &*user.cast::<Inner>() }.interrupted(number);
}

/// AArch32 only: an undefined instruction, or one of the hints that end a block (YIELD, WFE).
/// True to go on.
pub(super) extern "C" fn on_invalid(_: *mut Engine, user: *mut c_void) -> bool {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    // The hints leave the syndrome register alone; a system call before leaves EC 0x11 there.
    let syndrome = inner.read_raw::<u32>(a32::ESR);
    if syndrome == NO_SYNDROME || syndrome >> 26 == 0x11 {
        if inner.stop.is_pending() {
            inner.stop_engine();
        }
        return true;
    }
    inner.leave.set(Some(Leave::Exit(Exit::Undefined)));
    false
}

/// Only where the engine must not be told to stop at any moment, or by another process.
extern "C" fn on_block(_: *mut Engine, _: u64, _: u32, user: *mut c_void) {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if inner.stop.is_pending() || inner.turn.borrow().as_ref().is_some_and(Turn::is_over) {
        inner.stop_engine();
    }
}

/// Only where blocks are watched.
pub(super) extern "C" fn on_watched_block(_: *mut Engine, pc: u64, size: u32, user: *mut c_void) {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    // A step asks with a length of which nobody knows anything.
    if let Some(watcher) = inner.watcher.get() {
        watcher(&mut HookRegs(inner), pc, size);
    }
}

pub(super) extern "C" fn on_tlb_fill(
    _: *mut Engine,
    page: u64,
    kind: c_int,
    entry: *mut TlbEntry,
    user: *mut c_void,
) -> bool {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if inner.invalidating.get() {
        // SAFETY: the engine waits for its answer in `entry`.
        unsafe {
            *entry = TlbEntry {
                paddr: page,
                perms: ffi::PROT_ALL,
            }
        };
        return true;
    }
    // Not where that could end the run behind this very access, see `stops`.
    if inner.api.stops_between_blocks && !inner.counting.get() && inner.stop.is_pending() {
        inner.stop_engine();
    }
    let access = match kind {
        ffi::MEM_WRITE => Access::Write,
        ffi::MEM_FETCH => Access::Fetch,
        _ => Access::Read,
    };
    match inner.page(page, access) {
        Ok((paddr, perms)) => {
            if access != Access::Fetch {
                inner.back_within_block();
            }
            // SAFETY: as above.
            unsafe { *entry = TlbEntry { paddr, perms } };
            true
        }
        Err(fault) => {
            inner.fault.set(Some(fault));
            false
        }
    }
}
