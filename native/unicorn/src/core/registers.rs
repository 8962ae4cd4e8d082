//! The engine's registers, by the numbers of [`Regs`].

use std::ffi::c_int;

use super::{Inner, UnicornCore};
use crate::cpu::Regs;
use crate::regs::{self, UcReg, Width, a32, a64};
use crate::{Guest, setup};

impl Inner {
    pub(super) fn guest(&self) -> Guest {
        self.config.guest
    }

    /// Reads a register into a value of the type that `id` has.
    pub(super) fn read_raw<T: Default>(&self, id: c_int) -> T {
        let mut value = T::default();
        // SAFETY: the engine is open, and `T` has the width of the register; reading a known
        // register cannot fail.
        unsafe { (self.api.reg_read)(self.engine, id, (&raw mut value).cast()) };
        value
    }

    pub(super) fn write_raw<T>(&self, id: c_int, value: T) {
        // SAFETY: as in `read_raw`.
        unsafe { (self.api.reg_write)(self.engine, id, (&raw const value).cast()) };
    }

    pub(super) fn is_thumb(&self) -> bool {
        !self.guest().is_aarch64() && self.read_raw::<u32>(a32::CPSR) & 1 << 5 != 0
    }

    pub(super) fn pc(&self) -> u64 {
        if let Some(pc) = self.new_pc.get() {
            return pc;
        }
        if self.guest().is_aarch64() {
            self.read_raw::<u64>(a64::PC)
        } else {
            u64::from(self.read_raw::<u32>(a32::R15))
        }
    }

    /// Sets the program counter. On arm, bit 0 of it selects Thumb; without it the state stays.
    pub(super) fn set_pc(&self, pc: u64) {
        if self.guest().is_aarch64() {
            if self.in_hook.get() {
                self.new_pc.set(Some(pc));
            } else {
                self.write_raw(a64::PC, pc);
            }
            return;
        }
        if self.in_hook.get() {
            if pc & 1 != 0 {
                self.set_status(self.status() | 1 << 5);
            }
            self.new_pc.set(Some(pc & 0xffff_fffe));
        } else {
            // Unicorn takes the instruction set from bit 0.
            self.write_raw(a32::R15, pc as u32 | u32::from(self.is_thumb()));
        }
    }

    pub(super) fn status(&self) -> u64 {
        let status = self.read_raw::<u32>(if self.guest().is_aarch64() {
            a64::PSTATE
        } else {
            a32::CPSR
        });
        u64::from(status)
    }

    /// Sets the status register but for what a program may not change.
    fn set_status(&self, value: u64) {
        if self.guest().is_aarch64() {
            // NZCV and BTYPE; the mode stays EL0.
            self.write_raw(a64::PSTATE, value as u32 & 0xf000_0c00);
        } else {
            // NZCVQ, IT, GE, E, T; the mode stays USR, interrupts enabled (Arm ARM B1.3.3).
            const USER: u32 = 0xfe0f_fe20;
            let mode = self.read_raw::<u32>(a32::CPSR) & setup::CPSR_MODE;
            self.write_raw(a32::CPSR, value as u32 & USER | mode);
        }
    }

    pub(super) fn get(&self, reg: u32) -> u128 {
        if reg == regs::pc(self.guest()) {
            return self.pc().into();
        }
        if reg == regs::status(self.guest()) {
            return self.status().into();
        }
        match regs::plain(self.guest(), reg) {
            Some(UcReg {
                id,
                width: Width::Bits32,
            }) => self.read_raw::<u32>(id).into(),
            Some(UcReg {
                id,
                width: Width::Bits64,
            }) => self.read_raw::<u64>(id).into(),
            Some(UcReg {
                id,
                width: Width::Bits128,
            }) => self.read_raw::<u128>(id),
            None => 0,
        }
    }

    pub(super) fn set(&self, reg: u32, value: u128) {
        if reg == regs::pc(self.guest()) {
            return self.set_pc(value as u64);
        }
        if reg == regs::status(self.guest()) {
            return self.set_status(value as u64);
        }
        match regs::plain(self.guest(), reg) {
            Some(UcReg {
                id,
                width: Width::Bits32,
            }) => self.write_raw(id, value as u32),
            Some(UcReg {
                id,
                width: Width::Bits64,
            }) => self.write_raw(id, value as u64),
            Some(UcReg {
                id,
                width: Width::Bits128,
            }) => self.write_raw(id, value),
            None => {}
        }
    }

    /// AArch64: general register `rt`, where 31 is the zero register.
    pub(super) fn x(&self, rt: u8) -> u64 {
        if rt == 31 {
            0
        } else {
            self.get(rt.into()) as u64
        }
    }

    pub(super) fn set_x(&self, rt: u8, value: u64) {
        if rt != 31 {
            self.set(rt.into(), value.into());
        }
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
