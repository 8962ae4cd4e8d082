//! The loop around translated code.

use super::shared::WANT_EXIT;
use super::step::no_code;
use super::translate::NoCode;
use super::{LogItem, NO_BLOCK, NativeCore, WANT_ATTENTION, gate, kick_all};
use crate::cache::{Found, Key};
use crate::cpu::{Access, Exit, Flow, OnSyscall};
use crate::host::{Answer, Cpu, Host, Native};
use crate::ir::Trap;
use crate::memory::Flags;
use std::sync::atomic::Ordering;

/// How the loop goes on after something was dealt with.
pub(super) enum Next {
    Go,
    Leave(Exit),
}

/// What was just looked up and is executed next, unless something was invalidated meanwhile.
pub(super) struct Ahead {
    pub(super) key: Key,
    /// The cache's, before the look-up.
    pub(super) epoch: u64,
    pub(super) found: Found,
}

impl NativeCore {
    pub(super) fn run_guest(&mut self, on_syscall: OnSyscall<'_>) -> Exit {
        Native::set_guest_base(self.common.space.base() as u64);
        loop {
            match self.run_once(on_syscall) {
                Next::Go => {}
                Next::Leave(exit) => {
                    // Between the blocks of an exclusive load and its store nothing is executed.
                    if !matches!(exit, Exit::Block { .. }) {
                        self.st().lose_monitor();
                    }
                    return exit;
                }
            }
        }
    }

    /// Runs until translated code comes back, and deals with why.
    fn run_once(&mut self, on_syscall: OnSyscall<'_>) -> Next {
        let gate = gate::inside();
        // What a jump ignores of its target is in nobody's pc.
        self.st().pc = self.common.guest.code_address(self.st_ref().pc);
        if self.st_ref().interrupt.load(Ordering::Acquire) != 0 && self.attend() {
            return Next::Leave(Exit::Interrupted);
        }
        self.settle_traps();
        let pc = self.st_ref().pc;
        // Of the block that is there, if blocks are told of, before that.
        let tells = self.blocks.is_some_and(|told| told != pc);
        if !tells
            && self
                .common
                .stops()
                .is_some_and(|stops| stops.at(self.common.guest.fetch_address(pc)))
        {
            return Next::Leave(Exit::Stop);
        }
        if self.common.space.uses().has(Flags::TAGGED) {
            let at = self.common.space.tags_at();
            let at = at.wrapping_sub(self.common.space.base() as u64);
            let guest = self.common.guest;
            guest.see_tags(self.st(), at);
            if let Some(code) = guest.due(self.st()) {
                let size = guest.max_insn() as u8;
                return Next::Leave(Exit::Exception { code, size });
            }
        }
        let mode = self.translation_mode();
        if self.common.guest.must_step(mode) {
            drop(gate);
            return match self.step_guest() {
                Exit::Interrupted => Next::Go,
                exit => Next::Leave(exit),
            };
        }
        if mode != self.mode {
            // Table and return stack lead to translations for the other mode.
            self.mode = mode;
            self.clear_jumps();
            self.reset_returns();
        }
        let next = self.next.take().filter(|n| {
            n.key == (pc, mode)
                && n.epoch == self.common.cache.epoch()
                && n.found.generation == self.generation.id
        });
        let found = match next.map_or_else(|| self.lookup(pc, mode), |n| Ok(n.found)) {
            Ok(f) => f,
            Err(NoCode::NoRoom) => {
                drop(gate);
                return match self.step_guest() {
                    Exit::Interrupted => Next::Go,
                    exit => Next::Leave(exit),
                };
            }
            Err(NoCode::Fetch(f)) => return Next::Leave(no_code(f)),
        };
        if tells {
            self.blocks = Some(pc);
            let end = self.common.cache.end_of((pc, mode)).unwrap_or(pc);
            let size = end.saturating_sub(pc) as u32;
            return Next::Leave(Exit::Block { size });
        }
        self.blocks = self.blocks.map(|_| NO_BLOCK);
        drop(gate);
        if !self.go_in() {
            return Next::Go;
        }
        let next = self.execute(&found, (pc, mode), on_syscall);
        self.come_out();
        next
    }

    /// Says that this core is going to be in its generation's code; false: that is not the current one any more.
    fn go_in(&mut self) -> bool {
        let id = self.generation.id;
        // Before the look at the number: whoever changes that looks at this then.
        self.shared.inside.swap(id + 1, Ordering::SeqCst);
        let right = self.common.cache.current() == id;
        if !right {
            self.shared.inside.store(0, Ordering::Release);
        }
        right
    }

    /// The core is not in the code any more, nor looks at what is known about it. To be called again is no harm.
    fn come_out(&mut self) {
        let inside = self.shared.inside.load(Ordering::Relaxed);
        if inside == 0 {
            return;
        }
        self.shared.inside.store(0, Ordering::Release);
        if inside - 1 != self.common.cache.current() {
            let _gate = gate::inside();
            self.common.cache.sweep(&|id| self.common.is_busy(id));
        }
    }

    /// In a forked child, where the other threads are not.
    pub(super) fn forget_other_threads(&self) {
        self.common
            .for_each_core(|core| core.inside.store(0, Ordering::Release));
    }

    fn execute(&mut self, found: &Found, (pc, mode): Key, on_syscall: OnSyscall<'_>) -> Next {
        if self.common.config.check {
            return self.checked(found, on_syscall);
        }
        self.log(LogItem::Exec, || format!("{pc:#x}\n"));
        if let Some(watcher) = self.watcher.clone() {
            let end = self.common.cache.end_of((pc, mode)).unwrap_or(pc);
            watcher(self, pc, end.saturating_sub(pc) as u32);
        }
        let answer = self.enter(found);
        self.after(answer, on_syscall)
    }

    pub(super) fn enter(&mut self, found: &Found) -> Answer {
        let cpu: *mut _ = self.cpu();
        // SAFETY: the translation is of this core's generation, the core is prepared, and `run_guest` has told the
        // guest's base.
        let mut answer = unsafe { self.generation.arena.enter(cpu, found.host) };
        while answer == Answer::Fault && self.cpu_ref().fault().float {
            answer = self.float_trap();
        }
        // At a fault registers are not in their slots yet.
        if answer != Answer::Fault {
            self.st().settle_flags();
        }
        answer
    }

    /// Deals with what translated code came back with.
    pub(super) fn after(&mut self, answer: Answer, on_syscall: OnSyscall<'_>) -> Next {
        match answer {
            Answer::Link(n) => self.link(n),
            Answer::Hot(n) => self.hot(n),
            Answer::Indirect => self.indirect(),
            Answer::Interrupted => {
                self.allow_calls();
                Next::Go
            }
            Answer::Fault => self.fault(),
            Answer::Trap { trap, arg } => self.trap(trap, arg, on_syscall),
        }
    }

    /// In check mode: settles what decides the pc. `None`: nothing yet, the state is final.
    pub(super) fn after_checked(&mut self, answer: Answer) -> Option<Next> {
        match answer {
            Answer::Trap { .. } => None,
            answer => Some(self.after(answer, &mut |_, _| Flow::Leave)),
        }
    }

    /// Interrupts and notices. True: leave.
    fn attend(&mut self) -> bool {
        self.allow_calls();
        let bits = self.st_ref().interrupt.swap(0, Ordering::AcqRel);
        if bits & WANT_ATTENTION != 0 {
            self.take_notices();
        }
        bits & WANT_EXIT != 0
    }

    pub(super) fn take_notices(&mut self) {
        for (start, end) in self.common.notices.take().code_ranges {
            self.common.cache.invalidate(start, end);
        }
        self.check_epoch();
    }

    /// Empties the table of jump targets if anything was invalidated, by whomever.
    fn check_epoch(&mut self) {
        let now = self.common.cache.epoch();
        if self.epoch != now {
            self.epoch = now;
            self.clear_jumps();
        }
    }

    /// An empty entry has the pc of another entry's.
    pub(super) fn clear_jumps(&mut self) {
        self.jumps.fill([0, 0]);
        self.jumps[0] = [4, 0];
    }

    /// Forgets the translations of code that has changed, wherever that is.
    fn revise(&mut self) {
        let gate = gate::inside();
        let changed = self.common.cache.revise(&mut self.code_reader());
        if changed {
            self.check_epoch();
            kick_all(&self.common.cores);
        }
        drop(gate);
        if let Some(f) = &mut self.fallback {
            f.invalidate(0, u64::MAX);
        }
    }

    /// Forgets translations, here and in the other cores' tables.
    pub(super) fn forget(&mut self, start: u64, end: u64) {
        let gate = gate::inside();
        if self.common.cache.invalidate(start, end) {
            self.check_epoch();
            kick_all(&self.common.cores);
        }
        drop(gate);
        if let Some(f) = &mut self.fallback {
            f.invalidate(start, end);
        }
    }

    /// A thread that sleeps in a system call keeps no code.
    fn call_out(&mut self, arg: u32, on_syscall: OnSyscall<'_>) -> Flow {
        self.come_out();
        on_syscall(self, arg)
    }

    pub(super) fn trap(&mut self, t: Trap, arg: u32, on_syscall: OnSyscall<'_>) -> Next {
        match t {
            Trap::Syscall => match self.call_out(arg, on_syscall) {
                Flow::Continue => {
                    // A call may have changed mappings.
                    Native::set_guest_base(self.common.space.base() as u64);
                    self.st().lose_monitor();
                    Next::Go
                }
                Flow::Leave => Next::Leave(Exit::Syscall { imm: arg }),
            },
            Trap::Breakpoint => Next::Leave(Exit::Breakpoint { imm: arg }),
            Trap::Undefined => Next::Leave(Exit::Undefined),
            Trap::Exception => Next::Leave(Exit::Exception {
                code: arg,
                size: self.common.guest.max_insn() as u8,
            }),
            Trap::Fallback => self.fall_back(),
            Trap::Resync => Next::Go,
            Trap::Stop => Next::Leave(Exit::Stop),
            Trap::Step => match self.step_guest() {
                Exit::Interrupted => Next::Go,
                exit => Next::Leave(exit),
            },
            Trap::Invalidate if arg != 0 => {
                self.revise();
                Next::Go
            }
            Trap::Invalidate => {
                let line = self.common.guest.cache_line(self.st_ref().trap_addr);
                self.forget(line.start, line.end);
                Next::Go
            }
            Trap::Align => Next::Leave(Exit::Fault {
                addr: self.common.guest.data_address(self.st_ref().trap_addr),
                access: if arg == 0 {
                    Access::Read
                } else {
                    Access::Write
                },
                mapped: true,
                bus: true,
                align: true,
            }),
        }
    }
}
