//! One instruction, without translated code: by the interpreter, by the kernel's rules, or by the fallback core.

use super::memory::Direct;
use super::run::Next;
use super::shared::WANT_ATTENTION;
use super::translate::NoFetch;
use super::{LogItem, NativeCore, gate};
use crate::cpu::{Access, Exit, Flow, Stops};
use crate::guest::Lift;
use crate::ir::Trap;
use crate::ir::interp::{Fault, Interp, Outcome};
use std::sync::atomic::Ordering;

impl NativeCore {
    /// Does what the kernel does for an instruction that traps; false: nothing.
    fn emulate(&mut self) -> bool {
        let guest = self.common.guest;
        let mut code = [0u8; 16];
        let pc = self.st_ref().pc;
        let Ok(size) = self.fetch_insn(pc, &mut code) else {
            return false;
        };
        let Some(done) = self.emulated(&code[..size]) else {
            return false;
        };
        if let Some(id) = done.register {
            guest.set_register(self.st(), id, u128::from(done.value));
        }
        self.st().pc = pc.wrapping_add(u64::from(done.size));
        true
    }

    /// Has the kernel's rules or the fallback core execute one instruction.
    pub(super) fn fall_back(&mut self) -> Next {
        if self.emulate() {
            self.st().executed += 1;
            return Next::Go;
        }
        if self.fallback.is_none()
            && let Some(open) = &self.common.fallback
        {
            match open() {
                Ok(core) => self.fallback = Some(core),
                Err(e) => self.log(LogItem::Unimp, || format!("no fallback core: {e}\n")),
            }
        }
        let Some(mut core) = self.fallback.take() else {
            return Next::Leave(Exit::Undefined);
        };
        let guest = self.common.guest;
        for id in 0..guest.register_count() {
            core.set_wide(id, guest.register(self.st_ref(), id));
        }
        let exit = core.step();
        for id in 0..guest.register_count() {
            let v = core.get_wide(id);
            guest.set_register(self.st(), id, v);
        }
        self.fallback = Some(core);
        match exit {
            Exit::Interrupted => {
                self.st().executed += 1;
                Next::Go
            }
            exit => Next::Leave(exit),
        }
    }

    /// One instruction, by the interpreter.
    pub(super) fn step_guest(&mut self) -> Exit {
        let stops = if self.common.has_stops() {
            let _gate = gate::inside();
            self.common.stops()
        } else {
            None
        };
        self.step_watched(stops.as_deref())
    }

    /// The same, but before an access that is one of `stops`.
    pub(super) fn step_watched(&mut self, stops: Option<&Stops>) -> Exit {
        let before = self.st_ref().executed;
        let exit = self.interpret_one(stops);
        let done = matches!(exit, Exit::Interrupted | Exit::Syscall { .. });
        self.st().executed = before + u64::from(done);
        exit
    }

    fn interpret_one(&mut self, stops: Option<&Stops>) -> Exit {
        if self.st_ref().interrupt.load(Ordering::Acquire) & WANT_ATTENTION != 0 {
            self.st_ref()
                .interrupt
                .fetch_and(!WANT_ATTENTION, Ordering::AcqRel);
            let _gate = gate::inside();
            self.take_notices();
        }
        let common = self.common.clone();
        let guest = common.guest;
        let pc = guest.code_address(self.st_ref().pc);
        self.st().pc = pc;
        let mut word = [0u8; 16];
        let want = match self.fetch_insn(pc, &mut word) {
            Ok(size) => size,
            Err(f) => return no_code(f),
        };
        let mut mode = common.mode_at(self.st_ref(), pc);
        let mut mem = Direct {
            stops,
            ..Direct::new(&common.space, guest)
        };
        let clock = self.read_clock(pc, &word[..want]);
        let mut i = Interp::new(self.st(), &mut mem);
        let (lift, size) = if let Some(clock) = clock {
            clock.carry_out(&mut i);
            (Lift::Next, 4)
        } else {
            guest.interpret(&mut i, pc, &word[..want], &mut mode)
        };
        let outcome = i.outcome;
        if let Some(seen) = mem.seen {
            return seen;
        }
        if let Some((at, write)) = mem.differs
            && let Some(code) = guest.tag_differs(self.st(), write)
        {
            self.st().trap_addr = at;
            return Exit::Exception {
                code,
                size: want as u8,
            };
        }
        match (lift, outcome) {
            (Lift::Undefined, _) => Exit::Undefined,
            (Lift::Unlifted, _) => match self.fall_back() {
                Next::Go => Exit::Interrupted,
                Next::Leave(e) => e,
            },
            (_, Outcome::Faulted(Fault { addr, write })) => self.fault_exit(
                addr,
                if write { Access::Write } else { Access::Read },
                false,
            ),
            // The same again in another mode.
            (_, Outcome::Trapped(Trap::Resync, _)) if self.st_ref().pc == pc => {
                self.interpret_one(stops)
            }
            (_, Outcome::Trapped(t, arg)) => match self.trap(t, arg, &mut |_, _| Flow::Leave) {
                Next::Go => Exit::Interrupted,
                Next::Leave(e) => e,
            },
            (_, Outcome::Jumped) => {
                self.st().pc = guest.code_address(self.st_ref().pc);
                Exit::Interrupted
            }
            (_, Outcome::Next) => {
                self.st().pc = pc.wrapping_add(u64::from(size));
                Exit::Interrupted
            }
        }
    }
}

pub(super) fn no_code(f: NoFetch) -> Exit {
    Exit::Fault {
        addr: f.addr,
        access: Access::Fetch,
        mapped: f.mapped,
        bus: f.align,
        align: f.align,
    }
}
