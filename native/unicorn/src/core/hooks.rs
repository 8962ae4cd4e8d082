//! What the engine calls while it runs: exceptions, TLB fills, blocks.

use std::ffi::{c_int, c_void};

use super::registers::HookRegs;
use super::{Inner, Leave, PageFault};
use crate::cpu::{Access, Exit, Flow};
use crate::ffi::{self, Engine, TlbEntry};
use crate::guest::{Exception, Meaning};
use crate::memory::PAGE_SIZE;
use crate::turn::Turn;
use crate::{family, rescue, stops};

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

    /// Has runs stop before instructions by hooks, which can be passed without other translations. Where branches have
    /// delay slots that is so from the beginning: the library leaves a block at one of its exits with the program counter
    /// of the block's start (`gen_helper_wait` in qemu/target/mips/translate.c). Before it calls a hook of an instruction
    /// it sets it. Hooks stay: what they are asked for is looked up.
    pub(super) fn hook_stops(&self, stops: &[u64]) {
        let user = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        for &at in stops {
            if self.hooked_stops.borrow_mut().insert(at) {
                // SAFETY: as in `open`: the callback takes `user` as an `&Inner`, which outlives the engine.
                // Without memory for a hook there is no such stop.
                let _ = unsafe { self.api.hook_address(self.engine, on_stop, user, at) };
            }
        }
    }

    /// Stops before the instruction at `pc`, but for one in a delay slot: its branch could not be gone on with. True:
    /// translated code is to be left at once.
    fn stop_at(&self, pc: u64) -> bool {
        let stepping = self.counting.get();
        if self.passed.take() == Some(pc) {
            return false;
        }
        let in_slot = || {
            let before = self.stopped(pc.wrapping_sub(4));
            self.guest().counts_as(&before) > 1
        };
        if !stepping && self.stops.borrow().at(pc) && !in_slot() {
            self.take_back_count(pc);
            self.end_run(Leave::Resume);
            return self.facts.raised.is_none();
        }
        false
    }

    /// Whether a hook can leave translated code ([`rescue::leave`]).
    pub(super) fn can_leave(&self) -> bool {
        rescue::can_leave(self, self.cpu.get())
    }

    pub(super) fn end_run(&self, leave: Leave) {
        self.leave.set(Some(leave));
        self.stop_engine();
    }

    pub(super) fn stop_engine(&self) {
        // SAFETY: the engine is open.
        unsafe { (self.api.emu_stop)(self.engine) };
    }

    fn interrupted(&self, number: u32) {
        let exceptions = self.facts.exceptions;
        let found = exceptions.iter().find(|known| known.number == number);
        let found = found
            .copied()
            .unwrap_or(Exception::new(number, Meaning::Undefined));
        if found.meaning == Meaning::Call {
            self.guest().pass_call(self.raw());
        }
        let at = self.pc();
        let pc = self.raised_at(at, found);
        if pc != at {
            self.new_pc.set(Some(pc));
        }
        let cpu = self.stopped(pc);
        let exit = match found.meaning {
            Meaning::Call => {
                return self.system_call(self.guest().immediate(&cpu, Meaning::Call), None);
            }
            Meaning::Undefined => return self.undefined(pc),
            Meaning::Breakpoint => Exit::Breakpoint {
                imm: self.guest().immediate(&cpu, Meaning::Breakpoint),
            },
            Meaning::Misaligned(access) => self.guest().misaligned(&cpu, access),
            Meaning::Ask => match self.guest().exception(&cpu, number) {
                Exit::Undefined => return self.undefined(pc),
                exit => exit,
            },
        };
        self.end_run(Leave::Exit(exit));
    }

    /// A system-call instruction that has a hook of its own. The library moves behind it when that is done.
    fn called(&self, size: u64) {
        let behind = self.pc().wrapping_add(size);
        self.guest().pass_call(self.raw());
        self.new_pc.set(Some(behind));
        self.system_call(0, Some(behind));
    }

    /// `behind`: where the library goes on by itself, if that is not where its pc is.
    fn system_call(&self, imm: u32, behind: Option<u64>) {
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
        if self.new_pc.get() != behind {
            return self.end_run(Leave::Resume);
        }
        self.new_pc.set(None);
        self.take_words();
        self.apply_notices();
        if self.stop.is_pending() || self.needs_hooks() {
            self.stop_engine();
        }
    }

    fn undefined(&self, pc: u64) {
        let cpu = self.stopped(pc);
        let emulate = self.config.emulate.as_ref();
        let size = if let Some(done) = emulate.and_then(|emulate| emulate(&cpu.code::<4>(pc))) {
            if let Some(register) = done.register {
                self.set(register, done.value.into());
            }
            u64::from(done.size)
        } else {
            match self.guest().undefined(&cpu) {
                Ok(size) => size,
                Err(exit) => return self.end_run(Leave::Exit(exit)),
            }
        };
        self.new_pc.set(Some(pc + size));
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

pub(super) extern "C" fn on_call(_: *mut Engine, user: *mut c_void) {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if let Some((_, size)) = inner.facts.call {
        inner.called(size);
    }
}

/// What the library calls an invalid instruction. True to go on.
pub(super) extern "C" fn on_invalid(_: *mut Engine, user: *mut c_void) -> bool {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if let Some(exit) = inner.guest().invalid(&inner.stopped(inner.pc())) {
        inner.leave.set(Some(Leave::Exit(exit)));
        return false;
    }
    if inner.stop.is_pending() {
        inner.stop_engine();
    }
    true
}

/// Only where the engine must not be told to stop at any moment, or by another process.
extern "C" fn on_block(_: *mut Engine, _: u64, _: u32, user: *mut c_void) {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if inner.stop.is_pending() || inner.turn.borrow().as_ref().is_some_and(Turn::is_over) {
        inner.stop_engine();
    }
}

/// Before an instruction that was one to stop at.
extern "C" fn on_stop(_: *mut Engine, pc: u64, _: u32, user: *mut c_void) {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if inner.stop_at(pc) {
        // SAFETY: the library has set the program counter, and calls this from translated code. Nothing here has
        // anything to clean up.
        unsafe { rescue::leave(inner, inner.cpu.get()) };
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
    if inner.target.stops_between_blocks && !inner.counting.get() && inner.stop.is_pending() {
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
                inner.leave_slot();
                inner.guest().after_fill(inner.raw());
            } else if inner.facts.coherent_code {
                inner.watch_code(page & !(PAGE_SIZE - 1));
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
