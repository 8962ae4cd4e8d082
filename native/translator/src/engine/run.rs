//! The loop around translated code.

use super::memory::Direct;
use super::region::MODE_REGION;
use super::translate::{NoCode, NoFetch};
use super::{LogItem, NativeCore, WANT_ATTENTION, WANT_EXIT, gate, kick_all};
use crate::cache::{Found, Key};
use crate::cpu::{Access, Exit, Flow, OnSyscall, Stops};
use crate::guest::Lift;
use crate::host::x64::code::{Place, Recipe};
use crate::host::x64::layout::{self, BIAS, Pinning, host};
use crate::host::x64::live::trap_of;
use crate::host::x64::runtime::{self, code};
use crate::ir::eval::eval_any;
use crate::ir::interp::{Fault, Interp, Outcome};
use crate::ir::state::State;
use crate::ir::{Op, Trap};
use crate::memory::Prot;
use std::sync::atomic::Ordering;

/// How the loop goes on after something was dealt with.
pub(super) enum Next {
    Go,
    Leave(Exit),
}

/// What was just looked up and is executed next, unless something was invalidated meanwhile.
pub(super) struct Ahead {
    key: Key,
    /// The cache's, before the look-up.
    epoch: u64,
    found: Found,
}

/// What an access takes.
fn need(access: Access) -> Prot {
    match access {
        Access::Read => Prot::READ,
        Access::Write => Prot::WRITE,
        Access::Fetch => Prot::EXEC,
    }
}

impl NativeCore {
    pub(super) fn run_guest(&mut self, on_syscall: OnSyscall<'_>) -> Exit {
        runtime::set_guest_base(self.common.space.base() as u64);
        loop {
            match self.run_once(on_syscall) {
                Next::Go => {}
                Next::Leave(exit) => return exit,
            }
        }
    }

    /// Runs until translated code comes back, and deals with why.
    fn run_once(&mut self, on_syscall: OnSyscall<'_>) -> Next {
        let gate = gate::inside();
        if self.st_ref().interrupt.load(Ordering::Acquire) != 0 && self.attend() {
            return Next::Leave(Exit::Interrupted);
        }
        self.settle_traps();
        let pc = self.st_ref().pc;
        if self
            .common
            .stops()
            .is_some_and(|stops| stops.at(self.common.guest.fetch_address(pc)))
        {
            return Next::Leave(Exit::Stop);
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
            Err(NoCode::Fetch(f)) => {
                let plain = self.common.guest.code_address(pc);
                if plain == pc {
                    return Next::Leave(no_code(f));
                }
                self.st().pc = plain;
                return Next::Go;
            }
        };
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

    pub(super) fn enter(&mut self, found: &Found) -> u32 {
        let st: *mut _ = self.st();
        // SAFETY: the translation is of this core's generation, the state is prepared, and
        // GS was set by `run_guest`.
        let mut answer = unsafe { self.generation.arena.enter(st, found.host) };
        while answer == code::FAULT && self.st_ref().host[host::FAULT_ERR] & 4 != 0 {
            answer = self.float_trap();
        }
        self.st().settle_flags();
        answer
    }

    /// Deals with what translated code came back with.
    pub(super) fn after(&mut self, answer: u32, on_syscall: OnSyscall<'_>) -> Next {
        match answer {
            code::LINK => {
                let n = self.st_ref().host[host::EXIT_ID] as u32;
                self.link(n)
            }
            code::HOT => {
                let n = self.st_ref().host[host::EXIT_ID] as u32;
                self.hot(n)
            }
            code::INDIRECT => self.indirect(),
            code::INTERRUPTED => {
                self.allow_calls();
                Next::Go
            }
            code::FAULT => self.fault(),
            trap => {
                // The highest bit says that it is a trap.
                let arg = trap >> 4 & 0xff_ffff;
                self.trap(trap_of(trap as u8 & 15), arg, on_syscall)
            }
        }
    }

    /// In check mode: settles what decides the pc. `None`: nothing yet, the state is final.
    pub(super) fn after_checked(&mut self, answer: u32) -> Option<Next> {
        match answer {
            code::LINK | code::HOT | code::INDIRECT | code::INTERRUPTED | code::FAULT => {
                Some(self.after(answer, &mut |_, _| Flow::Leave))
            }
            _ => None,
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

    fn take_notices(&mut self) {
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

    /// Moves to the cache's generation if it is another.
    fn follow(&mut self, generation: u64) {
        if self.generation.id != generation {
            self.generation = self.common.cache.generation();
            self.clear_jumps();
            self.reset_returns();
            // So that the old one can go.
            self.common.for_each_core(|core| {
                let inside = core.inside.load(Ordering::SeqCst);
                if inside != 0 && inside - 1 != generation {
                    core.kick(WANT_ATTENTION);
                }
            });
        }
    }

    pub(super) fn lookup(&mut self, pc: u64, mode: u32) -> Result<Found, NoCode> {
        match self.common.cache.find((pc, mode)) {
            Some(found) => {
                self.follow(found.generation);
                Ok(found)
            }
            None => self.make(pc, mode),
        }
    }

    /// The translation of a pc that has none yet.
    fn make(&mut self, pc: u64, mode: u32) -> Result<Found, NoCode> {
        let known = if self.common.was_debugged() {
            None
        } else {
            let parked = self.take_back(pc, mode);
            parked.or_else(|| self.take_from_stock(pc, mode))
        };
        let found = match known {
            Some(f) => f,
            None => self.translate(pc, mode)?,
        };
        self.follow(found.generation);
        Ok(found)
    }

    /// Exit `n` was taken for the first time.
    fn link(&mut self, n: u32) -> Next {
        let _gate = gate::inside();
        let id = self.generation.id;
        let epoch = self.common.cache.epoch();
        let Some(exit) = self.common.cache.taken(id, n) else {
            // The exit of a generation that is over: its pc is lost with the tables.
            unreachable!("an exit of an old generation");
        };
        let key = (exit.pc, exit.mode);
        self.st().pc = exit.pc;
        if !self.common.config.options.chain || self.common.config.check {
            return Next::Go;
        }
        let found = match exit.found {
            Some(found) => {
                self.follow(found.generation);
                found
            }
            None => match self.make(key.0, key.1) {
                Ok(found) => found,
                // `run_once` will say so.
                Err(_) => return Next::Go,
            },
        };
        self.common.cache.chain_to(id, n, found);
        self.tell_chained(id, n);
        self.next = Some(Ahead { key, epoch, found });
        Next::Go
    }

    /// Exit `n`, a backward jump, was taken often.
    fn hot(&mut self, n: u32) -> Next {
        let _gate = gate::inside();
        let id = self.generation.id;
        let Some(exit) = self.common.cache.taken(id, n) else {
            unreachable!("an exit of an old generation");
        };
        let (pc, mode, last) = (exit.pc, exit.mode, exit.from);
        let limit = self.common.config.hot;
        let st = self.st();
        st.pc = pc;
        st.heat[layout::heat_index(pc)] = limit;
        if self.common.cache.current() != id {
            return Next::Go;
        }
        // Without a region the exit at least need not count any more.
        let mode = match self.translate_region(pc, last, mode) {
            Some(_) => mode | MODE_REGION,
            None => mode,
        };
        self.common.cache.chain_hot(id, n, mode);
        Next::Go
    }

    /// An indirect jump whose target is not in the core's table.
    fn indirect(&mut self) -> Next {
        let _gate = gate::inside();
        let pc = self.st_ref().pc;
        let mode = self.translation_mode();
        if self.st_ref().host[host::RETURN_RSP] > self.st_ref().host[host::RETURN_TOP] {
            self.reset_returns();
        }
        let epoch = self.common.cache.epoch();
        if let Ok(found) = self.lookup(pc, mode) {
            let n = (pc << 2 & 0xfff0) as usize / 16;
            self.jumps[n] = [pc, found.host as u64];
            let key = (pc, mode);
            self.next = Some(Ahead { key, epoch, found });
        }
        Next::Go
    }

    /// A thread that sleeps in a system call keeps no code.
    fn call_out(&mut self, arg: u32, on_syscall: OnSyscall<'_>) -> Flow {
        self.come_out();
        on_syscall(self, arg)
    }

    fn trap(&mut self, t: Trap, arg: u32, on_syscall: OnSyscall<'_>) -> Next {
        match t {
            Trap::Syscall => match self.call_out(arg, on_syscall) {
                Flow::Continue => {
                    // A call may have changed mappings.
                    runtime::set_guest_base(self.common.space.base() as u64);
                    Next::Go
                }
                Flow::Leave => Next::Leave(Exit::Syscall { imm: arg }),
            },
            Trap::Breakpoint => Next::Leave(Exit::Breakpoint { imm: arg }),
            Trap::Undefined => Next::Leave(Exit::Undefined),
            Trap::Fallback => self.fall_back(),
            Trap::Resync => Next::Go,
            Trap::Stop => Next::Leave(Exit::Stop),
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
    fn fall_back(&mut self) -> Next {
        if self.emulate() {
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
            Exit::Interrupted => Next::Go,
            exit => Next::Leave(exit),
        }
    }

    /// Translated code faulted: restore the exact state and say what it was.
    fn fault(&mut self) -> Next {
        let st = self.st_ref();
        let (at, host_addr, kind) = (
            st.host[host::FAULT_PC] as usize,
            st.host[host::FAULT_ADDR],
            st.host[host::FAULT_ERR],
        );
        let gate = gate::inside();
        let point = self.common.cache.fault_at(self.generation.id, at);
        drop(gate);
        let Some(point) = point else {
            panic!("native core: a fault at {at:#x} that no translated instruction can have");
        };
        let common = self.common.clone();
        let st = self.st();
        st.pc = point.pc;
        settle(point.pin.as_deref().unwrap_or(&common.cache.pin), st);
        if let Some(r) = &point.recipe {
            st.flags = recipe(st, r);
        }
        let base = self.common.space.base() as u64;
        let addr = host_addr.wrapping_sub(base);
        if host_addr == u64::MAX || addr >= self.common.space.limit() {
            // Not an address of the window: tagged, perhaps. The interpreter knows.
            return match self.step_guest() {
                Exit::Interrupted => {
                    if self.common.stops().is_none() {
                        self.tagged = self.tagged.saturating_add(1);
                    }
                    Next::Go
                }
                exit => Next::Leave(exit),
            };
        }
        if self.common.space.fault(addr) {
            return Next::Go;
        }
        let access = if kind & 1 != 0 || point.write {
            Access::Write
        } else {
            Access::Read
        };
        let bus = kind & 2 != 0;
        if !bus
            && self.common.space.is_guarded(addr, need(access))
            && self.common.space.read(addr, &mut [0]).is_ok()
        {
            // Another thread permitted it meanwhile.
            return Next::Go;
        }
        Next::Leave(self.fault_exit(addr, access, bus))
    }

    fn fault_exit(&self, addr: u64, access: Access, bus: bool) -> Exit {
        let (space, plain) = (&self.common.space, self.common.guest.data_address(addr));
        // The kernel tells of a guard as of nothing at all: SEGV_MAPERR.
        let mapped =
            space.prot_at(plain).is_some() && (bus || !space.is_guarded(plain, need(access)));
        Exit::Fault {
            addr,
            access,
            mapped,
            bus,
            align: false,
        }
    }

    /// One instruction, by the interpreter.
    pub(super) fn step_guest(&mut self) -> Exit {
        let stops = self.common.stops();
        self.step_watched(stops.as_deref())
    }

    /// The same, but before an access that is one of `stops`.
    pub(super) fn step_watched(&mut self, stops: Option<&Stops>) -> Exit {
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
        let mut mode = guest.mode(self.st_ref());
        let mut mem = Direct {
            stops,
            ..Direct::new(&common.space, guest)
        };
        let mut i = Interp::new(self.st(), &mut mem);
        let (lift, size) = guest.interpret(&mut i, pc, &word[..want], &mut mode);
        let outcome = i.outcome;
        if let Some(Fault { addr, write }) = mem.seen {
            return Exit::Watched { addr, write };
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
                self.step_watched(stops)
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

fn no_code(f: NoFetch) -> Exit {
    Exit::Fault {
        addr: f.addr,
        access: Access::Fetch,
        mapped: f.mapped,
        bus: false,
        align: false,
    }
}

/// Puts the guest registers that were in host registers at a fault into their slots.
fn settle(pin: &Pinning, st: &mut State) {
    for &(s, r) in &pin.list {
        st.r[usize::from(s)] = st.raw[usize::from(r)];
    }
    for &(s, r) in &pin.list_x {
        st.set_wide(usize::from(s), st.raw_x[usize::from(r)]);
    }
}

/// The pending flags at a fault.
fn recipe(st: &mut State, r: &Recipe) -> u64 {
    let value = |st: &State, p: Place| -> u128 {
        match p {
            Place::Const(k) => u128::from(k),
            Place::Reg(reg) => u128::from(st.raw[usize::from(reg)]),
            Place::Xmm(reg) => st.raw_x[usize::from(reg)],
            Place::State(disp) => {
                let p = (&raw const *st)
                    .cast::<u8>()
                    .wrapping_offset((disp + BIAS) as isize);
                // SAFETY: the code generator only records places within the state.
                unsafe { p.cast::<u128>().read_unaligned() }
            }
        }
    };
    let (a, b) = (value(st, r.a), value(st, r.b));
    let mut env = st.env();
    let out = if r.op == Op::FLogic && r.imm == 1 {
        crate::ir::flags::of_logic(r.w, (a & b) as u64)
    } else if r.op == Op::GetF {
        st.flags
    } else {
        eval_any(&mut env, r.op, r.w, a, b, 0, r.imm) as u64
    };
    st.set_env(env);
    let nz = r.nz.map(|p| value(st, p) as u64);
    let carry = r.carry.map(|(p, bit)| (value(st, p) as u64, bit));
    crate::ir::flags::part(out, nz, carry)
}
