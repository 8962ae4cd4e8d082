//! The engine's registers, by the numbers of [`Regs`].

use super::{Inner, UnicornCore};
use crate::Guest;
use crate::cpu::{Exit, Regs};
use crate::engine::{Engine, Host, Stopped};
use crate::guest::{Facts, UcReg};
use crate::memory::{AddressSpace, PAGE_SIZE};

/// The library's register for each of our numbers; None: the program counter, and what is always 0.
pub(super) type Table = Box<[Option<UcReg>]>;

/// Writes a guest's [`Bank`](crate::guest::Bank)s out.
pub(super) fn table(facts: &Facts) -> Table {
    let ends = facts.banks.iter().map(|bank| bank.first + bank.count);
    let count = ends.max().unwrap_or(0).max(facts.pc + 1).max(facts.count);
    let mut table = vec![None; count as usize];
    for bank in facts.banks {
        for n in 0..bank.count {
            let id = bank.uc.id + n as i32;
            table[(bank.first + n) as usize] = Some(UcReg { id, ..bank.uc });
        }
    }
    table.into_boxed_slice()
}

impl Inner {
    pub(super) fn guest(&self) -> &'static dyn Guest {
        self.config.guest
    }

    pub(super) fn raw(&self) -> Engine<'_> {
        // SAFETY: the engine is open as long as `self`, which only the thread uses that runs it.
        unsafe { Engine::new(&self.api, self.engine) }
    }

    /// As guests see it: the instruction is at `pc`.
    pub(super) fn stopped(&self, pc: u64) -> Stopped<'_> {
        Stopped::new(self.raw(), pc, self)
    }

    pub(super) fn pc(&self) -> u64 {
        self.new_pc
            .get()
            .unwrap_or_else(|| self.raw().read(self.facts.uc_pc) as u64)
    }

    /// Sets the program counter.
    pub(super) fn set_pc(&self, pc: u64) {
        let pc = self.guest().branch(self.raw(), pc);
        if self.in_hook.get() {
            self.new_pc.set(Some(pc));
        } else {
            let entry = self.guest().entry(self.raw(), pc);
            match (self.facts.raised, self.state.get()) {
                (Some(raised), Some(state)) => state.go_on(entry, raised.bits),
                _ => self.raw().write(self.facts.uc_pc, entry.into()),
            }
        }
    }

    pub(super) fn get(&self, reg: u32) -> u128 {
        if reg == self.facts.pc {
            return self.pc().into();
        }
        if let Some(value) = self.guest().read(self.raw(), reg) {
            return value;
        }
        match self.table.get(reg as usize) {
            Some(Some(uc)) => self.raw().read(*uc),
            _ => 0,
        }
    }

    pub(super) fn set(&self, reg: u32, value: u128) {
        if reg == self.facts.pc {
            return self.set_pc(value as u64);
        }
        if self.guest().write(self.raw(), reg, value) {
            return;
        }
        if let Some(Some(uc)) = self.table.get(reg as usize) {
            self.raw().write(*uc, value);
        }
    }
}

impl Host for Inner {
    fn get(&self, reg: u32) -> u128 {
        Inner::get(self, reg)
    }

    fn set(&self, reg: u32, value: u128) {
        Inner::set(self, reg, value);
    }

    fn readable(&self, addr: u64) -> Result<(), Exit> {
        let page = addr & !(PAGE_SIZE - 1);
        match self.page(page, crate::cpu::Access::Read) {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.fault_exit(fault, addr)),
        }
    }

    fn space(&self) -> &AddressSpace {
        &self.space
    }

    fn permit(&self, registers: u32) -> bool {
        let state = self.state.get().filter(|_| !self.permitted.replace(true));
        state.map(|state| state.permit(registers)).is_some()
    }
}

/// [`Regs`] for a system-call callback.
pub(super) struct HookRegs<'a>(pub(super) &'a Inner);

impl Regs for HookRegs<'_> {
    fn get(&mut self, id: u32) -> u64 {
        self.0.get(id) as u64
    }
    fn set(&mut self, id: u32, value: u64) {
        self.0.set(id, value.into());
    }
    fn get_wide(&mut self, id: u32) -> u128 {
        self.0.get(id)
    }
    fn set_wide(&mut self, id: u32, value: u128) {
        self.0.set(id, value);
    }
}

impl Regs for UnicornCore {
    fn get(&mut self, id: u32) -> u64 {
        self.inner.get(id) as u64
    }
    fn set(&mut self, id: u32, value: u64) {
        self.inner.set(id, value.into());
    }
    fn get_wide(&mut self, id: u32) -> u128 {
        self.inner.get(id)
    }
    fn set_wide(&mut self, id: u32, value: u128) {
        self.inner.set(id, value);
    }
}
