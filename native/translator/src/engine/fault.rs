//! Faults of translated code: the exact state, and what to make of the address.

use super::run::Next;
use super::{NativeCore, gate};
use crate::cpu::{Access, Exit};
use crate::host::code::Recipe;
use crate::host::{Cpu, Host, Native, NativeCpu};
use crate::ir::Op;
use crate::ir::eval::eval_any;
use crate::memory::Prot;

/// What an access takes.
fn need(access: Access) -> Prot {
    match access {
        Access::Read => Prot::READ,
        Access::Write => Prot::WRITE,
        Access::Fetch => Prot::EXEC,
    }
}

impl NativeCore {
    /// Translated code faulted: restore the exact state and say what it was.
    pub(super) fn fault(&mut self) -> Next {
        let note = self.cpu_ref().fault();
        let (at, host_addr) = (note.pc, note.addr);
        let gate = gate::inside();
        let point = self.common.cache.fault_at(self.generation.id, at);
        drop(gate);
        let Some(point) = point else {
            panic!("native core: a fault at {at:#x} that no translated instruction can have");
        };
        let common = self.common.clone();
        let cpu = self.cpu();
        cpu.state_mut().pc = point.pc;
        cpu.state_mut().executed += u64::from(point.insn);
        Native::settle(point.pin.as_deref().unwrap_or(&common.cache.pin), cpu);
        cpu.state_mut().settle_flags();
        if let Some(r) = &point.recipe {
            cpu.state_mut().flags = recipe(cpu, r);
        }
        let base = self.common.space.base() as u64;
        let addr = host_addr.wrapping_sub(base);
        if host_addr == u64::MAX || addr >= self.common.space.limit() {
            // Not an address of the window: tagged, perhaps. The interpreter knows.
            return match self.step_guest() {
                Exit::Interrupted => {
                    if !self.common.has_stops() {
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
        if point.rough {
            return match self.step_guest() {
                Exit::Interrupted => Next::Go,
                // The interpreter's reads and writes are the kernel's, who does not tell it of buses.
                Exit::Fault {
                    addr: at,
                    access,
                    mapped,
                    align,
                    ..
                } => Next::Leave(Exit::Fault {
                    addr: at,
                    access,
                    mapped,
                    bus: note.bus && mapped,
                    align,
                }),
                exit => Next::Leave(exit),
            };
        }
        let access = if note.write || point.write {
            Access::Write
        } else {
            Access::Read
        };
        let bus = note.bus;
        if !bus
            && self.common.space.is_guarded(addr, need(access))
            && self.common.space.read(addr, &mut [0]).is_ok()
        {
            // Another thread permitted it meanwhile.
            return Next::Go;
        }
        Next::Leave(self.fault_exit(addr, access, bus))
    }

    pub(super) fn fault_exit(&self, addr: u64, access: Access, bus: bool) -> Exit {
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
}

/// The pending flags at a fault.
fn recipe(cpu: &mut NativeCpu, r: &Recipe) -> u64 {
    let (a, b) = (cpu.value(r.a), cpu.value(r.b));
    let mut env = cpu.state().env();
    // What a logical operation tests may be still to be and-ed.
    let and = r.op == Op::FLogic && r.imm == 1;
    let a = if and { a & b } else { a };
    let out = if r.op == Op::GetF {
        cpu.state().flags
    } else {
        let any = eval_any(&mut env, r.op, r.w, a, b, 0, r.imm) as u64;
        cpu.state().flags_of(r.op, r.w, a, b, env).unwrap_or(any)
    };
    cpu.state_mut().set_env(env);
    let nz = r.nz.map(|p| cpu.value(p) as u64);
    let carry = r.carry.map(|(p, bit)| (cpu.value(p) as u64, bit));
    crate::ir::flags::part(out, nz, carry)
}
